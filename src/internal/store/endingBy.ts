/** What a tier makes of an entry that it keeps for less long than the entry lives. */
import type * as CacheEntry from "../../CacheEntry.js"

/** The entry, gone at `end` (milliseconds) at the latest: what this tier no longer has the next may have still. */
export const endingBy = <A, E>(entry: CacheEntry.CacheEntry<A, E>, end: number): CacheEntry.CacheEntry<A, E> =>
  entry.staleUntil <= end
    ? entry
    : { ...entry, freshUntil: Math.min(entry.freshUntil, end), staleUntil: Math.min(entry.staleUntil, end) }
