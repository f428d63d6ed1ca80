/**
 * The flights of a cache: which are in the air, when one starts, and which may no longer be joined.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Runtime from "effect/Runtime"
import type * as CacheEntry from "../../CacheEntry.js"
import type * as CacheStore from "../../CacheStore.js"
import { Registry } from "../../observe/CacheStats.js"
import { handled } from "../handled.js"
import { hasSame } from "../inherit.js"
import { immediate } from "../instructions.js"
import { isTraced } from "../tracing.js"
import { chanceOf } from "../chance.js"
import type { Counters } from "./counters.js"
import type { Landing, Load } from "./flight.js"
import { Flight } from "./flight.js"
import { Inquiries } from "./inquiries.js"
import { KeyTurns } from "../keyTurns.js"
import type { Definition } from "./model.js"
import type { Settings } from "./settings.js"
import type { SteadyClock } from "../steady.js"
import { Trip } from "./trip.js"
import { Voyages } from "./voyages.js"

type AnyFiber = Fiber.RuntimeFiber<unknown, unknown>

/** Loads nested deeper than this start from the scheduler, so that a recursive lookup cannot exhaust the stack. */
const maxNesting = 16

export interface Departure<K, A, E> {
  readonly key: K
  readonly id: string
  readonly settings: Settings
  readonly fiber: AnyFiber
  readonly kind: "fetch" | "load"
  readonly previous: CacheEntry.CacheEntry<A, E> | undefined
  /** What is there, be it too old to be served. */
  readonly known: CacheEntry.CacheEntry<A, E> | undefined
  /** The epoch to store under, where a store was asked already. */
  readonly since?: CacheStore.Epoch | undefined
  /** Where the lookup was called already; see `loadHere`. */
  readonly begun?: Begun<A, E> | undefined
  /** Before the end of what is there. */
  readonly isEarly?: boolean
  /** Whether the caller may ask the store himself. */
  readonly leads?: boolean
  /** What the caller had when he called, where that was earlier: by now he may be gone, or be at something else. */
  readonly runtime?: Runtime.Runtime<never> | undefined
}

/** A lookup that was called, and is not run yet. */
export interface Begun<A, E> {
  readonly effect: Effect.Effect<A, E>
  readonly since: number
  readonly startedAt: number
}

export class Loader<K, A, E, R> {
  readonly voyages: Voyages<K, A, E, R>
  private readonly flights = new Map<string, Flight<K, A, E>>()
  /** All that have not landed, the detached ones too: for closing, and for `inFlight`. */
  private readonly aloft = new Set<Flight<K, A, E>>()
  /** Keys (or, under no key, everything) whose invalidation is under way: what loads meanwhile is not stored. */
  private readonly overtaking = new Map<string | undefined, number>()
  private readonly turns = new KeyTurns()
  private readonly inquiries: Inquiries<K, A, E>
  private nesting = 0
  /** How often something was overtaken: who has waited compares, to know whether it happened meanwhile. */
  overtakes = 0

  constructor(
    private readonly definition: Definition<K, A, E, R>,
    private readonly counters: Counters,
    private readonly clock: SteadyClock
  ) {
    this.voyages = new Voyages(definition, counters, clock, (flight) => this.detach(flight))
    this.inquiries = new Inquiries({
      gathers: definition.region.gathers === true,
      read: (ids) => this.voyages.guard.read(ids),
      isAskedByCallers: (fiber) =>
        definition.region.askedByCallers === true && hasSame(definition.context, fiber, Registry.key),
      answer: (trip, reading, place) => this.answer(trip, reading, place)
    })
  }

  get inFlight(): number {
    return this.aloft.size
  }

  /** All that are in the air, the one that has been there longest first. */
  get flying(): ReadonlyArray<Flight<K, A, E>> {
    return [...this.aloft].sort((a, b) => a.startedAt - b.startedAt)
  }

  flightOf(id: string): Flight<K, A, E> | undefined {
    return this.flights.get(id)
  }

  read(id: string): Effect.Effect<CacheStore.Reading<A, E>, E> {
    return this.voyages.guard.read([id])
  }

  /** Refreshes an entry that is stale, or will be soon, for nobody in particular. */
  refreshInBackground(key: K, id: string, settings: Settings, fiber: AnyFiber, isEarly: boolean): void {
    const now = this.clock.now(fiber)
    if (this.flights.has(id) || this.voyages.heldOff(id, settings, now) !== undefined) return
    const kind = this.definition.region.complete ? "load" : "fetch"
    const known = this.definition.region.near?.peek(id, now)
    this.refresh({ key, id, settings, fiber, kind, previous: known, known, isEarly })
  }

