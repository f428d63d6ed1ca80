/**
 * Entries kept as objects in a bucket: of Amazon S3, or whatever speaks its protocol (MinIO, R2, ...), of Google Cloud
 * Storage, or, by a client of your own, of anything else. For large values that many programs share.
 *
 * Needs an optional peer, `@aws-sdk/client-s3` or, for `layerGoogle`, `@google-cloud/storage` (none with a client of your
 * own); without it the Layer fails with `StoreUnavailable`, which tells how to install it. Writes are fenced by conditional requests, so that no load that began
 * before an invalidation is stored after it, whichever program either of them is. A service that does not mind their
 * conditions is found out when the Layer is built, and told in the log: then each program orders only what it does itself.
 *
 * Entries that are over stay until they are asked for, cleared, or removed by the bucket's own lifecycle rules, which may
 * remove anything at any time: that costs loads, and never brings back what was invalidated.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type * as CacheError from "../CacheError.js"
import * as CacheStore from "../CacheStore.js"
import * as Check from "../internal/options.js"
import * as Limited from "./internal/limited.js"
import type { Told } from "./internal/diagnosis.js"
import * as Errors from "./object/errors.js"
import * as Google from "./object/google.js"
import * as Objects from "./object/objects.js"
import * as S3 from "./object/s3.js"
import * as Plain from "./versioned/plain.js"
import * as Store from "./versioned/store.js"
import { warnOf } from "../internal/tell.js"

/**
 * What this engine is; see `CacheStore.Descriptor`.
 *
 * @since 0.1.0
 * @category descriptors
 */
export const descriptor: CacheStore.Descriptor = {
  name: "ObjectStore",
  module: "effect-larder/ObjectStore",
  capabilities: { live: false, persistent: true, shared: true },
  orders: "all programs",
  needs: ["@aws-sdk/client-s3"],
  reclaims: "when they are asked for",
  takes: "what the service takes"
}

/**
 * What has to be so for an object to be written: that there is none, or that it has still this version.
 *
 * @since 0.1.0
 * @category models
 */
export type Condition = Objects.Condition

/**
 * An object as it was read; its version is what the service calls this writing of it (an ETag, a generation).
 *
 * @since 0.1.0
 * @category models
 */
export type Found = Objects.Found

/**
 * All that is asked of a service of objects: a client of your own is these four functions. A rejected promise becomes a
 * `StoreError`; that there is no such object, or that a condition does not hold, is an answer (`undefined`).
 *
 * @since 0.1.0
 * @category models
 */
export interface Client extends Objects.Objects {}

/**
 * Where in a bucket, and how patient the store is.
 *
 * @since 0.1.0
 * @category models
 */
export interface ClientOptions {
  /** What all names of objects begin with. Default: "larder". */
  readonly prefix?: string | undefined
  /** How long an operation may take, before it fails with `StoreTimeout`. Default: 5 seconds. */
  readonly timeout?: Duration.DurationInput | undefined
}

/**
 * Which bucket, and how to get there.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends ClientOptions {
  readonly bucket: string
  /** Default: "us-east-1", which is also what others than AWS want to be told. */
  readonly region?: string | undefined
  /** The url of a service that is not AWS's own. */
  readonly endpoint?: string | undefined
  /** Default: what the AWS SDK finds, in the environment, a profile or the machine's own role. */
  readonly credentials?:
    | { readonly accessKeyId: string; readonly secretAccessKey: string | Redacted.Redacted<string> }
    | undefined
}

/**
 * Which bucket of Google Cloud Storage, and how to get there.
 *
 * @since 0.1.0
 * @category models
 */
export interface GoogleOptions extends ClientOptions {
  readonly bucket: string
  /** The url of an emulator, which wants no credentials unless you give some, or of a private endpoint. */
  readonly endpoint?: string | undefined
  /** Those of a service account. Default: what the client finds (`GOOGLE_APPLICATION_CREDENTIALS`, the machine's own). */
  readonly credentials?:
    | { readonly clientEmail: string; readonly privateKey: string | Redacted.Redacted<string> }
    | undefined
}

