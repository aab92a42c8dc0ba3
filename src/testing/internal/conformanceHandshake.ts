/**
 * Conformance rules: the version check, the Engine.IO session, the namespace, credentials.
 */
import * as Effect from "effect/Effect"
import type { Revision } from "../../protocol/Revision.ts"
import * as actors from "./conformanceActors.ts"
import * as kit from "./conformanceKit.ts"
import type { Rule, Stage } from "./conformanceKit.ts"
import * as RawFrame from "./rawFrame.ts"
import * as RawPeer from "./rawPeer.ts"

const checksVersion = ({ handshake }: Revision): boolean => handshake === "query"

const VERSION_CHECK = "versioning.md, handshake 2"

/** A version that no revision of 0.x is compatible with. */
const INCOMPATIBLE = "0.999.0"

type Query = Readonly<Record<string, string>>

const handshake = ({ harness }: Stage, query: Query) =>
  RawPeer.request(RawPeer.handshakeUrl(harness, query), { headers: harness.headers })

const showResponse = ({ body, headers, status }: RawPeer.Response): string =>
  `HTTP ${status} ${headers["content-type"] ?? ""} ${body}`

/** Fails unless a handshake is refused with HTTP 400 and this code; succeeds with the body. */
const expectRefusal = Effect.fnUntraced(function*(what: string, response: RawPeer.Response, code: number) {
  const body = RawFrame.fromJson(response.body) as Readonly<Record<string, unknown>> | undefined
  const isJson = (response.headers["content-type"] ?? "").startsWith("application/json")
  yield* kit.ensure(
    response.status === 400 && isJson && body?.["code"] === code && typeof body["message"] === "string",
    `${what} is not refused`,
    `HTTP 400 application/json {"code":${code},"message":"…"}`,
    showResponse(response)
  )
  const marked = response.headers["x-a2c-error-code"]
  yield* kit.ensure(
    marked === (code === 4008 ? "4008" : undefined),
    `${what}: the header X-A2C-Error-Code belongs to 4008 alone`,
    code === 4008 ? "X-A2C-Error-Code: 4008" : "no such header",
    String(marked)
  )
  return body!
})

const VERSION_FIELDS = ["server_version", "client_version", "min_supported", "max_supported"] as const

const expectMismatch = Effect.fnUntraced(function*(what: string, response: RawPeer.Response) {
  const body = yield* expectRefusal(what, response, 4008)
  const missing = VERSION_FIELDS.filter((field) => typeof body[field] !== "string")
  yield* kit.ensure(
    missing.length === 0,
    `${what}: the refusal lacks ${missing.join(", ")}`,
    VERSION_FIELDS.join(),
    kit.show(body)
  )
  yield* kit.expectEqual(`${what}: client_version`, body["client_version"], INCOMPATIBLE)
})

const refusals: ReadonlyArray<Rule> = [
  kit.rule({
    id: "handshake.version-missing",
    title: "a handshake without a2c_version is refused with HTTP 400 and code 400",
    section: VERSION_CHECK,
    appliesTo: checksVersion,
    run: Effect.fnUntraced(function*(stage) {
      const response = yield* handshake(stage, {})
      const checks = RawPeer.openPacketOf(response.body) !== undefined &&
        (yield* handshake(stage, { a2c_version: INCOMPATIBLE })).status === 400
      // A listener that serves 0.1 besides has to let in who says nothing.
      if (checks) {
        return yield* stage.remark("peers without a version are let in, as a Server that also serves 0.1 has to")
      }
      yield* expectRefusal("A handshake without a version", response, 400)
    })
  }),
  kit.rule({
    id: "handshake.version-unparsable",
    title: "an a2c_version that is not three numbers is refused with HTTP 400 and code 400",
    section: VERSION_CHECK,
    appliesTo: checksVersion,
    run: Effect.fnUntraced(function*(stage) {
      const { id, version } = stage.revision
      for (const wrong of ["abc", id, `${version}-dev`, `${version}.0`, `v${version}`]) {
        yield* expectRefusal(`a2c_version=${wrong}`, yield* handshake(stage, { a2c_version: wrong }), 400)
      }
    })
  }),
  kit.rule({
    id: "handshake.version-incompatible",
    title: "an incompatible a2c_version is refused with HTTP 400, code 4008, both versions and the range",
    section: "error-handling.md, 4008",
    appliesTo: checksVersion,
    run: (stage) =>
      Effect.flatMap(
        handshake(stage, { a2c_version: INCOMPATIBLE }),
        (response) => expectMismatch(`a2c_version=${INCOMPATIBLE}`, response)
      )
  }),
  kit.rule({
    id: "handshake.patch-is-free",
    title: "another PATCH of the same MINOR is let in",
    section: "versioning.md, v0.x",
    appliesTo: checksVersion,
    run: Effect.fnUntraced(function*(stage) {
      const a2c_version = `${stage.revision.id}.999`
      const peer = yield* actors.engine(stage, { a2c_version })
      const answer = yield* actors.openNamespace(peer, stage)
      yield* kit.ensure(
        answer?.type === "40",
        `a2c_version=${a2c_version} is refused`,
        "40/smcp,{…}",
        answer?.text ?? "nothing"
      )
    })
  }),
  kit.rule({
    id: "handshake.version-not-required",
    title: "a handshake without a2c_version is let in",
    section: "events.md of 0.1, connection",
    appliesTo: (revision) => !checksVersion(revision),
    run: actors.connected
  }),
  kit.rule({
    id: "handshake.upgrade-refused",
    title: "a WebSocket handshake is checked like one over polling: HTTP 400 with the same body, or close code 4900",
    section: "versioning.md, handshake 5",
    appliesTo: checksVersion,
    run: Effect.fnUntraced(function*(stage) {
      const { harness } = stage
      if (harness.upgrade === undefined) return yield* kit.skip("this harness cannot ask for a WebSocket")
      const query = { transport: "websocket", a2c_version: INCOMPATIBLE }
      const answer = yield* harness.upgrade(RawPeer.handshakeUrl(harness, query))
      if (answer.status === 101) {
        return yield* kit.ensure(
          answer.closeCode === 4900,
          "An incompatible WebSocket handshake is let in",
          "HTTP 400, or close code 4900",
          `HTTP 101, close code ${answer.closeCode}`
        )
      }
      yield* expectMismatch("A WebSocket handshake", answer)
    })
  })
]

