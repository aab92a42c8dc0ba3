// A program that owns MCP servers, to be ended in every way a program can end.
//
//   node owner.mjs <dist folder> '{"servers":[{"command":…,"args":[…]}],"ending":"wait"}'
//
// Prints one line of JSON when all servers are connected. `ending`: "wait" stay until killed · "close" close the scope and
// end by itself · "exit" call process.exit · "throw" die of an uncaught error.
import { Effect, Exit, Scope } from "effect"
import { join } from "node:path"
import { pathToFileURL } from "node:url"

const [dist, settings] = process.argv.slice(2)
const { connectStdio } = await import(pathToFileURL(join(dist, "computer", "McpClient.js")).href)
const plan = JSON.parse(settings)

const scope = Scope.makeUnsafe()
const clients = await Effect.runPromise(
  Effect.forEach(plan.servers, (server) => connectStdio({ ...server, eofGrace: 300, termGrace: 300 })).pipe(
    Scope.provide(scope)
  )
)
process.stdout.write(JSON.stringify(clients.map(({ pid }) => pid)) + "\n")

process.stdin.once("data", () => {
  switch (plan.ending) {
    case "wait":
      return
    case "close":
      process.stdin.destroy()
      void Effect.runPromise(Scope.close(scope, Exit.void))
      return
    case "exit":
      return process.exit(0)
    case "throw":
      setTimeout(() => {
        throw new Error("uncaught")
      })
  }
})
