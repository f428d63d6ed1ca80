import { assert, describe, it } from "@effect/vitest"
import {
  Cache,
  CacheConfig,
  CacheContext,
  Cached,
  CacheError,
  CacheEvents,
  CacheStore,
  MemoryStore
} from "effect-larder"
import * as SqliteStore from "effect-larder/SqliteStore"
import { Chunk, Deferred, Effect, Exit, Fiber, Layer, Logger, Option, Schema, Scope, Stream } from "effect"

/** A memory store that tells when it is built and released, and may fail at either. */
const observed = (options: { readonly failBuild?: boolean; readonly failRelease?: boolean } = {}) => {
  const log: Array<string> = []
  const resource = Effect.acquireRelease(
    Effect.sync(() => log.push("built")),
    (_, exit) =>
      Effect.suspend(() => {
        log.push(Exit.isSuccess(exit) ? "released" : "released after failure")
        return options.failRelease === true ? Effect.dieMessage("cannot release") : Effect.void
      })
  )
  const refusal = new CacheError.StoreUnavailable({ store: "observed", reason: "no", hint: "none" })
  const building = options.failBuild === true ? Effect.zipRight(resource, Effect.fail(refusal)) : resource
  const layer = Layer.merge(MemoryStore.layer(), Layer.scopedDiscard(building))
  return { log, layer }
}

const lookups = (name: string) => {
  const calls: Array<string> = []
  const cached = Cached.fn(name)((id: string) => Effect.sync(() => `${id}${calls.push(id)}`))
  return { calls, cached }
}

const quiet = Logger.replace(Logger.defaultLogger, Logger.none)

