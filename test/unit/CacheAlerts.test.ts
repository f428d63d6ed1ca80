/** Rules over caches: told once when they are broken, once when they hold again, and not at every turn in between. */
import { assert, describe, it } from "@effect/vitest"
import { Cache, CacheAlerts, CacheError, CachePrometheus, CacheStats, MemoryStore } from "effect-larder"
import * as SqliteStore from "effect-larder/SqliteStore"
import { FaultyStore } from "effect-larder/testing"
import { Effect, FastCheck as fc, Fiber, Layer, Logger, Schema, Stream, TestClock, TestContext } from "effect"
import { over, settled } from "../fixtures/cache/harness.js"

const every = "10 seconds"
const silent = Logger.remove(Logger.defaultLogger)

const listening = (rules: ReadonlyArray<CacheAlerts.Rule>, options: CacheAlerts.Options = {}) =>
  Effect.gen(function* () {
    const alerts: Array<CacheAlerts.Alert> = []
    const fiber = yield* Effect.forkScoped(
      Stream.runForEach(CacheAlerts.changes(rules, { every, ...options }), (alert) =>
        Effect.sync(() => void alerts.push(alert))
      )
    )
    yield* settled
    return { alerts, fiber }
  })

const look = Effect.zipRight(TestClock.adjust(every), settled)

const told = (alerts: ReadonlyArray<CacheAlerts.Alert>) => alerts.map(({ rule, status }) => `${rule} ${status}`)

/** A cache of which so many of a hundred gets are hits. */
const hitting = (cache: Cache.Cache<number, number>) => {
  let next = 0
  return (hits: number) =>
    Effect.gen(function* () {
      const known = ++next
      yield* cache.get(known)
      for (let n = 0; n < hits; n++) yield* cache.get(known)
      for (let n = 0; n < 99 - hits; n++) yield* cache.get(++next)
    })
}

const identity = Cache.make("identity", { lookup: (n: number) => Effect.succeed(n) })

