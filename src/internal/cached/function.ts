/** The functions that `Cached` hands out: the call itself, and the controls that it carries. */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Cache from "../../Cache.js"
import type * as CacheConfig from "../../CacheConfig.js"
import * as CacheError from "../../CacheError.js"
import * as CacheKey from "../../CacheKey.js"
import type * as CacheStore from "../../CacheStore.js"
import type { Options as CacheOptions } from "../cache/options.js"
import type { Target } from "../cache/get.js"
import { Get } from "../cache/get.js"
import { localOf } from "../configLocal.js"
import { given } from "../keyText.js"
import { tell } from "../tell.js"
import { Bindings } from "./bindings.js"

type Args = ReadonlyArray<unknown>

/** The options of `Cached` as the machinery takes them: callbacks get the arguments one by one. */
export interface Options<A, E>
  extends Omit<
    CacheOptions<Args, A, E, never>,
    | "key"
    | "keys"
    | "lookup"
    | "revalidate"
    | "when"
    | "cacheIf"
    | "timeToLive"
    | "failureTimeToLive"
    | "tags"
    | "group"
    | "failsafeWhen"
    | "requirements"
  > {
  readonly key?: Schema.Schema.AnyNoContext | ((...args: Args) => unknown) | undefined
  readonly timeToLive?: unknown
  readonly failureTimeToLive?: unknown
  readonly tags?: unknown
  readonly group?: unknown
  readonly failsafeWhen?: unknown
  readonly when?: unknown
  readonly cacheIf?: unknown
  readonly mode?: CacheConfig.Mode | undefined
}

/** Keys by a function of the arguments; by a Schema of them; or by all of them. */
const keysOf = (key: Options<never, never>["key"]): CacheKey.KeyCodec<Args> => {
  if (key === undefined) return CacheKey.forArguments
  if (Schema.isSchema(key)) {
    const codec = CacheKey.forSchema(key as unknown as Schema.Schema<Args, unknown>)
    return {
      unsafeEncode: (args) => codec.unsafeEncode(given(args)),
      textOf: (args) => codec.textOf(given(args)),
      decode: codec.decode
    }
  }
  const pick = key as (...args: Args) => unknown
  return {
    unsafeEncode: (args) => CacheKey.unsafeEncode(pick(...args)),
    textOf: (args) => CacheKey.any.textOf(pick(...args)),
    // what a function picked does not tell what it was picked from
    decode: () => Option.none()
  }
}

type Callback = (...args: Args) => unknown

/** `(value, key)` becomes `(value, ...args)`; what is no function is left as it is, to be checked with the rest. */
const spread = (option: unknown): unknown =>
  typeof option === "function" ? (value: unknown, args: Args) => (option as Callback)(value, ...args) : option

const spreadArgs = (option: unknown): unknown =>
  typeof option === "function" ? (args: Args) => (option as Callback)(...args) : option

const isKey = (key: unknown): boolean => key === undefined || typeof key === "function" || Schema.isSchema(key)

/** A cached function without its types. */
export class CachedFunction<A, E, R> implements Target<Args, A, E, R | CacheStore.CacheStore> {
  private readonly bindings: Bindings<Args, A, E, R>
  private warned = false

  constructor(
    readonly name: string,
    private readonly options: Options<A, E>,
    private readonly f: (...args: Args) => Effect.Effect<A, E, R>
  ) {
    const { cacheIf, failsafeWhen, failureTimeToLive, group, key, tags, timeToLive, when, ...rest } = options
    const all = {
      ...rest,
      // a key that is none is told with all other issues, when the options are checked
      ...(isKey(key) ? { keys: keysOf(key) } : { key }),
      lookup: (args: Args) => f(...args),
      timeToLive: spread(timeToLive),
      failureTimeToLive: spread(failureTimeToLive),
      tags: spread(tags),
      group: spreadArgs(group),
      failsafeWhen: spread(failsafeWhen),
      when: spreadArgs(when),
      cacheIf: spread(cacheIf),
      requirements: "caller"
    }
    this.bindings = new Bindings(name, all as CacheOptions<Args, A, E, R>)
  }

  readonly call = (args: Args) => new Get(this, args)

  hitsOf(fiber: Fiber.RuntimeFiber<unknown, unknown>) {
    return this.bindings.hitsOf(fiber)
  }

