/** Loads by the group of their key, see the option `group`: for metrics that tell one part of the keys from another. */
import type * as CacheStats from "../../observe/CacheStats.js"

/** Where all are counted for which there is no room, and those whose group nobody can tell. */
export const otherGroup = "other"

type Counted = Omit<CacheStats.GroupLoads, "group">
type Mutable = { -readonly [Field in keyof Counted]: Counted[Field] }

/** Counts at loads only: a hit knows nothing of it. The first groups that are met have a count of their own. */
export class GroupLoads<K> {
  private readonly counts = new Map<string, Mutable>()

  constructor(
    private readonly group: (key: K) => string,
    private readonly most: number
  ) {}

  began(key: K): void {
    this.of(key).loads++
  }

  ended(key: K, millis: number, isFailure: boolean): void {
    const counted = this.of(key)
    counted.loadMillis += millis
    if (isFailure) counted.loadFailures++
  }

  private of(key: K): Mutable {
    const group = this.named(key)
    const found = this.counts.get(group)
    if (found !== undefined) return found
    if (group !== otherGroup && this.own >= this.most) return this.count(otherGroup)
    return this.count(group)
  }

  /** Groups that are told by their name. */
  private get own(): number {
    return this.counts.size - (this.counts.has(otherGroup) ? 1 : 0)
  }

  private count(group: string): Mutable {
    const counted = this.counts.get(group) ?? { loads: 0, loadFailures: 0, loadMillis: 0 }
    this.counts.set(group, counted)
    return counted
  }

  /** A `group` that throws is a defect of the load, which tells it: it is counted all the same. */
  private named(key: K): string {
    try {
      return String(this.group(key))
    } catch {
      return otherGroup
    }
  }

  get all(): ReadonlyArray<CacheStats.GroupLoads> {
    return Array.from(this.counts, ([group, counted]) => ({ group, ...counted }))
  }
}
