/** Random histories of a cache of streams: readers of any pace, writers, and a store that loses and fails. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Logger, Option, Scope, Stream } from "effect"
import { CacheError, CacheStream, MemoryStore } from "effect-larder"
import * as FaultyStore from "effect-larder/FaultyStore"
import fc from "fast-check"
import { forAll, over, settled } from "../fixtures/cache/harness.js"
import { Spy } from "../fixtures/stream/tap.js"

/** What one of several actors does, one thing after the other, each after some turns. */
type Action =
  | { readonly _tag: "Read"; readonly turns: number; readonly pause: number; readonly pieces: number }
  | { readonly _tag: "Write"; readonly turns: number; readonly how: keyof typeof writes }
  | { readonly _tag: "Lose"; readonly turns: number; readonly place: number }
  | { readonly _tag: "Fail"; readonly turns: number; readonly isFailing: boolean }

type Films = CacheStream.CacheStream<string, string>

/** A value of version 3 is 3, 3, 3, ...: so one of two loads betrays itself. */
const length = 18
const valueOf = (version: number): Stream.Stream<Uint8Array> =>
  Stream.tap(Stream.range(1, length / 3, 1), () => Effect.yieldNow()).pipe(
    Stream.map(() => Uint8Array.of(version, version, version))
  )

const writes = {
  invalidate: (films: Films, _: number) => films.invalidate("a"),
  invalidateTags: (films: Films, _: number) => films.invalidateTags(["film"]),
  invalidateAll: (films: Films, _: number) => films.invalidateAll,
  clear: (films: Films, _: number) => films.clear,
  set: (films: Films, version: number) => films.set("a", valueOf(version))
}

const turns = fc.nat({ max: 25 })
const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      _tag: fc.constant("Read" as const),
      turns,
      pause: fc.nat({ max: 8 }),
      pieces: fc.oneof(fc.nat({ max: 6 }), fc.constant(Infinity))
    })
  },
  {
    weight: 3,
    arbitrary: fc.record({
      _tag: fc.constant("Write" as const),
      turns,
      how: fc.constantFrom(...(Object.keys(writes) as Array<keyof typeof writes>))
    })
  },
  { weight: 1, arbitrary: fc.record({ _tag: fc.constant("Lose" as const), turns, place: fc.nat({ max: 8 }) }) },
  { weight: 1, arbitrary: fc.record({ _tag: fc.constant("Fail" as const), turns, isFailing: fc.boolean() }) }
)

const wait = (turns: number) =>
  Effect.forEach(Array.from({ length: turns }), () => Effect.yieldNow(), { discard: true })

class Stage {
  version = 0
  /** No get that starts now may be answered with less. */
  floor = 0
  open = 0
  readonly writing = Effect.unsafeMakeSemaphore(1)

  readonly lookup = (_: string): Stream.Stream<Uint8Array, string> =>
    Stream.unwrapScoped(
      Effect.acquireRelease(
        Effect.sync(() => {
          this.open++
          return valueOf(this.version)
        }),
        () => Effect.sync(() => void this.open--)
      )
    )

  read(films: Films, { pause, pieces }: Extract<Action, { readonly _tag: "Read" }>): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      const { floor } = this
      const scope = yield* Scope.make()
      const pull = yield* Scope.extend(Stream.toPull(films.get("a")), scope)
      const bytes: Array<number> = []
      let isOver = false
      for (let piece = 0; piece < pieces && !isOver; piece++) {
        const exit = yield* Effect.exit(pull)
        if (Exit.isSuccess(exit)) for (const part of exit.value) bytes.push(...part)
        else {
          isOver = true
          const end = Cause.failureOption(exit.cause)
          assert.isTrue(Option.isSome(end), Cause.pretty(exit.cause))
          const error = Option.getOrUndefined(Option.flatten(end))
          if (error === undefined) assert.strictEqual(bytes.length, length, "a value is whole")
          else assert.instanceOf(error, CacheError.StoreError)
        }
        yield* wait(pause)
      }
      yield* Scope.close(scope, Exit.void)
      assert.isAtMost(new Set(bytes).size, 1, `torn: ${bytes.join()}`)
      if (bytes.length > 0) assert.isAtLeast(bytes[0]!, floor, "what was invalidated is not served")
    })
  }

  write(films: Films, how: keyof typeof writes): Effect.Effect<void> {
    return this.writing.withPermits(1)(
      Effect.suspend(() => {
        const version = ++this.version
        const write: Effect.Effect<unknown, unknown> = writes[how](films, version)
        // one that the store has refused has promised nothing
        return Effect.match(write, { onFailure: () => {}, onSuccess: () => void (this.floor = version) })
      })
    )
  }
}

const down = new CacheError.StoreError({
  store: "test",
  operation: "any",
  reason: "it is down",
  transient: true,
  hint: "wait"
})

const play = (history: { readonly actors: ReadonlyArray<ReadonlyArray<Action>>; readonly chunkBytes: number }) =>
  Effect.gen(function* () {
    const stage = new Stage()
    const spy = new Spy()
    const faults = yield* FaultyStore.Faults
    const { actors, chunkBytes } = history
    const films = yield* spy.watch(
      CacheStream.make("films", { lookup: stage.lookup, chunkBytes, tags: ["film"], loadDeadline: Infinity })
    )
    const act = (action: Action): Effect.Effect<unknown> => {
      switch (action._tag) {
        case "Read":
          return stage.read(films, action)
        case "Write":
          return stage.write(films, action.how)
        case "Lose":
          return Effect.ignore(spy.lose("films/chunks", action.place))
        case "Fail":
          return action.isFailing ? faults.break({ _tag: "Fail", failure: down }, "set", 0.5) : faults.heal
      }
    }
    yield* Effect.forEach(
      actors,
      (actions) => Effect.forEach(actions, (action) => Effect.zipRight(wait(action.turns), act(action))),
      { concurrency: "unbounded" }
    )
    yield* settled
    assert.strictEqual(stage.open, 0, "sources that have not ended")
    assert.strictEqual((yield* films.stats).inFlight, 0)
  }).pipe(over(FaultyStore.over(MemoryStore.layer())), Effect.provide(Logger.remove(Logger.defaultLogger)))

describe("histories of a cache of streams", () => {
  it.effect(
    "a value is of one load, whole, and none that was invalidated; every source has ended",
    () =>
      forAll(
        fc.record({
          actors: fc.array(fc.array(action, { maxLength: 5 }), { minLength: 1, maxLength: 5 }),
          chunkBytes: fc.integer({ min: 1, max: 20 })
        }),
        play,
        { numRuns: Number(process.env["HISTORIES"] ?? 200) }
      ),
    120_000
  )
})
