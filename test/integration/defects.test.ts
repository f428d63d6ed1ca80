/**
 * What is wrong with the caches users have today: each defect that was found in another library, and the right answer
 * here. Named after the library and the defect.
 */
import { assert, describe, it } from "@effect/vitest"
import type { Tracer } from "effect"
import {
  Cause,
  Context,
  Data,
  Effect,
  Exit,
  Fiber,
  Layer,
  Option,
  Ref,
  Schedule,
  Schema,
  Stream,
  TestClock
} from "effect"
import { Cache, Cached, CacheError, CacheStore, MemoryStore } from "effect-larder"
import * as SqliteStore from "effect-larder/SqliteStore"
import * as path from "node:path"
import * as Lru from "../../src/eviction/Lru.js"
import { Pool } from "../../src/store/memory/pool.js"
import { MemoryRegion } from "../../src/store/memory/region.js"
import { ManualClock } from "../fixtures/cache/clock.js"
import { addsUp, over, settled } from "../fixtures/cache/harness.js"
import { distant, mood, moody } from "../fixtures/cache/regions.js"
import { makeSource } from "../fixtures/cache/source.js"
import { memory, stores, tiered } from "../fixtures/cache/stores.js"
import { entryOf } from "../fixtures/memory/entries.js"
import { folder } from "../fixtures/sqlite/common.js"

const text = { key: Schema.String, success: Schema.String }

class Down extends Data.TaggedError("Down")<{}> {}

/** A lookup that counts its runs, and fails while it is told to. */
const flaky = () => {
  const state = { down: false, runs: 0 }
  const lookup = (key: string): Effect.Effect<string, Down> =>
    Effect.suspend(() => {
      state.runs++
      return state.down ? Effect.fail(new Down()) : Effect.succeed(`${key}:${state.runs}`)
    })
  return { state, lookup }
}

