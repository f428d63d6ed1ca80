/**
 * A memory of keys that have gone, of which only hashes are kept: which were the last, and from where each went.
 *
 * An open table of small buckets: where one is full, its oldest is forgotten. A hash of 32 bits may be taken for
 * another's once in some thousand millions, which makes a policy no worse than a guess does.
 */
import { spread } from "./sketch.js"

const bucketSize = 4
const initialPlaces = 256
/** Departures are counted modulo this: a stamp has 31 bits for when and one for whence. */
const horizon = 0x7fffffff

/** Not a departure. */
export const unknown = -1

export class Ghosts {
  private hashes = new Uint32Array(initialPlaces)
  private stamps = new Uint32Array(initialPlaces)
  private now = 0

  /** Makes room for so many. */
  reserve(count: number): void {
    while (count > this.hashes.length) this.grow()
  }

  private grow(): void {
    const { hashes, stamps } = this
    this.hashes = new Uint32Array(hashes.length * 2)
    this.stamps = new Uint32Array(hashes.length * 2)
    hashes.forEach((hash, place) => {
      if (hash !== 0) this.put(hash, stamps[place]!)
    })
  }

  private first(hash: number): number {
    return (spread(hash) & (this.hashes.length / bucketSize - 1)) * bucketSize
  }

  /** How many have gone since. */
  private age(stamp: number): number {
    return (this.now - (stamp >>> 1)) & horizon
  }

  private put(hash: number, stamp: number): void {
    const first = this.first(hash)
    let place = first
    for (let other = first; other < first + bucketSize; other++) {
      if (this.hashes[other] === hash || this.hashes[other] === 0) {
        place = other
        break
      }
      if (this.age(this.stamps[other]!) > this.age(this.stamps[place]!)) place = other
    }
    this.hashes[place] = hash
    this.stamps[place] = stamp
  }

  /** It goes now. Where it comes from is 0 or 1. */
  add(hash: number, from: 0 | 1): void {
    this.now = (this.now + 1) & horizon
    this.put(hash >>> 0, ((this.now << 1) | from) >>> 0)
  }

  /** Its departure, for `since` and `from`, or `unknown`. It is forgotten. */
  take(hash: number): number {
    const first = this.first(hash)
    const wanted = hash >>> 0
    for (let place = first; place < first + bucketSize; place++) {
      if (this.hashes[place] !== wanted || wanted === 0) continue
      this.hashes[place] = 0
      return this.stamps[place]!
    }
    return unknown
  }

  /** How many have gone since that departure. */
  since(departure: number): number {
    return this.age(departure)
  }
}

export const from = (departure: number): 0 | 1 => (departure & 1) as 0 | 1
