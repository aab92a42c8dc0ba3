/**
 * `smcp agent upload`
 */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { PlatformError } from "effect/PlatformError"
import * as Agent from "../../agent/Agent.ts"
import * as Upload from "../../agent/Upload.ts"
import { computer, type Seat, seat, seated } from "../internal/agentSeat.ts"
import { usage } from "../internal/failure.ts"
import { printForeign, printJson } from "../internal/output.ts"
import { whileWaiting } from "../internal/waiting.ts"

const uploadFlags = {
  file: Argument.String("file").pipe(Argument.withDescription("The file on this machine")),
  computer: computer("The Computer that gets the file"),
  as: Flag.String("as").pipe(
    Flag.withMetavar("<name>"),
    Flag.withDescription("The file name to suggest to the Computer [default the file's own]"),
    Flag.optional
  )
}

interface Options extends Seat {
  readonly file: string
  readonly computer: string
  readonly as: Option.Option<string>
}

const upload = Effect.fnUntraced(function*(source: Upload.StreamSource<PlatformError>, options: Options) {
  const agent = yield* Agent.Agent
  let text = "Reading the file"
  const uploaded = yield* agent.upload(options.computer, source, {
    nameHint: Option.getOrUndefined(options.as),
    onProgress: ({ sent, total }) =>
      Effect.sync(() => {
        text = `Uploading: ${Math.floor(sent / total * 100)} % of ${total} bytes`
      })
  }).pipe(
    Effect.catchTag("PlatformError", () => unreadable(options.file)),
    whileWaiting(() => text)
  )
  yield* options.json ? printJson(uploaded) : printForeign(uploaded.landingPath)
})

const unreadable = (file: string) => usage(`${file} cannot be read; check the path`)

/** `smcp agent upload` */
export const uploadCommand = Command.make(
  "upload",
  { ...seat, ...uploadFlags },
  Effect.fnUntraced(function*(options) {
    const source = yield* Effect.catchTags(Upload.file(options.file), {
      PlatformError: () => unreadable(options.file),
      SmcpError: ({ message }) => usage(message)
    })
    yield* upload(source, options).pipe(seated(options))
  })
).pipe(
  Command.withDescription(
    "Writes a file to a Computer and prints the path it has there, which tools of the Computer take as an argument. The " +
      "Computer chooses the place and does not keep the file for ever; it takes files only when it was started with " +
      "--landing-root. With --json an object of landingPath, totalSize and sha256."
  ),
  Command.withShortDescription("Write a file to a Computer"),
  Command.withExamples([
    { command: "smcp agent upload report.pdf --computer laptop", description: "Prints the path on the Computer" },
    {
      command: "path=$(smcp agent upload in.csv -c laptop) && " +
        "smcp agent call -c laptop -t data__load --params \"{\\\"path\\\":\\\"$path\\\"}\"",
      description: "Give it to a tool"
    }
  ])
)
