/**
 * Typed caches: one lookup run for all who ask at once, kept in whatever store is provided.
 *
 * A cache is a service with a name. It captures what its lookup requires when it is built, so that who uses it needs
 * the cache and nothing else. Loads belong to the cache's Scope, never to a caller: interrupting one caller harms no
 * other. What was invalidated while it was being loaded is never served afterwards.
 *
 * @example
 * ```ts
 * import { Cache, MemoryStore } from "effect-larder"
 * import { Effect, Schema } from "effect"
 *
 * class User extends Schema.Class<User>("User")({ id: Schema.String, orgId: Schema.Number }) {}
 * class UserNotFound extends Schema.TaggedError<UserNotFound>()("UserNotFound", { id: Schema.String }) {}
 *
 * class Users extends Cache.Service<Users>()("app/Users", {
 *   key: Schema.String,
 *   success: User,
 *   failure: UserNotFound,
 *   lookup: (id) => id === "42" ? Effect.succeed(new User({ id, orgId: 7 })) : Effect.fail(new UserNotFound({ id })),
 *   timeToLive: "5 minutes",
 *   failureTimeToLive: { UserNotFound: "10 seconds" },
 *   tags: (user) => [`org:${user.orgId}`]
 * }) {}
 *
 * const program = Effect.gen(function*() {
 *   const user = yield* Users.get("42")
 *   yield* Users.invalidateTags(["org:7"])
 *   return user.orgId
 * })
 *
 * program.pipe(
 *   Effect.provide(Users.layer),
 *   Effect.provide(MemoryStore.layer()),
 *   Effect.runPromise
 * ).then(console.log) // 7
 * ```
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import type * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type * as CacheEntry from "./CacheEntry.js"
import type * as CacheError from "./CacheError.js"
import type * as CacheExplanation from "./CacheExplanation.js"
import type * as CacheKey from "./CacheKey.js"
import type * as CachePolicy from "./CachePolicy.js"
import type * as CacheResult from "./CacheResult.js"
import type * as CacheStore from "./CacheStore.js"
import type * as Codec from "./codec/Codec.js"
import * as Build from "./internal/cache/build.js"
import type { Options as AnyOptions } from "./internal/cache/options.js"
import * as Service_ from "./internal/cache/service.js"
import type * as CacheStats from "./observe/CacheStats.js"

/**
 * What a cache is told by, whatever copy of this package made it.
 *
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: TypeId = "~effect-larder/Cache"

/**
 * The type of `TypeId`.
 *
 * @since 0.1.0
 * @category type ids
 */
export type TypeId = "~effect-larder/Cache"

/**
 * What can go wrong with an operation that goes to the store on purpose.
 *
 * @since 0.1.0
 * @category models
 */
export type OperationError<K> = CacheError.StoreFailure | CacheKey.ErrorOf<K>

/**
 * A cache: keyed by `K`, holding `A`, and, where asked, failures `E`. `R` is what a get requires of its caller: nothing,
 * unless the lookup's requirements were left at the call site.
 *
 * @since 0.1.0
 * @category models
 */
