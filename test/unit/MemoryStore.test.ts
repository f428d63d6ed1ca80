import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Either, Exit, Layer, Schema, Stream, TestContext } from "effect"
import { Cache, type CacheEntry, type CacheError, CacheStore, Envelope, Json, MemoryStore } from "effect-larder"
import * as Lru from "effect-larder/Lru"
import type { Policy } from "effect-larder/Policy"
import { LeakOracle } from "effect-larder/testing"
import fc from "fast-check"
import * as v8 from "node:v8"
import * as vm from "node:vm"
import { Pool } from "../../src/store/memory/pool.js"
import { MemoryRegion } from "../../src/store/memory/region.js"
import { entryOf } from "../fixtures/memory/entries.js"

const weighed = (entry: CacheEntry.CacheEntry<unknown, unknown>): number =>
  Exit.isSuccess(entry.exit) && typeof entry.exit.value === "number" ? entry.exit.value : 0

const open = (name: string) =>
  Effect.flatMap(CacheStore.CacheStore, (store) => store.region<unknown, never>({ name, codec: undefined }))

const put = (region: CacheStore.Region<unknown, never>, key: string, value: unknown) =>
  region.setMany([{ key, entry: entryOf(value), since: undefined }])

const keysIn = (region: CacheStore.Region<unknown, never>) =>
  Effect.map(Stream.runCollect(region.entries), (rows) => Array.from(rows, (row) => row.key).sort())

const total = (regions: ReadonlyArray<CacheStore.Region<unknown, never>>) =>
  Effect.map(
    Effect.forEach(regions, (region) => region.sizes),
    (sizes) => sizes.flat().reduce((sum, size) => sum + size.entries, 0)
  )

const over =
  (options: MemoryStore.Options) =>
  <A, E>(test: Effect.Effect<A, E, CacheStore.CacheStore | LeakOracle.LeakOracle | import("effect").Scope.Scope>) =>
    test.pipe(Effect.provide(MemoryStore.layer(options)), LeakOracle.check)

/** Runs the collector. A WeakRef lives as long as the turn it was made in, so a turn must pass before. */
const collect = async (): Promise<void> => {
  v8.setFlagsFromString("--expose-gc")
  const gc = vm.runInNewContext("gc") as () => void
  await new Promise((resolve) => setImmediate(resolve))
  gc()
}

const squares = (loads: Array<number>) =>
  Effect.flatMap(
    Cache.make("squares", {
      lookup: (n: number) =>
        Effect.sync(() => {
          loads.push(n)
          return n * n
        })
    }),
    LeakOracle.watch
  )

