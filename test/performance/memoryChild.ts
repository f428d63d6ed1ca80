/**
 * One process that holds the entries in one way, and tells how much it grew: `node --expose-gc ... memoryChild.ts Map`.
 * All code has run once before the first look, so that what is seen is the entries and not their compilation.
 */
import { Cache as EffectCache, Effect, Schema } from "effect"
import type { Scope } from "effect"
import { Cache, MemoryStore } from "effect-larder"
import type { CacheStore } from "effect-larder"
import { text1KiB } from "./workloads.js"

/** What keeps the entries alive until the last look, and what the holder itself thinks they weigh. */
interface Held {
  readonly count: number
  readonly estimate: number | undefined
}

type Fill = (count: number) => Effect.Effect<Held>
/** Made empty before the first look; filled after it. */
type Holder = Effect.Effect<Fill, unknown, Scope.Scope | CacheStore.CacheStore>

const keyOf = (index: number): string => `user:${index}`

const plain =
  (count: (keys: number) => number, fill: (index: number) => void): Fill =>
  (size) =>
    Effect.sync(() => {
      for (let index = 0; index < size; index++) fill(index)
      return { count: count(size), estimate: undefined }
    })

const holders: Readonly<Record<string, Holder>> = {
  "values alone": Effect.sync(() => {
    const values: Array<string> = []
    return plain(
      () => values.length,
      (index) => values.push(text1KiB(index))
    )
  }),
  Map: Effect.sync(() => {
    const map = new Map<string, string>()
    return plain(
      () => map.size,
      (index) => map.set(keyOf(index), text1KiB(index))
    )
  }),
  "effect/Cache": Effect.gen(function* () {
    const cache = yield* EffectCache.make({
      capacity: 10_000,
      timeToLive: "1 hour",
      lookup: (index: string) => Effect.succeed(text1KiB(Number(index.slice(5))))
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
      lookup: (key) => Effect.succeed(text1KiB(Number(key.slice(5)))),
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

const [name = "", count = ""] = process.argv.slice(2)

const holder = holders[name] ?? Effect.dieMessage(`there is no holder ${name}`)
const store = MemoryStore.layer({ capacity: 10_000 })

/** On a store of its own, gone when it is done. */
const rehearsal = Effect.flatMap(holder, (fill) => fill(1_000)).pipe(Effect.scoped, Effect.provide(store))

const measured = Effect.gen(function* () {
  const fill = yield* holder
  const before = look()
  const held = yield* fill(Number(count))
  const after = look()
  return { ...held, heap: after.heap - before.heap, rss: after.rss }
}).pipe(Effect.scoped, Effect.provide(store))

// The system counts what the heap has set aside too, so what the rehearsal left unused would hide some of the growth:
// this difference starts before it, and is more than the entries take rather than less.
const atStart = look()
Effect.runPromise(Effect.zipRight(rehearsal, measured)).then((grown) =>
  console.log(JSON.stringify({ ...grown, rss: grown.rss - atStart.rss, process: grown.rss }))
)