for (const store of stores) {
  describe(`Effect's Cache (${store.name})`, () => {
    it.effect("1. interrupting the first caller does not interrupt those who wait", () =>
      Effect.gen(function* () {
        const source = yield* makeSource
        yield* source.hold
        const cache = yield* Cache.make("first", { ...text, lookup: source.lookup })
        const first = yield* Effect.fork(cache.get("k"))
        yield* settled
        const second = yield* Effect.fork(cache.get("k"))
        yield* settled
        yield* Fiber.interrupt(first)
        yield* source.release
        assert.strictEqual(yield* Fiber.join(second), "k:0")
        assert.strictEqual(source.started, 1)
      }).pipe(over(store.layer))
    )

    it.effect("2. a set during a pending lookup is not overwritten by the late lookup", () =>
      Effect.gen(function* () {
        const source = yield* makeSource
        yield* source.hold
        const cache = yield* Cache.make("set", { ...text, lookup: source.lookup })
        const pending = yield* Effect.fork(cache.get("k"))
        yield* settled
        yield* cache.set("k", "set")
        yield* source.release
        yield* Fiber.join(pending)
        yield* settled
        assert.strictEqual(yield* cache.get("k"), "set")
      }).pipe(over(store.layer))
    )

    it.effect("3. invalidating during a pending lookup does not let its stale result in again", () =>
      Effect.gen(function* () {
        const source = yield* makeSource
        yield* source.hold
        const cache = yield* Cache.make("invalidate", { ...text, lookup: source.lookup })
        const pending = yield* Effect.fork(cache.get("k"))
        yield* settled
        source.write("k")
        yield* cache.invalidate("k")
        yield* source.release
        yield* Fiber.join(pending)
        yield* settled
        assert.isFalse(yield* cache.has("k"))
        assert.strictEqual(yield* cache.get("k"), "k:1")
      }).pipe(over(store.layer))
    )

    it.effect("7. a time to live of 0 serves nothing, in the same millisecond neither", () =>
      Effect.gen(function* () {
        const { lookup, state } = flaky()
        const cache = yield* Cache.make("zero", { ...text, lookup, timeToLive: 0 })
        yield* cache.get("k")
        yield* cache.get("k")
        assert.strictEqual(state.runs, 2)
      }).pipe(over(store.layer))
    )

    it.effect("8. failures and defects are not cached unless asked for", () =>
      Effect.gen(function* () {
        let runs = 0
        const cache = yield* Cache.make("failures", {
          ...text,
          lookup: (key: string) =>
            Effect.suspend(() => {
              runs++
              return key === "defect" ? Effect.die("broken") : Effect.fail(new Down())
            })
        })
        for (const key of ["failure", "failure", "defect", "defect"]) yield* Effect.exit(cache.get(key))
        assert.strictEqual(runs, 4)
        assert.strictEqual(yield* cache.size, 0)
      }).pipe(over(store.layer))
    )

    it.effect("9. a refresh that fails, breaks or is interrupted leaves the good value alone", () =>
      Effect.gen(function* () {
        const latch = yield* Effect.makeLatch(false)
        let what: "well" | "fails" | "breaks" | "hangs" = "well"
        const cache = yield* Cache.make("refresh", {
          ...text,
          lookup: (key: string): Effect.Effect<string, Down> =>
            Effect.suspend((): Effect.Effect<string, Down> => {
              if (what === "well") return Effect.succeed(key)
              if (what === "hangs") return Effect.as(latch.await, "late")
              return what === "fails" ? Effect.fail(new Down()) : Effect.die("broken")
            })
        })
        yield* cache.get("k")
        for (what of ["fails", "breaks"] as const) {
          assert.isTrue(Exit.isFailure(yield* Effect.exit(cache.refresh("k"))))
          assert.strictEqual(yield* cache.get("k"), "k")
        }
        what = "hangs"
        const fiber = yield* Effect.fork(cache.refresh("k"))
        yield* settled
        yield* Fiber.interrupt(fiber)
        yield* latch.open
        assert.strictEqual((yield* cache.getResult("k")).outcome, "fresh")
        assert.strictEqual(yield* cache.get("k"), "k")
      }).pipe(over(store.layer))
    )

    it.effect("10. a throwing time to live does not hang the key", () =>
      Effect.gen(function* () {
        let throws = true
        const cache = yield* Cache.make("throws", {
          ...text,
          lookup: Effect.succeed<string>,
          timeToLive: () => {
            if (throws) throw new Error("boom")
            return 1_000
          }
        })
        assert.isTrue(Exit.isFailure(yield* Effect.exit(cache.get("k"))))
        throws = false
        assert.strictEqual(yield* cache.get("k"), "k")
      }).pipe(over(store.layer))
    )

    it.effect("11. the lookup's parent span is its caller's, not the one of when the cache was made", () =>
      Effect.gen(function* () {
        const ancestors: Array<string> = []
        const cache = yield* Cache.make("spans", {
          ...text,
          lookup: (key: string) =>
            Effect.map(Effect.orDie(Effect.currentSpan), (span) => {
              let at: Option.Option<Tracer.AnySpan> = Option.some(span)
              while (Option.isSome(at)) {
                const here: Tracer.AnySpan = at.value
                ancestors.push(here._tag === "Span" ? here.name : "external")
                at = here._tag === "Span" ? here.parent : Option.none()
              }
              return key
            })
        }).pipe(Effect.withSpan("made"))
        yield* cache.get("k").pipe(Effect.withSpan("called"))
        assert.include(ancestors, "called")
        assert.notInclude(ancestors, "made")
      }).pipe(over(store.layer))
    )

    it.effect("12. size, keys, entries, has and getOption do not count what has expired", () =>
      Effect.gen(function* () {
        const cache = yield* Cache.make("expired", { ...text, lookup: Effect.succeed<string>, timeToLive: "1 minute" })
        yield* cache.getMany(["a", "b"])
        yield* TestClock.adjust("30 seconds")
        yield* cache.get("c")
        assert.strictEqual(yield* cache.size, 3)
        yield* TestClock.adjust("30 seconds")
        assert.strictEqual(yield* cache.size, 1)
        assert.deepStrictEqual([...(yield* Stream.runCollect(cache.keys))], ["c"])
        assert.strictEqual([...(yield* Stream.runCollect(cache.entries))].length, 1)
        assert.isFalse(yield* cache.has("a"))
        assert.isTrue(Option.isNone(yield* cache.getOption("a")))
      }).pipe(over(store.layer))
    )

    it.effect("13. plain objects match as keys", () =>
      Effect.gen(function* () {
        let runs = 0
        const cache = yield* Cache.make("objects", {
          success: Schema.String,
          lookup: ({ page, user }: { user: string; page: number }) => Effect.sync(() => `${user} ${page} ${++runs}`)
        })
        assert.strictEqual(yield* cache.get({ user: "a", page: 1 }), "a 1 1")
        assert.strictEqual(yield* cache.get({ page: 1, user: "a" }), "a 1 1")
      }).pipe(over(store.layer))
    )

    it.effect("14. interrupting the first caller leaks nothing that its load acquired", () =>
      Effect.gen(function* () {
        const open = yield* Ref.make(0)
        const cache = yield* Cache.make("resource", {
          ...text,
          lookup: (key: string) =>
            Effect.scoped(
              Effect.acquireRelease(
                Ref.update(open, (n) => n + 1),
                () => Ref.update(open, (n) => n - 1)
              ).pipe(Effect.zipRight(Effect.sleep("1 second")), Effect.as(key))
            )
        })
        const fiber = yield* Effect.fork(cache.get("k"))
        yield* settled
        assert.strictEqual(yield* Ref.get(open), 1)
        yield* Fiber.interrupt(fiber)
        assert.strictEqual(yield* Ref.get(open), 0)
      }).pipe(over(store.layer))
    )

    it.effect("15. a cached effect and function whose first run was interrupted are as good as new", () =>
      Effect.gen(function* () {
        let hangs = true
        let runs = 0
        const body = Effect.suspend(() => {
          runs++
          return hangs ? Effect.never : Effect.succeed("value")
        })
        const one = Cached.effect("one", { success: Schema.String })(body)
        const many = Cached.fn("many", { success: Schema.String })((_id: string) => body)
        for (const cached of [one, many("k")]) {
          hangs = true
          const fiber = yield* Effect.fork(cached)
          yield* settled
          yield* Fiber.interrupt(fiber)
          hangs = false
          assert.strictEqual(yield* cached, "value")
          assert.strictEqual(yield* cached, "value")
        }
        assert.strictEqual(runs, 4)
      }).pipe(over(store.layer))
    )

    it.effect("16. refreshing goes on after a failure", () =>
      Effect.gen(function* () {
        const { lookup, state } = flaky()
        const cache = yield* Cache.make("goes on", {
          ...text,
          lookup,
          timeToLive: "1 minute",
          staleWhileRevalidate: "1 day"
        })
        yield* cache.get("k")
        state.down = true
        for (let hour = 1; hour <= 3; hour++) {
          yield* TestClock.adjust("1 hour")
          assert.strictEqual(yield* cache.get("k"), "k:1")
          yield* settled
          assert.strictEqual(state.runs, 1 + hour)
        }
        state.down = false
        yield* cache.get("k")
        yield* settled
        assert.strictEqual(yield* cache.get("k"), "k:5")
      }).pipe(over(store.layer))
    )

    it.effect("18. names that run together with keys do not collide, and clear wipes no other cache", () =>
      Effect.gen(function* () {
        const user = yield* Cache.make("user", { ...text, lookup: () => Effect.succeed("user") })
        const users = yield* Cache.make("users", { ...text, lookup: () => Effect.succeed("users") })
        assert.strictEqual(yield* user.get("s1"), "user")
        assert.strictEqual(yield* users.get("1"), "users")
        yield* user.clear
        assert.isTrue(yield* users.has("1"))
      }).pipe(over(store.layer))
    )

    it.effect("19. a fractional time to live, clearing what is empty, and names with wildcards", () =>
      Effect.gen(function* () {
        const cache = yield* Cache.make("us*?[a-z]", { ...text, lookup: Effect.succeed<string>, timeToLive: 1_000.5 })
        const other = yield* Cache.make("users", { ...text, lookup: Effect.succeed<string> })
        assert.strictEqual(yield* cache.clear, 0)
        yield* other.get("k")
        yield* cache.get("k")
        assert.strictEqual((yield* cache.getResult("k")).outcome, "fresh")
        assert.strictEqual(yield* cache.clear, 1)
        assert.isTrue(yield* other.has("k"))
      }).pipe(over(store.layer))
    )
  })

  describe(`other libraries (${store.name})`, () => {
    it.effect("bentocache: 20 callers behind a failing source make one load", () =>
      Effect.gen(function* () {
        const latch = yield* Effect.makeLatch(false)
        let runs = 0
        const cache = yield* Cache.make("failing", {
          ...text,
          lookup: () =>
            Effect.suspend(() => {
              runs++
              return Effect.zipRight(latch.await, Effect.fail(new Down()))
            })
        })
        const fibers = yield* Effect.forEach(Array.from({ length: 20 }), () => Effect.fork(Effect.flip(cache.get("k"))))
        yield* settled
        yield* latch.open
        for (const fiber of fibers) assert.instanceOf(yield* Fiber.join(fiber), Down)
        assert.strictEqual(runs, 1)
      }).pipe(over(store.layer))
    )

    it.effect("bentocache, cacheable, cache-manager: deleting by key or tag during a load is not lost", () =>
      Effect.gen(function* () {
        const source = yield* makeSource
        const cache = yield* Cache.make("deleted", { ...text, lookup: source.lookup, tags: ["all"] })
        for (const remove of [cache.invalidate("k"), cache.invalidateTags(["all"])]) {
          yield* cache.invalidate("k")
          yield* source.hold
          const fiber = yield* Effect.fork(cache.get("k"))
          yield* settled
          source.write("k")
          yield* remove
          yield* source.release
          yield* Fiber.join(fiber)
          yield* settled
          assert.strictEqual(yield* cache.get("k"), source.valueOf("k"))
        }
      }).pipe(over(store.layer))
    )

    it.effect("bentocache: a value that was invalidated by its tag is served in no grace period", () =>
      Effect.gen(function* () {
        const { lookup, state } = flaky()
        const cache = yield* Cache.make("grace", {
          ...text,
          lookup,
          timeToLive: "1 minute",
          staleIfError: "1 day",
          staleWhileRevalidate: "1 hour",
          tags: ["all"]
        })
        yield* cache.get("k")
        yield* TestClock.adjust("2 minutes")
        yield* cache.invalidateTags(["all"])
        state.down = true
        assert.instanceOf(yield* Effect.flip(cache.get("k")), Down)
      }).pipe(over(store.layer))
    )

    it.effect("bentocache: undefined is a value, from a background refresh too", () =>
      Effect.gen(function* () {
        let runs = 0
        const cache = yield* Cache.make("undefined", {
          key: Schema.String,
          success: Schema.Undefined,
          lookup: () => Effect.sync(() => void runs++),
          timeToLive: "1 minute",
          staleWhileRevalidate: "1 hour"
        })
        yield* cache.get("k")
        yield* TestClock.adjust("2 minutes")
        assert.strictEqual((yield* cache.getResult("k")).outcome, "stale")
        yield* settled
        assert.strictEqual((yield* cache.getResult("k")).outcome, "fresh")
        assert.strictEqual(runs, 2)
        yield* addsUp(cache, 3)
      }).pipe(over(store.layer))
    )

    it.effect("cacheable: two anonymous functions do not share keys", () =>
      Effect.gen(function* () {
        const one = Cached.fn("one", { success: Schema.String })((id: string) => Effect.succeed(`one ${id}`))
        const two = Cached.fn("two", { success: Schema.String })((id: string) => Effect.succeed(`two ${id}`))
        assert.strictEqual(yield* one("k"), "one k")
        assert.strictEqual(yield* two("k"), "two k")
        // and two of one name are a broken program, told at once
        const again = Cached.fn("one", { success: Schema.String })((id: string) => Effect.succeed(`again ${id}`))
        const exit = yield* Effect.exit(again("k"))
        assert.isTrue(
          Exit.isFailure(exit) &&
            Option.exists(Cause.dieOption(exit.cause), (defect) => defect instanceof CacheError.InvalidConfig)
        )
      }).pipe(over(store.layer))
    )

    it.effect("cacheable: a lookup that throws fails the get, which answers no undefined", () =>
      Effect.gen(function* () {
        const cache = yield* Cache.make("throws", {
          ...text,
          lookup: (): Effect.Effect<string> => {
            throw new Error("boom")
          }
        })
        assert.isTrue(Exit.isFailure(yield* Effect.exit(cache.get("k"))))
        yield* addsUp(cache, 1)
      }).pipe(over(store.layer))
    )

    it.effect("async-cache-dedupe: clearing during a load does not store the old value", () =>
      Effect.gen(function* () {
        const source = yield* makeSource
        yield* source.hold
        const cache = yield* Cache.make("cleared", { ...text, lookup: source.lookup })
        const fiber = yield* Effect.fork(cache.get("k"))
        yield* settled
        source.write("k")
        yield* cache.clear
        yield* source.release
        yield* Fiber.join(fiber)
        yield* settled
        assert.strictEqual(yield* cache.size, 0)
        assert.strictEqual(yield* cache.get("k"), "k:1")
      }).pipe(over(store.layer))
    )

    it.effect("async-cache-dedupe: an error does not remove the good value that is stored", () =>
      Effect.gen(function* () {
        const { lookup, state } = flaky()
        const cache = yield* Cache.make("good", { ...text, lookup, timeToLive: "1 minute", staleIfError: "1 hour" })
        yield* cache.get("k")
        state.down = true
        yield* Effect.flip(cache.refresh("k"))
        assert.strictEqual(yield* cache.get("k"), "k:1")
        yield* TestClock.adjust("2 minutes")
        assert.strictEqual((yield* cache.getResult("k")).outcome, "failsafe")
        state.down = false
        assert.strictEqual(yield* cache.get("k"), "k:4")
      }).pipe(over(store.layer))
    )

    it.effect("unstorage: a life of more than 24.8 days does not end at once", () => {
      const clock = new ManualClock()
      return Effect.gen(function* () {
        const { lookup } = flaky()
        const cache = yield* Cache.make("long", { ...text, lookup, timeToLive: "25 days" })
        yield* cache.get("k")
        clock.advance(25 * 86_400_000 - 1)
        assert.strictEqual(yield* cache.get("k"), "k:1")
        clock.advance(1)
        assert.strictEqual(yield* cache.get("k"), "k:2")
      }).pipe(over(store.layer), Effect.withClock(clock))
    })

    it.effect("FusionCache: removing by tag during a background load is not lost", () =>
      Effect.gen(function* () {
        const source = yield* makeSource
        const cache = yield* Cache.make("background", {
          ...text,
          lookup: source.lookup,
          timeToLive: "1 minute",
          staleWhileRevalidate: "1 hour",
          tags: ["all"]
        })
        yield* cache.get("k")
        yield* TestClock.adjust("2 minutes")
        yield* source.hold
        yield* cache.get("k")
        yield* settled
        assert.strictEqual(source.started, 2)
        source.write("k")
        yield* cache.invalidateTags(["all"])
        yield* source.release
        yield* settled
        assert.strictEqual(yield* cache.get("k"), "k:1")
      }).pipe(over(store.layer))
    )

    it.effect("FusionCache: what times out is stopped, and keeps no key to itself", () =>
      Effect.gen(function* () {
        const source = yield* makeSource
        yield* source.hold
        const cache = yield* Cache.make("stopped", { ...text, lookup: source.lookup, loadDeadline: "1 second" })
        const fiber = yield* Effect.fork(Effect.exit(cache.get("k")))
        yield* TestClock.adjust("1 second")
        assert.isTrue(Exit.isFailure(yield* Fiber.join(fiber)))
        yield* settled
        assert.strictEqual(source.interrupted, 1)
        yield* source.release
        assert.strictEqual(yield* cache.get("k"), "k:0")
        yield* addsUp(cache, 2)
      }).pipe(over(store.layer))
    )

    it.effect("FusionCache: a lookup that was cancelled from within fails like any other, and is saved from", () =>
      Effect.gen(function* () {
        let cancels = false
        const cache = yield* Cache.make("cancelled", {
          ...text,
          lookup: (key: string) => Effect.suspend(() => (cancels ? Effect.interrupt : Effect.succeed(key))),
          timeToLive: "1 minute",
          staleIfError: "1 hour"
        })
        yield* cache.get("k")
        yield* TestClock.adjust("2 minutes")
        cancels = true
        assert.deepInclude(yield* cache.getResult("k"), { value: "k", outcome: "failsafe" })
      }).pipe(over(store.layer))
    )
  })
}

