/**
 * Soonest over: evicts what would be the first to end by itself.
 *
 * For entries with lifetimes of their own, of which those that live longest are worth most. Among entries that never
 * end, and others that end at the same time, it is first in, first out.
 *
 * @since 0.1.0
 */
import * as BySlot from "./internal/bySlot.js"
import type { Policy } from "./Policy.js"

/** A binary heap of slots, the one that ends first on top. `places[slot]` is where a slot is in it. */
class Heap {
  private slots = BySlot.integers()
  private places = BySlot.integers()
  private ends = BySlot.floats()
  /** When each came: what ends at the same time goes in the order in which it came. */
  private arrivals = BySlot.floats()
  private arrived = 0
  count = 0

  private before(a: number, b: number): boolean {
    const endA = this.ends[a]!
    const endB = this.ends[b]!
    return endA < endB || (endA === endB && this.arrivals[a]! < this.arrivals[b]!)
  }

  private put(slot: number, place: number): void {
    this.slots[place] = slot
    this.places[slot] = place
  }

  private rise(slot: number, from: number): void {
    let place = from
    while (place > 0) {
      const parent = (place - 1) >>> 1
      const above = this.slots[parent]!
      if (!this.before(slot, above)) break
      this.put(above, place)
      place = parent
    }
    this.put(slot, place)
  }

  private sink(slot: number, from: number): void {
    let place = from
    for (;;) {
      let child = 2 * place + 1
      if (child >= this.count) break
      if (child + 1 < this.count && this.before(this.slots[child + 1]!, this.slots[child]!)) child++
      const below = this.slots[child]!
      if (!this.before(below, slot)) break
      this.put(below, place)
      place = child
    }
    this.put(slot, place)
  }

  add(slot: number, end: number): void {
    this.slots = BySlot.withRoomFor(this.slots, this.count)
    this.places = BySlot.withRoomFor(this.places, slot)
    this.ends = BySlot.withRoomFor(this.ends, slot)
    this.arrivals = BySlot.withRoomFor(this.arrivals, slot)
    this.ends[slot] = end
    this.arrivals[slot] = this.arrived++
    this.rise(slot, this.count++)
  }

  remove(slot: number): void {
    const place = this.places[slot]!
    const last = this.slots[--this.count]!
    if (last === slot) return
    this.sink(last, place)
    this.rise(last, this.places[last]!)
  }

  first(): number {
    return this.count === 0 ? -1 : this.slots[0]!
  }

  lastFirst(): Array<number> {
    return [...this.slots.subarray(0, this.count)].sort((a, b) => (this.before(a, b) ? 1 : -1))
  }
}

/**
 * O(log n) for a write or an eviction, nothing for a hit.
 *
 * @example
 * ```ts
 * import * as Ttl from "effect-larder/Ttl"
 *
 * const policy = Ttl.make()
 * policy.onInsert(0, 0, 2_000)
 * policy.onInsert(1, 1, 1_000)
 * console.log(policy.evict()) // 1
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (): Policy => {
  const heap = new Heap()
  return {
    onInsert: (slot, _hash, expiresAt) => heap.add(slot, expiresAt),
    onHit: () => {},
    onReplace: (slot, expiresAt) => {
      heap.remove(slot)
      heap.add(slot, expiresAt)
    },
    remove: (slot) => heap.remove(slot),
    evict: () => {
      const slot = heap.first()
      if (slot >= 0) heap.remove(slot)
      return slot
    },
    ranked: () => heap.lastFirst()
  }
}
