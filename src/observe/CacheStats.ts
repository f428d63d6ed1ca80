/**
 * What a cache has done so far, in numbers: as a snapshot, as the difference of two, as a Stream, and of all caches.
 *
 * @example
 * ```ts
 * import { Cache, CacheStats, MemoryStore } from "effect-larder"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const lengths = yield* Cache.make("lengths", { lookup: (word: string) => Effect.succeed(word.length) })
 *   yield* lengths.get("a")
 *   const before = yield* lengths.stats
 *   yield* Effect.all([lengths.get("a"), lengths.get("b")])
 *   const between = CacheStats.diff(yield* lengths.stats, before)
 *   return [between.gets, between.hitRatio]
 * })
 *
 * program.pipe(Effect.scoped, Effect.provide(MemoryStore.layer()), Effect.runPromise).then(console.log) // [ 2, 0.5 ]
 * ```
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as CacheError from "../CacheError.js"
import type * as CacheExplanation from "../CacheExplanation.js"
import type * as CacheStore from "../CacheStore.js"

/**
 * How much one tier holds for a cache: entries that may still be served, and their bytes.
 *
 * @since 0.1.0
 * @category models
 */
export class TierSize extends Schema.Class<TierSize>("effect-larder/CacheStats/TierSize")({
  store: Schema.String,
  tier: Schema.Number,
  entries: Schema.Number,
  bytes: Schema.Number,
  /** How many entries have gone from this tier so far, by cause; empty where the store does not count them. */
  removals: Schema.optionalWith(Schema.Record({ key: Schema.String, value: Schema.Number }), { default: () => ({}) })
}) {}

/**
 * What one group of keys has cost (see the cache option `group`): its loads, those of them that did not succeed, and
 * their time.
 *
 * @since 0.1.0
 * @category models
 */
export interface GroupLoads {
  readonly group: string
  readonly loads: number
  readonly loadFailures: number
  readonly loadMillis: number
}

const groupCounts = { loads: Schema.Number, loadFailures: Schema.Number, loadMillis: Schema.Number }

const fields = {
  name: Schema.String,
  fresh: Schema.Number,
  stale: Schema.Number,
  loaded: Schema.Number,
  joined: Schema.Number,
  failsafe: Schema.Number,
  bypassed: Schema.Number,
  failed: Schema.Number,
  /** Lookups that loads ran, and how many of those did not succeed. Bypasses are not loads. */
  loads: Schema.Number,
  loadFailures: Schema.Number,
  /** Time spent in loads. */
  loadMillis: Schema.Number,
  /** How many loads took how long: the upper bounds of buckets, in milliseconds, and the loads in each. */
  loadTimes: Schema.Array(Schema.Tuple(Schema.Number, Schema.Number)),
  /** Time that the loads would have taken which hits made unnecessary. */
  savedMillis: Schema.Number,
  /** Lookups that were run again within a load. */
  retries: Schema.Number,
  /** Loads that were begun behind the callers' backs. */
  refreshes: Schema.Number,
  /** Loads that the bulkhead kept from beginning. */
  rejected: Schema.Number,
  /** Loads whose source said that what is known is right still. */
  notModified: Schema.Number,
  /** Failures of the store that a get went on without. */
  storeFailures: Schema.Number,
  /** Loads in the air now. */
  inFlight: Schema.Number,
  /** Nearest tier first. */
  tiers: Schema.Array(TierSize),
  /**
   * Loads by the group of their key; they add up to `loads`. Empty unless `CacheMetrics.layer` has `maxGroups` and the
   * cache has the option `group`.
   */
  groups: Schema.optionalWith(Schema.Array(Schema.Struct({ group: Schema.String, ...groupCounts })), {
    default: () => []
  })
}

/**
 * A snapshot of a cache's counters. The seven outcomes add up to `gets`; see `CacheResult.Outcome` for what they mean.
 * Times are in milliseconds.
 *
 * @since 0.1.0
 * @category models
 */
