/** Laws 7 and 8: stores may fail, bytes may rot. */
import { assert, describe, it } from "@effect/vitest"
import type { Layer } from "effect"
import { Chunk, Effect, Either, Exit, Fiber, Option, Schema, Stream, TestClock } from "effect"
import { Cache, CacheError, CacheEvents, CacheStore, MemoryStore } from "effect-larder"
import * as SqliteStore from "effect-larder/SqliteStore"
import * as path from "node:path"
import { addsUp, noFibersLeft, over, settled } from "../fixtures/cache/harness.js"
import { distant, type Mood, mood, moody } from "../fixtures/cache/regions.js"
import { makeSource } from "../fixtures/cache/source.js"
import { stores } from "../fixtures/cache/stores.js"
import { folder } from "../fixtures/sqlite/common.js"

const text = { key: Schema.String, success: Schema.String }

const shapes: Record<string, (of: Mood) => Layer.Layer<CacheStore.CacheStore, unknown>> = {
  "a distant store": (of) => MemoryStore.layer().pipe(distant, moody(of)),
  "memory over it": (of) =>
    MemoryStore.layer().pipe(CacheStore.tieredOver(MemoryStore.layer().pipe(distant, moody(of)))),
  "memory over SQLite": (of) => MemoryStore.layer().pipe(CacheStore.tieredOver(SqliteStore.layerMemory.pipe(moody(of))))
}

for (const [name, shape] of Object.entries(shapes)) {
  describe(`7. Stores may fail (${name})`, () => {
    it.effect("a store that is down costs no answer, and each lookup runs once per attempt", () => {
      const of = mood("down")
      return Effect.gen(function* () {
        const source = yield* makeSource
        const cache = yield* Cache.make("down", { ...text, lookup: source.lookup })
        assert.strictEqual(yield* cache.get("k"), "k:0")
        assert.strictEqual(source.started, 1)
        assert.deepStrictEqual(yield* cache.getMany(["l", "m", "l"]), ["l:0", "m:0", "l:0"])
        assert.strictEqual(source.started, 3)
        assert.strictEqual(yield* cache.refresh("k"), "k:0")
        assert.strictEqual(source.started, 4)
        of.state = "well"
        assert.strictEqual(yield* cache.get("n"), "n:0")
        assert.strictEqual((yield* cache.getResult("n")).outcome, "fresh")
        assert.isAbove((yield* cache.stats).storeFailures, 0)
        yield* addsUp(cache, 7)
      }).pipe(over(shape(of)))
    })

    it.effect("a store that cannot be written to (full) costs no answer", () => {
      const of = mood("down", ["set"])
      return Effect.gen(function* () {
        const source = yield* makeSource
        const cache = yield* Cache.make("full", { ...text, lookup: source.lookup })
        assert.strictEqual(yield* cache.get("k"), "k:0")
        assert.strictEqual(yield* cache.get("k"), "k:0")
        assert.strictEqual((yield* Effect.flip(cache.set("k", "x")))._tag, "StoreError")
        yield* addsUp(cache, 2)
      }).pipe(over(shape(of)))
    })

    it.effect("the failure of a lookup is its own, whether the store is down or not", () => {
      const of = mood("down")
      return Effect.gen(function* () {
        let runs = 0
        const cache = yield* Cache.make("failing", {
          ...text,
          lookup: (key: string) => Effect.suspend(() => Effect.fail(`${key} ${++runs}`))
        })
        assert.strictEqual(yield* Effect.flip(cache.get("k")), "k 1")
        of.state = "well"
        assert.strictEqual(yield* Effect.flip(cache.get("k")), "k 2")
        assert.strictEqual(runs, 2)
        yield* addsUp(cache, 2)
      }).pipe(over(shape(of)))
    })

    it.effect("invalidations and writes that did not reach the store fail, typed", () => {
      const of = mood("down")
      return Effect.gen(function* () {
        const source = yield* makeSource
        const cache = yield* Cache.make("typed", { ...text, lookup: source.lookup })
        for (const operation of [
          cache.invalidate("k"),
          cache.invalidateMany(["k", "l"]),
          cache.invalidateTags(["t"]),
          Effect.asVoid(cache.clear),
          cache.set("k", "v"),
          cache.expire("k")
        ]) {
          assert.instanceOf(yield* Effect.flip(operation), CacheError.StoreError)
        }
      }).pipe(over(shape(of)))
    })

    it.effect("an invalidation that failed still holds here: no load from before it is served", () => {
      const of = mood("well")
      return Effect.gen(function* () {
        const source = yield* makeSource
        yield* source.hold
        const cache = yield* Cache.make("holds", { ...text, lookup: source.lookup })
        const fiber = yield* Effect.fork(cache.get("k"))
        yield* settled
        of.state = "down"
        source.write("k")
        yield* Effect.flip(cache.invalidate("k"))
        // the store knows nothing of it, and would take what the load brings
        of.state = "well"
        yield* source.release
        yield* Fiber.join(fiber)
        assert.strictEqual(yield* cache.get("k"), "k:1")
      }).pipe(over(shape(of)))
    })

    it.effect("a strict cache fails with the store's failure, counted, and with nothing else", () => {
      const of = mood("down")
      return Effect.gen(function* () {
        const source = yield* makeSource
        const cache = yield* Cache.make("strict", { ...text, lookup: source.lookup, strict: true })
        assert.instanceOf(yield* Effect.flip(cache.get("k")), CacheError.StoreError)
        assert.instanceOf(yield* Effect.flip(cache.getMany(["k", "l"])), CacheError.StoreError)
        const either = yield* cache.getMany(["k", "l"], { mode: "either" })
        for (const one of either) assert.instanceOf(Either.getOrThrow(Either.flip(one)), CacheError.StoreError)
        of.state = "well"
        assert.strictEqual(yield* cache.get("k"), "k:0")
        yield* addsUp(cache, 6)
      }).pipe(over(shape(of)))
    })

    it.effect("a store that hangs costs its timeout once", () => {
      const of = mood("hung")
      return Effect.gen(function* () {
        const source = yield* makeSource
        const cache = yield* Cache.make("hung", { ...text, lookup: source.lookup })
        const fiber = yield* Effect.fork(cache.get("k"))
        yield* TestClock.adjust("50 millis")
        assert.strictEqual(source.started, 1)
        assert.strictEqual(yield* Fiber.join(fiber), "k:0")
        assert.deepStrictEqual(of.asked, ["get"])
        of.state = "well"
        yield* addsUp(cache, 1)
      }).pipe(over(shape(of).pipe(CacheStore.timeout("50 millis"))))
    })
  })
}

