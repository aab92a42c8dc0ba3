import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Base64 from "effect/encoding/Base64"
import * as Stream from "effect/Stream"
import { createHash } from "node:crypto"
import { type Args, failure, type Payload, playedOffice, type Script } from "./support/playedServer.ts"

const answering = (event: string, answer: (payload: Payload) => Args): Script => (heard) =>
  heard.event === event ? answer(heard.payload) : undefined

/** Three pages of two, behind cursors. */
const pages: Script = answering("client:get_resources", ({ cursor, req_id }) => {
  const page = cursor === undefined ? 0 : Number(cursor.slice(1))
  return [{
    resources: [0, 1].map((index) => ({ uri: `f://${page}${index}` })),
    req_id,
    ...(page < 2 ? { next_cursor: `p${page + 1}` } : { next_cursor: null })
  }]
})

describe("resources", () => {
  it.effect("come as one page with the cursor of the next", () =>
    Effect.gen(function*() {
      const { agent, all } = yield* playedOffice(pages)
      const first = yield* agent.resources("C", "b")
      assert.deepStrictEqual([first.resources.map(({ uri }) => uri), first.nextCursor], [["f://00", "f://01"], "p1"])
      const last = yield* agent.resources("C", "b", { cursor: "p2" })
      assert.deepStrictEqual([last.resources.map(({ uri }) => uri), last.nextCursor], [["f://20", "f://21"], undefined])
      assert.deepStrictEqual(
        all("client:get_resources").map(({ req_id, ...rest }) => ({ ...rest, id: /^[0-9a-f]{32}$/.test(req_id) })),
        [
          { agent: "A", computer: "C", mcp_server: "b", id: true },
          { agent: "A", computer: "C", mcp_server: "b", cursor: "p2", id: true }
        ]
      )
    }))

  it.effect("of all pages come as a stream that asks for a page when it is wanted", () =>
    Effect.gen(function*() {
      const { agent, all } = yield* playedOffice(pages)
      const every = yield* Stream.runCollect(agent.allResources("C", "b"))
      assert.deepStrictEqual(every.map(({ uri }) => uri), ["00", "01", "10", "11", "20", "21"].map((id) => `f://${id}`))
      assert.strictEqual(all("client:get_resources").length, 3)
      yield* Stream.runDrain(Stream.take(agent.allResources("C", "b"), 2))
      assert.strictEqual(all("client:get_resources").length, 4)
    }))

  it.effect("whose pages go round in a circle end in an error, after what they had", () =>
    Effect.gen(function*() {
      const { agent, all } = yield* playedOffice(answering("client:get_resources", ({ cursor = "a" }) => [
        { resources: [{ uri: cursor }], next_cursor: { a: "b", b: "c", c: "b" }[cursor as "a" | "b" | "c"] }
      ]))
      const seen: Array<string> = []
      const end = agent.allResources("C", "b").pipe(
        Stream.runForEach(({ uri }) => Effect.sync(() => seen.push(uri))),
        failure
      )
      assert.strictEqual(yield* end, "InvalidResponse")
      assert.deepStrictEqual(seen, ["a", "b", "c"])
      assert.strictEqual(all("client:get_resources").length, 3)
    }))

  const bare = {
    computer: "C",
    mcpServer: "b",
    uri: "f://a",
    name: "",
    description: "",
    mimeType: undefined,
    size: undefined,
    annotations: { audience: [], priority: undefined, lastModified: undefined },
    meta: {}
  }
  const nulls = { name: null, description: null, mime_type: null, size: null, annotations: null, _meta: null }
  const forms: ReadonlyArray<readonly [what: string, sent: object, seen: object]> = [
    ["with nothing but its URI", { uri: "f://a" }, bare],
    ["with nulls", { uri: "f://a", ...nulls }, bare],
    [
      "with everything",
      {
        uri: "f://a",
        name: "a",
        description: "A",
        mime_type: "text/plain",
        size: 3,
        annotations: { audience: ["user"], priority: 0.5, last_modified: "2026-01-01T00:00:00Z" },
        _meta: { own: 1 }
      },
      {
        ...bare,
        name: "a",
        description: "A",
        mimeType: "text/plain",
        size: 3,
        annotations: { audience: ["user"], priority: 0.5, lastModified: "2026-01-01T00:00:00Z" },
        meta: { own: 1 }
      }
    ],
    [
      "with MCP's own keys",
      {
        uri: "f://a",
        mimeType: "text/plain",
        annotations: { lastModified: "now", priority: "high" },
        meta: { own: 1 }
      },
      {
        ...bare,
        mimeType: "text/plain",
        annotations: { audience: [], priority: undefined, lastModified: "now" },
        meta: { own: 1 }
      }
    ]
  ]
  it.effect.each(forms)("are read %s", ([, sent, seen]) =>
    Effect.gen(function*() {
      const { agent } = yield* playedOffice(answering("client:get_resources", () => [{ resources: [sent] }]))
      assert.deepStrictEqual<unknown>(yield* agent.resources("C", "b"), { resources: [seen], nextCursor: undefined })
    }))

  const ends: ReadonlyArray<readonly [what: string, answer: Args, end: string]> = [
    ["a page without resources", [{ resources: null, next_cursor: "" }], "[]"],
    ["an unknown server", [{ code: 4014, message: "MCP Server not registered", mcp_server: "b" }], "McpServerNotFound"],
    [
      "a server without resources",
      [{ code: 4015, message: "no", capability: "resources" }],
      "McpCapabilityNotSupported"
    ],
    ["a Computer of old", [], "UnsupportedByPeer"],
    ["a resource without URI", [{ resources: [{ name: "a" }] }], "InvalidResponse"]
  ]
  it.effect.each(ends)("end as they should for %s", ([, answer, end]) =>
    Effect.gen(function*() {
      const { agent } = yield* playedOffice(answering("client:get_resources", () => answer))
      const all = failure(Stream.runCollect(agent.allResources("C", "b")))
      assert.strictEqual(yield* all, end === "[]" ? "succeeded with []" : end)
    }))
})