export class CacheStats extends Schema.Class<CacheStats>("effect-larder/CacheStats")(fields) {
  /**
   * All gets so far that have ended.
   *
   * @since 0.1.0
   */
  get gets(): number {
    return this.hits + this.misses + this.bypassed
  }
  /**
   * Gets that were served from a store.
   *
   * @since 0.1.0
   */
  get hits(): number {
    return this.fresh + this.stale
  }
  /**
   * Gets that needed a load, or failed. A bypass is neither hit nor miss.
   *
   * @since 0.1.0
   */
  get misses(): number {
    return this.loaded + this.joined + this.failsafe + this.failed
  }
  /**
   * Hits among hits and misses, from 0 to 1; 0 before the first get.
   *
   * @since 0.1.0
   */
  get hitRatio(): number {
    const all = this.hits + this.misses
    return all === 0 ? 0 : this.hits / all
  }
  /**
   * Milliseconds that a load took on the average; 0 before the first.
   *
   * @since 0.1.0
   */
  get meanLoadMillis(): number {
    return this.loads === 0 ? 0 : this.loadMillis / this.loads
  }
  /**
   * Entries that were pushed out for want of room, of all tiers.
   *
   * @since 0.1.0
   */
  get evictions(): number {
    return this.tiers.reduce((sum, { removals }) => sum + (removals["size"] ?? 0) + (removals["pressure"] ?? 0), 0)
  }
  /**
   * Milliseconds that this part of the loads, from 0 to 1, took at most, 9 % more at worst; 0 before the first load.
   *
   * @since 0.1.0
   */
  loadPercentile(part: number): number {
    const all = this.loadTimes.reduce((sum, [, count]) => sum + count, 0)
    let seen = 0
    for (const [below, count] of this.loadTimes) {
      seen += count
      if (seen >= part * all) return below
    }
    return 0
  }
}

type Numbers = { readonly [F in keyof typeof fields]: (typeof fields)[F] extends typeof Schema.Number ? F : never }
type NumberField = Exclude<Numbers[keyof typeof fields], never>

const counted: ReadonlyArray<NumberField> = [
  "fresh",
  "stale",
  "loaded",
  "joined",
  "failsafe",
  "bypassed",
  "failed",
  "loads",
  "loadFailures",
  "loadMillis",
  "savedMillis",
  "retries",
  "refreshes",
  "rejected",
  "notModified",
  "storeFailures"
]

type Tables = Iterable<readonly [number, number]>

const combineTables = (
  first: Tables,
  second: Tables,
  combine: (a: number, b: number) => number
): ReadonlyArray<readonly [number, number]> => {
  const [left, right] = [new Map(first), new Map(second)]
  return [...new Set([...left.keys(), ...right.keys()])]
    .sort((a, b) => a - b)
    .map((below) => [below, combine(left.get(below) ?? 0, right.get(below) ?? 0)] as const)
    .filter(([, count]) => count !== 0)
}

const combineCounts = (
  first: CacheStats,
  second: CacheStats,
  combine: (a: number, b: number) => number
): Record<NumberField, number> =>
  Object.fromEntries(counted.map((field) => [field, combine(first[field], second[field])])) as Record<
    NumberField,
    number
  >

/** What a group that is on one side only has on the other. */
const noLoads = { loads: 0, loadFailures: 0, loadMillis: 0 }

const combineGroups = (
  first: ReadonlyArray<GroupLoads>,
  second: ReadonlyArray<GroupLoads>,
  combine: (a: number, b: number) => number
): ReadonlyArray<GroupLoads> => {
  const byName = (groups: ReadonlyArray<GroupLoads>) => new Map(groups.map((each) => [each.group, each]))
  const [left, right] = [byName(first), byName(second)]
  return [...new Set([...left.keys(), ...right.keys()])].map((group) => {
    const [a, b] = [left.get(group) ?? noLoads, right.get(group) ?? noLoads]
    return {
      group,
      loads: combine(a.loads, b.loads),
      loadFailures: combine(a.loadFailures, b.loadFailures),
      loadMillis: combine(a.loadMillis, b.loadMillis)
    }
  })
}