describe("CacheContext.with", () => {
  it.effect("the second call hits, the store is released on success, and each run has a fresh one", () =>
    Effect.gen(function* () {
      const { layer, log } = observed()
      const { calls, cached } = lookups("fresh")
      const twice = Effect.zip(cached("a"), cached("a")).pipe(CacheContext.with(layer))
      assert.deepStrictEqual(yield* twice, ["a1", "a1"])
      assert.deepStrictEqual(log, ["built", "released"])
      assert.deepStrictEqual(yield* twice, ["a2", "a2"])
      assert.deepStrictEqual(log, ["built", "released", "built", "released"])
      assert.strictEqual(calls.length, 2)
    })
  )

  it.effect("the body's failure and defect come through, and the store is released", () =>
    Effect.gen(function* () {
      const { layer, log } = observed()
      const inside = CacheContext.with(layer)
      assert.strictEqual(yield* Effect.flip(inside(Effect.fail("body"))), "body")
      const exit = yield* Effect.exit(inside(Effect.die("defect")))
      assert.deepStrictEqual(exit, Exit.die("defect"))
      assert.deepStrictEqual(log, ["built", "released after failure", "built", "released after failure"])
    })
  )

  it.effect("interruption releases the store, once, and before the interrupter goes on", () =>
    Effect.gen(function* () {
      const { layer, log } = observed()
      const started = yield* Deferred.make<void>()
      const body = Effect.zipRight(Deferred.succeed(started, undefined), Effect.never)
      const fiber = yield* Effect.fork(body.pipe(CacheContext.with(layer)))
      yield* Deferred.await(started)
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(log, ["built", "released after failure"])
    })
  )

  it.effect("interruption while the store is being built releases what there is", () =>
    Effect.gen(function* () {
      const { layer, log } = observed()
      const started = yield* Deferred.make<void>()
      const hanging = Layer.effectDiscard(Effect.zipRight(Deferred.succeed(started, undefined), Effect.never)).pipe(
        Layer.provideMerge(layer)
      )
      const fiber = yield* Effect.fork(Effect.void.pipe(CacheContext.with(hanging)))
      yield* Deferred.await(started)
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(log, ["built", "released after failure"])
    })
  )

  it.effect("a store that cannot be built is a typed error, and what was acquired is released", () =>
    Effect.gen(function* () {
      const { layer, log } = observed({ failBuild: true })
      const error = yield* Effect.flip(Effect.void.pipe(CacheContext.with(layer)))
      assert.strictEqual(error._tag, "StoreUnavailable")
      assert.deepStrictEqual(log, ["built", "released after failure"])
    })
  )

  it.effect("a failing release is an event and a warning, and never hides what the body came to", () =>
    Effect.gen(function* () {
      const warnings: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => {
        if (logLevel._tag === "Warning") warnings.push(String(Array.isArray(message) ? message[0] : message))
      })
      const events = yield* CacheEvents.CacheEvents
      const heard = yield* Effect.fork(Stream.runCollect(Stream.take(events.changes, 3)))
      yield* Effect.yieldNow()
      yield* Effect.gen(function* () {
        const { layer, log } = observed({ failRelease: true })
        const inside = CacheContext.with(layer)
        assert.strictEqual(yield* inside(Effect.succeed("value")), "value")
        assert.strictEqual(yield* Effect.flip(inside(Effect.fail("body"))), "body")
        assert.deepStrictEqual(yield* Effect.exit(inside(Effect.die("defect"))), Exit.die("defect"))
        assert.strictEqual(log.filter((line) => line.startsWith("released")).length, 3)
      }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
      assert.deepStrictEqual(
        warnings,
        Array.from({ length: 3 }, () => "larder: the temporary store MemoryStore was not released cleanly")
      )
      for (const event of Chunk.toReadonlyArray(yield* Fiber.join(heard))) {
        assert.deepInclude(event, { _tag: "ReleaseFailed", store: "MemoryStore" })
        assert.include(event._tag === "ReleaseFailed" ? event.reason : "", "cannot release")
      }
    }).pipe(Effect.provide(CacheEvents.layer()))
  )

  it.effect("settings apply inside, are inherited where left out, and are gone outside", () =>
    Effect.gen(function* () {
      const describe = Effect.map(CacheConfig.Current, ({ maxEntries, mode, timeToLive }) => ({
        maxEntries,
        mode,
        timeToLive: timeToLive.pipe((duration) => String(duration))
      }))
      const outside = yield* describe
      const inside = yield* Effect.flatMap(CacheConfig.Current, (config) => Effect.succeed(config)).pipe(
        CacheContext.with(MemoryStore.layer(), { capacity: 100, timeToLive: "60 seconds" })
      )
      assert.strictEqual(inside.maxEntries, 100)
      assert.strictEqual(inside.mode, "force-cache")
      assert.deepStrictEqual(yield* describe, outside)
      assert.strictEqual(outside.maxEntries, 10_000)
      // and the store was built with them
      const size = yield* Effect.gen(function* () {
        const cache = yield* Cache.make("n", { lookup: (n: number) => Effect.succeed(n) })
        for (let n = 0; n < 10; n++) yield* cache.get(n)
        return yield* cache.size
      }).pipe(Effect.scoped, CacheContext.with(MemoryStore.layer(), { capacity: 3 }))
      assert.strictEqual(size, 3)
    }).pipe(Effect.provide(CacheConfig.layer({ mode: "force-cache" })))
  )

  it.effect("bad settings are one typed error, and nothing is built", () =>
    Effect.gen(function* () {
      const { layer, log } = observed()
      const error = yield* Effect.flip(Effect.void.pipe(CacheContext.with(layer, { capacity: 0, timeToLive: -1 })))
      assert.instanceOf(error, CacheError.InvalidConfig)
      assert.deepStrictEqual(error.issues.map((issue) => issue.field).sort(), ["capacity", "timeToLive"])
      assert.deepStrictEqual(log, [])
    })
  )

  it.effect(
    "nested contexts have stores and counters of their own, and leaving the inner leaves the outer intact",
    () =>
      Effect.gen(function* () {
        const { calls, cached } = lookups("nested")
        yield* Effect.gen(function* () {
          yield* cached("a")
          const inner = yield* Effect.zipRight(cached("a"), cached.stats).pipe(CacheContext.with(MemoryStore.layer()))
          assert.deepInclude(inner, { loaded: 1, fresh: 0 })
          yield* cached("a")
          assert.deepInclude(yield* cached.stats, { loaded: 1, fresh: 1 })
        }).pipe(CacheContext.with(MemoryStore.layer()))
        assert.strictEqual(calls.length, 2)
      })
  )

  it.effect("forked fibers inherit it; parallel ones do not see each other", () =>
    Effect.gen(function* () {
      const { calls, cached } = lookups("parallel")
      const one = Effect.all([cached("a"), Effect.flatMap(Effect.fork(cached("a")), Fiber.join)], {
        concurrency: "unbounded"
      }).pipe(CacheContext.with(MemoryStore.layer()))
      const all = yield* Effect.all(Effect.replicate(one, 20), { concurrency: "unbounded" })
      assert.strictEqual(calls.length, 20)
      assert.strictEqual(new Set(all.flat()).size, 20)
      for (const [first, second] of all) assert.strictEqual(first, second)
    })
  )

  it.effect("works with a store of files, which are gone afterwards", () =>
    Effect.gen(function* () {
      const calls: Array<string> = []
      const cached = Cached.fn("files", { success: Schema.String })((id: string) =>
        Effect.sync(() => `${id}${calls.push(id)}`)
      )
      const twice = Effect.zip(cached("a"), cached("a")).pipe(CacheContext.with(SqliteStore.layerTemporary))
      assert.deepStrictEqual(yield* twice, ["a1", "a1"])
      assert.deepStrictEqual(yield* twice, ["a2", "a2"])
    })
  )

  it.effect("a load that is in the air when the context ends is interrupted, and its finalizers have run", () =>
    Effect.gen(function* () {
      let finalized = false
      const started = yield* Deferred.make<void>()
      const cached = Cached.fn("air")((_: string) =>
        Effect.zipRight(Deferred.succeed(started, undefined), Effect.never).pipe(
          Effect.ensuring(Effect.sync(() => void (finalized = true)))
        )
      )
      const exit = yield* Effect.forkDaemon(cached("a")).pipe(
        Effect.tap(() => Deferred.await(started)),
        CacheContext.with(MemoryStore.layer()),
        Effect.flatMap(Fiber.await)
      )
      assert.isTrue(finalized)
      assert.isTrue(Exit.isFailure(exit))
    }).pipe(Effect.provide(quiet))
  )
})

