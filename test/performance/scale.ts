/**
 * Whether an operation costs the same however many entries there are: from 1000 to a million of them.
 *
 * Workload: caches that are full (capacity = entries), so that every miss pushes one out. Keys are visited in an order
 * that jumps about, each as often as any other; hits also as programs do it, few keys often and most of them rarely.
 * The first is the worst case for the processor's own cache, which most entries do not fit in, and no data structure
 * helps with that: what even a Map in the same run pays for it is what such a hit is held against. Whatever were linear
 * in the number of entries would come out at 1000.
 */
import { Cache as EffectCache, Effect, Layer, Schema } from "effect"
import { Cache, MemoryStore } from "effect-larder"
import type { CacheStore } from "effect-larder"
import * as SqliteStore from "effect-larder/SqliteStore"
import * as Claims from "./claims.js"
import type { Sample, Subject } from "./measure.js"
import { measure, pairwise, ratios } from "./measure.js"
import type { Row, Suite, Table } from "./suite.js"
import { finder, inFiber, toRow } from "./suite.js"
import { around, scattered, skewed, textKeys } from "./workloads.js"

const smallest = 1_000
/** In a file, where filling takes its time, up to a tenth of what memory is tried with. */
const sizes = { memory: [smallest, 10_000, 100_000, 1_000_000], sqlite: [smallest, 10_000, 100_000] } as const
type Where = keyof typeof sizes
const largestIn = (where: Where): number => sizes[where].at(-1)!

/** However many more entries may make an operation this much dearer. */
const flat = 4

const titleOf = (what: string, size: number): string => `${what}, ${size} entries`

const lengths = Cache.make("lengths", {
  key: Schema.String,
  success: Schema.Number,
  lookup: (text) => Effect.succeed(text.length),
  timeToLive: "1 hour"
})

const visiting = (size: number, order: ReadonlyArray<number> = scattered(size)): (() => string) => {
  const keys = textKeys(size)
  return around(order.map((index) => keys[index]!))
}

/** A cache with this many entries, on a store of its own that lives as long as the suite. */
const filled = <E>(size: number, layer: Layer.Layer<CacheStore.CacheStore, E>) =>
  Effect.gen(function* () {
    const cache = yield* Effect.provide(lengths, yield* Layer.build(layer))
    const keys = textKeys(size)
    for (let at = 0; at < size; at += 1_000) {
      yield* cache.setMany(keys.slice(at, at + 1_000).map((key) => [key, key.length] as const))
    }
    return cache
  })

/** New keys without end: a cache that is full gives up an entry for each. */
const unseen = (): (() => string) => {
  let count = 0
  return () => `unseen:${count++}`
}

const memory = {
  map: "Map.get, all keys as often",
  mapSkewed: "Map.get, few keys often",
  peer: "effect/Cache: hit",
  hit: "memory: hit, all keys as often",
  skewed: "memory: hit, few keys often",
  set: "memory: set",
  invalidate: "memory: invalidate and load anew",
  miss: "memory: miss that pushes one out"
} as const

const looking = (name: string, map: ReadonlyMap<string, number>, next: () => string): Subject => ({
  name,
  run: (times) => {
    let sum = 0
    for (let done = 0; done < times; done++) sum += map.get(next())!
    if (sum === 0) throw new Error("nothing was found")
  }
})

const memorySubjects = (size: number) =>
  Effect.gen(function* () {
    const runtime = yield* Effect.runtime()
    const cache = yield* filled(size, MemoryStore.layer({ capacity: size }))
    const full = yield* filled(size, MemoryStore.layer({ capacity: size }))
    const peer = yield* EffectCache.make({
      capacity: size,
      timeToLive: "1 hour",
      lookup: (text: string) => Effect.succeed(text.length)
    })
    for (const key of textKeys(size)) yield* peer.get(key)
    const next = {
      map: visiting(size),
      mapSkewed: visiting(size, skewed(size, 1 << 16)),
      peer: visiting(size),
      hit: visiting(size),
      skewed: visiting(size, skewed(size, 1 << 16)),
      set: visiting(size),
      again: visiting(size),
      miss: unseen()
    }
    const map = new Map(textKeys(size).map((key) => [key, key.length]))
    const subjects: ReadonlyArray<Subject> = [
      looking(titleOf(memory.map, size), map, next.map),
      looking(titleOf(memory.mapSkewed, size), map, next.mapSkewed),
      inFiber(runtime, titleOf(memory.peer, size), () => peer.get(next.peer())),
      inFiber(runtime, titleOf(memory.hit, size), () => cache.get(next.hit())),
      inFiber(runtime, titleOf(memory.skewed, size), () => cache.get(next.skewed())),
      inFiber(runtime, titleOf(memory.set, size), () => cache.set(next.set(), 1), 256),
      inFiber(runtime, titleOf(memory.miss, size), () => full.get(next.miss()), 256),
      inFiber(
        runtime,
        titleOf(memory.invalidate, size),
        () => {
          const key = next.again()
          return Effect.zipRight(cache.invalidate(key), cache.get(key))
        },
        256
      )
    ]
    return subjects
  })

