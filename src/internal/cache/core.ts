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
import * as CacheError from "../../CacheError.js"
import type * as CacheStore from "../../CacheStore.js"
import type { Recorder } from "../../observe/internal/recorder.js"
import { localOf } from "../configLocal.js"
import { closed } from "../store/service.js"
import { isTraced } from "../tracing.js"
import type { Asked, Call, Place, Sought, Ticket } from "./call.js"
import { bypass } from "./bypass.js"
import { Counters } from "./counters.js"
import { type Flight, giveUpOn, type Landing } from "./flight.js"
import type { Hits, Target } from "./get.js"
import { Get } from "./get.js"
import { type Begun, type Departure, Loader } from "./loader.js"
import type { Answer, Definition } from "./model.js"
import { Outcomes } from "./outcomes.js"
import type { Settings } from "./settings.js"
import { judge, withLocal } from "./settings.js"
import { fallBack } from "./conclude.js"
import { hasStale, timedOut, waitFor } from "./wait.js"
import { withCurrentFiber } from "../currentFiber.js"
import { steady } from "../steady.js"
import { traceGet, traceWait } from "./traces.js"

type AnyFiber = Fiber.RuntimeFiber<unknown, unknown>

const exitOf = <A, E>(answer: Answer<A, E>): Exit.Exit<A, E> => answer.exit

/** What `LiveView.find` answers of an entry that may be fresh earlier. */
const notFresh = -2

/** Whether nothing is to be asked, told or counted of a hit but that it was one. */
const isDirect = <K, A, E, R>({ accesses, events, settings, when }: Definition<K, A, E, R>): boolean =>
  settings.mode === "default" && !settings.traceHits && !events.hits && when === undefined && accesses === undefined

export class Core<K, A, E, R> implements Hits<K, A>, Target<K, A, E, R> {
  readonly counters = new Counters()
  readonly clock = steady
  readonly loader: Loader<K, A, E, R>
  private readonly outcomes: Outcomes<K, A, E, R>
  isClosed = false
  private readonly unsafeProbe: (key: K) => string
  /** The nearest tier, if no condition and no mode stands between it and a key, unless by a local override. */
  private hitView: CacheStore.LiveView<A, E> | undefined
  private readonly near: CacheStore.LiveView<A, E> | undefined
  private readonly recorder: Recorder | undefined

  constructor(readonly definition: Definition<K, A, E, R>) {
    this.near = definition.region.near
    this.recorder = definition.recorder
    this.unsafeProbe = definition.keys.unsafeProbe ?? definition.keys.unsafeEncode
    this.loader = new Loader(definition, this.counters, this.clock)
    this.outcomes = new Outcomes(definition, this.counters)
    this.hitView = isDirect(definition) ? this.near : undefined
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
    const { clock, recorder } = this
    if (recorder !== undefined && recorder.isLooking) recorder.key = id
    if (view.slides) return this.unlessDue(view, view.find(id, clock.now(fiber)), fiber)
    const place = view.find(id, clock.atMost(fiber))
    const found = place === notFresh && clock.isGuessed ? view.find(id, clock.now(fiber)) : place
    return this.definition.early === undefined ? found : this.unlessDue(view, found, fiber)
  }

  /** What may have to be loaded again behind its readers' backs goes the whole way. */
  private unlessDue(view: CacheStore.LiveView<A, E>, place: number, fiber: AnyFiber): number {
    const { early } = this.definition
    if (early === undefined || place < 0) return place
    const now = this.clock.now(fiber)
    return early.mayBeDue(view.createdAtAt(place), view.freshUntilAt(place), view.loadMillisAt(place), now)
      ? notFresh
      : place
  }

  handOut(place: number): A {
    // only `hit` has places, and only from here
    const view = this.hitView as CacheStore.LiveView<A, E>
    this.counters.fresh++
    this.counters.savedMillis += view.loadMillisAt(place)
    const { recorder } = this
    if (recorder !== undefined && --recorder.left < recorder.floor) recorder.hit()
    return view.valueAt(place)
  }

