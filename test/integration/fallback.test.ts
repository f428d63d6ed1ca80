import { assert, describe, it } from "@effect/vitest"
import { Cache, Cached, CacheError, CacheStore, MemoryStore } from "effect-larder"
import * as SqliteStore from "effect-larder/SqliteStore"
import { FaultyStore } from "effect-larder/testing"
import { Cause, Deferred, Effect, Exit, Fiber, Layer, Logger, Option } from "effect"

const unavailable = (store: string) => new CacheError.StoreUnavailable({ store, reason: "refused", hint: "start it" })
const broken = (store: string): Layer.Layer<CacheStore.CacheStore, CacheError.StoreUnavailable> =>
  Layer.fail(unavailable(store))

/** The store that a Layer comes to, and what was logged meanwhile. */
const built = <O, E>(layer: Layer.Layer<CacheStore.CacheStore | O, E>) => {
  const lines: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => {
    lines.push(`${logLevel.label} ${String(Array.isArray(message) ? message[0] : message)}`)
  })
  return CacheStore.CacheStore.pipe(
    Effect.map((store) => ({ lines, store })),
    Effect.provide(layer),
    Effect.provide(Logger.replace(Logger.defaultLogger, logger))
  )
}

describe("CacheStore.orElse", () => {
  it.effect("uses the first that can be had, and says so", () =>
    Effect.gen(function* () {
      const { lines, store } = yield* built(SqliteStore.layerMemory.pipe(CacheStore.orElse(MemoryStore.layer())))
      assert.strictEqual(store.name, "SqliteStore")
      assert.deepStrictEqual(store.rejected, [])
      assert.deepStrictEqual(lines, ["INFO larder: using SqliteStore"])
    })
  )

  it.effect("falls back on a typed error, and says why", () =>
    Effect.gen(function* () {
      const { lines, store } = yield* built(broken("RedisStore").pipe(CacheStore.orElse(MemoryStore.layer())))
      assert.strictEqual(store.name, "MemoryStore")
      assert.deepStrictEqual(store.rejected, ["RedisStore: refused"])
      assert.deepStrictEqual(lines, ["WARN larder: using MemoryStore (RedisStore: refused)"])
    })
  )

  it.effect("falls back on a defect of acquisition", () =>
    Effect.gen(function* () {
      const dying: Layer.Layer<CacheStore.CacheStore> = Layer.die(new Error("no such driver"))
      const { store } = yield* built(dying.pipe(CacheStore.orElse(MemoryStore.layer())))
      assert.deepStrictEqual(store.rejected, ["no such driver"])
    })
  )

  it.effect("releases what a half-acquired store had before the next one is tried", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const half = Layer.scoped(
        CacheStore.CacheStore,
        Effect.acquireRelease(
          Effect.sync(() => log.push("acquired")),
          () => Effect.sync(() => log.push("released"))
        ).pipe(Effect.zipRight(Effect.fail(unavailable("half"))))
      )
      const next = MemoryStore.layer().pipe(Layer.tap(() => Effect.sync(() => log.push("next"))))
      yield* built(half.pipe(CacheStore.orElse(next)))
      assert.deepStrictEqual(log, ["acquired", "released", "next"])
    })
  )

  it.effect("interruption is no reason to fall back", () =>
    Effect.gen(function* () {
      const started = yield* Deferred.make<void>()
      let tried = false
      const hanging = Layer.effect(
        CacheStore.CacheStore,
        Effect.zipRight(Deferred.succeed(started, undefined), Effect.never)
      )
      const next = MemoryStore.layer().pipe(Layer.tap(() => Effect.sync(() => void (tried = true))))
      const fiber = yield* Effect.fork(built(hanging.pipe(CacheStore.orElse(next))))
      yield* Deferred.await(started)
      const exit = yield* Fiber.interrupt(fiber)
      assert.isTrue(Exit.isInterrupted(exit))
      assert.isFalse(tried)
    })
  )

  it.effect("of a chain it tells all that were wanted; when none can be had the last one's error is typed", () =>
    Effect.gen(function* () {
      const chain = broken("RedisStore").pipe(CacheStore.orElse(broken("SqliteStore")))
      const { lines, store } = yield* built(chain.pipe(CacheStore.orElse(MemoryStore.layer())))
      assert.strictEqual(store.name, "MemoryStore")
      assert.include(lines.at(-1), "larder: using MemoryStore (")
      const error = yield* Effect.flip(built(chain))
      assert.deepStrictEqual(error.store, "SqliteStore")
      const nested = broken("a").pipe(CacheStore.orElse(broken("b").pipe(CacheStore.orElse(MemoryStore.layer()))))
      assert.deepStrictEqual((yield* built(nested)).store.rejected, ["a: refused", "b: refused"])
    })
  )
})

describe("a store that fails while it is in use", () => {
  const failure = new CacheError.StoreError({
    store: "FaultyStore",
    operation: "get",
    transient: true,
    reason: "reset",
    hint: "wait"
  })
  const over = Effect.provide(FaultyStore.over(MemoryStore.layer()))

  it.effect("costs speed, not answers; is counted; and is used again when it is back", () =>
    Effect.gen(function* () {
      const faults = yield* FaultyStore.Faults
      const price = Cached.fn("price")((item: string) => Effect.succeed(item.length))
      yield* price("bread")
      yield* faults.break({ _tag: "Fail", failure })
      assert.strictEqual(yield* price("bread"), 5)
      assert.strictEqual(yield* price("milk"), 4)
      assert.strictEqual(Exit.isFailure(yield* Effect.exit(price.invalidate("bread"))), true)
      yield* faults.heal
      yield* price("bread")
      const stats = yield* price.stats
      assert.deepInclude(stats, { loaded: 3, fresh: 1, failed: 0 })
      assert.isAtLeast(stats.storeFailures, 2)
    }).pipe(over, Effect.provide(Logger.replace(Logger.defaultLogger, Logger.none)))
  )

  it.effect("fails a strict cache, typed", () =>
    Effect.gen(function* () {
      const faults = yield* FaultyStore.Faults
      const cache = yield* Cache.make("strict", { lookup: (n: number) => Effect.succeed(n), strict: true })
      yield* faults.break({ _tag: "Fail", failure }, "get")
      assert.strictEqual(yield* Effect.flip(cache.get(1)), failure)
      yield* faults.heal
      assert.strictEqual(yield* cache.get(1), 1)
    }).pipe(Effect.scoped, over)
  )

  it.effect("one that forgets costs loads", () =>
    Effect.gen(function* () {
      const faults = yield* FaultyStore.Faults
      const cache = yield* Cache.make("forgetful", { lookup: (n: number) => Effect.succeed(n) })
      yield* cache.get(1)
      yield* faults.break({ _tag: "Forget" })
      yield* cache.get(1)
      assert.deepInclude(yield* cache.stats, { loaded: 2, fresh: 0 })
      assert.isAtLeast((yield* faults.calls).get, 2)
      assert.strictEqual((yield* faults.calls).open, 1)
    }).pipe(Effect.scoped, over)
  )
})

describe("errors of stores that cannot be had", () => {
  it("read as they should", () => {
    assert.strictEqual(
      new CacheError.StoreUnavailable({ store: "x", hint: "h" } as never).message,
      "Cache store 'x' is not available"
    )
    assert.strictEqual(unavailable("x").message, "Cache store 'x' is not available: refused")
    assert.strictEqual(Option.isSome(Cause.failureOption(Cause.fail(unavailable("x")))), true)
  })
})