const endpoint: Check.Check = (value) =>
  typeof value === "string" && URL.canParse(value) && /^https?:$/.test(new URL(value).protocol)
    ? undefined
    : { reason: "must be a url", hint: 'give a url such as "https://s3.example.com"' }

const hasBoth =
  (one: string, other: string, reason: string): Check.Check =>
  (value) =>
    typeof value === "object" && value !== null && one in value && other in value
      ? undefined
      : { reason, hint: `give { ${one}, ${other} }, or leave it to the driver to find some` }

const credentials = hasBoth("accessKeyId", "secretAccessKey", "must have both keys")
const googleCredentials = hasBoth("clientEmail", "privateKey", "must have an account and its key")

const bucket: Check.Check = (value) =>
  typeof value === "string" && /^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$/i.test(value)
    ? undefined
    : { reason: "must be the name of a bucket", hint: "use 3 to 63 lower-case letters, digits and hyphens" }

const make = (
  client: Client,
  where: string,
  told: Told,
  options: ClientOptions
): Effect.Effect<CacheStore.Service, CacheError.StoreUnavailable, Scope.Scope> =>
  Effect.gen(function* () {
    const millis = Check.millisOf(options.timeout ?? "5 seconds")
    const limited = yield* Limited.make({ store: Errors.storeName, millis, failure: told.ofOperation })
    const place = { objects: client, limited, prefix: options.prefix ?? "larder", failure: told.ofOperation }
    const isOrdered = yield* Effect.mapError(
      limited("open", () => Objects.mindsConditions(place)),
      (error) => told.ofConnecting(where, error._tag === "StoreError" ? error.cause : error)
    )
    if (!isOrdered) {
      yield* warnOf(
        Errors.storeName,
        `${Errors.storeName}: ${where} does not mind the conditions of conditional writes; ` +
          "what several programs do there in the same moment is ordered by nobody"
      )
    }
    return yield* Store.make({
      name: Errors.storeName,
      capabilities: descriptor.capabilities,
      items: isOrdered ? Objects.make(place) : Plain.make(Objects.plain(place)),
      millis
    })
  })

const withMarks = Effect.map(CacheStore.context(CacheStore.Persistent, CacheStore.Shared))

const clientChecks = { prefix: Check.prefix, timeout: Check.positiveDuration }

