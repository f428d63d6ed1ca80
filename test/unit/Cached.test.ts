import { assert, describe, it } from "@effect/vitest"
import { CacheConfig, CacheContext, CacheError, Cached, CacheStore, MemoryStore } from "effect-larder"
import * as SqliteStore from "effect-larder/SqliteStore"
import {
  Cause,
  Context,
  Data,
  Deferred,
  Effect,
  Exit,
  Fiber,
  Layer,
  Logger,
  ManagedRuntime,
  Option,
  Schema,
  Scope,
  TestClock
} from "effect"
import { ManualClock } from "../fixtures/cache/clock.js"

class NotFound extends Data.TaggedError("NotFound")<{ readonly id: string }> {}

/** A function that counts its runs. */
const counting = <Args extends ReadonlyArray<unknown>, A, E, R>(f: (...args: Args) => Effect.Effect<A, E, R>) => {
  const calls: Array<Args> = []
  const counted = (...args: Args) =>
    Effect.suspend(() => {
      calls.push(args)
      return f(...args)
    })
  return { calls, counted }
}

const memory = Effect.provide(MemoryStore.layer())

/** A store on which no region can be opened until it is told that one can. */
const faulty = (state: { broken: boolean }) =>
  Layer.map(MemoryStore.layer(), (context) => {
    const store = Context.get(context, CacheStore.CacheStore)
    const region: CacheStore.Service["region"] = (options) =>
      Effect.suspend(() =>
        state.broken
          ? Effect.fail(new CacheError.StoreUnavailable({ store: "broken", reason: "on purpose", hint: "mend it" }))
          : store.region(options)
      )
    return Context.make(CacheStore.CacheStore, { ...store, name: "broken", region })
  })

