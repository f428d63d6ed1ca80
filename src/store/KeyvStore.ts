/**
 * Entries kept by any adapter of Keyv: for MongoDB, MySQL, etcd, DynamoDB and whatever else there is one for.
 *
 * An adapter reads, writes and removes; all else that a cache needs (tags, invalidation in one step, loads that do not
 * come back after it) is made of that, by this process. What several programs do in the same moment with one adapter's
 * data is ordered by nobody: let each have a `prefix` of its own, or use a store that is `Shared`.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Encoding from "effect/Encoding"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
import * as CacheError from "../CacheError.js"
import * as CacheStore from "../CacheStore.js"
import * as Check from "../internal/options.js"
import * as Plain from "./versioned/plain.js"
import * as Store from "./versioned/store.js"
import { warnOf } from "../internal/tell.js"

/**
 * What this engine is; see `CacheStore.Descriptor`.
 *
 * @since 0.1.0
 * @category descriptors
 */
export const descriptor: CacheStore.Descriptor = {
  name: "KeyvStore",
  module: "effect-larder/KeyvStore",
  capabilities: { live: false, persistent: true, shared: false },
  orders: "one program",
  needs: [],
  reclaims: "by itself",
  takes: "what the adapter takes"
}

/**
 * What is asked of an adapter: `@keyv/mongo`, `@keyv/mysql`, ..., or a `Map`. Not a `Keyv` itself, which keeps its
 * adapter's failures to itself.
 *
 * @since 0.1.0
 * @category models
 */
export interface Adapter {
  readonly get: (key: string) => unknown
  /** `ttl` in milliseconds. */
  readonly set: (key: string, value: string, ttl?: number) => unknown
  readonly delete: (key: string) => unknown
  readonly getMany?: ((keys: Array<string>) => Promise<ReadonlyArray<unknown>>) | undefined
  readonly on?: ((event: "error", listener: (error: unknown) => void) => unknown) | undefined
  readonly disconnect?: (() => unknown) | undefined
}

/**
 * Which adapter, and how patient the store is.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Makes the adapter when the Layer is built. It is disconnected when the Layer is released. */
  readonly adapter: () => Adapter
  /** What all keys of the store begin with. Default: "larder". */
  readonly prefix?: string | undefined
  /** How long an operation may take, before it fails with `StoreTimeout`. Default: 1 second. */
  readonly timeout?: Duration.DurationInput | undefined
}

const storeName = "KeyvStore"

const failure = (operation: string, cause: unknown): CacheError.StoreError =>
  new CacheError.StoreError({
    store: storeName,
    operation,
    reason: cause instanceof Error ? cause.message : String(cause),
    transient: true,
    hint: "see the cause, which is what the adapter says",
    cause
  })

const said = <A>(operation: string, run: () => Promise<A>): Effect.Effect<A, CacheError.StoreFailure> =>
  Effect.tryPromise({ try: run, catch: (cause) => failure(operation, cause) })

const bytesIn = (value: unknown): Uint8Array | undefined =>
  typeof value === "string" ? Either.getOrUndefined(Encoding.decodeBase64(value)) : undefined

const valuesOf = (adapter: Adapter, keys: Array<string>): Promise<ReadonlyArray<unknown>> =>
  adapter.getMany === undefined ? Promise.all(keys.map((key) => adapter.get(key))) : adapter.getMany(keys)

const plainOf = (adapter: Adapter, prefix: string): Plain.Plain => {
  const keyOf = (name: string): string => `${prefix}:${name}`
  return {
    // the first before the others
    get: (operation, names) =>
      said(operation, async () => {
        const [first, ...rest] = names.map(keyOf)
        const head = first === undefined ? [] : [await adapter.get(first)]
        const tail = rest.length === 0 ? [] : await valuesOf(adapter, rest)
        return [...head, ...tail].map(bytesIn)
      }),
    set: (operation, name, bytes, millis) =>
      said(operation, async () => {
        await adapter.set(keyOf(name), Encoding.encodeBase64(bytes), millis === Infinity ? undefined : millis)
      }),
    remove: (operation, names) =>
      Effect.asVoid(said(operation, () => Promise.all(names.map((name) => adapter.delete(keyOf(name))))))
  }
}

/** Adapters tell some of their failures as events, and one that nobody hears ends the process. */
const listen = (adapter: Adapter): Effect.Effect<void> =>
  Effect.map(Effect.runtime<never>(), (runtime) => {
    adapter.on?.("error", (error) => {
      Runtime.runFork(runtime)(warnOf(storeName, `${storeName}: ${failure("any", error).reason}`))
    })
  })

const make = (
  options: Options
): Effect.Effect<CacheStore.Service, CacheError.InvalidConfig | CacheError.StoreUnavailable, Scope.Scope> =>
  Effect.gen(function* () {
    yield* Check.check(
      { ...options },
      { adapter: Check.isFunction, prefix: Check.prefix, timeout: Check.positiveDuration }
    )
    const adapter = yield* Effect.acquireRelease(
      Effect.try({
        try: () => options.adapter(),
        catch: (cause) =>
          new CacheError.StoreUnavailable({
            store: storeName,
            reason: failure("open", cause).reason,
            hint: "see the cause, which is what the adapter says",
            cause
          })
      }),
      (one) => Effect.ignore(said("close", async () => one.disconnect?.()))
    )
    yield* listen(adapter)
    const items = Plain.make(plainOf(adapter, options.prefix ?? "larder"))
    return yield* Store.make({
      name: storeName,
      capabilities: descriptor.capabilities,
      items,
      millis: Check.millisOf(options.timeout ?? "1 second")
    })
  })

/**
 * A store over an adapter of Keyv, which is the store's own as long as the Layer lives.
 *
 * The options are checked once; all that is wrong with them is in one `InvalidConfig`. `StoreUnavailable` tells that the
 * adapter cannot be made.
 *
 * @example
 * ```ts
 * import { Cached } from "effect-larder"
 * import * as KeyvStore from "effect-larder/KeyvStore"
 * import { Effect, Schema } from "effect"
 *
 * // a Map is the simplest adapter; `() => new KeyvMongo(url)` is another one
 * const Store = KeyvStore.layer({ adapter: () => new Map<string, string>() })
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
  options: Options
): Layer.Layer<CacheStore.CacheStore | CacheStore.Persistent, CacheError.InvalidConfig | CacheError.StoreUnavailable> =>
  Layer.scopedContext(Effect.map(make(options), CacheStore.context(CacheStore.Persistent)))

/**
 * As `layer`, with its options read from a `Config`.
 *
 * @example
 * ```ts
 * import { Config } from "effect"
 * import * as KeyvStore from "effect-larder/KeyvStore"
 *
 * export const Store = KeyvStore.layerConfig({
 *   adapter: Config.succeed(() => new Map<string, string>()),
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
  CacheError.InvalidConfig | CacheError.StoreUnavailable | ConfigError
> => Layer.unwrapEffect(Effect.map(Config.unwrap(config), layer))
