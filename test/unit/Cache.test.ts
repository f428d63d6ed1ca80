/** The ordinary behaviour of a cache: each operation, each option. What must always hold is in `integration/laws*`. */
import { assert, describe, it } from "@effect/vitest"
import {
  Cause,
  Context,
  Data,
  Deferred,
  Effect,
  Either,
  Exit,
  Fiber,
  Layer,
  Option,
  Schema,
  Stream,
  TestClock
} from "effect"
import { Cache, CacheConfig, CacheError, CacheStore, MemoryStore } from "effect-larder"
import { addsUp, over, settled } from "../fixtures/cache/harness.js"
import { stores } from "../fixtures/cache/stores.js"

class NotFound extends Schema.TaggedError<NotFound>()("NotFound", { id: Schema.String }) {}
class Denied extends Schema.TaggedError<Denied>()("Denied", { id: Schema.String }) {}
class Boom extends Data.TaggedError("Boom")<{}> {}

const text = { key: Schema.String, success: Schema.String }

/** Answers `key:n`, where n counts the runs; fails for keys that say so. */
const counting = () => {
  const state = { runs: 0, down: false }
  const lookup = (key: string): Effect.Effect<string, NotFound | Denied> =>
    Effect.suspend((): Effect.Effect<string, NotFound | Denied> => {
      state.runs++
      if (key.startsWith("missing") || state.down) return Effect.fail(new NotFound({ id: key }))
      return key.startsWith("denied") ? Effect.fail(new Denied({ id: key })) : Effect.succeed(`${key}:${state.runs}`)
    })
  return { state, lookup }
}

const keysOf = <K, A, E>(cache: Cache.Cache<K, A, E>) =>
  Effect.map(Stream.runCollect(cache.keys), (keys) => [...keys].sort())

