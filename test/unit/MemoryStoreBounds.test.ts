/** What a memory store may hold: bounds of all kinds, pins, other bounds while it runs, protected values. */
import { assert, describe, it } from "@effect/vitest"
import { Data, Effect, Exit, Hash, HashMap, Layer, Logger, LogLevel } from "effect"
import { Cache, type CacheEntry, CacheStore, MemoryStore } from "effect-larder"
import * as Policies from "effect-larder/Policies"
import { LeakOracle } from "effect-larder/testing"
import fc from "fast-check"
import { Pool } from "../../src/store/memory/pool.js"
import { MemoryRegion } from "../../src/store/memory/region.js"
import { entryOf } from "../fixtures/memory/entries.js"
import { audit } from "../fixtures/memory/audit.js"

const over =
  (options: MemoryStore.Options) =>
  <A, E>(test: Effect.Effect<A, E, MemoryStore.Provided | LeakOracle.LeakOracle | import("effect").Scope.Scope>) =>
    test.pipe(Effect.provide(MemoryStore.layer(options)), LeakOracle.check)

/** A cache of numbers whose entries weigh what they are. */
const numbers = Cache.make("numbers", { lookup: (key: string) => Effect.succeed(key.length) })
const valueOf = (entry: CacheEntry.CacheEntry<unknown, unknown>): number =>
  Exit.isSuccess(entry.exit) ? (entry.exit.value as number) : 0
const asWeight = { weigher: (_key: string, entry: CacheEntry.CacheEntry<unknown, unknown>) => valueOf(entry) }
const usage = Effect.flatMap(MemoryStore.Controls, (controls) => controls.usage)
/** Keys as the store knows them. */
const isPinned = (key: string): boolean => key.includes("pinned")

describe("MemoryStore: one entry's limit", () => {
  it.effect("a heavier one is not kept, and pushes nobody out; what it replaced is gone", () =>
    Effect.gen(function* () {
      const cache = yield* numbers
      yield* cache.set("a", 10)
      yield* cache.set("b", 11)
      assert.deepStrictEqual([yield* cache.has("a"), yield* cache.has("b")], [true, false])
      yield* cache.set("a", 11)
      assert.isFalse(yield* cache.has("a"), "the old value must not be served for the new")
      assert.strictEqual((yield* usage).entries, 0)
    }).pipe(over({ maxEntryBytes: 10, ...asWeight }))
  )

  it.effect("entries and bytes are two bounds: whichever is met first holds", () =>
    Effect.gen(function* () {
      const cache = yield* numbers
      for (let n = 0; n < 10; n++) yield* cache.set(`light ${n}`, 1)
      assert.strictEqual((yield* usage).entries, 4)
      for (let n = 0; n < 10; n++) yield* cache.set(`heavy ${n}`, 8)
      const { bytes, entries } = yield* usage
      assert.deepStrictEqual([entries, bytes], [2, 16])
    }).pipe(over({ maxEntries: 4, maxBytes: 20, policy: "lru", ...asWeight }))
  )

  it.effect("what a weigher makes no weight of is not kept", () =>
    Effect.gen(function* () {
      const cache = yield* numbers
      for (const weight of [NaN, -1, -Infinity, Infinity]) yield* cache.set("k", weight)
      assert.strictEqual((yield* usage).entries, 0)
    }).pipe(over({ maxBytes: 20, ...asWeight }))
  )
})

