/**
 * Entries kept by reference in this process: the fastest store, with no dependency, on every runtime.
 *
 * Bounded by default. Nothing is encoded, so values need no Schema, and a hit answers synchronously. One budget for
 * all caches that share the store; when it is used up, the eviction policy says who makes room.
 *
 * @since 0.1.0
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as Path from "@effect/platform/Path"
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type * as CacheEntry from "../CacheEntry.js"
import type * as CacheError from "../CacheError.js"
import * as CacheStore from "../CacheStore.js"
import type * as Policies from "../eviction/Policies.js"
import * as Engine from "./memory/engine.js"
import * as SnapshotFile from "./memory/snapshotFile.js"

/**
 * What this engine is; see `CacheStore.Descriptor`.
 *
 * @since 0.1.0
 * @category descriptors
 */
export const descriptor: CacheStore.Descriptor = {
  name: "MemoryStore",
  module: "effect-larder",
  capabilities: { live: true, persistent: false, shared: false },
  orders: "one program",
  needs: [],
  reclaims: "by itself",
  takes: "any size"
}

/**
 * How much a store may hold, over all caches that share it. Each bound is a positive integer, or `Infinity` for none.
 *
 * @since 0.1.0
 * @category models
 */
export interface Bounds {
  /** Short for `maxEntries`. */
  readonly capacity?: number | undefined
  /** The most entries. Default: the configuration's, 10 000. */
  readonly maxEntries?: number | undefined
  /** The most bytes of all entries together. Default: the configuration's, `Infinity`. */
  readonly maxBytes?: number | undefined
  /** The most bytes of one entry; a heavier one is not kept. Default: `Infinity`. */
  readonly maxEntryBytes?: number | undefined
}

/**
 * Why an entry has gone.
 *
 * - `explicit`: deleted, cleared, or one of its tags was invalidated;
 * - `replaced`: there is another entry of its key;
 * - `expired`: it was over, or nobody has read it for `timeToIdle`;
 * - `size`: it made room for others;
 * - `pressure`: the process had little memory left;
 * - `collected`: it was held weakly, and the collector has taken its value.
 *
 * @since 0.1.0
 * @category models
 */
export type RemovalCause = "explicit" | "replaced" | "expired" | "size" | "pressure" | "collected"

/**
 * What a removal listener is told. `key` is the text that the key was made into.
 *
 * @since 0.1.0
 * @category models
 */
export interface Removal {
  readonly cause: RemovalCause
  readonly cache: string
  readonly key: string
  readonly entry: CacheEntry.CacheEntry<unknown, unknown>
}

/**
 * When to give entries up for the sake of the whole process. Above `high` of the heap's limit, or of the container's,
 * entries go, the coldest first, until `low` is reached by their estimated bytes.
 *
 * @since 0.1.0
 * @category models
 */
export interface MemoryPressure {
  /** A part of the limit, above 0 and at most 1. Default: 0.9. */
  readonly high?: number | undefined
  /** A part of the limit, below `high`. Default: 0.8. */
  readonly low?: number | undefined
  /** How long between two looks. Default: 5 seconds. */
  readonly every?: Duration.DurationInput | undefined
}

/**
 * How a memory store is made. Everything has a default.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends Bounds {
  /**
   * Bytes of one entry; one for which it answers no number from 0 to `maxBytes` is not kept. Asked at each write if a
   * bound is in bytes, otherwise only when somebody wants to know. Default: an estimate of what the value and its key
   * weigh in memory.
   */
  readonly weigher?: ((key: string, entry: CacheEntry.CacheEntry<unknown, unknown>) => number) | undefined
  /** Who makes room when the store is full. Default: `"w-tinylfu"`; see `docs/guide/eviction.md` for how to choose. */
  readonly policy?: Policies.Name | undefined
  /**
   * Whether an entry stays whatever the bounds say, until it is over or removed. It counts all the same, so what is
   * pinned may leave no room for others. Asked at each write. Default: none does.
   */
  readonly pinned?: ((key: string, entry: CacheEntry.CacheEntry<unknown, unknown>) => boolean) | undefined
  /**
   * Sliding expiry: an entry that nobody reads for so long is over. Readings keep it alive, but never beyond its own
   * end. Default: no such end.
   */
  readonly timeToIdle?: Duration.DurationInput | undefined
  /**
   * Whether values are made read-only when they are stored, deeply, so that no caller can change what others will
   * read: plain objects and arrays are frozen, the fields of instances made read-only; bytes, Maps, Sets and Dates
   * cannot be. `"development"` means unless `NODE_ENV` is `"production"`. Costs a walk through the value at each
   * write. Default: `"never"`.
   */
  readonly freeze?: "never" | "development" | "always" | undefined
  /**
   * `"weak"`: a value that is an object stays only as long as the program holds on to it elsewhere, too; when the
   * collector has taken it, it counts as absent. For values that are large, and mostly in use anyway.
   * Default: `"strong"`.
   */
  readonly references?: "strong" | "weak" | undefined
  /** Give entries up before the process runs out of memory; `{}` for the defaults. Default: do not. */
  readonly memoryPressure?: MemoryPressure | undefined
  /**
   * At most how often one maintenance fiber gives back the room of what is over and was not asked for again. It is
   * there only while something can end. `Infinity` for none: what is over is never served in any case. Default:
   * 1 minute.
   */
  readonly sweepEvery?: Duration.DurationInput | undefined
  /**
   * Told after each removal, in their order, with the cause. Called synchronously, when the store is in order again:
   * it may use the caches itself. What it throws goes to `CacheEvents`, as with all callbacks here.
   */
  readonly onRemoval?: ((removal: Removal) => void) | undefined
}

