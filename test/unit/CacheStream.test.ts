/** Values that are streams: loaded once for all, read as they come, kept in chunks, and never torn. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Either, Exit, Fiber, Option, Queue, Schema, Scope, Stream, TestClock } from "effect"
import { CacheConfig, CacheError, CacheEvents, CacheStream, MemoryStore } from "effect-larder"
import * as FaultyStore from "effect-larder/FaultyStore"
import fc from "fast-check"
import * as Chunk from "../../src/internal/stream/chunk.js"
import { addsUp, forAll, over, settled } from "../fixtures/cache/harness.js"
import { bytesOf, Shelf, Spy, stepwise, Tap, textOf } from "../fixtures/stream/tap.js"

const inMemory = over(MemoryStore.layer())

/** Reads at its own pace: what has come so far, and how to have more of it. */
const follow = <E>(stream: Stream.Stream<Uint8Array, E>) =>
  Effect.gen(function* () {
    const state = { text: "", error: undefined as unknown, isOver: false }
    const fiber = yield* stream.pipe(
      Stream.runForEach((bytes) => Effect.sync(() => void (state.text += new TextDecoder().decode(bytes)))),
      Effect.matchCause({
        onFailure: (cause) => void (state.error = Cause.squash(cause)),
        onSuccess: () => void (state.isOver = true)
      }),
      Effect.fork
    )
    yield* settled
    return { state, fiber }
  })

const failure = (
  error: Partial<CacheError.StoreError> = {}
): { readonly _tag: "Fail"; readonly failure: CacheError.StoreError } => ({
  _tag: "Fail",
  failure: new CacheError.StoreError({
    store: "test",
    operation: "any",
    reason: "it is down",
    transient: true,
    hint: "wait",
    ...error
  })
})

