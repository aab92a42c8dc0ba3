/**
 * What can go wrong between us and an MCP server.
 *
 * A tool that fails is not among it: that is a result with `isError`.
 */
import { Schema } from "effect"

const StderrTail = Schema.Array(Schema.String)
const SHOWN_STDERR_LINES = 10

const withStderr = (text: string, stderr: ReadonlyArray<string>): string =>
  stderr.length === 0
    ? text
    : `${text}\nIts last stderr lines:\n${stderr.slice(-SHOWN_STDERR_LINES).map((line) => `  ${line}`).join("\n")}`

/** The server's process could not be started. */
export class Spawn extends Schema.TaggedError<Spawn>("smcp/computer/McpError/Spawn")("Spawn", {
  command: Schema.String,
  /** Why, and what to do. */
  detail: Schema.String
}) {
  override get message(): string {
    return `The MCP server could not be started with ${JSON.stringify(this.command)}: ${this.detail}`
  }
}

/** The server's process ended; for a call it is unknown whether the server has acted on it. */
export class Exit extends Schema.TaggedError<Exit>("smcp/computer/McpError/Exit")("Exit", {
  /** The exit code; null when a signal ended it. */
  code: Schema.NullOr(Schema.Int),
  signal: Schema.NullOr(Schema.String),
  stderrTail: StderrTail
}) {
  /** The message without what the server wrote. */
  get summary(): string {
    return this.code === null
      ? `The MCP server was ended by ${this.signal ?? "a signal"}.`
      : `The MCP server ended with exit code ${this.code}.`
  }
  override get message(): string {
    return withStderr(this.summary, this.stderrTail)
  }
}

/** The server was reached or started, but did not come to an agreement with us, or not in time. */
export class Handshake extends Schema.TaggedError<Handshake>("smcp/computer/McpError/Handshake")("Handshake", {
  /** Why, and what to do. */
  detail: Schema.String,
  stderrTail: StderrTail
}) {
  /** The message without what the server wrote. */
  get summary(): string {
    return `The MCP server ${this.detail}`
  }
  override get message(): string {
    return withStderr(this.summary, this.stderrTail)
  }
}

/** The server answered with an HTTP status that says neither yes nor that authorization is needed. */
export class Http extends Schema.TaggedError<Http>("smcp/computer/McpError/Http")("Http", {
  status: Schema.Int,
  /** The server's own words, shortened; may be empty. */
  detail: Schema.String,
  /** How long the server asks to wait, in seconds. */
  retryAfter: Schema.optionalKey(Schema.Finite)
}) {
  override get message(): string {
    const wait = this.retryAfter === undefined ? "" : ` It asks to wait ${this.retryAfter} s.`
    return `The MCP server answered with HTTP ${this.status}${this.detail === "" ? "" : `: ${this.detail}`}.${wait}`
  }
}

/** The server wants a login that we do not have (HTTP 401). */
export class AuthRequired
  extends Schema.TaggedError<AuthRequired>("smcp/computer/McpError/AuthRequired")("AuthRequired", {
    /** What the person at the Computer can do. */
    detail: Schema.String,
    /** The server's `WWW-Authenticate` header. */
    challenge: Schema.optionalKey(Schema.String)
  })
{
  override get message(): string {
    return `The MCP server requires authorization: ${this.detail}`
  }
}

/** The server refuses the login that we have, or it could not be renewed (HTTP 403, a failed refresh). */
export class AuthFailed extends Schema.TaggedError<AuthFailed>("smcp/computer/McpError/AuthFailed")("AuthFailed", {
  /** What the person at the Computer can do. */
  detail: Schema.String,
  challenge: Schema.optionalKey(Schema.String)
}) {
  override get message(): string {
    return `The MCP server refused the authorization: ${this.detail}`
  }
}

/** The connection is gone or could not be made; for a call it is unknown whether the server has acted on it. */
export class Closed extends Schema.TaggedError<Closed>("smcp/computer/McpError/Closed")("Closed", {
  detail: Schema.String,
  stderrTail: StderrTail
}) {
  /** The message without what the server wrote. */
  get summary(): string {
    return `The connection to the MCP server is closed: ${this.detail}.`
  }
  override get message(): string {
    return withStderr(this.summary, this.stderrTail)
  }
}

