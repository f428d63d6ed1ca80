/** Laws 4, 9 and 11: nothing hangs, never fresher than said, time is a service. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Chunk, Duration, Effect, Exit, Fiber, Option, Schema, TestClock } from "effect"
import { Cache, CacheConfig, CacheError } from "effect-larder"
import fc from "fast-check"
import * as fs from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { ManualClock } from "../fixtures/cache/clock.js"
import { addsUp, forAll, over, settled } from "../fixtures/cache/harness.js"
import { makeSource } from "../fixtures/cache/source.js"
import { stores } from "../fixtures/cache/stores.js"

const text = { key: Schema.String, success: Schema.String }

/** A lookup that answers at first, and hangs once it is told to; if it is deaf, until it is let go. */
const hangable = (deaf = false) => {
  const end = Effect.runSync(Effect.makeLatch(false))
  const state = { hangs: false, loads: 0, letGo: end.open }
  const hung: Effect.Effect<never> = deaf
    ? Effect.zipRight(Effect.uninterruptible(end.await), Effect.interrupt)
    : Effect.never
  const lookup = (key: string) =>
    Effect.suspend((): Effect.Effect<string> => {
      state.loads++
      return state.hangs ? hung : Effect.succeed(`${key}:${state.loads}`)
    })
  return { state, lookup }
}

const timeout = (exit: Exit.Exit<unknown, unknown>) =>
  Exit.isFailure(exit)
    ? Option.getOrUndefined(
        Option.orElse(
          Option.filter(Cause.failureOption(exit.cause), (error) => error instanceof CacheError.LoadTimeout),
          () => Option.filter(Cause.dieOption(exit.cause), (error) => error instanceof CacheError.LoadTimeout)
        )
      )
    : undefined

