/** For each policy a timeline, over every store: what a get answers at each moment, and how often the lookup ran. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Either, Exit, Fiber, Layer, Option, Random, Schedule, Schema, TestClock } from "effect"
import { Cache, CacheBatch, CacheConfig, CacheError, CachePolicy, CacheStore, MemoryStore } from "effect-larder"
import * as SqliteStore from "effect-larder/SqliteStore"
import { ManualClock } from "../fixtures/cache/clock.js"
import { addsUp, over, settled } from "../fixtures/cache/harness.js"
import { stores } from "../fixtures/cache/stores.js"
import { Counted, type Moment, plays } from "../fixtures/cache/timeline.js"

const schemas = { key: Schema.String, success: Schema.String, failure: Schema.String }

const timeline = (
  policy: CachePolicy.CachePolicy<string, string, string, unknown>,
  moments: (source: Counted, cache: Cache.Cache<string, string, unknown>) => ReadonlyArray<Moment>,
  options: object = {}
) =>
  Effect.gen(function* () {
    const source = new Counted()
    const cache = yield* Cache.make("timeline", { ...schemas, lookup: source.lookup, policy, ...options })
    const script = moments(source, cache as Cache.Cache<string, string, unknown>)
    yield* plays(cache as Cache.Cache<string, string, unknown>, source, script)
    yield* settled
    yield* addsUp(cache, script.filter(([, said]) => typeof said === "string").length)
  })

for (const store of stores) {
  const it_ = (
    name: string,
    test: Effect.Effect<void, unknown, CacheStore.CacheStore | import("effect").Scope.Scope>
  ) => it.effect(name, () => test.pipe(over(store.layer)))

  describe(`policies, second by second (${store.name})`, () => {
    it_(
      "timeToLive: fresh until it is over",
      timeline(CachePolicy.make({ timeToLive: "10 seconds" }), () => [
        ["0 seconds", "v1 loaded", 1],
        ["9999 millis", "v1 fresh", 1],
        ["10 seconds", "v2 loaded", 2]
      ])
    )

    it_(
      "timeToLive by the value; what a function does not know is left to the next policy, and then to the configuration",
      timeline(
        CachePolicy.make({ timeToLive: (value: string) => (value === "v1" ? "1 second" : undefined) }).pipe(
          CachePolicy.orElse(
            CachePolicy.make({ timeToLive: (value: string) => (value === "v2" ? "2 seconds" : undefined) })
          )
        ),
        () => [
          ["0 seconds", "v1 loaded", 1],
          ["1 seconds", "v2 loaded", 2],
          ["2 seconds", "v2 fresh", 2],
          ["3 seconds", "v3 loaded", 3],
          ["100 days", "v3 fresh", 3]
        ]
      )
    )

    it_(
      "ofExit: successes and failures each for as long as it says",
      timeline(
        CachePolicy.ofExit((exit) => (Exit.isSuccess(exit) ? "10 seconds" : "2 seconds")),
        (source) => [
          ["0 seconds", () => (source.state = "down")],
          ["0 seconds", "fails: down", 1],
          ["1 seconds", "fails: down", 1],
          ["1500 millis", () => (source.state = "well")],
          ["2 seconds", "v2 loaded", 2],
          ["11 seconds", "v2 fresh", 2],
          ["12 seconds", "v3 loaded", 3]
        ]
      )
    )

    it_(
      "maxTimeToLive: whatever else was said",
      timeline(CachePolicy.make({ timeToLive: "1 hour", maxTimeToLive: "10 seconds" }), (_, cache) => [
        ["0 seconds", "v1 loaded", 1],
        ["9 seconds", "v1 fresh", 1],
        ["10 seconds", "v2 loaded", 2],
        ["11 seconds", () => cache.set("k", "mine", { timeToLive: "1 day" })],
        ["20 seconds", "mine fresh", 2],
        ["21 seconds", "v3 loaded", 3]
      ])
    )

    it_(
      "timeToIdle: each reading begins it anew, never past timeToLive",
      timeline(CachePolicy.make({ timeToLive: "60 seconds", timeToIdle: "20 seconds" }), () => [
        ["0 seconds", "v1 loaded", 1],
        ["15 seconds", "v1 fresh", 1],
        ["30 seconds", "v1 fresh", 1],
        ["45 seconds", "v1 fresh", 1],
        ["59 seconds", "v1 fresh", 1],
        ["60 seconds", "v2 loaded", 2],
        ["79 seconds", "v2 fresh", 2],
        ["100 seconds", "v3 loaded", 3]
      ])
    )

    it_(
      "adaptive: what is read lives longer, within its bounds",
      timeline(CachePolicy.make({ timeToLive: CachePolicy.adaptive({ min: "10 seconds", max: "25 seconds" }) }), () => [
        ["0 seconds", "v1 loaded", 1],
        ["5 seconds", "v1 fresh", 1],
        // read once: twice the least
        ["10 seconds", "v2 loaded", 2],
        ["15 seconds", "v2 fresh", 2],
        ["20 seconds", "v2 fresh", 2],
        ["29 seconds", "v2 fresh", 2],
        // read three times: four times the least, but for the most
        ["30 seconds", "v3 loaded", 3],
        ["54 seconds", "v3 fresh", 3],
        ["55 seconds", "v4 loaded", 4],
        // read once
        ["75 seconds", "v5 loaded", 5],
        // not read at all: the least
        ["85 seconds", "v6 loaded", 6]
      ])
    )

    it_(
      "jitter: chance shortens a life, and never lengthens it",
      timeline(CachePolicy.make({ timeToLive: "100 seconds", jitter: 0.5 }), () => [
        // chance says 0.5: a half of a half is taken away
        ["0 seconds", "v1 loaded", 1],
        ["74 seconds", "v1 fresh", 1],
        // 0: nothing is
        ["75 seconds", "v2 loaded", 2],
        ["174 seconds", "v2 fresh", 2],
        // nearly 1: nearly all that may be is
        ["175 seconds", "v3 loaded", 3],
        ["225 seconds", "v3 fresh", 3],
        ["226 seconds", "v4 loaded", 4]
      ]).pipe(Effect.withRandom(Random.fixed([0.5, 0, 0.98])))
    )

    it_(
      "refreshAhead: a get late in its life has it loaded again behind its back",
      timeline(CachePolicy.make({ timeToLive: "100 seconds", refreshAhead: 0.8 }), () => [
        ["0 seconds", "v1 loaded", 1],
        ["79 seconds", "v1 fresh", 1],
        ["80 seconds", "v1 fresh", 2],
        ["81 seconds", "v2 fresh", 2],
        // from 80 on, when that load began
        ["159 seconds", "v2 fresh", 2],
        ["160 seconds", "v2 fresh", 3],
        // nobody asked in time
        ["260 seconds", "v4 loaded", 4]
      ])
    )

    it_(
      "earlyRefresh: the nearer the end and the longer the load, the likelier",
      Effect.gen(function* () {
        const source = new Counted()
        const cache = yield* Cache.make("xfetch", {
          ...schemas,
          lookup: source.lookup,
          timeToLive: "100 seconds",
          earlyRefresh: 1
        })
        source.takes = 10_000
        const loading = yield* Effect.fork(cache.get("k"))
        yield* settled
        yield* TestClock.adjust("10 seconds")
        yield* Fiber.join(loading)
        // chance draws 1 - 1/e: one load time ahead of the end, so from second 90 on
        yield* plays(cache, source, [
          ["89 seconds", "v1 fresh", 1],
          ["90 seconds", "v1 fresh", 2],
          ["95 seconds", "v1 fresh", 2],
          ["99 seconds", "v1 fresh", 2],
          ["100 seconds", "v2 fresh", 2]
        ])
      }).pipe(Effect.withRandom(Random.fixed([1 - Math.exp(-1)])))
    )

    it_(
      "staleWhileRevalidate: served, and loaded again, for so long",
      timeline(CachePolicy.make({ timeToLive: "10 seconds", staleWhileRevalidate: "20 seconds" }), () => [
        ["0 seconds", "v1 loaded", 1],
        ["10 seconds", "v1 stale", 2],
        ["11 seconds", "v2 fresh", 2],
        ["29 seconds", "v2 stale", 3],
        ["59 seconds", "v4 loaded", 4]
      ])
    )

    it_(
      "staleIfError: served if the load fails, for so long, and where the predicate says so",
      timeline(
        CachePolicy.make({
          timeToLive: "10 seconds",
          staleIfError: "20 seconds",
          failsafeWhen: (error: string) => error === "down"
        }),
        (source) => [
          ["0 seconds", "v1 loaded", 1],
          ["5 seconds", () => (source.state = "down")],
          ["10 seconds", "v1 failsafe", 2],
          ["29 seconds", "v1 failsafe", 3],
          ["30 seconds", "fails: down", 4]
        ]
      )
    )

    it_(
      "failsafeWhen: a failure that it does not want covered is told",
      timeline(
        CachePolicy.make({ timeToLive: "10 seconds", staleIfError: "20 seconds", failsafeWhen: () => false }),
        (source) => [
          ["0 seconds", "v1 loaded", 1],
          ["5 seconds", () => (source.state = "down")],
          ["10 seconds", "fails: down", 2]
        ]
      )
    )

    it_(
      "retry: within one load, as its Schedule says",
      Effect.gen(function* () {
        const source = new Counted()
        source.state = "down"
        const cache = yield* Cache.make("retry", {
          ...schemas,
          lookup: source.lookup,
          retry: Schedule.intersect(Schedule.exponential("1 second"), Schedule.recurs(3))
        })
        const get = yield* Effect.fork(Effect.exit(cache.get("k")))
        const runsAt: Array<number> = []
        for (let second = 0; second <= 7; second++) {
          yield* settled
          runsAt.push(source.runs)
          yield* TestClock.adjust("1 second")
        }
        assert.deepStrictEqual(runsAt, [1, 2, 2, 3, 3, 3, 3, 4])
        assert.deepStrictEqual(yield* Fiber.join(get), Exit.fail("down"))
        assert.strictEqual((yield* cache.stats).loads, 1)
        yield* addsUp(cache, 1)
      })
    )

    it_(
      "backoff: after a failed load the source is left alone, longer each time, until it answers",
      timeline(
        CachePolicy.make({
          timeToLive: "10 seconds",
          staleIfError: "1 hour",
          backoff: Schedule.exponential("4 seconds")
        }),
        (source) => [
          ["0 seconds", "v1 loaded", 1],
          ["5 seconds", () => (source.state = "down")],
          ["10 seconds", "v1 failsafe", 2],
          ["13 seconds", "v1 failsafe", 2],
          ["14 seconds", "v1 failsafe", 3],
          ["21 seconds", "v1 failsafe", 3],
          ["22 seconds", "v1 failsafe", 4],
          ["37 seconds", () => (source.state = "well")],
          ["37 seconds", "v1 failsafe", 4],
          ["38 seconds", "v5 loaded", 5],
          ["40 seconds", () => (source.state = "down")],
          // a success begins the Schedule anew
          ["48 seconds", "v5 failsafe", 6],
          ["51 seconds", "v5 failsafe", 6],
          ["52 seconds", "v5 failsafe", 7]
        ]
      )
    )

    it_(
      "backoff holds for background refreshes, and yields to refresh, reload, set and invalidate",
      timeline(
        CachePolicy.make({ timeToLive: "10 seconds", staleWhileRevalidate: "1 hour", backoff: "5 seconds" }),
        (source, cache) => [
          ["0 seconds", "v1 loaded", 1],
          ["5 seconds", () => (source.state = "down")],
          ["10 seconds", "v1 stale", 2],
          ["14 seconds", "v1 stale", 2],
          ["15 seconds", "v1 stale", 3],
          ["16 seconds", () => Effect.exit(cache.refresh("k"))],
          ["17 seconds", "v1 stale", 4],
          ["18 seconds", () => cache.invalidate("k")],
          ["18 seconds", "fails: down", 5],
          ["19 seconds", "fails: down", 5],
          ["20 seconds", () => (source.state = "well")],
          ["20 seconds", () => cache.clear],
          ["20 seconds", "v6 loaded", 6]
        ]
      ).pipe(
        // the refresh is a get, too
        Effect.catchAllDefect((defect) => (String(defect).includes("outcomes") ? Effect.void : Effect.die(defect)))
      )
    )

    it_(
      "shareFailures: who comes after a failure and can be served nothing gets the same, for so long",
      timeline(CachePolicy.make({ shareFailures: "2 seconds" }), (source) => [
        ["0 seconds", () => (source.state = "down")],
        ["0 seconds", "fails: down", 1],
        ["1999 millis", "fails: down", 1],
        ["2 seconds", "fails: down", 2],
        ["3 seconds", () => (source.state = "well")],
        ["4 seconds", "v3 loaded", 3]
      ])
    )

    it_(
      "waitFresh, waitStale and loadDeadline: a source that hangs keeps nobody for longer, and the key recovers",
      Effect.gen(function* () {
        const source = new Counted()
        const cache = yield* Cache.make("hung", {
          ...schemas,
          lookup: source.lookup,
          timeToLive: "10 seconds",
          staleIfError: "1 hour",
          waitFresh: "3 seconds",
          waitStale: "1 second",
          loadDeadline: "30 seconds"
        })
        const timed = (at: number) =>
          Effect.gen(function* () {
            yield* TestClock.setTime(at * 1_000)
            const get = yield* Effect.fork(Effect.either(cache.getResult("k")))
            yield* settled
            let waited = 0
            while (Option.isNone(yield* Fiber.poll(get))) {
              yield* TestClock.adjust("500 millis")
              yield* settled
              waited += 500
            }
            const result = yield* Fiber.join(get)
            return [result._tag === "Right" ? result.right.outcome : String(Object(result.left)._tag), waited]
          })
        source.state = "hung"
        assert.deepStrictEqual(yield* timed(0), ["LoadTimeout", 3_000])
        source.state = "well"
        // the load that hangs is still the key's, until its deadline
        assert.deepStrictEqual(yield* timed(10), ["LoadTimeout", 3_000])
        yield* TestClock.setTime(30_000)
        yield* settled
        assert.deepStrictEqual(yield* timed(31), ["loaded", 0])
        source.state = "hung"
        assert.deepStrictEqual(yield* timed(41), ["stale", 1_000])
        yield* TestClock.setTime(71_000)
        yield* settled
        source.state = "well"
        assert.deepStrictEqual(yield* timed(72), ["loaded", 0])
        yield* addsUp(cache, 5)
      })
    )

    it_(
      "revalidate: what is right still is fresh again without being loaded",
      Effect.gen(function* () {
        const source = new Counted()
        let isChanged = false
        const asked: Array<string> = []
        const cache = yield* Cache.make("conditional", {
          ...schemas,
          lookup: source.lookup,
          revalidate: (key: string, previous) => {
            asked.push(`${previous.value} of ${previous.createdAt}`)
            return isChanged ? Effect.asSome(source.lookup(key)) : Effect.succeedNone
          },
          timeToLive: "10 seconds",
          revalidateWithin: "1 minute"
        })
        yield* plays(cache, source, [
          ["0 seconds", "v1 loaded", 1],
          ["10 seconds", "v1 loaded", 1],
          ["19 seconds", "v1 fresh", 1],
          ["20 seconds", () => (isChanged = true)],
          ["20 seconds", "v2 loaded", 2],
          // too long ago
          ["90 seconds", "v3 loaded", 3],
          ["91 seconds", () => cache.invalidate("k")],
          ["91 seconds", "v4 loaded", 4]
        ])
        assert.deepStrictEqual(asked, ["v1 of 0", "v1 of 10000"])
        assert.strictEqual((yield* cache.stats).notModified, 1)
        assert.isFalse(yield* cache.has("other"))
        yield* TestClock.setTime(101_000)
        assert.isFalse(yield* cache.has("k"), "what is kept for its source is no value that could be had")
      })
    )
  })
}

describe("policies of tiers", () => {
  it.effect("tierTimeToLive: a tier gives up an entry early, and the next has it still, never for longer", () =>
    Effect.gen(function* () {
      const source = new Counted()
      const cache = yield* Cache.make("tiers", {
        ...schemas,
        lookup: source.lookup,
        timeToLive: "60 seconds",
        tierTimeToLive: ["10 seconds"]
      })
      const tiers: Array<number | undefined> = []
      for (const second of [0, 9, 10, 19, 25, 59]) {
        yield* TestClock.setTime(second * 1_000)
        tiers.push((yield* cache.getResult("k")).tier)
      }
      assert.deepStrictEqual(tiers, [undefined, 1, 2, 1, 2, 2])
      yield* plays(cache, source, [["60 seconds", "v2 loaded", 2]])
    }).pipe(over(MemoryStore.layer().pipe(CacheStore.tieredOver(SqliteStore.layerTemporary))))
  )
})

describe("bulkhead", () => {
  it.effect("so many run, so many wait, and beyond that a stale value or LoadRejected is the answer", () =>
    Effect.gen(function* () {
      const source = new Counted()
      const cache = yield* Cache.make("bulkhead", {
        ...schemas,
        lookup: source.lookup,
        timeToLive: "10 seconds",
        staleIfError: "1 hour",
        bulkhead: { concurrency: 2, queue: 1 }
      })
      yield* cache.get("known")
      yield* TestClock.setTime(10_000)
      source.takes = 1_000
      const [first, second, third] = yield* Effect.forEach(["a", "b", "c"], (key) => Effect.fork(cache.get(key)))
      yield* settled
      assert.strictEqual(source.runs, 3, "one before, and two at a time")
      assert.strictEqual((yield* cache.getResult("known")).outcome, "failsafe")
      const refused = yield* Effect.flip(cache.get("d"))
      assert.instanceOf(refused, CacheError.LoadRejected)
      assert.deepInclude(refused, { cache: "bulkhead", concurrency: 2, queue: 1 })
      // one that leaves makes room for one that waits
      yield* Fiber.interrupt(first!)
      yield* settled
      assert.strictEqual(source.runs, 4)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual([yield* Fiber.join(second!), yield* Fiber.join(third!)], ["v3", "v4"])
      assert.strictEqual((yield* cache.stats).rejected, 2)
      yield* addsUp(cache, 6)
    }).pipe(over(MemoryStore.layer()))
  )
})

describe("a source that fails for an hour", () => {
  const schedule = Schedule.exponential("1 second").pipe(Schedule.union(Schedule.spaced("1 minute")))

  /** What the Schedule says, and nobody else: asked each second, when is the source called? */
  const callsOf = Effect.gen(function* () {
    let [calls, next, state] = [0, 0, schedule.initial as unknown]
    for (let second = 0; second < 3_600; second++) {
      if (second * 1_000 < next) continue
      calls++
      const [after, , decision] = yield* schedule.step(second * 1_000, undefined, state)
      state = after
      if (decision._tag === "Continue") next = decision.intervals.intervals.pipe((all) => [...all][0]!.startMillis)
    }
    return calls
  })

  for (const store of stores) {
    it.effect(`is called as often as the Schedule says, by any number of callers (${store.name})`, () =>
      Effect.suspend(() => {
        const clock = new ManualClock(0)
        return Effect.withClock(hourOf(clock), clock).pipe(over(store.layer))
      })
    )
  }

  const hourOf = (clock: ManualClock) =>
    Effect.gen(function* () {
      const source = new Counted()
      const cache = yield* Cache.make("hour", {
        ...schemas,
        lookup: source.lookup,
        timeToLive: "1 second",
        staleIfError: "1 day",
        backoff: schedule
      })
      yield* cache.get("k")
      source.state = "down"
      clock.advance(10_000)
      for (let second = 0; second < 3_600; second++) {
        const answers = yield* Effect.all([cache.getResult("k"), cache.getResult("k")], { concurrency: "unbounded" })
        for (const { outcome, value } of answers) assert.deepStrictEqual([value, outcome], ["v1", "failsafe"])
        clock.advance(1_000)
      }
      const expected = yield* callsOf
      assert.strictEqual(source.runs - 1, expected)
      assert.isBelow(expected, 70)
      yield* addsUp(cache, 7_201)
    })

  it.effect("20 callers behind it make one call", () =>
    Effect.gen(function* () {
      const source = new Counted()
      source.state = "down"
      source.takes = 100
      const cache = yield* Cache.make("crowd", { ...schemas, lookup: source.lookup, shareFailures: "1 second" })
      const callers = yield* Effect.forEach(Array.from({ length: 20 }), () => Effect.fork(Effect.exit(cache.get("k"))))
      yield* settled
      yield* TestClock.adjust("100 millis")
      for (const caller of callers) assert.deepStrictEqual(yield* Fiber.join(caller), Exit.fail("down"))
      // and those who come one after another, too
      for (let later = 0; later < 20; later++)
        assert.deepStrictEqual(yield* Effect.exit(cache.get("k")), Exit.fail("down"))
      assert.strictEqual(source.runs, 1)
      yield* addsUp(cache, 40)
    }).pipe(over(MemoryStore.layer()))
  )
})

