/**
 * What is kept of logins: the login itself by issuer, client, resource and server; which of them is that of a server; and the
 * clients that were registered, by issuer.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import { TokenStore, type TokenStoreError } from "../../TokenStore.ts"

const Secret = Schema.RedactedFromValue(Schema.String)

/** A client at an authorization server. */
export const Client = Schema.Struct({
  id: Schema.String,
  secret: Schema.optionalKey(Secret),
  /** How the authorization server wants it to prove itself. */
  authMethod: Schema.optionalKey(Schema.String),
  redirectUri: Schema.String,
  /** Whether we registered it, so that we may do so again. */
  isRegistered: Schema.Boolean,
  /** Milliseconds since 1970. */
  secretExpiresAt: Schema.optionalKey(Schema.Finite)
})
export type Client = typeof Client.Type

/** What is needed of an authorization server after the login (RFC 8414, its own names). */
const Endpoints = Schema.Struct({
  issuer: Schema.String,
  authorization_endpoint: Schema.String,
  token_endpoint: Schema.String,
  revocation_endpoint: Schema.optionalKey(Schema.String),
  response_types_supported: Schema.Array(Schema.String),
  token_endpoint_auth_methods_supported: Schema.optionalKey(Schema.Array(Schema.String))
})
export type Endpoints = typeof Endpoints.Type

/** A login to one MCP server. Times are milliseconds since 1970. */
export const Login = Schema.Struct({
  /** The URL of the MCP server. */
  server: Schema.String,
  /** What the tokens are for, as the server names itself (RFC 8707). */
  resource: Schema.String,
  endpoints: Endpoints,
  client: Client,
  accessToken: Secret,
  refreshToken: Schema.optionalKey(Secret),
  obtainedAt: Schema.Finite,
  /** Absent when the authorization server does not tell. */
  expiresAt: Schema.optionalKey(Schema.Finite),
  scopes: Schema.Array(Schema.String)
})
export type Login = typeof Login.Type

const LoginText = Schema.fromJsonString(Login)
const ClientText = Schema.fromJsonString(Client)

const clientKey = (issuer: string): string => JSON.stringify(["client", issuer])
const serverKey = (server: string): string => JSON.stringify(["server", server])
const loginKey = ({ client, endpoints, resource, server }: Login): string =>
  JSON.stringify(["login", endpoints.issuer, client.id, resource, server])

/** The records of a store. What it holds that cannot be read counts as absent. */
export interface Records {
  readonly login: (server: string) => Effect.Effect<Login | undefined, TokenStoreError>
  /** Keeps the new login before the one it replaces goes. */
  readonly saveLogin: (login: Login) => Effect.Effect<void, TokenStoreError>
  readonly removeLogin: (login: Login) => Effect.Effect<void, TokenStoreError>
  readonly client: (issuer: string) => Effect.Effect<Client | undefined, TokenStoreError>
  readonly saveClient: (issuer: string, client: Client) => Effect.Effect<void, TokenStoreError>
  readonly removeClient: (issuer: string) => Effect.Effect<void, TokenStoreError>
  /** Renews the login of a server while nobody else does, here or in another program. */
  readonly renewing: <A, E>(server: string, self: Effect.Effect<A, E>) => Effect.Effect<A, E>
}

/** The records of the `TokenStore`. */
export const makeRecords: Effect.Effect<Records, never, TokenStore> = Effect.map(TokenStore, (store) => {
  const read = <A, I>(schema: Schema.Codec<A, I>, key: string) =>
    Effect.map(store.get(key), (text) =>
      text === undefined
        ? undefined
        : Option.getOrUndefined(Schema.decodeUnknownOption(schema)(Redacted.value(text))))
  const write = <A, I>(schema: Schema.Codec<A, I>, key: string, value: A) =>
    store.set(key, Redacted.make(String(Schema.encodeSync(schema)(value))))
  const keyOf = (server: string) =>
    Effect.map(store.get(serverKey(server)), (text) => text === undefined ? undefined : Redacted.value(text))

  const login: Records["login"] = Effect.fnUntraced(function*(server) {
    const key = yield* keyOf(server)
    return key === undefined ? undefined : yield* read(LoginText, key)
  })
  // several entries may have one URL, and with it one login; not every store keeps them apart
  const turns = new Map<string, Semaphore.Semaphore>()
  const turnOf = (server: string): Semaphore.Semaphore => {
    const turn = turns.get(server) ?? Semaphore.makeUnsafe(1)
    turns.set(server, turn)
    return turn
  }
  return {
    login,
    saveLogin: Effect.fnUntraced(function*(next) {
      const key = loginKey(next)
      const before = yield* keyOf(next.server)
      yield* write(LoginText, key, next)
      if (before === key) return
      yield* store.set(serverKey(next.server), Redacted.make(key))
      if (before !== undefined) yield* store.remove(before)
    }),
    removeLogin: (gone) => Effect.andThen(store.remove(loginKey(gone)), store.remove(serverKey(gone.server))),
    client: (issuer) => read(ClientText, clientKey(issuer)),
    saveClient: (issuer, client) => write(ClientText, clientKey(issuer), client),
    removeClient: (issuer) => store.remove(clientKey(issuer)),
    renewing: (server, self) =>
      Effect.suspend(() => turnOf(server).withPermit(store.exclusively(serverKey(server), self)))
  }
})
