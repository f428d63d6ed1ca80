/** A context held in the hand, as Effects and as Promises. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import type * as Cache from "../../Cache.js"
import type * as CacheContext from "../../CacheContext.js"
import type * as CacheError from "../../CacheError.js"
import * as Build from "../cache/build.js"
import { settle } from "../promises.js"
import { closed } from "../store/service.js"
import type { Opened } from "./opened.js"

const name = "effect-larder/CacheContext"

/** The handle's own entries are those of a cache that never loads. */
const cacheOf = <K, A, IK, IA, Out>(
  opened: Opened<Out>,
  options: CacheContext.HandleOptions<K, A, IK, IA>
): Effect.Effect<Cache.Cache<K, A>, CacheError.InvalidConfig | CacheError.StoreFailure> =>
  Build.make<K, A, never, never>(name, {
    key: options.key as Schema.Schema.AnyNoContext | undefined,
    success: (options.success ?? Schema.Unknown) as Schema.Schema.AnyNoContext,
    lookup: () => Effect.dieMessage("a handle loads nothing")
  }).pipe(opened.provide, Scope.extend(opened.scope))

export const make = <K, A, IK, IA, Out>(
  opened: Opened<Out>,
  options: CacheContext.HandleOptions<K, A, IK, IA>
): Effect.Effect<CacheContext.Handle<K, A, Out>, CacheError.InvalidConfig | CacheError.StoreFailure> =>
  Effect.map(cacheOf(opened, options), (cache) => {
    const whileOpen = <B, E, R>(effect: Effect.Effect<B, E, R>) =>
      Effect.suspend(
        (): Effect.Effect<B, E | CacheError.StoreUnavailable, R> =>
          opened.isClosed ? Effect.fail(closed(opened.info.store.name)) : effect
      )
    return {
      info: opened.info,
      get: (key) => whileOpen(cache.getOption(key)),
      set: (key, value, setOptions) => whileOpen(cache.set(key, value, setOptions)),
      invalidate: (key) => whileOpen(cache.invalidate(key)),
      clear: whileOpen(cache.clear),
      run: (effect) => whileOpen(opened.provide(effect))
    }
  })

const promised = <A, E>(effect: Effect.Effect<A, E>): Promise<A> => settle(Effect.runPromiseExit(effect))

export const open = <K, A, E, Out>(
  make: Effect.Effect<CacheContext.Handle<K, A, Out>, E, Scope.Scope>
): Promise<CacheContext.AsyncHandle<K, A, Out>> =>
  promised(
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const handle = yield* Effect.onExit(Scope.extend(make, scope), (exit) =>
        Exit.isFailure(exit) ? Scope.close(scope, exit) : Effect.void
      )
      return {
        info: handle.info,
        get: (key: K) => promised(handle.get(key)),
        set: (key: K, value: A, options?: Cache.SetOptions) => promised(handle.set(key, value, options)),
        invalidate: (key: K) => promised(handle.invalidate(key)),
        clear: () => promised(handle.clear),
        // the handle provides what `Exclude` has left out
        run: (effect) => promised(handle.run(effect) as Effect.Effect<never, unknown>),
        [Symbol.asyncDispose]: () => promised(Scope.close(scope, Exit.void))
      } satisfies CacheContext.AsyncHandle<K, A, Out>
    })
  )