/**
 * How full a store is. `bytes` is by the weigher. `removals` counts since the store was made.
 *
 * @since 0.1.0
 * @category models
 */
export interface Usage {
  readonly entries: number
  readonly pinned: number
  readonly bytes: number
  readonly maxEntries: number
  readonly maxBytes: number
  readonly maxEntryBytes: number
  readonly removals: Readonly<Record<RemovalCause, number>>
}

/**
 * What became of a snapshot's records: `restored` are served from now on, `waiting` are for caches that are not open
 * yet and are looked at when they are, `damaged` were passed over.
 *
 * @since 0.1.0
 * @category models
 */
export interface Restored {
  readonly restored: number
  readonly waiting: number
  readonly damaged: number
}

/**
 * What can be done with a memory store as a whole, while it runs.
 *
 * @since 0.1.0
 * @category models
 */
export interface ControlsService {
  /** How full the store is. The first time it weighs each entry that was not weighed when it was written. */
  readonly usage: Effect.Effect<Usage>
  /** Sets other bounds; what is above them goes at once. Bounds that are left out stay as they are. */
  readonly resize: (bounds: Bounds) => Effect.Effect<void, CacheError.InvalidConfig>
  /** Evicts down to so many entries or bytes, once; the bounds stay. Answers how many entries have gone. */
  readonly prune: (bounds: Omit<Bounds, "maxEntryBytes">) => Effect.Effect<number, CacheError.InvalidConfig>
  /**
   * The entries as bytes, through the codec of each cache, what would be kept longest first. Those of caches without
   * a Schema are left out.
   */
  readonly snapshot: Effect.Effect<Uint8Array>
  /**
   * Takes in the entries of a snapshot, as many as there is room for, as if they had been loaded when the store was
   * made: what was written or invalidated since then wins. Those of a cache that is not open yet wait for it. Bytes
   * that are no snapshot are `CodecError`.
   */
  readonly restore: (snapshot: Uint8Array) => Effect.Effect<Restored, CacheError.CodecError>
}

/**
 * The controls of the memory store that a Layer has made. They come through `tieredOver`, `prefixed`, `retry` and
 * `timeout`.
 *
 * @example
 * ```ts
 * import { MemoryStore } from "effect-larder"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const controls = yield* MemoryStore.Controls
 *   yield* controls.resize({ maxEntries: 500 })
 *   return (yield* controls.usage).maxEntries
 * })
 *
 * program.pipe(
 *   Effect.provide(MemoryStore.layer({ capacity: 1_000 })),
 *   Effect.runPromise
 * ).then(console.log) // 500
 * ```
 *
 * @since 0.1.0
 * @category tags
 */
export class Controls extends Context.Tag("effect-larder/MemoryStore/Controls")<Controls, ControlsService>() {}

/**
 * What a memory store's Layer provides.
 *
 * @since 0.1.0
 * @category models
 */
export type Provided = CacheStore.CacheStore | CacheStore.Live | Controls

const contextOf = ({ controls, store }: Engine.Engine): Context.Context<Provided> =>
  Context.add(CacheStore.context(CacheStore.Live)(store), Controls, controls)

