/**
 * A store for whoever looks after it: which caches it has, what is in them, removing what has to go, and taking it all to
 * another store, without the programs whose caches they are, and without their Schemas.
 *
 * What a Schema would be needed for is told as bytes. Entries are copied as they are, with all that they know of themselves,
 * so the program that wrote them finds them in another store as it left them.
 *
 * For caches that this very program has open there is `CacheAdmin`: a store gives nobody the region of an open one.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Cache, StoreAdmin } from "effect-larder"
 * import * as SqliteStore from "effect-larder/SqliteStore"
 *
 * const fill = Effect.gen(function*() {
 *   const lengths = yield* Cache.make("lengths", {
 *     key: Schema.String,
 *     success: Schema.Number,
 *     lookup: (word: string) => Effect.succeed(word.length)
 *   })
 *   yield* lengths.getMany(["bread", "salt"])
 * })
 *
 * const program = Effect.gen(function*() {
 *   yield* Effect.scoped(fill)
 *   const admin = yield* StoreAdmin.make()
 *   console.log((yield* admin.list).map(({ name, entries }) => [name, entries])) // => [ [ 'lengths', 2 ] ]
 *   console.log(yield* admin.clear("lengths")) // => { cleared: 'lengths', entries: 2 }
 * })
 *
 * program.pipe(Effect.scoped, Effect.provide(SqliteStore.layerMemory), Effect.runPromise)
 * ```
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as RcMap from "effect/RcMap"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as CacheError from "./CacheError.js"
import * as CacheStore from "./CacheStore.js"
import type * as Codec from "./codec/Codec.js"
import type * as Envelope from "./codec/Envelope.js"
import * as Copy from "./internal/admin/copy.js"
import { removeOver } from "./internal/admin/compact.js"
import { expiring, peeking } from "./internal/admin/peek.js"
import * as Snapshot from "./internal/admin/snapshot.js"
import * as Stats from "./internal/admin/stats.js"
import { unknownCache } from "./internal/admin/unknownCache.js"
import { steadyMillis } from "./internal/steady.js"

/**
 * What an entry is at the moment.
 *
 * - `fresh`, and `stale`: kept, and served where the cache's policy says so;
 * - `over`: no more served, its room not reclaimed yet;
 * - `sealed`: encrypted, or compressed in a way that was not told, so it cannot be looked into here;
 * - `unreadable`: damaged, or not ours: a get would take it for a miss, and remove it.
 *
 * @since 0.1.0
 * @category models
 */
export type State = "fresh" | "stale" | "over" | "sealed" | "unreadable"

/**
 * One entry, without the Schema of its value. `bytes` are those that the store keeps; `reclaimAt` is when it may forget
 * them, in milliseconds since the epoch.
 *
 * @since 0.1.0
 * @category models
 */
export interface Item {
  readonly key: string
  readonly tags: ReadonlyArray<string>
  readonly bytes: number
  readonly reclaimAt: number
  readonly state: State
  /** What its envelope says: its times, and what its load has cost. */
  readonly header: Envelope.Header | undefined
  /** The value as its codec has written it. */
  readonly payload: Uint8Array | undefined
  /** Why there is neither of them. */
  readonly problem: string | undefined
}

/**
 * An entry as `inspect` finds it: be it outdated, and by what.
 *
 * @since 0.1.0
 * @category models
 */
export interface Inspected {
  readonly item: Item
  readonly epoch: number | undefined
  readonly outdatedBy: { readonly tag: string | undefined; readonly epoch: number } | undefined
}

/**
 * A cache in a store: its entries that are not over, and their bytes.
 *
 * @since 0.1.0
 * @category models
 */
export interface Row {
  readonly name: string
  readonly store: string
  readonly entries: number
  readonly bytes: number
}

/**
 * What all entries of a cache come to. Times in milliseconds since the epoch, `loadMillis` in milliseconds.
 *
 * @since 0.1.0
 * @category models
 */
export interface RegionStats extends Row {
  readonly states: Readonly<Record<State, number>>
  /** Entries that are typed failures. */
  readonly failures: number
  /** When the load of the oldest and of the youngest entry began. */
  readonly oldest: number | undefined
  readonly newest: number | undefined
  /** The bytes of the largest entry. */
  readonly largest: number
  /** What loading all of them has cost. */
  readonly loadMillis: number
  /** The tags that most entries have, with their number: at most ten, of the first 10 000 that are met. */
  readonly tags: ReadonlyArray<readonly [tag: string, entries: number]>
}

