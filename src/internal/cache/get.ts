/**
 * One get, as an effect that answers a hit by itself.
 *
 * Most gets are hits, and a hit is a look into a Map; running an effect costs several times that. So this effect finds
 * out in the moment it is run whether the answer is there, in the fiber that runs it, and takes the shortest way out:
 *
 * - `yield*`ed in a generator, its iterator is done at once, and the runtime does not come into it;
 * - run in any other way, it is to the runtime what `Effect.sync` is;
 * - for all that is no plain hit it is the effect of the whole way, run as any other.
 *
 * Nothing is decided before it is run: the fiber's own Clock, Context and overrides are asked each time. A counted hit
 * is one that was handed out.
 */
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import type * as Fiber from "effect/Fiber"
import { YieldWrap } from "effect/Utils"
import { currentFiber } from "../currentFiber.js"
import { asCommit, asSync } from "../instructions.js"

type AnyFiber = Fiber.RuntimeFiber<unknown, unknown>

/** What a get needs to know of a cache. */
export interface Hits<in K, out A> {
  /** The place of a fresh success that can be served as things are for this fiber, or below 0. Changes nothing to be seen. */
  readonly hit: (key: K, fiber: AnyFiber) => number
  /** The value in that place, counted. At once: the next operation may have put another there. */
  readonly handOut: (place: number) => A
}

/** Where a get goes: to a cache in hand, or to one that has to be found in the fiber's Context first. */
export interface Target<in K, out A, out E, out R> {
  readonly hitsOf: (fiber: AnyFiber) => Hits<K, A> | undefined
  /** The get with all that may belong to it: asking stores, loading, waiting. */
  readonly whole: (key: K) => Effect.Effect<A, E, R>
}

/** After so many hits in a row that the runtime has not seen, others get their turn, as they do after so many effects. */
const hitsBeforeYield = 2_048
let hitsUnseen = 0

/**
 * What a get has found, between the moment in which the runtime asks what it is and the moment in which it takes it:
 * one step, nothing else runs in it, so one place is enough for all.
 */
let foundIn: Hits<never, unknown> | undefined
let found = -1

export class Get<K, A, E, R> extends Effectable.Class<A, E, R> {
  constructor(
    private readonly target: Target<K, A, E, R>,
    /** @internal */
    readonly key: K
  ) {
    super()
  }

  /** @internal */
  hitsOf(fiber: AnyFiber | null | undefined): Hits<K, A> | undefined {
    return fiber === undefined || fiber === null ? undefined : this.target.hitsOf(fiber)
  }

  /** @internal */
  get whole(): Effect.Effect<A, E, R> {
    return this.target.whole(this.key)
  }

  /** Read by the runtime to know what to do with this effect: the moment in which it is run. */
  get _op(): string {
    const fiber = currentFiber()
    const hits = this.hitsOf(fiber)
    // always set: another get may have been looked at, and not taken
    found = hits === undefined ? -1 : hits.hit(this.key, fiber!)
    foundIn = hits
    return found < 0 ? asCommit : asSync
  }

  /** What the runtime calls for the value of a `Sync`. */
  effect_instruction_i0(): A {
    // `_op` has said so because this get has found one
    const place = found
    found = -1
    return foundIn!.handOut(place) as A
  }

  override commit(): Effect.Effect<A, E, R> {
    return found < 0 ? this.whole : Effect.succeed(this.effect_instruction_i0())
  }

  override [Symbol.iterator](): Effect.EffectGenerator<Effect.Effect<A, E, R>> {
    // the types of a generator say more of it than `yield*` asks for
    return new Answer(this) as unknown as Effect.EffectGenerator<Effect.Effect<A, E, R>>
  }
}

/** The one step of a `yield*`: done at once with a hit, or an effect for the runtime and then done with its value. */
class Answer<K, A, E, R> implements Iterator<YieldWrap<Effect.Effect<A, E, R>>, A, A> {
  private asked = false

  constructor(private readonly get: Get<K, A, E, R>) {}

  next(answer: A): IteratorResult<YieldWrap<Effect.Effect<A, E, R>>, A> {
    if (this.asked) return { done: true, value: answer }
    if (hitsUnseen < hitsBeforeYield) {
      const fiber = currentFiber()
      const hits = this.get.hitsOf(fiber)
      const place = hits === undefined ? -1 : hits.hit(this.get.key, fiber!)
      if (place >= 0) {
        hitsUnseen++
        return { done: true, value: hits!.handOut(place) }
      }
      this.asked = true
      // not the get itself: it has just been looked for
      return { done: false, value: new YieldWrap(this.get.whole) }
    }
    hitsUnseen = 0
    this.asked = true
    return { done: false, value: new YieldWrap(Effect.zipRight(Effect.yieldNow(), this.get)) }
  }

  return(value: A): IteratorResult<YieldWrap<Effect.Effect<A, E, R>>, A> {
    return { done: true, value }
  }

  throw(error: unknown): never {
    throw error
  }
}
