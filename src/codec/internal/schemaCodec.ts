/** What codecs that go by way of a Schema have in common: what it refuses, and what it or its author throws. */
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import type * as Schema from "effect/Schema"
import type * as AST from "effect/SchemaAST"
import * as CacheError from "../../CacheError.js"
import type * as Codec from "../Codec.js"
import * as fingerprint from "./fingerprint.js"
import * as json from "./json.js"

/**
 * The first thing that the Schema has against a value: where, and what it wanted. Not the value: reasons end up in
 * logs. The whole issue is the error's cause.
 */
const explain = (issue: ParseResult.ParseIssue): string => {
  const [first] = ParseResult.ArrayFormatter.formatIssueSync(issue)
  if (first === undefined) return "the Schema refuses it"
  return `${json.showPath(first.path)}: ${first.message.replace(/, actual [^]*$/, "")}`
}

/**
 * Whether the Schema copies objects key by key, where a key `__proto__` would set the copy's prototype instead: those
 * with records, or with a property of that name.
 */
const copiesKeys = (ast: AST.AST): boolean =>
  ast._tag === "TypeLiteral" &&
  (ast.indexSignatures.length > 0 || ast.propertySignatures.some((property) => property.name === "__proto__"))

/** How what a Schema encodes to is written, and read again. Either may throw. */
export interface Form {
  /** In errors, and part of the fingerprint. */
  readonly name: string
  /** Part of the fingerprint: another one for another form. */
  readonly id: string
  readonly version: string | undefined
  readonly write: (encoded: unknown) => Either.Either<Uint8Array, json.Refusal>
  readonly read: (bytes: Uint8Array) => Either.Either<unknown, json.Refusal>
  /** What it means that reading throws. */
  readonly malformed: string
  /** Whether a key `__proto__` is lost on the way, whatever the Schema is. */
  readonly losesProto: boolean
}

export const make = <A, I>(schema: Schema.Schema<A, I>, form: Form): Codec.Codec<A> => {
  const { name } = form
  const toEncoded = ParseResult.encodeEither(schema)
  const fromEncoded = ParseResult.decodeUnknownEither(schema)
  // both are computed when first needed: a recursive Schema may refer to one that is declared further down
  let identity: string | undefined
  let guarded: boolean | undefined

  const fail = (operation: "encode" | "decode", reason: string, cause?: unknown): CacheError.CodecError =>
    new CacheError.CodecError({ codec: name, operation, reason, ...(cause === undefined ? {} : { cause }) })
  const losesProto = (value: unknown): ReadonlyArray<PropertyKey> | undefined => {
    guarded ??= form.losesProto || fingerprint.some(schema, copiesKeys)
    return guarded ? json.protoKey(value) : undefined
  }
  const lost = (operation: "encode" | "decode", path: ReadonlyArray<PropertyKey>): CacheError.CodecError =>
    fail(operation, `${json.showPath(path)}: ${form.losesProto ? name : "the Schema's record"} would lose this key`)
  const refused = (operation: "encode" | "decode", refusal: json.Refusal): CacheError.CodecError =>
    fail(operation, `${json.showPath(refusal.path)}: ${refusal.what}`)
  const issue = (operation: "encode" | "decode", found: ParseResult.ParseIssue): CacheError.CodecError =>
    fail(operation, explain(found), ParseResult.parseError(found))

  const encode = (value: A): Either.Either<Uint8Array, CacheError.CodecError> => {
    const path = losesProto(value)
    if (path !== undefined) return Either.left(lost("encode", path))
    const encoded = toEncoded(value)
    if (Either.isLeft(encoded)) return Either.left(issue("encode", encoded.left))
    return Either.mapLeft(form.write(encoded.right), (refusal) => refused("encode", refusal))
  }
  const decode = (bytes: Uint8Array): Either.Either<A, CacheError.CodecError> => {
    const parsed = form.read(bytes)
    if (Either.isLeft(parsed)) return Either.left(refused("decode", parsed.left))
    const path = losesProto(parsed.right)
    if (path !== undefined) return Either.left(lost("decode", path))
    return Either.mapLeft(fromEncoded(parsed.right), (found) => issue("decode", found))
  }
  return {
    name,
    get fingerprint() {
      return (identity ??= fingerprint.text([form.id, name, form.version, fingerprint.ofSchema(schema)]))
    },
    // a Schema runs its author's functions, and a value may be circular: what they throw is an answer, too
    encode: (value) => {
      try {
        return encode(value)
      } catch (cause) {
        return Either.left(fail("encode", "the Schema threw, or the value is circular or too deep", cause))
      }
    },
    decode: (bytes) => {
      try {
        return decode(bytes)
      } catch (cause) {
        return Either.left(fail("decode", `${form.malformed}, or the Schema threw`, cause))
      }
    }
  }
}
