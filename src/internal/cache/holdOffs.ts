/**
 * Which keys' sources are left alone for a while because their last load has failed, and what it failed with.
 *
 * In this process, and bounded: beyond `maxHoldOffs` keys the one that failed longest ago is forgotten, and its source
 * may be asked again.
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schedule from "effect/Schedule"
import * as Decision from "effect/ScheduleDecision"
import * as Intervals from "effect/ScheduleIntervals"
import * as Check from "../options.js"
import { isSchedule } from "./options.js"

type AnySchedule = Schedule.Schedule<unknown, unknown>

export const maxHoldOffs = 10_000

interface HoldOff<E> {
  readonly exit: Exit.Exit<never, E>
  readonly until: number
  /** Of the Schedule, after the failures in a row so far. */
  readonly state: unknown
  readonly delay: number
}

export class HoldOffs<E> {
  private readonly byKey = new Map<string, HoldOff<E>>()

  constructor(
    private readonly schedule: AnySchedule | undefined,
    /** Milliseconds that it lasts at least. */
    private readonly least: number
  ) {}

  /** What the last load failed with, as long as the next one has to wait. */
  active(id: string, now: number): Exit.Exit<never, E> | undefined {
    const present = this.byKey.get(id)
    return present !== undefined && now < present.until ? present.exit : undefined
  }

  forget(id: string): void {
    this.byKey.delete(id)
  }

  forgetAll(): void {
    this.byKey.clear()
  }

  /** A load has failed at `now`. */
  failed(id: string, cause: Cause.Cause<E>, now: number): Effect.Effect<void> {
    const exit = Exit.failCause(cause)
    const last = this.byKey.get(id)
    const { schedule } = this
    if (schedule === undefined) return Effect.sync(() => this.put(id, { exit, until: now, state: undefined, delay: 0 }))
    const state: unknown = last === undefined ? schedule.initial : last.state
    return Effect.map(
      schedule.step(now, Cause.squash(cause), state),
      ([next, , decision]: readonly [unknown, unknown, Decision.ScheduleDecision]) => {
        // a Schedule that has ended goes on with its last delay
        const delay = Decision.isContinue(decision)
          ? Math.max(0, Intervals.start(decision.intervals) - now)
          : (last?.delay ?? 0)
        this.put(id, { exit, until: now + delay, state: next, delay })
      }
    )
  }

  private put(id: string, holdOff: HoldOff<E>): void {
    this.byKey.delete(id)
    const begun = holdOff.until - holdOff.delay
    this.byKey.set(id, { ...holdOff, until: Math.max(holdOff.until, begun + this.least) })
    if (this.byKey.size > maxHoldOffs) this.byKey.delete(this.byKey.keys().next().value!)
  }
}

export const holdOffsOf = <E>(options: {
  readonly backoff?: unknown
  readonly shareFailures?: unknown
}): HoldOffs<E> | undefined => {
  const { backoff, shareFailures } = options
  if (backoff === undefined && shareFailures === undefined) return undefined
  const least = shareFailures === undefined ? 0 : Check.millisOf(shareFailures)
  if (backoff === undefined || isSchedule(backoff)) return new HoldOffs(backoff, least)
  return new HoldOffs(Schedule.spaced(Duration.millis(Check.millisOf(backoff))), least)
}
