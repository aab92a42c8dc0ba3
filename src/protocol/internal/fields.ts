/**
 * Field helpers shared by the payload schemas.
 */
import * as Schema from "effect/Schema"

/** A key that peers may omit or send as null. */
export const maybe = <S extends Schema.Constraint>(schema: S): Schema.optionalKey<Schema.NullOr<S>> =>
  Schema.optionalKey(Schema.NullOr(schema))

/** A JSON object of unknown shape. */
export const OpenRecord = Schema.Record(Schema.String, Schema.Unknown)

/** What is left of an open struct: keys the specification may add and we keep. */
export const rest = [OpenRecord] as const
