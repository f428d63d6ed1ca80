/**
 * Sees the gets of one cache, a part of them, and remembers little.
 *
 * It looks for a while, and looks away for 127 times as long if there is much to see. While it looks, a quarter of the
 * gets are counted by key, the most frequent ones at least (Misra and Gries, Finding repeated elements, 1982). And of a
 * part of the *keys*, which is decided by their hashes, each get is followed: how many other such keys were asked for
 * since the same one was, which is how large a cache would have had to be for a hit (Waldspurger, Park, Garthwaite and
 * Ahmad, Efficient MRC Construction with SHARDS, FAST 2015, with a fixed number of keys).
 */
import { currentFiber } from "../../internal/currentFiber.js"
import { clockOf } from "../../internal/steady.js"
import { Distances } from "./distances.js"

export type How = "hit" | "loaded" | "other"

/** Gets of one look; the first quarter of them only fills the memory of what was asked for before. */
export const lookLength = 32_768
const warmUp = lookLength / 4
/** How many looks it looks away for, if one took less than this. */
const pause = 127
const busyMillis = 10_000

/** Keys that are counted at most. */
const mostCounted = 256

/** 32 bits of a key, of which all depend on all of it (FNV-1a, and the end of MurmurHash3). */
const hashOf = (key: string): number => {
  let hash = 0x811c9dc5
  for (let at = 0; at < key.length; at++) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** What was found at the end of a look. */
export interface Findings {
  /** Gets that were looked at. */
  readonly gets: number
  /** Keys and their parts of the gets, the most frequent first. */
  readonly hottest: ReadonlyArray<readonly [key: string, part: number]>
  /** Of the entries that were loaded in the first quarter, the part that nobody asked for again. */
  readonly unused: number
  /** Of the keys that were loaded, the part that was loaded more than once. */
  readonly reloaded: number
  /** How many keys there were, as an estimate. */
  readonly keys: number
  /** The part of the gets that would have hit, for sizes in entries that double. */
  readonly curve: ReadonlyArray<readonly [entries: number, hitRatio: number]>
}

class Frequent {
  private readonly counts = new Map<string, number>()
  private total = 0

  add(key: string): void {
    this.total++
    const count = this.counts.get(key)
    if (count !== undefined) this.counts.set(key, count + 1)
    else if (this.counts.size < mostCounted) this.counts.set(key, 1)
    else this.decrease()
  }

  /** One of each goes, with the one that there is no room for: what is asked for often enough stays. */
  private decrease(): void {
    for (const [key, count] of this.counts) {
      if (count === 1) this.counts.delete(key)
      else this.counts.set(key, count - 1)
    }
  }

  get most(): ReadonlyArray<readonly [string, number]> {
    const sorted = [...this.counts].sort(([a, one], [b, other]) => other - one || (a < b ? -1 : 1))
    return sorted.slice(0, 20).map(([key, count]) => [key, count / this.total])
  }
}

export class Recorder {
  /** The key of a hit that is about to be handed out, while it looks. */
  key = ""
  /** Gets until something changes: the end of a look, or of looking away. Hits count it down themselves. */
  left = lookLength
  /** Hits have to be told when `left` is below this: all of them, or the one that ends the looking away. */
  floor = Infinity
  isLooking = true
  private chance = 1
  private startedAt: number | undefined
  private frequent = new Frequent()
  private distances = new Distances()
  private last: Findings | undefined

  /** A hit, of which `key` says what it was of, and which `left` was counted down for. */
  hit(): void {
    if (this.isLooking) this.see(this.key, "hit")
    if (this.left <= 0) this.turn()
  }

  get(key: string, how: How): void {
    this.left--
    if (this.isLooking) this.see(key, how)
    if (this.left <= 0) this.turn()
  }

  private see(key: string, how: How): void {
    if (this.isCounted()) this.frequent.add(key)
    const hash = hashOf(key)
    if (hash < this.distances.threshold) this.distances.add(hash, how, this.left < lookLength - warmUp)
  }

  /**
   * One get of four, by a sequence that looks like chance (Numerical Recipes' linear congruential generator): each fourth
   * would be blind for programs that ask in turns.
   */
  private isCounted(): boolean {
    this.chance = (Math.imul(this.chance, 1_664_525) + 1_013_904_223) | 0
    return this.chance >>> 30 === 0
  }

  private turn(): void {
    const fiber = currentFiber()
    const now = fiber ? clockOf(fiber).unsafeCurrentTimeMillis() : undefined
    const isBusy = now !== undefined && this.startedAt !== undefined && now - this.startedAt < busyMillis
    if (this.isLooking) {
      this.last = this.findings(lookLength)
      this.frequent = new Frequent()
      this.distances = new Distances()
    }
    this.isLooking = !(this.isLooking && isBusy)
    this.left = this.isLooking ? lookLength : lookLength * pause
    this.floor = this.isLooking ? Infinity : 1
    this.startedAt = now
  }

  private findings(gets: number): Findings {
    return { gets, hottest: this.frequent.most, ...this.distances.findings(Math.max(0, gets - warmUp)) }
  }

  /** Of the last look that has ended, or else of the one that goes on. */
  get report(): Findings {
    return this.last ?? this.findings(lookLength - this.left)
  }
}
