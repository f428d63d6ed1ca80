/**
 * Temporary stores and settings: in force inside one effect, made for it and released with it.
 *
 * Inside, whatever is built (`Cache.make`, layers of caches) and whatever cached function is called uses the temporary
 * store and settings, also in forked fibers. Outside nothing has changed. A cache that was built outside keeps the
 * store it was built on. To change settings alone, and for caches built outside, see `CacheConfig.locally`.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Cache from "./Cache.js"
import type * as CacheConfig from "./CacheConfig.js"
import type * as CacheError from "./CacheError.js"
import type * as CacheStore from "./CacheStore.js"
import * as Handles from "./internal/context/handle.js"
import * as Opened from "./internal/context/opened.js"

/**
 * What is in force: the store, the settings, and the context around it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Info {
  readonly store: CacheStore.Service
  readonly config: CacheConfig.CacheConfig
  readonly outer: Option.Option<Info>
}

/**
 * The innermost context in force; `None` outside of all.
 *
 * @example
 * ```ts
 * import { CacheContext, MemoryStore } from "effect-larder"
 * import { Effect, Option } from "effect"
 *
 * const program = Effect.map(CacheContext.current, (info) => Option.map(info, ({ config }) => config.maxEntries))
 *
 * const inside = program.pipe(CacheContext.with(MemoryStore.layer(), { capacity: 100 }))
 *
 * console.log(Effect.runSync(inside).pipe(Option.getOrThrow)) // => 100
 * ```
 *
 * @since 0.1.0
 * @category getters
 */
export const current: Effect.Effect<Option.Option<Info>> = Opened.current

const with_ =
  <Out, E, R>(store: Layer.Layer<CacheStore.CacheStore | Out, E, R>, config?: CacheConfig.Options) =>
  <A, E2, R2>(
    self: Effect.Effect<A, E2, R2>
  ): Effect.Effect<A, E | E2 | CacheError.InvalidConfig, R | Exclude<R2, CacheStore.CacheStore | Out>> =>
    Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(Opened.open(store, config ?? {}, restore), (opened) =>
        Effect.flatMap(Effect.exit(restore(opened.provide(self))), (exit) =>
          Effect.zipRight(opened.release(exit), exit)
        )
      )
    )

export {
  /**
   * Puts a temporary store, and settings if given, in force for one effect, and releases the store when the effect has
   * ended in whatever way: success, failure or interruption. Each run builds a fresh store. Settings that are left out
   * are inherited from those in force around it; the store's Layer is built with them.
   *
   * Fails with `InvalidConfig` for bad settings, and with what the store's Layer fails with. A store that cannot be
   * released is an event (`CacheEvents`, `ReleaseFailed`) and a warning, and never hides what the effect came to.
   *
   * @example
   * ```ts
   * import { CacheContext, Cached, MemoryStore } from "effect-larder"
   * import { Effect } from "effect"
   *
   * const square = Cached.fn("square")((n: number) => Effect.succeed(n * n))
   *
   * const program = Effect.zipRight(square(12), square(12)).pipe(
   *   CacheContext.with(MemoryStore.layer(), { capacity: 100, timeToLive: "1 minute" })
   * )
   *
   * console.log(Effect.runSync(program)) // => 144
   * ```
   *
   * @since 0.1.0
   * @category combinators
   */
  with_ as with
}

/**
 * Options of a handle: settings, and the Schemas of its own keys and values. Without `success` values are any plain
 * data (`Schema.Unknown`).
 *
 * @since 0.1.0
 * @category models
 */
export interface HandleOptions<K, A, IK = unknown, IA = unknown> {
  readonly config?: CacheConfig.Options | undefined
  readonly key?: Schema.Schema<K, IK> | undefined
  readonly success?: Schema.Schema<A, IA> | undefined
}

/**
 * A context held in the hand. After its end every operation fails with `StoreUnavailable`; it never reopens.
 *
 * @since 0.1.0
 * @category models
 */
export interface Handle<in out K, in out A, in Out = never> {
  readonly info: Info
  /** The value that was set, if it is still there. */
  readonly get: (key: K) => Effect.Effect<Option.Option<A>, Cache.OperationError<K>>
  readonly set: (key: K, value: A, options?: Cache.SetOptions) => Effect.Effect<void, Cache.WriteError<K>>
  readonly invalidate: (key: K) => Effect.Effect<void, Cache.OperationError<K>>
  /** Removes all that this handle has set; answers how much there was. */
  readonly clear: Effect.Effect<number, CacheError.StoreFailure>
  /** Runs an effect with the handle's store and settings in force. */
  readonly run: <B, E, R>(
    effect: Effect.Effect<B, E, R>
  ) => Effect.Effect<B, E | CacheError.StoreUnavailable, Exclude<R, CacheStore.CacheStore | Out>>
}

/**
 * Opens a context in a Scope and gives a handle to it: a store to set and get in directly, and to run effects with.
 * Fails as `with` does; released with the Scope, and as quietly.
 *
 * @example
 * ```ts
 * import { CacheContext, MemoryStore } from "effect-larder"
 * import { Effect, Option } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const scratch = yield* CacheContext.make(MemoryStore.layer())
 *   yield* scratch.set("answer", 42)
 *   console.log(Option.getOrThrow(yield* scratch.get("answer"))) // => 42
 * })
 *
 * Effect.runPromise(Effect.scoped(program))
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <Out, E, R, K = unknown, A = unknown, IK = unknown, IA = unknown>(
  store: Layer.Layer<CacheStore.CacheStore | Out, E, R>,
  options: HandleOptions<K, A, IK, IA> = {}
): Effect.Effect<Handle<K, A, Out>, E | CacheError.InvalidConfig | CacheError.StoreFailure, R | Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Opened.open(store, options.config ?? {}, restore), (opened) =>
      Effect.zipRight(Effect.addFinalizer(opened.release), Handles.make(opened, options))
    )
  )

/**
 * A handle for callers outside Effect: the same as Promises. It is disposed of once, which never rejects.
 *
 * @since 0.1.0
 * @category models
 */
export interface AsyncHandle<in out K, in out A, in Out = never> extends AsyncDisposable {
  readonly info: Info
  readonly get: (key: K) => Promise<Option.Option<A>>
  readonly set: (key: K, value: A, options?: Cache.SetOptions) => Promise<void>
  readonly invalidate: (key: K) => Promise<void>
  readonly clear: () => Promise<number>
  readonly run: <B, E>(effect: Effect.Effect<B, E, CacheStore.CacheStore | Out>) => Promise<B>
}

/**
 * Opens a context for callers outside Effect; `await using` releases it at the end of the block. Rejects with the
 * error itself.
 *
 * @example
 * ```ts
 * import { CacheContext, MemoryStore } from "effect-larder"
 * import { Option } from "effect"
 *
 * {
 *   await using scratch = await CacheContext.open(MemoryStore.layer())
 *   await scratch.set("answer", 42)
 *   console.log(Option.getOrThrow(await scratch.get("answer"))) // => 42
 * }
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const open = <Out, E, K = unknown, A = unknown, IK = unknown, IA = unknown>(
  store: Layer.Layer<CacheStore.CacheStore | Out, E>,
  options: HandleOptions<K, A, IK, IA> = {}
): Promise<AsyncHandle<K, A, Out>> => Handles.open(make(store, options))
