/** Operations of a server that may not answer: each has its time, and fails typed when that is over. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
import * as CacheError from "../../CacheError.js"
import { Deadlines } from "../../internal/deadlines.js"
import { handled } from "../../internal/handled.js"
import { runtimeOf } from "../../internal/inherit.js"
import { steady } from "../../internal/steady.js"
import { closed } from "../../internal/store/service.js"

/** Runs an operation; what it comes to after its time is nobody's any more. */
export type Limited = <A>(operation: string, run: () => Promise<A>) => Effect.Effect<A, CacheError.StoreFailure>

/** The same of an effect, which is interrupted then, and not waited for. */
export type LimitedEffect = <A>(
  operation: string,
  effect: Effect.Effect<A, CacheError.StoreFailure>
) => Effect.Effect<A, CacheError.StoreFailure>

interface Watching {
  readonly store: string
  /** `Infinity` for no limit. */
  readonly millis: number
}

export interface Options extends Watching {
  /** What a rejection means. */
  readonly failure: (operation: string, cause: unknown) => CacheError.StoreFailure
}

type End<A> = (exit: Exit.Exit<A, CacheError.StoreFailure>) => void

/** One watch over all operations of a store, which ends with the Scope; after that each operation fails as closed. */
const watch = ({ millis, store }: Watching) =>
  Effect.gen(function* () {
    const deadlines = new Deadlines(steady)
    let isClosed = false
    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        isClosed = true
        return deadlines.close
      })
    )
    /** Begins an operation, and answers how to end it with what; `begin` answers how to give it up. */
    return <A>(
      operation: string,
      begin: (end: End<A>, fiber: Fiber.RuntimeFiber<unknown, unknown>) => (() => void) | undefined
    ) =>
      Effect.withFiberRuntime<A, CacheError.StoreFailure>((fiber) => {
        if (isClosed) return Effect.fail(closed(store))
        return Effect.async((resume) => {
          const since = steady.now(fiber)
          const giving: { up?: (() => void) | undefined } = {}
          const expire = () => {
            resume(Effect.fail(new CacheError.StoreTimeout({ store, operation, millis })))
            giving.up?.()
          }
          const disarm =
            millis === Infinity
              ? () => {}
              : deadlines.add({ expire, since, until: since + millis }, fiber, runtimeOf(undefined, fiber))
          const end: End<A> = (exit) => {
            disarm()
            resume(exit)
          }
          giving.up = begin(end, fiber)
          // who is interrupted leaves its limit behind, where it has nothing else: until the answer comes, or it is over
          return giving.up && Effect.sync(giving.up)
        })
      })
  })

export const make = (options: Options): Effect.Effect<Limited, never, Scope.Scope> =>
  Effect.map(
    watch(options),
    (limited): Limited =>
      (operation, run) =>
        limited(operation, (end) => {
          run().then(
            (value) => end(Exit.succeed(value)),
            (cause: unknown) => end(Exit.fail(options.failure(operation, cause)))
          )
          return undefined
        })
  )

export const makeForEffects = (options: Watching): Effect.Effect<LimitedEffect, never, Scope.Scope> =>
  Effect.map(
    watch(options),
    (limited): LimitedEffect =>
      (operation, effect) =>
        limited(operation, (end, fiber) => {
          const child = Runtime.runFork(runtimeOf(undefined, fiber))(handled(effect))
          child.addObserver(end)
          return () => child.unsafeInterruptAsFork(FiberId.none)
        })
  )
