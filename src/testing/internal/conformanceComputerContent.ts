/**
 * Conformance rules for Computers: configuration, desktop, resources, blobs, skills.
 */
import * as Effect from "effect/Effect"
import * as ErrorPayload from "../../protocol/ErrorPayload.ts"
import { isRecord } from "../../protocol/Json.ts"
import type { Revision } from "../../protocol/Revision.ts"
import * as computers from "./conformanceComputer.ts"
import { type Checks, computerRule, type Fields } from "./conformanceComputer.ts"
import * as kit from "./conformanceKit.ts"
import type { Rule } from "./conformanceKit.ts"
import * as RawFrame from "./rawFrame.ts"

// -----------------------------------------------------------------------------
// Configuration
// -----------------------------------------------------------------------------

const CONFIG = "data-structures.md, MCP servers"

const isTextRecord = (value: unknown): boolean => isRecord(value) && Object.values(value).every(computers.isText)
const isTextList = (value: unknown): boolean => Array.isArray(value) && value.every(computers.isText)
const isIsoDuration = (value: unknown): boolean => /^-?P(?=.)/.test(typeof value === "string" ? value : "")

const entryChecks: Checks = {
  name: ["a text", computers.isText],
  disabled: ["true or false", computers.isBoolean],
  forbidden_tools: ["a list of texts", isTextList],
  tool_meta: ["an object", isRecord],
  type: ["stdio, streamable or sse", (value) => typeof value === "string" && value in parameterChecks],
  server_parameters: ["an object", isRecord]
}

const url: Checks = {
  url: ["a text", computers.isText],
  headers: ["an object or null", computers.orNull(isRecord)]
}

const parameterChecks: Readonly<Record<string, Checks>> = {
  stdio: {
    command: ["a text", computers.isText],
    args: ["a list of texts", isTextList],
    env: ["an object of texts or null", computers.orNull(isTextRecord)],
    cwd: ["a text or null", computers.orNull(computers.isText)],
    encoding: ["a text", computers.isText],
    encoding_error_handler: [
      "strict, ignore or replace",
      (value) => ["strict", "ignore", "replace"].includes(String(value))
    ]
  },
  streamable: {
    ...url,
    timeout: ["an ISO 8601 duration", isIsoDuration],
    sse_read_timeout: ["an ISO 8601 duration", isIsoDuration],
    terminate_on_close: ["true or false", computers.isBoolean]
  },
  sse: {
    ...url,
    timeout: ["a number of seconds", computers.isNumber],
    sse_read_timeout: ["a number of seconds", computers.isNumber]
  }
}

const isLabelled = (value: unknown): boolean =>
  isRecord(value) && computers.isText(value["label"]) && computers.isText(value["value"])

const inputChecks = (type: unknown, { pickOptions }: Revision): Checks => ({
  id: ["a text that is not empty", (value) => computers.isText(value) && value !== ""],
  description: ["a text", computers.isText],
  type: [
    "promptString, pickString or command",
    (value) => ["promptString", "pickString", "command"].includes(String(value))
  ],
  ...(type !== "pickString" ? {} : {
    options: pickOptions === "labelled"
      ? ["a list of {label, value}", (value: unknown) => Array.isArray(value) && value.every(isLabelled)] as const
      : ["a list of texts", isTextList] as const
  })
})

const hasConfig = ({ hasGetConfigRelay }: Revision): boolean => hasGetConfigRelay

const configRules: ReadonlyArray<Rule> = [
  computerRule({
    id: "computer.get_config",
    title:
      "get_config tells every server with every key: null where nothing is set, durations as their transport has them",
    section: CONFIG,
    appliesTo: hasConfig,
    run: Effect.fnUntraced(function*(visit) {
      const { servers } = yield* visit.ask("client:get_config")
      if (!isRecord(servers)) return yield* kit.fail("There are no servers", "servers: {…}", kit.show(servers))
      if (Object.keys(servers).length === 0) yield* visit.stage.remark("the Computer has no server")
      for (const [key, server] of Object.entries(servers)) {
        const entry = yield* computers.expectKeys(`The server ${key}`, server, entryChecks)
        const checks = parameterChecks[String(entry["type"])] ?? {}
        yield* computers.expectKeys(`The parameters of ${key}`, entry["server_parameters"], checks)
        const id = visit.stage.revision.serverKey === "bundle_id" ? "bundle_id" : "name"
        yield* kit.expectEqual(`${id} of the server ${key}`, entry[id], key)
      }
    })
  }),
  computerRule({
    id: "computer.get_config.inputs",
    title: "get_config tells the inputs, the options of a pickString in the form of the revision",
    section: "data-structures.md, inputs",
    appliesTo: hasConfig,
    run: Effect.fnUntraced(function*(visit) {
      const { inputs } = yield* visit.ask("client:get_config")
      if (inputs === undefined || inputs === null) return yield* visit.stage.remark("no inputs are told")
      for (const input of yield* computers.listOf("get_config", { inputs }, "inputs")) {
        const { id, type } = isRecord(input) ? input : {} as Fields
        yield* computers.expectKeys(`The input ${kit.show(id)}`, input, inputChecks(type, visit.stage.revision))
      }
    })
  })
]

