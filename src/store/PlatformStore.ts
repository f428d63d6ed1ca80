/**
 * Entries kept by the `KeyValueStore` of `@effect/platform`: in a browser's storage, in a folder, in whatever a program
 * has one for.
 *
 * A `KeyValueStore` reads, writes and removes; all else that a cache needs (tags, invalidation in one step, loads that do
 * not come back after it, a list of what there is) is made of that, by this process. What several programs do in the same
 * moment with one of them is ordered by nobody. It knows no expiry: what is over stays until it is asked for or cleared.
 *
 * @since 0.1.0
 */
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
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
  name: "PlatformStore",
  module: "effect-larder/PlatformStore",
  capabilities: { live: false, persistent: true, shared: false },
  orders: "one program",
  needs: [],
  reclaims: "when they are asked for",
  takes: "what the `KeyValueStore` takes"
}

/**
 * How the keys begin, and how patient the store is.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** What all keys of the store begin with. Default: "larder". */
  readonly prefix?: string | undefined
  /** How long an operation may take, before it fails with `StoreTimeout`. Default: 1 second. */
  readonly timeout?: Duration.DurationInput | undefined
}

const storeName = "PlatformStore"

const told = <A>(operation: string, effect: Effect.Effect<A, { readonly message: string }>) =>
  Effect.mapError(
    effect,
    (cause) =>
      new CacheError.StoreError({
        store: storeName,
        operation,
        reason: cause.message,
        transient: true,
        hint: "see the cause, which is what the KeyValueStore says",
        cause
      })
  )

const plainOf = (kv: KeyValueStore.KeyValueStore, prefix: string): Plain.Plain => {
  const keyOf = (name: string): string => `${prefix}:${name}`
  return {
    get: (operation, names) =>
      told(
        operation,
        Effect.forEach(names, (name) => Effect.map(kv.getUint8Array(keyOf(name)), Option.getOrUndefined))
      ),
    set: (operation, name, bytes) => told(operation, kv.set(keyOf(name), bytes)),
    remove: (operation, names) =>
      told(
        operation,
        Effect.forEach(names, (name) => kv.remove(keyOf(name)), { discard: true })
      )
  }
}

/**
 * A store over the `KeyValueStore` in force. The options are checked once, when the Layer is built: `InvalidConfig`.
 *
 * @example
 * ```ts
 * import * as KeyValueStore from "@effect/platform/KeyValueStore"
 * import { Effect, Layer, Schema } from "effect"
 * import { Cached } from "effect-larder"
 * import * as PlatformStore from "effect-larder/PlatformStore"
 *
 * // in a browser: BrowserKeyValueStore.layerLocalStorage
 * const Store = PlatformStore.layer({ prefix: "shop" }).pipe(Layer.provide(KeyValueStore.layerMemory))
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
): Layer.Layer<CacheStore.CacheStore | CacheStore.Persistent, CacheError.InvalidConfig, KeyValueStore.KeyValueStore> =>
  Layer.scopedContext(
    Effect.gen(function* () {
      yield* Check.check({ ...options }, { prefix: Check.prefix, timeout: Check.positiveDuration })
      const items = Plain.make(plainOf(yield* KeyValueStore.KeyValueStore, options.prefix ?? "larder"))
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
 * import * as PlatformStore from "effect-larder/PlatformStore"
 *
 * export const Store = PlatformStore.layerConfig({
 *   prefix: Config.string("CACHE_PREFIX").pipe(Config.withDefault("shop"))
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
  KeyValueStore.KeyValueStore
> => Layer.unwrapEffect(Effect.map(Config.unwrap(config), layer))
