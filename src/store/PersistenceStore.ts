/**
 * Entries kept by the `BackingPersistence` of `@effect/experimental`, the one that `PersistedCache` and
 * `RequestResolver.persisted` keep theirs in.
 *
 * A persistence reads, writes and removes; all else that a cache needs (tags, invalidation in one step, loads that do not
 * come back after it, a list of what there is) is made of that, by this process. What several programs do in the same
 * moment with one of them is ordered by nobody.
 *
 * @since 0.1.0
 */
import * as Persistence from "@effect/experimental/Persistence"
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Encoding from "effect/Encoding"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as CacheError from "../CacheError.js"
import * as CacheStore from "../CacheStore.js"
import * as Check from "../internal/options.js"
import * as Plain from "./versioned/plain.js"
import * as Store from "./versioned/store.js"

/**
 * What this engine is; see `CacheStore.Descriptor`.
 *
 * @since 0.1.0
 * @category descriptors
 */
export const descriptor: CacheStore.Descriptor = {
  name: "PersistenceStore",
  module: "effect-larder/PersistenceStore",
  capabilities: { live: false, persistent: true, shared: false },
  orders: "one program",
  needs: ["@effect/experimental"],
  reclaims: "by itself",
  takes: "what the persistence takes"
}

/**
 * Where in the persistence, and how patient the store is.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The persistence's own store that all entries are in (its `storeId`). Default: "larder". */
  readonly storeId?: string | undefined
  /** How long an operation may take, before it fails with `StoreTimeout`. Default: 1 second. */
  readonly timeout?: Duration.DurationInput | undefined
}

const storeName = "PersistenceStore"

const told = <A>(operation: string, effect: Effect.Effect<A, Persistence.PersistenceError>) =>
  Effect.mapError(
    effect,
    (cause) =>
      new CacheError.StoreError({
        store: storeName,
        operation,
        reason: cause.message,
        transient: true,
        hint: "see the cause, which is what the persistence says",
        cause
      })
  )

// what a persistence makes of a value is its own business: most of them write JSON, so it is given a text
const bytesIn = (found: Option.Option<unknown>): Uint8Array | undefined =>
  Option.isSome(found) && typeof found.value === "string"
    ? Either.getOrUndefined(Encoding.decodeBase64(found.value))
    : undefined

const plainOf = (backing: Persistence.BackingPersistenceStore): Plain.Plain => ({
  // the first before the others
  get: (operation, [first, ...rest]) =>
    Effect.zipWith(
      first === undefined ? Effect.succeed([]) : Effect.map(told(operation, backing.get(first)), (one) => [one]),
      rest.length === 0 ? Effect.succeed([]) : Effect.suspend(() => told(operation, backing.getMany(rest))),
      (head, tail) => [...head, ...tail].map(bytesIn)
    ),
  set: (operation, name, bytes, millis) =>
    told(
      operation,
      backing.set(
        name,
        Encoding.encodeBase64(bytes),
        millis === Infinity ? Option.none() : Option.some(Duration.millis(millis))
      )
    ),
  remove: (operation, names) => told(operation, Effect.forEach(names, backing.remove, { discard: true }))
})

/**
 * A store over the `BackingPersistence` in force. The options are checked once, when the Layer is built: `InvalidConfig`.
 *
 * @example
 * ```ts
 * import * as Persistence from "@effect/experimental/Persistence"
 * import { Effect, Layer, Schema } from "effect"
 * import { Cached } from "effect-larder"
 * import * as PersistenceStore from "effect-larder/PersistenceStore"
 *
 * const Store = PersistenceStore.layer().pipe(Layer.provide(Persistence.layerMemory))
 *
 * const price = Cached.fn("price", { success: Schema.Number })((item: string) => Effect.succeed(item.length))
 *
 * price("bread").pipe(Effect.provide(Store), Effect.runPromise).then(console.log) // 5
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  options: Options = {}
): Layer.Layer<
  CacheStore.CacheStore | CacheStore.Persistent,
  CacheError.InvalidConfig,
  Persistence.BackingPersistence
> =>
  Layer.scopedContext(
    Effect.gen(function* () {
      yield* Check.check({ ...options }, { storeId: Check.prefix, timeout: Check.positiveDuration })
      const persistence = yield* Persistence.BackingPersistence
      const items = Plain.make(plainOf(yield* persistence.make(options.storeId ?? "larder")))
      const store = yield* Store.make({
        name: storeName,
        capabilities: descriptor.capabilities,
        items,
        millis: Check.millisOf(options.timeout ?? "1 second")
      })
      return CacheStore.context(CacheStore.Persistent)(store)
    })
  )

/**
 * As `layer`, with its options read from a `Config`.
 *
 * @example
 * ```ts
 * import { Config } from "effect"
 * import * as PersistenceStore from "effect-larder/PersistenceStore"
 *
 * export const Store = PersistenceStore.layerConfig({
 *   storeId: Config.string("CACHE_STORE").pipe(Config.withDefault("shop"))
 * })
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  config: Config.Config.Wrap<Options>
): Layer.Layer<
  CacheStore.CacheStore | CacheStore.Persistent,
  CacheError.InvalidConfig | ConfigError,
  Persistence.BackingPersistence
> => Layer.unwrapEffect(Effect.map(Config.unwrap(config), layer))
