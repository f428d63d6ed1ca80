/**
 * What it costs a hit to be seen: metrics, events, alerts and analytics on, spans of hits off, beside nothing on.
 *
 * Workload: 1000 entries with string keys, present and fresh, read round and round. A round has as many gets as analytics
 * need to look once and look away again.
 */
import { Effect, Layer, Schema } from "effect"
import { Cache, CacheAlerts, CacheAnalytics, CacheEvents, CacheMetrics, MemoryStore } from "effect-larder"
import * as Claims from "./claims.js"
import { measure, ratios } from "./measure.js"
import type { Suite } from "./suite.js"
import { finder, inFiber, inGenerator, toRow } from "./suite.js"
import { around, textKeys } from "./workloads.js"

const entries = 1_000
const gets = 128 * 32_768
const texts = textKeys(entries)

const names = {
  off: "nothing on",
  metrics: "metrics",
  events: "metrics and events",
  all: "metrics, events, alerts and analytics"
} as const

const made = Effect.gen(function* () {
  const cache = yield* Cache.make("text", {
    key: Schema.String,
    lookup: () => Effect.succeed(1),
    timeToLive: "1 hour"
  })
  yield* Effect.forEach(texts, cache.get, { discard: true })
  const runtime = yield* Effect.runtime<never>()
  const next = around(texts)
  return { runtime, get: () => cache.get(next()) }
})

const seen = CacheMetrics.layer()
const heard = CacheEvents.layer()
const watched = Layer.mergeAll(
  CacheAnalytics.layer,
  CacheAlerts.layer([CacheAlerts.hitRatioBelow(0.01), CacheAlerts.bytesAbove(1e12)])
).pipe(Layer.provideMerge(Layer.merge(seen, heard)))

/** A store of its own for each of them, so that none makes another slower. */
const under = <O, E>(layer: Layer.Layer<O, E>) =>
  Effect.flatMap(Layer.build(Layer.merge(layer, Layer.fresh(MemoryStore.layer({ capacity: 10_000 })))), (context) =>
    Effect.provide(made, context)
  )

export const observe: Suite = ({ quick }) =>
  Effect.gen(function* () {
    const caches = {
      off: yield* under(Layer.empty),
      metrics: yield* under(seen),
      events: yield* under(Layer.merge(Layer.fresh(seen), heard)),
      all: yield* under(Layer.fresh(watched))
    }
    const kinds = ["off", "metrics", "events", "all"] as const
    const rounds = { warmup: quick ? 1 : 2, rounds: quick ? 6 : 20, batch: gets }
    const generator = yield* Effect.promise(() =>
      measure(
        kinds.map((kind) => inGenerator(caches[kind].runtime, names[kind], caches[kind].get)),
        rounds
      )
    )
    const fiber = yield* Effect.promise(() =>
      measure(
        kinds.map((kind) => inFiber(caches[kind].runtime, names[kind], caches[kind].get)),
        rounds
      )
    )
    const [inGen, looped] = [finder(generator), finder(fiber)]
    return {
      tables: [
        { title: "A hit in a generator", rows: generator.map(toRow) },
        { title: "A hit in a loop of effects", rows: fiber.map(toRow) }
      ],
      claims: [
        Claims.below(
          "a hit in a generator costs at most 1.1 x with metrics, events, alerts and analytics",
          "x",
          1.1,
          ratios(inGen(names.all), inGen(names.off))
        ),
        Claims.below("... and in a loop of effects", "x", 1.1, ratios(looped(names.all), looped(names.off)))
      ]
    }
  }).pipe(Effect.scoped, Effect.runPromise)
