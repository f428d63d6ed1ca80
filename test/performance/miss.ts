/**
 * What a miss costs over the embedded stores: find nothing, run a lookup that does nothing, keep what it answers. And,
 * for comparison, what a hit, a write and an invalidation cost there.
 *
 * Workload: values are records of three fields, about 60 bytes as JSON. Every miss asks for a key never asked for
 * before. Hits and writes go to 1000 entries that are there. A round is one operation, so percentiles are those of
 * single operations, the few microseconds of entering Effect included.
 */
import { Cache as EffectCache, Effect, Layer, Runtime, Schema } from "effect"
import { Cache, CacheStore, MemoryStore } from "effect-larder"
import * as SqliteStore from "effect-larder/SqliteStore"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Claims from "./claims.js"
import type { Subject } from "./measure.js"
import { measure } from "./measure.js"
import type { Suite } from "./suite.js"
import { finder, toRow } from "./suite.js"
import { around, textKeys } from "./workloads.js"

const User = Schema.Struct({ id: Schema.String, organization: Schema.Number, active: Schema.Boolean })

const userOf = (id: string): typeof User.Type => ({ id, organization: 7, active: true })

const make = Cache.make("users", {
  key: Schema.String,
  success: User,
  lookup: (id) => Effect.succeed(userOf(id)),
  timeToLive: "1 hour"
})

const present = textKeys(1_000)

/** Keys that nobody has seen, as many as one wants. */
const unseen = (): (() => string) => {
  let count = 0
  return () => `unseen:${count++}`
}

const operations = (
  runtime: Runtime.Runtime<never>,
  store: string,
  cache: Effect.Effect.Success<typeof make>
): ReadonlyArray<Subject> => {
  const run = Runtime.runPromise(runtime)
  const each = (name: string, next: () => string, f: (key: string) => Effect.Effect<unknown, unknown>): Subject => ({
    name: `${store}: ${name}`,
    run: async (times) => {
      for (let done = 0; done < times; done++) await run(f(next()))
    }
  })
  return [
    each("miss", unseen(), cache.get),
    each("hit", around(present), cache.get),
    each("set", around(present), (id) => cache.set(id, userOf(id))),
    // of keys that were never there: what is there must stay for the hits
    each("invalidate", unseen(), cache.invalidate)
  ]
}

const peer = Effect.gen(function* () {
  const cache = yield* EffectCache.make({
    capacity: 10_000,
    timeToLive: "1 hour",
    lookup: (id: string) => Effect.succeed(userOf(id))
  })
  const run = Runtime.runPromise(yield* Effect.runtime())
  const next = unseen()
  const subject: Subject = {
    name: "effect/Cache: miss",
    run: async (times) => {
      for (let done = 0; done < times; done++) await run(cache.get(next()))
    }
  }
  return [subject]
})

const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "effect-larder-bench-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

const memory = MemoryStore.layer({ capacity: 10_000 })
const sqlite = (folder: string, name: string) => SqliteStore.layer({ filename: join(folder, name, "cache.db") })

/** The subjects of one store, whose Layer lives as long as the suite. */
const over = <E>(name: string, layer: Layer.Layer<CacheStore.CacheStore, E>) =>
  Effect.gen(function* () {
    const cache = yield* Effect.provide(make, yield* Layer.build(layer))
    for (const key of present) yield* cache.get(key)
    return operations(yield* Effect.runtime(), name, cache)
  })

const stores = ["memory", "SQLite file", "memory over SQLite file"] as const

const subjects = Effect.gen(function* () {
  const folder = yield* temporaryFolder
  return [
    ...(yield* over(stores[0], memory)),
    ...(yield* over(stores[1], sqlite(folder, "alone"))),
    ...(yield* over(stores[2], memory.pipe(CacheStore.tieredOver(sqlite(folder, "second"))))),
    ...(yield* peer)
  ]
})

const limit = 10e6

export const miss: Suite = ({ quick }) =>
  Effect.gen(function* () {
    const all = yield* subjects
    const samples = yield* Effect.promise(() =>
      measure(all, { warmup: quick ? 100 : 300, rounds: quick ? 300 : 3_000, batch: 1 })
    )
    const find = finder(samples)
    return {
      tables: [{ title: "Single operations by store, the fiber included", rows: samples.map(toRow) }],
      claims: stores.map((store) =>
        Claims.below(
          `a miss with a lookup that does nothing costs < 10 ms: ${store}`,
          "ns",
          limit,
          find(`${store}: miss`).nanos
        )
      )
    }
  }).pipe(Effect.scoped, Effect.runPromise)
