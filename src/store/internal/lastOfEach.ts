import type * as CacheStore from "../../CacheStore.js"

/** One write of each key, for a service that takes only one: the last that was explicit, or else the newest load. */
export const lastOfEach = (rows: ReadonlyArray<CacheStore.RowWrite>): ReadonlyArray<CacheStore.RowWrite> => {
  const byKey = new Map<string, CacheStore.RowWrite>()
  for (const row of rows) {
    const other = byKey.get(row.key)
    if (other === undefined || (row.since ?? Infinity) >= (other.since ?? Infinity)) byKey.set(row.key, row)
  }
  return [...byKey.values()]
}
