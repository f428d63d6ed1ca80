/**
 * The one place with a timer of the platform: `Clock.sleep` keeps a process alive as long as it sleeps, and whoever only
 * cleans up must not. Any other `Clock` than the real world's is slept by as ever, so time is a service here too.
 */
import * as Effect from "effect/Effect"
import { clockOf, isLive } from "./steady.js"

/** What a timer of the platform can wait for, in milliseconds; beyond it, it does not wait at all. */
const longestTimer = 2 ** 31 - 1

/** A sleep that a process with nothing else to do does not wait for. At most some 24 days. */
export const idleSleep = (millis: number): Effect.Effect<void> =>
  Effect.withFiberRuntime((fiber) =>
    isLive(clockOf(fiber))
      ? Effect.async<void>((resume) => {
          const timer = setTimeout(() => resume(Effect.void), Math.min(millis, longestTimer)) as NodeJS.Timeout | number
          // a number in browsers, where nobody waits for it
          if (typeof timer === "object") timer.unref()
          return Effect.sync(() => clearTimeout(timer))
        })
      : Effect.sleep(millis)
  )
