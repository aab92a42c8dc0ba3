import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Option, Redacted, Ref, Scope, Stream } from "effect"
import * as Agent from "../src/agent/Agent.ts"
import type * as Catalog from "../src/agent/Catalog.ts"
import * as ToolOutcome from "../src/agent/ToolOutcome.ts"
import * as Computer from "../src/computer/Computer.ts"
import * as ConfigFile from "../src/computer/ConfigFile.ts"
import * as Consent from "../src/computer/Consent.ts"
import * as ToolRegistry from "../src/computer/ToolRegistry.ts"
import * as Authenticator from "../src/server/Authenticator.ts"
import * as HttpServer from "../src/server/HttpServer.ts"
import * as Server from "../src/server/Server.ts"
import * as SocketIoServer from "../src/server/SocketIoServer.ts"
import * as Membership from "../src/transport/Membership.ts"
import * as MemoryTransport from "../src/transport/MemoryTransport.ts"
import * as SocketIoTransport from "../src/transport/SocketIoTransport.ts"
import { Transport } from "../src/transport/Transport.ts"
import { connectTo, ToolServer } from "./computer/support/memoryServers.ts"
import { quiet } from "./computer/support/office.ts"
import { openAgent, openOffice } from "./support/memoryOffice.ts"

/** Waits for the first element that is so. */
const until = <A>(what: string, changes: Stream.Stream<A>, isSo: (element: A) => boolean): Effect.Effect<A> =>
  Stream.runHead(Stream.filter(changes, isSo)).pipe(
    Effect.map(Option.getOrThrow),
    Effect.timeoutOrElse({ duration: "20 seconds", orElse: () => Effect.die(new Error(`Did not happen: ${what}`)) })
  )

const offers = (...tools: ReadonlyArray<string>) => (catalog: Catalog.Catalog): boolean => {
  const entry = catalog.get("PC")
  return entry?.status === "ready" && entry.tools.map(({ name }) => name).join() === tools.join()
}

/** A Computer in office "R" with one MCP server of this process. */
const openComputer = Effect.fnUntraced(function*<E>(server: ToolServer, transport: Layer.Layer<Transport, E>) {
  const { servers } = yield* ConfigFile.fromValue({ servers: { a: { command: "-" } } }, "test")
  const context = yield* Layer.build(
    Computer.layerOnTransport({
      name: "PC",
      office: "R",
      reportAfter: "20 millis",
      servers,
      consent: Consent.layerAllowAll,
      connector: connectTo({ a: server })
    }).pipe(Layer.provideMerge(transport), Layer.provide(quiet))
  )
  return {
    membership: Context.get(context, Membership.Membership),
    registry: Context.get(context, ToolRegistry.ToolRegistry),
    transport: Context.get(context, Transport)
  }
})

const sidIn = (state: Membership.MembershipState): string | undefined => state._tag === "Joined" ? state.sid : undefined

/** What the registry lists now, and after every change. */
const listsOf = ({ changes, list }: ToolRegistry.ToolRegistry["Service"]) =>
  Stream.mapEffect(Stream.concat(Stream.make(undefined), changes), () => list)

