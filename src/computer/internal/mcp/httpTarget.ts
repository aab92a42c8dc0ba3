export interface HttpTarget {
  /** Without user and password. */
  readonly url: URL
  /** Their names in small letters. */
  readonly headers: Readonly<Record<string, string>>
  /** What must not be shown of both. */
  readonly secrets: ReadonlyArray<string>
}

/** What HTTP itself decides on. */
const RESERVED: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "keep-alive",
  "transfer-encoding",
  "upgrade"
])

const TOKEN = /^[!#$%&'*+\-.^_`|~\dA-Za-z]+$/
/** What a value may consist of (RFC 9110); anything else could begin another header, or is none of Latin-1. */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

/** What is wrong with a header, if anything is. */
const headerProblem = (name: string, value: string): string | undefined => {
  if (!TOKEN.test(name)) return `has a header whose name cannot be one: ${JSON.stringify(name.slice(0, 100))}.`
  return VALUE.test(value)
    ? undefined
    : `has a header ${
      JSON.stringify(name)
    } whose value cannot be sent: it holds a line break or another character that ` +
      "headers cannot hold."
}

/**
 * Reads a configured URL with its headers; a text says what is wrong with one of them, without repeating what may be secret.
 */
export const httpTarget = (
  text: string,
  given: Readonly<Record<string, string>>,
  protocols: ReadonlyArray<string>
): HttpTarget | string => {
  if (!URL.canParse(text)) return "has a URL that is none; give it as http://host:port/path."
  const url = new URL(text)
  if (!protocols.includes(url.protocol)) {
    return `has a URL that begins with ${url.protocol}, which is none of ${protocols.join(", ")}.`
  }
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(given)) {
    const problem = headerProblem(name, value)
    if (problem !== undefined) return problem
    if (!RESERVED.has(name.toLowerCase())) headers[name.toLowerCase()] = value
  }
  const secrets = [...Object.values(headers).flatMap(withoutScheme), ...url.searchParams.values(), ...rawValues(url)]
  if (url.username !== "" || url.password !== "") {
    const password = decoded(url.password)
    const encoded = Buffer.from(`${decoded(url.username)}:${password}`).toString("base64")
    headers["authorization"] ??= `Basic ${encoded}`
    secrets.push(encoded, url.password, password)
    // a token in the place of the user
    if (url.password === "") secrets.push(url.username, decoded(url.username))
    url.username = ""
    url.password = ""
  }
  return { url, headers, secrets }
}

/** The values of a query as they stand in it: a `+` that belongs to a key is read as a space. */
const rawValues = ({ search }: URL): ReadonlyArray<string> =>
  search.slice(1).split("&").map((pair) => pair.slice(pair.indexOf("=") + 1))

/** `Bearer x` is as secret as `x`. */
export const withoutScheme = (value: string): ReadonlyArray<string> => {
  const space = value.indexOf(" ")
  return space === -1 ? [value] : [value, value.slice(space + 1)]
}

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
