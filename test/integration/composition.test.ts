/** Stores that are spread over others, written later, or not at all. */
import { assert, describe, it } from "@effect/vitest"
import { type Cache, CacheError, CacheEvents, CacheStore, MemoryStore } from "effect-larder"
import * as SqliteStore from "effect-larder/SqliteStore"
import { FaultyStore, StoreLaws } from "effect-larder/testing"
import { Effect, Fiber, Layer, Logger, Stream, TestClock } from "effect"
import { placing } from "../../src/internal/store/sharded.js"
import { counted } from "../fixtures/cache/counted.js"
import { folder } from "../fixtures/sqlite/common.js"
import { over, settled } from "../fixtures/cache/harness.js"

const quiet = Layer.provide(Logger.remove(Logger.defaultLogger))
const three = CacheStore.sharded({
  one: MemoryStore.layerBytes(),
  two: SqliteStore.layerMemory,
  three: MemoryStore.layerBytes()
})
StoreLaws.suite("three shards", three)
StoreLaws.suite(
  "memory over two shards",
  MemoryStore.layer().pipe(
    CacheStore.tieredOver(CacheStore.sharded({ one: MemoryStore.layerBytes(), two: SqliteStore.layerMemory }))
  )
)

describe("CacheStore.sharded", () => {
  const keys = Array.from({ length: 3_000 }, (_, index) => `key ${index}`)

  it("spreads keys evenly, and moves only those of a shard that comes", () => {
    const [few, more] = [placing(["a", "b", "c"]), placing(["a", "b", "c", "d"])]
    const counts = [0, 0, 0]
    for (const key of keys) counts[few(key)]!++
    assert.isTrue(
      counts.every((count) => count > 850 && count < 1_150),
      String(counts)
    )
    const moved = keys.filter((key) => few(key) !== more(key))
    assert.isTrue(moved.every((key) => more(key) === 3))
    assert.isTrue(moved.length > 600 && moved.length < 900, String(moved.length))
  })

  it.effect("one that is away costs the loads of its own keys", () =>
    Effect.gen(function* () {
      const { cache: made, state } = counted()
      const cache = yield* made
      const some = keys.slice(0, 100)
      yield* cache.getMany(some)
      assert.strictEqual(state.loads, 100)
      const failure = new CacheError.StoreTimeout({ store: "one", operation: "get", millis: 1 })
      yield* Effect.flatMap(FaultyStore.Faults, (faults) => faults.break({ _tag: "Fail", failure }))
      yield* cache.getMany(some)
      const lost = state.loads - 100
      assert.isTrue(lost > 30 && lost < 70, String(lost))
      yield* Effect.forEach(some, cache.get)
      assert.strictEqual(state.loads, 100 + 2 * lost)
      assert.isTrue(CacheError.isTransient(yield* Effect.flip(cache.invalidateTags(["tag x"]))))
    }).pipe(
      over(
        Layer.flatMap(FaultyStore.over(MemoryStore.layerBytes()), (context) =>
          Layer.merge(
            CacheStore.sharded({ one: Layer.succeedContext(context), two: SqliteStore.layerMemory }),
            Layer.succeed(FaultyStore.Faults, context.unsafeMap.get(FaultyStore.Faults.key) as FaultyStore.Switch)
          )
        ).pipe(quiet)
      )
    )
  )

  it.effect("no shards are none", () =>
    Effect.gen(function* () {
      const none = CacheStore.sharded({}) as Layer.Layer<CacheStore.CacheStore, CacheError.InvalidConfig>
      const error = yield* Effect.flip(Effect.scoped(Layer.build(none)))
      assert.match(error.message, /shards.*there are none/)
    })
  )

  it.scoped("has the marks that all have", () =>
    Effect.gen(function* () {
      const at = yield* folder
      const files = CacheStore.sharded({
        a: SqliteStore.layer({ filename: `${at}/a.db` }),
        b: SqliteStore.layer({ filename: `${at}/b.db` })
      })
      const persistent: string = yield* Effect.provide(
        Effect.map(CacheStore.Persistent, ({ name }) => name),
        files
      )
      assert.strictEqual(persistent, "SqliteStore + SqliteStore")
    })
  )
})

