/**
 * The README's table beside `effect/Cache`: each row is played with both, and its words are those of the README. A row
 * that Effect has changed its mind about fails here, and is to be taken out there.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cache as EffectCache, Data, type Duration, Effect, Exit, Fiber, type Scope, TestClock } from "effect"
import { Cache, CacheContext, CacheStore, MemoryStore } from "effect-larder"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { settled } from "../fixtures/cache/harness.js"

class Down extends Data.TaggedError("Down")<{}> {}

type Key = string | { readonly id: number }

interface Options {
  readonly lookup: (key: Key) => Effect.Effect<string, Down>
  readonly timeToLive: Duration.DurationInput
  readonly capacity: number
}

/** What both can do. */
interface Subject {
  readonly get: (key: Key) => Effect.Effect<string, Down>
  readonly set: (key: Key, value: string) => Effect.Effect<void>
  readonly invalidate: (key: Key) => Effect.Effect<void>
  readonly refresh: (key: Key) => Effect.Effect<unknown, Down>
  readonly size: Effect.Effect<number>
}

type Make = (options: Partial<Options> & Pick<Options, "lookup">) => Effect.Effect<Subject, never, Scope.Scope>

const bounds = { timeToLive: "1 hour", capacity: 100 } as const

const theirs: Make = (options) => EffectCache.make({ ...bounds, ...options })

const ours: Make = (options) =>
  Effect.gen(function* () {
    const { capacity, lookup, timeToLive } = { ...bounds, ...options }
    const handle = yield* CacheContext.make(MemoryStore.layer({ capacity }))
    const cache = yield* Cache.make("subject", { lookup, timeToLive }).pipe(
      Effect.provideService(CacheStore.CacheStore, handle.info.store)
    )
    return {
      get: cache.get,
      set: (key, value) => Effect.orDie(cache.set(key, value)),
      invalidate: (key) => Effect.orDie(cache.invalidate(key)),
      refresh: cache.refresh,
      size: Effect.orDie(cache.size)
    } satisfies Subject
  }).pipe(Effect.orDie)

/** A lookup that is held until it is let go, and answers what the source had when it began. */
const heldSource = Effect.gen(function* () {
  const latch = yield* Effect.makeLatch(false)
  const state = { value: "old" }
  const lookup = () => Effect.suspend(() => Effect.as(latch.await, state.value))
  return { latch, lookup, state }
})

/** A lookup that counts its runs and fails while it is told to. */
const flaky = (): { state: { down: boolean; runs: number }; lookup: Options["lookup"] } => {
  const state = { down: false, runs: 0 }
  return {
    state,
    lookup: () => Effect.suspend(() => (++state.runs, state.down ? Effect.fail(new Down()) : Effect.succeed("good")))
  }
}

const rows: ReadonlyArray<{
  readonly when: string
  readonly theirs: string
  readonly ours: string
  /** Whether it went as is said of `ours`; otherwise it must have gone as is said of `theirs`. */
  readonly play: (make: Make) => Effect.Effect<boolean, unknown, Scope.Scope>
}> = [
  {
    when: "the caller that came first is interrupted",
    theirs: "all who wait with it are",
    ours: "the others get their value",
    play: (make) =>
      Effect.gen(function* () {
        const { latch, lookup } = yield* heldSource
        const cache = yield* make({ lookup })
        const first = yield* Effect.fork(cache.get("k"))
        yield* settled
        const second = yield* Effect.fork(cache.get("k"))
        yield* settled
        yield* Fiber.interrupt(first)
        yield* latch.open
        const exit = yield* Fiber.await(second)
        assert.isTrue(Exit.isSuccess(exit) || Exit.isInterrupted(exit))
        return Exit.isSuccess(exit)
      })
  },
  {
    when: "a value is set while the key is being loaded",
    theirs: "the late load overwrites it",
    ours: "it stays",
    play: (make) =>
      Effect.gen(function* () {
        const { latch, lookup } = yield* heldSource
        const cache = yield* make({ lookup })
        const pending = yield* Effect.fork(cache.get("k"))
        yield* settled
        yield* cache.set("k", "set")
        yield* latch.open
        yield* Fiber.await(pending)
        yield* settled
        return (yield* cache.get("k")) === "set"
      })
  },
  {
    when: "a key is invalidated while it is being loaded",
    theirs: "the old value is kept",
    ours: "it is loaded anew",
    play: (make) =>
      Effect.gen(function* () {
        const { latch, lookup, state } = yield* heldSource
        const cache = yield* make({ lookup })
        const pending = yield* Effect.fork(cache.get("k"))
        yield* settled
        state.value = "new"
        yield* cache.invalidate("k")
        yield* latch.open
        yield* Fiber.await(pending)
        yield* settled
        return (yield* cache.get("k")) === "new"
      })
  },
  {
    when: "a load fails",
    theirs: "the failure is kept as long as a value",
    ours: "it is kept only if asked for, with a life of its own",
    play: (make) =>
      Effect.gen(function* () {
        const { lookup, state } = flaky()
        const cache = yield* make({ lookup })
        state.down = true
        yield* Effect.flip(cache.get("k"))
        yield* Effect.flip(cache.get("k"))
        return state.runs === 2
      })
  },
  {
    when: "a refresh fails",
    theirs: "the failure replaces the good value",
    ours: "the good value stays",
    play: (make) =>
      Effect.gen(function* () {
        const { lookup, state } = flaky()
        const cache = yield* make({ lookup })
        yield* cache.get("k")
        state.down = true
        yield* Effect.flip(cache.refresh("k"))
        return Exit.isSuccess(yield* Effect.exit(cache.get("k")))
      })
  },
  {
    when: "a thousand values are set where a hundred fit",
    theirs: "a thousand are kept",
    ours: "a hundred are kept",
    play: (make) =>
      Effect.gen(function* () {
        const cache = yield* make({ lookup: flaky().lookup, capacity: 100 })
        for (let n = 0; n < 1_000; n++) yield* cache.set(`${n}`, "set")
        const size = yield* cache.size
        assert.include([100, 1_000], size)
        return size === 100
      })
  },
  {
    when: "values have outlived their time to live",
    theirs: "`size` counts them",
    ours: "`size` does not",
    play: (make) =>
      Effect.gen(function* () {
        const cache = yield* make({ lookup: flaky().lookup, timeToLive: "1 minute" })
        yield* cache.get("k")
        yield* TestClock.adjust("2 minutes")
        return (yield* cache.size) === 0
      })
  },
  {
    when: "a key is a plain object",
    theirs: "it is never found again, unless made with `Data`",
    ours: "it is found by what it holds",
    play: (make) =>
      Effect.gen(function* () {
        const { lookup, state } = flaky()
        const cache = yield* make({ lookup })
        yield* cache.get({ id: 1 })
        yield* cache.get({ id: 1 })
        return state.runs === 1
      })
  }
]

const readme = readFileSync(fileURLToPath(new URL("../../README.md", import.meta.url)), "utf8")

describe("beside effect/Cache", () => {
  for (const row of rows) {
    it.scoped(row.when, () =>
      Effect.gen(function* () {
        assert.isFalse(yield* row.play(theirs), `effect/Cache: no longer true that ${row.theirs}`)
        assert.isTrue(yield* row.play(ours), `effect-larder: not true that ${row.ours}`)
        assert.include(readme, `| ${row.when} | ${row.theirs} | ${row.ours} |`)
      })
    )
  }
})
