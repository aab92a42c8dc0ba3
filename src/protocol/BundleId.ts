/**
 * Bundle ids: the identity of an MCP server (specification, data structures,
 * BundleID model). Every SDK must derive the same id from the same raw
 * configuration, byte for byte.
 */
import * as Effect from "effect/Effect"

/**
 * What establishes a connection to an MCP server, raw: placeholders such as
 * `${input:token}` take part literally and are never rendered first.
 */
export type ConnectionIdentity =
  | {
    readonly type: "stdio"
    readonly command: string
    readonly args: ReadonlyArray<string>
    readonly env: Readonly<Record<string, string>>
  }
  | {
    readonly type: "streamable" | "sse"
    readonly url: string
    readonly headers: Readonly<Record<string, string>>
  }

const valid = /^(?!.*__)[A-Za-z0-9_-]+$/

/** Whether an explicit id is acceptable: `[A-Za-z0-9_-]+` without `__`. */
export const isValid = (text: string): boolean => valid.test(text)

/**
 * The id derived from a server's name, or `""` when nothing of the name is
 * left: each code point outside `[A-Za-z0-9_-]` becomes `_`, runs of `_` become
 * one, and `_` and `-` are trimmed from both ends. Case is kept.
 */
export const normalize = (name: string): string => trim(name.replace(/[^A-Za-z0-9_-]/gu, "_").replace(/_+/g, "_"))

// A scan instead of /^[_-]+|[_-]+$/: that pattern is quadratic on a long run of separators.
const trim = (text: string): string => {
  const isSeparator = (index: number) => text[index] === "_" || text[index] === "-"
  let start = 0
  let end = text.length
  while (start < end && isSeparator(start)) start++
  while (end > start && isSeparator(end - 1)) end--
  return text.slice(start, end)
}

/**
 * The bundle id of a server: the explicit one as it stands, else the normalised
 * name, else `bundle_` and 16 hex digits of the SHA-256 of its connection
 * identity. The caller checks an explicit id with {@link isValid}.
 */
export const resolve = (options: {
  readonly explicit?: string | null | undefined
  readonly name: string
  readonly connection: ConnectionIdentity
}): Effect.Effect<string> => {
  if (options.explicit !== undefined && options.explicit !== null) return Effect.succeed(options.explicit)
  const normalized = normalize(options.name)
  if (normalized !== "") return Effect.succeed(normalized)
  return Effect.map(
    Effect.promise(() => crypto.subtle.digest("SHA-256", frame(options.connection))),
    (digest) => `bundle_${Array.from(new Uint8Array(digest, 0, 8), hexByte).join("")}`
  )
}

const hexByte = (byte: number): string => byte.toString(16).padStart(2, "0")

// -----------------------------------------------------------------------------
// Length-prefixed framing
// -----------------------------------------------------------------------------

const utf8 = new TextEncoder()

const frame = (connection: ConnectionIdentity): Uint8Array<ArrayBuffer> => {
  const parts: Array<Uint8Array> = []
  const count = (n: number) => {
    const bytes = new Uint8Array(4)
    new DataView(bytes.buffer).setUint32(0, n)
    parts.push(bytes)
  }
  const text = (value: string) => {
    const bytes = utf8.encode(value)
    count(bytes.length)
    parts.push(bytes)
  }
  const map = (record: Readonly<Record<string, string>>) => {
    const entries = Object.entries(record).sort(([a], [b]) => compareBytes(utf8.encode(a), utf8.encode(b)))
    count(entries.length)
    for (const [key, value] of entries) {
      text(key)
      text(value)
    }
  }
  text(connection.type)
  if (connection.type === "stdio") {
    text(connection.command)
    count(connection.args.length)
    connection.args.forEach(text)
    map(connection.env)
  } else {
    text(connection.url)
    map(connection.headers)
  }
  return concat(parts)
}

// UTF-8 order is code point order; JavaScript's own string order is not, beyond the basic plane.
const compareBytes = (a: Uint8Array, b: Uint8Array): number => {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const difference = a[i]! - b[i]!
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

const concat = (parts: ReadonlyArray<Uint8Array>): Uint8Array<ArrayBuffer> => {
  const out = new Uint8Array(parts.reduce((total, part) => total + part.length, 0))
  let offset = 0
  for (const part of parts) {
    out.set(part, offset)
    offset += part.length
  }
  return out
}