  whole(args: Args): Effect.Effect<A, E, R | CacheStore.CacheStore> {
    return this.bindings.use(
      (cache) => cache.get(args),
      (failure) => this.without(args, failure)
    )
  }

  /** The store cannot be had, so there is nothing but the function itself; a strict one fails instead. */
  private without(args: Args, failure: CacheError.StoreFailure): Effect.Effect<A, E, R> {
    // `E` of a strict cache holds `StoreFailure`, and that of `only-if-cached` holds `NotCached`
    if (this.options.strict === true) return Effect.fail(failure as E & CacheError.StoreFailure)
    const load = Effect.withFiberRuntime<A, E, R>((fiber) =>
      (localOf(fiber.currentContext)?.mode ?? this.options.mode) === "only-if-cached"
        ? Effect.fail(new CacheError.NotCached({ cache: this.name }) as E & CacheError.NotCached)
        : this.f(...args)
    )
    if (this.warned) return load
    this.warned = true
    return Effect.zipRight(
      tell({
        level: LogLevel.Warning,
        message: `'${this.name}' goes on without its store. ${failure.message}`,
        about: { cache: this.name, store: failure.store, operation: "open" },
        more: [failure.hint]
      }),
      load
    )
  }

  /** An operation that goes to the store on purpose fails when there is none. */
  private on<X, E2, R2>(f: (cache: Cache.Cache<Args, A, E, R>) => Effect.Effect<X, E2, R2>) {
    return this.bindings.use(f, (failure) => Effect.fail(failure))
  }

  readonly controls = {
    peek: (...args: Args) =>
      this.bindings.use(
        (cache) => cache.getOption(args),
        () => Effect.succeed(Option.none<A>())
      ),
    has: (...args: Args) =>
      this.bindings.use(
        (cache) => cache.has(args),
        () => Effect.succeed(false)
      ),
    explain: (...args: Args) => this.on((cache) => cache.explain(args)),
    set: (args: Args, value: A, options?: Cache.SetOptions) => this.on((cache) => cache.set(args, value, options)),
    refresh: (...args: Args) =>
      this.bindings.use(
        (cache) => cache.refresh(args),
        (failure) => this.without(args, failure)
      ),
    invalidate: (...args: Args) => this.on((cache) => cache.invalidate(args)),
    invalidateTags: (tags: ReadonlyArray<string>) => this.on((cache) => cache.invalidateTags(tags)),
    invalidateGroup: (group: string) => this.on((cache) => cache.invalidateGroup(group)),
    invalidateAll: Effect.suspend(() => this.on((cache) => cache.invalidateAll)),
    clear: Effect.suspend(() => this.on((cache) => cache.clear)),
    stats: Effect.suspend(() => this.on((cache) => cache.stats))
  }
}

/** A function object that calls, carries `controls`, and has the cache's name where a stack trace shows one. */
export const callable = <C extends object>(name: string, call: Callback, controls: C) =>
  Object.defineProperty(
    Object.assign((...args: Args) => call(...args), controls),
    "name",
    { value: name }
  )

export const fn = <A, E, R>(
  name: string,
  options: object,
  f: (...args: never) => Effect.Effect<A, E, R>
): ReturnType<typeof callable> => {
  const cached = make(name, options, f)
  return callable(name, (...args) => cached.call(args), cached.controls)
}

export const make = <A, E, R>(name: string, options: object, f: (...args: never) => Effect.Effect<A, E, R>) =>
  // the public types see to it that options and function are of one piece
  new CachedFunction<A, E, R>(name, options as Options<A, E>, f as (...args: Args) => Effect.Effect<A, E, R>)

export const effect = <A, E, R>(name: string, options: object, self: Effect.Effect<A, E, R>) => {
  const { call, controls } = make(name, options, () => self)
  return Object.assign(
    Effect.suspend(() => call([])),
    {
      clear: controls.clear,
      stats: controls.stats,
      invalidateTags: controls.invalidateTags,
      invalidateGroup: controls.invalidateGroup,
      invalidateAll: controls.invalidateAll,
      peek: Effect.suspend(() => controls.peek()),
      has: Effect.suspend(() => controls.has()),
      explain: Effect.suspend(() => controls.explain()),
      set: (value: A, options?: Cache.SetOptions) => controls.set([], value, options),
      refresh: Effect.suspend(() => controls.refresh()),
      invalidate: Effect.suspend(() => controls.invalidate())
    }
  )
}
