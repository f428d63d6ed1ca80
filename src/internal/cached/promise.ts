/** Cached functions for callers outside Effect: the same function, run by a runtime that has the store. */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as ManagedRuntime from "effect/ManagedRuntime"
import type * as CacheStore from "../../CacheStore.js"
import { settle } from "../promises.js"
import type { CachedFunction } from "./function.js"
import { callable, make } from "./function.js"

type Runtime<ER> = ManagedRuntime.ManagedRuntime<CacheStore.CacheStore, ER>

const run = <A, E, ER>(runtime: Runtime<ER>, effect: Effect.Effect<A, E, CacheStore.CacheStore>): Promise<A> =>
  settle(runtime.runPromiseExit(effect))

/**
 * Calls that are answered at once when they hit, without entering Effect. What a hit depends on (the context, the
 * clock) is asked of a fiber of the runtime: one that has ended, for it is the same in all of them. There is one as
 * soon as the runtime is there, which a first answer tells.
 */
const calls = <A, E, ER>(
  runtime: Runtime<ER>,
  cached: CachedFunction<A, E, never>
): ((args: ReadonlyArray<unknown>) => Promise<A>) => {
  let fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined
  return (args) => {
    const hits = fiber && cached.hitsOf(fiber)
    const place = hits === undefined ? -1 : hits.hit(args, fiber!)
    if (place >= 0) return Promise.resolve(hits!.handOut(place))
    const answer = run(runtime, cached.call(args))
    if (fiber === undefined) {
      answer.then(
        () => {
          fiber ??= runtime.runFork(Effect.void)
        },
        () => {}
      )
    }
    return answer
  }
}

export const wrap = <ER>(
  runtime: Runtime<ER>,
  name: string,
  options: object,
  f: (...args: never) => PromiseLike<unknown>
): ReturnType<typeof callable> => {
  const cached = make(name, options, (...args: never) =>
    Effect.tryPromise({ try: () => f(...args), catch: (error) => error })
  )
  const { controls } = cached
  const answer = calls(runtime, cached)
  const call = (...args: ReadonlyArray<unknown>) => answer(args)
  return callable(name, call, {
    peek: (...args: ReadonlyArray<unknown>) => run(runtime, controls.peek(...args)),
    has: (...args: ReadonlyArray<unknown>) => run(runtime, controls.has(...args)),
    set: (...args: Parameters<typeof controls.set>) => run(runtime, controls.set(...args)),
    refresh: (...args: ReadonlyArray<unknown>) => run(runtime, controls.refresh(...args)),
    explain: (...args: ReadonlyArray<unknown>) => run(runtime, controls.explain(...args)),
    invalidate: (...args: ReadonlyArray<unknown>) => run(runtime, controls.invalidate(...args)),
    invalidateTags: (tags: ReadonlyArray<string>) => run(runtime, controls.invalidateTags(tags)),
    invalidateGroup: (group: string) => run(runtime, controls.invalidateGroup(group)),
    invalidateAll: () => run(runtime, controls.invalidateAll),
    clear: () => run(runtime, controls.clear),
    stats: () => run(runtime, controls.stats)
  })
}
