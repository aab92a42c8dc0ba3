/**
 * The answer to `client:get_config`: every key that a peer checks for, nothing rendered, nothing secret.
 */
import type { Revision } from "../../../protocol/Revision.ts"
import type { GetConfigRet, ServerConfig } from "../../../protocol/ServerConfig.ts"
import { type InputDefinition, labelled, toServerInput } from "../../InputDefinition.ts"
import type { Dialect, ServerEntry } from "../../ServerEntry.ts"
import { isSecret } from "../inputs/inputValues.ts"
import { mask } from "../inputs/placeholders.ts"
import { canonical } from "../toolMeta.ts"
import { maskedArguments, maskedParameters, maskedText } from "./maskedConfig.ts"

/**
 * The configuration as a peer may see it: raw, except that the values of `env` and `headers` and the defaults of inputs
 * that are secrets are `***` wherever they are not placeholders, and so is what looks like a secret in commands, arguments
 * and addresses.
 */
export const configAnswer = (
  servers: ReadonlyArray<ServerEntry>,
  inputs: ReadonlyArray<InputDefinition>,
  revision: Revision
): GetConfigRet => {
  const answer = new Map<string, Readonly<Record<string, unknown>>>()
  for (const { bundleId, config, origin } of servers) {
    const key = revision.serverKey === "bundle_id" ? bundleId : config.name
    // names may collide, and an answer has room for one of each
    if (!answer.has(key)) answer.set(key, serverAnswer(bundleId, config, origin.dialect))
  }
  return { servers: Object.fromEntries(answer), inputs: inputs.map((input) => inputAnswer(input, revision)) }
}

const serverAnswer = (
  bundleId: string,
  config: ServerConfig,
  dialect: Dialect
): Readonly<Record<string, unknown>> => ({
  name: config.name,
  bundle_id: bundleId,
  disabled: config.disabled,
  forbidden_tools: config.forbidden_tools,
  tool_meta: mapValues(config.tool_meta, canonical),
  default_tool_meta: config.default_tool_meta ? canonical(config.default_tool_meta) : null,
  vrl: config.vrl ?? null,
  type: config.type,
  server_parameters: maskedParameters(config, dialect)
})

const mapValues = <A, B>(record: Readonly<Record<string, A>>, f: (value: A) => B): Readonly<Record<string, B>> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, f(value)]))

const inputAnswer = (definition: InputDefinition, revision: Revision): Readonly<Record<string, unknown>> => {
  const input = toServerInput(definition)
  const { id, type } = input
  const base = { id, description: input.description ?? id, type }
  switch (input.type) {
    case "promptString": {
      const fallback = input.default ?? null
      const password = input.password ?? false
      return {
        ...base,
        default: fallback === null ? null : isSecret(definition) ? mask(fallback) : maskedText(fallback, "a2c"),
        password
      }
    }
    case "pickString":
      return {
        ...base,
        options: input.options.map((option) =>
          revision.pickOptions === "labelled" ? labelled(option) : labelled(option).value
        ),
        default: input.default ?? null
      }
    case "command":
      return {
        ...base,
        command: maskedText(input.command, "a2c"),
        args: input.args ? maskedRecord(input.args) : null
      }
  }
}

/** Arguments by name: in the order of their names they are those of a command. */
const maskedRecord = (args: Readonly<Record<string, string>>): Readonly<Record<string, string>> => {
  const names = Object.keys(args).sort()
  const masked = maskedArguments(names.map((name) => args[name] ?? ""), "a2c")
  return Object.fromEntries(names.map((name, index) => [name, masked[index] ?? ""]))
}
