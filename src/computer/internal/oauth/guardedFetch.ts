/**
 * Requests to places that a remote server has named: an authorization server, its metadata. Whoever runs that server must
 * not be able to make us ask inside our own network, wait for ever, or read without end.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { type LookupAddress, promises } from "node:dns"
import * as Http from "node:http"
import * as Https from "node:https"
import { isIP, type LookupFunction } from "node:net"
import { type Reach, reachOf } from "./guardedAddress.ts"

/** A request that was not made, or whose answer was not taken. Its words are ours, but for the host. */
export class FetchRefused extends Schema.TaggedError<FetchRefused>()("FetchRefused", {
  kind: Schema.Literals(["unsafe", "unreachable", "timeout", "too-large"]),
  /** The host and port that were asked, never a path or a query. */
  host: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `${this.host} ${this.detail}`
  }
}

/** Addresses of a host. */
export type Resolve = (host: string) => Promise<ReadonlyArray<LookupAddress>>

/** What is sent. */
export interface GuardedRequest {
  readonly method?: string | undefined
  readonly headers?: Headers | undefined
  readonly body?: string | undefined
}

/** One request with its redirects; the answer has been read to its end. */
export type GuardedFetch = (url: URL, request?: GuardedRequest) => Effect.Effect<Response, FetchRefused>

const DEADLINE = "10 seconds"
const DEADLINE_SECONDS = 10
const MOST_BYTES = 1024 * 1024
const MOST_REDIRECTS = 3
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

const resolveHost: Resolve = (host) => promises.lookup(host, { all: true, verbatim: true })

/**
 * Requests on behalf of the MCP server at `server`: over https, or http to loopback; never to link-local addresses, and
 * to private ones only when the server itself is no more public. Addresses are judged as the socket connects, so that no
 * second answer of DNS can differ. The server's own name may be answered differently each time by whoever owns it: it never
 * opens the loopback, unless nobody can own it (`localhost`). Redirects are followed within their origin only.
 */
export const makeGuardedFetch = (server: URL, resolve: Resolve = resolveHost): GuardedFetch => {
  // the most public of the server's own addresses decides
  const allowed = Effect.promise(() =>
    resolveAny(hostOf(server), resolve).then(
      (addresses) => {
        const reaches = addresses.map(({ address }) => reachOf(address))
        return allowedFrom(isOwnable(hostOf(server)) ? [...reaches, "private"] : reaches)
      },
      () => allowedFrom(["public"])
    )
  )
  return (url, request = {}) =>
    Effect.flatMap(allowed, (reaches) => follow({ url, request, reaches, resolve, redirects: 0 })).pipe(
      Effect.timeoutOrElse({
        duration: DEADLINE,
        orElse: () => Effect.fail(refuse("timeout", url, `did not answer within ${DEADLINE_SECONDS} s`))
      })
    )
}

// -----------------------------------------------------------------------------
// Internal
// -----------------------------------------------------------------------------

interface Asked {
  readonly url: URL
  readonly request: GuardedRequest
  readonly reaches: ReadonlySet<Reach>
  readonly resolve: Resolve
  readonly redirects: number
}

const refuse = (kind: FetchRefused["kind"], url: URL, detail: string): FetchRefused =>
  new FetchRefused({ kind, host: url.host, detail })

const hostOf = ({ hostname }: URL): string => hostname.replace(/^\[(.*)\]$/, "$1")

/** Top-level names that are kept for machines and networks of one's own (RFC 6761, RFC 6762, RFC 8375). */
const UNOWNED = /(?:^|\.)(?:localhost|local|internal|test|example|home\.arpa)\.?$/i

/** Whether a host is a name that somebody in the Internet may answer for. */
const isOwnable = (host: string): boolean => isIP(host) === 0 && host.includes(".") && !UNOWNED.test(host)

const resolveAny = (host: string, resolve: Resolve): Promise<ReadonlyArray<LookupAddress>> =>
  isIP(host) === 0 ? resolve(host) : Promise.resolve([{ address: host, family: isIP(host) }])

const allowedFrom = (reaches: ReadonlyArray<Reach>): ReadonlySet<Reach> =>
  reaches.includes("public")
    ? new Set<Reach>(["public"])
    : reaches.includes("private")
    ? new Set<Reach>(["public", "private"])
    : new Set<Reach>(["public", "private", "loopback"])

