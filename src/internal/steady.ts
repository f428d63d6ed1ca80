/**
 * A clock that does not step.
 *
 * The wall clock may be set forward or back at any moment; entries must neither expire nor live for ever because of
 * that. So at most once a second (and whenever time seems to have gone back) the wall is compared with the monotonic
 * clock, and what it has jumped is taken out. Slow correction (slewing, below 0.1 %) is not a jump: it is followed, so
 * that a long-lived process stays in step with the others that share its store. Between two comparisons reading the
 * time costs one wall-clock call and no allocation.
 *
 * One for the whole process: caches and stores must agree on what time it is, or what one dates the other takes for
 * long gone, or for not yet written.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"

/** Milliseconds between two comparisons. */
const compareEvery = 1_000
/** A difference below this many milliseconds is reading noise. */
const noise = 50
const slewing = 0.001

/** What is known of one `Clock`. */
interface Comparison {
  readonly correction: number
  readonly wall: number
  readonly monotonic: number
}

export class SteadyClock {
  private clock: Clock.Clock | undefined
  private correction = 0
  private lastWall = 0
  /** Of each `Clock` that was ever asked: there is one, but for programs that give some fibers another. */
  private readonly comparisons = new WeakMap<Clock.Clock, Comparison>()

  /** Milliseconds since the epoch, by the fiber's own `Clock`. */
  now(fiber: Fiber.RuntimeFiber<unknown, unknown>): number {
    const clock: Clock.Clock = fiber.currentDefaultServices.unsafeMap.get(Clock.Clock.key)
    const wall = clock.unsafeCurrentTimeMillis()
    const elapsed = wall - this.lastWall
    return elapsed >= 0 && elapsed < compareEvery && clock === this.clock
      ? wall + this.correction
      : this.compare(clock, wall)
  }

  private compare(clock: Clock.Clock, wall: number): number {
    const monotonic = Number(clock.unsafeCurrentTimeNanos() / 1_000n) / 1_000
    const last = this.comparisons.get(clock) ?? { correction: 0, wall, monotonic }
    const passed = monotonic - last.monotonic
    const jump = wall - last.wall - passed
    const jumped = Math.abs(jump) > noise + passed * slewing
    this.clock = clock
    this.correction = jumped ? last.correction - Math.round(jump) : last.correction
    this.lastWall = wall
    this.comparisons.set(clock, { correction: this.correction, wall, monotonic })
    return wall + this.correction
  }
}

/** The clock of this process. */
export const steady = new SteadyClock()

/** Its time, by the `Clock` in force. */
export const steadyMillis: Effect.Effect<number> = Effect.withFiberRuntime((fiber) => Effect.succeed(steady.now(fiber)))
