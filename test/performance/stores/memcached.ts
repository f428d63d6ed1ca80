/**
 * memcached: beside the least that can speak its protocol (`get` of one and of many keys, `set`), and beside memjs, the
 * client that most of the field stands on. One server on the loopback.
 *
 * Of peers: memjs itself, Keyv and cacheable by `@keyv/memcache`, which stands on it. bentocache and unstorage have no
 * driver for memcached.
 */
import KeyvMemcache from "@keyv/memcache"
import * as MemcachedStore from "effect-larder/MemcachedStore"
import { Effect, Layer, Schema } from "effect"
import memjs from "memjs"
import * as Memcached from "../../fixtures/servers/memcached.js"
import * as Contender from "./contender.js"
import type * as Contest from "./contest.js"
import type { Engine } from "./engine.js"
import { connect } from "./memcachedClient.js"
import * as Peers from "./peers.js"
import { Item, records, texts, timeToLive } from "./workload.js"

const names = { record: "larder, a record", text: "larder, a text" }

const bounds: ReadonlyArray<Contest.Bound> = [
  { own: Contender.engineName, operation: "get", below: 1.8, target: 1.15 },
  { own: Contender.engineName, operation: "getMany", below: 1.8, target: 1.2 },
  { own: names.text, operation: "get", below: 2.1, target: 1.15 },
  { own: names.text, operation: "atOnce", below: 2.3, target: 0.5 },
  { own: names.text, operation: "inTurns", below: 1.7, target: 0.5 },
  { own: names.text, operation: "getMany", below: 2.8, target: 1.2 }
]

const seconds = timeToLive / 1_000

const raw = (port: number) =>
  Effect.map(connect(port), (client) =>
    Contender.promised("a bare socket", "raw", texts(), {
      get: async (key) => (await client.getMany([key])).get(key),
      set: (key, value) => client.set(key, value, seconds),
      getMany: (keys) => client.getMany(keys)
    })
  )

const ofMemjs = (port: number) =>
  Effect.acquireRelease(
    Effect.sync(() => memjs.Client.create(`127.0.0.1:${port}`)),
    (client) => Effect.sync(() => client.quit())
  ).pipe(
    Effect.map((client) =>
      Contender.promised("memjs", "peer", records(), {
        get: async (key) => {
          const { value } = await client.get(key)
          return value === null ? undefined : (JSON.parse(value.toString()) as unknown)
        },
        set: (key, value) => client.set(key, JSON.stringify(value), { expires: seconds })
      })
    )
  )

export const memcached: Engine = {
  isThere: Memcached.isThere,
  contests: Effect.gen(function* () {
    const { port } = yield* Memcached.make()
    const work = records()
    const store = yield* Layer.build(MemcachedStore.layer({ url: `memcached://127.0.0.1:${port}` }))
    return [
      {
        title: "memcached",
        ahead: names.record,
        bounds,
        workload: work,
        serial: { get: 100, set: 100 },
        contenders: [
          yield* raw(port),
          yield* Contender.engine(store, texts()),
          yield* Contender.cache(names.text, store, Schema.String, texts()),
          yield* Contender.cache(names.record, store, Item, work),
          yield* ofMemjs(port),
          yield* Peers.keyv(work, () => new KeyvMemcache(`127.0.0.1:${port}`)),
          yield* Peers.cacheable(work, () => new KeyvMemcache(`127.0.0.1:${port}`))
        ]
      }
    ]
  })
}
