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
import type * as CacheStore from "../../CacheStore.js"
import { currentFiber } from "../currentFiber.js"
import { asCommit, asSync } from "../instructions.js"

type AnyFiber = Fiber.RuntimeFiber<unknown, unknown>

/** What a get needs to know of a cache. */
export interface Hits<in K, out A> {
  /** A fresh success that can be served as things are for this fiber. Changes nothing that can be seen. */
  readonly hit: (key: K, fiber: AnyFiber) => CacheStore.Hit<A> | undefined
  /** It was handed out. */
  readonly count: (hit: CacheStore.Hit<unknown>) => void
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
let found: CacheStore.Hit<unknown> | undefined

const handOut = (): CacheStore.Hit<unknown> | undefined => {
  const hit = found
  if (hit !== undefined) {
    found = undefined
    foundIn!.count(hit)
  }
  return hit
}

export class Get<K, A, E, R> extends Effectable.Class<A, E, R> {
  constructor(
    private readonly target: Target<K, A, E, R>,
    private readonly key: K
  ) {
    super()
  }

  /** @internal a hit for a generator, counted */
  take(): CacheStore.Hit<A> | undefined {
    const fiber = currentFiber()
    if (fiber === undefined || fiber === null) return undefined
    const hits = this.target.hitsOf(fiber)
    const hit = hits?.hit(this.key, fiber)
    if (hit !== undefined) hits!.count(hit)
    return hit
  }

  /** Read by the runtime to know what to do with this effect: the moment in which it is run. */
  get _op(): string {
    const fiber = currentFiber()
    if (fiber === undefined || fiber === null) return asCommit
    const hits = this.target.hitsOf(fiber)
    found = hits?.hit(this.key, fiber)
    foundIn = hits
    return found === undefined ? asCommit : asSync
  }

  /** What the runtime calls for the value of a `Sync`. */
  effect_instruction_i0(): A {
    // `_op` has said so because this get has found one
    return (handOut() as CacheStore.Hit<A>).value
  }

  override commit(): Effect.Effect<A, E, R> {
    const hit = handOut() as CacheStore.Hit<A> | undefined
    return hit === undefined ? this.target.whole(this.key) : Effect.succeed(hit.value)
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
      const hit = this.get.take()
      if (hit !== undefined) {
        hitsUnseen++
        return { done: true, value: hit.value }
      }
      this.asked = true
      return { done: false, value: new YieldWrap(this.get) }
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
