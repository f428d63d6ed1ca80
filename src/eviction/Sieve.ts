/**
 * SIEVE: evicts what was not used since the hand came by last.
 *
 * Zhang, Yang, Yue, Vigfusson and Rashmi, "SIEVE is simpler than LRU: an efficient turn-key eviction algorithm for web
 * caches", NSDI 2024. A queue in order of arrival, and a hand that goes from old to new: what was used is passed over
 * once, and unlike in a clock it keeps its place, so that what is new is tried out quickly. A hit sets one byte.
 *
 * Strong on what is skewed, as the web is; weak where what is wanted changes or comes in loops.
 *
 * @since 0.1.0
 */
import * as BySlot from "./internal/bySlot.js"
import { Lists } from "./internal/lists.js"
import type { Policy } from "./Policy.js"

/**
 * O(1) for a hit and a write; an eviction passes over what was used, each of which costs one hit.
 *
 * @example
 * ```ts
 * import * as Sieve from "effect-larder/Sieve"
 *
 * const policy = Sieve.make()
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
  const list = new Lists()
  let used = BySlot.bytes()
  /** The slot to look at next, or below 0 for the oldest. */
  let hand = -1
  const remove = (slot: number): void => {
    if (slot === hand) hand = list.newer(slot)
    list.remove(slot)
  }
  const use = (slot: number): void => {
    used[slot] = 1
  }
  return {
    onInsert: (slot) => {
      used = BySlot.withRoomFor(used, slot)
      used[slot] = 0
      list.add(0, slot)
    },
    onHit: use,
    onReplace: use,
    remove,
    evict: () => {
      let slot = hand >= 0 ? hand : list.oldest(0)
      while (slot >= 0 && used[slot] === 1) {
        used[slot] = 0
        slot = list.newer(slot)
        if (slot < 0) slot = list.oldest(0)
      }
      if (slot < 0) return -1
      hand = slot
      remove(slot)
      return slot
    },
    // what was used stays longer than what was not; beyond that, what is newer does
    ranked: () => {
      const slots = list.fromNewest(0)
      return [...slots.filter((slot) => used[slot] === 1), ...slots.filter((slot) => used[slot] === 0)]
    }
  }
}
