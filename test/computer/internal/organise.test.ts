import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { choose, organise } from "../../../src/computer/internal/desktop/organise.ts"

interface Given {
  readonly server: string
  readonly priority: number
  readonly fullscreen: boolean
  readonly content: boolean
}

/** Chooses as the Desktop does, reading what it is told to; also says what it read. */
const chosenFrom = <W extends Given>(windows: ReadonlyArray<W>, recent: ReadonlyArray<string>, size?: number) => {
  const groups = organise(windows, recent)
  const read = new Set<W>()
  while (true) {
    const { chosen, unread } = choose(groups, size, (window) => read.has(window) ? window.content : undefined)
    if (unread.length === 0) return { chosen, read }
    assert.isAtMost(unread.length + chosen.length, size ?? Infinity)
    for (const window of unread) {
      assert.isFalse(read.has(window), "a window is read twice")
      read.add(window)
    }
  }
}

/** The five steps of the specification, one after the other, on windows that were all read. */
const specified = <W extends Given>(windows: ReadonlyArray<W>, history: ReadonlyArray<string>, size?: number) => {
  if (size !== undefined && size <= 0) return []
  const filtered = windows.filter(({ content }) => content)
  const servers = [...new Set(filtered.map(({ server }) => server))]
  const used = [...new Set([...history].reverse())].filter((server) => servers.includes(server))
  const order = [...used, ...servers.filter((server) => !used.includes(server)).sort()]
  const all = order.flatMap((server) => {
    const own = filtered.filter((window) => window.server === server)
    const first = own.find(({ fullscreen }) => fullscreen)
    if (first !== undefined) return [first]
    const priorities = [...new Set(own.map(({ priority }) => priority))].sort((a, b) => b - a)
    return priorities.flatMap((priority) => own.filter((window) => window.priority === priority))
  })
  return size === undefined ? all : all.slice(0, size)
}

const Windows = Schema.Array(Schema.Struct({
  server: Schema.Literals(["a", "b", "B", "a-1", "_c", "z"]),
  priority: Schema.Literals([0, 0.1, 0.5, 0.9, 1]),
  fullscreen: Schema.Literals([false, false, false, true]),
  content: Schema.Literals([true, true, false])
}))
const History = Schema.Array(Schema.Literals(["a", "b", "z", "gone"]))
const Size = Schema.UndefinedOr(Schema.Literals([-1, 0, 1, 2, 3, 10]))

describe("organise and choose", () => {
  it.prop("order and cut as the specification says", [Windows, History, Size], ([windows, history, size]) => {
    const recent = [...new Set([...history].reverse())]
    // every window is an object of its own, also where two look alike
    const given = windows.map((window) => ({ ...window }))
    const { chosen, read } = chosenFrom(given, recent, size)
    const expected = specified(given, history, size)
    assert.strictEqual(chosen.length, expected.length)
    chosen.forEach((window, index) => assert.strictEqual(window, expected[index]))
    // nothing is read in vain, unless the windows of a server take the place of its empty fullscreen window
    if (given.some(({ content, fullscreen }) => fullscreen && !content)) return
    for (const window of read) assert.isTrue(chosen.includes(window) || !window.content)
  }, { arbitrary: { runs: 2000 } })

  const window = (uri: string, priority = 0, fullscreen = false, content = true) => ({
    server: uri.split("/")[2]!,
    uri,
    priority,
    fullscreen,
    content
  })
  const shown = (windows: ReadonlyArray<ReturnType<typeof window>>, recent: ReadonlyArray<string>, size?: number) =>
    chosenFrom(windows, recent, size).chosen.map(({ uri }) => uri)

  it("order servers by use, then by bundle id, and windows by priority", () => {
    const windows = [
      window("window://logger"),
      window("window://editor/b", 0.2),
      window("window://browser/tab1", 0.8),
      window("window://editor/a", 0.2),
      window("window://editor/c", 0.9)
    ]
    const editor = ["window://editor/c", "window://editor/b", "window://editor/a"]
    assert.deepStrictEqual(shown(windows, []), ["window://browser/tab1", ...editor, "window://logger"])
    assert.deepStrictEqual(shown(windows, ["logger", "editor"]), [
      "window://logger",
      ...editor,
      "window://browser/tab1"
    ])
    assert.deepStrictEqual(shown(windows, ["logger", "editor"], 2), ["window://logger", "window://editor/c"])
  })

  it("let a fullscreen window that has content stand for its server alone", () => {
    const windows = [
      window("window://a/top", 1),
      window("window://a/empty", 0.9, true, false),
      window("window://a/first", 0.1, true),
      window("window://a/second", 0.9, true),
      window("window://b/only", 0, true, false),
      window("window://b/other"),
      window("window://c/full", 0, true)
    ]
    assert.deepStrictEqual(shown(windows, []), ["window://a/first", "window://b/other", "window://c/full"])
    assert.deepStrictEqual(shown(windows, [], 1), ["window://a/first"])
  })

  it("read as little as is needed of many windows", () => {
    const windows = Array.from(
      { length: 10_000 },
      (_, index) => window(`window://s${index % 50}/${index}`, index / 1e4)
    )
    const { chosen, read } = chosenFrom(windows, ["s7"], 10)
    assert.deepStrictEqual([chosen.length, read.size], [10, 10])
    assert.isTrue(chosen.every(({ server }) => server === "s7"))
    assert.strictEqual(chosenFrom(windows, [], undefined).chosen.length, 10_000)
  })
})
