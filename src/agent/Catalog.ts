/**
 * The live catalog: which Computers sit in the office and which tools they
 * offer, kept current by notifications and by asking anew after every join.
 */
import * as Effect from "effect/Effect"
import * as FiberMap from "effect/FiberMap"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import type { SmcpError } from "../protocol/SmcpError.ts"
import * as Background from "../transport/Background.ts"
import type { AgentTool } from "./AgentTool.ts"
import type { OfficeEvent } from "./OfficeEvent.ts"

/** One Computer of the office. `tools` is what it offered last, also while it is being asked again. */
export interface CatalogEntry {
  readonly computer: string
  readonly status: "loading" | "ready" | "failed"
  readonly tools: ReadonlyArray<AgentTool>
  /** Why the tools could not be had, when `failed`. */
  readonly error: SmcpError | undefined
}

/** The office's Computers by name. */
export type Catalog = ReadonlyMap<string, CatalogEntry>

/** A catalog that keeps itself current. */
export interface LiveCatalog {
  readonly current: Effect.Effect<Catalog>
  /** The catalog now and after every change. */
  readonly changes: Stream.Stream<Catalog>
  /** Waits until no Computer is being asked, and gives the catalog then. */
  readonly settled: Effect.Effect<Catalog>
  /** Replaces everything by what the office says now. */
  readonly resync: Effect.Effect<void, SmcpError>
  /** Takes note of one event. */
  readonly note: (event: OfficeEvent) => Effect.Effect<void>
}

/** Builds the catalog on two questions: who is there, and what does one of them offer. */
export const make = Effect.fnUntraced(function*(options: {
  readonly computers: Effect.Effect<ReadonlyArray<string>, SmcpError>
  readonly tools: (computer: string) => Effect.Effect<ReadonlyArray<AgentTool>, SmcpError>
}): Effect.fn.Return<LiveCatalog, never, Scope.Scope> {
  const state = yield* SubscriptionRef.make<Catalog>(new Map())
  // One question per Computer at a time: a newer one interrupts the older, and leaving interrupts both.
  const loading = yield* FiberMap.make<string>()

  const put = (entry: CatalogEntry) =>
    SubscriptionRef.update(state, (catalog) => new Map(catalog).set(entry.computer, entry))

  const load = Effect.fnUntraced(function*(computer: string) {
    const tools = (yield* SubscriptionRef.get(state)).get(computer)?.tools ?? []
    yield* put({ computer, status: "loading", tools, error: undefined })
    yield* options.tools(computer).pipe(
      Effect.matchEffect({
        onSuccess: (listed) => put({ computer, status: "ready", tools: listed, error: undefined }),
        onFailure: (error) => put({ computer, status: "failed", tools, error })
      }),
      Background.logged(`The tools of ${computer} could not be loaded`),
      FiberMap.run(loading, computer, { startImmediately: true })
    )
  })

  const drop = Effect.fnUntraced(function*(computer: string) {
    yield* FiberMap.remove(loading, computer)
    yield* SubscriptionRef.update(state, (catalog) => {
      const rest = new Map(catalog)
      rest.delete(computer)
      return rest
    })
  })

  const changes = SubscriptionRef.changes(state)
  return {
    current: SubscriptionRef.get(state),
    changes,
    settled: changes.pipe(
      Stream.filter((catalog) => Array.from(catalog.values()).every((entry) => entry.status !== "loading")),
      Stream.runHead,
      Effect.flatMap((catalog) => catalog._tag === "Some" ? Effect.succeed(catalog.value) : Effect.never)
    ),
    resync: Effect.gen(function*() {
      const present = new Set(yield* options.computers)
      const known = yield* SubscriptionRef.get(state)
      for (const computer of known.keys()) if (!present.has(computer)) yield* drop(computer)
      for (const computer of present) yield* load(computer)
    }),
    note: (event) => {
      switch (event._tag) {
        case "ComputerEntered":
        case "ToolsChanged":
        case "ConfigChanged":
          return load(event.computer)
        case "ComputerLeft":
          return drop(event.computer)
        case "DesktopChanged":
        case "SkillsChanged":
          return Effect.void
      }
    }
  }
})
