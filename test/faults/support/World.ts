/**
 * A Server, Computers and Agents, each a process of its own, and the proof that nothing of them is left over.
 */
import { assert } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { randomUUID } from "node:crypto"
import { mkdirSync, readdirSync } from "node:fs"
import { connect } from "node:net"
import { join } from "node:path"
import { configFile, noneMarked, type Smcp, startSmcp } from "../../cli/support/smcp.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"
import * as AgentProcess from "./AgentProcess.ts"
import { type Entry, ledgerServerEntry, readLedger } from "./ledger.ts"
import { until, untilEffect } from "./waiting.ts"

/** What `GET /health` of a Server says. */
export interface Health {
  readonly sessions: number
  readonly offices: number
  readonly agents: number
  readonly computers: number
}

export interface ServerPeer {
  readonly process: Smcp
  readonly url: string
  readonly port: number
  readonly health: Effect.Effect<Health>
  readonly kill: Effect.Effect<void>
}

export interface ComputerPeer {
  readonly process: Smcp
  readonly name: string
  readonly kill: Effect.Effect<void>
}

export interface World {
  /** The name of a file in a folder that goes with the scope. */
  readonly path: (name: string) => string
  /** Starts a Server on a port, any free one when none is given. */
  readonly server: (
    options?: { readonly port?: number; readonly args?: ReadonlyArray<string> }
  ) => Effect.Effect<ServerPeer, never, Scope.Scope>
  /** Starts a Computer with one MCP server; ends when it sits in its office and has its tool. */
  readonly computer: (at: {
    readonly url: string
    readonly name: string
    readonly office?: string
  }) => Effect.Effect<ComputerPeer, never, Scope.Scope>
  readonly agent: (at: {
    readonly url: string
    readonly office?: string
  }) => Effect.Effect<AgentProcess.AgentProcess, never, Scope.Scope>
  /** What really ran. */
  readonly ledger: () => ReadonlyMap<string, Entry>
  /** No process of a Computer that is gone lives any more, its MCP servers included. */
  readonly noComputerLeft: Effect.Effect<void>
  /**
   * Ends every peer politely and asserts what has to hold after any fault: every call ended once, in a documented way,
   * none ran twice, and no process, port, session or file is left. Returns how often each outcome was.
   */
  readonly end: Effect.Effect<Readonly<Record<string, number>>>
}

/** The exposed name of the tool of a Computer. */
const TOOL = "ledger__work"

/** Calls of the tool `work`, each with an id of its own. */
export const work = (prefix: string, count: number, options: {
  readonly computer: string
  readonly millis?: number
  /** The call ends when there is a file with this name. */
  readonly gate?: string
  readonly length?: number
  /** Seconds. */
  readonly timeout?: number
}): ReadonlyArray<AgentProcess.Work> =>
  Array.from({ length: count }, (_, index) => ({
    computer: options.computer,
    tool: TOOL,
    params: {
      id: `${prefix}-${index}`,
      millis: options.millis ?? 0,
      gate: options.gate ?? "",
      length: options.length ?? 0
    },
    timeout: `${options.timeout ?? 60} seconds`
  }))

/** Everything that a caller may get; anything else is a bug. */
const documented = new Set([
  ...["Ok", "Failed", "Cancelled", "TimedOut", "AuthorizationRequired", "AuthorizationFailed"],
  // never sent
  ...["NotConnected", "ConnectionLost not-sent"],
  // may have run
  "ConnectionLost unknown",
  // refused by the Server: the Computer is not there, or the Agent is not back in its office
  ...["NotFound", "NotInRoom"]
])

/** How a call ended, in words. */
export const kindOf = ({ got, outcome }: AgentProcess.Outcome): string =>
  outcome === undefined ? got : `${got} ${outcome}`

export const tally = (outcomes: ReadonlyArray<AgentProcess.Outcome>): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (const outcome of outcomes) counts[kindOf(outcome)] = (counts[kindOf(outcome)] ?? 0) + 1
  return counts
}

let probes = 0

/** Waits until a call gets through to a Computer: then both sit in their office. Every attempt ends by itself. */
export const reaches = (agent: AgentProcess.AgentProcess, computer: string): Effect.Effect<void> =>
  untilEffect(
    `a call gets through to ${computer}`,
    Effect.gen(function*() {
      const probe = work(`probe${probes++}`, 1, { computer, timeout: 3 })
      yield* agent.start(probe)
      const [outcome] = yield* agent.outcomesOf(probe)
      if (outcome?.got !== "Ok") return false
      return (yield* agent.computers)?.includes(computer) === true
    })
  )