// -----------------------------------------------------------------------------
// Desktop
// -----------------------------------------------------------------------------

const DESKTOP = "desktop.md, rendering and cutting"

/** The windows of an answer to `get_desktop`. */
const windowsOf = (visit: computers.Visit, more?: Fields) =>
  Effect.flatMap(visit.ask("client:get_desktop", more), (answer) => computers.listOf("get_desktop", answer, "desktops"))

const isWindow = (value: unknown): boolean => typeof value === "string" && /^window:\/\/[^\s]+(\n\n.*)?$/s.test(value)

const desktopRules: ReadonlyArray<Rule> = [
  computerRule({
    id: "computer.get_desktop",
    title: "get_desktop tells windows as texts: the URI, and after an empty line what it shows; req_id is echoed",
    section: DESKTOP,
    run: Effect.fnUntraced(function*(visit) {
      const { args, req_id } = yield* visit.askAll("client:get_desktop")
      const answer = yield* kit.expectObject("get_desktop", args)
      yield* kit.expectEqual("req_id", answer["req_id"], req_id)
      const windows = yield* computers.listOf("get_desktop", answer, "desktops")
      const wrong = windows.find((window) => !isWindow(window))
      yield* kit.ensure(wrong === undefined, "A window", "window://… and its text after an empty line", kit.show(wrong))
      if (windows.length === 0) yield* visit.stage.remark("the Computer shows no window")
    })
  }),
  computerRule({
    id: "computer.get_desktop.size",
    title: "get_desktop tells at most desktop_size windows, and none for 0",
    section: DESKTOP,
    run: Effect.fnUntraced(function*(visit) {
      for (const desktop_size of [0, 1]) {
        const windows = yield* windowsOf(visit, { desktop_size })
        yield* kit.ensure(
          windows.length <= desktop_size,
          `Too many windows for desktop_size ${desktop_size}`,
          `${desktop_size} at most`,
          String(windows.length)
        )
      }
    })
  }),
  computerRule({
    id: "computer.get_desktop.window",
    title: "get_desktop with a window that nobody has tells none",
    section: "desktop.md, one window",
    run: Effect.fnUntraced(function*(visit) {
      const windows = yield* windowsOf(visit, { window: `window://${visit.stage.fresh("nowhere")}` })
      yield* kit.expectEqual("The list of windows", windows, [])
    })
  })
]

// -----------------------------------------------------------------------------
// Resources
// -----------------------------------------------------------------------------

const hasResources = ({ hasGetResources }: Revision): boolean => hasGetResources

const MOST_SERVERS = 10

const resourceRules: ReadonlyArray<Rule> = [
  computerRule({
    id: "computer.get_resources.unknown",
    title: "get_resources of a server that the Computer does not have is refused with 4014",
    section: "error-handling.md, 4014",
    appliesTo: hasResources,
    run: Effect.fnUntraced(function*(visit) {
      const mcp_server = visit.stage.fresh("no-such-server")
      const { args } = yield* visit.askAll("client:get_resources", { mcp_server })
      const error = yield* kit.expectFlatError("get_resources of an unknown server", args, 4014)
      yield* kit.expectEqual("mcp_server of the refusal", error["mcp_server"], mcp_server)
    })
  }),
  computerRule({
    id: "computer.get_resources",
    title: "get_resources tells a page of resources with the keys of the protocol, or 4015 for a server without any",
    section: "data-structures.md, A2CResource",
    appliesTo: hasResources,
    run: Effect.fnUntraced(function*(visit) {
      const servers = Object.keys(yield* computers.serversOf(visit)).slice(0, MOST_SERVERS)
      let pages = 0
      for (const mcp_server of servers) {
        const { args, req_id } = yield* visit.askAll("client:get_resources", { mcp_server })
        const answer = yield* kit.expectObject("get_resources", args)
        if (ErrorPayload.is(answer)) {
          // 4014: a server that is configured and does not run
          const isKnown = answer.code === 4014 || answer.code === 4015
          yield* kit.ensure(isKnown, `get_resources of ${mcp_server}`, "a page, 4014 or 4015", kit.show(answer))
          continue
        }
        pages++
        yield* kit.expectEqual("req_id", answer["req_id"], req_id)
        for (const resource of yield* computers.listOf("get_resources", answer, "resources")) {
          const { name, uri, ...rest } = yield* computers.expectKeys("A resource", resource, {
            uri: ["a text", computers.isText],
            name: ["a text", computers.isText]
          })
          const foreign = ["mimeType", "lastModified"].filter((key) => key in rest)
          yield* kit.ensure(
            foreign.length === 0,
            `The resource ${kit.show(uri)} (${kit.show(name)})`,
            "snake_case keys",
            foreign.join()
          )
        }
      }
      if (pages === 0) return yield* kit.skip("no server of the Computer has resources")
    })
  })
]

