/**
 * The deadlines of all loads of one cache, or all operations of one store, watched by one fiber.
 *
 * A timer for each load would cost more than most loads. So one fiber, there only while loads are in the air, sleeps
 * until the earliest deadline. It wakes now and then before that, to end soon after the last load has landed: after
 * as long again as the oldest load has been in the air, so that a load that hangs for long is looked at a few times.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Runtime from "effect/Runtime"
import type { SteadyClock } from "./steady.js"
import { runtimeOf } from "./inherit.js"
import { clockOf } from "./steady.js"

type AnyFiber = Fiber.RuntimeFiber<unknown, unknown>

/** Milliseconds that the watch goes on at most when nothing has been in the air for longer. */
const linger = 100

/** Something with an end that it may not live to see. */
export interface Watched {
  /** Called once, at the deadline or a little after. */
  readonly expire: () => void
  readonly since: number
  readonly until: number
}

export class Deadlines {
  private readonly watched = new Set<Watched>()
  private watch: Fiber.RuntimeFiber<void> | undefined
  /** Of the watch: two clocks need not agree on what a deadline is. */
  private clock: Clock.Clock | undefined
  private wakesAt = 0

  constructor(private readonly steady: SteadyClock) {}

  /** Answers how to be rid of it again. `runtime` is asked for only where there is no watch yet that it could join. */
  add(item: Watched, caller: AnyFiber, runtime = () => runtimeOf(undefined, caller)): () => void {
    const clock = clockOf(caller)
    if (this.watch !== undefined && (clock !== this.clock || item.until < this.wakesAt)) {
      return alone(item, this.steady.now(caller), runtime())
    }
    this.watched.add(item)
    if (this.watch === undefined) this.begin(clock, runtime())
    return () => void this.watched.delete(item)
  }

  private begin(clock: Clock.Clock, runtime: Runtime.Runtime<never>): void {
    this.clock = clock
    const round: Effect.Effect<void> = Effect.withFiberRuntime((fiber) => {
      const now = this.steady.now(fiber)
      let oldest = now
      let earliest = Infinity
      for (const item of this.watched) {
        if (item.until <= now) {
          this.watched.delete(item)
          item.expire()
        } else {
          oldest = Math.min(oldest, item.since)
          earliest = Math.min(earliest, item.until)
        }
      }
      if (earliest === Infinity) {
        this.watch = undefined
        return Effect.void
      }
      this.wakesAt = Math.min(earliest, now + Math.max(linger, now - oldest))
      return Effect.flatMap(Effect.sleep(this.wakesAt - now), () => round)
    })
    // it is in place before its first round: what that finds expired may begin something new
    this.wakesAt = -Infinity
    this.watch = Runtime.runFork(runtime)(round, { immediate: false })
  }

  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    const { watch } = this
    this.watch = undefined
    return watch === undefined ? Effect.void : Effect.asVoid(watch.interruptAsFork(FiberId.none))
  })
}

/** Where the common watch would come too late. */
const alone = (item: Watched, now: number, runtime: Runtime.Runtime<never>): (() => void) => {
  const timer = Runtime.runFork(runtime)(
    Effect.zipRight(
      Effect.sleep(Math.max(0, item.until - now)),
      Effect.sync(() => item.expire())
    )
  )
  return () => timer.unsafeInterruptAsFork(FiberId.none)
}
