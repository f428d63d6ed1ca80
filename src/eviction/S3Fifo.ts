/**
 * S3-FIFO: what is not wanted a second time soon goes quickly; the rest stays in a clock.
 *
 * Yang, Zhang, Qiu, Yue and Rashmi, "FIFO queues are all you need for cache eviction", SOSP 2023. A small queue of a
 * tenth of the slots, where what is new is tried out; a main queue; and a memory of what has left the small one without
 * success, which goes to the main queue at once when it comes back. A hit raises one counter.
 *
 * Strong on what is skewed and on scans; weak on loops and where a second use comes late.
 *
 * @since 0.1.0
 */
import * as BySlot from "./internal/bySlot.js"
import { Ghosts, unknown } from "./internal/ghosts.js"
import { Lists } from "./internal/lists.js"
import type { Policy } from "./Policy.js"

const small = 0
const main = 1
/** The small queue's part of all. */
const smallPart = 0.1
/** Uses in the small queue that are worth a place in the main one. */
const usesToStay = 2
/** Uses are counted no further. */
const maxUses = 3

class Queues implements Policy {
  private readonly lists = new Lists(2)
  private readonly ghosts = new Ghosts()
  private readonly sizes = [0, 0]
  private uses = BySlot.bytes()
  private queues = BySlot.bytes()
  private hashes = BySlot.integers()

  onInsert(slot: number, hash: number): void {
    this.uses = BySlot.withRoomFor(this.uses, slot)
    this.queues = BySlot.withRoomFor(this.queues, slot)
    this.hashes = BySlot.withRoomFor(this.hashes, slot)
    this.uses[slot] = 0
    this.hashes[slot] = hash
    const departure = this.ghosts.take(hash)
    const isKnown = departure !== unknown && this.ghosts.since(departure) < this.sizes[main]!
    this.enqueue(isKnown ? main : small, slot)
  }

  onHit(slot: number): void {
    const uses = this.uses[slot]!
    if (uses < maxUses) this.uses[slot] = uses + 1
  }

  onReplace(slot: number): void {
    this.onHit(slot)
  }

  remove(slot: number): void {
    this.lists.remove(slot)
    this.sizes[this.queues[slot]!]!--
  }

  private enqueue(queue: number, slot: number): void {
    this.queues[slot] = queue
    this.lists.add(queue, slot)
    this.sizes[queue]!++
  }

  evict(): number {
    const count = this.sizes[small]! + this.sizes[main]!
    while (this.sizes[small]! > 0 && (this.sizes[small]! >= count * smallPart || this.sizes[main] === 0)) {
      const slot = this.lists.oldest(small)
      this.remove(slot)
      if (this.uses[slot]! < usesToStay) {
        this.ghosts.reserve(count)
        this.ghosts.add(this.hashes[slot]!, small)
        return slot
      }
      this.uses[slot] = 0
      this.enqueue(main, slot)
    }
    return this.evictMain()
  }

  private evictMain(): number {
    for (;;) {
      const slot = this.lists.oldest(main)
      if (slot < 0) return -1
      if (this.uses[slot] === 0) {
        this.remove(slot)
        return slot
      }
      this.uses[slot]!--
      this.lists.renew(main, slot)
    }
  }

  ranked(): ReadonlyArray<number> {
    return [...this.lists.fromNewest(main), ...this.lists.fromNewest(small)]
  }
}

/**
 * O(1) for a hit and a write; an eviction passes over what was used, each of which costs one hit.
 *
 * @example
 * ```ts
 * import * as S3Fifo from "effect-larder/S3Fifo"
 *
 * const policy = S3Fifo.make()
 * policy.onInsert(0, 0, Infinity)
 * policy.onInsert(1, 1, Infinity)
 * policy.onHit(0)
 * console.log(policy.evict()) // 1
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (): Policy => new Queues()
