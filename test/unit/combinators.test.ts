import { assert, describe, it } from "@effect/vitest"
import { Cache, CacheError, CacheStore, MemoryStore } from "effect-larder"
import { FaultyStore } from "effect-larder/testing"
import { Effect, Fiber, Layer, Schedule, Schema, TestClock } from "effect"

const failing = (transient: boolean) =>
  new CacheError.StoreError({ store: "test", operation: "get", transient, reason: "reset", hint: "wait" })

const region = (name = "region") =>
  Effect.flatMap(CacheStore.CacheStore, (store) => store.region<number, never>({ name, codec: undefined }))

const faulty = FaultyStore.over(MemoryStore.layer())

/** Puts a combinator on a faulty store, and keeps the switch in reach. */
const under = <E>(combinator: (layer: typeof faulty) => Layer.Layer<CacheStore.CacheStore | FaultyStore.Faults, E>) =>
  combinator(faulty)

describe("CacheStore.retry", () => {
  const recurs = (times: number) => CacheStore.retry(Schedule.recurs(times))

  it.scoped("tries transient failures again, as often as the schedule says", () =>
    Effect.gen(function* () {
      const faults = yield* FaultyStore.Faults
      const opened = yield* region()
      yield* faults.break({ _tag: "Fail", failure: failing(true) })
      yield* Effect.flip(opened.getMany(["a"]))
      assert.strictEqual((yield* faults.calls).get, 3)
    }).pipe(Effect.provide(under((layer) => layer.pipe(recurs(2)))))
  )

  it.scoped("and nothing else", () =>
    Effect.gen(function* () {
      const faults = yield* FaultyStore.Faults
      const opened = yield* region()
      yield* faults.break({ _tag: "Fail", failure: failing(false) })
      const error = yield* Effect.flip(opened.getMany(["a"]))
      assert.strictEqual((yield* faults.calls).get, 1)
      assert.isFalse(CacheError.isTransient(error))
    }).pipe(Effect.provide(under((layer) => layer.pipe(recurs(2)))))
  )

  it.scoped("without a schedule at most 3 times, with growing waits of 50 milliseconds and more", () =>
    Effect.gen(function* () {
      const faults = yield* FaultyStore.Faults
      const opened = yield* region()
      yield* faults.break({ _tag: "Fail", failure: failing(true) })
      const call = yield* Effect.fork(Effect.flip(opened.getMany(["a"])))
      yield* TestClock.adjust("39 millis") // jitter is from 80 to 120 %
      assert.strictEqual((yield* faults.calls).get, 1)
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(call)
      assert.strictEqual((yield* faults.calls).get, 4)
    }).pipe(Effect.provide(under((layer) => layer.pipe(CacheStore.retry()))))
  )

  it.scoped("also the opening of a region", () =>
    Effect.gen(function* () {
      const faults = yield* FaultyStore.Faults
      yield* faults.break({ _tag: "Fail", failure: failing(true) }, "open")
      yield* Effect.flip(region())
      assert.strictEqual((yield* faults.calls).open, 3)
    }).pipe(Effect.provide(under((layer) => layer.pipe(recurs(2)))))
  )
})

describe("CacheStore.timeout", () => {
  it.scoped("ends what takes longer, typed", () =>
    Effect.gen(function* () {
      const faults = yield* FaultyStore.Faults
      const opened = yield* region()
      yield* faults.break({ _tag: "Hang" })
      const call = yield* Effect.fork(Effect.flip(opened.getMany(["a"])))
      yield* TestClock.adjust("49 millis")
      assert.isNull(call.unsafePoll())
      yield* TestClock.adjust("1 millis")
      const error = yield* Fiber.join(call)
      assert.instanceOf(error, CacheError.StoreTimeout)
      assert.deepInclude(error, { store: "MemoryStore", operation: "get", millis: 50 })
    }).pipe(Effect.provide(under((layer) => layer.pipe(CacheStore.timeout("50 millis")))))
  )

  it.scoped("also what is not to be interrupted by those who wait: a value that cannot be written is served", () =>
    Effect.gen(function* () {
      const faults = yield* FaultyStore.Faults
      const cache = yield* Cache.make("lengths", {
        key: Schema.String,
        success: Schema.Number,
        lookup: (key) => Effect.succeed(key.length)
      })
      yield* faults.break({ _tag: "Hang" }, "set")
      const get = yield* Effect.fork(cache.get("abc"))
      yield* TestClock.adjust("50 millis")
      assert.strictEqual(yield* Fiber.join(get), 3)
      assert.strictEqual((yield* cache.stats).storeFailures, 1)
    }).pipe(Effect.provide(under((layer) => layer.pipe(CacheStore.timeout("50 millis")))))
  )

  it.scoped("leaves alone what is fast enough, and what has no end when it is told so", () =>
    Effect.gen(function* () {
      const faults = yield* FaultyStore.Faults
      const opened = yield* region()
      yield* faults.break({ _tag: "Slow", by: "1 hour" })
      const call = yield* Effect.fork(opened.getMany(["a"]))
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual((yield* Fiber.join(call)).found, [undefined])
    }).pipe(Effect.provide(under((layer) => layer.pipe(CacheStore.timeout("Infinity" as never)))))
  )

  for (const bad of [-1, Number.NaN, "soon"]) {
    it.effect(`refuses ${bad}`, () =>
      Effect.gen(function* () {
        const layer = MemoryStore.layer().pipe(CacheStore.timeout(bad as never))
        const error = yield* Effect.flip(Effect.scoped(Layer.build(layer)))
        assert.instanceOf(error, CacheError.InvalidConfig)
        assert.strictEqual(error.issues[0]?.field, "timeout")
      })
    )
  }
})

describe("CacheStore.prefixed", () => {
  /** The names under which a store is asked for regions. */
  const recording = () => {
    const names: Array<string> = []
    const layer = Layer.map(MemoryStore.layer(), (context) => {
      const store = context.unsafeMap.get(CacheStore.CacheStore.key) as CacheStore.Service
      const service: CacheStore.Service = {
        ...store,
        region: (options) =>
          Effect.zipRight(
            Effect.sync(() => names.push(options.name)),
            store.region(options)
          )
      }
      return CacheStore.context()(service)
    })
    return { layer, names }
  }

  it.scoped("no two prefixes and names make the same region; nested ones add up", () =>
    Effect.gen(function* () {
      const pairs = [
        ["user", "s1"],
        ["users", "1"],
        ["user", "s", "1"],
        ["a/b", "c"],
        ["a", "b/c"]
      ] as const
      const seen = new Set<string>()
      for (const [name, ...prefixes] of pairs.map((pair) => [...pair].reverse())) {
        const { layer, names } = recording()
        const prefixed = prefixes.reduce<Layer.Layer<CacheStore.CacheStore, CacheError.InvalidConfig>>(
          (all, prefix) => all.pipe(CacheStore.prefixed(prefix)),
          layer
        )
        yield* region(name).pipe(Effect.provide(yield* Layer.build(prefixed)))
        seen.add(names[0]!)
      }
      assert.strictEqual(seen.size, pairs.length)
    })
  )

  for (const bad of ["", "a\u001fb", 3]) {
    it.effect(`refuses ${JSON.stringify(bad)}`, () =>
      Effect.gen(function* () {
        const layer = MemoryStore.layer().pipe(CacheStore.prefixed(bad as string))
        const error = yield* Effect.flip(Effect.scoped(Layer.build(layer)))
        assert.instanceOf(error, CacheError.InvalidConfig)
        assert.strictEqual(error.issues[0]?.field, "prefix")
      })
    )
  }
})
