/** Operations of a server that may not answer: each has its time, and fails typed when that is over. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import * as CacheError from "../../CacheError.js"
import { Deadlines } from "../../internal/deadlines.js"
import { steady } from "../../internal/steady.js"
import { closed } from "../../internal/store/service.js"

/** One run of an operation, which may hold something while it has its time. */
export interface Attempt {
  /** Called once if its time is over before its end: what it holds is given up. */
  giveUp: (() => void) | undefined
}

/** Runs an operation; what it comes to after its time is nobody's any more. */
export type Limited = <A>(
  operation: string,
  run: (attempt: Attempt) => Promise<A>
) => Effect.Effect<A, CacheError.StoreFailure>

export interface Options {
  readonly store: string
  /** `Infinity` for no limit. */
  readonly millis: number
  /** What a rejection means. */
  readonly failure: (operation: string, cause: unknown) => CacheError.StoreFailure
}

/** One watch over all operations of a store, which ends with the Scope; after that each operation fails as closed. */
export const make = ({ failure, millis, store }: Options): Effect.Effect<Limited, never, Scope.Scope> =>
  Effect.gen(function* () {
    const deadlines = new Deadlines(steady)
    let isClosed = false
    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        isClosed = true
        return deadlines.close
      })
    )
    return <A>(operation: string, run: (attempt: Attempt) => Promise<A>) =>
      Effect.withFiberRuntime<A, CacheError.StoreFailure>((fiber) => {
        if (isClosed) return Effect.fail(closed(store))
        // who is interrupted leaves the operation to its end, or its limit: there is nothing to be told
        return Effect.async((resume) => {
          const since = steady.now(fiber)
          const attempt: Attempt = { giveUp: undefined }
          const expire = () => {
            resume(Effect.fail(new CacheError.StoreTimeout({ store, operation, millis })))
            attempt.giveUp?.()
          }
          const disarm = millis === Infinity ? () => {} : deadlines.add({ expire, since, until: since + millis }, fiber)
          const end = (exit: Exit.Exit<A, CacheError.StoreFailure>) => {
            disarm()
            resume(exit)
          }
          run(attempt).then(
            (value) => end(Exit.succeed(value)),
            (cause: unknown) => end(Exit.fail(failure(operation, cause)))
          )
        })
      })
  })
