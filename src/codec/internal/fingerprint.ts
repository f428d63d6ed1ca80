/**
 * What makes two codecs the same: a digest of the Schema's structure.
 *
 * The same text must come out in every process that was built from the same Schema, so nothing here looks at object
 * identity, at the source of functions (bundlers change it) or at documentation. The bodies of filters and
 * transformations are therefore invisible; changing one calls for a new `version`.
 */
import { sha256 } from "@noble/hashes/sha2.js"
import * as Encoding from "effect/Encoding"
import type * as Schema from "effect/Schema"
import * as AST from "effect/SchemaAST"

/** The size of a fingerprint in bytes. */
export const size = 16

/** The 128 bits that stand for these parts; different lists never share their text. */
export const digest = (parts: ReadonlyArray<string | undefined>): Uint8Array =>
  sha256(new TextEncoder().encode(JSON.stringify(parts.map((part) => part ?? null)))).subarray(0, size)

/** The same as 22 characters. */
export const text = (parts: ReadonlyArray<string | undefined>): string => Encoding.encodeBase64Url(digest(parts))

/** Deeper than any Schema written by hand; only a Schema that makes new Schemas for ever gets there. */
const maxDepth = 200
const maxVisits = 20_000
const maxEndless = 2_000

const symbolName = (symbol: symbol): string => `@${Symbol.keyFor(symbol) ?? symbol.description ?? ""}`

const keyName = (key: PropertyKey): string => (typeof key === "symbol" ? symbolName(key) : JSON.stringify(String(key)))

const hasToJSON = (value: object): value is { readonly toJSON: () => unknown } =>
  "toJSON" in value && typeof value.toJSON === "function"

const plainObject = (value: object, depth: number): string =>
  `{${Reflect.ownKeys(value)
    .map((key) => `${keyName(key)}:${canonical(Reflect.get(value, key), depth + 1)}`)
    .sort()
    .join(",")}}`

/** A payload of an annotation, such as the bound of `greaterThan`, as text. */
const canonical = (value: unknown, depth = 0): string => {
  if (depth > 8) return "..."
  if (typeof value === "string") return JSON.stringify(value)
  if (typeof value === "bigint") return `${value}n`
  if (typeof value === "symbol") return symbolName(value)
  if (typeof value === "function") return "function"
  if (typeof value !== "object" || value === null) return Object.is(value, -0) ? "-0" : String(value)
  if (value instanceof RegExp) return String(value)
  if (Array.isArray(value)) return `[${value.map((item) => canonical(item, depth + 1)).join(",")}]`
  return hasToJSON(value) ? `#${canonical(value.toJSON(), depth + 1)}` : plainObject(value, depth)
}

/** The annotations that tell one type from another; titles and descriptions do so for declarations only. */
const notes = (ast: AST.AST): string => {
  const schemaId = ast.annotations[AST.SchemaIdAnnotationId]
  const ids: Array<PropertyKey> = [AST.IdentifierAnnotationId, AST.SchemaIdAnnotationId, AST.JSONSchemaAnnotationId]
  if (typeof schemaId === "symbol") ids.push(schemaId)
  if (ast._tag === "Declaration") {
    ids.push(AST.TypeConstructorAnnotationId, AST.TitleAnnotationId, AST.DescriptionAnnotationId)
  }
  return ids
    .filter((id) => Object.hasOwn(ast.annotations, id))
    .map((id) => `${keyName(id)}=${canonical(Reflect.get(ast.annotations, id))}`)
    .join(";")
}

type Visit = (ast: AST.AST) => string

const transformation = (ast: AST.Transformation): ReadonlyArray<string> =>
  ast.transformation._tag === "TypeLiteralTransformation"
    ? ast.transformation.propertySignatureTransformations.map((t) => `${keyName(t.from)}>${keyName(t.to)}`).sort()
    : []

