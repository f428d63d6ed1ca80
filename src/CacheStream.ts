/**
 * Caches of large values: files, exports, videos, answers of a model. A value is a `Stream` of bytes, is kept in chunks,
 * and is never in memory as a whole, neither when it is loaded nor when it is read.
 *
 * It is a cache as any other: over any store, with one load for all who ask at once, which belongs to the cache and not to
 * a caller, is fenced against what was invalidated meanwhile, and has its place in the statistics. What is different:
 * whoever waits for a load gets its bytes as they come.
 *
 * @example
 * ```ts
 * import { Effect, Schema, Stream } from "effect"
 * import { CacheStream, MemoryStore } from "effect-larder"
 *
 * const download = (id: string) =>
 *   Stream.make("the film ", id).pipe(Stream.tap((part) => Effect.log(`from far away: ${part}`)), Stream.encodeText)
 *
 * class Videos extends CacheStream.Service<Videos>()("app/Videos", {
 *   key: Schema.String,
 *   lookup: download,
 *   timeToLive: "1 day",
 *   maxBytes: 500_000_000
 * }) {}
 *
 * const program = Effect.gen(function*() {
 *   yield* Stream.runDrain(Videos.get("42"))
 *   return yield* Videos.get("42").pipe(Stream.decodeText(), Stream.mkString)
 * })
 *
 * program.pipe(
 *   Effect.provide(Videos.layer),
 *   Effect.provide(MemoryStore.layer()),
 *   Effect.runPromise
 * ).then(console.log) // the film 42
 * ```
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Cache from "./Cache.js"
import type * as CacheError from "./CacheError.js"
import type * as CacheKey from "./CacheKey.js"
import type * as CacheStore from "./CacheStore.js"
import * as Build from "./internal/stream/build.js"
import type * as CacheStats from "./observe/CacheStats.js"

/**
 * What a cache of streams is told by, whatever copy of this package made it.
 *
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: TypeId = "~effect-larder/CacheStream"

/**
 * The type of `TypeId`.
 *
 * @since 0.1.0
 * @category type ids
 */
export type TypeId = "~effect-larder/CacheStream"

/**
 * What reading a value can fail with:
 *
 * - what its source fails with;
 * - `LoadTimeout`: the source had nothing to say for longer than `loadDeadline`;
 * - `StoreError`: the store lost a part of the value while it was read, and the source has other bytes by now. What was
 *   read so far is good for nothing: get the value again. A store that fails before the first byte, or whose value can be
 *   had from the source as it was, is not heard of here.
 *
 * @since 0.1.0
 * @category models
 */
export type GetError<K, E> = E | CacheKey.ErrorOf<K> | CacheError.LoadTimeout | CacheError.StoreError

/**
 * What is known of a stored value without reading it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Info {
  readonly bytes: number
}

/**
 * A cache keyed by `K` whose values are streams of bytes, which come from sources that fail with `E`. The pieces of a
 * stream are what the source gave or whole chunks; they are shared, so whoever means to change one copies it first.
 *
 * @since 0.1.0
 * @category models
 */
export interface CacheStream<in out K, in out E = never> {
  readonly [TypeId]: TypeId
  readonly name: string
  /** The value of a key: from the store, or as it comes from the source, by one load that all who ask at once share. */
  readonly get: (key: K) => Stream.Stream<Uint8Array, GetError<K, E>>
  /** Loads anew, whatever is stored. If the load fails, what was stored stays. Counts as a get. */
  readonly refresh: (key: K) => Stream.Stream<Uint8Array, GetError<K, E>>
  /** What is known of a value that is stored as a whole and may be served; never loads, and counts as no get. */
  readonly info: (key: K) => Effect.Effect<Option.Option<Info>, GetError<K, E>>
  /**
   * Puts a value in. It is there once all of it has been written; until then, and if the stream fails, what was there
   * stays. Loads of this key that are in the air do not overwrite it. `CodecError` if it has more than `maxBytes`.
   */
  readonly set: <E2, R2>(
    key: K,
    value: Stream.Stream<Uint8Array, E2, R2>,
    options?: Cache.SetOptions
  ) => Effect.Effect<void, E2 | CacheError.LoadTimeout | Cache.WriteError<K>, R2>
  /**
   * Removes a key. Nothing that was loaded before this returned is served to a get that starts after it. Whoever is
   * reading goes on: the chunks are removed when the last reader in this process has left.
   */
  readonly invalidate: (key: K) => Effect.Effect<void, Cache.OperationError<K>>
  /** Makes every value of these tags unserveable. O(1) per tag: the chunks stay until they expire. */
  readonly invalidateTags: (tags: ReadonlyArray<string>) => Effect.Effect<void, CacheError.StoreFailure>
  /** Makes every value unserveable. O(1): the chunks stay until they expire. */
  readonly invalidateAll: Effect.Effect<void, CacheError.StoreFailure>
  /** Removes everything, chunks too, also of those who are reading; answers how many values there were. */
  readonly clear: Effect.Effect<number, CacheError.StoreFailure>
  /**
   * What this cache has done so far. Each get is one, however much is read of it; a reader who had to begin anew because
   * the store lost what he read counts as one more.
   */
  readonly stats: Effect.Effect<CacheStats.CacheStats>
}

