/** Law 3: no lost invalidation, whatever invalidates, on every path, in every tier. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, type Layer, Schema, TestClock } from "effect"
import { Cache, type CacheError, CacheStore, MemoryStore } from "effect-larder"
import { FaultyStore } from "effect-larder/testing"
import fc from "fast-check"
import { addsUp, forAll, over, settled } from "../fixtures/cache/harness.js"
import { dawdling, distant, gated } from "../fixtures/cache/regions.js"
import { makeSource, type Source, versionIn } from "../fixtures/cache/source.js"
import { stores } from "../fixtures/cache/stores.js"

type Texts = Cache.Cache<string, string, CacheError.LoadTimeout>

const makeCache = (source: Source, options: { readonly uninterruptible?: boolean } = {}) =>
  Cache.make("texts", {
    key: Schema.String,
    success: Schema.String,
    lookup: (key: string) =>
      options.uninterruptible === true ? Effect.uninterruptible(source.lookup(key)) : source.lookup(key),
    timeToLive: "1 minute",
    staleWhileRevalidate: "1 minute",
    staleIfError: "1 hour",
    waitFresh: "10 seconds",
    tags: (_value, key) => [`tag:${key}`]
  })

/** Whatever makes what was loaded before it returned outdated. */
const invalidations: Record<string, (cache: Texts, key: string, source: Source) => Effect.Effect<unknown, unknown>> = {
  invalidate: (cache, key) => cache.invalidate(key),
  invalidateMany: (cache, key) => cache.invalidateMany(["other", key]),
  invalidateTags: (cache, key) => cache.invalidateTags(["tag:other", `tag:${key}`]),
  clear: (cache) => cache.clear,
  set: (cache, key, source) => cache.set(key, source.valueOf(key)),
  setMany: (cache, key, source) =>
    cache.setMany([
      ["other", "other:0"],
      [key, source.valueOf(key)]
    ]),
  expire: (cache, key) => cache.expire(key)
}

/** Brings a load of the key into the air, or a value into the store that is about to be loaded again. */
const paths: Record<string, (cache: Texts, source: Source) => Effect.Effect<Fiber.Fiber<unknown, unknown>, unknown>> = {
  get: (cache) => Effect.fork(cache.get("k")),
  getMany: (cache) => Effect.fork(cache.getMany(["a", "k", "b"])),
  refresh: (cache, source) =>
    Effect.gen(function* () {
      yield* source.release
      yield* cache.get("k")
      yield* source.hold
      return yield* Effect.fork(cache.refresh("k"))
    }),
  "stale-while-revalidate": (cache, source) =>
    Effect.gen(function* () {
      yield* source.release
      yield* cache.get("k")
      yield* TestClock.adjust("61 seconds")
      yield* source.hold
      // answered at once with what is stale; the load that begins now is nobody's
      assert.strictEqual(yield* cache.get("k"), "k:0")
      return yield* Effect.fork(Effect.void)
    }),
  "late background completion": (cache) =>
    Effect.gen(function* () {
      const waiting = yield* Effect.fork(Effect.exit(cache.get("k")))
      yield* settled
      yield* TestClock.adjust("10 seconds")
      assert.isTrue(Exit.isFailure(yield* Fiber.join(waiting)))
      return waiting
    })
}

