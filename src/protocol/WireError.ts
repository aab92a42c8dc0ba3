/**
 * The errors that the protocol gives a code (specification, error handling).
 * Each is a small tagged error with its own fields; {@link placement} says where
 * those stand in the flat payload, and `ErrorPayload` is the codec.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { OpenRecord } from "./internal/fields.ts"

const text = Schema.optionalKey(Schema.String)
const number = Schema.optionalKey(Schema.Finite)

/** Every coded error says what happened; `details` is for logs and never shown to the end user. */
const base = (message: string) => ({
  message: Schema.String.pipe(Schema.withConstructorDefault(Effect.succeed(message))),
  details: Schema.optionalKey(OpenRecord)
})

/** 400: the payload is malformed. */
export class BadRequest extends Schema.TaggedError<BadRequest>()("BadRequest", base("Invalid request payload")) {}

/** 401: the peer did not prove who it is. */
export class Unauthorized extends Schema.TaggedError<Unauthorized>()("Unauthorized", base("Authentication failed")) {}

/** 403: the peer may not do this. */
export class Forbidden extends Schema.TaggedError<Forbidden>()("Forbidden", base("Forbidden")) {}

/** 404: no such Computer in the caller's office, or it went away. */
export class NotFound extends Schema.TaggedError<NotFound>()("NotFound", {
  ...base("Not found"),
  computerName: text
}) {}

/** 408: the peer did not answer in time. */
export class RequestTimeout extends Schema.TaggedError<RequestTimeout>()("RequestTimeout", base("Request timed out")) {}

/** 500: something failed inside the peer; it does not say what. */
export class InternalError extends Schema.TaggedError<InternalError>()("InternalError", base("Internal error")) {}

/** 4001: no tool has this name. */
export class ToolNotFound extends Schema.TaggedError<ToolNotFound>()("ToolNotFound", base("Tool not found")) {}

/** 4002: the tool is disabled by configuration. */
export class ToolDisabled extends Schema.TaggedError<ToolDisabled>()("ToolDisabled", base("Tool disabled")) {}

/** 4003: the tool failed. */
export class ToolExecutionFailed
  extends Schema.TaggedError<ToolExecutionFailed>()("ToolExecutionFailed", base("Tool execution failed"))
{}

/** 4004: the tool did not finish in time. */
export class ToolTimeout extends Schema.TaggedError<ToolTimeout>()("ToolTimeout", base("Tool timed out")) {}

/** 4005: a person has to confirm the call first. */
export class ToolConfirmationRequired extends Schema.TaggedError<ToolConfirmationRequired>()(
  "ToolConfirmationRequired",
  base("Tool requires confirmation")
) {}

/** 4006: the MCP server behind the tool wants an authorization the Computer does not have yet. */
export class ToolAuthorizationRequired extends Schema.TaggedError<ToolAuthorizationRequired>()(
  "ToolAuthorizationRequired",
  { ...base("Tool authorization required"), mcpServer: text }
) {}

/** 4007: the MCP server behind the tool refused the Computer's authorization. */
export class ToolAuthorizationFailed extends Schema.TaggedError<ToolAuthorizationFailed>()("ToolAuthorizationFailed", {
  ...base("Tool authorization failed"),
  mcpServer: text
}) {}

/** 4008: client and server speak different revisions. Only ever the body of an HTTP 400. */
export class ProtocolVersionMismatch extends Schema.TaggedError<ProtocolVersionMismatch>()("ProtocolVersionMismatch", {
  ...base("Protocol version mismatch"),
  serverVersion: text,
  clientVersion: text,
  minSupported: text,
  maxSupported: text
}) {}

/** 4014: no MCP server with this bundle id, or no skill with this name. */
export class McpServerNotFound extends Schema.TaggedError<McpServerNotFound>()("McpServerNotFound", {
  ...base("MCP Server not registered"),
  mcpServer: text
}) {}

/** 4015: the MCP server lacks a capability the request needs. */
export class McpCapabilityNotSupported
  extends Schema.TaggedError<McpCapabilityNotSupported>()("McpCapabilityNotSupported", {
    ...base("MCP Server does not support the capability"),
    mcpServer: text,
    capability: text
  })
{}

/** 4016: the text is not a skill name. */
export class InvalidSkillName extends Schema.TaggedError<InvalidSkillName>()("InvalidSkillName", {
  ...base("Invalid skill name"),
  name: text
}) {}

/** 4017: a file of a skill cannot be read: `traversal`, `forbidden`, `not_found` or `too_large`. */
export class SkillResourceNotAccessible
  extends Schema.TaggedError<SkillResourceNotAccessible>()("SkillResourceNotAccessible", {
    ...base("Skill resource not accessible"),
    reason: text,
    relPath: text,
    totalSize: number
  })
{}

/** The reasons for 4018 that the specification names. */
export type BlobNotAccessibleReason = "invalid_handle" | "forbidden" | "gone" | "range"

/** 4018: a blob cannot be read; `reason` is an open enumeration, see {@link BlobNotAccessibleReason}. */
export class BlobNotAccessible extends Schema.TaggedError<BlobNotAccessible>()("BlobNotAccessible", {
  ...base("Blob not accessible"),
  reason: text
}) {}

/** The reasons for 4019 that the specification names. */
export type BlobWriteFailedReason =
  | "invalid_upload"
  | "invalid_declaration"
  | "range"
  | "too_large"
  | "busy"
  | "forbidden"
  | "integrity"
  | "io_error"

