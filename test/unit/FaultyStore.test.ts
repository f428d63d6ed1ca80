/** The faults that tests are made with do what they say. */
import { assert, describe, it } from "@effect/vitest"
import { CacheError, CacheEvents, MemoryStore } from "effect-larder"
import { FaultyStore } from "effect-larder/testing"
import { Chunk, Effect, Fiber, Layer, Random, Stream, TestClock } from "effect"
import * as Regions from "../../src/testing/internal/regions.js"
import { over } from "../fixtures/cache/harness.js"

const failure = new CacheError.StoreTimeout({ store: "test", operation: "get", millis: 1 })
const faulty = FaultyStore.over(MemoryStore.layerBytes())

const opened = Effect.gen(function* () {
  const region = yield* Regions.open("region")
  yield* Regions.put(region, "k", "value")
  return { region, faults: yield* FaultyStore.Faults, read: Regions.values(region, "k") }
})

describe("FaultyStore", () => {
  it.effect("fails, is late, and hangs", () =>
    Effect.gen(function* () {
      const { faults, read } = yield* opened
      yield* faults.break({ _tag: "Fail", failure }, "get")
      assert.strictEqual(yield* Effect.flip(read), failure)
      yield* faults.break({ _tag: "Slow", by: "1 second" })
      yield* faults.break({ _tag: "Slow", by: "1 second" }, "get")
      const late = yield* Effect.fork(read)
      yield* TestClock.adjust(999)
      assert.isNull(late.unsafePoll())
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* Fiber.join(late), ["value"])
      yield* faults.break({ _tag: "Hang" }, "get")
      const hung = yield* Effect.fork(read)
      yield* TestClock.adjust("1 day")
      assert.isNull(hung.unsafePoll())
      yield* Fiber.interrupt(hung)
      yield* faults.heal
      assert.deepStrictEqual(yield* read, ["value"])
      assert.strictEqual((yield* faults.calls).get, 4)
    }).pipe(Effect.scoped, over(faulty))
  )

  it.effect("forgets, and loses what it says it has done", () =>
    Effect.gen(function* () {
      const { faults, read, region } = yield* opened
      yield* faults.break({ _tag: "Forget" }, "get")
      assert.deepStrictEqual(yield* read, [undefined])
      yield* faults.heal
      yield* faults.break({ _tag: "Lose" })
      yield* Regions.put(region, "k", "other")
      assert.strictEqual(yield* region.deleteMany(["k"]), 0)
      yield* region.invalidateTags(["t"])
      yield* region.invalidateAll
      assert.strictEqual(yield* region.clear, 0)
      assert.deepStrictEqual(yield* region.inspect("k"), [])
      assert.deepStrictEqual(yield* region.sizes, [])
      assert.deepStrictEqual(yield* read, [undefined])
      yield* faults.heal
      assert.deepStrictEqual(yield* read, ["value"])
    }).pipe(Effect.scoped, over(faulty))
  )

  it.effect("corrupts what is read: absent, removed, and told", () =>
    Effect.gen(function* () {
      const heard = yield* Effect.fork(Stream.runHead(CacheEvents.only("DecodeFailed")))
      yield* Effect.repeatN(Effect.yieldNow(), 20)
      const { faults, read } = yield* opened
      yield* faults.break({ _tag: "Corrupt" }, "get")
      assert.deepStrictEqual(yield* read, [undefined])
      assert.strictEqual((yield* Effect.flatten(Fiber.join(heard)))._tag, "DecodeFailed")
      yield* faults.heal
      assert.deepStrictEqual(yield* read, [undefined])
    }).pipe(Effect.scoped, over(Layer.provideMerge(faulty, CacheEvents.layer())))
  )

  it.effect("does things twice", () =>
    Effect.gen(function* () {
      const { faults, read, region } = yield* opened
      yield* faults.break({ _tag: "Duplicate" })
      assert.strictEqual(yield* region.deleteMany(["k"]), 0, "the second one finds nothing")
      yield* Regions.put(region, "k", "again")
      assert.deepStrictEqual(yield* read, ["again"])
    }).pipe(Effect.scoped, over(faulty))
  )

  it.effect("goes by a script, and after it by what is broken", () =>
    Effect.gen(function* () {
      const { faults, read } = yield* opened
      yield* faults.script([{ _tag: "Forget" }, undefined, { _tag: "Fail", failure }], "get")
      const outcomes = yield* Effect.replicateEffect(Effect.either(read), 4)
      assert.deepStrictEqual(
        outcomes.map((one) => (one._tag === "Left" ? "failed" : one.right[0])),
        [undefined, "value", "failed", "value"]
      )
      yield* faults.break({ _tag: "Forget" })
      yield* faults.script([undefined])
      assert.deepStrictEqual(yield* Effect.replicateEffect(read, 2), [["value"], [undefined]])
    }).pipe(Effect.scoped, over(faulty))
  )

  it.effect("goes wrong as often as its probability says, and as the seed decides", () =>
    Effect.gen(function* () {
      const { faults, read } = yield* opened
      yield* faults.break({ _tag: "Forget" }, "get", 0.25)
      // a generator remembers where it is: each run has one of its own
      const outcomes = Effect.suspend(() =>
        Effect.map(Effect.replicateEffect(read, 1_000).pipe(Effect.withRandom(Random.make("a seed"))), (all) =>
          all.map(([value]) => value)
        )
      )
      const first = yield* outcomes
      const count = first.filter((value) => value === undefined).length
      assert.isTrue(count > 200 && count < 300, String(count))
      assert.deepStrictEqual(yield* outcomes, first)
    }).pipe(Effect.scoped, over(faulty))
  )

  it.effect("opens nothing where opening is broken", () =>
    Effect.gen(function* () {
      const faults = yield* FaultyStore.Faults
      yield* faults.script([{ _tag: "Fail", failure }], "open")
      assert.strictEqual(yield* Effect.flip(Regions.open("region")), failure)
      const region = yield* Regions.open("region")
      assert.strictEqual(Chunk.size(yield* Stream.runCollect(region.entries)), 0)
    }).pipe(Effect.scoped, over(faulty))
  )
})
