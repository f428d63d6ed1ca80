/** The lookup, with all that a policy puts around it: its turn, its batch, what is there already, another try. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as CacheError from "../../CacheError.js"
import { Bulkhead } from "./bulkhead.js"
import { Coalescer } from "./coalescer.js"
import type { Counters } from "./counters.js"
import type { Load } from "./flight.js"
import type { Definition } from "./model.js"

export class Attempts<K, A, E, R> {
  private readonly bulkhead: Bulkhead | undefined
  private readonly coalescer: Coalescer<K, A, E> | undefined
  /** Nothing is around the lookup: it may be all that there is to a load. */
  readonly isPlain: boolean

  constructor(
    private readonly definition: Definition<K, A, E, R>,
    private readonly counters: Counters
  ) {
    const { batch, bulkhead, name, retry } = definition
    this.bulkhead = bulkhead && new Bulkhead(name, bulkhead.concurrency, bulkhead.queue)
    // the context of a load holds what `R` asks for, see `runtimeOf`
    const many = batch?.many as Coalescer<K, A, E>["many"] | undefined
    this.coalescer = many && new Coalescer(name, many, batch?.maxSize ?? Infinity, (effect) => this.inTurn(effect))
    this.isPlain =
      this.bulkhead === undefined && batch === undefined && retry === undefined && definition.holdOffs === undefined
  }

  /** One load, as often as it is tried. */
  of(load: Load<K, A, E>): Effect.Effect<A, E> {
    const { retry } = this.definition
    if (retry === undefined) return this.once(load)
    let tries = 0
    const attempt = Effect.suspend(() => {
      if (tries++ > 0) this.counters.retries++
      return this.once(load)
    })
    return Effect.retry(attempt, { schedule: retry, while: (error) => !(error instanceof CacheError.LoadRejected) })
  }

  private once(load: Load<K, A, E>): Effect.Effect<A, E> {
    const { revalidate } = this.definition
    const { key, known } = load
    if (revalidate !== undefined && known !== undefined && Exit.isSuccess(known.exit)) {
      const { value } = known.exit
      const answer = Effect.suspend(
        () => revalidate(key, { value, createdAt: known.createdAt }) as Effect.Effect<Option.Option<A>, E>
      )
      return this.inTurn(
        Effect.map(
          answer,
          Option.getOrElse(() => this.unchanged(value))
        )
      )
    }
    if (this.coalescer !== undefined) return this.coalescer.load(load.id, key)
    // the context holds what `R` asks for: captured, or the caller's own (see `runtimeOf`)
    return this.bulkhead === undefined
      ? (this.definition.lookup(key) as Effect.Effect<A, E>)
      : this.inTurn(Effect.suspend(() => this.definition.lookup(key) as Effect.Effect<A, E>))
  }

  private unchanged(value: A): A {
    this.counters.notModified++
    return value
  }

  private inTurn<X>(effect: Effect.Effect<X, E>): Effect.Effect<X, E> {
    const { bulkhead, counters } = this
    if (bulkhead === undefined) return effect
    // `E` of a cache with a bulkhead holds `LoadRejected`
    return bulkhead.limit(effect, counters) as Effect.Effect<X, E>
  }
}
