/**
 * The numbers of caches as Effect `Metric`s, for whatever exports those.
 *
 * Caches count in plain numbers, which cost nothing; the metrics are brought up to them every so often, and once more
 * when the Layer is released. There is a label for the cache, and at most `maxCaches` of them: what comes after is
 * counted under "other". Keys and tags are never labels.
 *
 * | metric | kind | labels |
 * | --- | --- | --- |
 * | `cache_gets_total` | counter | `cache`, `outcome` |
 * | `cache_hits_total` | counter | `cache`: fresh and stale |
 * | `cache_misses_total` | counter | `cache`: loaded, joined, failsafe and failed |
 * | `cache_loads_total`, `cache_load_failures_total` | counter | `cache` |
 * | `cache_load_seconds_total`, `cache_saved_seconds_total` | counter | `cache` |
 * | `cache_load_duration_seconds` | histogram | `cache` |
 * | `cache_group_loads_total`, `cache_group_load_failures_total` | counter | `cache`, `group`: with `maxGroups` |
 * | `cache_group_load_seconds_total` | counter | `cache`, `group`: with `maxGroups` |
 * | `cache_refreshes_total`, `cache_retries_total` | counter | `cache` |
 * | `cache_store_failures_total`, `cache_rejected_total` | counter | `cache` |
 * | `cache_evictions_total` | counter | `cache`, `cause`, `tier` |
 * | `cache_entries`, `cache_bytes` | gauge | `cache`, `tier`, `store` |
 * | `cache_loads_in_flight` | gauge | `cache` |
 * | `cache_store_duration_seconds` | histogram | `store`, `operation`: stores that keep bytes |
 * | `cache_store_errors_total` | counter | `store`, `operation` |
 * | `cache_store_breaker_open` | gauge | `store`: 1 while it is left alone, see `CacheStore.circuitBreaker` |
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as MetricBoundaries from "effect/MetricBoundaries"
import * as MetricLabel from "effect/MetricLabel"
import * as Schedule from "effect/Schedule"
import type * as CacheError from "../CacheError.js"
import * as Check from "../internal/options.js"
import * as CacheStats from "./CacheStats.js"
import * as Families from "./internal/families.js"

/** Loads, by how long they took. */
const loadTimes = Metric.histogram(
  "cache_load_duration_seconds",
  MetricBoundaries.fromIterable(Families.loadBounds),
  Families.help["cache_load_duration_seconds"]
)

/** Of stores that keep bytes; those of memory take no time to speak of. */
const storeTimes = Metric.histogram(
  "cache_store_duration_seconds",
  MetricBoundaries.fromIterable(Families.storeBounds),
  Families.help["cache_store_duration_seconds"]
)
const storeErrors = Metric.counter("cache_store_errors_total", {
  description: Families.help["cache_store_errors_total"] ?? "",
  incremental: true
})

/** Keeps the metrics of stores. They find a label list again by its identity, so there is one for each operation. */
class StoreTimes {
  private readonly labels = new Map<string, ReadonlyArray<MetricLabel.MetricLabel>>()

  private labelsOf(store: string, operation: string): ReadonlyArray<MetricLabel.MetricLabel> {
    const name = `${operation} ${store}`
    const found = this.labels.get(name)
    if (found !== undefined) return found
    const made = [MetricLabel.make("store", store), MetricLabel.make("operation", operation)]
    this.labels.set(name, made)
    return made
  }

  readonly tell = ({ isFailure, operation, seconds, store }: CacheStats.StoreTimed): void => {
    const labels = this.labelsOf(store, operation)
    storeTimes.unsafeUpdate(seconds, labels)
    if (isFailure) storeErrors.unsafeUpdate(1, labels)
  }
}

const labelled = <Type, Out>(
  metric: Metric.Metric<Type, number, Out>,
  cache: string,
  labels: Readonly<Record<string, string>>
): Metric.Metric<Type, number, Out> =>
  Object.entries(labels).reduce(
    (labelled, [name, value]) => Metric.tagged(labelled, name, value),
    Metric.tagged(metric, "cache", cache)
  )