for (const store of stores) {
  describe(`4. Nothing hangs (${store.name})`, () => {
    it.effect("waitFresh: who can be served nothing waits no longer, and the load goes on", () =>
      Effect.gen(function* () {
        const source = yield* makeSource
        yield* source.hold
        const cache = yield* Cache.make("fresh", { ...text, lookup: source.lookup, waitFresh: "1 second" })
        const fiber = yield* Effect.fork(Effect.exit(cache.get("k")))
        const many = yield* Effect.fork(cache.getMany(["k", "l"], { mode: "either" }))
        yield* TestClock.adjust("999 millis")
        assert.isTrue(Option.isNone(yield* Fiber.poll(fiber)))
        yield* TestClock.adjust("1 millis")
        assert.deepInclude(timeout(yield* Fiber.join(fiber)), { limit: "waitFresh", millis: 1_000 })
        assert.deepStrictEqual(
          (yield* Fiber.join(many)).map((either) => either._tag),
          ["Left", "Left"]
        )
        yield* source.release
        yield* settled
        assert.strictEqual((yield* cache.getResult("k")).outcome, "fresh")
        yield* addsUp(cache, 4)
      }).pipe(over(store.layer))
    )

    it.effect("waitStale: who could be served a stale value waits no longer for a fresh one", () =>
      Effect.gen(function* () {
        const { lookup, state } = hangable()
        const cache = yield* Cache.make("stale", {
          ...text,
          lookup,
          timeToLive: "1 minute",
          staleIfError: "1 hour",
          waitStale: "100 millis",
          loadDeadline: "10 seconds"
        })
        yield* cache.get("k")
        yield* TestClock.adjust("2 minutes")
        state.hangs = true
        const fiber = yield* Effect.fork(cache.getResult("k"))
        yield* TestClock.adjust("99 millis")
        assert.isTrue(Option.isNone(yield* Fiber.poll(fiber)))
        yield* TestClock.adjust("1 millis")
        assert.deepInclude(yield* Fiber.join(fiber), { value: "k:1", outcome: "stale" })
        // the load that hangs is ended by its deadline, and then the key is as good as ever
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual((yield* cache.stats).inFlight, 0)
        state.hangs = false
        assert.strictEqual(yield* cache.get("k"), "k:3")
        yield* addsUp(cache, 3)
      }).pipe(over(store.layer))
    )

    for (const [name, deaf] of [
      ["", false],
      [" that will not be interrupted", true]
    ] as const) {
      it.effect(`loadDeadline: a lookup${name} that hangs holds up nobody for longer, and the key is usable`, () =>
        Effect.gen(function* () {
          const { lookup, state } = hangable(deaf)
          const cache = yield* Cache.make("deadline", { ...text, lookup, loadDeadline: "5 seconds" })
          state.hangs = true
          const fibers = yield* Effect.forEach([1, 2, 3], () => Effect.fork(Effect.exit(cache.get("k"))))
          yield* TestClock.adjust("5 seconds")
          for (const fiber of fibers) {
            assert.deepInclude(timeout(yield* Fiber.join(fiber)), { limit: "loadDeadline", millis: 5_000 })
          }
          state.hangs = false
          assert.strictEqual(yield* cache.get("k"), "k:2")
          assert.strictEqual((yield* cache.stats).gets, 4)
          yield* state.letGo
          yield* settled
          yield* addsUp(cache, 4)
        }).pipe(over(store.layer))
      )
    }

    it.effect("a caller is interrupted at the deadline at the latest, even if the lookup is deaf", () =>
      Effect.gen(function* () {
        const { lookup, state } = hangable(true)
        const cache = yield* Cache.make("deaf", { ...text, lookup, loadDeadline: "5 seconds" })
        state.hangs = true
        const fiber = yield* Effect.fork(cache.get("k"))
        yield* settled
        const leaving = yield* Effect.fork(Fiber.interrupt(fiber))
        yield* TestClock.adjust("5 seconds")
        assert.isTrue(Exit.isInterrupted(yield* Fiber.join(leaving)))
        yield* state.letGo
        yield* settled
        yield* addsUp(cache, 1)
      }).pipe(over(store.layer))
    )

    it.effect("loadDeadline is 30 seconds when nobody says, and then a defect", () =>
      Effect.gen(function* () {
        const { lookup, state } = hangable()
        const cache = yield* Cache.make("default", { ...text, lookup })
        state.hangs = true
        const fiber = yield* Effect.fork(Effect.exit(cache.get("k")))
        yield* TestClock.adjust("29999 millis")
        assert.isTrue(Option.isNone(yield* Fiber.poll(fiber)))
        yield* TestClock.adjust("1 millis")
        const exit: Exit.Exit<string> = yield* Fiber.join(fiber)
        assert.deepInclude(timeout(exit), { limit: "loadDeadline", millis: 30_000 })
        state.hangs = false
        yield* cache.get("k")
        yield* addsUp(cache, 2)
      }).pipe(over(store.layer))
    )

    it.effect("a hung background refresh is ended too, and refreshing begins anew", () =>
      Effect.gen(function* () {
        const { lookup, state } = hangable()
        const cache = yield* Cache.make("background", {
          ...text,
          lookup,
          timeToLive: "1 minute",
          staleWhileRevalidate: "1 hour",
          loadDeadline: "5 seconds"
        })
        yield* cache.get("k")
        yield* TestClock.adjust("61 seconds")
        state.hangs = true
        assert.strictEqual(yield* cache.get("k"), "k:1")
        yield* settled
        yield* TestClock.adjust("5 seconds")
        assert.strictEqual((yield* cache.stats).inFlight, 0)
        state.hangs = false
        assert.strictEqual(yield* cache.get("k"), "k:1")
        yield* settled
        assert.strictEqual(yield* cache.get("k"), "k:3")
        yield* addsUp(cache, 4)
      }).pipe(over(store.layer))
    )

    it.effect("a lookup that asks for its own key ends with the deadline, and so do two that ask for each other", () =>
      Effect.gen(function* () {
        const cache: Cache.Cache<string, string> = yield* Cache.make("circle", {
          ...text,
          lookup: (key: string): Effect.Effect<string> =>
            Effect.suspend(() => cache.get(key === "self" ? "self" : key === "a" ? "b" : "a"))
        })
        const fibers = yield* Effect.forEach(["self", "a"], (key) => Effect.fork(Effect.exit(cache.get(key))))
        yield* settled
        yield* TestClock.adjust("30 seconds")
        yield* settled
        for (const fiber of fibers) assert.isTrue(Exit.isFailure(yield* Fiber.join(fiber)))
        assert.strictEqual((yield* cache.stats).inFlight, 0)
      }).pipe(over(store.layer))
    )

    it.effect("a deep chain of keys, each asking for the next, does not exhaust the stack", () =>
      Effect.gen(function* () {
        const cache: Cache.Cache<number, number> = yield* Cache.make("chain", {
          key: Schema.Number,
          success: Schema.Number,
          lookup: (n: number): Effect.Effect<number> =>
            n === 0
              ? Effect.succeed(0)
              : Effect.map(
                  Effect.suspend(() => cache.get(n - 1)),
                  (sum) => sum + n
                )
        })
        assert.strictEqual(yield* cache.get(2_000), 2_001_000)
      }).pipe(over(store.layer))
    )

    it.effect("callbacks that throw are the defect of that get, and the key is usable afterwards", () =>
      Effect.gen(function* () {
        let throws = true
        const boom = new Error("boom")
        const thrower =
          <X>(value: X) =>
          () => {
            if (throws) throw boom
            return value
          }
        const caches = {
          timeToLive: yield* Cache.make("t", { ...text, lookup: Effect.succeed, timeToLive: thrower("1 minute") }),
          tags: yield* Cache.make("g", { ...text, lookup: Effect.succeed, tags: thrower([]) }),
          cacheIf: yield* Cache.make("c", { ...text, lookup: Effect.succeed, cacheIf: thrower(true) }),
          when: yield* Cache.make("w", { ...text, lookup: Effect.succeed, when: thrower(true) }),
          lookup: yield* Cache.make("l", { ...text, lookup: (key: string) => Effect.succeed(thrower(key)()) }),
          bad: yield* Cache.make("b", { ...text, lookup: Effect.succeed, timeToLive: () => (throws ? -1 : 1_000) })
        }
        for (const [name, cache] of Object.entries(caches)) {
          throws = true
          const exits: ReadonlyArray<Exit.Exit<unknown>> = [
            yield* Effect.exit(cache.get("k")),
            yield* Effect.exit(Effect.asVoid(cache.getMany(["k"])))
          ]
          for (const end of exits) {
            assert.isTrue(Exit.isFailure(end) && Chunk.size(Cause.defects(end.cause)) === 1, name)
          }
          throws = false
          assert.strictEqual(yield* cache.get("k"), "k", name)
          yield* addsUp(cache, 3)
        }
      }).pipe(over(store.layer))
    )
  })

  describe(`9. Never fresher than said (${store.name})`, () => {
    const big = 2 ** 31

    for (const life of [0, 1, big - 1, big, big + 1, 2 ** 40, Infinity]) {
      it.effect(`a time to live of ${life} ms`, () => {
        const clock = new ManualClock()
        return Effect.gen(function* () {
          const { lookup } = hangable()
          const cache = yield* Cache.make("lives", { ...text, lookup, timeToLive: life })
          assert.strictEqual(yield* cache.get("k"), "k:1")
          if (life === 0) {
            assert.strictEqual(yield* cache.get("k"), "k:2")
            assert.strictEqual(yield* cache.size, 0)
            yield* cache.set("k", "set")
            assert.isFalse(yield* cache.has("k"))
            return
          }
          clock.advance(life === Infinity ? 2 ** 42 : life - 1)
          assert.strictEqual((yield* cache.getResult("k")).outcome, "fresh")
          if (life === Infinity) return
          clock.advance(1)
          assert.strictEqual(yield* cache.get("k"), "k:2")
          yield* cache.set("k", "set")
          clock.advance(life - 1)
          assert.strictEqual(yield* cache.get("k"), "set")
          clock.advance(1)
          assert.strictEqual(yield* cache.get("k"), "k:3")
        }).pipe(over(store.layer), Effect.withClock(clock))
      })

      it.effect(`staleness of ${life} ms, and a failing load that never extends it`, () => {
        const clock = new ManualClock()
        return Effect.gen(function* () {
          let healthy = true
          const cache = yield* Cache.make("stale", {
            ...text,
            lookup: (key: string) => (healthy ? Effect.succeed(key) : Effect.fail("down" as const)),
            timeToLive: 10,
            staleIfError: life
          })
          yield* cache.get("k")
          healthy = false
          clock.advance(10)
          if (life > 0) {
            for (let attempt = 0; attempt < 3; attempt++) {
              assert.strictEqual((yield* cache.getResult("k")).outcome, "failsafe")
            }
            clock.advance(life === Infinity ? 2 ** 42 : life - 1)
            assert.strictEqual((yield* cache.getResult("k")).outcome, "failsafe")
          }
          if (life === Infinity) return
          clock.advance(life === 0 ? 0 : 1)
          assert.strictEqual(yield* Effect.flip(cache.get("k")), "down")
        }).pipe(over(store.layer), Effect.withClock(clock))
      })

      it.effect(`a refused load and a wait of ${life} ms`, () =>
        Effect.gen(function* () {
          const cache = yield* Cache.make("waits", {
            ...text,
            lookup: (key: string) => Effect.as(Effect.sleep("1 second"), key),
            loadDeadline: life
          })
          const fiber = yield* Effect.fork(Effect.exit(cache.get("k")))
          yield* TestClock.adjust("1 second")
          const exit = yield* Fiber.join(fiber)
          assert.strictEqual(Exit.isSuccess(exit), life > 1)
        }).pipe(over(store.layer))
      )
    }

    it.effect("age counts from when the load started", () =>
      Effect.gen(function* () {
        const cache = yield* Cache.make("slow", {
          ...text,
          lookup: (key: string) => Effect.as(Effect.sleep("20 seconds"), key),
          timeToLive: "30 seconds"
        })
        const fiber = yield* Effect.fork(cache.get("k"))
        yield* TestClock.adjust("20 seconds")
        yield* Fiber.join(fiber)
        assert.deepInclude(yield* cache.getResult("k"), { outcome: "fresh", age: 20_000 })
        yield* TestClock.adjust("10 seconds")
        assert.isTrue(Option.isNone(yield* cache.getOption("k")))
      }).pipe(over(store.layer))
    )

    it.effect("a value that took longer to load than it lives is served but not kept", () =>
      Effect.gen(function* () {
        const cache = yield* Cache.make("late", {
          ...text,
          lookup: (key: string) => Effect.as(Effect.sleep("20 seconds"), key),
          timeToLive: "10 seconds"
        })
        const fiber = yield* Effect.fork(cache.get("k"))
        yield* TestClock.adjust("20 seconds")
        assert.strictEqual(yield* Fiber.join(fiber), "k")
        assert.isFalse(yield* cache.has("k"))
      }).pipe(over(store.layer))
    )

    it.effect("a local time to live shortens, and never lengthens", () =>
      Effect.gen(function* () {
        const { lookup } = hangable()
        const cache = yield* Cache.make("local", { ...text, lookup, timeToLive: "1 minute" })
        yield* cache.get("k")
        yield* TestClock.adjust("30 seconds")
        assert.strictEqual(yield* CacheConfig.locally(cache.get("k"), { timeToLive: "1 hour" }), "k:1")
        assert.strictEqual(yield* CacheConfig.locally(cache.get("k"), { timeToLive: "10 seconds" }), "k:2")
        yield* TestClock.adjust("11 seconds")
        assert.strictEqual(yield* CacheConfig.locally(cache.get("k"), { timeToLive: "1 hour" }), "k:3")
      }).pipe(over(store.layer))
    )

    it.effect("whatever the clock does", () =>
      forAll(
        fc.record({
          timeToLive: fc.integer({ min: 1, max: 10_000 }),
          staleWhileRevalidate: fc.integer({ min: 0, max: 10_000 }),
          staleIfError: fc.integer({ min: 0, max: 10_000 }),
          moves: fc.array(
            fc.record({
              advance: fc.integer({ min: 0, max: 5_000 }),
              step: fc.constantFrom(0, 0, 0, -3_600_000, 3_600_000, -40, 40, 2 ** 31),
              fails: fc.boolean()
            }),
            { maxLength: 30 }
          )
        }),
        ({ moves, staleIfError, staleWhileRevalidate, timeToLive }) => {
          const clock = new ManualClock()
          let passed = 0
          let fails = false
          return Effect.gen(function* () {
            const cache = yield* Cache.make("steps", {
              key: Schema.String,
              success: Schema.Number,
              lookup: () => Effect.suspend(() => (fails ? Effect.fail("down" as const) : Effect.succeed(passed))),
              timeToLive,
              staleWhileRevalidate,
              staleIfError
            })
            for (const move of moves) {
              clock.advance(move.advance)
              clock.step(move.step)
              passed += move.advance
              fails = move.fails
              const result = yield* Effect.option(cache.getResult("k"))
              yield* settled
              if (Option.isNone(result)) continue
              const { outcome, value } = result.value
              const age = passed - value
              // reading noise of the clock is not corrected: see SteadyClock; each move may add that much
              const noise = moves.filter(({ step }) => Math.abs(step) === 40).length * 40
              if (outcome === "fresh") assert.isBelow(age, timeToLive + noise)
              if (outcome === "stale") assert.isBelow(age, timeToLive + staleWhileRevalidate + noise)
              if (outcome === "failsafe") {
                assert.isBelow(age, timeToLive + Math.max(staleIfError, staleWhileRevalidate) + noise)
              }
            }
          }).pipe(over(store.layer), Effect.withClock(clock))
        },
        { numRuns: 60 }
      )
    )

    for (const [name, step] of [
      ["back", -3_600_000],
      ["forward", 3_600_000]
    ] as const) {
      it.effect(`a clock that is set ${name} by an hour ends no life and lengthens none`, () => {
        const clock = new ManualClock()
        return Effect.gen(function* () {
          const { lookup } = hangable()
          const cache = yield* Cache.make("steps", { ...text, lookup, timeToLive: "1 minute" })
          yield* cache.get("k")
          clock.advance(1_000)
          clock.step(step)
          assert.strictEqual(yield* cache.get("k"), "k:1", "what was stored before")
          assert.strictEqual(yield* cache.get("l"), "l:2")
          clock.advance(30_000)
          assert.strictEqual(yield* cache.get("k"), "k:1", "half a minute later")
          assert.strictEqual(yield* cache.get("l"), "l:2", "what was stored after")
          assert.strictEqual(yield* cache.size, 2)
          clock.advance(30_000)
          assert.strictEqual(yield* cache.get("k"), "k:3", "when its minute is over")
          assert.isAtLeast((yield* cache.stats).loadMillis, 0)
          assert.isAtLeast((yield* cache.stats).savedMillis, 0)
        }).pipe(over(store.layer), Effect.withClock(clock))
      })
    }

    it.effect("a clock that is set back during a load gives it no negative cost", () => {
      const clock = new ManualClock()
      return Effect.gen(function* () {
        const cache = yield* Cache.make("cost", {
          ...text,
          lookup: (key: string) => Effect.sync(() => (clock.step(-30), key))
        })
        yield* cache.get("k")
        yield* cache.get("k")
        const { loadMillis, savedMillis } = yield* cache.stats
        assert.deepStrictEqual({ loadMillis, savedMillis }, { loadMillis: 0, savedMillis: 0 })
      }).pipe(over(store.layer), Effect.withClock(clock))
    })
  })
}

