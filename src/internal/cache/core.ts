/**
 * The heart of a cache: what one get does.
 *
 * The order of a get: the nearest tier is asked synchronously; what may be served is served. Otherwise the get joins
 * the flight of its key, or starts one. All state here changes only between two effects, never across one, so no lock
 * is needed; what crosses an effect is fenced by the store's epochs.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as CacheEntry from "../../CacheEntry.js"
import * as CacheError from "../../CacheError.js"
import type * as CacheStore from "../../CacheStore.js"
import { localOf } from "../configLocal.js"
import { closed } from "../store/service.js"
import { hashKey, isTraced, traced } from "../tracing.js"
import { Counters } from "./counters.js"
import type { Flight, Landing } from "./flight.js"
import { giveUpOn } from "./flight.js"
import type { Hits, Target } from "./get.js"
import { Get } from "./get.js"
import type { Begun, Departure } from "./loader.js"
import { Loader } from "./loader.js"
import type { Answer, Definition, Outcome } from "./model.js"
import type { Settings } from "./settings.js"
import { judge, withLocal } from "./settings.js"
import { landingOf, timedOut } from "./wait.js"
import { withCurrentFiber } from "../currentFiber.js"
import { steady } from "../steady.js"
import { traceGet, traceWait } from "./traces.js"

type AnyFiber = Fiber.RuntimeFiber<unknown, unknown>

/** One call of a caller: what is in force for it, and how it may be interrupted while it waits. */
export interface Call {
  readonly settings: Settings
  readonly fiber: AnyFiber
  readonly restore: <X, E2, R2>(effect: Effect.Effect<X, E2, R2>) => Effect.Effect<X, E2, R2>
  readonly startedAt: number
}

/** What a store said of one key, and the epoch from which a load may go on. */
export interface Asked<A, E> {
  readonly found: CacheStore.Found<A, E> | undefined
  readonly epoch: CacheStore.Epoch
  /** Something was invalidated since: what was found may be served to who asked, but not to others who join his load. */
  readonly overtaken: boolean
}

/** A place taken in a flight: it must be ridden or left. */
export interface Place<K, A, E> {
  readonly flight: Flight<K, A, E>
  readonly owner: boolean
}

/** An effect counts its outcome when it is run. Whoever does not come to that gives the ticket back: see `leave`. */
export type Ticket<K, A, E, R> = Effect.Effect<Answer<A, E>, E, R> | Place<K, A, E>

const exitOf = <A, E>(answer: Answer<A, E>): Exit.Exit<A, E> => answer.exit

/** What `LiveView.find` answers of an entry that may be fresh earlier. */
const notFresh = -2

const hows: Record<Landing<unknown, unknown>["how"], readonly [owner: Outcome, joiner: Outcome]> = {
  fresh: ["fresh", "fresh"],
  stale: ["stale", "stale"],
  loaded: ["loaded", "joined"],
  failsafe: ["failsafe", "failsafe"],
  failed: ["failed", "failed"]
}

export class Core<K, A, E, R> implements Hits<K, A>, Target<K, A, E, R> {
  readonly counters = new Counters()
  readonly clock = steady
  readonly loader: Loader<K, A, E, R>
  isClosed = false
  private readonly unsafeProbe: (key: K) => string
  /** The nearest tier, if no condition and no mode stands between it and a key, unless by a local override. */
  private hitView: CacheStore.LiveView<A, E> | undefined
  private readonly near: CacheStore.LiveView<A, E> | undefined

  constructor(readonly definition: Definition<K, A, E, R>) {
    this.near = definition.region.near
    this.unsafeProbe = definition.keys.unsafeProbe ?? definition.keys.unsafeEncode
    this.loader = new Loader(definition, this.counters, this.clock)
    const { settings, when } = definition
    const isDirect = settings.mode === "default" && when === undefined && !settings.traceHits
    this.hitView = isDirect ? this.near : undefined
  }

  readonly get = (key: K): Effect.Effect<A, E, R> => new Get(this, key)

  hitsOf(): this {
    return this
  }

