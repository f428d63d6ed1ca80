/**
 * Entries kept in one SQLite file: they survive the process, and the processes of one machine share them.
 *
 * Needs the optional peers `@effect/sql-sqlite-node`, `@effect/sql` and `@effect/experimental`; without them the Layer
 * fails with `StoreUnavailable`. The file is in WAL mode, so that readers and a writer do not wait for each other.
 * SQLite runs inside the process and its calls block it: for some tens of microseconds each, or, when another process
 * holds the write lock, up to `busyTimeout`.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type * as CacheError from "../CacheError.js"
import * as CacheStore from "../CacheStore.js"
import * as Constants from "../internal/constants.js"
import { decodeDuration } from "../internal/duration.js"
import * as Check from "../internal/options.js"
import * as Connection from "./sqlite/connection.js"
import * as Engine from "./sqlite/engine.js"
import { storeName } from "./sqlite/errors.js"
import * as File from "./sqlite/file.js"
import * as Location from "./sqlite/location.js"
import * as Sweep from "./sqlite/sweep.js"
import * as Maintain from "./sqlite/upkeep.js"

/**
 * What this engine is; see `CacheStore.Descriptor`.
 *
 * @since 0.1.0
 * @category descriptors
 */
export const descriptor: CacheStore.Descriptor = {
  name: "SqliteStore",
  module: "effect-larder/SqliteStore",
  capabilities: { live: false, persistent: true, shared: true },
  orders: "one machine's programs",
  needs: ["@effect/sql-sqlite-node", "@effect/sql", "@effect/experimental"],
  reclaims: "when it is written to",
  takes: "up to 1 GB"
}

/**
 * Where the database is, and how patient the store is. Give `filename`, or `name`, or neither.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The database file, relative to the working directory. Its folder is made if there is none. */
  readonly filename?: string | undefined
  /**
   * The database's name within the cache folder of the configuration. Any text will do: none leads out of the folder.
   * Default: "cache".
   */
  readonly name?: string | undefined
  /**
   * How long an operation waits for another process that is writing, before it fails with a transient `StoreError`.
   * The wait blocks this process. Default: 1 second.
   */
  readonly busyTimeout?: Duration.DurationInput | undefined
  /**
   * How many bytes the database may have that something is in. When it has more, the entries that were there first are
   * removed. The file itself may be a sixteenth larger, and does not shrink: see `Maintenance`. Default: no bound.
   */
  readonly maxBytes?: number | undefined
}

/**
 * What can be done with the database while it is used.
 *
 * @since 0.1.0
 * @category models
 */
export interface Upkeep {
  /** The size of the database in bytes, what is free in it included. */
  readonly size: Effect.Effect<number, CacheError.StoreFailure>
  /** Gives what is free back to the disk. Rewrites the whole file, and blocks this process and all that write meanwhile. */
  readonly vacuum: Effect.Effect<void, CacheError.StoreFailure>
  /**
   * Copies the database into another file, whole and of one moment, while it is used, and without blocking. A copy that
   * takes the place of the database later brings back what was invalidated since: clear it before you use it.
   */
  readonly backup: (filename: string) => Effect.Effect<void, CacheError.StoreFailure>
}

/**
 * The upkeep of the database in force.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import * as SqliteStore from "effect-larder/SqliteStore"
 *
 * const program = Effect.gen(function*() {
 *   const upkeep = yield* SqliteStore.Maintenance
 *   yield* upkeep.vacuum
 *   return yield* upkeep.size
 * })
 *
 * program.pipe(Effect.provide(SqliteStore.layerTemporary), Effect.runPromise).then((bytes) => console.log(bytes > 0)) // true
 * ```
 *
 * @since 0.1.0
 * @category tags
 */
export class Maintenance extends Context.Tag("effect-larder/SqliteStore/Maintenance")<Maintenance, Upkeep>() {}

const defaultBusyTimeout = Duration.seconds(1)

/** SQLite keeps it as a 32-bit integer of milliseconds. */
const maxBusyMillis = 2 ** 31 - 1

