/**
 * What the commands for the configuration do.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { describeConfig } from "../../../computer/Computer.ts"
import * as ConfigFile from "../../../computer/ConfigFile.ts"
import { Inputs } from "../../../computer/Inputs.ts"
import { McpManager } from "../../../computer/McpManager.ts"
import { usage } from "../../internal/failure.ts"
import { type Run, Session } from "../Session.ts"
import { jsonView, said } from "../View.ts"
import { pathOf } from "./jsonArgument.ts"

const current = Effect.gen(function*() {
  const states = yield* (yield* McpManager).states
  return { servers: states.map(({ entry }) => entry), inputs: yield* (yield* Inputs).definitions }
})

export const mcp: Run = Effect.fnUntraced(function*() {
  const { inputs, servers } = yield* current
  const { revision } = yield* Session
  return jsonView(describeConfig(servers, inputs, revision))
})

export const save: Run = Effect.fnUntraced(function*({ switches, values: [file = ""] }) {
  const config = yield* current
  const path = pathOf(file.replace(/^@/, ""))
  // it may be the very file that a person wrote
  const exists = FileSystem.FileSystem.use((fs) => Effect.orElseSucceed(fs.exists(path), () => true))
  if (!switches.has("force") && (yield* exists)) return yield* usage(`${path} exists; --force replaces it`)
  yield* ConfigFile.save(path, config)
  return said(`Wrote ${config.servers.length} servers and ${config.inputs.length} inputs to ${path}`, { file: path })
})