  /** The nearest tier's answer, where nothing in force asks for more than that. */
  hit(key: K, fiber: AnyFiber): number {
    const view = this.hitView
    if (view === undefined || localOf(fiber.currentContext) !== undefined) return -1
    const id = this.probe(key)
    if (id === undefined) return -1
    const { clock } = this
    if (view.slides) return view.find(id, clock.now(fiber))
    const place = view.find(id, clock.atMost(fiber))
    return place === notFresh && clock.isGuessed ? view.find(id, clock.now(fiber)) : place
  }

  handOut(place: number): A {
    // only `hit` has places, and only from here
    const view = this.hitView as CacheStore.LiveView<A, E>
    this.counters.fresh++
    this.counters.savedMillis += view.loadMillisAt(place)
    return view.valueAt(place)
  }

  whole(key: K): Effect.Effect<A, E, R> {
    return withCurrentFiber((fiber) => {
      const isPlain = this.hitView !== undefined && localOf(fiber.currentContext) === undefined
      const id = isPlain ? this.encode(key) : undefined
      const load = typeof id === "string" ? this.loader.loadHere(key, id, fiber) : undefined
      return load !== undefined && "how" in load
        ? this.disembark(load, true).exit
        : this.run(key, undefined, exitOf, load)
    })
  }

  /** One get with all that is known about it. */
  answer(key: K, mode?: Settings["mode"]): Effect.Effect<Answer<A, E>, E, R> {
    return this.run(key, mode, Effect.succeed)
  }

  /** One get. From taking a place in a flight to leaving it nothing can come between. */
  private run<X>(
    key: K,
    mode: Settings["mode"] | undefined,
    take: (answer: Answer<A, E>) => Effect.Effect<X, E>,
    begun?: Begun<A, E>
  ): Effect.Effect<X, E, R> {
    return Effect.uninterruptibleMask((restore) =>
      withCurrentFiber((fiber) => {
        const inForce = this.settingsOf(fiber)
        const settings = mode === undefined ? inForce : { ...inForce, mode }
        const call: Call = { settings, fiber, restore, startedAt: this.clock.now(fiber) }
        // inside its span nothing begins before the span: the load that it may start is the span's child
        if (settings.traceHits && isTraced(fiber)) {
          const id = this.encode(key)
          const answer = Effect.suspend(() => this.settle(this.decide(key, call), call))
          return Effect.flatMap(traceGet({ cache: this.definition.name, id, clock: this.clock }, answer, fiber), take)
        }
        const ticket = this.decide(key, call, undefined, begun)
        // the shortest way for what has landed already: it was in the air for nobody else
        if (!Effect.isEffect(ticket) && ticket.flight.landing !== undefined) {
          ticket.flight.waiters--
          return take(this.disembark(ticket.flight.landing, ticket.owner))
        }
        return Effect.flatMap(this.settle(ticket, call), take)
      })
    )
  }

  /** What a ticket comes to in the end. */
  settle(ticket: Ticket<K, A, E, R>, call: Call): Effect.Effect<Answer<A, E>, E, R> {
    return Effect.isEffect(ticket) ? ticket : this.ride(ticket, call)
  }

  encode(key: K): string | CacheError.KeyError {
    try {
      return this.definition.keys.unsafeEncode(key)
    } catch (error) {
      if (error instanceof CacheError.KeyError) return error
      throw error
    }
  }

  /** Where to look for the key; the whole way tells what is wrong with one that cannot be a key. */
  private probe(key: K): string | undefined {
    try {
      return this.unsafeProbe(key)
    } catch {
      return undefined
    }
  }

  settingsOf(fiber: AnyFiber): Settings {
    const local = localOf(fiber.currentContext)
    return local === undefined ? this.definition.settings : withLocal(this.definition.settings, local)
  }

  private fail(exit: Exit.Exit<never, E>): Effect.Effect<never, E> {
    return Effect.suspend(() => {
      this.counters.failed++
      return exit
    })
  }