/** A message of the server is larger than allowed. */
export class TooLarge extends Schema.TaggedError<TooLarge>("smcp/computer/McpError/TooLarge")("TooLarge", {
  /** The most that is read, in bytes. */
  limit: Schema.Int
}) {
  override get message(): string {
    return `The MCP server sent a message larger than ${this.limit} bytes.`
  }
}

/** The server answered, but not as MCP says. */
export class Decode extends Schema.TaggedError<Decode>("smcp/computer/McpError/Decode")("Decode", {
  detail: Schema.String
}) {
  override get message(): string {
    return `The MCP server sent something that is not MCP: ${this.detail}`
  }
}

/** The server did not answer a request in time. It was told to cancel it. */
export class Timeout extends Schema.TaggedError<Timeout>("smcp/computer/McpError/Timeout")("Timeout", {
  method: Schema.String,
  /** How long it had, in seconds. */
  seconds: Schema.Finite,
  /** Set when that was the time it may say nothing, and not the time that the request may take. */
  idle: Schema.optionalKey(Schema.Boolean)
}) {
  override get message(): string {
    if (this.idle === true) {
      return `The MCP server neither answered ${
        JSON.stringify(this.method)
      } nor reported progress for ${this.seconds} s.`
    }
    return `The MCP server did not answer ${JSON.stringify(this.method)} within ${this.seconds} s.`
  }
}

/** The server answered with a JSON-RPC error. */
export class Rpc extends Schema.TaggedError<Rpc>("smcp/computer/McpError/Rpc")("Rpc", {
  /** The JSON-RPC code, e.g. -32601 for a method the server does not have. */
  code: Schema.Int,
  /** The server's own words. */
  message: Schema.String,
  data: Schema.optionalKey(Schema.Unknown)
}) {}

/** The server did not announce the capability that a request needs; nothing was sent. */
export class NotSupported
  extends Schema.TaggedError<NotSupported>("smcp/computer/McpError/NotSupported")("NotSupported", {
    method: Schema.String,
    /** What the server would have to announce, e.g. `resources.subscribe`. */
    capability: Schema.String
  })
{
  override get message(): string {
    return `The MCP server did not announce ${JSON.stringify(this.capability)}, which ${
      JSON.stringify(this.method)
    } needs.`
  }
}

/** There is no protocol version that both sides speak. */
export class UnsupportedProtocolVersion
  extends Schema.TaggedError<UnsupportedProtocolVersion>("smcp/computer/McpError/UnsupportedProtocolVersion")(
    "UnsupportedProtocolVersion",
    {
      /** The versions the server named. */
      supported: Schema.Array(Schema.String)
    }
  )
{
  override get message(): string {
    return `The MCP server speaks only protocol versions that are not supported here (${
      this.supported.join(", ") || "it names none"
    }). Use another version of the server.`
  }
}

/** Every reason of an `McpError`. */
export const McpErrorReason = Schema.Union([
  Spawn,
  Exit,
  Handshake,
  Http,
  AuthRequired,
  AuthFailed,
  Closed,
  TooLarge,
  Decode,
  Timeout,
  Rpc,
  NotSupported,
  UnsupportedProtocolVersion
])
export type McpErrorReason = typeof McpErrorReason.Type

/**
 * The one error of `McpClient`; `reason` says which. Use `Effect.catchReason("McpError", "Rpc", …)` to handle
 * one of them, or `Effect.unwrapReason("McpError")` to have them all in the error channel.
 *
 * Its message is meant for the operator of the Computer: it may show what the server wrote to stderr (with the values of
 * the server's configured environment hidden).
 */
export class McpError extends Schema.TaggedError<McpError>("smcp/computer/McpError")("McpError", {
  reason: McpErrorReason
}) {
  override get message(): string {
    return this.reason.message
  }
  /** The message without what the server wrote to stderr: for everybody but its operator. */
  get summary(): string {
    return "summary" in this.reason ? this.reason.summary : this.reason.message
  }
}
