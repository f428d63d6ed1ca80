/** The contract that every engine meets; see CacheStore.ts. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type * as CacheEntry from "../CacheEntry.js"
import * as CacheError from "../CacheError.js"
import type * as Codec from "../codec/Codec.js"
import * as ByteRegion from "../internal/store/byteRegion.js"
import * as Store from "../internal/store/service.js"
import * as CacheEvents from "../observe/CacheEvents.js"

/**
 * What a store is told by, whatever copy of this package made it.
 *
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: TypeId = "~effect-larder/CacheStore"

/**
 * The type of `TypeId`.
 *
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
 * What an engine is, for people who choose one, and for the table in the docs that is made of these.
 *
 * @since 0.1.0
 * @category models
 */
export interface Descriptor {
  readonly name: string
  /** What it is imported from. */
  readonly module: string
  readonly capabilities: Capabilities
  /** Whose operations it brings into an order, so that no load is stored after an invalidation that it began before. */
  readonly orders: "all programs" | "one machine's programs" | "one program"
  /** The optional peers that have to be installed. */
  readonly needs: ReadonlyArray<string>
  /** When the room of entries that are over is free again. */
  readonly reclaims: "by itself" | "when it is written to" | "when they are asked for"
  /** Which entries it takes. */
  readonly takes: string
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
  /** How many entries have gone so far, by cause, where the store counts them. */
  readonly removals?: Readonly<Record<string, number>>
}

/**
 * What one tier knows of a key: for people who wonder. `outdatedBy` says what was invalidated, and in which epoch, since
 * the entry was written in its own: a tag, or everything where there is no tag.
 *
 * @since 0.1.0
 * @category models
 */
export interface Inspection<out A, out E> {
  readonly store: string
  readonly tier: number
  /** What is there, be it over, outdated or idle; `undefined` if nothing is, or nothing that can be read. */
  readonly entry: CacheEntry.CacheEntry<A, E> | undefined
  /** The epoch that the entry is of, where the store tells. */
  readonly epoch: number | undefined
  readonly outdatedBy: { readonly tag: string | undefined; readonly epoch: number } | undefined
  /** Not read for so long that it is gone. */
  readonly isIdle: boolean
}

/**
 * The synchronous view of a region whose entries are kept by reference. What `get` answers is right and may be
 * served; `undefined` means "not here".
 *
 * @since 0.1.0
 * @category models
 */
export interface LiveView<in out A, in out E> {
  /** Whether a reading keeps an entry alive: then `find` must be given the present, and nothing later. */
  readonly slides: boolean
  /**
   * The place of a success that is still fresh at `until` (milliseconds, now or later) and none of whose tags was
   * invalidated. Counts as a use. Good for `valueAt` and `loadMillisAt` until the next operation. Otherwise -1 if there
   * is nothing under the key, and -2 if there is something that is no such success.
   */
  readonly find: (key: string, until: number) => number
  /** The value in a place that `find` has just answered. */
  readonly valueAt: (place: number) => A
  /** The milliseconds that loading it took. */
  readonly loadMillisAt: (place: number) => number
  /** When its load started, and until when it is fresh, in milliseconds since the epoch. */
  readonly createdAtAt: (place: number) => number
  readonly freshUntilAt: (place: number) => number
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
  /** How many tiers this region has; 1 unless tiered. */
  readonly tiers: number
  /**
   * Whether keys that are asked for in one turn of the scheduler are better asked for together, in one `getMany`: of
   * what is far away and answers many keys in the time of one. Default: no.
   */
  readonly gathers?: boolean | undefined
  /**
   * Whether `getMany` looks at nothing of the fiber that it runs in but its Clock and its Tracer. Then a get may run it in
   * its caller's fiber, which spares one of its own; otherwise a transaction that the caller is in, for example, could
   * find its way into the store. It has to end by itself: a cache that is closed does not interrupt its callers.
   * Default: no.
   */
  readonly askedByCallers?: boolean | undefined
  readonly getMany: (keys: ReadonlyArray<string>) => Effect.Effect<Reading<A, E>, CacheError.StoreFailure>
  readonly setMany: (
    writes: ReadonlyArray<Write<A, E>>
  ) => Effect.Effect<void, CacheError.StoreFailure | CacheError.CodecError>
  /** Removes the entries and fences the keys; answers how many entries there were. */
  readonly deleteMany: (keys: ReadonlyArray<string>) => Effect.Effect<number, CacheError.StoreFailure>
  /** Makes every entry of these tags, and every load that may yet produce one, unserveable. O(1) per tag. */
  readonly invalidateTags: (tags: ReadonlyArray<string>) => Effect.Effect<void, CacheError.StoreFailure>
  /** Makes every entry of this region, and every load that may yet produce one, unserveable. O(1). */
  readonly invalidateAll: Effect.Effect<void, CacheError.StoreFailure>
  /** Removes all entries of this region and fences it; answers how many there were. */
  readonly clear: Effect.Effect<number, CacheError.StoreFailure>
  /** What each tier knows of a key, nearest first. Changes nothing, and counts as no use. */
  readonly inspect: (key: string) => Effect.Effect<ReadonlyArray<Inspection<A, E>>, CacheError.StoreFailure>
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
  /** Milliseconds without a reading after which an entry is gone. Default: none. */
  readonly timeToIdle?: number | undefined
  /** Milliseconds that each tier keeps an entry at most from when it came there, nearest first. Default: no such limit. */
  readonly timeToLive?: ReadonlyArray<number> | undefined
}

