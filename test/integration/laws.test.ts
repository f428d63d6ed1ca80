/** Laws 1, 2, 5 and 6: one load, owner-less loads, outcomes add up, bounded by default. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Chunk, Deferred, Effect, Exit, Fiber, Schema, TestClock } from "effect"
import { Cache, CacheConfig, CacheStore, MemoryStore } from "effect-larder"
import fc from "fast-check"
import { addsUp, forAll, over, settled } from "../fixtures/cache/harness.js"
import { makeSource } from "../fixtures/cache/source.js"
import { stores } from "../fixtures/cache/stores.js"

class Missing extends Schema.TaggedError<Missing>()("Missing", { id: Schema.String }) {}

const boom = new Error("boom")

type Ending = "success" | "failure" | "defect"

const endings: Record<Ending, (key: string) => Effect.Effect<string, Missing>> = {
  success: (key) => Effect.succeed(`value of ${key}`),
  failure: (key) => Effect.fail(new Missing({ id: key })),
  defect: () => Effect.die(boom)
}

/** n callers of a cold key; each answers with the Exit it received. */
const crowd = (store: (typeof stores)[number], ending: Ending, callers: number, waits: boolean) =>
  Effect.gen(function* () {
    let lookups = 0
    const gate = yield* Deferred.make<void>()
    const cache = yield* Cache.make("crowd", {
      key: Schema.String,
      success: Schema.String,
      lookup: (key: string) => {
        lookups++
        return waits ? Effect.zipRight(Deferred.await(gate), endings[ending](key)) : endings[ending](key)
      }
    })
    const fibers = yield* Effect.forEach(Array.from({ length: callers }), () =>
      Effect.fork(Effect.exit(cache.get("k")))
    )
    yield* settled
    yield* Deferred.succeed(gate, undefined)
    const exits = yield* Effect.forEach(fibers, Fiber.join)
    // without a wait the first caller of a failing lookup may be done before the second comes
    if (waits || ending === "success") assert.strictEqual(lookups, 1)
    for (const exit of exits) {
      if (ending === "success") assert.deepStrictEqual(exit, Exit.succeed("value of k"))
      else if (ending === "failure") assert.deepStrictEqual(exit, Exit.fail(new Missing({ id: "k" })))
      else assert.strictEqual(Exit.isFailure(exit) && Chunk.unsafeHead(Cause.defects(exit.cause)), boom)
    }
    yield* addsUp(cache, callers)
    const { failed, joined, loaded } = yield* cache.stats
    if (waits && ending === "success") assert.deepStrictEqual({ loaded, joined }, { loaded: 1, joined: callers - 1 })
    if (ending !== "success") assert.strictEqual(failed, callers)
  }).pipe(over(store.layer))

