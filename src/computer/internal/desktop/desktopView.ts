/**
 * One look at the desktop: what is found, read and shown.
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import type { DesktopOptions, WindowReport } from "../../Desktop.ts"
import type { Diagnostic } from "../../Diagnostic.ts"
import { monotonicNow } from "../monotonic.ts"
import { choose, type Group, organise } from "./organise.ts"
import { digest, failed, render, type WindowContent } from "./windowContent.ts"
import { CONCURRENCY, READ_DEADLINE, TOO_SLOW, type Window, type WindowServer } from "./windowServer.ts"

type Servers = ReadonlyMap<string, WindowServer>

/** Milliseconds after which nothing more is read. */
const TOTAL_DEADLINE = 20_000
const OUT_OF_TIME = "there was no time left to read it"

export interface Shown {
  readonly window: Window
  readonly content: Extract<WindowContent, { _tag: "Text" }>
}

export interface View {
  readonly servers: Servers
  readonly options: DesktopOptions
  readonly shown: ReadonlyArray<Shown>
  /** Of all windows that were read. */
  readonly contents: ReadonlyMap<Window, WindowContent>
}

/** Looks at all windows and reads those that are to be shown. */
export const compose = Effect.fnUntraced(
  function*(
    servers: Servers,
    recent: ReadonlyArray<string>,
    options: DesktopOptions
  ): Effect.fn.Return<View> {
    const end = (yield* monotonicNow) + TOTAL_DEADLINE
    const present = [...servers.values()]
    // a list that is late is taken as it was
    yield* Effect.forEach(present, ({ refresh }) => Effect.timeoutOption(refresh, READ_DEADLINE), {
      concurrency: "unbounded",
      discard: true
    })
    const wanted = present.flatMap(({ windows }) => windows()).filter(({ uri }) =>
      options.window === undefined || uri === options.window
    )
    const size = options.size === undefined ? undefined : Math.max(0, options.size)
    const { chosen, contents } = yield* readChosen(organise(wanted, recent), size, makeReader(servers, end))
    const shown = chosen.flatMap((window) => {
      const content = contents.get(window)
      return content?._tag === "Text" ? [{ window, content }] : []
    })
    yield* logFailures(contents)
    return { servers, options, shown, contents }
  }
)

/** Says, in one line, that windows could not be read. */
const logFailures = (contents: View["contents"]): Effect.Effect<void> => {
  const failures = [...contents].flatMap(([{ uri }, content]) =>
    content._tag === "Nothing" && content.failed ? [`${uri} is not shown: ${content.why}`] : []
  )
  const [failure, ...more] = failures
  if (failure === undefined) return Effect.void
  return Effect.logWarning(more.length === 0 ? failure : `${failure} (and ${more.length} more windows)`)
}

/** The windows as the Agent gets them, from now on taken for known to it. */
export const tell = ({ contents, shown }: View): ReadonlyArray<string> => {
  for (const [window, content] of contents) if (content._tag === "Nothing") window.told = digest(content)
  for (const { content, window } of shown) window.told = digest(content)
  return shown.map(({ content, window }) => render(window, content.texts))
}

type Read = (window: Window) => Effect.Effect<WindowContent>

/** Reads what may be shown until it is known what is. Servers are read side by side. */
const readChosen = Effect.fnUntraced(
  function*(groups: ReadonlyArray<Group<Window>>, size: number | undefined, read: Read) {
    const contents = new Map<Window, WindowContent>()
    const hasContent = (window: Window) => {
      const content = contents.get(window)
      return content === undefined ? undefined : content._tag === "Text"
    }
    do {
      const { chosen, unread } = choose(groups, size, hasContent)
      if (unread.length === 0) return { chosen, contents }
      const readOne = (window: Window) => Effect.map(read(window), (content) => contents.set(window, content))
      yield* Effect.forEach(
        Object.values(Arr.groupBy(unread, ({ server }) => server)),
        (windows) => Effect.forEach(windows, readOne, { concurrency: CONCURRENCY, discard: true }),
        { concurrency: "unbounded", discard: true }
      )
    } while (true)
  }
)

/** Reads windows, each with its deadline; a server that kept silent once is not waited for again. */
const makeReader = (servers: Servers, end: number): Read => {
  const silent = new Set<string>()
  return Effect.fnUntraced(function*(window) {
    const server = servers.get(window.server)
    if (server === undefined) return failed("its server is gone")
    if (silent.has(window.server)) return failed(TOO_SLOW)
    const left = end - (yield* monotonicNow)
    if (left <= 0) return failed(OUT_OF_TIME)
    return yield* server.read(window).pipe(
      Effect.timeoutOrElse({
        duration: READ_DEADLINE,
        orElse: () => {
          silent.add(window.server)
          return Effect.succeed(failed(TOO_SLOW))
        }
      }),
      Effect.timeoutOrElse({ duration: left, orElse: () => Effect.succeed(failed(OUT_OF_TIME)) })
    )
  })
}

// -----------------------------------------------------------------------------
// Explaining
// -----------------------------------------------------------------------------

/** What became of every window. */
export const explain = ({ contents, options, servers, shown }: View): ReadonlyArray<WindowReport> => {
  const front = new Set(shown.map(({ window }) => window))
  const fullscreen = new Map(
    shown.flatMap(({ window }) => window.fullscreen ? [[window.server, window.uri] as const] : [])
  )
  const why = (window: Window): string => {
    if (options.window !== undefined && options.window !== window.uri) return "another window was asked for"
    const content = contents.get(window)
    if (content?._tag === "Nothing") return content.why
    const alone = fullscreen.get(window.server)
    return alone === undefined
      ? `there is room for ${Math.max(0, options.size ?? 0)} windows`
      : `its server shows ${alone} in fullscreen`
  }
  const report = (window: Window): WindowReport => {
    const { fullscreen, priority, server, uri } = window
    const isShown = front.has(window)
    return { server, uri, priority, fullscreen, shown: isShown, why: isShown ? undefined : why(window) }
  }
  return [
    ...[...front].map(report),
    ...[...servers].flatMap(([server, { rejected, windows }]) => [
      ...windows().filter((window) => !front.has(window)).map(report),
      ...rejected().map(({ uri, why }) => ({ server, uri, priority: 0, fullscreen: false, shown: false, why }))
    ])
  ]
}

/** Hosts that windows of more than one server have. */
export const hostDiagnostics = (servers: Servers): ReadonlyArray<Diagnostic> => {
  const owners = new Map<string, string>()
  const shared = new Map<string, Diagnostic>()
  for (const [server, { windows }] of servers) {
    for (const { identity } of windows()) {
      const host = identity.split("/", 3)[2] ?? ""
      const owner = owners.get(host) ?? server
      owners.set(host, owner)
      if (owner !== server) {
        shared.set(`${host}/${server}`, {
          server,
          message: `its windows have the host "${host}", as those of "${owner}"`
        })
      }
    }
  }
  return [...shared.values()]
}