  private refresh(departure: Departure<K, A, E>): void {
    this.counters.refreshes++
    const flight = this.depart(departure)
    flight.keep()
    flight.adopted = true
    flight.isRefresh = departure.kind === "load"
  }

  /**
   * Starts a flight at once, in a fiber of its own that inherits the caller's fiber refs. A lookup that is synchronous
   * has landed when this returns. Where a store has to be asked first, that is an inquiry, mostly by the caller himself.
   */
  depart(departure: Departure<K, A, E>): Flight<K, A, E> {
    const { begun, fiber } = departure
    const { complete, near } = this.definition.region
    const flight = this.prepare(departure)
    const since = begun?.since ?? near?.epoch()
    const trip = new Trip(flight, fiber, this.definition.context, departure.runtime)
    flight.trip = trip
    this.flights.set(flight.id, flight)
    this.aloft.add(flight)
    const isAsking = flight.kind === "fetch" && departure.since === undefined
    if (isAsking && this.inquiries.ask(trip, departure.leads === true)) return flight
    const body = begun?.effect ?? (complete ? this.voyages.lookup(trip) : this.voyages.journey(trip, departure.since))
    this.launch(trip, body, (exit) => {
      // a region that is all here has no journey: its fiber's Exit is the lookup's own
      if (complete) this.voyages.settleHere(trip, exit as Exit.Exit<A, E>, since)
    })
    if (flight.landing === undefined && complete) this.voyages.armDeadline(trip)
    return flight
  }

  private prepare({ begun, id, isEarly, key, kind, known, previous, settings }: Departure<K, A, E>): Flight<K, A, E> {
    const flight = new Flight<K, A, E>(id, key, settings, kind)
    flight.detached = this.overtaking.size > 0 && (this.overtaking.has(id) || this.overtaking.has(undefined))
    if (kind === "load") flight.locate(previous)
    else flight.previous = previous
    flight.known = known
    flight.isEarly = isEarly === true
    if (begun !== undefined) flight.startedAt = begun.startedAt
    return flight
  }

  /** Gives a flight its fiber; when that ends, the flight has arrived. */
  private launch(
    trip: Trip<K, A, E>,
    body: Effect.Effect<unknown, E>,
    before?: (exit: Exit.Exit<unknown, E>) => void
  ): void {
    this.nesting++
    const child = Runtime.runFork(trip.runtime)(handled(body), { immediate: this.nesting < maxNesting })
    this.nesting--
    trip.flight.fiber = child
    child.addObserver((exit) => {
      before?.(exit)
      this.arrive(trip, exit)
    })
  }

  /** The store has answered a flight that had to ask it first, or could not. */
  private answer(trip: Trip<K, A, E>, reading: Exit.Exit<CacheStore.Reading<A, E>, E>, place: number): void {
    if (Exit.isFailure(reading)) return this.arrive(trip, reading)
    try {
      const rest = this.voyages.answered(trip, reading.value, place)
      if (rest === undefined) this.arrive(trip, Exit.void)
      else this.launch(trip, rest)
    } catch (defect) {
      this.arrive(trip, Exit.die(defect)) // a throwing `failsafeWhen`, as everywhere
    }
  }

  /**
   * A load of what is nowhere, for a plain get: where the lookup needs no fiber, the whole of it is one step, in which
   * nothing can come between, so it needs no flight either. Otherwise what has begun; `undefined` for all that is not
   * that plain. Should somebody else get there first, what has begun comes to nothing.
   */
  loadHere(key: K, id: string, fiber: AnyFiber): Landing<A, E> | Begun<A, E> | undefined {
    const { complete, near } = this.definition.region
    if (!complete || near === undefined || !this.voyages.arePlain || this.flights.has(id)) return undefined
    const now = this.clock.now(fiber)
    if (this.nesting >= maxNesting || isTraced(fiber) || near.peek(id, now) !== undefined) return undefined
    const { settings } = this.definition
    const flight: Load<K, A, E> = {
      id,
      key,
      settings,
      startedAt: now,
      detached: false,
      landing: undefined,
      conclusion: undefined,
      previous: undefined,
      known: undefined
    }
    const since = near.epoch()
    const effect = this.voyages.begin(flight, now)
    this.nesting++
    const exit = immediate(effect)
    this.nesting--
    if (exit === undefined) return { effect, since, startedAt: now }
    this.voyages.settleHere({ flight, caller: fiber }, exit, since)
    return flight.conclusion
  }

  /** Those who wait for it still get what it brings; nobody who comes now does, and it is not stored. */
  detach(flight: Flight<K, A, E>): void {
    flight.detached = true
    if (this.flights.get(flight.id) === flight) this.flights.delete(flight.id)
  }

