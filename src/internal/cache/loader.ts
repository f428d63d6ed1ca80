/**
 * Starts flights, runs loads and stores what they bring.
 *
 * Who may store: a flight that has not been overtaken (`detached`), with the epoch that was read before its load
 * began. The first rule holds within this process at once, the second in every tier and process whenever the write
 * gets there.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Runtime from "effect/Runtime"
import type * as CacheEntry from "../../CacheEntry.js"
import * as CacheError from "../../CacheError.js"
import type * as CacheStore from "../../CacheStore.js"
import { unknownEpoch } from "../epochs.js"
import { immediate } from "../instructions.js"
import { hashKey, isTraced, traced } from "../tracing.js"
import type { Counters } from "./counters.js"
import { conclude, fallBack, replacesByNothing } from "./conclude.js"
import { Deadlines } from "./deadlines.js"
import type { Landing, Load } from "./flight.js"
import { Flight, interrupt } from "./flight.js"
import { runtimeOf } from "./inherit.js"
import type { Definition } from "./model.js"
import type { Settings } from "./settings.js"
import { judge } from "./settings.js"
import type { SteadyClock } from "../steady.js"
import { StoreGuard } from "./storeGuard.js"

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
  /** The epoch to store under, where a store was asked already. */
  readonly since?: CacheStore.Epoch | undefined
  /** Where the lookup was called already; see `loadHere`. */
  readonly begun?: Begun<A, E> | undefined
  /** What the caller had when he called, where that was earlier: by now he may be gone, or be at something else. */
  readonly runtime?: Runtime.Runtime<never> | undefined
}

/** A lookup that was called, and is not run yet. */
export interface Begun<A, E> {
  readonly effect: Effect.Effect<A, E>
  readonly since: number
  readonly startedAt: number
}

/** Whether each tier told its epoch. */
const isKnown = (epoch: CacheStore.Epoch): boolean =>
  typeof epoch === "number" ? epoch !== unknownEpoch : epoch.every(isKnown)

export class Loader<K, A, E, R> {
  readonly guard: StoreGuard<A, E>
  private readonly flights = new Map<string, Flight<K, A, E>>()
  /** All that have not landed, the detached ones too: for closing, and for `inFlight`. */
  private readonly aloft = new Set<Flight<K, A, E>>()
  /** Keys (or, under no key, everything) whose invalidation is under way: what loads meanwhile is not stored. */
  private readonly overtaking = new Map<string | undefined, number>()
  private readonly deadlines: Deadlines
  private nesting = 0
  /** How often something was overtaken: who has waited compares, to know whether it happened meanwhile. */
  overtakes = 0

  constructor(
    private readonly definition: Definition<K, A, E, R>,
    private readonly counters: Counters,
    private readonly clock: SteadyClock
  ) {
    this.guard = new StoreGuard(definition, counters)
    this.deadlines = new Deadlines(clock)
  }

  get inFlight(): number {
    return this.aloft.size
  }

  flightOf(id: string): Flight<K, A, E> | undefined {
    return this.flights.get(id)
  }

  read(id: string): Effect.Effect<CacheStore.Reading<A, E>, E> {
    return this.guard.read([id])
  }

  /** Refreshes a stale entry for nobody in particular. */
  refreshInBackground(key: K, id: string, settings: Settings, fiber: AnyFiber): void {
    if (this.flights.has(id)) return
    const kind = this.definition.region.complete ? "load" : "fetch"
    const previous = this.definition.region.near?.peek(id, this.clock.now(fiber))
    this.depart({ key, id, settings, fiber, kind, previous }).adopted = true
  }

  /**
   * Starts a flight at once, in a fiber of its own that inherits the caller's fiber refs. A lookup that is synchronous
   * has landed when this returns.
   */
  depart(departure: Departure<K, A, E>): Flight<K, A, E> {
    const { fiber, id, key, previous, settings } = departure
    const { complete, near } = this.definition.region
    const flight = new Flight<K, A, E>(id, key, settings, departure.kind)
    flight.detached = this.overtaking.size > 0 && (this.overtaking.has(id) || this.overtaking.has(undefined))
    if (departure.kind === "load") flight.locate(previous)
    else flight.previous = previous
    const { begun } = departure
    const since = begun?.since ?? near?.epoch()
    // made now: by the time it lands the caller may be at something else
    const runtime = departure.runtime ?? runtimeOf(this.definition.context, fiber)
    const trip: Trip<K, A, E> = { flight, caller: fiber, runtime }
    this.flights.set(id, flight)
    this.aloft.add(flight)
    if (begun !== undefined) flight.startedAt = begun.startedAt
    const body = begun?.effect ?? (complete ? this.lookup(trip) : this.journey(trip, departure.since))
    this.nesting++
    const child = Runtime.runFork(runtime)(body, { immediate: this.nesting < maxNesting })
    this.nesting--
    flight.fiber = child
    child.addObserver((exit) => {
      // a region that is all here has no journey: its fiber's Exit is the lookup's own
      if (complete) this.settleHere(trip, exit as Exit.Exit<A, E>, since)
      this.arrive(trip, exit as Exit.Exit<never, E>)
    })
    if (flight.landing === undefined && complete) this.armDeadline(trip)
    return flight
  }

