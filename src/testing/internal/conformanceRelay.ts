/**
 * Conformance rules: `client:*` events reach the Computer they name, and its acknowledgement comes back.
 */
import * as Effect from "effect/Effect"
import * as ClientEvent from "../../protocol/ClientEvent.ts"
import type { Revision } from "../../protocol/Revision.ts"
import * as actors from "./conformanceActors.ts"
import * as kit from "./conformanceKit.ts"
import type { Rule, Stage } from "./conformanceKit.ts"
import * as RawFrame from "./rawFrame.ts"

export type ClientEventName = (typeof ClientEvent.all)[number]["name"]

const SHA256_OF_A = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"

const tool = { name: "b__t", description: "does it", params_schema: { type: "object" }, return_schema: null, meta: {} }

const stdioServer = {
  name: "b",
  disabled: false,
  forbidden_tools: [],
  tool_meta: {},
  default_tool_meta: null,
  vrl: null,
  type: "stdio",
  server_parameters: {
    command: "x",
    args: [],
    env: null,
    cwd: null,
    encoding: "utf-8",
    encoding_error_handler: "strict"
  }
}

const blob = { mime_type: "text/plain", total_size: 1, sha256: SHA256_OF_A }

/** For every event: what it carries besides the envelope, and an answer that every checking Server lets pass. */
const samples: Readonly<
  Record<ClientEventName, {
    readonly request: Readonly<Record<string, unknown>>
    readonly answer: (req_id: string, revision: Revision) => Readonly<Record<string, unknown>>
  }>
> = {
  "client:tool_call": {
    request: { tool_name: "b__t", params: { text: "grüße 你好 👩‍💻 \" \\ \n", list: [1, -2.5, null, [{}]] }, timeout: 5 },
    answer: () => ({
      meta: null,
      content: [{ type: "text", text: "grüße 你好 👩‍💻", annotations: null }],
      structuredContent: { deep: [{ er: [null, 1.5, "x"] }] },
      isError: false
    })
  },
  "client:get_tools": {
    request: {},
    answer: (req_id, { toolNames }) => ({
      tools: [toolNames === "exposed" ? { ...tool, bundle_id: "b" } : tool],
      req_id
    })
  },
  "client:get_desktop": {
    request: { desktop_size: 2, window: "window://b/w" },
    answer: (req_id) => ({ desktops: ["window://b/w\n\ntext"], req_id })
  },
  "client:get_config": {
    request: {},
    answer: (_, { serverKey }) => ({
      servers: { b: serverKey === "bundle_id" ? { ...stdioServer, bundle_id: "b" } : stdioServer },
      inputs: []
    })
  },
  "client:get_resources": {
    request: { mcp_server: "b", cursor: "c" },
    answer: (req_id) => ({ resources: [{ uri: "x://y", name: "y" }], req_id, next_cursor: "d" })
  },
  "client:get_skills": {
    request: {},
    answer: (req_id) => ({ skills: [{ name: "s", source: "user", path: "/s", description: "d" }], req_id })
  },
  "client:get_skill": {
    request: { name: "s", rel_path: "a.txt" },
    answer: (req_id) => ({ name: "s", rel_path: "a.txt", ...blob, req_id, body: "a" })
  },
  "client:get_blob": {
    request: { blob_handle: "h", chunk_offset: 0, max_chunk_bytes: 10 },
    answer: (req_id) => ({ blob_handle: "h", ...blob, chunk_offset: 0, eof: true, blob: "YQ==", req_id })
  },
  "client:put_blob": {
    request: { chunk_offset: 0, eof: true, total_size: 1, sha256: SHA256_OF_A, name_hint: "a.txt", blob: "YQ==" },
    answer: (req_id) => ({
      upload_id: "u",
      chunk_offset: 0,
      landing_path: "/landing/a.txt",
      total_size: 1,
      sha256: SHA256_OF_A,
      req_id
    })
  }
}

interface Envelope {
  readonly agent: string
  readonly req_id: string
  readonly computer: string
}

/** A request of this event from an Agent to a Computer. */
export const requestOf = (
  stage: Stage,
  event: ClientEventName,
  agent: string,
  computer: string,
  more: Readonly<Record<string, unknown>> = {}
): Envelope & Readonly<Record<string, unknown>> => ({
  agent,
  req_id: stage.fresh("r"),
  computer,
  ...samples[event].request,
  ...more
})

/** The events of a revision. */
export const eventsOf = (revision: Revision): ReadonlyArray<ClientEventName> =>
  ClientEvent.all.filter(({ feature }) => feature === undefined || revision[feature]).map(({ name }) => name)

/** One request to a Computer that acknowledges it with `args`; what each side saw. */
const passThrough = Effect.fnUntraced(function*(
  { agent, computer }: { readonly agent: actors.Member; readonly computer: actors.Member },
  event: ClientEventName,
  payload: object,
  args: ReadonlyArray<unknown>
) {
  const answer = yield* actors.asking(agent, event, payload)
  const request = yield* actors.nextRequest(computer, event)
  yield* actors.acknowledge(computer, request, ...args)
  return { request, answer: yield* answer() }
})

/** What a Server passes on untouched although no payload of the protocol looks like it. */
const odd: ReadonlyArray<ReadonlyArray<unknown>> = [
  [],
  [null],
  [1, "two", { three: [3] }],
  ["text"],
  [[{ deep: [[], {}, null] }]],
  [{ code: 4999, message: "a code nobody knows", details: { reason: "x" }, own: 1 }]
]

