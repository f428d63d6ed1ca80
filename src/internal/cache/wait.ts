/** How long a get waits for a flight. */
import * as Effect from "effect/Effect"
import type { SteadyClock } from "../steady.js"
import type { Call } from "./core.js"
import type { Flight, Landing } from "./flight.js"

export const timedOut = Symbol("timed out")

/** A wait is counted from the call, whatever the call has waited for before. */
export const landingOf = <K, A, E>(
  flight: Flight<K, A, E>,
  { fiber, settings, startedAt }: Call,
  clock: SteadyClock
): Effect.Effect<Landing<A, E> | typeof timedOut> => {
  if (settings.waitFresh === Infinity && settings.waitStale === Infinity) return flight.awaitLanding
  const until = (wait: number) => Effect.sleep(Math.max(0, startedAt + wait - clock.now(fiber)))
  const limit = Effect.suspend(() => until(flight.previous === undefined ? settings.waitFresh : settings.waitStale))
  const timer = flight.located
    ? limit
    : Effect.raceFirst(until(settings.waitFresh), Effect.zipRight(flight.awaitLocated, limit))
  return Effect.raceFirst(flight.awaitLanding, Effect.as(timer, timedOut))
}