describe("CacheStream", () => {
  it.effect("is a service whose operations are statics", () =>
    Effect.gen(function* () {
      const shelf = new Shelf("a film", " and another")
      class Videos extends CacheStream.Service<Videos>()("app/Videos", { key: Schema.String, lookup: shelf.lookup }) {}
      yield* Effect.gen(function* () {
        assert.deepStrictEqual(yield* Videos.info("42"), Option.none())
        assert.strictEqual(yield* textOf(Videos.get("42")), "a film and another")
        assert.strictEqual(yield* textOf(Videos.get("42")), "a film and another")
        assert.deepStrictEqual(yield* Videos.info("42"), Option.some({ bytes: 18 }))
        assert.strictEqual(yield* textOf(Videos.refresh("42")), "a film and another")
        assert.strictEqual(shelf.runs, 2)
        yield* Videos.set("42", Stream.make(bytesOf("mine")), { timeToLive: "1 minute", tags: ["t"] })
        assert.strictEqual(yield* textOf(Videos.get("42")), "mine")
        yield* Videos.invalidateTags(["t"])
        yield* Videos.set("1", Stream.make(bytesOf("1")))
        yield* Videos.invalidate("1")
        yield* Videos.set("1", Stream.make(bytesOf("1")))
        yield* Videos.invalidateAll
        yield* Videos.clear
        assert.deepStrictEqual(yield* Videos.info("1"), Option.none())
        yield* addsUp({ stats: Effect.provide(Videos.stats, yield* Effect.context<Videos>()) }, 4)
      }).pipe(Effect.provide(Videos.layer), Effect.provide(MemoryStore.layer()))
    })
  )

  it.effect("options that make no sense are refused, each with its remedy", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        CacheStream.make("c", {
          lookup: () => Stream.empty,
          chunkBytes: 2 ** 31,
          maxBytes: 0,
          margin: -1,
          loadDeadline: 0
        })
      )
      assert.strictEqual(error._tag, "InvalidConfig")
      assert.deepStrictEqual(error._tag === "InvalidConfig" ? error.issues.map(({ field }) => field) : [], [
        "chunkBytes",
        "maxBytes",
        "margin",
        "loadDeadline"
      ])
    }).pipe(inMemory)
  )

  describe("a load", () => {
    it.effect("is one for all who ask, and each has its bytes as they come", () =>
      Effect.gen(function* () {
        const tap = new Tap()
        const cache = yield* CacheStream.make("c", { lookup: () => tap.stream, chunkBytes: 4 })
        const first = yield* follow(cache.get("a"))
        yield* tap.give("ab")
        yield* settled
        assert.strictEqual(first.state.text, "ab", "before a chunk is full")
        const second = yield* follow(cache.get("a"))
        assert.strictEqual(second.state.text, "ab")
        yield* tap.give("cdefghijklmnop")
        yield* settled
        const third = yield* follow(cache.get("a"))
        for (const { state } of [first, second, third]) assert.strictEqual(state.text, "abcdefghijklmnop")
        yield* tap.give("q")
        yield* tap.end()
        for (const { fiber, state } of [first, second, third]) {
          yield* Fiber.join(fiber)
          assert.deepStrictEqual(state, { text: "abcdefghijklmnopq", error: undefined, isOver: true })
        }
        assert.strictEqual(yield* textOf(cache.get("a")), "abcdefghijklmnopq")
        assert.deepStrictEqual([tap.runs, tap.open], [1, 0])
        const { fresh, joined, loaded } = yield* cache.stats
        assert.deepStrictEqual({ fresh, joined, loaded }, { fresh: 1, joined: 2, loaded: 1 })
        yield* addsUp(cache, 4)
      }).pipe(inMemory)
    )

    it.effect("is held up by nobody: who is slow reads from the store, long after it has ended", () =>
      Effect.gen(function* () {
        const tap = new Tap()
        const cache = yield* CacheStream.make("c", { lookup: () => tap.stream, chunkBytes: 2 })
        const { leave, rest, step } = yield* stepwise(cache.get("a"))
        const begun = yield* Effect.fork(step)
        yield* settled
        yield* tap.give("ab")
        assert.strictEqual(yield* Fiber.join(begun), "ab")
        const fast = yield* follow(cache.get("a"))
        for (const part of ["cd", "ef", "gh", "ij", "k"]) yield* tap.give(part)
        yield* tap.end()
        yield* Fiber.join(fast.fiber)
        assert.strictEqual(fast.state.text, "abcdefghijk")
        assert.strictEqual(tap.open, 0)
        assert.strictEqual(yield* rest, "cdefghijk")
        yield* leave
        assert.strictEqual(tap.runs, 1)
      }).pipe(inMemory)
    )

    it.effect("ends with the last of its readers, and leaves nothing; one who leaves harms no other", () =>
      Effect.gen(function* () {
        const spy = new Spy()
        const tap = new Tap()
        const cache = yield* spy.watch(CacheStream.make("c", { lookup: () => tap.stream, chunkBytes: 2 }))
        const first = yield* follow(cache.get("a"))
        const second = yield* follow(cache.get("a"))
        yield* tap.give("abcde")
        yield* settled
        yield* Fiber.interrupt(first.fiber)
        assert.strictEqual(tap.open, 1)
        yield* tap.give("f")
        yield* settled
        assert.strictEqual(second.state.text, "abcdef")
        assert.strictEqual(yield* spy.count("c/chunks"), 3)
        yield* Fiber.interrupt(second.fiber)
        assert.strictEqual(tap.open, 0, "its finalizers have run")
        assert.deepStrictEqual([yield* spy.count("c/chunks"), yield* spy.count("c")], [0, 0])
        const third = yield* follow(cache.get("a"))
        yield* tap.give("new")
        yield* tap.end()
        yield* Fiber.join(third.fiber)
        assert.strictEqual(third.state.text, "new")
        assert.strictEqual(tap.runs, 2)
        yield* addsUp(cache, 3)
      }).pipe(inMemory)
    )

    it.effect("is not undone by who leaves once all has come, before it has been concluded", () =>
      Effect.gen(function* () {
        const faults = yield* FaultyStore.Faults
        const tap = new Tap()
        const cache = yield* CacheStream.make("c", { lookup: () => tap.stream, chunkBytes: 2 })
        yield* faults.script([undefined, { _tag: "Slow", by: "1 second" }], "get")
        const { leave, step } = yield* stepwise(cache.get("a"))
        const begun = yield* Effect.fork(step)
        yield* tap.nextRun
        yield* tap.give("ab")
        yield* Fiber.join(begun)
        yield* tap.end()
        yield* settled
        const leaving = yield* Effect.fork(leave)
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(leaving)
        assert.strictEqual(yield* textOf(cache.get("a")), "ab")
        assert.strictEqual(tap.runs, 1)
      }).pipe(over(FaultyStore.over(MemoryStore.layer())))
    )

    it.effect("is interrupted before its first byte, too", () =>
      Effect.gen(function* () {
        const tap = new Tap()
        const cache = yield* CacheStream.make("c", { lookup: () => tap.stream })
        const { fiber } = yield* follow(cache.get("a"))
        assert.strictEqual(tap.open, 1)
        yield* Fiber.interrupt(fiber)
        assert.strictEqual(tap.open, 0)
        yield* addsUp(cache, 1)
      }).pipe(inMemory)
    )

    it.effect("ends with its cache", () =>
      Effect.gen(function* () {
        const tap = new Tap()
        const scope = yield* Scope.make()
        const cache = yield* Scope.extend(CacheStream.make("c", { lookup: () => tap.stream }), scope)
        const { fiber, state } = yield* follow(cache.get("a"))
        yield* tap.give("a")
        yield* settled
        yield* Scope.close(scope, Exit.void)
        yield* Fiber.join(fiber)
        assert.strictEqual(tap.open, 0)
        assert.isFalse(state.isOver)
      }).pipe(inMemory)
    )

    it.effect("that fails fails its readers with what the source failed with, and nothing is stored", () =>
      Effect.gen(function* () {
        const spy = new Spy()
        const tap = new Tap()
        const cache = yield* spy.watch(CacheStream.make("c", { lookup: () => tap.stream, chunkBytes: 2 }))
        for (const given of ["", "abc"]) {
          const first = yield* follow(cache.get("a"))
          const second = yield* follow(cache.get("a"))
          yield* tap.give(given)
          yield* tap.fail("broken")
          yield* Fiber.join(first.fiber)
          yield* Fiber.join(second.fiber)
          for (const { state } of [first, second]) {
            assert.deepStrictEqual(state, { text: given, error: "broken", isOver: false })
          }
          yield* settled
          assert.deepStrictEqual([yield* spy.count("c/chunks"), yield* spy.count("c")], [0, 0])
        }
        assert.strictEqual(tap.runs, 2)
        assert.strictEqual((yield* cache.stats).failed, 4)
        yield* addsUp(cache, 4)
      }).pipe(inMemory)
    )

    it.effect("whose source is silent for too long has failed, however long it has been speaking", () =>
      Effect.gen(function* () {
        const tap = new Tap()
        const cache = yield* CacheStream.make("c", { lookup: () => tap.stream, loadDeadline: "10 seconds" })
        const { fiber, state } = yield* follow(cache.get("a"))
        for (const part of ["a", "b", "c"]) {
          yield* TestClock.adjust("9 seconds")
          yield* tap.give(part)
          yield* settled
        }
        assert.strictEqual(state.text, "abc")
        yield* TestClock.adjust("10 seconds")
        yield* Fiber.join(fiber)
        assert.instanceOf(state.error, CacheError.LoadTimeout)
        assert.strictEqual(tap.open, 0)
      }).pipe(inMemory)
    )
  })

  describe("no invalidation is lost", () => {
    type Overtake = (cache: CacheStream.CacheStream<string, string>) => Effect.Effect<unknown, unknown>
    const overtakes: Record<string, Overtake> = {
      invalidate: (cache) => cache.invalidate("a"),
      invalidateTags: (cache) => cache.invalidateTags(["t"]),
      invalidateAll: (cache) => cache.invalidateAll,
      clear: (cache) => cache.clear
    }
    for (const [name, overtake] of Object.entries(overtakes)) {
      it.effect(`${name}: a load in the air is for those who wait for it alone`, () =>
        Effect.gen(function* () {
          const spy = new Spy()
          const tap = new Tap()
          const cache = yield* spy.watch(
            CacheStream.make("c", { lookup: (_: string) => tap.stream, chunkBytes: 2, tags: ["t"] })
          )
          const before = yield* follow(cache.get("a"))
          yield* tap.give("old")
          yield* settled
          yield* overtake(cache)
          const after = yield* follow(cache.get("a"))
          assert.strictEqual(tap.runs, 2)
          yield* tap.give("ne", 1)
          yield* tap.give("er", 0)
          yield* tap.end(0)
          yield* Fiber.join(before.fiber)
          assert.strictEqual(before.state.text, "older")
          yield* tap.give("w", 1)
          yield* tap.end(1)
          yield* Fiber.join(after.fiber)
          assert.strictEqual(after.state.text, "new")
          yield* settled
          assert.strictEqual(yield* textOf(cache.get("a")), "new")
          assert.strictEqual(tap.runs, 2)
          assert.strictEqual(yield* spy.count("c/chunks"), 2, "the older one's chunks are gone")
        }).pipe(inMemory)
      )
    }

    it.effect("set: what was put in is served, whatever comes later from a load that began before", () =>
      Effect.gen(function* () {
        const spy = new Spy()
        const tap = new Tap()
        const cache = yield* spy.watch(CacheStream.make("c", { lookup: (_: string) => tap.stream, chunkBytes: 2 }))
        const before = yield* follow(cache.get("a"))
        yield* tap.give("old")
        yield* settled
        yield* cache.set("a", Stream.make(bytesOf("min"), bytesOf("e")))
        yield* tap.end()
        yield* Fiber.join(before.fiber)
        assert.strictEqual(before.state.text, "old")
        yield* settled
        assert.strictEqual(yield* textOf(cache.get("a")), "mine")
        assert.strictEqual(yield* spy.count("c/chunks"), 2)
        // again: what was there before is removed
        yield* cache.set("a", Stream.make(bytesOf("other")))
        assert.strictEqual(yield* spy.count("c/chunks"), 3)
        assert.strictEqual(yield* textOf(cache.get("a")), "other")
      }).pipe(inMemory)
    )

    it.effect("set: a stream that fails, or is too large, leaves what was there, and nothing of itself", () =>
      Effect.gen(function* () {
        const spy = new Spy()
        const cache = yield* spy.watch(
          CacheStream.make("c", { lookup: new Shelf("there").lookup, chunkBytes: 2, maxBytes: 6 })
        )
        assert.strictEqual(yield* textOf(cache.get("a")), "there")
        const broken = Stream.concat(Stream.make(bytesOf("mine")), Stream.fail("broken"))
        assert.strictEqual(yield* Effect.flip(cache.set("a", broken)), "broken")
        const refused = yield* Effect.flip(cache.set("a", Stream.make(bytesOf("too large"))))
        assert.instanceOf(refused, CacheError.CodecError)
        const senseless = yield* Effect.flip(cache.set("a", Stream.empty, { timeToLive: -1 }))
        assert.instanceOf(senseless, CacheError.InvalidConfig)
        assert.strictEqual(yield* spy.count("c/chunks"), 3)
        assert.strictEqual(yield* textOf(cache.get("a")), "there")
      }).pipe(inMemory)
    )

    it.effect("who is reading when a key is invalidated comes to its end; then the chunks are removed", () =>
      Effect.gen(function* () {
        const spy = new Spy()
        const shelf = new Shelf("abcdefghij")
        const cache = yield* spy.watch(CacheStream.make("c", { lookup: shelf.lookup, chunkBytes: 2 }))
        yield* Stream.runDrain(cache.get("a"))
        const reading = yield* stepwise(cache.get("a"))
        assert.strictEqual(yield* reading.step, "ab")
        yield* cache.invalidate("a")
        shelf.pieces = ["other"]
        assert.strictEqual(yield* textOf(cache.get("a")), "other")
        assert.strictEqual(yield* reading.rest, "cdefghij")
        assert.strictEqual(yield* spy.count("c/chunks"), 5 + 3)
        yield* reading.leave
        assert.strictEqual(yield* spy.count("c/chunks"), 3)
      }).pipe(inMemory)
    )
  })

  describe("a value that is too large", () => {
    it.effect("is passed through to all who wait, is an event, and is not kept", () =>
      Effect.gen(function* () {
        const spy = new Spy()
        const tap = new Tap()
        const events = yield* Queue.unbounded<CacheEvents.CacheEvent>()
        const cache = yield* spy
          .watch(CacheStream.make("c", { lookup: () => tap.stream, chunkBytes: 2, maxBytes: 5 }))
          .pipe(
            Effect.provideService(CacheEvents.CacheEvents, {
              publish: (event) => void Queue.unsafeOffer(events, event),
              isHeard: true,
              hits: false,
              changes: Stream.empty
            })
          )
        const first = yield* follow(cache.get("a"))
        const second = yield* follow(cache.get("a"))
        yield* tap.give("abcde")
        yield* tap.give("fghijklmnop")
        yield* settled
        const late = yield* follow(cache.get("a"))
        assert.strictEqual(tap.runs, 2, "who comes later could not have its beginning")
        yield* tap.end(0)
        yield* tap.give("short", 1)
        yield* tap.end(1)
        for (const { fiber } of [first, second, late]) yield* Fiber.join(fiber)
        assert.deepStrictEqual([first.state.text, second.state.text], ["abcdefghijklmnop", "abcdefghijklmnop"])
        assert.strictEqual(late.state.text, "short")
        const told = Array.from(yield* Queue.takeAll(events)).filter(({ _tag }) => _tag === "EncodeFailed")
        assert.strictEqual(told.length, 1)
        yield* settled
        assert.strictEqual(yield* spy.count("c/chunks"), 3, "those of the short one")
      }).pipe(inMemory)
    )

    it.effect("waits for who is slow, and for who does not read at all only so long", () =>
      Effect.gen(function* () {
        const tap = new Tap()
        const options = { lookup: () => tap.stream, chunkBytes: 2, maxBytes: 2, loadDeadline: "10 seconds" } as const
        const cache = yield* CacheStream.make("c", options)
        const { leave, rest, step } = yield* stepwise(cache.get("a"))
        const begun = yield* Effect.fork(step)
        const fast = yield* follow(cache.get("a"))
        yield* tap.give("ab")
        assert.strictEqual(yield* Fiber.join(begun), "ab")
        yield* tap.give("cdefghijklmnopqr")
        yield* tap.end()
        yield* settled
        const held = fast.state.text
        assert.isBelow(held.length, 18, "held up by the slow one")
        assert.strictEqual(yield* step, "cd")
        yield* settled
        assert.isAbove(fast.state.text.length, held.length)
        yield* TestClock.adjust("1 minute")
        yield* Fiber.join(fast.fiber)
        assert.strictEqual(fast.state.text, "abcdefghijklmnopqr")
        // the slow one has lost his place, and goes on with a run of his own
        const others = yield* Effect.fork(rest)
        yield* settled
        assert.strictEqual(tap.runs, 2)
        yield* tap.give("abcdefghijklmnopqr")
        yield* tap.end()
        assert.strictEqual(yield* Fiber.join(others), "efghijklmnopqr")
        yield* leave
      }).pipe(inMemory)
    )
  })

  it.effect("a reader who sleeps again and again, where nothing is stored, comes to the end by a run of his own", () =>
    Effect.gen(function* () {
      const shelf = new Shelf("abcdefghijklmnopqrstuvwxyz")
      const options = { lookup: shelf.lookup, chunkBytes: 2, maxBytes: 2, loadDeadline: "10 seconds" } as const
      const cache = yield* CacheStream.make("c", options)
      const { leave, step } = yield* stepwise(cache.get("a"))
      let text = ""
      for (let steps = 0; steps < 13; steps++) {
        text += yield* step
        yield* settled
        yield* TestClock.adjust("1 minute")
      }
      assert.strictEqual(text, "abcdefghijklmnopqrstuvwxyz")
      assert.deepStrictEqual(yield* Effect.flip(step), Option.none())
      assert.isAtMost(shelf.runs, 3)
      yield* leave
    }).pipe(inMemory)
  )

  describe("a store that fails", () => {
    const faulty = over(FaultyStore.over(MemoryStore.layer()))

    it.effect("is not heard of: what the source has is passed through", () =>
      Effect.gen(function* () {
        const faults = yield* FaultyStore.Faults
        const shelf = new Shelf("abc", "defghi", "j")
        const cache = yield* CacheStream.make("c", { lookup: shelf.lookup, chunkBytes: 2 })
        yield* faults.break(failure())
        const two = Effect.all([textOf(cache.get("a")), textOf(cache.get("a"))], { concurrency: "unbounded" })
        assert.deepStrictEqual(yield* two, ["abcdefghij", "abcdefghij"])
        assert.strictEqual(shelf.runs, 1)
        yield* faults.heal
        assert.strictEqual(yield* textOf(cache.get("a")), "abcdefghij")
        assert.strictEqual(yield* textOf(cache.get("a")), "abcdefghij")
        assert.strictEqual(shelf.runs, 2)
        assert.isAbove((yield* cache.stats).storeFailures, 0)
        yield* addsUp(cache, 4)
      }).pipe(faulty)
    )

    it.effect("while it is read from costs another run of the source, and nothing else", () =>
      Effect.gen(function* () {
        const faults = yield* FaultyStore.Faults
        const shelf = new Shelf("abcdefghijklmnop")
        const cache = yield* CacheStream.make("c", { lookup: shelf.lookup, chunkBytes: 2 })
        yield* Stream.runDrain(cache.get("a"))
        const { leave, rest, step } = yield* stepwise(cache.get("a"))
        assert.strictEqual(yield* step, "ab")
        yield* faults.break(failure())
        assert.strictEqual(yield* rest, "cdefghijklmnop")
        yield* leave
        assert.strictEqual(shelf.runs, 2)
      }).pipe(faulty)
    )

    it.effect("forgets all that it is told: readers of any pace come to the end", () =>
      Effect.gen(function* () {
        const faults = yield* FaultyStore.Faults
        const shelf = new Shelf("abcdefghijklmnop")
        const cache = yield* CacheStream.make("c", { lookup: shelf.lookup, chunkBytes: 2 })
        yield* faults.break({ _tag: "Lose" })
        assert.strictEqual(yield* textOf(cache.get("a")), "abcdefghijklmnop")
        const { leave, rest, step } = yield* stepwise(cache.get("a"))
        assert.strictEqual(yield* step, "ab")
        yield* settled
        assert.strictEqual(yield* rest, "cdefghijklmnop")
        yield* leave
      }).pipe(faulty)
    )

    it.effect("an explicit write to it fails", () =>
      Effect.gen(function* () {
        const faults = yield* FaultyStore.Faults
        const cache = yield* CacheStream.make("c", { lookup: () => Stream.empty })
        yield* faults.break(failure())
        assert.instanceOf(yield* Effect.flip(cache.set("a", Stream.make(bytesOf("a")))), CacheError.StoreError)
        assert.instanceOf(yield* Effect.flip(cache.invalidate("a")), CacheError.StoreError)
      }).pipe(faulty)
    )
  })

  describe("a chunk that is lost", () => {
    const stored = (shelf: Shelf) =>
      Effect.gen(function* () {
        const spy = new Spy()
        const cache = yield* spy.watch(CacheStream.make("c", { lookup: shelf.lookup, chunkBytes: 2 }))
        yield* Stream.runDrain(cache.get("a"))
        return { spy, cache }
      })

    it.effect("before the first byte: the value is loaded anew", () =>
      Effect.gen(function* () {
        const shelf = new Shelf("abcdef")
        const { cache, spy } = yield* stored(shelf)
        shelf.pieces = ["other"]
        yield* spy.lose("c/chunks", 0)
        assert.strictEqual(yield* textOf(cache.get("a")), "other")
        assert.strictEqual(yield* textOf(cache.get("a")), "other")
        assert.strictEqual(shelf.runs, 2)
      }).pipe(inMemory)
    )

    it.effect("after some bytes: goes on with a new load, if that has the same ones up to there", () =>
      Effect.gen(function* () {
        const shelf = new Shelf("abcdefghij")
        const { cache, spy } = yield* stored(shelf)
        shelf.pieces = ["a", "bcdefg", "hiJKL"]
        yield* spy.lose("c/chunks", 3)
        assert.strictEqual(yield* textOf(cache.get("a")), "abcdefghiJKL", "all of the new one")
        assert.strictEqual(shelf.runs, 2)
        assert.strictEqual(yield* textOf(cache.get("a")), "abcdefghiJKL")
        assert.strictEqual(shelf.runs, 2)
      }).pipe(inMemory)
    )

    for (const [how, pieces] of Object.entries({
      "other bytes": ["abcXefghij"],
      "an earlier end": ["abcd"],
      "no bytes": [""]
    })) {
      it.effect(`after some bytes, and the source has ${how} by now: a typed failure, and no byte of it`, () =>
        Effect.gen(function* () {
          const shelf = new Shelf("abcdefghij")
          const { cache, spy } = yield* stored(shelf)
          shelf.pieces = pieces
          yield* spy.lose("c/chunks", 3)
          const { fiber, state } = yield* follow(cache.get("a"))
          yield* Fiber.join(fiber)
          assert.strictEqual(state.text, "abcdef")
          assert.instanceOf(state.error, CacheError.StoreError)
          assert.strictEqual(yield* textOf(cache.get("a")), pieces[0])
        }).pipe(inMemory)
      )
    }

    it.effect("in the middle of one that was followed: what was had of it counts, too", () =>
      Effect.gen(function* () {
        for (const [again, expected] of [
          ["abcdefgh", "abcdefgh"],
          ["abXdefgh", undefined],
          ["ab", undefined]
        ] as const) {
          const faults = yield* FaultyStore.Faults
          const tap = new Tap()
          const cache = yield* CacheStream.make(`c${again}`, { lookup: () => tap.stream, chunkBytes: 4 })
          const { leave, rest, step } = yield* stepwise(cache.get("a"))
          const begun = yield* Effect.fork(step)
          yield* settled
          yield* tap.give("abc")
          assert.strictEqual(yield* Fiber.join(begun), "abc")
          yield* faults.break({ _tag: "Lose" }, "set")
          yield* tap.give("defghijklmnopqrstuvw")
          yield* tap.end()
          yield* settled
          yield* faults.heal
          const others = yield* Effect.fork(Effect.either(rest))
          yield* settled
          assert.strictEqual(tap.runs, 2)
          yield* tap.give(again)
          yield* tap.end()
          const result = yield* Fiber.join(others)
          if (expected !== undefined) assert.strictEqual(result._tag === "Right" && `abc${result.right}`, expected)
          else assert.isTrue(result._tag === "Left" && Option.isSome(result.left))
          yield* leave
        }
      }).pipe(over(FaultyStore.over(MemoryStore.layer())))
    )
  })

  describe("time", () => {
    it.effect("a value is loaded again when its time is over; who has begun to read it comes to its end", () =>
      Effect.gen(function* () {
        const shelf = new Shelf("abcdefgh")
        const options = { lookup: shelf.lookup, chunkBytes: 2, timeToLive: "1 minute", margin: "1 hour" } as const
        const cache = yield* CacheStream.make("c", options)
        yield* Stream.runDrain(cache.get("a"))
        yield* TestClock.adjust("59 seconds")
        const { leave, rest, step } = yield* stepwise(cache.get("a"))
        assert.strictEqual(yield* step, "ab")
        yield* TestClock.adjust("1 seconds")
        shelf.pieces = ["new"]
        assert.strictEqual(yield* textOf(cache.get("a")), "new")
        yield* TestClock.adjust("50 minutes")
        assert.strictEqual(yield* rest, "cdefgh")
        yield* leave
        assert.strictEqual(shelf.runs, 2)
      }).pipe(inMemory)
    )

    it.effect("chunks have an end: the margin after that of their value", () =>
      Effect.gen(function* () {
        const spy = new Spy()
        const options = { lookup: new Shelf("abcd").lookup, chunkBytes: 2, margin: "1 hour" } as const
        const cache = yield* spy.watch(
          CacheStream.make("c", { ...options, timeToLive: (key: string) => (key === "a" ? "1 minute" : "2 hours") })
        )
        yield* Stream.runDrain(cache.get("a"))
        yield* Stream.runDrain(cache.get("b"))
        yield* TestClock.adjust("1 hour")
        assert.strictEqual(yield* spy.count("c/chunks"), 4)
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(yield* spy.count("c/chunks"), 2)
      }).pipe(inMemory)
    )

    it.effect("a time to live of 0 keeps nothing, but those who ask at once share a load", () =>
      Effect.gen(function* () {
        const spy = new Spy()
        const shelf = new Shelf("abcdef")
        const cache = yield* spy.watch(CacheStream.make("c", { lookup: shelf.lookup, chunkBytes: 2, timeToLive: 0 }))
        const two = Effect.all([textOf(cache.get("a")), textOf(cache.get("a"))], { concurrency: "unbounded" })
        assert.deepStrictEqual(yield* two, ["abcdef", "abcdef"])
        assert.strictEqual(shelf.runs, 1)
        yield* settled
        assert.deepStrictEqual([yield* spy.count("c"), yield* spy.count("c/chunks")], [0, 0])
      }).pipe(inMemory)
    )

    it.effect("a stale value is served while it is loaded again, and where that fails before the first byte", () =>
      Effect.gen(function* () {
        const spy = new Spy()
        const tap = new Tap()
        const options = { lookup: () => tap.stream, chunkBytes: 2, timeToLive: "1 minute" } as const
        const cache = yield* spy.watch(
          CacheStream.make("c", { ...options, staleWhileRevalidate: "1 minute", staleIfError: "1 hour" })
        )
        const first = yield* follow(cache.get("a"))
        yield* tap.give("old")
        yield* tap.end()
        yield* Fiber.join(first.fiber)
        yield* TestClock.adjust("61 seconds")
        assert.strictEqual(yield* textOf(cache.get("a")), "old")
        yield* settled
        assert.strictEqual(tap.runs, 2)
        yield* tap.give("new")
        yield* tap.end()
        yield* settled
        assert.strictEqual(yield* textOf(cache.get("a")), "new")
        assert.strictEqual(yield* spy.count("c/chunks"), 2, "those of the old one are gone")
        yield* TestClock.adjust("10 minutes")
        const last = yield* follow(cache.get("a"))
        yield* tap.fail("down")
        yield* Fiber.join(last.fiber)
        assert.strictEqual(last.state.text, "new")
        const { failsafe, fresh, loaded, stale } = yield* cache.stats
        assert.deepStrictEqual({ failsafe, fresh, loaded, stale }, { failsafe: 1, fresh: 1, loaded: 1, stale: 1 })
      }).pipe(inMemory)
    )
  })

  describe("modes", () => {
    it.effect("no-store, and keys that are not cached: passed through, to each alone", () =>
      Effect.gen(function* () {
        const spy = new Spy()
        const shelf = new Shelf("abc", "def", "ghi")
        const cache = yield* spy.watch(
          CacheStream.make("c", { lookup: shelf.lookup, chunkBytes: 2, when: (key: string) => key !== "b" })
        )
        const unstored = CacheConfig.locally({ mode: "no-store" })(textOf(cache.get("a")))
        assert.deepStrictEqual(yield* Effect.all([unstored, unstored], { concurrency: "unbounded" }), [
          "abcdefghi",
          "abcdefghi"
        ])
        assert.strictEqual(yield* textOf(cache.get("b")), "abcdefghi")
        assert.strictEqual(shelf.runs, 3)
        assert.deepStrictEqual([yield* spy.count("c"), yield* spy.count("c/chunks")], [0, 0])
        assert.strictEqual((yield* cache.stats).bypassed, 3)
      }).pipe(inMemory)
    )

    it.effect("only-if-cached never loads, not even what has lost its chunks", () =>
      Effect.gen(function* () {
        const spy = new Spy()
        const shelf = new Shelf("abc")
        const cache = yield* spy.watch(CacheStream.make("c", { lookup: shelf.lookup }))
        const cached = CacheConfig.locally({ mode: "only-if-cached" })(textOf(cache.get("a")))
        assert.instanceOf(yield* Effect.flip(cached), CacheError.NotCached)
        yield* Stream.runDrain(cache.get("a"))
        assert.strictEqual(yield* cached, "abc")
        yield* spy.lose("c/chunks", 0)
        assert.instanceOf(yield* Effect.flip(cached), CacheError.NotCached)
        assert.strictEqual(shelf.runs, 1)
      }).pipe(inMemory)
    )
  })

  it.effect("chunks are written as they have ever been, and no others are read", () =>
    Effect.sync(() => {
      const bytes = Uint8Array.of(1, 2, 3)
      const chunk = {
        generation: "00000000-0000-4000-8000-000000000000",
        index: 258,
        link: Chunk.linkOf(Chunk.noLink, bytes),
        bytes
      }
      const written = Either.getOrThrow(Chunk.codec.encode(chunk))
      assert.strictEqual(
        Buffer.from(written).toString("latin1"),
        `${chunk.generation}${chunk.link}\x02\x01\0\0\x01\x02\x03`
      )
      assert.strictEqual(chunk.link, "xrvJr1fmSPcP0dof0nSC0w")
      assert.deepStrictEqual(Either.getOrThrow(Chunk.codec.decode(written)), chunk)
      assert.isTrue(Either.isLeft(Chunk.codec.decode(written.subarray(0, 61))))
    })
  )

  it.effect("a key that is none is refused", () =>
    Effect.gen(function* () {
      const cache = yield* CacheStream.make("c", { lookup: (_: unknown) => Stream.empty })
      for (const operation of [
        Stream.runDrain(cache.get(() => 1)),
        cache.info(() => 1),
        cache.set(() => 1, Stream.empty),
        cache.invalidate(() => 1)
      ]) {
        assert.instanceOf(yield* Effect.flip(operation), CacheError.KeyError)
      }
    }).pipe(inMemory)
  )

  it.effect("any bytes, however they come and are cut, come back the same: followed, stored, and put in", () =>
    forAll(
      fc.record({
        pieces: fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 12 }),
        chunkBytes: fc.integer({ min: 1, max: 50 })
      }),
      ({ chunkBytes, pieces }) =>
        Effect.gen(function* () {
          const whole = Buffer.concat(pieces)
          const cache = yield* CacheStream.make("c", { lookup: (_: string) => Stream.fromIterable(pieces), chunkBytes })
          const all = (key: string) =>
            Effect.map(Stream.runCollect(cache.get(key)), (parts) => Buffer.concat([...parts]))
          const read = yield* Effect.all([all("a"), all("a"), Effect.zipRight(settled, all("a"))], {
            concurrency: "unbounded"
          })
          yield* cache.set("b", Stream.fromIterable(pieces))
          for (const bytes of [...read, yield* all("a"), yield* all("b")]) assert.isTrue(bytes.equals(whole))
          assert.deepStrictEqual(yield* cache.info("a"), Option.some({ bytes: whole.length }))
        }).pipe(inMemory)
    )
  )
})
