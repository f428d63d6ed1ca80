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
import type * as Schema from "effect/Schema"
import type * as Codec from "./Codec.js"
import * as json from "./internal/json.js"
import * as SchemaCodec from "./internal/schemaCodec.js"
import { fromUtf8, utf8 } from "./internal/text.js"

/** The mark of tagged form: the character `$`. */
const mark = "$"
const markByte = 0x24

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
export const make = <A, I>(schema: Schema.Schema<A, I>, options?: Codec.Naming): Codec.Codec<A> =>
  SchemaCodec.make(schema, {
    name: options?.name ?? "Json",
    id: "effect-larder/Json/1",
    version: options?.version,
    write: (encoded) => Either.map(stringify(encoded), utf8),
    read: parse,
    malformed: "the bytes are not UTF-8 JSON",
    losesProto: false
  })
