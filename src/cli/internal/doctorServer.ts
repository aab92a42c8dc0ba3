/**
 * What `smcp doctor` finds on the way to the Server: up to a connection, and not into an office.
 */
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Http from "node:http"
import * as Https from "node:https"
import * as Net from "node:net"
import * as Tls from "node:tls"
import { isRecord } from "../../protocol/Json.ts"
import type { Revision } from "../../protocol/Revision.ts"
import type { SmcpError } from "../../protocol/SmcpError.ts"
import * as SocketIoTransport from "../../transport/SocketIoTransport.ts"
import type { Finding } from "./doctorFinding.ts"
import { explain } from "./failure.ts"
import { isHttpUrl } from "./flags.ts"
import { counted } from "./output.ts"

/** Where the Server is, and who asks. */
export interface Target {
  readonly url: string
  readonly apiKey: Redacted.Redacted | undefined
  readonly revision: Revision
  /** How long each step may take. */
  readonly seconds: number
}

const group = "Server"

/** Looks at the Server step by step; where one cannot be done, the next ones are left out. */
export const checkServer = Effect.fnUntraced(function*(target: Target): Effect.fn.Return<ReadonlyArray<Finding>> {
  const reached = yield* checkReach(target)
  if (reached.some(({ verdict }) => verdict === "problem")) return reached
  const [page, connection] = yield* Effect.all([healthOf(target), connectionOf(target)], { concurrency: 2 })
  return [...reached, page, ...connection]
})

/** The form of the address, and whether something listens there. */
export const checkReach = Effect.fnUntraced(function*(
  { apiKey, seconds, url }: Pick<Target, "url" | "apiKey" | "seconds">
): Effect.fn.Return<ReadonlyArray<Finding>> {
  if (!isHttpUrl(url)) {
    return [{
      group,
      check: "address",
      verdict: "problem",
      seen: `"${withoutSecrets(url)}" is no address of a Server`,
      advice: "Write it like http://host:port"
    }]
  }
  const address = new URL(url)
  const shown = withoutSecrets(url)
  const opened = yield* Effect.result(open(address, seconds))
  if (Result.isFailure(opened)) {
    const { advice, reason } = opened.failure
    return [{ group, check: "address", verdict: "problem", seen: `${shown} cannot be reached: ${reason}`, advice }]
  }
  return [
    {
      group,
      check: "address",
      verdict: "ok",
      seen: `${shown} takes connections${isSecure(address) ? ", with TLS" : ""}`
    },
    ...apiKey !== undefined && !isSecure(address) && !isLocal(address)
      ? [
        {
          group,
          check: "encryption",
          verdict: "warning",
          seen: "the key and everything else go over the network in clear text",
          advice: "Put the Server behind TLS and use https://"
        } satisfies Finding
      ]
      : []
  ]
})

/** An address without the name, the password and the query in it. */
export const withoutSecrets = (url: string): string => {
  if (!URL.canParse(url)) return url.replace(/\?.*$/s, "").replace(/[^/\s]*@/, "")
  const { host, pathname, protocol } = new URL(url)
  return `${protocol}//${host}${pathname === "/" ? "" : pathname}`
}

const isSecure = ({ protocol }: URL): boolean => protocol === "https:" || protocol === "wss:"

const hostOf = ({ hostname }: URL): string => hostname.replace(/^\[|\]$/g, "")

const isLocal = (address: URL): boolean => /^(localhost|127\..*|::1)$/.test(hostOf(address))

// -----------------------------------------------------------------------------
// Reaching it
// -----------------------------------------------------------------------------

class Unreached extends Schema.TaggedError<Unreached>()("Unreached", {
  reason: Schema.String,
  advice: Schema.String
}) {}

/** Opens a connection, with TLS where that is asked for, and closes it. */
const open = (address: URL, seconds: number): Effect.Effect<void, Unreached> =>
  Effect.callback<void, Unreached>((resume) => {
    const host = hostOf(address)
    const port = Number(address.port) || (isSecure(address) ? 443 : 80)
    const socket = isSecure(address)
      ? Tls.connect({ host, port, ...(Net.isIP(host) === 0 ? { servername: host } : {}) })
      : Net.connect({ host, port })
    const end = (outcome: Effect.Effect<void, Unreached>) => {
      socket.on("error", () => {}).destroy()
      resume(outcome)
    }
    socket.once(isSecure(address) ? "secureConnect" : "connect", () => end(Effect.void))
    socket.once("error", (error: NodeJS.ErrnoException) => end(Effect.fail(unreached(error))))
    return Effect.sync(() => void socket.on("error", () => {}).destroy())
  }).pipe(
    Effect.timeoutOrElse({
      duration: `${seconds} seconds`,
      orElse: () =>
        Effect.fail(
          new Unreached({
            reason: `no answer in ${seconds} s`,
            advice: "Check the address, and that no firewall is in the way"
          })
        )
    })
  )

const unreached = ({ code = "", message }: NodeJS.ErrnoException): Unreached => {
  const known = reasons.find(({ codes }) => codes.test(code))
  return new Unreached({
    reason: known === undefined ? message : `${known.reason} (${code})`,
    advice: known?.advice ?? "Check the address and the network"
  })
}