/**
 * The store as a Layer. Without options it cannot fail to build; an option that makes no sense is `InvalidConfig`,
 * which names all of them.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Cache, MemoryStore } from "effect-larder"
 *
 * const program = Effect.gen(function*() {
 *   const lengths = yield* Cache.make("lengths", { lookup: (word: string) => Effect.succeed(word.length) })
 *   return yield* lengths.get("larder")
 * })
 *
 * program.pipe(
 *   Effect.scoped,
 *   Effect.provide(MemoryStore.layer({ capacity: 1_000 })),
 *   Effect.runPromise
 * ).then(console.log) // 6
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: {
  (): Layer.Layer<Provided>
  (options: Options): Layer.Layer<Provided, CacheError.InvalidConfig>
} = (options: Options = {}): Layer.Layer<Provided> =>
  Layer.scopedContext(
    // without options there is nothing that could be refused; with them the overload says that it can
    Effect.map(Engine.make(options) as Effect.Effect<Engine.Engine, never, Scope.Scope>, contextOf)
  )

/**
 * As `layer`, with entries as bytes, in the form that a cache's codec gives them: each reading makes the value anew, so
 * nobody can change what others will read, what an entry weighs is known exactly, and the collector has nothing to
 * trace. It costs a decoding for each hit. Values need a Schema, and `freeze` and `references` have nothing to do.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Cache, MemoryStore } from "effect-larder"
 *
 * const program = Effect.gen(function*() {
 *   const lists = yield* Cache.make("lists", {
 *     key: Schema.Number,
 *     success: Schema.mutable(Schema.Array(Schema.Number)),
 *     lookup: (length: number) => Effect.succeed(Array.from({ length }, (_, index) => index))
 *   })
 *   const mine = yield* lists.get(3)
 *   mine.push(42)
 *   return yield* lists.get(3)
 * })
 *
 * program.pipe(
 *   Effect.scoped,
 *   Effect.provide(MemoryStore.layerBytes({ maxBytes: 50_000_000 })),
 *   Effect.runPromise
 * ).then(console.log) // [ 0, 1, 2 ]
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerBytes = (
  options: Omit<Options, "freeze" | "references"> = {}
): Layer.Layer<CacheStore.CacheStore | Controls, CacheError.InvalidConfig> =>
  Layer.scopedContext(
    Effect.map(Engine.makeBytes(options), ({ controls, store }) =>
      Context.add(CacheStore.context()(store), Controls, controls)
    )
  )

/**
 * As `layer`, with its options read from a `Config`.
 *
 * @example
 * ```ts
 * import { CacheStore, MemoryStore } from "effect-larder"
 * import { Config, ConfigProvider, Effect } from "effect"
 *
 * const Store = MemoryStore.layerConfig({ maxEntries: Config.integer("CACHE_ENTRIES").pipe(Config.withDefault(1_000)) })
 *
 * CacheStore.CacheStore.pipe(
 *   Effect.map((store) => store.name),
 *   Effect.provide(Store),
 *   Effect.withConfigProvider(ConfigProvider.fromMap(new Map([["CACHE_ENTRIES", "50"]]))),
 *   Effect.runPromise
 * ).then(console.log) // MemoryStore
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  config: Config.Config.Wrap<Options>
): Layer.Layer<Provided, CacheError.InvalidConfig | ConfigError> =>
  Layer.unwrapEffect(Effect.map(Config.unwrap(config), layer))

/**
 * As `layer`, with a warm start: when the Layer is released, entries of caches with a Schema are written to `file`,
 * what would be kept longest first; the next Layer with this file begins with them. The file is the configuration's
 * `filePermissions` allow (its owner's alone), it is replaced as a whole, and it is gone while the store is in use: a
 * process that crashes starts cold, rather than with what it had invalidated.
 *
 * A snapshot that cannot be read, or written, costs a cold start and a warning in the log, never an error.
 *
 * @example
 * ```ts
 * import { NodeContext } from "@effect/platform-node"
 * import { MemoryStore } from "effect-larder"
 * import { Layer } from "effect"
 *
 * export const Store = MemoryStore.layerSnapshot({ file: "data/cache.snapshot", maxEntries: 50_000 }).pipe(
 *   Layer.provide(NodeContext.layer)
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerSnapshot = ({
  file,
  ...options
}: Options & { readonly file: string }): Layer.Layer<
  Provided,
  CacheError.InvalidConfig,
  FileSystem.FileSystem | Path.Path
> =>
  Layer.scopedContext(
    Effect.zipRight(SnapshotFile.check(file), Engine.make(options)).pipe(
      Effect.tap((engine) => SnapshotFile.keep(engine, file)),
      Effect.map(contextOf)
    )
  )
