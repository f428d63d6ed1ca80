/**
 * What a key's Schema is like, read from its AST.
 */
import * as Option from "effect/Option"
import * as AST from "effect/SchemaAST"

/** Whether all values are strings and numbers and are encoded as themselves. */
export const isTextOrNumber = (ast: AST.AST): boolean => {
  switch (ast._tag) {
    case "StringKeyword":
    case "NumberKeyword":
    case "TemplateLiteral":
    case "Enums":
      return true
    case "Literal":
      return typeof ast.literal === "string" || typeof ast.literal === "number"
    case "Refinement":
      return isTextOrNumber(ast.from)
    case "Union":
      return ast.types.every(isTextOrNumber)
    default:
      return false
  }
}

const orderless: ReadonlySet<string> = new Set(["ReadonlyMap", "ReadonlySet", "effect/HashMap", "effect/HashSet"])

const isSource = (ast: AST.AST): boolean =>
  Option.exists(AST.getTypeConstructorAnnotation(ast), (annotation) => orderless.has(annotation._tag)) ||
  Option.exists(AST.getSchemaIdAnnotation(ast), (id) => id === AST.ParseJsonSchemaId)

const children = (ast: AST.AST): ReadonlyArray<AST.AST> => {
  switch (ast._tag) {
    case "Declaration":
      return ast.typeParameters
    case "TupleType":
      return [...ast.elements, ...ast.rest].map((element) => element.type)
    case "TypeLiteral":
      return [...ast.propertySignatures, ...ast.indexSignatures].map((property) => property.type)
    case "Union":
      return ast.types
    case "Refinement":
      return [ast.from]
    case "Suspend":
      return [ast.f()]
    case "Transformation":
      return [ast.from, ast.to]
    default:
      return []
  }
}

/**
 * Whether equal values may be encoded differently, because the encoded side shows an order that the value does not
 * have: Maps and Sets become lists in the order of insertion, and `parseJson` writes a record in its own order.
 */
export const isOrderless = (ast: AST.AST): boolean => {
  // a list of what is still to be looked at, rather than recursion: Schemas may be recursive
  const seen = new Set<AST.AST>([ast])
  for (const node of seen) {
    if (isSource(node)) {
      return true
    }
    for (const child of children(node)) {
      seen.add(child)
    }
  }
  return false
}
