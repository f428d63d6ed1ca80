/**
 * What a store is asked for before anything is loaded.
 *
 * A server tells a hundred keys in little more time than one, and most of what asking costs in this process is the same
 * for both. So a flight that has to ask a server first has no fiber until that has answered: it takes its place in an
 * inquiry, and at the end of the scheduler's turn the store is asked for the keys of all of them, once. Of a store that is
 * not far away each key is asked for by itself, and at once. What the answer means is each flight's own affair.
 *
 * Whoever came first and has nothing to do but to wait *leads*: he asks in his own fiber, for a fiber of its own costs as
 * much as a server on the same machine does. If he leaves, those who are left are asked for anew.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Runtime from "effect/Runtime"
import type * as Scheduler from "effect/Scheduler"
import type * as CacheStore from "../../CacheStore.js"
import { handled } from "../handled.js"
import { type Asking, type Flight, type Landing, maxLinks } from "./flight.js"
import type { Trip } from "./trip.js"

type Reading<A, E> = Exit.Exit<CacheStore.Reading<A, E>, E>

export interface Asker<K, A, E> {
  /** Whether the store is asked for many at once. */
  readonly gathers: boolean
  readonly read: (ids: ReadonlyArray<string>) => Effect.Effect<CacheStore.Reading<A, E>, E>
  /** Whether asking in this fiber is as good as in one of its own. */
  readonly isAskedByCallers: (fiber: Trip<K, A, E>["caller"]) => boolean
  /** Told once of each flight that has not been withdrawn: the reading and its place there, or why there is none. */
  readonly answer: (trip: Trip<K, A, E>, reading: Reading<A, E>, place: number) => void
}

/** Those who ask together: they share a clock and a tracer, and take their turns from one scheduler. */
class Inquiry<K, A, E> implements Asking<K, A, E> {
  private trips: Array<Trip<K, A, E>> = []
  /** How many of them somebody still waits for. */
  private wanted = 0
  private fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined = undefined
  private leader: Flight<K, A, E> | undefined = undefined

  constructor(
    private readonly inquiries: Inquiries<K, A, E>,
    private readonly scheduler: Scheduler.Scheduler,
    private readonly services: Trip<K, A, E>["caller"]["currentDefaultServices"]
  ) {}

  isOf({ currentDefaultServices, currentScheduler }: Trip<K, A, E>["caller"]): boolean {
    return this.services === currentDefaultServices && this.scheduler === currentScheduler
  }

  add(trip: Trip<K, A, E>): void {
    this.trips.push(trip)
    this.wanted++
    trip.flight.asking = this
  }

  beginBy(leader: Flight<K, A, E> | undefined): void {
    this.leader = leader
    if (leader === undefined) this.departLater()
  }

  /** Behind all that is to be run already: it may ask, too, or leave. */
  private departLater(): void {
    this.scheduler.scheduleTask(() => this.depart(), 0)
  }

  lead(flight: Flight<K, A, E>): Effect.Effect<Landing<A, E> | undefined> | undefined {
    if (flight !== this.leader) return undefined
    const led = () => {
      const asked = this.ask()
      if (asked === undefined) return Effect.succeed(flight.landing)
      const answered = (reading: Reading<A, E>) => {
        this.tellAll(asked.trips, reading)
        return flight.landing
      }
      return Effect.matchCause(asked.reading, {
        onFailure: (cause) => answered(Exit.failCause(cause)),
        onSuccess: (reading) => answered(Exit.succeed(reading))
      })
    }
    return this.inquiries.asker.gathers ? Effect.flatMap(Effect.yieldNow({ priority: 0 }), led) : Effect.suspend(led)
  }

  abandon(flight: Flight<K, A, E>): void {
    if (flight !== this.leader) return
    this.leader = undefined
    this.departLater()
  }