/**
 * Everything a cache of streams is made of but its name. Settings that are left out come from `CacheConfig`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<K, E, R, IK = unknown> {
  /** The Schema of keys: equal keys meet as the Schema says. Without it any value is keyed canonically (`CacheKey`). */
  readonly key?: Schema.Schema<K, IK> | undefined
  /** Where the bytes of a key come from. Run once for all who ask at once. */
  readonly lookup: (key: K) => Stream.Stream<Uint8Array, E, R>
  /** How long a value is fresh, from when its load started; 0 for not at all. Default: the configuration's, infinite. */
  readonly timeToLive?: Duration.DurationInput | ((key: K) => Duration.DurationInput) | undefined
  /** The part of each life that chance may take away, from 0 to 1, so that what came together does not go together. */
  readonly jitter?: number | undefined
  /** For how long after its time to live a value is served while it is loaded again. Default 0. */
  readonly staleWhileRevalidate?: Duration.DurationInput | undefined
  /** For how long after its time to live a value is served if its load fails before the first byte. Default 0. */
  readonly staleIfError?: Duration.DurationInput | undefined
  /** The groups a value belongs to; see `invalidateTags`. */
  readonly tags?: ReadonlyArray<string> | ((key: K) => ReadonlyArray<string>) | undefined
  /** False: this key is not cached at all, its source is passed through. */
  readonly when?: ((key: K) => boolean) | undefined
  /** For how long a source may have nothing to say before it has failed. Default: the configuration's, 30 seconds. */
  readonly loadDeadline?: Duration.DurationInput | undefined
  /** The bytes of a chunk: what a store is given at once. A positive integer, at most 1 GiB. Default: 256 KiB. */
  readonly chunkBytes?: number | undefined
  /** Larger values are passed through, and not kept. A positive integer, or `Infinity`. Default: `Infinity`. */
  readonly maxBytes?: number | undefined
  /**
   * For how long chunks outlive the life of their value, so that who has begun to read it can come to its end.
   * Default: 1 hour.
   */
  readonly margin?: Duration.DurationInput | undefined
}

/**
 * Makes a cache of streams in a Scope, over the store that is provided, in two of its regions: `name` has a manifest for
 * each value, `name/chunks` has the chunks. When the Scope closes, loads are interrupted.
 *
 * Fails with `InvalidConfig` for bad options, and for a name that a live cache on this store has already.
 *
 * @example
 * ```ts
 * import { Effect, Stream } from "effect"
 * import { CacheStream, MemoryStore } from "effect-larder"
 *
 * const program = Effect.gen(function*() {
 *   const exports = yield* CacheStream.make("exports", {
 *     lookup: (year: number) => Stream.encodeText(Stream.make(`all of ${year}`)),
 *     timeToLive: "1 hour"
 *   })
 *   yield* Stream.runDrain(exports.get(2024))
 *   return yield* exports.info(2024)
 * })
 *
 * program.pipe(Effect.scoped, Effect.provide(MemoryStore.layer()), Effect.runPromise).then((info) => {
 *   console.log(info.toString().includes("11")) // => true
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <K, E = never, R = never, IK = unknown>(
  name: string,
  options: Options<K, E, R, IK>
): Effect.Effect<CacheStream<K, E>, Cache.BuildError, CacheStore.CacheStore | R | Scope.Scope> =>
  // which Schema the keys have makes no difference to the types from here on
  Build.make(name, options as Build.Options<K, E, R>)

/**
 * A cache's operations as statics of its class: the same, requiring the cache from the context.
 *
 * @since 0.1.0
 * @category models
 */
