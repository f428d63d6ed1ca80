/** The machinery of one load, apart from any cache: flights, what a load means, and the clock that does not step. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Option } from "effect"
import type { CacheEntry } from "effect-larder"
import fc from "fast-check"
import { conclude, fallBack } from "../../src/internal/cache/conclude.js"
import { Flight, giveUpOn, type Landing } from "../../src/internal/cache/flight.js"
import type { Lifetimes } from "../../src/internal/cache/lifetimes.js"
import type { Definition } from "../../src/internal/cache/model.js"
import { judge, makeEntry, type Settings, withLocal } from "../../src/internal/cache/settings.js"
import { SteadyClock, steadyMillis } from "../../src/internal/steady.js"
import { ManualClock } from "../fixtures/cache/clock.js"
import { settled } from "../fixtures/cache/harness.js"

const settings: Settings = {
  mode: "default",
  timeToLive: undefined,
  staleWhileRevalidate: 0,
  staleIfError: 0,
  loadDeadline: 30_000,
  waitFresh: Infinity,
  waitStale: Infinity,
  traceHits: false,
  tags: [],
  typedDeadline: false,
  typedWait: false
}

const flightOf = (kind: "fetch" | "load" = "load", own: Partial<Settings> = {}) =>
  new Flight<string, string, string>("id", "key", { ...settings, ...own }, kind)

const landing = (value: string): Landing<string, string> => ({
  exit: Exit.succeed(value),
  how: "loaded",
  entry: undefined,
  tier: 1
})

const entryAt = (createdAt: number, freshUntil: number, staleUntil: number): CacheEntry.CacheEntry<string, string> => ({
  exit: Exit.succeed("old"),
  createdAt,
  freshUntil,
  staleUntil,
  tags: [],
  loadMillis: 5,
  keyText: undefined
})

describe("Flight", () => {
  it.effect("lands once: all who wait, before and after, get the first landing", () =>
    Effect.gen(function* () {
      const flight = flightOf()
      const early = yield* Effect.fork(flight.awaitLanding)
      yield* settled
      flight.land(landing("first"))
      flight.land(landing("second"))
      assert.deepStrictEqual(yield* Fiber.join(early), landing("first"))
      assert.deepStrictEqual(yield* flight.awaitLanding, landing("first"))
    })
  )

  it.effect("tells where it is at the latest when it lands, and cancels its deadline", () =>
    Effect.gen(function* () {
      const flight = flightOf("fetch")
      let cancelled = 0
      flight.cancelDeadline = () => void cancelled++
      const waiting = yield* Effect.fork(flight.awaitLocated)
      yield* settled
      assert.isTrue(Option.isNone(yield* Fiber.poll(waiting)))
      flight.land(landing("value"))
      yield* Fiber.join(waiting)
      yield* flight.awaitLocated
      assert.strictEqual(cancelled, 1)
    })
  )

  it.effect("locate tells those who wait for it, and remembers what may be served", () =>
    Effect.gen(function* () {
      const flight = flightOf("fetch")
      const waiting = yield* Effect.fork(flight.awaitLocated)
      yield* settled
      const previous = entryAt(0, 1, 2)
      flight.locate(previous)
      yield* Fiber.join(waiting)
      assert.strictEqual(flight.previous, previous)
    })
  )

  it("suits everybody as a load; as a fetch only those who ask for the same or less", () => {
    const load = flightOf("load", { mode: "reload" })
    assert.isTrue(load.suits("load", settings))
    assert.isTrue(load.suits("fetch", { ...settings, mode: "no-cache" }))
    const fetch = flightOf("fetch")
    assert.isTrue(fetch.suits("fetch", settings))
    assert.isFalse(fetch.suits("load", settings))
    assert.isFalse(fetch.suits("fetch", { ...settings, timeToLive: 5 }))
    const short = flightOf("fetch", { timeToLive: 5 })
    assert.isTrue(short.suits("fetch", settings))
    assert.isTrue(short.suits("fetch", { ...settings, timeToLive: 5 }))
    assert.isFalse(short.suits("fetch", { ...settings, timeToLive: 4 }))
    assert.isFalse(flightOf("fetch", { mode: "force-cache" }).suits("fetch", settings))
  })

  it.effect("giving up on it waits for a landing at most, whatever its fiber makes of it", () =>
    Effect.gen(function* () {
      const flight = flightOf()
      yield* giveUpOn(flight)
      const latch = yield* Effect.makeLatch(false)
      flight.fiber = yield* Effect.fork(Effect.uninterruptible(latch.await))
      const hasty = yield* Effect.fork(giveUpOn(flight))
      yield* settled
      assert.isTrue(Option.isNone(yield* Fiber.poll(hasty)))
      flight.land(landing("late"))
      yield* Fiber.join(hasty)
      yield* latch.open
    })
  )
})

const lifetimes = (own: Partial<Lifetimes<string, string, string>>): Lifetimes<string, string, string> => ({
  success: () => 100,
  failure: () => 0,
  longest: Infinity,
  jitter: 0,
  usesAccess: false,
  ...own
})

const definition = (own: Partial<Definition<string, string, string, never>> = {}) =>
  ({
    lifetimes: lifetimes({}),
    tags: () => ["value"],
    keyTags: () => ["failure"],
    revalidateWithin: 0,
    cacheIf: undefined,
    keys: { textOf: () => undefined },
    ...own
  }) as unknown as Definition<string, string, string, never>

describe("what a finished load means", () => {
  it("a success is kept from when its load started, with its tags and those of the caller", () => {
    const flight = flightOf("load", { tags: ["caller"], staleIfError: 50 })
    flight.startedAt = 10
    const { entry, landing } = conclude(definition(), flight, Exit.succeed("new"), 30, () => 0)
    assert.strictEqual(landing.how, "loaded")
    assert.deepInclude(entry, { createdAt: 10, freshUntil: 110, staleUntil: 160, loadMillis: 20 })
    assert.deepStrictEqual(entry?.tags, ["value", "caller"])
  })

  it("what took longer than it may live is not kept, nor what has no life", () => {
    const flight = flightOf()
    assert.isUndefined(conclude(definition(), flight, Exit.succeed("new"), 100, () => 0).entry)
    assert.isDefined(conclude(definition(), flight, Exit.succeed("new"), 99, () => 0).entry)
    assert.isUndefined(
      conclude(definition({ lifetimes: lifetimes({ success: () => 0 }) }), flight, Exit.succeed("new"), 0, () => 0)
        .entry
    )
    assert.isUndefined(conclude(definition({ cacheIf: () => false }), flight, Exit.succeed("new"), 0, () => 0).entry)
  })

  it("a failure is kept if it has a life, with the tags that are known before; a defect never", () => {
    const lives = definition({ lifetimes: lifetimes({ failure: () => 100 }) })
    const kept = conclude(lives, flightOf(), Exit.fail("no"), 0, () => 0)
    assert.deepInclude(kept.entry, { exit: Exit.fail("no"), freshUntil: 100 })
    assert.deepStrictEqual(kept.entry?.tags, ["failure"])
    for (const cause of [Cause.die("x"), Cause.sequential(Cause.fail("a"), Cause.fail("b")), Cause.empty]) {
      assert.isUndefined(conclude(lives, flightOf(), Exit.failCause(cause), 0, () => 0).entry)
    }
  })

  it("a failure is answered by what was there before, while that may be used", () => {
    const flight = flightOf("load", { staleIfError: 90 })
    flight.previous = entryAt(0, 10, 100)
    const failure = Exit.fail("no")
    assert.deepInclude(fallBack(definition(), flight, failure, 99), { how: "failsafe", exit: Exit.succeed("old") })
    assert.deepInclude(fallBack(definition(), flight, failure, 100), { how: "failed", exit: failure })
    // what the lookup does to itself is a failure; what we brought down is none
    const interrupted = Exit.interrupt(flight.fiber?.id() ?? Effect.runSync(Effect.fiberId))
    assert.strictEqual(fallBack(definition(), flight, interrupted, 50).how, "failsafe")
    flight.detached = true
    assert.strictEqual(fallBack(definition(), flight, interrupted, 50).how, "failed")
  })

  it("a callback that throws is the load's defect", () => {
    const thrower = () => {
      throw new Error("boom")
    }
    for (const own of [{ lifetimes: lifetimes({ success: thrower }) }, { tags: thrower }, { cacheIf: thrower }]) {
      const { entry, landing } = conclude(definition(own), flightOf(), Exit.succeed("new"), 0, () => 0)
      assert.isUndefined(entry)
      assert.isTrue(Exit.isFailure(landing.exit) && Cause.isDie(landing.exit.cause))
    }
  })
})

describe("what may be done with an entry", () => {
  it("by its age and the mode: never fresher than said, and nothing past its end", () => {
    fc.assert(
      fc.property(
        fc.record({
          age: fc.nat(1_000),
          life: fc.nat(400),
          swr: fc.nat(400),
          sie: fc.nat(400),
          local: fc.option(fc.nat(400), { nil: undefined }),
          mode: fc.constantFrom<Settings["mode"]>(
            "default",
            "no-store",
            "reload",
            "no-cache",
            "force-cache",
            "only-if-cached"
          )
        }),
        ({ age, life, local, mode, sie, swr }) => {
          const inForce: Settings = {
            ...settings,
            mode,
            staleWhileRevalidate: swr,
            staleIfError: sie,
            timeToLive: local
          }
          const entry = makeEntry({
            exit: Exit.succeed("v"),
            startedAt: 0,
            endedAt: 0,
            timeToLive: life,
            settings: inForce,
            keptFor: 0,
            tags: [],
            keyText: undefined
          })
          const verdict = judge(entry, inForce, age)
          const limit = Math.min(life, local ?? Infinity)
          if (age >= life + Math.max(swr, sie)) assert.strictEqual(verdict, "unusable")
          else if (mode === "default") {
            assert.strictEqual(
              verdict,
              age < limit ? "fresh" : age < limit + swr ? "stale" : age < limit + sie ? "fallback" : "unusable"
            )
          } else if (mode === "no-store" || mode === "reload") assert.strictEqual(verdict, "unusable")
          else if (mode === "no-cache") assert.include(["fallback", "unusable"], verdict)
          else assert.strictEqual(verdict, "fresh")
        }
      )
    )
    assert.strictEqual(judge(undefined, settings, 0), "unusable")
  })

  it("a load that ends before it starts, because the clock was set back, cost nothing", () => {
    const entry = makeEntry({
      exit: Exit.succeed("v"),
      startedAt: 50,
      endedAt: 20,
      timeToLive: 1,
      settings,
      keptFor: 0,
      tags: [],
      keyText: undefined
    })
    assert.strictEqual(entry.loadMillis, 0)
  })

  it("an override wins field by field, and makes its limits typed", () => {
    const none = {
      mode: undefined,
      timeToLive: undefined,
      staleWhileRevalidate: undefined,
      staleIfError: undefined,
      loadDeadline: undefined,
      waitFresh: undefined,
      waitStale: undefined,
      traceHits: undefined,
      tags: undefined
    }
    assert.deepStrictEqual(withLocal(settings, none), settings)
    assert.deepInclude(withLocal(settings, { ...none, mode: "reload", waitFresh: 5 }), {
      mode: "reload",
      waitFresh: 5,
      typedWait: true,
      typedDeadline: false,
      loadDeadline: 30_000
    })
  })
})

describe("the clock that does not step", () => {
  const now = (clock: ManualClock) => Effect.runSync(Effect.withClock(steadyMillis, clock))

  it("takes out what the wall clock jumps, and follows what passes", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ advance: fc.nat(5_000), step: fc.constantFrom(0, 0, 3_600_000, -3_600_000, 2 ** 40) }), {
          maxLength: 50
        }),
        (moves) => {
          const clock = new ManualClock()
          const start = now(clock)
          let passed = 0
          for (const { advance, step } of moves) {
            clock.advance(advance)
            clock.step(step)
            passed += advance
            assert.strictEqual(now(clock) - start, passed)
          }
        }
      )
    )
  })

  it("remembers of each clock what it has jumped", () => {
    const [first, second] = [new ManualClock(1_000), new ManualClock(9_000)]
    assert.deepStrictEqual([now(first), now(second)], [1_000, 9_000])
    first.step(-3_600_000)
    assert.deepStrictEqual([now(first), now(second), now(first)], [1_000, 9_000, 1_000])
  })

  it("follows a clock that is slewed rather than set", () => {
    const clock = new ManualClock()
    const start = now(clock)
    for (let minute = 1; minute <= 600; minute++) {
      clock.advance(60_000)
      clock.step(30)
      now(clock)
    }
    assert.strictEqual(now(clock) - start, 600 * 60_030)
    assert.instanceOf(new SteadyClock(), SteadyClock)
  })
})
