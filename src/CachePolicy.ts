/**
 * How a cache treats time and trouble: how long its entries are fresh, what may be served when they no longer are, how
 * often a source is asked, and how many may ask it at once.
 *
 * A policy is an immutable value: write it once, give it to as many caches as you like, extend it, and combine it with
 * others. `Cache.make`, `Cache.Service` and `Cached.fn` take one as `policy`; their own options win over it, setting by
 * setting, and it wins over the configuration. It is checked with them, once, when the cache is built.
 *
 * @example
 * ```ts
 * import { Cache, CachePolicy, MemoryStore } from "effect-larder"
 * import { Effect, Schedule } from "effect"
 *
 * // for all that comes from the network
 * const remote = CachePolicy.make({
 *   timeToLive: "5 minutes",
 *   jitter: 0.1,
 *   staleWhileRevalidate: "1 hour",
 *   staleIfError: "1 day",
 *   backoff: Schedule.union(Schedule.exponential("1 second"), Schedule.spaced("1 minute"))
 * })
 *
 * // rates change more often
 * const rates = remote.pipe(CachePolicy.extend({ timeToLive: "30 seconds", refreshAhead: 0.8 }))
 *
 * const program = Effect.gen(function*() {
 *   const cache = yield* Cache.make("rates", {
 *     lookup: (currency: string) => Effect.succeed(currency.length),
 *     policy: rates
 *   })
 *   return yield* cache.get("EUR")
 * })
 *
 * program.pipe(Effect.scoped, Effect.provide(MemoryStore.layer()), Effect.runPromise).then(console.log) // 3
 * ```
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type * as Exit from "effect/Exit"
import { dual } from "effect/Function"
import type * as Pipeable from "effect/Pipeable"
import type * as Schedule from "effect/Schedule"
import type * as Schema from "effect/Schema"
import type * as CacheConfig from "./CacheConfig.js"
import type * as CacheError from "./CacheError.js"
import * as Accesses from "./internal/cache/accesses.js"
import * as Policy from "./internal/cache/policy.js"

/**
 * What a policy is told by, whatever copy of this package made it.
 *
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: TypeId = Policy.TypeId

/**
 * The type of `TypeId`.
 *
 * @since 0.1.0
 * @category type ids
 */
export type TypeId = "~effect-larder/CachePolicy"

/**
 * What is known of how a key was used while the value before was there. For `adaptive`, and for time to live functions.
 *
 * @since 0.1.0
 * @category models
 */
export interface Access {
  /** How often it was served from the cache since it was last loaded. */
  readonly hits: number
  /** How often it was loaded, this load included. */
  readonly loads: number
  /** Milliseconds from the load before to this one; 0 for the first. */
  readonly sinceLoad: number
}

/**
 * How long a value is fresh: a duration, or a function of the value, its key and, for a strategy such as `adaptive`,
 * the key's use. A function that answers `undefined` leaves it to the next policy, and at last to the configuration.
 *
 * @since 0.1.0
 * @category models
 */
export type TimeToLive<A, K> =
  | Duration.DurationInput
  | ((value: A, key: K, access: Access) => Duration.DurationInput | undefined)

/**
 * How many loads of one cache may run at once, and how many more may wait for their turn. Beyond that a load is not
 * begun: who can be served a stale value is, others fail with `LoadRejected`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Bulkhead {
  /** A positive integer. With a batched lookup it is batches that are counted. */
  readonly concurrency: number
  /** A positive integer, or 0 for no queue. Default: 1 000. */
  readonly queue?: number | undefined
}