describe("back-off, at its edges", () => {
  it.effect("a load that was overtaken and hangs says nothing of the key that was invalidated meanwhile", () =>
    Effect.gen(function* () {
      const source = new Counted()
      source.state = "hung"
      const cache = yield* Cache.make("overtaken", {
        ...schemas,
        lookup: source.lookup,
        backoff: "1 hour",
        loadDeadline: "10 seconds"
      })
      const hung = yield* Effect.fork(Effect.either(cache.get("k")))
      yield* settled
      yield* cache.invalidate("k")
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(hung)
      source.state = "well"
      yield* plays(cache, source, [["11 seconds", "v2 loaded", 2]])
      // one that was not overtaken does
      source.state = "hung"
      const last = yield* Effect.fork(Effect.either(cache.get("other")))
      yield* settled
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(last)
      const held = yield* Effect.flip(cache.get("other"))
      assert.instanceOf(held, CacheError.LoadTimeout)
      assert.strictEqual(source.runs, 3)
      yield* addsUp(cache, 4)
    }).pipe(over(MemoryStore.layer()))
  )

  it.effect("a throwing failsafeWhen is the get's defect, counted, also while the source is left alone", () =>
    Effect.gen(function* () {
      const source = new Counted()
      const cache = yield* Cache.make("throwing", {
        ...schemas,
        lookup: source.lookup,
        timeToLive: "1 second",
        staleIfError: "1 hour",
        backoff: "1 hour",
        failsafeWhen: () => {
          throw new Error("of the predicate")
        }
      })
      yield* cache.get("k")
      source.state = "down"
      yield* plays(cache, source, [
        ["2 seconds", "Die", 2],
        ["3 seconds", "Die", 2]
      ])
      yield* addsUp(cache, 3)
    }).pipe(over(MemoryStore.layer()))
  )
})

