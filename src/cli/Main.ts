#!/usr/bin/env node
/**
 * The `smcp` command.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Cause from "effect/Cause"
import * as CliConfig from "effect/cli/CliConfig"
import * as CliError from "effect/cli/CliError"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as MutableRef from "effect/MutableRef"
import type * as Runtime from "effect/Runtime"
import { agentCommand } from "./AgentCommand.ts"
import { computerCommand } from "./ComputerCommand.ts"
import { configCommand } from "./ConfigCommand.ts"
import { conformanceCommand } from "./ConformanceCommand.ts"
import { demoCommand } from "./DemoCommand.ts"
import { desktopCommand } from "./DesktopCommand.ts"
import { doctorCommand } from "./DoctorCommand.ts"
import { type ExitCode, exitCodeLines, exitCodes } from "./internal/exitCodes.ts"
import { oneLine, report } from "./internal/failure.ts"
import { environmentOf, toggle } from "./internal/flags.ts"
import * as logging from "./internal/logging.ts"
import { packageVersion } from "./internal/packageVersion.ts"
import { SignalExitCode } from "./internal/signals.ts"
import { serverCommand } from "./ServerCommand.ts"

// -----------------------------------------------------------------------------
// Command
// -----------------------------------------------------------------------------

const DEBUG = "debug"

const Debug = GlobalFlag.Setting(DEBUG)({
  flag: toggle(DEBUG, "Show the cause of an error, and debug logs")
})

const smcp = Command.make("smcp").pipe(
  Command.withDescription(
    "Lets an Agent use the tools of machines it cannot reach. A Computer hosts MCP servers and dials out to a Server; " +
      "an Agent in the same office calls their tools.\n\n" +
      `  Exit codes:\n${exitCodeLines("  ")}`
  ),
  Command.withExamples([
    { command: "smcp demo", description: "All three roles on this machine, with a real MCP server" },
    { command: "smcp server --port 7000", description: "A Server, with its key in SMCP_API_KEY" },
    {
      command: "smcp computer --config mcp.json --url http://127.0.0.1:7000 --office demo --name laptop",
      description: "A Computer with the MCP servers of mcp.json"
    },
    { command: "smcp agent tools --url http://127.0.0.1:7000 --office demo", description: "What the office offers" }
  ]),
  Command.withSubcommands([
    serverCommand,
    computerCommand,
    agentCommand,
    desktopCommand,
    configCommand,
    doctorCommand,
    conformanceCommand,
    demoCommand
  ]),
  Command.withGlobalFlags([Debug])
)

// -----------------------------------------------------------------------------
// What is said about the command line itself
// -----------------------------------------------------------------------------

/** How an invalid environment variable is marked. */
const FROM_ENVIRONMENT = "config"

const reasonIn = (text: string): string => /^SchemaError\((.*)\)$/s.exec(text)?.[1] ?? text

/** A wrong command line is one line on stderr, not a page of help. */
const presenter: CliOutput.Presenter = {
  present: (event) =>
    event._tag === "InvalidInvocation"
      ? Console.error(
        `smcp: ${sentence(causes(event.errors).map(describe).join("; "))} See "${event.commandPath.join(" ")} --help"`
      )
      : CliOutput.defaultPresenter.present(event)
}

/** The value behind a flag that there is not is taken for a command: that one is not worth mentioning. */
const causes = (errors: ReadonlyArray<CliError.NonShowHelpErrors>): ReadonlyArray<CliError.NonShowHelpErrors> => {
  const flags = errors.filter(({ _tag }) => _tag === "UnrecognizedOption")
  return flags.length > 0 ? flags : errors
}

const sentence = (text: string): string => text.endsWith("?") ? text : `${text}.`

const orRather = (suggestions: ReadonlyArray<string>): string =>
  suggestions.length === 0 ? "" : `; did you mean ${suggestions.join(" or ")}?`

const describe = (error: CliError.NonShowHelpErrors): string => {
  if (error._tag === "UnrecognizedOption") return `There is no flag ${error.option}${orRather(error.suggestions)}`
  if (error._tag === "InvalidValue" && error.value === FROM_ENVIRONMENT) {
    return `The environment variable for --${error.option} is wrong: ${oneLine(reasonIn(error.expected))}`
  }
  const said = oneLine(error.message).replace(/\.$/, "")
  const variable = error._tag === "MissingOption" ? environmentOf[error.option] : undefined
  return variable === undefined ? said : `${said} (or set ${variable})`
}

const cliLayer = Layer.mergeAll(
  CliOutput.layerPresenter(presenter),
  CliConfig.layer({
    builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions, GlobalFlag.LogLevel]
  })
)

// -----------------------------------------------------------------------------
// Running
// -----------------------------------------------------------------------------

const exitCodeOf = (cause: Cause.Cause<unknown>, onSignal: ExitCode): number => {
  if (Cause.hasInterruptsOnly(cause)) return onSignal
  const error = Cause.squash(cause)
  if (!CliError.isCliError(error)) return report(cause).exitCode
  return error._tag === "ShowHelp" && error.errors.length === 0 ? exitCodes.ok : exitCodes.usage
}

/** Says why the command failed, unless that was said or a signal ended it. */
const explain = (debug: boolean) => (cause: Cause.Cause<unknown>): Effect.Effect<void> => {
  if (Cause.hasInterruptsOnly(cause) || CliError.isCliError(Cause.squash(cause))) return Effect.void
  const { line } = report(cause)
  return Effect.andThen(
    line === undefined ? Effect.void : Console.error(`smcp: ${line}`),
    debug ? Console.error(Cause.pretty(cause)) : Effect.void
  )
}

const program = Effect.gen(function*() {
  const words = process.argv.slice(2)
  const debug = words.includes(`--${DEBUG}`)
  const layer = Layer.mergeAll(NodeServices.layer, logging.layer(debug), cliLayer)
  yield* Command.runWith(smcp, { version: packageVersion() })(words).pipe(
    Effect.tapCause(explain(debug)),
    Effect.provide(layer)
  )
})

/** Who reads us may stop reading, like `head` does: then there is nothing left to do, and nothing to complain of. */
const endWithReader = (): void => {
  // the end of the command takes the listener away: what was done by then was done
  process.stdout.on("error", () => process.listenerCount("SIGTERM") > 0 && process.kill(process.pid, "SIGTERM"))
  process.stderr.on("error", () => {})
}

const main = (): void => {
  const onSignal = MutableRef.make<ExitCode>(exitCodes.interrupted)
  const teardown: Runtime.Teardown = (exit, onExit) =>
    onExit(Exit.isSuccess(exit) ? exitCodes.ok : exitCodeOf(exit.cause, MutableRef.get(onSignal)))
  endWithReader()
  program.pipe(
    Effect.provideService(SignalExitCode, onSignal),
    NodeRuntime.runMain({ disableErrorReporting: true, teardown })
  )
}

main()
