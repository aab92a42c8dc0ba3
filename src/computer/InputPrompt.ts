/**
 * Asking a person for the value of an input.
 */
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { PickOption } from "../protocol/ServerConfig.ts"
import type { InputDefinition } from "./InputDefinition.ts"

/** What to ask. */
export interface PromptRequest {
  readonly id: string
  readonly type: InputDefinition["type"]
  /** The description of the input, or its id, for people. */
  readonly description: string
  /** What a value has to be, in a few words; undefined for a text. */
  readonly expects: string | undefined
  /** The answer is a secret: it must not be shown while it is typed, nor kept. */
  readonly hidden: boolean
  /** What there is to choose from, for a list; the answer is a `value` or a `label`. */
  readonly options: ReadonlyArray<PickOption>
  /** What an empty answer stands for, as it is written in the configuration; undefined also for a secret. */
  readonly default: string | undefined
  /** Why the last answer was refused; undefined when it is asked for the first time. */
  readonly problem: string | undefined
  /** The bundle id of the server that needs it first, and the field it stands in; undefined when no server does. */
  readonly server: string | undefined
  readonly field: string | undefined
}

/** Nobody answers: there is no terminal, or the person would rather not. */
export class PromptUnavailable
  extends Schema.TaggedError<PromptUnavailable>("smcp/computer/PromptUnavailable")("PromptUnavailable", {})
{}

/**
 * Asks and gives the answer as it was typed; an empty one stands for the default. It is interrupted when nobody needs
 * the answer any more, or after 300 seconds. Questions come one at a time.
 */
export type Prompt = (request: PromptRequest) => Effect.Effect<string, PromptUnavailable>
