import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Ack from "../../src/protocol/Ack.ts"
import * as ClientEvent from "../../src/protocol/ClientEvent.ts"
import * as Revision from "../../src/protocol/Revision.ts"
import * as ServerEvent from "../../src/protocol/ServerEvent.ts"
import * as SmcpError from "../../src/protocol/SmcpError.ts"
import * as WireError from "../../src/protocol/WireError.ts"

const refusal = { code: 4101, message: "Room already has an agent", details: { office_id: "o", role: "agent" } }

const reasonOf = (event: Ack.AckedEvent, args: Ack.Args) =>
  Effect.map(Effect.flip(Ack.read(event, args)), ({ reason }) => reason)

describe("Ack", () => {
  for (const event of [ServerEvent.JoinOffice, ServerEvent.LeaveOffice]) {
    describe(`of ${event.name}`, () => {
      const successes = [[], [null], [undefined], [true, null], [true], [[true, null]], [[true]], [[]], [[null]]]
      for (const args of successes) {
        it.effect(`is a success: ${JSON.stringify(args)}`, () =>
          Effect.gen(function*() {
            assert.isUndefined(yield* Ack.read(event, args))
          }))
      }

      const refusals: ReadonlyArray<readonly [args: Ack.Args, message: string]> = [
        [[false, "Role mismatch"], "Role mismatch"],
        [[[false, "Role mismatch"]], "Role mismatch"],
        [[false], "The Server refused without a reason"],
        [[false, null], "The Server refused without a reason"],
        [[false, 7], "The Server refused without a reason"]
      ]
      for (const [args, message] of refusals) {
        it.effect(`is a refusal with a text: ${JSON.stringify(args)}`, () =>
          Effect.gen(function*() {
            assert.deepInclude(yield* reasonOf(event, args), { _tag: "JoinRefused", message })
          }))
      }

      for (const args of [[refusal], [[refusal]]]) {
        it.effect(`is a refusal with a code: ${JSON.stringify(args)}`, () =>
          Effect.gen(function*() {
            const reason = yield* reasonOf(event, args)
            assert.deepInclude(reason, { _tag: "RoomFull", message: refusal.message, officeId: "o", role: "agent" })
          }))
      }

      for (const args of [["yes"], [1], [0], [{}], [{ ok: true }], [{ code: "4101" }], [["yes"]], [[[true]]]]) {
        it.effect(`is no acknowledgement of this event: ${JSON.stringify(args)}`, () =>
          Effect.gen(function*() {
            assert.deepInclude(yield* reasonOf(event, args), { _tag: "InvalidResponse", event: event.name })
          }))
      }
    })
  }

  describe("of a list of the room", () => {
    const { ListRoom } = ServerEvent

    it.effect("is the list", () =>
      Effect.gen(function*() {
        const session = { sid: "s", name: "c", role: "computer", office_id: "o" }
        const ret = yield* Ack.read(ListRoom, [{ sessions: [session], req_id: "1", more: 1 }, "and an argument more"])
        assert.deepStrictEqual(ret, { sessions: [session], req_id: "1" } as typeof ret)
      }))

    it.effect("is a flat error", () =>
      Effect.gen(function*() {
        const error = { code: 4104, message: "Cross-room access denied", details: { office_id: "o" } }
        assert.deepInclude(yield* reasonOf(ListRoom, [error]), { _tag: "CrossRoomAccess", officeId: "o" })
      }))

    it.effect("is nothing at all when the peer does not know the event", () =>
      Effect.gen(function*() {
        assert.deepInclude(yield* reasonOf(ListRoom, []), { _tag: "UnsupportedByPeer", event: ListRoom.name })
      }))

    for (const args of [[null], [undefined], [true, null], [{}], ["text"], [[]], [{ sessions: [{}] }]]) {
      it.effect(`is no such acknowledgement: ${JSON.stringify(args)}`, () =>
        Effect.gen(function*() {
          assert.deepInclude(yield* reasonOf(ListRoom, args), { _tag: "InvalidResponse", event: ListRoom.name })
        }))
    }
  })

  describe("of a tool call", () => {
    it.effect("is a result even with a code, and keeps what it does not know", () =>
      Effect.gen(function*() {
        const result = {
          code: 500,
          content: [{ type: "text", text: "done", annotations: { a: 1 } }],
          isError: true,
          meta: { a2c_timeout: true },
          future: [1, { deep: null }]
        }
        assert.deepStrictEqual<unknown>(yield* Ack.read(ClientEvent.ToolCall, [result]), result)
      }))

    it.effect("is a flat error without content", () =>
      Effect.gen(function*() {
        const reason = yield* reasonOf(ClientEvent.ToolCall, [{ code: 4006, message: "m", mcp_server: "git" }])
        assert.deepInclude(reason, { _tag: "ToolAuthorizationRequired", mcpServer: "git" })
      }))
  })

  it.effect("of what is not acknowledged says nothing, whatever it carries", () =>
    Effect.gen(function*() {
      for (const args of [[], [null], [refusal], ["text"]]) {
        assert.isUndefined(yield* Ack.read(ServerEvent.UpdateConfig, args))
        assert.isUndefined(yield* Ack.read(ServerEvent.ToolCallCancel, args))
      }
    }))

  describe("of a join is written", () => {
    const error = SmcpError.make(
      new WireError.RoomFull({ message: "Room already has an agent", officeId: "o", role: "agent" })
    )

    for (const revision of Object.values(Revision.revisions)) {
      it.effect(`so that ${revision.id} reads it`, () =>
        Effect.gen(function*() {
          const tuple = revision.joinAck === "tuple"
          const ok = Ack.membershipOk(revision)
          const refused = Ack.membershipRefused(revision, error)
          assert.deepStrictEqual(ok, tuple ? [true, null] : [])
          assert.deepStrictEqual<unknown>(refused, tuple ? [false, refusal.message] : [refusal])
          assert.isUndefined(yield* Ack.read(ServerEvent.JoinOffice, ok))
          const reason = yield* reasonOf(ServerEvent.JoinOffice, refused)
          assert.strictEqual(reason._tag, tuple ? "JoinRefused" : "RoomFull")
          assert.strictEqual(reason.message, refusal.message)
        }))

      it(`without what is not for a peer's eyes in ${revision.id}`, () => {
        const local = SmcpError.make(new SmcpError.ConfigInvalid({ message: "/home/me/secret" }))
        assert.notInclude(JSON.stringify(Ack.membershipRefused(revision, local)), "secret")
      })
    }
  })
})