describe("Cached.fn", () => {
  it.effect("runs once per distinct list of arguments, and not again for undefined at the end", () =>
    Effect.gen(function* () {
      const { calls, counted } = counting((id: string, page?: number) => Effect.succeed(`${id}:${page}`))
      const cached = Cached.fn("pages")(counted)
      assert.strictEqual(yield* cached("a"), "a:undefined")
      assert.strictEqual(yield* cached("a", undefined), "a:undefined")
      assert.strictEqual(yield* cached("a", 1), "a:1")
      assert.strictEqual(yield* cached("a", 1), "a:1")
      assert.deepStrictEqual(calls, [["a"], ["a", 1]])
      assert.strictEqual(cached.name, "pages")
    }).pipe(memory)
  )

  it.effect("tells apart 1, text, booleans, lists and missing arguments", () =>
    Effect.gen(function* () {
      const { calls, counted } = counting((...all: ReadonlyArray<string | number | boolean | null | Array<number>>) =>
        Effect.succeed(all)
      )
      const cached = Cached.fn("anything")(counted)
      const lists: ReadonlyArray<ReadonlyArray<string | number | boolean | null | Array<number>>> = [
        ["1"],
        [1],
        [true],
        [null],
        [],
        ["1", 1],
        [[1]],
        [[1], 1]
      ]
      for (const args of lists) assert.deepStrictEqual(yield* cached(...args), args)
      for (const args of lists) assert.deepStrictEqual(yield* cached(...args), args)
      assert.strictEqual(calls.length, lists.length)
    }).pipe(memory)
  )

  it.effect("keys by a function: equal picks meet, with the defaults of its parameters", () =>
    Effect.gen(function* () {
      const { calls, counted } = counting((a: number, b?: number) => Effect.succeed(a + (b ?? 1)))
      const cached = Cached.fn("add", { key: (a: number, b = 1) => [a, b] })(counted)
      assert.deepStrictEqual(yield* Effect.all([cached(5), cached(5, 1), cached(5, 2)]), [6, 6, 7])
      assert.deepStrictEqual(calls, [[5], [5, 2]])
    }).pipe(memory)
  )

  it.effect("keys by a Schema of the arguments, with its defaults", () =>
    Effect.gen(function* () {
      const Given = Schema.Tuple(Schema.Number, Schema.optionalElement(Schema.Number))
      const args = Schema.transform(Schema.Tuple(Schema.Number, Schema.Number), Given, {
        strict: true,
        decode: (pair) => pair,
        encode: ([a, b = 1]) => [a, b] as const
      })
      const { calls, counted } = counting((a: number, b?: number) => Effect.succeed(a + (b ?? 1)))
      const cached = Cached.fn("addSchema", { key: args })(counted)
      assert.deepStrictEqual(
        yield* Effect.all([cached(5), cached(5, undefined), cached(5, 1), cached(5, 2)]),
        [6, 6, 6, 7]
      )
      assert.deepStrictEqual(calls, [[5], [5, 2]])
    }).pipe(memory)
  )

  it.effect("gives callbacks the arguments one by one", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const cached = Cached.fn("callbacks", {
        when: (...args: [string, number]) => seen.push(["when", ...args]) > 0,
        cacheIf: (exit, ...args: [string, number]) => seen.push(["cacheIf", Exit.isSuccess(exit), ...args]) > 0,
        timeToLive: (value, ...args: [string, number]) => {
          seen.push(["timeToLive", value, ...args])
          return "1 second"
        },
        tags: (value, ...args: [string, number]) => {
          seen.push(["tags", value, ...args])
          return ["t"]
        },
        failureTimeToLive: (error, ...args: [string, number]) => {
          seen.push(["failureTimeToLive", (error as NotFound)._tag, ...args])
          return "1 second"
        }
      })((id: string, n: number) => (n > 0 ? Effect.succeed(id) : Effect.fail(new NotFound({ id }))))
      yield* cached("a", 1)
      yield* Effect.flip(cached("b", 0))
      assert.deepStrictEqual(seen, [
        ["when", "a", 1],
        ["cacheIf", true, "a", 1],
        ["timeToLive", "a", "a", 1],
        ["tags", "a", "a", 1],
        ["when", "b", 0],
        ["cacheIf", false, "b", 0],
        ["failureTimeToLive", "NotFound", "b", 0]
      ])
      seen.length = 0
      yield* cached("a", 1)
      assert.deepStrictEqual(seen, [["when", "a", 1]])
      yield* cached.invalidateTags(["t"])
      assert.isFalse(yield* cached.has("a", 1))
    }).pipe(memory)
  )

  it.effect("does not cache what `when` or `cacheIf` refuse, nor failures unless asked", () =>
    Effect.gen(function* () {
      const { calls, counted } = counting((id: string) =>
        id === "missing" ? Effect.fail(new NotFound({ id })) : Effect.succeed(id)
      )
      const cached = Cached.fn("conditions", {
        when: (id: string) => id !== "never",
        cacheIf: (exit, id: string) => id !== "unkept" && (Exit.isSuccess(exit) || id !== "x")
      })(counted)
      for (const id of ["never", "unkept", "missing", "kept"]) {
        yield* Effect.exit(cached(id))
        yield* Effect.exit(cached(id))
      }
      assert.deepStrictEqual(
        calls.map(([id]) => id),
        ["never", "never", "unkept", "unkept", "missing", "missing", "kept"]
      )
      const stats = yield* cached.stats
      assert.deepInclude(stats, { bypassed: 2, loaded: 3, failed: 2, fresh: 1, inFlight: 0 })
      assert.strictEqual(stats.gets, 8)
    }).pipe(memory)
  )

  it.effect("keeps failures for a life of their own, by tag", () =>
    Effect.gen(function* () {
      const { calls, counted } = counting((id: string) => Effect.fail(new NotFound({ id })))
      const cached = Cached.fn("failures", { failureTimeToLive: { NotFound: "10 seconds" } })(counted)
      const first = yield* Effect.flip(cached("a"))
      assert.strictEqual(yield* Effect.flip(cached("a")), first)
      yield* TestClock.adjust("10 seconds")
      yield* Effect.flip(cached("a"))
      assert.strictEqual(calls.length, 2)
    }).pipe(memory)
  )

  it.effect("one load for all who call at once, who may come and go", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<string>()
      const { calls, counted } = counting((_: string) => Deferred.await(gate))
      const cached = Cached.fn("shared")(counted)
      const first = yield* Effect.fork(cached("a"))
      const others = yield* Effect.forkAll(Effect.replicate(cached("a"), 100).map((call) => call))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(first)
      yield* Deferred.succeed(gate, "value")
      assert.deepStrictEqual(
        [...(yield* Fiber.join(others))],
        Array.from({ length: 100 }, () => "value")
      )
      assert.strictEqual(calls.length, 1)
    }).pipe(memory)
  )

  it.effect("its controls are those of its own cache", () =>
    Effect.gen(function* () {
      const { calls, counted } = counting((id: string): Effect.Effect<string> => Effect.succeed(calls.length + id))
      const cached = Cached.fn("controls")(counted)
      const other = Cached.fn("other")((id: string) => Effect.succeed(id))
      yield* other("a")
      assert.deepStrictEqual(yield* cached.peek("a"), Option.none())
      assert.strictEqual((yield* cached.explain("a")).verdict, "load")
      assert.isFalse(yield* cached.has("a"))
      assert.strictEqual(calls.length, 0)
      assert.strictEqual(yield* cached("a"), "1a")
      assert.deepStrictEqual(yield* cached.peek("a"), Option.some("1a"))
      assert.strictEqual((yield* cached.explain("a")).verdict, "fresh")
      assert.isTrue(yield* cached.has("a"))
      assert.strictEqual(yield* cached.refresh("a"), "2a")
      yield* cached.set(["a"], "set", { timeToLive: "1 second" })
      assert.strictEqual(yield* cached("a"), "set")
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* cached("a"), "3a")
      yield* cached.invalidate("a")
      assert.strictEqual(yield* cached("a"), "4a")
      yield* cached("b")
      assert.strictEqual(yield* cached.clear, 2)
      assert.isTrue(yield* other.has("a"))
      assert.strictEqual((yield* cached.stats).name, "controls")
    }).pipe(memory)
  )

  it.effect("takes what it requires from each caller", () =>
    Effect.gen(function* () {
      class Region extends Context.Tag("Region")<Region, string>() {}
      const cached = Cached.fn("requires")((id: string) => Effect.map(Region, (region) => `${region}/${id}`))
      assert.strictEqual(yield* cached("a").pipe(Effect.provideService(Region, "eu")), "eu/a")
      assert.strictEqual(yield* cached("b").pipe(Effect.provideService(Region, "us")), "us/b")
    }).pipe(memory)
  )

  it.effect("obeys `CacheConfig.locally`, and the settings in force", () =>
    Effect.gen(function* () {
      const { calls, counted } = counting((id: string) => Effect.succeed(id))
      const cached = Cached.fn("settings")(counted)
      yield* cached("a")
      yield* cached("a").pipe(CacheConfig.locally({ mode: "reload" }))
      assert.strictEqual(calls.length, 2)
      const missing = yield* Effect.flip(cached("b").pipe(CacheConfig.locally({ mode: "only-if-cached" })))
      assert.strictEqual(missing._tag, "NotCached")
      yield* TestClock.adjust("1 second")
      yield* cached("a")
      assert.strictEqual(calls.length, 3)
    }).pipe(memory, Effect.provide(CacheConfig.layer({ timeToLive: "1 second" })))
  )
})

