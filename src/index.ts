/**
 * The public face of effect-larder: one namespace for each module that needs neither Node nor an optional peer.
 *
 * @since 0.1.0
 */
// Written by scripts/exports.mjs from the folder tree: `npm run exports`.

/**
 * Values that are bytes or text already, as they are: no base64, no quotes.
 *
 * @since 0.1.0
 */
export * as Binary from "./codec/Binary.js"

/**
 * Typed caches: one lookup run for all who ask at once, kept in whatever store is provided.
 *
 * @since 0.1.0
 */
export * as Cache from "./Cache.js"

/**
 * All caches of a program, for whoever looks after them: what there is, what is in it, why a get would hit or miss, and
 * removing what has to go, without knowing the types of keys and values.
 *
 * @since 0.1.0
 */
export * as CacheAdmin from "./CacheAdmin.js"

/**
 * Warnings before it hurts: rules over what caches did in the last while, told once when they begin to be broken and once
 * when they hold again.
 *
 * @since 0.1.0
 */
export * as CacheAlerts from "./observe/CacheAlerts.js"

/**
 * How the keys of a cache are used: which are asked for most, what is loaded for nothing or again and again, and what hit
 * ratio a larger or smaller cache would have. From a sample that a hit hardly feels, and in bounded memory.
 *
 * @since 0.1.0
 */
export * as CacheAnalytics from "./observe/CacheAnalytics.js"

/**
 * Loads that go together: lookups of many keys at once, and caches as sources of batched requests.
 *
 * @since 0.1.0
 */
export * as CacheBatch from "./CacheBatch.js"

/**
 * The settings that every store and cache understands: one immutable value, checked once, when it is built.
 *
 * @since 0.1.0
 */
export * as CacheConfig from "./CacheConfig.js"

/**
 * Temporary stores and settings: in force inside one effect, made for it and released with it.
 *
 * @since 0.1.0
 */
export * as CacheContext from "./CacheContext.js"

/**
 * What a store keeps for one key. Immutable.
 *
 * @since 0.1.0
 */
export * as CacheEntry from "./CacheEntry.js"

/**
 * The one family of errors that effect-larder fails with.
 *
 * @since 0.1.0
 */
export * as CacheError from "./CacheError.js"

/**
 * What happens inside caches and stores, as a stream of typed events: loads, stale answers, removals and invalidations,
 * and what no caller is told: entries that did not decode, stores that failed while the lookup answered, clean-ups that
 * went wrong.
 *
 * @since 0.1.0
 */
export * as CacheEvents from "./observe/CacheEvents.js"

/**
 * Why a get would hit or miss: what `Cache.explain` answers.
 *
 * @since 0.1.0
 */
export * as CacheExplanation from "./CacheExplanation.js"

/**
 * Whether the stores of a program's caches answer.
 *
 * @since 0.1.0
 */
export * as CacheHealth from "./observe/CacheHealth.js"

/**
 * What names an entry: any key value as a short string, the same for equal values, different for different ones.
 *
 * @since 0.1.0
 */
export * as CacheKey from "./CacheKey.js"

/**
 * A store as the `KeyValueStore` of `@effect/platform`.
 *
 * @since 0.1.0
 */
export * as CacheKeyValueStore from "./integration/CacheKeyValueStore.js"

/**
 * A store as an adapter of Keyv, for libraries that take one: `new Keyv({ store })`.
 *
 * @since 0.1.0
 */
export * as CacheKeyv from "./integration/CacheKeyv.js"

/**
 * Logs of what caches do, and logs that are kept: a line for each event, at its level; a line every so often of what was done;
 * a file that does not grow for ever.
 *
 * @since 0.1.0
 */
export * as CacheLog from "./observe/CacheLog.js"

/**
 * The numbers of caches as Effect `Metric`s, for whatever exports those.
 *
 * @since 0.1.0
 */
export * as CacheMetrics from "./observe/CacheMetrics.js"

