/** What a schema takes on the wire, in words. */
import type * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"

/** One key of an object. */
export interface Field {
  readonly name: string
  readonly type: string
  readonly optional: boolean
}

/** What stands in the place of an object that is described elsewhere. */
export type Names = ReadonlyMap<SchemaAST.AST, string>

/** The keys of an object, as they travel; undefined when the schema is not an object with known keys. */
export const fieldsOf = (schema: Schema.Schema<unknown>, names: Names): ReadonlyArray<Field> | undefined => {
  const ast = onTheWire(schema.ast)
  return SchemaAST.isObjects(ast) && ast.propertySignatures.length > 0
    ? ast.propertySignatures.map(({ name, type }) => fieldOf(String(name), type, names))
    : undefined
}

/** The keys of a class, from the schemas of its fields. */
export const ofFields = (fields: Readonly<Record<string, Schema.Schema<unknown>>>): ReadonlyArray<Field> =>
  Object.entries(fields).map(([name, { ast }]) => fieldOf(name, ast, new Map()))

/** Whether unknown keys are kept. */
export const isOpen = (schema: Schema.Schema<unknown>): boolean =>
  SchemaAST.isObjects(schema.ast) && schema.ast.indexSignatures.length > 0

const fieldOf = (name: string, type: SchemaAST.AST, names: Names): Field => {
  const optional = SchemaAST.isOptional(type)
  return { name, optional, type: textOf(optional ? withoutNull(type) : type, names) }
}

/** The end of a transformation that a peer sees. */
const onTheWire = (ast: SchemaAST.AST): SchemaAST.AST => {
  const last = ast.encoding?.at(-1)
  return last === undefined ? ast : onTheWire(last.to)
}

const membersOf = (ast: SchemaAST.AST): ReadonlyArray<SchemaAST.AST> => SchemaAST.isUnion(ast) ? ast.types : [ast]

// The same as absence, so it is said once for the whole page.
const withoutNull = (ast: SchemaAST.AST): SchemaAST.AST => {
  const others = membersOf(ast).filter((member) => !SchemaAST.isNull(member))
  return SchemaAST.isUnion(ast) && others.length === 1 ? others[0]! : ast
}

const textOf = (original: SchemaAST.AST, names: Names): string => {
  const named = names.get(original)
  if (named !== undefined) return named
  const ast = onTheWire(original)
  const text = plainTextOf(ast, names)
  const limits = checksOf(ast)
  return limits.length === 0 ? text : `${text} (${limits.join(", ")})`
}

const plainTextOf = (ast: SchemaAST.AST, names: Names): string => {
  switch (ast._tag) {
    case "String":
    case "Boolean":
    case "Null":
      return ast._tag.toLowerCase()
    case "Number":
      return hasCheck(ast, "isInt") ? "integer" : "number"
    case "Unknown":
      return "any JSON"
    case "Literal":
      return JSON.stringify(ast.literal)
    case "Union":
      return ast.types.map((member) => textOf(member, names)).join(" | ")
    case "Arrays":
      return `list of ${ast.rest.map((item) => textOf(item, names)).join(", ")}`
    case "Objects":
      return objectText(ast, names)
    default:
      throw new Error(`${ast._tag} has no text yet`)
  }
}

const objectText = (ast: SchemaAST.Objects, names: Names): string => {
  const [index] = ast.indexSignatures
  if (ast.propertySignatures.length > 0) throw new Error("An object with known keys needs a name: add it to structures")
  return index === undefined || SchemaAST.isUnknown(index.type) ? "object" : `map to ${textOf(index.type, names)}`
}

// What the type's own name says already.
const silent = new Set(["isFinite", "isInt"])

const checksOf = (ast: SchemaAST.AST): ReadonlyArray<string> =>
  (ast.checks ?? []).filter((check) => !silent.has(idOf(check))).map((check) =>
    String(check.annotations?.expected).replace(/^a value (with a )?/, "")
  )

const hasCheck = (ast: SchemaAST.AST, id: string): boolean => (ast.checks ?? []).some((check) => idOf(check) === id)

const idOf = (check: SchemaAST.Check<never>): string => {
  const { id } = (check.annotations?.["representation"] ?? {}) as { readonly id?: string }
  return id?.split("/").at(-1) ?? ""
}