describe("Cached.fn: stores", () => {
  it.effect("has a cache of its own on each store", () =>
    Effect.gen(function* () {
      const { calls, counted } = counting((id: string) => Effect.succeed(id))
      const cached = Cached.fn("stores")(counted)
      const [a, b] = yield* Effect.all([Layer.build(MemoryStore.layer()), Layer.build(MemoryStore.layer())])
      for (const store of [a, b, a, b]) yield* cached("x").pipe(Effect.provide(store))
      assert.strictEqual(calls.length, 2)
      assert.strictEqual((yield* cached.stats.pipe(Effect.provide(a))).fresh, 1)
    }).pipe(Effect.scoped)
  )

  it.effect("opens it once, also when a thousand call at once, the first of whom leaves", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      let opened = 0
      const built = yield* Layer.build(MemoryStore.layer())
      const store = Context.get(built, CacheStore.CacheStore)
      const slow: CacheStore.Service = {
        ...store,
        region: (options) =>
          Effect.zipRight(
            Effect.sync(() => opened++),
            Effect.zipRight(Deferred.await(gate), store.region(options))
          )
      }
      const cached = Cached.fn("opening")((id: string) => Effect.succeed(id))
      const call = cached("x").pipe(Effect.provideService(CacheStore.CacheStore, slow))
      const first = yield* Effect.fork(call)
      const rest = yield* Effect.forkAll(Effect.replicate(call, 1_000))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(first)
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual([...(yield* Fiber.join(rest))].length, 1_000)
      assert.strictEqual(opened, 1)
    }).pipe(Effect.scoped)
  )

  it.effect("goes on without a store that cannot be opened, says so once, and uses it once it can be", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const logger = Logger.make(
        ({ message }) => void lines.push(String(Array.isArray(message) ? message[0] : message))
      )
      const state = { broken: true }
      const { calls, counted } = counting((id: string) => Effect.succeed(id))
      const cached = Cached.fn("unavailable")(counted)
      yield* Effect.gen(function* () {
        assert.strictEqual(yield* cached("a"), "a")
        assert.strictEqual(yield* cached("a"), "a")
        assert.strictEqual(yield* cached.refresh("a"), "a")
        assert.strictEqual(calls.length, 3)
        assert.deepStrictEqual(yield* cached.peek("a"), Option.none())
        assert.isFalse(yield* cached.has("a"))
        const missing = yield* Effect.flip(cached("a").pipe(CacheConfig.locally({ mode: "only-if-cached" })))
        assert.strictEqual(missing._tag, "NotCached")
        const error = yield* Effect.flip(cached.invalidate("a"))
        assert.strictEqual(error._tag, "StoreUnavailable")
        assert.strictEqual(lines.filter((line) => line.includes("'unavailable' goes on without its store")).length, 1)
        state.broken = false
        yield* cached("a")
        yield* cached("a")
        assert.strictEqual(calls.length, 4)
      }).pipe(Effect.provide(faulty(state)), Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
    })
  )

  it.effect("a strict one fails instead", () =>
    Effect.gen(function* () {
      const cached = Cached.fn("strict", { strict: true })((id: string) => Effect.succeed(id))
      const error = yield* Effect.flip(cached("a"))
      assert.strictEqual(error._tag, "StoreUnavailable")
    }).pipe(Effect.provide(faulty({ broken: true })))
  )

  it.effect("a store that is released while the cache is opened is an unavailable one", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const built = yield* Layer.buildWithScope(MemoryStore.layer(), scope)
      const store = Context.get(built, CacheStore.CacheStore)
      const never: CacheStore.Service = { ...store, region: () => Effect.never }
      const cached = Cached.fn("released")((id: string) => Effect.succeed(id))
      const call = yield* Effect.fork(cached("a").pipe(Effect.provideService(CacheStore.CacheStore, never)))
      yield* Effect.yieldNow()
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(yield* Fiber.join(call), "a")
    })
  )

  it.effect("dies of bad options, naming them", () =>
    Effect.gen(function* () {
      const cached = Cached.fn("bad", { timeToLive: -1, key: 3 as never })((id: string) => Effect.succeed(id))
      const exit = yield* Effect.exit(cached("a"))
      const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
      assert.instanceOf(error, CacheError.InvalidConfig)
      assert.deepStrictEqual(error.issues.map((issue) => issue.field).sort(), ["key", "timeToLive"])
    }).pipe(memory)
  )

  it.effect("dies of a name that another has, which is how two functions cannot share values", () =>
    Effect.gen(function* () {
      const one = Cached.fn("same")((_: string) => Effect.succeed(1))
      const two = Cached.fn("same")((_: string) => Effect.succeed(2))
      assert.strictEqual(yield* one("a"), 1)
      const exit = yield* Effect.exit(two("a"))
      assert.isTrue(Exit.isFailure(exit) && Cause.isDie(exit.cause))
      assert.include(String(Exit.isFailure(exit) && Cause.squash(exit.cause)), "same")
    }).pipe(memory)
  )

  it.effect("dies over a store of bytes when there is no Schema, and works with one", () =>
    Effect.gen(function* () {
      const without = Cached.fn("without")((id: string) => Effect.succeed(new Date(id.length)))
      assert.isTrue(Exit.isFailure(yield* Effect.exit(without("a"))))
      const { calls, counted } = counting((id: string) => Effect.succeed(new Date(id.length)))
      const dates = Cached.fn("dates", {
        success: Schema.DateFromSelf.pipe((self) =>
          Schema.transform(Schema.Number, self, {
            strict: true,
            decode: (millis) => new Date(millis),
            encode: (date) => date.getTime()
          })
        )
      })(counted)
      assert.deepStrictEqual(yield* dates("abc"), new Date(3))
      assert.deepStrictEqual(yield* dates("abc"), new Date(3))
      assert.strictEqual(calls.length, 1)
    }).pipe(Effect.provide(SqliteStore.layerMemory))
  )

  it.effect("dies over a store of bytes when failures are to be kept without a Schema", () =>
    Effect.gen(function* () {
      const failing = (id: string): Effect.Effect<number, NotFound> => Effect.fail(new NotFound({ id }))
      const options = { success: Schema.Number, failureTimeToLive: "1 second" } as const
      const exit = yield* Effect.exit(Cached.fn("failures", options)(failing)("a"))
      const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
      assert.instanceOf(error, CacheError.InvalidConfig)
      assert.deepStrictEqual(
        error.issues.map((issue) => issue.field),
        ["failure"]
      )
      const inMemory = yield* Effect.exit(Cached.fn("failures", options)(failing)("a").pipe(memory))
      assert.deepStrictEqual(inMemory, Exit.fail(new NotFound({ id: "a" })))
    }).pipe(Effect.provide(SqliteStore.layerMemory))
  )

  it.effect("refuses what cannot be a key, and runs nothing", () =>
    Effect.gen(function* () {
      const { calls, counted } = counting((_: () => void) => Effect.succeed(1))
      const cached = Cached.fn("refuses")(counted)
      const error = yield* Effect.flip(cached(() => {}))
      assert.instanceOf(error, CacheError.KeyError)
      assert.strictEqual(calls.length, 0)
    }).pipe(memory)
  )
})

