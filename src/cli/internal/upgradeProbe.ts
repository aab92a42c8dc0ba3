/**
 * Asks a Server for a WebSocket and tells what it says, which `fetch` cannot.
 */
import * as Effect from "effect/Effect"
import { randomBytes } from "node:crypto"
import * as Http from "node:http"
import * as Https from "node:https"
import type { Duplex } from "node:stream"
import * as Conformance from "../../testing/Conformance.ts"

const PATIENCE = "5 seconds"
/** How long an opened socket has until it is closed, in milliseconds. */
const CLOSE_MILLIS = 2000

/** The HTTP answer to a WebSocket handshake, and the code with which an opened socket is closed. */
export const upgrade = (url: string): Effect.Effect<Conformance.UpgradeAnswer, Conformance.ConformanceFailure> =>
  Effect.callback<Conformance.UpgradeAnswer, Conformance.ConformanceFailure>((resume) => {
    const fail = (error: Error) =>
      resume(Effect.fail(new Conformance.ConformanceFailure({ message: `No answer to the upgrade: ${error.message}` })))
    const request = (url.startsWith("https:") ? Https : Http).request(url, {
      agent: false,
      headers: {
        Connection: "Upgrade",
        Upgrade: "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": randomBytes(16).toString("base64")
      }
    })
    request.on("error", fail)
    request.on("response", (response) => {
      readAll(response, (body) => resume(Effect.succeed({ ...headOf(response), body, closeCode: undefined })))
      response.on("error", fail)
    })
    request.on("upgrade", (response, socket, head) => {
      untilClosed(socket, head, (closeCode) => {
        socket.destroy()
        resume(Effect.succeed({ ...headOf(response), body: "", closeCode }))
      })
    })
    request.end()
    return Effect.sync(() => void request.destroy())
  }).pipe(Effect.timeoutOrElse({
    duration: PATIENCE,
    orElse: () =>
      Effect.fail(new Conformance.ConformanceFailure({ message: `No answer to the upgrade in ${PATIENCE}` }))
  }))

const headOf = ({ headers, statusCode }: Http.IncomingMessage) => ({
  status: statusCode ?? 0,
  headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))
})

const readAll = (response: Http.IncomingMessage, done: (body: string) => void): void => {
  const chunks: Array<Buffer> = []
  response.on("data", (chunk: Buffer) => chunks.push(chunk)).on(
    "end",
    () => done(Buffer.concat(chunks).toString("utf8"))
  )
}

const untilClosed = (socket: Duplex, head: Buffer, done: (closeCode: number | undefined) => void): void => {
  let bytes = head
  const look = () => {
    const code = closeCodeIn(bytes)
    if (code !== undefined) done(code)
  }
  const timer = setTimeout(() => done(undefined), CLOSE_MILLIS)
  socket.on("data", (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk])
    look()
  })
  socket.on("error", () => {}).on("close", () => {
    clearTimeout(timer)
    done(closeCodeIn(bytes))
  })
  look()
}

const CLOSE_FRAME = 0x88
const LONG_LENGTH = 126

/** The code of the close frame among the frames of a server, which masks nothing. */
const closeCodeIn = (bytes: Buffer): number | undefined => {
  let at = 0
  while (at + 4 <= bytes.length) {
    const short = bytes[at + 1]! & 0x7f
    if (bytes[at] === CLOSE_FRAME) return short < 2 ? undefined : bytes.readUInt16BE(at + 2)
    if (short > LONG_LENGTH) return undefined
    at += short === LONG_LENGTH ? 4 + bytes.readUInt16BE(at + 2) : 2 + short
  }
  return undefined
}
