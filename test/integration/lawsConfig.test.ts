/** Laws 10, 12 and 13: keys are injective, config is checked once, secrets stay in. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, HashMap, Logger, LogLevel, Option, Schema, Stream, Tracer } from "effect"
import { Cache, CacheConfig, CacheError, CacheEvents, CacheStore, MemoryStore } from "effect-larder"
import fc from "fast-check"
import { forAll, makeUntyped, over, settled } from "../fixtures/cache/harness.js"
import { distant, mood, moody } from "../fixtures/cache/regions.js"
import { stores } from "../fixtures/cache/stores.js"

/** Values that look alike, and are not. */
const distinct: ReadonlyArray<unknown> = [
  1,
  "1",
  true,
  "true",
  null,
  "null",
  undefined,
  "undefined",
  0,
  -0,
  NaN,
  "NaN",
  "",
  " ",
  1n,
  "1n",
  [],
  [[]],
  {},
  [1],
  ["1"],
  { a: 1 },
  { a: "1" },
  { a: { b: 1 } },
  { "a.b": 1 },
  { a: null },
  [null],
  [undefined],
  new Map([["a", 1]]),
  new Set(["a"]),
  new Set([["a", 1]]),
  [["a", 1]],
  new Date(0),
  "1970-01-01T00:00:00.000Z",
  0n,
  Infinity,
  -Infinity,
  "~1",
  "~",
  "\u0000",
  "\ud800",
  "\udc00",
  "é",
  "e\u0301",
  "../../x",
  "__proto__",
  "constructor",
  "a:b",
  "a/b",
  "a\nb",
  { __proto__x: 1 },
  JSON.parse('{"__proto__":1}'),
  "x".repeat(1_000),
  "x".repeat(1_001)
]

for (const store of stores) {
  describe(`10. Keys are injective (${store.name})`, () => {
    it.effect("keys that look alike do not meet, and each finds its own value again", () =>
      Effect.gen(function* () {
        const cache = yield* Cache.make("alike", {
          success: Schema.Number,
          lookup: (key: unknown) => Effect.succeed(distinct.findIndex((other) => Object.is(other, key)))
        })
        for (let times = 0; times < 2; times++) {
          for (const [index, key] of distinct.entries()) {
            assert.strictEqual(yield* cache.get(key), index)
          }
        }
        const stats = yield* cache.stats
        assert.deepStrictEqual([stats.loaded, stats.fresh], [distinct.length, distinct.length])
      }).pipe(over(store.layer))
    )

    it.effect("equal keys meet, whatever the order of their properties", () =>
      forAll(
        fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null)), {
          maxKeys: 5
        }),
        (key) =>
          Effect.gen(function* () {
            let lookups = 0
            const cache = yield* Cache.make("equal", {
              success: Schema.Number,
              lookup: (_key: Record<string, unknown>) => Effect.sync(() => ++lookups)
            })
            yield* cache.get(key)
            yield* cache.get(Object.fromEntries(Object.entries(key).reverse()))
            assert.strictEqual(lookups, 1)
          }).pipe(over(store.layer)),
        { numRuns: 30 }
      )
    )

    it.effect("two caches of one store share nothing, however alike their names", () =>
      Effect.gen(function* () {
        const names = ["user", "users", "user:s", "user/s", "us", "User", "user ", "use", "../user", "__proto__"]
        const caches = yield* Effect.forEach(names, (name) =>
          Cache.make(name, {
            key: Schema.String,
            success: Schema.String,
            lookup: (key) => Effect.succeed(`${name}|${key}`)
          })
        )
        for (const cache of caches) {
          for (const key of ["s1", "1", ":s1", ""]) assert.strictEqual(yield* cache.get(key), `${cache.name}|${key}`)
        }
        assert.strictEqual(yield* caches[0]!.clear, 4)
        for (const cache of caches.slice(1)) assert.strictEqual(yield* cache.size, 4)
      }).pipe(over(store.layer))
    )

    it.effect("undefined, null and other values that are not much are values like any other", () =>
      Effect.gen(function* () {
        const values = [undefined, null, false, 0, "", NaN]
        const cache = yield* Cache.make("falsy", {
          key: Schema.Number,
          success: Schema.Union(Schema.Undefined, Schema.Null, Schema.Boolean, Schema.Number, Schema.String),
          lookup: (index) => Effect.succeed(values[index])
        })
        for (const [index, value] of values.entries()) {
          assert.deepStrictEqual(yield* cache.get(index), value)
          assert.isTrue(yield* cache.has(index))
          assert.deepStrictEqual(yield* cache.getOption(index), Option.some(value))
          assert.deepStrictEqual(yield* cache.get(index), value)
        }
        assert.strictEqual((yield* cache.stats).loads, values.length)
      }).pipe(over(store.layer))
    )

    it.effect("a key that cannot be one is refused, typed, and in getMany in its own place", () =>
      Effect.gen(function* () {
        const cache = yield* Cache.make("refused", { success: Schema.String, lookup: () => Effect.succeed("v") })
        const bad: unknown = () => 1
        assert.instanceOf(yield* Effect.flip(cache.get(bad)), CacheError.KeyError)
        assert.instanceOf(yield* Effect.flip(cache.getMany(["a", bad, "b"])), CacheError.KeyError)
        const either = yield* cache.getMany(["a", bad, "b"], { mode: "either" })
        assert.deepStrictEqual(
          either.map((one) => one._tag),
          ["Right", "Left", "Right"]
        )
        for (const operation of [cache.set(bad, "v"), cache.invalidate(bad), cache.expire(bad), cache.has(bad)]) {
          assert.instanceOf(yield* Effect.flip<unknown, unknown, never>(operation), CacheError.KeyError)
        }
        const stats = yield* cache.stats
        assert.deepStrictEqual([stats.gets, stats.inFlight], [7, 0])
      }).pipe(over(store.layer))
    )
  })
}

