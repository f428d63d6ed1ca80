/**
 * What a memory store asks of an eviction policy.
 *
 * A policy knows slots, not entries: small integers that its owner hands out and takes back, so that a policy is a few
 * typed arrays, indexed by slot, and an access allocates nothing. It has no capacity of its own either. Its owner calls
 * `evict` while there is too much of something (entries, bytes, used memory), and what is in at that moment is as much
 * as there is room for.
 *
 * @since 0.1.0
 */

/**
 * A slot is *in* from `onInsert` to `remove` or `evict`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Policy {
  /**
   * The slot was filled. It must not be in. `hash` is 32 bits that stand for the key, the same whenever the key comes
   * back; `expiresAt` is when the entry is over by itself, in milliseconds, or `Infinity`.
   */
  readonly onInsert: (slot: number, hash: number, expiresAt: number) => void
  /** The slot was read. It must be in. */
  readonly onHit: (slot: number) => void
  /** The slot's entry was replaced by another of the same key. It must be in. */
  readonly onReplace: (slot: number, expiresAt: number) => void
  /** The slot was emptied by its owner. It must be in. */
  readonly remove: (slot: number) => void
  /** Takes out the slot to give up next, or answers -1 when none is in. */
  readonly evict: () => number
  /** All that are in, what would be kept longest first. Takes time in proportion to their number. */
  readonly ranked: () => ReadonlyArray<number>
}