  /** Runs an invalidation such that no load that overlaps it is stored, or found in the air after it. */
  overtake<X, E2>(ids: ReadonlyArray<string> | undefined, effect: Effect.Effect<X, E2>): Effect.Effect<X, E2> {
    const keys: ReadonlyArray<string | undefined> = ids ?? [undefined]
    const detachAll = () => {
      this.overtakes++
      for (const id of ids ?? []) this.definition.holdOffs?.forget(id)
      for (const flight of ids === undefined ? [...this.flights.values()] : ids.map((id) => this.flights.get(id))) {
        if (flight !== undefined) this.detach(flight)
      }
    }
    const begin = Effect.sync(() => {
      for (const key of keys) this.overtaking.set(key, (this.overtaking.get(key) ?? 0) + 1)
      detachAll()
    })
    const end = Effect.sync(() => {
      for (const key of keys) {
        const rest = (this.overtaking.get(key) ?? 1) - 1
        if (rest === 0) this.overtaking.delete(key)
        else this.overtaking.set(key, rest)
      }
      detachAll()
    })
    const overtaken = Effect.acquireUseRelease(
      begin,
      () => effect,
      () => end
    )
    return ids === undefined || this.definition.region.tiers === 1 ? overtaken : this.turns.run(ids, overtaken)
  }

  /** The same where all is here: one step, which nothing can overlap. */
  overtakeHere(ids: ReadonlyArray<string>, write: (id: string, index: number) => void): Effect.Effect<void> {
    ids.forEach(write)
    this.overtakes++
    for (const id of ids) {
      this.definition.holdOffs?.forget(id)
      const flight = this.flights.get(id)
      if (flight !== undefined) this.detach(flight)
    }
    return Effect.void
  }

  /** Whether more than one invalidation of this key is under way. */
  isContested(id: string): boolean {
    return (this.overtaking.get(id) ?? 0) > 1 || this.overtaking.has(undefined)
  }

  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    const all = [...this.aloft]
    // all before the first is interrupted: one that landed meanwhile might begin another
    for (const flight of all) this.detach(flight)
    return this.inquiries.close.pipe(
      // what a store has answered meanwhile may have begun to load
      Effect.zipRight(Effect.suspend(() => Fiber.interruptAll([...this.aloft].flatMap(({ fiber }) => fiber ?? [])))),
      Effect.zipRight(this.voyages.deadlines.close)
    )
  })

  private arrive(trip: Trip<K, A, E>, exit: Exit.Exit<unknown, E>): void {
    const { flight } = trip
    this.aloft.delete(flight)
    if (this.flights.get(flight.id) === flight) this.flights.delete(flight.id)
    const { conclusion } = flight
    if (conclusion !== undefined && (Exit.isSuccess(exit) || !isStoreFailure(this.definition, exit))) {
      flight.land(conclusion)
    } else {
      // without a conclusion it has failed, whatever it failed with
      flight.land({ exit: exit as Exit.Exit<never, E>, how: "failed", entry: undefined, tier: 1 })
    }
    // one that was overtaken has nothing left to fall back on, and its key is loaded when it is asked for
    if (conclusion?.entry !== undefined && !flight.detached) this.arrived(trip, conclusion)
  }

  /** What a store answered may be old enough to be loaded again, for nobody in particular. */
  private arrived(trip: Trip<K, A, E>, { entry, how }: Landing<A, E>): void {
    const { caller, flight } = trip
    const { id, key, settings } = flight
    if (settings.mode !== "default" || entry === undefined || this.flights.has(id)) return
    const now = this.clock.now(caller)
    const isWanted = how === "stale" || (how === "fresh" && this.isDue(entry, settings, now, caller))
    if (!isWanted || this.voyages.heldOff(id, settings, now) !== undefined) return
    const { runtime } = trip
    this.refresh({ key, id, settings, fiber: caller, runtime, kind: "load", previous: entry, known: entry })
  }

  /** Whether an entry that is fresh is to be loaded again before it no longer is. */
  isDue(entry: CacheEntry.CacheEntry<A, E>, { mode }: Settings, now: number, fiber: AnyFiber): boolean {
    const { early } = this.definition
    return early !== undefined && mode === "default" && early.isDue(entry, now, () => chanceOf(fiber))
  }
}

/** Whether a journey's failure is the store's, of a strict cache, and not merely that it was interrupted after its load. */
const isStoreFailure = <K, A, E, R>(definition: Definition<K, A, E, R>, exit: Exit.Exit<unknown, E>): boolean =>
  definition.strict && !definition.region.complete && Exit.isFailure(exit) && !Cause.isInterruptedOnly(exit.cause)
