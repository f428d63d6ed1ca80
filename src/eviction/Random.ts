/**
 * Random replacement: evicts any.
 *
 * No pattern of accesses is worse for it than for another, and none better. The seed makes it repeatable.
 *
 * @since 0.1.0
 */
import * as BySlot from "./internal/bySlot.js"
import { xorshift } from "./internal/xorshift.js"
import type { Policy } from "./Policy.js"

/**
 * All slots that are in lie side by side in an array; the last one fills the gap of one that goes. O(1) each.
 *
 * @example
 * ```ts
 * import * as Random from "effect-larder/Random"
 *
 * const policy = Random.make({ seed: 1 })
 * policy.onInsert(0, 0, Infinity)
 * console.log(policy.evict()) // 0
 * console.log(policy.evict()) // -1
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = ({ seed = 1 }: { readonly seed?: number } = {}): Policy => {
  const next = xorshift(seed)
  let present = BySlot.integers()
  let places = BySlot.integers()
  let count = 0
  const remove = (slot: number): void => {
    const place = places[slot]!
    const last = present[--count]!
    present[place] = last
    places[last] = place
  }
  return {
    onInsert: (slot) => {
      present = BySlot.withRoomFor(present, count)
      places = BySlot.withRoomFor(places, slot)
      present[count] = slot
      places[slot] = count++
    },
    onHit: () => {},
    onReplace: () => {},
    remove,
    evict: () => {
      if (count === 0) return -1
      const slot = present[next() % count]!
      remove(slot)
      return slot
    },
    ranked: () => [...present.subarray(0, count)]
  }
}
