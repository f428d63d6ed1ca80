/**
 * Where entries live: the contract that every engine meets, and the Layer combinators over it.
 *
 * A store is a service provided by one Layer (`MemoryStore.layer`, `SqliteStore.layer`, ...). A cache opens a *region*
 * of it in its own Scope. Falling back from one engine to another, and putting one engine in front of another, is
 * composing Layers.
 *
 * @example
 * ```ts
 * import { CacheStore, MemoryStore } from "effect-larder"
 * import * as SqliteStore from "effect-larder/SqliteStore"
 *
 * // memory in front of a file; if the file cannot be had, memory alone
 * export const Store = MemoryStore.layer({ capacity: 10_000 }).pipe(
 *   CacheStore.tieredOver(
 *     SqliteStore.layer({ filename: "cache.db" }).pipe(CacheStore.orElse(MemoryStore.layer()))
 *   )
 * )
 * ```
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type * as CacheEntry from "./CacheEntry.js"
import type * as CacheError from "./CacheError.js"
import type * as Codec from "./codec/Codec.js"

/**
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: TypeId = "~effect-larder/CacheStore"

/**
 * @since 0.1.0
 * @category type ids
 */
export type TypeId = "~effect-larder/CacheStore"

/**
 * What a store can and cannot do. Also the source of the engine matrix in the docs.
 *
 * - `live`: keeps values by reference and answers synchronously; needs no Schema;
 * - `persistent`: entries survive the process;
 * - `shared`: several processes see the same entries.
 *
 * @since 0.1.0
 * @category models
 */
export interface Capabilities {
  readonly live: boolean
  readonly persistent: boolean
  readonly shared: boolean
}

/**
 * A point in a region's history of invalidations. A region hands it out with every reading; a write gives it back,
 * and is dropped when its key, one of its tags or the whole region was invalidated since. Opaque: each store has its
 * own counter, and a tiered store's epoch is one of each tier.
 *
 * @since 0.1.0
 * @category models
 */
export type Epoch = number | ReadonlyArray<Epoch>

/**
 * An entry, and where it was found. Tier 1 is nearest.
 *
 * @since 0.1.0
 * @category models
 */
export interface Found<out A, out E> {
  readonly entry: CacheEntry.CacheEntry<A, E>
  readonly store: string
  readonly tier: number
}

/**
 * The answer to a reading: one place per key asked, in order, and the epoch *before* it was read.
 * `failure` is set when a tier could not be asked: what is absent here may be present there.
 *
 * @since 0.1.0
 * @category models
 */
export interface Reading<out A, out E> {
  readonly epoch: Epoch
  readonly found: ReadonlyArray<Found<A, E> | undefined>
  readonly failure: CacheError.StoreFailure | undefined
}

/**
 * One entry to write. With `since`, the epoch its load started in: dropped silently if its key, a tag or the region
 * was invalidated or set since. Without it, an explicit write: it wins over every load that started before it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Write<out A, out E> {
  readonly key: string
  readonly entry: CacheEntry.CacheEntry<A, E>
  readonly since: Epoch | undefined
}

/**
 * One row of a listing. `bytes` is the encoded size, or an estimate where entries are kept by reference.
 *
 * @since 0.1.0
 * @category models
 */
export interface Listed<out A, out E> {
  readonly key: string
  readonly entry: CacheEntry.CacheEntry<A, E>
  readonly bytes: number
}

/**
 * How much a region holds in one tier: entries that may still be served, and their bytes.
 *
 * @since 0.1.0
 * @category models
 */
export interface TierSize {
  readonly store: string
  readonly tier: number
  readonly entries: number
  readonly bytes: number
}

/**
 * The synchronous view of a region whose entries are kept by reference. What `get` answers is right and may be
 * served; `undefined` means "not here".
 *
 * @since 0.1.0
 * @category models
 */
export interface LiveView<in out A, in out E> {
  /** The entry, unless it is gone at `now` (milliseconds) or one of its tags was invalidated. Counts as a use. */
  readonly get: (key: string, now: number) => CacheEntry.CacheEntry<A, E> | undefined
  /** The same without counting as a use. */
  readonly peek: (key: string, now: number) => CacheEntry.CacheEntry<A, E> | undefined
  /** The present epoch; a load that starts now gives it back to `set`. */
  readonly epoch: () => number
  /** As `Region.setMany` of one entry; `false` when the write was dropped. */
  readonly set: (key: string, entry: CacheEntry.CacheEntry<A, E>, since: number | undefined) => boolean
  /** As `Region.deleteMany` of one key. */
  readonly delete: (key: string) => boolean
}

/**
 * The part of a store that one cache owns. Closed with the Scope it was opened in.
 *
 * @since 0.1.0
 * @category models
 */
