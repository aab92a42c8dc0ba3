/**
 * What `smcp demo` does: commands that a person could type, run as processes of
 * their own, and what they say.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type { PlatformError } from "effect/PlatformError"
import type { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import type * as Scope from "effect/Scope"
import { randomBytes } from "node:crypto"
import { createRequire } from "node:module"
import { type Finished, type Running, start } from "./demoProcess.ts"
import { exitCodes } from "./exitCodes.ts"
import { Failure, usage } from "./failure.ts"
import { lineWidth, print } from "./output.ts"
import { clearIndicator, whileWaiting } from "./waiting.ts"

const OFFICE = "demo"
const COMPUTER = "laptop"
const AGENT = "assistant"
const MCP_SERVER = "@modelcontextprotocol/server-everything"
const SUM = "everything__get-sum"
const SLOW = "everything__trigger-long-running-operation"
const INDENT = "   "

/** All of it; ends every process it started, however it ends. */
export const demo = Effect.scoped(Effect.gen(function*() {
  const mcpServer = yield* findMcpServer
  const start = yield* Clock.currentTimeMillis

  yield* print("One tool call from an Agent to an MCP server it cannot reach, in three processes.")
  yield* heading(1, "A Server keeps offices and relays between those who sit in them")
  const server = yield* startServer
  yield* heading(2, `A Computer hosts the MCP servers of a config file and joins the office "${OFFICE}"`)
  const computer = yield* startComputer(server, mcpServer)
  const agent = agentOn(server)

  yield* heading(3, "An Agent in the same office sees their tools")
  yield* shown(agent(["tools"]), "Asking for the tools")
  yield* heading(4, "It calls one: through the Server, the Computer, the MCP server, and back")
  yield* shown(agent(["call", "--computer", COMPUTER, "--tool", SUM, "--params", `{"a":17,"b":25}`]), "Calling")
  yield* heading(5, "A slow one reports its progress to the Computer while the Agent waits")
  yield* shown(
    agent(["call", "--computer", COMPUTER, "--tool", SLOW, "--params", `{"duration":1.5,"steps":3}`]),
    "The Agent waits for the result"
  )
  yield* heading(6, "A very slow one is cancelled: Ctrl-C in the Agent's terminal")
  yield* cancelled(
    computer,
    agent(["call", "--computer", COMPUTER, "--tool", SLOW, "--params", `{"duration":60,"steps":200}`])
  )

  yield* heading(7, "SIGTERM ends the Computer with its MCP server, and the Server")
  yield* ended("Computer", computer)
  yield* ended("Server", server.process)
  const seconds = ((yield* Clock.currentTimeMillis) - start) / 1000
  yield* print(`\nDone in ${seconds.toFixed(1)} s. "smcp --help" tells how to do the same with your own MCP servers.`)
}))

// -----------------------------------------------------------------------------
// Narration
// -----------------------------------------------------------------------------

const BOLD = "\u001b[1m"
const PLAIN = "\u001b[0m"

const hasColour = (): boolean =>
  process.stdout.isTTY && (process.env["NO_COLOR"] ?? "") === "" && process.env["TERM"] !== "dumb"

const heading = (step: number, text: string): Effect.Effect<void> =>
  print(`\n${hasColour() ? BOLD : ""}${step}  ${text}${hasColour() ? PLAIN : ""}`)

/** Prints a line although an indicator may be shown. */
const tell = (text: string): Effect.Effect<void> => Effect.andThen(clearIndicator, print(INDENT + text))

const commandLine = (args: ReadonlyArray<string>): string =>
  `$ smcp ${args.map((arg) => /[^\w./:-]/.test(arg) ? `'${arg}'` : arg).join(" ")}`

// -----------------------------------------------------------------------------
// The roles
// -----------------------------------------------------------------------------

interface DemoServer {
  readonly process: Running
  /** What its peers need to know, as environment variables: a key on a command line is everyone's to see. */
  readonly environment: Readonly<Record<string, string>>
}

const findMcpServer = Effect.try({
  try: () => createRequire(import.meta.url).resolve(`${MCP_SERVER}/dist/index.js`),
  catch: () =>
    usage(`The demo's MCP server is missing: npm install ${MCP_SERVER} (npm leaves it out with --omit=optional)`)
})

