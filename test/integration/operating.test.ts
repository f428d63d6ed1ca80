/** What those see and do who look after a program: its numbers as they are scraped, its health, and all of its caches. */
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServer from "@effect/platform/HttpServer"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import {
  Cache,
  CacheAdmin,
  CacheError,
  CacheHealth,
  CacheMetrics,
  CachePrometheus,
  CacheStats,
  CacheStore,
  MemoryStore
} from "effect-larder"
import * as CacheRoutes from "effect-larder/CacheRoutes"
import * as SqliteStore from "effect-larder/SqliteStore"
import { FaultyStore } from "effect-larder/testing"
import { Chunk, Effect, Exit, Fiber, Layer, Metric, MetricBoundaries, Option, Schema, Stream, TestClock } from "effect"
import { readFileSync } from "node:fs"
import { createServer } from "node:http"
import * as Families from "../../src/observe/internal/families.js"
import parse from "parse-prometheus-text-format"
import { over, settled } from "../fixtures/cache/harness.js"

const failure = new CacheError.StoreTimeout({ store: "far", operation: "get", millis: 50 })
const faulty = FaultyStore.over(SqliteStore.layerMemory)

interface Family {
  readonly name: string
  readonly help: string
  readonly type: string
  readonly metrics: ReadonlyArray<{
    readonly value?: string
    readonly labels?: Readonly<Record<string, string>>
    readonly buckets?: Readonly<Record<string, string>>
    readonly count?: string
    readonly sum?: string
  }>
}

/** As somebody else's parser reads it. */
const families = (text: string): ReadonlyMap<string, Family> =>
  new Map((parse(text) as ReadonlyArray<Family>).map((family) => [family.name, family]))

const numbers = (name: string, options: { readonly tags?: ReadonlyArray<string> } = {}) =>
  Cache.make(name, {
    key: Schema.String,
    success: Schema.Number,
    timeToLive: "1 minute",
    staleIfError: "1 hour",
    tags: options.tags ?? [],
    lookup: (key: string) =>
      key === "bad" ? Effect.fail("refused") : Effect.delay(Effect.succeed(key.length), "30 millis")
  })

const asked = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(effect)
    yield* settled
    yield* TestClock.adjust("1 second")
    return yield* Fiber.await(fiber)
  })

describe("CachePrometheus", () => {
  it.effect("tells what was counted, at the moment it is asked, so that another parser understands it", () =>
    Effect.gen(function* () {
      const name = 'odd "name" \\ with\nlines'.replace("\n", " ")
      const cache = yield* numbers(name)
      yield* asked(Effect.forEach(["a", "b", "c"], cache.get, { concurrency: "unbounded" }))
      yield* Effect.forEach(["a", "b"], cache.get)
      yield* asked(Effect.either(cache.get("bad")))
      const text = yield* CachePrometheus.text({ only: (one) => one.startsWith("cache_") })
      const found = families(text)
      const of = (family: string) =>
        (found.get(family)?.metrics ?? []).filter(({ labels }) => labels?.["cache"]?.includes("odd"))
      const sum = of("cache_gets_total").reduce((all, { value }) => all + Number(value), 0)
      const stats = yield* cache.stats
      assert.strictEqual(sum, stats.gets)
      assert.strictEqual(sum, 6)
      const byOutcome = Object.fromEntries(
        of("cache_gets_total").map(({ labels, value }) => [labels?.["outcome"], value])
      )
      assert.strictEqual(byOutcome["fresh"], "2")
      assert.strictEqual(byOutcome["loaded"], "3")
      assert.strictEqual(byOutcome["failed"], "1")
      assert.strictEqual(found.get("cache_gets_total")?.type, "COUNTER")
      assert.strictEqual(found.get("cache_entries")?.type, "GAUGE")
      assert.isAbove(found.get("cache_entries")?.help.length ?? 0, 10)
      assert.strictEqual(found.get("cache_load_duration_seconds")?.type, "HISTOGRAM")
      // three took 30 milliseconds, and one none at all
      const times = text.split("\n").filter((line) => /^cache_load_duration_seconds.*odd/.test(line))
      const valueAt = (part: string) =>
        times
          .find((line) => line.includes(part))
          ?.split(" ")
          .at(-1)
      assert.deepStrictEqual(['le="0.025"', 'le="0.05"', 'le="+Inf"', "_count"].map(valueAt), ["1", "4", "4", "4"])
      const again = families(yield* CachePrometheus.text({ only: (one) => one === "cache_loads_total" }))
      assert.deepStrictEqual([...again.keys()], ["cache_loads_total"])
    }).pipe(Effect.scoped, over(Layer.provideMerge(MemoryStore.layer(), CacheMetrics.layer())))
  )

  it.effect("tells every kind of metric, with names and values as they may be", () =>
    Effect.gen(function* () {
      yield* Metric.increment(Metric.counter("prom.test counter", { bigint: true }))
      yield* Metric.set(Metric.tagged(Metric.gauge("prom_test_gauge"), "a:b", 'x"\n\\y'), -0.5)
      yield* Metric.update(Metric.frequency("prom_test_frequency"), "some")
      yield* Metric.update(
        Metric.histogram("prom_test_histogram", MetricBoundaries.linear({ start: 1, width: 1, count: 3 })),
        2
      )
      yield* Metric.update(
        Metric.summary({ name: "prom_test_summary", maxAge: "1 hour", maxSize: 10, error: 0.1, quantiles: [0.5] }),
        7
      )
      const text = yield* CachePrometheus.text({ only: (name) => name.startsWith("prom") })
      const found = families(text)
      assert.strictEqual(found.get("prom_test_counter")?.metrics[0]?.value, "1")
      assert.include(text, 'prom_test_gauge{a_b="x\\"\\n\\\\y"} -0.5')
      assert.strictEqual(found.get("prom_test_frequency")?.metrics[0]?.labels?.["value"], "some")
      assert.deepStrictEqual(found.get("prom_test_histogram")?.metrics[0]?.count, "1")
      assert.strictEqual(found.get("prom_test_summary")?.type, "SUMMARY")
      assert.strictEqual(yield* CachePrometheus.text({ only: () => false }), "")
    })
  )
})

