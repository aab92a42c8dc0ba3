/**
 * Base64, read strictly: only text that encoding the same bytes gives again.
 */

/** How many bytes the text stands for if it is base64; `undefined` when its length says that it is none. */
export const decodedSize = (text: string): number | undefined => {
  if (text.length % 4 !== 0) return undefined
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0
  return text.length / 4 * 3 - padding
}

/** The bytes, or `undefined` when the text is not base64. */
export const decode = (text: string): Buffer | undefined => {
  const bytes = Buffer.from(text, "base64")
  return bytes.toString("base64") === text ? bytes : undefined
}