/**
 * How metrics are kept.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** How often they are brought up to date. Default: 5 seconds. */
  readonly every?: Duration.DurationInput | undefined
  /** How many caches have a label of their own. Default: 100. */
  readonly maxCaches?: number | undefined
  /**
   * How many groups of keys of each cache have a label of their own: those that its option `group` tells, the first that
   * are loaded. All others are counted under "other", so that loads by group add up to all loads. Hits are not counted by
   * group: it would cost more than a hit does. Default: 0, and nothing is counted by group. What `group` answers is told
   * in clear: do not ask for it where that is a secret.
   */
  readonly maxGroups?: number | undefined
}

/**
 * Keeps the metrics of all caches that are built with it, and of the registry that it provides (see `CacheStats.all`).
 *
 * @example
 * ```ts
 * import { Cache, CacheMetrics, MemoryStore } from "effect-larder"
 * import { Effect, Layer } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const lengths = yield* Cache.make("lengths", { lookup: (word: string) => Effect.succeed(word.length) })
 *   return yield* lengths.get("larder")
 * })
 *
 * program.pipe(
 *   Effect.scoped,
 *   Effect.provide(Layer.merge(MemoryStore.layer(), CacheMetrics.layer({ every: "10 seconds" }))),
 *   Effect.runPromise
 * ).then(console.log) // 6
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options = {}): Layer.Layer<CacheStats.Registry, CacheError.InvalidConfig> =>
  Layer.scoped(
    CacheStats.Registry,
    Effect.gen(function* () {
      const { every = "5 seconds", maxCaches = 100, maxGroups = 0 } = options
      yield* Check.check(options, {
        every: Check.positiveDuration,
        maxCaches: Check.positiveInteger,
        maxGroups: (value) => (value === 0 ? undefined : Check.positiveInteger(value))
      })
      const registry = yield* CacheStats.Registry
      const keeper = new Keeper(maxCaches)
      const bring = Effect.flatMap(registry.caches, (caches) => Effect.forEach(caches, keeper.bring, { discard: true }))
      yield* Effect.addFinalizer(() => bring)
      yield* Effect.forkScoped(Effect.repeat(bring, Schedule.spaced(every)))
      return {
        ...registry,
        settle: bring,
        maxGroups,
        storeTimed: new StoreTimes().tell,
        // what a cache has done last is not lost when it is closed
        join: (cache) =>
          Effect.zipRight(
            registry.join(cache),
            Effect.addFinalizer(() => Effect.zipRight(keeper.bring(cache), keeper.forget(cache)))
          )
      }
    })
  ).pipe(Layer.provide(CacheStats.layer))

/** What each cache had counted when the metrics were brought up to it. */
class Keeper {
  private readonly names = new Set<string>()
  private readonly last = new Map<CacheStats.Registered, Map<string, number>>()

  constructor(private readonly maxCaches: number) {}

  private labelOf(name: string): string {
    if (this.names.has(name)) return name
    if (this.names.size >= this.maxCaches) return "other"
    this.names.add(name)
    return name
  }

  readonly forget = (cache: CacheStats.Registered): Effect.Effect<void> =>
    Effect.sync(() => void this.last.delete(cache))

  readonly bring = (cache: CacheStats.Registered): Effect.Effect<void> =>
    Effect.flatMap(cache.stats, (stats) => {
      const label = this.labelOf(cache.name)
      const last = this.last.get(cache) ?? new Map<string, number>()
      this.last.set(cache, last)
      const since = (id: string, value: number): number => {
        const added = value - (last.get(id) ?? 0)
        last.set(id, value)
        return added
      }
      const counters = Families.countersOf(stats).map(({ labels, name, value }) =>
        Metric.incrementBy(
          labelled(Metric.counter(name, { description: Families.help[name] ?? name }), label, labels),
          since(`${name} ${JSON.stringify(labels)}`, value)
        )
      )
      const gauges = Families.gaugesOf(stats).map(({ labels, name, value }) =>
        Metric.set(labelled(Metric.gauge(name, { description: Families.help[name] ?? name }), label, labels), value)
      )
      // a load is a matter of milliseconds: there are never many of them to tell
      const times = stats.loadTimes.flatMap(([below, count]) =>
        Array.from({ length: since(`loads below ${below}`, count) }, () =>
          Metric.update(Metric.tagged(loadTimes, "cache", label), below / 1_000)
        )
      )
      return Effect.all([...counters, ...gauges, ...times], { discard: true })
    })
}
