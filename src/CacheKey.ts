/**
 * What names an entry: any key value as a short string, the same for equal values, different for different ones.
 *
 * A string that is fit to be a key is its own key (`42` the text is `42`). Everything else is `~` and canonical JSON
 * (`42` the number is `~42`): properties, Map entries and Set members are sorted, properties that are `undefined` are
 * left out, and what JSON cannot say is tagged (`{"$date":0}`). A key is never longer than 200 characters: a longer
 * text becomes `~#` and its SHA-256. What has no natural encoding is refused with a `KeyError` that tells where it is.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import type * as CacheError from "./CacheError.js"
import * as canonical from "./internal/canonical.js"
import * as canonicalDecode from "./internal/canonicalDecode.js"
import type * as encodable from "./internal/encodable.js"
import * as keySchema from "./internal/keySchema.js"
import * as keyText from "./internal/keyText.js"

/**
 * How a cache turns its keys into strings and back.
 *
 * @since 0.1.0
 * @category models
 */
export interface KeyCodec<in out K> {
  /** The key string, at most 200 characters. Throws a `KeyError`, and nothing else, for a value that has no key. */
  readonly unsafeEncode: (key: K) => string
  /**
   * Where to look for what may be kept under a key, if there is a quicker way to tell than `unsafeEncode`: the key
   * string, or any text that is no key string at all. Throws like `unsafeEncode`.
   */
  readonly unsafeProbe?: ((key: K) => string) | undefined
  /** The whole canonical text, only where `unsafeEncode` gives its digest. Throws like `unsafeEncode`. */
  readonly textOf: (key: K) => string | undefined
  /** The key value, from an undigested key or from `textOf`. `None` for anything else. Never throws. */
  readonly decode: (text: string) => Option.Option<K>
}

/**
 * `KeyError` when a value of type `K` may have no key, `never` when the type proves that it always has one.
 *
 * Functions, symbols, Promises, Effects, `unknown`, `any`, `object` and whatever holds one of them give `KeyError`;
 * so does an instance of a class with methods. Text, numbers, booleans, `null`, `undefined`, bigints, dates, URLs,
 * bytes, and tuples, lists, records, Maps, Sets, Options of these, also recursive ones, give `never`. What a type does
 * not show (a cycle, an instance of a class without methods where a record is asked for) is found when the key is made.
 *
 * @since 0.1.0
 * @category type level
 */
export type ErrorOf<K> = encodable.ErrorOf<K>

/**
 * `true` when the type proves that every value of type `T` has a key, else `false`. See `ErrorOf`.
 *
 * @since 0.1.0
 * @category type level
 */
export type Encodable<T> = [ErrorOf<T>] extends [never] ? true : false

/** The key before it is shortened. */
const undigested = (value: unknown, root: string): string =>
  typeof value === "string" && keyText.isPlain(value) ? value : keyText.mark + canonical.write(value, root)

const unsafeEncodeAt = (value: unknown, root: string): string => {
  if (typeof value === "string") {
    return keyText.isPlain(value) ? value : keyText.shorten(keyText.mark + keyText.quote(value))
  }
  return typeof value === "number"
    ? keyText.mark + canonical.numberText(value)
    : keyText.shorten(keyText.mark + canonical.write(value, root))
}

/**
 * The key of a value, at most 200 characters. For code that runs often; elsewhere see `encode`.
 *
 * @throws `KeyError`, and nothing else, when the value has no natural encoding
 *
 * @example
 * ```ts
 * import { CacheKey } from "effect-larder"
 *
 * console.log(CacheKey.unsafeEncode("42")) // 42
 * console.log(CacheKey.unsafeEncode(42)) // ~42
 * console.log(CacheKey.unsafeEncode({ page: 2, of: "users" })) // ~{"of":"users","page":2}
 * ```
 *
 * @since 0.1.0
 * @category encoding
 */
export const unsafeEncode = (value: unknown): string => unsafeEncodeAt(value, "key")

