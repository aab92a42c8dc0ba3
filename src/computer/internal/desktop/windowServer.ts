/**
 * The windows of one running MCP server: what it lists, and what changes.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import { createHash } from "node:crypto"
import { isRecord } from "../../../protocol/Json.ts"
import type { Revision } from "../../../protocol/Revision.ts"
import * as Background from "../../../transport/Background.ts"
import type { McpClient } from "../../McpClient.ts"
import type { McpError } from "../../McpError.ts"
import { listPages } from "../mcp/listPages.ts"
import { monotonicNow } from "../monotonic.ts"
import { makePaced, type Paced } from "../paced.ts"
import { publicMessage } from "../publicMessage.ts"
import { makeSubscriptions } from "./subscriptions.ts"
import { type ContentCache, digest, failed, readContent, type WindowContent } from "./windowContent.ts"
import { isWindowUri, type ListedWindow, readWindow, type RejectedWindow } from "./windowResource.ts"

/** A window of a running server. It stays the same object for as long as its server lists it unchanged. */
export interface Window extends ListedWindow {
  /** The bundle id of its server. */
  readonly server: string
  /** The digest of the content that was told last, or that a report of a change was about. */
  told: string | undefined
  /** Counts what makes a content that is being read out of date. */
  epoch: number
}

export interface WindowServer {
  readonly client: McpClient
  /** In the order of the list. */
  readonly windows: () => ReadonlyArray<Window>
  /** What means to be a window and is none, or none of its own. */
  readonly rejected: () => ReadonlyArray<RejectedWindow>
  /** What the operator should know. */
  readonly remarks: () => ReadonlyArray<string>
  /** The same text for as long as no window came, went, changed its place or is known to have changed its content. */
  readonly fingerprint: () => string
  /** Lists the windows again when they may not be those that are known. */
  readonly refresh: Effect.Effect<void>
  /** One of its tools was called: whatever is known may have changed. */
  readonly used: () => void
  /** Reads a window, or takes what was read before. Never fails; its deadline is the caller's. */
  readonly read: (window: Window) => Effect.Effect<WindowContent>
  /** Follows the changes of the server for as long as the scope lives. */
  readonly follow: Effect.Effect<void, never, Scope.Scope>
}

export interface WindowServerOptions {
  readonly server: string
  readonly client: McpClient
  readonly source: Revision["windowMetadata"]
  readonly cache: ContentCache<Window>
  /** A number that was not given before, for another connection neither. */
  readonly nextVersion: () => number
  /** Run after what may be a change. */
  readonly changed: Effect.Effect<void>
}

/** How long what a server promised to report is taken for current, in milliseconds. */
const TRUSTED = 60_000
const MAX_PAGES = 1000
/** How many requests of one kind a server gets at a time. */
export const CONCURRENCY = 8
/** How long one window may take. */
export const READ_DEADLINE = "5 seconds"

export const makeWindowServer = Effect.fnUntraced(function*(
  options: WindowServerOptions
): Effect.fn.Return<WindowServer> {
  const { cache, changed, client, nextVersion, server, source } = options
  const announced = isRecord(client.capabilities["resources"]) ? client.capabilities["resources"] : {}
  const lock = yield* Semaphore.make(1)
  let listing: Listing = { windows: new Map(), rejected: [], remarks: [], hasNew: false, places: "" }
  /** Another one after every change of content; what is new counts as changed. */
  let version = 0
  /** When, and in which generation, the list was read. */
  let listed: { readonly at: number; readonly generation: number } | undefined
  let generation = 0

  const refused = (what: string) => ({ message }: McpError) => Effect.logWarning(`${what} of "${server}": ${message}`)

  const list = Effect.gen(function*() {
    const now = { at: yield* monotonicNow, generation }
    const { cut, items } = yield* listPages(client.request, "resources", MAX_PAGES)
    const next = readListing(items, cut, { server, source, known: listing.windows })
    if (next.hasNew) version = nextVersion()
    const [remark, ...more] = next.remarks
    const isNews = remark !== undefined && next.remarks.join("\n") !== listing.remarks.join("\n")
    for (const [uri, window] of listing.windows) if (next.windows.get(uri) !== window) cache.delete(window)
    listing = next
    listed = now
    subscriptions.ask()
    if (isNews) {
      yield* Effect.logWarning(
        `Windows of "${server}": ${remark}${more.length > 0 ? ` (and ${more.length} more)` : ""}`
      )
    }
  }).pipe(Effect.catch(refused("Could not list the windows")))

  const read = (window: Window): Effect.Effect<WindowContent> =>
    Effect.gen(function*() {
      const now = yield* monotonicNow
      const kept = cache.get(window, now)
      if (kept !== undefined) return kept
      const before = { generation, epoch: window.epoch }
      const content = readContent(yield* client.request("resources/read", { uri: window.uri }))
      const isCurrent = before.generation === generation && before.epoch === window.epoch
      if (isCurrent && subscriptions.has(window.uri)) cache.set(window, content, now + TRUSTED)
      return content
    }).pipe(Effect.catch((error) => Effect.succeed(failed(`it could not be read: ${publicMessage(error)}`))))

  const updates = yield* makeUpdates(
    read,
    Effect.suspend(() => {
      version = nextVersion()
      return changed
    })
  )
  const subscriptions = yield* makeSubscriptions({
    client,
    isOffered: announced["subscribe"] === true,
    wanted: () => listing.windows,
    subscribed: (uri) => {
      const window = listing.windows.get(uri)
      if (window === undefined) return
      window.epoch++
      // what was told before the subscription may have changed before it, too
      if (window.told !== undefined) updates.add(window)
    },
    refused: refused("Could not subscribe to a window"),
    concurrency: CONCURRENCY
  })

  const isFresh = Effect.map(
    monotonicNow,
    (now) =>
      announced["listChanged"] === true && listed !== undefined && listed.generation === generation &&
      now - listed.at < TRUSTED
  )
  const unlessFresh = (self: Effect.Effect<void>) => Effect.flatMap(isFresh, (fresh) => fresh ? Effect.void : self)
  const refresh = unlessFresh(lock.withPermit(unlessFresh(list)))

  const lists = yield* makePaced(Effect.andThen(refresh, changed))
  const listAgain = () => {
    generation++
    lists.ask()
  }
  const hear = (method: string, params: Readonly<Record<string, unknown>>) => {
    if (method === "notifications/resources/list_changed") return listAgain()
    const { uri } = params
    if (method !== "notifications/resources/updated" || typeof uri !== "string" || !isWindowUri(uri)) return
    const window = listing.windows.get(uri)
    if (window === undefined) return listAgain()
    window.epoch++
    cache.delete(window)
    updates.add(window)
  }

  return {
    client,
    windows: () => [...listing.windows.values()],
    rejected: () => listing.rejected,
    remarks: () => listing.remarks,
    fingerprint: () => listing.windows.size === 0 ? "" : `${version}/${listing.places}`,
    refresh,
    used: () => {
      generation++
      for (const window of listing.windows.values()) cache.delete(window)
    },
    read,
    follow: Effect.gen(function*() {
      yield* client.notifications.pipe(
        Stream.runForEach(({ method, params }) => Effect.sync(() => hear(method, params))),
        Background.fork("Listening to the windows of an MCP server")
      )
      listAgain()
      for (const { run } of [lists, updates, subscriptions]) {
        yield* Background.fork("Following the windows of an MCP server")(run)
      }
    })
  }
})

