/** The machinery under the Layer combinators of `CacheStore`. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as CacheError from "../../CacheError.js"
import type * as CacheStore from "../../CacheStore.js"

/** The operations of a region that can fail, for combinators that treat all of them alike. */
export type Around = <A, E>(operation: string, effect: Effect.Effect<A, E>) => Effect.Effect<A, E | CacheError.StoreFailure>

/** The same region with `around` applied to each operation; the synchronous view needs no such help. */
export const aroundRegion = <A, E>(region: CacheStore.Region<A, E>, around: Around): CacheStore.Region<A, E> => ({
  ...region,
  getMany: (keys) => around("get", region.getMany(keys)),
  setMany: (writes) => around("set", region.setMany(writes)),
  deleteMany: (keys) => around("delete", region.deleteMany(keys)),
  invalidateTags: (tags) => around("invalidate_tags", region.invalidateTags(tags)),
  clear: around("clear", region.clear),
  sizes: around("sizes", region.sizes)
})

/** The same store with each region it opens changed by `f`. */
export const mapRegion = (
  service: CacheStore.Service,
  f: <A, E>(region: CacheStore.Region<A, E>) => CacheStore.Region<A, E>
): CacheStore.Service => ({ ...service, region: (options) => Effect.map(service.region(options), f) })

/** Why a Layer could not be built, in one line for the log. */
export const reasonOf = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  if (typeof error === "object" && error !== null && "_tag" in error && error._tag === "StoreUnavailable") {
    const { reason, store } = error as CacheError.StoreUnavailable
    return reason === undefined ? store : `${store}: ${reason}`
  }
  return error instanceof Error ? error.message : String(error)
}