for (const store of stores) {
  describe(`operations (${store.name})`, () => {
    it.effect("get loads once, then serves what is stored", () =>
      Effect.gen(function* () {
        const { lookup, state } = counting()
        const cache = yield* Cache.make("get", { ...text, lookup })
        assert.strictEqual(cache.name, "get")
        assert.strictEqual(cache[Cache.TypeId], Cache.TypeId)
        assert.strictEqual(yield* cache.get("a"), "a:1")
        assert.strictEqual(yield* cache.get("a"), "a:1")
        assert.deepStrictEqual(yield* Effect.flip(cache.get("missing")), new NotFound({ id: "missing" }))
        assert.strictEqual(state.runs, 2)
      }).pipe(over(store.layer))
    )

    it.effect("getOption answers what may be served, and never loads", () =>
      Effect.gen(function* () {
        const { lookup, state } = counting()
        const cache = yield* Cache.make("option", {
          ...text,
          failure: NotFound,
          lookup,
          timeToLive: "1 minute",
          staleWhileRevalidate: "1 minute",
          staleIfError: "1 hour",
          failureTimeToLive: { NotFound: "1 minute" }
        })
        assert.deepStrictEqual(yield* cache.getOption("a"), Option.none())
        yield* cache.get("a")
        yield* Effect.exit(cache.get("missing"))
        assert.deepStrictEqual(yield* cache.getOption("a"), Option.some("a:1"))
        assert.deepStrictEqual(yield* Effect.flip(cache.getOption("missing")), new NotFound({ id: "missing" }))
        yield* TestClock.adjust("90 seconds")
        assert.deepStrictEqual(yield* cache.getOption("a"), Option.some("a:1"))
        yield* TestClock.adjust("60 seconds")
        // kept for when a load fails; not to be served before
        assert.deepStrictEqual(yield* cache.getOption("a"), Option.none())
        assert.isTrue(yield* cache.has("a"))
        assert.strictEqual(state.runs, 2)
        yield* addsUp(cache, 2)
      }).pipe(over(store.layer))
    )

    it.effect("getResult tells how the value was come by", () =>
      Effect.gen(function* () {
        const { lookup, state } = counting()
        const cache = yield* Cache.make("result", {
          ...text,
          lookup,
          timeToLive: "1 minute",
          staleWhileRevalidate: "1 minute",
          staleIfError: "1 hour"
        })
        assert.deepStrictEqual(yield* cache.getResult("a"), {
          value: "a:1",
          outcome: "loaded",
          age: 0,
          tier: undefined,
          freshUntil: 60_000
        })
        yield* TestClock.adjust("10 seconds")
        assert.deepStrictEqual(yield* cache.getResult("a"), {
          value: "a:1",
          outcome: "fresh",
          age: 10_000,
          tier: 1,
          freshUntil: 60_000
        })
        yield* TestClock.adjust("60 seconds")
        assert.deepInclude(yield* cache.getResult("a"), { value: "a:1", outcome: "stale", age: 70_000 })
        yield* settled
        assert.deepInclude(yield* cache.getResult("a"), { value: "a:2", outcome: "fresh", age: 0 })
        yield* TestClock.adjust("10 minutes")
        state.down = true
        assert.deepInclude(yield* cache.getResult("a"), { value: "a:2", outcome: "failsafe", age: 600_000 })
        state.down = false
        const bypassed = yield* cache.getResult("a").pipe(CacheConfig.locally({ mode: "no-store" }))
        assert.deepStrictEqual(bypassed, {
          value: "a:4",
          outcome: "bypassed",
          age: 0,
          tier: undefined,
          freshUntil: undefined
        })
        assert.deepStrictEqual(yield* Effect.flip(cache.getResult("missing")), new NotFound({ id: "missing" }))
      }).pipe(over(store.layer))
    )

    it.effect("getMany answers in the order of its keys and loads each key once", () =>
      Effect.gen(function* () {
        const { lookup, state } = counting()
        const cache = yield* Cache.make("many", { ...text, lookup, timeToLive: 0 })
        assert.deepStrictEqual(yield* cache.getMany([]), [])
        assert.deepStrictEqual(yield* cache.getMany(["b", "a", "b", "b"]), ["b:1", "a:2", "b:1", "b:1"])
        assert.strictEqual(state.runs, 2)
        assert.deepStrictEqual(yield* cache.getMany(new Set(["c"])), ["c:3"])
      }).pipe(over(store.layer))
    )

    it.effect("getMany fails with the first failure in the order of its keys, or has an Either for each", () =>
      Effect.gen(function* () {
        const latch = yield* Effect.makeLatch(false)
        const cache = yield* Cache.make("failing", {
          ...text,
          lookup: (key: string) =>
            key === "slow"
              ? Effect.zipRight(latch.await, Effect.fail("slow"))
              : key === "a"
                ? Effect.succeed(key)
                : Effect.fail(key)
        })
        const fiber = yield* Effect.fork(Effect.flip(cache.getMany(["a", "slow", "fast"])))
        const either = yield* Effect.fork(cache.getMany(["a", "slow", "fast"], { mode: "either" }))
        yield* settled
        yield* latch.open
        assert.strictEqual(yield* Fiber.join(fiber), "slow")
        assert.deepStrictEqual(yield* Fiber.join(either), [Either.right("a"), Either.left("slow"), Either.left("fast")])
        yield* addsUp(cache, 6)
      }).pipe(over(store.layer))
    )

    it.effect("has tells of values and kept failures, and of nothing else", () =>
      Effect.gen(function* () {
        const { lookup } = counting()
        const cache = yield* Cache.make("has", {
          ...text,
          failure: NotFound,
          lookup,
          failureTimeToLive: { NotFound: "1 minute" }
        })
        yield* cache.getMany(["a", "missing", "denied"], { mode: "either" })
        assert.deepStrictEqual(
          yield* Effect.forEach(["a", "missing", "denied", "never"], (key) => Effect.either(cache.has(key))),
          [true, true, false, false].map((there) => Either.right(there))
        )
      }).pipe(over(store.layer))
    )

    it.effect("set and setMany put values in, with a life and tags of their own", () =>
      Effect.gen(function* () {
        const { lookup, state } = counting()
        const cache = yield* Cache.make("set", { ...text, lookup, timeToLive: "1 hour", tags: ["own"] })
        yield* cache.set("a", "set")
        yield* cache.setMany(
          [
            ["b", "short"],
            ["c", "short"]
          ],
          { timeToLive: "1 minute", tags: ["other"] }
        )
        yield* cache.setMany([])
        assert.deepStrictEqual(yield* cache.getMany(["a", "b", "c"]), ["set", "short", "short"])
        yield* cache.invalidateTags(["own"])
        assert.deepStrictEqual(yield* keysOf(cache), ["b", "c"])
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(yield* keysOf(cache), [])
        yield* cache.set("d", "there")
        yield* cache.set("d", "gone", { timeToLive: 0 })
        assert.isFalse(yield* cache.has("d"))
        assert.strictEqual(state.runs, 0)
      }).pipe(over(store.layer))
    )

    it.effect("invalidate, invalidateMany, invalidateTags and clear remove what they say, and nothing else", () =>
      Effect.gen(function* () {
        const { lookup } = counting()
        const cache = yield* Cache.make("removed", {
          ...text,
          lookup,
          tags: (value, key) => [`first:${key[0]}`, value.includes(":") ? "loaded" : "set"]
        })
        const all = ["a1", "a2", "b1", "b2", "c1"]
        yield* cache.getMany(all)
        yield* cache.invalidate("a1")
        assert.deepStrictEqual(yield* keysOf(cache), ["a2", "b1", "b2", "c1"])
        yield* cache.invalidateMany(["a2", "c1", "nothing"])
        yield* cache.invalidateMany([])
        assert.deepStrictEqual(yield* keysOf(cache), ["b1", "b2"])
        yield* cache.set("b3", "set by hand")
        yield* cache.invalidateTags(["first:b", "nothing"])
        yield* cache.invalidateTags([])
        assert.deepStrictEqual(yield* keysOf(cache), [])
        yield* cache.getMany(all)
        yield* cache.invalidateTags(["loaded"])
        assert.strictEqual(yield* cache.size, 0)
        yield* cache.getMany(all)
        assert.strictEqual(yield* cache.clear, 5)
        assert.strictEqual(yield* cache.clear, 0)
        assert.strictEqual(yield* cache.size, 0)
      }).pipe(over(store.layer))
    )

    it.effect("kept failures have the tags that are known before", () =>
      Effect.gen(function* () {
        const { lookup, state } = counting()
        const cache = yield* Cache.make("failure tags", {
          ...text,
          failure: NotFound,
          lookup,
          failureTimeToLive: { NotFound: "1 hour" },
          tags: ["users"]
        })
        yield* Effect.exit(cache.get("missing"))
        yield* Effect.exit(cache.get("missing"))
        assert.strictEqual(state.runs, 1)
        yield* cache.invalidateTags(["users"])
        assert.isFalse(yield* cache.has("missing").pipe(Effect.orElseSucceed(() => true)))
      }).pipe(over(store.layer))
    )

    it.effect("refresh loads anew; what fails leaves what was stored, what is not kept removes it", () =>
      Effect.gen(function* () {
        const { lookup, state } = counting()
        let keep = true
        const cache = yield* Cache.make("refresh", { ...text, lookup, cacheIf: () => keep })
        yield* cache.get("a")
        assert.strictEqual(yield* cache.refresh("a"), "a:2")
        assert.strictEqual(yield* cache.get("a"), "a:2")
        state.down = true
        yield* Effect.flip(cache.refresh("a"))
        assert.strictEqual(yield* cache.get("a"), "a:2")
        state.down = false
        keep = false
        assert.strictEqual(yield* cache.refresh("a"), "a:4")
        assert.isFalse(yield* cache.has("a"), "an older value than one that was seen")
        yield* addsUp(cache, 6)
      }).pipe(over(store.layer))
    )

    it.effect("expire ends the freshness and keeps the value for what may be stale", () =>
      Effect.gen(function* () {
        const { lookup, state } = counting()
        const plain = yield* Cache.make("plain", { ...text, lookup })
        yield* plain.get("a")
        yield* plain.expire("a")
        yield* plain.expire("never")
        assert.isFalse(yield* plain.has("a"))
        const cache = yield* Cache.make("expire", { ...text, lookup, timeToLive: "1 day", staleIfError: "1 hour" })
        yield* cache.get("a")
        yield* TestClock.adjust("1 minute")
        yield* cache.expire("a")
        state.down = true
        assert.deepInclude(yield* cache.getResult("a"), { value: "a:2", outcome: "failsafe" })
        yield* TestClock.adjust("1 hour")
        assert.strictEqual((yield* Effect.flip(cache.get("a")))._tag, "NotFound")
      }).pipe(over(store.layer))
    )

    it.effect("size, keys and entries tell what is stored", () =>
      Effect.gen(function* () {
        const cache = yield* Cache.make("listed", {
          key: Schema.Struct({ id: Schema.Number }),
          success: Schema.String,
          lookup: ({ id }) => Effect.succeed(`v${id}`),
          timeToLive: "1 minute",
          tags: ["t"]
        })
        assert.strictEqual(yield* cache.size, 0)
        yield* cache.getMany([{ id: 1 }, { id: 2 }])
        assert.strictEqual(yield* cache.size, 2)
        const keys = [...(yield* Stream.runCollect(cache.keys))]
        assert.deepStrictEqual(keys.map(({ id }) => id).sort(), [1, 2])
        for (const [key, entry] of yield* Stream.runCollect(cache.entries)) {
          assert.deepInclude(entry, {
            exit: Exit.succeed(`v${key.id}`),
            createdAt: 0,
            freshUntil: 60_000,
            staleUntil: 60_000
          })
          assert.deepStrictEqual([...entry.tags], ["t"])
        }
      }).pipe(over(store.layer))
    )

    it.effect("stats add up what was done", () =>
      Effect.gen(function* () {
        const cache = yield* Cache.make("stats", {
          ...text,
          lookup: (key: string) => Effect.as(Effect.sleep("1 second"), key)
        })
        const fiber = yield* Effect.fork(cache.get("a"))
        yield* settled
        assert.strictEqual((yield* cache.stats).inFlight, 1)
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(fiber)
        yield* cache.get("a")
        const stats = yield* cache.stats
        assert.deepInclude(stats, {
          name: "stats",
          loaded: 1,
          fresh: 1,
          loads: 1,
          loadFailures: 0,
          loadMillis: 1_000,
          savedMillis: 1_000,
          inFlight: 0
        })
        assert.deepStrictEqual([stats.gets, stats.hits, stats.misses, stats.hitRatio], [2, 1, 1, 0.5])
        assert.strictEqual(stats.tiers[0]?.entries, 1)
      }).pipe(over(store.layer))
    )

    it.effect("keys of any size and shape", () =>
      Effect.gen(function* () {
        const cache = yield* Cache.make("shapes", { ...text, lookup: (key: string) => Effect.succeed(`${key.length}`) })
        for (const key of ["x".repeat(1_000_000), "../../x", "__proto__", "", "\u0000", "💥\ud800", "a:b/c\\d*?"]) {
          assert.strictEqual(yield* cache.get(key), `${key.length}`)
          assert.strictEqual((yield* cache.getResult(key)).outcome, "fresh")
          assert.include(yield* keysOf(cache), key)
          yield* cache.invalidate(key)
          assert.isFalse(yield* cache.has(key))
        }
      }).pipe(over(store.layer))
    )
  })

  describe(`options (${store.name})`, () => {
    const lives: Record<string, Cache.Options<string, string, NotFound | Denied, never>["failureTimeToLive"]> = {
      "a duration": "1 minute",
      "a table by tag": { NotFound: "1 minute", Denied: "1 minute" },
      "a function": (error) => (error.id === "" ? 0 : 60_000)
    }
    for (const [name, failureTimeToLive] of Object.entries(lives)) {
      it.effect(`failureTimeToLive: ${name}`, () =>
        Effect.gen(function* () {
          const { lookup, state } = counting()
          const cache = yield* Cache.make("failures", {
            ...text,
            failure: Schema.Union(NotFound, Denied),
            lookup,
            failureTimeToLive
          })
          for (const key of ["missing", "denied", "missing", "denied"]) {
            const error = yield* Effect.flip(cache.get(key))
            assert.deepStrictEqual(error, key === "missing" ? new NotFound({ id: key }) : new Denied({ id: key }))
          }
          assert.strictEqual(state.runs, 2)
          yield* TestClock.adjust("1 minute")
          yield* Effect.flip(cache.get("missing"))
          assert.strictEqual(state.runs, 3)
        }).pipe(over(store.layer))
      )
    }

    it.effect("failureTimeToLive: what the table does not name, and what has two causes, is not kept", () =>
      Effect.gen(function* () {
        const { lookup, state } = counting()
        const cache = yield* Cache.make("unnamed", {
          ...text,
          failure: NotFound,
          lookup: (key: string) =>
            key === "both"
              ? Effect.zipRight(
                  lookup("a"),
                  Effect.failCause(Cause.parallel(Cause.fail(new NotFound({ id: "1" })), Cause.die("x")))
                )
              : lookup(key),
          failureTimeToLive: { NotFound: "1 minute" }
        })
        for (const key of ["denied", "denied", "both", "both"]) yield* Effect.exit(cache.get(key))
        assert.strictEqual(state.runs, 4)
      }).pipe(over(store.layer))
    )

    it.effect("timeToLive: a function of value and key", () =>
      Effect.gen(function* () {
        const { lookup, state } = counting()
        const cache = yield* Cache.make("life", {
          ...text,
          lookup,
          timeToLive: (value, key) => (key === "a" && value.startsWith("a") ? "1 minute" : 0)
        })
        yield* cache.getMany(["a", "b"])
        yield* cache.getMany(["a", "b"])
        assert.strictEqual(state.runs, 3)
      }).pipe(over(store.layer))
    )

    it.effect("when: keys that are not cached at all", () =>
      Effect.gen(function* () {
        const { lookup, state } = counting()
        const cache = yield* Cache.make("when", { ...text, lookup, when: (key) => key !== "live" })
        for (const key of ["live", "live", "a", "a"]) yield* cache.get(key)
        assert.strictEqual(state.runs, 3)
        assert.deepInclude(yield* cache.stats, { bypassed: 2, loads: 1 })
        assert.deepStrictEqual(yield* keysOf(cache), ["a"])
      }).pipe(over(store.layer))
    )

    it.effect("cacheIf: results that are not kept", () =>
      Effect.gen(function* () {
        const { lookup, state } = counting()
        const cache = yield* Cache.make("cacheIf", {
          ...text,
          failure: NotFound,
          lookup,
          failureTimeToLive: "1 minute",
          cacheIf: (exit, key) => Exit.isSuccess(exit) && key !== "no"
        })
        for (const key of ["no", "no", "yes", "yes", "missing", "missing"]) yield* Effect.exit(cache.get(key))
        assert.strictEqual(state.runs, 5)
      }).pipe(over(store.layer))
    )

    it.effect("staleWhileRevalidate: one refresh behind the backs of many", () =>
      Effect.gen(function* () {
        const { lookup, state } = counting()
        const cache = yield* Cache.make("swr", {
          ...text,
          lookup,
          timeToLive: "1 minute",
          staleWhileRevalidate: "1 minute"
        })
        yield* cache.get("a")
        yield* TestClock.adjust("61 seconds")
        const served = yield* Effect.all(
          [1, 2, 3].map(() => cache.get("a")),
          { concurrency: 3 }
        )
        assert.include(served, "a:1")
        yield* settled
        assert.strictEqual(state.runs, 2)
        assert.strictEqual(yield* cache.get("a"), "a:2")
        yield* TestClock.adjust("2 minutes")
        assert.strictEqual((yield* cache.getResult("a")).outcome, "loaded")
      }).pipe(over(store.layer))
    )

    it.effect("requirements: captured when the cache is built", () =>
      Effect.gen(function* () {
        class Prefix extends Context.Tag("Prefix")<Prefix, string>() {}
        const cache = yield* Cache.make("captured", {
          ...text,
          lookup: (key: string) => Effect.map(Prefix, (prefix) => `${prefix}${key}`)
        }).pipe(Effect.provideService(Prefix, "built:"))
        assert.strictEqual(yield* cache.get("a").pipe(Effect.provideService(Prefix, "called:")), "built:a")
        assert.strictEqual(yield* cache.get("b").pipe(CacheConfig.locally({ mode: "no-store" })), "built:b")
      }).pipe(over(store.layer))
    )

    it.effect("requirements: left to each caller, in the background too", () =>
      Effect.gen(function* () {
        class Prefix extends Context.Tag("Prefix")<Prefix, string>() {}
        const cache = yield* Cache.make("left", {
          ...text,
          lookup: (key: string) => Effect.map(Prefix, (prefix) => `${prefix}${key}`),
          requirements: "caller",
          timeToLive: "1 minute",
          staleWhileRevalidate: "1 minute"
        })
        assert.strictEqual(yield* cache.get("a").pipe(Effect.provideService(Prefix, "first:")), "first:a")
        yield* TestClock.adjust("61 seconds")
        assert.strictEqual(yield* cache.get("a").pipe(Effect.provideService(Prefix, "second:")), "first:a")
        yield* settled
        assert.deepStrictEqual(yield* cache.getOption("a"), Option.some("second:a"))
      }).pipe(over(store.layer))
    )
  })

  describe(`modes (${store.name})`, () => {
    /** What a get answers in a mode, and whether the lookup ran and what is stored then, by what was stored before. */
    const inMode = (mode: CacheConfig.Mode, before: "nothing" | "fresh" | "stale" | "old") =>
      Effect.gen(function* () {
        const { lookup, state } = counting()
        const cache = yield* Cache.make("modes", {
          ...text,
          lookup,
          timeToLive: "1 minute",
          staleWhileRevalidate: "1 minute",
          staleIfError: "1 hour"
        })
        if (before !== "nothing") yield* cache.get("a")
        yield* TestClock.adjust({ nothing: 0, fresh: 1_000, stale: 61_000, old: 600_000 }[before])
        state.runs = 10
        const exit = yield* Effect.exit(CacheConfig.locally(cache.getResult("a"), { mode }))
        const { runs } = state
        yield* settled
        const entries = [...(yield* Stream.runCollect(cache.entries))].map(([, entry]) => entry.exit)
        return [
          Exit.isSuccess(exit) ? `${exit.value.outcome} ${exit.value.value}` : "failed",
          runs > 10,
          entries.map((entry) => Exit.getOrElse(entry, () => "failed")).join()
        ]
      }).pipe(over(store.layer))

    const expected: ReadonlyArray<readonly [CacheConfig.Mode, Parameters<typeof inMode>[1], ReadonlyArray<unknown>]> = [
      ["default", "nothing", ["loaded a:11", true, "a:11"]],
      ["default", "fresh", ["fresh a:1", false, "a:1"]],
      ["default", "old", ["loaded a:11", true, "a:11"]],
      ["no-store", "nothing", ["bypassed a:11", true, ""]],
      ["no-store", "fresh", ["bypassed a:11", true, "a:1"]],
      ["reload", "nothing", ["loaded a:11", true, "a:11"]],
      ["reload", "fresh", ["loaded a:11", true, "a:11"]],
      ["no-cache", "fresh", ["loaded a:11", true, "a:11"]],
      ["no-cache", "old", ["loaded a:11", true, "a:11"]],
      ["force-cache", "nothing", ["loaded a:11", true, "a:11"]],
      ["force-cache", "fresh", ["fresh a:1", false, "a:1"]],
      ["force-cache", "old", ["stale a:1", false, "a:1"]],
      ["only-if-cached", "nothing", ["failed", false, ""]],
      ["only-if-cached", "fresh", ["fresh a:1", false, "a:1"]],
      ["only-if-cached", "old", ["stale a:1", false, "a:1"]]
    ]
    for (const [mode, before, answer] of expected) {
      it.effect(`${mode}, ${before} stored`, () =>
        Effect.map(inMode(mode, before), (actual) => assert.deepStrictEqual(actual, answer))
      )
    }

    it.effect("only-if-cached fails typed, and getMany has it in its place", () =>
      Effect.gen(function* () {
        const { lookup } = counting()
        const cache = yield* Cache.make("only", { ...text, lookup })
        yield* cache.get("a")
        const cached = CacheConfig.locally({ mode: "only-if-cached" })
        assert.instanceOf(yield* Effect.flip(cached(cache.get("b"))), CacheError.NotCached)
        const either = yield* cached(cache.getMany(["a", "b"], { mode: "either" }))
        assert.deepStrictEqual(
          either.map((one) => one._tag),
          ["Right", "Left"]
        )
        yield* addsUp(cache, 4)
      }).pipe(over(store.layer))
    )

    it.effect(
      "getMany begins what it does not share beside each other, and takes it all down when it is interrupted",
      () =>
        Effect.gen(function* () {
          const seen = { begun: 0, ended: 0 }
          const cache = yield* Cache.make("beside", {
            ...text,
            lookup: (key) =>
              Effect.acquireUseRelease(
                Effect.sync(() => seen.begun++),
                () => Effect.delay(Effect.succeed(`${key}!`), "1 second"),
                () => Effect.sync(() => seen.ended++)
              )
          })
          const get = CacheConfig.locally({ mode: "no-store" })(cache.getMany(["a", "b", "a"]))
          const answered = yield* Effect.fork(get)
          yield* TestClock.adjust("1 second")
          assert.deepStrictEqual(yield* Fiber.join(answered), ["a!", "b!", "a!"])
          const left = yield* Effect.fork(get)
          yield* settled
          assert.deepStrictEqual(seen, { begun: 6, ended: 3 })
          yield* Fiber.interrupt(left)
          assert.deepStrictEqual(seen, { begun: 6, ended: 6 })
          yield* addsUp(cache, 6)
        }).pipe(over(store.layer))
    )

    it.effect("an override is in force inside, in forks too, nested by setting, and undone on any exit", () =>
      Effect.gen(function* () {
        const { lookup } = counting()
        const cache = yield* Cache.make("scoped", { ...text, lookup })
        const outcome = Effect.map(cache.getResult("a"), (result) => result.outcome)
        const reload = CacheConfig.locally({ mode: "reload" })
        yield* cache.get("a")
        assert.deepStrictEqual(yield* reload(Effect.all([outcome, Effect.flatMap(Effect.fork(outcome), Fiber.join)])), [
          "loaded",
          "loaded"
        ])
        assert.strictEqual(yield* outcome, "fresh")
        // the inner mode wins; the outer time to live is inherited
        const nested = Effect.zipRight(TestClock.adjust("2 seconds"), outcome).pipe(
          CacheConfig.locally({ mode: "default" }),
          CacheConfig.locally({ mode: "no-store", timeToLive: "1 second" })
        )
        assert.strictEqual(yield* nested, "loaded")
        yield* Effect.exit(reload(Effect.zipRight(outcome, Effect.fail("out"))))
        assert.strictEqual(yield* outcome, "fresh")
        yield* Effect.exit(reload(Effect.zipRight(outcome, Effect.die("out"))))
        assert.strictEqual(yield* outcome, "fresh")
        const inside = yield* Deferred.make<void>()
        const fiber = yield* Effect.fork(reload(Effect.zipRight(Deferred.succeed(inside, undefined), Effect.never)))
        yield* Deferred.await(inside)
        yield* Fiber.interrupt(fiber)
        assert.strictEqual(yield* outcome, "fresh")
      }).pipe(over(store.layer))
    )

    it.effect("tags of an override are given to what is loaded there", () =>
      Effect.gen(function* () {
        const { lookup } = counting()
        const cache = yield* Cache.make("tagged", { ...text, lookup, tags: ["own"] })
        yield* cache.get("a").pipe(CacheConfig.locally({ tags: ["inner"] }), CacheConfig.locally({ tags: ["outer"] }))
        yield* cache.get("b")
        yield* cache.invalidateTags(["outer"])
        assert.deepStrictEqual(yield* keysOf(cache), ["b"])
      }).pipe(over(store.layer))
    )
  })
}

