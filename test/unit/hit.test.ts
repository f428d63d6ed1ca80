/** A hit answers by itself, without the runtime; nothing else about a get may be different for that. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Data, Deferred, Effect, Exit, Fiber, Layer, Runtime, Schema, TestClock } from "effect"
import { Cache, Cached, CacheConfig, MemoryStore } from "effect-larder"
import { currentFiber } from "../../src/internal/currentFiber.js"

class Refused extends Data.TaggedError("Refused")<{ readonly id: string }> {}

const Store = MemoryStore.layer()

/** Counts its runs: the answer tells which one it is from. */
const counting = () => {
  let runs = 0
  return (key: string) => Effect.sync(() => `${key}:${++runs}`)
}

const text = { key: Schema.String, success: Schema.String }

class Words extends Cache.Service<Words>()("hit/Words", {
  ...text,
  lookup: (key) => Effect.succeed(key.toUpperCase())
}) {}

/** The ways to run an effect that are different for the runtime. */
const ways: Readonly<Record<string, <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>>> = {
  "in a generator": (effect) =>
    Effect.gen(function* () {
      return yield* effect
    }),
  "in Effect.fn": (effect) =>
    Effect.fn(function* () {
      return yield* effect
    })(),
  "in a chain": (effect) => Effect.flatMap(effect, Effect.succeed),
  "as it is": (effect) => effect,
  "in a fiber of its own": (effect) => Effect.flatMap(Effect.fork(effect), Fiber.join)
}

for (const [name, way] of Object.entries(ways)) {
  describe(`a hit ${name}`, () => {
    it.scoped("is decided when it is run, each time anew, and counted once", () =>
      Effect.gen(function* () {
        const cache = yield* Cache.make("lazy", { ...text, lookup: counting() })
        const get = cache.get("a")
        assert.strictEqual((yield* cache.stats).gets, 0, "made, but not run")
        assert.strictEqual(yield* way(get), "a:1")
        assert.strictEqual(yield* way(get), "a:1")
        yield* cache.set("a", "set")
        assert.strictEqual(yield* way(get), "set")
        yield* cache.invalidate("a")
        assert.strictEqual(yield* way(get), "a:2")
        const { fresh, loaded } = yield* cache.stats
        assert.deepStrictEqual({ fresh, loaded }, { fresh: 2, loaded: 2 })
      }).pipe(Effect.provide(Store))
    )

    it.scoped("goes by the Clock in force, to the millisecond", () =>
      Effect.gen(function* () {
        const cache = yield* Cache.make("clock", { ...text, lookup: counting(), timeToLive: "2 minutes" })
        yield* cache.get("a")
        yield* TestClock.adjust(119_999)
        for (let again = 0; again < 50; again++) assert.strictEqual(yield* way(cache.get("a")), "a:1")
        yield* TestClock.adjust(1)
        assert.strictEqual(yield* way(cache.get("a")), "a:2")
      }).pipe(Effect.provide(Store))
    )

    it.scoped("goes by what is in force where it is run", () =>
      Effect.gen(function* () {
        const cache = yield* Cache.make("locally", { ...text, lookup: counting() })
        yield* way(cache.get("a"))
        assert.strictEqual(yield* way(cache.get("a")).pipe(CacheConfig.locally({ mode: "reload" })), "a:2")
        assert.strictEqual(yield* way(cache.get("a").pipe(CacheConfig.locally({ mode: "no-store" }))), "a:3")
        assert.strictEqual(yield* way(cache.get("a")), "a:2")
        const absent = yield* Effect.exit(way(cache.get("b").pipe(CacheConfig.locally({ mode: "only-if-cached" }))))
        assert.isTrue(Exit.isFailure(absent))
      }).pipe(Effect.provide(Store))
    )

    it.scoped("fails with the failure that is kept", () =>
      Effect.gen(function* () {
        let runs = 0
        const cache = yield* Cache.make("failures", {
          lookup: (id: string) => Effect.suspend(() => Effect.fail(new Refused({ id: `${id}:${++runs}` }))),
          failureTimeToLive: "1 minute"
        })
        for (let again = 0; again < 3; again++) {
          assert.strictEqual((yield* Effect.flip(way(cache.get("a")))).id, "a:1")
        }
        const { failed, fresh } = yield* cache.stats
        assert.deepStrictEqual({ failed, fresh }, { failed: 1, fresh: 2 })
      }).pipe(Effect.provide(Store))
    )

    it.effect("asks the service that is provided where it is run", () =>
      Effect.gen(function* () {
        const get = Words.get("a")
        const one = Layer.fresh(Words.layer).pipe(Layer.provide(Layer.fresh(Store)))
        const other = Layer.effect(
          Words,
          Effect.map(Words, (words) => Words.of({ ...words, get: () => Effect.succeed("a stand-in") }))
        ).pipe(Layer.provide(one))
        assert.strictEqual(yield* Effect.zipRight(way(get), way(get)).pipe(Effect.provide(one)), "A")
        assert.strictEqual(yield* way(get).pipe(Effect.provide(other)), "a stand-in")
      })
    )

    it.scoped("is a defect once the cache is closed", () =>
      Effect.gen(function* () {
        const kept = yield* Effect.scoped(
          Effect.tap(Cache.make("closed", { ...text, lookup: counting() }), (cache) => cache.get("a"))
        )
        const exit = yield* Effect.exit(way(kept.get("a")))
        assert.isTrue(Exit.isFailure(exit) && Cause.isDie(exit.cause))
      }).pipe(Effect.provide(Store))
    )
  })
}

