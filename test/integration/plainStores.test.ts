/** Stores over what knows names and values only: Keyv's adapters, Effect's KeyValueStore and BackingPersistence. */
import * as Persistence from "@effect/experimental/Persistence"
import { SystemError } from "@effect/platform/Error"
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import { assert, describe, it } from "@effect/vitest"
import { Config, ConfigProvider, Effect, Fiber, Layer, Logger, Option, Stream, TestClock } from "effect"
import { type CacheError, type CacheStore } from "effect-larder"
import * as KeyvStore from "effect-larder/KeyvStore"
import * as PersistenceStore from "effect-larder/PersistenceStore"
import * as PlatformStore from "effect-larder/PlatformStore"
import { StoreLaws } from "effect-larder/testing"
import * as Regions from "../../src/testing/internal/regions.js"
import { counted } from "../fixtures/cache/counted.js"
import { over, settled } from "../fixtures/cache/harness.js"
import { life, refused } from "../fixtures/sqlite/lives.js"

const silent = Logger.remove(Logger.defaultLogger)

const stores = {
  KeyvStore: KeyvStore.layer({ adapter: () => new Map<string, string>() }),
  PlatformStore: PlatformStore.layer().pipe(Layer.provide(KeyValueStore.layerMemory)),
  PersistenceStore: PersistenceStore.layer().pipe(Layer.provide(Persistence.layerMemory))
}

for (const [name, layer] of Object.entries(stores)) {
  StoreLaws.suite(name, layer)
}

/** An adapter over a Map, which does as it is told. */
const adapter = () => {
  const entries = new Map<string, string>()
  const state = {
    entries,
    fails: false,
    hangs: false,
    listener: undefined as ((error: unknown) => void) | undefined,
    disconnected: 0,
    lives: [] as Array<number | undefined>
  }
  const doing = async <A>(run: () => A): Promise<A> => {
    if (state.fails) throw new Error("the database is away")
    if (state.hangs) await new Promise(() => {})
    return run()
  }
  const made: KeyvStore.Adapter = {
    get: (key) => doing(() => entries.get(key)),
    getMany: (keys) => doing(() => keys.map((key) => entries.get(key))),
    set: (key, value, ttl) =>
      doing(() => {
        state.lives.push(ttl)
        entries.set(key, value)
      }),
    delete: (key) => doing(() => entries.delete(key)),
    on: (_, listener) => void (state.listener = listener),
    disconnect: () => void state.disconnected++
  }
  return { made, state }
}

const configured = <A, E, R>(layer: Layer.Layer<A, E, R>, entries: Record<string, string>) =>
  Layer.provide(layer, Layer.setConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(entries)))))

describe("KeyvStore", () => {
  it.effect("keeps entries in the adapter, for as long as they live, and disconnects it in the end", () =>
    Effect.gen(function* () {
      const { made, state } = adapter()
      const layer = KeyvStore.layer({ adapter: () => made, prefix: "shop" })
      assert.deepStrictEqual((yield* life(layer, "a", "b")).loads, ["a", "b"])
      assert.deepStrictEqual((yield* life(layer, "a", "b")).loads, [])
      assert.isTrue([...state.entries.keys()].every((key) => key.startsWith("shop:")))
      assert.strictEqual(state.disconnected, 2)
      yield* Effect.flatMap(counted().cache, (cache) => cache.get("k")).pipe(Effect.scoped, over(layer))
      // a minute longer than an hour; what decides about entries is kept for ever
      assert.include(state.lives, 3_660_000)
      assert.include(state.lives, undefined)
    })
  )

  it.effect("an adapter that fails costs the loads, and its invalidations say so", () =>
    Effect.gen(function* () {
      const { made, state } = adapter()
      yield* Effect.gen(function* () {
        const { cache: opened, state: loads } = counted()
        const cache = yield* opened
        yield* Effect.forEach(["a", "a"], cache.get)
        state.fails = true
        yield* cache.get("a")
        assert.strictEqual(loads.loads, 2)
        const error = yield* Effect.flip(cache.invalidate("a"))
        assert.strictEqual(error.message, "Cache store 'KeyvStore' failed at delete: the database is away")
        state.fails = false
        state.hangs = true
        const hung = yield* Effect.fork(Effect.flip(cache.invalidate("a")))
        yield* settled
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* Fiber.join(hung))._tag, "StoreTimeout")
      }).pipe(Effect.scoped, over(KeyvStore.layer({ adapter: () => made })))
    }).pipe(Effect.provide(silent))
  )

  it.effect("what it tells as an event is in the log; one that cannot be made is told", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const logger = Logger.replace(
        Logger.defaultLogger,
        Logger.make(({ message }) => void lines.push(String(message)))
      )
      const { made, state } = adapter()
      yield* Effect.scoped(
        Effect.zipRight(
          Layer.build(KeyvStore.layer({ adapter: () => made })),
          Effect.sync(() => state.listener?.(new Error("it went away")))
        )
      ).pipe(Effect.provide(logger))
      assert.deepStrictEqual(lines, ["larder: KeyvStore: it went away"])
      const error = yield* refused(
        KeyvStore.layer({
          adapter: () => {
            throw new Error("no such database")
          }
        })
      )
      assert.match((error as CacheError.StoreUnavailable).message, /not available: no such database/)
    })
  )

  it.effect("options that make no sense are told, all of them", () =>
    Effect.gen(function* () {
      const fieldsOf = (layer: Layer.Layer<CacheStore.CacheStore, unknown>) =>
        Effect.map(refused(layer), (error) =>
          (error as CacheError.InvalidConfig).issues.map(({ field }) => field).sort()
        )
      const bad = { adapter: 1, prefix: "a b", timeout: 0 }
      assert.deepStrictEqual(yield* fieldsOf(KeyvStore.layer(bad as unknown as KeyvStore.Options)), [
        "adapter",
        "prefix",
        "timeout"
      ])
      const platform = PlatformStore.layer({ prefix: "", timeout: "never" as never })
      assert.deepStrictEqual(yield* fieldsOf(Layer.provide(platform, KeyValueStore.layerMemory)), ["prefix", "timeout"])
      const persistence = PersistenceStore.layer({ storeId: "{}", timeout: -1 })
      assert.deepStrictEqual(yield* fieldsOf(Layer.provide(persistence, Persistence.layerMemory)), [
        "storeId",
        "timeout"
      ])
    })
  )

  it.effect("options are read where they are configured", () =>
    Effect.gen(function* () {
      const { made, state } = adapter()
      const values = { PREFIX: "configured" }
      const prefix = Config.string("PREFIX")
      yield* life(configured(KeyvStore.layerConfig({ adapter: Config.succeed(() => made), prefix }), values), "a")
      assert.isTrue([...state.entries.keys()].every((key) => key.startsWith("configured:")))
      const platform = PlatformStore.layerConfig({ prefix }).pipe(Layer.provide(KeyValueStore.layerMemory))
      assert.deepStrictEqual((yield* life(configured(platform, values), "a")).loads, ["a"])
      assert.match(String(yield* refused(configured(platform, {}))), /PREFIX/)
      const persistence = PersistenceStore.layerConfig({ storeId: prefix }).pipe(Layer.provide(Persistence.layerMemory))
      assert.deepStrictEqual((yield* life(configured(persistence, values), "a")).loads, ["a"])
    })
  )
})

