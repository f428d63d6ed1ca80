/**
 * First in, first out: evicts what came first, used or not.
 *
 * The cheapest order there is, and an even lifetime for all. It gives up what is wanted most as readily as the rest.
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
 * import * as Fifo from "effect-larder/Fifo"
 *
 * const policy = Fifo.make()
 * policy.onInsert(0, 0, Infinity)
 * policy.onInsert(1, 1, Infinity)
 * policy.onHit(0)
 * console.log(policy.evict()) // 0
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (): Policy => ordered({ renews: false, evicts: "oldest" })
