/**
 * What every store must do, as a suite of tests: for ours, for compositions, and for yours.
 *
 * Needs the optional peers `vitest`, `@effect/vitest` and `fast-check`.
 *
 * @since 0.1.0
 */
import { assert, describe, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import * as TestContext from "effect/TestContext"
import * as fc from "fast-check"
import * as CacheError from "../CacheError.js"
import * as CacheStore from "../CacheStore.js"
import * as CacheEvents from "../observe/CacheEvents.js"
import * as Histories from "./internal/interleavings.js"
import * as Raw from "./internal/rawLaws.js"
import * as Regions from "./internal/regions.js"

type Law = Regions.Law

/** Values that caches have been known to lose or to mix up. */
const values: ReadonlyArray<unknown> = [
  "",
  "text",
  0,
  -0,
  1,
  "1",
  true,
  false,
  null,
  [],
  {},
  [1, [null]],
  { a: { b: [] } }
]

const hostile: ReadonlyArray<string> = [
  "../../x",
  "/etc/passwd",
  "__proto__",
  "constructor",
  "a\0b",
  "*",
  "?[a-z]",
  "%_",
  "a/b\\c",
  "user:1",
  "e\u0301",
  "\u00e9",
  "\u{1f600}",
  "' OR 1=1 --",
  "x".repeat(1_000_000)
]

const listed = (region: Regions.Region) =>
  Effect.map(Stream.runCollect(region.entries), (rows) =>
    Chunk.toReadonlyArray(rows)
      .map((row) => row.key)
      .sort()
  )

const countOf = (region: Regions.Region) =>
  Effect.map(region.sizes, (tiers) => Math.max(...tiers.map(({ entries }) => entries)))

const roundTrips: Record<string, Law> = {
  "gives back what was put in: any value, and typed failures": Effect.gen(function* () {
    const region = yield* Regions.open("values")
    for (const [index, value] of values.entries()) yield* Regions.put(region, `key ${index}`, value)
    const failure = Exit.fail(new Regions.Refused({ why: "closed" }))
    yield* region.setMany([{ key: "failure", entry: yield* Regions.entryOf(failure), since: undefined }])
    const found = yield* Regions.values(region, ...values.map((_, index) => `key ${index}`))
    found.forEach((value, index) => assert.isTrue(Object.is(value, values[index]) || typeof value === "object"))
    assert.deepStrictEqual(found, [...values])
    assert.deepStrictEqual(yield* Regions.exits(region, "failure"), [failure])
  }),

  "gives back times and tags": Effect.gen(function* () {
    const region = yield* Regions.open("times")
    const entry = { ...(yield* Regions.entryOf(Exit.succeed(1), { life: 5_000.5, tags: ["a", "b"] })), keyText: "long" }
    yield* region.setMany([{ key: "k", entry, since: undefined }])
    const [found] = (yield* region.getMany(["k"])).found
    assert.deepStrictEqual({ ...found?.entry }, { ...entry })
  }),

  "answers in the order of the keys, each as often as it was asked for": Effect.gen(function* () {
    const region = yield* Regions.open("order")
    yield* Regions.put(region, "a", 1)
    yield* Regions.put(region, "b", 2)
    assert.deepStrictEqual(yield* Regions.values(region, "b", "none", "a", "b"), [2, undefined, 1, 2])
    assert.deepStrictEqual(yield* Regions.values(region), [])
  }),

  "keeps hostile keys apart, and finds them again": Effect.gen(function* () {
    const region = yield* Regions.open("keys")
    for (const [index, key] of hostile.entries()) yield* Regions.put(region, key, index)
    assert.deepStrictEqual(
      yield* Regions.values(region, ...hostile),
      hostile.map((_, index) => index)
    )
    assert.deepStrictEqual(yield* listed(region), [...hostile].sort())
    assert.strictEqual(yield* region.deleteMany(["*", "%"]), 1)
    assert.strictEqual(yield* region.clear, hostile.length - 1)
  })
}

const regions: Record<string, Law> = {
  "keeps regions of any names apart": Effect.gen(function* () {
    const names = ["a", "a/b", "../a", "__proto__", "A", "a*", "å", "a:b"]
    const all = yield* Effect.forEach(names, (name) => Regions.open(name))
    for (const [index, region] of all.entries()) yield* Regions.put(region, "k", index, { tags: ["t"] })
    yield* all[0]!.clear
    yield* all[1]!.invalidateTags(["t"])
    yield* all[2]!.deleteMany(["k"])
    const found = yield* Effect.forEach(all, (region) => Regions.values(region, "k"))
    assert.deepStrictEqual(
      found.flat(),
      names.map((_, index) => (index < 3 ? undefined : index))
    )
  }),

  "refuses a name that is open, and frees it with its Scope": Effect.gen(function* () {
    const twice = Effect.zipRight(Regions.open("name"), Effect.flip(Regions.open("name")))
    const error = yield* Effect.scoped(twice)
    assert.instanceOf(error, CacheError.InvalidConfig)
    assert.strictEqual(error.issues[0]?.field, "name")
    yield* Effect.scoped(Regions.open("name"))
    yield* Regions.open("name")
  }),

  "serves nothing of another Schema: absent, removed, and told": Effect.gen(function* () {
    const store = yield* CacheStore.CacheStore
    yield* Effect.scoped(Effect.flatMap(Regions.open("schema"), (region) => Regions.put(region, "k", "text")))
    const heard = yield* Effect.fork(Stream.runHead(CacheEvents.only("DecodeFailed")))
    yield* Effect.repeatN(Effect.yieldNow(), 20) // until it listens
    const numbers = yield* Regions.openNumbers("schema")
    assert.deepStrictEqual((yield* numbers.getMany(["k"])).found, [undefined])
    assert.deepStrictEqual(yield* Stream.runCount(numbers.entries), 0)
    if (store.capabilities.live) {
      yield* Fiber.interrupt(heard) // what is kept by reference is dropped when the name is opened
    } else {
      const event = yield* Effect.flatten(Fiber.join(heard))
      assert.strictEqual(event._tag, "DecodeFailed")
    }
  })
}

const removals: Record<string, Law> = {
  "counts what it removes": Effect.gen(function* () {
    const region = yield* Regions.open("counts")
    for (const key of ["a", "b", "c", "d"]) yield* Regions.put(region, key, key)
    assert.strictEqual(yield* countOf(region), 4)
    assert.strictEqual(yield* region.deleteMany(["a", "none", "b"]), 2)
    assert.deepStrictEqual(yield* listed(region), ["c", "d"])
    assert.strictEqual(yield* region.clear, 2)
    assert.strictEqual(yield* region.clear, 0)
    assert.strictEqual(yield* countOf(region), 0)
  }),

  "a tag's invalidation reaches all that have it, and only those; what is written later stands": Effect.gen(
    function* () {
      const region = yield* Regions.open("tags")
      yield* Regions.put(region, "both", 1, { tags: ["t", "u"] })
      yield* Regions.put(region, "t", 2, { tags: ["t"] })
      yield* Regions.put(region, "u", 3, { tags: ["u"] })
      yield* region.invalidateTags(["t"])
      assert.deepStrictEqual(yield* Regions.values(region, "both", "t", "u"), [undefined, undefined, 3])
      assert.deepStrictEqual(yield* listed(region), ["u"])
      yield* Regions.put(region, "t", 4, { tags: ["t"], since: yield* Regions.epochOf(region) })
      assert.deepStrictEqual(yield* Regions.values(region, "t"), [4])
    }
  )
}

const lives = [undefined, 60_000, 3_600_000]
const expiry: Record<string, Law> = Object.fromEntries(
  lives.map((life): [string, Law] => [
    life === undefined ? "keeps what has no end" : `serves nothing that is over after ${life / 1_000} seconds`,
    Effect.gen(function* () {
      const region = yield* Regions.open("expiry")
      yield* Regions.put(region, "k", 1, life === undefined ? {} : { life })
      yield* TestClock.adjust((life ?? 1e12) - 1)
      assert.deepStrictEqual(yield* Regions.values(region, "k"), [1])
      assert.strictEqual(yield* countOf(region), 1)
      yield* TestClock.adjust(1)
      const left = life === undefined ? 1 : undefined
      assert.deepStrictEqual(yield* Regions.values(region, "k"), [left])
      assert.deepStrictEqual(yield* listed(region), left === undefined ? [] : ["k"])
      assert.strictEqual(yield* countOf(region), left ?? 0)
    })
  ])
)

type Invalidation = (region: Regions.Region) => Effect.Effect<unknown, unknown>
const invalidations: Record<string, Invalidation> = {
  "its key is deleted": (region) => region.deleteMany(["other", "k"]),
  "its tag is invalidated": (region) => region.invalidateTags(["t"]),
  "the region is cleared": (region) => region.clear,
  "everything is invalidated": (region) => region.invalidateAll,
  "its key is set": (region) => Effect.zipRight(Regions.put(region, "k", "set"), region.deleteMany(["k"]))
}

const fences: Record<string, Law> = {
  "stores a load that nothing has overtaken": Effect.gen(function* () {
    const region = yield* Regions.open("fences")
    const since = yield* Regions.epochOf(region)
    yield* Regions.put(region, "k", 1, { since, tags: ["t"] })
    assert.deepStrictEqual(yield* Regions.values(region, "k"), [1])
  }),
  "an explicit write wins over a load that started before it": Effect.gen(function* () {
    const region = yield* Regions.open("fences")
    const since = yield* Regions.epochOf(region)
    yield* Regions.put(region, "k", "set")
    yield* Regions.put(region, "k", "late", { since })
    assert.deepStrictEqual(yield* Regions.values(region, "k"), ["set"])
  }),
  "a load does not replace one that started after it": Effect.gen(function* () {
    const region = yield* Regions.open("fences")
    const since = yield* Regions.epochOf(region)
    yield* Regions.put(region, "k", "first", { since })
    yield* region.deleteMany(["other"])
    yield* Regions.put(region, "k", "younger", { since: yield* Regions.epochOf(region) })
    yield* Regions.put(region, "k", "older", { since })
    assert.deepStrictEqual(yield* Regions.values(region, "k"), ["younger"])
  }),
  ...Object.fromEntries(
    Object.entries(invalidations).map(([when, invalidate]): [string, Law] => [
      `drops a load that was under way when ${when}`,
      Effect.gen(function* () {
        const region = yield* Regions.open("fences")
        yield* Regions.put(region, "k", "before", { tags: ["t"] })
        const since = yield* Regions.epochOf(region)
        yield* invalidate(region)
        yield* Regions.put(region, "k", "late", { since, tags: ["t"] })
        assert.deepStrictEqual(yield* Regions.values(region, "k"), [undefined])
        yield* Regions.put(region, "k", "new", { since: yield* Regions.epochOf(region), tags: ["t"] })
        assert.deepStrictEqual(yield* Regions.values(region, "k"), ["new"])
      })
    ])
  )
}

/** The options of a region that an engine need not know of, and what it may tell. */
const limits: Record<string, Law> = {
  "an entry that nobody reads is gone after timeToIdle, and each reading begins that anew": Effect.gen(function* () {
    const region = yield* Regions.open("idle", { timeToIdle: 1_000 })
    yield* Regions.put(region, "read", 1)
    yield* Regions.put(region, "unread", 2)
    for (let times = 0; times < 3; times++) {
      yield* TestClock.adjust(600)
      assert.deepStrictEqual(yield* Regions.values(region, "read"), [1])
    }
    assert.deepStrictEqual(yield* Regions.values(region, "unread"), [undefined])
    yield* TestClock.adjust(1_000)
    assert.deepStrictEqual(yield* Regions.values(region, "read"), [undefined])
  }),
  "an entry stays in the first tier for as long as that is told, and never longer than it lives": Effect.gen(
    function* () {
      const region = yield* Regions.open("short", { timeToLive: Array.from({ length: 9 }, () => 1_000) })
      yield* Regions.put(region, "k", 1)
      yield* TestClock.adjust(999)
      assert.deepStrictEqual(yield* Regions.values(region, "k"), [1])
      // what comes to a nearer tier from a farther one is no younger for that
      yield* TestClock.adjust(1_000)
      yield* TestClock.adjust(1_000)
      assert.deepStrictEqual(yield* Regions.values(region, "k"), [undefined])
    }
  ),
  "inspecting tells what is there and what has outdated it, or that there is nothing": Effect.gen(function* () {
    const region = yield* Regions.open("inspected")
    const first = () => Effect.map(region.inspect("k"), ([tier]) => tier)
    assert.isUndefined((yield* first())?.entry)
    yield* Regions.put(region, "k", 1, { tags: ["t"] })
    const found = yield* first()
    assert.deepStrictEqual(found?.entry?.tags, ["t"])
    assert.isUndefined(found?.outdatedBy)
    yield* region.invalidateTags(["t"])
    const outdated = yield* first()
    // an engine need not tell of what is outdated
    assert.isTrue(outdated?.entry === undefined || outdated.outdatedBy !== undefined)
  })
}

const laws = { ...limits, ...roundTrips, ...regions, ...Raw.laws, ...removals, ...expiry, ...fences }

/**
 * Settings of the suite: how many random histories are tried (default 200), and the seed they come from. A failure
 * prints its seed and the shortest history that shows it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly histories?: number | undefined
  readonly seed?: number | undefined
}

/**
 * Registers the tests of a store with vitest. Each test builds the store anew from its Layer, and releases it.
 *
 * @example
 * ```ts no-run
 * import { MemoryStore } from "effect-larder"
 * import { StoreLaws } from "effect-larder/testing"
 *
 * // in a test file
 * StoreLaws.suite("MemoryStore", MemoryStore.layer())
 * ```
 *
 * @since 0.1.0
 * @category suites
 */
export const suite = <O, E>(
  name: string,
  layer: Layer.Layer<CacheStore.CacheStore | O, E>,
  { histories = 200, seed }: Options = {}
): void => {
  describe(`${name}: the laws of stores`, () => {
    const over = <A, E2>(law: Effect.Effect<A, E2, CacheStore.CacheStore | Scope.Scope>) =>
      law.pipe(Effect.scoped, Effect.provide(layer), Effect.provide(CacheEvents.layer()))

    for (const [title, law] of Object.entries(laws)) it.effect(title, () => over(law))

    it(`never serves what was invalidated, in any history of ${histories}`, () =>
      fc.assert(
        fc.asyncProperty(Histories.steps, async (history) => {
          const run = over(Effect.flatMap(Regions.open("history"), (region) => Histories.run(region, history)))
          assert.isUndefined(await Effect.runPromise(Effect.provide(run, TestContext.TestContext)))
        }),
        { numRuns: histories, ...(seed === undefined ? {} : { seed }) }
      ))
  })
}
