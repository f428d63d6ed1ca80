/** Memory pressure, by a probe that the test writes: who is given up, how much, and who is told how often. */
import { assert, describe, it } from "@effect/vitest"
import { Chunk, Effect, Fiber, Logger, LogLevel, Metric, type Scope, Stream, TestClock } from "effect"
import { Cache, CacheEvents, MemoryProbe, MemoryStore } from "effect-larder"
import { LeakOracle } from "effect-larder/testing"
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { settled } from "../fixtures/cache/harness.js"
import { folder } from "../fixtures/sqlite/common.js"

const kilo = 1_000

interface World {
  readings: ReadonlyArray<MemoryProbe.Reading>
  readonly warnings: Array<string>
}

const heap = (used: number, limit = 100 * kilo): MemoryProbe.Reading => ({ kind: "heap", used, limit })

/** A store of entries that weigh 1 000 bytes each, watched over every 5 seconds. */
const under =
  (
    world: World,
    options: MemoryStore.Options = {},
    probe: MemoryProbe.Service = { read: Effect.sync(() => world.readings) }
  ) =>
  <A, E>(test: Effect.Effect<A, E, MemoryStore.Provided | LeakOracle.LeakOracle | Scope.Scope>) =>
    test.pipe(
      Effect.provide(MemoryStore.layer({ memoryPressure: {}, weigher: () => kilo, policy: "lru", ...options })),
      Effect.provideService(MemoryProbe.MemoryProbe, probe),
      Effect.provide(
        Logger.replace(
          Logger.defaultLogger,
          Logger.make(({ logLevel, message }) => {
            if (logLevel === LogLevel.Warning) world.warnings.push(String((message as ReadonlyArray<unknown>)[0]))
          })
        )
      ),
      LeakOracle.check
    )

const filled = (count: number) =>
  Effect.gen(function* () {
    const cache = yield* Cache.make("numbers", { lookup: (n: number) => Effect.succeed(n) })
    for (let n = 0; n < count; n++) yield* cache.set(n, n)
    return cache
  })

const look = TestClock.adjust("5 seconds")
const entries = Effect.flatMap(MemoryStore.Controls, (controls) => Effect.map(controls.usage, (usage) => usage.entries))

describe("MemoryStore: memory pressure", () => {
  it.effect("above the high-water mark the coldest go, down to the low one (R103)", () => {
    const world: World = { readings: [heap(50 * kilo)], warnings: [] }
    return Effect.gen(function* () {
      const cache = yield* filled(50)
      yield* cache.get(0)
      yield* look
      world.readings = [heap(90 * kilo)]
      yield* look
      assert.strictEqual(yield* entries, 50, "at the mark is not above it")
      world.readings = [heap(91 * kilo)]
      yield* look
      assert.strictEqual(yield* entries, 50 - 11)
      assert.isTrue(yield* cache.has(0), "it was used last")
      assert.isFalse(yield* cache.has(1))
      assert.strictEqual(
        (yield* Effect.flatMap(MemoryStore.Controls, (controls) => controls.usage)).removals.pressure,
        11
      )
    }).pipe(under(world))
  })

  it.effect("what was given up is believed in until the collector comes by: a store does not empty itself", () => {
    const world: World = { readings: [heap(95 * kilo)], warnings: [] }
    return Effect.gen(function* () {
      yield* filled(50)
      yield* look
      assert.strictEqual(yield* entries, 50 - 15)
      yield* look
      assert.strictEqual(yield* entries, 50 - 15, "the reading has not changed, for nothing was collected yet")
      world.readings = [heap(80 * kilo)]
      yield* look
      world.readings = [heap(92 * kilo)]
      yield* look
      assert.isBelow(yield* entries, 50 - 15, "it was collected, and there is more in use again")
    }).pipe(under(world))
  })

  it.effect("where what was given up helps nothing, more goes, until nothing is left; what is pinned stays", () => {
    const world: World = { readings: [heap(99 * kilo)], warnings: [] }
    return Effect.gen(function* () {
      yield* filled(50)
      for (let looks = 0; looks < 50; looks++) yield* look
      assert.strictEqual(yield* entries, 1)
    }).pipe(under(world, { pinned: (key) => key.includes("42") }))
  })

  it.effect("one event, one warning and one count for each crossing, not for each look (R104)", () => {
    const world: World = { readings: [heap(95 * kilo)], warnings: [] }
    return Effect.gen(function* () {
      const fiber = yield* Effect.fork(Stream.runCollect(Stream.take(CacheEvents.only("MemoryPressure"), 2)))
      yield* settled
      yield* Effect.gen(function* () {
        yield* filled(50)
        for (const percent of [95, 96, 91, 85, 81, 95, 79, 85, 95, 95]) {
          world.readings = [heap(percent * kilo)]
          yield* look
        }
      }).pipe(under(world))
      assert.lengthOf(world.warnings, 2)
      assert.match(world.warnings[0]!, /MemoryStore .*heap is 9[0-9] % full/)
      const [first] = Chunk.toReadonlyArray(yield* Fiber.join(fiber))
      assert.deepInclude(first, {
        _tag: "MemoryPressure",
        limit: "heap",
        max: 100 * kilo,
        used: 95 * kilo,
        entries: 15
      })
    }).pipe(Effect.provide(CacheEvents.layer()), Effect.scoped)
  })

  it.effect("heap and container are two limits: whichever is near counts", () => {
    const world: World = {
      readings: [heap(10 * kilo), { kind: "container", used: 95 * kilo, limit: 100 * kilo }],
      warnings: []
    }
    return Effect.gen(function* () {
      yield* filled(50)
      yield* look
      assert.strictEqual(yield* entries, 35)
      assert.lengthOf(world.warnings, 1)
      assert.match(world.warnings[0]!, /the container is 95 % full/)
    }).pipe(under(world))
  })

  it.effect("gauges tell what is used and what may be", () => {
    const world: World = { readings: [heap(12_345, 67_890)], warnings: [] }
    return Effect.gen(function* () {
      yield* look
      // a gauge's key has its description in it: found in the snapshot, by name
      const snapshot = yield* Metric.snapshot
      const named = (name: string) =>
        snapshot
          .filter(({ metricKey }) => metricKey.name === name && metricKey.tags.some((tag) => tag.value === "heap"))
          .map(({ metricState }) => (metricState as unknown as { readonly value: number }).value)
      assert.deepStrictEqual(named("cache_memory_used_bytes"), [12_345])
      assert.deepStrictEqual(named("cache_memory_limit_bytes"), [67_890])
    }).pipe(under(world))
  })

  it.effect("a runtime that tells nothing is looked at in vain, without harm", () => {
    const world: World = { readings: [], warnings: [] }
    return Effect.gen(function* () {
      yield* filled(5)
      yield* look
      assert.strictEqual(yield* entries, 5)
    }).pipe(under(world))
  })
})