describe("version", () => {
  it.effect("entries of another version count as absent", () =>
    Effect.gen(function* () {
      const at = (version: string) =>
        Effect.scoped(
          Effect.gen(function* () {
            const cache = yield* Cache.make("versions", { ...text, lookup: () => Effect.succeed(version), version })
            return yield* cache.get("k")
          })
        )
      assert.deepStrictEqual(yield* Effect.all([at("1"), at("1"), at("2")]), ["1", "1", "2"])
    }).pipe(over(stores[1]!.layer))
  )
})

describe("names", () => {
  for (const store of stores) {
    it.effect(`a name that is open already is refused, and free again when its cache is closed (${store.name})`, () =>
      Effect.gen(function* () {
        const { lookup } = counting()
        const make = Cache.make("taken", { ...text, lookup })
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* make
            const error = yield* Effect.flip(make)
            assert.instanceOf(error, CacheError.InvalidConfig)
            assert.strictEqual(error.issues[0]?.field, "name")
          })
        )
        yield* make
      }).pipe(over(store.layer))
    )
  }

  it.effect("a cache that was used after its Scope was closed says so, and starts no load", () =>
    Effect.gen(function* () {
      const { lookup, state } = counting()
      const cache = yield* Effect.scoped(Cache.make("closed", { lookup }))
      for (const use of [cache.get("a"), Effect.asVoid(cache.getMany(["a", "b"])), cache.refresh("a")]) {
        const exit: Exit.Exit<unknown, unknown> = yield* Effect.exit<unknown, unknown, never>(use)
        assert.isTrue(
          Exit.isFailure(exit) &&
            Option.exists(Cause.dieOption(exit.cause), (defect) => defect instanceof CacheError.StoreUnavailable)
        )
      }
      assert.instanceOf(yield* Effect.flip(cache.set("a", "v")), CacheError.StoreUnavailable)
      assert.strictEqual(state.runs, 0)
      assert.strictEqual((yield* cache.stats).gets, 4)
    }).pipe(over(MemoryStore.layer()))
  )
})