describe("MemoryStore: bounds", () => {
  for (const policy of ["lru", "fifo"] as const) {
    it.effect(`${policy}: 150 sets into 100 places: the first is gone, the last is there, never above 100 (T12)`, () =>
      Effect.gen(function* () {
        const cache = yield* squares([])
        for (let n = 0; n < 150; n++) {
          yield* cache.set(n, n)
          assert.isAtMost(yield* cache.size, 100)
        }
        assert.isFalse(yield* cache.has(0))
        assert.isTrue(yield* cache.has(149))
        assert.strictEqual(yield* cache.size, 100)
        assert.strictEqual(yield* cache.clear, 100)
        assert.strictEqual(yield* cache.size, 0)
      }).pipe(over({ capacity: 100, policy }))
    )
  }

  it.effect("5 places, 10 keys: 10 loads (T13)", () =>
    Effect.gen(function* () {
      const loads: Array<number> = []
      const cache = yield* squares(loads)
      for (let n = 0; n < 10; n++) yield* cache.get(n)
      assert.deepStrictEqual(loads, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
      assert.strictEqual(yield* cache.size, 5)
    }).pipe(over({ capacity: 5 }))
  )

  it.effect("2 places: the one that was read least recently is computed again (T13, M9)", () =>
    Effect.gen(function* () {
      const loads: Array<number> = []
      const cache = yield* squares(loads)
      for (const n of [1, 2, 1, 3, 1, 2]) yield* cache.get(n)
      assert.deepStrictEqual(loads, [1, 2, 3, 2])
    }).pipe(over({ capacity: 2, policy: "lru" }))
  )

  it.effect("every kind of reading is a use, looking is none", () =>
    Effect.gen(function* () {
      const region = yield* open("uses")
      const read: Record<string, (key: string) => Effect.Effect<unknown, CacheError.StoreFailure>> = {
        getMany: (key) => region.getMany([key]),
        "near.get": (key) => Effect.sync(() => region.near!.get(key, 0))
      }
      for (const [name, use] of Object.entries(read)) {
        yield* region.clear
        for (const key of ["a", "b"]) yield* put(region, key, 1)
        yield* use("a")
        yield* put(region, "c", 1)
        assert.deepStrictEqual(yield* keysIn(region), ["a", "c"], name)
      }
      yield* region.clear
      for (const key of ["a", "b"]) yield* put(region, key, 1)
      region.near!.peek("a", 0)
      yield* keysIn(region)
      yield* region.sizes
      yield* put(region, "c", 1)
      assert.deepStrictEqual(yield* keysIn(region), ["b", "c"])
    }).pipe(over({ capacity: 2, policy: "lru" }))
  )

  it.effect("overwriting pushes nobody out, and is a use (M9)", () =>
    Effect.gen(function* () {
      const region = yield* open("overwriting")
      for (const key of ["a", "b", "c"]) yield* put(region, key, 1)
      for (let times = 0; times < 10; times++) yield* put(region, "a", times)
      assert.deepStrictEqual(yield* keysIn(region), ["a", "b", "c"])
      yield* put(region, "d", 1)
      assert.deepStrictEqual(yield* keysIn(region), ["a", "c", "d"])
    }).pipe(over({ capacity: 3, policy: "lru" }))
  )

  it.effect("bytes: as many are pushed out as make room, and one that is too heavy is not kept at all", () =>
    Effect.gen(function* () {
      const region = yield* open("bytes")
      for (const key of ["a", "b", "c", "d"]) yield* put(region, key, 25)
      yield* put(region, "e", 60)
      assert.deepStrictEqual(yield* keysIn(region), ["d", "e"])
      yield* put(region, "f", 101)
      assert.deepStrictEqual(yield* keysIn(region), ["d", "e"])
      yield* put(region, "d", 101)
      assert.deepStrictEqual(yield* keysIn(region), ["e"], "the old value of an overwritten key is not served")
      yield* put(region, "g", 100)
      assert.deepStrictEqual(yield* keysIn(region), ["g"])
      assert.deepOwnInclude((yield* region.sizes)[0], { store: "MemoryStore", tier: 1, entries: 1, bytes: 100 })
    }).pipe(over({ maxBytes: 100, weigher: (_key, entry) => weighed(entry), policy: "lru" }))
  )

  it.effect("bytes: an entry that grows in place pushes others out, not itself", () =>
    Effect.gen(function* () {
      const region = yield* open("growing")
      for (const key of ["a", "b", "c"]) yield* put(region, key, 30)
      yield* put(region, "a", 80)
      assert.deepStrictEqual(yield* keysIn(region), ["a"])
    }).pipe(over({ maxBytes: 100, weigher: (_key, entry) => weighed(entry), policy: "lru" }))
  )

  it.effect("what is no weight is not kept", () =>
    Effect.gen(function* () {
      const region = yield* open("weights")
      for (const weight of [NaN, -1, Infinity, -Infinity]) {
        yield* put(region, "k", 1)
        yield* put(region, "k", weight)
        assert.deepStrictEqual(yield* keysIn(region), [], String(weight))
      }
    }).pipe(over({ maxBytes: 100, weigher: (_key, entry) => weighed(entry), policy: "lru" }))
  )

  it.effect("by default an estimate weighs: a megabyte is more than a hundred kilobytes", () =>
    Effect.gen(function* () {
      const region = yield* open("estimate")
      yield* put(region, "large", "x".repeat(1_000_000))
      yield* put(region, "small", "x")
      assert.deepStrictEqual(yield* keysIn(region), ["small"])
    }).pipe(over({ maxBytes: 100_000 }))
  )
})

describe("MemoryStore: loads that land in another order than they began", () => {
  it.effect("what a later load has brought is not replaced by what an earlier one brings late", () =>
    Effect.gen(function* () {
      const near = (yield* open("order")).near!
      const earlier = near.epoch()
      near.delete("another key")
      const later = near.epoch()
      assert.isTrue(near.set("k", entryOf("later"), later))
      assert.isFalse(near.set("k", entryOf("earlier"), earlier))
      assert.deepStrictEqual(near.get("k", 0)?.exit, Exit.succeed("later"))
      assert.isTrue(near.set("k", entryOf("latest"), near.epoch()))
    }).pipe(over({}))
  )
})

describe("MemoryStore: one pool for all regions", () => {
  it.effect("the bound is the store's, and who was read least recently gives way in whatever region", () =>
    Effect.gen(function* () {
      const regions = yield* Effect.forEach(["a", "b", "c"], open)
      for (const region of regions) for (const key of ["1", "2"]) yield* put(region, key, 1)
      assert.strictEqual(yield* total(regions), 4)
      assert.deepStrictEqual(yield* Effect.forEach(regions, keysIn), [[], ["1", "2"], ["1", "2"]])
    }).pipe(over({ capacity: 4, policy: "lru" }))
  )

  it.effect("a region that is cleared or closed gives its room back", () =>
    Effect.gen(function* () {
      const kept = yield* open("kept")
      yield* put(kept, "k", 1)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const other = yield* open("other")
          for (let n = 0; n < 3; n++) yield* put(other, `${n}`, 1)
          assert.strictEqual(yield* other.clear, 3)
          for (let n = 0; n < 3; n++) yield* put(other, `${n}`, 1)
        })
      )
      for (let n = 0; n < 3; n++) yield* put(kept, `${n}`, 1)
      assert.deepStrictEqual(yield* keysIn(kept), ["0", "1", "2", "k"])
    }).pipe(over({ capacity: 4 }))
  )
})

