/**
 * How the keys of a cache are used: which are asked for most, what is loaded for nothing or again and again, and what hit
 * ratio a larger or smaller cache would have. From a sample that a hit hardly feels, and in bounded memory.
 *
 * @example
 * ```ts
 * import { Cache, CacheAnalytics, MemoryStore } from "effect-larder"
 * import { Effect, Layer } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const lengths = yield* Cache.make("lengths", { lookup: (word: string) => Effect.succeed(word.length) })
 *   for (let round = 0; round < 100; round++) {
 *     yield* lengths.get("bread")
 *     yield* lengths.get(`word ${round}`)
 *   }
 *   const [report] = yield* CacheAnalytics.reports
 *   console.log(report?.hottest[0]?.key) // => bread
 * })
 *
 * program.pipe(
 *   Effect.scoped,
 *   Effect.provide(Layer.merge(MemoryStore.layer(), CacheAnalytics.layer)),
 *   Effect.runPromise
 * )
 * ```
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { type Findings, Recorder } from "./internal/recorder.js"

/**
 * What was seen of one cache. Parts are from 0 to 1.
 *
 * @since 0.1.0
 * @category models
 */
export interface Report {
  readonly cache: string
  /** Gets that were looked at: all others were not. */
  readonly gets: number
  /** How many keys there were among them, as an estimate. */
  readonly keys: number
  /** The keys that most of the gets were for, at most twenty, each with its part of them: 0.02 too low at worst. */
  readonly hottest: ReadonlyArray<{ readonly key: string; readonly part: number }>
  /** The part of what was loaded that nobody asked for again while it was looked at. */
  readonly unused: number
  /** The part of the keys that were loaded more than once. */
  readonly reloaded: number
  /**
   * What part of the gets would have hit in a cache of so many entries that forgets what was used longest ago. Empty as
   * long as too little was seen.
   */
  readonly curve: ReadonlyArray<{ readonly entries: number; readonly hitRatio: number }>
}

/**
 * Where caches tell of their gets. There is nobody unless `layer` is provided.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  /** Asked once by each cache; gone from the reports when its Scope is closed. */
  readonly open: ((cache: string) => Effect.Effect<Recorder, never, Scope.Scope>) | undefined
  readonly reports: Effect.Effect<ReadonlyArray<Report>>
}

/**
 * The service as a Reference: nobody listens by default.
 *
 * @since 0.1.0
 * @category tags
 */
export class CacheAnalytics extends Context.Reference<CacheAnalytics>()("effect-larder/CacheAnalytics", {
  defaultValue: (): Service => ({ open: undefined, reports: Effect.succeed([]) })
}) {}

const reportOf = (cache: string, { curve, hottest, ...rest }: Findings): Report => ({
  cache,
  ...rest,
  hottest: hottest.map(([key, part]) => ({ key, part })),
  curve: curve.map(([entries, hitRatio]) => ({ entries, hitRatio }))
})

/**
 * Looks at all caches that are built under it.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<CacheAnalytics> = Layer.sync(CacheAnalytics, () => {
  const recorders = new Map<Recorder, string>()
  return {
    open: (cache) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          const recorder = new Recorder()
          recorders.set(recorder, cache)
          return recorder
        }),
        (recorder) => Effect.sync(() => recorders.delete(recorder))
      ),
    reports: Effect.sync(() => [...recorders].map(([recorder, cache]) => reportOf(cache, recorder.report)))
  }
})

/**
 * What was seen of each cache.
 *
 * @since 0.1.0
 * @category getters
 */
export const reports: Effect.Effect<ReadonlyArray<Report>> = Effect.flatMap(
  CacheAnalytics,
  (analytics) => analytics.reports
)

/**
 * The part of the gets that would have hit with so many entries, between the sizes that were looked at; 0 before there is
 * anything to tell it by.
 *
 * @example
 * ```ts
 * import { CacheAnalytics } from "effect-larder"
 *
 * const curve = [{ entries: 64, hitRatio: 0.25 }, { entries: 128, hitRatio: 0.75 }]
 * console.log(CacheAnalytics.hitRatioAt({ curve }, 96)) // => 0.5
 * ```
 *
 * @since 0.1.0
 * @category getters
 */
export const hitRatioAt = ({ curve }: Pick<Report, "curve">, entries: number): number => {
  const above = curve.findIndex((point) => point.entries >= entries)
  if (above <= 0) return curve[above]?.hitRatio ?? curve.at(-1)?.hitRatio ?? 0
  const [low, high] = [curve[above - 1]!, curve[above]!]
  const part = (entries - low.entries) / (high.entries - low.entries)
  return low.hitRatio + part * (high.hitRatio - low.hitRatio)
}

/** Fewer gets tell nothing. */
const leastGets = 1_000
/** A difference that is worth a word. */
const notable = 0.05

/**
 * What to do about it, in sentences for people: none where there is nothing to be won, or too little was seen. `entries` is
 * how many the cache holds now.
 *
 * @since 0.1.0
 * @category getters
 */
export const advice = (report: Report, entries: number): ReadonlyArray<string> => {
  if (report.gets < leastGets) return []
  const percent = (part: number): string => `${Math.round(100 * part)} %`
  const [half, now, twice] = [entries / 2, entries, entries * 2].map((size) => hitRatioAt(report, size)) as [
    number,
    number,
    number
  ]
  const [hottest] = report.hottest
  const hasCurve = report.curve.length > 0
  const said: ReadonlyArray<readonly [boolean, string]> = [
    [
      hasCurve && twice - now >= notable,
      `twice the capacity (${entries * 2} entries) would raise the hit ratio by ${percent(twice - now)}`
    ],
    [hasCurve && now - half < 0.01 && entries > 1, `half the capacity (${Math.ceil(entries / 2)} entries) would do`],
    [
      report.unused >= 0.5,
      `${percent(report.unused)} of what is loaded is never asked for again: when or cacheIf can leave it out`
    ],
    [
      report.reloaded >= 0.5,
      `${percent(report.reloaded)} of the keys are loaded again and again: a longer timeToLive, or staleWhileRevalidate, would save loads`
    ],
    [
      (hottest?.part ?? 0) >= 0.2,
      `one key has ${percent(hottest?.part ?? 0)} of the gets: refreshAhead keeps it from ever being waited for`
    ]
  ]
  return said.filter(([isSo]) => isSo).map(([, sentence]) => sentence)
}
