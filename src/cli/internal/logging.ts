/**
 * Logs for the person at the terminal: one line each, on stderr, because stdout
 * is for what was asked.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import { printable } from "./output.ts"

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

const messageOf = (error: unknown): string => error instanceof Error ? error.message : String(error)

const timeOf = (date: Date): string =>
  [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":")

/** Logs on stderr; from `Info` on, or from `Debug` on with `--debug`. */
export const layer = (debug: boolean): Layer.Layer<never> =>
  Layer.mergeAll(
    Logger.layer([Logger.withConsoleError(line)]),
    Layer.succeed(Debug, debug),
    Layer.succeed(References.MinimumLogLevel, debug ? "Debug" : "Info")
  )
