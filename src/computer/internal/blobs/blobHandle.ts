/**
 * Blob handles: sealed with a key that only this Computer has, so that nobody else can make, read or change one.
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto"

/** What a handle names: bytes by their hash, and the tool that produced them. Never a path. */
export interface BlobSource {
  readonly bundleId: string
  /** The name under which the MCP server itself knows the tool. */
  readonly tool: string
  /** Of all bytes, lower-case hex. */
  readonly sha256: string
  readonly size: number
  readonly mimeType: string
}

/** Bytes of a key. */
export const KEY_BYTES = 32

const CIPHER = "aes-256-gcm"
const NONCE_BYTES = 12
const TAG_BYTES = 16
const PURPOSE = Buffer.from("a2c-smcp blob handle 1")
const LONGEST = 64 * 1024

const Sealed = Schema.fromJsonString(Schema.Tuple([
  Schema.String,
  Schema.String,
  Schema.String.check(Schema.isPattern(/^[0-9a-f]{64}$/)),
  Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)),
  Schema.String
]))
const decodeSealed = Schema.decodeUnknownOption(Sealed)

/** Makes a handle. */
export const seal = (key: Uint8Array, { bundleId, mimeType, sha256, size, tool }: BlobSource): string => {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES }).setAAD(PURPOSE)
  const body = Buffer.concat([
    cipher.update(JSON.stringify([bundleId, tool, sha256, size, mimeType]), "utf8"),
    cipher.final()
  ])
  return Buffer.concat([nonce, cipher.getAuthTag(), body]).toString("base64url")
}

/** What a handle names; `undefined` when it was not made with this key, or is not exactly as it was made. */
export const open = (key: Uint8Array, handle: string): BlobSource | undefined => {
  if (handle.length > LONGEST) return undefined
  const bytes = Buffer.from(handle, "base64url")
  // several texts stand for the same bytes; only one of them was handed out
  if (bytes.length < NONCE_BYTES + TAG_BYTES || bytes.toString("base64url") !== handle) return undefined
  const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
    .setAAD(PURPOSE)
    .setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES))
  try {
    const body = Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()])
    const sealed = Option.getOrUndefined(decodeSealed(body.toString("utf8")))
    if (sealed === undefined) return undefined
    const [bundleId, tool, sha256, size, mimeType] = sealed
    return { bundleId, tool, sha256, size, mimeType }
  } catch {
    return undefined
  }
}
