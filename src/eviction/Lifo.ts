/**
 * Last in, first out: evicts what came last, used or not.
 *
 * For programs that go round and round over more than there is room for: part of the round stays.
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
 * import * as Lifo from "effect-larder/Lifo"
 *
 * const policy = Lifo.make()
 * policy.onInsert(0, 0, Infinity)
 * policy.onInsert(1, 1, Infinity)
 * policy.onHit(0)
 * console.log(policy.evict()) // 1
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (): Policy => ordered({ renews: false, evicts: "newest" })
