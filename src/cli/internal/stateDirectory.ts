/**
 * Where a command keeps what is to survive it.
 */
import * as Effect from "effect/Effect"
import { createHash } from "node:crypto"
import { accessSync, constants, mkdirSync, statSync } from "node:fs"
import { homedir } from "node:os"
import { isAbsolute, join, resolve } from "node:path"
import { messageOf } from "../../protocol/Thrown.ts"
import { type Failure, usage } from "./failure.ts"

/** `$XDG_STATE_HOME/a2c-smcp`, or `~/.local/state/a2c-smcp`. */
export const defaultStateDirectory = (
  environment: Readonly<Record<string, string | undefined>> = process.env
): string => {
  const home = environment["XDG_STATE_HOME"]
  return join(home !== undefined && isAbsolute(home) ? home : join(homedir(), ".local", "state"), "a2c-smcp")
}

/** The directory of one seat inside of the state directory: told apart by a hash, and for people by what is safe of its names. */
export const seatDirectory = (
  state: string,
  { name, office }: { readonly office: string; readonly name: string }
): string => {
  return join(resolve(state), `${readable(office)}-${readable(name)}-${shortHash([office, name])}`)
}

/** What is safe of a name, for people. */
export const readable = (text: string): string => text.replace(/[^A-Za-z0-9]+/g, "_").slice(0, 32)

/** What tells names apart whose readable parts are the same. */
export const shortHash = (names: ReadonlyArray<string>): string =>
  createHash("sha256").update(JSON.stringify(names)).digest("hex").slice(0, 16)

/** Makes a directory that somebody named, or fails with what is wrong with it. */
export const usable = (directory: string): Effect.Effect<string, Failure> =>
  Effect.try({
    try: () => {
      const path = resolve(directory)
      if (statSync(path, { throwIfNoEntry: false }) === undefined) mkdirSync(path, { mode: 0o700 })
      if (!statSync(path).isDirectory()) throw new Error("it is not a directory")
      accessSync(path, constants.W_OK | constants.X_OK)
      return path
    },
    catch: (cause) =>
      usage(
        `The state directory ${directory} cannot be used: ${messageOf(cause)}`
      )
  })