/** For each option of `Cache.make`: values that cannot be. */
const invalid: Record<string, ReadonlyArray<unknown>> = {
  key: [1, "string", {}, () => 1],
  success: [1, {}, String],
  failure: [true, {}],
  lookup: [1, "x", null, {}],
  timeToLive: [-1, NaN, "5 moons", "-5 seconds", {}, null, "", -1n, [1]],
  failureTimeToLive: [-1, NaN, "soon", { NotFound: -1 }, { NotFound: "soon" }, null],
  staleWhileRevalidate: [-1, NaN, "x", () => 1, null],
  staleIfError: [-1, NaN, "x", null],
  loadDeadline: [-1, NaN, "x", null],
  waitFresh: [-1, NaN, "x", null],
  waitStale: [-1, NaN, "x", null],
  mode: ["defualt", "", 1, null],
  traceHits: ["yes", 1, null],
  tags: ["all", [1], 1, null],
  when: [true, null],
  cacheIf: [false, null],
  version: [1, null],
  strict: ["yes", 0, null],
  requirements: ["callers", 1, null],
  maxTimeToLive: [-1, "x", null],
  timeToIdle: [0, -1, "x", null],
  tierTimeToLive: [1, "1 minute", [-1], null],
  jitter: [-0.1, 1.1, NaN, "x", null],
  refreshAhead: [0, 1, 2, NaN, "x", null],
  earlyRefresh: [0, -1, Infinity, NaN, null],
  failsafeWhen: [true, null],
  retry: [3, "x", null],
  backoff: [-1, "x", null],
  shareFailures: [-1, "x", null],
  bulkhead: [1, {}, { concurrency: 0 }, { concurrency: 1, queue: -1 }, null],
  revalidate: [true, null],
  policy: [{}, 1, null],
  timetolive: [1],
  ttl: ["1 minute"],
  capacity: [10],
  __proto__x: [1]
}

/** And values that can. */
const valid: Record<string, ReadonlyArray<unknown>> = {
  timeToLive: [0, 1, "1 minute", Infinity, () => "1 second"],
  failureTimeToLive: [0, "1 second", { NotFound: 5 }, () => 1],
  staleWhileRevalidate: [0, "1 minute"],
  staleIfError: [0, "1 day"],
  loadDeadline: [1, "Infinity"],
  waitFresh: [0, "1 second"],
  waitStale: [0, "1 second"],
  mode: ["default", "reload"],
  traceHits: [true, false],
  tags: [["a"], () => []],
  strict: [true, false],
  jitter: [0, 0.5, 1],
  refreshAhead: [0.1, 0.9],
  shareFailures: [0, "1 second"],
  bulkhead: [{ concurrency: 1 }, { concurrency: 8, queue: 0 }],
  maxTimeToLive: ["1 hour"],
  timeToIdle: ["1 hour"]
}

/** Options of which each is absent, or can be, or cannot. */
const someOptions = fc
  .tuple(
    ...Object.keys(invalid)
      .filter((field) => !["key", "success", "failure", "lookup"].includes(field))
      .map((field) =>
        fc.oneof(
          { weight: 8, arbitrary: fc.constant(undefined) },
          {
            weight: 3,
            arbitrary: fc
              .constantFrom(...(valid[field] ?? [undefined]))
              .map((value) => ({ field, value, isBad: false }))
          },
          { weight: 1, arbitrary: fc.constantFrom(...invalid[field]!).map((value) => ({ field, value, isBad: true })) }
        )
      )
  )
  .map((all) => all.flatMap((one) => (one?.value === undefined ? [] : [one])))

