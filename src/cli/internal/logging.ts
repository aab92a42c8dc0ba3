/**
 * Logs for the person at the terminal: one line each, on stderr, because stdout
 * is for what was asked.
 */
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import { messageOf } from "../../protocol/Thrown.ts"
import { printable } from "./output.ts"
import { canAnimate, CLEAR_LINE } from "./waiting.ts"

/** Whether `--debug` was given: errors show their cause, and debug logs appear. */
export const Debug = Context.Reference<boolean>("a2c-smcp/cli/Debug", { defaultValue: () => false })

const line = Logger.make<unknown, string>(({ cause, date, fiber, logLevel, message }) => {
  const words = (Array.isArray(message) ? message : [message]).map(word)
  const annotations = Object.entries(fiber.getRef(References.CurrentLogAnnotations))
    .map(([key, value]) => `${key}=${word(value)}`)
  const reason = cause.reasons.length === 0
    ? []
    : [fiber.getRef(Debug) ? `\n${Cause.pretty(cause)}` : messageOf(Cause.squash(cause))]
  return printable([timeOf(date), logLevel.toUpperCase(), ...words, ...annotations, ...reason].join(" "))
})

const word = (value: unknown): string => typeof value === "string" ? value : JSON.stringify(value)

const timeOf = (date: Date): string =>
  [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":")

/** One JSON object a line, for programs that collect logs: `level`, `message`, `timestamp`, annotations, the cause. */
const jsonLine = Logger.make<unknown, string>(({ cause, date, fiber, logLevel, message }) => {
  const words = (Array.isArray(message) ? message : [message]).map(word)
  const reason = cause.reasons.length === 0
    ? {}
    : { cause: fiber.getRef(Debug) ? Cause.pretty(cause) : messageOf(Cause.squash(cause)) }
  return JSON.stringify({
    timestamp: date.toISOString(),
    level: logLevel.toUpperCase(),
    message: words.join(" "),
    ...reason,
    ...fiber.getRef(References.CurrentLogAnnotations)
  })
})

/** How a log is written. */
export type Format = "text" | "json"

/** A line in the place of an indicator, which comes back below. */
const lineInPlace = Logger.make<unknown, string>((options) => `${canAnimate() ? CLEAR_LINE : ""}${line.log(options)}`)

/** Writes the log on stderr in this format. */
export const layerFormat = (format: Format): Layer.Layer<never> =>
  Logger.layer([Logger.withConsoleError(format === "text" ? lineInPlace : jsonLine)])

/** The log of a console, which shows the progress of calls in another way. */
export const layerConsole: Layer.Layer<never> = Logger.layer([
  Logger.make((options) => {
    const first: unknown = Array.isArray(options.message) ? options.message[0] : options.message
    if (typeof first === "string" && first.startsWith("progress ")) return
    options.fiber.getRef(Console.Console).error(line.log(options))
  })
])

/** Logs on stderr; from `Info` on, or from `Debug` on with `--debug`. */
export const layer = (debug: boolean): Layer.Layer<never> =>
  Layer.mergeAll(
    layerFormat("text"),
    Layer.succeed(Debug, debug),
    Layer.succeed(References.MinimumLogLevel, debug ? "Debug" : "Info")
  )
