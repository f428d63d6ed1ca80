/**
 * What a memory hit costs as programs write it: in a generator, in a chain of `flatMap`, and per call from outside.
 *
 * Workload: 1000 entries with string keys, present and fresh, with expiry and bounds on everywhere, read round and
 * round. The floor is what Effect takes for a value that is there already, written the same way in the same run.
 */
import { BentoCache, bentostore } from "bentocache"
import { memoryDriver } from "bentocache/drivers/memory"
import { createCache } from "cache-manager"
import { Cacheable, CacheableMemory } from "cacheable"
import { Cache as EffectCache, Effect, ManagedRuntime, Runtime, Schema } from "effect"
import { Cache, Cached, MemoryStore } from "effect-larder"
import { Keyv } from "keyv"
import * as Claims from "./claims.js"
import type { Subject } from "./measure.js"
import { measure, ratios } from "./measure.js"
import type { Suite } from "./suite.js"
import { finder, inGenerator as inGeneratorOver, toRow } from "./suite.js"
import { around, textKeys } from "./workloads.js"

const entries = 1_000
const capacity = 10_000
const timeToLive = "1 hour"
const texts = textKeys(entries)

interface User {
  readonly org: string
  readonly team: number
  readonly id: string
}
const users = texts.map((id, team): User => ({ org: "acme", team: team % 10, id }))

const lengthOf = Cached.fn("bench/lengthOf", { timeToLive })((text: string) => Effect.succeed(text.length))
const lengthOfUser = Cached.fn("bench/lengthOfUser", { timeToLive })((user: User) => Effect.succeed(user.id.length))

const names = {
  floor: "Effect.succeed",
  larder: "larder",
  peer: "effect/Cache",
  fn: "larder, Cached.fn of a string",
  fnUser: "larder, Cached.fn of a struct with three fields"
} as const

type Get<R> = (text: string) => Effect.Effect<unknown, unknown, R>

const inGenerator = <R>(runtime: Runtime.Runtime<R>, name: string, get: Get<R>): Subject => {
  const next = around(texts)
  return inGeneratorOver(runtime, name, () => get(next()))
}

const inChain = <R>(runtime: Runtime.Runtime<R>, name: string, get: Get<R>): Subject => {
  const next = around(texts)
  const step = (left: number): Effect.Effect<void, unknown, R> =>
    left === 0 ? Effect.void : Effect.flatMap(get(next()), () => step(left - 1))
  return { name, run: (times) => Runtime.runPromise(runtime)(step(times)) }
}

const awaited = (name: string, call: (text: string) => Promise<unknown>): Subject => {
  const next = around(texts)
  return {
    name,
    run: async (times) => {
      for (let done = 0; done < times; done++) await call(next())
    }
  }
}

/** The caches of the world outside, each bounded and with expiry, as its own guide sets it up. */
const peers = Effect.acquireRelease(
  Effect.promise(async () => {
    const bento = new BentoCache({
      default: "memory",
      stores: { memory: bentostore().useL1Layer(memoryDriver({ maxItems: capacity })) }
    })
    const cacheable = new Cacheable({
      primary: new Keyv({ store: new CacheableMemory({ ttl: "1h", lruSize: capacity }) }),
      ttl: "1h"
    })
    const manager = createCache({
      ttl: 3_600_000,
      stores: [new Keyv({ store: new CacheableMemory({ ttl: "1h", lruSize: capacity }) })]
    })
    const unbounded = createCache({ ttl: 3_600_000 })
    for (const key of texts) {
      await bento.set({ key, value: 1, ttl: "1h" })
      await cacheable.set(key, 1, "1h")
      await manager.set(key, 1)
      await unbounded.set(key, 1)
    }
    return { bento, cacheable, manager, unbounded }
  }),
  ({ bento }) => Effect.promise(() => bento.disconnectAll())
)

const outside = {
  floor: "runPromise(Effect.succeed)",
  larder: "larder: runPromise(cache.get)",
  promise: "larder: Cached.promise",
  peer: "effect/Cache: runPromise(cache.get)",
  bento: "bentocache: getOrSet",
  cacheable: "cacheable: getOrSet",
  manager: "cache-manager: wrap",
  unbounded: "cache-manager: wrap (no bound on entries)"
} as const

