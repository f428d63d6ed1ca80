/** The fiber's `Random`, asked at once. */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import { immediate } from "./instructions.js"

/** From 0 to below 1. */
export const chanceOf = (fiber: Fiber.RuntimeFiber<unknown, unknown>): number => {
  const random = fiber.currentDefaultServices.unsafeMap.get(Random.Random.key) as Random.Random
  const exit = immediate(random.next)
  return exit?._tag === "Success" ? exit.value : Effect.runSync(random.next)
}
