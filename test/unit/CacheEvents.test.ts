/** What a cache tells of itself: events, explanations, statistics, metrics. */
import { assert, describe, it } from "@effect/vitest"
import { Chunk, Effect, Fiber, Layer, Metric, Schema, Stream, TestClock } from "effect"
import { Cache, CacheConfig, CacheEvents, CacheMetrics, CacheStats, MemoryStore } from "effect-larder"
import { hashKey } from "../../src/internal/tracing.js"
import { over, settled } from "../fixtures/cache/harness.js"
import { stores } from "../fixtures/cache/stores.js"
import { Counted } from "../fixtures/cache/timeline.js"

const schemas = { key: Schema.String, success: Schema.String }

/** The events of a program, without those of stores. */
const toldBy = <A, E, R>(program: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const told: Array<CacheEvents.CacheEvent> = []
    const listener = yield* Effect.fork(
      Stream.runForEach(CacheEvents.changes, (event) => Effect.sync(() => void told.push(event)))
    )
    yield* settled
    yield* program
    yield* settled
    yield* Fiber.interrupt(listener)
    return told
  })

describe("CacheEvents", () => {
  it.effect("loads, answers and invalidations are told, hits only where they were asked for", () =>
    Effect.gen(function* () {
      const story = Effect.gen(function* () {
        const source = new Counted()
        const cache = yield* Cache.make("story", {
          ...schemas,
          lookup: source.lookup,
          timeToLive: "10 seconds",
          staleWhileRevalidate: "10 seconds",
          staleIfError: "20 seconds"
        })
        yield* cache.get("k")
        yield* cache.get("k")
        source.state = "down"
        yield* TestClock.adjust("10 seconds")
        yield* cache.get("k")
        yield* settled
        yield* TestClock.adjust("11 seconds")
        yield* cache.get("k")
        yield* cache.set("k", "mine")
        yield* cache.invalidate("k")
        yield* cache.invalidateTags(["a", "b"])
        yield* cache.invalidateAll
        yield* cache.clear
      }).pipe(over(MemoryStore.layer()))
      const told = (yield* toldBy(story)).filter(({ _tag }) => _tag !== "Removed")
      const k = { cache: "story", keyHash: hashKey("k") }
      const failed = { _tag: "LoadFailed", ...k, millis: 0, reason: "string" }
      const common = [
        { _tag: "Loaded", ...k, millis: 0 },
        failed,
        { _tag: "StaleServed", ...k, createdAt: 0 },
        failed,
        { _tag: "FailsafeServed", ...k, createdAt: 0 },
        { _tag: "Invalidated", cache: "story", by: "set", count: 1 },
        { _tag: "Invalidated", cache: "story", by: "keys", count: 1 },
        { _tag: "Invalidated", cache: "story", by: "tags", count: 2 },
        { _tag: "Invalidated", cache: "story", by: "all", count: 1 },
        { _tag: "Invalidated", cache: "story", by: "clear", count: 1 }
      ]
      assert.deepStrictEqual(told.filter(({ _tag }): boolean => _tag !== "Hit") as ReadonlyArray<unknown>, common)
      assert.deepStrictEqual(
        told.filter(({ _tag }) => _tag === "Hit"),
        [{ _tag: "Hit", ...k, createdAt: 0 }]
      )
    }).pipe(Effect.provide(CacheEvents.layer({ hits: true })))
  )

  it.effect("evictions are told with their cause; nobody has to read, and the oldest are dropped", () =>
    Effect.gen(function* () {
      const events = yield* CacheEvents.CacheEvents
      yield* Effect.gen(function* () {
        const cache = yield* Cache.make("small", { lookup: (key: number) => Effect.succeed(key) })
        const last = yield* Effect.fork(Stream.runCollect(Stream.take(CacheEvents.only("Removed"), 3)))
        yield* settled
        for (let key = 0; key < 4; key++) yield* cache.get(key)
        yield* cache.invalidate(3)
        const removed = Chunk.toReadonlyArray(yield* Fiber.join(last))
        assert.deepStrictEqual(
          removed.map(({ cause, store }) => [store, cause]),
          [
            ["MemoryStore", "size"],
            ["MemoryStore", "size"],
            ["MemoryStore", "explicit"]
          ]
        )
        // far more than anybody could hold
        for (let key = 0; key < 5_000; key++) yield* cache.get(key)
      }).pipe(over(MemoryStore.layer({ capacity: 2, policy: "lru" })))
      assert.isTrue(events.isHeard)
    }).pipe(Effect.provide(CacheEvents.layer({ capacity: 16 })))
  )
})

