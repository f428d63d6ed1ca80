/**
 * The caches and storages of the world outside, each with its own adapter for the engine in question, set up as its guide
 * does, and with what makes it slower left out: none of them has a first tier in memory, which would be measured instead.
 * cacheable has the engine for its only (primary) store, bentocache for its only (second) tier.
 */
import { BentoCache, bentostore } from "bentocache"
import { Cacheable } from "cacheable"
import { Effect } from "effect"
import Keyv, { type KeyvStoreAdapter } from "keyv"
import { createStorage, type Driver } from "unstorage"
import { promised } from "./contender.js"
import { timeToLive, type Workload } from "./workload.js"

/** `@keyv/postgres` has one pool for all of a url, and the second that closes it is told so. */
const closed = (close: () => Promise<unknown>) => Effect.ignore(Effect.tryPromise(close))

export const keyv = <A>(workload: Workload<A>, open: () => KeyvStoreAdapter) =>
  Effect.acquireRelease(
    Effect.sync(() => new Keyv({ store: open(), namespace: "keyv", ttl: timeToLive })),
    (keyv) => closed(() => keyv.disconnect())
  ).pipe(
    Effect.map((keyv) =>
      promised("Keyv", "peer", workload, {
        get: (key) => keyv.get(key),
        set: (key, value) => keyv.set(key, value),
        getMany: (keys) => keyv.getMany([...keys]),
        setMany: (entries) => keyv.setMany(entries.map(([key, value]) => ({ key, value })))
      })
    )
  )

export const cacheable = <A>(workload: Workload<A>, open: () => KeyvStoreAdapter) =>
  Effect.acquireRelease(
    Effect.sync(() => new Cacheable({ primary: new Keyv({ store: open(), namespace: "cacheable" }), ttl: timeToLive })),
    (cacheable) => closed(() => cacheable.disconnect())
  ).pipe(
    Effect.map((cacheable) =>
      promised("cacheable", "peer", workload, {
        get: (key) => cacheable.get(key),
        set: (key, value) => cacheable.set(key, value),
        getMany: (keys) => cacheable.getMany([...keys]),
        setMany: (entries) => cacheable.setMany(entries.map(([key, value]) => ({ key, value })))
      })
    )
  )

type Tier = Parameters<ReturnType<typeof bentostore>["useL2Layer"]>[0]

/** It reads and writes one key at a time. */
export const bentocache = <A>(workload: Workload<A>, open: () => Tier) =>
  Effect.acquireRelease(
    Effect.sync(
      () => new BentoCache({ default: "engine", ttl: timeToLive, stores: { engine: bentostore().useL2Layer(open()) } })
    ),
    (bento) => closed(() => bento.disconnectAll())
  ).pipe(
    Effect.map((bento) =>
      promised("bentocache", "peer", workload, {
        get: (key) => bento.get({ key }),
        set: (key, value) => bento.set({ key, value })
      })
    )
  )

/** A storage that is no cache: nothing in it ends, but in Redis. */
export const unstorage = <A>(workload: Workload<A>, open: () => Driver) =>
  Effect.acquireRelease(
    Effect.sync(() => createStorage({ driver: open() })),
    (storage) => closed(() => storage.dispose())
  ).pipe(
    Effect.map((storage) =>
      promised("unstorage", "peer", workload, {
        get: (key) => storage.getItem(key),
        set: (key, value) => storage.setItem(key, value as string),
        getMany: (keys) => storage.getItems([...keys]),
        setMany: (entries) => storage.setItems(entries.map(([key, value]) => ({ key, value: value as string })))
      })
    )
  )