describe("what is there is kept, and let go in time", () => {
  for (const store of stores) {
    it.effect(`a refresh that fails does not replace a good value, though its failure has a life (${store.name})`, () =>
      Effect.gen(function* () {
        const source = new Counted()
        const cache = yield* Cache.make("kept", {
          ...schemas,
          lookup: source.lookup,
          timeToLive: "60 seconds",
          refreshAhead: 0.5,
          failureTimeToLive: "10 seconds"
        })
        yield* plays(cache, source, [["0 seconds", "v1 loaded", 1]])
        source.state = "down"
        assert.strictEqual(yield* Effect.flip(cache.refresh("k")), "down")
        yield* plays(cache, source, [
          ["1 second", "v1 fresh", 2],
          ["40 seconds", "v1 fresh", 3],
          ["41 seconds", "v1 fresh", 4],
          // it is over: now the failure is kept
          ["60 seconds", "fails: down", 5],
          ["64 seconds", "fails: down", 5]
        ])
      }).pipe(over(store.layer))
    )
  }

  it.effect("a wait that outlives what could have been served is not answered with it", () =>
    Effect.gen(function* () {
      const source = new Counted()
      const cache = yield* Cache.make("outlived", {
        ...schemas,
        lookup: source.lookup,
        timeToLive: "60 seconds",
        staleIfError: "30 seconds",
        waitStale: "20 seconds",
        waitFresh: "40 seconds",
        loadDeadline: "1 hour"
      })
      yield* cache.get("k")
      source.state = "hung"
      yield* TestClock.adjust("80 seconds")
      const late = yield* Effect.fork(Effect.either(cache.get("k")))
      yield* TestClock.adjust("39999 millis")
      assert.isNull(late.unsafePoll())
      yield* TestClock.adjust("1 millis")
      const answer = yield* Fiber.join(late)
      assert.strictEqual(answer._tag === "Left" && answer.left instanceof CacheError.LoadTimeout, true)
    }).pipe(over(MemoryStore.layer()))
  )
})