for (const store of stores) {
  describe(`explain (${store.name})`, () => {
    it.effect("tells what a get would do, and why, and changes nothing", () =>
      Effect.gen(function* () {
        const source = new Counted()
        const cache = yield* Cache.make("explained", {
          ...schemas,
          lookup: source.lookup,
          timeToLive: "10 seconds",
          staleWhileRevalidate: "10 seconds",
          staleIfError: "20 seconds",
          timeToIdle: "1 hour",
          backoff: "5 seconds",
          tags: ["org:7"],
          group: (key) => key,
          when: (key) => key !== "never"
        })
        const verdictOf = (key: string) => Effect.map(cache.explain(key), ({ verdict }) => verdict)
        const last = (key: string) => Effect.map(cache.explain(key), ({ reasons }) => reasons.at(-1))
        const first = (key: string) => Effect.map(cache.explain(key), ({ reasons }) => reasons[0])
        assert.strictEqual(yield* verdictOf("k"), "load")
        assert.match((yield* first("k")) ?? "", /^tier 1 \(\w+\): no entry$/)
        yield* cache.get("k")
        assert.strictEqual(yield* verdictOf("k"), "fresh")
        assert.match((yield* first("k")) ?? "", /fresh for 10000 ms more/)
        assert.strictEqual(
          yield* verdictOf("k").pipe(CacheConfig.locally({ timeToLive: 0, staleWhileRevalidate: 0 })),
          "load"
        )
        assert.strictEqual(yield* verdictOf("k").pipe(CacheConfig.locally({ mode: "no-store" })), "bypass")
        assert.strictEqual(yield* last("never"), "when says no to this key")
        yield* TestClock.adjust("12 seconds")
        assert.strictEqual(yield* verdictOf("k"), "stale")
        assert.match((yield* first("k")) ?? "", /fresh until 2000 ms ago, kept for 18000 ms more/)
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual(yield* verdictOf("k"), "load")
        source.state = "down"
        yield* cache.get("k")
        assert.strictEqual(yield* verdictOf("k"), "heldOff")
        assert.match((yield* last("k")) ?? "", /its last load failed with: .*down/)
        yield* TestClock.adjust("1 minute")
        source.state = "hung"
        const get = yield* Effect.fork(cache.get("k"))
        yield* settled
        assert.strictEqual(yield* verdictOf("k"), "join")
        yield* Fiber.interrupt(get)
        source.state = "well"
        yield* cache.get("k")
        const { gets } = yield* cache.stats
        yield* cache.invalidateTags(["org:7"])
        assert.strictEqual(yield* verdictOf("k"), "load")
        assert.match((yield* first("k")) ?? "", /tag org:7 epoch \d+ > entry \d+$/)
        const { outdatedBy, epoch } = (yield* cache.explain("k")).tiers[0]!
        assert.isAbove(outdatedBy!.epoch, epoch!)
        yield* cache.get("k")
        yield* cache.invalidateGroup("k")
        assert.match((yield* first("k")) ?? "", /group k epoch \d+ > entry \d+$/)
        yield* cache.get("k")
        yield* cache.invalidateAll
        assert.match((yield* first("k")) ?? "", /everything, epoch \d+ > entry \d+$/)
        assert.strictEqual((yield* cache.stats).gets, gets + 2, "explaining is no get")
      }).pipe(over(store.layer))
    )
  })

  describe(`groups, and everything (${store.name})`, () => {
    it.effect("a group is a part of the key; invalidating it, or everything, outdates what is there", () =>
      Effect.gen(function* () {
        const cache = yield* Cache.make("grouped", {
          key: Schema.Struct({ tenant: Schema.String, id: Schema.Number }),
          success: Schema.Number,
          failure: Schema.String,
          failureTimeToLive: "1 hour",
          group: ({ tenant }) => tenant,
          tags: (value) => [`value:${value}`],
          lookup: ({ id }) => (id < 0 ? Effect.fail("negative") : Effect.succeed(id))
        })
        const [a1, a2, b1, bad] = [
          { tenant: "a", id: 1 },
          { tenant: "a", id: 2 },
          { tenant: "b", id: 1 },
          { tenant: "a", id: -1 }
        ]
        const there = Effect.forEach([a1, a2, b1, bad], (key) =>
          Effect.map(Effect.either(cache.has(key!)), (has) => has._tag === "Right" && has.right)
        )
        const fill = Effect.forEach([a1, a2, b1, bad], (key) => Effect.either(cache.get(key!)))
        yield* fill
        assert.deepStrictEqual(yield* there, [true, true, true, true])
        yield* cache.invalidateGroup("a")
        assert.deepStrictEqual(yield* there, [false, false, true, false], "kept failures belong to it, too")
        yield* fill
        // tags of its own do not take an entry out of its group
        yield* cache.set(a1!, 10, { tags: ["mine"] })
        yield* cache.invalidateGroup("a")
        assert.deepStrictEqual(yield* there, [false, false, true, false])
        yield* fill
        yield* cache.invalidateAll
        assert.deepStrictEqual(yield* there, [false, false, false, false])
        assert.strictEqual(yield* cache.size, 0)
        yield* fill
        assert.deepStrictEqual(yield* there, [true, true, true, true], "what comes after it stays")
      }).pipe(over(store.layer))
    )
  })
}

