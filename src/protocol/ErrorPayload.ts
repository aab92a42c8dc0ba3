/**
 * The flat error payload `{code, message, details?, …}` and its codec to and
 * from the coded errors (specification, error handling). Applied only at the
 * socket.
 */
import * as Schema from "effect/Schema"
import { OpenRecord, rest } from "./internal/fields.ts"
import { isRecord } from "./Json.ts"
import * as WireError from "./WireError.ts"

/** A protocol error as it travels. Codes add fields of their own beside `details`. */
export const ErrorPayload = Schema.StructWithRest(
  Schema.Struct({ code: Schema.Int, message: Schema.String, details: Schema.optionalKey(OpenRecord) }),
  rest
)
export type ErrorPayload = typeof ErrorPayload.Type

/**
 * Whether a received value is a flat error: an object with an integer `code`
 * that is not a tool result (a result may carry a `code` of its own beside its
 * `content`). A number beyond the safe integers is no code.
 */
export const is = (value: unknown): value is { readonly [key: string]: unknown; readonly code: number } =>
  isRecord(value) && Number.isSafeInteger(value["code"]) && !("content" in value)

/** The flat payload of an error. */
export const encode = (error: WireError.WireError): ErrorPayload => {
  if (error._tag === "UnknownCode") return { ...error.payload, code: error.code, message: error.message }
  const { code, details = {}, top = {} } = WireError.placement[error._tag]
  const own = rename(error, details)
  const hasDetails = error.details !== undefined || Object.keys(own).length > 0
  return {
    code,
    message: error.message,
    ...rename(error, top),
    ...(hasDetails ? { details: { ...error.details, ...own } } : {})
  }
}

/**
 * The error behind a received payload. Fields of the wrong type are left out
 * and never a reason to refuse; a code without a class becomes `UnknownCode`
 * with everything it carried.
 */
export const decode = (payload: { readonly [key: string]: unknown; readonly code: number }): WireError.WireError => {
  const tag = tagOfCode.get(payload.code)
  const message = typeof payload["message"] === "string" ? payload["message"] : undefined
  if (tag === undefined) {
    return new WireError.UnknownCode({ code: payload.code, message: message ?? `Error ${payload.code}`, payload })
  }
  const details = isRecord(payload["details"]) ? payload["details"] : undefined
  const placement = WireError.placement[tag]
  return make(tag, {
    ...pick(tag, payload, placement.top ?? {}),
    ...pick(tag, details ?? {}, placement.details ?? {}),
    ...(message === undefined ? {} : { message }),
    ...(details === undefined ? {} : { details })
  })
}

// -----------------------------------------------------------------------------
// Internal
// -----------------------------------------------------------------------------

const tagOfCode = new Map(
  Object.entries(WireError.placement).map(([tag, { code }]) => [code, tag as WireError.CodedError["_tag"]])
)

type Fields = Readonly<Record<string, unknown>>
type AnyClass = new(fields: Fields) => WireError.CodedError

const classOfTag = new Map(WireError.classes.map((self) => [self.identifier, self]))

// The table and the classes are defined side by side; their agreement is covered by a test over every code.
const make = (tag: WireError.CodedError["_tag"], fields: Fields): WireError.CodedError =>
  new (classOfTag.get(tag) as unknown as AnyClass)(fields)

const rename = (source: object, keys: Readonly<Record<string, string>>): Record<string, unknown> => {
  const out: Record<string, unknown> = {}
  for (const [key, wireKey] of Object.entries(keys)) {
    const value = (source as Fields)[key]
    if (value !== undefined) out[wireKey] = value
  }
  return out
}

const pick = (
  tag: WireError.CodedError["_tag"],
  source: Fields,
  keys: Readonly<Record<string, string>>
): Record<string, unknown> => {
  const schemas = classOfTag.get(tag)!.fields as Readonly<Record<string, Schema.Schema<unknown>>>
  const out: Record<string, unknown> = {}
  for (const [key, wireKey] of Object.entries(keys)) {
    const value = source[wireKey]
    if (value !== undefined && Schema.is(schemas[key]!)(value)) out[key] = value
  }
  return out
}
