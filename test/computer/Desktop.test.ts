import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as ConfigFile from "../../src/computer/ConfigFile.ts"
import * as Desktop from "../../src/computer/Desktop.ts"
import * as Inputs from "../../src/computer/Inputs.ts"
import * as McpManager from "../../src/computer/McpManager.ts"
import * as Revision from "../../src/protocol/Revision.ts"
import { connectTo } from "./support/memoryServers.ts"
import { quiet } from "./support/office.ts"
import { ResourceServer } from "./support/resourceServers.ts"

/** A desktop over servers of this process, all of them ready. */
const desktopOf = Effect.fnUntraced(function*(
  servers: Readonly<Record<string, ResourceServer>>,
  revision?: Revision.Revision
) {
  const file = yield* ConfigFile.fromValue({
    servers: Object.fromEntries(Object.keys(servers).map((key) => [key, { command: "-" }]))
  }, "test")
  const context = yield* Layer.build(
    Desktop.layerOf(revision).pipe(
      Layer.provideMerge(McpManager.layer({ servers: file.servers })),
      Layer.provide([Inputs.layer(), connectTo(servers), quiet])
    )
  )
  const manager = Context.get(context, McpManager.McpManager)
  yield* manager.ready
  return { desktop: Context.get(context, Desktop.Desktop), manager }
})

/** Lets what needs no time happen until the condition holds; the clock stands still. */
const until = (what: string, condition: () => boolean) =>
  Effect.gen(function*() {
    for (let turn = 0; !condition(); turn++) {
      if (turn > 5000) return yield* Effect.die(new Error(`Did not happen: ${what}`))
      yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
    }
  })

const window = (path: string, content: ResourceServer["resources"][number]["content"] = path, rest: object = {}) => ({
  uri: `window://${path}`,
  content,
  ...rest
})
/** A promise and what ends it. */
const gate = <A>() => {
  let open: (value: A) => void = () => {}
  return { promise: new Promise<A>((resolve) => (open = resolve)), open: (value: A) => open(value) }
}
const never = () => new Promise<string>(() => {})
const priority = (value: unknown) => ({ annotations: { priority: value } })
const fullscreen = { _meta: { fullscreen: true } }

const urisOf = (desktops: ReadonlyArray<string>) => desktops.map((desktop) => desktop.split("\n", 1)[0]!)

