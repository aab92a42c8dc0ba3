/**
 * Names of uploaded files: safe on every file system, and still telling what the Agent called them.
 */

/** Bytes of UTF-8 that a hint may have; with the id it stays below what any common file system takes. */
const LONGEST_HINT = 100
const LONGEST_EXTENSION = 16

/**
 * The name of an upload, which its id makes unique and keeps from being reserved (`CON`, `..`, `.bashrc`). Of the hint
 * stays what follows the last separator, without what is invisible or means something to a shell or a file system.
 */
export const landingName = (uploadId: string, hint: string | null | undefined): string => {
  const safe = shorten(cleaned(hint ?? ""))
  return safe === "" ? uploadId : `${uploadId}-${safe}`
}

const cleaned = (hint: string): string =>
  hint
    .slice(Math.max(hint.lastIndexOf("/"), hint.lastIndexOf("\\")) + 1)
    // the patterns below are made for names, and not for a message full of dots
    .slice(-1024)
    .normalize("NFC")
    .replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "")
    .replace(/\p{Z}/gu, " ")
    .replace(/[<>:"|?*$`;&'%]/g, "_")
    .replace(/^[\s.-]+|[\s.]+$/g, "")

/** Cut to length between characters; a short extension stays. */
const shorten = (name: string): string => {
  if (Buffer.byteLength(name) <= LONGEST_HINT) return name
  const extension = /\.[^.\s]+$/u.exec(name)?.[0] ?? ""
  const kept = Buffer.byteLength(extension) <= LONGEST_EXTENSION ? extension : ""
  return cut(name.slice(0, name.length - kept.length), LONGEST_HINT - Buffer.byteLength(kept)).replace(/[\s.]+$/, "") +
    kept
}

const cut = (text: string, bytes: number): string => {
  let left = bytes
  let end = 0
  for (const character of text) {
    left -= Buffer.byteLength(character)
    if (left < 0) break
    end += character.length
  }
  return text.slice(0, end)
}
