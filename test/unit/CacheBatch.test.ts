/** Batched lookups: what is loaded together, and that each key is loaded, joined, fenced and interrupted alone. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Either, Exit, Fiber, Request, Schedule, Schema, TestClock } from "effect"
import { Cache, CacheBatch, CacheError, MemoryStore } from "effect-larder"
import { addsUp, over, settled } from "../fixtures/cache/harness.js"
import { stores } from "../fixtures/cache/stores.js"

class Missing extends Schema.TaggedError<Missing>()("Missing", { id: Schema.Number }) {}

/** Answers each id by itself, but for those above 100, which are missing. */
const answer = (id: number): Either.Either<string, Missing> =>
  id > 100 ? Either.left(new Missing({ id })) : Either.right(`v${id}`)

const makeSource = Effect.gen(function* () {
  const gate = yield* Effect.makeLatch(true)
  const batches: Array<ReadonlyArray<number>> = []
  let interrupted = 0
  const many = (ids: ReadonlyArray<number>): Effect.Effect<ReadonlyArray<Either.Either<string, Missing>>, Missing> =>
    Effect.suspend(() => {
      batches.push(ids)
      return Effect.as(gate.await, ids.map(answer))
    }).pipe(Effect.onInterrupt(() => Effect.sync(() => void interrupted++)))
  return { gate, batches, many, interrupted: () => interrupted }
})

const schemas = { key: Schema.Number, success: Schema.String, failure: Missing }

