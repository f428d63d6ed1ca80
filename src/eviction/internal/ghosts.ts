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

/** Forgets its oldest by itself; `reserve` makes it remember more. */
export class Ghosts {
  /** Hash and stamp of each place side by side, so that a bucket lies in one cache line. */
  private places = new Uint32Array(2 * initialPlaces)
  private now = 0

  /** Makes room for so many. */
  reserve(count: number): void {
    while (2 * count > this.places.length) this.grow()
  }

  private grow(): void {
    const { places } = this
    this.places = new Uint32Array(places.length * 2)
    for (let at = 0; at < places.length; at += 2) {
      if (places[at] !== 0) this.put(places[at]!, places[at + 1]!)
    }
  }

  private first(hash: number): number {
    return (spread(hash) & (this.places.length / (2 * bucketSize) - 1)) * 2 * bucketSize
  }

  /** How many have gone since. */
  private age(stamp: number): number {
    return (this.now - (stamp >>> 1)) & horizon
  }

  private put(hash: number, stamp: number): void {
    const { places } = this
    const first = this.first(hash)
    let place = first
    for (let other = first; other < first + 2 * bucketSize; other += 2) {
      if (places[other] === hash || places[other] === 0) {
        place = other
        break
      }
      if (this.age(places[other + 1]!) > this.age(places[place + 1]!)) place = other
    }
    places[place] = hash
    places[place + 1] = stamp
  }

  /** It goes now. Where it comes from is 0 or 1. */
  add(hash: number, from: 0 | 1): void {
    this.now = (this.now + 1) & horizon
    this.put(hash >>> 0, ((this.now << 1) | from) >>> 0)
  }

  /** Its departure, for `since` and `from`, or `unknown`. It is forgotten. */
  take(hash: number): number {
    const { places } = this
    const first = this.first(hash)
    const wanted = hash >>> 0
    for (let place = first; place < first + 2 * bucketSize; place += 2) {
      if (places[place] !== wanted || wanted === 0) continue
      places[place] = 0
      return places[place + 1]!
    }
    return unknown
  }

  /** How many have gone since that departure. */
  since(departure: number): number {
    return this.age(departure)
  }
}

/** Where a departure was from: what `add` was told. */
export const from = (departure: number): 0 | 1 => (departure & 1) as 0 | 1
