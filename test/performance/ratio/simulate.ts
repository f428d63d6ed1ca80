/** Replays accesses through a policy, or through the optimum that knows the future. */
import type { Policy } from "effect-larder/Policy"

/** Accesses by number: equal numbers are equal keys, and there are no gaps. */
export interface Trace {
  readonly name: string
  readonly accesses: Int32Array
  /** How many different keys there are. */
  readonly keys: number
}

/** A key's 32 bits, with nothing of the key's own order in them. */
const hashOf = (key: number): number => {
  const mixed = Math.imul((key + 1) ^ (key >>> 15), 0x2c1b3c6d)
  return Math.imul(mixed ^ (mixed >>> 12), 0x297a2d39)
}

/** Hits among all accesses, from 0 to 1, of a cache for `size` keys. */
export const replay = ({ accesses, keys }: Trace, policy: Policy, size: number): number => {
  const slots = new Int32Array(keys).fill(-1)
  const present = new Int32Array(size)
  let count = 0
  let hits = 0
  for (const key of accesses) {
    let slot = slots[key]!
    if (slot >= 0) {
      hits++
      policy.onHit(slot)
      continue
    }
    if (count < size) {
      slot = count++
    } else {
      slot = policy.evict()
      slots[present[slot]!] = -1
    }
    present[slot] = key
    slots[key] = slot
    policy.onInsert(slot, hashOf(key), Infinity)
  }
  return hits / accesses.length
}

/** By access: when its key is asked for next, or later than any if it never is. */
const nextUses = ({ accesses, keys }: Trace): Int32Array => {
  const never = accesses.length
  const next = new Int32Array(accesses.length)
  const seen = new Int32Array(keys).fill(never)
  for (let at = accesses.length - 1; at >= 0; at--) {
    const key = accesses[at]!
    next[at] = seen[key]!
    seen[key] = at
  }
  return next
}

/**
 * Belady, "A study of replacement algorithms for a virtual-storage computer", IBM Systems Journal 5 (1966): gives up
 * what will not be asked for for longest, and does not even take in what would be that. No cache does better.
 */
export const optimum = (trace: Trace, size: number): number => {
  const { accesses } = trace
  const next = nextUses(trace)
  const nextOf = new Int32Array(trace.keys).fill(-1)
  // a heap of next uses, the latest on top; what is out of date in it is thrown away when it comes up
  const heap: Array<number> = []
  const push = (at: number): void => {
    let place = heap.length
    heap.push(at)
    while (place > 0) {
      const parent = (place - 1) >>> 1
      if (heap[parent]! >= at) break
      heap[place] = heap[parent]!
      place = parent
    }
    heap[place] = at
  }
  const pop = (): void => {
    const last = heap.pop()!
    if (heap.length === 0) return
    let place = 0
    for (;;) {
      let child = 2 * place + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && heap[child + 1]! > heap[child]!) child++
      if (heap[child]! <= last) break
      heap[place] = heap[child]!
      place = child
    }
    heap[place] = last
  }
  const never = accesses.length
  let count = 0
  let hits = 0
  /** Keys of uses still to come: the use at a time is of one key only. Those that never come need none. */
  for (let at = 0; at < accesses.length; at++) {
    const key = accesses[at]!
    if (nextOf[key] === at) {
      hits++
      count--
    }
    nextOf[key] = -1
    const use = next[at]!
    if (use === never) continue // nothing is gained by keeping it
    if (count === size) {
      while (nextOf[accesses[heap[0]!]!] !== heap[0]) pop()
      const latest = heap[0]!
      if (latest <= use) continue
      nextOf[accesses[latest]!] = -1
      pop()
      count--
    }
    nextOf[key] = use
    push(use)
    count++
  }
  return hits / accesses.length
}