export interface Cache<in out K, in out A, in out E = never, in out R = never> {
  readonly [TypeId]: TypeId
  readonly name: string
  /** The value of a key, from the store or by one load that all who ask at once share. */
  readonly get: (key: K) => Effect.Effect<A, E, R>
  /** The value if it is stored and may be served; never loads, and counts as no get. A kept failure fails. */
  readonly getOption: (key: K) => Effect.Effect<Option.Option<A>, E>
  /** Like `get`, and tells how the value was come by. */
  readonly getResult: (key: K) => Effect.Effect<CacheResult.CacheResult<A>, E, R>
  /**
   * The values of many keys in their order, with one reading of the store and every load started at once. Fails with
   * the first failure in the order of the keys; with `mode: "either"` each key has its own Either. Repeated keys are
   * loaded once.
   */
  readonly getMany: {
    (keys: Iterable<K>): Effect.Effect<Array<A>, E, R>
    (keys: Iterable<K>, options: { readonly mode: "either" }): Effect.Effect<Array<Either.Either<A, E>>, never, R>
  }
  /** Whether a value or failure is stored that may still be served, be it stale. */
  readonly has: (key: K) => Effect.Effect<boolean, E>
  /** What a get would do now, and why: for people who wonder. Counts as no get, and changes nothing. */
  readonly explain: (key: K) => Effect.Effect<CacheExplanation.CacheExplanation<A, E>, OperationError<K>>
  /** Puts a value in. Loads of this key that are in the air do not overwrite it. A time to live of 0 removes the key. */
  readonly set: (key: K, value: A, options?: SetOptions) => Effect.Effect<void, WriteError<K>>
  /** Puts many values in with one write. */
  readonly setMany: (entries: Iterable<readonly [K, A]>, options?: SetOptions) => Effect.Effect<void, WriteError<K>>
  /** Removes a key. Nothing that was loaded before this returned is served to a get that starts after it. */
  readonly invalidate: (key: K) => Effect.Effect<void, OperationError<K>>
  /** Removes many keys in one go. */
  readonly invalidateMany: (keys: Iterable<K>) => Effect.Effect<void, OperationError<K>>
  /** Makes every entry of these tags unserveable, and every load in the air that may yet have one. O(1) per tag. */
  readonly invalidateTags: (tags: ReadonlyArray<string>) => Effect.Effect<void, CacheError.StoreFailure>
  /** The same for the entries whose keys are of this group, see the option `group`. O(1). */
  readonly invalidateGroup: (group: string) => Effect.Effect<void, CacheError.StoreFailure>
  /** Makes every entry, and every load in the air, unserveable. O(1): what is stored is cleared away later. */
  readonly invalidateAll: Effect.Effect<void, CacheError.StoreFailure>
  /** Loads anew, whatever is stored. If the load fails, what was stored stays. Counts as a get. */
  readonly refresh: (key: K) => Effect.Effect<A, E, R>
  /** Ends the freshness of a key, but keeps its value for what `staleWhileRevalidate` and `staleIfError` allow. */
  readonly expire: (key: K) => Effect.Effect<void, OperationError<K>>
  /** Removes everything this cache has stored; answers how many entries there were. */
  readonly clear: Effect.Effect<number, CacheError.StoreFailure>
  /** How many entries are stored that may still be served, be it stale. */
  readonly size: Effect.Effect<number, CacheError.StoreFailure>
  /** The keys of those entries. Keys that cannot be made again from what is stored (hashed ones) are left out. */
  readonly keys: Stream.Stream<K, CacheError.StoreFailure>
  /** The same with their entries. */
  readonly entries: Stream.Stream<readonly [K, CacheEntry.CacheEntry<A, E>], CacheError.StoreFailure>
  /** What this cache has done so far. */
  readonly stats: Effect.Effect<CacheStats.CacheStats>
}

/**
 * What an explicit write can fail with: `CodecError` for a value that its Schema refuses (nothing is stored then),
 * `InvalidConfig` for bad `SetOptions`.
 *
 * @since 0.1.0
 * @category models
 */
export type WriteError<K> = OperationError<K> | CacheError.CodecError | CacheError.InvalidConfig

/**
 * Options of one `set`: a time to live and tags in place of the cache's own.
 *
 * @since 0.1.0
 * @category models
 */
export interface SetOptions {
  readonly timeToLive?: Duration.DurationInput | undefined
  readonly tags?: ReadonlyArray<string> | undefined
}

/**
 * The tags of a union of tagged errors.
 *
 * @since 0.1.0
 * @category models
 */
export type ErrorTags<E> = E extends { readonly _tag: infer Tag extends string } ? Tag : never

