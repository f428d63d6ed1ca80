/** How entries leave a memory store: who is told why, what slides, and what the maintenance fiber gives back. */
import { assert, describe, it } from "@effect/vitest"
import {
  Context,
  type Duration,
  Effect,
  Exit,
  Fiber,
  Layer,
  Logger,
  type Scope,
  Stream,
  Supervisor,
  TestClock
} from "effect"
import { Cache, CacheConfig, CacheEvents, CacheStore, MemoryStore } from "effect-larder"
import { LeakOracle } from "effect-larder/testing"
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { settled } from "../fixtures/cache/harness.js"
import { entryOf } from "../fixtures/memory/entries.js"
import { folder } from "../fixtures/sqlite/common.js"

const over =
  (options: MemoryStore.Options) =>
  <A, E>(test: Effect.Effect<A, E, MemoryStore.Provided | LeakOracle.LeakOracle | Scope.Scope>) =>
    test.pipe(Effect.provide(MemoryStore.layer(options)), LeakOracle.check)

const lengths = (
  options: {
    readonly lookup?: (key: string) => Effect.Effect<number>
    readonly timeToLive?: string & Duration.DurationInput
    readonly tags?: (value: number, key: string) => ReadonlyArray<string>
  } = {}
) => Cache.make("lengths", { lookup: (key: string) => Effect.succeed(key.length), ...options })

const usage = Effect.flatMap(MemoryStore.Controls, (controls) => controls.usage)

/** What a listener was told, one line each. */
const listener = () => {
  const told: Array<string> = []
  const onRemoval = ({ cache, cause, entry, key }: MemoryStore.Removal) => {
    told.push(`${cause} ${cache} ${key} ${Exit.getOrElse(entry.exit, () => "failure")}`)
  }
  return { told, onRemoval }
}