describe("CacheContext.current", () => {
  it.effect("tells the store, the settings, and what is around", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* CacheContext.current, Option.none())
      const inner = yield* CacheContext.current.pipe(
        CacheContext.with(SqliteStore.layerMemory, { capacity: 2 }),
        CacheContext.with(MemoryStore.layer(), { capacity: 1 })
      )
      const info = Option.getOrThrow(inner)
      assert.strictEqual(info.store.name, "SqliteStore")
      assert.strictEqual(info.config.maxEntries, 2)
      const outer = Option.getOrThrow(info.outer)
      assert.strictEqual(outer.store.name, "MemoryStore")
      assert.strictEqual(outer.config.maxEntries, 1)
      assert.deepStrictEqual(outer.outer, Option.none())
    })
  )
})

describe("CacheContext.make", () => {
  const stores = [
    ["memory", MemoryStore.layer() as Layer.Layer<CacheStore.CacheStore>],
    ["SQLite", SqliteStore.layerMemory]
  ] as const
  for (const [name, layer] of stores) {
    it.scoped(`sets and gets directly, over ${name}`, () =>
      Effect.gen(function* () {
        const handle = yield* CacheContext.make(layer)
        for (const value of ["text", 0, null, false, { nested: [1, "two"] }]) {
          yield* handle.set(["key", 1], value)
          assert.deepStrictEqual(yield* handle.get(["key", 1]), Option.some(value))
        }
        yield* handle.invalidate(["key", 1])
        assert.deepStrictEqual(yield* handle.get(["key", 1]), Option.none())
        yield* handle.set("b", 1)
        assert.strictEqual(yield* handle.clear, 1)
        const refused = yield* Effect.flip(handle.set(() => {}, 1))
        assert.instanceOf(refused, CacheError.KeyError)
      })
    )
  }

  it.scoped("is typed by its Schemas", () =>
    Effect.gen(function* () {
      const handle = yield* CacheContext.make(SqliteStore.layerMemory, {
        key: Schema.Number,
        success: Schema.Date,
        config: { timeToLive: "1 minute" }
      })
      yield* handle.set(1, new Date(5))
      assert.deepStrictEqual(yield* handle.get(1), Option.some(new Date(5)))
      assert.strictEqual(handle.info.config.sources["timeToLive"], "explicit")
      // @ts-expect-error a Date is asked for
      const refused = yield* Effect.flip(handle.set(1, "text"))
      assert.instanceOf(refused, CacheError.CodecError)
    })
  )

  it.scoped("runs effects with its store and settings in force", () =>
    Effect.gen(function* () {
      const { calls, cached } = lookups("handle")
      const handle = yield* CacheContext.make(MemoryStore.layer(), { config: { capacity: 7 } })
      yield* handle.run(cached("a"))
      yield* handle.run(cached("a"))
      assert.strictEqual(calls.length, 1)
      const info = Option.getOrThrow(yield* handle.run(CacheContext.current))
      assert.strictEqual(info, handle.info)
    })
  )

  it.effect("after its Scope every use is a typed error; it never reopens, and is released once", () =>
    Effect.gen(function* () {
      const { layer, log } = observed()
      const scope = yield* Scope.make()
      const handle = yield* Scope.extend(CacheContext.make(layer), scope)
      yield* handle.set("a", 1)
      yield* Scope.close(scope, Exit.void)
      yield* Scope.close(scope, Exit.void)
      const uses = [handle.get("a"), handle.set("a", 1), handle.invalidate("a"), handle.clear, handle.run(Effect.void)]
      for (const use of uses) {
        const error = yield* Effect.flip(use as Effect.Effect<unknown, CacheError.CacheError>)
        assert.instanceOf(error, CacheError.StoreUnavailable)
        assert.include(error.message, "closed")
      }
      assert.deepStrictEqual(log, ["built", "released"])
    })
  )
})

