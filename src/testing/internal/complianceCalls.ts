/**
 * Compliance cases: calls of a client to the server.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as ServerEvent from "../../protocol/ServerEvent.ts"
import type { Reply } from "../../transport/ServerTransport.ts"
import {
  anything,
  Ask,
  behaviour,
  type Case,
  expectEqual,
  expectReason,
  meet,
  replyWith,
  serve
} from "./complianceKit.ts"

/** Calls of a client to the server. */
export const clientCalls: ReadonlyArray<Case> = [
  behaviour(
    "carries the payload of a call to the server and the acknowledged value back",
    (harness) =>
      Effect.gen(function*() {
        const office = yield* serve(harness, { receive: (_, __, payload) => replyWith({ echo: payload.value }) })
        const { client, connection } = yield* meet(harness, office)
        yield* expectEqual("the answer", yield* client.call(Ask, anything), { echo: anything })
        const request = yield* Queue.take(office.requests)
        yield* expectEqual("the event", request.event, Ask.name)
        yield* expectEqual("the payload", request.payload, anything)
        yield* expectEqual("the connection", request.connection.sid, connection.sid)
      })
  ),

  behaviour(
    "gives concurrent calls their own answers, in whatever order they come",
    (harness) =>
      Effect.gen(function*() {
        const turns = Array.from({ length: 16 }, () => Deferred.makeUnsafe<void>())
        const office = yield* serve(harness, {
          // Each answers after the next one, so the last comes first.
          receive: (_, __, { value }) =>
            Effect.gen(function*() {
              const next = turns[Number(value) + 1]
              if (next !== undefined) yield* Deferred.await(next)
              const turn = turns[Number(value)]
              if (turn !== undefined) yield* Deferred.succeed(turn, undefined)
              return { args: [`answer ${String(value)}`] }
            })
        })
        const { client } = yield* meet(harness, office)
        const answers = yield* Effect.forEach(turns, (_, index) => client.call(Ask, index), {
          concurrency: "unbounded"
        })
        yield* expectEqual("the answers", answers, turns.map((_, index) => `answer ${index}`))
      })
  ),

  behaviour("reads a flat error as the typed error of its code", (harness) =>
    Effect.gen(function*() {
      const payload = { code: 404, message: "Computer with name 'x' not found", details: { computer_name: "x" } }
      const office = yield* serve(harness, { receive: () => replyWith(payload) })
      const { client } = yield* meet(harness, office)
      const reason = yield* expectReason("the call", "NotFound", client.call(Ask, {}))
      yield* expectEqual("the message", reason.message, payload.message)
      yield* expectEqual("the field of its own", reason.computerName, "x")
    })),

  behaviour(
    "reads an acknowledgement without arguments as an event the peer does not support",
    (harness) =>
      Effect.gen(function*() {
        const office = yield* serve(harness, { receive: () => replyWith() })
        const { client } = yield* meet(harness, office)
        const reason = yield* expectReason("the call", "UnsupportedByPeer", client.call(Ask, {}))
        yield* expectEqual("the event", reason.event, Ask.name)
      })
  ),

  behaviour(
    "reads an answer that the event does not promise as an invalid response",
    (harness) =>
      Effect.gen(function*() {
        const office = yield* serve(harness, { receive: () => replyWith({ sessions: "none" }) })
        const { client } = yield* meet(harness, office)
        const call = client.call(ServerEvent.ListRoom, { agent: "a", req_id: "1", office_id: "o" })
        yield* expectReason("the call", "InvalidResponse", call)
      })
  ),

  behaviour(
    "reads every argument of an acknowledgement: true and null, false and a text",
    (harness) =>
      Effect.gen(function*() {
        const office = yield* serve(harness, {
          receive: (_, __, { value }) =>
            (value as { readonly name: string }).name === "welcome"
              ? replyWith(true, null)
              : replyWith(false, "No seat for you")
        })
        const { client } = yield* meet(harness, office)
        const join = (name: string) =>
          client.call(ServerEvent.JoinOffice, { role: "computer", name, office_id: "office" })
        yield* join("welcome")
        const reason = yield* expectReason("the second join", "JoinRefused", join("unwelcome"))
        yield* expectEqual("the text", reason.message, "No seat for you")
      })
  ),

  behaviour("delivers an event that wants no acknowledgement", (harness) =>
    Effect.gen(function*() {
      const office = yield* serve(harness, { receive: (_, event) => replyWith(event) })
      const { client } = yield* meet(harness, office)
      yield* client.send(ServerEvent.UpdateToolList, { computer: "c" })
      yield* expectEqual("the answer to a later call", yield* client.call(Ask, {}), Ask.name)
      const first = yield* Queue.take(office.requests)
      yield* expectEqual("the event", first.event, ServerEvent.UpdateToolList.name)
      yield* expectEqual("the payload", first.payload, { computer: "c" })
    })),

  behaviour("does not send a payload that does not fit its event", (harness) =>
    Effect.gen(function*() {
      const office = yield* serve(harness, { receive: () => replyWith(1) })
      const { client } = yield* meet(harness, office)
      const join = client.call(ServerEvent.JoinOffice, { role: "agent", name: "", office_id: "" })
      yield* expectReason("the call", "BadRequest", join)
      yield* client.call(Ask, {})
      yield* expectEqual("the first event", (yield* Queue.take(office.requests)).event, Ask.name)
    })),

  behaviour("acknowledges a defect of the server's handler as an internal error", (harness) =>
    Effect.gen(function*() {
      const office = yield* serve(harness, {
        receive: (_, __, { value }) => value === "break" ? Effect.die(new Error("a secret")) : replyWith(value)
      })
      const { client } = yield* meet(harness, office)
      const reason = yield* expectReason("the call", "InternalError", client.call(Ask, "break"))
      yield* expectEqual("whether the defect's text got out", reason.message.includes("secret"), false)
      yield* expectEqual("the answer to the next call", yield* client.call(Ask, "go on"), "go on")
    })),

  behaviour("ends a call at its deadline, and gives its late answer to nobody", (harness) =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<Reply>()
      const office = yield* serve(harness, {
        receive: (_, __, { value }) => value === "late" ? Deferred.await(gate) : replyWith(value)
      })
      const { client } = yield* meet(harness, office)
      const call = client.call(Ask, "late", { timeout: "100 millis" })
      const reason = yield* expectReason("the call", "CallTimeout", call)
      yield* expectEqual("the event", reason.event, Ask.name)
      yield* expectEqual("the deadline", reason.millis, 100)
      yield* Deferred.succeed(gate, { args: ["late"] })
      yield* expectEqual("the answer to the next call", yield* client.call(Ask, "next"), "next")
    })),

  behaviour("forgets an interrupted call", (harness) =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<Reply>()
      const office = yield* serve(harness, {
        receive: (_, __, { value }) => value === "first" ? Deferred.await(gate) : replyWith(value)
      })
      const { client } = yield* meet(harness, office)
      const call = yield* Effect.forkChild(client.call(Ask, "first"), { startImmediately: true })
      yield* Queue.take(office.requests)
      yield* Fiber.interrupt(call)
      yield* Deferred.succeed(gate, { args: ["answer to nobody"] })
      yield* expectEqual("the answer to the next call", yield* client.call(Ask, "next"), "next")
    })),

  behaviour("dispatches events in the order in which they were sent", (harness) =>
    Effect.gen(function*() {
      const office = yield* serve(harness)
      const { client } = yield* meet(harness, office)
      const sent = Array.from({ length: 200 }, (_, index) => `c${index}`)
      for (const computer of sent) yield* client.send(ServerEvent.UpdateDesktop, { computer })
      const requests = yield* Queue.takeN(office.requests, sent.length)
      yield* expectEqual("the order", requests.map(({ payload }) => payload), sent.map((computer) => ({ computer })))
    })),

  behaviour("does not let a request wait for the one before it", (harness) =>
    Effect.gen(function*() {
      const second = yield* Deferred.make<void>()
      const office = yield* serve(harness, {
        receive: (_, __, { value }) =>
          value === 1
            ? Effect.andThen(Deferred.await(second), replyWith("first"))
            : Effect.andThen(Deferred.succeed(second, undefined), replyWith("second"))
      })
      const { client } = yield* meet(harness, office)
      const answers = yield* Effect.all([client.call(Ask, 1), client.call(Ask, 2)], { concurrency: "unbounded" })
      yield* expectEqual("the answers", answers, ["first", "second"])
    }))
]
