import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { configFile, errorLine, listing, mcpServerEntry, smcp, startSmcp } from "./support/smcp.ts"

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

  const serve = Effect.fnUntraced(function*(args: ReadonlyArray<string>, env?: Readonly<Record<string, string>>) {
    const server = yield* startSmcp(["server", "--allow-anonymous", ...args], env)
    return { server, url: yield* server.firstLine }
  })

  it.live("serves a Computer and an Agent of each revision, and names all of them", () =>
    Effect.gen(function*() {
      const { server, url } = yield* serve(["--revisions", "0.4, 0.5,0.1,0.3,0.2"])
      yield* server.stderrHas(/Listening on .*, protocol 0\.5\.0, 0\.4\.0, 0\.3\.2, 0\.2\.3, 0\.1\.2/)
      const config = yield* configFile({ raw: mcpServerEntry(listing("echo")) })
      yield* Effect.forEach(["0.1", "0.2", "0.3", "0.4", "0.5"], (id) =>
        Effect.gen(function*() {
          const seat = ["--url", url, "--office", id, "--revision", id]
          const computer = yield* startSmcp([
            "computer",
            "--config",
            config,
            "--name",
            "pc",
            "--approve",
            "all",
            ...seat
          ])
          yield* computer.firstLine
          const tool = id < "0.3" ? "echo" : "raw__echo"
          const call = ["agent", "call", "--computer", "pc", "--tool", tool, "--params", `{"in":"${id}"}`]
          const called = yield* smcp([...call, ...seat])
          assert.deepStrictEqual([called.exitCode, called.stdout], [0, `{"in":"${id}"}\n`], called.stderr)
        }), { concurrency: 2, discard: true })
      yield* server.stderrHas(/The computer "pc" entered office "0\.1", protocol 0\.1/)
    }))

  it.live("takes its revisions from the environment; who speaks none of them learns what to use", () =>
    Effect.gen(function*() {
      const { url } = yield* serve([], { SMCP_REVISIONS: "0.5,0.2" })
      const agent = ["agent", "computers", "--url", url, "--office", "o"]
      const ended = yield* smcp(agent)
      assert.match(
        errorLine(ended),
        /The Server speaks 0\.5\.0, 0\.2\.3, this side 0\.4\.0: use --revision 0\.5 or 0\.2$/
      )
      assert.strictEqual(ended.exitCode, 6)
      assert.strictEqual((yield* smcp([...agent, "--revision", "0.2"])).exitCode, 0)
    }))

  it.live("tells who comes to an office of another revision", () =>
    Effect.gen(function*() {
      const { url } = yield* serve(["--revisions", "0.4,0.5"])
      const seat = ["--url", url, "--office", "o"]
      const watching = yield* startSmcp(["agent", "watch", ...seat])
      yield* watching.stderrHas(/Watching/)
      const ended = yield* smcp(["agent", "computers", "--revision", "0.5", ...seat])
      assert.match(errorLine(ended), /This office speaks protocol 0\.4 .*this session 0\.5/)
      assert.strictEqual(ended.exitCode, 6)
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