  /** Waits for what is no landing of a flight. If nothing comes of it, that was the outcome of the gets it is for. */
  wait<X, E2>(call: Call, effect: Effect.Effect<X, E2>, gets = 1): Effect.Effect<X, E2> {
    return Effect.onError(call.restore(effect), () =>
      Effect.sync(() => {
        this.counters.failed += gets
      })
    )
  }

  /**
   * Decides what this get is: an answer (or the way to one), or a place in a flight, taken. `asked` is what a store
   * that was asked for many keys at once said of this one.
   */
  decide(key: K, call: Call, asked?: Asked<A, E>, begun?: Begun<A, E>): Ticket<K, A, E, R> {
    const id = this.encode(key)
    // a key that cannot be one: the types say whether that can be (see `CacheKey.ErrorOf`), so `E` holds `KeyError` then
    if (typeof id !== "string") return this.fail(Exit.fail(id as E & CacheError.KeyError))
    if (this.isClosed) return this.fail(Exit.die(closed(this.definition.name)))
    try {
      if (call.settings.mode === "no-store" || this.definition.when?.(key) === false) return this.bypass(key, id, call)
    } catch (defect) {
      return this.fail(Exit.die(defect)) // a throwing `when` is this get's defect, and no other's
    }
    return this.seek(key, id, call, asked, begun)
  }

  private seek(
    key: K,
    id: string,
    call: Call,
    asked: Asked<A, E> | undefined,
    begun: Begun<A, E> | undefined
  ): Ticket<K, A, E, R> {
    const { settings, startedAt } = call
    const found = asked?.found ?? this.nearest(id, call)
    const verdict = judge(found?.entry, settings, startedAt)
    if (found !== undefined && (verdict === "fresh" || verdict === "stale")) {
      if (verdict === "stale") this.loader.refreshInBackground(key, id, settings, call.fiber)
      return Effect.sync(() => this.serve(found.entry, startedAt, found.tier))
    }
    if (settings.mode === "only-if-cached") return this.onlyCached(id, call)
    const fallback = asked?.overtaken === true ? undefined : found?.entry
    return this.embark(key, id, call, {
      previous: verdict === "fallback" ? fallback : undefined,
      since: asked?.epoch,
      begun
    })
  }

  private nearest(id: string, call: Call): Pick<CacheStore.Found<A, E>, "entry" | "tier"> | undefined {
    if (call.settings.mode === "reload") return undefined
    const entry = this.near?.get(id, call.startedAt)
    return entry && { entry, tier: 1 }
  }

  private embark(
    key: K,
    id: string,
    call: Call,
    known: Pick<Departure<K, A, E>, "previous" | "since" | "begun">
  ): Ticket<K, A, E, R> {
    const { fiber, settings } = call
    const direct = this.definition.region.complete || known.since !== undefined
    const kind = direct || settings.mode === "reload" || settings.mode === "no-cache" ? "load" : "fetch"
    const present = this.loader.flightOf(id)
    if (present !== undefined && !present.suits(kind, settings)) {
      return Effect.zipRight(
        this.wait(call, present.awaitLocated),
        Effect.suspend(() => this.settle(this.decide(key, call), call))
      )
    }
    const flight = present ?? this.loader.depart({ key, id, settings, fiber, kind, ...known })
    flight.waiters++
    return { flight, owner: present === undefined }
  }

  /** Asks the store and nobody else. */
  private onlyCached(id: string, call: Call): Effect.Effect<Answer<A, E>, E> {
    if (this.definition.region.complete) return this.missing()
    return Effect.flatMap(this.wait(call, this.loader.read(id)), (reading) => {
      const found = reading.found[0]
      return found !== undefined && judge(found.entry, call.settings, call.startedAt) === "fresh"
        ? Effect.succeed(this.serve(found.entry, call.startedAt, found.tier))
        : this.missing()
    })
  }

  /** Only-if-cached and nothing there; `locally` puts `NotCached` into the type of what it wraps. */
  private missing(): Effect.Effect<never, E> {
    return this.fail(Exit.fail(new CacheError.NotCached({ cache: this.definition.name }) as E & CacheError.NotCached))
  }