for (const store of stores) {
  describe(`12. Config is checked once (${store.name})`, () => {
    it.effect(
      "a cache is built if nothing is wrong, and otherwise told exactly what is, in 10 000 configurations",
      () =>
        Effect.gen(function* () {
          const built = yield* CacheStore.CacheStore
          const name = "any"
          yield* Effect.promise(() =>
            fc.assert(
              fc.asyncProperty(someOptions, async (chosen) => {
                const options = Object.fromEntries(chosen.map(({ field, value }) => [field, value]))
                const made = makeUntyped(name, {
                  key: Schema.String,
                  success: Schema.String,
                  failure: Schema.String,
                  lookup: Effect.succeed,
                  ...options
                })
                const exit = await Effect.runPromise(
                  made.pipe(Effect.scoped, Effect.either, Effect.provideService(CacheStore.CacheStore, built))
                )
                const bad = chosen.flatMap(({ field, isBad }) => (isBad ? [field] : []))
                const told =
                  exit._tag === "Right"
                    ? []
                    : exit.left._tag === "InvalidConfig"
                      ? exit.left.issues.map(({ field }) => field)
                      : ["?"]
                assert.deepStrictEqual([...told].sort(), [...bad].sort())
              }),
              { numRuns: 10_000 }
            )
          )
        }).pipe(over(store.layer))
    )
  })
}

describe("12. Config is checked once", () => {
  for (const [field, values] of Object.entries(invalid)) {
    it.effect(`${field}: what cannot be is refused when the cache is built, with a reason and a remedy`, () =>
      Effect.gen(function* () {
        for (const value of values) {
          const options = { lookup: Effect.succeed, [field]: value }
          const error = yield* Effect.flip(makeUntyped("checked", options))
          assert.instanceOf(error, CacheError.InvalidConfig)
          assert.strictEqual(error.issues.length, 1)
          const issue = error.issues[0]!
          assert.strictEqual(issue.field, field)
          for (const part of [issue.value, issue.reason, issue.hint, error.hint, error.docsUrl]) assert.isNotEmpty(part)
          assert.include(error.message, field)
        }
        // nothing was left behind that would keep the name
        yield* Cache.make("checked", { lookup: Effect.succeed<string> })
      }).pipe(over(MemoryStore.layer()))
    )
  }

  it.effect("all that is wrong is told at once", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(makeUntyped("\u0000", { lookup: 1, timeToLive: -1, ttl: 5, mode: "x" }))
      assert.instanceOf(error, CacheError.InvalidConfig)
      assert.sameMembers(
        error.issues.map((issue) => issue.field),
        ["name", "lookup", "timeToLive", "ttl", "mode"]
      )
    }).pipe(over(MemoryStore.layer()))
  )

  for (const name of ["", 1, undefined, "a\nb", "x".repeat(201), "\ud800"]) {
    it.effect(`a name that cannot be: ${JSON.stringify(name)?.slice(0, 20)}`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(makeUntyped(name, { lookup: Effect.succeed }))
        assert.instanceOf(error, CacheError.InvalidConfig)
        assert.strictEqual(error.issues[0]?.field, "name")
      }).pipe(over(MemoryStore.layer()))
    )
  }

  it.effect("a lookup is needed", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(makeUntyped("none", {}))
      assert.instanceOf(error, CacheError.InvalidConfig)
      assert.strictEqual(error.issues[0]?.field, "lookup")
    }).pipe(over(MemoryStore.layer()))
  )

  it.effect("values without a Schema are refused over a store of bytes, under memory too", () =>
    Effect.gen(function* () {
      for (const store of stores.slice(1)) {
        const error = yield* Effect.flip(
          Cache.make("plain", { lookup: Effect.succeed<string> }).pipe(Effect.scoped, Effect.provide(store.layer))
        )
        assert.instanceOf(error, CacheError.InvalidConfig)
        assert.strictEqual(error.issues[0]?.field, "success")
      }
    })
  )

  it.effect("options of set are checked too, and nothing is stored", () =>
    Effect.gen(function* () {
      const cache = yield* Cache.make("set", { lookup: Effect.succeed<string> })
      for (const options of [
        { timeToLive: -1 },
        { timeToLive: NaN },
        { tags: "x" },
        { tags: [1] },
        { tags: () => [] },
        { ttl: 5 }
      ]) {
        const error = yield* Effect.flip(cache.set("k", "v", options as Cache.SetOptions))
        assert.instanceOf(error, CacheError.InvalidConfig)
        assert.isFalse(yield* cache.has("k"))
      }
    }).pipe(over(MemoryStore.layer()))
  )

  it.effect("explicit settings win over the environment's, and those over the defaults", () =>
    Effect.gen(function* () {
      const config = yield* CacheConfig.make({ timeToLive: "1 minute", mode: "reload" })
      const loadsOf = (options: Partial<Cache.Options<string, string, never, never>>) =>
        Effect.gen(function* () {
          const cache = yield* Cache.make("layered", { lookup: Effect.succeed<string>, ...options })
          yield* cache.get("k")
          yield* cache.get("k")
          return (yield* cache.stats).loads
        }).pipe(over(MemoryStore.layer()), Effect.provideService(CacheConfig.Current, config))
      assert.strictEqual(yield* loadsOf({}), 2)
      assert.strictEqual(yield* loadsOf({ mode: "default" }), 1)
      assert.strictEqual(yield* loadsOf({ mode: "default", timeToLive: 0 }), 2)
    })
  )
})

