/**
 * One value that is kept up to date: loaded again on a Schedule, whatever becomes of a single load.
 *
 * For feature flags, exchange rates, signing keys: what everybody reads and nobody should wait for. A load that fails
 * leaves the value that is there, and the Schedule goes on.
 *
 * @example
 * ```ts
 * import { MemoryStore, RefreshedValue } from "effect-larder"
 * import { Effect, Schedule } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const rates = yield* RefreshedValue.make("rates", {
 *     lookup: Effect.succeed({ EUR: 0.91 }),
 *     schedule: Schedule.spaced("1 minute")
 *   })
 *   return (yield* rates.get).EUR
 * })
 *
 * program.pipe(Effect.scoped, Effect.provide(MemoryStore.layer()), Effect.runPromise).then(console.log) // 0.91
 * ```
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import type * as Schedule from "effect/Schedule"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Cache from "../Cache.js"
import type * as CacheError from "../CacheError.js"
import type * as CachePolicy from "../CachePolicy.js"
import type * as CacheStore from "../CacheStore.js"
import { tell } from "../internal/tell.js"
import type * as CacheStats from "../observe/CacheStats.js"

/**
 * A value that is kept up to date.
 *
 * @since 0.1.0
 * @category models
 */
export interface RefreshedValue<out A, out E = never> {
  /** The value that is there; where there is none yet, that of the load in the air, or of a new one. */
  readonly get: Effect.Effect<A, E>
  /** Loads it now. If that fails the value that is there stays. */
  readonly refresh: Effect.Effect<A, E>
  /** Milliseconds since the load of the value that is there began; none if there is no value. */
  readonly age: Effect.Effect<Option.Option<number>, E>
  /** What the last load of the Schedule failed with; none if it did not. */
  readonly lastFailure: Effect.Effect<Option.Option<Cause.Cause<E>>>
  /** What has been done so far. */
  readonly stats: Effect.Effect<CacheStats.CacheStats>
}

/**
 * How a value is kept up to date.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<A, E, R, R2, IA = unknown> {
  /** Makes the value. */
  readonly lookup: Effect.Effect<A, E, R>
  /** When it is made again, counted from the end of the load before. Its input is the Exit of that. */
  readonly schedule: Schedule.Schedule<unknown, Exit.Exit<A, E>, R2>
  /** The Schema of the value, for stores that keep bytes. There the value outlasts the process. */
  readonly success?: Schema.Schema<A, IA> | undefined
  /** How its cache treats time and trouble. Default: the value is fresh until it is replaced. */
  readonly policy?: CachePolicy.CachePolicy<void, A, E> | undefined
}

/**
 * Keeps a value up to date for as long as the Scope is open. Does not wait for the first load. A Schedule that ends
 * leaves the value as it is. The first failure in a row is a warning in the log; each is an event (`LoadFailed`).
 *
 * Fails as `Cache.make` does.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <A, E, R, R2, IA = unknown>(
  name: string,
  options: Options<A, E, R, R2, IA>
): Effect.Effect<
  RefreshedValue<A, E>,
  CacheError.InvalidConfig | CacheError.StoreFailure,
  CacheStore.CacheStore | Scope.Scope | R | R2
> =>
  Effect.gen(function* () {
    const { lookup, policy, schedule, success } = options
    const cache: Cache.Cache<void, A, E> = yield* Cache.make(name, {
      lookup: (_: void) => lookup,
      timeToLive: policy?.options.timeToLive ?? Infinity,
      ...(success === undefined ? {} : { success }),
      ...(policy === undefined ? {} : { policy })
    })
    let lastFailure: Option.Option<Cause.Cause<E>> = Option.none()
    const heard = (exit: Exit.Exit<A, E>): Effect.Effect<void> => {
      const wasWell = Option.isNone(lastFailure)
      lastFailure = Exit.isFailure(exit) ? Option.some(exit.cause) : Option.none()
      return Exit.isFailure(exit) && wasWell
        ? tell({
            level: LogLevel.Warning,
            message: `'${name}' keeps its value, for it could not be refreshed`,
            about: { cache: name },
            more: [Cause.pretty(exit.cause)]
          })
        : Effect.void
    }
    const tried = <E2>(get: Effect.Effect<A, E2 & E>) => Effect.tap(Effect.exit(get), heard)
    const again = tried(cache.refresh(undefined))
    // what a store has kept from another life is good enough to begin with
    yield* Effect.forkScoped(
      Effect.flatMap(tried(cache.get(undefined)), (first) => Effect.scheduleFrom(again, first, schedule))
    )
    return {
      get: cache.get(undefined),
      refresh: cache.refresh(undefined),
      age: Effect.map(Effect.option(cache.explain(undefined)), (explained) =>
        Option.flatMapNullable(explained, ({ tiers }) => tiers.find(({ entry }) => entry !== undefined)?.entry)
      ).pipe(
        Effect.zipWith(
          Effect.clockWith((clock) => clock.currentTimeMillis),
          (entry, now) => Option.map(entry, ({ createdAt }) => Math.max(0, now - createdAt))
        )
      ),
      lastFailure: Effect.sync(() => lastFailure),
      stats: cache.stats
    }
  })