describe("Effect's Cache (memory)", () => {
  it.effect("4. set keeps to the capacity", () =>
    Effect.gen(function* () {
      const cache = yield* Cache.make("capacity", { lookup: Effect.succeed<number> })
      for (let n = 0; n < 1_000; n++) yield* cache.set(n, n)
      assert.strictEqual(yield* cache.size, 2)
    }).pipe(over(MemoryStore.layer({ capacity: 2 })))
  )

  it.effect("5. the least recently used makes room: a, b, a, c keeps a and c", () =>
    Effect.gen(function* () {
      const cache = yield* Cache.make("lru", { lookup: Effect.succeed<string> })
      for (const key of ["a", "b", "a", "c"]) yield* cache.get(key)
      assert.deepStrictEqual([...(yield* Stream.runCollect(cache.keys))].sort(), ["a", "c"])
    }).pipe(over(MemoryStore.layer({ capacity: 2, policy: "lru" })))
  )

  it("6. nothing is left of what was invalidated, however often, nor of what was asked for and not there", () => {
    const pool = new Pool({
      maxEntries: 100,
      maxBytes: Infinity,
      maxEntryBytes: Infinity,
      policy: Lru.make(),
      weigh: () => 1
    })
    const region = new MemoryRegion<number, never>(pool)
    region.open(undefined)
    for (let n = 0; n < 100_000; n++) {
      region.set("k", entryOf(n), region.epoch())
      region.delete("k")
      region.peek(`missing ${n}`, 0)
      region.get(`missing ${n}`, 0)
    }
    // slots are used again: as many as there ever were entries at once
    assert.deepStrictEqual([region.slots.size, pool.slots], [0, 1])
  })
})

