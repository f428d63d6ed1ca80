/** How long a get waits for a flight. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Call, Place } from "./call.js"
import type { Deadlines } from "../deadlines.js"
import type { Flight, Landing } from "./flight.js"
import { mayFallBackOn, type Settings } from "./settings.js"
import type { SteadyClock } from "../steady.js"

/** Whether a get that waits no longer can be served what was there before. */
export const hasStale = <K, A, E>({ previous }: Flight<K, A, E>, settings: Settings, now: number): boolean =>
  previous !== undefined && mayFallBackOn(previous, settings, now)

export const timedOut = Symbol("timed out")

/** One get's wait for a flight. Whoever is interrupted in it has to `forget`, so that the flight does, too. */
export interface Wait<A, E> {
  /** `undefined` from who has asked a store himself, where it is for the flight to load. */
  readonly landing: Effect.Effect<Landing<A, E> | typeof timedOut | undefined>
  readonly forget: () => void
}

/**
 * An effect that is resumed by a callback. It has no way of its own to be interrupted, which would cost as much again as
 * all else of a wait: `begin` answers what there is to forget.
 */
const called = <X>(begin: (resume: (value: X) => void) => () => void) => {
  let forget = () => {}
  return {
    landing: Effect.async<X>((resume) => {
      forget = begin((value) => resume(Exit.succeed(value)))
    }),
    forget: () => forget()
  }
}

/**
 * Whether a get has nothing else to do than to wait for its flight, however long that takes. One that may not be
 * interrupted asks for nothing itself: what a limit is to end has to be.
 */
export const mayLead = ({ isSingle, restore, settings: { waitFresh, waitStale } }: Call): boolean =>
  isSingle === true && waitFresh === Infinity && waitStale === Infinity && restore === Effect.interruptible

/** A wait is counted from the call, whatever the call has waited for before. */
export const waitFor = <K, A, E>(
  { flight, owner }: Place<K, A, E>,
  { fiber, settings, startedAt }: Call,
  deadlines: Deadlines,
  clock: SteadyClock
): Wait<A, E> => {
  const { waitFresh, waitStale } = settings
  if (waitFresh === Infinity && waitStale === Infinity) {
    const led = owner ? flight.asking?.lead(flight) : undefined
    return led === undefined
      ? called<Landing<A, E>>((resume) => flight.onLanding(resume))
      : { landing: led, forget: () => {} }
  }
  return called<Landing<A, E> | typeof timedOut>((resume) => {
    let disarm = () => {}
    const end = (how: Landing<A, E> | typeof timedOut) => {
      disarm()
      resume(how)
    }
    const arm = (wait: number, expire: () => void) => {
      disarm()
      if (wait === Infinity) return
      disarm = deadlines.add({ expire, since: startedAt, until: startedAt + wait }, fiber)
    }
    const waitForFresh = () => arm(waitFresh, () => end(timedOut))
    /** What could be served when the wait began may have come to its end meanwhile. */
    const wait = () => {
      if (hasStale(flight, settings, clock.now(fiber))) {
        arm(waitStale, () => (hasStale(flight, settings, clock.now(fiber)) ? end(timedOut) : waitForFresh()))
      } else waitForFresh()
    }
    // until it is known whether there is something to be served, there may be nothing
    if (!flight.located) waitForFresh()
    const forgetLocated = flight.onLocated(wait)
    const forgetLanding = flight.onLanding(end)
    return () => {
      disarm()
      forgetLocated()
      forgetLanding()
    }
  })
}
