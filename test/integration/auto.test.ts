/** Stores of which each value gets the one that suits it. */
import { assert, describe, it } from "@effect/vitest"
import { Cache, CacheError, CacheStore, MemoryStore } from "effect-larder"
import * as SqliteStore from "effect-larder/SqliteStore"
import { FaultyStore, StoreLaws } from "effect-larder/testing"
import { Context, Effect, Layer, Logger, Schema } from "effect"
import * as Regions from "../../src/testing/internal/regions.js"
import { over } from "../fixtures/cache/harness.js"
import { refused } from "../fixtures/sqlite/lives.js"

const silent = Logger.remove(Logger.defaultLogger)

const smallAndLarge = CacheStore.layerAuto({
  small: { store: MemoryStore.layerBytes(), upTo: 300 },
  large: { store: SqliteStore.layerMemory }
}).pipe(Layer.provide(silent))

// the laws' own values are some way above and below it
StoreLaws.suite(
  "chosen by size",
  CacheStore.layerAuto({
    small: { store: MemoryStore.layerBytes(), upTo: 135 },
    large: { store: SqliteStore.layerMemory }
  }).pipe(Layer.provide(silent))
)
const gone = Layer.effectContext(
  Effect.fail(
    new CacheError.StoreUnavailable({ store: "RedisStore", reason: "connect ECONNREFUSED", hint: "start it" })
  )
) as Layer.Layer<CacheStore.CacheStore | CacheStore.Persistent, CacheError.StoreUnavailable>

const sizesOf = (region: Regions.Region) =>
  Effect.map(region.sizes, (tiers) => tiers.map(({ entries, store }) => `${store}: ${entries}`))

