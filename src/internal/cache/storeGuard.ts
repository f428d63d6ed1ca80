/**
 * Stands between a get and its store: what the store cannot do is reported and counted, and surfaces in the get only
 * where the cache is strict.
 */
import * as Effect from "effect/Effect"
import type * as CacheError from "../../CacheError.js"
import type * as CacheStore from "../../CacheStore.js"
import { unknownEpoch } from "../epochs.js"
import type { Counters } from "./counters.js"
import type { Definition } from "./model.js"

type Failure = CacheError.StoreFailure

export class StoreGuard<A, E> {
  /** The store failed the last time: further failures are not news for the log. */
  private degraded = false

  constructor(
    private readonly definition: Pick<Definition<never, A, E, unknown>, "name" | "region" | "events" | "strict">,
    private readonly counters: Counters
  ) {}

  read(ids: ReadonlyArray<string>): Effect.Effect<CacheStore.Reading<A, E>, E> {
    return Effect.matchEffect(this.definition.region.getMany(ids), {
      onSuccess: (reading) => {
        if (reading.failure === undefined) return Effect.as(this.recovered, reading)
        return Effect.as(this.surface(reading.failure), reading)
      },
      onFailure: (failure) =>
        Effect.as(this.surface(failure), {
          epoch: unknownEpoch,
          found: ids.map(() => undefined),
          failure
        })
    })
  }

  /** Writes what loads brought. A value that its Schema refuses has been served, but cannot be kept. */
  write(writes: ReadonlyArray<CacheStore.Write<A, E>>): Effect.Effect<void, E> {
    return Effect.catchAll(this.definition.region.setMany(writes), (failure) => {
      if (failure._tag !== "CodecError") return this.surface(failure)
      this.definition.events.publish({ _tag: "EncodeFailed", cache: this.definition.name, error: failure })
      return Effect.logWarning(`larder: cache '${this.definition.name}' could not store a value`, failure.message)
    })
  }

  remove(ids: ReadonlyArray<string>): Effect.Effect<void, E> {
    return Effect.catchAll(Effect.asVoid(this.definition.region.deleteMany(ids)), (failure) => this.surface(failure))
  }

  private surface(error: Failure): Effect.Effect<void, E> {
    const { events, name, strict } = this.definition
    this.counters.storeFailures++
    events.publish({ _tag: "StoreFailed", cache: name, error })
    if (strict) return Effect.fail(error as E & Failure) // `E` of a strict cache holds `StoreFailure`
    if (this.degraded) return Effect.logDebug(`larder: ${error.message}`)
    this.degraded = true
    return Effect.logWarning(`larder: cache '${name}' goes on without its store. ${error.message}`, error.hint)
  }

  private get recovered(): Effect.Effect<void> {
    if (!this.degraded) return Effect.void
    this.degraded = false
    this.definition.events.publish({ _tag: "StoreRecovered", cache: this.definition.name })
    return Effect.logInfo(`larder: cache '${this.definition.name}' has its store back`)
  }
}
