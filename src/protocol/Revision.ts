/**
 * What differs between the revisions of the protocol, as data. Code asks the
 * revision in force; it never compares version numbers.
 */
import type * as Arr from "effect/Array"
import * as ProtocolVersion from "./ProtocolVersion.ts"

/** The revisions this package can speak. */
export type RevisionId = "0.1" | "0.2" | "0.3" | "0.4" | "0.5"

/** One column of the table of protocol revisions. */
export interface Revision {
  readonly id: RevisionId
  /** The full version announced in `a2c_version` and exported as `PROTOCOL_VERSION`. */
  readonly version: string
  /** Whether a handshake must carry `a2c_version` in the query; `none` forbids requiring it. */
  readonly handshake: "none" | "query"
  /** Acks of join and leave: two arguments `true, null` / `false, text`, or none / a flat error payload. */
  readonly joinAck: "tuple" | "payload"
  /** How a Server refuses a `client:tool_call`: a flat error, or a result with `isError`, the only thing old Agents read. */
  readonly toolCallErrors: "flat" | "result"
  /** Seats for Computers in one office. There is always one seat for an Agent. */
  readonly computersPerOffice: number
  /** What a Computer owes a cancelled call: nothing, an attempt it should make, or one it must make. */
  readonly cancel: "ignored" | "should" | "must"
  /** Whether the Agent keeps waiting for the original ack after it cancelled. */
  readonly cancelAwaitsAck: boolean
  /** How MCP servers are keyed in `get_config` and addressed in `get_resources`. */
  readonly serverKey: "name" | "bundle_id"
  /** What `get_tools` lists and `tool_call` names. */
  readonly toolNames: "original" | "exposed"
  /** The element form of `pickString.options` that is sent; both are read. */
  readonly pickOptions: "string" | "labelled"
  /** Whether inputs are resolved anew at every start of a server. */
  readonly inputsReResolved: boolean
  /** How the environment variable of an input is named. */
  readonly inputEnvironment: "none" | "upper-case" | "segment"
  /** Where `priority` and `fullscreen` of a window are found. */
  readonly windowMetadata: "uri-query" | "annotations"
  /** How `meta.a2c_tool_meta` is made: from configuration, or merged with what the MCP server declares. */
  readonly toolMeta: "config" | "three-layer"
  /** What installing a plugin does to its bundled servers. */
  readonly plugins: "none" | "active-on-install" | "enabled-separately"
  readonly hasGetConfigRelay: boolean
  readonly hasGetResources: boolean
  readonly hasSkills: boolean
  /** Whether the answer to `client:get_skills` carries `tags`. */
  readonly hasSkillTags: boolean
  readonly hasGetBlob: boolean
  readonly hasPutBlob: boolean
}

/** The parts of a {@link Revision} that say whether an event exists in it. */
export type Feature = "hasGetConfigRelay" | "hasGetResources" | "hasSkills" | "hasGetBlob" | "hasPutBlob"

const v0_1: Revision = {
  id: "0.1",
  version: "0.1.2",
  handshake: "none",
  joinAck: "tuple",
  toolCallErrors: "result",
  computersPerOffice: Infinity,
  cancel: "ignored",
  cancelAwaitsAck: false,
  serverKey: "name",
  toolNames: "original",
  pickOptions: "string",
  inputsReResolved: false,
  inputEnvironment: "none",
  windowMetadata: "uri-query",
  toolMeta: "config",
  plugins: "none",
  hasGetConfigRelay: false,
  hasGetResources: false,
  hasSkills: false,
  hasSkillTags: false,
  hasGetBlob: false,
  hasPutBlob: false
}

const v0_2: Revision = {
  ...v0_1,
  id: "0.2",
  version: "0.2.3",
  handshake: "query",
  toolCallErrors: "flat",
  cancel: "should",
  inputEnvironment: "upper-case",
  windowMetadata: "annotations",
  plugins: "active-on-install",
  hasGetConfigRelay: true,
  hasGetResources: true,
  hasSkills: true,
  hasGetBlob: true
}

// 0.3.2 changed the form of pick options within the same MINOR; its newest patch is the one spoken.
const v0_3: Revision = {
  ...v0_2,
  id: "0.3",
  version: "0.3.2",
  serverKey: "bundle_id",
  toolNames: "exposed",
  pickOptions: "labelled",
  inputsReResolved: true,
  inputEnvironment: "segment",
  plugins: "enabled-separately"
}

const v0_4: Revision = {
  ...v0_3,
  id: "0.4",
  version: "0.4.0",
  toolMeta: "three-layer",
  hasSkillTags: true,
  hasPutBlob: true
}

const v0_5: Revision = {
  ...v0_4,
  id: "0.5",
  version: "0.5.0",
  joinAck: "payload",
  computersPerOffice: 1,
  cancel: "must",
  cancelAwaitsAck: true
}

/** Every known revision by its id. */
export const revisions: Readonly<Record<RevisionId, Revision>> = {
  "0.1": v0_1,
  "0.2": v0_2,
  "0.3": v0_3,
  "0.4": v0_4,
  "0.5": v0_5
}

/** Revisions with the newest first, each MAJOR.MINOR once. */
export const newestFirst = (
  some: Arr.NonEmptyReadonlyArray<Revision>
): Arr.NonEmptyReadonlyArray<Revision> => {
  const [first, ...others] = [...new Map(some.map((revision) => [revision.id, revision])).values()].sort(byAge)
  return [first!, ...others]
}

const versionOf = (revision: Revision) => ProtocolVersion.parse(revision.version)!
const byAge = (left: Revision, right: Revision) => ProtocolVersion.compare(versionOf(right), versionOf(left))

/** The revision that is spoken unless another one is chosen: the newest release. */
export const defaultRevision: Revision = v0_4

/** The protocol version this package announces by default. */
export const PROTOCOL_VERSION = "0.4.0"