describe("CacheMetrics of stores", () => {
  it.effect("tells how long each operation took, how many failed, and whether a store is left alone", () =>
    Effect.gen(function* () {
      const faults = yield* FaultyStore.Faults
      const cache = yield* numbers("timed")
      yield* asked(cache.get("a"))
      yield* faults.break({ _tag: "Fail", failure })
      yield* asked(cache.get("b"))
      const valuesOf = Effect.map(
        CachePrometheus.text({ only: (one) => one.startsWith("cache_store") }),
        (text) => (start: string) =>
          text
            .split("\n")
            .filter((line) => line.startsWith(start) && line.includes("SqliteStore"))
            .map((line) => Number(line.split(" ").at(-1)))
      )
      const broken = yield* valuesOf
      assert.isAtLeast(broken('cache_store_duration_seconds_count{operation="set"')[0] ?? 0, 1)
      assert.deepStrictEqual(broken("cache_store_breaker_open"), [1])
      yield* faults.heal
      yield* TestClock.adjust("1 minute")
      yield* asked(cache.get("c"))
      assert.deepStrictEqual((yield* valuesOf)("cache_store_breaker_open"), [0])
    }).pipe(
      Effect.scoped,
      over(Layer.provideMerge(faulty.pipe(CacheStore.circuitBreaker({ failures: 1 })), CacheMetrics.layer()))
    )
  )

  it("the Grafana board asks for metrics that there are, by labels that they have", () => {
    const board = readFileSync(new URL("../../examples/grafana/effect-larder.json", import.meta.url), "utf8")
    const known = new Set([...Object.keys(Families.help), "cache_store_breaker_open", "cache_alert_active"])
    const asked = [...board.matchAll(/\b(cache_[a-z_]+?)(?:_bucket)?(?=[{[), "\\])/g)].map(([, name]) => String(name))
    assert.isAbove(new Set(asked).size, 15)
    assert.deepStrictEqual(
      asked.filter((name) => !known.has(name)),
      []
    )
    const { panels } = JSON.parse(board) as {
      readonly panels: ReadonlyArray<{ readonly gridPos: { readonly x: number; readonly w: number } }>
    }
    for (const { gridPos } of panels) assert.isAtMost(gridPos.x + gridPos.w, 24)
  })
})

describe("CacheHealth", () => {
  it.effect("a store that is down makes a cache degraded, and one that is required down", () =>
    Effect.gen(function* () {
      const faults = yield* FaultyStore.Faults
      yield* numbers("users")
      yield* numbers("prices")
      const well = yield* CacheHealth.check({ required: ["users"] })
      assert.deepStrictEqual([well.status, well.isReady], ["up", true])
      assert.deepStrictEqual(well.caches[0]?.stores, ["SqliteStore"])
      yield* faults.break({ _tag: "Fail", failure })
      const optional = yield* CacheHealth.check()
      assert.deepStrictEqual([optional.status, optional.isReady], ["degraded", true])
      assert.strictEqual(optional.caches[0]?.reason, failure.message)
      assert.strictEqual(optional.caches[0]?.hint, failure.hint)
      const required = yield* CacheHealth.check({ required: ["users"] })
      assert.deepStrictEqual(
        [required.status, required.isReady, ...required.caches.map(({ status }) => status)],
        ["down", false, "down", "degraded"]
      )
      yield* faults.heal
      assert.strictEqual((yield* CacheHealth.check({ required: ["users"] })).status, "up")
    }).pipe(Effect.scoped, over(Layer.provideMerge(faulty, CacheStats.layer)))
  )

  it.effect("a store that does not answer costs the limit, for all caches together", () =>
    Effect.gen(function* () {
      yield* numbers("users")
      yield* numbers("prices")
      yield* Effect.flatMap(FaultyStore.Faults, (faults) => faults.break({ _tag: "Hang" }))
      const fiber = yield* Effect.fork(CacheHealth.check({ timeout: "200 millis" }))
      yield* settled
      yield* TestClock.adjust("200 millis")
      const { caches, status } = yield* Fiber.join(fiber)
      assert.strictEqual(status, "degraded")
      assert.deepStrictEqual(
        caches.map(({ millis }) => millis),
        [200, 200]
      )
    }).pipe(Effect.scoped, over(Layer.provideMerge(faulty, CacheStats.layer)))
  )

  it.effect("a required cache that is not there is down; options that make no sense are told", () =>
    Effect.gen(function* () {
      const { caches, status } = yield* CacheHealth.check({ required: ["none"] })
      assert.strictEqual(status, "down")
      assert.match(caches[0]?.reason ?? "", /no cache of this name/)
      const error = yield* Effect.flip(CacheHealth.check({ required: "a", timeout: 0 } as never))
      assert.deepStrictEqual(error.issues.map(({ field }) => field).sort(), ["required", "timeout"])
    })
  )
})

describe("CacheRoutes", () => {
  it.scopedLive("are asked over HTTP, wherever they are mounted", () =>
    Effect.gen(function* () {
      const faults = yield* FaultyStore.Faults
      yield* numbers("users")
      const router = HttpRouter.empty.pipe(HttpRouter.mount("/ops", CacheRoutes.make({ required: ["users"] })))
      yield* Layer.launch(Layer.scopedDiscard(HttpServer.serveEffect(router))).pipe(Effect.forkScoped)
      const address = (yield* HttpServer.HttpServer).address
      assert(address._tag === "TcpAddress")
      const ask = (path: string) =>
        Effect.promise(async () => {
          const response = await fetch(`http://127.0.0.1:${address.port}/ops${path}`)
          return { status: response.status, type: response.headers.get("content-type"), body: await response.text() }
        })
      yield* Effect.repeat(Effect.option(Effect.map(ask("/healthz"), ({ status }) => status)), {
        until: (found) => Option.contains(found, 200),
        times: 100
      })
      assert.strictEqual((yield* ask("/healthz")).body, "ok\n")
      const ready = yield* ask("/readyz")
      assert.strictEqual(ready.status, 200)
      assert.strictEqual((JSON.parse(ready.body) as { status: string }).status, "up")
      yield* faults.break({ _tag: "Fail", failure })
      const down = yield* ask("/readyz")
      assert.strictEqual(down.status, 503)
      assert.include(down.body, failure.hint)
      assert.strictEqual((yield* ask("/healthz")).status, 200)
      const metrics = yield* ask("/metrics")
      assert.include(metrics.type ?? "", "text/plain; version=0.0.4")
      assert.isTrue(families(metrics.body).has("cache_gets_total"))
      assert.strictEqual((yield* ask("/nothing")).status, 404)
    }).pipe(
      Effect.provide(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })),
      Effect.provide(Layer.provideMerge(faulty, CacheMetrics.layer()))
    )
  )
})

describe("CacheAdmin", () => {
  const stores: ReadonlyArray<readonly [string, Layer.Layer<CacheStore.CacheStore>]> = [
    ["memory", MemoryStore.layer() as Layer.Layer<CacheStore.CacheStore>],
    ["SQLite", Layer.orDie(SqliteStore.layerMemory)]
  ]
  for (const [title, store] of stores) {
    it.effect(`sees all caches, what is in them, and why; and removes what has to go (${title})`, () =>
      Effect.gen(function* () {
        const admin = yield* CacheAdmin.CacheAdmin
        const users = yield* numbers("users", { tags: ["people"] })
        const prices = yield* numbers("prices")
        yield* asked(users.getMany(["ada", "alan"]))
        yield* asked(prices.get("bread"))
        yield* users.get("ada")
        const rows = yield* admin.list
        assert.deepStrictEqual(
          rows.map(({ entries, gets, name }) => [name, entries, gets]),
          [
            ["users", 2, 3],
            ["prices", 1, 1]
          ]
        )
        assert.strictEqual((yield* admin.stats()).gets, 4)
        assert.strictEqual((yield* admin.stats("users")).fresh, 1)
        assert.strictEqual(yield* admin.size("users"), 2)
        assert.deepStrictEqual(Chunk.toArray(yield* Stream.runCollect(admin.keys("users"))).sort(), ["ada", "alan"])
        const [entry] = Chunk.toArray(yield* Stream.runCollect(admin.entries("prices")))
        assert.isTrue(entry !== undefined && Exit.isSuccess(entry.entry.exit) && entry.entry.exit.value === 5)
        assert.strictEqual((yield* admin.explain("users", "ada")).verdict, "fresh")
        assert.isTrue(yield* admin.has("users", "ada"))
        assert.isTrue(Option.isSome(yield* admin.get("users", "ada")))
        assert.isTrue(Option.isNone(yield* admin.get("users", "nobody")))
        yield* admin.expire("users", "ada")
        assert.isFalse(yield* admin.has("users", "ada"))
        yield* admin.delete("users", "ada", "nobody")
        assert.strictEqual(yield* admin.size("users"), 1)
        yield* admin.invalidateTags("users", "people")
        assert.isFalse(yield* users.has("alan"))
        yield* asked(users.get("alan"))
        yield* admin.invalidateAll("users")
        assert.isFalse(yield* users.has("alan"))
        assert.isTrue(yield* prices.has("bread"))
        assert.deepStrictEqual(yield* admin.clear("prices"), { cleared: "prices", entries: 1 })
        yield* asked(users.getMany(["ada", "alan"]))
        assert.deepStrictEqual(yield* admin.clearAll, { cleared: "all", entries: 2 })
      }).pipe(Effect.scoped, over(Layer.provideMerge(Layer.merge(store, CacheAdmin.layer), CacheStats.layer)))
    )
  }

  it.effect("a load under way is not joined by who asks after a removal", () =>
    Effect.gen(function* () {
      const admin = yield* CacheAdmin.make
      let version = 1
      const cache = yield* Cache.make("slow", {
        key: Schema.String,
        lookup: () => Effect.suspend(() => Effect.delay(Effect.succeed(version), "1 second"))
      })
      const early = yield* Effect.fork(cache.get("k"))
      yield* settled
      version = 2
      yield* admin.delete("slow", "k")
      const late = yield* Effect.fork(cache.get("k"))
      yield* settled
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(early)
      assert.strictEqual(yield* Fiber.join(late), 2)
      assert.strictEqual(yield* cache.get("k"), 2)
    }).pipe(Effect.scoped, over(Layer.provideMerge(MemoryStore.layer(), CacheStats.layer)))
  )

  it.effect("a name that is none is told, with those that there are", () =>
    Effect.gen(function* () {
      const admin = yield* CacheAdmin.make
      yield* numbers("users")
      yield* numbers("prices")
      const error = yield* Effect.flip(admin.clear("user"))
      assert.strictEqual(error._tag, "InvalidConfig")
      assert.match(error.message, /there is no cache of this name/)
      assert.match(error.hint, /there are: prices, users/)
      for (const use of [admin.size("x"), admin.stats("x"), admin.delete("x", "k"), Stream.runDrain(admin.keys("x"))]) {
        assert.strictEqual(
          (yield* Effect.flip(use as Effect.Effect<unknown, CacheError.InvalidConfig>))._tag,
          "InvalidConfig"
        )
      }
    }).pipe(Effect.scoped, over(Layer.provideMerge(MemoryStore.layer(), CacheStats.layer)))
  )

  it.effect("a cache that is closed is seen no more", () =>
    Effect.gen(function* () {
      const admin = yield* CacheAdmin.make
      yield* Effect.scoped(numbers("users"))
      assert.deepStrictEqual(yield* admin.list, [])
      assert.deepStrictEqual(yield* admin.clearAll, { cleared: "all", entries: 0 })
    }).pipe(over(Layer.provideMerge(MemoryStore.layer(), CacheStats.layer)))
  )
})
