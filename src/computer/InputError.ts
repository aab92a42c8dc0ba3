/**
 * Why a placeholder of a configuration has no value.
 */
import * as Schema from "effect/Schema"

/** A placeholder has no value, or one that cannot be used. Only the server whose configuration holds it cannot start. */
export class InputError extends Schema.TaggedError<InputError>("smcp/computer/InputError")("InputError", {
  reason: Schema.Literals([
    /** Nothing gives it a value. */
    "missing",
    /** No such input is defined, or it is defined in a way that cannot be used. */
    "undefined",
    /** The value is not what its definition asks for. */
    "invalid",
    /** Somebody was asked and did not answer in time. */
    "timeout",
    /** The command behind it failed. */
    "command",
    /** A file with values, or the secret store, could not be read or written. */
    "store"
  ]),
  /** Names the input or variable, the field it stands in, and what to do. Never holds a value. */
  message: Schema.String
}) {}
