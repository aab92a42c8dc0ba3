/**
 * Writing a configuration where a person says: never over a file that they did not mean.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as ConfigFile from "../../computer/ConfigFile.ts"
import { usage } from "./failure.ts"
import { counted } from "./output.ts"

/** Options of {@link writeConfig}. */
export interface Options {
  readonly path: string
  /** Whether a file that exists is replaced. */
  readonly force: boolean
  /** The files that the configuration was read from. Default: none is known. */
  readonly sources?: ReadonlyArray<string>
}

/** Writes a file that is new, or one that may be replaced; gives what to say of it. */
export const writeConfig = Effect.fnUntraced(function*(
  { force, path, sources = [] }: Options,
  config: Parameters<typeof ConfigFile.save>[1]
) {
  const fs = yield* FileSystem.FileSystem
  // a link stays a link: what it points at is replaced
  const real = (path: string) => Effect.orElseSucceed(fs.realPath(path), () => path)
  const target = yield* real(path)
  if (!force && (yield* Effect.orElseSucceed(fs.exists(target), () => true))) {
    const isSource = (yield* Effect.forEach(sources, real)).includes(target)
    return yield* usage(`${path} ${isSource ? "is one of the files that are read" : "exists"}; --force replaces it`)
  }
  yield* ConfigFile.save(target, config)
  return `Wrote ${counted(config.servers.length, "server")} and ${counted(config.inputs.length, "input")} to ${path}`
})