/**
 * A store in a bucket of S3, or of what speaks its protocol.
 *
 * The options are checked once; all that is wrong with them is in one `InvalidConfig`. `StoreUnavailable` tells that the
 * bucket cannot be reached, or not be used with these credentials, or that the peer is missing, and what to do.
 *
 * @example
 * ```ts
 * import { Redacted } from "effect"
 * import { CacheStore, MemoryStore } from "effect-larder"
 * import * as ObjectStore from "effect-larder/ObjectStore"
 *
 * // pages in a bucket, and those that are asked for most in memory
 * export const Store = MemoryStore.layer({ maxBytes: 100_000_000 }).pipe(
 *   CacheStore.tieredOver(
 *     ObjectStore.layer({
 *       bucket: "pages",
 *       endpoint: "https://objects.example.com",
 *       credentials: { accessKeyId: "larder", secretAccessKey: Redacted.make("secret") }
 *     })
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
> =>
  Layer.scopedContext(
    Effect.gen(function* () {
      yield* Check.check({ ...options }, { ...clientChecks, bucket, region: Check.text, endpoint, credentials })
      const client = yield* S3.connect({
        bucket: options.bucket,
        region: options.region ?? "us-east-1",
        endpoint: options.endpoint,
        credentials: options.credentials
      })
      const where = `${options.endpoint ?? "s3:/"}/${options.bucket}`
      return yield* make(client, where, Errors.s3, options)
    }).pipe(withMarks)
  )

/**
 * As `layer`, with its options read from a `Config`.
 *
 * @example
 * ```ts
 * import { Config } from "effect"
 * import * as ObjectStore from "effect-larder/ObjectStore"
 *
 * export const Store = ObjectStore.layerConfig({
 *   bucket: Config.string("CACHE_BUCKET"),
 *   region: Config.string("AWS_REGION")
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
 * A store in a bucket of Google Cloud Storage, by Google's own client. What it fails with is as of `layer`.
 *
 * @example
 * ```ts
 * import { CacheStore, MemoryStore } from "effect-larder"
 * import * as ObjectStore from "effect-larder/ObjectStore"
 *
 * // with the credentials of the machine that it runs on
 * export const Store = MemoryStore.layer({ maxBytes: 100_000_000 }).pipe(
 *   CacheStore.tieredOver(ObjectStore.layerGoogle({ bucket: "pages" }))
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerGoogle = (
  options: GoogleOptions
): Layer.Layer<
  CacheStore.CacheStore | CacheStore.Persistent | CacheStore.Shared,
  CacheError.InvalidConfig | CacheError.StoreUnavailable
> =>
  Layer.scopedContext(
    Effect.gen(function* () {
      yield* Check.check({ ...options }, { ...clientChecks, bucket, endpoint, credentials: googleCredentials })
      const { bucket: name, credentials, endpoint: url } = options
      const client = yield* Google.connect({ bucket: name, credentials, endpoint: url })
      return yield* make(client, `${url ?? "gs:/"}/${name}`, Errors.google, options)
    }).pipe(withMarks)
  )

/**
 * As `layerGoogle`, with its options read from a `Config`.
 *
 * @example
 * ```ts
 * import { Config } from "effect"
 * import * as ObjectStore from "effect-larder/ObjectStore"
 *
 * export const Store = ObjectStore.layerGoogleConfig({ bucket: Config.string("CACHE_BUCKET") })
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerGoogleConfig = (
  config: Config.Config.Wrap<GoogleOptions>
): Layer.Layer<
  CacheStore.CacheStore | CacheStore.Persistent | CacheStore.Shared,
  CacheError.InvalidConfig | CacheError.StoreUnavailable | ConfigError
> => Layer.unwrapEffect(Effect.map(Config.unwrap(config), layerGoogle))

/**
 * A store over a client of your own, for a service that does not speak S3's protocol. What acquires the client may fail
 * and be released as any Layer's may.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import * as ObjectStore from "effect-larder/ObjectStore"
 *
 * // the four functions, here over a Map; each writing has a number
 * const objects = new Map<string, ObjectStore.Found>()
 * let writings = 0
 * const client: ObjectStore.Client = {
 *   get: async (key) => objects.get(key),
 *   put: async (key, bytes, condition) => {
 *     const version = objects.get(key)?.version
 *     if (condition?._tag === "Absent" && version !== undefined) return undefined
 *     if (condition?._tag === "Version" && version !== condition.version) return undefined
 *     objects.set(key, { bytes, version: String(++writings) })
 *     return String(writings)
 *   },
 *   remove: async (key) => void objects.delete(key),
 *   async *list(start) {
 *     for (const key of objects.keys()) if (key.startsWith(start)) yield key
 *   }
 * }
 *
 * export const Store = ObjectStore.layerClient(Effect.succeed(client))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerClient = <E, R>(
  client: Effect.Effect<Client, E, R>,
  options: ClientOptions = {}
): Layer.Layer<
  CacheStore.CacheStore | CacheStore.Persistent | CacheStore.Shared,
  E | CacheError.InvalidConfig | CacheError.StoreUnavailable,
  Exclude<R, Scope.Scope>
> =>
  Layer.scopedContext(
    Effect.gen(function* () {
      yield* Check.check({ ...options }, clientChecks)
      return yield* make(yield* client, "the service", Errors.s3, options)
    }).pipe(withMarks)
  )
