import { Context, Effect, Exit, Layer, Scope } from "effect"
import { createHash } from "node:crypto"
import { readdirSync, statSync } from "node:fs"
import { join } from "node:path"
import * as Blobs from "../../../src/computer/Blobs.ts"
import * as ConfigFile from "../../../src/computer/ConfigFile.ts"
import * as McpManager from "../../../src/computer/McpManager.ts"
import * as Revision from "../../../src/protocol/Revision.ts"
import type { SmcpError } from "../../../src/protocol/SmcpError.ts"
import { Transport } from "../../../src/transport/Transport.ts"
import { quiet } from "./office.ts"

/** Every file below a directory, relative to it, sorted; directories end in a slash. */
export const filesIn = (directory: string): ReadonlyArray<string> => [...namesIn(directory, "")].sort()

/** By hand, since Node 24 lists what is behind links as well. */
const namesIn = (directory: string, inside: string): ReadonlyArray<string> =>
  readdirSync(join(directory, inside), { withFileTypes: true }).flatMap((entry) => {
    const name = join(inside, entry.name)
    return entry.isDirectory() ? [`${name}/`, ...namesIn(directory, name)] : [name]
  })

export const modeOf = (path: string): number => statSync(path).mode & 0o777

export const sha256Of = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex")

/** Bytes without a pattern, the same for the same seed. */
export const bytesOf = (length: number, seed = 1): Buffer => {
  const bytes = Buffer.alloc(length)
  let state = seed
  for (let index = 0; index < length; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    bytes[index] = state >>> 24
  }
  return bytes
}

export const image = (bytes: Buffer, rest: object = {}) => ({
  type: "image",
  data: bytes.toString("base64"),
  mimeType: "image/png",
  ...rest
})

/** What the fields of a refusal say. */
export const refusal = <A, R>(self: Effect.Effect<A, SmcpError, R>) =>
  Effect.map(Effect.flip(self), ({ reason }) => {
    const { _tag, ...fields } = reason as unknown as Record<string, unknown>
    return { _tag, reason: fields["reason"], fields }
  })

/** The servers of a Computer, with what a test says that they do. */
export class Servers {
  statuses: ReadonlyArray<McpManager.ServerStatus> = []

  configure(config: object, state: McpManager.ServerState = { _tag: "Failed", reason: "" }): Effect.Effect<void> {
    return ConfigFile.fromValue({ servers: config }, "test").pipe(
      Effect.orDie,
      Effect.map(({ servers }) => {
        this.statuses = servers.map((entry) => ({ entry, state }))
      })
    )
  }
}

export interface Surroundings {
  readonly servers?: Servers
  readonly revision?: Revision.RevisionId
  readonly maxPayload?: number
}

/** The blobs of a Computer with one server, `cam`. */
export const blobs = Effect.fnUntraced(function*(options: Blobs.Options, surroundings: Surroundings = {}) {
  const servers = surroundings.servers ?? new Servers()
  if (surroundings.servers === undefined) yield* servers.configure({ cam: { command: "-" } })
  const context = yield* Layer.build(
    Blobs.layer(options).pipe(
      Layer.provide([
        Layer.mock(McpManager.McpManager, { states: Effect.sync(() => servers.statuses) }),
        Layer.mock(Transport, {
          revision: Revision.revisions[surroundings.revision ?? "0.4"],
          maxPayload: Effect.succeed(surroundings.maxPayload ?? 1e6)
        })
      ]),
      Layer.provide(quiet)
    )
  )
  return Context.get(context, Blobs.Blobs)
})

/** As {@link blobs}, in a scope that a test can close. */
export const closeable = Effect.fnUntraced(function*(options: Blobs.Options) {
  const scope = yield* Scope.make()
  const service = yield* Scope.provide(blobs(options), scope)
  return { service, close: Scope.close(scope, Exit.void) }
})

/** What a result may bring along, in bytes. */
export const BUDGET = 32 * 1024

/** The files of a spool that hold bytes. */
export const blobFiles = (directory: string) => filesIn(directory).filter((name) => /^[0-9a-f]{64}$/.test(name))

export const source: Blobs.Source = { bundleId: "cam", tool: "shoot" }

/** Keeps some bytes and returns what stands in place of them. */
export const keep = (service: Blobs.Blobs["Service"], bytes: Buffer, from: Blobs.Source = source) =>
  Effect.map(service.spool({ content: [image(bytes)] }, from), ({ content }) => {
    const meta = content?.[0]?.["_meta"] as Readonly<Record<string, unknown>> | undefined
    return {
      handle: String(meta?.["a2c_blob_handle"]),
      size: meta?.["a2c_total_size"],
      sha256: String(meta?.["a2c_sha256"])
    }
  })

export const ask = (blob_handle: string, rest: object = {}) => ({
  agent: "A",
  req_id: "1",
  computer: "PC",
  blob_handle,
  ...rest
})

/** Fetches all bytes, in chunks of these sizes over and over. */
export const drain = Effect.fnUntraced(function*(
  service: Blobs.Blobs["Service"],
  handle: string,
  sizes: ReadonlyArray<number> = []
) {
  const parts: Array<Buffer> = []
  for (let offset = 0, turn = 0;; turn++) {
    const max_chunk_bytes = sizes.length === 0 ? undefined : sizes[turn % sizes.length]
    const chunk = yield* service.read(
      ask(handle, { chunk_offset: offset, ...(max_chunk_bytes === undefined ? {} : { max_chunk_bytes }) })
    )
    const part = Buffer.from(chunk.blob, "base64")
    parts.push(part)
    offset += part.length
    if (chunk.eof === true) return { bytes: Buffer.concat(parts), chunks: parts.length, last: chunk }
    if (part.length === 0) throw new Error("no progress")
  }
})
