/** The fiber that is running at this moment. */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"

type AnyFiber = Fiber.RuntimeFiber<unknown, unknown>

/** Where Effect's runtime keeps it, see `Fiber.getCurrentFiber`, which makes an Option of it each time. */
const place = globalThis as { readonly "effect/FiberCurrent"?: AnyFiber | null | undefined }

/**
 * `undefined` or `null` outside of any fiber. Should Effect keep it elsewhere one day, nothing is found here, and who
 * asks must do without; a test tells.
 */
export const currentFiber = (): AnyFiber | null | undefined => place["effect/FiberCurrent"]

/** As `Effect.withFiberRuntime`, in the step that is running already. */
export const withCurrentFiber = <A, E, R>(f: (fiber: AnyFiber) => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => {
  const fiber = currentFiber()
  return fiber === undefined || fiber === null ? Effect.withFiberRuntime(f) : f(fiber)
}
