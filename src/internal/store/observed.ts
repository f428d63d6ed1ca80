/** The operations of a region of bytes, seen by those who look: as spans, and as times. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as CacheStats from "../../observe/CacheStats.js"
import { clockOf } from "../steady.js"
import { hashKey, isTraced, traced } from "../tracing.js"

interface Region {
  readonly store: string
  readonly name: string
}

const span = (region: Region, operation: string, keys: ReadonlyArray<string> | undefined) => ({
  kind: "client" as const,
  attributes: () => ({
    "cache.name": region.name,
    "cache.store": region.store,
    "cache.operation": operation,
    ...(keys === undefined
      ? {}
      : keys.length === 1
        ? { "cache.key_hash": hashKey(keys[0]!) }
        : { "cache.keys": keys.length })
  })
})

/** Told to the registry in force, if it wants to know. */
const timed = <A, E, R>(
  { store }: Region,
  operation: string,
  fiber: Fiber.RuntimeFiber<unknown, unknown>,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => {
  const registry = fiber.currentContext.unsafeMap.get(CacheStats.Registry.key) as CacheStats.RegistryService | undefined
  const tell = registry?.storeTimed
  if (tell === undefined) return effect
  const clock = clockOf(fiber)
  const started = clock.unsafeCurrentTimeNanos()
  return Effect.onExit(effect, (exit) =>
    Effect.sync(() => {
      const seconds = Number(clock.unsafeCurrentTimeNanos() - started) / 1e9
      tell({ store, operation, seconds, isFailure: Exit.isFailure(exit) })
    })
  )
}

export const observed = <A, E, R>(
  region: Region,
  operation: string,
  keys: ReadonlyArray<string> | undefined,
  run: (fiber: Fiber.RuntimeFiber<unknown, unknown>) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.withFiberRuntime((fiber) =>
    timed(
      region,
      operation,
      fiber,
      isTraced(fiber)
        ? traced(`larder.store.${operation}`, span(region, operation, keys), () => run(fiber))
        : run(fiber)
    )
  )
