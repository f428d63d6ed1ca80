/** Entries as bytes, and entries that are held weakly. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Schema } from "effect"
import { Cache, CacheStore, MemoryStore } from "effect-larder"
import { LeakOracle } from "effect-larder/testing"
import * as v8 from "node:v8"
import * as vm from "node:vm"

const usage = Effect.flatMap(MemoryStore.Controls, (controls) => controls.usage)

/** Runs the collector. A WeakRef lives as long as the turn it was made in, so a turn must pass before. */
const collect = Effect.promise(async () => {
  v8.setFlagsFromString("--expose-gc")
  const gc = vm.runInNewContext("gc") as () => void
  await new Promise((resolve) => setImmediate(resolve))
  gc()
})

describe("MemoryStore.layerBytes", () => {
  const lists = (loads: Array<number>) =>
    Cache.make("lists", {
      key: Schema.Number,
      success: Schema.mutable(Schema.Array(Schema.Number)),
      tags: () => ["lists"],
      lookup: (length: number) =>
        Effect.sync(() => {
          loads.push(length)
          return Array.from({ length }, (_, index) => index)
        })
    })

  it.effect("who changes what he was given changes it for nobody else", () =>
    Effect.gen(function* () {
      const loads: Array<number> = []
      const cache = yield* lists(loads)
      const mine = yield* cache.get(3)
      mine.push(42)
      assert.deepStrictEqual(yield* cache.get(3), [0, 1, 2])
      assert.deepStrictEqual(loads, [3])
      yield* cache.invalidateTags(["lists"])
      assert.deepStrictEqual(yield* cache.get(3), [0, 1, 2])
      assert.deepStrictEqual(loads, [3, 3])
    }).pipe(Effect.provide(MemoryStore.layerBytes()), LeakOracle.check)
  )

  it.effect("bounds hold, by bytes that are known exactly", () =>
    Effect.gen(function* () {
      const loads: Array<number> = []
      const cache = yield* lists(loads)
      for (let n = 0; n < 100; n++) yield* cache.get(n)
      const { bytes, entries, removals } = yield* usage
      assert.isAtMost(bytes, 10_000)
      assert.isAbove(entries, 10)
      assert.strictEqual(removals.size, 100 - entries)
      yield* Effect.flatMap(MemoryStore.Controls, (controls) => controls.resize({ maxEntries: 5 }))
      assert.strictEqual((yield* usage).entries, 5)
    }).pipe(Effect.provide(MemoryStore.layerBytes({ maxBytes: 10_000 })), LeakOracle.check)
  )

  it.effect("has no Live mark, keeps entries for who opens the name again, and is in no snapshot", () =>
    Effect.gen(function* () {
      const loads: Array<number> = []
      const store = yield* CacheStore.CacheStore
      assert.isFalse(store.capabilities.live)
      for (let times = 0; times < 2; times++)
        yield* Effect.scoped(Effect.flatMap(lists(loads), (cache) => cache.get(1)))
      assert.deepStrictEqual(loads, [1])
      const controls = yield* MemoryStore.Controls
      assert.deepStrictEqual(yield* controls.restore(yield* controls.snapshot), { restored: 0, waiting: 0, damaged: 0 })
    }).pipe(Effect.provide(MemoryStore.layerBytes()), LeakOracle.check)
  )

  it.effect("a cache without a Schema, and options that mean nothing here, are InvalidConfig", () =>
    Effect.gen(function* () {
      const error = yield* Cache.make("no-schema", { lookup: (n: number) => Effect.succeed(n) }).pipe(
        Effect.provide(MemoryStore.layerBytes()),
        Effect.flip
      )
      assert.strictEqual(error._tag, "InvalidConfig")
      const options: object = { freeze: "always", references: "weak" }
      const refused = yield* Effect.flip(Effect.scoped(Layer.build(MemoryStore.layerBytes(options))))
      assert.deepStrictEqual(
        refused.issues.map((issue) => issue.field),
        ["freeze", "references"]
      )
    }).pipe(LeakOracle.check)
  )
})

describe("MemoryStore with weak references", () => {
  interface Page {
    readonly n: number
  }

  const pages = (loads: Array<number>) =>
    Cache.make("pages", {
      lookup: (n: number): Effect.Effect<Page | number> =>
        Effect.sync(() => {
          loads.push(n)
          return n < 0 ? n : { n }
        })
    })

  it.effect("what nobody else holds may be collected, and is loaded again; what is held, or no object, stays", () =>
    Effect.gen(function* () {
      const loads: Array<number> = []
      const removed: Array<string> = []
      const Store = MemoryStore.layer({
        references: "weak",
        onRemoval: ({ cause, entry, key }) => {
          removed.push(`${cause} ${key} ${Exit.getOrElse(entry.exit, () => "failure")}`)
        }
      })
      yield* Effect.gen(function* () {
        const cache = yield* pages(loads)
        const held = yield* cache.get(1)
        for (const n of [2, 3, -4]) yield* cache.get(n)
        yield* collect
        assert.strictEqual(yield* cache.get(1), held)
        assert.strictEqual(yield* cache.get(-4), -4)
        assert.deepStrictEqual(loads, [1, 2, 3, -4])
        assert.deepStrictEqual(yield* cache.get(2), { n: 2 })
        assert.isFalse(yield* cache.has(3))
        assert.deepStrictEqual(loads, [1, 2, 3, -4, 2])
        assert.lengthOf(removed, 2)
        assert.isTrue(
          removed.every((line) => /^collected .*undefined$/.test(line)),
          removed.join()
        )
        assert.strictEqual((yield* usage).removals.collected, 2)
      }).pipe(Effect.scoped, Effect.provide(Store))
    }).pipe(LeakOracle.check)
  )
})
