/**
 * Fifty million mixed operations, half of them under each clock, and then the books: whether all that a memory store
 * keeps twice still agrees, and whether the heap is what it was after the first tenth of them.
 *
 * Workload: two caches that share a store of 10 000 places, bounded by entries and bytes, some of it pinned; keys by
 * Zipf's law out of 50 000 each. Of a thousand operations 900 are gets (which load what is missing), 60 writes, 39
 * invalidations and 1 of a tag; now and then the sizes are asked for. Half of the entries live for a while only. Once
 * under a TestClock, which is set forward all the while, and once under the real clock.
 */
import { Effect, TestClock, TestContext } from "effect"
import { Cache, CacheStore, MemoryStore } from "effect-larder"
import type { Pool } from "larder-internal/store/memory/pool.js"
import type { MemoryRegion } from "larder-internal/store/memory/region.js"
import { audit } from "../fixtures/memory/audit.js"
import * as Claims from "./claims.js"
import { random, zipf } from "./ratio/traces.js"
import type { Row, Suite } from "./suite.js"
import { textKeys } from "./workloads.js"

const capacity = 10_000
const keys = textKeys(50_000)
const parts = 50
const names = ["first", "second"] as const

type Texts = Cache.Cache<string, number>

const make = (name: string) =>
  Cache.make(name, {
    lookup: (key: string) => Effect.succeed(key.length),
    timeToLive: (length, key) => (key.charCodeAt(key.length - 1) % 2 === 0 ? Infinity : 40 * length),
    tags: (_, key) => [key.slice(0, 7)]
  })

const draws = (seed: number): { readonly key: () => string; readonly roll: () => number } => {
  const rank = zipf(keys.length, 0.9, random(seed))
  const roll = random(seed + 1)
  return { key: () => keys[rank()]!, roll: () => roll() * 100 }
}

const operation = (cache: Texts, key: string, roll: number): Effect.Effect<unknown> => {
  if (roll < 90) return cache.get(key)
  if (roll < 96) return Effect.orDie(cache.set(key, 1))
  if (roll < 99.9) return Effect.orDie(cache.invalidate(key))
  return roll < 99.999 ? Effect.orDie(cache.invalidateTags([key.slice(0, 7)])) : Effect.orDie(cache.size)
}

const mixed = (
  caches: ReadonlyArray<Texts>,
  { key, roll }: ReturnType<typeof draws>,
  times: number
): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (let done = 0; done < times; done++) yield* operation(caches[done & 1]!, key(), roll())
  })

const heapUsed = (): number => {
  globalThis.gc?.()
  globalThis.gc?.()
  return process.memoryUsage().heapUsed
}

interface Outcome {
  readonly heaps: ReadonlyArray<number>
  readonly removals: MemoryStore.Usage["removals"]
}

/** The pool behind the caches of the store that is in force, with all of its regions. */
const booksOf = (regions: ReadonlyArray<CacheStore.Region<number, never>>) => {
  const views = regions.map((region) => region.near as unknown as MemoryRegion<unknown, unknown>)
  const pool: Pool = views[0]!.pool
  return () => audit(pool, views)
}

/** Hands on the store, and remembers the regions that are opened on it. */
const watched = (opened: Array<CacheStore.Region<number, never>>) =>
  Effect.map(
    CacheStore.CacheStore,
    (store): CacheStore.Service => ({
      ...store,
      region: (options) =>
        Effect.tap(store.region(options), (region) =>
          Effect.sync(() => opened.push(region as unknown as CacheStore.Region<number, never>))
        )
    })
  )

const run = (total: number, betweenParts: Effect.Effect<void>): Effect.Effect<Outcome, unknown> =>
  Effect.gen(function* () {
    const opened: Array<CacheStore.Region<number, never>> = []
    const caches = yield* Effect.forEach(names, make).pipe(
      Effect.provideServiceEffect(CacheStore.CacheStore, watched(opened))
    )
    const check = booksOf(opened)
    const next = draws(7)
    const heaps: Array<number> = []
    for (let part = 0; part < parts; part++) {
      yield* mixed(caches, next, total / parts)
      yield* betweenParts
      check()
      if (part >= parts / 10 - 1) heaps.push(heapUsed())
    }
    const { removals } = yield* Effect.flatMap(MemoryStore.Controls, (controls) => controls.usage)
    return { heaps, removals }
  }).pipe(
    Effect.scoped,
    Effect.provide(
      MemoryStore.layer({
        maxEntries: capacity,
        maxBytes: 600 * capacity,
        pinned: (key) => key.endsWith("77")
      })
    )
  )

const clocks = {
  "under a TestClock": (total: number) =>
    run(total, TestClock.adjust("1 seconds")).pipe(Effect.provide(TestContext.TestContext)),
  "under the real clock": (total: number) => run(total, Effect.sleep(1))
}

export const soak: Suite = async ({ quick }) => {
  const total = quick ? 1_000_000 : 25_000_000
  const tables: Array<{ readonly title: string; readonly rows: ReadonlyArray<Row> }> = []
  const claims: Array<Claims.Claim> = []
  for (const [title, start] of Object.entries(clocks)) {
    const { heaps, removals } = await Effect.runPromise(start(total))
    const ratios = heaps.slice(Math.floor(heaps.length / 2)).map((heap) => heap / heaps[0]!)
    console.log(`  ${total} operations ${title}, all books agree; gone: ${JSON.stringify(removals)}`)
    tables.push({
      title: `The heap ${title}, after each fiftieth of the operations`,
      rows: [{ name: "larder", unit: "bytes", values: heaps, batch: 1 }]
    })
    claims.push(
      Claims.below(`after ${total} operations the heap is what it was after a tenth: ${title}`, "x", 1.05, ratios)
    )
  }
  return { tables, claims }
}
