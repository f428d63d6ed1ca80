/** Stores that show, or take, less than the one under them. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as CacheError from "../CacheError.js"
import type * as Codec from "../codec/Codec.js"
import * as Options from "../internal/options.js"
import * as Layers from "../internal/store/layers.js"
import * as ReadOnly from "../internal/store/readOnly.js"
import * as Store from "../internal/store/service.js"
import * as WriteBehind from "../internal/store/writeBehind.js"
import { steadyMillis } from "../internal/steady.js"
import * as CacheEvents from "../observe/CacheEvents.js"
import { changeStore } from "./change.js"
import { CacheStore, type Service } from "./contract.js"

/**
 * Puts all regions of a store under a prefix, so that several programs (or versions of one) share an engine without
 * sharing entries. Nested prefixes add up. An empty prefix, or one with control characters, is `InvalidConfig`.
 *
 * @example
 * ```ts
 * import { CacheStore, MemoryStore } from "effect-larder"
 *
 * export const Store = MemoryStore.layer().pipe(CacheStore.prefixed("shop"))
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const prefixed =
  (prefix: string) =>
  <O, E, R>(layer: Layer.Layer<CacheStore | O, E, R>): Layer.Layer<CacheStore | O, E | CacheError.InvalidConfig, R> =>
    Layer.unwrapEffect(
      Effect.map(Options.check({ prefix }, { prefix: Options.regionName }), () =>
        changeStore(layer, (service) => ({
          ...service,
          // names hold no control characters, so no name and no other prefix can make the same text
          region: (options) => service.region({ ...options, name: Store.prefixedName(prefix, options.name) }),
          raw: service.raw && Store.prefixedRaw(prefix, service.raw)
        }))
      )
    )

/**
 * Changes the bytes that a store is given: `Compression.make()`, `Encryption.make({ keys })`, or a transform of your
 * own. Several of them are done in turn, the outermost first: to compress and then encrypt, put the encryption inside.
 *
 * A store that keeps values and not bytes has nothing to change: `InvalidConfig`. What cannot be read, because it was
 * written with another key, is a miss.
 *
 * @example
 * ```ts
 * import { Redacted } from "effect"
 * import { CacheStore } from "effect-larder"
 * import * as Compression from "effect-larder/Compression"
 * import * as Encryption from "effect-larder/Encryption"
 * import * as SqliteStore from "effect-larder/SqliteStore"
 *
 * export const store = (key: Redacted.Redacted<string>) =>
 *   SqliteStore.layer({ filename: "cache.db" }).pipe(
 *     CacheStore.encodedBy(Encryption.make({ keys: [key] })),
 *     CacheStore.encodedBy(Compression.make())
 *   )
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const encodedBy =
  <E2, R2>(transform: Effect.Effect<Codec.Transform, E2, R2>) =>
  <O, E, R>(
    layer: Layer.Layer<CacheStore | O, E, R>
  ): Layer.Layer<CacheStore | O, E | E2 | CacheError.InvalidConfig, R | R2> =>
    Layer.unwrapEffect(
      Effect.map(transform, (change) =>
        Layer.tap(
          changeStore(layer, (service) => ({
            ...service,
            region: ({ codec, ...options }) => service.region({ ...options, codec: codec && change(codec) })
          })),
          (built) => refuseLive(Context.get(built, CacheStore))
        )
      )
    )

const refuseLive = ({ capabilities, name }: Service): Effect.Effect<void, CacheError.InvalidConfig> =>
  capabilities.live
    ? Effect.fail(
        CacheError.invalidConfig([
          {
            field: "encodedBy",
            value: name,
            reason: "keeps values, not bytes",
            hint: "use MemoryStore.layerBytes, or put encodedBy around the store that keeps bytes"
          }
        ])
      )
    : Effect.void

/**
 * What an operation of a store came to, for whoever wants to know: `millis` is how long it took.
 *
 * @since 0.1.0
 * @category models
 */
export interface Observation {
  readonly store: string
  readonly operation: string
  readonly millis: number
  readonly failure: CacheError.StoreFailure | CacheError.CodecError | CacheError.InvalidConfig | undefined
}

/**
 * Tells of each operation of a store when it has ended, unless it was interrupted. What `observe` does is part of the
 * operation: let it be quick.
 *
 * @example
 * ```ts
 * import { Effect, Metric, MetricBoundaries } from "effect"
 * import { CacheStore, MemoryStore } from "effect-larder"
 *
 * const latency = Metric.histogram("cache_store_millis", MetricBoundaries.exponential({ start: 1, factor: 2, count: 12 }))
 *
 * export const Store = MemoryStore.layerBytes().pipe(
 *   CacheStore.observed(({ millis, operation }) => Metric.update(Metric.tagged(latency, "operation", operation), millis))
 * )
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const observed =
  (observe: (observation: Observation) => Effect.Effect<unknown>) =>
  <O, E, R>(layer: Layer.Layer<CacheStore | O, E, R>): Layer.Layer<CacheStore | O, E, R> =>
    changeStore(layer, (service) =>
      Layers.aroundStore(service, (operation, effect) =>
        Effect.flatMap(steadyMillis, (start) =>
          Effect.onExit(effect, (exit) => {
            const cause = Exit.isFailure(exit) ? exit.cause : undefined
            if (cause !== undefined && cause._tag !== "Fail") return Effect.void
            // stores fail with nothing else
            const failure = cause?.error as Observation["failure"]
            return Effect.flatMap(steadyMillis, (end) =>
              observe({ store: service.name, operation, millis: end - start, failure })
            )
          })
        )
      )
    )

/**
 * How many operations of a store run at once, and how many wait for their turn.
 *
 * @since 0.1.0
 * @category models
 */