  whole(key: K): Effect.Effect<A, E, R> {
    return withCurrentFiber((fiber) => {
      const isPlain = this.hitView !== undefined && localOf(fiber.currentContext) === undefined
      const id = isPlain ? this.encode(key) : undefined
      const load = typeof id === "string" ? this.loader.loadHere(key, id, fiber) : undefined
      return load !== undefined && "how" in load
        ? this.outcomes.land(id as string, load, true).exit
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
          return take(this.disembark(ticket, ticket.flight.landing))
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
    if (typeof id !== "string") return this.outcomes.fail(Exit.fail(id as E & CacheError.KeyError))
    if (this.isClosed) return this.outcomes.fail(Exit.die(closed(this.definition.name)))
    try {
      if (call.settings.mode === "no-store" || this.definition.when?.(key) === false)
        return bypass(this.definition, this.counters, key, id, call)
    } catch (defect) {
      return this.outcomes.fail(Exit.die(defect)) // a throwing `when` is this get's defect, and no other's
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
      this.definition.accesses?.hit(id)
      const isEarly = verdict === "fresh" && this.loader.isDue(found.entry, settings, startedAt, call.fiber)
      if (isEarly || verdict === "stale") this.loader.refreshInBackground(key, id, settings, call.fiber, isEarly)
      return Effect.sync(() => this.outcomes.serve(id, found.entry, startedAt, found.tier))
    }
    return this.seekFurther(key, id, call, { found, verdict, asked, begun })
  }

  /** There is nothing that may be served at once. */
  private seekFurther(
    key: K,
    id: string,
    call: Call,
    { asked, begun, found, verdict }: Sought<A, E>
  ): Ticket<K, A, E, R> {
    const { settings } = call
    if (settings.mode === "only-if-cached") return this.onlyCached(id, call)
    const fallback = asked?.overtaken === true ? undefined : found?.entry
    return this.embark(key, id, call, {
      previous: verdict === "fallback" ? fallback : undefined,
      known: fallback,
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
    known: Pick<Departure<K, A, E>, "previous" | "known" | "since" | "begun">
  ): Ticket<K, A, E, R> {
    const { fiber, settings } = call
    const wanted = settings.mode === "reload" || settings.mode === "no-cache" ? "load" : "fetch"
    // a store that was asked already need not be asked again
    const kind = this.definition.region.complete || known.since !== undefined ? "load" : wanted
    const present = this.loader.flightOf(id)
    if (present !== undefined && !present.suits(wanted, settings)) {
      return Effect.zipRight(
        this.wait(call, present.awaitLocated),
        Effect.suspend(() => this.settle(this.decide(key, call), call))
      )
    }
    // a refresh behind the callers' backs is no reason to wait: the store is asked past it
    if (present?.isRefresh === true && kind === "fetch") return this.askPast(key, id, call)
    if (present === undefined && kind === "load") {
      const held = this.loader.voyages.heldOff(id, settings, call.startedAt)
      if (held !== undefined) return this.heldOff(key, id, call, known, held)
    }
    const flight = present ?? this.loader.depart({ key, id, settings, fiber, kind, ...known })
    flight.waiters++
    return { flight, owner: present === undefined }
  }

  /** The source is left alone for this key: what there is, or what it has failed with. */
  private heldOff(
    key: K,
    id: string,
    { settings, startedAt }: Call,
    known: Pick<Departure<K, A, E>, "previous" | "known">,
    held: Exit.Exit<never, E>
  ): Effect.Effect<Answer<A, E>, E> {
    const load = { id, key, settings, startedAt, detached: false, landing: undefined, conclusion: undefined, ...known }
    try {
      const landing = fallBack(this.definition, load, held, startedAt)
      return Effect.sync(() => this.outcomes.land(id, landing, true))
    } catch (defect) {
      return this.outcomes.fail(Exit.die(defect)) // a throwing `failsafeWhen`, as with `when`
    }
  }

  /** Asks the store while a load of the key is in the air that nobody has to wait for. */
  private askPast(key: K, id: string, call: Call): Effect.Effect<Answer<A, E>, E, R> {
    const { overtakes } = this.loader
    return Effect.flatMap(this.wait(call, this.loader.read(id)), ({ epoch, found: [found] }) => {
      const overtaken = this.loader.overtakes !== overtakes
      return this.settle(this.decide(key, call, { found, epoch, overtaken }), call)
    })
  }

  /** Asks the store and nobody else. */
  private onlyCached(id: string, call: Call): Effect.Effect<Answer<A, E>, E> {
    if (this.definition.region.complete) return this.missing()
    return Effect.flatMap(this.wait(call, this.loader.read(id)), (reading) => {
      const found = reading.found[0]
      return found !== undefined && judge(found.entry, call.settings, call.startedAt) === "fresh"
        ? Effect.succeed(this.outcomes.serve(id, found.entry, call.startedAt, found.tier))
        : this.missing()
    })
  }

  /** Only-if-cached and nothing there; `locally` puts `NotCached` into the type of what it wraps. */
  private missing(): Effect.Effect<never, E> {
    return this.outcomes.fail(
      Exit.fail(new CacheError.NotCached({ cache: this.definition.name }) as E & CacheError.NotCached)
    )
  }

  /** Waits for a flight in which a place was taken, counts what came of it, and leaves. */
  private ride(place: Place<K, A, E>, call: Call): Effect.Effect<Answer<A, E>> {
    const { flight, owner } = place
    if (flight.landing !== undefined) return Effect.succeed(this.disembark(place, flight.landing))
    const { forget, landing } = waitFor(flight, call, this.loader.voyages.deadlines, this.clock)
    const wait = Effect.matchCauseEffect(call.restore(landing), {
      // waiting cannot fail: it was interrupted
      onFailure: (cause) => {
        forget()
        return Effect.zipRight(this.leave(place), Effect.failCause(cause))
      },
      onSuccess: (landing) =>
        Effect.succeed(landing === timedOut ? this.giveUp(flight, call) : this.disembark(place, landing))
    })
    return owner || !isTraced(call.fiber) ? wait : traceWait(this.definition.name, flight, wait)
  }

  /** Leaves a flight that has landed, with what it has brought. */
  disembark({ flight, owner }: Place<K, A, E>, landing: Landing<A, E>): Answer<A, E> {
    flight.waiters--
    return this.outcomes.land(flight.id, landing, owner)
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
  private giveUp(flight: Flight<K, A, E>, { fiber, settings }: Call): Answer<A, E> {
    flight.waiters--
    if (flight.landing !== undefined) return this.outcomes.land(flight.id, flight.landing, false)
    flight.adopted = true
    const stale = hasStale(flight, settings, this.clock.now(fiber)) ? flight.previous : undefined
    return this.outcomes.giveUp(flight.id, stale, settings)
  }

  /** After this no get starts a load; those in the air are brought down, and their finalizers have run. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    this.isClosed = true
    this.hitView = undefined
    return this.loader.close
  })
}
