/**
 * What the three forms of a memory store cost: references, weak references and bytes.
 *
 * Workload: 10 000 records of three fields with string keys, read one after another inside a running fiber; and what
 * an entry takes of the heap, its value included. Somebody else holds the values where references are weak.
 */
import { Effect, Layer, Schema } from "effect"
import { Cache, type CacheStore, MemoryStore } from "effect-larder"
import { measure } from "./measure.js"
import type { Row, Suite } from "./suite.js"
import { inFiber, toRow } from "./suite.js"
import { around, textKeys } from "./workloads.js"

const count = 10_000
const keys = textKeys(count)

const User = Schema.Struct({ id: Schema.String, organization: Schema.Number, active: Schema.Boolean })
const userOf = (id: string): typeof User.Type => ({ id, organization: 7, active: true })

const forms: Readonly<Record<string, Layer.Layer<CacheStore.CacheStore, unknown>>> = {
  references: MemoryStore.layer({ capacity: count }),
  "weak references": MemoryStore.layer({ capacity: count, references: "weak" }),
  bytes: MemoryStore.layerBytes({ capacity: count })
}

const heapUsed = (): number => {
  globalThis.gc?.()
  globalThis.gc?.()
  const { arrayBuffers, heapUsed } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

const filled = ([name, layer]: readonly [string, Layer.Layer<CacheStore.CacheStore, unknown>]) =>
  Effect.gen(function* () {
    const held = keys.map(userOf)
    const before = heapUsed()
    const cache = yield* Effect.provide(
      Cache.make(`forms/${name}`, {
        key: Schema.String,
        success: User,
        lookup: (id: string) => Effect.succeed(name === "weak references" ? held[Number(id.slice(5))]! : userOf(id)),
        timeToLive: "1 hour"
      }),
      yield* Layer.build(layer)
    )
    for (const key of keys) yield* cache.get(key)
    const row: Row = { name, unit: "bytes", values: [(heapUsed() - before) / count], batch: count }
    const next = around(keys)
    // `held` is held by what is measured, to the end
    const get = () => (held.length === 0 ? Effect.void : cache.get(next()))
    return { row, subject: inFiber(yield* Effect.runtime<never>(), name, get) }
  })

export const formsSuite: Suite = ({ quick }) =>
  Effect.gen(function* () {
    // each once for nothing, so that its code is there when the heap is looked at
    yield* Effect.scoped(Effect.forEach(Object.entries(forms), filled))
    const all = yield* Effect.forEach(Object.entries(forms), filled)
    const samples = yield* Effect.promise(() =>
      measure(
        all.map(({ subject }) => subject),
        { warmup: quick ? 5 : 20, rounds: quick ? 20 : 100, batch: count }
      )
    )
    return {
      tables: [
        { title: "A hit, by what the store holds", rows: samples.map(toRow) },
        {
          title: "What an entry takes, its value included where it is the store's alone",
          rows: all.map(({ row }) => row)
        }
      ],
      claims: []
    }
  }).pipe(Effect.scoped, Effect.runPromise)
