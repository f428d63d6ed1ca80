/**
 * What happens inside caches and stores, as a stream of typed events: loads, stale answers, removals and invalidations,
 * and what no caller is told: entries that did not decode, stores that failed while the lookup answered, clean-ups that
 * went wrong.
 *
 * Nobody has to listen. Without `layer` events go nowhere and cost nothing; with it they go to a bounded queue that
 * drops its oldest when a listener is slow.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as LogLevel from "effect/LogLevel"
import * as PubSub from "effect/PubSub"
import * as Runtime from "effect/Runtime"
import * as Stream from "effect/Stream"
import type * as CacheError from "../CacheError.js"
import { tell } from "../internal/tell.js"

/**
 * What a program may have a memory store call: three of its options, and `freeze`, which a hostile value may make fail.
 *
 * @since 0.1.0
 * @category models
 */
export type Callback = "weigher" | "pinned" | "onRemoval" | "freeze"

/**
 * One thing that happened. Keys are hashed, as everywhere outside the stores themselves.
 *
 * - `Hit`: a fresh value was served from a store; told only where `layer` was asked for it;
 * - `StaleServed`: one that was past its time to live, as `staleWhileRevalidate` or `waitStale` allow;
 * - `FailsafeServed`: one that was past its time to live, because the load failed;
 * - `Loaded`, `LoadFailed`: a load has ended, after so many milliseconds; `reason` is the tag or name of the failure;
 * - `Invalidated`: by its keys, tags (groups included), all at once, or by being cleared or set; how many of them;
 * - `Removed`: an entry has gone from a store, and why (see `MemoryStore.RemovalCause`);
 * - `StoreRecovered`: a store that had failed answers again;
 * - `DecodeFailed`: bytes that are no entry of this cache were found; they count as absent and were removed;
 * - `EncodeFailed`: a loaded value was served but could not be stored;
 * - `StoreFailed`: a store failed at an operation whose caller was answered all the same;
 * - `ReleaseFailed`: a temporary store failed when it was released, or a snapshot could not be written then;
 * - `CallbackFailed`: a callback of the program's own (`weigher`, `onRemoval`, ...) threw; the store went on;
 * - `MemoryPressure`: a memory limit was nearly reached, once for each time; how much was given up then, in bytes.
 *
 * @since 0.1.0
 * @category models
 */
export type CacheEvent =
  | {
      readonly _tag: "Hit" | "StaleServed" | "FailsafeServed"
      readonly cache: string
      readonly keyHash: string
      /** When its load started, in milliseconds since the epoch. */
      readonly createdAt: number
    }
  | { readonly _tag: "Loaded"; readonly cache: string; readonly keyHash: string; readonly millis: number }
  | {
      readonly _tag: "LoadFailed"
      readonly cache: string
      readonly keyHash: string
      readonly millis: number
      readonly reason: string
    }
  | {
      readonly _tag: "Invalidated"
      readonly cache: string
      readonly by: "keys" | "tags" | "all" | "clear" | "set"
      readonly count: number
    }
  | {
      readonly _tag: "Removed"
      readonly store: string
      readonly cache: string
      readonly keyHash: string
      readonly cause: string
    }
  | { readonly _tag: "StoreRecovered"; readonly cache: string }
  | {
      readonly _tag: "DecodeFailed"
      readonly store: string
      readonly cache: string
      readonly keyHash: string
      readonly error: CacheError.CodecError
    }
  | { readonly _tag: "EncodeFailed"; readonly cache: string; readonly error: CacheError.CodecError }
  | { readonly _tag: "StoreFailed"; readonly cache: string; readonly error: CacheError.StoreFailure }
  | { readonly _tag: "ReleaseFailed"; readonly store: string; readonly reason: string }
  | { readonly _tag: "CallbackFailed"; readonly store: string; readonly callback: Callback; readonly defect: unknown }
  | {
      readonly _tag: "MemoryPressure"
      readonly store: string
      readonly limit: "heap" | "container"
      readonly used: number
      readonly max: number
      readonly entries: number
      readonly released: number
    }

/**
 * Where events go: a function that never blocks and never fails.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  readonly publish: (event: CacheEvent) => void
  /** Whether publishing does anything: what costs something to tell is told only then. */
  readonly isHeard: boolean
  /** Whether hits are told, too. They take a longer way then. */
  readonly hits: boolean
  /** Whether events tell keys as they are, and not by their hashes. Only for debugging. */
  readonly keys?: boolean | undefined
  readonly changes: Stream.Stream<CacheEvent>
}

/**
 * The place events go to. Read once, when a store or a cache is built. By default nowhere.
 *
 * @since 0.1.0
 * @category references
 */
export class CacheEvents extends Context.Reference<CacheEvents>()("effect-larder/CacheEvents", {
  defaultValue: (): Service => ({ publish: () => {}, isHeard: false, hits: false, changes: Stream.empty })
}) {}

