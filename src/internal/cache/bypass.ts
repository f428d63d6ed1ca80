/** A get that the cache keeps out of: the lookup just runs. */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import { hashKey, traced } from "../tracing.js"
import type { Call } from "./call.js"
import type { Counters } from "./counters.js"
import type { Answer, Definition } from "./model.js"

export const bypass = <K, A, E, R>(
  { context, lookup, name }: Definition<K, A, E, R>,
  counters: Counters,
  key: K,
  id: string,
  call: Call
): Effect.Effect<Answer<A, E>, E, R> => {
  const attributes = () => ({ "cache.name": name, "cache.key_hash": hashKey(id), "cache.outcome": "bypassed" })
  const load = Effect.suspend(() => {
    counters.bypassed++
    return Effect.exit(call.restore(traced("larder.load", { kind: "internal", attributes }, () => lookup(key))))
  })
  return Effect.map(
    // a captured context holds all that `R` asks for; see `Definition.context`
    context === undefined ? load : Effect.provide(load as Effect.Effect<Exit.Exit<A, E>>, context),
    (exit) => ({ exit, outcome: "bypassed", entry: undefined, tier: undefined })
  )
}
