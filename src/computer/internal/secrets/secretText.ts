/**
 * Recognises secrets in texts: by what they look like, and by the name before them.
 */
import { isSecretName } from "./secretNames.ts"

/** Stands for what is hidden. */
export const MASK = "***"

// Each of them begins where no word goes on, so that a long run of candidates is looked at once.
const LOOKS: ReadonlyArray<readonly [pattern: RegExp, replacement: string]> = [
  [/-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,20}-----[\s\S]*?(?:-----END [A-Z0-9 ]{0,40}-----|$)/g, MASK],
  [/(?<![\w-])(bearer)\s{1,8}[\w.~+/=-]{8,}/gi, `$1 ${MASK}`],
  // a word of English has no digit and no capital in its middle
  [
    /(?<![\w-])([Bb]asic|BASIC)\s{1,8}(?=[A-Za-z]{0,99}(?:[0-9+/=]|[a-z][A-Z]))[A-Za-z0-9+/=]{8,}/g,
    `$1 ${MASK}`
  ],
  [/(?<=:\/\/)([^\s/?#@:"'<>]*):[^\s/?#"'<>]*@/g, `$1:${MASK}@`],
  [
    /(?<![\w-])(?:sk-|[sr]k_(?:live|test)_|gh[pousr]_|github_pat_|glpat-|xox[a-z]-|npm_|hf_|ya29\.|AIza|dop_v1_|pypi-|shpat_)[\w.-]{12,}/g,
    MASK
  ],
  [/(?<![\w-])(?:AKIA|ASIA)[A-Z0-9]{12,}/g, MASK],
  [/(?<![\w-])eyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*)?/g, MASK]
]

/** Replaces what looks like a secret, and what is said to be one (`token=…`, `"password": "…"`, `Cookie: …`), by `***`. */
export const redactText = (text: string): string =>
  text.length < SHORTEST_SECRET
    ? text
    : redactAssigned(LOOKS.reduce((cleaned, [pattern, replacement]) => cleaned.replace(pattern, replacement), text))

/** With anything shorter there is no room for a name and a value. */
const SHORTEST_SECRET = 6

const redactAssigned = (text: string): string => {
  const name = /(?<![\w-])([A-Za-z_-][\w-]*)(?:\\?["'])?\s{0,8}(?:=>|[:=]=|[:=])\s{0,8}(?=[^\s:=>])/g
  let redacted = ""
  let done = 0
  for (let found = name.exec(text); found !== null; found = name.exec(text)) {
    if (!isSecretName(found[1] ?? "")) continue
    const start = name.lastIndex
    const value = valueAt(text, start, found[1] ?? "")
    if (value.length === 0) continue
    redacted += text.slice(done, start) + MASK
    done = start + value.length
    name.lastIndex = done
  }
  return redacted + text.slice(done)
}

/** All that is quoted; else up to where a value ends, which must not hide the rest of a command line from its reader. */
const valueAt = (text: string, start: number, name: string): string => {
  const rest = text.slice(start, start + LONGEST_VALUE)
  const quote = /^\\?["']/.exec(rest)?.[0]
  if (quote !== undefined) {
    const end = closing(rest, quote)
    return end === -1 ? rest : rest.slice(0, end + quote.length)
  }
  const pattern = /authorization/i.test(name)
    ? /^[^"'\r\n;|&<>`\\]*/
    : /cookie/i.test(name)
    ? /^[^"'\r\n|&<>`\\]*/
    : /^[^\s"',;&|<>`(){}\\]*/
  return pattern.exec(rest)?.[0] ?? ""
}

const LONGEST_VALUE = 100_000

const closing = (text: string, quote: string): number => {
  let at = text.indexOf(quote, quote.length)
  // a quote of one character may be escaped
  while (quote.length === 1 && at !== -1 && isEscaped(text, at)) at = text.indexOf(quote, at + 1)
  return at
}

const isEscaped = (text: string, at: number): boolean => {
  let slashes = 0
  while (text[at - 1 - slashes] === "\\") slashes++
  return slashes % 2 === 1
}
