import { assert, describe, it } from "@effect/vitest"
import { Cause, Data, Deferred, Effect, Exit, Fiber, Schema, Stream, TestClock } from "effect"
import { Cache, type CacheError, CacheWarming, MemoryStore } from "effect-larder"
import * as SqliteStore from "effect-larder/SqliteStore"
import { LeakOracle } from "effect-larder/testing"
import fc from "fast-check"
import { addsUp, forAll, over, settled } from "../fixtures/cache/harness.js"

class Odd extends Data.TaggedError("Odd")<{ readonly n: number }> {}

const memory = over(MemoryStore.layer())
const upTo = (count: number) => Array.from({ length: count }, (_, n) => n)

const halves = (loads: Array<number> = []) =>
  Cache.make("halves", {
    lookup: (n: number): Effect.Effect<number, Odd> =>
      Effect.suspend(() => {
        loads.push(n)
        return n % 2 === 0 ? Effect.succeed(n / 2) : Effect.fail(new Odd({ n }))
      })
  })

describe("CacheWarming.fromKeys", () => {
  it.effect("loads what is not there, leaves what is, and counts what fails", () =>
    Effect.gen(function* () {
      const loads: Array<number> = []
      const cache = yield* halves(loads)
      yield* cache.set(2, 42)
      assert.deepStrictEqual(yield* CacheWarming.fromKeys(cache, upTo(6)), { loaded: 2, present: 1, failed: 3 })
      assert.strictEqual(yield* cache.get(2), 42)
      assert.deepStrictEqual(loads, [0, 1, 3, 4, 5])
      assert.deepStrictEqual(yield* CacheWarming.fromKeys(cache, [0, 2, 4]), { loaded: 0, present: 3, failed: 0 })
    }).pipe(memory)
  )

  it.effect("tells of each failure, and of its progress now and then and once at the end", () =>
    Effect.gen(function* () {
      const cache = yield* halves()
      const failures: Array<number> = []
      const reports: Array<number> = []
      const run = (count: number) =>
        CacheWarming.fromKeys(cache, upTo(count), {
          every: 4,
          concurrency: 1,
          onFailure: (key, cause) =>
            Effect.sync(() => {
              assert.deepStrictEqual(Cause.squash(cause), new Odd({ n: key }))
              failures.push(key)
            }),
          onProgress: ({ failed, loaded, present }) => Effect.sync(() => reports.push(failed + loaded + present))
        })
      yield* run(10)
      assert.deepStrictEqual(failures, [1, 3, 5, 7, 9])
      assert.deepStrictEqual(reports.splice(0), [4, 8, 10])
      yield* run(8)
      assert.deepStrictEqual(reports.splice(0), [4, 8])
      yield* run(0)
      assert.deepStrictEqual(reports, [0])
    }).pipe(memory)
  )

  it.effect("has no more loads in the air than it may", () =>
    forAll(fc.record({ concurrency: fc.integer({ min: 1, max: 7 }), count: fc.nat(30) }), ({ concurrency, count }) =>
      Effect.gen(function* () {
        let inAir = 0
        let most = 0
        const cache = yield* Cache.make("bounded", {
          lookup: (n: number) =>
            Effect.sync(() => (most = Math.max(most, ++inAir))).pipe(
              Effect.zipRight(Effect.repeatN(Effect.yieldNow(), 30)),
              Effect.map(() => (inAir--, n))
            )
        })
        const { loaded } = yield* CacheWarming.fromKeys(cache, upTo(count), { concurrency })
        assert.strictEqual(loaded, count)
        assert.strictEqual(most, Math.min(concurrency, count))
      }).pipe(memory)
    )
  )

  it.effect("takes a Stream as it comes, however long, and fails as that does", () =>
    Effect.gen(function* () {
      const cache = yield* halves()
      const evens = Stream.map(Stream.range(0, 9_999), (n) => 2 * n)
      assert.strictEqual((yield* CacheWarming.fromKeys(cache, evens)).loaded, 10_000)
      const broken = Stream.concat(Stream.make(2), Stream.fail("the source of keys is down" as const))
      assert.strictEqual(yield* Effect.flip(CacheWarming.fromKeys(cache, broken)), "the source of keys is down")
    }).pipe(memory)
  )

  it.effect("interrupted, it brings its loads down, but not those that others wait for", () =>
    Effect.gen(function* () {
      const door = yield* Deferred.make<void>()
      const down: Array<number> = []
      const cache = yield* LeakOracle.watch(
        yield* Cache.make("hanging", {
          lookup: (n: number) =>
            Effect.as(Deferred.await(door), n).pipe(Effect.onInterrupt(() => Effect.sync(() => down.push(n))))
        })
      )
      const warming = yield* Effect.fork(CacheWarming.fromKeys(cache, [1, 2, 3]))
      yield* settled
      const other = yield* Effect.fork(cache.get(2))
      yield* settled
      yield* Fiber.interrupt(warming)
      assert.deepStrictEqual(down.sort(), [1, 3])
      yield* Deferred.succeed(door, undefined)
      assert.strictEqual(yield* Fiber.join(other), 2)
    }).pipe(Effect.scoped, Effect.provide(MemoryStore.layer()), LeakOracle.check)
  )

  it.effect("a lookup that dies is a failure like any other", () =>
    Effect.gen(function* () {
      const cache = yield* Cache.make("dying", { lookup: (_: number) => Effect.die("no") })
      assert.deepStrictEqual(yield* CacheWarming.fromKeys(cache, [1, 2]), { loaded: 0, present: 0, failed: 2 })
      yield* addsUp(cache, 2)
    }).pipe(memory)
  )

  it.effect("an option that makes no sense is InvalidConfig, before anything is loaded", () =>
    Effect.gen(function* () {
      const loads: Array<number> = []
      const cache = yield* halves(loads)
      for (const options of [
        { concurrency: 0 },
        { every: 1.5 },
        { onProgress: "log" },
        { onFailure: 1 },
        { speed: 1 }
      ]) {
        const error: CacheError.InvalidConfig = yield* Effect.flip(CacheWarming.fromKeys(cache, [2], options as object))
        assert.deepStrictEqual(
          error.issues.map(({ field }) => field),
          Object.keys(options)
        )
      }
      assert.deepStrictEqual(loads, [])
    }).pipe(memory)
  )
})

