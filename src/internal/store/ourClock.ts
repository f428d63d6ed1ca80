/** Entries that were dated elsewhere, or in another life of this process. */
import type * as CacheEntry from "../../CacheEntry.js"

/** How far, in milliseconds, another machine's clock may run ahead of ours before its entries are not trusted. */
const clockTolerance = 5_000

/**
 * The entry as this process's clock sees it. A writer whose clock runs ahead must not make an entry fresh for longer
 * than it was said: within the tolerance it is dated back, beyond it the entry is not trusted.
 */
export const onOurClock = <A, E>(
  entry: CacheEntry.CacheEntry<A, E>,
  now: number
): CacheEntry.CacheEntry<A, E> | undefined => {
  const ahead = entry.createdAt - now
  if (ahead <= 0) return now >= entry.staleUntil ? undefined : entry
  if (ahead > clockTolerance) return undefined
  return {
    ...entry,
    createdAt: now,
    freshUntil: entry.freshUntil - ahead,
    staleUntil: entry.staleUntil - ahead
  }
}