describe("policies as values", () => {
  it.effect("a cache's own options win over its policy, and that over the configuration", () =>
    Effect.gen(function* () {
      const lookup = (key: string) => Effect.succeed(key)
      const policy = CachePolicy.make({ timeToLive: "2 seconds", staleIfError: "5 seconds" })
      const freshFor = (cache: Cache.Cache<string, string>) =>
        Effect.map(cache.getResult("k"), ({ freshUntil }) => freshUntil)
      assert.strictEqual(yield* freshFor(yield* Cache.make("configured", { lookup })), 3_000)
      assert.strictEqual(yield* freshFor(yield* Cache.make("policy", { lookup, policy })), 2_000)
      assert.strictEqual(yield* freshFor(yield* Cache.make("own", { lookup, policy, timeToLive: "1 second" })), 1_000)
      const extended = policy.pipe(CachePolicy.extend({ timeToLive: "4 seconds" }))
      assert.strictEqual(yield* freshFor(yield* Cache.make("extended", { lookup, policy: extended })), 4_000)
      assert.deepStrictEqual(policy.options, { timeToLive: "2 seconds", staleIfError: "5 seconds" })
      const local = CacheConfig.locally({ timeToLive: "500 millis" })
      assert.strictEqual(yield* freshFor(yield* Cache.make("local", { lookup, policy })).pipe(local), 500)
    }).pipe(
      over(MemoryStore.layer().pipe(Layer.provideMerge(Layer.orDie(CacheConfig.layer({ timeToLive: "3 seconds" })))))
    )
  )

  it.effect("tables of lives by tag are taken together", () =>
    Effect.sync(() => {
      const first = CachePolicy.make({ failureTimeToLive: { A: 1, B: 2 } })
      const both = first.pipe(CachePolicy.orElse(CachePolicy.make({ failureTimeToLive: { B: 3, C: 4 } })))
      assert.deepStrictEqual(both.options.failureTimeToLive, { A: 1, B: 2, C: 4 })
    })
  )

  it.effect("all that is wrong with one is told when the cache is built, with the field", () =>
    Effect.gen(function* () {
      const policy = CachePolicy.make({
        jitter: 1.5,
        refreshAhead: 1,
        earlyRefresh: 0,
        maxTimeToLive: "soon" as "1 second",
        timeToIdle: 0,
        tierTimeToLive: [-1],
        timeToLive: CachePolicy.adaptive({ min: "2 seconds", max: "1 second" }),
        backoff: NaN,
        retry: "often" as unknown as Schedule.Schedule<unknown>,
        bulkhead: { concurrency: 0 }
      })
      const make = Cache.make("wrong", { lookup: (key: string) => Effect.succeed(key), policy })
      const error = yield* Effect.flip(make)
      assert.instanceOf(error, CacheError.InvalidConfig)
      assert.deepStrictEqual(error.issues.map((issue) => issue.field).sort(), [
        "backoff",
        "bulkhead",
        "earlyRefresh",
        "jitter",
        "maxTimeToLive",
        "refreshAhead",
        "retry",
        "tierTimeToLive",
        "timeToIdle",
        "timeToLive"
      ])
      const none = yield* Effect.flip(
        Cache.make("none", { lookup: (key: string) => Effect.succeed(key), policy: {} as CachePolicy.CachePolicy })
      )
      assert.strictEqual(none._tag === "InvalidConfig" && none.issues[0]?.field, "policy")
    }).pipe(over(MemoryStore.layer()))
  )

  it.effect("hits, loads and the time between are what a time to live function is told", () =>
    Effect.gen(function* () {
      const told: Array<CachePolicy.Access> = []
      const from = (access: CachePolicy.Access) => {
        told.push(access)
        return 10_000
      }
      const cache = yield* Cache.make("told", {
        lookup: CacheBatch.lookup((keys: ReadonlyArray<string>) =>
          Effect.succeed(keys.map((key) => Either.right(key)))
        ),
        timeToLive: CachePolicy.adaptive({ min: 0, max: "1 hour", from })
      })
      yield* cache.get("k")
      yield* cache.get("k")
      yield* cache.get("k")
      yield* TestClock.adjust("10 seconds")
      yield* cache.get("k")
      assert.deepStrictEqual(told, [
        { hits: 0, loads: 1, sinceLoad: 0 },
        { hits: 2, loads: 2, sinceLoad: 10_000 }
      ])
    }).pipe(over(MemoryStore.layer()))
  )
})
