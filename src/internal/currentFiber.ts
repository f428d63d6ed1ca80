/** The fiber that is running at this moment. */
import type * as Fiber from "effect/Fiber"

type AnyFiber = Fiber.RuntimeFiber<unknown, unknown>

/** Where Effect's runtime keeps it, see `Fiber.getCurrentFiber`, which makes an Option of it each time. */
const place = globalThis as { readonly "effect/FiberCurrent"?: AnyFiber | null | undefined }

/**
 * `undefined` or `null` outside of any fiber. Should Effect keep it elsewhere one day, nothing is found here, and who
 * asks must do without; a test tells.
 */
export const currentFiber = (): AnyFiber | null | undefined => place["effect/FiberCurrent"]
