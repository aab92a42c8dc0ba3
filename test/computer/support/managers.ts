import { assert } from "@effect/vitest"
import { Clock, Context, Effect, Layer, Logger, References, type Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as Inputs from "../../../src/computer/Inputs.ts"
import type { McpClient } from "../../../src/computer/McpClient.ts"
import * as McpConnector from "../../../src/computer/McpConnector.ts"
import type { McpError } from "../../../src/computer/McpError.ts"
import * as McpManager from "../../../src/computer/McpManager.ts"
import type { ServerEntry, ServerSettings } from "../../../src/computer/ServerEntry.ts"
import type { ServerConfig } from "../../../src/protocol/ServerConfig.ts"
import { rawServer } from "./mcpClients.ts"

export type Manager = McpManager.McpManager["Service"]
export type Tag = McpManager.ServerState["_tag"]

export interface EntryOptions {
  readonly command?: string
  readonly args?: ReadonlyArray<string>
  readonly env?: Readonly<Record<string, string>>
  readonly settings?: ServerSettings
  readonly config?: Partial<Pick<ServerConfig, "name" | "disabled" | "forbidden_tools" | "tool_meta">>
}

/** A server of a test's configuration. */
export const entryOf = (bundleId: string, options: EntryOptions = {}): ServerEntry => ({
  key: bundleId,
  bundleId,
  config: {
    name: bundleId,
    bundle_id: bundleId,
    disabled: false,
    forbidden_tools: [],
    tool_meta: {},
    default_tool_meta: null,
    vrl: null,
    type: "stdio",
    server_parameters: {
      command: options.command ?? "-",
      args: options.args ?? [],
      env: options.env ?? null,
      cwd: null,
      encoding: "utf-8",
      encoding_error_handler: "strict"
    },
    ...options.config
  },
  settings: options.settings ?? {},
  origin: { source: "test", dialect: "a2c" }
})

/** One that runs the raw server of the tests. */
export const rawEntry = (bundleId: string, settings: object = {}, options: EntryOptions = {}): ServerEntry =>
  entryOf(bundleId, { command: process.execPath, args: [rawServer, JSON.stringify(settings)], ...options })

export interface ManageOptions extends Omit<McpManager.McpManagerOptions, "servers"> {
  readonly connector?: Layer.Layer<McpConnector.McpConnector>
  readonly inputs?: Layer.Layer<Inputs.Inputs>
  /** Takes the log, which is dropped otherwise. */
  readonly log?: Array<string>
}

/** A manager of these servers, which ends with the scope. */
export const manage = Effect.fnUntraced(function*(
  servers: ReadonlyArray<ServerEntry>,
  { connector = McpConnector.layer, inputs = Inputs.layer(), log, ...options }: ManageOptions = {}
): Effect.fn.Return<Manager, never, Scope.Scope> {
  const logging = log === undefined
    ? Layer.succeed(References.MinimumLogLevel, "None")
    : Logger.layer([Logger.make(({ logLevel, message }) => void log.push(`${logLevel} ${String(message)}`))])
  const context = yield* Layer.build(
    McpManager.layer({ servers, ...options }).pipe(Layer.provide([inputs, Layer.fresh(connector), logging]))
  )
  return Context.get(context, McpManager.McpManager)
})

export const tagsOf = (manager: Manager) =>
  Effect.map(manager.states, (all) => Object.fromEntries(all.map(({ entry, state }) => [entry.bundleId, state._tag])))

export const stateOf = <T extends Tag>(manager: Manager, bundleId: string, tag: T) =>
  Effect.map(manager.states, (all) => {
    const state = all.find(({ entry }) => entry.bundleId === bundleId)?.state
    assert.strictEqual(state?._tag, tag, JSON.stringify(state, (key, value) => key === "client" ? "…" : value))
    return state as Extract<McpManager.ServerState, { readonly _tag: T }>
  })

export const waitFor = (manager: Manager, bundleId: string, tag: Tag) =>
  manager.changes.pipe(
    Stream.filter((all) => all.some(({ entry, state }) => entry.bundleId === bundleId && state._tag === tag)),
    Stream.runHead,
    Effect.timeoutOrElse({
      duration: "20 seconds",
      orElse: () =>
        Effect.flatMap(tagsOf(manager), (tags) => Effect.die(new Error(`${bundleId} is ${tags[bundleId]}, not ${tag}`)))
    })
  )

/** Lets everything happen that needs no time, promises included. */
export const settle = Effect.gen(function*() {
  for (let round = 0; round < 5; round++) yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
})

/** Lets time pass in small steps, with what real promises do in between. */
export const pass = Effect.fnUntraced(function*(millis: number, step = 250) {
  yield* settle
  for (let left = millis; left > 0; left -= step) {
    yield* TestClock.adjust(Math.min(step, left))
    yield* settle
  }
})

export const toolNames = ({ tools }: Pick<Extract<McpManager.ServerState, { readonly _tag: "Ready" }>, "tools">) =>
  tools.map(({ name }) => name)

/** Connections that a test watches and decides about. */
export class Gatekeeper {
  /** When each was tried, in milliseconds of the test's clock, and for whom. */
  readonly attempts: Array<{ readonly bundleId: string; readonly at: number }> = []
  /** How many there are now, and the most there were at once, by server. */
  readonly open = new Map<string, number>()
  readonly most = new Map<string, number>()
  private readonly admit: (
    bundleId: string
  ) => Effect.Effect<McpClient, McpError, Scope.Scope>

  constructor(admit: (bundleId: string) => Effect.Effect<McpClient, McpError, Scope.Scope>) {
    this.admit = admit
  }

  readonly layer = McpConnector.layerOf(({ bundleId }) =>
    Effect.gen({ self: this }, function*() {
      this.attempts.push({ bundleId, at: yield* Clock.currentTimeMillis })
      yield* Effect.acquireRelease(
        Effect.sync(() => this.count(bundleId, 1)),
        () => Effect.sync(() => this.count(bundleId, -1))
      )
      return yield* this.admit(bundleId)
    })
  )

  attemptsOf(bundleId: string): ReadonlyArray<number> {
    return this.attempts.filter((attempt) => attempt.bundleId === bundleId).map(({ at }) => at)
  }

  private count(bundleId: string, change: number): void {
    const now = (this.open.get(bundleId) ?? 0) + change
    this.open.set(bundleId, now)
    this.most.set(bundleId, Math.max(now, this.most.get(bundleId) ?? 0))
  }
}