describe("MemoryStore: closing and opening again", () => {
  const textCodec = Envelope.make({ success: Json.make(Schema.String) })
  const openText = (store: CacheStore.Service) => store.region<string, never>({ name: "n", codec: textCodec })
  const text = (value: string) => entryOf(value)

  it.effect("entries wait for a cache of the same Schema; without one, or with another, they are dropped", () =>
    Effect.gen(function* () {
      const store = yield* CacheStore.CacheStore
      const write = { key: "k", entry: text("v"), since: undefined }
      yield* Effect.scoped(Effect.flatMap(openText(store), (region) => region.setMany([write])))
      const again = yield* Effect.scoped(Effect.flatMap(openText(store), (region) => region.getMany(["k"])))
      assert.deepStrictEqual(again.found[0]?.entry.exit, Exit.succeed("v"))
      const other = yield* Effect.scoped(Effect.flatMap(open("n"), (region) => region.getMany(["k"])))
      assert.deepStrictEqual(other.found, [undefined])
      const back = yield* Effect.scoped(Effect.flatMap(openText(store), (region) => region.getMany(["k"])))
      assert.deepStrictEqual(back.found, [undefined])
    }).pipe(over({}))
  )

  it.effect("a region that is closed fails, typed, and its view is empty and takes nothing", () =>
    Effect.gen(function* () {
      const region = yield* Effect.scoped(open("closed"))
      const near = region.near!
      for (const operation of [
        region.getMany(["k"]),
        put(region, "k", 1),
        region.deleteMany(["k"]),
        region.invalidateTags(["t"]),
        region.clear,
        region.sizes,
        Stream.runCollect(region.entries)
      ]) {
        assert.strictEqual(
          (yield* Effect.flip<unknown, { readonly _tag: string }, never>(operation))._tag,
          "StoreUnavailable"
        )
      }
      assert.isFalse(near.set("k", entryOf(1), undefined))
      assert.isUndefined(near.get("k", 0))
    }).pipe(over({}))
  )

  it.effect("a closed region stays closed when its name is opened again, whatever the Schema", () =>
    Effect.gen(function* () {
      const store = yield* CacheStore.CacheStore
      // with an entry in it, so that there is something to keep for who opens the name again
      const old = yield* Effect.scoped(
        Effect.tap(openText(store), (region) => region.setMany([{ key: "k", entry: text("v"), since: undefined }]))
      )
      const region = yield* openText(store)
      const late = yield* Effect.either(old.setMany([{ key: "k", entry: text("late"), since: undefined }]))
      assert.isTrue(Either.isLeft(late))
      assert.isUndefined(old.near!.get("k", 0))
      assert.deepStrictEqual(region.near!.get("k", 0)?.exit, Exit.succeed("v"))
    }).pipe(over({}))
  )

  it("a closed region tells when its last entry was pushed out, so that its name can be forgotten", () => {
    const emptied: Array<string> = []
    const pool = new Pool({
      maxEntries: 2,
      maxBytes: Infinity,
      maxEntryBytes: Infinity,
      policy: Lru.make(),
      weigh: () => 0
    })
    const opened = (name: string) => {
      const region = new MemoryRegion<string, never>(pool, name, () => emptied.push(name))
      region.open(textCodec)
      return region
    }
    const first = opened("first")
    first.set("k", text("v"), undefined)
    first.close()
    const second = opened("second")
    second.set("a", text("v"), undefined)
    assert.deepStrictEqual(emptied, [])
    second.set("b", text("v"), undefined)
    assert.deepStrictEqual(emptied, ["first"])
  })

  it.effect("names whose entries were pushed out are forgotten: nothing grows with the names that ever were", () =>
    Effect.gen(function* () {
      const store = yield* CacheStore.CacheStore
      const made: Array<WeakRef<object>> = []
      for (let n = 0; n < 50; n++) {
        yield* Effect.scoped(
          Effect.flatMap(store.region<string, never>({ name: `region ${n}`, codec: textCodec }), (region) => {
            made.push(new WeakRef(region.near!))
            return region.setMany([{ key: "k", entry: text("v"), since: undefined }])
          })
        )
      }
      yield* Effect.promise(() => collect())
      // two have entries, and the last ones may still be on some stack
      assert.isBelow(made.filter((view) => view.deref() !== undefined).length, 10)
    }).pipe(over({ capacity: 2 }))
  )

  it.effect("a store that is released refuses to open a region", () =>
    Effect.gen(function* () {
      const store = yield* Effect.scoped(
        Effect.map(Layer.build(MemoryStore.layer()), (built) => Context.get(built, CacheStore.CacheStore))
      )
      const error = yield* Effect.flip(Effect.scoped(store.region({ name: "late", codec: undefined })))
      assert.strictEqual(error._tag, "StoreUnavailable")
    }).pipe(LeakOracle.check)
  )
})