// -----------------------------------------------------------------------------
// The list
// -----------------------------------------------------------------------------

interface Listing {
  /** By URI. */
  readonly windows: ReadonlyMap<string, Window>
  readonly rejected: ReadonlyArray<RejectedWindow>
  readonly remarks: ReadonlyArray<string>
  /** Whether there are windows that were not there before. */
  readonly hasNew: boolean
  /** The same text exactly for the same windows in the same places. */
  readonly places: string
}

interface ListingContext extends Pick<WindowServerOptions, "server" | "source"> {
  readonly known: ReadonlyMap<string, Window>
}

const readListing = (
  resources: ReadonlyArray<unknown>,
  cut: string | undefined,
  { known, server, source }: ListingContext
): Listing => {
  const windows = new Map<string, Window>()
  const identities = new Set<string>()
  const rejected: Array<RejectedWindow> = []
  const remarks: Array<string> = cut === undefined ? [] : [cut]
  const places = createHash("sha256")
  let hasNew = false
  const reject = (window: RejectedWindow) => {
    rejected.push(window)
    remarks.push(`${window.uri} is left out: ${window.why}`)
  }
  for (const resource of resources) {
    const listed = readWindow(resource, source)
    if (listed === undefined) continue
    if ("why" in listed) reject(listed)
    else if (identities.has(listed.identity)) reject({ uri: listed.uri, why: "its server lists this window twice" })
    else {
      identities.add(listed.identity)
      for (const remark of listed.remarks) remarks.push(`${listed.uri}: ${remark}`)
      const before = known.get(listed.uri)
      const isSame = before?.priority === listed.priority && before.fullscreen === listed.fullscreen
      const { epoch = 0, told } = before ?? {}
      hasNew ||= before === undefined
      places.update(JSON.stringify([listed.identity, listed.priority, listed.fullscreen]))
      windows.set(listed.uri, isSame ? before : { ...listed, server, told, epoch })
    }
  }
  return { windows, rejected, remarks, hasNew, places: places.digest("base64") }
}

// -----------------------------------------------------------------------------
// Changes of content
// -----------------------------------------------------------------------------

interface Updates extends Paced {
  /** A window whose content is said to have changed. */
  readonly add: (window: Window) => void
}

const makeUpdates = Effect.fnUntraced(
  function*(read: WindowServer["read"], changed: Effect.Effect<void>): Effect.fn.Return<Updates> {
    let waiting = new Set<Window>()
    const compare = Effect.fnUntraced(function*(window: Window) {
      const content = yield* Effect.timeoutOrElse(read(window), {
        duration: READ_DEADLINE,
        orElse: () => Effect.succeed(failed(TOO_SLOW))
      })
      const now = digest(content)
      if (window.told === now) return
      window.told = now
      yield* changed
    })
    const paced = yield* makePaced(Effect.suspend(() => {
      const windows = waiting
      waiting = new Set()
      return Effect.forEach(windows, compare, { concurrency: CONCURRENCY, discard: true })
    }))
    return {
      ...paced,
      add: (window) => {
        waiting.add(window)
        paced.ask()
      }
    }
  }
)

/** Why a window is not shown whose server keeps silent. */
export const TOO_SLOW = `its server did not answer within ${READ_DEADLINE}`
