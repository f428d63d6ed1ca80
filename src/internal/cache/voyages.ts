/**
 * What happens between the start of a load and its end: asking the store, running the lookup, storing what it brings.
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
import { chanceOf } from "../chance.js"
import { unknownEpoch } from "../epochs.js"
import type { SteadyClock } from "../steady.js"
import { hashKey, toldKey, traced } from "../tracing.js"
import { Attempts } from "./attempts.js"
import { conclude, fallBack, replacesByNothing } from "./conclude.js"
import type { Counters } from "./counters.js"
import { Deadlines } from "../deadlines.js"
import type { Flight, Landing, Load } from "./flight.js"
import type { Definition } from "./model.js"
import type { Settings } from "./settings.js"
import type { Trip } from "./trip.js"
import { judge } from "./settings.js"
import { StoreGuard } from "./storeGuard.js"

type AnyFiber = Fiber.RuntimeFiber<unknown, unknown>

/** A load, and who it is for. */
export interface Step<K, A, E> {
  readonly flight: Load<K, A, E>
  readonly caller: AnyFiber
}

/** Whether each tier told its epoch. */
const isKnown = (epoch: CacheStore.Epoch): boolean =>
  typeof epoch === "number" ? epoch !== unknownEpoch : epoch.every(isKnown)

export class Voyages<K, A, E, R> {
  readonly guard: StoreGuard<A, E>
  readonly deadlines: Deadlines
  private readonly attempts: Attempts<K, A, E, R>

  constructor(
    private readonly definition: Definition<K, A, E, R>,
    private readonly counters: Counters,
    private readonly clock: SteadyClock,
    /** Takes a flight out of those that may be joined. */
    private readonly detach: (flight: Flight<K, A, E>) => void
  ) {
    this.guard = new StoreGuard(definition, counters)
    this.deadlines = new Deadlines(clock)
    this.attempts = new Attempts(definition, counters)
  }

  /** Nothing is around the lookup: it may be all that there is to a load. */
  get arePlain(): boolean {
    return this.attempts.isPlain
  }

  /** What the key's last load failed with, while its source is to be left alone for it. */
  heldOff(id: string, { mode }: Settings, now: number): Exit.Exit<never, E> | undefined {
    // who asks for what is new at any price does not wait
    return mode === "reload" || mode === "no-cache" ? undefined : this.definition.holdOffs?.active(id, now)
  }

  /** The lookup itself, timed. */
  begin(flight: Load<K, A, E>, now: number): Effect.Effect<A, E> {
    flight.startedAt = now
    this.counters.loads++
    this.definition.groupLoads?.began(flight.key)
    try {
      return this.attempts.of(flight)
    } catch (defect) {
      return Exit.die(defect)
    }
  }

  /** Remembers what a key's load failed with, where its source is left alone for a while then. */
  private watched({ caller, flight }: Step<K, A, E>, load: Effect.Effect<A, E>): Effect.Effect<A, E> {
    const { holdOffs } = this.definition
    if (holdOffs === undefined) return load
    return Effect.flatMap(Effect.exit(load), (exit) => {
      if (flight.detached) return exit
      if (Exit.isSuccess(exit)) holdOffs.forget(flight.id)
      return isOfSource(exit)
        ? Effect.zipRight(holdOffs.failed(flight.id, exit.cause, this.clock.now(caller)), exit)
        : exit
    })
  }

  /** The same in the flight's fiber and, where somebody looks, inside a span. */
  lookup(trip: Trip<K, A, E>): Effect.Effect<A, E> {
    const { caller, flight } = trip
    const attributes = () => ({ "cache.name": this.definition.name, "cache.key_hash": hashKey(flight.id) })
    return traced("larder.load", { kind: "internal", attributes }, (span) => {
      flight.begin(span)
      return this.watched(trip, this.begin(flight, this.clock.now(caller)))
    })
  }

  /** Ask the store, load if that does not answer, store what the load brings. Runs in the flight's fiber. */
  journey(trip: Trip<K, A, E>, since: CacheStore.Epoch | undefined): Effect.Effect<void, E> {
    const { flight } = trip
    if (since !== undefined) return this.loadAndStore(trip, since)
    if (flight.kind === "load") return this.loadFromHere(trip)
    return Effect.flatMap(this.guard.read([flight.id]), (reading) => this.answered(trip, reading, 0) ?? Effect.void)
  }

  /** What is left to do when the store has answered: nothing, or to load and to store. */
  answered(trip: Trip<K, A, E>, reading: CacheStore.Reading<A, E>, place: number): Effect.Effect<void, E> | undefined {
    const { flight } = trip
    flight.conclusion = this.answerOf(trip, reading.found[place])
    if (flight.conclusion !== undefined) return undefined
    flight.kind = "load"
    // a store that has just failed is not asked again: it costs its timeout once, and gets nothing of this load
    return isKnown(reading.epoch) || reading.failure !== undefined
      ? this.loadAndStore(trip, reading.epoch)
      : this.loadFromHere(trip)
  }