const minus = (a: number, b: number): number => a - b
const plus = (a: number, b: number): number => a + b

/**
 * What happened between two snapshots of a cache: counters are differences; what is there (`inFlight`, `tiers`) is what
 * the newer one says, with the removals between.
 *
 * @since 0.1.0
 * @category combinators
 */
export const diff = (newer: CacheStats, older: CacheStats): CacheStats =>
  new CacheStats({
    ...newer,
    ...combineCounts(newer, older, minus),
    loadTimes: combineTables(newer.loadTimes, older.loadTimes, minus),
    groups: combineGroups(newer.groups, older.groups, minus),
    tiers: newer.tiers.map((tier) => {
      const before = older.tiers.find((other) => other.tier === tier.tier)?.removals ?? {}
      const removals = Object.entries(tier.removals).map(([cause, count]) => [cause, count - (before[cause] ?? 0)])
      return new TierSize({ ...tier, removals: Object.fromEntries(removals) as Record<string, number> })
    })
  })

const none = (name: string): CacheStats =>
  new CacheStats({
    ...(Object.fromEntries(counted.map((field) => [field, 0])) as Record<NumberField, number>),
    name,
    loadTimes: [],
    inFlight: 0,
    tiers: []
  })

/**
 * The numbers of many caches as if they were one. Their tiers stand side by side.
 *
 * @since 0.1.0
 * @category combinators
 */
export const total = (all: Iterable<CacheStats>, name = "all"): CacheStats =>
  Array.from(all).reduce(
    (sum, stats) =>
      new CacheStats({
        ...combineCounts(sum, stats, plus),
        name,
        loadTimes: combineTables(sum.loadTimes, stats.loadTimes, plus),
        groups: combineGroups(sum.groups, stats.groups, plus),
        inFlight: sum.inFlight + stats.inFlight,
        tiers: [...sum.tiers, ...stats.tiers]
      }),
    none(name)
  )

/**
 * Snapshots of a cache, one at once and then one each time.
 *
 * @example
 * ```ts
 * import { Cache, CacheStats, MemoryStore } from "effect-larder"
 * import { Effect, Stream } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const lengths = yield* Cache.make("lengths", { lookup: (word: string) => Effect.succeed(word.length) })
 *   yield* CacheStats.changes(lengths, { every: "10 seconds" }).pipe(
 *     Stream.runForEach(({ gets, hitRatio }) => Effect.log(`${gets} gets, ${hitRatio}`)),
 *     Effect.forkScoped
 *   )
 *   return yield* lengths.get("larder")
 * })
 *
 * program.pipe(Effect.scoped, Effect.provide(MemoryStore.layer()), Effect.runPromise).then(console.log) // 6
 * ```
 *
 * @since 0.1.0
 * @category streams
 */
export const changes = <R>(
  cache: { readonly stats: Effect.Effect<CacheStats, never, R> },
  options: { readonly every: Duration.DurationInput }
): Stream.Stream<CacheStats, never, R> => Stream.repeatEffectWithSchedule(cache.stats, Schedule.spaced(options.every))

/**
 * What the registry knows of a cache.
 *
 * @since 0.1.0
 * @category models
 */
export interface Registered {
  readonly name: string
  readonly stats: Effect.Effect<CacheStats>
  readonly controls: Controls
}

/**
 * What can be done with a cache whose types are not known: keys are their texts, as stores have them.
 *
 * @since 0.1.0
 * @category models
 */
