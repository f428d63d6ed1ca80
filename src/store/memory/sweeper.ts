/**
 * The one maintenance fiber of a memory store: gives back the room of what is over, for whoever does not come back to
 * read it. It is there only while something in the store can end, and looks at all of it at most once in `every`
 * milliseconds; entries that never end cost it nothing.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Runtime from "effect/Runtime"
import { idleSleep } from "../../internal/idleSleep.js"
import { steadyMillis } from "../../internal/steady.js"
import type { Pool } from "./pool.js"

/** So many slots are looked at before others get their turn. */
const chunk = 4_096

export class Sweeper {
  private fiber: Fiber.RuntimeFiber<void> | undefined
  private wakesAt = Infinity
  private earliest = Infinity
  private isSweeping = false
  private isClosed = false

  constructor(
    private readonly pool: () => Pool,
    private readonly every: number,
    private readonly runtime: Runtime.Runtime<never>
  ) {}

  /** Something may be over at that time. */
  readonly expect = (endsAt: number): void => {
    if (endsAt < this.earliest) this.earliest = endsAt
    // who sleeps longer than that by more than one round is woken
    if (this.isSweeping || this.isClosed) return
    if (this.fiber === undefined || endsAt + this.every < this.wakesAt) this.begin()
  }

  private begin(): void {
    this.fiber?.unsafeInterruptAsFork(FiberId.none)
    this.wakesAt = -Infinity // until it has looked at the clock
    this.fiber = Runtime.runFork(this.runtime)(this.rounds, { immediate: false })
  }

  private readonly rounds: Effect.Effect<void> = Effect.flatMap(steadyMillis, (now) => {
    if (this.earliest === Infinity) {
      this.fiber = undefined
      return Effect.void
    }
    const nap = Math.max(this.every, this.earliest - now)
    this.wakesAt = now + nap
    return idleSleep(nap).pipe(
      Effect.zipRight(this.sweep),
      Effect.flatMap(() => this.rounds)
    )
  })

  private readonly sweep: Effect.Effect<void> = Effect.flatMap(steadyMillis, (now) => {
    const pool = this.pool()
    // from here on it holds what is expected meanwhile, and what this round leaves
    this.earliest = Infinity
    this.isSweeping = true
    const from = (slot: number): Effect.Effect<void> =>
      Effect.suspend(() => {
        this.earliest = Math.min(this.earliest, pool.sweep(now, slot, slot + chunk))
        const next = slot + chunk
        if (next < pool.slots) return Effect.zipRight(Effect.yieldNow(), from(next))
        this.isSweeping = false
        return Effect.void
      })
    return from(0)
  })

  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    this.isClosed = true
    return this.fiber === undefined ? Effect.void : Effect.asVoid(Fiber.interrupt(this.fiber))
  })
}
