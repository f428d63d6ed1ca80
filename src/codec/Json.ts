/**
 * Values as JSON, by way of their Schema.
 *
 * The bytes are UTF-8 text. When what the Schema encodes to is plain JSON, which is nearly always, they are what
 * `JSON.stringify` makes of it and nothing else. Otherwise (an `undefined`, a bigint, a `Date`, `-0`, ...) the text
 * starts with a `$`, which no JSON text does, and those values are tagged; see `docs/guide/codecs.md`.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import type * as Schema from "effect/Schema"
import type * as AST from "effect/SchemaAST"
import * as CacheError from "../CacheError.js"
import type * as Codec from "./Codec.js"
import * as fingerprint from "./internal/fingerprint.js"
import * as json from "./internal/json.js"
import { fromUtf8, utf8 } from "./internal/text.js"

/** The mark of tagged form: the character `$`. */
const mark = "$"
const markByte = 0x24

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

const parse = (bytes: Uint8Array): Either.Either<unknown, json.Refusal> => {
  const text = fromUtf8(bytes)
  return bytes[0] === markByte ? json.untag(JSON.parse(text.slice(1))) : Either.right(JSON.parse(text))
}

// what JSON.stringify makes has no half surrogate pairs: it escapes them
const stringify = (encoded: unknown): Either.Either<string, json.Refusal> =>
  json.isPlain(encoded)
    ? Either.right(JSON.stringify(encoded))
    : Either.map(json.tag(encoded), (tagged) => mark + JSON.stringify(tagged))

/**
 * A codec that encodes a value with its Schema and writes the outcome as JSON, and validates with the same Schema
 * what it reads. `undefined`, bigint, `NaN`, `Infinity`, `-0`, `Date`, `Uint8Array`, `Map` and `Set` on the encoded
 * side come back as they were; functions, symbols and instances of classes are refused when encoding, with their path.
 *
 * **Details**
 *
 * - `name` (default `"Json"`) stands in errors and is part of the fingerprint;
 * - `version` (default none) is part of the fingerprint: change it when the body of a filter or a transformation
 *   changes its meaning, which the fingerprint cannot see;
 * - both directions answer with a `CodecError` when the Schema refuses the value, when it works asynchronously, when
 *   the bytes are not such JSON, and when a key `__proto__` meets a Schema that has records, which would lose it.
 *
 * @example
 * ```ts
 * import { Either, Schema } from "effect"
 * import * as Json from "effect-larder/Json"
 *
 * const User = Schema.Struct({ id: Schema.Number, seen: Schema.Date })
 * const codec = Json.make(User)
 *
 * const bytes = Either.getOrThrow(codec.encode({ id: 1, seen: new Date(0) }))
 * console.log(new TextDecoder().decode(bytes)) // {"id":1,"seen":"1970-01-01T00:00:00.000Z"}
 * console.log(Either.isLeft(codec.decode(new TextEncoder().encode(`{"id":"1"}`)))) // true
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <A, I>(
  schema: Schema.Schema<A, I>,
  options?: { readonly name?: string | undefined; readonly version?: string | undefined }
): Codec.Codec<A> => {
  const name = options?.name ?? "Json"
  const toEncoded = ParseResult.encodeEither(schema)
  const fromEncoded = ParseResult.decodeUnknownEither(schema)
  // both are computed when first needed: a recursive Schema may refer to one that is declared further down
  let identity: string | undefined
  let guarded: boolean | undefined

  const fail = (operation: "encode" | "decode", reason: string, cause?: unknown): CacheError.CodecError =>
    new CacheError.CodecError({ codec: name, operation, reason, ...(cause === undefined ? {} : { cause }) })
  const losesProto = (value: unknown): ReadonlyArray<PropertyKey> | undefined => {
    guarded ??= fingerprint.some(schema, copiesKeys)
    return guarded ? json.protoKey(value) : undefined
  }
  const lost = (operation: "encode" | "decode", path: ReadonlyArray<PropertyKey>): CacheError.CodecError =>
    fail(operation, `${json.showPath(path)}: the Schema's record would lose this key`)
  const refused = (operation: "encode" | "decode", refusal: json.Refusal): CacheError.CodecError =>
    fail(operation, `${json.showPath(refusal.path)}: ${refusal.what}`)
  const issue = (operation: "encode" | "decode", found: ParseResult.ParseIssue): CacheError.CodecError =>
    fail(operation, explain(found), ParseResult.parseError(found))

  const encode = (value: A): Either.Either<Uint8Array, CacheError.CodecError> => {
    const path = losesProto(value)
    if (path !== undefined) return Either.left(lost("encode", path))
    const encoded = toEncoded(value)
    if (Either.isLeft(encoded)) return Either.left(issue("encode", encoded.left))
    return Either.mapBoth(stringify(encoded.right), {
      onLeft: (refusal) => refused("encode", refusal),
      onRight: utf8
    })
  }
  const decode = (bytes: Uint8Array): Either.Either<A, CacheError.CodecError> => {
    const parsed = parse(bytes)
    if (Either.isLeft(parsed)) return Either.left(refused("decode", parsed.left))
    const path = losesProto(parsed.right)
    if (path !== undefined) return Either.left(lost("decode", path))
    return Either.mapLeft(fromEncoded(parsed.right), (found) => issue("decode", found))
  }
  return {
    name,
    get fingerprint() {
      return (identity ??= fingerprint.text([
        "effect-larder/Json/1",
        name,
        options?.version,
        fingerprint.ofSchema(schema)
      ]))
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
        return Either.left(fail("decode", "the bytes are not UTF-8 JSON, or the Schema threw", cause))
      }
    }
  }
}
