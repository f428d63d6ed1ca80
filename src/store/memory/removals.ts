/** What has gone from a store, and who is told. */
import type * as CacheEntry from "../../CacheEntry.js"
import type { Removal, RemovalCause } from "../MemoryStore.js"

export type Counts = Record<RemovalCause, number>

export const noCounts = (): Counts => ({
  explicit: 0,
  replaced: 0,
  expired: 0,
  size: 0,
  pressure: 0,
  collected: 0
})

export class Removals {
  readonly counts: Counts = noCounts()
  /** What the listener has not been told yet. */
  private readonly untold: Array<Removal> = []
  private isTelling = false

  constructor(private readonly listener: ((removal: Removal) => void) | undefined) {}

  /** Whether anybody wants to know more than how many. */
  get isHeard(): boolean {
    return this.listener !== undefined
  }

  count(cause: RemovalCause): void {
    this.counts[cause]++
  }

  note(cause: RemovalCause, cache: string, key: string, entry: CacheEntry.CacheEntry<unknown, unknown>): void {
    this.untold.push({ cause, cache, key, entry })
  }

  /** To be called when all is in order again: a listener may cause removals himself, which are told after the others. */
  tell(): void {
    const { listener, untold } = this
    if (listener === undefined || this.isTelling) return
    this.isTelling = true
    for (let at = 0; at < untold.length; at++) listener(untold[at]!)
    untold.length = 0
    this.isTelling = false
  }
}