/**
 * What was cleared, and how many entries there were.
 *
 * @since 0.1.0
 * @category models
 */
export interface Cleared {
  /** The name of a cache, or "all". */
  readonly cleared: string
  readonly entries: number
}

/**
 * What a check has found.
 *
 * @since 0.1.0
 * @category models
 */
export interface Verified {
  readonly name: string
  readonly entries: number
  /** Those that cannot be looked into here; see `State`. */
  readonly sealed: number
  /** The first hundred that cannot be read, and why. */
  readonly problems: ReadonlyArray<{ readonly key: string; readonly reason: string }>
  readonly unreadable: number
  /** Whether those have been removed. */
  readonly removed: boolean
}

/**
 * What has become of the entries that were copied so far.
 *
 * @since 0.1.0
 * @category models
 */
export interface Copied {
  readonly name: string
  /** Entries that were looked at. */
  readonly seen: number
  readonly copied: number
  /** Those that were there already, the same to the last byte: from a copying that was interrupted, for one. */
  readonly present: number
  /** Those in whose place there is a younger one, or one that nobody can tell the age of. */
  readonly kept: number
  /** Those that are over. */
  readonly over: number
  /** How many there are to be looked at, where the store can tell. */
  readonly total: number | undefined
}

/**
 * How two stores differ in the entries of one cache.
 *
 * @since 0.1.0
 * @category models
 */
export interface Compared {
  readonly name: string
  /** Entries in the first that are not over. */
  readonly entries: number
  readonly same: number
  /** Those that the second has otherwise: loaded again meanwhile, for one. */
  readonly different: number
  readonly missing: number
}

/**
 * What compacting has brought.
 *
 * @since 0.1.0
 * @category models
 */
export interface Compacted {
  readonly store: string
  /** Entries that were over, or outdated, and had not been removed yet. */
  readonly removed: number
  /** The bytes that the store had and has, where it gives room back to a disk: files and SQLite. Others have nothing to. */
  readonly bytes: { readonly before: number; readonly after: number } | undefined
}

type Failure = CacheError.InvalidConfig | CacheError.StoreFailure
type Fails<A> = Effect.Effect<A, Failure>

/**
 * The service. Whatever names a cache fails with `InvalidConfig`, whose hint lists the names that there are, if the store
 * has none of this name, or if this program has it open.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  /** The name of the store's engine. */
  readonly store: string
  readonly raw: CacheStore.Raw
  /** The names of the caches, in their order. */
  readonly names: Effect.Effect<ReadonlyArray<string>, CacheError.StoreFailure>
  readonly list: Fails<ReadonlyArray<Row>>
  /** Looks at every entry. */
  readonly stats: (name: string) => Fails<RegionStats>
  readonly items: (name: string) => Stream.Stream<Item, Failure>
  readonly inspect: (name: string, key: string) => Fails<Option.Option<Inspected>>
  /** Answers how many of the entries there were. */
  readonly delete: (name: string, ...keys: ReadonlyArray<string>) => Fails<number>
  readonly invalidateTags: (name: string, ...tags: ReadonlyArray<string>) => Fails<void>
  readonly invalidateAll: (name: string) => Fails<void>
  /**
   * Ends the freshness of an entry: a get loads it again, and may be answered with it meanwhile, as the cache's policy
   * says. Answers whether there was one. `CodecError` tells of one that cannot be looked into.
   */
  readonly expire: (name: string, key: string) => Effect.Effect<boolean, Failure | CacheError.CodecError>
  readonly clear: (name: string) => Fails<Cleared>
  readonly clearAll: Fails<Cleared>
  /** Looks at every entry, whether it is whole. With `remove`, those that are not are removed. */
  readonly verify: (name: string, options?: { readonly remove?: boolean | undefined }) => Fails<Verified>
  /**
   * Removes what no get will ever be answered with, and gives the room back to the disk where the store does not do that
   * by itself. SQLite writes its whole file anew for that, and lets nobody else write meanwhile.
   */
  readonly compact: Fails<Compacted>
  /** The entries of some caches, or of all, as lines of JSON: for `restore`. */
  readonly snapshot: (names?: ReadonlyArray<string>) => Stream.Stream<Uint8Array, Failure>
  /**
   * Puts entries back that `snapshot` has written, unless there are younger ones. What was invalidated since is there
   * again. What was not written by `snapshot`, or is cut off, fails with `CodecError`, which names the line.
   */
  readonly restore: <E, R>(
    lines: Stream.Stream<Uint8Array, E, R>
  ) => Stream.Stream<Copied, Failure | CacheError.CodecError | E, R>
}