describe("what they stand on fails", () => {
  const broken = new SystemError({
    reason: "Unknown",
    module: "KeyValueStore",
    method: "any",
    description: "no room left"
  })
  const platform = PlatformStore.layer().pipe(
    Layer.provide(
      Layer.succeed(
        KeyValueStore.KeyValueStore,
        KeyValueStore.make({
          get: () => Effect.fail(broken),
          getUint8Array: () => Effect.fail(broken),
          set: () => Effect.fail(broken),
          remove: () => Effect.fail(broken),
          clear: Effect.fail(broken),
          size: Effect.fail(broken)
        })
      )
    )
  )
  const cause = Persistence.PersistenceBackingError.make("any", new Error("no room left"))
  const persistence = PersistenceStore.layer().pipe(
    Layer.provide(
      Layer.succeed(Persistence.BackingPersistence, {
        [Persistence.BackingPersistenceTypeId]: Persistence.BackingPersistenceTypeId,
        make: () =>
          Effect.succeed({
            get: () => Effect.fail(cause),
            getMany: () => Effect.fail(cause),
            set: () => Effect.fail(cause),
            setMany: () => Effect.fail(cause),
            remove: () => Effect.fail(cause),
            clear: Effect.fail(cause)
          })
      })
    )
  )
  for (const [name, layer] of Object.entries({ platform, persistence })) {
    it.effect(`typed, and with what it said (${name})`, () =>
      Effect.gen(function* () {
        const region = yield* Regions.open("region")
        for (const use of [region.getMany(["k"]), region.deleteMany(["k"]), region.clear]) {
          const error = yield* Effect.flip(use as Effect.Effect<unknown, CacheError.StoreFailure>)
          assert.strictEqual(error._tag, "StoreError")
          assert.match(error.hint, /see the cause/)
        }
        const listed = yield* Effect.flip(Stream.runDrain(region.entries))
        assert.strictEqual(listed._tag, "StoreError")
      }).pipe(Effect.scoped, over(layer))
    )
  }

  it.effect("an index that rots costs what it listed, and the cache goes on", () =>
    Effect.gen(function* () {
      const { made, state } = adapter()
      yield* Effect.gen(function* () {
        const { cache: opened, state: loads } = counted()
        const cache = yield* opened
        yield* cache.getMany(["a", "b"])
        for (const key of [...state.entries.keys()]) if (key.includes("index/")) state.entries.set(key, "bm90IEpTT04=")
        assert.strictEqual(yield* cache.size, 0)
        yield* cache.getMany(["a", "b"])
        assert.strictEqual(loads.loads, 2)
        yield* cache.invalidate("a")
        assert.isTrue(Option.isNone(yield* cache.getOption("a")))
        // what is not base64 is nothing
        for (const key of [...state.entries.keys()]) if (key.includes("entry/")) state.entries.set(key, "!")
        yield* cache.get("b")
        assert.strictEqual(loads.loads, 3)
      }).pipe(Effect.scoped, over(KeyvStore.layer({ adapter: () => made })))
    })
  )
})
