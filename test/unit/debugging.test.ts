/** What helps to see into caches: a tap on their events, and dumps of what a program's spans were. */
import { assert, describe, it } from "@effect/vitest"
import { Cache, Cached, CacheEvents, CacheTracing, MemoryStore } from "effect-larder"
import { Effect, Fiber, Layer, Logger, Option, Stream, TestClock, type Tracer } from "effect"
import { settled } from "../fixtures/cache/harness.js"

const words = (options: Partial<Cache.Options<string, number, never, never>> = {}) =>
  Cache.make("words", { lookup: (word: string) => Effect.succeed(word.length), ...options })
const listening = (lines: Array<string>) =>
  Logger.replace(
    Logger.defaultLogger,
    Logger.make(({ message }) => void lines.push(String(Array.isArray(message) ? message[0] : message)))
  )

describe("CacheEvents.tap", () => {
  it.effect("shows each event where it happens, and leaves it to those who listen", () =>
    Effect.gen(function* () {
      const shown: Array<string> = []
      const Tapped = CacheEvents.layer().pipe(CacheEvents.tap(({ _tag }) => void shown.push(_tag)))
      yield* Effect.gen(function* () {
        const heard = yield* Effect.fork(Stream.runHead(CacheEvents.only("Loaded")))
        yield* settled
        const cache = yield* words()
        yield* cache.get("bread")
        assert.deepStrictEqual(shown, ["Loaded"], "before anything else is run")
        assert.isTrue(Option.isSome(yield* Fiber.join(heard)))
      }).pipe(Effect.scoped, Effect.provide(MemoryStore.layer().pipe(Layer.provideMerge(Tapped))))
    })
  )

  it.effect("is heard even where nobody else listens, and when it throws, that is logged once and harms nothing", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      let calls = 0
      const Nowhere = Layer.succeed(CacheEvents.CacheEvents, CacheEvents.CacheEvents.defaultValue())
      const Throwing = Nowhere.pipe(
        CacheEvents.tap(() => {
          calls++
          throw new Error("mine")
        })
      )
      const cache = Effect.flatMap(words(), ({ getMany }) => getMany(["a", "bb"]))
      const program = Effect.scoped(cache).pipe(
        Effect.provide(MemoryStore.layer().pipe(Layer.provideMerge(Throwing))),
        Effect.provide(listening(lines))
      )
      assert.deepStrictEqual([...(yield* program)], [1, 2])
      assert.isAtLeast(calls, 2)
      assert.deepStrictEqual(lines, ["larder: a tap on events threw"])
    })
  )
})

describe("CacheEvents.of", () => {
  it.effect("is what happens to one cache of many", () =>
    Effect.gen(function* () {
      const heard = yield* Effect.fork(Stream.runHead(CacheEvents.of("words")))
      yield* settled
      const other = yield* Cache.make("other", { lookup: (n: number) => Effect.succeed(n) })
      yield* other.get(1)
      const cache = yield* words()
      yield* cache.get("bread")
      const event = Option.getOrThrow(yield* Fiber.join(heard))
      assert.deepStrictEqual([event._tag, "cache" in event && event.cache], ["Loaded", "words"])
    }).pipe(Effect.scoped, Effect.provide(MemoryStore.layer().pipe(Layer.provideMerge(CacheEvents.layer()))))
  )
})

describe("CacheTracing.layerDump", () => {
  const namesOf = (spans: ReadonlyArray<Tracer.Span>) => spans.map(({ name }) => name)
  const dumped: Array<ReadonlyArray<Tracer.Span>> = []
  const Dump = CacheTracing.layerDump((spans) => Effect.sync(() => void dumped.push(spans)))

  it.effect("hands over each trace when its outermost span has ended, and what is later as another", () =>
    Effect.gen(function* () {
      dumped.length = 0
      const cache = yield* words({ timeToLive: "1 second", staleWhileRevalidate: "1 hour" })
      yield* Effect.withSpan(cache.get("bread"), "first").pipe(Effect.zipRight(settled), Effect.withSpan("request"))
      yield* settled
      assert.deepStrictEqual(dumped.map(namesOf), [["request", "first", "larder.load"]])
      yield* TestClock.adjust("2 seconds")
      yield* Effect.withSpan(cache.get("bread"), "second")
      yield* settled
      assert.sameMembers(dumped.slice(1).flatMap(namesOf), ["second", "larder.load"])
      assert.isTrue(dumped.flat().every(({ status }) => status._tag === "Ended"))
    }).pipe(Effect.scoped, Effect.provide(Layer.merge(MemoryStore.layer(), Dump)))
  )

  it.effect("what begins after its trace was handed over is not lost with it", () =>
    Effect.gen(function* () {
      dumped.length = 0
      const late = Effect.zipRight(settled, Effect.withSpan(Effect.void, "late"))
      yield* Effect.withSpan(Effect.forkDaemon(late), "early")
      yield* Effect.zipRight(settled, settled)
      assert.deepStrictEqual(dumped.map(namesOf), [["early"], ["late"]])
    }).pipe(Effect.provide(Dump))
  )

  it.effect("keeps a thousand spans of one trace, and not those of a trace that is over", () =>
    Effect.gen(function* () {
      dumped.length = 0
      const leaf = Effect.withSpan(Effect.void, "leaf")
      yield* Effect.repeatN(leaf, 1_999).pipe(Effect.withSpan("server"))
      yield* leaf
      yield* settled
      assert.deepStrictEqual(
        dumped.map(({ length }) => length),
        [1_000, 1]
      )
    }).pipe(Effect.provide(Dump))
  )

  it.effect("by default logs the tree", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const square = Cached.fn("square")((n: number) => Effect.succeed(n * n))
      yield* Effect.gen(function* () {
        yield* Effect.withSpan(square(12), "question")
        yield* settled
      }).pipe(
        Effect.provide(Layer.merge(MemoryStore.layer(), CacheTracing.layerDump())),
        Effect.provide(listening(lines))
      )
      assert.match(lines.at(-1)!, /^larder: trace\nquestion {2}.*\n└─ larder\.load .* name=square/)
    })
  )
})

describe("CacheTracing.forest", () => {
  it.effect("is plain data: who was inside whom, what it took, and whether it failed", () =>
    Effect.gen(function* () {
      const inner = Effect.withSpan(Effect.flip(Effect.withSpan(Effect.fail("no"), "failing")), "inner")
      const program = Effect.zipRight(Effect.withSpan(TestClock.adjust("5 millis"), "slow"), inner)
      const [, spans] = yield* CacheTracing.collect(Effect.withSpan(program, "outer", { attributes: { n: 1 } }))
      const [outer, ...others] = CacheTracing.forest(spans)
      assert.deepStrictEqual(others, [])
      const shape = (node: CacheTracing.Node): unknown => [
        node.name,
        node.millis,
        node.failed,
        node.children.map(shape)
      ]
      assert.deepStrictEqual(shape(outer!), [
        "outer",
        5,
        false,
        [
          ["slow", 5, false, []],
          ["inner", 0, false, [["failing", 0, true, []]]]
        ]
      ])
      assert.deepStrictEqual(outer!.attributes, { n: 1 })
      assert.deepStrictEqual(JSON.parse(JSON.stringify(outer)), outer)
    })
  )
})