describe("Cached.effect and Cached.generic", () => {
  it.effect("an effect is run once, and has controls", () =>
    Effect.gen(function* () {
      const { calls, counted } = counting((): Effect.Effect<number> => Effect.succeed(calls.length))
      const cached = Cached.effect("effect", { timeToLive: "1 minute", tags: ["t"] })(counted())
      assert.deepStrictEqual(yield* cached.peek, Option.none())
      assert.strictEqual((yield* cached.explain).verdict, "load")
      assert.deepStrictEqual(yield* Effect.all([cached, cached]), [1, 1])
      assert.isTrue(yield* cached.has)
      assert.strictEqual(yield* cached.refresh, 2)
      yield* cached.set(7)
      assert.strictEqual(yield* cached, 7)
      yield* cached.invalidate
      assert.strictEqual(yield* cached, 3)
      yield* cached.invalidateTags(["t"])
      assert.strictEqual(yield* cached, 4)
      assert.strictEqual(yield* cached.clear, 1)
      assert.strictEqual((yield* cached.stats).loads, 4)
    }).pipe(memory)
  )

  it.effect("a generic function", () =>
    Effect.gen(function* () {
      const { calls, counted } = counting((of: ReadonlyArray<unknown>) => Effect.succeed(of[0]))
      const first = Cached.generic("generic")(counted as <A>(of: ReadonlyArray<A>) => Effect.Effect<A | undefined>)
      assert.strictEqual(yield* first(["a", "b"]), "a")
      assert.strictEqual(yield* first(["a", "b"]), "a")
      assert.strictEqual(yield* first([1]), 1)
      assert.strictEqual(calls.length, 2)
    }).pipe(memory)
  )
})

