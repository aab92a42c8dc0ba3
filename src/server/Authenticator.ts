/**
 * May this handshake in? The protocol leaves credentials to the application;
 * here are an API key, nobody asked, and room for your own.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { createHash, timingSafeEqual } from "node:crypto"
import * as SmcpError from "../protocol/SmcpError.ts"
import type { Handshake } from "../transport/ServerTransport.ts"

/**
 * Decides about handshakes. Succeeding lets the peer in; failing refuses it,
 * and the error's message is what the peer is told. The Server gives it
 * 900 milliseconds: some clients wait no longer than a second for the answer.
 */
export class Authenticator extends Context.Service<Authenticator, {
  readonly authenticate: (handshake: Handshake) => Effect.Effect<void, SmcpError.SmcpError>
}>()("a2c-smcp/server/Authenticator") {}

/** Options of {@link layerApiKey}. */
export interface ApiKeyOptions {
  /** The accepted keys; at least one, none of them empty. */
  readonly keys: ReadonlyArray<Redacted.Redacted<string>>
  /** The field of the handshake's `auth` object that carries the key. Default: `token`. */
  readonly field?: string | undefined
  /** The HTTP header that carries the key when the field does not. Default: `x-api-key`. */
  readonly header?: string | undefined
}

/**
 * Lets in whoever shows one of the keys. Fails with `ConfigInvalid` when there
 * is no key, so that a Server never stands open by accident.
 */
export const layerApiKey = (options: ApiKeyOptions): Layer.Layer<Authenticator, SmcpError.SmcpError> =>
  Layer.effect(
    Authenticator,
    Effect.gen(function*() {
      const digests = options.keys.map(Redacted.value).filter((key) => key !== "").map(digest)
      if (digests.length === 0 || digests.length !== options.keys.length) return yield* noKey
      const field = options.field ?? "token"
      const header = (options.header ?? "x-api-key").toLowerCase()
      return {
        authenticate: (handshake) => {
          const shown = handshake.auth[field] ?? handshake.headers[header]
          if (typeof shown !== "string") return missing(field, header)
          const candidate = digest(shown)
          // Every key is compared, so that the time taken says nothing about which one came close.
          const matches = digests.filter((known) => timingSafeEqual(known, candidate))
          return matches.length > 0 ? Effect.void : wrong
        }
      }
    })
  )

/** Lets everyone in. For Servers that something else protects. */
export const layerAllowAll: Layer.Layer<Authenticator> = Layer.succeed(Authenticator, {
  authenticate: () => Effect.void
})

const digest = (key: string): Buffer => createHash("sha256").update(key).digest()

const reject = (message: string) => Effect.fail(SmcpError.make(new SmcpError.AuthenticationRejected({ message })))

const wrong = reject("Authentication failed: the API key is wrong")

const missing = (field: string, header: string) =>
  reject(`Authentication failed: no API key in auth.${field} or the header ${header}`)

const noKey = Effect.fail(SmcpError.make(
  new SmcpError.ConfigInvalid({
    message: "No API key is configured. Give at least one non-empty key, or allow anonymous peers explicitly"
  })
))