describe("MemoryStore: pins", () => {
  for (const policy of Policies.names) {
    it.effect(`${policy}: what is pinned outlives any flood`, () =>
      Effect.gen(function* () {
        const cache = yield* numbers
        yield* cache.set("pinned", 1)
        for (let n = 0; n < 100; n++) yield* cache.set(`other ${n}`, 1)
        assert.isTrue(yield* cache.has("pinned"))
        const { entries, pinned } = yield* usage
        assert.deepStrictEqual({ entries, pinned }, { entries: 5, pinned: 1 })
      }).pipe(over({ capacity: 5, policy, pinned: isPinned }))
    )
  }

  it.effect("they count: when they are all there is room for, nothing else is kept, and nothing hangs", () =>
    Effect.gen(function* () {
      const cache = yield* numbers
      for (let n = 0; n < 5; n++) yield* cache.set(`pinned ${n}`, 1)
      yield* cache.set("other", 1)
      const { entries, pinned } = yield* usage
      assert.deepStrictEqual({ entries, pinned }, { entries: 3, pinned: 3 })
      assert.isFalse(yield* cache.has("other"))
      assert.strictEqual(yield* cache.get("other"), 5, "it is loaded all the same")
      yield* cache.invalidate("pinned 0")
      yield* cache.set("other", 1)
      assert.isTrue(yield* cache.has("other"))
    }).pipe(over({ capacity: 3, pinned: isPinned }))
  )

  it.effect("an entry may become one, or no longer be one, when it is written again", () =>
    Effect.gen(function* () {
      const cache = yield* numbers
      yield* cache.set("k", 7)
      yield* cache.set("l", 1)
      assert.strictEqual((yield* usage).pinned, 1)
      yield* cache.set("k", 1)
      yield* cache.set("l", 7)
      assert.strictEqual((yield* usage).pinned, 1)
      for (let n = 0; n < 20; n++) yield* cache.set(`other ${n}`, 1)
      assert.deepStrictEqual([yield* cache.has("k"), yield* cache.has("l")], [false, true])
    }).pipe(over({ capacity: 3, policy: "lru", pinned: (_key, entry) => valueOf(entry) === 7 }))
  )
})

describe("MemoryStore: other bounds while it runs", () => {
  it.effect("smaller ones hold at once, larger ones give room, and what is left out stays", () =>
    Effect.gen(function* () {
      const controls = yield* MemoryStore.Controls
      const cache = yield* numbers
      const fill = Effect.forEach(Array.from({ length: 20 }), (_, n) => cache.set(`k${n}`, 1))
      yield* fill
      yield* controls.resize({ capacity: 3 })
      assert.strictEqual(yield* cache.size, 3)
      yield* fill
      assert.strictEqual(yield* cache.size, 3)
      yield* controls.resize({ maxEntries: 15 })
      yield* fill
      assert.strictEqual(yield* cache.size, 15)
      yield* controls.resize({ maxBytes: 5 })
      const { bytes, entries, maxBytes, maxEntries } = yield* controls.usage
      assert.deepStrictEqual(
        { bytes, entries, maxBytes, maxEntries },
        { bytes: 5, entries: 5, maxBytes: 5, maxEntries: 15 }
      )
      yield* fill
      assert.strictEqual(yield* cache.size, 5)
    }).pipe(over({ capacity: 10, ...asWeight }))
  )

  it.effect("pruning lets go once, by the policy, and answers how many", () =>
    Effect.gen(function* () {
      const controls = yield* MemoryStore.Controls
      const cache = yield* numbers
      for (let n = 0; n < 10; n++) yield* cache.set(`k${n}`, 2)
      yield* cache.get("k0")
      assert.strictEqual(yield* controls.prune({ maxEntries: 8 }), 2)
      assert.strictEqual(yield* controls.prune({ maxBytes: 4 }), 6)
      assert.strictEqual(yield* controls.prune({ maxBytes: 4 }), 0)
      assert.deepStrictEqual([yield* cache.has("k0"), yield* cache.has("k9")], [true, true])
      for (let n = 0; n < 10; n++) yield* cache.set(`k${n}`, 2)
      assert.strictEqual((yield* controls.usage).entries, 10)
    }).pipe(over({ capacity: 10, policy: "lru", ...asWeight }))
  )

  it.effect("a bad bound is InvalidConfig, and changes nothing", () =>
    Effect.gen(function* () {
      const controls = yield* MemoryStore.Controls
      for (const bounds of [
        { capacity: 0 },
        { maxBytes: 1.5 },
        { maxEntryBytes: NaN },
        { capacity: 1, maxEntries: 2 }
      ]) {
        assert.strictEqual((yield* Effect.flip(controls.resize(bounds)))._tag, "InvalidConfig")
        assert.strictEqual((yield* Effect.flip(controls.prune(bounds)))._tag, "InvalidConfig")
      }
      assert.strictEqual((yield* controls.usage).maxEntries, 10)
    }).pipe(over({ capacity: 10 }))
  )

  it.effect("the controls come through every combinator, and through tiers", () =>
    Effect.gen(function* () {
      const nearer = MemoryStore.layer({ capacity: 7 })
      const Store = nearer.pipe(
        CacheStore.prefixed("p"),
        CacheStore.retry(),
        CacheStore.timeout("1 second"),
        CacheStore.tieredOver(MemoryStore.layer({ capacity: 70 }))
      )
      const { maxEntries } = yield* Effect.provide(usage, Store)
      assert.strictEqual(maxEntries, 7, "the nearer store's")
    }).pipe(LeakOracle.check)
  )
})

