/**
 * What a cache has done so far, in numbers.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * How much one tier holds for a cache: entries that may still be served, and their bytes.
 *
 * @since 0.1.0
 * @category models
 */
export class TierSize extends Schema.Class<TierSize>("effect-larder/CacheStats/TierSize")({
  store: Schema.String,
  tier: Schema.Number,
  entries: Schema.Number,
  bytes: Schema.Number
}) {}

/**
 * A snapshot of a cache's counters. The seven outcomes add up to `gets`; see `CacheResult.Outcome` for what they mean.
 * Times are in milliseconds.
 *
 * @since 0.1.0
 * @category models
 */
export class CacheStats extends Schema.Class<CacheStats>("effect-larder/CacheStats")({
  name: Schema.String,
  fresh: Schema.Number,
  stale: Schema.Number,
  loaded: Schema.Number,
  joined: Schema.Number,
  failsafe: Schema.Number,
  bypassed: Schema.Number,
  failed: Schema.Number,
  /** Lookups that loads ran, and how many of those did not succeed. Bypasses are not loads. */
  loads: Schema.Number,
  loadFailures: Schema.Number,
  /** Time spent in loads. */
  loadMillis: Schema.Number,
  /** Time that the loads would have taken which hits made unnecessary. */
  savedMillis: Schema.Number,
  /** Failures of the store that a get went on without. */
  storeFailures: Schema.Number,
  /** Loads in the air now. */
  inFlight: Schema.Number,
  /** Nearest tier first. */
  tiers: Schema.Array(TierSize)
}) {
  /**
   * All gets so far that have ended.
   *
   * @since 0.1.0
   */
  get gets(): number {
    return this.hits + this.misses + this.bypassed
  }
  /**
   * Gets that were served from a store.
   *
   * @since 0.1.0
   */
  get hits(): number {
    return this.fresh + this.stale
  }
  /**
   * Gets that needed a load, or failed. A bypass is neither hit nor miss.
   *
   * @since 0.1.0
   */
  get misses(): number {
    return this.loaded + this.joined + this.failsafe + this.failed
  }
  /**
   * Hits among hits and misses, from 0 to 1; 0 before the first get.
   *
   * @since 0.1.0
   */
  get hitRatio(): number {
    const all = this.hits + this.misses
    return all === 0 ? 0 : this.hits / all
  }
}
