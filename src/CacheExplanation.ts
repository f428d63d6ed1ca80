/**
 * Why a get would hit or miss: what `Cache.explain` answers.
 *
 * @since 0.1.0
 */
import type * as CacheStore from "./CacheStore.js"

/**
 * What a get of the key would do at this moment.
 *
 * - `fresh`, `stale`: it would be served what a store has; `stale`, and have it loaded again behind its back;
 * - `load`: it would wait for a load;
 * - `join`: for one that is in the air already;
 * - `heldOff`: the source is left alone for this key, so it would get what is there, or the last failure again;
 * - `bypass`: the lookup would just run, and nothing be read or stored.
 *
 * @since 0.1.0
 * @category models
 */
export type Verdict = "fresh" | "stale" | "load" | "join" | "heldOff" | "bypass"

/**
 * A verdict, and all that has led to it.
 *
 * @since 0.1.0
 * @category models
 */
export interface CacheExplanation<out A, out E> {
  readonly verdict: Verdict
  /** For people, the most decisive last: `"tier 1 (MemoryStore): tag org:7 epoch 12 > entry 9"`. */
  readonly reasons: ReadonlyArray<string>
  /** What each tier knows of the key, nearest first. */
  readonly tiers: ReadonlyArray<CacheStore.Inspection<A, E>>
}