  /** The last to go takes the question back, and waits until that is done. */
  withdraw(flight: Flight<K, A, E>): Effect.Effect<void> {
    return Effect.suspend(() => {
      const trip = this.trips.find((one) => one.flight === flight)
      if (trip !== undefined) this.tell(trip, Exit.interrupt(FiberId.none), 0)
      return this.wanted > 0 || this.fiber === undefined ? Effect.void : Fiber.interrupt(this.fiber)
    })
  }

  /** In a fiber of its own, on behalf of the first. */
  private depart(): void {
    const asked = this.ask()
    if (asked === undefined) return
    this.fiber = Runtime.runFork(asked.trips[0]!.runtime)(handled(asked.reading))
    // the fiber's Exit is the reading's own
    this.fiber.addObserver((exit) => this.tellAll(asked.trips, exit as Reading<A, E>))
  }

  /** The question of those who are still there, if any. */
  private ask() {
    this.inquiries.departs(this)
    const trips = this.trips.filter(({ flight }) => flight.asking === this)
    if (trips.length === 0) {
      this.inquiries.ends(this)
      return undefined
    }
    const others = trips.length === 1 ? [] : trips.slice(1, maxLinks + 1)
    const spans = others.flatMap(({ caller }) => caller.currentSpan ?? [])
    // somebody else's store may throw where it should fail: that is a defect of the reading, and keeps nobody waiting
    const asked = Effect.suspend(() => this.inquiries.asker.read(trips.map(({ flight }) => flight.id)))
    const reading = spans.length === 0 ? asked : spans.reduce((all, span) => Effect.linkSpans(all, span), asked)
    return { trips, reading }
  }

  private tellAll(trips: ReadonlyArray<Trip<K, A, E>>, reading: Reading<A, E>): void {
    this.leader = undefined
    this.inquiries.ends(this)
    trips.forEach((trip, place) => this.tell(trip, reading, place))
  }

  private tell(trip: Trip<K, A, E>, reading: Reading<A, E>, place: number): void {
    if (trip.flight.asking !== this) return
    trip.flight.asking = undefined
    this.wanted--
    this.inquiries.asker.answer(trip, reading, place)
  }

  /** What was not asked yet never is, and what a fiber asks ends now; a leader's own question is nobody's any more. */
  close(): Fiber.RuntimeFiber<unknown, unknown> | undefined {
    if (this.fiber === undefined) for (const trip of this.trips) this.tell(trip, Exit.interrupt(FiberId.none), 0)
    return this.fiber
  }
}

export class Inquiries<K, A, E> {
  private gathering: Inquiry<K, A, E> | undefined
  private readonly underWay = new Set<Inquiry<K, A, E>>()

  constructor(readonly asker: Asker<K, A, E>) {}

  /**
   * Takes a place for a flight, unless nothing would be gained: where a store is asked for one at a time, and not by the
   * caller. `leads`: that one waits for it as soon as it is asked for, and for nothing else.
   */
  ask(trip: Trip<K, A, E>, leads: boolean): boolean {
    const { gathers, isAskedByCallers } = this.asker
    if (gathers && this.gathering?.isOf(trip.caller) === true) {
      this.gathering.add(trip)
      return true
    }
    const isLed = leads && isAskedByCallers(trip.caller)
    if (!gathers && !isLed) return false
    const { currentDefaultServices, currentScheduler } = trip.caller
    const inquiry = new Inquiry(this, currentScheduler, currentDefaultServices)
    if (gathers) this.gathering = inquiry
    this.underWay.add(inquiry)
    inquiry.add(trip)
    inquiry.beginBy(isLed ? trip.flight : undefined)
    return true
  }

  /** Nobody may join it any more. */
  departs(inquiry: Inquiry<K, A, E>): void {
    if (this.gathering === inquiry) this.gathering = undefined
  }

  ends(inquiry: Inquiry<K, A, E>): void {
    this.underWay.delete(inquiry)
  }

  readonly close: Effect.Effect<void> = Effect.suspend(() =>
    Fiber.interruptAll([...this.underWay].flatMap((inquiry) => inquiry.close() ?? []))
  )
}
