import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { errorLine, smcp, startSmcp } from "./support/smcp.ts"

describe("smcp server", () => {
  it.live("does not start without a key, and says what to do", () =>
    Effect.gen(function*() {
      const ended = yield* smcp(["server"])
      assert.match(errorLine(ended), /--api-key.*SMCP_API_KEY.*--allow-anonymous/)
      assert.deepStrictEqual([ended.exitCode, ended.stdout], [2, ""])
    }))

  it.live("refuses a key and --allow-anonymous together", () =>
    Effect.gen(function*() {
      const ended = yield* smcp(["server", "--allow-anonymous", "--api-key", "k"])
      assert.match(errorLine(ended), /give one of them/)
      assert.strictEqual(ended.exitCode, 2)
    }))

  it.live("prints its URL first, answers there, and ends on SIGTERM with exit code 0", () =>
    Effect.gen(function*() {
      const server = yield* startSmcp(["server", "--host", "127.0.0.1", "--port", "0", "--api-key", "secret-key"])
      const url = yield* server.firstLine
      assert.match(url, /^http:\/\/127\.0\.0\.1:\d+$/)
      const health = yield* Effect.promise(() => fetch(`${url}/health`).then((response) => response.text()))
      assert.strictEqual(JSON.parse(health).status, "ok")
      yield* server.kill("SIGTERM")
      const ended = yield* server.ended
      assert.deepStrictEqual([ended.exitCode, ended.stdout], [0, `${url}\n`])
      assert.match(ended.stderr, /INFO Listening/)
      assert.notInclude(ended.stderr, "secret-key")
    }))

  it.live("takes its keys from the environment, prints JSON, and ends on Ctrl-C with exit code 0", () =>
    Effect.gen(function*() {
      const server = yield* startSmcp(["server", "--json"], { SMCP_API_KEY: "one,two", SMCP_PORT: "0" })
      const { url, ...rest } = JSON.parse(yield* server.firstLine)
      assert.deepStrictEqual(rest, {})
      const seat = ["--url", url, "--office", "o"]
      assert.strictEqual((yield* smcp(["agent", "computers", ...seat, "--api-key", "two"])).exitCode, 0)
      assert.strictEqual((yield* smcp(["agent", "computers", ...seat, "--api-key", "one,two"])).exitCode, 6)
      yield* server.kill("SIGINT")
      assert.strictEqual((yield* server.ended).exitCode, 0)
    }))

  it.live("says when the port is in use", () =>
    Effect.gen(function*() {
      const server = yield* startSmcp(["server", "--allow-anonymous"])
      const { port } = new URL(yield* server.firstLine)
      const ended = yield* smcp(["server", "--allow-anonymous", "--port", port])
      assert.match(errorLine(ended), new RegExp(`127.0.0.1:${port}.*in use.*choose another`))
      assert.deepStrictEqual([ended.exitCode, ended.stdout], [2, ""])
    }))

  it.live("tells every peer its heartbeats at the handshake, and refuses those that cannot be", () =>
    Effect.gen(function*() {
      const server = yield* startSmcp(["server", "--allow-anonymous", "--ping-interval", "1.5", "--ping-timeout", "40"])
      const handshake = `${yield* server.firstLine}/socket.io/?EIO=4&transport=polling&a2c_version=0.4.0`
      const opened = yield* Effect.promise(() => fetch(handshake).then((response) => response.text()))
      const { pingInterval, pingTimeout } = JSON.parse(opened.slice(1))
      assert.deepStrictEqual([pingInterval, pingTimeout], [1500, 40_000])
      const refused = yield* smcp(["server", "--allow-anonymous", "--ping-timeout", "0"])
      assert.match(errorLine(refused), /ping-timeout.*above 0/)
      assert.strictEqual(refused.exitCode, 2)
    }))

  it.live("with --exit-with-stdin ends when its standard input does", () =>
    Effect.gen(function*() {
      const server = yield* startSmcp(["server", "--allow-anonymous", "--exit-with-stdin"])
      yield* server.firstLine
      server.stdin.end()
      assert.strictEqual((yield* server.ended).exitCode, 0)
    }))
})
