/**
 * Values as MessagePack, by way of their Schema: shorter than JSON for numbers, and much shorter for bytes.
 *
 * Needs the optional peer `msgpackr`. What the Schema encodes to is written as it is where MessagePack has a form for it
 * (text, numbers, booleans, `null`, arrays, plain objects, `Uint8Array`); where it has none, the first byte is 1 instead of
 * 0 and those values are tagged as `Json` tags them, with bytes as bytes.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import type * as Schema from "effect/Schema"
import { Packr, Unpackr } from "msgpackr"
import type * as Codec from "./Codec.js"
import * as json from "./internal/json.js"
import * as SchemaCodec from "./internal/schemaCodec.js"
import * as Text from "./internal/text.js"
import * as Typed from "./internal/typed.js"

const settings = {
  // maps and objects are told apart by us, and what is read shares no memory with what it was read from
  mapsAsObjects: true,
  useRecords: false,
  copyBuffers: true,
  int64AsType: "bigint"
} as const
const packr = new Packr(settings)
const unpackr = new Unpackr(settings)

const native = 0
const tagged = 1

const isNativeObject = (value: object): boolean => {
  if (Array.isArray(value)) {
    // by index, so that a hole is seen as undefined
    for (let i = 0; i < value.length; i++) if (!isNative(value[i])) return false
    return true
  }
  if (Typed.isBytes(value)) return true
  if (!json.isPlainObject(value) || Object.getOwnPropertySymbols(value).length > 0) return false
  const properties = value as Readonly<Record<string, unknown>>
  for (const key in properties) if (Text.isWide(key) || !isNative(properties[key])) return false
  return true
}

/** Whether MessagePack has a form for the whole value. */
const isNative = (value: unknown): boolean => {
  if (typeof value === "string") return !Text.isWide(value)
  if (typeof value === "number") return !Object.is(value, -0)
  if (typeof value === "object" && value !== null) return isNativeObject(value)
  return typeof value === "boolean" || value === null
}

/** What JSON has no form for, and we have. */
const toNative = (value: unknown): unknown => {
  if (typeof value === "string") return Text.isWide(value) ? { $wide: Text.utf16(value) } : undefined
  if (typeof value !== "object" || value === null) return undefined
  if (Typed.isBytes(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
  const type = Typed.typeOf(value)
  return type < 0 ? undefined : { $typed: [type, Typed.bytesOf(value as Typed.TypedArray)] }
}

const fromNative = (name: string, content: unknown): unknown => {
  if (name === "$wide" && content instanceof Uint8Array) return Text.fromUtf16(content)
  if (name !== "$typed" || !Array.isArray(content)) return undefined
  const [type, bytes] = content as ReadonlyArray<unknown>
  return typeof type === "number" && bytes instanceof Uint8Array ? Typed.arrayOf(type, bytes) : undefined
}

/** In plain data. */
const hasWideKey = (value: unknown): boolean =>
  typeof value === "object" &&
  value !== null &&
  !ArrayBuffer.isView(value) &&
  Object.entries(value as Readonly<Record<string, unknown>>).some(
    ([key, child]) => Text.isWide(key) || hasWideKey(child)
  )

const packed = (form: number, value: unknown): Uint8Array => {
  const bytes = packr.pack(value)
  const all = new Uint8Array(bytes.length + 1)
  all[0] = form
  all.set(bytes, 1)
  return all
}

const write = (encoded: unknown): Either.Either<Uint8Array, json.Refusal> =>
  isNative(encoded)
    ? Either.right(packed(native, encoded))
    : Either.flatMap(json.tag(encoded, toNative), (value) =>
        hasWideKey(value)
          ? Either.left({ path: [], what: "a key with half a surrogate pair has no form in MessagePack" })
          : Either.right(packed(tagged, value))
      )

const read = (bytes: Uint8Array): Either.Either<unknown, json.Refusal> => {
  if (bytes.byteLength < 2) return Either.left({ path: [], what: "there is nothing" })
  // of any kind of bytes a plain one, so that those in it are plain, too
  const rest = new Uint8Array(bytes.buffer, bytes.byteOffset + 1, bytes.byteLength - 1)
  const value: unknown = unpackr.unpack(rest)
  return bytes[0] === tagged ? json.untag(value, fromNative) : Either.right(value)
}

/**
 * A codec that encodes a value with its Schema and writes the outcome as MessagePack, and validates with the same Schema
 * what it reads. `undefined`, bigint, `-0`, `Date`, `Map`, `Set`, `Uint8Array` and typed arrays on the encoded side come
 * back as they were; functions, symbols and instances of classes are refused when encoding, with their path, and so is a
 * key `__proto__`, which MessagePack's readers drop.
 *
 * `name` (default `"MsgPack"`) and `version` are as for `Json.make`. Both directions answer with a `CodecError`.
 *
 * @example
 * ```ts
 * import { Either, Schema } from "effect"
 * import * as MsgPack from "effect-larder/MsgPack"
 *
 * const Picture = Schema.Struct({ name: Schema.String, pixels: Schema.Uint8ArrayFromSelf })
 * const codec = MsgPack.make(Picture)
 *
 * const bytes = Either.getOrThrow(codec.encode({ name: "larder", pixels: new Uint8Array(1_000) }))
 * console.log(bytes.length < 1_050) // => true
 * console.log(Either.getOrThrow(codec.decode(bytes)).name) // => larder
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <A, I>(schema: Schema.Schema<A, I>, options?: Codec.Naming): Codec.Codec<A> =>
  SchemaCodec.make(schema, {
    name: options?.name ?? "MsgPack",
    id: "effect-larder/MsgPack/1",
    version: options?.version,
    write,
    read,
    malformed: "the bytes are not MessagePack",
    losesProto: true
  })
