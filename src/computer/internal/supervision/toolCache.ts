/**
 * The tools that lazy servers had last, kept in files so that a Computer that is started again can list them.
 */
import * as Effect from "effect/Effect"
import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { rm } from "node:fs/promises"
import { join } from "node:path"
import { isRecord } from "../../../protocol/Json.ts"
import type { ToolList } from "../../McpClient.ts"
import type { ServerEntry } from "../../ServerEntry.ts"
import { attemptQuietly, replaceFile } from "../files.ts"
import { listTools } from "../mcp/toolList.ts"
import { seenByServer } from "./entryChange.ts"

export interface ToolCache {
  /** The tools that a server had with this very configuration. */
  readonly read: (entry: ServerEntry) => ToolList | undefined
  /** Keeps them in place of those it had before. A failure is logged: nothing but the next start depends on it. */
  readonly write: (entry: ServerEntry, list: ToolList) => Effect.Effect<void>
  /** Forgets those of a server that is no longer configured. */
  readonly forget: (entry: ServerEntry) => Effect.Effect<void>
}

/** Keeps nothing. */
export const noToolCache: ToolCache = {
  read: () => undefined,
  write: () => Effect.void,
  forget: () => Effect.void
}

/** A file per server in a directory, which is made when there is something to keep. */
export const makeToolCache = (directory: string): ToolCache => {
  const pathOf = ({ bundleId, origin: { source } }: ServerEntry) =>
    join(directory, `${hashOf(JSON.stringify([source, bundleId]))}.json`)
  return {
    read: (entry) => {
      try {
        return readList(JSON.parse(readFileSync(pathOf(entry), "utf8")), entry)
      } catch {
        // missing or unreadable: the server is asked
        return undefined
      }
    },
    write: (entry, { tools }) =>
      Effect.suspend(() =>
        replaceFile(pathOf(entry), JSON.stringify({ version: VERSION, configuration: configurationOf(entry), tools }))
      ).pipe(
        Effect.catch(({ message }) =>
          Effect.logWarning(`The tools of "${entry.bundleId}" could not be kept for the next start: ${message}`)
        )
      ),
    forget: (entry) => attemptQuietly(() => rm(pathOf(entry), { force: true }))
  }
}

const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex")

/** A hash says nothing of the values in the configuration. */
const configurationOf = (entry: ServerEntry): string => hashOf(seenByServer(entry))

const VERSION = 1

/** Judged as strictly as what a server says. */
const readList = (file: unknown, entry: ServerEntry): ToolList | undefined =>
  isRecord(file) && file["version"] === VERSION && file["configuration"] === configurationOf(entry) &&
    Array.isArray(file["tools"])
    ? Effect.runSync(listTools(() => Effect.succeed({ tools: file["tools"] }), {}))
    : undefined