const sqlite = { hit: "SQLite: hit", set: "SQLite: set", miss: "SQLite: miss" } as const

const sqliteSubjects = (size: number) =>
  Effect.gen(function* () {
    const runtime = yield* Effect.runtime()
    const cache = yield* filled(size, SqliteStore.layerTemporary)
    const next = { hit: visiting(size), set: visiting(size), miss: unseen() }
    return [
      inFiber(runtime, titleOf(sqlite.hit, size), () => cache.get(next.hit())),
      inFiber(runtime, titleOf(sqlite.set, size), () => cache.set(next.set(), 1)),
      inFiber(runtime, titleOf(sqlite.miss, size), () => cache.get(next.miss()))
    ]
  })

/** Per operation, what the most entries cost for each time that 1000 do. */
const growth = (find: (name: string) => Sample, what: string, where: Where): ReadonlyArray<number> =>
  ratios(find(titleOf(what, largestIn(where))), find(titleOf(what, smallest)))

const growthRow = (find: (name: string) => Sample, what: string, where: Where): Row => {
  const { batch } = find(titleOf(what, smallest))
  return { name: what, unit: "x", values: growth(find, what, where), batch }
}

const table = (
  title: string,
  samples: ReadonlyArray<Sample>,
  whats: ReadonlyArray<string>,
  where: Where
): ReadonlyArray<Table> => {
  const find = finder(samples)
  const rows = whats.flatMap((what) => sizes[where].map((size) => toRow(find(titleOf(what, size)))))
  return [
    { title, rows },
    {
      title: `${title}: ${largestIn(where)} entries against ${smallest}`,
      rows: whats.map((what) => growthRow(find, what, where))
    }
  ]
}

const claimsOf = (
  samples: ReadonlyArray<Sample>,
  whats: ReadonlyArray<string>,
  where: Where
): ReadonlyArray<Claims.Claim> => {
  const find = finder(samples)
  return whats.map((what) =>
    Claims.below(
      `cost stays flat from ${smallest} to ${largestIn(where)} entries: ${what}`,
      "x",
      flat,
      growth(find, what, where)
    )
  )
}

/** How much more a hit's cost grows than that of a Map that is visited alike, which pays for the same memory. */
const againstMap = (samples: ReadonlyArray<Sample>): ReadonlyArray<Claims.Claim> => {
  const find = finder(samples)
  const as = (what: string): Sample => ({ name: what, batch: 1, nanos: growth(find, what, "memory") })
  return (
    [
      ["hit", "map"],
      ["skewed", "mapSkewed"]
    ] as const
  ).map(([own, map]) =>
    Claims.below(
      `cost grows less than a Map's from ${smallest} to ${largestIn("memory")} entries: ${memory[own]}`,
      "x",
      1,
      pairwise(as(memory[own]), as(memory[map]), (a, b) => a / b)
    )
  )
}

export const scale: Suite = ({ quick }) =>
  Effect.gen(function* () {
    const inMemory = yield* Effect.forEach(sizes.memory, memorySubjects)
    const near = yield* Effect.promise(() =>
      measure(inMemory.flat(), { warmup: quick ? 10 : 30, rounds: quick ? 30 : 200, batch: 2_048 })
    )
    const inSqlite = yield* Effect.forEach(sizes.sqlite, sqliteSubjects)
    const far = yield* Effect.promise(() =>
      measure(inSqlite.flat(), { warmup: quick ? 5 : 10, rounds: quick ? 20 : 100, batch: 16 })
    )
    const own = [memory.set, memory.invalidate, memory.miss]
    return {
      tables: [
        ...table("Operations over memory", near, Object.values(memory), "memory"),
        ...table("Operations over a SQLite file", far, Object.values(sqlite), "sqlite")
      ],
      claims: [...againstMap(near), ...claimsOf(near, own, "memory"), ...claimsOf(far, Object.values(sqlite), "sqlite")]
    }
  }).pipe(Effect.scoped, Effect.runPromise)
