/** Stores that fail at run time: left alone, replaced for a while, and never believed before they know what they missed. */
import { assert, describe, it } from "@effect/vitest"
import { type Cache, CacheError, CacheStore, MemoryStore } from "effect-larder"
import * as SqliteStore from "effect-larder/SqliteStore"
import { FaultyStore, StoreLaws } from "effect-larder/testing"
import { Effect, Fiber, Layer, Logger, TestClock } from "effect"
import { Breaker } from "../../src/internal/store/breaker.js"
import { counted } from "../fixtures/cache/counted.js"
import { over, settled } from "../fixtures/cache/harness.js"

const quiet = Layer.provide(Logger.remove(Logger.defaultLogger))

StoreLaws.suite("behind a circuit breaker", SqliteStore.layerMemory.pipe(CacheStore.circuitBreaker()))
StoreLaws.suite("SQLite or memory", SqliteStore.layerMemory.pipe(CacheStore.failover(MemoryStore.layer())))
StoreLaws.suite(
  "a store in place of one that always fails",
  FaultyStore.over(MemoryStore.layer()).pipe(
    Layer.tap((context) => broken(context.unsafeMap.get(FaultyStore.Faults.key) as FaultyStore.Switch)),
    CacheStore.failover(SqliteStore.layerMemory, { maxResetAfter: "10000 days", resetAfter: "10000 days" }),
    quiet
  )
)

const timeout = new CacheError.StoreTimeout({ store: "far", operation: "any", millis: 50 })
/** All fails but the opening. */
const broken = (faults: FaultyStore.Switch) =>
  Effect.forEach(
    ["get", "set", "delete", "invalidate_tags", "invalidate_all", "clear", "inspect", "sizes"] as const,
    (operation) => faults.break({ _tag: "Fail", failure: timeout }, operation)
  )

const failing = Effect.flatMap(FaultyStore.Faults, (faults) => faults.break({ _tag: "Fail", failure: timeout }))
const healed = Effect.flatMap(FaultyStore.Faults, (faults) => faults.heal)
const readings = Effect.map(
  Effect.flatMap(FaultyStore.Faults, (faults) => faults.calls),
  (calls) => calls.get
)

describe("CacheStore.circuitBreaker", () => {
  const store = FaultyStore.over(MemoryStore.layer())

  it.effect("a store that hangs costs its timeout once, then nothing, and is tried by one get at a time", () =>
    Effect.gen(function* () {
      const { cache: made, state } = counted()
      const cache = yield* made
      yield* Effect.flatMap(FaultyStore.Faults, (faults) => faults.break({ _tag: "Hang" }))
      const first = yield* Effect.fork(cache.get("a"))
      yield* TestClock.adjust("49 millis")
      assert.isNull(first.unsafePoll())
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* Fiber.join(first), "a1")
      // no time passes for those that follow
      assert.deepStrictEqual(yield* Effect.forEach(["a", "b", "c"], cache.get), ["a2", "b3", "c4"])
      const asked = yield* readings
      yield* TestClock.adjust("1 second")
      const tries = yield* Effect.forEach(["a", "b", "c"], (key) => Effect.fork(cache.get(key)))
      yield* settled
      assert.strictEqual((yield* readings) - asked, 1)
      yield* healed
      yield* TestClock.adjust("50 millis")
      yield* Fiber.joinAll(tries)
      // the try failed: the second pause is twice as long
      yield* TestClock.adjust("1999 millis")
      yield* cache.get("d")
      assert.strictEqual(state.loads, 8)
      yield* TestClock.adjust("1 millis")
      yield* Effect.forEach(["d", "d"], cache.get)
      assert.strictEqual(state.loads, 9)
    }).pipe(over(store.pipe(CacheStore.timeout("50 millis"), CacheStore.circuitBreaker(), quiet)))
  )
})

describe("a circuit breaker, at its edges", () => {
  const failureOf = (transient: boolean) =>
    new CacheError.StoreError({ store: "far", operation: "get", reason: "no", transient, hint: "" })

  it.effect("a success that began before the pause does not end it", () =>
    Effect.gen(function* () {
      const breaker = new Breaker({ store: "far", resetAfter: 1_000, maxResetAfter: 1_000, failures: 1 })
      const late = yield* Effect.fork(breaker.run(Effect.delay(Effect.succeed("late"), 500)))
      yield* settled
      yield* Effect.flip(breaker.run(Effect.fail(failureOf(true))))
      yield* TestClock.adjust(500)
      assert.strictEqual(yield* Fiber.join(late), "late")
      assert.strictEqual((yield* Effect.flip(breaker.run(Effect.void)))._tag, "StoreUnavailable")
      // nor does a failure that began before make it longer
      yield* TestClock.adjust(500)
      yield* breaker.run(Effect.void)
    }).pipe(Effect.provide(Logger.remove(Logger.defaultLogger)))
  )

  it.effect("a store that refuses what was tried answers; who is interrupted while trying has learnt nothing", () =>
    Effect.gen(function* () {
      const breaker = new Breaker({ store: "far", resetAfter: 1_000, maxResetAfter: 1_000, failures: 2 })
      yield* Effect.flip(breaker.run(Effect.fail(failureOf(true))))
      yield* breaker.run(Effect.void)
      // not two in a row
      yield* Effect.flip(breaker.run(Effect.fail(failureOf(true))))
      yield* breaker.run(Effect.void)
      yield* Effect.replicateEffect(Effect.flip(breaker.run(Effect.fail(failureOf(true)))), 2)
      yield* TestClock.adjust(1_000)
      const trying = yield* Effect.fork(breaker.run(Effect.never))
      yield* settled
      assert.strictEqual((yield* Effect.flip(breaker.run(Effect.void)))._tag, "StoreUnavailable", "one at a time")
      yield* Fiber.interrupt(trying)
      assert.strictEqual((yield* Effect.flip(breaker.run(Effect.fail(failureOf(false)))))._tag, "StoreError")
      yield* Effect.all([breaker.run(Effect.void), breaker.run(Effect.void)], { concurrency: 2 })
    }).pipe(Effect.provide(Logger.remove(Logger.defaultLogger)))
  )
})