const filename: Check.Check = (value) => {
  const hint = 'give a path such as "data/cache.db"'
  if (typeof value !== "string" || value.length === 0) return { reason: "must be a path that is not empty", hint }
  if (value === ":memory:") return { reason: "is not a file", hint: "use SqliteStore.layerMemory" }
  // the driver trims what it is given, and would open another file than the one that was made for it
  if (value.trim() !== value) return { reason: "must not begin or end with white space", hint }
  if (/[/\\]$/.test(value)) return { reason: "must be a file's path, not a folder's", hint }
  return value.includes("\0") ? { reason: "must not have NUL characters", hint } : undefined
}

const name: Check.Check = (value) =>
  typeof value === "string" && value.length > 0
    ? undefined
    : { reason: "must be a name that is not empty", hint: 'give a name such as "my-app"' }

const busyTimeout: Check.Check = (value) =>
  Either.match(decodeDuration("busyTimeout", value), {
    onLeft: (problem) => problem,
    onRight: (millis) =>
      millis > maxBusyMillis
        ? { reason: "must be finite, 2^31 - 1 milliseconds at most", hint: 'use a duration such as "1 second"' }
        : undefined
  })

const check = (options: Options): Effect.Effect<void, CacheError.InvalidConfig> =>
  Check.check(options, {
    busyTimeout,
    filename: (value) =>
      options.name === undefined
        ? filename(value)
        : { reason: "cannot be given together with name", hint: "give one of filename and name" },
    maxBytes: Check.positiveInteger,
    name
  })

/** The store, and what goes beside it. */
interface Made {
  readonly store: CacheStore.Service
  readonly upkeep: Upkeep
}

const make = (
  connection: Connection.Connection,
  capabilities: { readonly persistent: boolean; readonly shared: boolean },
  maxBytes = Infinity
): Effect.Effect<Made, never, Scope.Scope> => {
  const keep = maxBytes === Infinity ? undefined : Maintain.budget(connection, maxBytes)
  return Effect.map(
    CacheStore.make({
      name: storeName,
      capabilities: { live: false, ...capabilities },
      open: (region) => Engine.make(connection, region, keep),
      regions: Engine.regions(connection),
      compact: () => Maintain.compact(connection)
    }),
    (store) => ({
      store,
      upkeep: {
        size: Maintain.size(connection),
        vacuum: Maintain.vacuum(connection),
        backup: connection.backup
      }
    })
  )
}

/** With the marks that the Layer says. */
const context =
  <Marks>(marks: (store: CacheStore.Service) => Context.Context<CacheStore.CacheStore | Marks>) =>
  ({ store, upkeep }: Made): Context.Context<CacheStore.CacheStore | Marks | Maintenance> =>
    Context.add(marks(store), Maintenance, upkeep)

const openFile = (
  file: string,
  mode: number,
  busyMillis: number
): Effect.Effect<Connection.Connection, CacheError.StoreUnavailable | CacheError.PathError, Scope.Scope> =>
  Effect.gen(function* () {
    yield* File.ensureFile(file, mode)
    const connection = yield* Connection.open({ file, busyMillis })
    // only now: before, it might have been somebody else's
    yield* File.secure(file, mode)
    yield* Sweep.reclaim(connection, Sweep.atOpening)
    return connection
  })

const makeFile = (
  options: Options
): Effect.Effect<Made, CacheError.InvalidConfig | CacheError.StoreUnavailable | CacheError.PathError, Scope.Scope> =>
  Effect.gen(function* () {
    yield* check(options)
    const { file, mode } = yield* Location.prepare(options)
    const busyMillis = Math.ceil(Duration.toMillis(options.busyTimeout ?? defaultBusyTimeout))
    const connection = yield* openFile(file, mode, busyMillis)
    const { maxBytes = Infinity } = options
    yield* Maintain.keepTo(connection, maxBytes)
    return yield* make(connection, { persistent: true, shared: true }, maxBytes)
  })

