/**
 * Cached functions and effects: a cache for code that has no service to name.
 *
 * A cached function is defined where the function is, without a store. Called, it uses the store in force, and opens a
 * cache of its name there, once, which lives as long as the store. Its key is made of all its arguments. All that is
 * true of `Cache` is true here: one load for all who ask at once, no lost invalidation, no failure kept unasked.
 *
 * Settings that are left out come from the `CacheConfig` that is in force at the first call on a store.
 *
 * @example
 * ```ts
 * import { Cached, MemoryStore } from "effect-larder"
 * import { Effect, Schema } from "effect"
 *
 * const lengthOf = Cached.fn("lengthOf", { success: Schema.Number, timeToLive: "5 minutes" })(
 *   (word: string) => Effect.succeed(word.length)
 * )
 *
 * const program = Effect.gen(function*() {
 *   yield* lengthOf("larder")
 *   yield* lengthOf("larder")
 *   const { fresh, loaded } = yield* lengthOf.stats
 *   console.log(loaded, fresh) // => 1 1
 *   yield* lengthOf.invalidate("larder")
 * })
 *
 * program.pipe(Effect.provide(MemoryStore.layer()), Effect.runPromise)
 * ```
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as ManagedRuntime from "effect/ManagedRuntime"
import type * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import type * as Cache from "./Cache.js"
import type * as CacheError from "./CacheError.js"
import type * as CacheExplanation from "./CacheExplanation.js"
import type * as CachePolicy from "./CachePolicy.js"
import type * as CacheStore from "./CacheStore.js"
import * as Function_ from "./internal/cached/function.js"
import * as Promises from "./internal/cached/promise.js"
import type * as CacheStats from "./observe/CacheStats.js"

/**
 * Options of a cached function: those of `Cache.make`, but callbacks get the arguments one by one, and `key` is a
 * function of the arguments or a Schema of them (as a tuple). Where a callback's parameters have no type of their own
 * they are `unknown`, because the function comes after the options.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<
  Args extends ReadonlyArray<unknown>,
  A,
  E,
  IArgs = unknown,
  IA = unknown,
  F = never,
  IF = unknown
> extends Pick<
    Cache.Options<Args, A, E, never, IArgs, IA, F, IF>,
    | "success"
    | "codec"
    | "migrations"
    | "failure"
    | "maxTimeToLive"
    | "timeToIdle"
    | "tierTimeToLive"
    | "jitter"
    | "refreshAhead"
    | "earlyRefresh"
    | "staleWhileRevalidate"
    | "staleIfError"
    | "waitStale"
    | "retry"
    | "backoff"
    | "shareFailures"
    | "mode"
    | "traceHits"
    | "version"
  > {
  /** Settings for what is not given beside it. Its callbacks get all arguments as one list, as the key. */
  readonly policy?: CachePolicy.CachePolicy<NoInfer<Args>, NoInfer<A>, NoInfer<E>, unknown> | undefined
  /** What identifies a call. Default: all arguments, `undefined` at the end not counted. */
  readonly key?: ((...args: Args) => unknown) | Schema.Schema<Args, IArgs> | undefined
  /** How long a value is fresh, from when its load started; 0 for not at all. Default: the configuration's, infinite. */
  readonly timeToLive?:
    | Duration.DurationInput
    | ((value: A, ...args: Args) => Duration.DurationInput | undefined)
    | undefined
  /** How long typed failures are kept, for all, by tag or by function. Default: not at all. Defects never are. */
  readonly failureTimeToLive?:
    | Duration.DurationInput
    | ((error: E, ...args: Args) => Duration.DurationInput | undefined)
    | { readonly [tag: string]: Duration.DurationInput | undefined }
    | undefined
  /** The groups an entry belongs to, known before or computed from the value. */
  readonly tags?: ReadonlyArray<string> | ((value: A, ...args: Args) => ReadonlyArray<string>) | undefined
  /** The part of the arguments by which entries go together; see `invalidateGroup`. */
  readonly group?: ((...args: Args) => string) | undefined
  /** Which typed failures may be answered with a stale value. Default: all. Defects and deadlines always may. */
  readonly failsafeWhen?: ((error: E, ...args: Args) => boolean) | undefined
  /** False: this call is not cached at all, the function just runs. */
  readonly when?: ((...args: Args) => boolean) | undefined
  /** False: this result is served but not kept. */
  readonly cacheIf?: ((exit: Exit.Exit<A, E>, ...args: Args) => boolean) | undefined
}

