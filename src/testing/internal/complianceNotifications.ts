/**
 * Compliance cases: notifications and rooms.
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import * as NotifyEvent from "../../protocol/NotifyEvent.ts"
import { Ask, awaitState, behaviour, type Case, expectEqual, meet, notificationsOf, serve } from "./complianceKit.ts"

/** The event of {@link NotifyEvent.UpdateConfig}, with any payload. */
const AnyUpdate = NotifyEvent.make("notify:update_config", { payload: Schema.Unknown })

const update = (computer: string) => ({ event: NotifyEvent.UpdateConfig.name, payload: { computer } })

/** Notifications to one peer and to rooms. */
export const notifications: ReadonlyArray<Case> = [
  behaviour("decodes notifications", (harness) =>
    Effect.gen(function*() {
      const office = yield* serve(harness)
      const { client, connection } = yield* meet(harness, office)
      const inbox = yield* notificationsOf(client)
      yield* connection.notify(NotifyEvent.EnterOffice, { office_id: "büro", computer: "c" })
      yield* connection.notify(NotifyEvent.ToolCallCancel, { agent: "a", req_id: "1" })
      yield* expectEqual("the notifications", yield* Queue.takeN(inbox, 2), [
        { event: "notify:enter_office", payload: { office_id: "büro", computer: "c" } },
        { event: "notify:tool_call_cancel", payload: { agent: "a", req_id: "1" } }
      ])
    })),

  behaviour("drops malformed notifications, and nothing else", (harness) =>
    Effect.gen(function*() {
      const office = yield* serve(harness)
      const { client, connection } = yield* meet(harness, office)
      const inbox = yield* notificationsOf(client)
      for (const payload of [null, 7, "text", [], {}, { computer: 7 }, { computer: "c", more: [1] }]) {
        yield* connection.notify(AnyUpdate, payload)
      }
      yield* expectEqual("the first notification", yield* Queue.take(inbox), update("c"))
    })),

  behaviour(
    "delivers notifications in the order in which they were sent, to every reader",
    (harness) =>
      Effect.gen(function*() {
        const office = yield* serve(harness)
        const { client, connection } = yield* meet(harness, office)
        const readers = [yield* notificationsOf(client), yield* notificationsOf(client)]
        const sent = Array.from({ length: 200 }, (_, index) => `c${index}`)
        for (const computer of sent) yield* connection.notify(NotifyEvent.UpdateConfig, { computer })
        for (const inbox of readers) {
          yield* expectEqual("the order", yield* Queue.takeN(inbox, sent.length), sent.map(update))
        }
      })
  ),

  behaviour("broadcasts to everyone in a room except one, and to nobody else", (harness) =>
    Effect.gen(function*() {
      const office = yield* serve(harness)
      const [sender, member, another, outsider] = yield* Effect.replicateEffect(meet(harness, office), 4)
      const everyone = [sender!, member!, another!, outsider!]
      const inboxes = yield* Effect.forEach(everyone, ({ client }) => notificationsOf(client))
      for (const { connection } of everyone.slice(0, 3)) yield* connection.join("office:1")
      yield* outsider!.connection.join("office:2")
      yield* harness.server.broadcast("office:1", NotifyEvent.UpdateConfig, { computer: "first" }, {
        except: sender!.connection.sid
      })
      yield* another!.connection.leave("office:1")
      yield* harness.server.broadcast("office:1", NotifyEvent.UpdateConfig, { computer: "second" })
      yield* harness.server.broadcast("office:3", NotifyEvent.UpdateConfig, { computer: "empty room" })
      // The last thing sent to each shows that nothing else is under way.
      for (const { connection } of everyone) yield* connection.notify(NotifyEvent.UpdateConfig, { computer: "end" })
      const seen = yield* Effect.forEach(inboxes, untilEnd)
      yield* expectEqual("what each saw", seen, [["second"], ["first", "second"], ["first"], []])
    })),

  behaviour("takes a peer out of its rooms when its connection goes", (harness) =>
    Effect.gen(function*() {
      const office = yield* serve(harness)
      const { client, connection } = yield* meet(harness, office)
      yield* connection.join("office:1")
      const inbox = yield* notificationsOf(client)
      yield* connection.close
      yield* Queue.take(office.departures)
      yield* connection.join("office:1")
      yield* awaitState(client, "Connected")
      const again = yield* Queue.take(office.connections)
      yield* harness.server.broadcast("office:1", NotifyEvent.UpdateConfig, { computer: "missed" })
      yield* connection.notify(NotifyEvent.UpdateConfig, { computer: "to a session that is gone" })
      yield* again.notify(NotifyEvent.UpdateConfig, { computer: "end" })
      yield* expectEqual("what the new session saw", yield* untilEnd(inbox), [])
    })),

  behaviour("keeps the order of notifications and acknowledgements to one peer", (harness) =>
    Effect.gen(function*() {
      const office = yield* serve(harness, {
        receive: (connection) =>
          Effect.as(connection.notify(NotifyEvent.UpdateConfig, { computer: "before" }), { args: ["after"] })
      })
      const { client } = yield* meet(harness, office)
      const inbox = yield* notificationsOf(client)
      yield* client.call(Ask, {})
      // Publishing to readers may take its own steps, so this waits instead of looking.
      yield* expectEqual("the notification", yield* Queue.take(inbox), update("before"))
    }))
]

const untilEnd = Effect.fnUntraced(function*(inbox: Effect.Success<ReturnType<typeof notificationsOf>>) {
  const seen: Array<string> = []
  for (;;) {
    const { payload } = yield* Queue.take(inbox)
    const computer = "computer" in payload ? String(payload.computer) : ""
    if (computer === "end") return seen
    seen.push(computer)
  }
})