/**
 * The settings of a policy. All are optional; what is left out comes from the configuration, or is not done.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<in K, in A, in E> {
  /** How long a value is fresh, from when its load started; 0 for not at all. Default: the configuration's, infinite. */
  readonly timeToLive?: TimeToLive<A, K> | undefined
  /** How long typed failures are kept, for all, by tag or by function. Default: not at all. Defects never are. */
  readonly failureTimeToLive?:
    | Duration.DurationInput
    | ((error: E, key: K) => Duration.DurationInput | undefined)
    | Readonly<Record<string, Duration.DurationInput | undefined>>
    | undefined
  /** The longest that any entry may be fresh, whatever said so: functions, `set`, `CacheConfig.locally`. */
  readonly maxTimeToLive?: Duration.DurationInput | undefined
  /**
   * How long an entry stays without being read; each reading begins it anew, but never past `timeToLive`. A store of
   * bytes renews it when a tenth of that time has passed. Default: for ever.
   */
  readonly timeToIdle?: Duration.DurationInput | undefined
  /**
   * For how long each tier keeps an entry from when it came there, nearest tier first. It only shortens: an entry is
   * nowhere fresh past its time to live. What a tier no longer has is asked of the next. Default: as long as it lives.
   */
  readonly tierTimeToLive?: ReadonlyArray<Duration.DurationInput> | undefined
  /** The part of each life that chance may take away, from 0 to 1, so that what came together does not go together. */
  readonly jitter?: number | undefined
  /** The part of an entry's life, above 0 and below 1, after which a get has it loaded again behind its back. */
  readonly refreshAhead?: number | undefined
  /**
   * Probabilistic early refresh (XFetch): each get may have the entry loaded again behind its back, the likelier the
   * nearer its end is and the longer its load took. 1 is optimal, above is earlier. Works without anybody's agreement,
   * across processes. Vattani, Chierichetti, Lowenstein, "Optimal Probabilistic Cache Stampede Prevention", 2015.
   */
  readonly earlyRefresh?: number | undefined
  /** For how long after its time to live a value is served while it is loaded again. Default 0. RFC 5861. */
  readonly staleWhileRevalidate?: Duration.DurationInput | undefined
  /** For how long after its time to live a value is served if the load fails. Default 0. RFC 5861. */
  readonly staleIfError?: Duration.DurationInput | undefined
  /** Which typed failures may be answered with a stale value. Default: all. Defects and deadlines always may. */
  readonly failsafeWhen?: ((error: E, key: K) => boolean) | undefined
  /** How long a caller waits who could be served a stale value. Default: as long as the load may last. */
  readonly waitStale?: Duration.DurationInput | undefined
  /** When a failed lookup is run again within one load. Default: never. The load's deadline holds for all of it. */
  readonly retry?: Schedule.Schedule<unknown, E> | undefined
  /**
   * How long the source is left alone for a key whose load has failed: a duration, or a Schedule that goes on with each
   * failure in a row; one that ends keeps its last delay. Meanwhile who may be served a stale value is, and others get
   * the same failure. `refresh`, the modes `reload` and `no-cache`, and writing or invalidating the key do not wait.
   */
  readonly backoff?: Duration.DurationInput | Schedule.Schedule<unknown, unknown> | undefined
  /** How long, at least, a failure is also the answer of those who come after it and can be served nothing. Default 0. */
  readonly shareFailures?: Duration.DurationInput | undefined
  /** For how long after its time to live a value is kept for `revalidate`. Default, where there is one: 1 day. */
  readonly revalidateWithin?: Duration.DurationInput | undefined
  /** How a get uses the cache, as in the Fetch standard. Default `"default"`. */
  readonly mode?: Exclude<CacheConfig.Mode, "only-if-cached"> | undefined
  /** Whether hits make a span too. Default: no, a span costs several times what the hit does. */
  readonly traceHits?: boolean | undefined
  /** The groups an entry belongs to, known before or computed from the value; see `Cache.invalidateTags`. */
  readonly tags?: ReadonlyArray<string> | ((value: A, key: K) => ReadonlyArray<string>) | undefined
  /** The part of the key by which entries go together; see `Cache.invalidateGroup`. */
  readonly group?: ((key: K) => string) | undefined
  /** False: this key is not cached at all, its lookup just runs. */
  readonly when?: ((key: K) => boolean) | undefined
  /** False: this result is served but not kept. */
  readonly cacheIf?: ((exit: Exit.Exit<A, E>, key: K) => boolean) | undefined
  /** Entries of another version count as absent. Change it when the meaning of values changes but their Schema does not. */
  readonly version?: string | undefined
}

/**
 * The settings that decide what getting may fail with besides; see `ErrorOf`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Limits {
  /** When a load is interrupted. Default 30 seconds, and then a defect; given here, `LoadTimeout` is in the error type. */
  readonly loadDeadline?: Duration.DurationInput | undefined
  /** How long a caller waits who can be served nothing. Default: as long as the load may last. Given here, typed. */
  readonly waitFresh?: Duration.DurationInput | undefined
  /** How many loads may run and wait at once. Default: no bound. Given here, `LoadRejected` is in the error type. */
  readonly bulkhead?: Bulkhead | undefined
}

/**
 * What the settings `O` add to what getting may fail with.
 *
 * @since 0.1.0
 * @category type level
 */
export type ErrorOf<O> =
  | (O extends { readonly loadDeadline: {} } | { readonly waitFresh: {} } ? CacheError.LoadTimeout : never)
  | (O extends { readonly bulkhead: {} } ? CacheError.LoadRejected : never)

/**
 * A policy for caches of keys `K`, values `A` and failures `E`, under which getting may also fail with `X`. One that
 * looks at none of them fits every cache.
 *
 * @since 0.1.0
 * @category models
 */
export interface CachePolicy<in K = unknown, in A = unknown, in E = unknown, out X = never> extends Pipeable.Pipeable {
  readonly [TypeId]: { readonly _X: (_: never) => X }
  /** What was set, as it was given. */
  readonly options: Options<K, A, E> & Limits & { readonly key?: Schema.Schema.AnyNoContext | undefined }
}

