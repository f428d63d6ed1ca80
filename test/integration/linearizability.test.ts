/**
 * One key, several actors: every history of gets, sets, invalidations and changes of the source could have happened one
 * after the other. (A refresh is two things: what it has read is put in place of what was there when it has ended, and
 * until then that is served.) With fibers that run in any order, over each store; a failure prints its seed and the shortest history.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Random, Schema, Scope } from "effect"
import { Cache, CacheStore } from "effect-larder"
import fc from "fast-check"
import { stores } from "../fixtures/cache/stores.js"
import { isLinearizable, type Operation } from "../fixtures/simulation/linear.js"
import { ReorderingScheduler, randomOf, VirtualClock } from "../fixtures/simulation/scheduler.js"

const histories = Number(process.env["HISTORIES"] ?? 10_000)

type Step = { readonly do: "get" | "set" | "invalidate" | "write" | "leave"; readonly turns: number }

const plans = fc.record({
  actors: fc.array(
    fc.array(
      fc.record<Step>({
        do: fc.constantFrom("get", "get", "get", "set", "invalidate", "write", "leave"),
        turns: fc.nat(8)
      }),
      { minLength: 1, maxLength: 4 }
    ),
    { minLength: 2, maxLength: 4 }
  ),
  seed: fc.integer()
})

type Plan = typeof plans extends fc.Arbitrary<infer P> ? P : never

let names = 0

const play = (plan: Plan, store: CacheStore.Service): ReadonlyArray<Operation> => {
  const random = randomOf(plan.seed)
  const operations: Array<Operation> = []
  let [moment, source, made] = [0, 0, 0]
  const turns = (most: number) => Effect.suspend(() => Effect.repeatN(Effect.yieldNow(), Math.floor(random() * most)))
  const program = Effect.gen(function* () {
    const cache = yield* Cache.make(`linear ${++names}`, {
      key: Schema.String,
      success: Schema.Number,
      // the source is read at one moment, somewhere in the load
      lookup: (_: string) => turns(5).pipe(Effect.zipRight(Effect.sync(() => source)), Effect.zipLeft(turns(5)))
    })
    const note = (what: Operation["do"], put: number, effect: Effect.Effect<unknown, unknown>) =>
      Effect.suspend(() => {
        const start = ++moment
        let isCertain = false
        let value = put
        return Effect.ensuring(
          Effect.tap(effect, (answer) =>
            Effect.sync(() => {
              isCertain = true
              if (what === "get") value = answer as number
            })
          ),
          // what was interrupted may still take effect for as long as anybody can tell
          Effect.sync(() =>
            operations.push({ do: what, value, start, end: isCertain ? ++moment : Infinity, isCertain })
          )
        )
      })
    const act = (step: Step): Effect.Effect<unknown, unknown> => {
      switch (step.do) {
        case "get":
          return note("get", 0, cache.get("k"))
        case "set": {
          const value = ++made
          return note("set", value, cache.set("k", value))
        }
        case "invalidate":
          return note("invalidate", 0, cache.invalidate("k"))
        case "write":
          return Effect.suspend(() => {
            const value = ++made
            return note(
              "write",
              value,
              Effect.sync(() => void (source = value))
            )
          })
        case "leave":
          return Effect.flatMap(Effect.fork(note("get", 0, cache.get("k"))), (fiber) =>
            Effect.zipRight(turns(step.turns * 3), Fiber.interrupt(fiber))
          )
      }
    }
    const actors = yield* Effect.forEach(plan.actors, (steps) =>
      Effect.fork(Effect.forEach(steps, (step) => Effect.zipRight(turns(step.turns), act(step)), { discard: true }))
    )
    for (const actor of actors) yield* Fiber.join(actor)
  })
  const clock = new VirtualClock()
  const scheduler = new ReorderingScheduler(random)
  const fiber = Effect.runFork(
    program.pipe(
      Effect.scoped,
      Effect.provideService(CacheStore.CacheStore, store),
      Effect.withClock(clock),
      Effect.withRandom(Random.make(plan.seed))
    ),
    { scheduler }
  )
  scheduler.drive(fiber, clock)
  const exit = fiber.unsafePoll()
  assert.isTrue(exit !== null && Exit.isSuccess(exit), "nothing hangs, and nothing fails")
  return operations
}

describe("histories of one key", () => {
  for (const { layer, name } of stores) {
    it(`are linearizable (${name}), all ${histories}`, { timeout: 20 * 60_000 }, async () => {
      const scope = Effect.runSync(Scope.make())
      const context = await Effect.runPromise(Layer.buildWithScope(layer, scope))
      const service = context.unsafeMap.get(CacheStore.CacheStore.key) as CacheStore.Service
      let played = 0
      await fc.assert(
        fc.asyncProperty(plans, async (plan) => {
          if (++played % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
          const operations = play(plan, service)
          assert.isTrue(isLinearizable(operations, 0), JSON.stringify(operations))
        }),
        { numRuns: histories }
      )
      await Effect.runPromise(Scope.close(scope, Exit.void))
    })
  }

  it("the check itself refuses what could not have happened", () => {
    const operation = (what: Operation["do"], value: number, start: number, end: number): Operation => ({
      do: what,
      value,
      start,
      end,
      isCertain: true
    })
    const stale = [operation("set", 1, 1, 2), operation("invalidate", 0, 3, 4), operation("get", 1, 5, 6)]
    assert.isFalse(isLinearizable(stale, 0))
    const overlapping = [operation("set", 1, 1, 2), operation("invalidate", 0, 3, 6), operation("get", 1, 4, 5)]
    assert.isTrue(isLinearizable(overlapping, 0))
    assert.isFalse(isLinearizable([operation("write", 1, 1, 2), operation("get", 0, 3, 4)], 0))
    assert.isTrue(
      isLinearizable([operation("get", 0, 1, 2), operation("write", 1, 3, 4), operation("get", 0, 5, 6)], 0)
    )
    // it was answered before it was put in
    assert.isFalse(isLinearizable([operation("get", 1, 1, 2), operation("set", 1, 3, 4)], 0))
  })
})