const reasons: ReadonlyArray<{ readonly codes: RegExp; readonly reason: string; readonly advice: string }> = [
  {
    codes: /^ECONNREFUSED$/,
    reason: "nothing listens there",
    advice: "Start the Server (\"smcp server\"), or correct the host and port of --url"
  },
  {
    codes: /^(ENOTFOUND|EAI_AGAIN)$/,
    reason: "the name of the host is not known",
    advice: "Correct the host of --url, or check the name service"
  },
  {
    codes: /^(EHOSTUNREACH|ENETUNREACH|ETIMEDOUT)$/,
    reason: "there is no way to it",
    advice: "Check the network, the VPN and the firewall"
  },
  {
    codes: /^(CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|ERR_TLS_CERT)/,
    reason: "its certificate is not trusted",
    advice: "Name its authority with NODE_EXTRA_CA_CERTS, or correct the certificate"
  },
  {
    codes: /^(ERR_SSL|EPROTO|ECONNRESET)/,
    reason: "it does not speak TLS, or ends the connection",
    advice: "Use http:// when the Server has no TLS"
  }
]

// -----------------------------------------------------------------------------
// Its page
// -----------------------------------------------------------------------------

interface Page {
  readonly status: number
  readonly body: string
}

const MOST_CHARACTERS = 65_536

const get = (address: URL): Effect.Effect<Page, Unreached> =>
  Effect.callback<Page, Unreached>((resume) => {
    const fail = (error: NodeJS.ErrnoException) => resume(Effect.fail(unreached(error)))
    const request = (address.protocol === "https:" ? Https : Http).get(address, { agent: false }, (response) => {
      let body = ""
      response.setEncoding("utf8").on("error", fail)
      response.on("data", (text: string) => body.length < MOST_CHARACTERS ? body += text : request.destroy())
      response.on("end", () => resume(Effect.succeed({ status: response.statusCode ?? 0, body })))
    }).on("error", fail)
    return Effect.sync(() => void request.destroy())
  })

const healthOf = ({ seconds, url }: Target): Effect.Effect<Finding> => {
  const address = new URL("/health", url.replace(/^ws/i, "http"))
  const warn = (seen: string): Finding => ({
    group,
    check: "GET /health",
    verdict: "warning",
    seen,
    advice: "Not every Server has this page; if the protocol below is ok, nothing is wrong"
  })
  return get(address).pipe(
    Effect.timeoutOrElse({
      duration: `${seconds} seconds`,
      orElse: () => Effect.fail(new Unreached({ reason: `no answer in ${seconds} s`, advice: "" }))
    }),
    Effect.match({
      onFailure: ({ reason }) => warn(reason),
      onSuccess: ({ body, status }) => {
        const health = valueOf(body)
        return status === 200 && isRecord(health) && health["status"] === "ok"
          ? { group, check: "GET /health", verdict: "ok", seen: inWords(health) }
          : warn(`HTTP ${status}`)
      }
    })
  )
}

const valueOf = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const inWords = (health: Readonly<Record<string, unknown>>): string => {
  const { agents, computers, offices, uptime } = health
  const parts = [
    typeof uptime === "number" ? `up for ${uptime} s` : "it is well",
    ...[["office", offices], ["Agent", agents], ["Computer", computers]].flatMap(([what, number]) =>
      typeof number === "number" ? [counted(number, String(what))] : []
    )
  ]
  return parts.join(", ")
}

// -----------------------------------------------------------------------------
// The protocol
// -----------------------------------------------------------------------------

const connectionOf = ({ apiKey, revision, seconds, url }: Target): Effect.Effect<ReadonlyArray<Finding>> =>
  SocketIoTransport.make({ url, apiKey, revision, connectTimeout: `${seconds} seconds` }).pipe(
    Effect.scoped,
    Effect.match({
      onSuccess: () => [
        spoken(revision),
        {
          group,
          check: "key",
          verdict: "ok",
          seen: apiKey === undefined ? "the Server lets everybody in without one" : "the Server lets us in with it"
        }
      ],
      onFailure: (error) => refusalOf(error, { apiKey, revision })
    })
  )

const spoken = ({ id, version }: Revision): Finding => ({
  group,
  check: "protocol",
  verdict: "ok",
  seen: `the Server speaks revision ${id} (${version})`
})

const refusalOf = (
  error: SmcpError,
  { apiKey, revision }: Pick<Target, "apiKey" | "revision">
): ReadonlyArray<Finding> => {
  const { advice, what } = explain(error)
  const problem = { group, verdict: "problem", seen: what, advice } as const
  switch (error.reason._tag) {
    case "ProtocolVersionMismatch":
      return [{ ...problem, check: "protocol" }]
    case "AuthenticationRejected":
    case "Forbidden":
    case "Unauthorized":
      return [
        // the version is looked at before the key
        spoken(revision),
        {
          ...problem,
          check: "key",
          seen: apiKey === undefined ? `none was given, and the Server wants one (${what})` : `it is refused (${what})`
        }
      ]
    default:
      return [{ ...problem, check: "connection" }]
  }
}
