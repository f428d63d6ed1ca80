/**
 * Least recently used: evicts what has not been read or written for longest.
 *
 * The classic doubly linked list, kept in two typed arrays indexed by slot: no allocation per access, O(1) each.
 * Slots are small integers that the owner hands out and takes back.
 *
 * @since 0.1.0
 */

/**
 * What a memory store asks of an eviction policy. A slot is *in* between `onInsert` and `remove` or `evict`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Policy {
  /** The slot was filled. It must not be in. */
  readonly onInsert: (slot: number) => void
  /** The slot was read or overwritten. It must be in. */
  readonly onHit: (slot: number) => void
  /** The slot was emptied by its owner. It must be in. */
  readonly remove: (slot: number) => void
  /** Takes out the slot to give up next, or answers -1 when none is in. */
  readonly evict: () => number
}

const initialSlots = 64

/**
 * Index 0 of the arrays is the list's head, slot `n` lives at `n + 1`: the head is its own neighbour when the list is
 * empty, so that linking and unlinking need no special case.
 *
 * @example
 * ```ts
 * import * as Lru from "effect-larder/Lru"
 *
 * const policy = Lru.make()
 * policy.onInsert(0)
 * policy.onInsert(1)
 * policy.onHit(0)
 * console.log(policy.evict()) // 1
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (): Policy => {
  let newer = new Uint32Array(initialSlots + 1)
  let older = new Uint32Array(initialSlots + 1)

  const grow = (index: number): void => {
    const size = Math.max(index + 1, newer.length * 2)
    const wider = (from: Uint32Array): Uint32Array<ArrayBuffer> => {
      const to = new Uint32Array(size)
      to.set(from)
      return to
    }
    newer = wider(newer)
    older = wider(older)
  }
  const linkNewest = (index: number): void => {
    const newest = older[0]!
    older[0] = index
    newer[newest] = index
    older[index] = newest
    newer[index] = 0
  }
  const unlink = (index: number): void => {
    older[newer[index]!] = older[index]!
    newer[older[index]!] = newer[index]!
  }
  return {
    onInsert: (slot) => {
      if (slot + 1 >= newer.length) grow(slot + 1)
      linkNewest(slot + 1)
    },
    onHit: (slot) => {
      if (older[0] === slot + 1) return
      unlink(slot + 1)
      linkNewest(slot + 1)
    },
    remove: (slot) => unlink(slot + 1),
    evict: () => {
      const oldest = newer[0]!
      if (oldest !== 0) unlink(oldest)
      return oldest - 1
    }
  }
}