const typeLiteral = (ast: AST.TypeLiteral, visit: Visit): ReadonlyArray<string> => [
  ...ast.propertySignatures.map((p) => `${keyName(p.name)}${p.isOptional ? "?" : ""}:${visit(p.type)}`).sort(),
  ...ast.indexSignatures.map((i) => `[${visit(i.parameter)}]:${visit(i.type)}`).sort()
]

/** What is inside a node, children visited. The order of properties does not matter, that of union members does. */
const inside = (ast: AST.AST, visit: Visit): ReadonlyArray<string> => {
  switch (ast._tag) {
    case "Declaration":
      return ast.typeParameters.map(visit)
    case "Literal":
      return [canonical(ast.literal)]
    case "UniqueSymbol":
      return [symbolName(ast.symbol)]
    case "Enums":
      return ast.enums.map(([name, value]) => `${name}=${canonical(value)}`).sort()
    case "TemplateLiteral":
      return [ast.head, ...ast.spans.flatMap((span) => [visit(span.type), span.literal])]
    case "TupleType":
      return [
        ...ast.elements.map((e) => `${e.isOptional ? "?" : ""}${visit(e.type)}`),
        ...ast.rest.map((r) => `...${visit(r.type)}`)
      ]
    case "TypeLiteral":
      return typeLiteral(ast, visit)
    case "Union":
      return ast.types.map(visit)
    case "Suspend":
      return [visit(ast.f())]
    case "Refinement":
      return [visit(ast.from)]
    case "Transformation":
      return [visit(ast.from), visit(ast.to), ast.transformation._tag, ...transformation(ast)]
    default:
      return []
  }
}

/**
 * The Schema's structure as text of bounded length.
 *
 * A node met again inside itself is written as how many levels up it is, which does not depend on where the
 * recursion sits. Nodes that hold no such reference past themselves are remembered, so sharing costs nothing and
 * changes nothing.
 */
export const ofSchema = (schema: Schema.Schema.All): string => {
  const above = new Map<AST.AST, number>()
  const known = new Map<AST.AST, string>()
  let visits = 0
  // the highest level that the subtree visited last refers to; Infinity when it is closed
  let reach = Infinity

  const visit: Visit = (ast) => {
    const before = reach
    const remembered = known.get(ast)
    if (remembered !== undefined) return remembered
    const level = above.size
    const at = above.get(ast)
    if (at !== undefined) {
      reach = Math.min(before, at)
      return `^${level - at}`
    }
    if (level >= maxDepth || ++visits > maxVisits) {
      reach = -1
      return "..."
    }
    above.set(ast, level)
    reach = Infinity
    const name = text([ast._tag, notes(ast), ...inside(ast, visit)])
    above.delete(ast)
    if (reach >= level) known.set(ast, name)
    reach = Math.min(before, reach >= level ? Infinity : reach)
    return name
  }
  return visit(schema.ast)
}

/** Whether any node of the Schema, on either side of its transformations, meets the test, or there is no end of it. */
export const some = (schema: Schema.Schema.All, test: (ast: AST.AST) => boolean): boolean => {
  const seen = new Set<AST.AST>()
  let found = false
  const visit: Visit = (ast) => {
    if (found || seen.has(ast)) return ""
    seen.add(ast)
    found = seen.size > maxEndless || test(ast)
    if (!found) inside(ast, visit)
    return ""
  }
  visit(schema.ast)
  return found
}

/** Whether the values of a Schema are texts, and nothing else. */
export const isText = (schema: Schema.Schema.AnyNoContext): boolean => {
  const go = (ast: AST.AST): boolean => {
    switch (ast._tag) {
      case "StringKeyword":
      case "TemplateLiteral":
        return true
      case "Literal":
        return typeof ast.literal === "string"
      case "Union":
        return ast.types.every(go)
      case "Refinement":
        return go(ast.from)
      default:
        return false
    }
  }
  return go(schema.ast)
}