describe("MemoryProbe", () => {
  it.effect("by default it asks the runtime: the heap's limit is above what is used, which is plausible", () =>
    Effect.gen(function* () {
      const readings = yield* Effect.flatMap(MemoryProbe.MemoryProbe, (probe) => probe.read)
      const [first] = readings.filter((reading) => reading.kind === "heap")
      assert.isAbove(first!.used, 1_000_000)
      assert.isAbove(first!.limit, first!.used)
      for (const { limit, used } of readings) assert.isTrue(used > 0 && limit > 0)
    })
  )
})

describe("MemoryStore: a probe that is broken", () => {
  it.effect("is told of, and asked again", () => {
    const world: World = { readings: [heap(95 * kilo)], warnings: [] }
    let reads = 0
    const probe = {
      read: Effect.sync(() => {
        if (reads++ === 0) throw new Error("no such file")
        return world.readings
      })
    }
    return Effect.gen(function* () {
      yield* filled(50)
      yield* look
      assert.strictEqual(yield* entries, 35)
      assert.match(world.warnings[0]!, /cannot read how much memory is used/)
    }).pipe(under(world, {}, probe))
  })
})

describe("MemoryStore: a heap that is really too small", () => {
  /** Four times as much as the heap may hold goes through a store without any other bound. */
  const child = (options: string) =>
    Effect.gen(function* () {
      const script = path.join(yield* folder, "flood.mts")
      const from = (file: string) => JSON.stringify(path.resolve(import.meta.dirname, "../..", file))
      fs.writeFileSync(
        script,
        `import { Effect } from ${from("node_modules/effect/dist/esm/index.js")}
         import { Cache, MemoryStore } from ${from("src/index.ts")}
         const text = (n: number) => Buffer.alloc(4096, 33 + (n % 90)).toString("latin1")
         const program = Effect.gen(function*() {
           const cache = yield* Cache.make("texts", { lookup: (n: number) => Effect.sync(() => text(n)) })
           for (let n = 0; n < 100_000; n++) {
             yield* cache.get(n)
             if (n % 100 === 0) yield* Effect.sleep(1)
           }
           const { entries, removals } = yield* Effect.flatMap(MemoryStore.Controls, (controls) => controls.usage)
           console.log(entries + removals.pressure === 100_000 && removals.pressure > 50_000)
         })
         Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(MemoryStore.layer(${options}))))
        `
      )
      const flood = spawn(process.execPath, ["--max-old-space-size=96", "--import", "tsx", script], {
        stdio: ["ignore", "pipe", "ignore"]
      })
      let out = ""
      flood.stdout.on("data", (chunk) => (out += chunk))
      const code = yield* Effect.promise(() => new Promise((resolve) => flood.on("exit", resolve)))
      return { code, isRight: out.trimEnd().endsWith("true") }
    }).pipe(Effect.scoped)

  it.effect(
    "is lived with under memoryPressure, and is the end of the process without",
    () =>
      Effect.gen(function* () {
        const bounded = yield* child(`{ maxEntries: Infinity, memoryPressure: { every: "10 millis" } }`)
        assert.deepStrictEqual(bounded, { code: 0, isRight: true })
        const unbounded = yield* child(`{ maxEntries: Infinity }`)
        assert.notStrictEqual(unbounded.code, 0)
      }),
    120_000
  )
})
