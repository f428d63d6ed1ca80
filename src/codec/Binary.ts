/**
 * Values that are bytes or text already, as they are: no base64, no quotes.
 *
 * The first byte says what follows: 0 is text in UTF-8, 1 text in UTF-16 (only for text with half a surrogate pair), 2 an
 * `ArrayBuffer`, 3 a `DataView`, and 16 and above a typed array, by its type. Elements are little-endian.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import type * as Schema from "effect/Schema"
import type * as Codec from "./Codec.js"
import type * as json from "./internal/json.js"
import * as SchemaCodec from "./internal/schemaCodec.js"
import * as Text from "./internal/text.js"
import * as Typed from "./internal/typed.js"

/**
 * What has a binary form: text, an `ArrayBuffer`, a `DataView`, and any typed array.
 *
 * @since 0.1.0
 * @category models
 */
export type Value = string | ArrayBuffer | DataView | Typed.TypedArray

const narrow = 0
const wide = 1
const buffer = 2
const view = 3
const typed = 16

const tagged = (form: number, bytes: Uint8Array): Uint8Array => {
  const all = new Uint8Array(bytes.length + 1)
  all[0] = form
  all.set(bytes, 1)
  return all
}

const refusal = (what: string): Either.Either<never, json.Refusal> => Either.left({ path: [], what })

const write = (value: unknown): Either.Either<Uint8Array, json.Refusal> => {
  if (typeof value === "string") {
    return Either.right(Text.isWide(value) ? tagged(wide, Text.utf16(value)) : tagged(narrow, Text.utf8(value)))
  }
  if (value instanceof ArrayBuffer) return Either.right(tagged(buffer, new Uint8Array(value)))
  if (value instanceof DataView) {
    return Either.right(tagged(view, new Uint8Array(value.buffer, value.byteOffset, value.byteLength)))
  }
  const type = Typed.typeOf(value)
  return type < 0
    ? refusal("the Schema must encode to text, an ArrayBuffer, a DataView or a typed array")
    : Either.right(tagged(typed + type, Typed.bytesOf(value as Typed.TypedArray)))
}

const read = (bytes: Uint8Array): Either.Either<unknown, json.Refusal> => {
  const [form = -1] = bytes
  const rest = bytes.subarray(1)
  switch (form) {
    case narrow:
      return Either.right(Text.fromUtf8(rest))
    case wide:
      return Either.right(Text.fromUtf16(rest))
    case buffer:
      return Either.right(rest.slice().buffer)
    case view:
      return Either.right(new DataView(rest.buffer, rest.byteOffset, rest.byteLength))
    default: {
      const array = Typed.arrayOf(form - typed, rest)
      return array === undefined ? refusal("no form that is known") : Either.right(array)
    }
  }
}

/**
 * A codec for a Schema that encodes to text or bytes. It validates with the Schema what it reads, always.
 *
 * What is read is a view of the entry's own bytes where elements lie on a boundary of their size, and a copy where they do
 * not: an entry that you mean to change, copy first. `name` (default `"Binary"`) and `version` are as for `Json.make`.
 * Both directions answer with a `CodecError` when the Schema refuses the value, and when the bytes are none of the forms.
 *
 * @example
 * ```ts
 * import { Either, Schema } from "effect"
 * import * as Binary from "effect-larder/Binary"
 *
 * const Embedding = Schema.declare((value): value is Float32Array => value instanceof Float32Array, {
 *   identifier: "Embedding"
 * })
 * const codec = Binary.make(Embedding)
 *
 * const bytes = Either.getOrThrow(codec.encode(Float32Array.of(0.5, -1)))
 * console.log(bytes.length) // => 9
 * console.log([...Either.getOrThrow(codec.decode(bytes))]) // => [ 0.5, -1 ]
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <A, I extends Value>(schema: Schema.Schema<A, I>, options?: Codec.Naming): Codec.Codec<A> =>
  SchemaCodec.make(schema, {
    name: options?.name ?? "Binary",
    id: "effect-larder/Binary/1",
    version: options?.version,
    write,
    read,
    malformed: "the bytes are not the text that they should be",
    losesProto: false
  })
