/** One value that is kept up to date, whatever becomes of a single load. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Logger, Option, Schedule, Schema, TestClock } from "effect"
import { CachePolicy, MemoryStore, RefreshedValue } from "effect-larder"
import * as SqliteStore from "effect-larder/SqliteStore"
import { over, settled } from "../fixtures/cache/harness.js"
import { Counted } from "../fixtures/cache/timeline.js"

const quiet = Effect.provide(Logger.replace(Logger.defaultLogger, Logger.none))

describe("RefreshedValue", () => {
  it.effect("is loaded again on its Schedule, whether or not anybody asks, and survives failures", () =>
    Effect.gen(function* () {
      const source = new Counted()
      const value = yield* RefreshedValue.make("value", {
        lookup: Effect.suspend(() => source.lookup("k")),
        schedule: Schedule.spaced("10 seconds")
      })
      yield* settled
      assert.strictEqual(yield* value.get, "v1")
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* value.get, "v2")
      assert.deepStrictEqual(yield* value.age, Option.some(0))
      assert.isTrue(Option.isNone(yield* value.lastFailure))
      source.state = "down"
      // for an hour
      for (let times = 0; times < 360; times++) yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* value.get, "v2")
      assert.strictEqual(source.runs, 362)
      assert.deepStrictEqual(yield* value.age, Option.some(3_600_000))
      assert.isTrue(Option.isSome(yield* value.lastFailure))
      assert.deepStrictEqual(yield* Effect.exit(value.refresh), Exit.fail("down"))
      assert.strictEqual(yield* value.get, "v2")
      source.state = "well"
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* value.get, "v364")
      assert.isTrue(Option.isNone(yield* value.lastFailure))
      assert.strictEqual((yield* value.stats).loadFailures, 361)
    }).pipe(over(MemoryStore.layer()), quiet)
  )

  it.effect("a first load that fails is told to who asks, and the Schedule goes on", () =>
    Effect.gen(function* () {
      const source = new Counted()
      source.state = "down"
      const value = yield* RefreshedValue.make("first", {
        lookup: Effect.suspend(() => source.lookup("k")),
        schedule: Schedule.spaced("10 seconds"),
        policy: CachePolicy.make({ shareFailures: "5 seconds" })
      })
      yield* settled
      assert.deepStrictEqual(yield* Effect.exit(value.get), Exit.fail("down"))
      assert.isTrue(Option.isNone(yield* value.age))
      assert.strictEqual(source.runs, 1)
      source.state = "well"
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* value.get, "v2")
    }).pipe(over(MemoryStore.layer()), quiet)
  )

  it.effect("begins with what a store has kept, and refreshes that in its time", () =>
    Effect.gen(function* () {
      const source = new Counted()
      const make = RefreshedValue.make("kept", {
        lookup: Effect.suspend(() => source.lookup("k")),
        success: Schema.String,
        schedule: Schedule.spaced("10 seconds")
      })
      yield* Effect.scoped(Effect.flatMap(make, (value) => value.get))
      const again = yield* make
      yield* settled
      assert.strictEqual(yield* again.get, "v1")
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* again.get, "v2")
    }).pipe(over(SqliteStore.layerTemporary), quiet)
  )
})