// -----------------------------------------------------------------------------
// Blobs and skills
// -----------------------------------------------------------------------------

const hasBlobs = ({ hasGetBlob }: Revision): boolean => hasGetBlob
const hasUploads = ({ hasPutBlob }: Revision): boolean => hasPutBlob

/** Fails unless it is refused with this code and one of these reasons. */
const expectReason = Effect.fnUntraced(function*(
  what: string,
  args: ReadonlyArray<unknown>,
  code: number,
  ...reasons: ReadonlyArray<string>
) {
  const error = yield* kit.expectFlatError(what, args, code)
  const reason = isRecord(error["details"]) ? error["details"]["reason"] : undefined
  yield* kit.ensure(reasons.includes(String(reason)), `${what}: details.reason`, reasons.join(" or "), kit.show(reason))
})

const ANY_SHA256 = "0".repeat(64)

/** Uploads that are to be refused before anything is written. A Computer without a landing root refuses every one. */
const uploads: ReadonlyArray<readonly [what: string, chunk: Fields, reason: string]> = [
  ["A first chunk without a declaration", { chunk_offset: 0, eof: true, blob: "YQ==" }, "invalid_declaration"],
  [
    "A declared size of 0",
    { chunk_offset: 0, eof: true, blob: "", total_size: 0, sha256: ANY_SHA256 },
    "invalid_declaration"
  ],
  [
    "A chunk of an upload that nobody began",
    { upload_id: "no-such-upload", chunk_offset: 0, eof: false, blob: "YQ==" },
    "invalid_upload"
  ]
]

const blobRules: ReadonlyArray<Rule> = [
  computerRule({
    id: "computer.get_blob.invalid",
    title: "get_blob with a handle that the Computer did not make is refused with 4018 invalid_handle",
    section: "blob-transfer.md, 4: errors",
    appliesTo: hasBlobs,
    run: Effect.fnUntraced(function*(visit) {
      for (const blob_handle of ["not-a-handle", "../../etc/passwd"]) {
        const { args } = yield* visit.askAll("client:get_blob", { blob_handle, chunk_offset: 0 })
        yield* expectReason(`get_blob of ${blob_handle}`, args, 4018, "invalid_handle")
      }
    })
  }),
  computerRule({
    id: "computer.put_blob.refusals",
    title: "put_blob without a proper declaration, or of an unknown upload, is refused with 4019 and writes nothing",
    section: "blob-transfer.md, upload",
    appliesTo: hasUploads,
    run: Effect.fnUntraced(function*(visit) {
      for (const [what, chunk, reason] of uploads) {
        const { args } = yield* visit.askAll("client:put_blob", chunk)
        yield* expectReason(what, args, 4019, reason, "forbidden")
      }
    })
  })
]

const skillRules: ReadonlyArray<Rule> = [
  computerRule({
    id: "computer.get_skills",
    title: "get_skills tells skills that have name, source, path and description; req_id is echoed",
    section: "data-structures.md, A2CSkillRef",
    appliesTo: ({ hasSkills }) => hasSkills,
    run: Effect.fnUntraced(function*(visit) {
      const { args, req_id } = yield* visit.askAll("client:get_skills")
      if (args.length === 0 || kit.isError(args)) {
        return yield* kit.skip(`the Computer does not tell its skills: ${RawFrame.ack(0, args)}`)
      }
      const answer = yield* kit.expectObject("get_skills", args)
      yield* kit.expectEqual("req_id", answer["req_id"], req_id)
      const skills = yield* computers.listOf("get_skills", answer, "skills")
      if (skills.length === 0) yield* visit.stage.remark("the Computer has no skill")
      for (const skill of skills) {
        yield* computers.expectKeys("A skill", skill, {
          name: ["a text", computers.isText],
          source: ["a text", computers.isText],
          path: ["a text", computers.isText],
          description: ["a text", computers.isText]
        })
      }
    })
  })
]

export const computerContentRules: ReadonlyArray<Rule> = [
  ...configRules,
  ...desktopRules,
  ...resourceRules,
  ...blobRules,
  ...skillRules
]