describe("Cached.promise", () => {
  const withRuntime = <A>(body: (runtime: ManagedRuntime.ManagedRuntime<CacheStore.CacheStore, never>) => Promise<A>) =>
    Effect.acquireUseRelease(
      Effect.sync(() => ManagedRuntime.make(MemoryStore.layer())),
      (runtime) => Effect.promise(() => body(runtime)),
      (runtime) => runtime.disposeEffect
    )

  it.effect("a Promise function, run once for all who ask at once, with controls", () =>
    withRuntime(async (runtime) => {
      let runs = 0
      const cached = Cached.promise(runtime, "promise", { tags: ["t"] })(async (id: string) => {
        runs++
        return id
      })
      assert.deepStrictEqual(await Promise.all([cached("a"), cached("a"), cached("b")]), ["a", "a", "b"])
      assert.strictEqual(runs, 2)
      assert.deepStrictEqual(await cached.peek("a"), Option.some("a"))
      assert.strictEqual((await cached.explain("a")).verdict, "fresh")
      assert.isTrue(await cached.has("a"))
      await cached.invalidate("a")
      await cached("a")
      assert.strictEqual(runs, 3)
      await cached.refresh("a")
      assert.strictEqual(runs, 4)
      await cached.set(["a"], "set")
      assert.strictEqual(await cached("a"), "set")
      await cached.invalidateTags(["t"])
      await cached("b")
      assert.strictEqual(runs, 5)
      assert.strictEqual(await cached.clear(), 2)
      assert.strictEqual((await cached.stats()).loads, 5)
    })
  )

  it.effect("rejects with the function's own error, the same for all, and runs again the next time", () =>
    withRuntime(async (runtime) => {
      const errors = [new Error("first"), undefined]
      let runs = 0
      const cached = Cached.promise(
        runtime,
        "rejects"
      )((_: string): Promise<string> => {
        const error = errors[runs++]
        if (runs > 2) return Promise.resolve("value")
        if (runs === 2) throw error
        return Promise.reject(error)
      })
      const settled = await Promise.allSettled([cached("a"), cached("a")])
      assert.deepStrictEqual(settled, [
        { status: "rejected", reason: errors[0] },
        { status: "rejected", reason: errors[0] }
      ])
      assert.strictEqual(runs, 1)
      assert.deepStrictEqual(await Promise.allSettled([cached("a")]), [{ status: "rejected", reason: undefined }])
      assert.strictEqual(await cached("a"), "value")
    })
  )

  it.effect("rejects with the typed error where the key is refused or the options are", () =>
    withRuntime(async (runtime) => {
      const cached = Cached.promise(runtime, "key")(async (_: unknown) => 1)
      const [refused] = await Promise.allSettled([cached(() => {})])
      assert.instanceOf(refused.status === "rejected" ? refused.reason : undefined, CacheError.KeyError)
      const bad = Cached.promise(runtime, "bad", { timeToLive: Number.NaN })(async () => 1)
      const [died] = await Promise.allSettled([bad()])
      assert.instanceOf(died.status === "rejected" ? died.reason : undefined, CacheError.InvalidConfig)
    })
  )

  it.effect("rejects when the runtime has been disposed of", () =>
    Effect.promise(async () => {
      const runtime = ManagedRuntime.make(MemoryStore.layer())
      const cached = Cached.promise(runtime, "disposed")(async (id: string) => id)
      await cached("a")
      await runtime.dispose()
      const [settled] = await Promise.allSettled([cached("a")])
      assert.strictEqual(settled.status, "rejected")
    })
  )
})