/** The only catch of this module: `canonical.ts` has already turned whatever else was thrown into a `KeyError`. */
const attempt = (make: () => string): Either.Either<string, CacheError.KeyError> =>
  Either.try({ try: make, catch: (error) => error as CacheError.KeyError })

/**
 * The key of a value, at most 200 characters, or a `KeyError` with the path to what has no natural encoding.
 *
 * @example
 * ```ts
 * import { CacheKey } from "effect-larder"
 * import { Either } from "effect"
 *
 * console.log(Either.getOrThrow(CacheKey.encode(new Map([["b", 1n]])))) // ~{"$map":[["b",{"$bigint":"1"}]]}
 *
 * const refused = CacheKey.encode({ user: { friends: [1, () => 2] } })
 * console.log(Either.isLeft(refused) && refused.left.path) // key.user.friends[1]
 * ```
 *
 * @since 0.1.0
 * @category encoding
 */
export const encode = (value: unknown): Either.Either<string, CacheError.KeyError> => attempt(() => unsafeEncode(value))

// One argument is keyed as itself. No other list of arguments meets it: theirs is a tag that no value has.
const unsafeEncodeArguments = (args: ReadonlyArray<unknown>): string => {
  const list = keyText.given(args)
  return list.length === 1
    ? unsafeEncodeAt(list[0], "arguments[0]")
    : keyText.shorten(keyText.mark + canonical.writeArguments(list))
}

const undigestedArguments = (args: ReadonlyArray<unknown>): string => {
  const list = keyText.given(args)
  return list.length === 1 ? undigested(list[0], "arguments[0]") : keyText.mark + canonical.writeArguments(list)
}

/**
 * The key of a function's arguments. One argument has the key that `encode` gives it; `undefined` at the end does not
 * count, so `f("a")` and `f("a", undefined)` meet, while `f()`, `f("a", "b")` and `f(["a", "b"])` all differ.
 *
 * @example
 * ```ts
 * import { CacheKey } from "effect-larder"
 * import { Either } from "effect"
 *
 * console.log(Either.getOrThrow(CacheKey.encodeArguments(["a", undefined]))) // a
 * console.log(Either.getOrThrow(CacheKey.encodeArguments(["a", 1]))) // ~{"$args":["a",1]}
 * ```
 *
 * @since 0.1.0
 * @category encoding
 */
export const encodeArguments = (args: ReadonlyArray<unknown>): Either.Either<string, CacheError.KeyError> =>
  attempt(() => unsafeEncodeArguments(args))

/**
 * The whole canonical text of a value, however long: the key before it became a digest. The digest is `~#` and the
 * SHA-256 of this text in UTF-8, in base64url.
 *
 * @example
 * ```ts
 * import { CacheKey } from "effect-larder"
 * import { Either } from "effect"
 *
 * const long = Array.from({ length: 100 }, (_, index) => index)
 * console.log(CacheKey.unsafeEncode(long).length) // 45
 * console.log(Either.getOrThrow(CacheKey.text(long)).length) // 292
 * ```
 *
 * @since 0.1.0
 * @category encoding
 */
export const text = (value: unknown): Either.Either<string, CacheError.KeyError> =>
  attempt(() => undigested(value, "key"))

/**
 * Whether a key is a digest: then the value cannot be had from it, and stores keep its whole text with the entry.
 *
 * @since 0.1.0
 * @category decoding
 */
export const isDigest = (key: string): boolean => keyText.isDigest(key)

/**
 * The value of an undigested key: the inverse of `text`. An instance of a Schema class comes back as its encoded
 * fields, because only its Schema can make one; see `forSchema`. `None` for a digest and for whatever is no key.
 * Never throws, and never changes a prototype, whatever the text.
 *
 * @example
 * ```ts
 * import { CacheKey } from "effect-larder"
 * import { Option } from "effect"
 *
 * const key = CacheKey.unsafeEncode(new Set([3, 1, 2]))
 * console.log(Option.getOrThrow(CacheKey.decode(key))) // Set(3) { 1, 2, 3 }
 * console.log(Option.isNone(CacheKey.decode("~{"))) // true
 * ```
 *
 * @since 0.1.0
 * @category decoding
 */