describe("what is owed to a store that was away", () => {
  const invalidations = {
    invalidate: (cache) => cache.invalidate("a"),
    invalidateTags: (cache) => cache.invalidateTags(["all"]),
    invalidateAll: (cache) => cache.invalidateAll,
    clear: (cache) => cache.clear,
    set: (cache) => cache.set("a", "set")
  } satisfies Record<string, (cache: Cache.Cache<string, string>) => Effect.Effect<unknown, CacheError.CacheError>>

  for (const [name, invalidate] of Object.entries(invalidations)) {
    it.effect(`${name} fails while it is away, and is made up for before it answers again`, () =>
      Effect.gen(function* () {
        const { cache: made } = counted()
        const cache = yield* made
        assert.strictEqual(yield* cache.get("a"), "a1")
        yield* failing
        assert.isTrue(CacheError.isTransient(yield* Effect.flip(invalidate(cache))))
        // at once, for it is left alone
        assert.strictEqual((yield* Effect.flip(invalidate(cache)))._tag, "StoreUnavailable")
        yield* healed
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* cache.get("a"), "a2")
        assert.strictEqual(yield* cache.get("a"), "a2")
      }).pipe(over(FaultyStore.over(MemoryStore.layer()).pipe(CacheStore.circuitBreaker(), quiet)))
    )

    it.effect(`${name} succeeds at the next store, and the first one is told before it is trusted`, () =>
      Effect.gen(function* () {
        const { cache: made, state } = counted()
        const cache = yield* made
        yield* cache.get("a")
        yield* failing
        assert.strictEqual(yield* cache.get("a"), "a2", "the next store has nothing yet")
        assert.strictEqual(yield* cache.get("a"), "a2", "and keeps what is loaded")
        yield* invalidate(cache)
        const meanwhile = yield* cache.get("a")
        assert.strictEqual(meanwhile, name === "set" ? "set" : "a3")
        yield* healed
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* cache.get("a"), name === "set" ? "a3" : "a4")
        // the other way round: what the next store had is not good any more, either
        yield* invalidate(cache)
        yield* failing
        yield* TestClock.adjust("1 second")
        const { loads } = state
        yield* cache.get("a")
        assert.strictEqual(state.loads, loads + 1)
      }).pipe(over(FaultyStore.over(MemoryStore.layer()).pipe(CacheStore.failover(SqliteStore.layerMemory), quiet)))
    )
  }

  it.effect("more than can be remembered one by one is everything", () =>
    Effect.gen(function* () {
      const { cache: made } = counted()
      const cache = yield* made
      const kept = yield* cache.get("kept")
      yield* failing
      yield* Effect.ignore(cache.invalidateMany(Array.from({ length: 1_001 }, (_, index) => `${index}`)))
      yield* healed
      yield* TestClock.adjust("1 second")
      assert.notStrictEqual(yield* cache.get("kept"), kept)
    }).pipe(over(FaultyStore.over(MemoryStore.layer()).pipe(CacheStore.circuitBreaker(), quiet)))
  )

  it.effect("an invalidation that is interrupted half-way is owed as well", () =>
    Effect.gen(function* () {
      const { cache: made } = counted()
      const cache = yield* made
      yield* cache.get("a")
      yield* Effect.flatMap(FaultyStore.Faults, (faults) => faults.break({ _tag: "Hang" }, "delete"))
      const fiber = yield* Effect.fork(cache.invalidate("a"))
      yield* settled
      yield* Fiber.interrupt(fiber)
      yield* healed
      assert.strictEqual(yield* cache.get("a"), "a2")
    }).pipe(over(FaultyStore.over(MemoryStore.layer()).pipe(CacheStore.circuitBreaker(), quiet)))
  )

  it.effect("a value that the Schema refuses is owed nothing: what was there stays", () =>
    Effect.gen(function* () {
      const { cache: made } = counted()
      const cache = yield* made
      yield* cache.get("a")
      assert.strictEqual((yield* Effect.flip(cache.set("a", 1 as unknown as string)))._tag, "CodecError")
      assert.strictEqual(yield* cache.get("a"), "a1")
    }).pipe(over(SqliteStore.layerMemory.pipe(CacheStore.circuitBreaker())))
  )

  it.effect("options that make no sense are told, all of them", () =>
    Effect.gen(function* () {
      const options = { resetAfter: 0, maxResetAfter: "soon", failures: 0.5 } as unknown as CacheStore.BreakerOptions
      const error = yield* Effect.flip(
        Effect.scoped(Layer.build(MemoryStore.layer().pipe(CacheStore.circuitBreaker(options))))
      )
      assert.instanceOf(error, CacheError.InvalidConfig)
      assert.deepStrictEqual(error.issues.map(({ field }) => field).sort(), ["failures", "maxResetAfter", "resetAfter"])
      const other = MemoryStore.layer().pipe(CacheStore.failover(MemoryStore.layer(), options))
      assert.instanceOf(yield* Effect.flip(Effect.scoped(Layer.build(other))), CacheError.InvalidConfig)
    })
  )
})