describe("skills", () => {
  const sent = { name: "pdf", source: "user", path: "/skills/pdf", description: "Reads PDF" }
  const seen = {
    ...sent,
    computer: "C",
    uri: undefined,
    license: undefined,
    compatibility: undefined,
    version: undefined,
    allowedTools: [],
    tags: [],
    metadata: {}
  }

  it.effect("are listed, whatever peers leave out", () =>
    Effect.gen(function*() {
      const { agent } = yield* playedOffice(answering("client:get_skills", () => [
        { skills: [sent, { ...sent, uri: null, tags: null, allowed_tools: ["bash"], skill_metadata: { own: 1 } }] }
      ]))
      assert.deepStrictEqual(yield* agent.skills("C"), [
        seen,
        { ...seen, allowedTools: ["bash"], metadata: { own: 1 } }
      ])
    }))

  it.effect("give their files, small ones at once and others by handle", () =>
    Effect.gen(function*() {
      const bytes = new TextEncoder().encode("the whole file")
      const sha256 = createHash("sha256").update(bytes).digest("hex")
      const { agent, all } = yield* playedOffice(({ event, payload }) =>
        event === "client:get_blob"
          ? [{ total_size: bytes.length, sha256, chunk_offset: 0, eof: true, blob: Base64.encode(bytes) }]
          : event !== "client:get_skill"
          ? undefined
          : payload["rel_path"] === undefined
          ? [{ name: "pdf", rel_path: "SKILL.md", mime_type: "text/markdown", body: "grüße" }]
          : [{
            name: "pdf",
            blob_handle: payload["rel_path"] === "good" ? "h" : null,
            sha256,
            total_size: bytes.length
          }]
      )
      assert.deepStrictEqual(yield* agent.skillFile("C", "pdf"), {
        path: "SKILL.md",
        mimeType: "text/markdown",
        bytes: new TextEncoder().encode("grüße")
      })
      assert.deepStrictEqual(yield* agent.skillFile("C", "pdf", { path: "good" }), {
        path: "good",
        mimeType: undefined,
        bytes
      })
      assert.strictEqual(yield* failure(agent.skillFile("C", "pdf", { path: "neither" })), "InvalidResponse")
      assert.deepStrictEqual(all("client:get_skill").map((payload) => payload["rel_path"]), [
        undefined,
        "good",
        "neither"
      ])
    }))
})

describe("the desktop", () => {
  it.effect("is asked for with what is wanted and nothing else", () =>
    Effect.gen(function*() {
      const { agent, all } = yield* playedOffice(answering("client:get_desktop", () => [{ desktops: [] }]))
      yield* agent.desktop("C")
      yield* agent.desktop("C", { size: 3 })
      yield* agent.desktop("C", { size: 0, window: "window://a/b" })
      assert.deepStrictEqual(
        all("client:get_desktop").map(({ agent: _, computer: __, req_id: ___, ...rest }) => rest),
        [{}, { desktop_size: 3 }, { desktop_size: 0, window: "window://a/b" }]
      )
      assert.strictEqual(yield* failure(agent.desktop("C", { size: 1.5 })), "BadRequest")
    }))

  it.effect("is a list of windows with their texts", () =>
    Effect.gen(function*() {
      const { agent } = yield* playedOffice(answering("client:get_desktop", () => [{
        desktops: ["window://a/1\n\none\n\ntwo", "window://a/2", "window://a/3\n\n", "window://a/4\nno empty line", ""],
        req_id: "another"
      }]))
      assert.deepStrictEqual((yield* agent.desktop("C")).map(({ text, uri }) => [uri, text]), [
        ["window://a/1", "one\n\ntwo"],
        ["window://a/2", ""],
        ["window://a/3", ""],
        ["window://a/4\nno empty line", ""],
        ["", ""]
      ])
      assert.strictEqual((yield* agent.desktop("C"))[0]?.raw, "window://a/1\n\none\n\ntwo")
    }))

  for (const answer of [{}, { desktops: null, req_id: null }, { desktops: [] }]) {
    it.effect(`is empty for ${JSON.stringify(answer)}`, () =>
      Effect.gen(function*() {
        const { agent } = yield* playedOffice(answering("client:get_desktop", () => [answer]))
        assert.deepStrictEqual(yield* agent.desktop("C"), [])
      }))
  }
})