describe("CacheAlerts", () => {
  it.effect("is raised after two bad looks in a row, cleared after two good ones, with what was seen", () =>
    Effect.gen(function* () {
      const use = hitting(yield* identity)
      const { alerts } = yield* listening([CacheAlerts.hitRatioBelow(0.5)])
      for (const hits of [20, 90, 20]) yield* Effect.zipRight(use(hits), look)
      assert.deepStrictEqual(told(alerts), [])
      yield* Effect.zipRight(use(20), look)
      assert.deepStrictEqual(told(alerts), ["hit_ratio raised"])
      assert.deepStrictEqual(
        { ...alerts[0] },
        { rule: "hit_ratio", cache: "identity", status: "raised", value: 0.2, limit: 0.5, at: 40_000 }
      )
      assert.strictEqual(alerts[0]?.message, "cache 'identity' passed the limit of hit_ratio: 0.2 (limit 0.5)")
      // a little better than the limit is not good enough
      for (const hits of [52, 52, 52, 90]) yield* Effect.zipRight(use(hits), look)
      assert.strictEqual(alerts.length, 1)
      yield* Effect.zipRight(use(90), look)
      assert.deepStrictEqual(told(alerts), ["hit_ratio raised", "hit_ratio cleared"])
    }).pipe(Effect.scoped, over(Layer.provideMerge(MemoryStore.layer(), CacheStats.layer)))
  )

  it.effect("does not flap, whatever the values around the limit are", () =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(
          fc.array(fc.double({ min: 0.46, max: 0.54, noNaN: true }), { maxLength: 40 }),
          async (values) => {
            let at = 0
            const rule: CacheAlerts.Rule = {
              name: "made up",
              measure: () => values[at++],
              limit: 0.5,
              bad: "above",
              clearAt: 0.45
            }
            const program = Effect.gen(function* () {
              yield* identity
              const { alerts } = yield* listening([rule])
              for (const _ of values) yield* look
              return alerts
            })
            const alerts = await Effect.runPromise(
              program.pipe(
                Effect.scoped,
                over(Layer.provideMerge(MemoryStore.layer(), CacheStats.layer)),
                Effect.provide(TestContext.TestContext)
              )
            )
            assert.isAtMost(alerts.length, 1)
          }
        ),
        { numRuns: 30 }
      )
    )
  )

  it.effect("tells nothing of a cache that does too little, and forgets one look by itself", () =>
    Effect.gen(function* () {
      const cache = yield* identity
      const { alerts } = yield* listening([CacheAlerts.hitRatioBelow(0.5), CacheAlerts.failuresAbove(0.1)], {
        after: 1
      })
      for (let n = 0; n < 10; n++) {
        yield* cache.get(n)
        yield* look
      }
      assert.deepStrictEqual(alerts, [])
    }).pipe(Effect.scoped, over(Layer.provideMerge(MemoryStore.layer(), CacheStats.layer)))
  )

  it.effect("looks at loads, failures, bytes and stores, and only at the caches that it is for", () =>
    Effect.gen(function* () {
      const faults = yield* FaultyStore.Faults
      const make = (name: string) =>
        Cache.make(name, {
          key: Schema.Number,
          success: Schema.String,
          lookup: (n: number) =>
            n % 2 === 0 ? Effect.delay(Effect.succeed("x".repeat(1_000)), "100 millis") : Effect.fail("odd")
        })
      const [one, other] = [yield* make("one"), yield* make("other")]
      const { alerts } = yield* listening(
        [
          CacheAlerts.loadTimeAbove("50 millis", { caches: ["one"] }),
          CacheAlerts.failuresAbove(0.25, { caches: ["one"] }),
          CacheAlerts.bytesAbove(10_000, { caches: ["one"] }),
          CacheAlerts.storeFailuresAbove(5, { caches: ["other"] })
        ],
        { after: 1 }
      )
      const numbers = Array.from({ length: 40 }, (_, n) => n)
      const ask = (cache: typeof one) =>
        Effect.forEach(numbers, (n) => Effect.either(cache.get(n)), { concurrency: 40 })
      const asking = yield* Effect.fork(Effect.all([ask(one), ask(other)], { concurrency: 2 }))
      yield* settled
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(asking)
      yield* look
      assert.deepStrictEqual(told(alerts).sort(), ["bytes raised", "load_failures raised", "load_time raised"])
      yield* faults.break({
        _tag: "Fail",
        failure: new CacheError.StoreTimeout({ store: "far", operation: "get", millis: 1 })
      })
      const again = yield* Effect.fork(ask(other))
      yield* settled
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(again)
      yield* look
      assert.include(told(alerts), "store_failures raised")
      assert.isTrue(alerts.every(({ cache, rule }) => cache === (rule === "store_failures" ? "other" : "one")))
    }).pipe(
      Effect.scoped,
      Effect.provide(silent),
      over(Layer.provideMerge(FaultyStore.over(SqliteStore.layerMemory), CacheStats.layer))
    )
  )

  it.effect("as a Layer it logs, measures, and tells whoever listens", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const logger = Logger.replace(
        Logger.defaultLogger,
        Logger.make(({ logLevel, message }) => void lines.push(`${logLevel.label} ${String(message)}`))
      )
      yield* Effect.gen(function* () {
        const use = hitting(yield* Cache.make("alerted", { lookup: (n: number) => Effect.succeed(n) }))
        const service = yield* CacheAlerts.CacheAlerts
        const heard = yield* Effect.fork(Stream.runCollect(Stream.take(service.changes, 2)))
        yield* settled
        // the Layer looked before there was a cache: the next look is its first one
        for (const hits of [10, 10, 10, 90, 90]) yield* Effect.zipRight(use(hits), look)
        assert.strictEqual((yield* Fiber.join(heard)).length, 2)
        const text = yield* CachePrometheus.text({ only: (name) => name === "cache_alert_active" })
        assert.include(text, 'cache_alert_active{cache="alerted",rule="hit_ratio"} 0')
      }).pipe(
        Effect.scoped,
        over(
          Layer.provideMerge(
            Layer.merge(MemoryStore.layer(), CacheAlerts.layer([CacheAlerts.hitRatioBelow(0.5)], { every })),
            CacheStats.layer
          )
        ),
        Effect.provide(logger)
      )
      assert.deepStrictEqual(
        lines.map((line) => line.split(" ")[0]),
        ["WARN", "INFO"]
      )
      assert.match(lines[0] ?? "", /larder: cache 'alerted' passed the limit of hit_ratio: 0.1 \(limit 0.5\)/)
    })
  )

  it.effect("rules and options that make no sense are told", () =>
    Effect.gen(function* () {
      const refused = (rules: ReadonlyArray<CacheAlerts.Rule>, options: CacheAlerts.Options = {}) =>
        Effect.map(Effect.flip(Stream.runDrain(CacheAlerts.changes(rules, options))), (error) =>
          error.issues.map(({ field }) => field).sort()
        )
      assert.deepStrictEqual(yield* refused([], { after: 0, every: 0 }), ["after", "every"])
      assert.deepStrictEqual(yield* refused([CacheAlerts.hitRatioBelow(NaN)]), ["hit_ratio.limit"])
      assert.deepStrictEqual(yield* refused([CacheAlerts.bytesAbove(1, { clearAt: Infinity })]), ["bytes.clearAt"])
    })
  )
})
