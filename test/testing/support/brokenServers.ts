/**
 * Servers that break one rule each, and the cases that have to see it.
 */
import { Effect } from "effect"
import type * as Ack from "../../../src/protocol/Ack.ts"
import * as Revision from "../../../src/protocol/Revision.ts"
import type { Connection, Handlers } from "../../../src/transport/ServerTransport.ts"
import type { Breakage } from "./conformance.ts"

export interface Broken {
  readonly what: string
  readonly revision: Revision.RevisionId
  readonly breakage: Breakage
  /** Every case that has to fail. */
  readonly fails: ReadonlyArray<string>
  /** Every case that has to warn. */
  readonly warns?: ReadonlyArray<string>
}

type WrapTransport = NonNullable<Breakage["wrapTransport"]>

/** Changes what the Server hears of its peers. */
const hearing = (change: (handlers: Handlers) => Handlers): WrapTransport => (inner) => ({
  ...inner,
  serve: (handlers) => inner.serve(change(handlers))
})

/** Changes the arguments of the acknowledgements of some events. */
const answering = (event: RegExp, change: (args: Ack.Args) => Ack.Args): WrapTransport =>
  hearing((handlers) => ({
    ...handlers,
    receive: (connection, name, payload) =>
      Effect.map(
        handlers.receive(connection, name, payload),
        (reply) => event.test(name) ? { args: change(reply.args) } : reply
      )
  }))

/** Changes every connection. */
const connecting = (change: (connection: Connection) => Partial<Connection>): WrapTransport =>
  hearing((handlers) => {
    const changed = new Map<string, Connection>()
    const of = (connection: Connection): Connection => {
      const known = changed.get(connection.sid) ?? { ...connection, ...change(connection) }
      changed.set(connection.sid, known)
      return known
    }
    return {
      ...handlers,
      connected: (connection) => handlers.connected(of(connection)),
      receive: (connection, event, payload) => handlers.receive(of(connection), event, payload),
      disconnected: (connection, reason) => handlers.disconnected(of(connection), reason)
    }
  })

const isFlatError = ([first]: Ack.Args): boolean => typeof first === "object" && first !== null && "code" in first

/** The rooms that a transport ever had. */
const toEveryRoom: WrapTransport = (inner) => {
  const rooms = new Set<string>()
  return {
    ...connecting(({ join }) => ({ join: (room) => Effect.andThen(Effect.sync(() => rooms.add(room)), join(room)) }))(
      inner
    ),
    broadcast: (_, event, payload, options) =>
      Effect.forEach(rooms, (room) => inner.broadcast(room, event, payload, options), { discard: true })
  }
}

/** The name that the payload of an update claims is what the office hears. */
const believing: WrapTransport = (inner) => {
  let claimed: string | undefined
  return {
    ...hearing((handlers) => ({
      ...handlers,
      receive: (connection, event, payload) =>
        Effect.suspend(() => {
          claimed = event.startsWith("server:update_")
            ? (payload.value as { readonly computer?: string } | undefined)?.computer
            : undefined
          return handlers.receive(connection, event, payload)
        })
    }))(inner),
    broadcast: (room, event, payload, options) =>
      inner.broadcast(room, event, claimed === undefined ? payload : { ...payload, computer: claimed }, options)
  }
}

const transport = (
  what: string,
  wrapTransport: WrapTransport,
  fails: ReadonlyArray<string>,
  rest: Partial<Broken> = {}
): Broken => ({ what, revision: "0.4", breakage: { wrapTransport }, fails, ...rest })

const store = (
  what: string,
  wrapStore: NonNullable<Breakage["wrapStore"]>,
  fails: ReadonlyArray<string>,
  rest: Partial<Broken> = {}
): Broken => ({ what, revision: "0.4", breakage: { wrapStore }, fails, ...rest })

