/**
 * Follows a JSON Schema along a value, as far as it takes to know which parts the schema calls secret.
 */
import { isRecord } from "../../../protocol/Json.ts"

type JsonSchema = Readonly<Record<string, unknown>>

/** The schemas that may apply to a value, with the document that their references are into. */
export interface Schemas {
  readonly root: JsonSchema
  readonly all: ReadonlyArray<JsonSchema>
}

/** More of them than this do not help to know better. */
const MOST = 256

/** The schemas of a whole document. */
export const schemasOf = (root: JsonSchema): Schemas => ({ root, all: expand(root, [root]) })

/** The schemas of a property or an item. */
export const schemasAt = ({ all, root }: Schemas, key: string | number): Schemas => ({
  root,
  all: expand(root, all.flatMap((schema) => typeof key === "string" ? atKey(schema, key) : atIndex(schema, key)))
})

/** Whether one of the schemas calls its value a secret. */
export const saysSecret = ({ all }: Schemas): boolean =>
  all.some((schema) => schema["format"] === "password" || schema["writeOnly"] === true)

const atKey = (schema: JsonSchema, key: string): ReadonlyArray<unknown> => {
  const { additionalProperties, patternProperties, properties } = schema
  const own = isRecord(properties) && Object.hasOwn(properties, key) ? [properties[key]] : []
  // a pattern of the server's is not run: it may take forever
  const patterns = isRecord(patternProperties) ? Object.values(patternProperties).slice(0, MOST) : []
  return [...own, ...patterns, additionalProperties]
}

const atIndex = ({ items, prefixItems }: JsonSchema, index: number): ReadonlyArray<unknown> => {
  return [[prefixItems, items].find(isList)?.[index], items]
}

/** Adds what the schemas refer to and are made of. */
const expand = (root: JsonSchema, candidates: ReadonlyArray<unknown>): ReadonlyArray<JsonSchema> => {
  const found = new Set(candidates.filter(isRecord).slice(0, MOST))
  // a set goes on with what is added to it meanwhile
  for (const { $ref, allOf, anyOf, else: otherwise, oneOf, then } of found) {
    const lists = [allOf, anyOf, oneOf].filter(isList).flatMap((parts) => parts.slice(0, MOST))
    for (const part of [...lists, then, otherwise, target(root, $ref)]) {
      if (isRecord(part) && found.size < MOST) found.add(part)
    }
  }
  return [...found]
}

const isList = (value: unknown): value is ReadonlyArray<unknown> => Array.isArray(value)

/** What a reference inside of the document is to. */
const target = (root: JsonSchema, reference: unknown): unknown => {
  if (typeof reference !== "string" || !reference.startsWith("#")) return undefined
  return reference.slice(1).split("/").slice(1).map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))
    .reduce<unknown>((at, part) => isRecord(at) && Object.hasOwn(at, part) ? at[part] : undefined, root)
}