describe("11. Time is a service", () => {
  it("the machinery asks nobody but Clock and Random for the time and for chance", () => {
    const src = fileURLToPath(new URL("../../src", import.meta.url))
    const files = ["internal", "store", "observe", "eviction"].flatMap((folder) =>
      fs
        .readdirSync(path.join(src, folder), { recursive: true, encoding: "utf8" })
        .filter((file) => file.endsWith(".ts"))
        .map((file) => path.join(src, folder, file))
    )
    const forbidden = /\b(Date\.now|new Date\(\)|Math\.random|setTimeout|setInterval|performance\.now|hrtime)\b/
    const found = files.filter((file) => forbidden.test(fs.readFileSync(file, "utf8").replaceAll(/\/\*[^]*?\*\//g, "")))
    assert.isAbove(files.length, 30)
    assert.deepStrictEqual(
      found.map((file) => path.relative(src, file)),
      ["internal/idleSleep.ts"],
      "only there, for a sleep that no process waits for, and only under the real world's Clock"
    )
  })

  it.effect("a cache under a clock that stands still never ages", () => {
    const clock = new ManualClock()
    return Effect.gen(function* () {
      const { lookup } = hangable()
      const cache = yield* Cache.make("still", { lookup, timeToLive: Duration.millis(1) })
      for (let times = 0; times < 1_000; times++) assert.strictEqual(yield* cache.get("k"), "k:1")
    }).pipe(over(stores[0]!.layer), Effect.withClock(clock))
  })
})