  private serve(entry: CacheEntry.CacheEntry<A, E>, now: number, tier: number): Answer<A, E> {
    const outcome = now < entry.freshUntil ? "fresh" : "stale"
    this.counters[outcome]++
    this.counters.savedMillis += entry.loadMillis
    return { exit: entry.exit, outcome, entry, tier }
  }

  private bypass(key: K, id: string, call: Call): Effect.Effect<Answer<A, E>, E, R> {
    const { context, lookup, name } = this.definition
    const attributes = () => ({ "cache.name": name, "cache.key_hash": hashKey(id), "cache.outcome": "bypassed" })
    const load = Effect.suspend(() => {
      this.counters.bypassed++
      return Effect.exit(call.restore(traced("larder.load", { kind: "internal", attributes }, () => lookup(key))))
    })
    return Effect.map(
      // a captured context holds all that `R` asks for; see `Definition.context`
      context === undefined ? load : Effect.provide(load as Effect.Effect<Exit.Exit<A, E>>, context),
      (exit) => ({ exit, outcome: "bypassed", entry: undefined, tier: undefined })
    )
  }

  /** Waits for a flight in which a place was taken, counts what came of it, and leaves. */
  private ride(place: Place<K, A, E>, call: Call): Effect.Effect<Answer<A, E>> {
    const { flight, owner } = place
    if (flight.landing !== undefined) {
      flight.waiters--
      return Effect.succeed(this.disembark(flight.landing, owner))
    }
    const wait = Effect.matchCauseEffect(call.restore(landingOf(flight, call, this.clock)), {
      // waiting cannot fail: it was interrupted
      onFailure: (cause) => Effect.zipRight(this.leave(place), Effect.failCause(cause)),
      onSuccess: (landing) => {
        flight.waiters--
        return Effect.succeed(landing === timedOut ? this.giveUp(flight, call) : this.disembark(landing, owner))
      }
    })
    return owner || !isTraced(call.fiber) ? wait : traceWait(this.definition.name, flight, wait)
  }

  private disembark(landing: Landing<A, E>, owner: boolean): Answer<A, E> {
    const outcome = hows[landing.how][owner ? 0 : 1]
    this.counters[outcome]++
    if (outcome === "fresh" || outcome === "stale") this.counters.savedMillis += landing.entry?.loadMillis ?? 0
    return { exit: landing.exit, outcome, entry: landing.entry, tier: landing.tier }
  }

  /** A get that was interrupted. The last one in a flight takes it down, and waits until that is done. */
  leave(ticket: Ticket<K, A, E, R>): Effect.Effect<void> {
    this.counters.failed++
    if (Effect.isEffect(ticket)) return Effect.void
    const { flight } = ticket
    flight.waiters--
    if (flight.waiters > 0 || flight.adopted || flight.landing !== undefined) return Effect.void
    this.loader.detach(flight)
    return giveUpOn(flight)
  }

  /** The wait is over, the flight is not: it goes on for those who come later. */
  private giveUp(flight: Flight<K, A, E>, { settings }: Call): Answer<A, E> {
    if (flight.landing !== undefined) return this.disembark(flight.landing, false)
    flight.adopted = true
    const entry = flight.previous
    if (entry !== undefined) {
      this.counters.stale++
      this.counters.savedMillis += entry.loadMillis
      return { exit: entry.exit, outcome: "stale", entry, tier: 1 }
    }
    this.counters.failed++
    const error = new CacheError.LoadTimeout({
      cache: this.definition.name,
      limit: "waitFresh",
      millis: settings.waitFresh
    })
    const exit = settings.typedWait ? Exit.fail(error as E & CacheError.LoadTimeout) : Exit.die(error)
    return { exit, outcome: "failed", entry: undefined, tier: undefined }
  }

  /** After this no get starts a load; those in the air are brought down, and their finalizers have run. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    this.isClosed = true
    this.hitView = undefined
    return this.loader.close
  })
}