/**
 * The options that decide about the types of a cached function.
 *
 * @since 0.1.0
 * @category models
 */
export interface TypeOptions extends Omit<Cache.TypeOptions, "requirements"> {
  readonly key?: unknown
  readonly success?: unknown
  readonly failureTimeToLive?: unknown
}

/** What a store gives back is of the Schema's type; without a Schema it is what the function returned. */
type ValueOf<A, O> = O extends { readonly success: Schema.Schema<infer B, infer _I> } ? B : A

/** What a key is made of, as far as the type shows whether it can be one. */
type KeyOf<Args, O> = O extends { readonly key: Schema.Schema.AnyNoContext }
  ? string
  : O extends { readonly key: (...args: never) => infer K }
    ? K
    : Args

/** The tags in a table of lives that the function cannot fail with. */
type UnknownTags<O, E> = O extends { readonly failureTimeToLive: infer T }
  ? T extends Duration.DurationInput | ((...args: never) => unknown) | undefined
    ? never
    : Exclude<keyof T, Cache.ErrorTags<E>>
  : never

/** Like `Parameters`, which gives up on a rest parameter that is a `ReadonlyArray`. */
type ParametersOf<F> = F extends (...args: infer Args extends ReadonlyArray<unknown>) => unknown ? Args : never

type AnyFunction = (...args: never) => unknown
type AnyEffectful = (...args: never) => Effect.Effect<unknown, unknown, unknown>

/** What is wrong with a function under the given options; `unknown` if nothing is. */
type Fits<F extends AnyFunction, E, Args extends ReadonlyArray<unknown>, O> = [(...args: Args) => unknown] extends [
  (...args: ParametersOf<F>) => unknown
]
  ? [UnknownTags<O, E>] extends [never]
    ? unknown
    : `failureTimeToLive: no failure is tagged ${UnknownTags<O, E> & string}`
  : "the options' callbacks (or key Schema) take other arguments than this function"

/**
 * What a cached call can fail with: what the function does, and what the type options `O` add.
 *
 * @since 0.1.0
 * @category type level
 */
export type CallError<Args, E, O> = Cache.GetError<KeyOf<Args, O>, E, O>

type Call<Args extends ReadonlyArray<unknown>, Result, O> =
  Result extends Effect.Effect<infer A, infer E, infer R>
    ? (...args: Args) => Effect.Effect<ValueOf<A, O>, CallError<Args, E, O>, R | CacheStore.CacheStore>
    : never

/**
 * The call signature of a cached function: that of `F`, each of up to four overloads, requiring a store besides.
 * TypeScript cannot keep type parameters so; see `generic`.
 *
 * @since 0.1.0
 * @category type level
 */
export type Signature<F extends AnyEffectful, O> = F extends {
  (...args: infer A1 extends ReadonlyArray<unknown>): infer R1
  (...args: infer A2 extends ReadonlyArray<unknown>): infer R2
  (...args: infer A3 extends ReadonlyArray<unknown>): infer R3
  (...args: infer A4 extends ReadonlyArray<unknown>): infer R4
}
  ? Call<A1, R1, O> & Call<A2, R2, O> & Call<A3, R3, O> & Call<A4, R4, O>
  : Call<ParametersOf<F>, ReturnType<F>, O>

/**
 * What a cached function can do besides being called. Operations that go to the store on purpose fail if it does.
 *
 * @since 0.1.0
 * @category models
 */