describe("coming back", () => {
  it.live("an Agent sees a tool that its Computer got while it was offline", () =>
    Effect.gen(function*() {
      const hub = yield* openOffice({ reconnectDelay: "20 millis" })
      const tools = new ToolServer({ one: () => "1" })
      const computer = yield* openComputer(tools, MemoryTransport.layerClient(hub))
      const agent = yield* openAgent(hub)
      yield* until("the first tool", agent.catalogChanges, offers("a__one"))

      const sid = sidIn(yield* computer.membership.state)!
      yield* hub.setFaults({ refuseConnections: true })
      yield* hub.disconnect(sid)
      yield* until("the Computer gone", agent.catalogChanges, (catalog) => !catalog.has("PC"))
      tools.tools = { ...tools.tools, two: () => "2" }
      yield* Effect.promise(() => tools.announce())
      yield* until("the second tool at the Computer", listsOf(computer.registry), (list) => list.length === 2)
      assert.notInclude(["Joined", "Connected"], (yield* computer.membership.state)._tag)

      yield* hub.setFaults({ refuseConnections: false })
      yield* until("both tools", agent.catalogChanges, offers("a__one", "a__two"))
      const after = sidIn(yield* computer.membership.state)
      assert.isTrue(after !== undefined && after !== sid)
    }).pipe(Effect.provide(quiet)))

  it.live("an Agent that was offline sees what its Computer got meanwhile", () =>
    Effect.gen(function*() {
      const hub = yield* openOffice({ reconnectDelay: "20 millis" })
      const tools = new ToolServer({ one: () => "1" })
      const computer = yield* openComputer(tools, MemoryTransport.layerClient(hub))
      const agent = yield* openAgent(hub)
      yield* until("the first tool", agent.catalogChanges, offers("a__one"))
      yield* hub.setFaults({ refuseConnections: true })
      yield* hub.disconnect(sidIn(yield* agent.state)!)
      tools.tools = { two: () => "2" }
      yield* Effect.promise(() => tools.announce())
      yield* until("the change at the Computer", listsOf(computer.registry), (list) => list[0]?.name === "a__two")
      yield* hub.setFaults({ refuseConnections: false })
      yield* until("the second tool", agent.catalogChanges, offers("a__two"))
    }).pipe(Effect.provide(quiet)))

  it.live("both are back in their office after the Server was restarted with another key, without anybody's doing", () =>
    Effect.gen(function*() {
      const key = yield* Ref.make("first")
      const start = Effect.fnUntraced(function*(port: number, scope: Scope.Scope) {
        const accepted = Redacted.make(yield* Ref.get(key))
        const context = yield* Layer.build(
          SocketIoServer.layer({ port }).pipe(Layer.provide(Authenticator.layerApiKey({ keys: [accepted] })))
        ).pipe(Scope.provide(scope))
        return { url: Context.get(context, HttpServer.HttpServer).url, server: Context.get(context, Server.Server) }
      })
      const first = yield* Scope.make()
      const { url } = yield* start(0, first)
      const credentials = Effect.map(Ref.get(key), (token) => ({ token }))
      const computer = yield* openComputer(
        new ToolServer({ one: () => "1" }),
        SocketIoTransport.layer({ url, credentials })
      )
      const agent = Context.get(
        yield* Layer.build(Agent.layer({ url, credentials, office: "R", name: "A" })),
        Agent.Agent
      )
      yield* until("the tool", agent.catalogChanges, offers("a__one"))
      const before = [sidIn(yield* agent.state), sidIn(yield* computer.membership.state)]

      yield* Scope.close(first, Exit.void)
      for (const changes of [agent.stateChanges, computer.membership.changes]) {
        yield* until("it is offline", changes, ({ _tag }) => _tag === "Disconnected" || _tag === "Connecting")
      }
      yield* Ref.set(key, "second")
      const { server } = yield* start(Number(new URL(url).port), yield* Effect.scope)

      for (const changes of [agent.stateChanges, computer.membership.changes]) {
        yield* until("it is back", changes, ({ _tag }) => _tag === "Joined")
      }
      const after = [sidIn(yield* agent.state), sidIn(yield* computer.membership.state)]
      assert.deepStrictEqual(
        (yield* server.members("R")).map(({ name, sid }) => [name, sid]),
        [["A", after[0]!], ["PC", after[1]!]]
      )
      assert.isTrue(after.every((sid) => !before.includes(sid)))
      yield* until("the tool again", agent.catalogChanges, offers("a__one"))
      const outcome = yield* agent.callTool({ computer: "PC", tool: "a__one" })
      assert.strictEqual(ToolOutcome.text(outcome), "1")
    }).pipe(Effect.provide(quiet)))
})