describe("Effect's Persistence", () => {
  it.effect("17. a store that is down fails no get, and turns no success into a failure that is kept", () => {
    const of = mood("down")
    return Effect.gen(function* () {
      const { lookup, state } = flaky()
      const cache = yield* Cache.make("down", { ...text, lookup })
      assert.strictEqual(yield* cache.get("k"), "k:1")
      of.only = ["set"]
      assert.strictEqual(yield* cache.get("l"), "l:2")
      of.state = "well"
      assert.strictEqual(yield* cache.get("l"), "l:3")
      assert.strictEqual(yield* cache.get("l"), "l:3")
      assert.strictEqual(state.runs, 3)
    }).pipe(over(MemoryStore.layer().pipe(distant, moody(of))))
  })

  it.effect("18. memory gives what it was filled with from a file no more life than it had left", () =>
    Effect.gen(function* () {
      const layer = MemoryStore.layer().pipe(
        CacheStore.tieredOver(SqliteStore.layer({ filename: path.join(yield* folder, "life.db") }))
      )
      const { lookup, state } = flaky()
      const makeCache = Cache.make("life", { ...text, lookup, timeToLive: "1 minute" })
      yield* Effect.flatMap(makeCache, (cache) => cache.get("k")).pipe(Effect.scoped, Effect.provide(layer))
      yield* TestClock.adjust("40 seconds")
      // as after a restart
      yield* Effect.gen(function* () {
        const cache = yield* makeCache
        assert.deepInclude(yield* cache.getResult("k"), { value: "k:1", tier: 2, age: 40_000 })
        assert.deepInclude(yield* cache.getResult("k"), { value: "k:1", tier: 1, age: 40_000 })
        yield* TestClock.adjust("20 seconds")
        assert.strictEqual(yield* cache.get("k"), "k:2")
      }).pipe(Effect.scoped, Effect.provide(layer))
      assert.strictEqual(state.runs, 2)
    }).pipe(Effect.scoped)
  )

  it.effect("18. a changed Schema poisons no key", () =>
    Effect.gen(function* () {
      const layer = SqliteStore.layer({ filename: path.join(yield* folder, "schema.db") })
      const run = <A, I>(success: Schema.Schema<A, I>, value: A) =>
        Effect.gen(function* () {
          const cache = yield* Cache.make("schema", {
            key: Schema.String,
            success,
            lookup: () => Effect.succeed(value)
          })
          return [yield* cache.get("k"), yield* cache.get("k")]
        }).pipe(Effect.scoped, Effect.provide(layer))
      assert.deepStrictEqual(yield* run(Schema.String, "old"), ["old", "old"])
      assert.deepStrictEqual(yield* run(Schema.Number, 7), [7, 7])
    }).pipe(Effect.scoped)
  )

  it.effect("20. a store is built once, however many attempts there are", () =>
    Effect.gen(function* () {
      let builds = 0
      const counted = Layer.tap(MemoryStore.layer(), () => Effect.sync(() => builds++))
      const { lookup, state } = flaky()
      class Things extends Cache.Service<Things>()("things", { ...text, lookup }) {}
      state.down = true
      yield* Effect.suspend(() => {
        state.down = state.runs < 3
        return Things.get("k")
      }).pipe(Effect.retry(Schedule.recurs(5)), Effect.provide(Things.layer), Effect.provide(counted))
      assert.deepStrictEqual([builds, state.runs], [1, 4])
    })
  )
})

