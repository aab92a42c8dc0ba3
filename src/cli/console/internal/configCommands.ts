/**
 * What the commands for the configuration do.
 */
import * as Effect from "effect/Effect"
import { describeConfig } from "../../../computer/Computer.ts"
import { Inputs } from "../../../computer/Inputs.ts"
import { McpManager } from "../../../computer/McpManager.ts"
import { writeConfig } from "../../internal/newConfigFile.ts"
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
  const path = pathOf(file.replace(/^@/, ""))
  return said(yield* writeConfig({ path, force: switches.has("force") }, yield* current), { file: path })
})
