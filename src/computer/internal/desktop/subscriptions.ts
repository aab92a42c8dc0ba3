import * as Effect from "effect/Effect"
import type { McpClient } from "../../McpClient.ts"
import type { McpError } from "../../McpError.ts"
import { makePaced, type Paced } from "../paced.ts"

export interface SubscriptionsOptions {
  readonly client: McpClient
  /** Whether the server announced that resources can be subscribed to. */
  readonly isOffered: boolean
  /** The URIs to be subscribed to, now. */
  readonly wanted: () => ReadonlySet<string> | ReadonlyMap<string, unknown>
  readonly subscribed: (uri: string) => void
  readonly refused: (error: McpError) => Effect.Effect<void>
  /** How many requests the server gets at a time. */
  readonly concurrency: number
}

export interface Subscriptions extends Paced {
  readonly has: (uri: string) => boolean
}

const METHOD_NOT_FOUND = -32601

/** Subscribes once to every resource that is wanted, and unsubscribes what no longer is, whenever asked to look. */
export const makeSubscriptions = Effect.fnUntraced(
  function*(options: SubscriptionsOptions): Effect.fn.Return<Subscriptions> {
    const { client, concurrency, isOffered, refused, subscribed, wanted } = options
    let offered = isOffered
    const held = new Set<string>()
    /** Asked for once, and refused. */
    const withheld = new Set<string>()

    const request = (uri: string) =>
      client.request("resources/subscribe", { uri }).pipe(
        Effect.map(() => {
          held.add(uri)
          subscribed(uri)
        }),
        Effect.catch((error) => {
          withheld.add(uri)
          // some servers announce subscriptions that they do not have
          const isMissing = error.reason._tag === "Rpc" && error.reason.code === METHOD_NOT_FOUND
          const isNews = offered
          if (isMissing) offered = false
          return isMissing && !isNews ? Effect.void : refused(error)
        })
      )
    const subscribe = (uri: string) => Effect.suspend(() => offered ? request(uri) : Effect.void)
    const unsubscribe = (uri: string) => {
      held.delete(uri)
      return Effect.ignore(client.request("resources/unsubscribe", { uri }))
    }
    const look = Effect.suspend(() => {
      if (!offered) return Effect.void
      const uris = wanted()
      for (const uri of withheld) if (!uris.has(uri)) withheld.delete(uri)
      const gone = [...held].filter((uri) => !uris.has(uri))
      const missing = [...uris.keys()].filter((uri) => !held.has(uri) && !withheld.has(uri))
      return Effect.andThen(
        Effect.forEach(gone, unsubscribe, { concurrency, discard: true }),
        Effect.forEach(missing, subscribe, { concurrency, discard: true })
      )
    })
    return { ...yield* makePaced(look), has: (uri) => held.has(uri) }
  }
)