/**
 * A policy with these settings. They are checked when a cache is built with it; what is wrong is `InvalidConfig` then.
 *
 * @example
 * ```ts
 * import { CachePolicy } from "effect-larder"
 *
 * export const patient = CachePolicy.make({ timeToLive: "10 minutes", staleIfError: "1 day", waitStale: "200 millis" })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <K = unknown, A = unknown, E = unknown, IK = unknown, const O extends Limits = {}>(
  options: Options<K, A, E> & O & { readonly key?: Schema.Schema<K, IK> | undefined }
): CachePolicy<K, A, E, ErrorOf<O>> => Policy.make(options)

/**
 * The same policy with some settings changed.
 *
 * @example
 * ```ts
 * import { CachePolicy } from "effect-larder"
 *
 * const common = CachePolicy.make({ timeToLive: "10 minutes", jitter: 0.1 })
 *
 * export const short = common.pipe(CachePolicy.extend({ timeToLive: "10 seconds" }))
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const extend: {
  /**
   * The same policy with some settings changed.
   *
   * @since 0.1.0
   * @category combinators
   */
  <K = unknown, A = unknown, E = unknown, const O extends Limits = {}>(
    options: Options<K, A, E> & O
  ): <K2, A2, E2, X>(self: CachePolicy<K2, A2, E2, X>) => CachePolicy<K & K2, A & A2, E & E2, X | ErrorOf<O>>
  /**
   * The same policy with some settings changed.
   *
   * @since 0.1.0
   * @category combinators
   */
  <K2, A2, E2, X, K = unknown, A = unknown, E = unknown, const O extends Limits = {}>(
    self: CachePolicy<K2, A2, E2, X>,
    options: Options<K, A, E> & O
  ): CachePolicy<K & K2, A & A2, E & E2, X | ErrorOf<O>>
} = dual(2, (self: CachePolicy, options: object): CachePolicy => Policy.make({ ...self.options, ...options }))

/**
 * Asks this policy first, and for what it does not say another. A function of this one that answers `undefined` (a time
 * to live that does not know this value, say) leaves the answer to the other's, too; tables of lives by error tag are
 * taken together.
 *
 * @example
 * ```ts
 * import { CachePolicy } from "effect-larder"
 *
 * interface Document { readonly draft: boolean }
 *
 * const drafts = CachePolicy.make({
 *   timeToLive: (document: Document) => document.draft ? "1 second" : undefined
 * })
 *
 * export const documents = drafts.pipe(CachePolicy.orElse(CachePolicy.make({ timeToLive: "1 hour", jitter: 0.2 })))
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const orElse: {
  /**
   * Asks this policy first, and for what it does not say another.
   *
   * @since 0.1.0
   * @category combinators
   */
  <K2, A2, E2, X2>(
    that: CachePolicy<K2, A2, E2, X2>
  ): <K, A, E, X>(self: CachePolicy<K, A, E, X>) => CachePolicy<K & K2, A & A2, E & E2, X | X2>
  /**
   * Asks this policy first, and for what it does not say another.
   *
   * @since 0.1.0
   * @category combinators
   */
  <K, A, E, X, K2, A2, E2, X2>(
    self: CachePolicy<K, A, E, X>,
    that: CachePolicy<K2, A2, E2, X2>
  ): CachePolicy<K & K2, A & A2, E & E2, X | X2>
} = dual(
  2,
  (self: CachePolicy, that: CachePolicy): CachePolicy => Policy.make(Policy.orElse(self.options, that.options))
)

/**
 * A time to live that goes by use: from `min`, for what nobody asks for, to `max`. By default a value that was served n
 * times since it was last loaded is fresh for n + 1 times `min`; `from` may say something else, and is held to the
 * bounds. What is known of a key's use is kept for the 10 000 keys that were loaded last. Hits are counted one by one,
 * so they take the longer way: several times a plain hit's.
 *
 * @example
 * ```ts
 * import { CachePolicy } from "effect-larder"
 *
 * export const popular = CachePolicy.make({
 *   timeToLive: CachePolicy.adaptive({ min: "10 seconds", max: "1 hour" })
 * })
 * ```
 *
 * @since 0.1.0
 * @category strategies
 */
export const adaptive = (options: {
  readonly min: Duration.DurationInput
  readonly max: Duration.DurationInput
  readonly from?: ((access: Access) => Duration.DurationInput) | undefined
}): ((value: unknown, key: unknown, access: Access) => Duration.DurationInput) => Accesses.adaptive(options)

/**
 * Both times to live as one function of the Exit: of successes and of typed failures. Answering `undefined` leaves it
 * to the next policy.
 *
 * @example
 * ```ts
 * import { CachePolicy } from "effect-larder"
 * import { Exit } from "effect"
 *
 * export const byResult = CachePolicy.ofExit((exit) => Exit.isSuccess(exit) ? "5 minutes" : "5 seconds")
 * ```
 *
 * @since 0.1.0
 * @category strategies
 */
export const ofExit = <A = unknown, E = unknown, K = unknown>(
  timeToLive: (exit: Exit.Exit<A, E>, key: K) => Duration.DurationInput | undefined
): CachePolicy<K, A, E> => Policy.make(Policy.ofExit(timeToLive))