describe("MemoryStore: protected values", () => {
  class Account extends Data.Class<{ readonly owner: { name: string } }> {}
  const thrown = (change: () => void): boolean => Exit.isFailure(Effect.runSyncExit(Effect.sync(change)))
  const mutable = Effect.flatMap(
    Cache.make("mutable", {
      lookup: (_key: string) =>
        Effect.sync(() => ({
          list: [1],
          nested: { n: 1 },
          account: new Account({ owner: { name: "a" } }),
          at: new Date(0)
        }))
    }),
    (cache) => cache.get("k")
  )

  it.effect("always: nothing that can be reached by fields can be changed, and hashing still works", () =>
    Effect.gen(function* () {
      const value = yield* mutable
      assert.isTrue(thrown(() => value.list.push(2)))
      assert.isTrue(thrown(() => (value.nested.n = 2)))
      assert.isTrue(thrown(() => (value.account.owner.name = "b")))
      assert.isTrue(thrown(() => Object.assign(value.account, { owner: { name: "b" } })))
      assert.isFalse(
        thrown(() => void Hash.hash(value.account)),
        "Effect keeps the hash on the object"
      )
      assert.isFalse(thrown(() => void HashMap.make([value.account, 1])))
    }).pipe(over({ freeze: "always" }))
  )

  it.effect("never: the default", () =>
    Effect.gen(function* () {
      const value = yield* mutable
      value.list.push(2)
      assert.lengthOf(value.list, 2)
    }).pipe(over({}))
  )

  for (const [environment, isProtected] of [
    ["production", false],
    ["test", true]
  ] as const) {
    it.effect(`in development: with NODE_ENV=${environment} ${isProtected ? "they are" : "they are not"}`, () =>
      Effect.gen(function* () {
        const before = process.env.NODE_ENV
        yield* Effect.acquireRelease(
          Effect.sync(() => (process.env.NODE_ENV = environment)),
          () => Effect.sync(() => (process.env.NODE_ENV = before))
        )
        const value = yield* Effect.provide(mutable, MemoryStore.layer({ freeze: "development" }))
        assert.strictEqual(
          thrown(() => value.list.push(2)),
          isProtected
        )
      }).pipe(LeakOracle.check)
    )
  }

  it.effect("a value that contains itself ends", () =>
    Effect.gen(function* () {
      interface Circle {
        self?: Circle
      }
      const circle: Circle = {}
      circle.self = circle
      const cache = yield* Cache.make("circles", { lookup: (_key: string) => Effect.succeed(circle) })
      yield* cache.get("k")
      assert.isTrue(thrown(() => delete circle.self))
    }).pipe(over({ freeze: "always" }))
  )
})