describe("MemoryStore: options", () => {
  const issuesOf = (options: object) =>
    Effect.map(Effect.flip(Effect.scoped(Layer.build(MemoryStore.layer(options)))), (error) =>
      error.issues.map((issue) => `${issue.field}=${issue.value}`)
    )

  it.effect("a bad bound is InvalidConfig that names the field and the value, all of them at once", () =>
    Effect.gen(function* () {
      for (const value of [0, -1, 1.5, NaN, -Infinity, "10", null]) {
        for (const field of ["capacity", "maxEntries", "maxBytes"]) {
          const issues = yield* issuesOf({ [field]: value })
          assert.lengthOf(issues, 1)
          assert.isTrue(issues[0]!.startsWith(`${field}=`), issues[0])
        }
      }
      assert.deepStrictEqual(yield* issuesOf({ capacity: 0, maxBytes: -1, weigher: 3, colour: 1 }), [
        "capacity=0",
        "maxBytes=-1",
        "weigher=3",
        "colour=1"
      ])
      assert.deepStrictEqual(yield* issuesOf({ capacity: 1, maxEntries: 2 }), ["maxEntries=2"])
    })
  )

  it.effect("no bound, and both names for one bound, are fine", () =>
    Effect.scoped(
      Effect.forEach([{}, { capacity: 1, maxEntries: 1 }, { maxEntries: Infinity, maxBytes: Infinity }], (options) =>
        Layer.build(MemoryStore.layer(options))
      )
    )
  )
})

