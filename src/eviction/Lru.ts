/**
 * Least recently used: evicts what has not been read or written for longest.
 *
 * Good where what was wanted lately is wanted again. One pass over more than there is room for (a scan, a loop) empties
 * it of all that was worth keeping.
 *
 * @since 0.1.0
 */
import { ordered } from "./internal/ordered.js"
import type { Policy } from "./Policy.js"

/**
 * One doubly linked list. O(1) each, no allocation per access.
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
export const make = (): Policy => ordered({ renews: true, evicts: "oldest" })
