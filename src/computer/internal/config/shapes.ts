/**
 * Where a config file has its servers and inputs, and what programs of other shapes mean in the words of the common one.
 */
import * as Result from "effect/Result"
import { isRecord } from "../../../protocol/Json.ts"
import type { Dialect } from "../../ServerEntry.ts"
import { fromCodex } from "./codex.ts"
import { continueServers, isOfContinue } from "./continue.ts"
import type { Fields } from "./decoding.ts"
import { type Foreign, nameIn } from "./foreignFields.ts"
import { gooseServers, isOfGoose } from "./goose.ts"

/** What a file holds, entry by entry as it was written. */
export interface Shape extends Foreign {
  readonly inputs: unknown
  /** How variables are written, as far as the shape tells. */
  readonly dialect: Dialect
}

const REMEDY = "write { \"mcpServers\": { \"<name>\": { \"command\": … } } }"

/** Finds the servers in the value of a file, or says what to write in its place. */
export const shapeOf = (value: unknown): Result.Result<Shape, string> => {
  if (Array.isArray(value) && value.length > 0 && value.every(isServer)) return Result.succeed(listed(value, undefined))
  if (!isRecord(value)) return Result.fail(`is not a JSON object; ${REMEDY}`)
  if (isOfContinue(value)) return Result.succeed(foreign(continueServers(value)))
  const names = ["servers", "mcpServers"].filter((name) => value[name] !== undefined)
  if (names.length > 0) return namedMaps(value, names)
  const other = otherPrograms(value)
  if (other !== undefined) return other
  if (isServer(value)) return Result.succeed(listed([value], value["inputs"]))
  const bare = Object.entries(value).filter(([key]) => key !== "$schema" && key !== "inputs")
  if (bare.length > 0 && bare.every(([, item]) => isRecord(item)) && bare.some(([, item]) => isServer(item))) {
    return Result.succeed(shape(bare, value["inputs"], "a2c"))
  }
  return Result.fail(`has neither "mcpServers" nor "servers"; ${REMEDY}`)
}

/** Whether this can be nothing but an entry of a server. */
const isServer = (value: unknown): value is Fields =>
  isRecord(value) &&
  (isRecord(value["server_parameters"]) || typeof value["command"] === "string" ||
    ["url", "httpUrl", "serverUrl"].some((key) => typeof value[key] === "string"))

const namedMaps = (value: Fields, names: ReadonlyArray<string>): Result.Result<Shape, string> => {
  const servers: Array<readonly [string, unknown]> = []
  for (const name of names) {
    const entries = entriesOf(value[name])
    if (entries === undefined) return Result.fail(`has a "${name}" that is neither an object nor a list; ${REMEDY}`)
    servers.push(...entries)
  }
  return Result.succeed(shape(servers, value["inputs"], names.includes("mcpServers") ? "a2c" : "vscode"))
}

/** A map as it is, or a list whose items have names. */
const entriesOf = (value: unknown): ReadonlyArray<readonly [string, unknown]> | undefined => {
  if (isRecord(value)) return Object.entries(value)
  if (!Array.isArray(value)) return undefined
  return value.map((item: unknown, index) => [nameIn(item) ?? `servers[${index}]`, item])
}

const listed = (items: ReadonlyArray<unknown>, inputs: unknown): Shape =>
  shape(items.map((item, index) => [nameIn(item) ?? `server ${index + 1}`, item]), inputs, "a2c")

const otherPrograms = (value: Fields): Result.Result<Shape, string> | undefined => {
  const { context_servers: zed, extensions: goose, mcp, mcp_servers: codex } = value
  if (isOfGoose(goose)) return Result.succeed(foreign(gooseServers(goose)))
  if (isRecord(zed)) return Result.succeed(shape(Object.entries(zed), value["inputs"], "claude-desktop"))
  if (isRecord(codex)) {
    return Result.succeed(
      foreign({ servers: Object.entries(codex).map(([key, item]) => [key, fromCodex(item)]), remarks: [] })
    )
  }
  if (!isRecord(mcp)) return undefined
  // the settings of VS Code have a file of their shape below this key
  if (isRecord(mcp["servers"])) return namedMaps(mcp, ["servers"])
  const isOpenCode = Object.values(mcp).some((item) => isRecord(item) && /^(local|remote)$/.test(String(item["type"])))
  return Result.succeed(shape(Object.entries(mcp), value["inputs"], isOpenCode ? "opencode" : "gemini"))
}

const foreign = ({ remarks, servers }: Foreign): Shape => ({ ...shape(servers, undefined, "a2c"), remarks })

/** What only A2C writes; a file that has some of it is one of ours, whatever its servers are called. */
const ownKeys = ["server_parameters", "bundle_id", "tool_meta", "default_tool_meta", "forbidden_tools", "vrl"]

const shape = (servers: Shape["servers"], inputs: unknown, dialect: Dialect): Shape => {
  const isOwn = servers.some(([, item]) => isRecord(item) && ownKeys.some((key) => item[key] !== undefined))
  return {
    servers: servers.map(([key, item]) => [key, normalised(item)]),
    inputs,
    remarks: [],
    dialect: isOwn ? "a2c" : dialect
  }
}

/** An entry in the words of the common shape. */
const normalised = (item: unknown): unknown => {
  if (!isRecord(item)) return item
  const { command, environment, type, ...rest } = item
  // OpenCode: the command with its arguments, and types of its own
  if (type === "remote") return { command, ...rest }
  if (type === "local") {
    const [program, ...args] = Array.isArray(command) ? command as ReadonlyArray<unknown> : [command]
    return {
      ...rest,
      type: "stdio",
      command: program,
      args,
      ...(environment === undefined ? {} : { env: environment })
    }
  }
  // Zed: the command is an object
  if (isRecord(command) && command["path"] !== undefined) {
    const { path, ...ofCommand } = command
    const { command: _, source: _source, ...others } = item
    return { ...others, command: path, ...ofCommand }
  }
  return item
}