const isPositive = (value: unknown): boolean => typeof value === "number" && value > 0

const sessions: ReadonlyArray<Rule> = [
  kit.rule({
    id: "handshake.open",
    title: "polling opens an Engine.IO 4 session and offers the upgrade to WebSocket",
    section: "versioning.md, handshake 5",
    run: Effect.fnUntraced(function*(stage) {
      const { open } = yield* actors.engine(stage)
      yield* kit.ensure(
        isPositive(open.pingInterval) && isPositive(open.pingTimeout),
        "The handshake does not tell its heartbeat",
        "0{\"sid\":\"…\",\"upgrades\":[\"websocket\"],\"pingInterval\":25000,\"pingTimeout\":20000}",
        `0${kit.show(open)}`
      )
      if (!Array.isArray(open.upgrades) || !open.upgrades.includes("websocket")) {
        yield* stage.remark("no upgrade to WebSocket is offered")
      }
      if (!isPositive(open.maxPayload)) yield* stage.remark("the largest message is not told (maxPayload)")
    })
  }),
  kit.rule({
    id: "connect.namespace",
    title: "CONNECT to /smcp is answered with a session id",
    section: "events.md, namespace",
    run: actors.connected
  }),
  kit.rule({
    id: "connect.within-a-second",
    title: "CONNECT is answered within a second, which is how long the official clients wait",
    section: "python-sdk, connect",
    level: "should",
    run: Effect.fnUntraced(function*(stage) {
      const peer = yield* actors.engine(stage)
      const answer = yield* actors.openNamespace(peer, { ...stage, patience: 1000 })
      yield* kit.ensure(
        answer?.type === "40",
        "CONNECT takes longer",
        "40/smcp,{…} within 1 s",
        answer?.text ?? "nothing"
      )
    })
  })
]

/** Fails unless CONNECT with this `auth` is refused. */
const expectStranger = Effect.fnUntraced(
  function*(stage: Stage, what: string, auth: Readonly<Record<string, unknown>>) {
    if (stage.harness.apiKey === undefined) return yield* kit.skip("no API key was given, so nobody is to be refused")
    const peer = yield* actors.engine(stage)
    const answer = yield* actors.openNamespace(peer, stage, RawFrame.connect(auth))
    if (answer?.type === "40") {
      // Some Servers accept first and close the namespace then.
      const closing = yield* peer.take(({ type }) => type === "41", stage.patience)
      yield* kit.ensure(closing !== undefined, `${what} is let in`, "44/smcp,{\"message\":\"…\"}", answer.text)
      return yield* stage.remark("the namespace is accepted first and closed then")
    }
    const { message } = (answer?.data ?? {}) as { readonly message?: unknown }
    yield* kit.ensure(
      answer !== undefined && answer.namespace === "/smcp" && typeof message === "string" && message !== "",
      `${what} is not told why it is refused`,
      "44/smcp,{\"message\":\"…\"}",
      answer?.text ?? "nothing"
    )
  }
)

const AUTH = "events.md, connection handshake"

const credentials: ReadonlyArray<Rule> = [
  kit.rule({
    id: "connect.wrong-key",
    title: "CONNECT with a wrong key is refused with 44/smcp and a message",
    section: AUTH,
    level: "should",
    run: (stage) => expectStranger(stage, "A wrong key", { token: stage.fresh("not-the-key") })
  }),
  kit.rule({
    id: "connect.no-key",
    title: "CONNECT without a key is refused with 44/smcp and a message",
    section: AUTH,
    level: "should",
    run: (stage) => expectStranger(stage, "A peer without a key", {})
  })
]

export const handshakeRules: ReadonlyArray<Rule> = [...refusals, ...sessions, ...credentials]
