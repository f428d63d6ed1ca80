/**
 * Values into bytes and back.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type * as CacheEntry from "../CacheEntry.js"
import * as CacheError from "../CacheError.js"
import * as Binary from "./Binary.js"
import { isText } from "./internal/fingerprint.js"
import * as Json from "./Json.js"

/**
 * Turns values of one type into bytes and back. Pure and synchronous. Decoding validates: it answers with a value
 * of type `A` or with a `CodecError`, never with something that only looks like an `A`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Codec<in out A> {
  readonly name: string
  /** Changes whenever bytes written before can no longer be read: codec, Schema or version. At most 32 characters. */
  readonly fingerprint: string
  readonly encode: (value: A) => Either.Either<Uint8Array, CacheError.CodecError>
  readonly decode: (bytes: Uint8Array) => Either.Either<A, CacheError.CodecError>
}

/**
 * Turns whole entries into self-describing bytes and back; what byte stores are given by a cache.
 *
 * @since 0.1.0
 * @category models
 */
export interface EntryCodec<in out A, in out E> extends Codec<CacheEntry.CacheEntry<A, E>> {}

/**
 * Changes what an entry is as bytes: shorter, or not to be read by others. See `CacheStore.encodedBy`.
 *
 * @since 0.1.0
 * @category models
 */
export type Transform = <A, E>(codec: EntryCodec<A, E>) => EntryCodec<A, E>

/**
 * What tells codecs of one kind apart. `name` stands in errors; `version` is changed when the meaning of values changes
 * but their Schema does not. Both are part of the fingerprint.
 *
 * @since 0.1.0
 * @category models
 */
export interface Naming {
  readonly name?: string | undefined
  readonly version?: string | undefined
}

/**
 * Makes a codec of a Schema: `Json.make`, `Binary.make`, `MsgPack.make`, or a function of your own. What a cache takes as
 * its `codec`.
 *
 * @since 0.1.0
 * @category models
 */
export type Maker<A> = (schema: Schema.Schema<A, never>, options?: Naming) => Codec<A>

/** What it encodes to is found out when something is encoded. */
const erased = <A, I>(schema: Schema.Schema<A, I>): Schema.Schema<A, never> =>
  schema as unknown as Schema.Schema<A, never>

/**
 * The cheapest codec that suits a Schema, which is what a cache uses that names none: `Binary` where the Schema encodes to
 * text, otherwise `Json`.
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import * as Codec from "effect-larder/Codec"
 *
 * console.log(Codec.make(Schema.String).name) // => Binary
 * console.log(Codec.make(Schema.Struct({ id: Schema.Number })).name) // => Json
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <A, I>(schema: Schema.Schema<A, I>, options?: Naming): Codec<A> =>
  isText(Schema.encodedSchema(schema)) ? Binary.make(erased(schema), options) : Json.make(schema, options)

/**
 * Reads what was written under an older Schema, and makes today's values of it: for a cache's `migrations`. What was
 * written then is decoded and validated by the Schema of then, and what `migrate` makes of it is written under the present
 * one when it is loaded again. `codec` and `version` must be those of then.
 *
 * What `migrate` throws is a `CodecError`, and the entry is a miss.
 *
 * @example
 * ```ts
 * import { Cache } from "effect-larder"
 * import * as Codec from "effect-larder/Codec"
 * import { Effect, Schema } from "effect"
 *
 * const UserV1 = Schema.Struct({ name: Schema.String })
 * const User = Schema.Struct({ first: Schema.String, last: Schema.String })
 *
 * export const users = Cache.make("users", {
 *   key: Schema.Number,
 *   success: User,
 *   migrations: [
 *     Codec.migration(UserV1, ({ name }) => {
 *       const [first = "", last = ""] = name.split(" ")
 *       return { first, last }
 *     })
 *   ],
 *   lookup: (id: number) => Effect.succeed({ first: "Ada", last: `Lovelace ${id}` })
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const migration = <Old, I, A>(
  from: Schema.Schema<Old, I>,
  migrate: (old: Old) => A,
  options?: Naming & { readonly codec?: Maker<Old> | undefined }
): Codec<A> => {
  const old = (options?.codec ?? make)(erased(from), options)
  const fail = (operation: "encode" | "decode", reason: string, cause?: unknown) =>
    Either.left(
      new CacheError.CodecError({ codec: old.name, operation, reason, ...(cause === undefined ? {} : { cause }) })
    )
  return {
    name: old.name,
    get fingerprint() {
      return old.fingerprint
    },
    encode: () => fail("encode", "an older Schema is only read"),
    decode: (bytes) => {
      const found = old.decode(bytes)
      if (Either.isLeft(found)) return Either.left(found.left)
      try {
        return Either.right(migrate(found.right))
      } catch (cause) {
        return fail("decode", "the migration threw", cause)
      }
    }
  }
}
