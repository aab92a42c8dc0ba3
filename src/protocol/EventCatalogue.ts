/**
 * What each event is for, in words: the texts of `docs/events.md`. Apart from
 * the events themselves, so that nobody who only speaks the protocol loads them;
 * an event without an entry does not compile.
 */
import type * as ClientEvent from "./ClientEvent.ts"
import type * as NotifyEvent from "./NotifyEvent.ts"
import type * as ServerEvent from "./ServerEvent.ts"

/** The name of any event of the protocol. */
export type EventName =
  | (typeof ClientEvent.all)[number]["name"]
  | (typeof ServerEvent.all)[number]["name"]
  | (typeof NotifyEvent.all)[number]["name"]

/** A page of the specification. */
export type SpecificationPage =
  | "blob-transfer"
  | "data-structures"
  | "desktop"
  | "error-handling"
  | "events"
  | "room-model"
  | "skill"
  | "versioning"

/** One event in words. */
export interface EventEntry {
  /** What it says, and what the answer holds. */
  readonly description: string
  /** The page of the specification that tells most about it. */
  readonly page: SpecificationPage
}

/** Every event in words. */
export const events: { readonly [Name in EventName]: EventEntry } = {
  "client:tool_call": {
    description:
      "Runs a tool of the Computer under its exposed name. The answer is the tool's MCP result, also when the " +
      "tool failed, ran out of time or was cancelled: marks in `meta` tell these apart. A part that is too large " +
      "comes as a handle for `client:get_blob`.",
    page: "events"
  },
  "client:get_tools": {
    description: "Asks for the tools that the Computer offers. The answer lists them with their exposed names, " +
      "parameter schemas and metadata.",
    page: "events"
  },
  "client:get_desktop": {
    description: "Asks for the windows that the Computer's MCP servers show. The answer holds them as text, most " +
      "important first; an unknown `window` gives an empty list and no error.",
    page: "desktop"
  },
  "client:get_config": {
    description:
      "Asks which MCP servers the Computer is configured with. The answer is the configuration as written, " +
      "with placeholders in the place of values.",
    page: "data-structures"
  },
  "client:get_resources": {
    description:
      "Asks one MCP server of the Computer for one page of its resources. The answer is that page, nothing " +
      "left out, and the cursor of the next one.",
    page: "events"
  },
  "client:get_skills": {
    description: "Asks for the skills that the Computer offers. The answer describes them without their texts.",
    page: "skill"
  },
  "client:get_skill": {
    description:
      "Asks for one file of a skill. The answer carries a text, or a handle for `client:get_blob` when the " +
      "file is binary or large.",
    page: "skill"
  },
  "client:get_blob": {
    description: "Reads a chunk of what a handle stands for. The answer carries the bytes, and size and hash of the " +
      "whole. Chunks may be read in any order and again.",
    page: "blob-transfer"
  },
  "client:put_blob": {
    description: "Sends a chunk of a file to the Computer, one after another in order. The first answer names the " +
      "upload, the last one the path where the file now lies.",
    page: "blob-transfer"
  },
  "server:join_office": {
    description:
      "Takes a seat in an office under a role and a name. The office need not exist before; the others in it " +
      "are told.",
    page: "room-model"
  },
  "server:leave_office": {
    description: "Gives the seat up; the others in the office are told. Without a seat it succeeds as well.",
    page: "room-model"
  },
  "server:list_room": {
    description: "Asks who sits in the sender's own office. The answer lists the sessions with name, role and version.",
    page: "room-model"
  },
  "server:tool_call_cancel": {
    description: "Asks to stop a tool call. Nothing comes back for it: the call's own answer tells how it ended.",
    page: "events"
  },
  "server:update_config": {
    description: "Says that the answer to `client:get_config` is another one now.",
    page: "events"
  },
  "server:update_tool_list": {
    description: "Says that the answer to `client:get_tools` is another one now.",
    page: "events"
  },
  "server:update_desktop": {
    description: "Says that the answer to `client:get_desktop` is another one now.",
    page: "desktop"
  },
  "server:update_skills": {
    description: "Says that the answer to `client:get_skills` is another one now.",
    page: "skill"
  },
  "notify:enter_office": {
    description: "An Agent or a Computer has taken a seat; exactly one of the names is set.",
    page: "room-model"
  },
  "notify:leave_office": {
    description: "An Agent or a Computer has left or lost its connection; exactly one of the names is set.",
    page: "room-model"
  },
  "notify:tool_call_cancel": {
    description: "The Agent wants a tool call stopped. The Computer that runs it stops it; everybody else ignores it.",
    page: "events"
  },
  "notify:update_config": {
    description: "The configuration of a Computer has changed; what was read of it is stale.",
    page: "events"
  },
  "notify:update_tool_list": {
    description: "The tools of a Computer have changed; what was read of them is stale.",
    page: "events"
  },
  "notify:update_desktop": {
    description: "The windows of a Computer have changed; what was read of them is stale.",
    page: "desktop"
  },
  "notify:update_skills": {
    description: "The skills of a Computer have changed; what was read of them is stale.",
    page: "skill"
  }
}
