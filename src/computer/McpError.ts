/**
 * What can go wrong between us and an MCP server.
 *
 * A tool that fails is not among it: that is a result with `isError`.
 */
import { Schema } from "effect"

const Stderr = Schema.Array(Schema.String)
const SHOWN_STDERR_LINES = 10

const withStderr = (text: string, stderr: ReadonlyArray<string>): string =>
  stderr.length === 0
    ? text
    : `${text}\nIts last stderr lines:\n${stderr.slice(-SHOWN_STDERR_LINES).map((line) => `  ${line}`).join("\n")}`

/** The server's process could not be started. */
export class SpawnFailed extends Schema.TaggedError<SpawnFailed>("smcp/computer/McpError/SpawnFailed")("SpawnFailed", {
  command: Schema.String,
  /** Why, and what to do. */
  detail: Schema.String
}) {
  override get message(): string {
    return `The MCP server could not be started with ${JSON.stringify(this.command)}: ${this.detail}`
  }
}

/** The server was started, but did not answer `initialize` in time. */
export class StartTimeout
  extends Schema.TaggedError<StartTimeout>("smcp/computer/McpError/StartTimeout")("StartTimeout", {
    seconds: Schema.Finite,
    stderr: Stderr
  })
{
  /** The message without what the server wrote. */
  get summary(): string {
    return `The MCP server did not answer within ${this.seconds} s of its start. ` +
      "Check that it is an MCP server and has all it needs, or allow it more time."
  }
  override get message(): string {
    return withStderr(this.summary, this.stderr)
  }
}

/** The connection is gone; for a call it is unknown whether the server has acted on it. */
export class ConnectionClosed
  extends Schema.TaggedError<ConnectionClosed>("smcp/computer/McpError/ConnectionClosed")("ConnectionClosed", {
    detail: Schema.String,
    exitCode: Schema.optionalKey(Schema.Int),
    signal: Schema.optionalKey(Schema.String),
    stderr: Stderr
  })
{
  /** The message without what the server wrote. */
  get summary(): string {
    return this.exitCode !== undefined
      ? `The MCP server ended with exit code ${this.exitCode}.`
      : this.signal !== undefined
      ? `The MCP server was ended by ${this.signal}.`
      : `The connection to the MCP server is closed: ${this.detail}.`
  }
  override get message(): string {
    return withStderr(this.summary, this.stderr)
  }
}

/** The server answered with a JSON-RPC error. */
export class RequestFailed
  extends Schema.TaggedError<RequestFailed>("smcp/computer/McpError/RequestFailed")("RequestFailed", {
    /** The JSON-RPC code, e.g. -32601 for a method the server does not have. */
    code: Schema.Int,
    /** The server's own words. */
    message: Schema.String,
    data: Schema.optionalKey(Schema.Unknown)
  })
{}

/** The server answered, but not as MCP says. */
export class InvalidResponse
  extends Schema.TaggedError<InvalidResponse>("smcp/computer/McpError/InvalidResponse")("InvalidResponse", {
    detail: Schema.String
  })
{
  override get message(): string {
    return `The MCP server sent something that is not MCP: ${this.detail}`
  }
}

/** There is no protocol version that both sides speak. */
export class UnsupportedProtocol
  extends Schema.TaggedError<UnsupportedProtocol>("smcp/computer/McpError/UnsupportedProtocol")("UnsupportedProtocol", {
    /** The versions the server named. */
    supported: Schema.Array(Schema.String)
  })
{
  override get message(): string {
    return `The MCP server speaks only protocol versions that are not supported here (${
      this.supported.join(", ") || "it names none"
    }). Use another version of the server.`
  }
}

/** The server did not answer a request in time. It was told to cancel it. */
export class RequestTimeout
  extends Schema.TaggedError<RequestTimeout>("smcp/computer/McpError/RequestTimeout")("RequestTimeout", {
    method: Schema.String,
    seconds: Schema.Finite
  })
{
  override get message(): string {
    return `The MCP server did not answer ${JSON.stringify(this.method)} within ${this.seconds} s.`
  }
}

/** Every reason of an `McpError`. */
export const McpErrorReason = Schema.Union([
  SpawnFailed,
  StartTimeout,
  ConnectionClosed,
  RequestFailed,
  InvalidResponse,
  UnsupportedProtocol,
  RequestTimeout
])
export type McpErrorReason = typeof McpErrorReason.Type

/**
 * The one error of `McpClient`; `reason` says which. Use `Effect.catchReason("McpError", "RequestFailed", …)` to handle
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