/** 4019: an upload was refused; `reason` is an open enumeration, see {@link BlobWriteFailedReason}. */
export class BlobWriteFailed extends Schema.TaggedError<BlobWriteFailed>()("BlobWriteFailed", {
  ...base("Blob write failed"),
  reason: text,
  uploadId: text,
  chunkOffset: number,
  totalSize: number
}) {}

/** 4101: the office has no free seat for this role, or the name is taken. */
export class RoomFull extends Schema.TaggedError<RoomFull>()("RoomFull", {
  ...base("Room is full"),
  officeId: text,
  role: text
}) {}

/** 4102: reserved; never sent by a conforming peer. */
export class RoomNotFound extends Schema.TaggedError<RoomNotFound>()("RoomNotFound", {
  ...base("Room not found"),
  officeId: text
}) {}

/** 4103: the request needs an office and the session sits in none. */
export class NotInRoom extends Schema.TaggedError<NotInRoom>()("NotInRoom", base("Not in any room")) {}

/** 4104: the request names another office than the session's own. */
export class CrossRoomAccess extends Schema.TaggedError<CrossRoomAccess>()("CrossRoomAccess", {
  ...base("Cross-room access denied"),
  officeId: text
}) {}

/** 4105: reserved; never sent by a conforming peer. */
export class NameConflict extends Schema.TaggedError<NameConflict>()("NameConflict", base("Name conflict")) {}

/** 4106: an Agent must leave its office before it joins another. */
export class AlreadyInRoom extends Schema.TaggedError<AlreadyInRoom>()("AlreadyInRoom", {
  ...base("Agent already in another room"),
  officeId: text
}) {}

/** A code this package does not know. The whole payload is kept in `payload`. */
export class UnknownCode extends Schema.TaggedError<UnknownCode>()("UnknownCode", {
  code: Schema.Int,
  message: Schema.String,
  payload: OpenRecord
}) {}

/** Every coded error. */
export const classes = [
  BadRequest,
  Unauthorized,
  Forbidden,
  NotFound,
  RequestTimeout,
  InternalError,
  ToolNotFound,
  ToolDisabled,
  ToolExecutionFailed,
  ToolTimeout,
  ToolConfirmationRequired,
  ToolAuthorizationRequired,
  ToolAuthorizationFailed,
  ProtocolVersionMismatch,
  McpServerNotFound,
  McpCapabilityNotSupported,
  InvalidSkillName,
  SkillResourceNotAccessible,
  BlobNotAccessible,
  BlobWriteFailed,
  RoomFull,
  RoomNotFound,
  NotInRoom,
  CrossRoomAccess,
  NameConflict,
  AlreadyInRoom
] as const

/** An error with one of the protocol's codes. */
export type CodedError = InstanceType<(typeof classes)[number]>

/** Any error that can arrive as a flat payload. */
export type WireError = CodedError | UnknownCode

/** Where an error's own fields stand in the flat payload: at the top or inside `details`. */
export interface Placement {
  readonly code: number
  readonly top?: Readonly<Record<string, string>>
  readonly details?: Readonly<Record<string, string>>
}

/** Code and field placement of each coded error. */
export const placement: Readonly<Record<CodedError["_tag"], Placement>> = {
  BadRequest: { code: 400 },
  Unauthorized: { code: 401 },
  Forbidden: { code: 403 },
  NotFound: { code: 404, details: { computerName: "computer_name" } },
  RequestTimeout: { code: 408 },
  InternalError: { code: 500 },
  ToolNotFound: { code: 4001 },
  ToolDisabled: { code: 4002 },
  ToolExecutionFailed: { code: 4003 },
  ToolTimeout: { code: 4004 },
  ToolConfirmationRequired: { code: 4005 },
  ToolAuthorizationRequired: { code: 4006, top: { mcpServer: "mcp_server" } },
  ToolAuthorizationFailed: { code: 4007, top: { mcpServer: "mcp_server" } },
  ProtocolVersionMismatch: {
    code: 4008,
    top: {
      serverVersion: "server_version",
      clientVersion: "client_version",
      minSupported: "min_supported",
      maxSupported: "max_supported"
    }
  },
  McpServerNotFound: { code: 4014, top: { mcpServer: "mcp_server" } },
  McpCapabilityNotSupported: { code: 4015, top: { mcpServer: "mcp_server", capability: "capability" } },
  InvalidSkillName: { code: 4016, details: { name: "name" } },
  SkillResourceNotAccessible: {
    code: 4017,
    details: { reason: "reason", relPath: "rel_path", totalSize: "total_size" }
  },
  BlobNotAccessible: { code: 4018, details: { reason: "reason" } },
  BlobWriteFailed: {
    code: 4019,
    details: { reason: "reason", uploadId: "upload_id", chunkOffset: "chunk_offset", totalSize: "total_size" }
  },
  RoomFull: { code: 4101, details: { officeId: "office_id", role: "role" } },
  RoomNotFound: { code: 4102, details: { officeId: "office_id" } },
  NotInRoom: { code: 4103 },
  CrossRoomAccess: { code: 4104, details: { officeId: "office_id" } },
  NameConflict: { code: 4105 },
  AlreadyInRoom: { code: 4106, details: { officeId: "office_id" } }
}
