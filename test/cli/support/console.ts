import { Effect } from "effect"
import { randomUUID } from "node:crypto"
import { temporaryFolder } from "../../support/temporaryFolder.ts"
import { configFile } from "./smcp.ts"
import { type Options, startSmcpInPty } from "./terminal.ts"

/** A console with these servers, its state directory, and a mark on its servers. */
export const startConsole = Effect.fnUntraced(function*(
  servers: (mark: string) => Readonly<Record<string, unknown>>,
  args: ReadonlyArray<string> = [],
  options: Options = {}
) {
  const mark = randomUUID()
  const state = yield* temporaryFolder
  const config = yield* configFile(servers(mark))
  const terminal = yield* startSmcpInPty(["computer", "--config", config, "--state-dir", state, ...args], {
    columns: 90,
    rows: 30,
    ...options
  })
  yield* terminal.shows(/smcp>/)
  return { terminal, mark, state }
})

/** The last row that is not empty is the prompt with just this behind it. */
export const promptIs = (draft: string) => (rows: ReadonlyArray<string>): boolean =>
  rows.findLast((row) => row.trim() !== "")?.trimEnd() === `smcp> ${draft}`.trimEnd()
