/**
 * What is asked of a service that knows names and bytes, and hardly anything else: memcached, a bucket of objects, a
 * Keyv adapter. All that a region must get right is made of these in engine.ts.
 */
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type * as CacheError from "../../CacheError.js"

/**
 * Tells one writing of an item from all others; what it is made of is the service's own business. Where it is made of the
 * bytes, writing the same once more is no other writing, which is as good: it has the same epoch.
 */
export type Version = string | number

/** What is under a name; no bytes where it is only a place that was made for what is to come. */
export interface Item {
  readonly bytes: Uint8Array
  readonly version: Version
}

export interface Replacement {
  readonly name: string
  readonly bytes: Uint8Array
  /** The version that is replaced. */
  readonly version: Version
  /** When its space may be reclaimed, in milliseconds since the epoch; `Infinity` for never. */
  readonly reclaimAt: number
}

/** What was claimed, and what was found after that. */
export interface Claim {
  readonly items: ReadonlyArray<Item>
  readonly found: ReadonlyArray<Uint8Array | undefined>
}

/**
 * The items of one region. Names are at most 170 characters out of letters, digits and `-_.!~*'()%#/`.
 *
 * A service may forget any item at any moment. It may not bring one back.
 */
export interface Items {
  /**
   * Whether what is claimed, or replaced, at once is so in the order of the names, be some of it refused. Elsewhere that
   * may be in any order.
   */
  readonly ordered: boolean
  /** As `CacheStore.Region.askedByCallers`, of `read`. */
  readonly askedByCallers?: boolean
  /** What there is under the names; the first of them is read before any other one. */
  readonly read: (
    operation: string,
    names: ReadonlyArray<string>
  ) => Effect.Effect<ReadonlyArray<Uint8Array | undefined>, CacheError.StoreFailure>
  /**
   * What there is under the names, and a place for whatever there is not. After that, what is under `others`, the first
   * of them before the rest. Of so many names as are `unread`, the first, only the versions are wanted: what is said to be
   * there may be nothing. Default: 0.
   */
  readonly claim: (
    operation: string,
    names: ReadonlyArray<string>,
    others: ReadonlyArray<string>,
    unread?: number
  ) => Effect.Effect<Claim, CacheError.StoreFailure>
  /** Writes each item, unless it has another version by now, or is gone. Tells of each whether it was written. */
  readonly replace: (
    operation: string,
    items: ReadonlyArray<Replacement>
  ) => Effect.Effect<ReadonlyArray<boolean>, CacheError.StoreFailure>
  readonly remove: (operation: string, names: ReadonlyArray<string>) => Effect.Effect<void, CacheError.StoreFailure>
  /** The names that begin so, in chunks of any size; one may come more than once. */
  readonly list: (operation: string, start: string) => Stream.Stream<string, CacheError.StoreFailure>
}
