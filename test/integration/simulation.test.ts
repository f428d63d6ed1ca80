/**
 * The laws together, in any history: several actors get, set, invalidate, leave and sleep, all at once, over a source
 * that is late, fails, dies and hangs, and a store that is full, fails and rots, under any policy, with fibers that run
 * in any order. (Law 11 is what makes it possible, and law 12 is about what comes before.)
 *
 * A failure prints its seed and the shortest history that shows it. `HISTORIES` sets how many there are, `SEED` where
 * they begin.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Scope } from "effect"
import { CacheStore, MemoryStore } from "effect-larder"
import * as SqliteStore from "effect-larder/SqliteStore"
import fc from "fast-check"
import { capacity, play } from "../fixtures/simulation/play.js"
import { plans } from "../fixtures/simulation/plan.js"

const histories = Number(process.env["HISTORIES"] ?? 10_000)
const seed = process.env["SEED"] === undefined ? {} : { seed: Number(process.env["SEED"]) }

const stores = {
  memory: MemoryStore.layer({ capacity, policy: "lru" }),
  SQLite: SqliteStore.layerMemory,
  "memory over SQLite": MemoryStore.layer({ capacity, policy: "lru" }).pipe(
    CacheStore.tieredOver(SqliteStore.layerMemory)
  )
}

for (const [name, layer] of Object.entries(stores)) {
  describe(`the laws of caches (${name})`, () => {
    it(
      `hold in ${histories} histories`,
      async () => {
        let played = 0
        const scope = Effect.runSync(Scope.make())
        const context = await Effect.runPromise(
          Layer.buildWithScope(layer as Layer.Layer<CacheStore.CacheStore, unknown>, scope)
        )
        const service = context.unsafeMap.get(CacheStore.CacheStore.key) as CacheStore.Service
        await fc.assert(
          fc.asyncProperty(plans, async (plan) => {
            // now and then who waits for this process has his turn, too
            if (++played % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
            const problems = play(plan, service, CacheStore.CacheStore)
            assert.isEmpty(problems, problems.join("\n"))
          }),
          { numRuns: histories, ...seed }
        )
        await Effect.runPromise(Scope.close(scope, Exit.void))
      },
      20 * 60_000
    )
  })
}
