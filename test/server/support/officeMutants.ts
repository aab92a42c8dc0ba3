/**
 * Servers that break one rule each: what the model test must be able to see.
 */
import { Effect } from "effect"
import { revisions } from "../../../src/protocol/Revision.ts"
import * as SmcpError from "../../../src/protocol/SmcpError.ts"
import * as WireError from "../../../src/protocol/WireError.ts"
import type { Connection } from "../../../src/transport/ServerTransport.ts"
import type { Spoken } from "./officeModel.ts"
import type { Options } from "./officeServer.ts"

export interface Mutant {
  readonly spoken: Spoken
  readonly rule: string
  readonly options: Options
}

type WrapStore = NonNullable<Options["wrapStore"]>
type WrapTransport = NonNullable<Options["wrapTransport"]>

const several: Spoken = ["0.5", "0.4", "0.1"]

const store = (rule: string, wrapStore: WrapStore, spoken: Spoken = ["0.4"]): Mutant => ({
  spoken,
  rule,
  options: { wrapStore }
})

const transport = (rule: string, wrapTransport: WrapTransport, spoken: Spoken = ["0.4"]): Mutant => ({
  spoken,
  rule,
  options: { wrapTransport }
})

const withConnections = (change: (connection: Connection) => Connection): WrapTransport => (inner) => {
  const changed = new Map<string, Connection>()
  return {
    ...inner,
    serve: (handlers) =>
      inner.serve({
        ...handlers,
        connected: (connection) => {
          changed.set(connection.sid, change(connection))
          return handlers.connected(changed.get(connection.sid)!)
        },
        receive: (connection, event, payload) => handlers.receive(changed.get(connection.sid)!, event, payload)
      })
  }
}

export const mutants: ReadonlyArray<Mutant> = [
  store("an office has one seat for a Computer", (inner) => ({
    ...inner,
    open: (sid, revision, version) => inner.open(sid, { ...revision, computersPerOffice: Infinity }, version)
  }), ["0.5"]),
  store("the members of an office speak one revision", (inner) => ({
    ...inner,
    open: (sid, revision, version) => inner.open(sid, { ...revision, id: "0.4" }, version)
  }), several),
  store("an empty office is open to every revision", (inner) => {
    const spokenIn = new Map<string, string>()
    return {
      ...inner,
      enter: Effect.fnUntraced(function*(sid, request) {
        const own = (yield* inner.get(sid))!.revision.id
        const known = spokenIn.get(request.office_id)
        if (known !== undefined && known !== own) return yield* Effect.fail(SmcpError.make(new WireError.Forbidden({})))
        const entered = yield* inner.enter(sid, request)
        spokenIn.set(request.office_id, own)
        return entered
      })
    }
  }, several),
  transport(
    "a peer is answered in its own revision",
    (inner) => withConnections((connection) => ({ ...connection, revision: revisions["0.5"] }))(inner),
    several
  ),
  store("a refused Computer stays where it is", (inner) => ({
    ...inner,
    enter: Effect.fnUntraced(function*(sid, request) {
      const session = yield* inner.get(sid)
      const moves = session?.role === "computer" && session.officeId !== request.office_id
      const left = moves && session.name === request.name ? yield* inner.leave(sid) : undefined
      const entered = yield* inner.enter(sid, request)
      return left === undefined || entered._tag === "AlreadyThere" ? entered : { ...entered, left }
    })
  })),
  store("joining again is not announced", (inner) => ({
    ...inner,
    enter: Effect.fnUntraced(function*(sid, request) {
      const entered = yield* inner.enter(sid, request)
      if (entered._tag === "Entered") return entered
      const member = (yield* inner.members(request.office_id)).find((one) => one.sid === sid)!
      return { _tag: "Entered", member, left: undefined }
    })
  })),
  store("a Computer is found in the caller's office only", (inner) => ({
    ...inner,
    find: Effect.fnUntraced(function*(officeId, role, name) {
      for (const office of [officeId, "R1", "R2"]) {
        const found = yield* inner.find(office, role, name)
        if (found !== undefined) return found
      }
      return undefined
    })
  })),
  store("a seat is free when its peer is gone", (inner) => ({ ...inner, close: () => Effect.succeed(undefined) })),
  transport("who a notification is about comes from the session", (inner) => {
    let claimed: unknown
    return {
      ...inner,
      serve: (handlers) =>
        inner.serve({
          ...handlers,
          receive: (connection, event, payload) => {
            claimed = event.startsWith("server:update_")
              ? (payload.value as { readonly computer: string }).computer
              : undefined
            return handlers.receive(connection, event, payload)
          }
        }),
      broadcast: (room, event, payload, options) =>
        inner.broadcast(room, event, claimed === undefined ? payload : { ...payload, computer: claimed }, options)
    }
  }),
  transport("the sender does not hear its own notification", (inner) => ({
    ...inner,
    broadcast: (room, event, payload) => inner.broadcast(room, event, payload)
  })),
  transport("a notification stays in its office", (inner) => ({
    ...inner,
    broadcast: (_room, event, payload, options) =>
      Effect.forEach(["R1", "R2"], (office) => inner.broadcast(`office:${office}`, event, payload, options), {
        discard: true
      })
  })),
  transport(
    "who left hears nothing of the office any more",
    (inner) => withConnections((connection) => ({ ...connection, leave: () => Effect.void }))(inner)
  ),
  transport(
    "a call ends when its Computer leaves the office",
    (inner) => withConnections((connection) => ({ ...connection, dropCalls: Effect.void }))(inner)
  ),
  transport("acknowledgements have all their arguments", (inner) => ({
    ...inner,
    serve: (handlers) =>
      inner.serve({
        ...handlers,
        receive: (connection, event, payload) =>
          Effect.map(handlers.receive(connection, event, payload), ({ args }) => ({ args: args.slice(0, 1) }))
      })
  }))
]
