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
import { localOf } from "../configLocal.js"
import { closed } from "../store/service.js"
import { isTraced } from "../tracing.js"
import { type Asked, type Call, isAnswer, isPlace, type Place, type Sought, type Ticket } from "./call.js"
import { bypass } from "./bypass.js"
import { giveUpOn, type Landing } from "./flight.js"
import { Get, type Target } from "./get.js"
import { NearHits } from "./hits.js"
import { type Begun, type Departure, Loader } from "./loader.js"
import type { Answer, Definition } from "./model.js"
import { Outcomes } from "./outcomes.js"
import type { Settings } from "./settings.js"
import { judge, withLocal } from "./settings.js"
import { fallBack } from "./conclude.js"
import { hasStale, mayLead, timedOut, waitFor } from "./wait.js"
import { withCurrentFiber } from "../currentFiber.js"
import { traceGet, traceWait } from "./traces.js"

type AnyFiber = Fiber.RuntimeFiber<unknown, unknown>

const exitOf = <A, E>(answer: Answer<A, E>): Exit.Exit<A, E> => answer.exit

export class Core<K, A, E, R> extends NearHits<K, A, E, R> implements Target<K, A, E, R> {
  readonly loader: Loader<K, A, E, R>
  private readonly outcomes: Outcomes<K, A, E, R>
  isClosed = false

  constructor(definition: Definition<K, A, E, R>) {
    super(definition)
    this.loader = new Loader(definition, this.counters, this.clock)
    this.outcomes = new Outcomes(definition, this.counters)
  }

  readonly get = (key: K): Effect.Effect<A, E, R> => new Get(this, key)

  whole(key: K): Effect.Effect<A, E, R> {
    return withCurrentFiber((fiber) => {
      const isPlain = this.isDirectFor(fiber)
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
        const call: Call = { settings, fiber, restore, startedAt: this.clock.now(fiber), isSingle: true }
        // inside its span nothing begins before the span: the load that it may start is the span's child
        if (settings.traceHits && isTraced(fiber)) {
          const id = this.encode(key)
          const answer = Effect.suspend(() => this.settle(this.decide(key, id, call), call))
          return Effect.flatMap(traceGet({ cache: this.definition.name, id, clock: this.clock }, answer, fiber), take)
        }
        const ticket = this.decide(key, this.encode(key), call, undefined, begun)
        if (isAnswer(ticket)) return take(ticket)
        // the shortest way for what has landed already: it was in the air for nobody else
        return isPlace(ticket) && ticket.flight.landing !== undefined
          ? take(this.disembark(ticket, ticket.flight.landing))
          : Effect.flatMap(this.settle(ticket, call), take)
      })
    )
  }

  /** What a ticket comes to in the end. */
  settle(ticket: Ticket<K, A, E, R>, call: Call): Effect.Effect<Answer<A, E>, E, R> {
    if (isPlace(ticket)) return this.ride(ticket, call)
    return isAnswer(ticket) ? Effect.succeed(ticket) : ticket
  }

  encode(key: K): string | CacheError.KeyError {
    try {
      return this.definition.keys.unsafeEncode(key)
    } catch (error) {
      if (error instanceof CacheError.KeyError) return error
      throw error
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
   * Decides what this get is: an answer (or the way to one), or a place in a flight, taken. `id` is what the key was
   * encoded to, `asked` what a store that was asked for many keys at once said of this one.
   */
  decide(
    key: K,
    id: string | CacheError.KeyError,
    call: Call,
    asked?: Asked<A, E>,
    begun?: Begun<A, E>
  ): Ticket<K, A, E, R> {
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
      return this.outcomes.serve(id, found.entry, startedAt, found.tier)
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
        Effect.suspend(() => this.settle(this.decide(key, id, call), call))
      )
    }
    // a refresh behind the callers' backs is no reason to wait: the store is asked past it
    if (present?.isRefresh === true && kind === "fetch") return this.askPast(key, id, call)
    if (present === undefined && kind === "load") {
      const held = this.loader.voyages.heldOff(id, settings, call.startedAt)
      if (held !== undefined) return this.heldOff(key, id, call, known, held)
    }
    const flight = present ?? this.loader.depart({ key, id, settings, fiber, kind, ...known, leads: mayLead(call) })
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
      return this.settle(this.decide(key, id, call, { found, epoch, overtaken }), call)
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
    const { forget, landing } = waitFor(place, call, this.loader.voyages.deadlines, this.clock)
    const wait = Effect.matchCauseEffect(call.restore(landing), {
      // waiting cannot fail: it was interrupted
      onFailure: (cause) => {
        forget()
        const asking = owner ? flight.asking : undefined
        return Effect.zipRight(
          this.leave(place),
          Effect.suspend(() => (asking?.abandon(flight), Effect.failCause(cause)))
        )
      },
      onSuccess: (landing) => {
        if (landing === undefined) return this.ride(place, call)
        return Effect.succeed(landing === timedOut ? this.giveUp(place, call) : this.disembark(place, landing))
      }
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
    if (!isPlace(ticket)) return Effect.void
    const { flight, owner } = ticket
    if (owner) flight.keep()
    flight.waiters--
    if (flight.waiters > 0 || flight.adopted || flight.landing !== undefined) return Effect.void
    this.loader.detach(flight)
    return giveUpOn(flight)
  }

  /** The wait is over, the flight is not: it goes on for those who come later. */
  private giveUp({ flight, owner }: Place<K, A, E>, { fiber, settings }: Call): Answer<A, E> {
    if (owner) flight.keep()
    flight.waiters--
    if (flight.landing !== undefined) return this.outcomes.land(flight.id, flight.landing, false)
    flight.adopted = true
    const stale = hasStale(flight, settings, this.clock.now(fiber)) ? flight.previous : undefined
    return this.outcomes.giveUp(flight.id, stale, settings)
  }

  /** After this no get starts a load; those in the air are brought down, and their finalizers have run. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    this.isClosed = true
    this.noMoreHits()
    return this.loader.close
  })
}
