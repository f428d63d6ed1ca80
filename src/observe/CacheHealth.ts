/**
 * Whether the stores of a program's caches answer.
 *
 * A store that is down costs a program speed, not answers: so it is *degraded*, and still ready to serve. Only a cache that
 * the program says it cannot do without makes it *down*.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as CacheError from "../CacheError.js"
import * as Check from "../internal/options.js"
import { steadyMillis } from "../internal/steady.js"
import * as CacheStats from "./CacheStats.js"

const Status = Schema.Literal("up", "degraded", "down")

/**
 * How a cache's store is: it answers, it does not but the cache can do without, or it does not and must.
 *
 * @since 0.1.0
 * @category models
 */
export type Status = typeof Status.Type

/**
 * What was found of one cache: how long its store took to answer, in milliseconds, and why it did not, if it did not.
 *
 * @since 0.1.0
 * @category models
 */
export class CacheReport extends Schema.Class<CacheReport>("effect-larder/CacheHealth/CacheReport")({
  name: Schema.String,
  /** The stores of its tiers, nearest first. */
  stores: Schema.Array(Schema.String),
  status: Status,
  millis: Schema.Number,
  reason: Schema.optional(Schema.String),
  hint: Schema.optional(Schema.String)
}) {}

/**
 * What was found of all caches. Its status is that of the worst.
 *
 * @since 0.1.0
 * @category models
 */
export class Report extends Schema.Class<Report>("effect-larder/CacheHealth/Report")({
  status: Status,
  caches: Schema.Array(CacheReport)
}) {
  /**
   * Whether the program can serve: nothing that is required is down.
   *
   * @since 0.1.0
   */
  get isReady(): boolean {
    return this.status !== "down"
  }
}

/**
 * What to ask, and how patiently.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The names of caches that the program cannot do without. Default: none. */
  readonly required?: ReadonlyArray<string> | undefined
  /** How long a store may take to answer. Default: 1 second. */
  readonly timeout?: Duration.DurationInput | undefined
}

const statusOf = (reports: ReadonlyArray<CacheReport>): Status => {
  if (reports.some(({ status }) => status === "down")) return "down"
  return reports.some(({ status }) => status === "degraded") ? "degraded" : "up"
}

const reportOf = (
  { controls, name, stats }: CacheStats.Registered,
  isRequired: boolean,
  limit: number
): Effect.Effect<CacheReport> =>
  Effect.gen(function* () {
    const started = yield* steadyMillis
    const failure = yield* controls.probe.pipe(
      Effect.timeoutFail({
        duration: limit,
        onTimeout: () => new CacheError.StoreTimeout({ store: name, operation: "probe", millis: limit })
      }),
      Effect.flip,
      Effect.option
    )
    const millis = (yield* steadyMillis) - started
    // its sizes would be asked of the same store, and might hang as well
    const tiers = Option.isSome(failure) ? [] : (yield* stats).tiers
    const seen = { name, stores: tiers.map(({ store }) => store), millis }
    return Option.isNone(failure)
      ? new CacheReport({ ...seen, status: "up" })
      : new CacheReport({
          ...seen,
          stores: [failure.value.store],
          status: isRequired ? "down" : "degraded",
          reason: failure.value.message,
          hint: failure.value.hint
        })
  })

/**
 * Asks the store of each cache in the registry (see `CacheStats.layer`, `CacheMetrics.layer`) for next to nothing, all at
 * once, and tells what came of it. A required cache that is not there is down. Options are checked: `InvalidConfig`.
 *
 * @example
 * ```ts
 * import { Cache, CacheHealth, CacheStats, MemoryStore } from "effect-larder"
 * import { Effect, Layer } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   yield* Cache.make("lengths", { lookup: (word: string) => Effect.succeed(word.length) })
 *   const report = yield* CacheHealth.check({ required: ["lengths"] })
 *   return [report.status, report.isReady]
 * })
 *
 * program.pipe(
 *   Effect.scoped,
 *   Effect.provide(Layer.merge(MemoryStore.layer(), CacheStats.layer)),
 *   Effect.runPromise
 * ).then(console.log) // [ 'up', true ]
 * ```
 *
 * @since 0.1.0
 * @category checks
 */
export const check = (options: Options = {}): Effect.Effect<Report, CacheError.InvalidConfig> =>
  Effect.gen(function* () {
    const { required = [], timeout = "1 second" } = options
    yield* Check.check({ ...options }, { required: Check.nameList, timeout: Check.positiveDuration })
    const known = yield* Effect.flatMap(CacheStats.Registry, ({ caches }) => caches)
    const limit = Check.millisOf(timeout)
    const reports = yield* Effect.forEach(known, (cache) => reportOf(cache, required.includes(cache.name), limit), {
      concurrency: 16
    })
    const missing = required
      .filter((name) => !known.some((cache) => cache.name === name))
      .map(
        (name) =>
          new CacheReport({
            name,
            stores: [],
            status: "down",
            millis: 0,
            reason: "there is no cache of this name",
            hint: "build it under the registry that is asked, or take it off the list of required ones"
          })
      )
    const caches = [...reports, ...missing]
    return new Report({ status: statusOf(caches), caches })
  })