export interface Controls<Args extends ReadonlyArray<unknown>, A, E, R, K = Args> {
  /** The value if it is stored and may be served. Never runs the function. */
  readonly peek: (...args: Args) => Effect.Effect<Option.Option<A>, E, CacheStore.CacheStore>
  /** Whether a value or failure is stored that may still be served, be it stale. */
  readonly has: (...args: Args) => Effect.Effect<boolean, E, CacheStore.CacheStore>
  /** Why a call would be a hit or a miss now, and what the store has; see `Cache.explain`. Changes nothing. */
  readonly explain: (
    ...args: Args
  ) => Effect.Effect<CacheExplanation.CacheExplanation<A, E>, Cache.OperationError<K>, CacheStore.CacheStore>
  /** Puts a value in, as if the function had returned it. */
  readonly set: (
    args: Args,
    value: A,
    options?: Cache.SetOptions
  ) => Effect.Effect<void, Cache.WriteError<K>, CacheStore.CacheStore>
  /** Runs the function, whatever is stored. If it fails, what was stored stays. */
  readonly refresh: (...args: Args) => Effect.Effect<A, E, R | CacheStore.CacheStore>
  /** Removes one call's value. Nothing loaded before this returned is served to a call that starts after it. */
  readonly invalidate: (...args: Args) => Effect.Effect<void, Cache.OperationError<K>, CacheStore.CacheStore>
  /** Makes every value of these tags unserveable. */
  readonly invalidateTags: (
    tags: ReadonlyArray<string>
  ) => Effect.Effect<void, CacheError.StoreFailure, CacheStore.CacheStore>
  /** Makes every value of the calls of this group unserveable. */
  readonly invalidateGroup: (group: string) => Effect.Effect<void, CacheError.StoreFailure, CacheStore.CacheStore>
  /** Makes every value unserveable, in no more time than one. */
  readonly invalidateAll: Effect.Effect<void, CacheError.StoreFailure, CacheStore.CacheStore>
  /** Removes all values of this function; answers how many there were. */
  readonly clear: Effect.Effect<number, CacheError.StoreFailure, CacheStore.CacheStore>
  /** What the function's cache on this store has done so far. */
  readonly stats: Effect.Effect<CacheStats.CacheStats, CacheError.StoreFailure, CacheStore.CacheStore>
}

type ControlsOf<F extends AnyEffectful, O> =
  ReturnType<F> extends Effect.Effect<infer A, infer E, infer R>
    ? Controls<ParametersOf<F>, ValueOf<A, O>, CallError<ParametersOf<F>, E, O>, R, KeyOf<ParametersOf<F>, O>>
    : never

/**
 * A cached function: `F` with a store among its requirements, and its controls.
 *
 * @since 0.1.0
 * @category models
 */
export type Fn<F extends AnyEffectful, O = {}> = Signature<F, O> & ControlsOf<F, O>

type ErrorOf<F extends AnyEffectful> = Effect.Effect.Error<ReturnType<F>>

