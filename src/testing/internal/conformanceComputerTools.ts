/**
 * Conformance rules for Computers: the tools they list and how they take calls.
 */
import * as Effect from "effect/Effect"
import { isRecord } from "../../protocol/Json.ts"
import * as actors from "./conformanceActors.ts"
import * as computers from "./conformanceComputer.ts"
import { computerRule, type Fields, presenceRule } from "./conformanceComputer.ts"
import * as kit from "./conformanceKit.ts"
import type { Rule } from "./conformanceKit.ts"
import * as RawFrame from "./rawFrame.ts"

const TOOL = "data-structures.md, SMCPTool"
const META = "data-structures.md, SMCPTool.meta"

const nameOf = (tool: Fields): string => `The tool ${kit.show(tool["name"])}`

const isSimple = (value: unknown): boolean => ["string", "boolean", "number"].includes(typeof value)

/** A text, a number, a boolean, or a list of one kind of these. */
const isMetaValue = (value: unknown): boolean =>
  isSimple(value) ||
  Array.isArray(value) && value.every(isSimple) && new Set(value.map((each) => typeof each)).size <= 1

const jsonObjectIn = (text: unknown): Fields | undefined => {
  try {
    const value: unknown = typeof text === "string" ? JSON.parse(text) : undefined
    return isRecord(value) ? value : undefined
  } catch {
    return undefined
  }
}

const lists: ReadonlyArray<Rule> = [
  presenceRule({
    id: "computer.present",
    title: "the Computer sits in its office under its name",
    section: "events.md, server:list_room",
    run: Effect.fnUntraced(function*(visit) {
      if (yield* computers.isPresent(visit)) return
      const { agent, computer: { name, office } } = visit
      const members = yield* actors.membersOf(agent, office)
      return yield* kit.fail("It is not listed", kit.show({ name, role: "computer" }), kit.show(members))
    })
  }),
  computerRule({
    id: "computer.get_tools",
    title: "get_tools answers with one argument: a list of tools that have every key, and the req_id",
    section: TOOL,
    run: Effect.fnUntraced(function*(visit) {
      const { args, req_id } = yield* visit.askAll("client:get_tools")
      const answer = yield* kit.expectObject("get_tools", args)
      yield* kit.expectEqual("req_id", answer["req_id"], req_id)
      const tools = yield* computers.listOf("get_tools", answer, "tools")
      if (tools.length === 0) {
        yield* visit.stage.remark("the Computer lists no tool, so the rules about tools say little")
      }
      for (const tool of tools) {
        yield* computers.expectKeys(isRecord(tool) ? nameOf(tool) : "A tool", tool, {
          name: ["a text that is not empty", (value) => computers.isText(value) && value !== ""],
          description: ["a text", computers.isText],
          params_schema: ["a JSON Schema", isRecord],
          return_schema: ["a JSON Schema, or null", computers.orNull(isRecord)],
          ...(computers.hasBundleIds(visit.stage.revision) ? { bundle_id: ["a text", computers.isText] as const } : {})
        })
      }
    })
  }),
  computerRule({
    id: "computer.tool-names",
    title: "tools are named {bundle_id}__…, each name once",
    section: "data-structures.md, exposed_tool_name",
    appliesTo: computers.hasBundleIds,
    run: Effect.fnUntraced(function*(visit) {
      const tools = yield* computers.toolsOf(visit)
      for (const tool of tools) {
        const prefix = `${String(tool["bundle_id"])}__`
        yield* kit.ensure(
          String(tool["name"]).startsWith(prefix) && String(tool["name"]).length > prefix.length,
          "A name does not begin with its server",
          `${prefix}…`,
          kit.show(tool["name"])
        )
      }
      const names = tools.map(({ name }) => name)
      yield* kit.ensure(new Set(names).size === names.length, "A name is listed twice", "each once", kit.show(names))
    })
  }),
  computerRule({
    id: "computer.tool-meta",
    title: "meta of a tool is an object of simple values; a2c_tool_meta and MCP_TOOL_ANNOTATION are JSON texts",
    section: META,
    run: Effect.fnUntraced(function*(visit) {
      for (const tool of yield* computers.toolsOf(visit)) {
        const meta = tool["meta"] ?? {}
        yield* kit.ensure(isRecord(meta), `${nameOf(tool)}: meta`, "an object", kit.show(meta))
        for (const [key, value] of Object.entries(meta as Fields)) {
          const wanted = "a text, number, boolean or a list of one kind of them"
          yield* kit.ensure(isMetaValue(value), `${nameOf(tool)}: meta.${key}`, wanted, kit.show(value))
          if (key !== "a2c_tool_meta" && key !== "MCP_TOOL_ANNOTATION") continue
          yield* kit.ensure(
            jsonObjectIn(value) !== undefined,
            `${nameOf(tool)}: meta.${key}`,
            "the JSON text of an object",
            kit.show(value)
          )
        }
      }
    })
  }),
  computerRule({
    id: "computer.tool-meta.canonical",
    title: "a2c_tool_meta has every field, null where nothing is set",
    section: "data-structures.md, ToolMeta",
    appliesTo: ({ toolMeta }) => toolMeta === "three-layer",
    run: Effect.fnUntraced(function*(visit) {
      for (const tool of yield* computers.toolsOf(visit)) {
        const text = isRecord(tool["meta"]) ? tool["meta"]["a2c_tool_meta"] : undefined
        if (text === undefined) continue
        yield* computers.expectKeys(`${nameOf(tool)}: a2c_tool_meta`, jsonObjectIn(text), {
          auto_apply: ["true, false or null", computers.orNull(computers.isBoolean)],
          alias: ["a text or null", computers.orNull(computers.isText)],
          tags: [
            "a list of texts or null",
            computers.orNull((value) => Array.isArray(value) && value.every(computers.isText))
          ],
          ret_object_mapper: ["an object or null", computers.orNull(isRecord)]
        })
      }
    })
  })
]

