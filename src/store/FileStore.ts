/**
 * Entries kept as files, one for each: for values that are large, and few enough to be told apart by a file system.
 *
 * Works over the `FileSystem` of `@effect/platform`, so it runs wherever that does. One process at a time has a store's
 * directory; for files that several processes share see `SqliteStore`. An entry is written beside its place and moved
 * there when it is whole, so a process that is killed leaves no half ones. What is there is known in memory (about 300
 * bytes an entry): a miss does not touch the disk, and a hit is one reading of one file.
 *
 * @since 0.1.0
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as path from "node:path"
import * as CacheConfig from "../CacheConfig.js"
import type * as CacheError from "../CacheError.js"
import * as CacheStore from "../CacheStore.js"
import * as Constants from "../internal/constants.js"
import * as Check from "../internal/options.js"
import * as Engine from "./file/engine.js"
import { storeName } from "./file/errors.js"
import * as Journal from "./file/journal.js"
import type { Place } from "./file/listing.js"
import * as Ownership from "./file/ownership.js"
import { Shelf } from "./file/shelf.js"
import * as Paths from "./internal/paths.js"

/**
 * What this engine is; see `CacheStore.Descriptor`.
 *
 * @since 0.1.0
 * @category descriptors
 */
export const descriptor: CacheStore.Descriptor = {
  name: "FileStore",
  module: "effect-larder/FileStore",
  capabilities: { live: false, persistent: true, shared: false },
  orders: "one program",
  needs: [],
  reclaims: "when it is written to",
  takes: "any size"
}

/**
 * Where the files are, and how many bytes of them. Give `directory`, or `name`, or neither.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The store's own folder, relative to the working directory. It is made if there is none. */
  readonly directory?: string | undefined
  /**
   * The folder's name within the cache folder of the configuration. Any text will do: none leads out of it. Default:
   * "files".
   */
  readonly name?: string | undefined
  /**
   * How many bytes all files together have at most; beyond it what was used longest ago goes. An entry larger than that
   * is not kept. Default: 1 GiB.
   */
  readonly maxBytes?: number | undefined
  /** Whether entries of 1 KiB and more are compressed, where that makes them smaller. Default: "gzip". */
  readonly compression?: "gzip" | "none" | undefined
  /**
   * Whether what is written has reached the disk before an operation ends (`fsync`). Without it a crash of the machine,
   * not of the process, empties the store. Default: false.
   */
  readonly durable?: boolean | undefined
}

const defaultMaxBytes = 2 ** 30

const text: Check.Check = (value) =>
  typeof value === "string" && value.trim() === value && value.length > 0 && !value.includes("\0")
    ? undefined
    : { reason: "must be text that is not empty, nor begins or ends with white space", hint: 'use "data/files"' }

const check = (options: Options): Effect.Effect<void, CacheError.InvalidConfig> =>
  Check.check(options, {
    directory: (value) =>
      options.name === undefined
        ? text(value)
        : { reason: "cannot be given together with name", hint: "give one of directory and name" },
    name: text,
    maxBytes: Check.positiveInteger,
    compression: (value) =>
      value === "gzip" || value === "none"
        ? undefined
        : { reason: "must be one of: gzip, none", hint: 'use "gzip" or "none"' },
    durable: Check.boolean
  })

const make = (
  options: Options
): Effect.Effect<
  CacheStore.Service,
  CacheError.InvalidConfig | CacheError.StoreUnavailable | CacheError.PathError,
  Scope.Scope | FileSystem.FileSystem
> =>
  Effect.gen(function* () {
    yield* check(options)
    const config = yield* CacheConfig.Current
    const fs = yield* FileSystem.FileSystem
    const directory =
      options.directory === undefined
        ? path.join(yield* Paths.storeFolder(config), Paths.safeName(options.name ?? "files"))
        : path.resolve(options.directory)
    const durable = options.durable ?? false
    yield* Paths.ensureFolder(directory, config.filePermissions, { own: options.directory === undefined })
    const place: Place = {
      directory,
      generation: yield* Ownership.take(directory, durable),
      shelf: new Shelf(options.maxBytes ?? defaultMaxBytes),
      durable,
      compress: options.compression !== "none",
      modes: {
        file: Constants.fileModes[config.filePermissions],
        folder: Constants.folderModes[config.filePermissions]
      }
    }
    const regions = Journal.regions(fs, directory)
    const opened = new Map<string, Engine.FileEngine>()
    const compact = (open: CacheStore.Raw["open"]) =>
      Effect.gen(function* () {
        // opening them shows what there is, and removes files that are no entries
        const names = yield* Effect.tap(regions, Effect.forEach(open))
        const before = place.shelf.bytes
        const removed = yield* Effect.forEach(names, (name) => opened.get(name)?.reclaim ?? Effect.succeed(0))
        return { removed: removed.reduce((sum, count) => sum + count, 0), before, after: place.shelf.bytes }
      }).pipe(Effect.scoped)
    return yield* CacheStore.make({
      name: storeName,
      capabilities: descriptor.capabilities,
      open: (region) =>
        Effect.tap(Effect.provideService(Engine.make(place, region), FileSystem.FileSystem, fs), (engine) =>
          Effect.acquireRelease(
            Effect.sync(() => opened.set(region, engine)),
            () => Effect.sync(() => opened.delete(region))
          )
        ),
      regions,
      compact
    })
  })

/**
 * A store in a folder of its own. The options are checked once; all that is wrong with them is in one `InvalidConfig`.
 * `PathError` tells that the folder cannot be made, `StoreUnavailable` that another process has it.
 *
 * @example
 * ```ts
 * import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
 * import { Effect, Layer, Schema } from "effect"
 * import { Cache } from "effect-larder"
 * import * as FileStore from "effect-larder/FileStore"
 * import { tmpdir } from "node:os"
 * import { join } from "node:path"
 *
 * const Store = FileStore.layer({ directory: join(tmpdir(), "effect-larder-example-files") }).pipe(
 *   Layer.provide(NodeFileSystem.layer)
 * )
 *
 * const program = Effect.gen(function*() {
 *   const pages = yield* Cache.make("pages", {
 *     key: Schema.String,
 *     success: Schema.String,
 *     lookup: (title: string) => Effect.succeed(title.repeat(10_000))
 *   })
 *   return (yield* pages.get("larder")).length
 * })
 *
 * program.pipe(Effect.scoped, Effect.provide(Store), Effect.runPromise).then(console.log) // 60000
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  options: Options = {}
): Layer.Layer<
  CacheStore.CacheStore | CacheStore.Persistent,
  CacheError.InvalidConfig | CacheError.StoreUnavailable | CacheError.PathError,
  FileSystem.FileSystem
> => Layer.scopedContext(Effect.map(make(options), CacheStore.context(CacheStore.Persistent)))

/**
 * As `layer`, with its options read from a `Config`.
 *
 * @example
 * ```ts
 * import { Config } from "effect"
 * import * as FileStore from "effect-larder/FileStore"
 *
 * export const Store = FileStore.layerConfig({
 *   directory: Config.string("CACHE_FOLDER"),
 *   maxBytes: Config.integer("CACHE_BYTES").pipe(Config.withDefault(100_000_000))
 * })
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  config: Config.Config.Wrap<Options>
): Layer.Layer<
  CacheStore.CacheStore | CacheStore.Persistent,
  CacheError.InvalidConfig | CacheError.StoreUnavailable | CacheError.PathError | ConfigError,
  FileSystem.FileSystem
> => Layer.unwrapEffect(Effect.map(Config.unwrap(config), layer))
