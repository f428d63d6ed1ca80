/** What a load has from whoever made the cache, and from whoever asked for it. */
import * as Context from "effect/Context"
import type * as Fiber from "effect/Fiber"
import * as Runtime from "effect/Runtime"
import * as Tracer from "effect/Tracer"
import { localKey, localOf } from "./configLocal.js"

type AnyFiber = Fiber.RuntimeFiber<unknown, unknown>

/** The captured requirements, but the caller's span and local configuration: a load is part of the caller's trace. */
const contextOf = (captured: Context.Context<never> | undefined, fiber: AnyFiber): Context.Context<never> => {
  const caller = fiber.currentContext
  if (captured === undefined) return caller
  const local = localOf(caller)
  if (fiber.currentSpan === undefined && local === undefined) return captured
  const merged = new Map(captured.unsafeMap)
  if (fiber.currentSpan !== undefined) merged.set(Tracer.ParentSpan.key, fiber.currentSpan)
  if (local !== undefined) merged.set(localKey, local)
  return Context.unsafeMake(merged)
}

/** Whether a fiber has the same of this service as what was captured. */
export const hasSame = (captured: Context.Context<never> | undefined, fiber: AnyFiber, service: string): boolean =>
  captured === undefined || captured.unsafeMap.get(service) === fiber.currentContext.unsafeMap.get(service)

/** To run a load in: with the caller's fiber refs as they are now, for when it lands he may be at something else. */
export const runtimeOf = (captured: Context.Context<never> | undefined, fiber: AnyFiber): Runtime.Runtime<never> =>
  Runtime.make({
    context: contextOf(captured, fiber),
    runtimeFlags: Runtime.defaultRuntimeFlags,
    fiberRefs: fiber.getFiberRefs()
  })
