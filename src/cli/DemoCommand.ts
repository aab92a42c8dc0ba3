/**
 * `smcp demo`: the three roles as three processes on this machine.
 */
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"

/** `smcp demo` */
export const demoCommand = Command.make("demo", {}, () =>
  // loaded only when it is asked for
  Effect.flatMap(Effect.promise(() => import("./internal/demo.ts")), ({ demo }) => demo)).pipe(
    Command.withDescription(
      "Shows everything once, without network: starts a Server, a Computer with a real MCP server " +
        "(@modelcontextprotocol/server-everything) and Agents, each a process of its own; lists the tools, calls two of " +
        "them, cancels one, and ends them all. Takes about ten seconds."
    ),
    Command.withShortDescription("See all three roles at work on this machine")
  )