describe("MemoryStore: removal listeners", () => {
  it.effect("are told each removal with its cause, in order, with the entry that has gone", () => {
    const { onRemoval, told } = listener()
    return Effect.gen(function* () {
      const controls = yield* MemoryStore.Controls
      const cache = yield* lengths({ tags: (_value, key) => [`tag of ${key}`], timeToLive: "1 minute" })
      const since = () => told.splice(0).map((line) => line.replace(/"|~/g, ""))
      yield* cache.set("a", 1)
      assert.deepStrictEqual(since(), [])
      yield* cache.set("a", 2)
      assert.deepStrictEqual(since(), ["replaced lengths a 1"])
      yield* cache.invalidate("a")
      yield* cache.invalidate("a")
      assert.deepStrictEqual(since(), ["explicit lengths a 2"])
      yield* cache.set("b", 3)
      yield* cache.invalidateTags(["tag of b"])
      assert.isFalse(yield* cache.has("b"))
      assert.deepStrictEqual(since(), ["explicit lengths b 3"])
      yield* cache.set("c", 4)
      yield* TestClock.adjust("1 minute")
      assert.isFalse(yield* cache.has("c"))
      assert.deepStrictEqual(since(), ["expired lengths c 4"])
      for (const key of ["d", "e", "f"]) yield* cache.set(key, 5)
      assert.deepStrictEqual(since(), ["size lengths d 5"])
      yield* controls.resize({ capacity: 1 })
      assert.deepStrictEqual(since(), ["size lengths e 5"])
      yield* cache.clear
      assert.deepStrictEqual(since(), ["explicit lengths f 5"])
      const { removals } = yield* controls.usage
      assert.deepStrictEqual(removals, { explicit: 3, replaced: 1, expired: 1, size: 2, pressure: 0, collected: 0 })
    }).pipe(over({ capacity: 2, policy: "lru", onRemoval }))
  })

  it.effect("may use the store: what that removes is told after what they are being told", () => {
    const seen: Array<string> = []
    let region: CacheStore.Region<unknown, never> | undefined
    const put = (key: string) => region!.near!.set(key, entryOf<unknown>(key), undefined)
    return Effect.gen(function* () {
      const store = yield* CacheStore.CacheStore
      region = yield* store.region<unknown, never>({ name: "r", codec: undefined })
      put("a")
      put("b")
      put("c")
      assert.deepStrictEqual(seen, ["a begins", "a ends", "b begins", "b ends"])
      assert.deepStrictEqual(
        Array.from(yield* Stream.runCollect(region.entries), (row) => row.key),
        ["c", "of a"]
      )
    }).pipe(
      over({
        capacity: 2,
        policy: "lru",
        onRemoval: ({ key }) => {
          seen.push(`${key} begins`)
          if (key === "a") put("of a")
          seen.push(`${key} ends`)
        }
      })
    )
  })

  it.effect("that throw are told of, and cost nobody an answer", () => {
    const logged: Array<unknown> = []
    return Effect.gen(function* () {
      const fiber = yield* Effect.fork(Stream.runCollect(Stream.take(CacheEvents.only("CallbackFailed"), 2)))
      yield* settled
      const Store = MemoryStore.layer({
        capacity: 1,
        onRemoval: () => {
          throw new Error("of the listener")
        }
      })
      yield* Effect.gen(function* () {
        const cache = yield* lengths()
        for (const key of ["a", "b", "c"]) assert.strictEqual(yield* cache.get(key), 1)
        assert.strictEqual(yield* cache.size, 1)
      }).pipe(Effect.scoped, Effect.provide(Store))
      for (const event of yield* Fiber.join(fiber)) {
        assert.strictEqual(event._tag, "CallbackFailed")
        assert.strictEqual(String(event._tag === "CallbackFailed" && event.defect), "Error: of the listener")
      }
      assert.lengthOf(logged, 1)
    }).pipe(
      Effect.scoped,
      Effect.provide(CacheEvents.layer()),
      Effect.provide(
        Logger.replace(
          Logger.defaultLogger,
          Logger.make(({ message }) => logged.push(message))
        )
      ),
      LeakOracle.check
    )
  })
})

describe("MemoryStore: sliding expiry", () => {
  it.effect("each reading keeps an entry alive, never beyond its own end", () =>
    Effect.gen(function* () {
      let loads = 0
      const cache = yield* lengths({ lookup: () => Effect.sync(() => ++loads), timeToLive: "1 hour" })
      for (let minutes = 0; minutes < 59; minutes += 9) {
        assert.strictEqual(yield* cache.get("k"), 1)
        yield* TestClock.adjust("9 minutes")
      }
      assert.strictEqual(yield* cache.get("k"), 2, "after the hour, though it was read all the time")
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(yield* cache.get("k"), 3, "nobody has read it for ten minutes")
    }).pipe(over({ timeToIdle: "10 minutes" }))
  )

  it.effect("it is over at the very millisecond, and looking keeps nothing alive", () =>
    Effect.gen(function* () {
      const cache = yield* lengths()
      yield* cache.set("k", 7)
      yield* TestClock.adjust(599_999)
      assert.isTrue(yield* cache.has("k"))
      yield* cache.size
      yield* TestClock.adjust(1)
      assert.isFalse(yield* cache.has("k"))
    }).pipe(over({ timeToIdle: "10 minutes" }))
  )

  it.effect("within one synchronous run, too, the present is what counts", () =>
    Effect.gen(function* () {
      const cache = yield* lengths()
      // so often that hits would share a reading of the clock, where nothing slides
      for (let times = 0; times < 100; times++) yield* cache.get("k")
      yield* TestClock.adjust("10 minutes")
      assert.isFalse(yield* cache.has("k"))
    }).pipe(over({ timeToIdle: "10 minutes" }))
  )
})

describe("MemoryStore: maintenance", () => {
  const fibers = (supervisor: Supervisor.Supervisor<ReadonlyArray<Fiber.RuntimeFiber<unknown, unknown>>>) =>
    Effect.map(supervisor.value, (all) => all.filter((fiber) => fiber.unsafePoll() === null).length)

  it.effect("one fiber gives back the room of what is over and is not asked for again; then there is none", () =>
    Effect.gen(function* () {
      const supervisor = yield* Supervisor.track
      yield* Effect.gen(function* () {
        const cache = yield* lengths({ timeToLive: "10 minutes" })
        assert.strictEqual(yield* fibers(supervisor), 0, "nothing can end yet")
        yield* cache.set("0", 0)
        yield* settled
        // and one of the TestClock, which watches over who sleeps
        const sleeping = yield* fibers(supervisor)
        assert.strictEqual(sleeping, 2)
        for (let n = 1; n < 1_000; n++) yield* cache.set(`${n}`, n)
        yield* settled
        assert.strictEqual(yield* fibers(supervisor), sleeping, "one, not one for each key")
        yield* TestClock.adjust("9 minutes")
        assert.strictEqual((yield* usage).entries, 1_000)
        yield* TestClock.adjust("2 minutes")
        assert.strictEqual((yield* usage).entries, 0)
        assert.strictEqual((yield* usage).removals.expired, 1_000)
        yield* TestClock.adjust("2 minutes")
        assert.strictEqual(yield* fibers(supervisor), 0)
        yield* cache.set("again", 1)
        yield* TestClock.adjust("11 minutes")
        assert.strictEqual((yield* usage).entries, 0)
      }).pipe(Effect.scoped, Effect.provide(MemoryStore.layer()), Effect.supervised(supervisor))
      yield* settled
      assert.strictEqual(yield* fibers(supervisor), 0, "released with the store")
    }).pipe(LeakOracle.check)
  )

  it.effect("it wakes earlier for what ends earlier, and no later than a round after the end", () =>
    Effect.gen(function* () {
      const cache = yield* lengths()
      const brief = CacheConfig.locally({ timeToLive: "5 minutes" })
      yield* cache.get("long").pipe(CacheConfig.locally({ timeToLive: "1 day" }))
      yield* settled
      yield* brief(cache.get("short"))
      yield* settled
      yield* cache.get("for ever")
      yield* TestClock.adjust("6 minutes")
      assert.strictEqual((yield* usage).entries, 2)
      for (let n = 0; n < 50; n++) {
        yield* brief(cache.get(`${n}`))
        yield* TestClock.adjust("10 seconds")
      }
      assert.isAtMost((yield* usage).entries, 2 + 6 * 6, "five minutes and a round")
      yield* TestClock.adjust("1 day")
      assert.strictEqual((yield* usage).entries, 1)
    }).pipe(over({}))
  )

  it.effect("it finds what idled, and what was outdated by a tag", () =>
    Effect.gen(function* () {
      const cache = yield* lengths({ tags: () => ["t"] })
      yield* cache.set("idle", 1)
      yield* TestClock.adjust("12 minutes")
      assert.strictEqual((yield* usage).entries, 0)
      yield* cache.set("outdated", 1)
      yield* cache.invalidateTags(["t"])
      yield* cache.set("other", 1)
      yield* TestClock.adjust("9 minutes")
      yield* cache.get("other")
      yield* TestClock.adjust("2 minutes")
      assert.deepStrictEqual((yield* usage).removals, {
        explicit: 1,
        replaced: 0,
        expired: 1,
        size: 0,
        pressure: 0,
        collected: 0
      })
      assert.strictEqual((yield* usage).entries, 1)
    }).pipe(over({ timeToIdle: "10 minutes" }))
  )

  it.effect("none where it is turned off; what is over is not served all the same", () =>
    Effect.gen(function* () {
      const cache = yield* lengths({ timeToLive: "1 minute" })
      yield* cache.set("k", 1)
      yield* TestClock.adjust("1 day")
      assert.strictEqual((yield* usage).entries, 1)
      assert.isFalse(yield* cache.has("k"))
    }).pipe(over({ sweepEvery: Infinity }))
  )

  it.effect("a store that is released starts no fiber for a cache that is still open", () =>
    Effect.gen(function* () {
      const store = yield* Effect.scoped(
        Effect.flatMap(Layer.build(MemoryStore.layer()), (built) =>
          Effect.succeed(Context.get(built, CacheStore.CacheStore))
        )
      )
      assert.isTrue(Exit.isFailure(yield* Effect.exit(Effect.scoped(store.region({ name: "late", codec: undefined })))))
    }).pipe(LeakOracle.check)
  )

  it.effect(
    "a process with nothing else to do does not wait for it",
    () =>
      Effect.gen(function* () {
        const script = path.join(yield* folder, "waits.mts")
        const from = (file: string) => JSON.stringify(path.resolve(import.meta.dirname, "../..", file))
        fs.writeFileSync(
          script,
          `import { Effect, ManagedRuntime } from ${from("node_modules/effect/dist/esm/index.js")}
         import { Cache, MemoryStore } from ${from("src/index.ts")}
         // never disposed of
         const runtime = ManagedRuntime.make(MemoryStore.layer({ memoryPressure: {} }))
         const program = Effect.gen(function*() {
           const cache = yield* Cache.make("numbers", { lookup: (n: number) => Effect.succeed(n), timeToLive: "1 hour" })
           console.log(yield* cache.get(42))
           yield* Effect.async<never>(() => {})
         })
         runtime.runFork(Effect.scoped(program))
        `
        )
        const child = spawn(process.execPath, ["--import", "tsx", script], { stdio: ["ignore", "pipe", "inherit"] })
        let out = ""
        child.stdout.on("data", (chunk) => (out += chunk))
        const code = yield* Effect.promise(() => new Promise((resolve) => child.on("exit", resolve)))
        assert.deepStrictEqual([code, out.trim()], [0, "42"])
      }).pipe(Effect.scoped),
    30_000
  )
})

describe("MemoryStore: callbacks that throw", () => {
  const thrower = (): never => {
    throw new Error("of the program")
  }

  for (const [callback, options] of Object.entries({
    weigher: { weigher: thrower, maxBytes: 1_000 },
    pinned: { pinned: thrower },
    freeze: { freeze: "always" as const }
  })) {
    it.effect(`${callback}: everybody is answered, also those who wait, and it is told`, () =>
      Effect.gen(function* () {
        const fiber = yield* Effect.fork(Stream.runCollect(Stream.take(CacheEvents.only("CallbackFailed"), 1)))
        yield* settled
        yield* Effect.gen(function* () {
          const hostile = new Proxy({}, { ownKeys: thrower })
          const cache = yield* Cache.make("throwing", {
            lookup: (key: string) => (key === "now" ? Effect.succeed(hostile) : Effect.as(Effect.yieldNow(), hostile))
          })
          for (const key of ["now", "later"]) {
            const all = yield* Effect.all(
              Array.from({ length: 3 }, () => cache.get(key)),
              { concurrency: "unbounded" }
            )
            assert.isTrue(all.every((value) => value === hostile))
          }
        }).pipe(Effect.scoped, Effect.provide(MemoryStore.layer(options)))
        const [event] = Array.from(yield* Fiber.join(fiber))
        assert.isTrue(event?._tag === "CallbackFailed" && event.callback === callback)
      }).pipe(
        Effect.scoped,
        Effect.provide(CacheEvents.layer()),
        Effect.provide(Logger.replace(Logger.defaultLogger, Logger.none)),
        LeakOracle.check
      )
    )
  }
})