describe("Cached.promise: hits without Effect", () => {
  const clock = new ManualClock()
  const settings = Layer.mergeAll(MemoryStore.layer(), Layer.setClock(clock))

  it.effect("obey the runtime's clock, count, fail as before, and see what was invalidated", () =>
    Effect.promise(async () => {
      const runtime = ManagedRuntime.make(settings)
      let runs = 0
      const cached = Cached.promise(runtime, "hits", { timeToLive: "1 minute", tags: ["t"] })(async (id: string) => {
        runs++
        if (id === "bad") throw new Error("bad")
        return `${id}:${runs}`
      })
      for (let times = 0; times < 20; times++) assert.strictEqual(await cached("a"), "a:1")
      clock.advance(59_999)
      assert.strictEqual(await cached("a"), "a:1")
      clock.advance(1)
      assert.strictEqual(await cached("a"), "a:2")
      await cached.invalidate("a")
      assert.strictEqual(await cached("a"), "a:3")
      await cached.invalidateTags(["t"])
      const [first, second] = [cached("a"), cached("a")]
      assert.notStrictEqual(first, second)
      assert.deepStrictEqual(await Promise.all([first, second]), ["a:4", "a:4"])
      for (let times = 0; times < 2; times++) {
        assert.strictEqual((await Promise.allSettled([cached("bad")]))[0].status, "rejected")
      }
      const { failed, fresh, gets, joined, loaded } = await cached.stats()
      assert.deepStrictEqual(
        { failed, fresh, gets, joined, loaded },
        { failed: 2, fresh: 20, gets: 27, joined: 1, loaded: 4 }
      )
      await runtime.dispose()
      assert.strictEqual((await Promise.allSettled([cached("a")]))[0].status, "rejected")
    })
  )

  it.effect("are of the runtime that each was made with", () =>
    Effect.promise(async () => {
      const [one, other] = [ManagedRuntime.make(MemoryStore.layer()), ManagedRuntime.make(MemoryStore.layer())]
      const runs: Array<string> = []
      const made = [one, other].map((runtime, index) =>
        Cached.promise(
          runtime,
          "two"
        )(async (id: string) => {
          runs.push(`${index} ${id}`)
          return index
        })
      )
      for (let times = 0; times < 3; times++) {
        assert.deepStrictEqual(await Promise.all(made.map((cached) => cached("a"))), [0, 1])
      }
      assert.deepStrictEqual(runs, ["0 a", "1 a"])
      await Promise.all([one.dispose(), other.dispose()])
    })
  )
})

describe("Cached.fn in contexts", () => {
  it.effect("uses the store and the settings of the innermost context", () =>
    Effect.gen(function* () {
      const { calls, counted } = counting((id: string) => Effect.succeed(id))
      const cached = Cached.fn("contexts")(counted)
      const twice = Effect.zipRight(cached("a"), cached("a"))
      yield* twice
      yield* twice.pipe(CacheContext.with(MemoryStore.layer()))
      yield* twice.pipe(CacheContext.with(MemoryStore.layer(), { timeToLive: 0 }))
      yield* twice
      assert.strictEqual(calls.length, 1 + 1 + 2)
    }).pipe(memory)
  )
})