export interface BulkheadOptions {
  readonly concurrency: number
  /** Default: 1 000. */
  readonly queue?: number | undefined
}

/**
 * Lets so many operations run at once, and so many wait; what comes beyond that fails at once with a transient
 * `StoreError`, as if the store were busy. Options are checked when the Layer is built: `InvalidConfig`.
 *
 * @example
 * ```ts
 * import { CacheStore } from "effect-larder"
 * import * as RedisStore from "effect-larder/RedisStore"
 *
 * export const Store = RedisStore.layer().pipe(CacheStore.bulkhead({ concurrency: 64, queue: 256 }))
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const bulkhead =
  ({ concurrency, queue = 1_000 }: BulkheadOptions) =>
  <O, E, R>(layer: Layer.Layer<CacheStore | O, E, R>): Layer.Layer<CacheStore | O, E | CacheError.InvalidConfig, R> =>
    Layer.unwrapEffect(
      Effect.map(
        Options.check({ concurrency, queue }, { concurrency: Options.positiveInteger, queue: Options.positiveInteger }),
        () =>
          changeStore(layer, (service) => {
            const turns = Effect.unsafeMakeSemaphore(concurrency)
            let admitted = 0
            return Layers.aroundStore(service, <A, E, R>(operation: string, effect: Effect.Effect<A, E, R>) =>
              Effect.suspend((): Effect.Effect<A, E | CacheError.StoreFailure, R> => {
                if (admitted >= concurrency + queue) return Effect.fail(busy(service.name, operation, concurrency))
                admitted++
                return Effect.ensuring(
                  turns.withPermits(1)(effect),
                  Effect.sync(() => {
                    admitted--
                  })
                )
              })
            )
          })
      )
    )

const busy = (store: string, operation: string, concurrency: number): CacheError.StoreError =>
  new CacheError.StoreError({
    store,
    operation,
    reason: `${concurrency} operations are under way, and as many wait as may`,
    transient: true,
    hint: "raise concurrency or queue of CacheStore.bulkhead, or ask the store for less"
  })

/**
 * Reads a store, and writes nothing to it: what another program has filled, or a snapshot that was shipped. What is
 * invalidated, or set, is hidden from this program for as long as it runs; in the store it stays as it is. Put a store
 * that can be written in front: `MemoryStore.layer().pipe(CacheStore.tieredOver(store.pipe(CacheStore.readOnly)))`.
 *
 * @example
 * ```ts
 * import { CacheStore, MemoryStore } from "effect-larder"
 * import * as SqliteStore from "effect-larder/SqliteStore"
 *
 * export const Store = MemoryStore.layer().pipe(
 *   CacheStore.tieredOver(SqliteStore.layer({ filename: "shipped.db" }).pipe(CacheStore.readOnly))
 * )
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const readOnly = <O, E, R>(layer: Layer.Layer<CacheStore | O, E, R>): Layer.Layer<CacheStore | O, E, R> =>
  changeStore(layer, (service) => ({
    ...service,
    raw: undefined,
    capabilities: { ...service.capabilities, live: false },
    region: (options) => Effect.map(service.region(options), ReadOnly.make)
  }))

/**
 * Writes what loads bring a little later, so that whoever loaded does not wait for the store: up to `capacity` entries
 * wait for it (default 1 000), in batches of a hundred; what there is no room for is written at once. What is waiting
 * when the Layer is released is written before that is done, if that takes no longer than 5 seconds; what is waiting when the process is killed is lost, as if
 * it had not been loaded. What is set, or invalidated, is done when it returns, as ever.
 *
 * Until it is written another get may load it again, unless a nearer store has it: put memory in front. What could not
 * be written is told as `StoreFailed` by `CacheEvents`. A `capacity` that is none is `InvalidConfig`.
 *
 * @example
 * ```ts
 * import { CacheStore, MemoryStore } from "effect-larder"
 * import * as RedisStore from "effect-larder/RedisStore"
 *
 * export const Store = MemoryStore.layer().pipe(
 *   CacheStore.tieredOver(RedisStore.layer().pipe(CacheStore.writeBehind({ capacity: 5_000 })))
 * )
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const writeBehind =
  (options: { readonly capacity?: number | undefined } = {}) =>
  <O, E, R>(layer: Layer.Layer<CacheStore | O, E, R>): Layer.Layer<CacheStore | O, E | CacheError.InvalidConfig, R> =>
    Layer.unwrapEffect(
      Effect.zipWith(
        Options.check(options, { capacity: Options.positiveInteger }),
        CacheEvents.CacheEvents,
        (_, events) =>
          changeStore(layer, (service) => ({
            ...service,
            raw: undefined,
            capabilities: { ...service.capabilities, live: false },
            region: (wanted) =>
              Effect.flatMap(service.region(wanted), (region) =>
                WriteBehind.make(
                  { ...region, near: undefined, complete: false },
                  {
                    capacity: options.capacity ?? 1_000,
                    events
                  }
                )
              )
          }))
      )
    )
