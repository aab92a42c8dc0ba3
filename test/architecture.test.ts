import { assert, describe, it } from "@effect/vitest"
import { readdirSync, readFileSync } from "node:fs"
import { join, relative, sep } from "node:path"
import { fileURLToPath } from "node:url"
import { floors, violations } from "./support/architecture.ts"

const root = fileURLToPath(new URL("..", import.meta.url))

const sources = readdirSync(join(root, "src"), { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
  .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join("/"))
  .sort()

describe("the architecture of src", () => {
  it("has source files in known areas only", () => {
    assert.isAbove(sources.length, 0)
    const areas = new Set(sources.map((path) => path.split("/").slice(1, -1)[0] ?? ""))
    assert.deepStrictEqual([...areas].filter((area) => !(area in floors)), [])
  })

  it.each(sources)("%s imports only what it may", (path) => {
    assert.deepStrictEqual(violations(path, readFileSync(join(root, path), "utf8")), [])
  })
})

/** A rule, a file that breaks it, and what the complaint says. */
const forbidden: ReadonlyArray<readonly [rule: string, path: string, source: string, complaint: RegExp]> = [
  ["a higher floor", "src/protocol/A.ts", "import { b } from \"../transport/B.ts\"", /a higher floor/],
  ["a higher floor, from a role", "src/agent/A.ts", "import { b } from \"../testing/B.ts\"", /a higher floor/],
  ["a sibling role", "src/agent/A.ts", "import * as C from \"../computer/C.ts\"", /sibling/],
  ["a sibling role's types", "src/server/A.ts", "import type { C } from \"../agent/C.ts\"", /sibling/],
  ["a sibling on the top floor", "src/testing/A.ts", "import * as C from \"../cli/C.ts\"", /sibling/],
  ["a neighbour's internals", "src/cli/A.ts", "import * as T from \"../testing/internal/t.ts\"", /internal to/],
  ["an unknown area", "src/agent/A.ts", "import * as T from \"../helpers/T.ts\"", /no area of src/],
  ["a file of an unknown area", "src/helpers/A.ts", "import * as T from \"../protocol/T.ts\"", /no area of src/],
  ["a file outside of src", "src/agent/A.ts", "import { t } from \"../../test/support/t.ts\"", /outside of src/],
  ["no extension", "src/agent/A.ts", "import { b } from \"./B\"", /extension/],
  ["a barrel", "src/agent/A.ts", "import { B } from \"../protocol/index.ts\"", /never a barrel/],
  ["the own barrel", "src/agent/A.ts", "import { B } from \"./index.ts\"", /never a barrel/],
  ["the root barrel", "src/cli/Main.ts", "import { B } from \"../index.ts\"", /never a barrel/],
  ["another area's internals", "src/agent/A.ts", "import { b } from \"../transport/internal/b.ts\"", /internal to/],
  ["internals in a barrel", "src/agent/index.ts", "export * as b from \"./internal/b.ts\"", /internal to/],
  ["internals of a folder below", "src/agent/A.ts", "import { b } from \"./deep/internal/b.ts\"", /internal to/],
  ["Socket.IO outside of transport", "src/agent/A.ts", "import { io } from \"socket.io-client\"", /src\/transport/],
  ["the Socket.IO server in server", "src/server/A.ts", "import { Server } from \"socket.io\"", /src\/transport/],
  ["the Socket.IO parser in testing", "src/testing/A.ts", "import * as P from \"socket.io-parser\"", /src\/transport/],
  ["the Socket.IO server in a client", "src/transport/SocketIo.ts", "import \"socket.io\"", /server side/],
  ["the Socket.IO client in a server", "src/transport/SocketIoServer.ts", "import \"socket.io-client\"", /client side/],
  ["the MCP SDK outside its door", "src/computer/A.ts", "import \"@modelcontextprotocol/sdk/types.js\"", /only door/],
  ["the MCP SDK in cli", "src/cli/A.ts", "import \"@modelcontextprotocol/sdk/client/index.js\"", /only door/],
  [
    "the MCP SDK in the client itself",
    "src/computer/McpClient.ts",
    "import \"@modelcontextprotocol/sdk/types.js\"",
    /only door/
  ],
  ["undici outside of the HTTP client", "src/computer/McpClient.ts", "import { Agent } from \"undici\"", /http/],
  ["jsonc-parser outside of computer", "src/cli/A.ts", "import { parse } from \"jsonc-parser\"", /Computer's/],
  ["the barrel of platform-node", "src/cli/A.ts", "import { NodeRuntime } from \"@effect/platform-node\"", /deep path/],
  ["undici", "src/cli/A.ts", "import * as U from \"@effect/platform-node/Undici\"", /deep path/],
  ["platform-node in server", "src/server/A.ts", "import * as N from \"@effect/platform-node/NodeServices\"", /cli/],
  ["child processes elsewhere", "src/computer/A.ts", "import { spawn } from \"node:child_process\"", /only one/],
  ["child processes in cli", "src/cli/A.ts", "import { spawn } from \"child_process\"", /only one/],
  ["Node in protocol", "src/protocol/A.ts", "import { createHash } from \"node:crypto\"", /hashes nothing/],
  ["hashing in testing", "src/testing/A.ts", "import { createHash } from \"node:crypto\"", /hashes nothing/],
  ["Node in agent", "src/agent/A.ts", "import { readFile } from \"node:fs/promises\"", /free of Node/],
  ["Node in testing", "src/testing/A.ts", "import * as http from \"node:http\"", /free of Node/],
  ["a package of nobody", "src/cli/A.ts", "import chalk from \"chalk\"", /no file of src may/],
  ["the package itself", "src/agent/A.ts", "import { B } from \"a2c-smcp/protocol\"", /no file of src may/],
  ["a package whose name starts alike", "src/agent/A.ts", "import \"effects\"", /no file of src may/],
  ["code in a barrel", "src/agent/index.ts", "export const a = 1", /more than re-export/],
  ["an import in a barrel", "src/agent/index.ts", "import \"./A.ts\"", /more than re-export/],
  ["a flat re-export", "src/agent/index.ts", "export * from \"./A.ts\"", /as a namespace/],
  ["a computed import", "src/agent/A.ts", "const load = (name: string) => import(name)", /literally/]
]

const forms: ReadonlyArray<readonly [form: string, source: string]> = [
  ["an import", "import { a } from \"chalk\""],
  ["an import for its effects", "import \"chalk\""],
  ["a default import", "import a from \"chalk\""],
  ["a namespace import", "import * as a from \"chalk\""],
  ["a type import", "import type { a } from \"chalk\""],
  ["an inline type import", "import { type a } from \"chalk\""],
  ["a re-export", "export { a } from \"chalk\""],
  ["a re-export of everything", "export * from \"chalk\""],
  ["a re-exported namespace", "export * as a from \"chalk\""],
  ["a type re-export", "export type { a } from \"chalk\""],
  ["a dynamic import", "export const a = async () => (await import(\"chalk\")).a"],
  ["a dynamic import of a template", "export const a = import(`chalk`)"],
  ["a type query", "export type A = import(\"chalk\").A"],
  ["a nested type query", "export const a = (b: Array<typeof import(\"chalk\")>): unknown => b"],
  ["an import assignment", "import a = require(\"chalk\")"],
  ["a require call", "const a = require(\"chalk\")"],
  ["an import over several lines", "import {\n  a,\n  b // from \"effect\"\n} from \"chalk\""]
]

const allowed: ReadonlyArray<readonly [path: string, source: string]> = [
  ["src/protocol/A.ts", "import { Schema } from \"effect\"\nimport * as B from \"./B.ts\""],
  ["src/transport/SocketIoServer.ts", "import { Server } from \"socket.io\"\nimport { a } from \"./internal/a.ts\""],
  ["src/transport/internal/serverPackets.ts", "import { Server } from \"socket.io\""],
  ["src/transport/SocketIo.ts", "import { io } from \"socket.io-client\"\nimport \"socket.io-parser\""],
  ["src/transport/internal/a.ts", "import * as B from \"../B.ts\"\nimport * as P from \"../../protocol/P.ts\""],
  ["src/agent/A.ts", "import { createHash } from \"node:crypto\""],
  ["src/server/A.ts", "import { timingSafeEqual } from \"node:crypto\"\nimport * as T from \"../transport/T.ts\""],
  ["src/computer/internal/mcp/mcpSdk.ts", "import { Client } from \"@modelcontextprotocol/sdk/client/index.js\""],
  ["src/computer/internal/process/childProcess.ts", "import { spawn } from \"node:child_process\""],
  ["src/computer/Config.ts", "import { parse } from \"jsonc-parser\""],
  [
    "src/cli/Main.ts",
    "import * as N from \"@effect/platform-node/NodeRuntime\"\nimport * as A from \"../agent/Agent.ts\""
  ],
  ["src/cli/internal/a.ts", "import * as T from \"../../testing/T.ts\""],
  ["src/testing/Office.ts", "import * as A from \"../agent/Agent.ts\"\nimport * as S from \"../server/Server.ts\""],
  [
    "src/agent/index.ts",
    "/** The Agent. */\nexport * as Agent from \"./Agent.ts\"\nexport { connectAgent } from \"./C.ts\""
  ],
  ["src/index.ts", "export * from \"./agent/index.ts\"\nexport * as protocol from \"./protocol/index.ts\""],
  ["src/agent/A.ts", "// import \"chalk\"\nexport const text = \"import x from 'chalk'\""]
]

describe("the architecture check", () => {
  it.each(forbidden)("refuses %s", (_rule, path, source, complaint) => {
    const complaints = violations(path, source)
    assert.strictEqual(complaints.length, 1, complaints.join("\n"))
    assert.match(complaints[0]!, complaint)
  })

  it.each(forms)("sees %s", (_form, source) => {
    assert.deepStrictEqual(violations("src/protocol/A.ts", source), [
      "src/protocol/A.ts:1 imports \"chalk\": no file of src may"
    ])
  })

  it.each(allowed)("lets %s be", (path, source) => {
    assert.deepStrictEqual(violations(path, source), [])
  })

  it("names the line of each complaint", () => {
    const source = "import { Effect } from \"effect\"\n\nimport \"chalk\"\nexport * as C from \"../computer/C.ts\"\n"
    assert.deepStrictEqual(violations("src/agent/A.ts", source).map((text) => text.split(" ")[0]), [
      "src/agent/A.ts:3",
      "src/agent/A.ts:4"
    ])
  })
})
