/**
 * Several configurations as one: the later one wins.
 */
import type { ConfigFile } from "../../ConfigFile.ts"
import type { Diagnostic } from "../../Diagnostic.ts"
import type { InputDefinition } from "../../InputDefinition.ts"
import type { ServerEntry } from "../../ServerEntry.ts"

/** What a later configuration replaces keeps its place in the order, and a diagnostic names it. */
export const mergeConfigs = (files: ReadonlyArray<ConfigFile>): ConfigFile => {
  const servers = new Map<string, ServerEntry>()
  const inputs = new Map<string, InputDefinition>()
  const diagnostics: Array<Diagnostic> = []
  for (const file of files) {
    diagnostics.push(...file.diagnostics)
    for (const entry of file.servers) {
      const { bundleId, key, origin: { source } } = entry
      const earlier = servers.get(bundleId)
      if (earlier !== undefined) {
        diagnostics.push({
          server: key,
          message: `Server "${key}" of ${source} replaces "${earlier.key}" of ${earlier.origin.source}: ` +
            `both have the bundle id "${bundleId}"`,
          severity: "warning",
          source
        })
      }
      servers.set(bundleId, entry)
    }
    for (const input of file.inputs) {
      const earlier = inputs.get(input.id)
      // several files of one person define the same input again and again
      if (earlier !== undefined && JSON.stringify(earlier) !== JSON.stringify(input)) {
        diagnostics.push({
          server: undefined,
          message: `The input "${input.id}" of a later file replaces an earlier one`,
          severity: "warning"
        })
      }
      inputs.set(input.id, input)
    }
  }
  return { servers: [...servers.values()], inputs: [...inputs.values()], diagnostics }
}
