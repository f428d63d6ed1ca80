/**
 * Least recently used: evicts what has not been read or written for longest.
 *
 * The classic doubly linked list, kept in one typed array indexed by slot: no allocation per access, O(1) each.
 * Slots are small integers that the owner hands out and takes back.
 *
 * @since 0.1.0
 */

import type { Policy } from "./Policy.js"

const initialSlots = 64

/** From a place's link to the next newer place to its link to the next older one, side by side in one cache line. */
const older = 1

/**
 * Place 0 of the list is its head, slot `n` has place `n + 1`: the head is its own neighbour when the list is empty, so
 * that linking and unlinking need no special case.
 *
 * @example
 * ```ts
 * import * as Lru from "effect-larder/Lru"
 *
 * const policy = Lru.make()
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
  let links = new Uint32Array(2 * (initialSlots + 1))

  const grow = (index: number): void => {
    const wider = new Uint32Array(Math.max(2 * (index + 1), links.length * 2))
    wider.set(links)
    links = wider
  }
  const linkNewest = (index: number): void => {
    const newest = links[older]!
    links[older] = index
    links[2 * newest] = index
    links[2 * index + older] = newest
    links[2 * index] = 0
  }
  const unlink = (index: number): void => {
    const next = links[2 * index]!
    const previous = links[2 * index + older]!
    links[2 * next + older] = previous
    links[2 * previous] = next
  }
  const onHit = (slot: number): void => {
    if (links[older] === slot + 1) return
    unlink(slot + 1)
    linkNewest(slot + 1)
  }
  return {
    onInsert: (slot) => {
      if (2 * (slot + 1) >= links.length) grow(slot + 1)
      linkNewest(slot + 1)
    },
    onHit,
    onReplace: onHit,
    remove: (slot) => unlink(slot + 1),
    evict: () => {
      const oldest = links[0]!
      if (oldest !== 0) unlink(oldest)
      return oldest - 1
    },
    ranked: () => {
      const slots: Array<number> = []
      for (let index = links[older]!; index !== 0; index = links[2 * index + older]!) slots.push(index - 1)
      return slots
    }
  }
}