describe("other libraries (tiers)", () => {
  it.effect("bentocache: an error of the second tier keeps no key locked", () => {
    const of = mood("down", ["get"])
    return Effect.gen(function* () {
      const { lookup } = flaky()
      const cache = yield* Cache.make("locked", { ...text, lookup, timeToLive: "1 minute" })
      assert.strictEqual(yield* cache.get("k"), "k:1")
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(yield* cache.get("k"), "k:2")
      yield* addsUp(cache, 2)
    }).pipe(over(MemoryStore.layer().pipe(CacheStore.tieredOver(MemoryStore.layer().pipe(distant, moody(of))))))
  })

  it.effect("cacheable: what is falsy in the second tier is no miss", () =>
    Effect.gen(function* () {
      const values = [0, false, "", null, undefined]
      let runs = 0
      const cache = yield* Cache.make("falsy", {
        key: Schema.Number,
        success: Schema.Union(Schema.Number, Schema.Boolean, Schema.String, Schema.Null, Schema.Undefined),
        lookup: (index) => Effect.sync(() => (runs++, values[index]))
      })
      // the nearer tier holds one entry only, so all but the last come from the farther
      for (const _time of [1, 2]) {
        for (const [index, value] of values.entries()) assert.strictEqual(yield* cache.get(index), value)
      }
      assert.strictEqual(runs, values.length)
    }).pipe(over(MemoryStore.layer({ capacity: 1 }).pipe(CacheStore.tieredOver(SqliteStore.layerMemory))))
  )

  it.effect("cache-manager: a miss in the first tier does not beat a hit in the second", () =>
    Effect.gen(function* () {
      const { lookup, state } = flaky()
      const cache = yield* Cache.make("hit", { ...text, lookup })
      yield* cache.get("a")
      yield* cache.get("b")
      assert.deepInclude(yield* cache.getResult("a"), { value: "a:1", tier: 2 })
      assert.deepStrictEqual(yield* cache.getMany(["a", "b"]), ["a:1", "b:2"])
      assert.strictEqual(state.runs, 2)
    }).pipe(over(MemoryStore.layer({ capacity: 1 }).pipe(CacheStore.tieredOver(tiered.layer))))
  )

  it.effect("cache-manager: a store that cannot be written to loses no computed value", () =>
    Effect.gen(function* () {
      const { lookup } = flaky()
      const cache = yield* Cache.make("computed", { ...text, lookup })
      assert.strictEqual(yield* cache.get("k"), "k:1")
    }).pipe(over(MemoryStore.layer().pipe(distant, moody(mood("down", ["set"])))))
  )

  it.effect("what users ask of Effect's Cache: services at the call site, and listing keys", () =>
    Effect.gen(function* () {
      class Locale extends Context.Tag("Locale")<Locale, string>() {}
      const cache = yield* Cache.make("locale", {
        lookup: (key: string) => Effect.map(Locale, (locale) => `${key} in ${locale}`),
        requirements: "caller"
      })
      assert.strictEqual(yield* Effect.provideService(cache.get("a"), Locale, "de"), "a in de")
      assert.strictEqual(yield* Effect.provideService(cache.get("b"), Locale, "fr"), "b in fr")
      assert.deepStrictEqual([...(yield* Stream.runCollect(cache.keys))].sort(), ["a", "b"])
    }).pipe(over(memory.layer))
  )
})
