/**
 * Entries kept on a memcached server (1.6 or later): shared by all programs that use it, for as long as it has room.
 *
 * Speaks memcached's meta protocol itself, so there is nothing to install. All gets of one turn of the scheduler go to
 * the server in one packet; writes are fenced by its CAS numbers, so that no load that began before an invalidation is
 * stored after it, whichever program either of them is. A server that is restarted, or evicts whatever it likes, costs
 * loads, and never brings back what was invalidated.
 *
 * Several servers are several stores: see `CacheStore.sharded`.
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
import * as Limited from "./internal/limited.js"
import * as Client from "./memcached/client.js"
import type { Location } from "./memcached/connection.js"
import * as Errors from "./memcached/errors.js"
import * as Items from "./memcached/items.js"
import * as Store from "./versioned/store.js"

/**
 * What this engine is; see `CacheStore.Descriptor`.
 *
 * @since 0.1.0
 * @category descriptors
 */
export const descriptor: CacheStore.Descriptor = {
  name: "MemcachedStore",
  module: "effect-larder/MemcachedStore",
  capabilities: { live: false, persistent: false, shared: true },
  orders: "all programs",
  needs: [],
  reclaims: "by itself",
  takes: "up to `maxValueBytes`, in pieces"
}

/**
 * Where the server is, and how patient the store is.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * `memcached://[user:password@]host[:port]`, or `memcacheds://` for TLS. A `Redacted` one is shown to nobody, and so is
   * the password of one that is not. Default: "memcached://127.0.0.1:11211".
   */
  readonly url?: string | Redacted.Redacted<string> | undefined
  /** What all keys of the store begin with: at most 60 letters, digits and `-_.~:@=+,`. Default: "larder". */
  readonly prefix?: string | undefined
  /** How long an operation may take, before it fails with `StoreTimeout`. Default: 1 second. */
  readonly timeout?: Duration.DurationInput | undefined
  /** How long making a connection may take. Default: 5 seconds. */
  readonly connectTimeout?: Duration.DurationInput | undefined
  /** How many connections there are at most; one does until it is busy. Default: 10. */
  readonly maxConnections?: number | undefined
  /** Larger entries are written in pieces of so many bytes: the server takes no larger items. Default: 1 000 000. */
  readonly chunkBytes?: number | undefined
  /** Larger entries are not written, which is told as `StoreError`. Default: 32 MiB. */
  readonly maxValueBytes?: number | undefined
  /** As for `node:tls`: `ca`, `cert`, `key`, `servername`, ... Needed only where the system's own will not do. */
  readonly tls?: Readonly<Record<string, unknown>> | undefined
}

const defaultPort = 11_211

const url: Check.Check = (value) => {
  const hint = 'give a url such as "memcached://cache.example.com:11211"'
  const text = Redacted.isRedacted(value) ? Redacted.value(value) : value
  if (typeof text !== "string" || !URL.canParse(text)) return { reason: "must be a url", hint }
  const { hostname, pathname, protocol } = new URL(text)
  if (protocol !== "memcached:" && protocol !== "memcacheds:") {
    return { reason: "must begin with memcached:// or memcacheds://", hint }
  }
  if (hostname === "") return { reason: "must name a host", hint }
  return pathname === "" || pathname === "/" ? undefined : { reason: "must end with the host and its port", hint }
}

const prefix: Check.Check = (value) =>
  typeof value === "string" && /^[\w.~:@=+,-]{1,60}$/.test(value)
    ? undefined
    : { reason: "must be 1 to 60 letters, digits and -_.~:@=+,", hint: 'give a prefix such as "shop"' }

const chunkBytes: Check.Check = (value) =>
  typeof value === "number" && Number.isInteger(value) && value >= 1_000
    ? undefined
    : { reason: "must be an integer of at least 1000", hint: "stay below the server's own limit (memcached -I)" }

const locationOf = (given: string, options: Options): Location => {
  const { hostname, password, port, protocol, username } = new URL(given)
  return {
    host: hostname.replace(/^\[|\]$/g, ""),
    port: port === "" ? defaultPort : Number(port),
    user: username === "" ? undefined : decodeURIComponent(username),
    password: decodeURIComponent(password),
    connectMillis: Check.millisOf(options.connectTimeout ?? "5 seconds"),
    tls: protocol === "memcacheds:" ? (options.tls ?? {}) : options.tls
  }
}

const make = (
  options: Options
): Effect.Effect<CacheStore.Service, CacheError.InvalidConfig | CacheError.StoreUnavailable, Scope.Scope> =>
  Effect.gen(function* () {
    const given = options.url ?? `memcached://127.0.0.1:${defaultPort}`
    const secret = Redacted.isRedacted(given) ? given : Redacted.make(given)
    yield* Check.check(
      { ...options, url: secret },
      {
        url,
        prefix,
        timeout: Check.positiveDuration,
        connectTimeout: Check.positiveDuration,
        maxConnections: Check.positiveInteger,
        chunkBytes,
        maxValueBytes: Check.positiveInteger,
        tls: Check.object
      }
    )
    const location = locationOf(Redacted.value(secret), options)
    const client = yield* Client.connect({ ...location, maxConnections: options.maxConnections ?? 10 })
    const limited = yield* Limited.make({
      store: Errors.storeName,
      millis: Check.millisOf(options.timeout ?? "1 second"),
      failure: Errors.ofCommand
    })
    return yield* Store.make({
      name: Errors.storeName,
      capabilities: descriptor.capabilities,
      items: Items.make({
        client,
        location,
        limited,
        prefix: options.prefix ?? "larder",
        chunkBytes: options.chunkBytes ?? 1_000_000,
        maxValueBytes: options.maxValueBytes ?? 32 * 2 ** 20
      })
    })
  })

/**
 * A store on a memcached server. It is connected to when the Layer is built, and again whenever it is asked after the
 * connection was lost; meanwhile operations fail at once with a transient `StoreError`, and gets are answered by their
 * lookups.
 *
 * The options are checked once; all that is wrong with them is in one `InvalidConfig`. `StoreUnavailable` tells that the
 * server cannot be reached, is too old or does not let us in, and what to do.
 *
 * @example
 * ```ts
 * import { CacheStore, MemoryStore } from "effect-larder"
 * import * as MemcachedStore from "effect-larder/MemcachedStore"
 *
 * // two servers, each with its part of the keys, behind memory
 * export const Store = MemoryStore.layer({ capacity: 10_000 }).pipe(
 *   CacheStore.tieredOver(
 *     CacheStore.sharded({
 *       one: MemcachedStore.layer({ url: "memcached://cache-1.example.com", timeout: "100 millis" }),
 *       two: MemcachedStore.layer({ url: "memcached://cache-2.example.com", timeout: "100 millis" })
 *     })
 *   )
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  options: Options = {}
): Layer.Layer<CacheStore.CacheStore | CacheStore.Shared, CacheError.InvalidConfig | CacheError.StoreUnavailable> =>
  Layer.scopedContext(Effect.map(make(options), CacheStore.context(CacheStore.Shared)))

/**
 * As `layer`, with its options read from a `Config`.
 *
 * @example
 * ```ts
 * import { Config } from "effect"
 * import * as MemcachedStore from "effect-larder/MemcachedStore"
 *
 * export const Store = MemcachedStore.layerConfig({
 *   url: Config.redacted("MEMCACHED_URL"),
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
  CacheStore.CacheStore | CacheStore.Shared,
  CacheError.InvalidConfig | CacheError.StoreUnavailable | ConfigError
> => Layer.unwrapEffect(Effect.map(Config.unwrap(config), layer))