describe("Desktop", () => {
  describe("render", () => {
    it.effect("shows the text of every window as published", () =>
      Effect.gen(function*() {
        const { desktop } = yield* desktopOf({
          logger: new ResourceServer([window("com.example.logger", "[2026-02-14 10:30:01] INFO: 操作完成")]),
          browser: new ResourceServer([window("com.example.browser/main", "<html>当前页面内容...</html>")])
        })
        assert.deepStrictEqual(yield* desktop.render(), [
          "window://com.example.browser/main\n\n<html>当前页面内容...</html>",
          "window://com.example.logger\n\n[2026-02-14 10:30:01] INFO: 操作完成"
        ])
      }))

    it.effect("joins texts, leaves out what is empty or binary, and other resources", () =>
      Effect.gen(function*() {
        const blob = { uri: "window://h", blob: "AAAA" }
        const { desktop } = yield* desktopOf({
          a: new ResourceServer([
            { uri: "file:///x", content: "no window" },
            window("h/two", [{ text: "one " }, blob, { text: "" }, { text: " two\n" }]),
            window("h/blob", [blob]),
            window("h/empty", []),
            window("h/blank", ""),
            window("h/odd", [{ text: 7 }, { uri: "x" }])
          ])
        })
        assert.deepStrictEqual(yield* desktop.render(), ["window://h/two\n\none \n\n two\n", "window://h/blank"])
      }))

    it.effect("finds 250 windows over 3 pages", () =>
      Effect.gen(function*() {
        const server = new ResourceServer(Array.from({ length: 250 }, (_, index) => window(`h/${index}`)))
        server.pageSize = 100
        const { desktop } = yield* desktopOf({ a: server })
        assert.deepStrictEqual(urisOf(yield* desktop.render()), server.resources.map(({ uri }) => uri))
        assert.deepStrictEqual(yield* desktop.diagnostics, [])
      }))

    it.effect("ends at a page that repeats, and says so", () =>
      Effect.gen(function*() {
        const server = new ResourceServer([window("h/1"), window("h/2"), window("h/3")])
        server.pageSize = 2
        server.repeats = true
        const { desktop } = yield* desktopOf({ a: server })
        assert.deepStrictEqual(urisOf(yield* desktop.render()), ["window://h/1", "window://h/2", "window://h/3"])
        const messages = (yield* desktop.diagnostics).map(({ message }) => message).join()
        assert.match(messages, /repeats a page/)
      }))

    it.effect("puts servers in the order of their use and windows in that of their priority", () =>
      Effect.gen(function*() {
        const { desktop } = yield* desktopOf({
          b: new ResourceServer([window("b/low", "x", priority(0.1)), window("b/high", "x", priority(0.9))]),
          a: new ResourceServer([
            window("a/1"),
            window("a/wrong", "x", priority(50)),
            window("a/3", "x", priority(0.5))
          ]),
          c: new ResourceServer([window("c/1"), window("c/full", "x", fullscreen), window("c/full2", "x", fullscreen)])
        })
        const a = ["window://a/3", "window://a/1", "window://a/wrong"]
        const b = ["window://b/high", "window://b/low"]
        const c = ["window://c/full"]
        const shown = Effect.map(desktop.render(), urisOf)
        assert.deepStrictEqual(yield* shown, [...a, ...b, ...c])
        yield* desktop.used("c")
        yield* desktop.used("b")
        yield* desktop.used("c")
        yield* desktop.used("without windows")
        assert.deepStrictEqual(yield* shown, [...c, ...b, ...a])
        yield* desktop.used("b")
        assert.deepStrictEqual(yield* shown, [...b, ...c, ...a])
        assert.deepStrictEqual(urisOf(yield* desktop.render({ size: 3 })), [...b, ...c])
      }))

    it.effect("reads what it shows and no more, and fills up for what is empty", () =>
      Effect.gen(function*() {
        const server = new ResourceServer(
          Array.from({ length: 300 }, (_, index) => window(`h/${index}`, index === 1 ? [] : "text"))
        )
        server.announced = { listChanged: true }
        const { desktop } = yield* desktopOf({ a: server })
        assert.deepStrictEqual(urisOf(yield* desktop.render({ size: 3 })), [
          "window://h/0",
          "window://h/2",
          "window://h/3"
        ])
        assert.deepStrictEqual(server.asked.filter((asked) => asked.startsWith("read")).sort(), [
          "read window://h/0",
          "read window://h/1",
          "read window://h/2",
          "read window://h/3"
        ])
      }))

    it.effect("takes only what has exactly the URI, before anything else", () =>
      Effect.gen(function*() {
        const { desktop } = yield* desktopOf({
          a: new ResourceServer([window("h/a", "1"), window("h/ab", "2"), window("h/full", "3", fullscreen)]),
          b: new ResourceServer([window("h/a", "4"), window("h/query?x=1", "5"), window("h/empty", [])])
        })
        const shown = (uri: string, size?: number) => desktop.render({ window: uri, size })
        assert.deepStrictEqual(yield* shown("window://h/a"), ["window://h/a\n\n1", "window://h/a\n\n4"])
        assert.deepStrictEqual(yield* shown("window://h/a", 1), ["window://h/a\n\n1"])
        assert.deepStrictEqual(yield* shown("window://h/query?x=1"), ["window://h/query\n\n5"])
        for (const uri of ["window://h", "window://h/", "window://H/a", "window://h/query", "window://h/empty", ""]) {
          assert.deepStrictEqual(yield* shown(uri), [], uri)
        }
        assert.deepStrictEqual(yield* shown("window://h/a", 0), [])
        assert.deepStrictEqual(yield* desktop.render({ size: -1 }), [])
      }))

    it.effect("takes priority and fullscreen from the query in the revision that has them there", () =>
      Effect.gen(function*() {
        const { desktop } = yield* desktopOf({
          a: new ResourceServer([
            window("h/1?priority=10", "x", priority(1)),
            window("h/2?priority=50"),
            window("h/3?priority=101")
          ]),
          b: new ResourceServer([window("i/1", "x", fullscreen), window("i/2?fullscreen=true")])
        }, Revision.revisions["0.1"])
        const all = ["window://h/2?priority=50", "window://h/1?priority=10", "window://i/2?fullscreen=true"]
        assert.deepStrictEqual(urisOf(yield* desktop.render()), all)
        assert.deepStrictEqual(urisOf(yield* desktop.render({ window: all[1] })), [all[1]])
      }))

    it.effect("waits 5 seconds for a window that is not read, and for nothing else of its server", () =>
      Effect.gen(function*() {
        const slow = new ResourceServer(Array.from({ length: 30 }, (_, index) => window(`slow/${index}`, never)))
        slow.resources = [window("slow/good"), ...slow.resources]
        const { desktop } = yield* desktopOf({
          a: slow,
          b: new ResourceServer([window("broken/1", () => Promise.reject(new Error("canary"))), window("broken/2")])
        })
        const rendering = yield* Effect.forkChild(desktop.render(), { startImmediately: true })
        yield* until("the slow windows are asked for", () => slow.count("read window://slow/6") === 1)
        yield* TestClock.adjust("4900 millis")
        assert.isUndefined(rendering.pollUnsafe())
        yield* TestClock.adjust("100 millis")
        assert.deepStrictEqual(urisOf(yield* Fiber.join(rendering)), ["window://slow/good", "window://broken/2"])
        assert.strictEqual(slow.count("read window://slow/20"), 0)
        const explaining = yield* Effect.forkChild(desktop.explain(), { startImmediately: true })
        yield* until("the slow windows are asked for", () => slow.count("read window://slow/6") === 2)
        yield* TestClock.adjust("5 seconds")
        const reports = yield* Fiber.join(explaining)
        const why = (uri: string) => reports.find((report) => report.uri === uri)?.why ?? ""
        assert.match(why("window://slow/29"), /did not answer within 5 seconds/)
        assert.match(why("window://broken/1"), /could not be read/)
      }))

    it.effect("lists again what may have changed, and waits 5 seconds for a list before it takes the last one", () =>
      Effect.gen(function*() {
        const server = new ResourceServer([window("h/1")], { subscribe: false })
        const { desktop } = yield* desktopOf({ a: server })
        assert.deepStrictEqual(urisOf(yield* desktop.render()), ["window://h/1"])
        // it does not announce changes of its list, and so it is asked every time
        server.resources = [window("h/2")]
        assert.deepStrictEqual(urisOf(yield* desktop.render()), ["window://h/2"])
        server.keepsList = true
        const { length } = server.asked
        const rendering = yield* Effect.forkChild(desktop.render(), { startImmediately: true })
        yield* until("it is asked for its list", () => server.asked.length > length)
        yield* TestClock.adjust("4900 millis")
        assert.isUndefined(rendering.pollUnsafe())
        yield* TestClock.adjust("100 millis")
        assert.deepStrictEqual(urisOf(yield* Fiber.join(rendering)), ["window://h/2"])
      }))

    it.effect("lists what announces its changes once in 60 seconds, or after the use of a tool", () =>
      Effect.gen(function*() {
        const server = new ResourceServer([window("h/1")])
        const { desktop } = yield* desktopOf({ a: server })
        const lists = () => server.count("list")
        yield* desktop.render()
        yield* desktop.render()
        assert.strictEqual(lists(), 1)
        yield* desktop.used("a")
        yield* desktop.render()
        assert.strictEqual(lists(), 2)
        yield* TestClock.adjust("61 seconds")
        yield* desktop.render()
        assert.strictEqual(lists(), 3)
      }))

    it.effect("asks nothing of servers without resources, and shows nothing of those that stopped", () =>
      Effect.gen(function*() {
        const plain = new ResourceServer([window("h/plain")], undefined)
        plain.announced = undefined
        const { desktop, manager } = yield* desktopOf({ plain, a: new ResourceServer([window("h/1")]) })
        assert.deepStrictEqual(urisOf(yield* desktop.render()), ["window://h/1"])
        assert.deepStrictEqual(plain.asked, [])
        yield* manager.stop("a")
        assert.deepStrictEqual(yield* desktop.render(), [])
      }))
  })

  it.effect("explains every window", () =>
    Effect.gen(function*() {
      const { desktop } = yield* desktopOf({
        a: new ResourceServer([
          window("a/late", "x"),
          window("a/first", "x", priority(1)),
          window("a/empty", [], priority(0.9)),
          window("a/blob", [{ uri: "x", blob: "AAAA" }], priority(0.8)),
          { uri: "window:///none" },
          window("a/first?twice", "x")
        ]),
        b: new ResourceServer([window("b/1", "x", priority(1)), window("b/full", "x", fullscreen)]),
        c: new ResourceServer([window("c/1")])
      })
      const reports = yield* desktop.explain({ size: 3 })
      assert.deepStrictEqual(
        reports.map(({ server, uri, shown, why }) => [server, uri, shown, why]),
        [
          ["a", "window://a/first", true, undefined],
          ["a", "window://a/late", true, undefined],
          ["b", "window://b/full", true, undefined],
          ["a", "window://a/empty", false, "it is empty"],
          ["a", "window://a/blob", false, "it has no text, and only text can be shown"],
          ["a", "window:///none", false, "it has no host: write window://host/path"],
          ["a", "window://a/first?twice", false, "its server lists this window twice"],
          ["b", "window://b/1", false, "its server shows window://b/full in fullscreen"],
          ["c", "window://c/1", false, "there is room for 3 windows"]
        ]
      )
      const [other] = (yield* desktop.explain({ window: "window://c/1" })).filter(({ server }) => server === "b")
      assert.strictEqual(other?.why, "another window was asked for")
    }))

  it.effect("says what the operator should know", () =>
    Effect.gen(function*() {
      const { desktop } = yield* desktopOf({
        a: new ResourceServer([window("h/1"), window("h/2", "x", { annotations: { audience: ["user"] } })]),
        b: new ResourceServer([window("h/3?x", "x", priority(2))])
      })
      yield* desktop.render()
      const said = (yield* desktop.diagnostics).map(({ message, server }) => `${server}: ${message}`)
      assert.strictEqual(said.length, 4)
      for (
        const part of [/^a: .*audience/, /^b: .*priority/, /^b: .*host and path/, /^b: .*host "h", as those of "a"/]
      ) {
        assert.isTrue(said.some((each) => part.test(each)), `${part} in ${said.join("\n")}`)
      }
    }))

  it.effect("emits a change of what is seen, and nothing else", () =>
    Effect.gen(function*() {
      const server = new ResourceServer([window("h/1"), window("h/2")])
      const { desktop, manager } = yield* desktopOf({ a: server, none: new ResourceServer([]) })
      yield* until("both are subscribed to", () => server.count("subscribe window://h/2") === 1)
      yield* desktop.render()
      let changes = 0
      yield* Effect.forkChild(Stream.runForEach(desktop.changes, () => Effect.sync(() => changes++)), {
        startImmediately: true
      })
      const steps: ReadonlyArray<readonly [change: Effect.Effect<unknown, unknown>, seen: boolean]> = [
        [Effect.promise(() => server.write("window://h/1", "new")), true],
        [Effect.promise(() => server.updated("window://h/1")), false],
        [Effect.promise(() => server.listChanged()), false],
        [manager.stop("none"), false],
        [manager.stop("a"), true],
        [Effect.provide(manager.start("a"), quiet), true]
      ]
      let expected = 1
      const known = new Set([yield* desktop.fingerprint])
      for (const [change, seen] of steps) {
        yield* change
        if (seen) yield* until("the change is emitted", () => changes > expected)
        for (let turn = 0; turn < 20; turn++) yield* TestClock.adjust("20 millis")
        if (seen) expected++
        assert.strictEqual(changes, expected)
        // a server that is back may show something else than before
        assert.strictEqual(known.has(yield* desktop.fingerprint), !seen)
        known.add(yield* desktop.fingerprint)
      }
    }))

  describe("what is subscribed to", () => {
    it.effect("is read again after 60 seconds, an update, or the use of a tool; everything else every time", () =>
      Effect.gen(function*() {
        const server = new ResourceServer([window("h/1")])
        const plain = new ResourceServer([window("i/1")], { listChanged: true })
        const { desktop } = yield* desktopOf({ a: server, b: plain })
        yield* until("the window is subscribed to", () => server.count("subscribe window://h/1") === 1)
        const reads = () => [server.count("read window://h/1"), plain.count("read window://i/1")]
        yield* desktop.render()
        yield* TestClock.adjust("59 seconds")
        yield* desktop.render()
        assert.deepStrictEqual(reads(), [1, 2])
        yield* TestClock.adjust("2 seconds")
        yield* desktop.render()
        yield* desktop.render()
        assert.deepStrictEqual(reads(), [2, 4])
        yield* desktop.used("b")
        yield* desktop.render()
        assert.deepStrictEqual(reads(), [2, 5])
        yield* desktop.used("a")
        assert.include(yield* desktop.render(), "window://h/1\n\nh/1")
        assert.deepStrictEqual(reads(), [3, 6])
        yield* Effect.promise(() => server.write("window://h/1", "new"))
        yield* until("the update is read", () => reads()[0] === 4)
        assert.include(yield* desktop.render(), "window://h/1\n\nnew")
        assert.deepStrictEqual(reads(), [4, 7])
      }))

    it.effect("is each window once, until it is gone, and every one again after a restart", () =>
      Effect.gen(function*() {
        const server = new ResourceServer([window("h/1"), window("h/2"), { uri: "file:///x", content: "x" }])
        const { manager } = yield* desktopOf({ a: server })
        const subscriptions = () => server.asked.filter((asked) => asked.includes("subscribe"))
        yield* until("both are subscribed to", () => subscriptions().length === 2)
        server.resources = [window("h/2"), window("h/3")]
        yield* Effect.promise(() => server.listChanged())
        yield* TestClock.adjust("200 millis")
        yield* until("the new one is subscribed to", () => subscriptions().length === 4)
        assert.deepStrictEqual(subscriptions(), [
          "subscribe window://h/1",
          "subscribe window://h/2",
          "unsubscribe window://h/1",
          "subscribe window://h/3"
        ])
        server.asked = []
        yield* Effect.promise(() => server.close())
        while ((yield* manager.states)[0]?.state._tag !== "Waiting") yield* Effect.yieldNow
        yield* manager.start("a")
        yield* until("both are subscribed to again", () => subscriptions().length === 2)
        assert.deepStrictEqual(subscriptions(), ["subscribe window://h/2", "subscribe window://h/3"])
      }))

    it.effect("is read again when it changed while it was read", () =>
      Effect.gen(function*() {
        const text = gate<string>()
        const server = new ResourceServer([window("h/1", () => text.promise)])
        const { desktop } = yield* desktopOf({ a: server })
        yield* until("it is subscribed to", () => server.count("subscribe window://h/1") === 1)
        const rendering = yield* Effect.forkChild(desktop.render(), { startImmediately: true })
        yield* until("it is read", () => server.count("read window://h/1") === 1)
        yield* Effect.promise(() => server.write("window://h/1", "new"))
        yield* until("the update is read", () => server.count("read window://h/1") === 2)
        text.open("old")
        assert.deepStrictEqual(yield* Fiber.join(rendering), ["window://h/1\n\nold"])
        assert.deepStrictEqual(yield* desktop.render(), ["window://h/1\n\nnew"])
      }))

    it.effect("is compared once the subscription is there, and nothing read before it is kept", () =>
      Effect.gen(function*() {
        const [subscribing, text] = [gate<void>(), gate<string>()]
        const server = new ResourceServer([window("h/1", "old"), window("h/2", () => text.promise)])
        server.subscribing = subscribing.promise
        const { desktop } = yield* desktopOf({ a: server })
        yield* desktop.render({ window: "window://h/1" })
        const reading = yield* Effect.forkChild(desktop.render({ window: "window://h/2" }), { startImmediately: true })
        yield* until(
          "both are asked for",
          () => server.count("subscribe window://h/2") === 1 && server.count("read window://h/2") === 1
        )
        const before = yield* desktop.fingerprint
        // nobody hears of this
        server.resources = [window("h/1", "new"), window("h/2", "new")]
        subscribing.open()
        yield* until("what was told is read again", () => server.count("read window://h/1") === 2)
        text.open("old")
        assert.deepStrictEqual(yield* Fiber.join(reading), ["window://h/2\n\nold"])
        assert.notStrictEqual(yield* desktop.fingerprint, before)
        assert.deepStrictEqual(yield* desktop.render(), ["window://h/1\n\nnew", "window://h/2\n\nnew"])
      }))

    it.effect("is nothing where the server has no subscriptions, whatever it announces", () =>
      Effect.gen(function*() {
        const liar = new ResourceServer(Array.from({ length: 20 }, (_, index) => window(`h/${index}`)))
        liar.refusesSubscriptions = true
        const { desktop } = yield* desktopOf({ a: liar, b: new ResourceServer([window("i/1")], {}) })
        assert.strictEqual((yield* desktop.render()).length, 21)
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* desktop.render()).length, 21)
        // it made no promise that it keeps, and so it is asked again
        assert.strictEqual(liar.count("read window://h/0"), 2)
        // and is left alone with subscriptions
        assert.isBelow(liar.asked.filter((asked) => asked.startsWith("subscribe")).length, 20)
      }))
  })
})