const follow = (asked: Asked): Effect.Effect<Response, FetchRefused> =>
  Effect.flatMap(requestOnce(asked), (response) => {
    const location = REDIRECTS.has(response.status) ? response.headers.get("location") : null
    if (location === null) return Effect.succeed(response)
    const target = URL.canParse(location, asked.url.href) ? new URL(location, asked.url) : undefined
    if (target?.origin !== asked.url.origin || target.username !== "" || target.password !== "") {
      return Effect.fail(refuse("unsafe", asked.url, "redirects to another origin"))
    }
    const method = asked.request.method ?? "GET"
    if (method !== "GET" && response.status !== 307 && response.status !== 308) {
      return Effect.fail(refuse("unsafe", asked.url, `redirects a ${method}`))
    }
    return asked.redirects >= MOST_REDIRECTS
      ? Effect.fail(refuse("unsafe", asked.url, `redirects more than ${MOST_REDIRECTS} times`))
      : follow({ ...asked, url: target, redirects: asked.redirects + 1 })
  })

const checkUrl = ({ reaches, url }: Asked): FetchRefused | undefined => {
  if (url.protocol !== "https:" && url.protocol !== "http:") return refuse("unsafe", url, "is not reached over https")
  if (url.username !== "" || url.password !== "") return refuse("unsafe", url, "is named with credentials in its URL")
  const host = hostOf(url)
  return isIP(host) === 0 ? undefined : checkAddress(url, reaches, host)
}

const checkAddress = (url: URL, reaches: ReadonlySet<Reach>, address: string): FetchRefused | undefined => {
  const reach = reachOf(address)
  if (!reaches.has(reach)) {
    return refuse("unsafe", url, `is at a ${reach} address, which this server may not send us to`)
  }
  return url.protocol === "http:" && reach !== "loopback"
    ? refuse("unsafe", url, "is asked over http; only https is allowed, but for loopback")
    : undefined
}

/** Looks a name up for the socket and lets through only addresses that pass. */
const guardedLookup = ({ reaches, resolve, url }: Asked): LookupFunction => (host, options, callback) => {
  resolve(host).then((addresses) => {
    const refused = addresses.map(({ address }) => checkAddress(url, reaches, address)).find((each) =>
      each !== undefined
    )
    const [first] = addresses
    if (refused !== undefined || first === undefined) {
      callback(refused ?? refuse("unreachable", url, "has no address"), "", 0)
    } else if (options.all === true) callback(null, [...addresses])
    else callback(null, first.address, first.family)
  }, (error: unknown) => callback(failureOf(url, error), "", 0))
}

const failureOf = (url: URL, error: unknown): FetchRefused => {
  if (error instanceof FetchRefused) return error
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? ` (${error.code})` : ""
  return refuse("unreachable", url, `could not be reached${code}`)
}

const requestOnce = (asked: Asked): Effect.Effect<Response, FetchRefused> =>
  Effect.callback((resume) => {
    const { request, url } = asked
    const refused = checkUrl(asked)
    if (refused !== undefined) return resume(Effect.fail(refused))
    const failed = (error: unknown) => resume(Effect.fail(failureOf(url, error)))
    const sent = (url.protocol === "https:" ? Https : Http).request(url, {
      method: request.method ?? "GET",
      headers: { ...Object.fromEntries(request.headers ?? []), "accept-encoding": "identity" },
      // a connection of its own, which ends with the answer
      agent: false,
      lookup: guardedLookup(asked)
    })
    sent.on("error", failed)
    sent.on("response", (received) => {
      const chunks: Array<Buffer> = []
      let bytes = 0
      received.on("data", (chunk: Buffer) => {
        bytes += chunk.length
        chunks.push(chunk)
        if (bytes > MOST_BYTES) sent.destroy(refuse("too-large", url, `answers with more than ${MOST_BYTES} bytes`))
      })
      received.on("error", failed)
      received.on("close", () => failed(undefined))
      received.on("end", () =>
        resume(Effect.try({ try: () => toResponse(received, chunks), catch: (e) => failureOf(url, e) })))
    })
    sent.end(request.body)
    return Effect.sync(() =>
      sent.destroy()
    )
  })

const toResponse = ({ rawHeaders, statusCode = 0 }: Http.IncomingMessage, chunks: ReadonlyArray<Buffer>): Response => {
  const headers = new Headers()
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) headers.append(rawHeaders[i]!, rawHeaders[i + 1]!)
  const body = [204, 205, 304].includes(statusCode) ? null : Buffer.concat(chunks)
  return new Response(body, { status: statusCode, headers })
}