for (const store of stores) {
  describe(`a batched lookup (${store.name})`, () => {
    it.effect("the gets of one turn, and a getMany among them, are one batch in which each key is once", () =>
      Effect.gen(function* () {
        const source = yield* makeSource
        const cache = yield* Cache.make("batch", { ...schemas, lookup: CacheBatch.lookup(source.many) })
        const results = yield* Effect.all(
          [cache.get(1), cache.getMany([2, 1, 3, 3]), cache.get(2), Effect.either(cache.get(101))],
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(results, ["v1", ["v2", "v1", "v3", "v3"], "v2", Either.left(new Missing({ id: 101 }))])
        assert.deepStrictEqual(
          source.batches.flat().sort((a, b) => a - b),
          [1, 2, 3, 101]
        )
        assert.isAtMost(source.batches.length, 2, "a getMany over a store asks that first, and may come a turn later")
        // partial failure, typed, in the place of its key
        const either = yield* cache.getMany([1, 102, 3], { mode: "either" })
        assert.deepStrictEqual(either, [Either.right("v1"), Either.left(new Missing({ id: 102 })), Either.right("v3")])
        yield* addsUp(cache, 10)
        assert.strictEqual((yield* cache.stats).loads, 5)
      }).pipe(over(store.layer))
    )

    it.effect("what is in a batch is joined by those who come while it is in the air", () =>
      Effect.gen(function* () {
        const source = yield* makeSource
        yield* source.gate.close
        const cache = yield* Cache.make("joined", { ...schemas, lookup: CacheBatch.lookup(source.many) })
        const first = yield* Effect.fork(cache.getMany([1, 2]))
        yield* settled
        const second = yield* Effect.fork(cache.get(2))
        yield* settled
        yield* source.gate.open
        assert.deepStrictEqual([yield* Fiber.join(first), yield* Fiber.join(second)], [["v1", "v2"], "v2"])
        assert.deepStrictEqual(source.batches, [[1, 2]])
        assert.strictEqual((yield* cache.stats).joined, 1)
      }).pipe(over(store.layer))
    )

    it.effect("delete, tag and clear while a batch is in the air: nothing of it is served afterwards", () =>
      Effect.gen(function* () {
        const source = yield* makeSource
        const cache = yield* Cache.make("fenced", {
          ...schemas,
          lookup: CacheBatch.lookup(source.many),
          tags: (value) => [value],
          group: (id) => `g${id}`
        })
        const invalidations = {
          key: cache.invalidate(1),
          tags: cache.invalidateTags(["v1"]),
          group: cache.invalidateGroup("g1"),
          clear: cache.clear,
          all: cache.invalidateAll
        }
        for (const [how, invalidate] of Object.entries(invalidations)) {
          yield* cache.clear
          source.batches.length = 0
          yield* source.gate.close
          const get = yield* Effect.fork(cache.getMany([1, 2]))
          yield* settled
          yield* invalidate
          yield* source.gate.open
          yield* Fiber.join(get)
          assert.strictEqual(yield* cache.get(1), "v1")
          assert.deepStrictEqual(source.batches, [[1, 2], [1]], how)
        }
      }).pipe(over(store.layer))
    )
  })
}

describe("a batched lookup", () => {
  it.effect("takes at most so many keys at once; more are more batches", () =>
    Effect.gen(function* () {
      const source = yield* makeSource
      const cache = yield* Cache.make("size", { lookup: CacheBatch.lookup(source.many, { maxSize: 3 }) })
      yield* cache.getMany([1, 2, 3, 4, 5, 6, 7])
      assert.deepStrictEqual(source.batches, [[1, 2, 3], [4, 5, 6], [7]])
    }).pipe(over(MemoryStore.layer()))
  )

  it.effect("a caller who leaves takes his key out of it; the last to leave ends it", () =>
    Effect.gen(function* () {
      const source = yield* makeSource
      yield* source.gate.close
      const cache = yield* Cache.make("leaving", { lookup: CacheBatch.lookup(source.many) })
      const [one, two, three] = yield* Effect.forEach([1, 2, 3], (id) => Effect.fork(cache.get(id)))
      // before it has departed
      yield* Fiber.interrupt(three!)
      yield* settled
      yield* Fiber.interrupt(one!)
      assert.strictEqual(source.interrupted(), 0)
      yield* Fiber.interrupt(two!)
      assert.strictEqual(source.interrupted(), 1)
      // the third was gone before it had begun
      yield* addsUp(cache, 2)
      assert.strictEqual(yield* cache.size, 0)
      yield* source.gate.open
      assert.strictEqual(yield* cache.get(1), "v1")
    }).pipe(over(MemoryStore.layer()))
  )

  it.effect("that fails as a whole fails each key; that answers too little is a defect that says so", () =>
    Effect.gen(function* () {
      const failing = yield* Cache.make("failing", {
        lookup: CacheBatch.lookup((ids: ReadonlyArray<number>) => Effect.fail(`no ${ids.join()}`))
      })
      const exits = yield* Effect.forEach([1, 2], (id) => Effect.exit(failing.get(id)), { concurrency: "unbounded" })
      assert.deepStrictEqual(exits, [Exit.fail("no 1,2"), Exit.fail("no 1,2")])
      const short = yield* Cache.make("short", {
        lookup: CacheBatch.lookup((_: ReadonlyArray<number>) => Effect.succeed([Either.right("one")]))
      })
      const both = yield* Effect.forEach([1, 2], (id) => Effect.exit(short.get(id)), { concurrency: "unbounded" })
      for (const exit of both) {
        assert.match(String(Exit.isFailure(exit) && Cause.squash(exit.cause)), /'short'.*given 2 keys.*1 results/)
      }
      yield* addsUp(short, 2)
    }).pipe(over(MemoryStore.layer()))
  )

  it.effect("keys that fail are tried again, and nothing else is", () =>
    Effect.gen(function* () {
      const asked: Array<number> = []
      const times = (id: number) => asked.filter((one) => one === id).length
      const lookup = CacheBatch.lookup((ids: ReadonlyArray<number>) =>
        Effect.sync(() => {
          asked.push(...ids)
          return ids.map((id) => (times(id) < id ? Either.left("not yet") : Either.right(id)))
        })
      )
      const cache = yield* Cache.make("retried", { lookup, retry: Schedule.spaced("1 second") })
      const get = yield* Effect.fork(cache.getMany([1, 2, 3]))
      yield* settled
      yield* TestClock.adjust("1 second")
      yield* settled
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.join(get), [1, 2, 3])
      assert.deepStrictEqual([1, 2, 3].map(times), [1, 2, 3])
      assert.strictEqual((yield* cache.stats).retries, 3)
    }).pipe(over(MemoryStore.layer()))
  )

  it.effect("a bulkhead counts batches", () =>
    Effect.gen(function* () {
      const source = yield* makeSource
      yield* source.gate.close
      const cache = yield* Cache.make("bulkhead", {
        lookup: CacheBatch.lookup(source.many, { maxSize: 2 }),
        bulkhead: { concurrency: 1, queue: 1 }
      })
      const get = yield* Effect.fork(
        Effect.forEach([1, 2, 3, 4, 5, 6], (id) => Effect.either(cache.get(id)), { concurrency: "unbounded" })
      )
      yield* settled
      assert.deepStrictEqual(source.batches, [[1, 2]])
      yield* source.gate.open
      const answers = yield* Fiber.join(get)
      assert.deepStrictEqual(answers.slice(0, 4).map(Either.getOrNull), ["v1", "v2", "v3", "v4"])
      for (const refused of answers.slice(4)) {
        assert.instanceOf(Either.getOrNull(Either.flip(refused)), CacheError.LoadRejected)
      }
    }).pipe(over(MemoryStore.layer()))
  )

  it.effect("a hung batch is given up at its deadline, and its keys are usable afterwards", () =>
    Effect.gen(function* () {
      const source = yield* makeSource
      yield* source.gate.close
      const cache = yield* Cache.make("hung", { lookup: CacheBatch.lookup(source.many), loadDeadline: "5 seconds" })
      const get = yield* Effect.fork(Effect.either(cache.getMany([1, 2])))
      yield* settled
      yield* TestClock.adjust("5 seconds")
      yield* settled
      assert.deepInclude(Either.getOrNull(Either.flip(yield* Fiber.join(get))), { _tag: "LoadTimeout" })
      assert.strictEqual(source.interrupted(), 1)
      yield* source.gate.open
      assert.deepStrictEqual(yield* cache.getMany([1, 2]), ["v1", "v2"])
    }).pipe(over(MemoryStore.layer()))
  )

  it.effect("a maxSize that makes no sense is refused when the cache is built", () =>
    Effect.forEach([0, -1, 1.5, NaN], (maxSize) =>
      Effect.gen(function* () {
        const lookup = CacheBatch.lookup((ids: ReadonlyArray<number>) => Effect.succeed(ids.map(answer)), { maxSize })
        const error = yield* Effect.flip(Cache.make("size", { lookup }))
        assert.instanceOf(error, CacheError.InvalidConfig)
        assert.match(
          error.message,
          /^Invalid lookup=\[Function.*\]: its maxSize of \S+ must be (positive|a number|an integer)$/
        )
      }).pipe(over(MemoryStore.layer()))
    )
  )

  it.effect("is a lookup of one key, too", () =>
    Effect.gen(function* () {
      const one = CacheBatch.lookup((ids: ReadonlyArray<number>) => Effect.succeed(ids.map(answer)))
      assert.strictEqual(yield* one(1), "v1")
      assert.deepStrictEqual(yield* Effect.either(one(101)), Either.left(new Missing({ id: 101 })))
      const none = CacheBatch.lookup((_: ReadonlyArray<number>) => Effect.succeed([]))
      assert.isTrue(Exit.isFailure(yield* Effect.exit(none(1))))
    })
  )
})