const isResult = (value: unknown): value is Fields => isRecord(value) && Array.isArray(value["content"])

const calls: ReadonlyArray<Rule> = [
  computerRule({
    id: "computer.concurrent",
    title: "requests at the same time are each answered with their own req_id",
    section: "data-structures.md, AgentCallData",
    run: (visit) =>
      Effect.forEach(
        ["1", "2", "3", "4"],
        () =>
          Effect.flatMap(visit.askAll("client:get_tools"), ({ args, req_id }) =>
            kit.expectEqual("req_id", (args[0] as Fields | undefined)?.["req_id"], req_id)),
        {
          concurrency: "unbounded"
        }
      )
  }),
  computerRule({
    id: "computer.unknown-keys",
    title: "keys that the protocol does not know are no reason to refuse a request",
    section: "data-structures.md, general",
    run: (visit) => visit.ask("client:get_tools", { zzz: { a: [null] } })
  }),
  computerRule({
    id: "computer.unknown-tool",
    title: "a call of a tool that does not exist is answered, with an error",
    section: "error-handling.md, 4001",
    run: Effect.fnUntraced(function*(visit) {
      const tool_name = visit.stage.fresh("no__such-tool")
      const { args } = yield* visit.askAll("client:tool_call", { tool_name, params: {}, timeout: 3 })
      yield* kit.expectError("A call of an unknown tool", args)
    })
  }),
  computerRule({
    id: "computer.unknown-tool.result",
    title:
      "a call of a tool that does not exist is answered with a CallToolResult with isError, which every Agent can read",
    section: "python-sdk; error-handling.md, 4001",
    level: "should",
    run: Effect.fnUntraced(function*(visit) {
      const tool_name = visit.stage.fresh("no__such-tool")
      const { args } = yield* visit.askAll("client:tool_call", { tool_name, params: {}, timeout: 3 })
      yield* kit.ensure(
        args.length === 1 && isResult(args[0]) && args[0]["isError"] === true,
        "It is something else",
        RawFrame.ack(0, [{ content: [], isError: true }]),
        RawFrame.ack(0, args)
      )
    })
  }),
  computerRule({
    id: "computer.cancel-unknown",
    title: "a cancel of a request that is not running is ignored, also the second time",
    section: "events.md, notify:tool_call_cancel",
    run: Effect.fnUntraced(function*(visit) {
      const { agent } = visit
      const { args, req_id } = yield* visit.askAll("client:get_tools")
      yield* kit.expectObject("get_tools", args)
      for (const cancelled of [req_id, req_id, visit.stage.fresh("never-sent")]) {
        yield* actors.tell(agent, "server:tool_call_cancel", { agent: agent.name, req_id: cancelled })
      }
      const again = yield* visit.ask("client:get_tools", { req_id })
      yield* kit.expectEqual("req_id of a request after that", again["req_id"], req_id)
    })
  }),
  computerRule({
    id: "computer.other-name",
    title: "the Computer does not answer for a name that is not its own",
    section: "error-handling.md, 404",
    run: Effect.fnUntraced(function*({ agent, computer, stage }) {
      const payload = {
        agent: agent.name,
        req_id: stage.fresh("r"),
        computer: `${computer.name}-${stage.fresh("other")}`
      }
      const args = yield* actors.maybeAsk(agent, 1500, "client:get_tools", payload)
      yield* kit.ensure(args === undefined || kit.isError(args), "It is answered", "404", kit.show(args))
    })
  }),
  computerRule({
    id: "computer.malformed",
    title: "a request that makes no sense is answered all the same",
    section: "events.md, client:get_desktop",
    level: kit.mustInStrictRooms,
    run: (visit) => visit.askAll("client:get_desktop", { desktop_size: "many", window: 7 })
  }),
  computerRule({
    id: "computer.call",
    title: "a real call is answered with one CallToolResult",
    section: "events.md, client:tool_call",
    run: Effect.fnUntraced(function*(visit) {
      const { call } = visit.computer
      if (call === undefined) return yield* kit.skip("no tool was named that may be called")
      const timeout = Math.max(1, Math.floor(visit.stage.patience / 1000) - 1)
      const { args } = yield* visit.askAll("client:tool_call", { tool_name: call, params: {}, timeout })
      const result = yield* kit.expectObject("The call", args)
      yield* kit.ensure(isResult(result), "It is no CallToolResult", "{\"content\":[…],…}", kit.show(result))
      yield* computers.expectKeys("The result", { isError: null, meta: null, ...result }, {
        content: ["a list of objects", (value) => Array.isArray(value) && value.every(isRecord)],
        isError: ["true, false or null", computers.orNull(computers.isBoolean)],
        meta: ["an object or null", computers.orNull(isRecord)]
      })
      if (result["isError"] === true) yield* visit.stage.remark(`the tool said: ${kit.show(result["content"])}`)
    })
  })
]

export const computerToolRules: ReadonlyArray<Rule> = [...lists, ...calls]