/**
 * How a cache treats time and trouble: how long its entries are fresh, what may be served when they no longer are, how
 * often a source is asked, and how many may ask it at once.
 *
 * @since 0.1.0
 */
export * as CachePolicy from "./CachePolicy.js"

/**
 * Effect's metrics as the text that Prometheus, and whatever speaks its language, asks for.
 *
 * @since 0.1.0
 */
export * as CachePrometheus from "./observe/CachePrometheus.js"

/**
 * A value with its provenance: what `Cache.getResult` answers.
 *
 * @since 0.1.0
 */
export * as CacheResult from "./CacheResult.js"

/**
 * What those ask who look after a program: whether it lives, whether it is ready, and its numbers.
 *
 * @since 0.1.0
 */
export * as CacheRoutes from "./http/CacheRoutes.js"

/**
 * What a cache has done so far, in numbers: as a snapshot, as the difference of two, as a Stream, and of all caches.
 *
 * @since 0.1.0
 */
export * as CacheStats from "./observe/CacheStats.js"

/**
 * Where entries live: the contract that every engine meets, and the Layer combinators over it.
 *
 * @since 0.1.0
 */
export * as CacheStore from "./CacheStore.js"

/**
 * Caches of large values: files, exports, videos, answers of a model. A value is a `Stream` of bytes, is kept in chunks,
 * and is never in memory as a whole, neither when it is loaded nor when it is read.
 *
 * @since 0.1.0
 */
export * as CacheStream from "./CacheStream.js"

/**
 * The spans of caches and stores, and a way to look at them without a collector.
 *
 * @since 0.1.0
 */
export * as CacheTracing from "./observe/CacheTracing.js"

/**
 * Filling a cache before it is asked: from keys, which are loaded, or from entries, which are there already.
 *
 * @since 0.1.0
 */
export * as CacheWarming from "./CacheWarming.js"

/**
 * Cached functions and effects: a cache for code that has no service to name.
 *
 * @since 0.1.0
 */
export * as Cached from "./Cached.js"

/**
 * Values into bytes and back.
 *
 * @since 0.1.0
 */
export * as Codec from "./codec/Codec.js"

/**
 * Whole entries as bytes: the file format of every byte store.
 *
 * @since 0.1.0
 */
export * as Envelope from "./codec/Envelope.js"

/**
 * Values as JSON, by way of their Schema.
 *
 * @since 0.1.0
 */
export * as Json from "./codec/Json.js"

/**
 * Entries kept by any adapter of Keyv: for MongoDB, MySQL, etcd, DynamoDB and whatever else there is one for.
 *
 * @since 0.1.0
 */
export * as KeyvStore from "./store/KeyvStore.js"

/**
 * How much memory the process uses, and how much it may: what a memory store under `memoryPressure` looks at.
 *
 * @since 0.1.0
 */
export * as MemoryProbe from "./store/MemoryProbe.js"

/**
 * Entries kept by reference in this process: the fastest store, with no dependency, on every runtime.
 *
 * @since 0.1.0
 */
export * as MemoryStore from "./store/MemoryStore.js"

/**
 * Entries kept by the `KeyValueStore` of `@effect/platform`: in a browser's storage, in a folder, in whatever a program
 * has one for.
 *
 * @since 0.1.0
 */
export * as PlatformStore from "./store/PlatformStore.js"

/**
 * One value that is kept up to date: loaded again on a Schedule, whatever becomes of a single load.
 *
 * @since 0.1.0
 */
export * as RefreshedValue from "./resource/RefreshedValue.js"

/**
 * A cache of resources: what has to be released when it is no longer needed, such as connections, file handles or
 * clients of tenants.
 *
 * @since 0.1.0
 */
export * as ScopedCache from "./resource/ScopedCache.js"

/**
 * A store for whoever looks after it: which caches it has, what is in them, removing what has to go, and taking it all to
 * another store, without the programs whose caches they are, and without their Schemas.
 *
 * @since 0.1.0
 */
export * as StoreAdmin from "./StoreAdmin.js"
