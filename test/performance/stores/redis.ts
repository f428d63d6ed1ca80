/**
 * Redis: beside node-redis's GET, SET with an expiry, MGET, and a thousand SETs that it sends together. One server, on the
 * loopback, where the way there costs least and what is added shows most.
 *
 * Of peers: Keyv and cacheable by `@keyv/redis`, bentocache and unstorage by ioredis 5, which is what both ask for.
 */
import KeyvRedis from "@keyv/redis"
import { redisDriver } from "bentocache/drivers/redis"
import { CacheStore, MemoryStore } from "effect-larder"
import * as RedisStore from "effect-larder/RedisStore"
import { Effect, Layer, Schema } from "effect"
import { Redis as IoRedis } from "ioredis"
import { createClient } from "redis"
import unstorageRedis from "unstorage/drivers/redis"
import * as Redis from "../../fixtures/servers/redis.js"
import * as Contender from "./contender.js"
import type * as Contest from "./contest.js"
import type { Engine } from "./engine.js"
import * as Peers from "./peers.js"
import { Item, records, texts, timeToLive } from "./workload.js"

const names = {
  record: "larder, a record",
  text: "larder, a text",
  memory: "memory alone",
  tiered: "memory over Redis"
}

const bounds: ReadonlyArray<Contest.Bound> = [
  { own: Contender.engineName, operation: "get", below: 1.15 },
  { own: Contender.engineName, operation: "getMany", below: 1.9, target: 1.2 },
  { own: names.text, operation: "get", below: 1.6, target: 1.15 },
  { own: names.text, operation: "atOnce", below: 1.9, target: 0.5 },
  { own: names.text, operation: "inTurns", below: 1.4, target: 0.5 },
  { own: names.text, operation: "getMany", below: 3, target: 1.2 },
  { own: names.record, operation: "get", below: 1.7 }
]

/** With a first tier that has everything. */
const tieredBounds: ReadonlyArray<Contest.Bound> = [{ own: names.tiered, operation: "get", below: 1.1 }]

const raw = (url: string) =>
  Effect.acquireRelease(
    Effect.promise(() => createClient({ url }).connect()),
    (client) => Effect.sync(() => client.destroy())
  ).pipe(
    Effect.map((client) => {
      const set = (key: string, value: string) => client.set(key, value, { PX: timeToLive })
      const get = (key: string) => client.get(key)
      return Contender.promised("node-redis", "raw", texts(), { get, set, getMany: (keys) => client.mGet([...keys]) })
    })
  )

const inMemory = (url: string) =>
  Effect.gen(function* () {
    const work = records()
    const alone = yield* Layer.build(MemoryStore.layer())
    const over = yield* Layer.build(
      MemoryStore.layer().pipe(CacheStore.tieredOver(RedisStore.layer({ url, prefix: "tiered" })))
    )
    const onlyGets = (contender: Contender.Contender, role: Contender.Role): Contender.Contender => ({
      ...contender,
      role,
      runs: { get: contender.runs.get! }
    })
    return [
      onlyGets(yield* Contender.cache(names.memory, alone, Item, work), "raw"),
      onlyGets(yield* Contender.cache(names.tiered, over, Item, work), "own")
    ]
  })

export const redis: Engine = {
  isThere: Redis.isThere,
  contests: Effect.gen(function* () {
    const { port } = yield* Redis.make()
    const url = `redis://127.0.0.1:${port}`
    const work = records()
    const store = yield* Layer.build(RedisStore.layer({ url }))
    return [
      {
        title: "Redis",
        ahead: names.record,
        bounds,
        workload: work,
        serial: { get: 100, set: 100 },
        contenders: [
          yield* raw(url),
          yield* Contender.engine(store, texts()),
          yield* Contender.cache(names.text, store, Schema.String, texts()),
          yield* Contender.cache(names.record, store, Item, work),
          yield* Peers.keyv(work, () => new KeyvRedis(url)),
          yield* Peers.cacheable(work, () => new KeyvRedis(url)),
          yield* Peers.bentocache(work, () => redisDriver({ connection: new IoRedis(url) })),
          yield* Peers.unstorage(work, () => unstorageRedis({ url, base: "unstorage", ttl: timeToLive / 1_000 }))
        ]
      },
      {
        title: "Memory in front of Redis",
        ahead: names.tiered,
        bounds: tieredBounds,
        workload: work,
        serial: { get: 10_000, set: 100 },
        contenders: yield* inMemory(url)
      }
    ]
  })
}
