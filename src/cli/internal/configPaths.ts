/**
 * Which config files a command is about.
 */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import { type Failure, usage } from "./failure.ts"
import { environmentOf } from "./flags.ts"

/** Those of the command line, else the one of the environment. */
export const configPaths = (given: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<string>, Failure> =>
  given.length > 0 ? Effect.succeed(given) : Effect.flatMap(fromEnvironment, (path) =>
    path === ""
      ? Effect.fail(usage(`Missing required flag: --config (or set ${environmentOf["config"]})`))
      : Effect.succeed([path]))

const fromEnvironment = Config.String("SMCP_CONFIG").pipe(Config.withDefault(""), Effect.orDie)
