/** More entries than a process may have the memory for: allowed, and told once. */
import * as Effect from "effect/Effect"
import * as LogLevel from "effect/LogLevel"
import * as Constants from "./constants.js"
import { tell } from "./tell.js"

export const warnManyEntries = (maxEntries: number): Effect.Effect<void> =>
  maxEntries > Constants.manyEntries
    ? tell({
        level: LogLevel.Warning,
        message: `maxEntries=${maxEntries} may cause memory issues`,
        about: { maxEntries }
      })
    : Effect.void