describe("CacheStore.layerAuto", () => {
  it.effect("puts each value where its size belongs, and in one place only", () =>
    Effect.gen(function* () {
      const region = yield* Regions.open("region")
      yield* Regions.put(region, "a", "x")
      yield* Regions.put(region, "b", "x".repeat(1_000))
      assert.deepStrictEqual(yield* sizesOf(region), ["MemoryStore: 1", "SqliteStore: 1"])
      const { found } = yield* region.getMany(["a", "b"])
      assert.deepStrictEqual(
        found.map((one) => [one?.store, one?.tier]),
        [
          ["MemoryStore", 1],
          ["SqliteStore", 2]
        ]
      )
      // one that grows, explicitly or by a load, and one that shrinks
      yield* Regions.put(region, "a", "x".repeat(1_000))
      assert.deepStrictEqual(yield* sizesOf(region), ["MemoryStore: 0", "SqliteStore: 2"])
      yield* Regions.put(region, "b", "y", { since: yield* Regions.epochOf(region) })
      assert.deepStrictEqual(yield* sizesOf(region), ["MemoryStore: 1", "SqliteStore: 1"])
      assert.deepStrictEqual(yield* Regions.values(region, "b"), ["y"])
      assert.strictEqual(yield* region.deleteMany(["a", "b", "none"]), 2)
    }).pipe(Effect.scoped, over(smallAndLarge))
  )

  it.effect("an explicit write wins over a load of another size that began before it", () =>
    Effect.gen(function* () {
      for (const [explicit, late] of [
        ["x", "y".repeat(1_000)],
        ["x".repeat(1_000), "y"]
      ]) {
        const region = yield* Regions.open(`region ${late?.length}`)
        const since = yield* Regions.epochOf(region)
        yield* Regions.put(region, "k", explicit)
        yield* Regions.put(region, "k", late, { since })
        assert.deepStrictEqual(yield* Regions.values(region, "k"), [explicit])
      }
    }).pipe(Effect.scoped, over(smallAndLarge))
  )

  it.effect("a stale value that grows is found where it belongs then", () =>
    Effect.gen(function* () {
      let size = 1
      const cache = yield* Cache.make("growing", {
        key: Schema.String,
        success: Schema.String,
        timeToLive: "1 minute",
        lookup: () => Effect.sync(() => "x".repeat((size *= 1_000) / 1_000))
      })
      yield* cache.get("k")
      assert.strictEqual((yield* cache.refresh("k")).length, 1_000)
      assert.strictEqual((yield* cache.get("k")).length, 1_000)
      const { tiers } = yield* cache.stats
      assert.deepStrictEqual(
        tiers.map(({ entries }) => entries),
        [0, 1]
      )
      assert.strictEqual(size, 1_000_000)
    }).pipe(Effect.scoped, over(smallAndLarge))
  )

  it.effect("a part that is down costs what it has", () =>
    Effect.gen(function* () {
      const region = yield* Regions.open("region")
      yield* Regions.put(region, "a", "x")
      yield* Regions.put(region, "b", "x".repeat(1_000))
      const failure = new CacheError.StoreTimeout({ store: "large", operation: "any", millis: 1 })
      yield* Effect.flatMap(FaultyStore.Faults, (faults) => faults.break({ _tag: "Fail", failure }))
      const reading = yield* region.getMany(["a", "b"])
      assert.strictEqual(reading.failure, failure)
      assert.deepStrictEqual(
        reading.found.map((one) => one?.store),
        ["MemoryStore", undefined]
      )
      // nothing is known of what is there: an explicit write fails, rather than leave an older value there
      assert.strictEqual(yield* Effect.flip(Regions.put(region, "b", "y")), failure)
    }).pipe(
      Effect.scoped,
      over(
        Layer.flatMap(FaultyStore.over(SqliteStore.layerMemory), (context) =>
          Layer.merge(
            CacheStore.layerAuto({
              small: { store: MemoryStore.layerBytes(), upTo: 300 },
              large: { store: Layer.succeedContext(context) }
            }),
            Layer.succeed(FaultyStore.Faults, Context.get(context, FaultyStore.Faults))
          )
        ).pipe(Layer.provide(silent))
      )
    )
  )

  it.scoped("leaves out what cannot be built, and says so; its values go to the next", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const listening = Logger.replace(
        Logger.defaultLogger,
        Logger.make(({ message }) => void lines.push(String(message)))
      )
      const layer = CacheStore.layerAuto({
        small: { store: MemoryStore.layerBytes(), upTo: 300 },
        middle: { store: gone, upTo: 2_000 },
        large: { store: SqliteStore.layerMemory }
      })
      const context = yield* Layer.build(layer).pipe(Effect.provide(listening))
      assert.deepStrictEqual(lines, [
        "larder: using MemoryStore | SqliteStore (middle: RedisStore: connect ECONNREFUSED)"
      ])
      const region = yield* Effect.provide(Regions.open("region"), context)
      yield* Regions.put(region, "k", "x".repeat(1_000))
      assert.deepStrictEqual(yield* sizesOf(region), ["MemoryStore: 0", "SqliteStore: 1"])
      const none = yield* refused(CacheStore.layerAuto({ one: { store: gone }, two: { store: gone } }))
      assert.strictEqual(none._tag, "StoreUnavailable")
    })
  )

  it.scoped("what has no Schema goes to where references are kept; if there is no such place, it says so", () =>
    Effect.gen(function* () {
      const bare = Cache.make("bare", { key: Schema.String, lookup: (key: string) => Effect.succeed(() => key) })
      const cache = yield* Effect.provide(
        bare,
        yield* Layer.build(
          CacheStore.layerAuto({ rows: { store: SqliteStore.layerMemory }, memory: { store: MemoryStore.layer() } })
        ).pipe(Effect.provide(silent))
      )
      const first = yield* cache.get("k")
      assert.strictEqual(yield* cache.get("k"), first)
      const error = yield* Effect.flip(
        Effect.provide(
          bare,
          yield* Layer.build(CacheStore.layerAuto({ rows: { store: SqliteStore.layerMemory } })).pipe(
            Effect.provide(silent)
          )
        )
      )
      assert.match(error.message, /no Schema/)
    })
  )

  it.scoped("parts that make no sense are told, all of them", () =>
    Effect.gen(function* () {
      const error = yield* refused(
        CacheStore.layerAuto({
          one: { store: MemoryStore.layer(), upTo: 0 },
          two: { store: MemoryStore.layer(), upTo: 1.5 }
        })
      )
      assert.deepStrictEqual(
        (error as CacheError.InvalidConfig).issues.map(({ field }) => field),
        ["one.upTo", "two.upTo"]
      )
      assert.match(
        String(
          yield* refused(CacheStore.layerAuto({}) as Layer.Layer<CacheStore.CacheStore, CacheError.InvalidConfig>)
        ),
        /there are none/
      )
    })
  )
})

