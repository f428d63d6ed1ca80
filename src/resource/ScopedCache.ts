/**
 * A cache of resources: what has to be released when it is no longer needed, such as connections, file handles or
 * clients of tenants.
 *
 * A resource is acquired once for all who ask for its key at once, and shared by all who use it, each for as long as
 * his Scope is open. It is released exactly once: when nobody uses it and it is no longer kept, because it has expired,
 * was pushed out, or was invalidated. It is never released while it is in use.
 *
 * @example
 * ```ts
 * import { ScopedCache } from "effect-larder"
 * import { Effect } from "effect"
 *
 * const connect = (tenant: string) =>
 *   Effect.acquireRelease(
 *     Effect.as(Effect.log(`connected to ${tenant}`), { query: (sql: string) => Effect.succeed(`${tenant}: ${sql}`) }),
 *     () => Effect.log(`disconnected from ${tenant}`)
 *   )
 *
 * const program = Effect.gen(function*() {
 *   const connections = yield* ScopedCache.make({ lookup: connect, capacity: 20, timeToIdle: "10 minutes" })
 *   const ask = (tenant: string) =>
 *     Effect.scoped(Effect.flatMap(connections.get(tenant), (connection) => connection.query("SELECT 1")))
 *   return yield* Effect.all([ask("a"), ask("b"), ask("a")])
 * })
 *
 * program.pipe(Effect.scoped, Effect.runPromise).then(console.log) // [ 'a: SELECT 1', 'b: SELECT 1', 'a: SELECT 1' ]
 * ```
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as CacheError from "../CacheError.js"
import type * as CacheKey from "../CacheKey.js"
import * as Internal from "./internal/scoped.js"
import type * as CacheStats from "../observe/CacheStats.js"
import type * as MemoryStore from "../store/MemoryStore.js"

/**
 * A cache of resources.
 *
 * @since 0.1.0
 * @category models
 */
export interface ScopedCache<in K, out A, out E = never> {
  /** The resource of a key, in use until the Scope is closed. */
  readonly get: (key: K) => Effect.Effect<A, E, Scope.Scope>
  /** Whether one is kept for the key. */
  readonly has: (key: K) => Effect.Effect<boolean, E>
  /** Gives up the resource of a key: released at once if nobody uses it. Who asks next gets a new one. */
  readonly invalidate: (key: K) => Effect.Effect<void, E>
  /** Gives up all. */
  readonly invalidateAll: Effect.Effect<void>
  /** How many are kept. */
  readonly size: Effect.Effect<number>
  /** How many are acquired and not released yet, those included that are in use and no longer kept. */
  readonly live: Effect.Effect<number>
  /** What has been done so far. */
  readonly stats: Effect.Effect<CacheStats.CacheStats>
}

/**
 * How resources are made and kept.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<K, A, E, R, IK = unknown> {
  /** For spans, events and statistics. Default: `"ScopedCache"`. */
  readonly name?: string | undefined
  /** The Schema of keys. Without it any value is keyed canonically (`CacheKey`). */
  readonly key?: Schema.Schema<K, IK> | undefined
  /** Acquires the resource; its finalizers release it. Where it fails, or is interrupted, they have run already. */
  readonly lookup: (key: K) => Effect.Effect<A, E, R>
  /** How many are kept: a positive integer, or `Infinity`. Those in use count only while they are kept. Default: 100. */
  readonly capacity?: number | undefined
  /** Which one is given up when there are too many. Default: `"lru"`. */
  readonly policy?: MemoryStore.Options["policy"]
  /** How long one is kept from when its acquisition began. Default: for ever. */
  readonly timeToLive?: Duration.DurationInput | undefined
  /** How long one is kept without anybody asking for it. Default: for ever. */
  readonly timeToIdle?: Duration.DurationInput | undefined
  /** When an acquisition is interrupted. Default: the configuration's, 30 seconds. */
  readonly loadDeadline?: Duration.DurationInput | undefined
}

/**
 * Makes a cache of resources in a Scope. When that is closed all that nobody uses are released, and the others when
 * their last user leaves. Fails with `InvalidConfig` for options that make no sense.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <K, A, E = never, R = never, IK = unknown>(
  options: Options<K, A, E, R, IK>
): Effect.Effect<
  ScopedCache<K, A, E | CacheKey.ErrorOf<K>>,
  CacheError.InvalidConfig,
  Exclude<R, Scope.Scope> | Scope.Scope
> =>
  // what `ErrorOf` adds to `E` is what a key that is none is refused with
  Internal.make(options as Options<K, A, E, R>) as Effect.Effect<
    ScopedCache<K, A, E | CacheKey.ErrorOf<K>>,
    CacheError.InvalidConfig,
    Exclude<R, Scope.Scope> | Scope.Scope
  >
