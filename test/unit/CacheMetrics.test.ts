/** Loads by the group of their key: they add up, there is a bound, and no key is told. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, FastCheck as fc, Fiber, Layer, TestClock } from "effect"
import { Cache, CacheMetrics, CachePrometheus, CacheStats, MemoryStore } from "effect-larder"
import { forAll, over, settled } from "../fixtures/cache/harness.js"

interface Ask {
  readonly group: number
  readonly id: number
  readonly how: "well" | "failing" | "hanging"
  readonly does: "get" | "refresh" | "invalidate"
}

const ask: fc.Arbitrary<Ask> = fc.record({
  group: fc.nat(6),
  id: fc.nat(3),
  how: fc.constantFrom("well", "failing", "hanging"),
  does: fc.constantFrom("get", "get", "refresh", "invalidate")
})

/** Metrics belong to the process: each run has a cache of its own name. */
let runs = 0

/** The samples of a family, of one cache: the labels as they stand there, and the number. */
const samples = (
  text: string,
  family: string,
  cache: string
): ReadonlyArray<readonly [labels: string, value: number]> =>
  text
    .split("\n")
    .filter((line) => line.startsWith(`${family}{`) && line.includes(`cache="${cache}"`))
    .map((line) => [line.slice(line.indexOf("{"), line.lastIndexOf(" ")), Number(line.split(" ").at(-1))])

const sum = (all: ReadonlyArray<readonly [string, number]>): number => all.reduce((sum, [, value]) => sum + value, 0)

const counting = (maxGroups: number) => Layer.provideMerge(MemoryStore.layer(), CacheMetrics.layer({ maxGroups }))

const grouped = (name: string) =>
  Cache.make(name, {
    lookup: ({ how }: Ask) => {
      if (how === "hanging") return Effect.never
      return Effect.delay(how === "well" ? Effect.succeed(1) : Effect.fail("refused"), "70 millis")
    },
    group: ({ group }) => `group ${group}`,
    loadDeadline: "1 second"
  })

describe("CacheMetrics by group", () => {
  it.effect("loads, failures and times of all groups add up to those of the cache, whatever happens", () =>
    forAll(
      fc.record({ asks: fc.array(ask, { maxLength: 30 }), maxGroups: fc.integer({ min: 1, max: 8 }) }),
      ({ asks, maxGroups }) =>
        Effect.gen(function* () {
          const name = `by group ${runs++}`
          const cache = yield* grouped(name)
          for (const one of asks) {
            const doing: Effect.Effect<unknown, unknown> =
              one.does === "invalidate" ? cache.invalidate(one) : cache[one.does](one)
            const fiber = yield* Effect.fork(Effect.exit(doing))
            yield* settled
            yield* TestClock.adjust("2 seconds")
            yield* Fiber.join(fiber)
          }
          const text = yield* CachePrometheus.text({ only: (metric) => metric.startsWith("cache_") })
          const stats = yield* cache.stats
          for (const of of ["loads_total", "load_failures_total", "load_seconds_total"]) {
            const all = sum(samples(text, `cache_${of}`, name))
            assert.closeTo(sum(samples(text, `cache_group_${of}`, name)), all, 1e-9, of)
          }
          const loads = samples(text, "cache_group_loads_total", name)
          assert.strictEqual(sum(loads), stats.loads)
          assert.isAtMost(loads.length, maxGroups + 1)
          const own = new Set(asks.filter(({ does }) => does !== "invalidate").map(({ group }) => group)).size
          assert.strictEqual(
            loads.some(([labels]) => labels.includes('group="other"')),
            own > maxGroups
          )
          for (const [labels] of loads) assert.match(labels, /group="(group \d|other)"/)
        }).pipe(over(counting(maxGroups))),
      { numRuns: 30 }
    )
  )

  it.effect("each group has what its own keys did, and a difference of stats has it, too", () =>
    Effect.gen(function* () {
      const cache = yield* Cache.make("own groups", {
        lookup: (key: string) => (key.endsWith("!") ? Effect.fail("no") : Effect.succeed(key.length)),
        group: (key) => key.slice(0, 1)
      })
      yield* Effect.forEach(["a1", "a2", "b1", "a1", "b!", "c1"], (key) => Effect.exit(cache.get(key)))
      const before = yield* cache.stats
      assert.deepStrictEqual(
        before.groups.map(({ group, loadFailures, loads }) => [group, loads, loadFailures]),
        [
          ["a", 2, 0],
          ["b", 2, 1],
          ["other", 1, 0]
        ]
      )
      yield* cache.get("b2")
      const { groups } = CacheStats.diff(yield* cache.stats, before)
      assert.deepStrictEqual(
        groups.map(({ group, loads }) => [group, loads]),
        [
          ["a", 0],
          ["b", 1],
          ["other", 0]
        ]
      )
    }).pipe(over(counting(2)))
  )

  it.effect("a group that throws is the load's defect, and counted", () =>
    Effect.gen(function* () {
      const cache = yield* Cache.make("bad groups", {
        lookup: (key: string) => Effect.succeed(key),
        group: (): string => {
          throw new Error("no group")
        }
      })
      assert.isTrue(Exit.isFailure(yield* Effect.exit(cache.get("a"))))
      const { groups, loads } = yield* cache.stats
      assert.deepStrictEqual(
        groups.map(({ group, loads }) => [group, loads]),
        [["other", loads]]
      )
    }).pipe(over(counting(5)))
  )

  it.effect("nothing is counted by group unless it is asked for, and a limit is a number", () =>
    Effect.gen(function* () {
      const cache = yield* grouped("quiet groups")
      const fiber = yield* Effect.fork(cache.get({ group: 1, id: 1, how: "well", does: "get" }))
      yield* settled
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual((yield* cache.stats).groups, [])
      const refused = yield* Effect.flip(Effect.scoped(Layer.build(CacheMetrics.layer({ maxGroups: -1 }))))
      assert.strictEqual(refused.issues[0]?.field, "maxGroups")
    }).pipe(over(Layer.provideMerge(MemoryStore.layer(), CacheMetrics.layer())))
  )
})
