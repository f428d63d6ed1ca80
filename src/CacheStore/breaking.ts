/** Breakers as their options say. */
import type * as Effect from "effect/Effect"
import type * as CacheError from "../CacheError.js"
import * as Options from "../internal/options.js"
import * as Breaker from "../internal/store/breaker.js"
import type { BreakerOptions } from "./resilience.js"

/** A breaker for a store, from options that were checked. */
export const breakerOf = (store: string, options: BreakerOptions): Breaker.Breaker =>
  new Breaker.Breaker({
    store,
    resetAfter: Options.millisOf(options.resetAfter ?? "1 second"),
    maxResetAfter: Options.millisOf(options.maxResetAfter ?? "30 seconds"),
    failures: options.failures ?? 1
  })

/** Tells all that is wrong with the options. */
export const checkBreaker = (options: BreakerOptions): Effect.Effect<void, CacheError.InvalidConfig> =>
  Options.check(options, {
    resetAfter: Options.positiveDuration,
    maxResetAfter: Options.positiveDuration,
    failures: Options.positiveInteger
  })