  /** What was found in a store, if that is the answer; else it is told to the flight, which has to load. */
  private answerOf(
    { caller, flight }: Step<K, A, E> & { readonly flight: Flight<K, A, E> },
    found: CacheStore.Found<A, E> | undefined
  ): Landing<A, E> | undefined {
    const { id, settings } = flight
    const now = this.clock.now(caller)
    const entry = found?.entry
    const verdict = judge(entry, settings, now)
    if (found !== undefined && (verdict === "fresh" || verdict === "stale")) {
      // one that was begun early goes on, unless somebody else has loaded it since
      const isDue = flight.isEarly && flight.known !== undefined && found.entry.createdAt <= flight.known.createdAt
      // some modes take what is stale for as good as fresh; it is called what it is all the same
      const how = now < found.entry.freshUntil ? verdict : "stale"
      if (!isDue) {
        this.definition.accesses?.hit(id)
        return { exit: found.entry.exit, how, entry: found.entry, tier: found.tier }
      }
    }
    const previous = verdict === "unusable" ? undefined : entry
    const held = this.heldOff(id, settings, now)
    if (held !== undefined) return fallBack(this.definition, { ...flight, previous }, held, now)
    flight.known = entry
    flight.locate(previous)
    return undefined
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
  settleHere(trip: Step<K, A, E>, exit: Exit.Exit<A, E>, since: number | undefined): void {
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
    const millis = Math.max(0, endedAt - flight.startedAt)
    this.counters.loadMillis += millis
    this.counters.latencies.add(millis)
    if (Exit.isFailure(exit)) this.counters.loadFailures++
    this.definition.groupLoads?.ended(flight.key, millis, Exit.isFailure(exit))
    this.tell(flight.id, millis, exit)
    const { entry, landing } = conclude(this.definition, flight, exit, endedAt, () => chanceOf(caller))
    flight.conclusion = landing
    return entry
  }

  private tell(id: string, millis: number, exit: Exit.Exit<A, E>): void {
    const { events, name } = this.definition
    if (!events.isHeard) return
    const ended = { cache: name, keyHash: toldKey(events, id), millis }
    events.publish(
      Exit.isSuccess(exit)
        ? { _tag: "Loaded", ...ended }
        : { _tag: "LoadFailed", ...ended, reason: nameOf(Cause.squash(exit.cause)) }
    )
  }

  /** When the deadline passes all are told at once, whatever the lookup makes of being interrupted. */
  armDeadline(trip: Trip<K, A, E>): void {
    const { caller, flight } = trip
    const { loadDeadline } = flight.settings
    if (loadDeadline === Infinity) return
    const expire = () => {
      if (flight.landing !== undefined) return
      const wasOvertaken = flight.detached
      this.detach(flight)
      this.counters.loadFailures++
      this.definition.groupLoads?.ended(flight.key, 0, true)
      const since = flight.startedAt
      const error = new CacheError.LoadTimeout({
        cache: this.definition.name,
        limit: "loadDeadline",
        millis: loadDeadline
      })
      const cause: Cause.Cause<E> = flight.settings.typedDeadline
        ? Cause.fail(error as E & CacheError.LoadTimeout) // in `E` where the program set the limit, see `Settings`
        : Cause.die(error)
      const now = this.clock.now(caller)
      this.tell(flight.id, Math.max(0, now - since), Exit.failCause(cause))
      flight.land(fallBack(this.definition, flight, Exit.failCause(cause), now))
      flight.fiber?.unsafeInterruptAsFork(FiberId.none)
      // a source that hangs has failed; but what was overtaken has nothing to say of its key any more
      const { holdOffs } = this.definition
      if (holdOffs !== undefined && !wasOvertaken)
        Runtime.runFork(trip.runtime)(holdOffs.failed(flight.id, cause, now), { immediate: true })
    }
    const since = this.clock.now(caller)
    flight.cancelDeadline = this.deadlines.add(
      { expire, since, until: since + loadDeadline },
      caller,
      () => trip.runtime
    )
  }
}

/** What a failure is called: what it says may be somebody's secret. */
const nameOf = (error: unknown): string =>
  typeof error === "object" && error !== null && "_tag" in error
    ? String(error._tag)
    : error instanceof Error
      ? error.name
      : typeof error

/** Whether a load has failed because of its source. */
const isOfSource = <A, E>(exit: Exit.Exit<A, E>): exit is Exit.Failure<A, E> =>
  Exit.isFailure(exit) && !(Cause.isFailType(exit.cause) && exit.cause.error instanceof CacheError.LoadRejected)