describe("CacheContext.open", () => {
  it("works with await using, for callers outside Effect", async () => {
    const { layer, log } = observed({ failRelease: true })
    let outside: CacheContext.AsyncHandle<unknown, unknown, CacheStore.Live> | undefined
    {
      await using handle = await CacheContext.open(layer)
      outside = handle
      await handle.set("a", { b: 1 })
      assert.deepStrictEqual(await handle.get("a"), Option.some({ b: 1 }))
      const name = await handle.run(Effect.map(CacheStore.CacheStore, (store) => store.name))
      assert.strictEqual(name, "MemoryStore")
      await handle.invalidate("a")
      assert.strictEqual(await handle.clear(), 0)
      assert.deepStrictEqual(log, ["built"])
      const [failed] = await Promise.allSettled([handle.run(Effect.fail("typed"))])
      assert.deepStrictEqual(failed, { status: "rejected", reason: "typed" })
    }
    assert.deepStrictEqual(log, ["built", "released"])
    const [late] = await Promise.allSettled([outside.get("a")])
    assert.instanceOf(late.status === "rejected" ? late.reason : undefined, CacheError.StoreUnavailable)
  })

  it("rejects with the typed error when the store cannot be built", async () => {
    const { layer, log } = observed({ failBuild: true })
    const [settled] = await Promise.allSettled([CacheContext.open(layer)])
    assert.instanceOf(settled.status === "rejected" ? settled.reason : undefined, CacheError.StoreUnavailable)
    assert.deepStrictEqual(log, ["built", "released after failure"])
  })
})
