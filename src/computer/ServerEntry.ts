/**
 * A configured MCP server: what the protocol tells of it, and what concerns this Computer alone.
 */
import type { ServerConfig } from "../protocol/ServerConfig.ts"

/** How often something may happen: a bucket of `burst` tokens, refilled evenly with `calls` in `seconds`. */
export interface RateLimit {
  readonly calls: number
  readonly seconds: number
  /** How many calls may come at once. Default: `calls`. */
  readonly burst?: number | undefined
}

/** What the calls of a server, or of one of its tools, are held to. Everything is off by default. */
export interface CallLimits {
  readonly rateLimit?: RateLimit | undefined
  /** How many calls run at a time. */
  readonly concurrency?: number | undefined
  /** How long results of tools that only read (`readOnlyHint`) are kept and given again, in seconds. */
  readonly cacheTtl?: number | undefined
  /** How many calls may wait for their turn; more are refused. Default: 100. */
  readonly maxWaiting?: number | undefined
}

/** Settings of a server that its Computer keeps to itself. Durations are seconds. */
export interface ServerSettings {
  /** Started only when a call needs it; until then its tools are those it had last. Default: false. */
  readonly lazy?: boolean | undefined
  /** Ended after so long without a call, and started again by the next one. Default: never. */
  readonly idleTimeout?: number | undefined
  /** How long it may take from its start to its list of tools. Default: 30 (60 behind `npx`, `uvx` and the like). */
  readonly startTimeout?: number | undefined
  /** How long a call may go without an answer or a report of progress. Default: what the caller allows. */
  readonly callTimeout?: number | undefined
  readonly limits?: CallLimits | undefined
  /** What single tools are held to, by original name, on top of the limits of their server. */
  readonly toolLimits?: Readonly<Record<string, CallLimits>> | undefined
  /** A script for its results in another language than that of `vrl`, for an engine of the `ResultTransform`. */
  readonly transform?: { readonly language: string; readonly script: string } | undefined
  /** A file with variables for its environment, `NAME=value` a line. May hold placeholders. */
  readonly envFile?: string | undefined
  /** For a URL without a type: Streamable HTTP is tried first, then SSE. */
  readonly fallBackToSse?: boolean | undefined
  /** The name of a transport of the embedding program, with the entry as it was written. */
  readonly custom?: { readonly transport: string; readonly source: Readonly<Record<string, unknown>> } | undefined
  readonly oauth?: OAuthSettings | undefined
  /** Directories (`file:` URIs) that the server is told of. Default: none. */
  readonly roots?: ReadonlyArray<string> | undefined
  /** From which level on the server should send its log, e.g. `warning`. Default: as it likes. */
  readonly logLevel?: string | undefined
  /** What holds the process of a local server in. Default: nothing. */
  readonly sandbox?: SandboxSettings | undefined
  /**
   * What happens when the structured content of a result does not fit the tool's output schema: it is told once for a tool,
   * or the result becomes an error. Default: nobody looks.
   */
  readonly validateOutput?: "warn" | "error" | undefined
}

/**
 * A process that is held in has a temporary directory of its own and a small environment. With bubblewrap (Linux) it sees
 * nothing else of the files here but the system's, read-only, and what is named.
 */
export interface SandboxSettings {
  /** Whether the server is not to be started where bubblewrap does not work. Default: false, it is told in the log. */
  readonly required?: boolean | undefined
  /** Whether it may reach the network. Default: true, since most servers are there for it. */
  readonly network?: boolean | undefined
  /** Files and directories that it may read and write. Default: none. */
  readonly writable?: ReadonlyArray<string> | undefined
  /** Files and directories that it may read. Default: none. */
  readonly readable?: ReadonlyArray<string> | undefined
}

/** How to log in to a remote server. All of it is optional: a client is registered when none is given. */
export interface OAuthSettings {
  readonly clientId?: string | undefined
  readonly clientSecret?: string | undefined
  readonly scopes?: ReadonlyArray<string> | undefined
  /** The port of the loopback callback. Default: any free one. */
  readonly callbackPort?: number | undefined
}

/** How variables in the values of an entry are written. Each program has its own grammar. */
export type Dialect = "a2c" | "claude-desktop" | "claude-code" | "vscode" | "cursor" | "gemini" | "opencode"

/** A configured server with its resolved identity. */
export interface ServerEntry {
  /** The key of the entry in its file. */
  readonly key: string
  readonly bundleId: string
  /** Raw: placeholders are not rendered. `bundle_id` is the resolved one. */
  readonly config: ServerConfig
  readonly settings: ServerSettings
  /** Where it comes from. */
  readonly origin: {
    /** The file, or what a program called its source. */
    readonly source: string
    readonly dialect: Dialect
    /**
     * What `${workspaceFolder}` stands for: the folder above `.vscode` and the like, else that of the file. Absent for
     * a configuration that comes from no file.
     */
    readonly directory?: string | undefined
  }
  /** Keys of the entry that mean nothing here, as they were written. They are kept for whoever writes it down again. */
  readonly extra?: Readonly<Record<string, unknown>> | undefined
}
