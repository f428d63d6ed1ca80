/** Cached functions for callers outside Effect: the same function, run by a runtime that has the store. */
import * as Effect from "effect/Effect"
import type * as ManagedRuntime from "effect/ManagedRuntime"
import type * as CacheStore from "../../CacheStore.js"
import { settle } from "../promises.js"
import { callable, make } from "./function.js"

type Runtime<ER> = ManagedRuntime.ManagedRuntime<CacheStore.CacheStore, ER>

const run = <A, E, ER>(runtime: Runtime<ER>, effect: Effect.Effect<A, E, CacheStore.CacheStore>): Promise<A> =>
  settle(runtime.runPromiseExit(effect))

export const wrap = <ER>(
  runtime: Runtime<ER>,
  name: string,
  options: object,
  f: (...args: never) => PromiseLike<unknown>
): ReturnType<typeof callable> => {
  const { call, controls } = make(name, options, (...args: never) =>
    Effect.tryPromise({ try: () => f(...args), catch: (error) => error })
  )
  return callable(name, (...args) => run(runtime, call(args)), {
    peek: (...args: ReadonlyArray<unknown>) => run(runtime, controls.peek(...args)),
    has: (...args: ReadonlyArray<unknown>) => run(runtime, controls.has(...args)),
    set: (...args: Parameters<typeof controls.set>) => run(runtime, controls.set(...args)),
    refresh: (...args: ReadonlyArray<unknown>) => run(runtime, controls.refresh(...args)),
    invalidate: (...args: ReadonlyArray<unknown>) => run(runtime, controls.invalidate(...args)),
    invalidateTags: (tags: ReadonlyArray<string>) => run(runtime, controls.invalidateTags(tags)),
    clear: () => run(runtime, controls.clear),
    stats: () => run(runtime, controls.stats)
  })
}
