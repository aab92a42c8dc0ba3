/**
 * Where the values of inputs are kept from one run to the next.
 */
import { basename, dirname, join, resolve } from "node:path"
import type * as Host from "../../computer/Host.ts"
import * as SecretStore from "../../computer/SecretStore.ts"
import { readable, shortHash } from "./stateDirectory.ts"

/**
 * A file of the state directory, and the keychain when it is wanted. Both are for the configurations in the directories of
 * these files, and for no others: one id means something else in each project, and a secret of one is nothing that the
 * servers of another are to get.
 */
export const valueStores = (
  { keychain, paths, state }: {
    readonly keychain: boolean
    readonly state: string
    readonly paths: ReadonlyArray<string>
  }
): Pick<Host.Options, "secretStore" | "valueFile"> => {
  const project = projectName(paths)
  return {
    valueFile: join(state, "values", `${project}.json`),
    secretStore: keychain ? SecretStore.layerKeyring({ service: `a2c-smcp ${project}` }) : undefined
  }
}

const projectName = (paths: ReadonlyArray<string>): string => {
  const directories = [...new Set(paths.map((path) => dirname(resolve(path))))].sort()
  return `${readable(basename(directories[0] ?? "console"))}-${shortHash(directories)}`
}