/** A pool and its policy as one who has no fear for speed would write them. */
class Naive {
  /** Least recently used first. */
  entries: Array<{ readonly id: string; readonly weight: number; readonly value: number }> = []
  constructor(
    readonly maxEntries: number,
    readonly maxBytes: number
  ) {}
  find(id: string) {
    return this.entries.find((entry) => entry.id === id)
  }
  remove(id: string): void {
    this.entries = this.entries.filter((entry) => entry.id !== id)
  }
  use(id: string): void {
    const entry = this.find(id)
    if (entry === undefined) return
    this.remove(id)
    this.entries.push(entry)
  }
  set(id: string, weight: number, value: number): void {
    this.remove(id)
    if (weight > this.maxBytes) return
    this.entries.push({ id, weight, value })
    while (
      this.entries.length > this.maxEntries ||
      this.entries.reduce((sum, entry) => sum + entry.weight, 0) > this.maxBytes
    ) {
      this.entries.shift()
    }
  }
}

type Step = {
  readonly do: "set" | "get" | "peek" | "delete" | "clear"
  readonly region: number
  readonly key: string
  readonly weight: number
}

const history: fc.Arbitrary<ReadonlyArray<Step>> = fc.array(
  fc.record({
    do: fc.oneof(
      { weight: 8, arbitrary: fc.constant("set" as const) },
      { weight: 4, arbitrary: fc.constant("get" as const) },
      { weight: 1, arbitrary: fc.constant("peek" as const) },
      { weight: 2, arbitrary: fc.constant("delete" as const) },
      { weight: 1, arbitrary: fc.constant("clear" as const) }
    ),
    region: fc.nat(2),
    key: fc.constantFrom("a", "b", "c", "__proto__"),
    weight: fc.integer({ min: 0, max: 12 })
  }),
  { maxLength: 80 }
)