describe("CacheStats", () => {
  it.effect("percentiles of loads, differences, sums, and a Stream of snapshots", () =>
    Effect.gen(function* () {
      const source = new Counted()
      const cache = yield* Cache.make("timed", { ...schemas, lookup: source.lookup })
      for (const [index, takes] of [10, 20, 30, 40, 1_000].entries()) {
        source.takes = takes
        const get = yield* Effect.fork(cache.get(String(index)))
        yield* settled
        yield* TestClock.adjust(takes)
        yield* Fiber.join(get)
      }
      const stats = yield* cache.stats
      assert.strictEqual(stats.meanLoadMillis, 220)
      for (const [part, exact] of [
        [0.5, 30],
        [0.8, 40],
        [0.95, 1_000]
      ] as const) {
        const told = stats.loadPercentile(part)
        assert.isTrue(told >= exact && told <= exact * 1.0906, `${part}: ${told} is not ${exact}`)
      }
      yield* cache.get("0")
      const between = CacheStats.diff(yield* cache.stats, stats)
      assert.deepInclude(between, { fresh: 1, loaded: 0, loads: 0, savedMillis: 10, loadTimes: [] })
      assert.strictEqual(between.hitRatio, 1)
      assert.strictEqual(between.loadPercentile(0.5), 0)
      const sum = CacheStats.total([stats, stats])
      assert.deepInclude(sum, { name: "all", loaded: 10, loads: 10 })
      assert.strictEqual(sum.tiers.length, 2)
      assert.deepStrictEqual(
        sum.loadTimes.map(([, count]) => count),
        [2, 2, 2, 2, 2]
      )
      const snapshots = yield* Effect.fork(
        Stream.runCollect(Stream.take(CacheStats.changes(cache, { every: "10 seconds" }), 3))
      )
      for (let later = 0; later < 3; later++) {
        yield* settled
        yield* cache.get("0")
        yield* TestClock.adjust("10 seconds")
      }
      assert.deepStrictEqual(
        Chunk.toReadonlyArray(yield* Fiber.join(snapshots)).map(({ fresh }) => fresh),
        [1, 2, 3]
      )
    }).pipe(over(MemoryStore.layer()))
  )

  it.effect("evictions by cause, as far as the store counts them", () =>
    Effect.gen(function* () {
      const cache = yield* Cache.make("evicted", {
        lookup: (key: number) => Effect.succeed(key),
        timeToLive: "1 second"
      })
      yield* cache.getMany([1, 2, 3])
      yield* TestClock.adjust("1 second")
      yield* cache.get(3)
      const stats = yield* cache.stats
      assert.strictEqual(stats.evictions, 1)
      assert.deepInclude(stats.tiers[0]?.removals, { size: 1, explicit: 0 })
      const before = stats
      yield* cache.getMany([4, 5])
      assert.deepInclude(CacheStats.diff(yield* cache.stats, before).tiers[0]?.removals, { size: 1 })
    }).pipe(over(MemoryStore.layer({ capacity: 2, policy: "lru" })))
  )

  it.effect("a registry knows the caches that are open, and none without its Layer", () =>
    Effect.gen(function* () {
      const make = Cache.make("known", { lookup: (key: number) => Effect.succeed(key) })
      yield* Effect.scoped(Effect.flatMap(make, (cache) => cache.get(1)))
      assert.deepStrictEqual(yield* CacheStats.all, [])
      yield* Effect.gen(function* () {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const cache = yield* make
            yield* cache.get(1)
            const all = yield* CacheStats.all
            assert.deepStrictEqual(
              all.map(({ loaded, name }) => [name, loaded]),
              [["known", 1]]
            )
          })
        )
        assert.deepStrictEqual(yield* CacheStats.all, [])
      }).pipe(Effect.provide(CacheStats.layer))
    }).pipe(over(MemoryStore.layer()))
  )
})