const startServer = Effect.gen(function*() {
  const args = ["server", "--port", "0"]
  const key = randomBytes(16).toString("hex")
  yield* tell(commandLine(args))
  const running = yield* start(args, { environment: { SMCP_API_KEY: key }, serves: true })
  const url = yield* whileWaiting("Starting the Server")(running.firstLine)
  yield* tell(`${url}   (process ${running.pid}; the key is in SMCP_API_KEY)`)
  return { process: running, environment: { SMCP_URL: url, SMCP_API_KEY: key, SMCP_OFFICE: OFFICE } }
})

const startComputer = Effect.fnUntraced(function*({ environment }: DemoServer, mcpServer: string) {
  const fs = yield* FileSystem.FileSystem
  const directory = yield* fs.makeTempDirectoryScoped({ prefix: "smcp-demo-" })
  const config = { mcpServers: { everything: { command: process.execPath, args: [mcpServer, "stdio"] } } }
  const file = `${directory}/mcp.json`
  yield* fs.writeFileString(file, JSON.stringify(config, undefined, 2))
  const args = ["computer", "--config", file, "--name", COMPUTER, "--approve", "all", "--log-format", "text"]
  yield* tell(
    `mcp.json: { "mcpServers": { "everything": { "command": "node", "args": ["…/server-everything", "stdio"] } } }`
  )
  yield* tell(commandLine(args))
  const running = yield* start(args, {
    environment,
    serves: true,
    onErrorLine: (line) =>
      / progress | cancel/i.test(line) ? tell(`computer | ${line.replace(/ req_id=\w+$/, "")}`) : Effect.void
  })
  const joined = yield* whileWaiting("Starting the Computer and its MCP server")(running.firstLine)
  yield* tell(`${joined}   (process ${running.pid})`)
  return running
})

type Agent = Effect.Effect<Running, PlatformError, ChildProcessSpawner | Scope.Scope>

const agentOn = ({ environment }: DemoServer) => (args: ReadonlyArray<string>): Agent =>
  Effect.gen(function*() {
    const words = ["agent", ...args]
    yield* tell(commandLine(words))
    return yield* start(words, {
      // the table of tools is to be as wide as there is room for
      environment: { ...environment, SMCP_NAME: AGENT, COLUMNS: String(lineWidth() - INDENT.length) },
      serves: false
    })
  })

// -----------------------------------------------------------------------------
// The steps
// -----------------------------------------------------------------------------

/** Runs an Agent to its end and shows what it said. */
const shown = Effect.fnUntraced(function*(agent: Agent, what: string) {
  const finished = yield* agent.pipe(Effect.flatMap((running) => running.finished), whileWaiting(what))
  for (const line of finished.lines) yield* tell(line)
  if (finished.exitCode !== exitCodes.ok) return yield* unexpected("The Agent", finished)
})

/** Lets a call begin, then does what Ctrl-C does. */
const cancelled = Effect.fnUntraced(function*(computer: Running, agent: Agent) {
  const running = yield* agent
  yield* whileWaiting("The Agent waits for the result")(computer.errorLine(/ progress /))
  yield* tell("^C")
  const pressed = yield* Clock.currentTimeMillis
  yield* running.signal("SIGINT")
  const finished = yield* running.finished
  const millis = (yield* Clock.currentTimeMillis) - pressed
  for (const line of finished.errorLines) yield* tell(`agent    | ${line}`)
  if (finished.exitCode !== exitCodes.cancelled) return yield* unexpected("The Agent", finished)
  yield* tell(`The Agent ended ${millis} ms after Ctrl-C, with exit code ${finished.exitCode}: cancelled.`)
  yield* tell("The Computer stopped the call and told the MCP server (notifications/cancelled).")
})

const ended = Effect.fnUntraced(function*(role: string, running: Running) {
  yield* running.signal("SIGTERM")
  const finished = yield* running.finished
  if (finished.exitCode !== exitCodes.ok) return yield* unexpected(`The ${role}`, finished)
  yield* tell(`The ${role} (process ${running.pid}) ended with exit code ${finished.exitCode}`)
})

const unexpected = (who: string, { errorLines, exitCode }: Finished): Failure =>
  new Failure({
    message: `${who} ended with exit code ${exitCode}: ${errorLines.at(-1) ?? "it said nothing"}`,
    exitCode: exitCodes.failed
  })
