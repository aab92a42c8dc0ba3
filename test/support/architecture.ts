import { posix } from "node:path"
import { parseAst } from "vitest/node"

/**
 * The floor of every area of `src`. A file imports its own area or an area of a
 * lower floor; areas that share a floor never import each other, but for the
 * {@link neighbours}. The root
 * barrel (`src/index.ts`) is the area `""`, above everything.
 */
export const floors: Readonly<Record<string, number>> = {
  protocol: 1,
  transport: 2,
  server: 3,
  computer: 3,
  agent: 3,
  cli: 4,
  testing: 4,
  "": 5
}

/** Areas of one floor of which the first may import the second: `smcp conformance` runs what `testing` exports. */
export const neighbours: ReadonlyArray<readonly [from: string, to: string]> = [["cli", "testing"]]

/** A package, or a part of one, and who may import it. */
export interface PackageRule {
  /** Matches the import specifier. */
  readonly specifier: RegExp
  /** Matches the path of a file that may import it. */
  readonly from: RegExp
  /** What to tell whoever may not. */
  readonly why: string
}

/** The first rule that matches a specifier decides; what no rule names may not be imported at all. */
export const packageRules: ReadonlyArray<PackageRule> = [
  { specifier: /^effect(\/|$)/, from: /^src\/[^/]+\//, why: "the root barrel only re-exports" },
  {
    specifier: /^socket\.io$/,
    from: /^src\/transport\/(.+\/)?[^/]*server[^/]*\.ts$/i,
    why: "the Socket.IO server belongs to the server side of src/transport (a file with \"Server\" in its name)"
  },
  {
    specifier: /^socket\.io-client$/,
    from: /^src\/transport\/(.+\/)?(?![^/]*server)[^/]+\.ts$/i,
    why: "the Socket.IO client belongs to the client side of src/transport"
  },
  {
    specifier: /^socket\.io-parser$/,
    from: /^src\/transport\//,
    why: "Socket.IO is named only in src/transport"
  },
  {
    specifier: /^@modelcontextprotocol\/sdk\//,
    from: /^src\/computer\/internal\/mcp\/mcpSdk\.ts$/,
    why: "src/computer/internal/mcp/mcpSdk.ts is the only door to the MCP SDK"
  },
  {
    specifier: /^undici$/,
    from: /^src\/computer\/internal\/mcp\/http\w+\.ts$/,
    why: "HTTP requests are made by src/computer/internal/mcp/http*.ts"
  },
  {
    specifier: /^jsonc-parser$/,
    from: /^src\/(computer\/|cli\/console\/internal\/jsonArgument\.ts$)/,
    why: "it is for the Computer's configuration files and what is typed into its console"
  },
  {
    specifier: /^(smol-toml|yaml)$/,
    from: /^src\/computer\/internal\/config\/configText\.ts$/,
    why: "src/computer/internal/config/configText.ts reads every text of a configuration"
  },
  {
    specifier: /^@napi-rs\/keyring$/,
    from: /^src\/computer\/internal\/inputs\/keyring\.ts$/,
    why: "src/computer/internal/inputs/keyring.ts is the only door to the operating system's keychain"
  },
  {
    specifier: /^@effect\/platform-node\/(?!Undici)[A-Z]\w*$/,
    from: /^src\/(computer|cli)\//,
    why: "only src/computer and src/cli may need it"
  },
  {
    specifier: /^@effect\/platform-node(\/Undici)?$/,
    from: /^$/,
    why: "the barrel and undici load what Node 20 and our users do not have; import a deep path"
  },
  {
    specifier: /^(node:)?child_process$/,
    from: /^src\/computer\/internal\/process\/childProcess\.ts$/,
    why: "src/computer/internal/process/childProcess.ts is the only one to start processes"
  },
  {
    specifier: /^node:crypto$/,
    from: /^src\/(transport|server|computer|agent|cli)\//,
    why: "this area hashes nothing"
  },
  {
    specifier: /^node:/,
    from: /^src\/(transport|server|computer|cli)\//,
    why: "this area stays free of Node's own modules"
  }
]

/** Says what is wrong with the imports of one file of `src`; `path` is relative to the repository. */
export const violations = (path: string, source: string): ReadonlyArray<string> => {
  const program: unknown = parseAst(source, { lang: "ts" })
  const imports = importsOf(program)
  const complaints = imports.flatMap(({ offset, specifier }) => {
    const complaint = specifier === undefined
      ? "a dynamic import must name its module literally"
      : complain(path, specifier)
    return complaint === undefined ? [] : [`${path}:${lineAt(source, offset)} ${complaint}`]
  })
  return isBarrel(path) ? [...complaints, ...barrelComplaints(path, program)] : complaints
}

const complain = (path: string, specifier: string): string | undefined =>
  specifier.startsWith(".") ? complainFile(path, specifier) : complainPackage(path, specifier)

const complainFile = (path: string, specifier: string): string | undefined => {
  const target = posix.join(posix.dirname(path), specifier)
  const told = (why: string) => `imports ${target}: ${why}`
  if (!target.startsWith("src/")) return told("outside of src")
  if (!target.endsWith(".ts")) return told("name the file with its .ts extension")
  if (isBarrel(target) && !isBarrel(path)) return told("library code imports files, never a barrel")
  const owner = /^(.*\/)internal\//.exec(target)?.[1]
  if (owner !== undefined && (isBarrel(path) || !path.startsWith(owner))) return told(`internal to ${owner}`)
  const from = areaOf(path)
  const to = areaOf(target)
  if (from === to) return undefined
  const fromFloor = floors[from]
  const toFloor = floors[to]
  if (fromFloor === undefined) return told(`"${from}" is no area of src; add it to the floors`)
  if (toFloor === undefined) return told(`"${to}" is no area of src; add it to the floors`)
  if (toFloor > fromFloor) return told("a higher floor")
  const areNeighbours = neighbours.some(([one, other]) => one === from && other === to)
  if (toFloor === fromFloor && !areNeighbours) {
    return told("a sibling on the same floor; what two share belongs on a lower one")
  }
  return undefined
}

const complainPackage = (path: string, specifier: string): string | undefined => {
  const rule = packageRules.find((candidate) => candidate.specifier.test(specifier))
  if (rule === undefined) return `imports "${specifier}": no file of src may`
  return rule.from.test(path) ? undefined : `imports "${specifier}": ${rule.why}`
}

const isBarrel = (path: string): boolean => posix.basename(path) === "index.ts"

/** A barrel only re-exports; that of an area re-exports namespaces or names, never a whole file flat. */
const barrelComplaints = (path: string, program: unknown): ReadonlyArray<string> => {
  const body = isNode(program) && Array.isArray(program["body"]) ? program["body"].filter(isNode) : []
  return body.flatMap((statement) => {
    if (!isNode(statement["source"]) || !statement.type.startsWith("Export")) {
      return [`${path} does more than re-export`]
    }
    const flat = statement.type === "ExportAllDeclaration" && statement["exported"] === null
    return flat && areaOf(path) !== "" ? [`${path} re-exports a file flat; export it as a namespace`] : []
  })
}

/** The folder below `src`, or `""` for a file that lies in `src` itself. */
const areaOf = (path: string): string => /^src\/([^/]+)\//.exec(path)?.[1] ?? ""

const lineAt = (source: string, offset: number): number => source.slice(0, offset).split("\n").length

// -----------------------------------------------------------------------------
// Imports
// -----------------------------------------------------------------------------

interface Import {
  readonly offset: number
  /** Absent where the module's name is computed. */
  readonly specifier: string | undefined
}

interface Node {
  readonly type: string
  readonly start: number
  readonly [key: string]: unknown
}

const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && "type" in value && typeof value.type === "string"

/** Every module a program names: imports and re-exports, of values and of types, static and dynamic. */
const importsOf = (root: unknown): ReadonlyArray<Import> => {
  const found: Array<Import> = []
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) return value.forEach(visit)
    if (!isNode(value)) return
    const named = moduleOf(value)
    if (isNode(named)) found.push({ offset: value.start, specifier: literalOf(named) })
    Object.values(value).forEach(visit)
  }
  visit(root)
  return found
}

const moduleOf = (node: Node): unknown => {
  switch (node.type) {
    case "ImportDeclaration":
    case "ExportAllDeclaration":
    case "ExportNamedDeclaration":
    case "ImportExpression":
    case "TSImportType":
      return node["source"]
    case "TSExternalModuleReference":
      return node["expression"]
    case "CallExpression": {
      const callee = node["callee"]
      const isRequire = isNode(callee) && callee.type === "Identifier" && callee["name"] === "require"
      return isRequire && Array.isArray(node["arguments"]) ? node["arguments"][0] : undefined
    }
    default:
      return undefined
  }
}

const literalOf = (node: Node): string | undefined => {
  if (node.type === "Literal" && typeof node["value"] === "string") return node["value"]
  if (node.type !== "TemplateLiteral" || !Array.isArray(node["quasis"]) || node["quasis"].length !== 1) return undefined
  const [text] = node["quasis"]
  const value: unknown = isNode(text) ? text["value"] : undefined
  return typeof value === "object" && value !== null && "cooked" in value && typeof value.cooked === "string"
    ? value.cooked
    : undefined
}
