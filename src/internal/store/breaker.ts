/**
 * Leaves a store alone for a while after it has failed, so that it costs its timeout once and not with each operation.
 *
 * Closed, everything goes through. A failure that may pass (see `CacheError.isTransient`) opens it: everything is refused
 * at once, until the pause is over. Then one operation is let through, to try; if it succeeds the breaker is closed, and
 * if it fails the next pause is twice as long. After Nygard, Release It! (2007), chapter 5.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as LogLevel from "effect/LogLevel"
import * as Metric from "effect/Metric"
import * as Stream from "effect/Stream"
import * as CacheError from "../../CacheError.js"
import type * as CacheStore from "../../CacheStore.js"
import * as Families from "../../observe/internal/families.js"
import { steadyMillis } from "../steady.js"
import { tell } from "../tell.js"
import { Owed } from "./owed.js"

type Failure = CacheError.StoreFailure

export interface Options {
  readonly store: string
  /** Milliseconds of the first pause, and of the longest. */
  readonly resetAfter: number
  readonly maxResetAfter: number
  /** Failures in a row that open it. */
  readonly failures: number
}

interface Open {
  readonly until: number
  readonly pause: number
  readonly reason: string
}

/** Told when it changes, which is seldom. */
const openGauge = Metric.gauge(Families.breakerOpen, {
  description: "Whether a store is left alone, because it has failed: 1, or else 0."
})

export class Breaker {
  private open: Open | undefined = undefined
  private failures = 0
  private isProbing = false

  constructor(private readonly options: Options) {}

  /** Runs an operation if the store is not left alone. */
  run<A, E>(effect: Effect.Effect<A, E | Failure>): Effect.Effect<A, E | Failure> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(steadyMillis, (now): Effect.Effect<A, E | Failure> => {
        const { open } = this
        if (open === undefined) return Effect.onExit(restore(effect), (exit) => this.heard(exit))
        if (now < open.until || this.isProbing) return Effect.fail(this.refusal(open, now))
        this.isProbing = true
        return Effect.onExit(restore(effect), (exit) => this.tried(open, exit))
      })
    )
  }

  private refusal({ reason, until }: Open, now: number): CacheError.StoreUnavailable {
    return new CacheError.StoreUnavailable({
      store: this.options.store,
      reason: `it is left alone for ${Math.max(0, Math.ceil(until - now))} ms, because it has failed: ${reason}`,
      hint: "look at the store; it is tried again by itself"
    })
  }

  /** What began before a pause did is no news of the store by the time it ends. */
  private heard(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    if (this.open !== undefined) return Effect.void
    const failure = passing(exit)
    if (failure === undefined) {
      if (Exit.isSuccess(exit)) this.failures = 0
      return Effect.void
    }
    return ++this.failures < this.options.failures ? Effect.void : this.pause(failure, this.options.resetAfter)
  }

  /** Whatever the store has answered, it answers; only who is interrupted has learnt nothing. */
  private tried(open: Open, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    this.isProbing = false
    const failure = passing(exit)
    if (failure !== undefined) return this.pause(failure, Math.min(this.options.maxResetAfter, open.pause * 2))
    if (Exit.isFailure(exit) && Cause.isInterrupted(exit.cause)) return Effect.void
    this.open = undefined
    this.failures = 0
    const { store } = this.options
    return Effect.zipRight(
      this.show(0),
      tell({ level: LogLevel.Info, message: `${store} answers, and is used again`, about: { store } })
    )
  }

  private show(state: 0 | 1): Effect.Effect<void> {
    return Metric.set(Metric.tagged(openGauge, "store", this.options.store), state)
  }

  private pause(failure: Failure, pause: number): Effect.Effect<void> {
    return Effect.flatMap(steadyMillis, (now) => {
      const isNews = this.open === undefined
      this.open = { until: now + pause, pause, reason: failure.message }
      const { store } = this.options
      const said = tell({
        level: isNews ? LogLevel.Warning : LogLevel.Debug,
        message: `${store} is left alone for ${pause} ms: ${failure.message}`,
        about: { store, millis: pause, operation: "operation" in failure ? failure.operation : undefined },
        more: [failure.hint]
      })
      return isNews ? Effect.zipRight(this.show(1), said) : said
    })
  }
}

/** A failure that may pass: those of what was asked for tell nothing of the store. */
const passing = (exit: Exit.Exit<unknown, unknown>): Failure | undefined =>
  Exit.isFailure(exit) && exit.cause._tag === "Fail" && CacheError.isTransient(exit.cause.error)
    ? (exit.cause.error as Failure)
    : undefined

/** What a Schema does not accept is stored nowhere, and changes nothing. */
export const isRefused = (exit: Exit.Exit<unknown, unknown>): boolean =>
  Exit.isFailure(exit) && exit.cause._tag === "Fail" && exit.cause.error instanceof CacheError.CodecError

/** A region behind a breaker, and what it has to be told. */
export interface Guarded<in out A, in out E> {
  readonly region: CacheStore.Region<A, E>
  readonly owed: Owed
}

/**
 * The same region behind a breaker. What the store could not be told to invalidate it is told before anything else, when
 * it is there again: until then it answers nothing.
 */
export const around = <A, E>(region: CacheStore.Region<A, E>, breaker: Breaker): Guarded<A, E> => {
  const owed = new Owed()
  const run = <X, E2>(effect: Effect.Effect<X, E2 | Failure>) =>
    breaker.run(Effect.suspend(() => (owed.isNothing ? effect : Effect.zipRight(owed.settle(region), effect))))
  /** It is owed until it is known to have been done, unless it was refused for what it is. */
  const invalidate = <X, E2>(owe: () => void, effect: Effect.Effect<X, E2 | Failure>) =>
    Effect.onExit(run(effect), (exit) =>
      Effect.sync(() => (Exit.isSuccess(exit) || isRefused(exit) ? undefined : owe()))
    )
  const guarded: CacheStore.Region<A, E> = {
    ...region,
    getMany: (keys) => run(region.getMany(keys)),
    setMany: (writes) => {
      const explicit = writes.flatMap(({ key, since }) => (since === undefined ? [key] : []))
      return explicit.length === 0
        ? run(region.setMany(writes))
        : invalidate(() => owed.owesKeys(explicit), region.setMany(writes))
    },
    deleteMany: (keys) => invalidate(() => owed.owesKeys(keys), region.deleteMany(keys)),
    invalidateTags: (tags) => invalidate(() => owed.owesTags(tags), region.invalidateTags(tags)),
    invalidateAll: invalidate(() => owed.owesEverything(), region.invalidateAll),
    clear: invalidate(() => owed.owesEverything(), region.clear),
    inspect: (key) => run(region.inspect(key)),
    entries: Stream.unwrap(run(Effect.succeed(region.entries))),
    sizes: run(region.sizes)
  }
  return { region: guarded, owed }
}
