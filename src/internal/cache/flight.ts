/**
 * One load in the air, and those who wait for it.
 *
 * A flight belongs to its cache, never to the caller who happened to ask first: it loads in a fiber of its own, and callers
 * come and go. What it asks stores before that is told in inquiries.ts. When the last of them leaves, and the cache has not taken the flight over for itself, it is
 * interrupted. A flight lands exactly once; what it brings is the same for all who wait.
 */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Tracer from "effect/Tracer"
import type * as CacheEntry from "../../CacheEntry.js"
import { Listeners } from "./listeners.js"
import type { Settings } from "./settings.js"

/** What a flight brings. `how` decides the outcome of the gets that waited for it. */
export interface Landing<A, E> {
  readonly exit: Exit.Exit<A, E>
  readonly how: "fresh" | "stale" | "loaded" | "failsafe" | "failed"
  readonly entry: CacheEntry.CacheEntry<A, E> | undefined
  readonly tier: number
}

/** What a load is, in the air or not. */
export interface Load<K, A, E> {
  readonly id: string
  readonly key: K
  readonly settings: Settings
  startedAt: number
  /** Overtaken by an invalidation or a write: those who wait still get its result, nobody else, and it is not stored. */
  readonly detached: boolean
  readonly landing: Landing<A, E> | undefined
  /** Prepared by a flight that has to do more before it may land. */
  conclusion: Landing<A, E> | undefined
  /** What may be served if the load fails. */
  readonly previous: CacheEntry.CacheEntry<A, E> | undefined
  /** What is there, whether or not it may be served: for the source to say that it is right still. */
  readonly known: CacheEntry.CacheEntry<A, E> | undefined
}

/** What a store is asked for some flights together; see inquiries.ts. */
export interface Asking<K, A, E> {
  /** Asks it, in the fiber that runs this, where it is this flight's caller who has to; tells what has landed by that. */
  readonly lead: (flight: Flight<K, A, E>) => Effect.Effect<Landing<A, E> | undefined> | undefined
  /** Whoever had to ask it leaves. */
  readonly abandon: (flight: Flight<K, A, E>) => void
  /** Nobody waits for the flight any more. */
  readonly withdraw: (flight: Flight<K, A, E>) => Effect.Effect<void>
}

const nothing = (): void => {}

/** Spans of others that a load, or a reading, is linked to: enough to follow, bounded for a key that thousands wait for. */
export const maxLinks = 128

export class Flight<K, A, E> implements Load<K, A, E> {
  /** The fiber, once it has proved not to end at once. */
  fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined = undefined
  waiters = 0
  /** The cache itself wants the result: leaving waiters do not end it. */
  adopted = false
  detached = false
  landing: Landing<A, E> | undefined = undefined
  conclusion: Landing<A, E> | undefined = undefined
  previous: CacheEntry.CacheEntry<A, E> | undefined = undefined
  known: CacheEntry.CacheEntry<A, E> | undefined = undefined
  /** Of what is there, for nobody in particular. */
  isRefresh = false
  /** Begun before the end of what is there, which is therefore no reason not to load. */
  isEarly = false
  /** Whether it is known yet if there is something `previous`. */
  located = false
  startedAt = 0
  span: Tracer.Span | undefined = undefined
  cancelDeadline: (() => void) | undefined = undefined
  /** What the store is being asked on its behalf: it has no fiber before that is answered. */
  asking: Asking<K, A, E> | undefined = undefined
  /** What it needs on its way, with what is its first caller's. */
  trip: { keep(): void } | undefined = undefined
  private waiting: Array<Tracer.AnySpan> | undefined = undefined
  private linked = 0
  /** Who is told of the landing, and who of it being known what there is. Made only when somebody waits. */
  private landed: Listeners<Landing<A, E>> | undefined = undefined
  private found: Listeners<void> | undefined = undefined

  constructor(
    readonly id: string,
    readonly key: K,
    readonly settings: Settings,
    /** Whether a store is asked first. Becomes `load` once the store has been asked and has not answered it. */
    public kind: "fetch" | "load"
  ) {}

  /**
   * Whether a get with these settings may take what this flight brings. A load suits everybody. What a store is asked
   * for suits those who ask for the same or less: nobody may be served older than he would have been alone.
   */
  suits(wanted: "fetch" | "load", settings: Settings): boolean {
    if (this.kind === "load") return true
    if (wanted === "load" || this.settings.mode !== "default") return false
    return (this.settings.timeToLive ?? Infinity) <= (settings.timeToLive ?? Infinity)
  }

  /** Calls back when it lands, or has landed; answers how to have it not called. */
  onLanding(listener: (landing: Landing<A, E>) => void): () => void {
    if (this.landing === undefined) return (this.landed ??= new Listeners()).add(listener)
    listener(this.landing)
    return nothing
  }

  onLocated(listener: () => void): () => void {
    if (!this.located) return (this.found ??= new Listeners()).add(listener)
    listener()
    return nothing
  }

  get awaitLanding(): Effect.Effect<Landing<A, E>> {
    if (this.landing !== undefined) return Effect.succeed(this.landing)
    return Effect.async((resume) => Effect.sync(this.onLanding((landing) => resume(Effect.succeed(landing)))))
  }

  get awaitLocated(): Effect.Effect<void> {
    if (this.located) return Effect.void
    return Effect.async((resume) => Effect.sync(this.onLocated(() => resume(Effect.void))))
  }

  locate(previous: CacheEntry.CacheEntry<A, E> | undefined): void {
    this.previous = previous
    this.located = true
    this.found?.tell()
    this.found = undefined
  }

  /** Its first caller does not wait for it: what he has is kept now. */
  keep(): void {
    if (this.landing === undefined) this.trip?.keep()
  }

  /** Later landings are of no account: the first one is what everybody got. */
  land(landing: Landing<A, E>): void {
    if (this.landing !== undefined) return
    this.landing = landing
    this.cancelDeadline?.()
    if (!this.located) this.locate(this.previous)
    this.landed?.tell(landing)
    this.landed = undefined
  }

  /** Links the load and a waiter who came later, both ways once both spans are there. */
  linkWaiter(span: Tracer.AnySpan): void {
    if (this.linked === maxLinks) return
    this.linked++
    if (this.span === undefined) (this.waiting ??= []).push(span)
    else this.span.addLinks([linkTo(span)])
  }

  begin(span: Tracer.Span | undefined): void {
    this.span = span
    if (span !== undefined && this.waiting !== undefined) span.addLinks(this.waiting.map(linkTo))
  }
}

export const linkTo = (span: Tracer.AnySpan): Tracer.SpanLink => ({ _tag: "SpanLink", span, attributes: {} })

/** Ends the flight and waits until its finalizers have run, or until its deadline: a deaf lookup holds up nobody. */
export const giveUpOn = <K, A, E>(flight: Flight<K, A, E>): Effect.Effect<void> =>
  flight.fiber === undefined
    ? (flight.asking?.withdraw(flight) ?? Effect.void)
    : Effect.asVoid(Effect.zipRight(Fiber.interruptFork(flight.fiber), flight.awaitLanding))
