/**
 * How a conformance case ends when it does not pass.
 */
import * as Schema from "effect/Schema"

/** A peer does not do what a case expects of it. `expected` and `actual` are texts for people, frames where it can be. */
export class ConformanceFailure extends Schema.TaggedError<ConformanceFailure>()("ConformanceFailure", {
  message: Schema.String,
  expected: Schema.optionalKey(Schema.String),
  actual: Schema.optionalKey(Schema.String)
}) {}

/** A case cannot tell anything here. */
export class ConformanceSkip extends Schema.TaggedError<ConformanceSkip>()("ConformanceSkip", {
  reason: Schema.String
}) {
  override get message(): string {
    return this.reason
  }
}
