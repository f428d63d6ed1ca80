/** Loads that need no fiber: one step, without a flight; and what becomes of those that turn out to need one. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, FiberId } from "effect"
import { Cache, CacheConfig, MemoryStore } from "effect-larder"
import { currentFiber } from "../../src/internal/currentFiber.js"
import { addsUp, over } from "../fixtures/cache/harness.js"

const memory = over(MemoryStore.layer())

/** A lookup that is there, is synchronous, or waits for its turn, by the key's first letter; it writes down its calls. */
const mixed = () => {
  const calls: Array<string> = []
  const lookup = (key: string): Effect.Effect<string> => {
    calls.push(key)
    if (key.startsWith("s")) return Effect.sync(() => `${key}!`)
    return key.startsWith("w") ? Effect.as(Effect.yieldNow(), `${key}!`) : Effect.succeed(`${key}!`)
  }
  return { calls, lookup }
}

describe("a load that needs no fiber", () => {
  it.effect("is called once, whatever the ones before needed, and is kept", () =>
    Effect.gen(function* () {
      const { calls, lookup } = mixed()
      const cache = yield* Cache.make("mixed", { lookup })
      const keys = ["a", "s1", "w1", "b", "w2", "s2"]
      for (const key of [...keys, ...keys]) assert.strictEqual(yield* cache.get(key), `${key}!`)
      assert.deepStrictEqual(calls, keys)
      const { loads, size } = { ...(yield* cache.stats), size: yield* cache.size }
      assert.deepStrictEqual({ loads, size }, { loads: 6, size: 6 })
      yield* addsUp(cache, 12)
    }).pipe(memory)
  )

  it.effect("is shared all the same by those who come while it waits", () =>
    Effect.gen(function* () {
      const { calls, lookup } = mixed()
      const cache = yield* Cache.make("shared", { lookup })
      yield* cache.get("a")
      const all = yield* Effect.all(
        Array.from({ length: 10 }, () => cache.get("w")),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(new Set(all), new Set(["w!"]))
      assert.deepStrictEqual(calls, ["a", "w"])
      yield* addsUp(cache, 11)
    }).pipe(memory)
  )

  it.effect("may get from the cache it is a load of", () =>
    Effect.gen(function* () {
      const cache: Cache.Cache<number, number> = yield* Cache.make("fibonacci", {
        lookup: (n: number): Effect.Effect<number> =>
          n < 2 ? Effect.succeed(n) : Effect.zipWith(cache.get(n - 1), cache.get(n - 2), (a, b) => a + b)
      })
      assert.strictEqual(yield* cache.get(50), 12_586_269_025)
      assert.strictEqual((yield* cache.stats).loads, 51)
    }).pipe(memory)
  )

  it.effect("may be a get of another cache", () =>
    Effect.gen(function* () {
      const inner = yield* Cache.make("inner", { lookup: mixed().lookup })
      const outer = yield* Cache.make("outer", { lookup: inner.get })
      for (const key of ["a", "s", "w", "a"]) assert.strictEqual(yield* outer.get(key), `${key}!`)
      assert.strictEqual(yield* inner.get("b"), "b!")
      // a hit of the inner one
      assert.strictEqual(yield* outer.get("b"), "b!")
      yield* addsUp(outer, 5)
      yield* addsUp(inner, 5)
    }).pipe(memory)
  )

  it.effect("is not kept if its key was invalidated meanwhile", () =>
    Effect.gen(function* () {
      const cache: Cache.Cache<string, number> = yield* Cache.make("overtaken", {
        lookup: (key: string) =>
          Effect.sync(() => {
            Effect.runSync(cache.invalidate(key))
            return 1
          })
      })
      assert.strictEqual(yield* cache.get("k"), 1)
      assert.isFalse(yield* cache.has("k"))
    }).pipe(memory)
  )

  it.effect("that throws, called or run, is a defect of this get, and the key can be asked for again", () =>
    Effect.gen(function* () {
      let runs = 0
      const cache = yield* Cache.make("throwing", {
        lookup: (key: string) => {
          if (runs++ === 0) throw new Error("called")
          return Effect.sync(() => {
            if (runs === 2) throw new Error("run")
            return key
          })
        }
      })
      for (const message of ["called", "run"]) {
        const exit = yield* Effect.exit(cache.get("k"))
        assert.isTrue(Exit.isFailure(exit) && String(exit.cause).includes(message), message)
      }
      assert.strictEqual(yield* cache.get("k"), "k")
      yield* addsUp(cache, 3)
    }).pipe(memory)
  )

  it.effect("that is interrupted when it was called and not run yet leaves nothing behind", () =>
    Effect.gen(function* () {
      let calls = 0
      const cache = yield* Cache.make("interrupted", {
        lookup: (key: string) => {
          if (calls++ === 0) currentFiber()!.unsafeInterruptAsFork(FiberId.none)
          return Effect.as(Effect.yieldNow(), key)
        }
      })
      const exit = yield* Effect.exit(Effect.fork(cache.get("k")).pipe(Effect.flatMap((fiber) => fiber.await)))
      assert.isTrue(Exit.isSuccess(exit) && Exit.isInterrupted(exit.value))
      assert.strictEqual((yield* cache.stats).inFlight, 0)
      assert.strictEqual(yield* cache.get("k"), "k")
      assert.strictEqual(calls, 2)
    }).pipe(memory)
  )

  it.effect("has what is in force where it is asked for", () =>
    Effect.gen(function* () {
      const cache = yield* Cache.make("local", { lookup: mixed().lookup })
      yield* cache.get("a")
      yield* CacheConfig.locally({ mode: "no-store" })(cache.get("b"))
      assert.isFalse(yield* cache.has("b"))
      yield* CacheConfig.locally({ tags: ["t"] })(cache.get("c"))
      yield* cache.invalidateTags(["t"])
      assert.isFalse(yield* cache.has("c"))
    }).pipe(memory)
  )
})
