/** Failures that somebody waits for. */
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import * as Option from "effect/Option"

/** What a load fails with is told to those who wait for it: its fiber need not tell it to the log as well. */
export const handled = <A, E>(body: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.catchAllCause(body, (cause) =>
    Effect.zipRight(FiberRef.set(FiberRef.unhandledErrorLogLevel, Option.none()), Effect.failCause(cause))
  )