for (const store of stores) {
  describe(`3. No lost invalidation (${store.name})`, () => {
    for (const [path, start] of Object.entries(paths)) {
      for (const [name, invalidation] of Object.entries(invalidations)) {
        it.effect(`${name} while a load is in the air: ${path}`, () =>
          Effect.gen(function* () {
            const source = yield* makeSource
            yield* source.hold
            const cache = yield* makeCache(source)
            const flying = yield* start(cache, source)
            yield* settled
            assert.isAtLeast(source.started, 1)
            source.write("k")
            yield* invalidation(cache, "k", source)
            // this get starts while the old load is still in the air
            const early = yield* Effect.fork(cache.getResult("k"))
            yield* settled
            yield* source.release
            const { outcome, value } = yield* Fiber.join(early)
            // what was expired may be served stale, but for no more than that
            if (name !== "expire" || outcome !== "stale") assert.isAtLeast(versionIn(value), 1, outcome)
            yield* Fiber.await(flying)
            yield* settled
            // and this one after it has landed
            assert.strictEqual(yield* cache.get("k"), "k:1")
            assert.deepStrictEqual(yield* cache.getMany(["k"]), ["k:1"])
            assert.strictEqual((yield* cache.stats).inFlight, 0)
          }).pipe(over(store.layer))
        )
      }
    }

    it.effect("a load that will not be interrupted cannot undo an invalidation when it ends at last", () =>
      Effect.gen(function* () {
        const source = yield* makeSource
        yield* source.hold
        const cache = yield* makeCache(source, { uninterruptible: true })
        const flying = yield* Effect.fork(cache.get("k"))
        yield* settled
        source.write("k")
        yield* cache.invalidate("k")
        const leaving = yield* Effect.fork(Fiber.interrupt(flying))
        yield* settled
        yield* source.release
        yield* Fiber.join(leaving)
        assert.strictEqual(yield* cache.get("k"), "k:1")
      }).pipe(over(store.layer))
    )

    it.effect("what was invalidated is not served as a fallback either, when the next load fails", () =>
      Effect.gen(function* () {
        let healthy = true
        const cache = yield* Cache.make("fallback", {
          key: Schema.String,
          success: Schema.String,
          lookup: (key: string) => (healthy ? Effect.succeed(`${key}:0`) : Effect.fail("down" as const)),
          timeToLive: "1 minute",
          staleIfError: "1 hour",
          tags: ["all"]
        })
        for (const invalidation of [cache.invalidate("k"), cache.invalidateTags(["all"]), cache.clear]) {
          healthy = true
          yield* cache.refresh("k")
          yield* TestClock.adjust("2 minutes")
          healthy = false
          assert.strictEqual((yield* cache.getResult("k")).outcome, "failsafe")
          yield* invalidation
          assert.strictEqual(yield* Effect.flip(cache.get("k")), "down")
        }
      }).pipe(over(store.layer))
    )

    it.effect("interrupting an invalidation does not undo it", () =>
      forAll(
        fc.record({
          turns: fc.integer({ min: 0, max: 40 }),
          name: fc.constantFrom("invalidate", "clear", "invalidateTags")
        }),
        ({ name, turns }) =>
          Effect.gen(function* () {
            const source = yield* makeSource
            const cache = yield* makeCache(source)
            yield* cache.get("k")
            source.write("k")
            const fiber = yield* Effect.fork(invalidations[name]!(cache, "k", source))
            yield* Effect.repeatN(Effect.yieldNow(), turns)
            const exit = yield* Fiber.interrupt(fiber)
            if (Exit.isSuccess(exit)) assert.strictEqual(yield* cache.get("k"), "k:1")
            yield* invalidations[name]!(cache, "k", source)
            assert.strictEqual(yield* cache.get("k"), "k:1")
          }).pipe(over(store.layer)),
        { numRuns: 30 }
      )
    )
  })
}

describe("3. No lost invalidation (while a store is being read)", () => {
  const reads = {
    // past its freshness but kept for when the load fails
    getMany: { age: "10 minutes", read: (cache: Cache.Cache<string, string, "down">) => cache.getMany(["k"]) },
    // stale: served, and loaded again in the background
    get: { age: "90 seconds", read: (cache: Cache.Cache<string, string, "down">) => cache.get("k") }
  } as const
  for (const [name, { age, read }] of Object.entries(reads)) {
    it.effect(`what a ${name} has found is no fallback for those who come after the invalidation`, () =>
      Effect.gen(function* () {
        const gate = yield* Effect.makeLatch(true)
        const end = yield* Effect.makeLatch(true)
        let healthy = true
        yield* Effect.gen(function* () {
          const cache = yield* Cache.make("read", {
            key: Schema.String,
            success: Schema.String,
            lookup: (key: string) =>
              Effect.suspend(() =>
                Effect.zipRight(end.await, healthy ? Effect.succeed(key) : Effect.fail("down" as const))
              ),
            timeToLive: "1 minute",
            staleWhileRevalidate: "1 minute",
            staleIfError: "1 hour"
          })
          yield* cache.get("k")
          yield* TestClock.adjust(age)
          yield* gate.close
          const early = yield* Effect.fork(Effect.exit<unknown, "down", never>(read(cache)))
          yield* settled
          yield* cache.invalidate("k")
          healthy = false
          yield* end.close
          yield* gate.open
          yield* settled
          const late = yield* Effect.fork(Effect.exit(cache.get("k")))
          yield* settled
          yield* end.open
          yield* Fiber.join(early)
          assert.strictEqual(yield* Effect.flip(yield* Fiber.join(late)), "down")
        }).pipe(over(MemoryStore.layer().pipe(distant, gated(gate))))
      })
    )
  }
})

