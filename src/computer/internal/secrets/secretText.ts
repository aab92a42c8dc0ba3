/**
 * Recognises secrets in texts: by what they look like, and by the name before them.
 */
import { isSecretName } from "./secretNames.ts"

/** Stands for what is hidden. */
export const MASK = "***"

/** What is shown of a text that was found, and of the group in it. */
type Hide = (found: string, group: string) => string

const hideAll: Hide = () => MASK

// Each of them begins where no word goes on, so that a long run of candidates is looked at once.
const LOOKS: ReadonlyArray<readonly [pattern: RegExp, hide: Hide]> = [
  [/(?<![\w-])(bearer)\s{1,8}[\w.~+/=-]{8,}/gi, (_, scheme) => `${scheme} ${MASK}`],
  // a word of English has no digit and no capital in its middle
  [
    /(?<![\w-])([Bb]asic|BASIC)\s{1,8}(?=[A-Za-z]{0,99}(?:[0-9+/=]|[a-z][A-Z]))[A-Za-z0-9+/=]{8,}/g,
    (_, scheme) => `${scheme} ${MASK}`
  ],
  [/(?<=:\/\/)([^\s/?#@:"'<>]*):[^\s/?#"'<>]*@/g, (_, user) => `${user}:${MASK}@`],
  // as programs in Go name a database: me:password@tcp(host:3306)/name
  [/(?<![^\s"'=])([^\s:@="']{1,100}):[^\s"'@]{1,200}@(?=(?:tcp|udp|unix)\()/g, (_, user) => `${user}:${MASK}@`],
  [
    /(?<![\w-])(?:sk-|[sr]k_(?:live|test)_|gh[pousr]_|github_pat_|glpat-|xox[a-z]-|npm_|hf_|ya29\.|AIza|dop_v1_|pypi-|shpat_)[\w.-]{12,}/g,
    hideAll
  ],
  [/(?<![\w-])(?:AKIA|ASIA)[A-Z0-9]{12,}/g, hideAll],
  [/(?<![\w-])eyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*)?/g, hideAll]
]

const PRIVATE_KEY = /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,20}-----[\s\S]*?(?:-----END [A-Z0-9 ]{0,40}-----|$)/g

/** Replaces what looks like a secret, and what is said to be one (`token=…`, `"password": "…"`, `Cookie: …`), by `***`. */
export const redactText = (text: string): string => {
  if (text.length < SHORTEST_SECRET) return text
  const keys = text.replace(PRIVATE_KEY, MASK)
  return redactAssigned(LOOKS.reduce((cleaned, [pattern, hide]) => cleaned.replace(pattern, hide), keys), valueAt)
}

/**
 * As {@link redactText}, for a person who decides whether the text may be run. Whoever wrote it must not be able to hide a
 * command from them by making it look like a secret: what a shell could read as more than one word stays.
 */
export const redactForDecision = (text: string): string => {
  if (text.length < SHORTEST_SECRET) return text
  const keys = text.replace(PRIVATE_KEY, (found) => found.replace(/[A-Za-z0-9+/=]{40,}/g, MASK))
  const looks = LOOKS.reduce(
    (cleaned, [pattern, hide]) =>
      cleaned.replace(
        pattern,
        (found: string, group: string) => MORE_THAN_A_WORD.test(found) ? found : hide(found, group)
      ),
    keys
  )
  return redactAssigned(looks, plainValueAt)
}

/** With anything shorter there is no room for a name and a value. */
const SHORTEST_SECRET = 6

/** What separates or begins commands, or is replaced by the output of one. */
const MORE_THAN_A_WORD = /[`$;|&<>(){}\\\r\n]/

/** The secret that begins at `start`, behind what names it; empty when there is none. */
type ValueAt = (text: string, start: number, name: string, written: string) => string

const redactAssigned = (text: string, valueOf: ValueAt): string => {
  const name = /(?<![\w-])([A-Za-z_-][\w-]*)(?:\\?["'])?\s{0,8}(?:=>|[:=]=|[:=])\s{0,8}(?=[^\s:=>])/g
  let redacted = ""
  let done = 0
  for (let found = name.exec(text); found !== null; found = name.exec(text)) {
    if (!isSecretName(found[1] ?? "")) continue
    const start = name.lastIndex
    const value = valueOf(text, start, found[1] ?? "", found[0])
    if (value.length === 0) continue
    redacted += text.slice(done, start) + MASK
    done = start + value.length
    name.lastIndex = done
  }
  return redacted + text.slice(done)
}

/** All that is quoted; else up to where a value ends, which must not hide the rest of a command line from its reader. */
const valueAt: ValueAt = (text, start, name) => {
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

/** As {@link valueAt}, as far as a shell would read it as the value too. */
const plainValueAt: ValueAt = (text, start, name, written) => {
  // `TOKEN= x` runs x
  if (/[^\s:=]=\s|[\r\n]/.test(written)) return ""
  const value = valueAt(text, start, name, written)
  const quote = /^["']/.exec(value)?.[0]
  // what is named by a header may be two words, but not what is assigned
  const pattern = quote !== undefined && value.length > 1 && value.endsWith(quote)
    ? /^(?!.*[`$;|&<>(){}\\\r\n]).*$/s
    : /:\s*$/.test(written) && !value.startsWith("\\")
    ? /^[^"'`$;|&<>(){}\\\r\n]*/
    : /^(?:\\")?[^\s"'`$;|&<>(){}\\]*(?:\\")?/
  return pattern.exec(value)?.[0] ?? ""
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