describe("7. Stores may fail (tiers)", () => {
  it.effect("what is near is served while the farther store is down or hangs", () => {
    const of = mood()
    return Effect.gen(function* () {
      const source = yield* makeSource
      const cache = yield* Cache.make("near", { ...text, lookup: source.lookup })
      yield* cache.get("k")
      for (const state of ["down", "hung"] as const) {
        of.state = state
        assert.strictEqual(yield* cache.get("k"), "k:0")
        assert.deepStrictEqual(yield* cache.getMany(["k"]), ["k:0"])
      }
      assert.strictEqual(source.started, 1)
    }).pipe(over(shapes["memory over it"]!(of)))
  })

  it.effect("what could not be written far is kept near", () => {
    const of = mood("down", ["set"])
    return Effect.gen(function* () {
      const source = yield* makeSource
      const cache = yield* Cache.make("kept", { ...text, lookup: source.lookup })
      yield* cache.get("k")
      assert.strictEqual((yield* cache.getResult("k")).outcome, "fresh")
    }).pipe(over(shapes["memory over it"]!(of)))
  })

  it.effect("retry helps over what passes, and runs no lookup twice", () => {
    const of = mood("down")
    return Effect.gen(function* () {
      const source = yield* makeSource
      const cache = yield* Cache.make("retried", { ...text, lookup: source.lookup })
      const fiber = yield* Effect.fork(cache.get("k"))
      yield* TestClock.adjust("10 millis")
      of.state = "well"
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* Fiber.join(fiber), "k:0")
      assert.strictEqual(source.started, 1)
      assert.strictEqual((yield* cache.getResult("k")).outcome, "fresh")
      assert.strictEqual((yield* cache.stats).storeFailures, 0)
    }).pipe(over(shapes["a distant store"]!(of).pipe(CacheStore.retry())))
  })
})

class User1 extends Schema.Class<User1>("User")({ id: Schema.String, age: Schema.Number }) {}
class User2 extends Schema.Class<User2>("User")({ id: Schema.String, name: Schema.String }) {}