describe("3. No lost invalidation, between two tiers", () => {
  for (const [name, invalidate] of [
    ["delete", (cache: Cache.Cache<string, string>) => cache.invalidate("k")],
    ["invalidate_tags", (cache: Cache.Cache<string, string>) => cache.invalidateTags(["tag"])],
    ["invalidate_all", (cache: Cache.Cache<string, string>) => cache.invalidateAll],
    ["clear", (cache: Cache.Cache<string, string>) => cache.clear]
  ] as const) {
    it.effect(`a load that begins and ends when the farther has done its part and the nearer has not: ${name}`, () =>
      Effect.gen(function* () {
        let loads = 0
        const cache = yield* Cache.make("between", {
          key: Schema.String,
          success: Schema.String,
          tags: () => ["tag"],
          lookup: (key) => Effect.sync(() => `${key}${++loads}`)
        })
        yield* Effect.flatMap(FaultyStore.Faults, (faults) => faults.break({ _tag: "Slow", by: "1 second" }, name))
        const fiber = yield* Effect.fork(invalidate(cache))
        yield* settled
        assert.strictEqual(yield* cache.get("k"), "k1")
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(fiber)
        assert.strictEqual(yield* cache.get("k"), "k2")
      }).pipe(
        over(FaultyStore.over(MemoryStore.layer()).pipe(CacheStore.tieredOver(MemoryStore.layer().pipe(distant))))
      )
    )
  }
})

/** Stores whose every operation takes turns, so that anything can come between: near, far, and both. */
const slow: Record<string, (turns: () => number) => Layer.Layer<CacheStore.CacheStore>> = {
  "a distant store": (turns) => MemoryStore.layer().pipe(distant, dawdling(turns)),
  "memory over a distant store": (turns) =>
    MemoryStore.layer().pipe(CacheStore.tieredOver(MemoryStore.layer().pipe(distant, dawdling(turns)))),
  "two slow tiers": (turns) =>
    MemoryStore.layer().pipe(dawdling(turns), CacheStore.tieredOver(MemoryStore.layer().pipe(distant, dawdling(turns))))
}

