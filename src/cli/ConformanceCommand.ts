/**
 * `smcp conformance`: does a Server, or a Computer, do what the protocol asks of it?
 */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as flags from "./internal/flags.ts"

const settings = {
  url: Argument.String("url").pipe(
    Argument.withDescription(
      "The Server to check, or the one whose office the Computer sits in: http://host:port [env SMCP_URL]"
    ),
    Argument.withFallbackConfig(Config.String("SMCP_URL")),
    Argument.filter(flags.isHttpUrl, () => "Expected something like http://host:port")
  ),
  apiKey: flags.apiKey,
  revision: flags.revision,
  path: Flag.String("path").pipe(
    Flag.withMetavar("<path>"),
    Flag.withDescription("Path of Socket.IO [default /socket.io]"),
    Flag.withDefault("/socket.io"),
    Flag.filter((path) => path.startsWith("/"), () => "Expected a path that begins with /")
  ),
  computer: Flag.String("computer").pipe(
    Flag.withAlias("c"),
    Flag.withMetavar("<name>"),
    Flag.withDescription("Check this Computer instead of the Server; its office needs a free seat for an Agent"),
    Flag.optional
  ),
  office: Flag.String("office").pipe(
    Flag.withAlias("o"),
    Flag.withMetavar("<id>"),
    Flag.withDescription("The office the Computer sits in"),
    Flag.optional
  ),
  call: Flag.String("call").pipe(
    Flag.withMetavar("<tool>"),
    Flag.withDescription("A tool of the Computer that may really be called, with no parameters; otherwise none is"),
    Flag.optional
  ),
  only: Flag.String("only").pipe(
    Flag.withMetavar("<prefix>"),
    Flag.withDescription("Only the cases whose id begins like this, such as relay or join.ack"),
    Flag.optional
  ),
  json: flags.json
}

/** `smcp conformance` */
export const conformanceCommand = Command.make("conformance", settings, (options) =>
  // loaded only when it is asked for
  Effect.flatMap(
    Effect.promise(() => import("./internal/conformanceProgram.ts")),
    ({ conformance }) => conformance(options)
  )).pipe(
    Command.withDescription(
      "Checks a Server against the A2C-SMCP protocol, case by case, with frames written by hand: handshake, joins and " +
        "leaves, seats and names, notifications, relay, refusals, deadlines. With --computer it checks a Computer " +
        "instead: its tools, configuration, desktop, resources and blobs, without calling a tool.\n\n" +
        "  It may run against a Server in use: it sits in offices of its own, under names nobody has, and leaves nothing " +
        "behind; only a Server that mixes up its offices lets others hear of it. A case that fails breaks what the protocol demands; a warning is something the protocol leaves open or " +
        "official SDKs do otherwise. Each names the section of the specification " +
        "(github.com/A2C-SMCP/a2c-smcp-protocol, docs/specification).\n\n" +
        "  Exit codes: 0 nothing failed (there may be warnings), 1 a case failed, 2 the command line is wrong, " +
        "6 the Server cannot be reached or does not let us in."
    ),
    Command.withShortDescription("Check a Server or a Computer against the protocol"),
    Command.withExamples([
      {
        command: "smcp conformance http://127.0.0.1:7000 --api-key K",
        description: "A Server that speaks the newest released revision"
      },
      {
        command: "smcp conformance http://127.0.0.1:7000 --revision 0.5 --only room",
        description: "The scenarios of the room model alone"
      },
      {
        command: "smcp conformance http://127.0.0.1:7000 --computer laptop --office demo",
        description: "A Computer; nothing on its machine changes"
      },
      {
        command: "smcp conformance http://127.0.0.1:7000 --json | jq -r 'select(.outcome == \"failed\").case'",
        description: "One line of JSON a case, and a summary at the end"
      }
    ])
  )