/**
 * Caches an effectful function of any arguments. The name is that of its cache: it must be the only one of this name on
 * a store, and with a store that survives the process it is under this name that values are found again.
 *
 * Arguments, success, error and requirements stay as they are; `CacheStore` joins the requirements. What a call needs
 * besides is taken from the caller whose call runs the function. The error type grows only by what was asked for: by
 * `KeyError` where the type of the arguments does not prove that they can be a key, `StoreFailure` if `strict`,
 * `LoadTimeout` with a `loadDeadline` or `waitFresh`.
 *
 * A store that fails, or cannot be had, costs speed and not answers: the function runs. Bad options, a second function of
 * the same name, and values without a Schema over a store that keeps bytes are a broken program: the first call dies
 * with `InvalidConfig`.
 *
 * @example
 * ```ts
 * import { Cached, MemoryStore } from "effect-larder"
 * import { Effect } from "effect"
 *
 * const search = Cached.fn("search", {
 *   key: (text: string, limit = 10) => [text.trim().toLowerCase(), limit],
 *   when: (text: string) => text.length > 2,
 *   timeToLive: "1 minute"
 * })((text: string, limit?: number) => Effect.succeed(`${limit ?? 10} results`))
 *
 * const program = Effect.gen(function*() {
 *   yield* search("Larder")
 *   yield* search("larder ", 10)
 *   console.log((yield* search.stats).fresh) // => 1
 * })
 *
 * program.pipe(Effect.provide(MemoryStore.layer()), Effect.runPromise)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const fn =
  <
    Args extends ReadonlyArray<unknown> = ReadonlyArray<unknown>,
    A = unknown,
    E = unknown,
    IArgs = unknown,
    IA = unknown,
    Fail = never,
    IFail = unknown,
    const O extends TypeOptions = {}
  >(
    name: string,
    options?: Options<Args, A, E, IArgs, IA, Fail, IFail> & Cache.Given<O>
  ) =>
  <F extends (...args: never) => Effect.Effect<A, E, unknown>>(f: F & Fits<F, ErrorOf<F>, Args, O>): Fn<F, O> =>
    // what the types add to `F` is what the machinery adds at run time
    Function_.fn(name, options ?? {}, f) as unknown as Fn<F, O>

/**
 * Like `fn`, for a function with type parameters, which it keeps. For this TypeScript asks that the result has no
 * properties in its type, so there are no controls.
 *
 * @example
 * ```ts
 * import { Cached, MemoryStore } from "effect-larder"
 * import { Effect } from "effect"
 *
 * const first = Cached.generic("first")(<A>(of: readonly [A, ...ReadonlyArray<A>]) => Effect.succeed(of[0]))
 *
 * const program = Effect.map(first(["a", "b"]), (text) => text.length)
 *
 * program.pipe(Effect.provide(MemoryStore.layer()), Effect.runPromise).then(console.log) // 1
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const generic =
  <
    Args extends ReadonlyArray<unknown> = ReadonlyArray<unknown>,
    A = unknown,
    E = unknown,
    IArgs = unknown,
    IA = unknown,
    Fail = never,
    IFail = unknown,
    const O extends TypeOptions = {}
  >(
    name: string,
    options?: Options<Args, A, E, IArgs, IA, Fail, IFail> & Cache.Given<O>
  ) =>
  <Params extends ReadonlyArray<unknown>, B extends A, X extends E, R>(
    f: (...args: Params) => Effect.Effect<B, X, R>
  ): ((...args: Params) => Effect.Effect<ValueOf<B, O>, CallError<Params, X, O>, R | CacheStore.CacheStore>) =>
    Function_.fn(name, options ?? {}, f) as unknown as (
      ...args: Params
    ) => Effect.Effect<ValueOf<B, O>, CallError<Params, X, O>, R | CacheStore.CacheStore>

/**
 * A cached effect: the effect itself, with a store among its requirements, and its controls.
 *
 * @since 0.1.0
 * @category models
 */
export interface CachedEffect<A, E, R>
  extends Effect.Effect<A, E, R | CacheStore.CacheStore>,
    Pick<Controls<[], A, E, R>, "clear" | "stats" | "invalidateTags" | "invalidateGroup" | "invalidateAll"> {
  readonly peek: Effect.Effect<Option.Option<A>, E, CacheStore.CacheStore>
  readonly has: Effect.Effect<boolean, E, CacheStore.CacheStore>
  readonly explain: Effect.Effect<
    CacheExplanation.CacheExplanation<A, E>,
    CacheError.StoreFailure,
    CacheStore.CacheStore
  >
  readonly set: (
    value: A,
    options?: Cache.SetOptions
  ) => Effect.Effect<void, Cache.WriteError<[]>, CacheStore.CacheStore>
  readonly refresh: Effect.Effect<A, E, R | CacheStore.CacheStore>
  readonly invalidate: Effect.Effect<void, CacheError.StoreFailure, CacheStore.CacheStore>
}

