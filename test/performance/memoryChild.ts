/**
 * One process that holds the entries in one way, and tells how much it grew:
 * `node --expose-gc ... memoryChild.ts Map 10000 text`, where the values are texts of 1 KiB, or `number`.
 * All code has run once before the first look, so that what is seen is the entries and not their compilation.
 */
import { BentoCache, bentostore } from "bentocache"
import { memoryDriver } from "bentocache/drivers/memory"
import { createCache } from "cache-manager"
import { CacheableMemory } from "cacheable"
import { Cache as EffectCache, Effect, Schema } from "effect"
import type { Scope } from "effect"
import { Cache, MemoryStore } from "effect-larder"
import type { CacheStore } from "effect-larder"
import { Keyv } from "keyv"
import { LRUCache } from "lru-cache"
import { text1KiB } from "./workloads.js"

/** What keeps the entries alive until the last look, and what the holder itself thinks they weigh. */
interface Held {
  readonly count: number
  readonly estimate: number | undefined
}

type Fill = (count: number) => Effect.Effect<Held>
type Holder = Effect.Effect<Fill, unknown, Scope.Scope | CacheStore.CacheStore>

const [name = "", size = "0", kind = "text"] = process.argv.slice(2)
const capacity = Math.max(1_000, Number(size))
const hour = 3_600_000

const keyOf = (index: number): string => `user:${index}`
const valueOf = (index: number): string | number => (kind === "text" ? text1KiB(index) : index)

const plain =
  (count: (keys: number) => number, fill: (index: number) => void): Fill =>
  (size) =>
    Effect.sync(() => {
      for (let index = 0; index < size; index++) fill(index)
      return { count: count(size), estimate: undefined }
    })

/** A cache of the world outside Effect, bounded and with expiry. */
const promised =
  (set: (key: string, value: string | number) => unknown, count: (keys: number) => number): Fill =>
  (size) =>
    Effect.promise(async () => {
      for (let index = 0; index < size; index++) await set(keyOf(index), valueOf(index))
      return { count: count(size), estimate: undefined }
    })

const holders: Readonly<Record<string, Holder>> = {
  "values alone": Effect.sync(() => {
    const values: Array<string | number> = []
    return plain(
      () => values.length,
      (index) => values.push(valueOf(index))
    )
  }),
  Map: Effect.sync(() => {
    const map = new Map<string, string | number>()
    return plain(
      () => map.size,
      (index) => map.set(keyOf(index), valueOf(index))
    )
  }),
  "lru-cache": Effect.sync(() => {
    const cache = new LRUCache<string, string | number>({ max: capacity, ttl: hour })
    return plain(
      () => cache.size,
      (index) => cache.set(keyOf(index), valueOf(index))
    )
  }),
  bentocache: Effect.sync(() => {
    const cache = new BentoCache({
      default: "memory",
      stores: { memory: bentostore().useL1Layer(memoryDriver({ maxItems: capacity })) }
    })
    return promised(
      (key, value) => cache.set({ key, value, ttl: "1h" }),
      (count) => count
    )
  }),
  cacheable: Effect.sync(() => {
    const cache = new CacheableMemory({ ttl: "1h", lruSize: capacity })
    return promised(
      (key, value) => cache.set(key, value),
      () => cache.size
    )
  }),
  "cache-manager": Effect.sync(() => {
    const store = new CacheableMemory({ ttl: "1h", lruSize: capacity })
    const cache = createCache({ ttl: hour, stores: [new Keyv({ store })] })
    return promised(
      (key, value) => cache.set(key, value),
      () => store.size
    )
  }),
  "effect/Cache": Effect.gen(function* () {
    const cache = yield* EffectCache.make({
      capacity,
      timeToLive: "1 hour",
      lookup: (key: string) => Effect.succeed(valueOf(Number(key.slice(5))))
    })
    return (count) =>
      Effect.gen(function* () {
        for (let index = 0; index < count; index++) yield* cache.get(keyOf(index))
        return { count: yield* cache.size, estimate: undefined }
      })
  }),
  larder: Effect.gen(function* () {
    const cache = yield* Cache.make("texts", {
      key: Schema.String,
      lookup: (key) => Effect.succeed(valueOf(Number(key.slice(5)))),
      timeToLive: "1 hour"
    })
    return (count: number) =>
      Effect.gen(function* () {
        for (let index = 0; index < count; index++) yield* cache.get(keyOf(index))
        const { tiers } = yield* cache.stats
        return { count: yield* Effect.orDie(cache.size), estimate: tiers[0]?.bytes }
      })
  })
}

/** What the process takes: the heap and what hangs on it after a collection, and all memory by the system's account. */
const look = () => {
  // twice: what the first collection finds unused may have been all that held on to something else
  globalThis.gc?.()
  globalThis.gc?.()
  const { external, heapUsed, rss } = process.memoryUsage()
  return { heap: heapUsed + external, rss }
}

const holder = holders[name] ?? Effect.dieMessage(`there is no holder ${name}`)
const store = MemoryStore.layer({ capacity })

/** On a store of its own, gone when it is done. */
const rehearsal = Effect.flatMap(holder, (fill) => fill(1_000)).pipe(Effect.scoped, Effect.provide(store))

const measured = Effect.gen(function* () {
  // before the holder is made: some take all that they will ever need at once
  const before = look()
  const fill = yield* holder
  const held = yield* fill(Number(size))
  const after = look()
  return { ...held, heap: after.heap - before.heap, rss: after.rss }
}).pipe(Effect.scoped, Effect.provide(store))

// The system counts what the heap has set aside too, so what the rehearsal left unused would hide some of the growth:
// this difference starts before it, and is more than the entries take rather than less.
const atStart = look()
Effect.runPromise(Effect.zipRight(rehearsal, measured)).then((grown) =>
  console.log(JSON.stringify({ ...grown, rss: grown.rss - atStart.rss, process: grown.rss }))
)