for (const store of stores) {
  describe(`1. One load (${store.name})`, () => {
    for (const ending of ["success", "failure", "defect"] as const) {
      it.effect(`n concurrent gets of a cold key run one lookup and receive the same ${ending}`, () =>
        forAll(
          fc.record({ callers: fc.oneof(fc.integer({ min: 1, max: 50 }), fc.constant(500)), waits: fc.boolean() }),
          ({ callers, waits }) => crowd(store, ending, callers, waits),
          { numRuns: 20 }
        )
      )

      it.effect(`so do 10 000 (${ending})`, () => crowd(store, ending, 10_000, true))
    }

    it.effect("getMany, getResult, refresh and get share the load too", () =>
      Effect.gen(function* () {
        const source = yield* makeSource
        yield* source.hold
        const cache = yield* Cache.make("shared", { key: Schema.String, success: Schema.String, lookup: source.lookup })
        const fibers = yield* Effect.forEach(
          [
            cache.get("a"),
            Effect.map(cache.getMany(["a", "b", "a"]), (values) => values.join()),
            Effect.map(cache.getResult("a"), (result) => result.value),
            cache.refresh("a"),
            cache.get("b")
          ],
          (get) => Effect.fork(get)
        )
        yield* settled
        yield* source.release
        assert.deepStrictEqual(yield* Effect.forEach(fibers, Fiber.join), ["a:0", "a:0,b:0,a:0", "a:0", "a:0", "b:0"])
        // a refresh reads no store, so it may start before those who do; nobody is served anything older for it
        assert.isAtMost(source.started, 3)
        yield* addsUp(cache, 7)
      }).pipe(over(store.layer))
    )
  })

  describe(`2. Owner-less load (${store.name})`, () => {
    it.effect("interrupting any of the waiters harms no other, the first one included", () =>
      forAll(
        fc.uniqueArray(fc.integer({ min: 0, max: 9 }), { maxLength: 9 }),
        (leaving) =>
          Effect.gen(function* () {
            const source = yield* makeSource
            yield* source.hold
            const cache = yield* Cache.make("waiters", {
              key: Schema.String,
              success: Schema.String,
              lookup: source.lookup
            })
            const fibers = yield* Effect.forEach(Array.from({ length: 10 }), () => Effect.fork(cache.get("k")))
            yield* settled
            for (const index of leaving) yield* Fiber.interrupt(fibers[index]!)
            yield* source.release
            for (const [index, fiber] of fibers.entries()) {
              const exit = yield* Fiber.await(fiber)
              if (leaving.includes(index)) assert.isTrue(Exit.isInterrupted(exit))
              else assert.deepStrictEqual(exit, Exit.succeed("k:0"))
            }
            assert.strictEqual(source.started, 1)
            assert.strictEqual(source.interrupted, 0)
            yield* addsUp(cache, 10)
          }).pipe(over(store.layer)),
        { numRuns: 25 }
      )
    )

    it.effect("when the last waiter has left, the load's finalizers have run and nothing is stored", () =>
      Effect.gen(function* () {
        const source = yield* makeSource
        yield* source.hold
        let released = 0
        const cache = yield* Cache.make("last", {
          key: Schema.String,
          success: Schema.String,
          lookup: (key: string) =>
            Effect.acquireUseRelease(
              Effect.void,
              () => source.lookup(key),
              () =>
                Effect.zipRight(
                  Effect.yieldNow(),
                  Effect.sync(() => released++)
                )
            )
        })
        const first = yield* Effect.fork(cache.get("k"))
        const second = yield* Effect.fork(cache.get("k"))
        yield* settled
        yield* Fiber.interrupt(first)
        assert.deepStrictEqual([source.interrupted, released], [0, 0])
        yield* Fiber.interrupt(second)
        assert.deepStrictEqual([source.interrupted, released], [1, 1])
        yield* source.release
        yield* settled
        assert.isFalse(yield* cache.has("k"))
        assert.strictEqual(yield* cache.get("k"), "k:0")
        yield* addsUp(cache, 3)
      }).pipe(over(store.layer))
    )

    it.effect("a load that will not be interrupted stores nothing once nobody waits for it", () =>
      Effect.gen(function* () {
        const source = yield* makeSource
        yield* source.hold
        const cache = yield* Cache.make("deaf", {
          key: Schema.String,
          success: Schema.String,
          lookup: (key: string) => Effect.uninterruptible(source.lookup(key))
        })
        const fiber = yield* Effect.fork(cache.get("k"))
        yield* settled
        const leaving = yield* Effect.fork(Fiber.interrupt(fiber))
        yield* settled
        yield* source.release
        yield* Fiber.join(leaving)
        assert.isFalse(yield* cache.has("k"))
        yield* addsUp(cache, 1)
      }).pipe(over(store.layer))
    )

    it.effect("interrupting a getMany leaves every load it started", () =>
      Effect.gen(function* () {
        const source = yield* makeSource
        yield* source.hold
        const cache = yield* Cache.make("many", { key: Schema.String, success: Schema.String, lookup: source.lookup })
        const other = yield* Effect.fork(cache.get("b"))
        yield* settled
        const fiber = yield* Effect.fork(cache.getMany(["a", "b", "c"]))
        yield* settled
        yield* Fiber.interrupt(fiber)
        assert.strictEqual(source.interrupted, 2)
        yield* source.release
        assert.strictEqual(yield* Fiber.join(other), "b:0")
        assert.isFalse(yield* cache.has("a"))
        yield* addsUp(cache, 4)
      }).pipe(over(store.layer))
    )

    it.effect("closing the cache brings loads down, and their finalizers have run", () =>
      Effect.gen(function* () {
        const source = yield* makeSource
        yield* source.hold
        const waiter = yield* Effect.scoped(
          Effect.gen(function* () {
            const cache = yield* Cache.make("closing", {
              key: Schema.String,
              success: Schema.String,
              lookup: source.lookup
            })
            const waiter = yield* Effect.forkDaemon(Effect.exit(cache.get("k")))
            yield* settled
            return waiter
          })
        )
        assert.strictEqual(source.interrupted, 1)
        assert.isTrue(Exit.isInterrupted(yield* Fiber.join(waiter)))
      }).pipe(over(store.layer))
    )
  })

  describe(`5. Outcomes add up (${store.name})`, () => {
    it.effect("each get has one outcome, whatever became of it", () =>
      Effect.gen(function* () {
        const cache = yield* Cache.make("outcomes", {
          key: Schema.String,
          success: Schema.String,
          lookup: (key: string): Effect.Effect<string, Missing> =>
            key.startsWith("bad") ? Effect.fail(new Missing({ id: key })) : Effect.succeed(key),
          timeToLive: "1 minute",
          staleWhileRevalidate: "1 minute",
          when: (key) => key !== "never"
        })
        yield* Effect.all([cache.get("a"), cache.get("a"), cache.get("never"), Effect.exit(cache.get("bad"))])
        yield* cache.getMany(["a", "b", "b"])
        yield* cache.getMany(["a", "bad", "b"], { mode: "either" })
        yield* cache.get("a").pipe(CacheConfig.locally({ mode: "no-store" }))
        yield* Effect.exit(cache.get("zzz").pipe(CacheConfig.locally({ mode: "only-if-cached" })))
        yield* TestClock.adjust("61 seconds")
        yield* cache.get("a")
        yield* settled
        // these are no gets
        yield* Effect.all([cache.getOption("a"), cache.has("a"), cache.size])
        yield* addsUp(cache, 13)
        const stats = yield* cache.stats
        assert.deepInclude(stats, { bypassed: 2, failed: 3, stale: 1, loaded: 2 })
      }).pipe(over(store.layer))
    )

    it.effect("a get that is interrupted while a store is asked has an outcome", () =>
      Effect.gen(function* () {
        const source = yield* makeSource
        yield* source.hold
        const cache = yield* Cache.make("asked", { key: Schema.String, success: Schema.String, lookup: source.lookup })
        let gets = 0
        // each is interrupted at another step of its way
        for (let steps = 0; steps < 30; steps++) {
          for (const mode of ["default", "reload", "only-if-cached", "no-store"] as const) {
            const many = yield* Effect.fork(Effect.exit(CacheConfig.locally(cache.getMany(["k", "l", "k"]), { mode })))
            const one = yield* Effect.fork(Effect.exit(CacheConfig.locally(cache.get("k"), { mode })))
            yield* Effect.repeatN(Effect.yieldNow(), steps)
            yield* Fiber.interruptAll([many, one])
            gets += 4
          }
        }
        yield* addsUp(cache, gets)
      }).pipe(over(store.layer))
    )
  })
}

