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
import * as Context from "effect/Context"
import * as DefaultServices from "effect/DefaultServices"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"

/** The clock of the real world. Any other may be moved at will, between two readings too. */
const live = Context.get(DefaultServices.liveServices, Clock.Clock)

/** So many readings within a millisecond are a program that does little else: the next ones may share a reading. */
const crowd = 8
/** At most so many share one. */
const sharers = 256
/**
 * Milliseconds by which the present may be later than a shared reading. That is never older than the synchronous run
 * it was made in, so it is more only if that run holds up the whole program for longer than this.
 */
const wellBefore = 60_000
const settled = Promise.resolve()

/** Milliseconds between two comparisons. */
const compareEvery = 1_000
/** A difference below this many milliseconds is reading noise. */
const noise = 50
const slewing = 0.001

/** Whether it is the clock of the real world. */
export const isLive = (clock: Clock.Clock): boolean => clock === live

/** The `Clock` in force for a fiber. */
export const clockOf = (fiber: Fiber.RuntimeFiber<unknown, unknown>): Clock.Clock =>
  fiber.currentDefaultServices.unsafeMap.get(Clock.Clock.key)

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

  /** What `atMost` last answered with was no reading, but is later than any there could have been. */
  isGuessed = false
  private seen = 0
  private crowding = 0
  private shares = 0
  /** The services, and with them the clock, that the shared reading was made by. */
  private sharedBy: Context.Context<DefaultServices.DefaultServices> | undefined
  private readonly unshare = () => {
    this.shares = 0
    this.crowding = 0
    this.sharedBy = undefined
  }

  /**
   * A time that is not before the present, for telling that something is not over yet. Where many ask within one
   * synchronous run the clock is not read for each of them: then it is `wellBefore` later than the last reading.
   */
  atMost(fiber: Fiber.RuntimeFiber<unknown, unknown>): number {
    if (this.shares > 0 && fiber.currentDefaultServices === this.sharedBy) {
      this.shares--
      this.isGuessed = true
      return this.seen + wellBefore
    }
    const now = this.now(fiber)
    const isClose = this.clock === live && now - this.seen <= 1 && now >= this.seen
    this.isGuessed = false
    this.crowding = isClose ? this.crowding + 1 : 0
    this.seen = now
    if (this.crowding >= crowd) this.share(fiber.currentDefaultServices)
    return now
  }

  private share(services: Context.Context<DefaultServices.DefaultServices>): void {
    this.sharedBy = services
    this.shares = sharers
    // runs as soon as the present synchronous run is over, whatever becomes of it
    void settled.then(this.unshare)
  }

  /** Milliseconds since the epoch, by the fiber's own `Clock`. */
  now(fiber: Fiber.RuntimeFiber<unknown, unknown>): number {
    const clock = clockOf(fiber)
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
