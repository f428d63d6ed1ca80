/** How far apart the gets of a key are, in other keys: of a part of the keys, as many as there is room for. */
import type { How } from "./recorder.js"

/** Keys that are followed at most. When there are more, half of them are not any longer. */
const mostKeys = 1_024
const moments = 8 * mostKeys
/** Sizes that the curve tells of: each twice as large as the one before. */
const sizes = 24
const whole = 2 ** 32

interface Seen {
  moment: number
  loads: number
  hits: number
  /** Whether it was loaded early enough for somebody to ask for it again. */
  isEarly: boolean
}

/** Sums of the first so many places, of which any may change (Fenwick, 1994). */
class Sums {
  private readonly tree = new Int32Array(moments + 1)

  add(place: number, by: number): void {
    for (let at = place + 1; at <= moments; at += at & -at) this.tree[at]! += by
  }

  upTo(place: number): number {
    let sum = 0
    for (let at = place + 1; at > 0; at -= at & -at) sum += this.tree[at]!
    return sum
  }

  clear(): void {
    this.tree.fill(0)
  }
}

export class Distances {
  /** Keys are followed whose hash is below this. */
  threshold = whole
  private readonly seen = new Map<number, Seen>()
  private readonly sums = new Sums()
  private now = 0
  /** By the power of two that the distance is below; the last one is for keys that were not asked for before. */
  private readonly reuses = new Float64Array(sizes + 1)

  add(hash: number, how: How, counts: boolean): void {
    const before = this.seen.get(hash)
    if (counts) this.count(before)
    if (this.now === moments) this.renumber()
    if (before !== undefined) this.sums.add(before.moment, -1)
    const seen = before ?? { moment: 0, loads: 0, hits: 0, isEarly: false }
    seen.moment = this.now++
    this.sums.add(seen.moment, 1)
    if (how === "loaded") {
      seen.loads++
      seen.isEarly ||= !counts
    } else if (how === "hit") seen.hits++
    if (before === undefined) {
      this.seen.set(hash, seen)
      if (this.seen.size > mostKeys) this.narrow()
    }
  }

  /** Each key stands for as many as are not followed. */
  private count(before: Seen | undefined): void {
    const each = whole / this.threshold
    if (before === undefined) {
      this.reuses[sizes]! += each
      return
    }
    const between = (this.seen.size - this.sums.upTo(before.moment)) * each
    this.reuses[Math.min(sizes - 1, Math.ceil(Math.log2(between + 1)))]! += each
  }

  /** The moments anew, in their order, from the beginning. */
  private renumber(): void {
    this.sums.clear()
    this.now = 0
    for (const one of [...this.seen.values()].sort((a, b) => a.moment - b.moment)) {
      one.moment = this.now++
      this.sums.add(one.moment, 1)
    }
  }

  private narrow(): void {
    this.threshold /= 2
    for (const hash of this.seen.keys()) if (hash >= this.threshold) this.seen.delete(hash)
    this.renumber()
  }

  /**
   * A few keys have a large part of the gets, and are followed or not: by how much the gets of those that are followed
   * differ from what they stand for is taken to be gets of such keys, which are hits in a cache of any size (SHARDS-adj).
   */
  private curve(counted: number): ReadonlyArray<readonly [number, number]> {
    if (counted === 0) return []
    let hits = counted - this.reuses.reduce((sum, weight) => sum + weight, 0)
    return Array.from({ length: sizes }, (_, power) => {
      hits += this.reuses[power]!
      return [2 ** power, Math.max(0, Math.min(1, hits / counted))] as const
    })
  }

  /** Of so many gets that counted, followed or not. */
  findings(counted: number) {
    const all = [...this.seen.values()]
    const loaded = all.filter(({ loads }) => loads > 0)
    const early = loaded.filter(({ isEarly }) => isEarly)
    const part = (some: ReadonlyArray<Seen>, of: ReadonlyArray<Seen>): number =>
      of.length === 0 ? 0 : some.length / of.length
    return {
      unused: part(
        early.filter(({ hits, loads }) => hits === 0 && loads === 1),
        early
      ),
      reloaded: part(
        loaded.filter(({ loads }) => loads > 1),
        loaded
      ),
      keys: Math.round((all.length * whole) / this.threshold),
      curve: this.curve(counted)
    }
  }
}