/**
 * What is there already, for `revalidate` to ask whether it is right still.
 *
 * @since 0.1.0
 * @category models
 */
export interface Previous<out A> {
  /** An etag or a version is part of it, or is made from it. */
  readonly value: A
  /** When its load started, in milliseconds since the epoch. */
  readonly createdAt: number
}

/**
 * Everything a cache is made of but its name: its Schemas, its lookup, and all the settings of a `CachePolicy`, which
 * may be given here one by one, as a `policy`, or both: then those that are given here win. Settings that are left out
 * come from `CacheConfig`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<K, A, E, R, IK = unknown, IA = unknown, F = never, IF = unknown>
  extends Omit<CachePolicy.Options<K, A, E>, "failureTimeToLive"> {
  /** The Schema of keys: equal keys meet as the Schema says. Without it any value is keyed canonically (`CacheKey`). */
  readonly key?: Schema.Schema<K, IK> | undefined
  /** The Schema of values. Stores that keep bytes need it; whatever does not fit it when read back counts as absent. */
  readonly success?: Schema.Schema<A, IA> | undefined
  /** What makes bytes of values: `MsgPack.make`, `Binary.make`, ... Default: the cheapest that suits, see `Codec.make`. */
  readonly codec?: Codec.Maker<NoInfer<A>> | undefined
  /** How what was written under older Schemas is read; see `Codec.migration`. Default: it is not. */
  readonly migrations?: ReadonlyArray<Codec.Codec<NoInfer<A>>> | undefined
  /** The Schema of the failures that are kept; needed beside `success` where `failureTimeToLive` is given. */
  readonly failure?: Schema.Schema<F, IF> | undefined
  /** Makes the value of a key. Run once for all who ask at once. For many keys at once see `CacheBatch.lookup`. */
  readonly lookup: (key: K) => Effect.Effect<A, E, R>
  /**
   * A conditional lookup, run in place of `lookup` where there is a value already, be it too old to be served:
   * `Option.none()` says that it is right still, which makes it fresh again. What is kept for this: `revalidateWithin`.
   */
  readonly revalidate?: ((key: K, previous: Previous<A>) => Effect.Effect<Option.Option<A>, E, R>) | undefined
  /** Settings for what is not given beside it. */
  readonly policy?: CachePolicy.CachePolicy<NoInfer<K>, NoInfer<A>, NoInfer<E>, unknown> | undefined
  /** How long typed failures are kept, for all, by tag or by function. Default: not at all. Defects never are. */
  readonly failureTimeToLive?:
    | Duration.DurationInput
    | ((error: E, key: K) => Duration.DurationInput | undefined)
    | { readonly [Tag in ErrorTags<E>]?: Duration.DurationInput | undefined }
    | undefined
}

/**
 * The options that decide about the types of a cache.
 *
 * @since 0.1.0
 * @category models
 */
export interface TypeOptions extends CachePolicy.Limits {
  /** What getting may fail with under it is in the error type. */
  readonly policy?: CachePolicy.CachePolicy<never, never, never, unknown> | undefined
  /** Whether a failing store fails the get. Default: no, the lookup answers. If so, `StoreFailure` is in the error type. */
  readonly strict?: boolean | undefined
  /** Whether the lookup's requirements are captured when the cache is built (default) or left to each caller. */
  readonly requirements?: "captured" | "caller" | undefined
}

/**
 * Options as they were given. Mapped, because TypeScript then infers the others from a `lookup` that is a call, too.
 *
 * @since 0.1.0
 * @category type level
 */
export type Given<O> = { readonly [X in keyof O]: O[X] }

/**
 * What a get can fail with, given the type options `O`.
 *
 * @since 0.1.0
 * @category type level
 */
export type GetError<K, E, O> =
  | E
  | CacheKey.ErrorOf<K>
  | (O extends { readonly strict: false }
      ? never
      : O extends { readonly strict: boolean }
        ? CacheError.StoreFailure
        : never)
  | CachePolicy.ErrorOf<O>
  | (O extends { readonly policy: CachePolicy.CachePolicy<never, never, never, infer X> } ? X : never)

