/**
 * What a store is asked for in one turn of the scheduler: once, for all who ask.
 *
 * A server tells a hundred keys in little more time than one, and most of what asking costs in this process is the same
 * for both. So a flight that has to ask a server first has no fiber until that has answered: it takes its place here, and
 * at the end of the turn the store is asked for the keys of all of them, on behalf of whoever was first. What the answer
 * means is each flight's own affair.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Runtime from "effect/Runtime"
import type * as Scheduler from "effect/Scheduler"
import type * as CacheStore from "../../CacheStore.js"
import { handled } from "../handled.js"
import type { Trip } from "./voyages.js"

/** Spans of others that the store's span is linked to: enough to follow. */
const maxLinks = 128

/** Those who ask together: they share a clock and a tracer, and take their turns from one scheduler. */
interface Inquiry<K, A, E> {
  readonly scheduler: Scheduler.Scheduler
  readonly services: Trip<K, A, E>["caller"]["currentDefaultServices"]
  readonly trips: Array<Trip<K, A, E>>
  /** How many of them somebody still waits for. */
  wanted: number
  fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined
}

export interface Asker<K, A, E> {
  readonly read: (ids: ReadonlyArray<string>) => Effect.Effect<CacheStore.Reading<A, E>, E>
  /** Told once of each flight that has not been withdrawn: the reading and its place there, or why there is none. */
  readonly answer: (trip: Trip<K, A, E>, reading: Exit.Exit<CacheStore.Reading<A, E>, E>, place: number) => void
}

export class Inquiries<K, A, E> {
  private gathering: Inquiry<K, A, E> | undefined
  private readonly underWay = new Set<Inquiry<K, A, E>>()

  constructor(private readonly asker: Asker<K, A, E>) {}

  ask(trip: Trip<K, A, E>): void {
    const { currentDefaultServices: services, currentScheduler: scheduler } = trip.caller
    let inquiry = this.gathering
    if (inquiry === undefined || inquiry.services !== services || inquiry.scheduler !== scheduler) {
      const begun = { scheduler, services, trips: [], wanted: 0, fiber: undefined }
      inquiry = this.gathering = begun
      this.underWay.add(begun)
      // behind all that is to be run already: it may ask, too
      scheduler.scheduleTask(() => this.depart(begun), 0)
    }
    inquiry.trips.push(trip)
    inquiry.wanted++
    trip.flight.withdraw = this.withdrawal(inquiry, trip)
  }

  /** Nobody waits for this one any more. The last to go takes the question back, and waits until that is done. */
  private withdrawal(inquiry: Inquiry<K, A, E>, trip: Trip<K, A, E>): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.tell(inquiry, trip, Exit.interrupt(FiberId.none), 0)
      return inquiry.wanted > 0 || inquiry.fiber === undefined ? Effect.void : Fiber.interrupt(inquiry.fiber)
    })
  }

  private depart(inquiry: Inquiry<K, A, E>): void {
    if (this.gathering === inquiry) this.gathering = undefined
    const wanted = inquiry.trips.filter(({ flight }) => flight.withdraw !== undefined)
    const [first, ...others] = wanted
    if (first === undefined) {
      this.underWay.delete(inquiry)
      return
    }
    const spans = others.slice(0, maxLinks).flatMap(({ caller }) => caller.currentSpan ?? [])
    // somebody else's store may throw where it should fail: that is a defect of the reading, and keeps nobody waiting
    const asked = Effect.suspend(() => this.asker.read(wanted.map(({ flight }) => flight.id)))
    const linked = spans.length === 0 ? asked : spans.reduce((all, span) => Effect.linkSpans(all, span), asked)
    inquiry.fiber = Runtime.runFork(first.runtime)(handled(linked))
    inquiry.fiber.addObserver((exit) => {
      this.underWay.delete(inquiry)
      // the fiber's Exit is the reading's own
      const reading = exit as Exit.Exit<CacheStore.Reading<A, E>, E>
      wanted.forEach((trip, place) => this.tell(inquiry, trip, reading, place))
    })
  }

  private tell(
    inquiry: Inquiry<K, A, E>,
    trip: Trip<K, A, E>,
    reading: Exit.Exit<CacheStore.Reading<A, E>, E>,
    place: number
  ): void {
    if (trip.flight.withdraw === undefined) return
    trip.flight.withdraw = undefined
    inquiry.wanted--
    this.asker.answer(trip, reading, place)
  }

  /** What was not asked yet never is; what is being asked ends now. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    const all = [...this.underWay]
    for (const inquiry of all) {
      if (inquiry.fiber !== undefined) continue
      for (const trip of inquiry.trips) this.tell(inquiry, trip, Exit.interrupt(FiberId.none), 0)
    }
    return Fiber.interruptAll(all.flatMap(({ fiber }) => fiber ?? []))
  })
}