/**
 * What a store of bytes has, as bytes: for tools that know no Schema, such as `StoreAdmin`. A program that caches has no
 * use for it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Raw {
  /** The names of the regions that there are, whoever opened them, in any order. */
  readonly regions: Effect.Effect<ReadonlyArray<string>, CacheError.StoreFailure>
  /** Opens a region, as `Service.region` does: one that is not there is made. */
  readonly open: (
    name: string
  ) => Effect.Effect<Engine, CacheError.InvalidConfig | CacheError.StoreFailure, Scope.Scope>
  /** Optional: gives room back that nothing is in any more, where the engine does not do that by itself. */
  readonly compact?: Effect.Effect<Compaction, CacheError.InvalidConfig | CacheError.StoreFailure> | undefined
}

/**
 * What compacting has brought: the entries that were over and are gone now, and the bytes that the store had and has.
 *
 * @since 0.1.0
 * @category models
 */
export interface Compaction {
  readonly removed: number
  readonly before: number
  readonly after: number
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
  /** The stores that were wanted before this one and could not be had, each with its reason; see `orElse`. */
  readonly rejected: ReadonlyArray<string>
  /** The Scope that the store lives in: closed when its Layer is released. */
  readonly scope: Scope.Scope
  /**
   * Opens a region. A name that is open already is `InvalidConfig`; a store that has been closed is `StoreUnavailable`.
   */
  readonly region: <A, E>(
    options: RegionOptions<A, E>
  ) => Effect.Effect<Region<A, E>, CacheError.InvalidConfig | CacheError.StoreFailure, Scope.Scope>
  /** Its regions as bytes, where it is an engine that can list them, and nothing stands before it. */
  readonly raw?: Raw | undefined
}

/**
 * The store that caches keep their entries in.
 *
 * @since 0.1.0
 * @category tags
 */
export class CacheStore extends Context.Tag("effect-larder/CacheStore")<CacheStore, Service>() {}

/**
 * Marks a store that keeps values by reference and answers synchronously. Provided beside `CacheStore` by Layers whose
 * store is one, so that a program can ask for it in its type.
 *
 * @since 0.1.0
 * @category tags
 */
export class Live extends Context.Tag("effect-larder/CacheStore/Live")<Live, Service>() {}

/**
 * Marks a store whose entries survive the process.
 *
 * @since 0.1.0
 * @category tags
 */
export class Persistent extends Context.Tag("effect-larder/CacheStore/Persistent")<Persistent, Service>() {}

/**
 * Marks a store that several processes see alike.
 *
 * @since 0.1.0
 * @category tags
 */
export class Shared extends Context.Tag("effect-larder/CacheStore/Shared")<Shared, Service>() {}

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
 * What an engine knows of a row, see `Engine.inspect`.
 *
 * @since 0.1.0
 * @category engines
 */