export const make: Effect.Effect<World, never, Scope.Scope> = Effect.gen(function*() {
  const mark = randomUUID()
  const folder = yield* temporaryFolder
  const temporary = join(folder, "tmp")
  mkdirSync(temporary)
  const file = join(folder, "ledger")
  const env = { SMCP_TEST_MARK: mark, TMPDIR: temporary }
  const servers: Array<ServerPeer> = []
  const computers = new Set<ComputerPeer>()
  const agents: Array<AgentProcess.AgentProcess> = []
  const ledger = () => readLedger(file)

  const server: World["server"] = Effect.fnUntraced(function*({ args = [], port = 0 } = {}) {
    // only what was given is what must be: somebody else may have the port for a moment
    while (true) {
      const process = yield* startSmcp(["server", "--allow-anonymous", "--port", `${port}`, ...args], env)
      const line = yield* Effect.exit(process.firstLine)
      if (line._tag === "Failure") {
        const { stderr } = yield* process.ended
        if (port !== 0 && /in use/.test(stderr)) continue
        return yield* Effect.failCause(line.cause)
      }
      const url = line.value
      const peer: ServerPeer = {
        process,
        url,
        port: Number(new URL(url).port),
        health: Effect.promise(() => fetch(`${url}/health`).then((response) => response.json() as Promise<Health>)),
        kill: Effect.suspend(() => {
          servers.splice(servers.indexOf(peer), 1)
          return Effect.andThen(process.kill("SIGKILL"), Effect.asVoid(process.ended))
        })
      }
      servers.push(peer)
      return peer
    }
  })

  const computer: World["computer"] = Effect.fnUntraced(function*({ name, office = "office", url }) {
    const config = yield* configFile({ ledger: ledgerServerEntry(file, `${mark}-mcp`) })
    const process = yield* startSmcp(
      ["computer", "--config", config, "--url", url, "--office", office, "--name", name, "--approve", "all"],
      env
    )
    const line = yield* process.firstLine
    assert.match(line, /^Joined office/)
    const peer: ComputerPeer = {
      process,
      name,
      kill: Effect.suspend(() => {
        computers.delete(peer)
        return Effect.andThen(process.kill("SIGKILL"), Effect.asVoid(process.ended))
      })
    }
    computers.add(peer)
    return peer
  })

  const agent: World["agent"] = Effect.fnUntraced(function*({ office = "office", url }) {
    const started = yield* AgentProcess.start({ url, office, name: "agent" }, env)
    agents.push(started)
    return started
  })

  const noComputerLeft = noneMarked(`${mark}-mcp`)

  const everyCallEndedOnce = () => {
    const ended = agents.flatMap((agent) => agent.outcomes().map(({ id }) => id)).sort()
    const started = agents.flatMap((agent) => agent.started().map(({ params }) => params.id)).sort()
    assert.deepStrictEqual(ended, started)
    const kinds = tally(agents.flatMap((agent) => agent.outcomes()))
    assert.deepStrictEqual(Object.keys(kinds).filter((kind) => !documented.has(kind)), [], JSON.stringify(kinds))
    return kinds
  }

  const noneRanTwice = () => {
    const entries = [...ledger()]
    assert.deepStrictEqual(entries.filter(([, { started }]) => started !== 1), [])
    assert.deepStrictEqual(entries.filter(([, { cancelled, finished }]) => cancelled + finished > 1), [])
    const ran = new Set(entries.filter(([, { finished }]) => finished === 1).map(([id]) => id))
    const ok = agents.flatMap((agent) => agent.outcomes().filter(({ got }) => got === "Ok"))
    assert.deepStrictEqual(ok.filter(({ id, text }) => !ran.has(id) || !text.startsWith(id)), [])
  }

  const end = Effect.gen(function*() {
    for (const agent of agents) yield* agent.outcomesOf(agent.started())
    for (const agent of agents) assert.strictEqual(yield* soon(agent.leave), 0)
    const kinds = everyCallEndedOnce()
    for (const { process } of computers) {
      yield* process.kill("SIGTERM")
      assert.strictEqual((yield* soon(process.ended)).exitCode, 0)
    }
    noneRanTwice()
    for (const { health, port, process } of servers) {
      yield* untilEffect(
        "the Server has forgotten everyone",
        Effect.map(health, ({ agents, computers, offices, sessions }) => agents + computers + offices + sessions === 0)
      )
      yield* process.kill("SIGTERM")
      assert.strictEqual((yield* soon(process.ended)).exitCode, 0)
      assert.strictEqual(yield* dial(port), "ECONNREFUSED")
    }
    yield* noneMarked(mark)
    yield* noComputerLeft
    assert.deepStrictEqual(readdirSync(temporary), [])
    return kinds
  })

  return { path: (name) => join(folder, name), server, computer, agent, ledger, noComputerLeft, end }
})

/** A polite end may not wait for anybody who is gone. */
const soon = <A>(ending: Effect.Effect<A>): Effect.Effect<A> =>
  Effect.timeoutOrElse(ending, {
    duration: "15 seconds",
    orElse: () => Effect.die(new Error("A process did not end within 15 s of being asked to"))
  })

/** What trying to connect ends with. */
const dial = (port: number): Effect.Effect<string> =>
  Effect.callback((resume) => {
    const socket = connect({ host: "127.0.0.1", port })
      .on("connect", () => {
        socket.destroy()
        resume(Effect.succeed("connected"))
      })
      .on("error", ({ code }: NodeJS.ErrnoException) => resume(Effect.succeed(code ?? "")))
  })

/** Waits until so many of these calls run in their MCP servers and have not ended. */
export const running = (world: World, calls: ReadonlyArray<AgentProcess.Work>): Effect.Effect<void> =>
  until(`${calls.length} calls run`, () => {
    const ledger = world.ledger()
    return calls.every(({ params }) => {
      const entry = ledger.get(params.id)
      return entry !== undefined && entry.started > entry.finished + entry.cancelled
    })
  })

/** Waits until none of these calls runs any more. */
export const stopped = (world: World, calls: ReadonlyArray<AgentProcess.Work>): Effect.Effect<void> =>
  until(`${calls.length} calls stop`, () => {
    const ledger = world.ledger()
    return calls.every(({ params }) => {
      const entry = ledger.get(params.id)
      return entry === undefined || entry.started === entry.finished + entry.cancelled
    })
  })

/** Waits until all of these calls ran to their end. */
export const finished = (world: World, calls: ReadonlyArray<AgentProcess.Work>): Effect.Effect<void> =>
  until(`${calls.length} calls finish`, () => {
    const ledger = world.ledger()
    return calls.every(({ params }) => ledger.get(params.id)?.finished === 1)
  })