export const program: Suite = ({ quick }) =>
  Effect.gen(function* () {
    const cache = yield* Cache.make("text", { key: Schema.String, lookup: () => Effect.succeed(1), timeToLive })
    const peer = yield* EffectCache.make({ capacity, timeToLive, lookup: (_: string) => Effect.succeed(1) })
    const { bento, cacheable, manager, unbounded } = yield* peers
    for (const [index, text] of texts.entries()) {
      yield* Effect.all([cache.get(text), peer.get(text), lengthOf(text), lengthOfUser(users[index]!)])
    }
    const runtime = yield* Effect.runtime<never>()
    const withStore = yield* Effect.runtime<Effect.Effect.Context<ReturnType<typeof lengthOf>>>()
    const run = Effect.runPromise
    const managed = yield* Effect.acquireRelease(
      Effect.sync(() => ManagedRuntime.make(MemoryStore.layer({ capacity }))),
      (one) => one.disposeEffect
    )
    const lengthOfText = Cached.promise(managed, "bench/lengthOfText", { timeToLive })((text: string) =>
      Promise.resolve(text.length)
    )
    yield* Effect.promise(() => Promise.all(texts.map((text) => lengthOfText(text))))
    const succeed = () => Effect.succeed(1)
    const rounds = { warmup: quick ? 30 : 100, rounds: quick ? 60 : 400 }

    const nextUser = around(users)
    const generator = yield* Effect.promise(() =>
      measure(
        [
          inGenerator(runtime, names.floor, succeed),
          inGenerator(runtime, names.larder, cache.get),
          inGenerator(runtime, names.peer, (text) => peer.get(text)),
          inGenerator(withStore, names.fn, (text) => lengthOf(text)),
          inGenerator(withStore, names.fnUser, () => lengthOfUser(nextUser()))
        ],
        { ...rounds, batch: 16_384 }
      )
    )
    const chain = yield* Effect.promise(() =>
      measure(
        [
          inChain(runtime, names.floor, succeed),
          inChain(runtime, names.larder, cache.get),
          inChain(runtime, names.peer, (text) => peer.get(text))
        ],
        { ...rounds, batch: 16_384 }
      )
    )
    const calls = yield* Effect.promise(() =>
      measure(
        [
          awaited(outside.floor, () => run(Effect.succeed(1))),
          awaited(outside.larder, (text) => run(cache.get(text))),
          awaited(outside.promise, (text) => lengthOfText(text)),
          awaited(outside.peer, (text) => run(peer.get(text))),
          awaited(outside.bento, (key) => bento.getOrSet({ key, factory: () => 1 })),
          awaited(outside.cacheable, (key) => cacheable.getOrSet(key, () => Promise.resolve(1))),
          awaited(outside.manager, (key) => manager.wrap(key, () => 1)),
          awaited(outside.unbounded, (key) => unbounded.wrap(key, () => 1))
        ],
        { ...rounds, batch: 4_096 }
      )
    )
    const [inGen, inChained, called] = [finder(generator), finder(chain), finder(calls)]
    const own = called(outside.larder)
    return {
      tables: [
        { title: "A hit in a generator inside a running fiber", rows: generator.map(toRow) },
        { title: "A hit in a chain of flatMap", rows: chain.map(toRow) },
        { title: "A hit called from outside", rows: calls.map(toRow) }
      ],
      claims: [
        Claims.below(
          "a hit in a generator costs at most 1.2 x Effect.succeed",
          "x",
          1.2,
          ratios(inGen(names.larder), inGen(names.floor))
        ),
        Claims.below(
          "... and at most 1/8 of effect/Cache's",
          "x",
          1 / 8,
          ratios(inGen(names.larder), inGen(names.peer))
        ),
        Claims.below(
          "a hit in a chain of flatMap costs at most 1.75 x Effect.succeed",
          "x",
          1.75,
          ratios(inChained(names.larder), inChained(names.floor))
        ),
        Claims.below(
          "Cached.fn of a string costs at most 2 x Cache.get",
          "x",
          2,
          ratios(inGen(names.fn), inGen(names.larder))
        ),
        Claims.below(
          "Cached.fn of a struct with three fields costs less than 1 µs",
          "ns",
          1_000,
          inGen(names.fnUser).nanos
        ),
        Claims.below(
          "a hit by runPromise costs at most 1.1 x runPromise(Effect.succeed)",
          "x",
          1.1,
          ratios(own, called(outside.floor))
        ),
        Claims.below("... at most 1/3 of bentocache's", "x", 1 / 3, ratios(own, called(outside.bento))),
        Claims.below("... at most 1/3 of cacheable's", "x", 1 / 3, ratios(own, called(outside.cacheable))),
        Claims.below("... less than cache-manager's", "x", 1, ratios(own, called(outside.manager))),
        Claims.below(
          "Cached.promise costs at most 1/3 of cache-manager's wrap without bounds",
          "x",
          1 / 3,
          ratios(called(outside.promise), called(outside.unbounded))
        )
      ]
    }
  }).pipe(Effect.scoped, Effect.provide(MemoryStore.layer({ capacity })), Effect.runPromise)
