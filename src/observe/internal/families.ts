/** What is measured of a cache: the one table that metrics, their text and their documentation are made of. */
import type * as CacheStats from "../CacheStats.js"

type Labels = Readonly<Record<string, string>>

/** One number of a cache; a counter's is all that was counted so far. */
export interface Sample {
  readonly name: string
  readonly value: number
  readonly labels: Labels
}

/** What each name means: a sentence for people who see it first in a list of thousands. */
export const help: Readonly<Record<string, string>> = {
  cache_gets_total: "Gets that have ended, by outcome.",
  cache_hits_total: "Gets that were served from a store, fresh or stale.",
  cache_misses_total: "Gets that needed a load, or failed.",
  cache_loads_total: "Lookups that were run.",
  cache_load_failures_total: "Lookups that did not succeed.",
  cache_load_seconds_total: "Time spent in lookups.",
  cache_saved_seconds_total: "Time that the lookups would have taken which hits made unnecessary.",
  cache_group_loads_total: "Lookups that were run, by the group of the key.",
  cache_group_load_failures_total: "Lookups that did not succeed, by the group of the key.",
  cache_group_load_seconds_total: "Time spent in lookups, by the group of the key.",
  cache_load_duration_seconds: "How long lookups took.",
  cache_refreshes_total: "Lookups that were begun behind the callers' backs.",
  cache_store_failures_total: "Failures of the store that a get went on without.",
  cache_retries_total: "Lookups that were run again within a load.",
  cache_rejected_total: "Loads that the bulkhead kept from beginning.",
  cache_evictions_total: "Entries that have gone from a tier, by cause.",
  cache_entries: "Entries that may still be served, by tier.",
  cache_bytes: "Bytes of the entries, by tier.",
  cache_loads_in_flight: "Loads that are under way.",
  cache_store_duration_seconds: "How long operations of stores took, by store and operation.",
  cache_store_errors_total: "Operations of stores that failed, by store and operation."
}

/** What breakers keep themselves: 1 while a store is left alone. */
export const breakerOpen = "cache_store_breaker_open"

/** Seconds: the upper bounds of the buckets of `cache_store_duration_seconds`. */
export const storeBounds: ReadonlyArray<number> = [
  0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5
]

/** Seconds: the upper bounds of the buckets of `cache_load_duration_seconds`. */
export const loadBounds: ReadonlyArray<number> = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30
]

const outcomes = ["fresh", "stale", "loaded", "joined", "failsafe", "bypassed", "failed"] as const

export const countersOf = (stats: CacheStats.CacheStats): ReadonlyArray<Sample> => [
  ...outcomes.map((outcome) => ({ name: "cache_gets_total", value: stats[outcome], labels: { outcome } })),
  ...Object.entries({
    cache_hits_total: stats.hits,
    cache_misses_total: stats.misses,
    cache_loads_total: stats.loads,
    cache_load_failures_total: stats.loadFailures,
    cache_load_seconds_total: stats.loadMillis / 1_000,
    cache_saved_seconds_total: stats.savedMillis / 1_000,
    cache_refreshes_total: stats.refreshes,
    cache_store_failures_total: stats.storeFailures,
    cache_retries_total: stats.retries,
    cache_rejected_total: stats.rejected
  }).map(([name, value]) => ({ name, value, labels: {} })),
  ...stats.groups.flatMap(({ group, loadFailures, loadMillis, loads }) => [
    { name: "cache_group_loads_total", value: loads, labels: { group } },
    { name: "cache_group_load_failures_total", value: loadFailures, labels: { group } },
    { name: "cache_group_load_seconds_total", value: loadMillis / 1_000, labels: { group } }
  ]),
  ...stats.tiers.flatMap(({ removals, tier }) =>
    Object.entries(removals).map(([cause, value]) => ({
      name: "cache_evictions_total",
      value,
      labels: { cause, tier: String(tier) }
    }))
  )
]

export const gaugesOf = (stats: CacheStats.CacheStats): ReadonlyArray<Sample> => [
  { name: "cache_loads_in_flight", value: stats.inFlight, labels: {} },
  ...stats.tiers.flatMap(({ bytes, entries, store, tier }) => {
    const labels = { tier: String(tier), store }
    return [
      { name: "cache_entries", value: entries, labels },
      { name: "cache_bytes", value: bytes, labels }
    ]
  })
]