describe("MemoryStore: options", () => {
  const issuesOf = (options: object) =>
    Effect.map(Effect.flip(Effect.scoped(Layer.build(MemoryStore.layer(options)))), (error) =>
      error.issues.map((issue) => issue.field)
    )

  it.effect("each one that makes no sense is named, those of memoryPressure too", () =>
    Effect.gen(function* () {
      for (const options of [
        { policy: "LRU" },
        { policy: "__proto__" },
        { freeze: "sometimes" },
        { pinned: true },
        { onRemoval: "log" },
        { timeToIdle: 0 },
        { timeToIdle: "soon" },
        { sweepEvery: -1 },
        { maxEntryBytes: 0 },
        { memoryPressure: true },
        { memoryPressure: null },
        { "memoryPressure.high": 0 }
      ]) {
        assert.deepStrictEqual(yield* issuesOf(options), Object.keys(options), JSON.stringify(options))
      }
      for (const [memoryPressure, field] of [
        [{ high: 0 }, "high"],
        [{ high: 1.1 }, "high"],
        [{ high: "90%" }, "high"],
        [{ low: 0.95 }, "low"],
        [{ high: 0.7 }, "low"],
        [{ every: 0 }, "every"],
        [{ each: 1 }, "each"]
      ] as const) {
        assert.include(yield* issuesOf({ memoryPressure }), `memoryPressure.${field}`, JSON.stringify(memoryPressure))
      }
    })
  )

  it.effect("more than a million entries are warned of once, unless bytes bound them (R072)", () =>
    Effect.gen(function* () {
      const messages: Array<unknown> = []
      const logger = Logger.replace(
        Logger.defaultLogger,
        Logger.make(({ logLevel, message }) => {
          if (logLevel === LogLevel.Warning) messages.push(...(message as ReadonlyArray<unknown>))
        })
      )
      const build = (options: MemoryStore.Options) =>
        Effect.scoped(Layer.build(MemoryStore.layer(options))).pipe(Effect.provide(logger))
      yield* build({ maxEntries: 1_000_000 })
      yield* build({ maxEntries: Infinity, maxBytes: 1_000 })
      assert.deepStrictEqual(messages, [])
      yield* build({ capacity: 1_000_001 })
      assert.deepStrictEqual(messages, ["larder: maxEntries=1000001 may cause memory issues"])
    })
  )
})

interface Step {
  readonly do: "set" | "get" | "delete" | "clear" | "sweep" | "release" | "weigh" | "entries" | "bytes"
  readonly region: 0 | 1
  readonly key: number
  readonly n: number
}

const step: fc.Arbitrary<Step> = fc.record({
  do: fc.constantFrom(
    "set",
    "set",
    "set",
    "set",
    "get",
    "get",
    "delete",
    "clear",
    "sweep",
    "release",
    "weigh",
    "entries",
    "bytes"
  ),
  region: fc.constantFrom(0, 1),
  key: fc.nat(12),
  n: fc.integer({ min: 1, max: 20 })
})

describe("MemoryStore: what is kept twice agrees after every step of every history", () => {
  for (const policy of Policies.names) {
    it(`with ${policy}`, () => {
      fc.assert(
        fc.property(fc.array(step, { maxLength: 150 }), fc.boolean(), fc.boolean(), (steps, weighs, idles) => {
          const removed = { count: 0 }
          const pool = new Pool({
            maxEntries: 8,
            maxBytes: weighs ? 60 : Infinity,
            maxEntryBytes: weighs ? 18 : Infinity,
            policy: Policies.make(policy, { seed: 1 }),
            weigh: (_key, entry) => entry.freshUntil,
            pinned: (key, entry) => key === "k0" && entry.freshUntil % 2 === 0,
            timeToIdle: idles ? 30 : undefined,
            onRemoval: () => removed.count++
          })
          const regions = ["a", "b"].map((name) => {
            const region = new MemoryRegion<number, never>(pool, name)
            region.open(undefined)
            return region
          })
          let written = 0
          steps.forEach((each, now) => {
            const region = regions[each.region]!
            const key = `k${each.key}`
            const entry = entryOf(now, { createdAt: now, freshUntil: each.n, staleUntil: now + 3 * each.n })
            if (each.do === "set") {
              if (region.set(key, entry, undefined)) written++
              else assert.isUndefined(region.slots.get(key), "what was refused leaves nothing older behind")
            } else if (each.do === "get") region.get(key, now)
            else if (each.do === "delete") region.delete(key)
            else if (each.do === "clear" && each.n > 15) region.clear()
            else if (each.do === "sweep") pool.sweep(now, 0, pool.slots)
            else if (each.do === "release" && each.n > 10) pool.release(each.n)
            else if (each.do === "weigh") assert.isAtLeast(pool.bytes, 0)
            else if (each.do === "entries") pool.resize({ ...pool.limits, maxEntries: each.n })
            else if (each.do === "bytes" && weighs) pool.resize({ ...pool.limits, maxBytes: 3 * each.n })
            audit(pool, regions)
            assert.strictEqual(
              written,
              pool.entries + removed.count,
              "who came in is in, or has been told to have gone"
            )
            const counted = Object.values(pool.gone).reduce((sum, count) => sum + count, 0)
            assert.strictEqual(counted, removed.count)
          })
        }),
        { numRuns: 300 }
      )
    })
  }
})