export interface InspectedRow {
  readonly row: Row
  readonly epoch: number
  readonly outdatedBy: { readonly tag: string | undefined; readonly epoch: number } | undefined
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
  /** Optional: as `Region.gathers`. */
  readonly gathers?: boolean | undefined
  /** Optional: as `Region.askedByCallers`. */
  readonly askedByCallers?: boolean | undefined
  /**
   * The counter's value before reading, and a row (or `undefined`) for each key, leaving out rows whose tags were
   * bumped after they were written. With no keys: the counter alone.
   */
  readonly getMany: (
    keys: ReadonlyArray<string>
  ) => Effect.Effect<{ readonly epoch: number; readonly rows: ReadonlyArray<Row | undefined> }, CacheError.StoreFailure>
  readonly setMany: (rows: ReadonlyArray<RowWrite>) => Effect.Effect<void, CacheError.StoreFailure>
  readonly deleteMany: (keys: ReadonlyArray<string>) => Effect.Effect<number, CacheError.StoreFailure>
  readonly bump: (tags: ReadonlyArray<string>) => Effect.Effect<void, CacheError.StoreFailure>
  readonly clear: Effect.Effect<number, CacheError.StoreFailure>
  /**
   * Optional: outdates every row that was written before, as if it had a tag that is bumped, without removing them.
   * Where an engine has no such thing, `clear` does it.
   */
  readonly outdate?: Effect.Effect<void, CacheError.StoreFailure>
  /** Optional: the row of a key even if it is outdated, its epoch, and what outdates it. For people who wonder. */
  readonly inspect?: (key: string) => Effect.Effect<InspectedRow | undefined, CacheError.StoreFailure>
  /** Rows of this region (not those whose tags were bumped), in chunks, in any order. */
  readonly scan: Stream.Stream<Row, CacheError.StoreFailure>
  /** Optional: the count and bytes of rows with `reclaimAt > now`, where the engine knows better than `scan`. */
  readonly size?: (
    now: number
  ) => Effect.Effect<{ readonly entries: number; readonly bytes: number }, CacheError.StoreFailure>
}

/**
 * Makes a store of a byte engine. `open` is asked once per region; what it acquires is released with the region.
 * The core adds all that is not moving bytes: codec, freshness, validation, exclusive names, events and spans.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: {
  readonly name: string
  readonly capabilities: Capabilities
  readonly open: (region: string) => Effect.Effect<Engine, CacheError.StoreFailure, Scope.Scope>
  /** The names of all regions that there are, open or not: with it the store is one that `StoreAdmin` can look into. */
  readonly regions?: Effect.Effect<ReadonlyArray<string>, CacheError.StoreFailure> | undefined
  /** As `Raw.compact`; `open` opens a region that nobody here has open. */
  readonly compact?: ((open: Raw["open"]) => NonNullable<Raw["compact"]>) | undefined
}): Effect.Effect<Service, never, Scope.Scope> =>
  Effect.flatMap(CacheEvents.CacheEvents, (events) =>
    Store.make({
      name: options.name,
      capabilities: options.capabilities,
      raw: options.regions && { regions: options.regions, open: options.open, compact: options.compact },
      open: ({ codec, name, timeToIdle = Infinity, timeToLive }) =>
        codec === undefined
          ? Effect.fail(
              CacheError.invalidConfig([
                {
                  field: "success",
                  value: undefined,
                  reason: `cache '${name}' has no Schema for its values, and ${options.name} keeps bytes`,
                  hint: "give the cache a success Schema (and a failure Schema if failures are cached), or use MemoryStore"
                }
              ])
            )
          : Effect.map(options.open(name), (engine) =>
              ByteRegion.make({
                store: options.name,
                name,
                engine,
                codec,
                events,
                timeToIdle,
                timeToLive: timeToLive?.[0] ?? Infinity
              })
            )
    })
  )

/**
 * The context that a store's Layer provides: the store itself, and the marks it deserves.
 *
 * @since 0.1.0
 * @category constructors
 */
export const context =
  <
    Marks extends ReadonlyArray<
      Context.Tag<Live, Service> | Context.Tag<Persistent, Service> | Context.Tag<Shared, Service>
    >
  >(
    ...marks: Marks
  ) =>
  (service: Service): Context.Context<CacheStore | Context.Tag.Identifier<Marks[number]>> =>
    marks.reduce<Context.Context<CacheStore | Context.Tag.Identifier<Marks[number]>>>(
      // each mark is a Tag of one of the identifiers that the result type lists
      (all, mark) =>
        Context.add(all, mark as unknown as Context.Tag<Context.Tag.Identifier<Marks[number]>, Service>, service),
      Context.make(CacheStore, service)
    )
