import { Context, Effect, Layer } from "effect"
import { configFile, listing, mcpServerEntry, slowServerEntry, type Smcp, startSmcp } from "./smcp.ts"

/** A Server and a Computer, each a process of its own, and the environment that leads an Agent to them. */
export class Office extends Context.Service<Office, {
  readonly env: Readonly<Record<string, string>>
  readonly computer: Smcp
}>()("test/cli/Office") {}

export const KEY = "the-key"

/** A running Server and the environment that leads to it. */
export const startServer = Effect.gen(function*() {
  const server = yield* startSmcp(["server", "--port", "0", "--api-key", "another-key", "--api-key", KEY])
  const url = yield* server.firstLine
  return { server, url, env: { SMCP_URL: url, SMCP_API_KEY: KEY, SMCP_OFFICE: "office" } }
})

export const layer = Layer.effect(
  Office,
  Effect.gen(function*() {
    const { env } = yield* startServer
    const config = yield* configFile({
      raw: mcpServerEntry(listing("echo", "never", "result")),
      slow: slowServerEntry
    })
    const computer = yield* startSmcp([
      "computer",
      "--config",
      config,
      "--name",
      "laptop",
      "--approve",
      "all",
      "--log-format",
      "text"
    ], env)
    yield* computer.firstLine
    return { env, computer }
  })
)