const wire: ReadonlyArray<Broken> = [
  {
    what: "looks at no version",
    revision: "0.4",
    breakage: { revisions: [Revision.revisions["0.1"]] },
    fails: [
      "handshake.version-missing",
      "handshake.version-unparsable",
      "handshake.version-incompatible",
      "handshake.upgrade-refused"
    ]
  },
  {
    what: "lets in everyone",
    revision: "0.4",
    breakage: { open: true },
    fails: [],
    warns: ["connect.wrong-key", "connect.no-key"]
  },
  transport(
    "acknowledges joins as another revision does",
    answering(/join_office/, (args) => args[0] === true ? [] : args),
    ["join.ack", "seats.rejoin"]
  ),
  transport(
    "acknowledges joins of 0.5 with true and null",
    answering(/join_office/, () => [true, null]),
    ["join.ack"],
    {
      revision: "0.5"
    }
  ),
  transport(
    "gives only the first argument of an acknowledgement",
    answering(/./, (args) => args.slice(0, 1)),
    ["join.ack", "leave.ack"]
  ),
  transport("does not echo req_id", answering(/list_room/, ([first]) => [{ ...first as object, req_id: "x" }]), [
    "list.members"
  ]),
  transport(
    "leaves what it refuses unanswered",
    hearing((handlers) => ({
      ...handlers,
      receive: (connection, event, payload) =>
        Effect.flatMap(
          handlers.receive(connection, event, payload),
          (reply) => isFlatError(reply.args) ? Effect.never : Effect.succeed(reply)
        )
    })),
    ["join.malformed", "list.malformed", "refuse.unknown-computer", "refuse.malformed"],
    { revision: "0.5" }
  ),
  transport(
    "strips what it does not know",
    hearing((handlers) => ({
      ...handlers,
      receive: (connection, event, payload) => {
        const { zzz: _, ...known } = (payload.value ?? {}) as { readonly zzz?: unknown }
        return handlers.receive(connection, event, event.startsWith("client:") ? { value: known } : payload)
      }
    })),
    [],
    { warns: ["relay.get_tools.unknown-keys", "relay.tool_call.unknown-keys"] }
  ),
  transport("passes on nothing", answering(/client:/, () => []), [
    "relay.get_tools",
    "relay.concurrent",
    "relay.error"
  ]),
  {
    what: "waits for a Computer without end",
    revision: "0.4",
    breakage: { server: { toolCallGrace: "1 hour" } },
    fails: [],
    warns: ["flight.tool-call-deadline"]
  },
  transport("waits for a Computer that left", connecting(() => ({ dropCalls: Effect.void })), [], {
    warns: ["flight.computer-leaves"]
  })
]

const offices: ReadonlyArray<Broken> = [
  transport(
    "tells the sender its own notification",
    (inner) => ({ ...inner, broadcast: (room, event, payload) => inner.broadcast(room, event, payload) }),
    ["notify.enter", "notify.update_config", "notify.cancel"]
  ),
  transport("tells every office", toEveryRoom, ["notify.enter", "notify.update_desktop", "notify.cancel"]),
  transport("goes on telling who left", connecting(() => ({ leave: () => Effect.void })), ["notify.leave"]),
  transport("believes who a notification is about", believing, [], {
    warns: ["notify.update_config.identity", "notify.update_tool_list.identity"]
  }),
  transport("believes who a notification is about, in 0.5", believing, ["notify.update_config.identity"], {
    revision: "0.5"
  }),
  store(
    "announces who joins again",
    (inner) => ({
      ...inner,
      enter: Effect.fnUntraced(function*(sid, request) {
        const entered = yield* inner.enter(sid, request)
        if (entered._tag === "Entered") return entered
        const member = (yield* inner.members(request.office_id)).find((one) => one.sid === sid)!
        return { _tag: "Entered", member, left: undefined }
      })
    }),
    ["seats.rejoin"]
  ),
  store(
    "takes the old seat before it looks at the new one",
    (inner) => ({
      ...inner,
      enter: Effect.fnUntraced(function*(sid, request) {
        const session = yield* inner.get(sid)
        const moves = session?.role === "computer" && session.officeId !== request.office_id
        const left = moves ? yield* inner.leave(sid) : undefined
        const entered = yield* inner.enter(sid, request)
        return left === undefined || entered._tag === "AlreadyThere" ? entered : { ...entered, left }
      })
    }),
    ["room.4", "room.6"],
    { revision: "0.5" }
  ),
  store(
    "finds Computers of other offices",
    (inner) => {
      const known = new Set<string>()
      return {
        ...inner,
        enter: (sid, request) => {
          known.add(request.office_id)
          return inner.enter(sid, request)
        },
        find: Effect.fnUntraced(function*(officeId, role, name) {
          for (const office of [officeId, ...known]) {
            const found = yield* inner.find(office, role, name)
            if (found !== undefined) return found
          }
          return undefined
        })
      }
    },
    ["isolation.calls"],
    { warns: ["refuse.elsewhere"] }
  ),
  store("keeps the seat of who is gone", (inner) => ({ ...inner, close: () => Effect.succeed(undefined) }), [
    "seats.freed-by-disconnect"
  ])
]

export const brokenServers: ReadonlyArray<Broken> = [...wire, ...offices]