  /**
   * A load of what is nowhere, for a plain get: where the lookup needs no fiber, the whole of it is one step, in which
   * nothing can come between, so it needs no flight either. Otherwise what has begun; `undefined` for all that is not
   * that plain. Should somebody else get there first, what has begun comes to nothing.
   */
  loadHere(key: K, id: string, fiber: AnyFiber): Landing<A, E> | Begun<A, E> | undefined {
    const { complete, near } = this.definition.region
    if (!complete || near === undefined || this.flights.has(id)) return undefined
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
      previous: undefined
    }
    const since = near.epoch()
    const effect = this.begin(flight, now)
    this.nesting++
    const exit = immediate(effect)
    this.nesting--
    if (exit === undefined) return { effect, since, startedAt: now }
    this.settleHere({ flight, caller: fiber }, exit, since)
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
    return Effect.acquireUseRelease(
      begin,
      () => effect,
      () => end
    )
  }

  /** The same where all is here: one step, which nothing can overlap. */
  overtakeHere(ids: ReadonlyArray<string>, write: (id: string, index: number) => void): Effect.Effect<void> {
    ids.forEach(write)
    this.overtakes++
    for (const id of ids) {
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
    return Effect.zipRight(
      Effect.forEach(all, interrupt, { discard: true, concurrency: "unbounded" }),
      this.deadlines.close
    )
  })

  /** The lookup itself, timed. */
  private begin(flight: Load<K, A, E>, now: number): Effect.Effect<A, E> {
    flight.startedAt = now
    this.counters.loads++
    try {
      // the context holds what `R` asks for: captured, or the caller's own (see `runtimeOf`)
      return this.definition.lookup(flight.key) as Effect.Effect<A, E>
    } catch (defect) {
      return Exit.die(defect)
    }
  }

  /** The same in the flight's fiber and, where somebody looks, inside a span. */
  private lookup({ caller, flight }: Trip<K, A, E>): Effect.Effect<A, E> {
    const attributes = () => ({ "cache.name": this.definition.name, "cache.key_hash": hashKey(flight.id) })
    return traced("larder.load", { kind: "internal", attributes }, (span) => {
      flight.begin(span)
      return this.begin(flight, this.clock.now(caller))
    })
  }

  /** Ask the store, load if that does not answer, store what the load brings. Runs in the flight's fiber. */
  private journey(trip: Trip<K, A, E>, since: CacheStore.Epoch | undefined): Effect.Effect<void, E> {
    const { caller, flight } = trip
    if (since !== undefined) return this.loadAndStore(trip, since)
    if (flight.kind === "load") return this.loadFromHere(trip)
    return Effect.flatMap(this.guard.read([flight.id]), (reading) => {
      const found = reading.found[0]
      const now = this.clock.now(caller)
      const verdict = judge(found?.entry, flight.settings, now)
      if (found !== undefined && (verdict === "fresh" || verdict === "stale")) {
        const { entry, tier } = found
        // some modes take what is stale for as good as fresh; it is called what it is all the same
        flight.conclusion = { exit: entry.exit, how: now < entry.freshUntil ? verdict : "stale", entry, tier }
        return Effect.void
      }
      flight.kind = "load"
      flight.locate(verdict === "fallback" ? found?.entry : undefined)
      // a store that has just failed is not asked again: it costs its timeout once, and gets nothing of this load
      return isKnown(reading.epoch) || reading.failure !== undefined
        ? this.loadAndStore(trip, reading.epoch)
        : this.loadFromHere(trip)
    })
  }

  private loadFromHere(trip: Trip<K, A, E>): Effect.Effect<void, E> {
    return Effect.flatMap(this.guard.read([]), ({ epoch }) => this.loadAndStore(trip, epoch))
  }

  /** Once the lookup has ended, the rest is not torn by interruption. */
  private loadAndStore(trip: Trip<K, A, E>, since: CacheStore.Epoch): Effect.Effect<void, E> {
    const { flight } = trip
    return Effect.uninterruptibleMask((restore) => {
      this.armDeadline(trip)
      return Effect.flatMap(Effect.exit(restore(this.lookup(trip))), (exit) => {
        flight.cancelDeadline?.()
        const entry = this.conclude(trip, exit)
        if (flight.detached) return Effect.void
        if (entry !== undefined) {
          return since === unknownEpoch ? Effect.void : this.guard.write([{ key: flight.id, entry, since }])
        }
        return replacesByNothing(flight, exit) ? this.guard.remove([flight.id]) : Effect.void
      })
    })
  }

  /** The same for a region that is all here: one step, nothing between the end of the load and its being stored. */
  private settleHere(trip: Step<K, A, E>, exit: Exit.Exit<A, E>, since: number | undefined): void {
    const { flight } = trip
    const entry = this.conclude(trip, exit)
    if (flight.detached) return
    const { near } = this.definition.region
    if (entry !== undefined) near?.set(flight.id, entry, since)
    else if (replacesByNothing(flight, exit)) near?.delete(flight.id)
  }

  /** Decides what the flight brings, and answers with the entry to store, if any. */
  private conclude({ caller, flight }: Step<K, A, E>, exit: Exit.Exit<A, E>): CacheEntry.CacheEntry<A, E> | undefined {
    if (flight.landing !== undefined) return undefined // its deadline has passed: all have been told
    const endedAt = this.clock.now(caller)
    this.counters.loadMillis += Math.max(0, endedAt - flight.startedAt)
    if (Exit.isFailure(exit)) this.counters.loadFailures++
    const { entry, landing } = conclude(this.definition, flight, exit, endedAt)
    flight.conclusion = landing
    return entry
  }

  private arrive({ caller, flight, runtime }: Trip<K, A, E>, exit: Exit.Exit<never, E>): void {
    this.aloft.delete(flight)
    if (this.flights.get(flight.id) === flight) this.flights.delete(flight.id)
    const { conclusion } = flight
    if (conclusion !== undefined && (Exit.isSuccess(exit) || !isStoreFailure(this.definition, exit))) {
      flight.land(conclusion)
    } else {
      flight.land({ exit, how: "failed", entry: undefined, tier: 1 })
    }
    // one that was overtaken has nothing left to fall back on, and its key is loaded when it is asked for
    const refreshes = conclusion?.how === "stale" && flight.settings.mode === "default" && !flight.detached
    if (refreshes && !this.flights.has(flight.id)) {
      const { id, key, settings } = flight
      const next = { key, id, settings, fiber: caller, runtime, kind: "load" as const, previous: conclusion.entry }
      this.depart(next).adopted = true
    }
  }

  /** When the deadline passes all are told at once, whatever the lookup makes of being interrupted. */
  private armDeadline({ caller, flight, runtime }: Trip<K, A, E>): void {
    const { loadDeadline } = flight.settings
    if (loadDeadline === Infinity) return
    const expire = () => {
      if (flight.landing !== undefined) return
      this.detach(flight)
      this.counters.loadFailures++
      const error = new CacheError.LoadTimeout({
        cache: this.definition.name,
        limit: "loadDeadline",
        millis: loadDeadline
      })
      const exit: Exit.Exit<never, E> = flight.settings.typedDeadline
        ? Exit.fail(error as E & CacheError.LoadTimeout) // in `E` where the program set the limit, see `Settings`
        : Exit.die(error)
      flight.land(fallBack(flight, exit, this.clock.now(caller)))
      flight.fiber?.unsafeInterruptAsFork(FiberId.none)
    }
    const since = this.clock.now(caller)
    flight.cancelDeadline = this.deadlines.add({ expire, since, until: since + loadDeadline }, caller, runtime)
  }
}

/** A load, and who it is for. */
interface Step<K, A, E> {
  readonly flight: Load<K, A, E>
  readonly caller: AnyFiber
}

/** A flight with what it needs on its way. */
interface Trip<K, A, E> extends Step<K, A, E> {
  readonly flight: Flight<K, A, E>
  readonly runtime: Runtime.Runtime<never>
}

/** Whether a journey's failure is the store's, of a strict cache, and not merely that it was interrupted after its load. */
const isStoreFailure = <K, A, E, R>(definition: Definition<K, A, E, R>, exit: Exit.Exit<never, E>): boolean =>
  definition.strict && !definition.region.complete && Exit.isFailure(exit) && !Cause.isInterruptedOnly(exit.cause)
