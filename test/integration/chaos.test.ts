/**
 * Many fibers, few keys, everything at once: gets, batches, refreshes, writes, invalidations, failures, interruptions.
 *
 * The model: a write to the source raises a key's version before the cache is told. So when an invalidation (or a
 * write) has returned, `floor` is the least version that a get which starts from then on may be served. What a get was
 * served tells which version it is. `SEEDS` changes how many seeds are run; `SEED` runs one of them alone.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, type Layer, Option, Schema } from "effect"
import { Cache, type CacheStore, CacheStore as Stores, MemoryStore } from "effect-larder"
import * as SqliteStore from "effect-larder/SqliteStore"
import { ManualClock } from "../fixtures/cache/clock.js"
import { addsUp, noFibersLeft, settled } from "../fixtures/cache/harness.js"
import { dawdling, distant } from "../fixtures/cache/regions.js"

/** Mulberry32: small, and the same everywhere. */
const randomOf = (seed: number) => {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return {
    below: (bound: number) => Math.floor(next() * bound),
    chance: (probability: number) => next() < probability
  }
}

type Random = ReturnType<typeof randomOf>

interface Size {
  readonly fibers: number
  readonly keys: number
  readonly steps: number
}

const stores: Record<string, (random: Random) => Layer.Layer<CacheStore.CacheStore, unknown>> = {
  memory: () => MemoryStore.layer(),
  "a small memory": () => MemoryStore.layer({ capacity: 5 }),
  "a distant store": (random) =>
    MemoryStore.layer().pipe(
      distant,
      dawdling(() => random.below(4))
    ),
  "memory over a distant store": (random) =>
    MemoryStore.layer({ capacity: 8 }).pipe(
      Stores.tieredOver(
        MemoryStore.layer().pipe(
          distant,
          dawdling(() => random.below(4))
        )
      )
    ),
  SQLite: () => SqliteStore.layerMemory,
  "memory over SQLite": () => MemoryStore.layer().pipe(Stores.tieredOver(SqliteStore.layerMemory))
}

const yields = (turns: number) => (turns === 0 ? Effect.void : Effect.repeatN(Effect.yieldNow(), turns - 1))

