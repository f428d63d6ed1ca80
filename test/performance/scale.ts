/**
 * Whether an operation costs the same however many entries there are: from 1000 to 100 000 of them.
 *
 * Workload: caches that are full (capacity = entries), so that every miss pushes one out. Keys are visited in an order
 * that jumps about, each as often as any other; hits also as programs do it, few keys often and most of them rarely.
 * The first is the worst case for the processor's own cache, which 100 000 entries do not fit in, and no data structure
 * helps with that: what even a Map in the same run pays for it is what such a hit is held against. Whatever were linear
 * in the number of entries would come out at 100.
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

const sizes = [1_000, 10_000, 100_000] as const
const [smallest, largest] = [sizes[0], sizes[2]]

/** A hundred times the entries may make an operation this much dearer. */
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
  map: "Map.get",
  peer: "effect/Cache: hit",
  hit: "memory: hit, all keys as often",
  skewed: "memory: hit, few keys often",
  set: "memory: set",
  invalidate: "memory: invalidate and load anew",
  miss: "memory: miss that pushes one out"
} as const

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
      peer: visiting(size),
      hit: visiting(size),
      skewed: visiting(size, skewed(size, 1 << 16)),
      set: visiting(size),
      again: visiting(size),
      miss: unseen()
    }
    const map = new Map(textKeys(size).map((key) => [key, key.length]))
    const subjects: ReadonlyArray<Subject> = [
      {
        name: titleOf(memory.map, size),
        run: (times) => {
          let sum = 0
          for (let done = 0; done < times; done++) sum += map.get(next.map())!
          if (sum === 0) throw new Error("nothing was found")
        }
      },
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

/** Per operation, what 100 000 entries cost for each time that 1000 do. */
const growth = (find: (name: string) => Sample, what: string): ReadonlyArray<number> =>
  ratios(find(titleOf(what, largest)), find(titleOf(what, smallest)))

const growthRow = (find: (name: string) => Sample, what: string): Row => {
  const { batch } = find(titleOf(what, smallest))
  return { name: what, unit: "x", values: growth(find, what), batch }
}

const table = (title: string, samples: ReadonlyArray<Sample>, whats: ReadonlyArray<string>): ReadonlyArray<Table> => {
  const find = finder(samples)
  const rows = whats.flatMap((what) => sizes.map((size) => toRow(find(titleOf(what, size)))))
  return [
    { title, rows },
    { title: `${title}: ${largest} entries against ${smallest}`, rows: whats.map((what) => growthRow(find, what)) }
  ]
}

const claimsOf = (samples: ReadonlyArray<Sample>, whats: ReadonlyArray<string>): ReadonlyArray<Claims.Claim> => {
  const find = finder(samples)
  return whats.map((what) =>
    Claims.below(`cost stays flat from ${smallest} to ${largest} entries: ${what}`, "x", flat, growth(find, what))
  )
}

/** The worst case: how much more a hit's cost grows than that of a Map, which pays for the same memory. */
const againstMap = (samples: ReadonlyArray<Sample>): Claims.Claim => {
  const find = finder(samples)
  const as = (what: string): Sample => ({ name: what, batch: 1, nanos: growth(find, what) })
  return Claims.below(
    `cost grows less than a Map's from ${smallest} to ${largest} entries: ${memory.hit}`,
    "x",
    1,
    pairwise(as(memory.hit), as(memory.map), (own, other) => own / other)
  )
}

export const scale: Suite = ({ quick }) =>
  Effect.gen(function* () {
    const inMemory = yield* Effect.forEach(sizes, memorySubjects)
    const near = yield* Effect.promise(() =>
      measure(inMemory.flat(), { warmup: quick ? 10 : 30, rounds: quick ? 30 : 200, batch: 2_048 })
    )
    const inSqlite = yield* Effect.forEach(sizes, sqliteSubjects)
    const far = yield* Effect.promise(() =>
      measure(inSqlite.flat(), { warmup: quick ? 5 : 10, rounds: quick ? 20 : 100, batch: 16 })
    )
    const own = [memory.skewed, memory.set, memory.invalidate, memory.miss]
    return {
      tables: [
        ...table("Operations over memory", near, Object.values(memory)),
        ...table("Operations over a SQLite file", far, Object.values(sqlite))
      ],
      claims: [againstMap(near), ...claimsOf(near, own), ...claimsOf(far, Object.values(sqlite))]
    }
  }).pipe(Effect.scoped, Effect.runPromise)
