/**
 * Most recently used: evicts what was read or written last.
 *
 * For loops over more than there is room for, where what was just used is what will not be needed for longest (Chou
 * and DeWitt, "An evaluation of buffer management strategies for relational database systems", VLDB 1985).
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
 * import * as Mru from "effect-larder/Mru"
 *
 * const policy = Mru.make()
 * policy.onInsert(0, 0, Infinity)
 * policy.onInsert(1, 1, Infinity)
 * policy.onHit(0)
 * console.log(policy.evict()) // 0
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (): Policy => ordered({ renews: true, evicts: "newest" })