/** One world: a source, what may be served from it, and a cache in front. */
const world = (random: Random, size: Size, clock: ManualClock) =>
  Effect.gen(function* () {
    const versions = Array.from({ length: size.keys }, () => 0)
    const floors = Array.from({ length: size.keys }, () => 0)
    const cache = yield* Cache.make("chaos", {
      key: Schema.Number,
      success: Schema.Number,
      lookup: (key: number) =>
        Effect.suspend((): Effect.Effect<number, "down"> => {
          // what the source has when the load starts, however long it takes
          const version = versions[key]!
          const turns = random.below(6)
          const end = random.chance(0.1)
            ? Effect.fail("down" as const)
            : random.chance(0.05)
              ? Effect.die("broken")
              : random.chance(0.03)
                ? Effect.interrupt
                : Effect.succeed(version)
          const load = Effect.zipRight(yields(turns), end)
          return random.chance(0.1) ? Effect.uninterruptible(load) : load
        }),
      timeToLive: 50,
      staleWhileRevalidate: 50,
      staleIfError: 100,
      tags: (_value, key) => [`mod:${key % 3}`, "all"]
    })
    let gets = 0
    // several may invalidate at once; who sets a value does it alone, for the last one to set would win, not the newest
    const writers = yield* Effect.makeSemaphore(size.fibers)

    /** A get of some keys; each is held against what was due when it started. */
    const check = <E>(keys: ReadonlyArray<number>, get: Effect.Effect<ReadonlyArray<Option.Option<number>>, E>) =>
      Effect.suspend(() => {
        const due = keys.map((key) => floors[key]!)
        return Effect.map(get, (served) => {
          served.forEach((version, index) => {
            if (Option.isSome(version) && version.value < due[index]!) {
              throw new Error(`key ${keys[index]}: served version ${version.value}, due was ${due[index]}`)
            }
          })
        })
      })

    const one = (get: Effect.Effect<number, "down">) => Effect.map(Effect.option(get), (version) => [version])

    /** From here on nothing older than this may be served. */
    const settle = (keys: ReadonlyArray<number>, seen: ReadonlyArray<number>) =>
      Effect.sync(() => {
        keys.forEach((key, index) => {
          floors[key] = Math.max(floors[key]!, seen[index]!)
        })
      })

    /** The source is written to, then the cache is told; what was there before it was told is due after. */
    const told = <E>(
      keys: ReadonlyArray<number>,
      tell: (seen: ReadonlyArray<number>) => Effect.Effect<unknown, E>,
      permits = 1
    ) =>
      writers.withPermits(permits)(
        Effect.suspend(() => {
          for (const key of keys) versions[key]!++
          const seen = keys.map((key) => versions[key]!)
          return Effect.zipRight(tell(seen), settle(keys, seen))
        })
      )

    const all = versions.map((_, key) => key)
    const step = (): Effect.Effect<unknown, unknown> => {
      const key = random.below(size.keys)
      const other = random.below(size.keys)
      const dice = random.below(100)
      if (dice < 45) {
        gets++
        return check([key], one(cache.get(key)))
      }
      if (dice < 55) {
        const keys = [key, other, random.below(size.keys)]
        gets += keys.length
        return check(
          keys,
          Effect.map(cache.getMany(keys, { mode: "either" }), (found) => found.map((either) => Option.getRight(either)))
        )
      }
      if (dice < 60) {
        gets++
        return check([key], one(cache.refresh(key)))
      }
      if (dice < 65)
        return check(
          [key],
          Effect.map(cache.getOption(key), (found) => [found])
        )
      if (dice < 73) return told([key], () => cache.invalidate(key))
      if (dice < 77) return told([key, other], () => cache.invalidateMany([key, other]))
      if (dice < 82) {
        const group = all.filter((each) => each % 3 === key % 3)
        return told(group, () => cache.invalidateTags([`mod:${key % 3}`]))
      }
      if (dice < 84) return told(all, () => cache.clear)
      if (dice < 88) return Effect.suspend(() => cache.expire(key))
      if (dice < 96) return Effect.sync(() => clock.advance(random.below(40)))
      return told([key], ([version]) => cache.set(key, version!), size.fibers)
    }

    const broken = (exit: Exit.Exit<unknown, unknown>) =>
      Exit.isFailure(exit) ? Option.filter(Cause.dieOption(exit.cause), (defect) => defect !== "broken") : Option.none()

    /** Lookups may break and be interrupted as they like; anything else is an end of the world. */
    const sound = (exit: Exit.Exit<unknown, unknown>): Effect.Effect<unknown, unknown> =>
      Option.isSome(broken(exit)) ? exit : Effect.void

    const life = Effect.gen(function* () {
      for (let at = 0; at < size.steps; at++) {
        if (random.chance(0.15)) {
          // interrupted at any point of its way
          const fiber = yield* Effect.fork(Effect.zipRight(Effect.void, Effect.suspend(step)))
          yield* Effect.repeatN(Effect.yieldNow(), random.below(8))
          yield* sound(yield* Fiber.interrupt(fiber))
        } else {
          yield* sound(yield* Effect.exit(Effect.suspend(step)))
        }
        yield* yields(random.below(3))
      }
    })
    const fibers = yield* Effect.forEach(Array.from({ length: size.fibers }), () => Effect.fork(life))
    yield* Effect.forEach(fibers, Fiber.join, { discard: true })
    yield* settled
    yield* addsUp(cache, gets)
    // at rest every key can be had, and is not older than due
    for (const key of all) {
      yield* sound(yield* Effect.exit(check([key], one(cache.get(key)))))
      assert.isAtLeast(versions[key]!, floors[key]!)
    }
  })

const round = (store: string, seed: number, size: Size) => {
  const random = randomOf(seed)
  const clock = new ManualClock()
  return world(random, size, clock).pipe(
    Effect.scoped,
    Effect.provide(stores[store]!(random)),
    noFibersLeft,
    Effect.withClock(clock),
    Effect.catchAllCause((cause) =>
      Effect.die(new Error(`SEED=${seed} over ${store}, ${size.fibers} fibers:\n${Cause.pretty(cause)}`))
    )
  )
}

const asked = process.env["SEED"]
const seeds = Number(process.env["SEEDS"] ?? 1_000)
const small: Size = { fibers: 30, keys: 8, steps: 12 }
const full: Size = { fibers: 1_000, keys: 100, steps: 6 }

/** Every store gets its share of the seeds, memory the largest. */
const shares: ReadonlyArray<readonly [store: string, share: number, size: Size]> = [
  ["memory", 0.35, small],
  ["a small memory", 0.1, small],
  ["a distant store", 0.2, small],
  ["memory over a distant store", 0.2, small],
  ["SQLite", 0.065, small],
  ["memory over SQLite", 0.065, small],
  ["memory", 0.01, full],
  ["a distant store", 0.005, full],
  ["memory over SQLite", 0.005, full]
]

describe("chaos", () => {
  for (const [index, [store, share, size]] of shares.entries()) {
    const count = Math.max(1, Math.round(seeds * share))
    it.live(
      `${count} seeds of ${size.fibers} fibers over ${size.keys} keys, ${store}`,
      () =>
        Effect.gen(function* () {
          const first = index * 1_000_000
          const all = asked === undefined ? Array.from({ length: count }, (_, n) => first + n) : [Number(asked)]
          for (const seed of all) yield* round(store, seed, size)
        }),
      300_000
    )
  }
})
