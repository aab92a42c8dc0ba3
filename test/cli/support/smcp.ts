import { vi } from "@effect/vitest"
import { Deferred, Effect, type Scope } from "effect"
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { eventually, isAlive } from "../../computer/support/processes.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"
import { builtMain } from "./build.ts"

// Each test starts processes, and they are slow on a busy machine.
vi.setConfig({ testTimeout: 60_000 })

const rawMcpServer = fileURLToPath(new URL("../../computer/support/rawMcpServer.mjs", import.meta.url))

/** How this checkout is run. */
const smcpCommand = [process.execPath, builtMain] as const

export interface Ended {
  readonly exitCode: number | null
  readonly signal: string | null
  readonly stdout: string
  readonly stderr: string
}

/** A running `smcp`. Every wait has a deadline of 40 seconds. */
export interface Smcp {
  readonly pid: number
  readonly firstLine: Effect.Effect<string>
  /** Waits until stderr has a match. */
  readonly stderrHas: (pattern: RegExp) => Effect.Effect<void>
  readonly stdoutHas: (pattern: RegExp) => Effect.Effect<void>
  readonly stdin: NonNullable<ChildProcess["stdin"]>
  readonly kill: (signal: NodeJS.Signals) => Effect.Effect<void>
  readonly ended: Effect.Effect<Ended>
}

/** The environment of this process without what `smcp` or a terminal would read in it. */
export const cleanEnvironment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(SMCP_|NO_COLOR|FORCE_COLOR|COLUMNS|NODE_OPTIONS)/.test(name))
  )

/** Starts `smcp`; it is killed with the scope. */
export const startSmcp = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}) =>
  startProcess([...smcpCommand, ...args], env)

const PTY = `
import os, pty, sys
sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))
`

/** Whether this machine can run a command in a terminal. */
export const hasTerminal = spawnSync("python3", ["-c", "import pty"]).status === 0

/** Starts `smcp` in a terminal of its own: what is written to its stdin is typed, stdout is what is shown. */
export const startInTerminal = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}) =>
  startProcess(["python3", "-c", PTY, ...smcpCommand, ...args], { TERM: "xterm", ...env })

const startProcess = Effect.fnUntraced(function*(
  [command = "", ...args]: ReadonlyArray<string>,
  env: Readonly<Record<string, string>>
): Effect.fn.Return<Smcp, never, Scope.Scope> {
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => spawn(command, args, { env: { ...cleanEnvironment(), ...env }, stdio: "pipe" })),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )
  let stdout = ""
  let stderr = ""
  const ended = yield* Deferred.make<Ended>()
  child.stdout.setEncoding("utf8").on("data", (text) => stdout += text)
  child.stderr.setEncoding("utf8").on("data", (text) => stderr += text)
  child.stdin.on("error", () => {})
  child.on("close", (exitCode, signal) => {
    Deferred.doneUnsafe(ended, Effect.succeed({ exitCode, signal, stdout, stderr }))
  })
  const said = () => `${args.join(" ")}\nstdout: ${stdout}\nstderr: ${stderr}`
  const within = <A>(self: Effect.Effect<A>): Effect.Effect<A> =>
    Effect.timeoutOrElse(self, {
      duration: "40 seconds",
      orElse: () => Effect.die(new Error(`Waited too long for ${said()}`))
    })
  const until = (condition: () => boolean) =>
    within(Effect.gen(function*() {
      while (!condition()) {
        if (child.exitCode !== null || child.signalCode !== null) {
          yield* Deferred.await(ended)
          if (condition()) return
          return yield* Effect.die(new Error(`Ended too early: ${said()}`))
        }
        yield* Effect.sleep("10 millis")
      }
    }))
  return {
    pid: child.pid!,
    firstLine: Effect.map(until(() => stdout.includes("\n")), () => stdout.split("\n", 1).join("")),
    stderrHas: (pattern) => until(() => pattern.test(stderr)),
    stdoutHas: (pattern) => until(() => pattern.test(stdout)),
    stdin: child.stdin,
    kill: (signal) => Effect.sync(() => void child.kill(signal)),
    ended: within(Deferred.await(ended))
  }
})

/** Runs `smcp` to its end. */
export const smcp = (args: ReadonlyArray<string>, env?: Readonly<Record<string, string>>): Effect.Effect<Ended> =>
  Effect.scoped(Effect.flatMap(startSmcp(args, env), ({ ended }) => ended))

/** A file in a folder that goes with the scope. */
export const temporaryFile = (name: string, text: string) =>
  Effect.map(temporaryFolder, (folder) => {
    const path = join(folder, name)
    writeFileSync(path, text)
    return path
  })

/** An entry of a config file: the hand-written MCP server, recognisable by a mark in its environment. */
export const mcpServerEntry = (settings: object = {}, mark = "") => ({
  command: process.execPath,
  args: [rawMcpServer, JSON.stringify(settings)],
  env: { SMCP_TEST_MARK: mark }
})

/** An MCP server with the tools `slow`, which never ends, and `cancelled`, which tells how often it was cancelled. */
export const slowServerEntry = {
  command: process.execPath,
  args: [fileURLToPath(new URL("slowMcpServer.mjs", import.meta.url))]
}

/** Settings of an MCP server that lists these tools. */
export const listing = (...names: ReadonlyArray<string>) => ({
  toolPages: [names.map((name) => ({ name, description: `Does ${name}`, inputSchema: { type: "object" } }))]
})

export const configFile = (servers: Readonly<Record<string, unknown>>) =>
  temporaryFile("mcp.json", JSON.stringify({ mcpServers: servers }))

/** The living processes with this mark in their environment. */
export const marked = (mark: string): ReadonlyArray<number> =>
  readdirSync("/proc").filter((entry) => /^\d+$/.test(entry)).map(Number).filter((pid) => {
    try {
      return isAlive(pid) && readFileSync(`/proc/${pid}/environ`, "latin1").includes(`SMCP_TEST_MARK=${mark}\0`)
    } catch {
      return false
    }
  })

export const noneMarked = (mark: string): Effect.Effect<void> =>
  eventually(`no process marked ${mark} is left`, () => marked(mark).length === 0)

/** The one line a failing command says. */
export const errorLine = ({ stderr }: Ended): string => {
  const lines = stderr.trimEnd().split("\n").filter((line) => line.startsWith("smcp: "))
  if (lines.length !== 1) throw new Error(`Not one line of error: ${JSON.stringify(stderr)}`)
  return lines[0]!
}
