/**
 * Entries kept in PostgreSQL: shared by all programs that use the database, with no other server to look after.
 *
 * Needs the optional peers `@effect/sql-pg`, `@effect/sql`, `@effect/experimental` and `pg`; without them the Layer fails
 * with `StoreUnavailable`, which tells how to install them. Each operation is one statement, prepared once for each
 * connection, and so one round trip; changes are functions in the database that fence them, so no load that began before
 * an invalidation is stored after it, whichever program either of them is.
 *
 * The store makes its tables when it is first opened, under one prefix and in the first schema of the search path;
 * several programs may do that at the same time.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type * as CacheError from "../CacheError.js"
import * as CacheStore from "../CacheStore.js"
import * as Check from "../internal/options.js"
import * as Connection from "./postgres/connection.js"
import * as Engine from "./postgres/engine.js"
import { storeName } from "./postgres/errors.js"

/**
 * What this engine is; see `CacheStore.Descriptor`.
 *
 * @since 0.1.0
 * @category descriptors
 */
export const descriptor: CacheStore.Descriptor = {
  name: "PostgresStore",
  module: "effect-larder/PostgresStore",
  capabilities: { live: false, persistent: true, shared: true },
  orders: "all programs",
  needs: ["@effect/sql-pg", "@effect/sql", "@effect/experimental", "pg"],
  reclaims: "when it is written to",
  takes: "up to 1 GB"
}

/**
 * Where the database is, and how patient the store is.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * `postgres://[user[:password]@]host[:port]/database`, with parameters such as `?sslmode=require`. A `Redacted` one is
   * shown to nobody, and so is the password of one that is not.
   */
  readonly url: string | Redacted.Redacted<string>
  /** What the names of the tables begin with: letters, digits and `_`. Default: "larder". */
  readonly prefix?: string | undefined
  /**
   * Whether entries are kept out of the write-ahead log: writing them is faster, they are not replicated, and a crash of
   * the server empties the cache. Only looked at when the tables are made. Default: false.
   */
  readonly unlogged?: boolean | undefined
  /**
   * Whether statements are prepared once for each connection, and connections opened with settings for their plans. A pooler
   * that hands out another connection for each transaction, such as PgBouncer in its transaction mode, knows neither: false
   * for that. Then each statement is planned anew, which takes about a third longer. Default: true.
   */
  readonly prepared?: boolean | undefined
  /** How long an operation may take, before it fails with `StoreTimeout`. Default: 1 second. */
  readonly timeout?: Duration.DurationInput | undefined
  /** How long making a connection may take. Default: 5 seconds. */
  readonly connectTimeout?: Duration.DurationInput | undefined
  /** How many connections there are at most. Default: 10. */
  readonly maxConnections?: number | undefined
}

const url: Check.Check = (value) => {
  const hint = 'give a url such as "postgres://user:password@db.example.com:5432/app"'
  const text = Redacted.isRedacted(value) ? Redacted.value(value) : value
  if (typeof text !== "string" || !URL.canParse(text)) return { reason: "must be a url", hint }
  return /^postgres(ql)?:$/.test(new URL(text).protocol)
    ? undefined
    : { reason: "must begin with postgres:// or postgresql://", hint }
}

const prefix: Check.Check = (value) =>
  typeof value === "string" && /^[a-z_][a-z0-9_]{0,29}$/.test(value)
    ? undefined
    : { reason: "must be 1 to 30 small letters, digits and _, not a digit first", hint: 'give a prefix such as "shop"' }

/** The server, without anybody's password. */
const placeOf = (text: string): string => {
  const { host, pathname } = new URL(text)
  return `postgres://${host}${pathname}`
}

const make = (
  options: Options
): Effect.Effect<CacheStore.Service, CacheError.InvalidConfig | CacheError.StoreUnavailable, Scope.Scope> =>
  Effect.gen(function* () {
    const location = Redacted.isRedacted(options.url) ? options.url : Redacted.make(options.url)
    yield* Check.check(
      { ...options, url: location },
      {
        url,
        prefix,
        unlogged: Check.boolean,
        prepared: Check.boolean,
        timeout: Check.positiveDuration,
        connectTimeout: Check.positiveDuration,
        maxConnections: Check.positiveInteger
      }
    )
    const connection = yield* Connection.open({
      url: location,
      where: placeOf(Redacted.value(location)),
      prefix: options.prefix ?? "larder",
      unlogged: options.unlogged ?? false,
      prepared: options.prepared ?? true,
      maxConnections: options.maxConnections ?? 10,
      connectMillis: Check.millisOf(options.connectTimeout ?? "5 seconds"),
      millis: Check.millisOf(options.timeout ?? "1 second")
    })
    return yield* CacheStore.make({
      name: storeName,
      capabilities: descriptor.capabilities,
      open: (region) => Engine.make(connection, region),
      regions: Engine.regions(connection)
    })
  })

/**
 * A store in a PostgreSQL database. The options are checked once; all that is wrong with them is in one `InvalidConfig`.
 * `StoreUnavailable` tells that the server cannot be reached or does not let us in, that the tables cannot be made or are
 * of a newer effect-larder, or that the peer is missing, and what to do.
 *
 * @example
 * ```ts
 * import { Redacted } from "effect"
 * import { CacheStore, MemoryStore } from "effect-larder"
 * import * as PostgresStore from "effect-larder/PostgresStore"
 *
 * export const Store = MemoryStore.layer().pipe(
 *   CacheStore.tieredOver(
 *     PostgresStore.layer({ url: Redacted.make("postgres://app:secret@db.example.com/app"), unlogged: true }).pipe(
 *       CacheStore.circuitBreaker()
 *     )
 *   )
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  options: Options
): Layer.Layer<
  CacheStore.CacheStore | CacheStore.Persistent | CacheStore.Shared,
  CacheError.InvalidConfig | CacheError.StoreUnavailable
> => Layer.scopedContext(Effect.map(make(options), CacheStore.context(CacheStore.Persistent, CacheStore.Shared)))

/**
 * As `layer`, with its options read from a `Config`.
 *
 * @example
 * ```ts
 * import { Config } from "effect"
 * import * as PostgresStore from "effect-larder/PostgresStore"
 *
 * export const Store = PostgresStore.layerConfig({ url: Config.redacted("DATABASE_URL") })
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  config: Config.Config.Wrap<Options>
): Layer.Layer<
  CacheStore.CacheStore | CacheStore.Persistent | CacheStore.Shared,
  CacheError.InvalidConfig | CacheError.StoreUnavailable | ConfigError
> => Layer.unwrapEffect(Effect.map(Config.unwrap(config), layer))
