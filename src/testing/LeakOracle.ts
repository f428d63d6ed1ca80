/**
 * Tells whether a test left something behind: a fiber, a finalizer, a load in the air, a get without an outcome.
 *
 * Wrap the whole test in `check`, Layers included, so that everything the test starts is started inside. Caches whose
 * counters are to be checked are passed through `watch`, which counts the gets on its own account.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Cache, MemoryStore } from "effect-larder"
 * import * as LeakOracle from "effect-larder/LeakOracle"
 *
 * const test = Effect.gen(function*() {
 *   const squares = yield* LeakOracle.watch(yield* Cache.make("squares", { lookup: (n: number) => Effect.succeed(n * n) }))
 *   return yield* squares.get(3)
 * }).pipe(
 *   Effect.provide(MemoryStore.layer()),
 *   LeakOracle.check // last: what is provided after it is not seen
 * )
 *
 * Effect.runPromise(test).then(console.log) // => 9
 * ```
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Supervisor from "effect/Supervisor"
import type * as TestClock from "effect/TestClock"
import type * as Cache from "../Cache.js"

/**
 * What a test left behind, one line each. `check` dies with it, so that no test can take it for an error of its own.
 *
 * @since 0.1.0
 * @category errors
 */
export class Leaked extends Data.TaggedError("Leaked")<{ readonly leaks: ReadonlyArray<string> }> {
  /** @since 0.1.0 */
  override get message(): string {
    return `the test left something behind:\n${this.leaks.map((leak) => `- ${leak}`).join("\n")}`
  }
}

/**
 * Where `watch` reports to; `check` provides it.
 *
 * @since 0.1.0
 * @category tags
 */
export class LeakOracle extends Context.Tag("effect-larder/testing/LeakOracle")<
  LeakOracle,
  { readonly add: (leaks: Effect.Effect<ReadonlyArray<string>>) => void }
>() {}

/** Enough for fibers that only have to take their turn: whatever they hand on to has its turn in the same round. */
const turns = 100

/** Milliseconds, one at a time, for fibers that end by themselves as soon as a file or a socket has answered. */
const graceMillis = 50

const live = Clock.make()

const passTurns = Effect.repeatN(Effect.yieldNow(), turns)

const passMillis = Effect.withClock(Effect.sleep("1 millis"), live)

/**
 * A Scope that tells how many of its finalizers have not run, in itself and in what is forked from it. Effect closes
 * a fork with its parent, so what is left is a finalizer that never came to its end.
 */
const counted = (scope: Scope.CloseableScope, left: { count: number }): Scope.CloseableScope =>
  new Proxy(scope, {
    get: (target, property, receiver: unknown): unknown => {
      if (property === "addFinalizer") {
        return (finalizer: Scope.Scope.Finalizer) =>
          Effect.suspend(() => {
            left.count++
            const ended = Effect.sync(() => void left.count--)
            return Scope.addFinalizerExit(target, (exit) => Effect.ensuring(finalizer(exit), ended))
          })
      }
      if (property === "fork") {
        return (strategy: ExecutionStrategy.ExecutionStrategy) =>
          Effect.map(Scope.fork(target, strategy), (child) => counted(child, left))
      }
      return Reflect.get(target, property, receiver)
    }
  })

/** A TestClock on which somebody sleeps has a fiber to warn that nobody moves it; moving it ends that. */
const endWarning = Effect.clockWith((clock) =>
  "adjust" in clock ? (clock as TestClock.TestClock).adjust(0) : Effect.void
)

const fibersLeft = (supervisor: Supervisor.Supervisor<ReadonlyArray<Fiber.RuntimeFiber<unknown, unknown>>>) =>
  Effect.map(supervisor.value, (fibers) => fibers.filter((fiber) => fiber.unsafePoll() === null))

/**
 * Runs a test in a Scope of its own, closes it, and dies with `Leaked` unless
 *
 * - every fiber that was forked inside, by whomever and however, has ended;
 * - every finalizer of the Scope, and of Scopes forked from it, has run;
 * - every cache that was given to `watch` has no load in the air and one outcome for each get.
 *
 * A test that fails is not examined: its failure comes first. What the test requires beyond a Scope and `LeakOracle`
 * is still required; fibers of Layers that are provided outside are not seen.
 *
 * @since 0.1.0
 * @category combinators
 */