/**
 * Caches one effect: a cached function without arguments.
 *
 * @example
 * ```ts
 * import { Cached, MemoryStore } from "effect-larder"
 * import { Effect, Random, Schema } from "effect"
 *
 * const dice = Cached.effect("dice", { success: Schema.Number, timeToLive: "1 minute" })(Random.nextIntBetween(1, 7))
 *
 * const program = Effect.gen(function*() {
 *   const first = yield* dice
 *   console.log((yield* dice) === first) // => true
 *   yield* dice.invalidate
 * })
 *
 * program.pipe(Effect.provide(MemoryStore.layer()), Effect.runPromise)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const effect =
  <A = unknown, E = unknown, IA = unknown, Fail = never, IFail = unknown, const O extends TypeOptions = {}>(
    name: string,
    options?: Omit<Options<[], A, E, unknown, IA, Fail, IFail>, "key"> & Cache.Given<O>
  ) =>
  <B extends A, X extends E, R>(
    self: Effect.Effect<B, X, R> & ([UnknownTags<O, X>] extends [never] ? unknown : never)
  ): CachedEffect<ValueOf<B, O>, CallError<[], X, O>, R> =>
    Function_.effect(name, options ?? {}, self) as unknown as CachedEffect<ValueOf<B, O>, CallError<[], X, O>, R>

/**
 * The controls of a cached function for callers outside Effect: the same, as Promises.
 *
 * @since 0.1.0
 * @category models
 */
export interface PromiseControls<Args extends ReadonlyArray<unknown>, A> {
  readonly peek: (...args: Args) => Promise<Option.Option<A>>
  readonly has: (...args: Args) => Promise<boolean>
  readonly explain: (...args: Args) => Promise<CacheExplanation.CacheExplanation<A, unknown>>
  readonly set: (args: Args, value: A, options?: Cache.SetOptions) => Promise<void>
  readonly refresh: (...args: Args) => Promise<A>
  readonly invalidate: (...args: Args) => Promise<void>
  readonly invalidateTags: (tags: ReadonlyArray<string>) => Promise<void>
  readonly invalidateGroup: (group: string) => Promise<void>
  readonly invalidateAll: () => Promise<void>
  readonly clear: () => Promise<number>
  readonly stats: () => Promise<CacheStats.CacheStats>
}

type PromiseFunction<A> = (...args: never) => Promise<A>

/**
 * Caches a function that returns a Promise, for callers outside Effect. The result has the function's own type, type
 * parameters and overloads included, and the same laws hold. The runtime provides the store, and its end is the
 * cache's end.
 *
 * What the function rejects with, its callers are rejected with, the same object for all who share the load. What the
 * cache itself refuses (a key that is none, a store that cannot be built) is rejected with an error of `CacheError`.
 *
 * @example
 * ```ts
 * import { Cached, MemoryStore } from "effect-larder"
 * import { ManagedRuntime } from "effect"
 *
 * const runtime = ManagedRuntime.make(MemoryStore.layer())
 *
 * const lengthOf = Cached.promise(runtime, "lengthOf", { timeToLive: "5 minutes" })(
 *   async (word: string) => word.length
 * )
 *
 * console.log(await lengthOf("larder")) // => 6
 * await lengthOf.invalidate("larder")
 * await runtime.dispose()
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const promise =
  <
    ER,
    Args extends ReadonlyArray<unknown> = ReadonlyArray<unknown>,
    A = unknown,
    IArgs = unknown,
    IA = unknown,
    Fail = never,
    IFail = unknown
  >(
    runtime: ManagedRuntime.ManagedRuntime<CacheStore.CacheStore, ER>,
    name: string,
    options?: Options<Args, A, unknown, IArgs, IA, Fail, IFail> & Omit<Cache.TypeOptions, "requirements">
  ) =>
  <F extends PromiseFunction<A>>(
    f: F & Fits<F, unknown, Args, {}>
  ): F & PromiseControls<ParametersOf<F>, Awaited<ReturnType<F>>> =>
    Promises.wrap(runtime, name, options ?? {}, f) as unknown as F &
      PromiseControls<ParametersOf<F>, Awaited<ReturnType<F>>>