describe("CacheStore.writeBehind", () => {
  const store = FaultyStore.over(MemoryStore.layerBytes())
  const broken = (fault: FaultyStore.Fault) =>
    Effect.flatMap(FaultyStore.Faults, (faults) => faults.break(fault, "set"))
  const sets = Effect.map(
    Effect.flatMap(FaultyStore.Faults, (faults) => faults.calls),
    ({ set }) => set
  )

  it.effect("a load does not wait for the store, what is set does", () =>
    Effect.gen(function* () {
      const { cache: made, state } = counted()
      const cache = yield* made
      yield* cache.get("a")
      yield* settled
      assert.strictEqual(yield* cache.get("a"), "a1")
      yield* broken({ _tag: "Hang" })
      assert.strictEqual(yield* cache.get("b"), "b2")
      const set = yield* Effect.fork(cache.set("c", "mine"))
      yield* settled
      assert.isNull(set.unsafePoll())
      yield* Fiber.interrupt(set)
      yield* Effect.flatMap(FaultyStore.Faults, (faults) => faults.heal)
      assert.strictEqual(state.loads, 2)
    }).pipe(over(store.pipe(CacheStore.writeBehind())))
  )

  it.effect("what was invalidated while it waited is not written", () =>
    Effect.gen(function* () {
      const { cache: made } = counted()
      const cache = yield* made
      yield* broken({ _tag: "Slow", by: "1 second" })
      yield* cache.get("a")
      yield* cache.invalidate("a")
      yield* Effect.flatMap(FaultyStore.Faults, (faults) => faults.heal)
      // only now it comes to be written
      yield* TestClock.adjust("1 second")
      yield* settled
      assert.strictEqual(yield* cache.get("a"), "a2")
    }).pipe(over(store.pipe(CacheStore.writeBehind())))
  )

  it.scoped("what waits is written when the Layer is released, in batches; beyond the capacity at once", () =>
    Effect.gen(function* () {
      const filename = `${yield* folder}/cache.db`
      const keys = Array.from({ length: 250 }, (_, index) => `${index}`)
      const calls = yield* Effect.gen(function* () {
        const cache = yield* counted().cache
        // all in one step: nobody else has had his turn
        yield* cache.getMany(keys)
        return yield* sets
      }).pipe(
        Effect.scoped,
        Effect.provide(
          FaultyStore.over(SqliteStore.layer({ filename })).pipe(CacheStore.writeBehind({ capacity: 200 }))
        )
      )
      assert.isAtMost(calls, 60)
      const size = yield* counted().cache.pipe(
        Effect.flatMap((cache) => cache.size),
        Effect.scoped,
        Effect.provide(SqliteStore.layer({ filename }))
      )
      assert.strictEqual(size, 250)
    })
  )

  it.effect("what cannot be written is told", () =>
    Effect.gen(function* () {
      const { cache: made } = counted()
      const cache = yield* made
      const failure = new CacheError.StoreTimeout({ store: "far", operation: "set", millis: 1 })
      yield* broken({ _tag: "Fail", failure })
      const told = yield* Effect.fork(Stream.runHead(CacheEvents.only("StoreFailed")))
      yield* settled
      yield* cache.get("a")
      const event = yield* Fiber.join(told)
      assert.strictEqual(event._tag === "Some" && event.value.error, failure)
    }).pipe(
      Effect.scoped,
      Effect.provide(Layer.provideMerge(store.pipe(CacheStore.writeBehind()), CacheEvents.layer()))
    )
  )

  it.effect("a capacity that is none is told", () =>
    Effect.gen(function* () {
      const layer = MemoryStore.layer().pipe(CacheStore.writeBehind({ capacity: 0 }))
      assert.instanceOf(yield* Effect.flip(Effect.scoped(Layer.build(layer))), CacheError.InvalidConfig)
    })
  )
})

describe("CacheStore.readOnly", () => {
  /** A file with "a" and "b" in it, as somebody shipped it. */
  const shipped = Effect.gen(function* () {
    const filename = `${yield* folder}/shipped.db`
    yield* counted().cache.pipe(
      Effect.flatMap((cache) => Effect.zipRight(cache.set("a", "shipped a"), cache.set("b", "shipped b"))),
      Effect.scoped,
      Effect.provide(SqliteStore.layer({ filename }))
    )
    return SqliteStore.layer({ filename })
  })

  const invalidations = {
    invalidate: [(cache) => cache.invalidate("a"), "shipped b"],
    invalidateTags: [(cache) => cache.invalidateTags(["tag a"]), "shipped b"],
    invalidateAll: [(cache) => cache.invalidateAll, "b2"],
    clear: [(cache) => cache.clear, "b2"],
    set: [(cache) => cache.set("a", "a1"), "shipped b"]
  } satisfies Record<string, readonly [(cache: Cache.Cache<string, string>) => Effect.Effect<unknown, unknown>, string]>

  for (const [name, [invalidate, other]] of Object.entries(invalidations)) {
    it.scoped(`${name} hides what is there, and leaves it as it is`, () =>
      Effect.gen(function* () {
        const layer = yield* shipped
        yield* Effect.gen(function* () {
          const { cache: made, state } = counted()
          const cache = yield* made
          assert.deepStrictEqual(yield* cache.getMany(["a", "b"]), ["shipped a", "shipped b"])
          yield* invalidate(cache)
          assert.strictEqual(yield* cache.get("a"), "a1")
          assert.strictEqual(yield* cache.get("b"), other)
          assert.deepStrictEqual(yield* cache.getMany(["a", "b"]), ["a1", other], "the nearer store keeps them")
          assert.isAtMost(state.loads, 2)
        }).pipe(over(MemoryStore.layer().pipe(CacheStore.tieredOver(layer.pipe(CacheStore.readOnly)))))
        yield* Effect.gen(function* () {
          const cache = yield* counted().cache
          assert.deepStrictEqual(yield* cache.getMany(["a", "b"]), ["shipped a", "shipped b"])
        }).pipe(over(layer))
      })
    )
  }

  it.scoped("alone it serves what is there, and keeps nothing", () =>
    Effect.gen(function* () {
      const layer = yield* shipped
      yield* Effect.gen(function* () {
        const { cache: made, state } = counted()
        const cache = yield* made
        assert.strictEqual(yield* cache.get("a"), "shipped a")
        yield* Effect.forEach(["c", "c"], cache.get)
        assert.strictEqual(state.loads, 2)
        assert.isFalse(yield* cache.has("c"))
        yield* cache.invalidate("a")
        const { tiers } = yield* cache.explain("a")
        assert.isUndefined(tiers[0]?.entry)
      }).pipe(over(layer.pipe(CacheStore.readOnly)))
    })
  )
})