describe("6. Bounded by default", () => {
  it.effect("a memory store keeps 10 000 entries, and as many as it was told", () =>
    Effect.gen(function* () {
      const cache = yield* Cache.make("numbers", { lookup: (n: number) => Effect.succeed(n) })
      for (let n = 0; n < 10_500; n++) yield* cache.get(n)
      assert.strictEqual(yield* cache.size, 10_000)
      for (let n = 0; n < 100; n++) yield* cache.set(-n, n)
      assert.strictEqual(yield* cache.size, 10_000)
    }).pipe(over(MemoryStore.layer()))
  )

  it.effect("whoever fills it: get, getMany, set, setMany, refresh and two caches together", () =>
    Effect.gen(function* () {
      const cache = yield* Cache.make("one", { lookup: (n: number) => Effect.succeed(n) })
      const other = yield* Cache.make("other", { lookup: (n: number) => Effect.succeed(n) })
      for (let n = 0; n < 50; n++) {
        yield* cache.get(n)
        yield* cache.getMany([n + 1000, n + 2000])
        yield* cache.set(n + 3000, n)
        yield* cache.setMany([
          [n + 4000, n],
          [n + 5000, n]
        ])
        yield* cache.refresh(n + 6000)
        yield* other.get(n)
        assert.isAtMost((yield* cache.size) + (yield* other.size), 7)
      }
    }).pipe(over(MemoryStore.layer({ capacity: 7 })))
  )

  it.effect("the near tier of a tiered store is bounded too", () =>
    Effect.gen(function* () {
      const cache = yield* Cache.make("tiers", {
        key: Schema.Number,
        success: Schema.Number,
        lookup: (n) => Effect.succeed(n)
      })
      yield* cache.getMany(Array.from({ length: 50 }, (_, index) => index))
      const { tiers } = yield* cache.stats
      assert.deepStrictEqual(
        tiers.map((tier) => tier.entries),
        [5, 50]
      )
      yield* cache.getMany(Array.from({ length: 50 }, (_, index) => index))
      assert.strictEqual((yield* cache.stats).loads, 50)
    }).pipe(over(MemoryStore.layer({ capacity: 5 }).pipe(CacheStore.tieredOver(stores[1]!.layer))))
  )

  it.effect("no timer runs for what is stored", () =>
    Effect.gen(function* () {
      const cache = yield* Cache.make("timers", { lookup: (n: number) => Effect.succeed(n), timeToLive: "1 second" })
      for (let n = 0; n < 100; n++) yield* cache.get(n)
      assert.deepStrictEqual(Chunk.toReadonlyArray(yield* TestClock.sleeps()), [])
    }).pipe(over(MemoryStore.layer()))
  )
})
