/**
 * Entries kept on a Redis server (or Valkey, or whatever speaks its protocol): shared by all programs that use it.
 *
 * Needs the optional peer `redis`; without it the Layer fails with `StoreUnavailable`, which tells how to install it.
 * All gets of one turn of the scheduler go to the server as one command; writes and invalidations are scripts, so that
 * no load that began before an invalidation is stored after it, whichever program either of them is. A server that is
 * restarted empty, or evicts keys, costs loads, and never brings back what was invalidated.
 *
 * The server's own expiry only makes room: whether an entry is served is decided by the clock of whoever reads it. All
 * keys of one cache have the same hash tag (`larder:{app/Users}:...`): on a cluster, behind a proxy, each cache is on
 * one node. Nothing but keys under `prefix` is ever read, written or removed, with `SCAN` and `UNLINK`, never `KEYS`.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type * as CacheError from "../CacheError.js"
import * as CacheStore from "../CacheStore.js"
import * as Check from "../internal/options.js"
import * as Limited from "./internal/limited.js"
import * as Client from "./redis/client.js"
import * as Engine from "./redis/engine.js"
import * as Errors from "./redis/errors.js"

/**
 * What this engine is; see `CacheStore.Descriptor`.
 *
 * @since 0.1.0
 * @category descriptors
 */
export const descriptor: CacheStore.Descriptor = {
  name: "RedisStore",
  module: "effect-larder/RedisStore",
  capabilities: { live: false, persistent: true, shared: true },
  orders: "all programs",
  needs: ["redis"],
  reclaims: "by itself",
  takes: "up to 512 MB"
}

/**
 * Where the server is, and how patient the store is.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * `redis://[user[:password]@]host[:port][/database]`, or `rediss://` for TLS. A `Redacted` one is shown to nobody, and
   * so is the password of one that is not. Default: made of the options below.
   */
  readonly url?: string | Redacted.Redacted<string> | undefined
  /** In the place of a url. Default: "localhost". */
  readonly host?: string | undefined
  /** In the place of a url: 1 to 65535. Default: 6379. */
  readonly port?: number | undefined
  /** In the place of a url: the number of a database. Default: 0. */
  readonly database?: number | undefined
  /** In the place of a url. Default: none. */
  readonly password?: string | Redacted.Redacted<string> | undefined
  /** What all keys of the store begin with. Default: "larder". */
  readonly prefix?: string | undefined
  /** How long an operation may take, before it fails with `StoreTimeout`. Default: 1 second. */
  readonly timeout?: Duration.DurationInput | undefined
  /** How long making a connection may take. Default: 5 seconds. */
  readonly connectTimeout?: Duration.DurationInput | undefined
  /** As for `node:tls`: `ca`, `cert`, `key`, `servername`, ... Needed only where the system's own will not do. */
  readonly tls?: Readonly<Record<string, unknown>> | undefined
}

const url: Check.Check = (value) => {
  const hint = 'give a url such as "redis://:password@cache.example.com:6379/0"'
  const text = Redacted.isRedacted(value) ? Redacted.value(value) : value
  if (typeof text !== "string" || !URL.canParse(text)) return { reason: "must be a url", hint }
  const { host, pathname, protocol } = new URL(text)
  if (protocol !== "redis:" && protocol !== "rediss:") return { reason: "must begin with redis:// or rediss://", hint }
  if (host === "") return { reason: "must name a host", hint }
  return /^\/?\d*$/.test(pathname) ? undefined : { reason: "must end with the number of a database, if anything", hint }
}

const beside =
  (options: Options, check: Check.Check): Check.Check =>
  (value) =>
    options.url === undefined
      ? check(value)
      : { reason: "cannot be given together with url", hint: "say it in the url, or leave the url out" }

const port: Check.Check = (value) =>
  typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= 65_535
    ? undefined
    : { reason: "must be an integer from 1 to 65535", hint: "use the server's port, such as 6379" }

const database: Check.Check = (value) =>
  typeof value === "number" && Number.isInteger(value) && value >= 0
    ? undefined
    : { reason: "must be an integer, 0 or more", hint: "use the number of a database, such as 0" }

const host: Check.Check = (value) =>
  typeof value === "string" && /^[^\s/@]+$/.test(value)
    ? undefined
    : { reason: "must be the name of a host", hint: 'give a host such as "cache.example.com"' }

const secret: Check.Check = (value) => Check.text(Redacted.isRedacted(value) ? Redacted.value(value) : value)

