/**
 * Filling a cache before it is asked: from keys, which are loaded, or from entries, which are there already.
 *
 * What is warmed up comes out of an Iterable or a Stream and is never held altogether, so it may be as long as it likes.
 * A key whose load fails is counted, and the others go on; interrupting the warm-up interrupts its loads, unless somebody
 * else has come to wait for them.
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type * as Cache from "./Cache.js"
import type * as CacheError from "./CacheError.js"
import * as Check from "./internal/options.js"

/**
 * What has become of the keys so far.
 *
 * - `loaded`: by this warm-up, or by a get that came at the same time;
 * - `present`: was there, and was left as it is;
 * - `failed`: its load failed; see `onFailure`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Progress {
  readonly loaded: number
  readonly present: number
  readonly failed: number
}

/**
 * How keys are warmed up.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<in K, in E, out R = never> {
  /** How many loads are in the air at most: a positive integer or `Infinity`. Default: 8. */
  readonly concurrency?: number | undefined
  /** Told after each `every` keys, and at the end. */
  readonly onProgress?: ((progress: Progress) => Effect.Effect<unknown, never, R>) | undefined
  /** How many keys lie between two reports: a positive integer. Default: 100. */
  readonly every?: number | undefined
  /** Told of each key whose load failed. Default: nobody is, and the failures are only counted. */
  readonly onFailure?: ((key: K, cause: Cause.Cause<E>) => Effect.Effect<unknown, never, R>) | undefined
}

const defaultConcurrency = 8
const defaultEvery = 100

const none: Progress = { loaded: 0, present: 0, failed: 0 }

const total = ({ failed, loaded, present }: Progress): number => loaded + present + failed

const asStream = <A, E, R>(source: Iterable<A> | Stream.Stream<A, E, R>): Stream.Stream<A, E, R> =>
  Stream.StreamTypeId in source ? source : Stream.fromIterable(source)

const served = ["fresh", "stale", "failsafe"]

const checks = {
  concurrency: Check.positiveInteger,
  every: Check.positiveInteger,
  onProgress: Check.isFunction,
  onFailure: Check.isFunction
}

/**
 * Gets each of these keys, so that those that were not there are loaded, and answers what became of them. Fails with
 * what the Stream of keys fails with, and with `InvalidConfig` for an option that makes no sense; never because a load
 * fails.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Cache, CacheWarming, MemoryStore } from "effect-larder"
 *
 * const program = Effect.gen(function*() {
 *   const squares = yield* Cache.make("squares", { lookup: (n: number) => Effect.succeed(n * n) })
 *   yield* squares.get(3)
 *   return yield* CacheWarming.fromKeys(squares, [1, 2, 3], {
 *     onProgress: ({ loaded }) => Effect.logDebug(`${loaded} loaded`)
 *   })
 * })
 *
 * program.pipe(
 *   Effect.scoped,
 *   Effect.provide(MemoryStore.layer()),
 *   Effect.runPromise
 * ).then(console.log) // { loaded: 2, present: 1, failed: 0 }
 * ```
 *
 * @since 0.1.0
 * @category warming
 */
export const fromKeys = <K, A, E, R, E2 = never, R2 = never, R3 = never>(
  cache: Pick<Cache.Cache<K, A, E, R>, "getResult">,
  keys: Iterable<K> | Stream.Stream<K, E2, R2>,
  options: Options<K, E, R3> = {}
): Effect.Effect<Progress, E2 | CacheError.InvalidConfig, R | R2 | R3> => {
  const { concurrency = defaultConcurrency, every = defaultEvery, onFailure, onProgress } = options
  const one = (key: K): Effect.Effect<keyof Progress, never, R | R3> =>
    Effect.flatMap(Effect.exit(cache.getResult(key)), (exit): Effect.Effect<keyof Progress, never, R3> => {
      if (Exit.isSuccess(exit)) return Effect.succeed(served.includes(exit.value.outcome) ? "present" : "loaded")
      return Effect.as(onFailure?.(key, exit.cause) ?? Effect.void, "failed")
    })
  const report = (progress: Progress): Effect.Effect<unknown, never, R3> => onProgress?.(progress) ?? Effect.void
  const run = asStream(keys).pipe(
    Stream.mapEffect(one, { concurrency: concurrency === Infinity ? "unbounded" : concurrency, unordered: true }),
    Stream.mapAccum(none, (progress, outcome) => {
      const next = { ...progress, [outcome]: progress[outcome] + 1 }
      return [next, next]
    }),
    Stream.tap((progress) => (total(progress) % every === 0 ? report(progress) : Effect.void)),
    Stream.runLast,
    Effect.map(Option.getOrElse(() => none)),
    // the last one was reported, if it came out even
    Effect.tap((progress) => (total(progress) % every === 0 && total(progress) > 0 ? Effect.void : report(progress)))
  )
  return Effect.zipRight(Check.check(options, checks), run)
}

/**
 * How entries are put in.
 *
 * @since 0.1.0
 * @category models
 */
export interface EntryOptions extends Cache.SetOptions {
  /** How many entries are put in with one write: a positive integer. Default: 256. */
  readonly batch?: number | undefined
}

const defaultBatch = 256

/**
 * Puts entries in, many with one write, and answers how many there were. They win over loads that are in the air, as
 * `Cache.set` does. Fails with what the Stream fails with, and with the first write that fails; what was written before
 * that stays.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Cache, CacheWarming, MemoryStore } from "effect-larder"
 *
 * const program = Effect.gen(function*() {
 *   const rates = yield* Cache.make("rates", { lookup: (_currency: string) => Effect.succeed(1) })
 *   yield* CacheWarming.fromEntries(rates, [["CHF", 0.93], ["EUR", 0.91]], { timeToLive: "1 hour" })
 *   return yield* rates.get("EUR")
 * })
 *
 * program.pipe(
 *   Effect.scoped,
 *   Effect.provide(MemoryStore.layer()),
 *   Effect.runPromise
 * ).then(console.log) // 0.91
 * ```
 *
 * @since 0.1.0
 * @category warming
 */
export const fromEntries = <K, A, E2 = never, R2 = never>(
  cache: Pick<Cache.Cache<K, A, never, never>, "setMany">,
  entries: Iterable<readonly [K, A]> | Stream.Stream<readonly [K, A], E2, R2>,
  { batch = defaultBatch, ...options }: EntryOptions = {}
): Effect.Effect<number, E2 | Cache.WriteError<K>, R2> =>
  Effect.zipRight(
    Check.check({ batch }, { batch: finiteBatch }),
    asStream(entries).pipe(
      Stream.grouped(batch),
      Stream.runFoldEffect(0, (count, group) =>
        Effect.as(cache.setMany(Chunk.toReadonlyArray(group), options), count + group.length)
      )
    )
  )

const finiteBatch: Check.Check = (value) =>
  value === Infinity
    ? { reason: "must be finite", hint: "use a positive integer, such as 256" }
    : Check.positiveInteger(value)
