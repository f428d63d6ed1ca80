/**
 * Stands between a get and its store: what the store cannot do is reported and counted, and surfaces in the get only
 * where the cache is strict.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as LogLevel from "effect/LogLevel"
import type * as CacheError from "../../CacheError.js"
import type * as CacheStore from "../../CacheStore.js"
import { unknownEpoch } from "../epochs.js"
import { tell } from "../tell.js"
import { toldKey } from "../tracing.js"
import type { Counters } from "./counters.js"
import type { Definition } from "./model.js"

type Failure = CacheError.StoreFailure

export class StoreGuard<A, E> {
  /** The store failed the last time: further failures are not news for the log. */
  private degraded = false

  constructor(
    private readonly definition: Pick<
      Definition<never, A, E, unknown>,
      "name" | "store" | "region" | "events" | "strict"
    >,
    private readonly counters: Counters
  ) {}

  read(ids: ReadonlyArray<string>): Effect.Effect<CacheStore.Reading<A, E>, E> {
    return Effect.matchEffect(this.definition.region.getMany(ids), {
      onSuccess: (reading) => {
        if (reading.failure === undefined) {
          return this.degraded ? Effect.as(this.recovered, reading) : Effect.succeed(reading)
        }
        return Effect.as(this.surface(reading.failure, "get", ids), reading)
      },
      onFailure: (failure) =>
        Effect.as(this.surface(failure, "get", ids), {
          epoch: unknownEpoch,
          found: ids.map(() => undefined),
          failure
        })
    })
  }

  /** Writes what loads brought. */
  write(writes: ReadonlyArray<CacheStore.Write<A, E>>): Effect.Effect<void, E> {
    const ids = writes.map(({ key }) => key)
    return Effect.catchAll(this.definition.region.setMany(writes), (failure) => this.unwritten(failure, ids))
  }

  /** What a load brought was not written. A value that its Schema refuses has been served, but cannot be kept. */
  unwritten(failure: Failure | CacheError.CodecError, ids: ReadonlyArray<string>): Effect.Effect<void, E> {
    if (failure._tag !== "CodecError") return this.surface(failure, "set", ids)
    const { events, name, store } = this.definition
    events.publish({ _tag: "EncodeFailed", cache: name, error: failure })
    return tell({
      level: LogLevel.Error,
      message: `cache '${name}' could not store a value. ${failure.message}`,
      // the cause would show the value
      about: {
        cache: name,
        store,
        operation: "set",
        codec: failure.codec,
        cause: failure.reason,
        ...this.keysOf(ids)
      },
      more: [failure.hint]
    })
  }

  remove(ids: ReadonlyArray<string>): Effect.Effect<void, E> {
    return Effect.catchAll(Effect.asVoid(this.definition.region.deleteMany(ids)), (failure) =>
      this.surface(failure, "delete", ids)
    )
  }

  /** Hashed, and of many only how many. */
  private keysOf(ids: ReadonlyArray<string>): Readonly<Record<string, unknown>> {
    const [first, second] = ids
    return first !== undefined && second === undefined
      ? { key: toldKey(this.definition.events, first) }
      : { keys: ids.length }
  }

  /** What may pass by itself is a warning; what somebody has to repair (a full disk, a damaged file) is an error. */
  private surface(error: Failure, operation: string, ids: ReadonlyArray<string>): Effect.Effect<void, E> {
    const { events, name, strict } = this.definition
    this.counters.storeFailures++
    events.publish({ _tag: "StoreFailed", cache: name, error })
    if (strict) return Effect.fail(error as E & Failure) // `E` of a strict cache holds `StoreFailure`
    const isNews = !this.degraded
    this.degraded = true
    const isGrave = isNews && error._tag === "StoreError" && !error.transient
    return tell({
      level: isGrave ? LogLevel.Error : isNews ? LogLevel.Warning : LogLevel.Debug,
      message: isNews ? `cache '${name}' goes on without its store. ${error.message}` : error.message,
      about: {
        cache: name,
        store: error.store,
        operation: "operation" in error ? error.operation : operation,
        ...this.keysOf(ids)
      },
      more: isGrave ? [error.hint, Cause.fail(error)] : [error.hint]
    })
  }

  private get recovered(): Effect.Effect<void> {
    if (!this.degraded) return Effect.void
    this.degraded = false
    const { events, name } = this.definition
    events.publish({ _tag: "StoreRecovered", cache: name })
    return tell({ level: LogLevel.Info, message: `cache '${name}' has its store back`, about: { cache: name } })
  }
}