/**
 * The service as a Tag, for programs that want it provided.
 *
 * @since 0.1.0
 * @category tags
 */
export class StoreAdmin extends Context.Tag("effect-larder/StoreAdmin")<StoreAdmin, Service>() {}

/**
 * How the store is looked into.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * What the programs put around the store with `CacheStore.encodedBy`, the outermost first, such as what
   * `Compression.make()` answers. Default: nothing.
   */
  readonly encodedBy?: ReadonlyArray<Codec.Transform> | undefined
}

const rawOf = ({ name, raw }: CacheStore.Service): Effect.Effect<CacheStore.Raw, CacheError.InvalidConfig> =>
  raw === undefined
    ? Effect.fail(
        CacheError.invalidConfig([
          {
            field: "store",
            value: name,
            reason: "cannot be looked into: it keeps no bytes, or is made of other stores",
            hint: "give the Layer of one engine that keeps bytes, such as SqliteStore or RedisStore"
          }
        ])
      )
    : Effect.succeed(raw)

/** A region that is used twice at the same time is opened once. */
const shared = (raw: CacheStore.Raw): Effect.Effect<CacheStore.Raw, never, Scope.Scope> =>
  Effect.map(RcMap.make({ lookup: raw.open }), (opened) => ({ ...raw, open: (name) => RcMap.get(opened, name) }))

const over = (store: string, raw: CacheStore.Raw, transforms: ReadonlyArray<Codec.Transform>): Service => {
  const peek = peeking(transforms)
  const ended = expiring(transforms)
  const names = Effect.map(raw.regions, (all) => [...all].sort())
  const find = (name: string): Effect.Effect<CacheStore.Engine, Failure, Scope.Scope> =>
    Effect.flatMap(names, (all) => (all.includes(name) ? raw.open(name) : Effect.fail(unknownCache(name, all))))
  const using = <A>(name: string, use: (engine: CacheStore.Engine) => Fails<A>): Fails<A> =>
    Effect.scoped(Effect.flatMap(find(name), use))
  const items = (name: string): Stream.Stream<Item, Failure> =>
    Stream.unwrapScoped(
      Effect.zipWith(find(name), steadyMillis, ({ scan }, now) => Stream.map(scan, (row) => peek(row, now)))
    )
  const clear = (name: string): Fails<number> => using(name, (engine) => engine.clear)
  const verify: Service["verify"] = (name, { remove = false } = {}) =>
    using(name, (engine) =>
      Effect.gen(function* () {
        const { keys, ...found } = yield* Stream.runFold(items(name), Stats.unverified(name), Stats.verify)
        const removed = remove && keys.length > 0
        if (removed) yield* engine.deleteMany(keys)
        return { ...found, removed }
      })
    )
  const expire: Service["expire"] = (name, key) =>
    Effect.scoped(
      Effect.gen(function* () {
        const engine = yield* find(name)
        const { epoch, rows } = yield* engine.getMany([key])
        const [found] = rows
        if (found === undefined) return false
        const now = yield* steadyMillis
        const row = yield* ended(found, now)
        // held against what happens meanwhile, so that nothing invalidated comes back
        yield* row.reclaimAt <= now ? engine.deleteMany([key]) : engine.setMany([{ ...row, since: epoch }])
        return true
      })
    )
  const compact: Fails<Compacted> =
    raw.compact === undefined
      ? Effect.map(
          Effect.flatMap(names, (all) => Effect.forEach(all, (name) => using(name, removeOver))),
          (counts) => ({ store, removed: counts.reduce((sum, count) => sum + count, 0), bytes: undefined })
        )
      : Effect.map(raw.compact, ({ after, before, removed }) => ({ store, removed, bytes: { before, after } }))
  const row = (name: string): Fails<Row> =>
    using(name, (engine) =>
      Effect.flatMap(steadyMillis, (now) =>
        Effect.map(Copy.sizeOf(engine, now), (size): Row => ({ name, store, ...size }))
      )
    )

  return {
    store,
    raw,
    names,
    list: Effect.flatMap(names, (all) => Effect.forEach(all, row)),
    stats: (name) => Effect.map(Stream.runFold(items(name), Stats.none, Stats.add), Stats.told(name, store)),
    items,
    inspect: (name, key) =>
      using(name, (engine) =>
        Effect.zipWith(Copy.inspect(engine, key), steadyMillis, (found, now) =>
          Option.map(found, ({ row, ...rest }): Inspected => ({ ...rest, item: peek(row, now) }))
        )
      ),
    delete: (name, ...keys) => using(name, (engine) => engine.deleteMany(keys)),
    invalidateTags: (name, ...tags) => using(name, (engine) => engine.bump(tags)),
    invalidateAll: (name) => using(name, (engine) => engine.outdate ?? Effect.asVoid(engine.clear)),
    expire,
    clear: (name) => Effect.map(clear(name), (entries) => ({ cleared: name, entries })),
    clearAll: Effect.map(
      Effect.flatMap(names, (all) => Effect.forEach(all, clear)),
      (counts) => ({ cleared: "all", entries: counts.reduce((sum, count) => sum + count, 0) })
    ),
    verify,
    compact,
    snapshot: (wanted) =>
      Stream.unwrap(
        Effect.map(wanted === undefined ? names : Effect.succeed(wanted), (all) => Snapshot.write(all, find))
      ),
    restore: (lines) => Snapshot.read(lines, raw.open)
  }
}

