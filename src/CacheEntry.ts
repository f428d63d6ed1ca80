/**
 * What a store keeps for one key. Immutable.
 *
 * @since 0.1.0
 */
import type * as Exit from "effect/Exit"

/**
 * One cached outcome of a lookup, with its times.
 *
 * All times are milliseconds since the epoch, by the `Clock` service. `Infinity` means "never".
 *
 * - `createdAt` is when the load *started*, so a value is never thought younger than what it was made from;
 * - the entry is fresh while `now < freshUntil`;
 * - it may be served stale, where the policy allows, while `now < staleUntil`; then it is gone.
 *
 * @since 0.1.0
 * @category models
 */
export interface CacheEntry<out A, out E = never> {
  /** The ready-made answer: a success, or a typed failure that has a time to live of its own. Never a defect. */
  readonly exit: Exit.Exit<A, E>
  readonly createdAt: number
  readonly freshUntil: number
  readonly staleUntil: number
  /** The groups this entry belongs to; `invalidateTags` on any of them makes it unserveable. */
  readonly tags: ReadonlyArray<string>
  /** What the load cost, in milliseconds. */
  readonly loadMillis: number
  /** The whole canonical text of the key, where the store's key is only its digest; see `CacheKey`. */
  readonly keyText: string | undefined
}

/**
 * Whether the entry is fresh at `now`.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isFresh = (entry: CacheEntry<unknown, unknown>, now: number): boolean => now < entry.freshUntil

/**
 * Whether the entry may not be served any more at all, not even stale.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isGone = (entry: CacheEntry<unknown, unknown>, now: number): boolean => now >= entry.staleUntil

/**
 * The entry's age at `now` in milliseconds, never negative.
 *
 * @since 0.1.0
 * @category getters
 */
export const age = (entry: CacheEntry<unknown, unknown>, now: number): number => Math.max(0, now - entry.createdAt)
