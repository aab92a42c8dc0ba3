import { existsSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

/** What the MCP servers wrote: how often each call was started, and how its runs ended. */
export interface Entry {
  readonly started: number
  readonly finished: number
  readonly cancelled: number
}

/** The entry of a config file for an MCP server that writes to the file. Its tool is `work`. */
export const ledgerServerEntry = (file: string, mark: string) => ({
  command: process.execPath,
  args: [fileURLToPath(new URL("ledgerMcpServer.mjs", import.meta.url)), file],
  env: { SMCP_TEST_MARK: mark }
})

const none: Entry = { started: 0, finished: 0, cancelled: 0 }

export const readLedger = (file: string): ReadonlyMap<string, Entry> => {
  const entries = new Map<string, Entry>()
  const text = existsSync(file) ? readFileSync(file, "utf8") : ""
  // a line that is being written is not read
  for (const line of text.split("\n").slice(0, -1)) {
    const [what = "", id = ""] = line.split(" ")
    const entry = entries.get(id) ?? none
    entries.set(id, { ...entry, [what]: entry[what as keyof Entry] + 1 })
  }
  return entries
}