export interface Controls {
  /** Asks the store for next to nothing: fails when the store does. */
  readonly probe: Effect.Effect<void, CacheError.StoreFailure>
  readonly entries: Stream.Stream<CacheStore.Listed<unknown, unknown>, CacheError.StoreFailure>
  readonly explain: (
    key: string
  ) => Effect.Effect<CacheExplanation.CacheExplanation<unknown, unknown>, CacheError.StoreFailure>
  readonly invalidate: (keys: ReadonlyArray<string>) => Effect.Effect<void, CacheError.StoreFailure>
  readonly invalidateTags: (tags: ReadonlyArray<string>) => Effect.Effect<void, CacheError.StoreFailure>
  readonly invalidateGroup: (group: string) => Effect.Effect<void, CacheError.StoreFailure>
  readonly invalidateAll: Effect.Effect<void, CacheError.StoreFailure>
  readonly expire: (key: string) => Effect.Effect<void, CacheError.StoreFailure>
  /** Answers how many entries there were. */
  readonly clear: Effect.Effect<number, CacheError.StoreFailure>
  /** The loads that are under way, the oldest first. */
  readonly flights: Effect.Effect<ReadonlyArray<InFlight>>
}

/**
 * A load that is under way. `startedAt` in milliseconds since the epoch.
 *
 * @since 0.1.0
 * @category models
 */
export interface InFlight {
  /** The text of its key, as stores have it. */
  readonly key: string
  readonly startedAt: number
  /** How many gets wait for it. */
  readonly waiters: number
  /** Whether the cache itself wants it, so that it goes on when nobody waits any more. */
  readonly adopted: boolean
}

/**
 * Where caches are known by: each joins the one that is there when it is built, and leaves with its Scope.
 *
 * @since 0.1.0
 * @category models
 */
export interface RegistryService {
  readonly join: (cache: Registered) => Effect.Effect<void, never, Scope.Scope>
  readonly caches: Effect.Effect<ReadonlyArray<Registered>>
  /** Brings whatever is made of the caches' numbers, such as metrics, up to date. */
  readonly settle: Effect.Effect<void>
  /** How many groups of keys of a cache are counted by themselves. Default: none. */
  readonly maxGroups?: number | undefined
  /** Told of each operation of a store that keeps bytes, by those who want to know how long they take. */
  readonly storeTimed?: ((timed: StoreTimed) => void) | undefined
}

/**
 * How long a store has taken for an operation: "get", "set", "delete", "invalidate_tags", "invalidate_all" or "clear".
 *
 * @since 0.1.0
 * @category models
 */
export interface StoreTimed {
  readonly store: string
  readonly operation: string
  readonly seconds: number
  readonly isFailure: boolean
}

/**
 * The registry of caches. By default there is none: nothing joins, and there is nothing to see.
 *
 * @since 0.1.0
 * @category references
 */
export class Registry extends Context.Reference<Registry>()("effect-larder/CacheStats/Registry", {
  defaultValue: (): RegistryService => ({ join: () => Effect.void, caches: Effect.succeed([]), settle: Effect.void })
}) {}

/**
 * A registry for the caches that are built with it. Several caches of one name, on several stores, are several.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Registry> = Layer.sync(Registry, () => {
  const caches = new Set<Registered>()
  return {
    join: (cache) =>
      Effect.acquireRelease(
        Effect.sync(() => void caches.add(cache)),
        () => Effect.sync(() => caches.delete(cache))
      ),
    caches: Effect.sync(() => [...caches]),
    settle: Effect.void
  }
})

/**
 * A snapshot of each cache in the registry.
 *
 * @example
 * ```ts
 * import { Cache, CacheStats, MemoryStore } from "effect-larder"
 * import { Effect, Layer } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const lengths = yield* Cache.make("lengths", { lookup: (word: string) => Effect.succeed(word.length) })
 *   yield* lengths.get("larder")
 *   return CacheStats.total(yield* CacheStats.all).gets
 * })
 *
 * program.pipe(
 *   Effect.scoped,
 *   Effect.provide(Layer.merge(MemoryStore.layer(), CacheStats.layer)),
 *   Effect.runPromise
 * ).then(console.log) // 1
 * ```
 *
 * @since 0.1.0
 * @category getters
 */
export const all: Effect.Effect<ReadonlyArray<CacheStats>> = Effect.flatMap(Registry, ({ caches }) =>
  Effect.flatMap(caches, (known) => Effect.forEach(known, ({ stats }) => stats))
)
