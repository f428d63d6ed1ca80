/**
 * A store as the `KeyValueStore` of `@effect/platform`.
 *
 * @example
 * ```ts
 * import * as KeyValueStore from "@effect/platform/KeyValueStore"
 * import { Effect, Layer, Option } from "effect"
 * import { MemoryStore } from "effect-larder"
 * import * as CacheKeyValueStore from "effect-larder/CacheKeyValueStore"
 *
 * const program = Effect.gen(function*() {
 *   const sessions = yield* KeyValueStore.KeyValueStore
 *   yield* sessions.set("42", "Ada")
 *   return yield* sessions.get("42")
 * })
 *
 * const Sessions = CacheKeyValueStore.layer({ name: "sessions", timeToLive: "30 minutes" })
 *
 * program.pipe(
 *   Effect.provide(Sessions.pipe(Layer.provide(MemoryStore.layer()))),
 *   Effect.runPromise
 * ).then((found) => console.log(Option.getOrThrow(found))) // Ada
 * ```
 *
 * @since 0.1.0
 */
import { SystemError } from "@effect/platform/Error"
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type * as CacheError from "../CacheError.js"
import type * as CacheStore from "../CacheStore.js"
import * as Check from "../internal/options.js"
import * as Values from "./internal/values.js"

/**
 * The region's name, and how long its values live.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Default: "key-value-store". */
  readonly name?: string | undefined
  /** Default: for ever. */
  readonly timeToLive?: Duration.DurationInput | undefined
}

/** What a value was given as is kept: some texts are no bytes, and most bytes are no text. */
const Value = Schema.Union(
  Schema.Tuple(Schema.Literal("text"), Schema.String),
  Schema.Tuple(Schema.Literal("bytes"), Schema.Uint8ArrayFromBase64)
)
type Value = typeof Value.Type

const textIn = ([form, value]: Value): string => (form === "text" ? value : new TextDecoder().decode(value))
const bytesIn = ([form, value]: Value): Uint8Array => (form === "bytes" ? value : new TextEncoder().encode(value))

const failing =
  (method: string, key?: string) =>
  <A, E extends { readonly message: string }>(effect: Effect.Effect<A, E>): Effect.Effect<A, SystemError> =>
    Effect.mapError(
      effect,
      (cause) =>
        new SystemError({
          reason: "Unknown",
          module: "KeyValueStore",
          method,
          pathOrDescriptor: key,
          description: cause.message,
          cause
        })
    )

/**
 * `KeyValueStore` over the store in force, in a region of its own. Fails when it is built as opening a cache does; its
 * operations fail with the `SystemError` that its types have.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  options: Options = {}
): Layer.Layer<
  KeyValueStore.KeyValueStore,
  CacheError.InvalidConfig | CacheError.StoreFailure,
  CacheStore.CacheStore
> =>
  Layer.scoped(
    KeyValueStore.KeyValueStore,
    Effect.gen(function* () {
      yield* Check.check(options, { name: Check.regionName, timeToLive: Check.positiveDuration })
      const { clear, getMany, region, remove, setMany } = yield* Values.open(options.name ?? "key-value-store", Value)
      const millis = options.timeToLive === undefined ? Infinity : Check.millisOf(options.timeToLive)
      const find = (method: string, key: string) =>
        Effect.map(getMany([key]), ([found]) => Option.fromNullable(found)).pipe(failing(method, key))
      return KeyValueStore.make({
        get: (key) => Effect.map(find("get", key), Option.map(textIn)),
        getUint8Array: (key) => Effect.map(find("getUint8Array", key), Option.map(bytesIn)),
        set: (key, value) =>
          setMany([[key, typeof value === "string" ? ["text", value] : ["bytes", value], millis]]).pipe(
            failing("set", key)
          ),
        remove: (key) => Effect.asVoid(remove([key])).pipe(failing("remove", key)),
        clear: Effect.asVoid(clear).pipe(failing("clear")),
        size: Stream.runCount(region.entries).pipe(failing("size"))
      })
    })
  )