for (const [name, layer] of Object.entries(slow)) {
  describe(`3. No lost invalidation (${name})`, () => {
    it.effect("whatever comes between the steps of a get, a set, an expiry and an invalidation", () =>
      forAll(
        fc.record({
          turns: fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 40 }),
          before: fc.integer({ min: 0, max: 30 }),
          gap: fc.integer({ min: 0, max: 30 }),
          stored: fc.constantFrom("nothing", "fresh", "stale", "fallback"),
          read: fc.constantFrom("get", "getMany", "refresh", "expire", "set"),
          invalidation: fc.constantFrom("invalidate", "invalidateTags", "clear", "set"),
          fails: fc.boolean()
        }),
        ({ before, fails, gap, invalidation, read, stored, turns }) => {
          let turn = 0
          const next = () => turns[turn++ % turns.length]!
          return Effect.gen(function* () {
            const source = yield* makeSource
            let healthy = true
            const cache = yield* Cache.make("slow", {
              key: Schema.String,
              success: Schema.String,
              // succeeds or fails as things stood when it started, and takes its time either way
              lookup: (key: string) =>
                Effect.flatMap(
                  Effect.exit(Effect.suspend(() => (healthy ? source.lookup(key) : Effect.fail("down" as const)))),
                  (exit) =>
                    Effect.zipRight(
                      Effect.suspend(() => Effect.repeatN(Effect.yieldNow(), next())),
                      exit
                    )
                ),
              timeToLive: "1 minute",
              staleWhileRevalidate: "1 minute",
              staleIfError: "1 hour",
              tags: (_value, key) => [`tag:${key}`]
            })
            const reads: Record<string, Effect.Effect<unknown, unknown>> = {
              get: cache.get("k"),
              getMany: cache.getMany(["a", "k", "k"]),
              refresh: cache.refresh("k"),
              expire: cache.expire("k"),
              set: Effect.suspend(() => cache.set("k", "k:0"))
            }
            if (stored !== "nothing") yield* cache.get("k")
            yield* TestClock.adjust(
              stored === "stale" ? "61 seconds" : stored === "fallback" ? "10 minutes" : "1 second"
            )
            // an explicit write is no load: it may come after the invalidation, and then it is right that it stays
            const reading = read === "set" ? reads["set"]! : reads[read]!
            if (read === "set") yield* reading
            const fiber = yield* Effect.fork(Effect.exit(read === "set" ? reads["get"]! : reading))
            yield* Effect.repeatN(Effect.yieldNow(), before)
            source.write("k")
            if (invalidation === "set") yield* cache.set("k", source.valueOf("k"))
            else if (invalidation === "clear") yield* cache.clear
            else if (invalidation === "invalidate") yield* cache.invalidate("k")
            else yield* cache.invalidateTags(["tag:k"])
            healthy = !fails
            yield* Effect.repeatN(Effect.yieldNow(), gap)
            // what is loaded from now on fails, or is new; nothing that was there before may come back
            for (let again = 0; again < 3; again++) {
              const exit = yield* Effect.exit(cache.get("k"))
              if (Exit.isSuccess(exit)) assert.isAtLeast(versionIn(exit.value), 1)
            }
            yield* Fiber.join(fiber)
            yield* settled
            const last = yield* Effect.exit(cache.get("k"))
            if (Exit.isSuccess(last)) assert.isAtLeast(versionIn(last.value), 1)
            yield* settled
            assert.strictEqual((yield* cache.stats).inFlight, 0)
          }).pipe(over(layer(next)))
        },
        {
          numRuns: 200,
          // found once, with two slow tiers: an expiry that overlaps an invalidation
          examples: [
            [
              {
                turns: [4, 0, 2],
                before: 4,
                gap: 0,
                stored: "fresh",
                read: "expire",
                invalidation: "invalidate",
                fails: false
              }
            ]
          ]
        }
      )
    )

    it.effect("outcomes add up, wherever a get is interrupted", () =>
      forAll(
        fc.record({
          turns: fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 20 }),
          after: fc.integer({ min: 1, max: 40 }),
          keys: fc.array(fc.constantFrom("a", "b", "c", "never"), { minLength: 1, maxLength: 5 })
        }),
        ({ after, keys, turns }) => {
          let turn = 0
          const next = () => turns[turn++ % turns.length]!
          return Effect.gen(function* () {
            const source = yield* makeSource
            const cache = yield* Cache.make("interrupted", {
              key: Schema.String,
              success: Schema.String,
              lookup: (key: string) =>
                Effect.zipLeft(
                  source.lookup(key),
                  Effect.suspend(() => Effect.repeatN(Effect.yieldNow(), next()))
                ),
              when: (key) => key !== "never"
            })
            const gets = [
              cache.getMany(keys),
              cache.getMany(keys, { mode: "either" }),
              ...keys.map((key) => cache.get(key))
            ]
            const fibers = yield* Effect.forEach(gets, (get) => Effect.fork(Effect.asVoid<unknown, never, never>(get)))
            yield* Effect.repeatN(Effect.yieldNow(), after)
            yield* Fiber.interruptAll(fibers)
            yield* addsUp(cache, keys.length * 3)
          }).pipe(over(layer(next)))
        },
        { numRuns: 100 }
      )
    )
  })
}