export interface Statics<Self, in out K, in out E> {
  readonly get: (key: K) => Stream.Stream<Uint8Array, GetError<K, E>, Self>
  readonly refresh: (key: K) => Stream.Stream<Uint8Array, GetError<K, E>, Self>
  readonly info: (key: K) => Effect.Effect<Option.Option<Info>, GetError<K, E>, Self>
  readonly set: <E2, R2>(
    key: K,
    value: Stream.Stream<Uint8Array, E2, R2>,
    options?: Cache.SetOptions
  ) => Effect.Effect<void, E2 | CacheError.LoadTimeout | Cache.WriteError<K>, R2 | Self>
  readonly invalidate: (key: K) => Effect.Effect<void, Cache.OperationError<K>, Self>
  readonly invalidateTags: (tags: ReadonlyArray<string>) => Effect.Effect<void, CacheError.StoreFailure, Self>
  readonly invalidateAll: Effect.Effect<void, CacheError.StoreFailure, Self>
  readonly clear: Effect.Effect<number, CacheError.StoreFailure, Self>
  readonly stats: Effect.Effect<CacheStats.CacheStats, never, Self>
}

/**
 * What a class made by `Service` extends: the Tag, the cache's operations as statics, and the Layer.
 *
 * @since 0.1.0
 * @category models
 */
export type ServiceClass<Self, Id extends string, K, E, R> = Context.TagClass<Self, Id, CacheStream<K, E>> &
  Statics<Self, K, E> & {
    /** Builds the cache over the store that is provided. Bound once, so it is built once however often it is provided. */
    readonly layer: Layer.Layer<Self, Cache.BuildError, CacheStore.CacheStore | R>
  }

const statics = <Self, K, E>(tag: Context.Tag<Self, CacheStream<K, E>>): Statics<Self, K, E> => ({
  get: (key) => Stream.unwrap(Effect.map(tag, (cache) => cache.get(key))),
  refresh: (key) => Stream.unwrap(Effect.map(tag, (cache) => cache.refresh(key))),
  info: (key) => Effect.flatMap(tag, (cache) => cache.info(key)),
  set: (key, value, options) => Effect.flatMap(tag, (cache) => cache.set(key, value, options)),
  invalidate: (key) => Effect.flatMap(tag, (cache) => cache.invalidate(key)),
  invalidateTags: (tags) => Effect.flatMap(tag, (cache) => cache.invalidateTags(tags)),
  invalidateAll: Effect.flatMap(tag, (cache) => cache.invalidateAll),
  clear: Effect.flatMap(tag, (cache) => cache.clear),
  stats: Effect.flatMap(tag, (cache) => cache.stats)
})

/**
 * Defines a cache of streams and its Tag in one: a class with the cache's operations as statics and a `layer`. The Tag's
 * identifier is the cache's name.
 *
 * @example
 * ```ts
 * import { Effect, Schema, Stream } from "effect"
 * import { CacheStream, MemoryStore } from "effect-larder"
 *
 * class Reports extends CacheStream.Service<Reports>()("app/Reports", {
 *   key: Schema.String,
 *   lookup: (name) => Stream.encodeText(Stream.make("report on ", name)),
 *   timeToLive: "1 hour"
 * }) {}
 *
 * Reports.get("larders").pipe(
 *   Stream.decodeText(),
 *   Stream.mkString,
 *   Effect.provide(Reports.layer),
 *   Effect.provide(MemoryStore.layer()),
 *   Effect.runPromise
 * ).then(console.log) // => report on larders
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const Service =
  <Self>() =>
  <const Id extends string, K, E = never, R = never, IK = unknown>(
    id: Id,
    options: Options<K, E, R, IK>
  ): ServiceClass<Self, Id, K, E, R> => {
    const tag = Context.Tag(id)<Self, CacheStream<K, E>>()
    // `Layer.scoped` takes the Scope out of what building requires
    const layer = Layer.scoped(tag, make(id, options)) as Layer.Layer<Self, Cache.BuildError, CacheStore.CacheStore | R>
    return Object.assign(tag, statics(tag), { layer })
  }
