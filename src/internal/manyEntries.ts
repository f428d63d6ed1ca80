/** More entries than a process may have the memory for: allowed, and told once. */
import * as Effect from "effect/Effect"
import * as Constants from "./constants.js"

export const warnManyEntries = (maxEntries: number): Effect.Effect<void> =>
  maxEntries > Constants.manyEntries
    ? Effect.logWarning(`larder: maxEntries=${maxEntries} may cause memory issues`)
    : Effect.void
