/**
 * One cache for each store that a cached function meets.
 *
 * A cached function is defined before there is a store, and may be called under several (in tests, in nested
 * contexts). Its cache on a store is built by whoever calls first, and lives as long as that store. Building is shared
 * and belongs to the store's Scope: interrupting the first caller harms no other.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import type * as Cache from "../../Cache.js"
import type * as CacheError from "../../CacheError.js"
import * as CacheStore from "../../CacheStore.js"
import * as Build from "../cache/build.js"
import type { Core } from "../cache/core.js"
import type { Options } from "../cache/options.js"
import { closed } from "../store/service.js"

type AnyFiber = Fiber.RuntimeFiber<unknown, unknown>
type Opening<K, A, E, R> = Fiber.RuntimeFiber<
  Cache.Cache<K, A, E, R>,
  CacheError.InvalidConfig | CacheError.StoreFailure
>

export class Bindings<K, A, E, R> {
  private readonly caches = new WeakMap<CacheStore.Service, Cache.Cache<K, A, E, R>>()
  private readonly openings = new WeakMap<CacheStore.Service, Opening<K, A, E, R>>()
  /** Nearly every call meets the store that the one before met. */
  private lastStore: CacheStore.Service | undefined
  private lastCache: Cache.Cache<K, A, E, R> | undefined
  private lastCore: Core<K, A, E, R> | undefined

  constructor(
    readonly name: string,
    private readonly options: Options<K, A, E, R>
  ) {}

  /**
   * Runs `f` on the cache of the store in force. A store on which no cache can be opened is `unavailable`; options
   * that are no options, or a name that another has, are a broken program.
   */
  use<X, E2, R2, Y, E3, R3>(
    f: (cache: Cache.Cache<K, A, E, R>) => Effect.Effect<X, E2, R2>,
    unavailable: (failure: CacheError.StoreFailure) => Effect.Effect<Y, E3, R3>
  ): Effect.Effect<X | Y, E2 | E3, R2 | R3 | CacheStore.CacheStore> {
    return Effect.withFiberRuntime<X | Y, E2 | E3, R2 | R3 | CacheStore.CacheStore>((fiber) => {
      // only a missing requirement, which the types forbid, leaves this undefined
      const store = Context.unsafeGet(
        fiber.currentContext as Context.Context<CacheStore.CacheStore>,
        CacheStore.CacheStore
      )
      const cache = this.cacheOf(store)
      if (cache !== undefined) return f(cache)
      return Effect.flatMap(
        Fiber.await(this.open(store, fiber)),
        (exit) =>
          (Exit.isSuccess(exit) ? f(exit.value) : this.refused(store, exit.cause, unavailable)) as Effect.Effect<
            X | Y,
            E2 | E3,
            R2 | R3
          >
      )
    })
  }

  /** For a get that wants its hits at once. */
  hitsOf(fiber: AnyFiber): Core<K, A, E, R> | undefined {
    // whatever is under the Tag's key was put there under the Tag
    const store = fiber.currentContext.unsafeMap.get(CacheStore.CacheStore.key) as CacheStore.Service | undefined
    if (store === undefined) return undefined
    if (store === this.lastStore) return this.lastCore
    const cache = this.cacheOf(store)
    return cache && Build.coreOf(cache)
  }

  private cacheOf(store: CacheStore.Service): Cache.Cache<K, A, E, R> | undefined {
    if (this.lastStore === store) return this.lastCache
    const cache = this.caches.get(store)
    if (cache !== undefined) this.remember(store, cache)
    return cache
  }

  private remember(store: CacheStore.Service, cache: Cache.Cache<K, A, E, R>): void {
    this.lastStore = store
    this.lastCache = cache
    this.lastCore = Build.coreOf(cache)
  }

  private open(store: CacheStore.Service, fiber: AnyFiber): Opening<K, A, E, R> {
    const present = this.openings.get(store)
    if (present !== undefined) return present
    const runtime = Runtime.make({
      context: fiber.currentContext as Context.Context<CacheStore.CacheStore | R>,
      runtimeFlags: Runtime.defaultRuntimeFlags,
      fiberRefs: fiber.getFiberRefs()
    })
    const opening = Runtime.runFork(runtime)(Scope.extend(Build.make(this.name, this.options), store.scope), {
      scope: store.scope,
      immediate: true
    })
    this.openings.set(store, opening)
    opening.addObserver((exit) => {
      this.openings.delete(store) // a store that could not be opened may be there the next time
      if (Exit.isSuccess(exit)) {
        this.caches.set(store, exit.value)
        this.remember(store, exit.value)
      }
    })
    return opening
  }

  private refused<Y, E3, R3>(
    store: CacheStore.Service,
    cause: Cause.Cause<CacheError.InvalidConfig | CacheError.StoreFailure>,
    unavailable: (failure: CacheError.StoreFailure) => Effect.Effect<Y, E3, R3>
  ): Effect.Effect<Y, E3, R3> {
    const failure = Cause.failureOption(cause)
    if (Option.isSome(failure)) {
      return failure.value._tag === "InvalidConfig" ? Effect.die(failure.value) : unavailable(failure.value)
    }
    // the store was released while the cache was being opened
    return Cause.isInterruptedOnly(cause) ? unavailable(closed(store.name)) : Effect.die(Cause.squash(cause))
  }
}