describe("MemoryStore: the pool against a naive model", () => {
  const bounds = fc.record({
    maxEntries: fc.oneof(fc.integer({ min: 1, max: 6 }), fc.constant(Infinity)),
    maxBytes: fc.oneof(fc.integer({ min: 1, max: 30 }), fc.constant(Infinity))
  })

  it("holds the same entries in every history; in a region's map if and only if in the pool and in the policy", () => {
    fc.assert(
      fc.property(bounds, history, ({ maxBytes, maxEntries }, steps) => {
        const inPolicy = new Set<number>()
        const lru = Lru.make()
        const policy: Policy = {
          ...lru,
          onInsert: (slot, hash, expiresAt) => {
            assert.isFalse(inPolicy.has(slot), "a slot is inserted twice")
            inPolicy.add(slot)
            lru.onInsert(slot, hash, expiresAt)
          },
          onReplace: (slot, expiresAt) => {
            assert.isTrue(inPolicy.has(slot), "a slot is replaced that is not in")
            lru.onReplace(slot, expiresAt)
          },
          onHit: (slot) => {
            assert.isTrue(inPolicy.has(slot), "a slot is hit that is not in")
            lru.onHit(slot)
          },
          remove: (slot) => {
            assert.isTrue(inPolicy.delete(slot), "a slot is removed that is not in")
            lru.remove(slot)
          },
          evict: () => {
            const slot = lru.evict()
            assert.isTrue(inPolicy.delete(slot), "a slot is evicted that is not in")
            return slot
          }
        }
        const weights = new Map<number, number>()
        const weigh = (_key: string, entry: CacheEntry.CacheEntry<unknown, unknown>) =>
          Exit.isSuccess(entry.exit) ? (weights.get(entry.exit.value as number) ?? 0) : 0
        const pool = new Pool({ maxEntries, maxBytes, maxEntryBytes: Infinity, policy, weigh })
        const regions = [0, 1, 2].map(() => {
          const region = new MemoryRegion<unknown, never>(pool)
          region.open(undefined)
          return region
        })
        const naive = new Naive(maxEntries, maxBytes)
        steps.forEach((step, value) => {
          const region = regions[step.region]!
          const id = `${step.region} ${step.key}`
          weights.set(value, step.weight)
          switch (step.do) {
            case "set":
              region.set(step.key, entryOf(value), undefined)
              naive.set(id, step.weight, value)
              break
            case "get":
              assert.strictEqual(region.get(step.key, 0) !== undefined, naive.find(id) !== undefined)
              naive.use(id)
              break
            case "peek":
              assert.strictEqual(region.peek(step.key, 0) !== undefined, naive.find(id) !== undefined)
              break
            case "delete":
              assert.strictEqual(region.delete(step.key), naive.find(id) !== undefined)
              naive.remove(id)
              break
            default: {
              const mine = naive.entries.filter((entry) => entry.id.startsWith(`${step.region} `))
              assert.strictEqual(region.clear(), mine.length)
              for (const entry of mine) naive.remove(entry.id)
            }
          }
          const held = regions.flatMap((one, index) =>
            [...one.slots].map(([key, slot]) => [
              `${index} ${key}`,
              Exit.getOrElse(pool.columns.entryAt(slot).exit, () => -1)
            ])
          )
          assert.deepStrictEqual(
            held.map(String).sort(),
            naive.entries.map((entry) => `${entry.id},${entry.value}`).sort()
          )
          assert.deepStrictEqual(
            regions.flatMap((one) => [...one.slots.values()]).sort(),
            [...inPolicy].sort(),
            "the slots of the maps are those of the policy"
          )
        })
      }),
      { numRuns: 500 }
    )
  })

  it.effect("tags and fences never make it serve more than the model", () =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(history, (steps) =>
          Effect.gen(function* () {
            const region = yield* open("tagged")
            const since = region.near!.epoch()
            for (const step of steps) {
              if (step.do === "delete") yield* region.invalidateTags([step.key])
              else if (step.do === "set")
                yield* region.setMany([{ key: step.key, entry: entryOf(1, { tags: [step.key] }), since }])
            }
            const invalidated = new Set(steps.filter((step) => step.do === "delete").map((step) => step.key))
            for (const key of yield* keysIn(region)) assert.isFalse(invalidated.has(key))
          }).pipe(over({}), Effect.provide(TestContext.TestContext), Effect.runPromise)
        )
      )
    )
  )
})

describe("MemoryStore: names of regions", () => {
  it.effect("what is no name is InvalidConfig, prefixed or not; what only looks dangerous is a name", () =>
    Effect.gen(function* () {
      for (const layer of [MemoryStore.layer(), MemoryStore.layer().pipe(CacheStore.prefixed("p"))]) {
        const store = Context.get(yield* Layer.build(layer), CacheStore.CacheStore)
        const exits = (names: ReadonlyArray<string>) =>
          Effect.forEach(names, (name) => Effect.either(store.region({ name, codec: undefined })))
        for (const refused of yield* exits(["", "a\u0000b", "a\nb", "\ud800", "x".repeat(201), "a\u001f"])) {
          assert.isTrue(Either.isLeft(refused) && refused.left._tag === "InvalidConfig")
        }
        for (const opened of yield* exits(["../x", "__proto__", "a/b", "*", "x".repeat(200), "\u{1f600}"])) {
          assert.isTrue(Either.isRight(opened))
        }
      }
    }).pipe(LeakOracle.check)
  )
})