export const check = <A, E, R>(
  test: Effect.Effect<A, E, R>
): Effect.Effect<A, E, Exclude<R, LeakOracle | Scope.Scope>> =>
  Effect.gen(function* () {
    const supervisor = yield* Supervisor.track
    const finalizers = { count: 0 }
    const examinations: Array<Effect.Effect<ReadonlyArray<string>>> = []
    const result = yield* Effect.acquireUseRelease(
      Effect.map(Scope.make(), (scope) => counted(scope, finalizers)),
      (scope) =>
        test.pipe(
          Effect.provideService(LeakOracle, { add: (examination) => examinations.push(examination) }),
          Effect.provideService(Scope.Scope, scope)
        ),
      (scope, exit) => Scope.close(scope, exit)
    ).pipe(Effect.supervised(supervisor))
    yield* endWarning
    yield* passTurns
    for (let waited = 0; waited < graceMillis && (yield* fibersLeft(supervisor)).length > 0; waited++) yield* passMillis
    const leaks = (yield* fibersLeft(supervisor)).map((fiber) => `fiber #${fiber.id().id} is still alive`)
    if (finalizers.count > 0) leaks.push(`${finalizers.count} finalizers of the test's Scope have not run`)
    for (const examination of examinations) leaks.push(...(yield* examination))
    return leaks.length === 0 ? result : yield* Effect.die(new Leaked({ leaks }))
  }) as Effect.Effect<A, E, Exclude<R, LeakOracle | Scope.Scope>>

/** What was asked of a cache, and how often it ended, by interruption or otherwise. */
interface Gets {
  ended: number
  interrupted: number
}

const count = <A, E, R>(gets: Gets, effect: Effect.Effect<A, E, R>, by = 1): Effect.Effect<A, E, R> =>
  Effect.onExit(effect, (exit) =>
    Effect.sync(() => {
      gets[Exit.isInterrupted(exit) ? "interrupted" : "ended"] += by
    })
  )

const examine = <K, A, E, R>(cache: Cache.Cache<K, A, E, R>, gets: Gets): Effect.Effect<ReadonlyArray<string>> =>
  Effect.map(cache.stats, (stats) => {
    const leaks: Array<string> = []
    if (stats.inFlight !== 0) leaks.push(`cache '${cache.name}' has ${stats.inFlight} loads in the air`)
    // one that was interrupted before it began had no outcome
    if (stats.gets < gets.ended || stats.gets > gets.ended + gets.interrupted) {
      leaks.push(`cache '${cache.name}' had ${gets.ended + gets.interrupted} gets, but ${stats.gets} outcomes`)
    }
    return leaks
  })

/**
 * The same cache, whose counters are checked when `check` ends: no load in the air, and as many outcomes as gets were
 * run through what this answers. Gets through another reference to the cache (the class of a `Cache.Service`, for
 * one) are not counted here, and show as outcomes too many.
 *
 * @since 0.1.0
 * @category combinators
 */
export const watch = <K, A, E, R>(
  cache: Cache.Cache<K, A, E, R>
): Effect.Effect<Cache.Cache<K, A, E, R>, never, LeakOracle> =>
  Effect.map(LeakOracle, (oracle) => {
    const gets: Gets = { ended: 0, interrupted: 0 }
    oracle.add(examine(cache, gets))
    return {
      ...cache,
      get: (key) => count(gets, cache.get(key)),
      getResult: (key) => count(gets, cache.getResult(key)),
      refresh: (key) => count(gets, cache.refresh(key)),
      getMany: ((keys: Iterable<K>, options: { readonly mode: "either" }) =>
        Effect.suspend(() => {
          const all = Array.from(keys)
          return count<unknown, E, R>(gets, cache.getMany(all, options), all.length)
        })) as Cache.Cache<K, A, E, R>["getMany"]
    }
  })