/**
 * What a get requires of its caller, given the type options `O`.
 *
 * @since 0.1.0
 * @category type level
 */
export type GetContext<R, O extends TypeOptions> = O extends { readonly requirements: "caller" } ? R : never

/**
 * What building a cache requires, given the type options `O`.
 *
 * @since 0.1.0
 * @category type level
 */
export type BuildContext<R, O extends TypeOptions> =
  | CacheStore.CacheStore
  | (O extends { readonly requirements: "caller" } ? never : R)

/**
 * What building a cache can fail with: bad options, or a store that is not there.
 *
 * @since 0.1.0
 * @category models
 */
export type BuildError = CacheError.InvalidConfig | CacheError.StoreFailure

/**
 * Makes a cache in a Scope, over the store that is provided. When the Scope closes, loads in the air are interrupted
 * and the name is free again; what is stored stays where the store keeps it.
 *
 * Fails with `InvalidConfig` for bad options, for a name that a live cache on this store has already, and for values
 * without a Schema over a store that keeps bytes.
 *
 * @example
 * ```ts
 * import { Cache, MemoryStore } from "effect-larder"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const squares = yield* Cache.make("squares", { lookup: (n: number) => Effect.succeed(n * n), timeToLive: "1 minute" })
 *   return yield* squares.getMany([1, 2, 3, 2])
 * })
 *
 * program.pipe(Effect.scoped, Effect.provide(MemoryStore.layer()), Effect.runPromise).then(console.log) // [1, 4, 9, 4]
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <
  K,
  A,
  E = never,
  R = never,
  IK = unknown,
  IA = unknown,
  F = never,
  IF = unknown,
  const O extends TypeOptions = {}
>(
  name: string,
  options: Options<K, A, E, R, IK, IA, F, IF> & Given<O>
): Effect.Effect<Cache<K, A, GetError<K, E, O>, GetContext<R, O>>, BuildError, BuildContext<R, O> | Scope.Scope> =>
  // what `GetError` and `GetContext` add to `E` and `R` is what the machinery adds at run time, option by option
  Build.make(name, options as AnyOptions<K, A, E, R>) as Effect.Effect<
    Cache<K, A, GetError<K, E, O>, GetContext<R, O>>,
    BuildError,
    BuildContext<R, O> | Scope.Scope
  >

/**
 * A Layer that provides a cache under a Tag of your own; `Service` does both in one.
 *
 * @since 0.1.0
 * @category constructors
 */
export const layer = <
  I,
  K,
  A,
  E = never,
  R = never,
  IK = unknown,
  IA = unknown,
  F = never,
  IF = unknown,
  const O extends TypeOptions = {}
>(
  tag: Context.Tag<I, Cache<K, A, GetError<K, E, O>, GetContext<R, O>>>,
  name: string,
  options: Options<K, A, E, R, IK, IA, F, IF> & Given<O>
): Layer.Layer<I, BuildError, BuildContext<R, O>> =>
  // `Layer.scoped` takes the Scope out of what building requires
  Layer.scoped(tag, make<K, A, E, R, IK, IA, F, IF, O>(name, options)) as Layer.Layer<I, BuildError, BuildContext<R, O>>

/**
 * A cache's operations as statics of its class: the same, requiring the cache from the context.
 *
 * @since 0.1.0
 * @category models
 */
