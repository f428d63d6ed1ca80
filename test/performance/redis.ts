/**
 * What a get over Redis costs beside node-redis itself, and beside Keyv, on one server that is started for this, on the
 * loopback, where the way there costs least and what is added shows most.
 *
 * The entries are objects of five fields, a hundred bytes as JSON. node-redis is given the text and parses nothing;
 * ours decode and validate by their Schema.
 */
import KeyvRedis from "@keyv/redis"
import { Cache, CacheStore, MemoryStore } from "effect-larder"
import * as RedisStore from "effect-larder/RedisStore"
import { Effect, Layer, Runtime, Schema } from "effect"
import Keyv from "keyv"
import { createClient } from "redis"
import * as Redis from "../fixtures/servers/redis.js"
import * as Claims from "./claims.js"
import type { Subject } from "./measure.js"
import { measure, ratios } from "./measure.js"
import type { Suite } from "./suite.js"
import { finder, inFiber, toRow } from "./suite.js"

const Item = Schema.Struct({
  id: Schema.String,
  name: Schema.String,
  price: Schema.Number,
  stock: Schema.Number,
  tags: Schema.Array(Schema.String)
})
const item = (id: string) => ({ id, name: "a loaf of brown bread", price: 4.5, stock: 12, tags: ["bread", "fresh"] })

const width = 100
const keys = Array.from({ length: width }, (_, index) => `item:${index}`)
const around = (() => {
  let next = 0
  return () => keys[next++ % width]!
})()

const names = {
  raw: "node-redis: get",
  larder: "larder: get over Redis",
  keyv: "Keyv: get over Redis",
  rawMany: "node-redis: a hundred gets at once",
  larderMany: "larder: a hundred gets at once, each of a fiber",
  rawBatch: "node-redis: mGet of a hundred",
  larderBatch: "larder: getMany of a hundred",
  keyvBatch: "Keyv: getMany of a hundred",
  memory: "larder: get of memory alone",
  tiered: "larder: get of memory over Redis",
  rawSet: "node-redis: set with expiry",
  larderSet: "larder: set over Redis",
  keyvSet: "Keyv: set over Redis"
} as const

const fork = Runtime.runFork(Runtime.defaultRuntime)

/** As many fibers as there are keys, each on its own. */
const callers = (get: (key: string) => Effect.Effect<unknown, unknown>): Promise<void> =>
  new Promise((resolve) => {
    let left = width
    for (const key of keys) {
      fork(get(key)).addObserver(() => {
        left--
        if (left === 0) resolve()
      })
    }
  })

const serial = (name: string, get: () => Promise<unknown>): Subject => ({
  name,
  run: async (times) => {
    for (let done = 0; done < times; done++) await get()
  }
})

/** The nanoseconds are those of one key. */
const wide = (name: string, once: () => Promise<unknown>): Subject => ({
  name,
  batch: width * 10,
  run: async (times) => {
    for (let done = 0; done < times; done += width) await once()
  }
})

const open = <E>(layer: Layer.Layer<CacheStore.CacheStore, E>) =>
  Effect.flatMap(Layer.build(layer), (context) =>
    Effect.provide(
      Cache.make("bench", {
        key: Schema.String,
        success: Item,
        timeToLive: "1 hour",
        lookup: (id) => Effect.succeed(item(id))
      }),
      context
    )
  )

export const redis: Suite = ({ quick }) =>
  Effect.gen(function* () {
    const server = yield* Redis.make()
    const url = `redis://127.0.0.1:${server.port}`
    const cache = yield* open(RedisStore.layer({ url }))
    const alone = yield* open(MemoryStore.layer())
    const tiered = yield* open(
      MemoryStore.layer().pipe(CacheStore.tieredOver(RedisStore.layer({ url, prefix: "tiered" })))
    )
    const client = yield* Effect.acquireRelease(
      Effect.promise(() => createClient({ url }).connect()),
      (client) => Effect.sync(() => client.destroy())
    )
    const keyv = yield* Effect.acquireRelease(
      Effect.sync(() => new Keyv({ store: new KeyvRedis(url), namespace: "keyv", ttl: 3_600_000 })),
      (keyv) => Effect.promise(() => keyv.disconnect())
    )
    yield* cache.getMany(keys)
    yield* alone.getMany(keys)
    yield* tiered.getMany(keys)
    yield* Effect.promise(() =>
      Promise.all(keys.flatMap((key) => [client.set(key, JSON.stringify(item(key))), keyv.set(key, item(key))]))
    )
    const runtime = yield* Effect.runtime<never>()
    const many = Effect.runPromise
    const samples = yield* Effect.promise(() =>
      measure(
        [
          serial(names.raw, () => client.get(around())),
          inFiber(runtime, names.larder, () => cache.get(around())),
          serial(names.keyv, () => keyv.get(around())),
          wide(names.rawMany, () => Promise.all(keys.map((key) => client.get(key)))),
          wide(names.larderMany, () => callers(cache.get)),
          wide(names.rawBatch, () => client.mGet(keys)),
          wide(names.larderBatch, () => many(cache.getMany(keys))),
          wide(names.keyvBatch, () => keyv.getMany(keys)),
          inFiber(runtime, names.memory, () => alone.get(around()), 10_000),
          inFiber(runtime, names.tiered, () => tiered.get(around()), 10_000),
          serial(names.rawSet, () => client.set("raw", JSON.stringify(item("raw")), { PX: 3_600_000 })),
          inFiber(runtime, names.larderSet, () => cache.set("set", item("set"))),
          serial(names.keyvSet, () => keyv.set("set", item("set")))
        ],
        { warmup: quick ? 5 : 20, rounds: quick ? 20 : 60, batch: 100 }
      )
    )
    const find = finder(samples)
    const claim = (text: string, bound: number, own: string, other: string) =>
      Claims.below(text, "x", bound, ratios(find(own), find(other)))
    return {
      tables: [{ title: "Over a Redis server, for each key", rows: samples.map(toRow) }],
      claims: [
        claim("a get, decoded and validated, costs less than three of node-redis's own", 3, names.larder, names.raw),
        claim("memory over Redis is as fast as memory", 1.1, names.tiered, names.memory)
      ]
    }
  }).pipe(Effect.scoped, Effect.runPromise)
