/**
 * Binary transfer in chunks, both ways (specification, blob transfer).
 */
import * as Schema from "effect/Schema"
import { computerCallFields } from "./AgentCall.ts"
import { maybe } from "./internal/fields.ts"

/** Payload of `client:get_blob`. */
export const GetBlobReq = Schema.Struct({
  ...computerCallFields,
  /** Minted by the Computer; opaque. */
  blob_handle: Schema.String,
  /** Byte offset into the whole; 0 when absent. */
  chunk_offset: maybe(Schema.Finite),
  /** At most this many bytes; the Computer may send fewer. */
  max_chunk_bytes: maybe(Schema.Finite)
})
export type GetBlobReq = typeof GetBlobReq.Type

/** Answer to `client:get_blob`. */
export const GetBlobRet = Schema.Struct({
  blob_handle: maybe(Schema.String),
  mime_type: maybe(Schema.String),
  total_size: Schema.Finite,
  /** Of the whole, lower-case hex; a change between chunks means: start again from 0. */
  sha256: Schema.String,
  /** Always sent; a peer that omits it means the offset that was asked for. */
  chunk_offset: maybe(Schema.Finite),
  /** Always sent; whether it is so follows from offset, bytes and total size. */
  eof: maybe(Schema.Boolean),
  /** This chunk's bytes in base64. */
  blob: Schema.String,
  req_id: maybe(Schema.String)
})
export type GetBlobRet = typeof GetBlobRet.Type

/** Payload of `client:put_blob`. The first chunk declares size and hash and carries no `upload_id`. */
export const PutBlobReq = Schema.Struct({
  ...computerCallFields,
  upload_id: maybe(Schema.String),
  chunk_offset: Schema.Finite,
  eof: Schema.Boolean,
  total_size: maybe(Schema.Finite),
  sha256: maybe(Schema.String),
  name_hint: maybe(Schema.String),
  /** This chunk's bytes in base64. */
  blob: Schema.String
})
export type PutBlobReq = typeof PutBlobReq.Type

/** Answer to `client:put_blob`; the last chunk's carries the landing path. */
export const PutBlobRet = Schema.Struct({
  /** Always sent; only that of the first answer is needed. */
  upload_id: maybe(Schema.String),
  chunk_offset: maybe(Schema.Finite),
  landing_path: maybe(Schema.String),
  total_size: maybe(Schema.Finite),
  sha256: maybe(Schema.String),
  req_id: maybe(Schema.String)
})
export type PutBlobRet = typeof PutBlobRet.Type
