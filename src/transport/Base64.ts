/**
 * Bytes as they travel in JSON: base64, read strictly, so that only text counts that encoding the same bytes gives again.
 */

/** The text for these bytes. */
export const encode = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64")

/** The bytes, or `undefined` when the text is not base64. */
export const decode = (text: string): Uint8Array | undefined => {
  const bytes = Buffer.from(text, "base64")
  return bytes.toString("base64") === text
    ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    : undefined
}

/** How many bytes the text stands for if it is base64; `undefined` when its length says that it is none. */
export const decodedSize = (text: string): number | undefined => {
  if (text.length % 4 !== 0) return undefined
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0
  return text.length / 4 * 3 - padding
}