/** Runs `second` over the file that `first` left, and tells which events there were. */
const inTurn = <A, E1, E2>(
  first: Effect.Effect<unknown, E1, CacheStore.CacheStore | import("effect").Scope.Scope>,
  second: Effect.Effect<A, E2, CacheStore.CacheStore | import("effect").Scope.Scope>,
  wrap: (layer: ReturnType<typeof SqliteStore.layer>) => Layer.Layer<CacheStore.CacheStore, unknown> = (layer) => layer
) =>
  Effect.gen(function* () {
    const store = wrap(SqliteStore.layer({ filename: path.join(yield* folder, "rot.db") }))
    yield* first.pipe(Effect.scoped, Effect.provide(store))
    const events = yield* Effect.gen(function* () {
      const seen = yield* Effect.fork(
        Stream.runCollect(Stream.take(CacheEvents.only("DecodeFailed", "EncodeFailed"), 1))
      )
      yield* settled
      const result = yield* second.pipe(Effect.scoped, Effect.provide(store))
      yield* settled
      const event = Option.map(yield* Fiber.poll(seen), (exit) =>
        Chunk.toReadonlyArray(Exit.getOrElse(exit, Chunk.empty))
      )
      yield* Fiber.interrupt(seen)
      return { result, event: Option.getOrElse(event, () => [])[0] }
    }).pipe(Effect.provide(CacheEvents.layer()))
    return events
  }).pipe(Effect.scoped, noFibersLeft)

const cacheOf = <A, I>(success: Schema.Schema<A, I>, value: A, version?: string) =>
  Cache.make("users", { key: Schema.String, success, lookup: () => Effect.succeed(value), version })

describe("8. Bytes may rot (SQLite)", () => {
  it.effect("entries of another Schema count as absent, are told of, and make room", () =>
    Effect.gen(function* () {
      const { event, result } = yield* inTurn(
        Effect.flatMap(cacheOf(User1, new User1({ id: "k", age: 7 })), (cache) => cache.get("k")),
        Effect.gen(function* () {
          const cache = yield* cacheOf(User2, new User2({ id: "k", name: "new" }))
          assert.isFalse(yield* cache.has("k"))
          assert.strictEqual(yield* cache.size, 0, "it is removed when it is found")
          const first = yield* cache.getResult("k")
          return [first.value, first.outcome, (yield* cache.getResult("k")).outcome]
        })
      )
      assert.deepStrictEqual(result, [new User2({ id: "k", name: "new" }), "loaded", "fresh"])
      assert.deepInclude(event, { _tag: "DecodeFailed", store: "SqliteStore", cache: "users" })
      assert.notInclude(JSON.stringify(event), `"k"`)
    })
  )

  it.effect("entries of another version count as absent", () =>
    Effect.gen(function* () {
      const { result } = yield* inTurn(
        Effect.flatMap(cacheOf(Schema.String, "old", "1"), (cache) => cache.get("k")),
        Effect.flatMap(cacheOf(Schema.String, "new", "2"), (cache) => cache.getMany(["k", "k"]))
      )
      assert.deepStrictEqual(result, ["new", "new"])
    })
  )

  it.effect("entries of the same Schema and version are found again", () =>
    Effect.gen(function* () {
      const { event, result } = yield* inTurn(
        Effect.flatMap(cacheOf(Schema.String, "old"), (cache) => cache.get("k")),
        Effect.flatMap(cacheOf(Schema.String, "new"), (cache) => cache.getMany(["k", "k"]))
      )
      assert.deepStrictEqual(result, ["old", "old"])
      assert.isUndefined(event)
    })
  )

  it.effect("the same under memory: the near tier is not filled with what is rotten", () =>
    Effect.gen(function* () {
      const { result } = yield* inTurn(
        Effect.flatMap(cacheOf(User1, new User1({ id: "k", age: 7 })), (cache) => cache.get("k")),
        Effect.gen(function* () {
          const cache = yield* cacheOf(User2, new User2({ id: "k", name: "new" }))
          return yield* Effect.all([cache.get("k"), cache.get("k"), cache.refresh("k")])
        }),
        (layer) => MemoryStore.layer().pipe(CacheStore.tieredOver(layer))
      )
      for (const user of result) assert.instanceOf(user, User2)
    })
  )

  it.effect("a value that its Schema refuses is served, told of, and not kept", () =>
    Effect.gen(function* () {
      const seen = yield* Effect.fork(
        Stream.runCollect(Stream.take(CacheEvents.only("DecodeFailed", "EncodeFailed"), 1))
      )
      yield* settled
      yield* Effect.gen(function* () {
        const cache = yield* Cache.make("refused", {
          key: Schema.String,
          success: Schema.Number.pipe(Schema.positive()),
          lookup: () => Effect.succeed(-1)
        })
        assert.strictEqual(yield* cache.get("k"), -1)
        assert.isFalse(yield* cache.has("k"))
        assert.strictEqual((yield* Effect.flip(cache.set("k", -2)))._tag, "CodecError")
        yield* addsUp(cache, 1)
      }).pipe(over(stores[1]!.layer))
      assert.deepInclude(Chunk.unsafeHead(yield* Fiber.join(seen)), { _tag: "EncodeFailed", cache: "refused" })
    }).pipe(Effect.provide(CacheEvents.layer()))
  )
})
