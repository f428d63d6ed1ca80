/** The spans of gets, where somebody looks and asked for them. Those of loads are begun by the loader. */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type { SteadyClock } from "../steady.js"
import { hashKey } from "../tracing.js"
import type { Flight } from "./flight.js"
import { linkTo } from "./flight.js"
import type { Answer } from "./model.js"

/** A whole get. A key that could not be encoded has no hash. */
export const traceGet = <A, E, R>(
  { cache, clock, id }: { readonly cache: string; readonly clock: SteadyClock; readonly id: unknown },
  answer: Effect.Effect<Answer<A, E>, E, R>,
  fiber: Fiber.RuntimeFiber<unknown, unknown>
): Effect.Effect<Answer<A, E>, E, R> => {
  const attributes = {
    "cache.name": cache,
    ...(typeof id === "string" ? { "cache.key_hash": hashKey(id) } : {})
  }
  return Effect.useSpan("larder.get", { kind: "internal", attributes, captureStackTrace: false }, (span) =>
    Effect.map(Effect.withParentSpan(answer, span), (result) => {
      span.attribute("cache.outcome", result.outcome)
      if (result.tier !== undefined) span.attribute("cache.tier", result.tier)
      if (result.entry !== undefined) {
        span.attribute("cache.age_ms", Math.max(0, clock.now(fiber) - result.entry.createdAt))
      }
      return result
    })
  )
}

/** A later waiter gets a span of its own, and the load and the wait are linked both ways. */
export const traceWait = <K, A, E>(
  cache: string,
  flight: Flight<K, A, E>,
  wait: Effect.Effect<Answer<A, E>>
): Effect.Effect<Answer<A, E>> => {
  const attributes = { "cache.name": cache, "cache.key_hash": hashKey(flight.id) }
  return Effect.useSpan("larder.wait", { kind: "internal", attributes, captureStackTrace: false }, (span) => {
    flight.linkWaiter(span)
    return Effect.map(wait, (answer) => {
      span.attribute("cache.outcome", answer.outcome)
      if (flight.span !== undefined) span.addLinks([linkTo(flight.span)])
      return answer
    })
  })
}
