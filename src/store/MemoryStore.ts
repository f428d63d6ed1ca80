/**
 * Entries kept by reference in this process: the fastest store, with no dependency, on every runtime.
 *
 * Bounded by default. Nothing is encoded, so values need no Schema, and a hit answers synchronously. When the store
 * is full the least recently used entry makes room.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as CacheConfig from "../CacheConfig.js"
import type * as CacheEntry from "../CacheEntry.js"
import type * as CacheError from "../CacheError.js"
import * as CacheStore from "../CacheStore.js"
import * as Lru from "../eviction/Lru.js"
import * as Check from "../internal/options.js"
import * as Memory from "../internal/store/memoryRegion.js"
import * as Service from "../internal/store/service.js"
import { weigh } from "../internal/weigh.js"

/**
 * How much the store may hold, over all caches that share it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Short for `maxEntries`. */
  readonly capacity?: number | undefined
  /** The most entries kept: a positive integer or `Infinity`. Default: the configuration's, 10 000. */
  readonly maxEntries?: number | undefined
  /** The most bytes kept: a positive integer or `Infinity`. Default: the configuration's, `Infinity`. */
  readonly maxBytes?: number | undefined
  /**
   * Bytes of one entry; one for which it answers no number from 0 to `maxBytes` is not kept. Default: an estimate of
   * what the value and its key weigh in memory.
   */
  readonly weigher?: ((key: string, entry: CacheEntry.CacheEntry<unknown, unknown>) => number) | undefined
}

const name = "MemoryStore"

/** Slots, list links, map bucket and the entry's own fields, measured on V8; see `npm run bench`. */
const overhead = 430

const weighEntry = (key: string, entry: CacheEntry.CacheEntry<unknown, unknown>): number =>
  overhead + key.length + weigh(entry.exit._tag === "Success" ? entry.exit.value : entry.exit.cause)

const resolve = (
  options: Options,
  config: CacheConfig.CacheConfig
): Effect.Effect<Memory.PoolOptions, CacheError.InvalidConfig> =>
  Effect.map(
    Check.check(options, {
      capacity: Check.positiveInteger,
      maxEntries: (value) =>
        options.capacity === undefined || options.capacity === value
          ? Check.positiveInteger(value)
          : { reason: "differs from capacity, which is short for it", hint: "give one of maxEntries and capacity" },
      maxBytes: Check.positiveInteger,
      weigher: Check.isFunction
    }),
    () => ({
      maxEntries: options.maxEntries ?? options.capacity ?? config.maxEntries,
      maxBytes: options.maxBytes ?? config.maxBytes,
      policy: Lru.make(),
      weigh: options.weigher ?? weighEntry
    })
  )

/**
 * Makes the store's service; `layer` is made of it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options = {}): Effect.Effect<CacheStore.Service, CacheError.InvalidConfig, Scope.Scope> =>
  Effect.gen(function* () {
    const pool = new Memory.Pool(yield* resolve(options, yield* CacheConfig.Current))
    const regions = new Map<string, Memory.MemoryRegion<unknown, unknown>>()
    /** What is closed and empty has nothing for who opens its name again. */
    const forget = (region: string) => () => {
      const view = regions.get(region)
      if (view?.isClosed === true && view.nodes.size === 0) regions.delete(region)
    }
    return yield* Service.make({
      name,
      capabilities: { live: true, persistent: false, shared: false },
      open: <A, E>({ codec, name: region }: CacheStore.RegionOptions<A, E>) =>
        Effect.acquireRelease(
          Effect.sync(() => {
            const previous = regions.get(region)
            const view = new Memory.MemoryRegion<unknown, unknown>(pool, forget(region), previous)
            view.open(codec?.fingerprint)
            regions.set(region, view)
            return view
          }),
          (view) =>
            Effect.sync(() => {
              view.close()
              forget(region)()
            })
        ).pipe(
          // the fingerprint checked by `open` is what makes the values of this name `A` and `E`
          Effect.map((view) => Memory.toRegion(name, region, view as Memory.MemoryRegion<A, E>))
        )
    })
  })

/**
 * The store as a Layer. Without options it cannot fail to build; a bound that is no positive integer (or `Infinity`)
 * is `InvalidConfig`.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Cache, MemoryStore } from "effect-larder"
 *
 * const program = Effect.gen(function*() {
 *   const lengths = yield* Cache.make("lengths", { lookup: (word: string) => Effect.succeed(word.length) })
 *   return yield* lengths.get("larder")
 * })
 *
 * program.pipe(
 *   Effect.scoped,
 *   Effect.provide(MemoryStore.layer({ capacity: 1_000 })),
 *   Effect.runPromise
 * ).then(console.log) // 6
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: {
  (): Layer.Layer<CacheStore.CacheStore | CacheStore.Live>
  (options: Options): Layer.Layer<CacheStore.CacheStore | CacheStore.Live, CacheError.InvalidConfig>
} = (options?: Options): Layer.Layer<CacheStore.CacheStore | CacheStore.Live> =>
  Layer.scopedContext(
    // without options there is nothing that could be refused; with them the overload says that it can
    Effect.map(
      make(options) as Effect.Effect<CacheStore.Service, never, Scope.Scope>,
      CacheStore.context(CacheStore.Live)
    )
  )

/**
 * As `layer`, with its options read from a `Config`.
 *
 * @example
 * ```ts
 * import { CacheStore, MemoryStore } from "effect-larder"
 * import { Config, ConfigProvider, Effect } from "effect"
 *
 * const Store = MemoryStore.layerConfig({ maxEntries: Config.integer("CACHE_ENTRIES").pipe(Config.withDefault(1_000)) })
 *
 * CacheStore.CacheStore.pipe(
 *   Effect.map((store) => store.name),
 *   Effect.provide(Store),
 *   Effect.withConfigProvider(ConfigProvider.fromMap(new Map([["CACHE_ENTRIES", "50"]]))),
 *   Effect.runPromise
 * ).then(console.log) // MemoryStore
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  config: Config.Config.Wrap<Options>
): Layer.Layer<CacheStore.CacheStore | CacheStore.Live, CacheError.InvalidConfig | ConfigError> =>
  Layer.unwrapEffect(Effect.map(Config.unwrap(config), layer))