const secret = "s3cret-key-of-a-user@example.org"

/** Everything that a program shows of itself: spans with their attributes and events, and logs. */
const watched = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const shown: Array<string> = []
    const plain = (value: unknown): string =>
      value instanceof Error
        ? `${value.name} ${value.message} ${value.stack}`
        : `${String(value)} ${JSON.stringify(value)}`
    const tracer = Tracer.make({
      span: (name, parent, context, links, startTime, kind) => {
        shown.push(name)
        const span: Tracer.Span = {
          _tag: "Span",
          name,
          parent,
          context,
          links,
          kind,
          spanId: `${shown.length}`,
          traceId: "t",
          sampled: true,
          status: { _tag: "Started", startTime },
          attributes: new Map(),
          attribute: (key, value) => void shown.push(key, plain(value)),
          event: (event, _time, attributes) => void shown.push(event, plain(attributes)),
          addLinks: () => {},
          end: (_time, exit) => void shown.push(Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "")
        }
        return span
      },
      context: (f) => f()
    })
    const logger = Logger.make<unknown, void>(({ annotations, cause, message, spans }) => {
      shown.push(plain(message), Cause.pretty(cause))
      for (const [key, value] of HashMap.entries(annotations)) shown.push(key, plain(value))
      for (const { label } of spans) shown.push(label)
    })
    const listener = yield* Effect.fork(
      Stream.runForEach(CacheEvents.changes, (event) => Effect.sync(() => void shown.push(plain(event))))
    )
    yield* settled
    const result = yield* self.pipe(
      Effect.withTracer(tracer),
      Effect.provide(Logger.replace(Logger.defaultLogger, logger)),
      Logger.withMinimumLogLevel(LogLevel.All)
    )
    yield* settled
    yield* Fiber.interrupt(listener)
    return { result, shown }
  }).pipe(Effect.provide(CacheEvents.layer()))

describe("13. Secrets stay in", () => {
  for (const store of [
    ...stores,
    { name: "a store that fails", layer: MemoryStore.layer().pipe(distant, moody(mood("down"))) },
    {
      name: "memory over one that fails",
      layer: MemoryStore.layer().pipe(CacheStore.tieredOver(MemoryStore.layer().pipe(distant, moody(mood("down")))))
    }
  ]) {
    it.effect(`no key is shown in a span, a log or an event (${store.name})`, () =>
      Effect.gen(function* () {
        const { shown } = yield* watched(
          Effect.gen(function* () {
            const cache = yield* Cache.make("secrets", {
              key: Schema.String,
              success: Schema.Number.pipe(Schema.positive()),
              lookup: (key) => (key.endsWith("!") ? Effect.succeed(-1) : Effect.succeed(1)),
              traceHits: true,
              timeToLive: "1 minute"
            })
            yield* cache.get(secret)
            yield* cache.get(secret)
            yield* Effect.exit(cache.get(`${secret}!`))
            yield* cache.getMany([secret, `${secret}2`, `${secret}!`], { mode: "either" })
            yield* Effect.exit(cache.get(`${secret}3`).pipe(CacheConfig.locally({ mode: "only-if-cached" })))
            yield* Effect.all([cache.get(`${secret}4`), cache.get(`${secret}4`)], { concurrency: 2 })
            for (const operation of [
              cache.set(secret, 2),
              cache.set(secret, -2),
              cache.refresh(secret),
              cache.expire(secret),
              cache.invalidate(secret),
              cache.invalidateTags(["t"]),
              cache.clear,
              cache.has(secret),
              cache.getOption(secret)
            ]) {
              yield* Effect.exit<unknown, unknown, never>(operation)
            }
          }).pipe(over(store.layer))
        )
        assert.isAbove(shown.length, 50)
        for (const text of shown) assert.notInclude(text, secret)
      })
    )
  }
})
