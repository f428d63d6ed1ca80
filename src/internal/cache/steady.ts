/**
 * A clock that does not step.
 *
 * The wall clock may be set forward or back at any moment; entries must neither expire nor live for ever because of
 * that. So at most once a second (and whenever time seems to have gone back) the wall is compared with the monotonic
 * clock, and what it has jumped is taken out. Slow correction (slewing, below 0.1 %) is not a jump: it is followed, so
 * that a long-lived process stays in step with the others that share its store. Between two comparisons reading the
 * time costs one wall-clock call and no allocation.
 */
import * as Clock from "effect/Clock"
import type * as Fiber from "effect/Fiber"

/** Milliseconds between two comparisons. */
const compareEvery = 1_000
/** A difference below this many milliseconds is reading noise. */
const noise = 50
const slewing = 0.001

export class SteadyClock {
  private clock: Clock.Clock | undefined
  private correction = 0
  private lastWall = 0
  private lastMonotonic = 0

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
    if (clock === this.clock) {
      const passed = monotonic - this.lastMonotonic
      const jump = wall - this.lastWall - passed
      if (Math.abs(jump) > noise + passed * slewing) this.correction -= Math.round(jump)
    } else {
      this.correction = 0
    }
    this.clock = clock
    this.lastWall = wall
    this.lastMonotonic = monotonic
    return wall + this.correction
  }
}