/**
 * The service over the store in force. One that keeps no bytes, or is made of others (tiers, shards), is `InvalidConfig`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: Options = {}
): Effect.Effect<Service, CacheError.InvalidConfig, CacheStore.CacheStore | Scope.Scope> =>
  Effect.gen(function* () {
    const service = yield* CacheStore.CacheStore
    const raw = yield* shared(yield* rawOf(service))
    return over(service.name, raw, options.encodedBy ?? [])
  })

/**
 * Provides the service over the store that the Layer is built with.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  options: Options = {}
): Layer.Layer<StoreAdmin, CacheError.InvalidConfig, CacheStore.CacheStore> => Layer.scoped(StoreAdmin, make(options))

/**
 * What is copied, or compared.
 *
 * @since 0.1.0
 * @category models
 */
export interface Between {
  readonly from: Service
  readonly to: Service
  /** The caches. Default: all that there are. */
  readonly names?: ReadonlyArray<string> | undefined
}

const chosen = ({ from, names }: Between): Effect.Effect<ReadonlyArray<string>, Failure> =>
  Effect.flatMap(from.names, (all) => {
    const strange = names?.find((name) => !all.includes(name))
    return strange === undefined ? Effect.succeed(names ?? all) : Effect.fail(unknownCache(strange, all))
  })

/**
 * Copies the entries of one store into another, as they are: with their values, tags and times. Tells after each batch how
 * far it is.
 *
 * It can be stopped at any moment, and begun again: what is there already is left alone, and so are younger entries. What
 * is invalidated in the second store meanwhile is not brought back; what is invalidated in the *first* one after it was
 * copied stays in the second, so do not let anybody use it before the copying is done, or invalidate in both.
 *
 * @since 0.1.0
 * @category copying
 */
export const migrate = (options: Between): Stream.Stream<Copied, Failure> =>
  Stream.unwrap(
    Effect.map(chosen(options), (names) =>
      Stream.flatMap(Stream.fromIterable(names), (name) =>
        Stream.unwrapScoped(
          Effect.zipWith(options.from.raw.open(name), options.to.raw.open(name), (from, to) => Copy.all(name, from, to))
        )
      )
    )
  )

/**
 * Looks for each entry of one store in another.
 *
 * @since 0.1.0
 * @category copying
 */
export const compare = (options: Between): Effect.Effect<ReadonlyArray<Compared>, Failure> =>
  Effect.flatMap(chosen(options), (names) =>
    Effect.forEach(names, (name) =>
      Effect.scoped(
        Effect.zipWith(options.from.raw.open(name), options.to.raw.open(name), (from, to) =>
          Copy.compare(name, from, to)
        ).pipe(Effect.flatten)
      )
    )
  )
