/**
 * `smcp agent call`
 */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { call } from "../internal/agentCall.ts"
import { computer, seat, seated } from "../internal/agentSeat.ts"
import { usage } from "../internal/failure.ts"

const callFlags = {
  computer: computer("The Computer that has the tool"),
  tool: Flag.String("tool").pipe(
    Flag.withAlias("t"),
    Flag.withMetavar("<name>"),
    Flag.withDescription("The tool, as \"smcp agent tools\" names it")
  ),
  params: Flag.String("params").pipe(
    Flag.withMetavar("<json>"),
    Flag.withDescription("The parameters, a JSON object, or @file to read it from a file [default {}]"),
    Flag.withDefault("{}")
  ),
  timeout: Flag.Finite("timeout").pipe(
    Flag.withMetavar("<seconds>"),
    Flag.withDescription("How long the tool may take, in seconds [default 60]"),
    Flag.withDefault(60),
    Flag.filter((seconds) => seconds > 0, () => "Expected seconds above 0")
  )
}

const readParams = Effect.fnUntraced(function*(given: string) {
  const file = given.startsWith("@") ? given.slice(1) : undefined
  const where = file === undefined ? "--params" : `--params: ${file}`
  const text = file === undefined ? given : yield* FileSystem.FileSystem.use((fs) => fs.readFileString(file)).pipe(
    Effect.mapError(() => usage(`${where} cannot be read; check the path`))
  )
  const value = yield* Effect.try({
    try: (): unknown => JSON.parse(text),
    catch: () => usage(`${where} is not JSON; write an object such as '{"message":"hi"}'`)
  })
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return yield* usage(`${where} is not a JSON object; write one such as '{"message":"hi"}'`)
  }
  return value as Readonly<Record<string, unknown>>
})

/** `smcp agent call` */
export const callCommand = Command.make(
  "call",
  { ...seat, ...callFlags },
  Effect.fnUntraced(function*(options) {
    const params = yield* readParams(options.params)
    yield* call({ ...options, params }).pipe(seated(options))
  })
).pipe(
  Command.withDescription(
    "Calls a tool and prints its result: the text of it, or with --json the whole result as the MCP server gave it. " +
      "Ctrl-C cancels the call at the Computer and waits for its answer. Exit codes: 0 done, 3 the tool failed, " +
      "4 timed out, 5 cancelled, 1, 2 and 6 as \"smcp --help\" says."
  ),
  Command.withShortDescription("Call a tool and print its result"),
  Command.withExamples([
    {
      command:
        "smcp agent call --url http://127.0.0.1:7000 --office demo --computer laptop --tool fs__read --params '{\"path\":\"/tmp/a\"}'",
      description: "Parameters on the command line"
    },
    {
      command: "smcp agent call --computer laptop --tool fs__write --params @params.json --timeout 10 --json",
      description: "Parameters from a file, the rest from the environment"
    }
  ])
)
