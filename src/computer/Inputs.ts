/**
 * The inputs of a configuration: what `${input:id}` and the other placeholders stand for, found out when a server starts
 * and kept out of everything that is written down.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { ServerConfig } from "../protocol/ServerConfig.ts"
import type { InputDefinition } from "./InputDefinition.ts"
import * as Placeholders from "./internal/placeholders.ts"
import type { ServerEntry } from "./ServerEntry.ts"

/** A placeholder has no value, or one that cannot be used. */
export class InputError extends Schema.TaggedError<InputError>("smcp/computer/InputError")("InputError", {
  /** Names the input or variable, the field it stands in, and what to do. Never holds a value. */
  message: Schema.String
}) {}

/** A configuration that can be started. */
export interface Rendered {
  readonly config: ServerConfig
  /** Every value in it that came from somewhere secret, for whoever writes down what may repeat it. */
  readonly secrets: ReadonlyArray<string>
}

/** Options of {@link layer}. */
export interface Options {
  /** The definitions behind `${input:id}`. Default: none. */
  readonly inputs?: ReadonlyArray<InputDefinition> | undefined
  /** Where `${env:NAME}` looks. Default: the environment of this process. */
  readonly environment?: Placeholders.Environment | undefined
}

/** What placeholders stand for. */
export class Inputs extends Context.Service<Inputs, {
  /** The definitions, raw. */
  readonly definitions: Effect.Effect<ReadonlyArray<InputDefinition>>
  /** Now, and again whenever a definition or a value may have changed. */
  readonly changes: Stream.Stream<void>
  /** The configuration of a server with its placeholders replaced, worked out anew each time. */
  readonly render: (entry: ServerEntry) => Effect.Effect<Redacted.Redacted<Rendered>, InputError>
}>()("a2c-smcp/computer/Inputs") {}

/** Inputs that are resolved from the environment. */
export const layer = (options: Options = {}): Layer.Layer<Inputs> =>
  Layer.succeed(Inputs, {
    definitions: Effect.succeed(options.inputs ?? []),
    changes: Stream.make(undefined),
    render: ({ config }) =>
      Effect.suspend(() => {
        const rendered = Placeholders.render(config.server_parameters, options.environment ?? process.env)
        return Result.isFailure(rendered)
          ? Effect.fail(new InputError({ message: rendered.failure }))
          : Effect.succeed(Redacted.make({
            config: { ...config, server_parameters: rendered.success } as ServerConfig,
            secrets: []
          }))
      })
  })
