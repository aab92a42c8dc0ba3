/**
 * What `smcp computer` runs at a terminal.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { join } from "node:path"
import { ClientHandlers } from "../../computer/ClientHandlers.ts"
import type { Settings } from "../ComputerCommand.ts"
import * as Interactive from "../console/Interactive.ts"
import { Office } from "../console/Office.ts"
import * as Questions from "../console/Questions.ts"
import { Session } from "../console/Session.ts"
import { quote } from "../console/Words.ts"
import { followConfig, hostLayer, loadConfig, logDiagnostics, officeLayer, stateOf } from "./computerHost.ts"
import { exitCodes } from "./exitCodes.ts"
import { report } from "./failure.ts"
import * as logging from "./logging.ts"
import { print } from "./output.ts"
import { signalMeans } from "./signals.ts"

/** A console until `quit` or Ctrl-D; then every MCP server has ended and the terminal is as it was. */
export const interactive = Effect.fnUntraced(function*(options: Settings) {
  const config = yield* loadConfig(options)
  const state = yield* stateOf(options)
  yield* signalMeans(exitCodes.ok)
  const terminal = yield* Interactive.openTerminal(join(state, "console-history"))
  // before the servers say anything
  terminal.print("\"help\" lists the commands, Tab completes them, \"quit\" ends everything")
  const questions = yield* Effect.provide(Questions.Questions, Questions.layer(terminal.ask))
  const host = yield* hostLayer(options, config, state, {
    prompt: Interactive.askInput(questions),
    ask: Interactive.askConsent(questions, () => Interactive.pageOf(terminal))
  })
  const layer = Layer.mergeAll(
    host,
    officeLayer(options, state, { logEnd: true }),
    Layer.succeed(Questions.Questions, questions),
    Layer.succeed(Session, { beside: yield* Effect.scope, revision: options.revision })
  )
  yield* Effect.gen(function*() {
    yield* followConfig(options, config)
    yield* logDiagnostics
    yield* takeSeat(options).pipe(Effect.forkScoped({ startImmediately: true }))
    yield* Interactive.interact(terminal)
    // what is still said while the servers end is no longer about a prompt
    terminal.close()
  }).pipe(
    Effect.provide(layer),
    Effect.provideService(ClientHandlers, { elicitation: Interactive.askForm(questions) }),
    Effect.scoped,
    Interactive.printAbove(terminal),
    Effect.provide(logging.layerConsole)
  )
}, Effect.scoped)

/** Joins when the command line says where; a console without an office is none the worse for it. */
const takeSeat = ({ name, office, url }: Settings) =>
  Effect.gen(function*() {
    const service = yield* Office
    if (Option.isSome(url)) yield* service.connect(url.value)
    if (Option.isSome(office) && Option.isSome(name)) {
      yield* service.join(office.value, name.value)
      yield* print(`Joined office ${office.value} as ${name.value}`)
    }
  }).pipe(Effect.catchCauseIf((cause) => !Cause.hasInterruptsOnly(cause), (cause) => {
    const seat = [office, name].map((each) => quote(Option.getOrElse(each, () => "…"))).join(" ")
    return Effect.logError(
      `${report(cause).line ?? "The office could not be joined"}. To try again: socket join ${seat}`
    )
  }))