/**
 * Keeps events for whoever subscribes. `capacity` is how many a slow listener may lag behind (default 1 024); beyond
 * it the oldest are dropped. With `hits` each hit is told, which makes hits several times as expensive. With `keys` events
 * have the keys themselves as their `keyHash`: for debugging, where nobody else reads them.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options?: {
  readonly capacity?: number | undefined
  readonly hits?: boolean | undefined
  readonly keys?: boolean | undefined
}): Layer.Layer<CacheEvents> =>
  Layer.scoped(
    CacheEvents,
    Effect.map(
      Effect.acquireRelease(PubSub.sliding<CacheEvent>(options?.capacity ?? 1_024), PubSub.shutdown),
      (hub) => ({
        publish: (event) => {
          hub.unsafeOffer(event)
        },
        isHeard: true,
        hits: options?.hits === true,
        keys: options?.keys === true,
        changes: Stream.fromPubSub(hub)
      })
    )
  )

/**
 * The same place, where each event is shown to `f` as well, at once and where it happens: for looking at what caches do, in a
 * debugger or by printing, without missing any. What `f` throws is logged, once, and harms nothing; what it takes, the caller of
 * the cache waits for.
 *
 * @example
 * ```ts
 * import { CacheEvents, Cached, MemoryStore } from "effect-larder"
 * import { Effect, Layer } from "effect"
 *
 * const Shown = CacheEvents.layer({ hits: true, keys: true }).pipe(
 *   CacheEvents.tap((event) => console.log(event._tag)) // => Loaded
 * )
 *
 * const length = Cached.fn("length")((word: string) => Effect.succeed(word.length))
 *
 * length("bread").pipe(Effect.provide(MemoryStore.layer().pipe(Layer.provideMerge(Shown))), Effect.runPromise)
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const tap =
  (f: (event: CacheEvent) => void) =>
  <E, R>(self: Layer.Layer<CacheEvents, E, R>): Layer.Layer<CacheEvents, E, R> =>
    Layer.effect(
      CacheEvents,
      Effect.gen(function* () {
        const events = yield* CacheEvents
        const run = Runtime.runSync(yield* Effect.runtime<never>())
        let isWell = true
        const shown = (event: CacheEvent): void => {
          try {
            f(event)
          } catch (defect) {
            if (isWell)
              run(tell({ level: LogLevel.Warning, message: "a tap on events threw", about: {}, more: [defect] }))
            isWell = false
          }
        }
        return {
          ...events,
          isHeard: true,
          publish: (event) => {
            shown(event)
            events.publish(event)
          }
        }
      })
    ).pipe(Layer.provide(self))

/**
 * The events of these caches from now on.
 *
 * @example
 * ```ts
 * import { CacheEvents } from "effect-larder"
 * import { Effect, Stream } from "effect"
 *
 * export const firstOfUsers = CacheEvents.of("users").pipe(Stream.take(10), Stream.runCollect)
 * ```
 *
 * @since 0.1.0
 * @category streams
 */
export const of = (...caches: ReadonlyArray<string>): Stream.Stream<CacheEvent> =>
  Stream.filter(changes, (event) => "cache" in event && caches.includes(event.cache))

/**
 * The events from now on.
 *
 * @example
 * ```ts
 * import { CacheEvents } from "effect-larder"
 * import { Effect, Stream } from "effect"
 *
 * // a scoped fiber that logs whatever goes wrong behind the callers' backs
 * export const logEvents = CacheEvents.changes.pipe(
 *   Stream.runForEach((event) => Effect.logWarning("cache event", event._tag)),
 *   Effect.forkScoped
 * )
 * ```
 *
 * @since 0.1.0
 * @category streams
 */
export const changes: Stream.Stream<CacheEvent> = Stream.unwrap(Effect.map(CacheEvents, (events) => events.changes))

/**
 * Those of the events from now on that have one of these tags.
 *
 * @example
 * ```ts
 * import { CacheEvents } from "effect-larder"
 * import { Effect, Stream } from "effect"
 *
 * export const logFailsafes = CacheEvents.only("FailsafeServed").pipe(
 *   Stream.runForEach(({ cache, createdAt }) => Effect.logWarning(`${cache} serves what is of ${new Date(createdAt)}`)),
 *   Effect.forkScoped
 * )
 * ```
 *
 * @since 0.1.0
 * @category streams
 */
export const only = <Tag extends CacheEvent["_tag"]>(
  ...tags: ReadonlyArray<Tag>
): Stream.Stream<Extract<CacheEvent, { readonly _tag: Tag }>> =>
  Stream.filter(changes, (event): event is Extract<CacheEvent, { readonly _tag: Tag }> =>
    tags.some((tag) => tag === event._tag)
  )