describe("a cache as a RequestResolver", () => {
  class GetName extends Request.TaggedClass("GetName")<string, Missing, { readonly id: number }> {}

  it.effect("requests are gets: batched, cached, and each with its own failure", () =>
    Effect.gen(function* () {
      const source = yield* makeSource
      const cache = yield* Cache.make("resolver", { lookup: CacheBatch.lookup(source.many) })
      const resolver = CacheBatch.resolver(cache, ({ id }: GetName) => id)
      const get = (id: number) => Effect.either(Effect.request(new GetName({ id }), resolver))
      const answers = yield* Effect.forEach([1, 2, 101], get, { batching: true })
      assert.deepStrictEqual(answers, [Either.right("v1"), Either.right("v2"), Either.left(new Missing({ id: 101 }))])
      assert.deepStrictEqual(yield* get(2), Either.right("v2"))
      assert.deepStrictEqual(source.batches, [[1, 2, 101]])
    }).pipe(over(MemoryStore.layer()))
  )

  it.effect("a defect is the defect of each request", () =>
    Effect.gen(function* () {
      const cache = yield* Cache.make("dying", { lookup: (_: number) => Effect.die("boom") })
      const resolver = CacheBatch.resolver(cache, ({ id }: GetName) => id)
      const exit = yield* Effect.exit(Effect.request(new GetName({ id: 1 }), resolver))
      assert.isTrue(Exit.isFailure(exit) && Cause.isDie(exit.cause))
    }).pipe(over(MemoryStore.layer()))
  )
})
