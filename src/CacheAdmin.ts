/**
 * All caches of a program, for whoever looks after them: what there is, what is in it, why a get would hit or miss, and
 * removing what has to go, without knowing the types of keys and values.
 *
 * It sees the caches that are in the registry (`CacheStats.layer`, `CacheMetrics.layer`). Keys are texts, as stores have
 * them and `keys` lists them.
 *
 * @example
 * ```ts
 * import { Cache, CacheAdmin, CacheStats, MemoryStore } from "effect-larder"
 * import { Effect, Layer } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const lengths = yield* Cache.make("lengths", { lookup: (word: string) => Effect.succeed(word.length) })
 *   yield* lengths.getMany(["bread", "salt"])
 *   const admin = yield* CacheAdmin.make
 *   const [row] = yield* admin.list
 *   console.log(row?.name, row?.entries) // => lengths 2
 *   console.log(yield* admin.clear("lengths")) // => { cleared: 'lengths', entries: 2 }
 * })
 *
 * program.pipe(
 *   Effect.scoped,
 *   Effect.provide(Layer.merge(MemoryStore.layer(), CacheStats.layer)),
 *   Effect.runPromise
 * )
 * ```
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type * as CacheError from "./CacheError.js"
import type * as CacheExplanation from "./CacheExplanation.js"
import type * as CacheStore from "./CacheStore.js"
import { unknownCache } from "./internal/admin/unknownCache.js"
import * as CacheStats from "./observe/CacheStats.js"

/**
 * One line of what there is. `entries` and `bytes` are those of the fullest tier.
 *
 * @since 0.1.0
 * @category models
 */
export interface Row {
  readonly name: string
  /** The stores of its tiers, nearest first. */
  readonly stores: ReadonlyArray<string>
  readonly entries: number
  readonly bytes: number
  readonly gets: number
  readonly hitRatio: number
}

/**
 * What was cleared, and how many entries there were.
 *
 * @since 0.1.0
 * @category models
 */
export interface Cleared {
  /** The name of a cache, or "all". */
  readonly cleared: string
  readonly entries: number
}

type Fails<A> = Effect.Effect<A, CacheError.InvalidConfig | CacheError.StoreFailure>

/**
 * The service. Whatever names a cache fails with `InvalidConfig`, whose hint lists the names that there are, if there is
 * none of this name; of several of one name (on several stores) all are meant.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  /** A row for each cache. */
  readonly list: Effect.Effect<ReadonlyArray<Row>>
  /** The numbers of a cache, or of all of them together. */
  readonly stats: (cache?: string) => Effect.Effect<CacheStats.CacheStats, CacheError.InvalidConfig>
  /** The texts of the keys that there is an entry for. */
  readonly keys: (cache: string) => Stream.Stream<string, CacheError.InvalidConfig | CacheError.StoreFailure>
  /** The entries, with their times and tags. */
  readonly entries: (
    cache: string
  ) => Stream.Stream<CacheStore.Listed<unknown, unknown>, CacheError.InvalidConfig | CacheError.StoreFailure>
  /** What each tier knows of a key, and what a get would do now, and why. */
  readonly explain: (cache: string, key: string) => Fails<CacheExplanation.CacheExplanation<unknown, unknown>>
  /** The entry of a key, be it over or outdated. */
  readonly get: (cache: string, key: string) => Fails<Option.Option<CacheStore.Inspection<unknown, unknown>>>
  /** Whether a get would be answered without a load. */
  readonly has: (cache: string, key: string) => Fails<boolean>
  readonly delete: (cache: string, ...keys: ReadonlyArray<string>) => Fails<void>
  readonly invalidateTags: (cache: string, ...tags: ReadonlyArray<string>) => Fails<void>
  readonly invalidateGroup: (cache: string, group: string) => Fails<void>
  readonly invalidateAll: (cache: string) => Fails<void>
  /** Ends the freshness of an entry; it may still be served stale, as the cache's policy says. */
  readonly expire: (cache: string, key: string) => Fails<void>
  readonly clear: (cache: string) => Fails<Cleared>
  readonly clearAll: Fails<Cleared>
  /** The loads that are under way, the oldest first. */
  readonly flights: (cache: string) => Effect.Effect<ReadonlyArray<CacheStats.InFlight>, CacheError.InvalidConfig>
  /** How many entries there are in the fullest tier. */
  readonly size: (cache: string) => Effect.Effect<number, CacheError.InvalidConfig>
}

/**
 * The service as a Tag, for programs that want it provided.
 *
 * @since 0.1.0
 * @category tags
 */
