/**
 * Least frequently used: evicts what was used least often since it came; of several, what was used longest ago.
 *
 * Shah, Mitra and Matani, "An O(1) algorithm for implementing the LFU cache eviction scheme" (2010). What was wanted
 * often once stays for long after nobody wants it any more; `TinyLfu` is the same idea with a memory that fades.
 *
 * @since 0.1.0
 */
import * as BySlot from "./internal/bySlot.js"
import { Lists } from "./internal/lists.js"
import type { Policy } from "./Policy.js"

/** Uses beyond this are not told apart: of what has so many, what was used longest ago goes first. */
const maxCount = 65_535

/** Not a slot: no slot has that count. */
const none = 0

/**
 * All slots are one chain, by count and then by use, and `last` remembers where each count ends in it. So one that is
 * used once more goes right behind those of the next count. O(1) each, no allocation per access.
 *
 * @example
 * ```ts
 * import * as Lfu from "effect-larder/Lfu"
 *
 * const policy = Lfu.make()
 * policy.onInsert(0, 0, Infinity)
 * policy.onInsert(1, 1, Infinity)
 * policy.onHit(0)
 * console.log(policy.evict()) // 1
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (): Policy => {
  const chain = new Lists()
  let counts = BySlot.integers()
  /** By count: the newest slot that has it, plus one. */
  let last = BySlot.integers()

  /** The slot no longer ends its count; the one before it does, if it has the same. */
  const leave = (slot: number): void => {
    const count = counts[slot]!
    if (last[count] !== slot + 1) return
    const before = chain.older(slot)
    last[count] = before >= 0 && counts[before] === count ? before + 1 : none
  }
  const remove = (slot: number): void => {
    leave(slot)
    chain.remove(slot)
  }
  const use = (slot: number): void => {
    const count = counts[slot]!
    const more = Math.min(count + 1, maxCount)
    last = BySlot.withRoomFor(last, more)
    leave(slot)
    // behind those of the new count, or else where those of the old one end
    const anchor = last[more]! || last[count]! || chain.older(slot) + 1
    if (anchor !== slot + 1) {
      chain.remove(slot)
      chain.addAfter(anchor - 1, slot)
    }
    counts[slot] = more
    last[more] = slot + 1
  }
  return {
    onInsert: (slot) => {
      counts = BySlot.withRoomFor(counts, slot)
      counts[slot] = 1
      chain.addAfter(last[1]! - 1, slot)
      last[1] = slot + 1
    },
    onHit: use,
    onReplace: use,
    remove,
    evict: () => {
      const slot = chain.oldest(0)
      if (slot >= 0) remove(slot)
      return slot
    },
    ranked: () => chain.fromNewest(0)
  }
}
