/**
 * Values into bytes and back.
 *
 * @since 0.1.0
 */
import type * as Either from "effect/Either"
import type * as CacheEntry from "../CacheEntry.js"
import type * as CacheError from "../CacheError.js"

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
