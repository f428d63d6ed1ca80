/** Our stores in other clothes: Effect's KeyValueStore and BackingPersistence, and Keyv. */
import * as PersistedCache from "@effect/experimental/PersistedCache"
import * as Persistence from "@effect/experimental/Persistence"
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import { assert, describe, it } from "@effect/vitest"
import { CacheError, MemoryStore } from "effect-larder"
import * as CacheKeyv from "effect-larder/CacheKeyv"
import * as CacheKeyValueStore from "effect-larder/CacheKeyValueStore"
import * as CachePersistence from "effect-larder/CachePersistence"
import { FaultyStore } from "effect-larder/testing"
import { Effect, Exit, Layer, Option, PrimaryKey, Schema, TestClock } from "effect"
import Keyv from "keyv"
import { over } from "../fixtures/cache/harness.js"
import { stores } from "../fixtures/cache/stores.js"

const failing = Effect.flatMap(FaultyStore.Faults, (faults) =>
  faults.break({
    _tag: "Fail",
    failure: new CacheError.StoreTimeout({ store: "far", operation: "any", millis: 50 })
  })
)

for (const store of stores) {
  describe(`over ${store.name}`, () => {
    it.effect("a KeyValueStore keeps texts and bytes apart, for as long as it was told", () =>
      Effect.gen(function* () {
        const kv = yield* KeyValueStore.KeyValueStore
        const bytes = Uint8Array.of(0, 255, 128)
        yield* kv.set("text", "\ud800 é")
        yield* kv.set("bytes", bytes)
        assert.deepStrictEqual(yield* kv.get("text"), Option.some("\ud800 é"))
        assert.deepStrictEqual(yield* kv.getUint8Array("bytes"), Option.some(bytes))
        assert.deepStrictEqual(yield* kv.getUint8Array("text"), Option.some(new TextEncoder().encode("\ud800 é")))
        assert.deepStrictEqual(yield* kv.get("none"), Option.none())
        assert.strictEqual(yield* kv.size, 2)
        assert.deepStrictEqual(yield* kv.modify("text", (text) => `${text}!`), Option.some("\ud800 é!"))
        yield* kv.remove("text")
        assert.isFalse(yield* kv.has("text"))
        yield* TestClock.adjust("1 hour")
        assert.isFalse(yield* kv.has("bytes"))
        yield* kv.set("again", "x")
        yield* kv.clear
        assert.isTrue(yield* kv.isEmpty)
      }).pipe(Effect.provide(CacheKeyValueStore.layer({ timeToLive: "1 hour" })), over(store.layer))
    )

    it.effect("a PersistedCache keeps its Exits there, and finds them again", () =>
      Effect.gen(function* () {
        let loads = 0
        const open = PersistedCache.make({
          storeId: "prices",
          lookup: (price: Price) => Effect.sync(() => price.item.length + ++loads),
          timeToLive: (_, exit) => (Exit.isSuccess(exit) ? "1 minute" : 0),
          inMemoryCapacity: 1
        })
        const get = Effect.scoped(Effect.flatMap(open, (cache) => cache.get(new Price({ item: "bread" }))))
        assert.strictEqual(yield* get, 6)
        assert.strictEqual(yield* get, 6)
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(yield* get, 7)
      }).pipe(Effect.provide(Persistence.layerResult.pipe(Layer.provide(CachePersistence.layer))), over(store.layer))
    )

    it.effect("a BackingPersistence answers for many at once", () =>
      Effect.gen(function* () {
        const backing = yield* Persistence.BackingPersistence
        const { clear, get, getMany, remove, setMany } = yield* backing.make("many")
        yield* setMany([
          ["a", 1, Option.none()],
          ["b", { c: [2] }, Option.none()]
        ])
        assert.deepStrictEqual(yield* getMany(["b", "none", "a"]), [
          Option.some({ c: [2] }),
          Option.none(),
          Option.some(1)
        ])
        yield* remove("a")
        assert.deepStrictEqual(yield* get("a"), Option.none())
        yield* clear
        assert.deepStrictEqual(yield* get("b"), Option.none())
      }).pipe(Effect.scoped, Effect.provide(CachePersistence.layer), over(store.layer))
    )

    it.effect("a Keyv does all that it can, and another one has nothing of it", () =>
      Effect.gen(function* () {
        const keyv = new Keyv({ store: yield* CacheKeyv.make({ name: "one" }), namespace: "one" })
        const other = new Keyv({ store: yield* CacheKeyv.make({ name: "two" }) })
        const wait = <A>(run: () => Promise<A>) => Effect.promise(run)
        yield* wait(() => keyv.set("a", { b: [1] }))
        yield* wait(() => other.set("a", "other"))
        assert.deepStrictEqual(yield* wait(() => keyv.get("a")), { b: [1] })
        assert.isTrue(yield* wait(() => keyv.has("a")))
        assert.deepStrictEqual(yield* wait(() => keyv.get(["a", "none"])), [{ b: [1] }, undefined])
        const listed = yield* wait(async () => {
          const all: Array<unknown> = []
          for await (const entry of keyv.iterator!("one")) all.push(entry)
          return all
        })
        assert.deepStrictEqual(listed, [["a", { b: [1] }]])
        assert.isTrue(yield* wait(() => keyv.delete("a")))
        assert.isFalse(yield* wait(() => keyv.delete("a")))
        yield* wait(() =>
          keyv.setMany([
            { key: "c", value: 1 },
            { key: "d", value: 2 }
          ])
        )
        yield* wait(() => keyv.clear())
        assert.deepStrictEqual(yield* wait(() => keyv.get(["c", "d"])), [undefined, undefined])
        assert.strictEqual(yield* wait(() => other.get("a")), "other")
        yield* wait(() => keyv.disconnect())
      }).pipe(Effect.scoped, over(store.layer))
    )
  })
}

class Price extends Schema.TaggedRequest<Price>()("Price", {
  success: Schema.Number,
  failure: Schema.String,
  payload: { item: Schema.String }
}) {
  [PrimaryKey.symbol]() {
    return this.item
  }
}

describe("a store that fails", () => {
  const store = FaultyStore.over(MemoryStore.layerBytes())

  it.effect("is a typed failure of whatever it is dressed as", () =>
    Effect.gen(function* () {
      const kv = yield* KeyValueStore.KeyValueStore
      const backing = yield* Effect.flatMap(Persistence.BackingPersistence, (backing) => backing.make("x"))
      const keyv = yield* CacheKeyv.make()
      yield* failing
      const error = yield* Effect.flip(kv.get("a"))
      assert.strictEqual(error._tag, "SystemError")
      assert.match(error.message, /did not answer any within 50 ms/)
      assert.strictEqual((yield* Effect.flip(backing.get("a"))).reason, "BackingError")
      assert.match(String(yield* Effect.flip(Effect.tryPromise(() => keyv.get("a")))), /./)
    }).pipe(
      Effect.scoped,
      Effect.provide(Layer.provideMerge(Layer.merge(CacheKeyValueStore.layer(), CachePersistence.layer), store))
    )
  )

  it.effect("options that make no sense are told", () =>
    Effect.gen(function* () {
      const layer = CacheKeyValueStore.layer({ name: "", timeToLive: 0 }).pipe(Layer.provide(MemoryStore.layer()))
      const error = yield* Effect.flip(Effect.scoped(Layer.build(layer)))
      assert.strictEqual(error._tag === "InvalidConfig" && error.issues.length, 2)
    })
  )
})
