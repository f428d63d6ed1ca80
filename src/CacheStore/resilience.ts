/** Stores that are given another try, a limit, a rest. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as CacheError from "../CacheError.js"
import * as Options from "../internal/options.js"
import * as Breaker from "../internal/store/breaker.js"
import * as Layers from "../internal/store/layers.js"
import { breakerOf, checkBreaker } from "./breaking.js"
import { changeStore } from "./change.js"
import type { CacheStore } from "./contract.js"

/**
 * Tries a store's operation again while its failure is transient (see `CacheError.isTransient`) and the schedule goes
 * on. Without a schedule: exponential from 50 milliseconds, jittered, at most 3 retries. Opening a region is
 * retried, too; listings are not.
 *
 * @example
 * ```ts
 * import { CacheStore } from "effect-larder"
 * import * as SqliteStore from "effect-larder/SqliteStore"
 * import { Schedule } from "effect"
 *
 * export const Store = SqliteStore.layerTemporary.pipe(
 *   CacheStore.retry(Schedule.exponential("10 millis").pipe(Schedule.intersect(Schedule.recurs(2))))
 * )
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const retry =
  <Out, R3 = never>(schedule: Schedule.Schedule<Out, unknown, R3> | undefined = undefined) =>
  <O, E, R>(layer: Layer.Layer<CacheStore | O, E, R>): Layer.Layer<CacheStore | O, E, R | R3> =>
    Layer.unwrapEffect(
      Effect.map(Effect.context<R3>(), (services) =>
        changeStore(layer, (service) =>
          Layers.aroundStore(service, (_operation, effect) =>
            Effect.retry(effect, {
              schedule: schedule === undefined ? Layers.defaultRetry : Schedule.provideContext(schedule, services),
              while: CacheError.isTransient
            })
          )
        )
      )
    )

/**
 * Gives each operation of a store, opening a region included, a limit, after which it is interrupted and fails with
 * `StoreTimeout`. A duration that is no duration is `InvalidConfig`.
 *
 * @example
 * ```ts
 * import { CacheStore } from "effect-larder"
 * import * as SqliteStore from "effect-larder/SqliteStore"
 *
 * export const Store = SqliteStore.layerTemporary.pipe(CacheStore.timeout("50 millis"))
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const timeout =
  (limit: Duration.DurationInput) =>
  <O, E, R>(layer: Layer.Layer<CacheStore | O, E, R>): Layer.Layer<CacheStore | O, E | CacheError.InvalidConfig, R> =>
    Layer.unwrapEffect(
      Effect.map(Options.check({ timeout: limit }, { timeout: Options.duration }), () => {
        const millis = Options.millisOf(limit)
        return changeStore(layer, (service) => Layers.limited(service, millis))
      })
    )

/**
 * How long a store is left alone after it has failed.
 *
 * @since 0.1.0
 * @category models
 */
export interface BreakerOptions {
  /** The first pause. Each further one, as long as trying fails, is twice as long. Default: 1 second. */
  readonly resetAfter?: Duration.DurationInput | undefined
  /** The longest pause. Default: 30 seconds. */
  readonly maxResetAfter?: Duration.DurationInput | undefined
  /** How many failures in a row it takes. Default: 1. */
  readonly failures?: number | undefined
}

/**
 * Leaves a store alone for a while after it has failed (a `StoreTimeout` or a transient `StoreError`), so that one that
 * hangs costs its timeout once, and not with each get. After the pause one operation is let through to try.
 *
 * What is invalidated while the store is left alone fails, so that the program knows, and is remembered: the store is
 * told of it before it answers anything again.
 *
 * Options are checked when the Layer is built: `InvalidConfig`. Put `retry` inside and `failover` outside.
 *
 * @example
 * ```ts
 * import { CacheStore, MemoryStore } from "effect-larder"
 * import * as RedisStore from "effect-larder/RedisStore"
 *
 * export const Store = MemoryStore.layer().pipe(
 *   CacheStore.tieredOver(
 *     RedisStore.layer({ timeout: "50 millis" }).pipe(CacheStore.circuitBreaker({ resetAfter: "2 seconds" }))
 *   )
 * )
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const circuitBreaker =
  (options: BreakerOptions = {}) =>
  <O, E, R>(layer: Layer.Layer<CacheStore | O, E, R>): Layer.Layer<CacheStore | O, E | CacheError.InvalidConfig, R> =>
    Layer.unwrapEffect(
      Effect.map(checkBreaker(options), () =>
        changeStore(layer, (service) => {
          const breaker = breakerOf(service.name, options)
          return {
            ...service,
            raw: undefined,
            region: (wanted) => Effect.map(service.region(wanted), (region) => Breaker.around(region, breaker).region)
          }
        })
      )
    )