describe("Service", () => {
  const { lookup, state } = counting()
  class Things extends Cache.Service<Things>()("app/Things", {
    ...text,
    lookup,
    timeToLive: "1 minute",
    tags: ["t"]
  }) {}
  const provided = Effect.provide(Things.layer.pipe(Layer.provideMerge(MemoryStore.layer())))

  it.effect("has the operations as statics", () =>
    Effect.gen(function* () {
      state.runs = 0
      assert.strictEqual(yield* Things.get("a"), "a:1")
      assert.strictEqual((yield* Things.getResult("a")).outcome, "fresh")
      assert.deepStrictEqual(yield* Things.getOption("b"), Option.none())
      assert.deepStrictEqual(yield* Things.getMany(["a", "b"]), ["a:1", "b:2"])
      assert.strictEqual((yield* Things.getMany(["missing"], { mode: "either" }))[0]?._tag, "Left")
      assert.isTrue(yield* Things.has("a"))
      yield* Things.set("c", "set")
      yield* Things.setMany([["d", "set"]])
      assert.strictEqual(yield* Things.size, 4)
      assert.deepStrictEqual([...(yield* Stream.runCollect(Things.keys))].sort(), ["a", "b", "c", "d"])
      assert.strictEqual([...(yield* Stream.runCollect(Things.entries))].length, 4)
      yield* Things.invalidate("a")
      yield* Things.invalidateMany(["b"])
      yield* Things.expire("c")
      assert.strictEqual(yield* Things.size, 1)
      yield* Things.invalidateTags(["t"])
      assert.strictEqual(yield* Things.size, 0)
      assert.strictEqual(yield* Things.refresh("a"), "a:4")
      assert.strictEqual(yield* Things.clear, 1)
      assert.deepInclude(yield* Things.stats, { name: "app/Things", inFlight: 0 })
      assert.strictEqual((yield* Things).name, "app/Things")
    }).pipe(provided)
  )

  it.effect("is built once, however often it is provided", () =>
    Effect.gen(function* () {
      const both = Layer.merge(Things.layer, Layer.provideMerge(Layer.effectDiscard(Things), Things.layer))
      yield* Things.get("a").pipe(Effect.provide(both))
    }).pipe(Effect.provide(MemoryStore.layer()))
  )

  it.effect("is a cache under a Tag of one's own with Cache.layer", () =>
    Effect.gen(function* () {
      class Mine extends Context.Tag("Mine")<Mine, Cache.Cache<string, string, NotFound | Denied>>() {}
      const layer = Cache.layer(Mine, "mine", { ...text, lookup })
      const value = yield* Effect.flatMap(Mine, (cache) => cache.get("a")).pipe(Effect.provide(layer))
      assert.isTrue(value.startsWith("a:"))
    }).pipe(Effect.provide(MemoryStore.layer()))
  )

  it.effect("leaves what is stored where the store keeps it, for the next of its name and Schema", () =>
    Effect.gen(function* () {
      state.runs = 0
      yield* Things.get("a").pipe(Effect.provide(Things.layer))
      yield* Things.get("a").pipe(Effect.provide(Things.layer))
      assert.strictEqual(state.runs, 1)
      assert.strictEqual((yield* CacheStore.CacheStore).name, "MemoryStore")
    }).pipe(Effect.provide(MemoryStore.layer()))
  )
})

describe("defects of a lookup", () => {
  it.effect("are seen by all who wait, and are never kept", () =>
    Effect.gen(function* () {
      let runs = 0
      const cache = yield* Cache.make("defects", {
        lookup: (_key: string) =>
          Effect.zipRight(
            Effect.yieldNow(),
            Effect.suspend(() => Effect.die(`${new Boom()._tag} ${++runs}`))
          ),
        failureTimeToLive: "1 hour"
      })
      const exits = yield* Effect.all(
        [1, 2].map(() => Effect.exit(cache.get("k"))),
        { concurrency: 2 }
      )
      assert.deepStrictEqual(
        exits.map((exit) => Exit.isFailure(exit) && Cause.squash(exit.cause)),
        ["Boom 1", "Boom 1"]
      )
      yield* Effect.exit(cache.get("k"))
      assert.strictEqual(runs, 2)
    }).pipe(over(MemoryStore.layer()))
  )
})