/**
 * A store in a SQLite file, which is made if there is none. What the file holds is checked: a database of another
 * application, a damaged one, one of a newer effect-larder, or a file that is no database at all is left as it is,
 * and the Layer fails with `StoreUnavailable` that names the file and the remedy.
 *
 * The options are checked once; all that is wrong with them is in one `InvalidConfig`. `PathError` tells that the
 * folder or the file cannot be made or given its permissions.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Cache } from "effect-larder"
 * import * as SqliteStore from "effect-larder/SqliteStore"
 * import { tmpdir } from "node:os"
 * import { join } from "node:path"
 *
 * const program = Effect.gen(function*() {
 *   const lengths = yield* Cache.make("lengths", {
 *     key: Schema.String,
 *     success: Schema.Number,
 *     lookup: (word: string) => Effect.succeed(word.length)
 *   })
 *   return yield* lengths.get("larder")
 * })
 *
 * program.pipe(
 *   Effect.scoped,
 *   Effect.provide(SqliteStore.layer({ filename: join(tmpdir(), "effect-larder-example", "cache.db") })),
 *   Effect.runPromise
 * ).then(console.log) // 6
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  options: Options = {}
): Layer.Layer<
  CacheStore.CacheStore | CacheStore.Persistent | CacheStore.Shared | Maintenance,
  CacheError.InvalidConfig | CacheError.StoreUnavailable | CacheError.PathError
> =>
  Layer.scopedContext(
    Effect.map(makeFile(options), context(CacheStore.context(CacheStore.Persistent, CacheStore.Shared)))
  )

/**
 * As `layer`, with its options read from a `Config`.
 *
 * @example
 * ```ts
 * import { Config } from "effect"
 * import * as SqliteStore from "effect-larder/SqliteStore"
 *
 * export const Store = SqliteStore.layerConfig({
 *   filename: Config.string("CACHE_FILE"),
 *   busyTimeout: Config.duration("CACHE_BUSY_TIMEOUT").pipe(Config.withDefault("2 seconds"))
 * })
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  config: Config.Config.Wrap<Options>
): Layer.Layer<
  CacheStore.CacheStore | CacheStore.Persistent | CacheStore.Shared | Maintenance,
  CacheError.InvalidConfig | CacheError.StoreUnavailable | CacheError.PathError | ConfigError
> => Layer.unwrapEffect(Effect.map(Config.unwrap(config), layer))

/**
 * A store in a file of its own in a new temporary folder, which is removed when the Layer is released. For tests that
 * want a real file, and for values too many for memory that need not outlive the program.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { CacheStore } from "effect-larder"
 * import * as SqliteStore from "effect-larder/SqliteStore"
 *
 * CacheStore.CacheStore.pipe(
 *   Effect.map((store) => store.name),
 *   Effect.provide(SqliteStore.layerTemporary),
 *   Effect.runPromise
 * ).then(console.log) // SqliteStore
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerTemporary: Layer.Layer<
  CacheStore.CacheStore | Maintenance,
  CacheError.StoreUnavailable | CacheError.PathError
> = Layer.scopedContext(
  File.temporaryFolder.pipe(
    Effect.flatMap((folder) =>
      openFile(`${folder}/cache.db`, Constants.fileModes.private, Duration.toMillis(defaultBusyTimeout))
    ),
    Effect.flatMap((connection) => make(connection, { persistent: false, shared: false })),
    Effect.map(context(CacheStore.context()))
  )
)

/**
 * A store in an in-memory SQLite database, gone when the Layer is released. For tests: it behaves as `layer` does,
 * without a file.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { CacheStore } from "effect-larder"
 * import * as SqliteStore from "effect-larder/SqliteStore"
 *
 * CacheStore.CacheStore.pipe(
 *   Effect.map((store) => store.capabilities.persistent),
 *   Effect.provide(SqliteStore.layerMemory),
 *   Effect.runPromise
 * ).then(console.log) // false
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerMemory: Layer.Layer<CacheStore.CacheStore, CacheError.StoreUnavailable> = Layer.scopedContext(
  Connection.open({ file: ":memory:", busyMillis: 0 }).pipe(
    Effect.flatMap((connection) => make(connection, { persistent: false, shared: false })),
    Effect.map(({ store }) => CacheStore.context()(store))
  )
)