describe("a hit and its fiber", () => {
  it("finds the running fiber where Effect keeps it", () => {
    assert.strictEqual(currentFiber() ?? undefined, undefined)
    Effect.runSync(
      Effect.withFiberRuntime<void>((fiber) => Effect.sync(() => assert.strictEqual<unknown>(currentFiber(), fiber)))
    )
  })

  it.scoped("uses the clock and the overrides of the fiber it is run in, not of one around it", () =>
    Effect.gen(function* () {
      const cache = yield* Cache.make("nested", { ...text, lookup: counting(), timeToLive: "1 minute" })
      yield* cache.get("a")
      const earlier = yield* Clock.clockWith((clock) => clock.currentTimeMillis)
      yield* TestClock.adjust("2 minutes")
      const frozen: Clock.Clock = {
        ...(yield* Effect.clock),
        unsafeCurrentTimeMillis: () => earlier,
        unsafeCurrentTimeNanos: () => BigInt(earlier) * 1_000_000n
      }
      const asBefore = yield* Effect.withClock(Effect.runtime<never>(), frozen)
      // one fiber's synchronous step runs another fiber to its end, under another clock
      const found = yield* Effect.sync(() => Runtime.runSync(asBefore)(cache.get("a")))
      assert.strictEqual(found, "a:1", "fresh by the inner fiber's clock")
      assert.strictEqual(yield* cache.get("a"), "a:2", "gone by the outer one's")
      const { fresh, loaded } = yield* cache.stats
      assert.deepStrictEqual({ fresh, loaded }, { fresh: 1, loaded: 2 })
    }).pipe(Effect.provide(MemoryStore.layer({ sweepEvery: Infinity })))
  )

  it.scoped("that was looked at and not taken is nobody else's", () =>
    Effect.gen(function* () {
      const cache = yield* Cache.make("looked at", { ...text, lookup: counting() })
      yield* cache.get("a")
      const other = Cached.fn("other")((key: string) => Effect.succeed(`other ${key}`))
      const found = yield* Effect.suspend(() => {
        // as somebody does who wants to know what kind of effect it is
        assert.strictEqual((cache.get("a") as unknown as { readonly _op: string })._op, "Sync")
        return other("b")
      })
      assert.strictEqual(found, "other b")
    }).pipe(Effect.provide(Store))
  )

  it.scoped("is counted once when one fiber runs it to its end inside another", () =>
    Effect.gen(function* () {
      const cache = yield* Cache.make("counted", { ...text, lookup: counting() })
      yield* cache.get("a")
      yield* Effect.sync(() => Effect.runSync(cache.get("a")))
      yield* Effect.promise(() => Effect.runPromise(cache.get("a")))
      const { fresh, gets } = yield* cache.stats
      assert.deepStrictEqual({ fresh, gets }, { fresh: 2, gets: 3 })
    }).pipe(Effect.provide(Store))
  )

  it.scoped("lets others have their turn, and itself be interrupted, however long hits go on", () =>
    Effect.gen(function* () {
      const cache = yield* Cache.make("fair", { ...text, lookup: counting() })
      yield* cache.get("a")
      const started = yield* Deferred.make<void>()
      const endless = yield* Effect.fork(
        Effect.gen(function* () {
          yield* Deferred.succeed(started, undefined)
          while (true) yield* cache.get("a")
        })
      )
      yield* Deferred.await(started)
      const exit = yield* Fiber.interrupt(endless)
      assert.isTrue(Exit.isInterrupted(exit))
      assert.isAbove((yield* cache.stats).fresh, 0)
    }).pipe(Effect.provide(Store))
  )

  it.scoped("one and the same effect serves many fibers at once", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const lookup = counting()
      const cache = yield* Cache.make("shared", {
        ...text,
        lookup: (key) => Effect.zipRight(Deferred.await(gate), lookup(key))
      })
      const get = cache.get("a")
      const each = Effect.gen(function* () {
        return [yield* get, yield* get]
      })
      const all = yield* Effect.fork(
        Effect.all(
          Array.from({ length: 20 }, () => each),
          { concurrency: "unbounded" }
        )
      )
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(
        yield* Fiber.join(all),
        Array.from({ length: 20 }, () => ["a:1", "a:1"])
      )
      const { fresh, gets, joined, loaded } = yield* cache.stats
      assert.deepStrictEqual({ fresh, joined, loaded }, { fresh: 20, joined: 19, loaded: 1 })
      assert.strictEqual(gets, 40)
    }).pipe(Effect.provide(Store))
  )

  it.scoped("finds text whatever is in it, and mixes none up", () =>
    Effect.gen(function* () {
      const cache = yield* Cache.make("texts", { key: Schema.String, lookup: (key) => Effect.succeed(key) })
      const one = yield* cache.get("é")
      const hostile = ["~", "~1", '~"a"', "", "a\u0000b", "\ud800", "é", one, "x".repeat(201), "x".repeat(200), "~#x"]
      for (let round = 0; round < 2; round++) {
        for (const key of hostile) assert.strictEqual(yield* cache.get(key), key)
      }
      assert.strictEqual((yield* cache.stats).loaded, new Set(hostile).size)
    }).pipe(Effect.provide(Store))
  )

  it.effect("a cached function's hit is the store's that is provided where it is run", () =>
    Effect.gen(function* () {
      const lookup = counting()
      const f = Cached.fn("hit/f", {})(lookup)
      const call = f("a")
      const twice = Effect.gen(function* () {
        return [yield* call, yield* call]
      })
      assert.deepStrictEqual(yield* twice.pipe(Effect.provide(Layer.fresh(Store))), ["a:1", "a:1"])
      assert.deepStrictEqual(yield* twice.pipe(Effect.provide(Layer.fresh(Store))), ["a:2", "a:2"])
    })
  )

  it("asks the real clock no less exactly for what is about to be over", async () => {
    const program = Effect.gen(function* () {
      const cache = yield* Cache.make("real", { ...text, lookup: counting(), timeToLive: 30 })
      const clock = yield* Effect.clock
      const late: Array<number> = []
      const until = clock.unsafeCurrentTimeMillis() + 300
      while (clock.unsafeCurrentTimeMillis() < until) {
        for (let again = 0; again < 20; again++) {
          const before = clock.unsafeCurrentTimeMillis()
          const { freshUntil } = yield* cache.getResult("a")
          yield* cache.get("a")
          const hits = (yield* cache.stats).fresh
          yield* cache.get("a")
          // a hit after the end of its life would have been counted as fresh
          if ((yield* cache.stats).fresh > hits && before > (freshUntil ?? Infinity) + 30) late.push(before)
        }
      }
      assert.deepStrictEqual(late, [])
      assert.isAbove((yield* cache.stats).loaded, 5)
    })
    await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(Store)))
  })
})