export interface Statics<Self, in out K, in out A, in out E, in out R> {
  readonly get: (key: K) => Effect.Effect<A, E, R | Self>
  readonly getOption: (key: K) => Effect.Effect<Option.Option<A>, E, Self>
  readonly getResult: (key: K) => Effect.Effect<CacheResult.CacheResult<A>, E, R | Self>
  readonly getMany: {
    (keys: Iterable<K>): Effect.Effect<Array<A>, E, R | Self>
    (
      keys: Iterable<K>,
      options: { readonly mode: "either" }
    ): Effect.Effect<Array<Either.Either<A, E>>, never, R | Self>
  }
  readonly has: (key: K) => Effect.Effect<boolean, E, Self>
  readonly explain: (key: K) => Effect.Effect<CacheExplanation.CacheExplanation<A, E>, OperationError<K>, Self>
  readonly set: (key: K, value: A, options?: SetOptions) => Effect.Effect<void, WriteError<K>, Self>
  readonly setMany: (
    entries: Iterable<readonly [K, A]>,
    options?: SetOptions
  ) => Effect.Effect<void, WriteError<K>, Self>
  readonly invalidate: (key: K) => Effect.Effect<void, OperationError<K>, Self>
  readonly invalidateMany: (keys: Iterable<K>) => Effect.Effect<void, OperationError<K>, Self>
  readonly invalidateTags: (tags: ReadonlyArray<string>) => Effect.Effect<void, CacheError.StoreFailure, Self>
  readonly invalidateGroup: (group: string) => Effect.Effect<void, CacheError.StoreFailure, Self>
  readonly invalidateAll: Effect.Effect<void, CacheError.StoreFailure, Self>
  readonly refresh: (key: K) => Effect.Effect<A, E, R | Self>
  readonly expire: (key: K) => Effect.Effect<void, OperationError<K>, Self>
  readonly clear: Effect.Effect<number, CacheError.StoreFailure, Self>
  readonly size: Effect.Effect<number, CacheError.StoreFailure, Self>
  readonly keys: Stream.Stream<K, CacheError.StoreFailure, Self>
  readonly entries: Stream.Stream<readonly [K, CacheEntry.CacheEntry<A, E>], CacheError.StoreFailure, Self>
  readonly stats: Effect.Effect<CacheStats.CacheStats, never, Self>
}

/**
 * What a class made by `Service` extends: the Tag, the cache's operations as statics, and the Layer.
 *
 * @since 0.1.0
 * @category models
 */
export type ServiceClass<Self, Id extends string, K, A, E, R, B> = Context.TagClass<Self, Id, Cache<K, A, E, R>> &
  Statics<Self, K, A, E, R> & {
    /** Builds the cache over the store that is provided. Bound once, so it is built once however often it is provided. */
    readonly layer: Layer.Layer<Self, BuildError, B>
  }

/**
 * Defines a cache and its Tag in one: a class with the cache's operations as statics and a `layer`. The Tag's
 * identifier is the cache's name.
 *
 * @example
 * ```ts
 * import { Cache, MemoryStore } from "effect-larder"
 * import { Effect, Schema } from "effect"
 *
 * class Lengths extends Cache.Service<Lengths>()("app/Lengths", {
 *   key: Schema.String,
 *   success: Schema.Number,
 *   lookup: (word) => Effect.succeed(word.length)
 * }) {}
 *
 * Lengths.get("larder").pipe(
 *   Effect.provide(Lengths.layer),
 *   Effect.provide(MemoryStore.layer()),
 *   Effect.runPromise
 * ).then(console.log) // 6
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const Service =
  <Self>() =>
  <
    const Id extends string,
    K,
    A,
    E = never,
    R = never,
    IK = unknown,
    IA = unknown,
    F = never,
    IF = unknown,
    const O extends TypeOptions = {}
  >(
    id: Id,
    options: Options<K, A, E, R, IK, IA, F, IF> & Given<O>
  ): ServiceClass<Self, Id, K, A, GetError<K, E, O>, GetContext<R, O>, BuildContext<R, O>> => {
    const tag = Context.Tag(id)<Self, Cache<K, A, GetError<K, E, O>, GetContext<R, O>>>()
    return Object.assign(tag, Service_.statics(tag), { layer: layer(tag, id, options) })
  }