const relayed = (event: ClientEventName, appliesTo: (revision: Revision) => boolean): ReadonlyArray<Rule> => {
  const id = `relay.${event.slice("client:".length)}`
  const section = `events.md, ${event}`
  return [
    kit.rule({
      id,
      title: `${event} reaches the Computer with what the Agent said, and its answer the Agent`,
      section,
      appliesTo,
      run: Effect.fnUntraced(function*(stage) {
        const office = yield* actors.pair(stage)
        const payload = requestOf(stage, event, office.agent.name, office.computer.name)
        const given = samples[event].answer(payload.req_id, stage.revision)
        const { answer, request } = yield* passThrough(office, event, payload, [given])
        const expected = RawFrame.event(request.id, [event, payload])
        yield* kit.ensure(request.id !== undefined, "The request wants no acknowledgement", expected, request.text)
        yield* kit.ensure(
          RawFrame.canonical(request.text) === RawFrame.canonical(expected),
          "The Computer is asked something else",
          expected,
          request.text
        )
        yield* kit.expectAck(event, answer, [given])
      })
    }),
    kit.rule({
      id: `${id}.unknown-keys`,
      title: `keys that the protocol does not know pass through ${event} and its answer`,
      section,
      level: "should",
      appliesTo,
      run: Effect.fnUntraced(function*(stage) {
        const office = yield* actors.pair(stage)
        const payload = requestOf(stage, event, office.agent.name, office.computer.name, { zzz: { a: [null, 1] } })
        const given = { ...samples[event].answer(payload.req_id, stage.revision), zzz: { b: [[]] } }
        const { answer, request } = yield* passThrough(office, event, payload, [given])
        yield* kit.expectEqual("The request", request.args, [payload])
        yield* kit.expectAck(event, answer, [given])
      })
    }),
    kit.rule({
      id: `${id}.odd-answers`,
      title: `whatever the Computer acknowledges ${event} with passes through: nothing, null, several arguments`,
      section,
      level: "should",
      appliesTo,
      run: Effect.fnUntraced(function*(stage) {
        const office = yield* actors.pair(stage)
        for (const args of odd) {
          const payload = requestOf(stage, event, office.agent.name, office.computer.name)
          const { answer } = yield* passThrough(office, event, payload, args)
          yield* kit.expectAck(event, answer, args)
        }
      })
    })
  ]
}

const GET_RESOURCES_ERROR = { code: 4014, message: "MCP Server not registered", mcp_server: "b" }

const others: ReadonlyArray<Rule> = [
  kit.rule({
    id: "relay.error",
    title: "a flat error of the Computer passes through",
    section: "error-handling.md, layers",
    appliesTo: ({ hasGetResources }) => hasGetResources,
    run: Effect.fnUntraced(function*(stage) {
      const office = yield* actors.pair(stage)
      const event = "client:get_resources"
      const payload = requestOf(stage, event, office.agent.name, office.computer.name)
      const { answer } = yield* passThrough(office, event, payload, [GET_RESOURCES_ERROR])
      const { code, message } = GET_RESOURCES_ERROR
      const error = yield* kit.expectFlatError(event, answer, code)
      yield* kit.expectEqual("The message", error["message"], message)
      if (error["mcp_server"] === undefined) {
        yield* stage.remark("fields of a flat error beside its details are dropped")
      }
    })
  }),
  kit.rule({
    id: "relay.concurrent",
    title: "calls in flight get their own answers, in whatever order they come",
    section: "events.md, client:tool_call",
    run: Effect.fnUntraced(function*(stage) {
      const { agent, computer } = yield* actors.pair(stage)
      const event = "client:tool_call"
      const waits = yield* Effect.forEach(
        [1, 2, 3],
        (number) =>
          actors.asking(agent, event, requestOf(stage, event, agent.name, computer.name, { params: { number } }))
      )
      const requests = yield* Effect.forEach(waits, () => actors.nextRequest(computer, event))
      for (const request of [...requests].reverse()) {
        const [{ params }] = request.args as [{ readonly params: unknown }]
        yield* actors.acknowledge(computer, request, { content: [], structuredContent: params })
      }
      const answers = yield* Effect.forEach(waits, (wait) => wait())
      const expected = [1, 2, 3].map((number) => [{ content: [], structuredContent: { number } }])
      yield* kit.expectEqual("The answers", answers, expected)
    })
  }),
  kit.rule({
    id: "relay.no-ack-id",
    title: "a call that wants no acknowledgement is not acknowledged, and the connection lives on",
    section: "events.md, client:get_tools",
    run: Effect.fnUntraced(function*(stage) {
      const { agent, computer, office } = yield* actors.pair(stage)
      const event = "client:get_tools"
      yield* actors.tell(agent, event, requestOf(stage, event, agent.name, computer.name))
      yield* actors.tell(agent, event, requestOf(stage, event, agent.name, stage.fresh("nobody")))
      yield* actors.expectMembers(agent, office, [agent, computer])
      const [unasked] = agent.drain(({ type }) => type === "43")
      yield* kit.ensure(unasked === undefined, "An acknowledgement nobody asked for", "nothing", unasked?.text)
    })
  })
]

export const relayRules: ReadonlyArray<Rule> = [
  ...ClientEvent.all.flatMap(({ name }) => relayed(name, (revision) => eventsOf(revision).includes(name))),
  ...others
]
