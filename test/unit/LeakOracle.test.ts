/** The oracle must find what is left behind, and nothing else. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Scope } from "effect"
import { Cache, MemoryStore } from "effect-larder"
import { LeakOracle } from "effect-larder/testing"

/** What the oracle says was left behind by a test; empty where it is content. */
const leaksOf = <A, E>(test: Effect.Effect<A, E, LeakOracle.LeakOracle | Scope.Scope>) =>
  Effect.map(Effect.exit(LeakOracle.check(test)), (exit) => {
    if (Exit.isSuccess(exit)) return []
    const [defect] = Cause.defects(exit.cause)
    return defect instanceof LeakOracle.Leaked ? defect.leaks : [`not a leak: ${Cause.pretty(exit.cause)}`]
  })

const lengths = Cache.make("lengths", { lookup: (word: string) => Effect.succeed(word.length) })

describe("LeakOracle.check", () => {
  it.effect("is content with a test that leaves nothing, and gives back its result", () =>
    Effect.gen(function* () {
      const result = yield* LeakOracle.check(
        Effect.gen(function* () {
          yield* Effect.addFinalizer(() => Effect.yieldNow())
          yield* Effect.forkScoped(Effect.never)
          const child = yield* Effect.fork(Effect.never)
          yield* Fiber.interrupt(child)
          yield* Effect.scoped(Effect.addFinalizer(() => Effect.void))
          return 42
        })
      )
      assert.strictEqual(result, 42)
    })
  )

  for (const [name, fork] of [
    ["a daemon", Effect.forkDaemon(Effect.never)],
    ["a daemon that sleeps", Effect.forkDaemon(Effect.sleep("1 hour"))],
    ["a daemon of a daemon", Effect.forkDaemon(Effect.zipRight(Effect.forkDaemon(Effect.never), Effect.yieldNow()))]
  ] as const) {
    it.effect(`finds ${name}`, () =>
      Effect.gen(function* () {
        const leaks = yield* leaksOf(fork)
        assert.lengthOf(leaks, 1)
        assert.match(leaks[0]!, /fiber #\d+ is still alive/)
      })
    )
  }

  it.effect("finds a fiber in a Scope that the test has not closed", () =>
    Effect.gen(function* () {
      const leaks = yield* leaksOf(Effect.flatMap(Scope.make(), (scope) => Effect.forkIn(Effect.never, scope)))
      assert.lengthOf(leaks, 1)
    })
  )

  it.effect("is content with a sleep that was interrupted, though nobody has moved the clock", () =>
    Effect.gen(function* () {
      const sleeping = Effect.flatMap(Effect.fork(Effect.sleep("1 hour")), (fiber) =>
        Effect.zipRight(Effect.yieldNow(), Fiber.interrupt(fiber))
      )
      assert.deepStrictEqual(yield* leaksOf(sleeping), [])
      assert.deepStrictEqual(yield* leaksOf(Effect.timeout(Effect.yieldNow(), "1 hour")), [])
    })
  )

  it.effect("waits for a fiber that ends by itself as soon as the outer world has answered", () =>
    Effect.gen(function* () {
      const answer = Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      assert.deepStrictEqual(yield* leaksOf(Effect.forkDaemon(answer)), [])
    })
  )

  it.effect("runs the finalizers of the test's Scope and of its forks before it looks", () =>
    Effect.gen(function* () {
      const ran: Array<string> = []
      const say = (what: string) => Effect.sync(() => void ran.push(what))
      const leaks = yield* leaksOf(
        Effect.gen(function* () {
          const scope = yield* Effect.scope
          yield* Scope.addFinalizer(scope, say("own"))
          const fork = yield* Scope.fork(scope, yield* sequential)
          yield* Scope.addFinalizer(fork, say("fork"))
        })
      )
      assert.deepStrictEqual(leaks, [])
      assert.deepStrictEqual(ran.sort(), ["fork", "own"])
    })
  )

  it.effect("a test that fails is told its own failure, and its Scope is closed all the same", () =>
    Effect.gen(function* () {
      let closed = false
      const exit = yield* Effect.addFinalizer(() => Effect.sync(() => (closed = true))).pipe(
        Effect.zipRight(Effect.forkDaemon(Effect.never)),
        Effect.flatMap((fiber) =>
          Effect.as(
            Effect.addFinalizer(() => Fiber.interrupt(fiber)),
            "x"
          )
        ),
        Effect.zipRight(Effect.fail("its own")),
        LeakOracle.check,
        Effect.exit
      )
      assert.deepStrictEqual(exit, Exit.fail("its own"))
      assert.isTrue(closed)
    })
  )
})

const sequential = Effect.map(Effect.void, () => ({ _tag: "Sequential" }) as const)

describe("LeakOracle.watch", () => {
  it.effect("counts gets of every kind, those that fail or are interrupted included", () =>
    Effect.gen(function* () {
      const leaks = yield* leaksOf(
        Effect.gen(function* () {
          const started = yield* Deferred.make<void>()
          const cache = yield* LeakOracle.watch(
            yield* Cache.make("words", {
              lookup: (word: string) =>
                word === "hang"
                  ? Effect.zipRight(Deferred.succeed(started, undefined), Effect.never)
                  : word === "fail"
                    ? Effect.fail("failed")
                    : Effect.succeed(word.length)
            })
          )
          yield* cache.get("a")
          yield* cache.getResult("a")
          yield* cache.refresh("a")
          yield* cache.getMany(new Set(["a", "b"]))
          yield* cache.getMany(["a", "fail", "a"], { mode: "either" })
          yield* Effect.flip(cache.get("fail"))
          const fiber = yield* Effect.fork(cache.get("hang"))
          yield* Deferred.await(started)
          yield* Fiber.interrupt(fiber)
          yield* cache.getOption("a") // no get
        }).pipe(Effect.provide(MemoryStore.layer()))
      )
      assert.deepStrictEqual(leaks, [])
    })
  )

  it.effect("finds gets that had no outcome, and outcomes without a get", () =>
    Effect.gen(function* () {
      const leaks = yield* leaksOf(
        Effect.gen(function* () {
          const cache = yield* lengths
          const watched = yield* LeakOracle.watch(cache)
          yield* watched.get("a")
          yield* cache.get("a")
        }).pipe(Effect.provide(MemoryStore.layer()))
      )
      assert.deepStrictEqual(leaks, ["cache 'lengths' had 1 gets, but 2 outcomes"])
    })
  )

  it.effect("finds loads in the air", () =>
    Effect.gen(function* () {
      const leaks = yield* leaksOf(
        Effect.gen(function* () {
          const cache = yield* lengths
          const stats = Effect.map(cache.stats, (counted) => Object.assign(Object.create(counted), { inFlight: 2 }))
          yield* LeakOracle.watch({ ...cache, stats })
        }).pipe(Effect.provide(MemoryStore.layer()))
      )
      assert.deepStrictEqual(leaks, ["cache 'lengths' has 2 loads in the air"])
    })
  )
})