describe("CacheWarming.fromEntries", () => {
  it.effect("puts entries in, with one write for many, with tags and a life of their own", () =>
    Effect.gen(function* () {
      const cache = yield* halves()
      const writes: Array<number> = []
      const counted = {
        setMany: (entries: Iterable<readonly [number, number]>, options?: Cache.SetOptions) => {
          writes.push([...entries].length)
          return cache.setMany(entries, options)
        }
      }
      const entries = upTo(10).map((n) => [n, 7] as const)
      const options = { batch: 4, tags: ["warm"], timeToLive: "1 minute" } as const
      assert.strictEqual(yield* CacheWarming.fromEntries(counted, entries, options), 10)
      assert.deepStrictEqual(writes, [4, 4, 2])
      assert.strictEqual(yield* cache.get(9), 7)
      yield* TestClock.adjust("1 minute")
      assert.isFalse(yield* cache.has(9))
      yield* CacheWarming.fromEntries(cache, Stream.fromIterable(entries), options)
      yield* cache.invalidateTags(["warm"])
      assert.strictEqual(yield* cache.size, 0)
      assert.strictEqual(yield* CacheWarming.fromEntries(cache, []), 0)
    }).pipe(memory)
  )

  it.effect("what was put in is there in the next run, over a store that keeps bytes", () =>
    Effect.gen(function* () {
      let loads = 0
      const texts = Cache.make("texts", {
        key: Schema.Number,
        success: Schema.String,
        lookup: (n) => Effect.sync(() => `loaded ${n} ${loads++}`)
      })
      yield* Effect.scoped(
        Effect.flatMap(texts, (cache) =>
          CacheWarming.fromEntries(
            cache,
            upTo(300).map((n) => [n, `kept ${n}`] as const)
          )
        )
      )
      const cache = yield* texts
      assert.deepStrictEqual(yield* CacheWarming.fromKeys(cache, upTo(300)), { loaded: 0, present: 300, failed: 0 })
      assert.strictEqual(yield* cache.get(299), "kept 299")
      assert.strictEqual(loads, 0)
    }).pipe(over(SqliteStore.layerMemory))
  )

  it.effect("fails with what the Stream, the write or the options fail with", () =>
    Effect.gen(function* () {
      const cache = yield* halves()
      const broken = Stream.concat(Stream.make([1, 1] as const), Stream.fail("down" as const))
      assert.strictEqual(yield* Effect.flip(CacheWarming.fromEntries(cache, broken)), "down")
      for (const options of [{ batch: 0 }, { batch: Infinity }, { timeToLive: -1 }]) {
        const exit = yield* Effect.exit(CacheWarming.fromEntries(cache, [[1, 1]], options))
        assert.isTrue(Exit.isFailure(exit) && String(Cause.squash(exit.cause)).includes(Object.keys(options)[0]!))
      }
    }).pipe(memory)
  )
})