const plain = (value: string | Redacted.Redacted<string>): string =>
  Redacted.isRedacted(value) ? Redacted.value(value) : value

/** The url, be it made of its parts. */
const locationOf = (options: Options): Redacted.Redacted<string> => {
  const { database = 0, host = "localhost", password, port = 6_379 } = options
  if (options.url !== undefined) return Redacted.make(plain(options.url))
  const user = password === undefined ? "" : `:${encodeURIComponent(plain(password))}@`
  return Redacted.make(`redis://${user}${host.includes(":") ? `[${host}]` : host}:${port}/${database}`)
}

const make = (
  options: Options
): Effect.Effect<CacheStore.Service, CacheError.InvalidConfig | CacheError.StoreUnavailable, Scope.Scope> =>
  Effect.gen(function* () {
    const { connectTimeout = "5 seconds", prefix: start = "larder", timeout = "1 second" } = options
    yield* Check.check(
      {
        ...options,
        ...(options.url === undefined ? {} : { url: Redacted.make(plain(options.url)) }),
        ...(options.password === undefined ? {} : { password: Redacted.make(plain(options.password)) })
      },
      {
        url,
        host: beside(options, host),
        port: beside(options, port),
        database: beside(options, database),
        password: beside(options, secret),
        prefix: Check.prefix,
        timeout: Check.positiveDuration,
        connectTimeout: Check.positiveDuration,
        tls: Check.object
      }
    )
    const location = locationOf(options)
    const client = yield* Client.connect({
      url: Redacted.value(location),
      connectMillis: Check.millisOf(connectTimeout),
      tls: options.tls
    })
    const limited = yield* Limited.make({
      store: Errors.storeName,
      millis: Check.millisOf(timeout),
      failure: Errors.ofCommand
    })
    return yield* CacheStore.make({
      name: Errors.storeName,
      capabilities: descriptor.capabilities,
      open: (region) => Engine.make(client, limited, start, region),
      regions: Engine.regions(client, limited, start)
    })
  })

/**
 * A store on a Redis server. It is connected to when the Layer is built, and again by itself whenever the connection is
 * lost; meanwhile operations fail at once with a transient `StoreError`, and gets are answered by their lookups.
 *
 * The options are checked once; all that is wrong with them is in one `InvalidConfig`. `StoreUnavailable` tells that the
 * server cannot be reached or does not let us in, or that the peer is missing, and what to do.
 *
 * @example
 * ```ts
 * import { Redacted } from "effect"
 * import { CacheStore, MemoryStore } from "effect-larder"
 * import * as RedisStore from "effect-larder/RedisStore"
 *
 * // memory in front of Redis; if Redis cannot be had when the program starts, memory alone
 * export const Store = MemoryStore.layer({ capacity: 10_000 }).pipe(
 *   CacheStore.tieredOver(
 *     RedisStore.layer({ url: Redacted.make("redis://:secret@cache.example.com:6379"), timeout: "100 millis" }).pipe(
 *       CacheStore.orElse(MemoryStore.layer())
 *     )
 *   )
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  options: Options = {}
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
 * import * as RedisStore from "effect-larder/RedisStore"
 *
 * export const Store = RedisStore.layerConfig({
 *   url: Config.redacted("REDIS_URL"),
 *   timeout: Config.duration("CACHE_TIMEOUT").pipe(Config.withDefault("100 millis"))
 * })
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

/**
 * Options that are read from the environment: `LARDER_REDIS_HOST`, `LARDER_REDIS_PORT`, `LARDER_REDIS_DB` and
 * `LARDER_REDIS_PASSWORD`. What is not set is left out.
 *
 * @example
 * ```ts
 * import * as RedisStore from "effect-larder/RedisStore"
 *
 * export const Store = RedisStore.layerConfig(RedisStore.environment)
 * ```
 *
 * @since 0.1.0
 * @category config
 */
export const environment: Config.Config<Options> = Config.map(
  Config.all({
    host: Config.option(Config.nonEmptyString("HOST")),
    port: Config.option(Config.integer("PORT")),
    database: Config.option(Config.integer("DB")),
    password: Config.option(Config.redacted("PASSWORD"))
  }).pipe(Config.nested("REDIS"), Config.nested("LARDER")),
  ({ database, host, password, port }) => ({
    host: Option.getOrUndefined(host),
    port: Option.getOrUndefined(port),
    database: Option.getOrUndefined(database),
    password: Option.getOrUndefined(password)
  })
)