describe("CacheMetrics", () => {
  const valueOf = (name: string, labels: Readonly<Record<string, string>>) =>
    Effect.map(Metric.snapshot, (pairs) => {
      const pair = pairs.find(
        ({ metricKey }) =>
          metricKey.name === name &&
          Object.entries(labels).every(([key, value]) =>
            metricKey.tags.some((tag) => tag.key === key && tag.value === value)
          )
      )
      const state = pair?.metricState as { readonly count?: number; readonly value?: number } | undefined
      return state?.count ?? state?.value
    })

  it.effect("counters and gauges follow the caches, also what they have done last", () =>
    Effect.gen(function* () {
      const cache = "metrics/followed"
      yield* Effect.gen(function* () {
        const counted = yield* Cache.make(cache, { lookup: (key: number) => Effect.succeed(key) })
        yield* counted.getMany([1, 2, 2, 3])
        yield* TestClock.adjust("10 seconds")
        yield* settled
        assert.strictEqual(yield* valueOf("cache_gets_total", { cache, outcome: "loaded" }), 3)
        assert.strictEqual(yield* valueOf("cache_misses_total", { cache }), 4)
        assert.strictEqual(yield* valueOf("cache_entries", { cache, tier: "1" }), 2)
        assert.strictEqual(yield* valueOf("cache_evictions_total", { cache, cause: "size" }), 1)
        yield* counted.get(3)
      }).pipe(
        over(
          Layer.provideMerge(
            MemoryStore.layer({ capacity: 2, policy: "lru" }),
            CacheMetrics.layer({ every: "10 seconds" })
          )
        )
      )
      assert.strictEqual(yield* valueOf("cache_hits_total", { cache }), 1)
      assert.strictEqual(
        yield* valueOf("cache_gets_total", { cache, outcome: "loaded" }),
        3,
        "nothing is counted twice"
      )
    })
  )

  it.effect("beyond so many caches they share a label", () =>
    Effect.gen(function* () {
      for (const name of ["metrics/a", "metrics/b", "metrics/c"]) {
        const cache = yield* Cache.make(name, { lookup: (key: number) => Effect.succeed(key) })
        yield* cache.get(1)
      }
      yield* TestClock.adjust("5 seconds")
      yield* settled
      assert.strictEqual(yield* valueOf("cache_loads_total", { cache: "other" }), 2)
      assert.isUndefined(yield* valueOf("cache_loads_total", { cache: "metrics/c" }))
    }).pipe(over(Layer.provideMerge(MemoryStore.layer(), CacheMetrics.layer({ maxCaches: 1 }))))
  )

  it.effect("options that make no sense are refused", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Effect.scoped(Layer.build(CacheMetrics.layer({ every: 0, maxCaches: -1 }))))
      assert.deepStrictEqual(
        error.issues.map(({ field }) => field),
        ["every", "maxCaches"]
      )
    })
  )
})