describe("CacheStore.select", () => {
  const kinds = {
    memory: { live: true, persistent: false, shared: false },
    files: { live: false, persistent: true, shared: false },
    server: { live: false, persistent: true, shared: true }
  }
  const candidates: ReadonlyArray<CacheStore.Candidate> = [
    { name: "memory", capabilities: kinds.memory, upTo: 1_000 },
    { name: "files", capabilities: kinds.files, upTo: 100_000 },
    { name: "server", capabilities: kinds.server }
  ]
  const all = <A>(...values: ReadonlyArray<A>): ReadonlyArray<A | undefined> => [undefined, ...values]

  it("never chooses what must not be, and always chooses something that may, whatever is asked of whatever is there", () => {
    let cases = 0
    for (const bytes of all(10, 5_000, 5_000_000)) {
      for (const kind of all("reference" as const, "bytes" as const)) {
        for (const lifetime of all(1_000, 1e9, Infinity)) {
          for (const access of all("reads" as const, "writes" as const, "both" as const)) {
            for (const persistent of all(true, false)) {
              for (const shared of all(true, false)) {
                for (let there = 0; there < 8; there++) {
                  cases++
                  const offered = candidates.map((one, place) =>
                    (there & (1 << place)) === 0 ? { ...one, unavailable: "it is away" } : one
                  )
                  const profile = { bytes, kind, lifetime, access, persistent, shared }
                  const { choice, reasons, rejected } = CacheStore.select(profile, offered)
                  const may = offered.filter(
                    ({ capabilities, unavailable }) =>
                      unavailable === undefined &&
                      (kind !== "reference" || capabilities.live) &&
                      (persistent !== true || capabilities.persistent) &&
                      (shared !== true || capabilities.shared)
                  )
                  const told = JSON.stringify({ profile, there, choice })
                  assert.strictEqual(choice !== undefined, may.length > 0, told)
                  assert.isTrue(choice === undefined || may.some(({ name }) => name === choice), told)
                  assert.strictEqual(Object.keys(rejected).length, choice === undefined ? 3 : 2, told)
                  assert.strictEqual(reasons.length > 0, choice !== undefined, told)
                  // one that is large enough is never passed over for one that is not
                  const fit = may.filter(({ upTo = Infinity }) => bytes === undefined || bytes <= upTo)
                  const chosen = offered.find(({ name }) => name === choice)
                  if (fit.length > 0 && chosen !== undefined) assert.include(fit, chosen, told)
                }
              }
            }
          }
        }
      }
    }
    assert.strictEqual(cases, 4 * 3 * 4 * 4 * 3 * 3 * 8)
  })

  it("prefers what is near, what is cheap to write, and what comes first", () => {
    const chosen = (profile: CacheStore.Profile, offered = candidates) => CacheStore.select(profile, offered).choice
    assert.strictEqual(chosen({}), "memory")
    assert.strictEqual(chosen({ bytes: 5_000 }), "files")
    assert.strictEqual(chosen({ bytes: 5_000_000 }), "server")
    assert.strictEqual(chosen({ bytes: 5_000_000 }, candidates.slice(0, 2)), "files")
    assert.strictEqual(chosen({ persistent: true, lifetime: 1_000 }), "files")
    assert.strictEqual(chosen({ access: "writes" }, [...candidates].reverse()), "memory")
    assert.strictEqual(chosen({ access: "writes", persistent: true }, [...candidates].reverse()), "server")
    const twins = ["one", "two"].map((name) => ({ name, capabilities: kinds.memory }))
    assert.strictEqual(chosen({}, twins), "one")
    assert.deepStrictEqual(CacheStore.select({}, twins).rejected, { two: "comes later" })
  })
})