export const decode = (text: string): Option.Option<unknown> => {
  if (!text.startsWith(keyText.mark)) {
    return keyText.isPlain(text) ? Option.some(text) : Option.none()
  }
  return canonicalDecode.readValue(text.slice(1))
}

const decodeArguments = (text: string): Option.Option<ReadonlyArray<unknown>> =>
  text.startsWith(keyText.mark + canonicalDecode.argumentsStart)
    ? canonicalDecode.readArguments(text.slice(1))
    : Option.map(decode(text), (value) => [value])

const longOnly = (text: string): string | undefined => (text.length > keyText.maxKeyLength ? text : undefined)

/**
 * A text that is its own key need not be read through to be looked up: with a control character in it, or being no
 * well-formed Unicode, it is nobody's key and nothing will be found.
 */
const probe = (value: unknown, root: string): string =>
  typeof value === "string" && keyText.isPlainIfKey(value) ? value : unsafeEncodeAt(value, root)

const unsafeProbeArguments = (args: ReadonlyArray<unknown>): string =>
  args.length === 1 && args[0] !== undefined ? probe(args[0], "arguments[0]") : unsafeEncodeArguments(args)

/**
 * Keys of any type, by their values alone.
 *
 * @since 0.1.0
 * @category codecs
 */
export const any: KeyCodec<unknown> = {
  unsafeEncode,
  unsafeProbe: (key) => probe(key, "key"),
  textOf: (key) => longOnly(undigested(key, "key")),
  decode
}

/**
 * Keys that are the arguments of a function; see `encodeArguments`.
 *
 * @since 0.1.0
 * @category codecs
 */
export const forArguments: KeyCodec<ReadonlyArray<unknown>> = {
  unsafeEncode: unsafeEncodeArguments,
  unsafeProbe: unsafeProbeArguments,
  textOf: (args) => longOnly(undigestedArguments(args)),
  decode: decodeArguments
}

/**
 * Keys that a Schema describes. A key is encoded by the Schema before it is written, so whatever the Schema takes for
 * the same is the same key: a field that is absent and one that has its default meet, and properties that the Schema
 * does not know do not count. Text and numbers that the Schema leaves as they are skip it and are not validated.
 *
 * Where the encoded form would show an order that the key does not have (Maps, Sets, `parseJson`), the value itself is
 * written, once the Schema has accepted it. A key that the Schema refuses is a `KeyError`. The Schema must be
 * synchronous, need no services, and encode different keys differently.
 *
 * @example
 * ```ts
 * import { CacheKey } from "effect-larder"
 * import { Option, Schema } from "effect"
 *
 * class Page extends Schema.Class<Page>("Page")({ of: Schema.String, since: Schema.Date }) {}
 *
 * const codec = CacheKey.forSchema(Page)
 * const key = codec.unsafeEncode(new Page({ of: "users", since: new Date(0) }))
 * console.log(key) // ~{"of":"users","since":"1970-01-01T00:00:00.000Z"}
 * console.log(Option.getOrThrow(codec.decode(key)) instanceof Page) // true
 * ```
 *
 * @since 0.1.0
 * @category codecs
 */
export const forSchema = <K, I>(schema: Schema.Schema<K, I>): KeyCodec<K> => {
  const { direct, fromPlain, toPlain } = keySchema.make(schema)
  const plain = (key: K): unknown =>
    direct && (typeof key === "string" || typeof key === "number") ? key : toPlain(key)
  return {
    unsafeEncode: (key) => unsafeEncode(plain(key)),
    unsafeProbe: (key) =>
      direct && typeof key === "string" && keyText.isPlainIfKey(key) ? key : unsafeEncode(plain(key)),
    textOf: (key) => longOnly(undigested(plain(key), "key")),
    decode: (text) => Option.flatMap(decode(text), fromPlain)
  }
}
