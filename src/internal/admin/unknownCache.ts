/** A name that none of the caches has. */
import * as CacheError from "../../CacheError.js"

export const unknownCache = (name: string, known: ReadonlyArray<string>): CacheError.InvalidConfig =>
  CacheError.invalidConfig([
    {
      field: "cache",
      value: name,
      reason: "there is no cache of this name",
      hint: known.length === 0 ? "there is none at all" : `there are: ${[...new Set(known)].sort().join(", ")}`
    }
  ])
