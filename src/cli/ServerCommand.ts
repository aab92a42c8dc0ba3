/**
 * `smcp server`: a Server that stands on its own.
 */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as flags from "./internal/flags.ts"

const LARGEST_PORT = 65_535
const LONGEST_PING_SECONDS = 86_400

const pingSeconds = (name: string, description: string, seconds: number) =>
  Flag.Finite(name).pipe(
    Flag.withMetavar("<seconds>"),
    Flag.withDescription(`${description} [default ${seconds}]`),
    Flag.withDefault(seconds),
    Flag.filter(
      (given) => given > 0 && given <= LONGEST_PING_SECONDS,
      () => `Expected seconds above 0, at most ${LONGEST_PING_SECONDS}`
    )
  )

const settings = {
  host: Flag.String("host").pipe(
    Flag.withMetavar("<address>"),
    Flag.withDescription("Interface to listen on; 0.0.0.0 for all of them [env SMCP_HOST, default 127.0.0.1]"),
    Flag.withFallbackConfig(Config.String("SMCP_HOST")),
    Flag.withDefault("127.0.0.1")
  ),
  port: Flag.Int("port").pipe(
    Flag.withAlias("p"),
    Flag.withMetavar("<port>"),
    Flag.withDescription("Port to listen on; 0 takes a free one [env SMCP_PORT, default 0]"),
    Flag.withFallbackConfig(Config.Int("SMCP_PORT")),
    Flag.withDefault(0),
    Flag.filter((port) => port >= 0 && port <= LARGEST_PORT, () => `Expected 0 to ${LARGEST_PORT}`)
  ),
  apiKey: Flag.Redacted("api-key").pipe(
    Flag.withMetavar("<key>"),
    Flag.withDescription(
      "Lets in whoever shows this key; may be repeated [env SMCP_API_KEY, several joined by commas]"
    ),
    Flag.atLeast(0)
  ),
  allowAnonymous: flags.toggle("allow-anonymous", "Let in everyone who reaches the port"),
  path: Flag.String("path").pipe(
    Flag.withMetavar("<path>"),
    Flag.withDescription("Path of Socket.IO [default /socket.io]"),
    Flag.withDefault("/socket.io"),
    Flag.filter((path) => path.startsWith("/"), () => "Expected a path that begins with /")
  ),
  revisions: flags.revisions,
  maxPayload: Flag.Int("max-payload").pipe(
    Flag.withMetavar("<bytes>"),
    Flag.withDescription("Largest message a peer may send, in bytes [default 1000000]"),
    Flag.withDefault(1_000_000),
    Flag.filter((bytes) => bytes > 0, () => "Expected a number of bytes above 0")
  ),
  maxBacklog: Flag.Int("max-backlog").pipe(
    Flag.withMetavar("<bytes>"),
    Flag.withDescription("Drop a peer that does not read once about so many bytes wait for it [default 67108864]"),
    Flag.withDefault(67_108_864),
    Flag.filter((bytes) => bytes > 0, () => "Expected a number of bytes above 0")
  ),
  pingInterval: pingSeconds("ping-interval", "How often each peer is asked whether it is still there, in seconds", 25),
  pingTimeout: pingSeconds(
    "ping-timeout",
    "How long a peer may take to answer that, in seconds; a peer that vanished keeps its seat for up to both together",
    20
  ),
  json: flags.json,
  exitWithStdin: flags.exitWithStdin
}

/** `smcp server` */
export const serverCommand = Command.make("server", settings, (options) =>
  // loaded only when it is asked for: no other command needs what it brings
  Effect.flatMap(Effect.promise(() => import("./internal/serverProgram.ts")), ({ serve }) => serve(options))).pipe(
    Command.withDescription(
      "Runs a Server: keeps offices and relays between their Agents and Computers. " +
        "The first line on stdout is the URL it listens on; logs go to stderr. Ctrl-C or SIGTERM ends it."
    ),
    Command.withShortDescription("Run a Server"),
    Command.withExamples([
      {
        command: "SMCP_API_KEY=$(openssl rand -hex 24) smcp server --port 7000",
        description: "Listen on this machine"
      },
      { command: "smcp server --host 0.0.0.0 --port 7000 --api-key K1 --api-key K2", description: "Listen for others" },
      {
        command: "smcp server --revisions 0.4,0.5,0.1 --port 7000",
        description: "Also for peers of protocol 0.5, and those of 0.1, which announce no version"
      },
      {
        command: "smcp server --allow-anonymous --json",
        description: "Free port, no key, {\"url\":\"…\"} for a script"
      }
    ])
  )
