/**
 * Runs what was typed.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { SmcpError } from "../../../protocol/SmcpError.ts"
import { type Failure, usage } from "../../internal/failure.ts"
import { print, printJson } from "../../internal/output.ts"
import type { KnownCommand } from "../ConsoleCommand.ts"
import type { Services } from "../Session.ts"
import type { Page, View } from "../View.ts"
import { parse } from "../Words.ts"
import { handlers } from "./handlers.ts"
import { type Arguments, resolve, type Resolved } from "./resolve.ts"

/** What a line asks for; undefined when it is empty or a comment. Fails with what is wrong, and where. */
export const read = (line: string): Effect.Effect<Resolved | undefined, Failure> => {
  const words = parse(line)
  if (Result.isFailure(words)) {
    return Effect.fail(usage(`${words.failure.message} (column ${words.failure.at + 1})`))
  }
  if (words.success.length === 0) return Effect.succeed(undefined)
  const resolved = resolve(words.success)
  return Result.isFailure(resolved) ? Effect.fail(usage(resolved.failure)) : Effect.succeed(resolved.success)
}

/** Whether the command is for whoever has the screen, and not for the Computer. */
export const isOfScreen = (
  command: KnownCommand
): command is KnownCommand & { readonly name: "clear" | "quit" } => command.name === "clear" || command.name === "quit"

/** Runs a command. */
export const run = (
  command: KnownCommand,
  args: Arguments
): Effect.Effect<View, SmcpError | Failure, Services> =>
  isOfScreen(command)
    ? Effect.fail(usage(`"${command.name}" is for the prompt of "smcp computer"`))
    : Effect.suspend(() => handlers[command.name as Exclude<typeof command.name, "clear" | "quit">](args))

/** Prints what a command has to show. */
export const present = (
  view: View,
  { json, page }: { readonly json: boolean; readonly page: Page }
): Effect.Effect<void> => {
  if (json) return printJson(view.json)
  const text = view.text(page)
  return text === "" ? Effect.void : print(text)
}