export class CacheAdmin extends Context.Tag("effect-larder/CacheAdmin")<CacheAdmin, Service>() {}

const fullest = (stats: CacheStats.CacheStats, of: "entries" | "bytes"): number =>
  Math.max(0, ...stats.tiers.map((tier) => tier[of]))

const rowOf = (stats: CacheStats.CacheStats): Row => ({
  name: stats.name,
  stores: stats.tiers.map(({ store }) => store),
  entries: fullest(stats, "entries"),
  bytes: fullest(stats, "bytes"),
  gets: stats.gets,
  hitRatio: stats.hitRatio
})

type Registered = readonly [CacheStats.Registered, ...ReadonlyArray<CacheStats.Registered>]

const over = ({ caches }: CacheStats.RegistryService): Service => {
  const find = (name: string): Effect.Effect<Registered, CacheError.InvalidConfig> =>
    Effect.flatMap(caches, (all) => {
      const [first, ...rest] = all.filter((cache) => cache.name === name)
      return first === undefined
        ? Effect.fail(
            unknownCache(
              name,
              all.map((cache) => cache.name)
            )
          )
        : Effect.succeed([first, ...rest] as const)
    })
  const each = (
    name: string,
    use: (controls: CacheStats.Controls) => Effect.Effect<void, CacheError.StoreFailure>
  ): Fails<void> =>
    Effect.flatMap(find(name), (all) => Effect.forEach(all, ({ controls }) => use(controls), { discard: true }))
  const first = <A>(
    name: string,
    use: (controls: CacheStats.Controls) => Effect.Effect<A, CacheError.StoreFailure>
  ): Fails<A> => Effect.flatMap(find(name), ([{ controls }]) => use(controls))
  const cleared = (name: string, all: ReadonlyArray<CacheStats.Registered>) =>
    Effect.map(
      Effect.forEach(all, ({ controls }) => controls.clear),
      (counts): Cleared => ({ cleared: name, entries: counts.reduce((sum, count) => sum + count, 0) })
    )
  const statsOf = (all: ReadonlyArray<CacheStats.Registered>, name: string) =>
    Effect.map(
      Effect.forEach(all, ({ stats }) => stats),
      (each) => (each.length === 1 ? each[0]! : CacheStats.total(each, name))
    )
  const entries = (name: string) =>
    Stream.flatMap(Stream.fromIterableEffect(find(name)), ({ controls }) => controls.entries)

  return {
    list: Effect.flatMap(caches, (all) => Effect.forEach(all, ({ stats }) => Effect.map(stats, rowOf))),
    stats: (name) =>
      name === undefined
        ? Effect.flatMap(caches, (all) => statsOf(all, "all"))
        : Effect.flatMap(find(name), (all) => statsOf(all, name)),
    keys: (name) => Stream.map(entries(name), ({ key }) => key),
    entries,
    explain: (name, key) => first(name, ({ explain }) => explain(key)),
    get: (name, key) =>
      Effect.map(
        first(name, ({ explain }) => explain(key)),
        ({ tiers }) => Option.fromNullable(tiers.find(({ entry }) => entry !== undefined))
      ),
    has: (name, key) =>
      Effect.map(
        first(name, ({ explain }) => explain(key)),
        ({ verdict }) => verdict === "fresh" || verdict === "stale"
      ),
    delete: (name, ...keys) => each(name, ({ invalidate }) => invalidate(keys)),
    invalidateTags: (name, ...tags) => each(name, (controls) => controls.invalidateTags(tags)),
    invalidateGroup: (name, group) => each(name, (controls) => controls.invalidateGroup(group)),
    invalidateAll: (name) => each(name, (controls) => controls.invalidateAll),
    expire: (name, key) => each(name, ({ expire }) => expire(key)),
    clear: (name) => Effect.flatMap(find(name), (all) => cleared(name, all)),
    clearAll: Effect.flatMap(caches, (all) => cleared("all", all)),
    flights: (name) =>
      Effect.map(
        Effect.flatMap(find(name), (all) => Effect.forEach(all, ({ controls }) => controls.flights)),
        (each) => each.flat()
      ),
    size: (name) =>
      Effect.map(
        Effect.flatMap(find(name), (all) => statsOf(all, name)),
        (stats) => fullest(stats, "entries")
      )
  }
}

/**
 * The service over the registry in force.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: Effect.Effect<Service> = Effect.map(CacheStats.Registry, over)

/**
 * Provides the service, over the registry in force where the Layer is built.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<CacheAdmin> = Layer.effect(CacheAdmin, make)
