/**
 * The windows of a desktop on stdout.
 */
import * as Effect from "effect/Effect"
import type { AgentWindow } from "../../agent/AgentWindow.ts"
import { printForeign, printJson, say } from "./output.ts"

/** Prints the windows as they are rendered, or as JSON; where there are none it says `none` to the person instead. */
export const printWindows = (
  windows: ReadonlyArray<AgentWindow>,
  { json, none }: { readonly json: boolean; readonly none: string }
): Effect.Effect<void> => {
  if (json) return printJson(windows.map(({ text, uri }) => ({ uri, text })))
  return windows.length === 0 ? say(none) : Effect.asVoid(printForeign(windows.map(({ raw }) => raw).join("\n\n")))
}