export interface Region<in out A, in out E> {
  readonly name: string
  /** The nearest tier's synchronous view, if it has one. */
  readonly near: LiveView<A, E> | undefined
  /** Whether what is absent from `near` is absent altogether. */
  readonly complete: boolean
  readonly getMany: (keys: ReadonlyArray<string>) => Effect.Effect<Reading<A, E>, CacheError.StoreFailure>
  readonly setMany: (
    writes: ReadonlyArray<Write<A, E>>
  ) => Effect.Effect<void, CacheError.StoreFailure | CacheError.CodecError>
  /** Removes the entries and fences the keys; answers how many entries there were. */
  readonly deleteMany: (keys: ReadonlyArray<string>) => Effect.Effect<number, CacheError.StoreFailure>
  /** Makes every entry of these tags, and every load that may yet produce one, unserveable. O(1) per tag. */
  readonly invalidateTags: (tags: ReadonlyArray<string>) => Effect.Effect<void, CacheError.StoreFailure>
  /** Removes all entries of this region and fences it; answers how many there were. */
  readonly clear: Effect.Effect<number, CacheError.StoreFailure>
  /** All entries that may still be served. A consistent snapshot of each entry, not of the whole region. */
  readonly entries: Stream.Stream<Listed<A, E>, CacheError.StoreFailure>
  /** One row per tier, nearest first. */
  readonly sizes: Effect.Effect<ReadonlyArray<TierSize>, CacheError.StoreFailure>
}

/**
 * What a cache asks for when it opens a region. Without a `codec` the values have no Schema and only a live store
 * can keep them; others refuse with `InvalidConfig`.
 *
 * @since 0.1.0
 * @category models
 */
export interface RegionOptions<in out A, in out E> {
  readonly name: string
  readonly codec: Codec.EntryCodec<A, E> | undefined
}

/**
 * A store, as the service that `CacheStore` names.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  readonly [TypeId]: TypeId
  /** For logs, spans and errors: "MemoryStore", "MemoryStore > SqliteStore", ... */
  readonly name: string
  readonly capabilities: Capabilities
  /** The Scope that the store lives in: closed when its Layer is released. */
  readonly scope: Scope.Scope
  /**
   * Opens a region. A name that is open already is `InvalidConfig`; a store that has been closed is `StoreUnavailable`.
   */
  readonly region: <A, E>(
    options: RegionOptions<A, E>
  ) => Effect.Effect<Region<A, E>, CacheError.InvalidConfig | CacheError.StoreFailure, Scope.Scope>
}

/**
 * The store that caches keep their entries in.
 *
 * @since 0.1.0
 * @category tags
 */
export class CacheStore extends Context.Tag("effect-larder/CacheStore")<CacheStore, Service>() {}

/**
 * One row of a byte engine. `reclaimAt` (milliseconds, `Infinity` for never) tells when its space may be reclaimed;
 * an engine never decides from it whether an entry is served.
 *
 * @since 0.1.0
 * @category engines
 */
export interface Row {
  readonly key: string
  readonly bytes: Uint8Array
  readonly tags: ReadonlyArray<string>
  readonly reclaimAt: number
}

/**
 * A row to write; `since` as in `Write`, but always this engine's own counter. A `since` below 0 is always dropped.
 *
 * @since 0.1.0
 * @category engines
 */
export interface RowWrite extends Row {
  readonly since: number | undefined
}

/**
 * The six operations that a byte engine must have; `make` adds codec, freshness, validation, events and spans.
 *
 * The counter: each region has one, starting at 0, never going back. `deleteMany`, `bump`, `clear` and every
 * `setMany` row without `since` raise it by at least one and remember the new value for their keys, tags or region;
 * a row written with a lower `since` than what is remembered for its key, one of its tags or the region is dropped.
 * What is remembered may be coarser than asked (a slot of many keys, the whole region), never finer: forgetting makes
 * entries invalid, never valid again. Each operation is atomic.
 *
 * @since 0.1.0
 * @category engines
 */
export interface Engine {
  /**
   * The counter's value before reading, and a row (or `undefined`) for each key, leaving out rows whose tags were
   * bumped after they were written. With no keys: the counter alone.
   */
  readonly getMany: (
    keys: ReadonlyArray<string>
  ) => Effect.Effect<
    { readonly epoch: number; readonly rows: ReadonlyArray<Row | undefined> },
    CacheError.StoreFailure
  >
  readonly setMany: (rows: ReadonlyArray<RowWrite>) => Effect.Effect<void, CacheError.StoreFailure>
  readonly deleteMany: (keys: ReadonlyArray<string>) => Effect.Effect<number, CacheError.StoreFailure>
  readonly bump: (tags: ReadonlyArray<string>) => Effect.Effect<void, CacheError.StoreFailure>
  readonly clear: Effect.Effect<number, CacheError.StoreFailure>
  /** Rows of this region (not those whose tags were bumped), in chunks, in any order. */
  readonly scan: Stream.Stream<Row, CacheError.StoreFailure>
  /** Optional: the count and bytes of rows with `reclaimAt > now`, where the engine knows better than `scan`. */
  readonly size?: (
    now: number
  ) => Effect.Effect<{ readonly entries: number; readonly bytes: number }, CacheError.StoreFailure>
}
