/**
 * Which config files a command is about.
 */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import { type Failure, usage } from "./failure.ts"
import { environmentOf } from "./flags.ts"

/** Those of the command line, else the one of the environment, if there is one. */
export const configPathsIfAny = (given: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<string>> =>
  given.length > 0
    ? Effect.succeed(given)
    : Effect.map(fromEnvironment, (path) => path === "" ? [] : [path])

/** As {@link configPathsIfAny}; there has to be one. */
export const configPaths = (given: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<string>, Failure> =>
  Effect.flatMap(configPathsIfAny(given), (paths) =>
    paths.length === 0
      ? Effect.fail(usage(`Missing required flag: --config (or set ${environmentOf["config"]})`))
      : Effect.succeed(paths))

const fromEnvironment = Config.String("SMCP_CONFIG").pipe(Config.withDefault(""), Effect.orDie)
