/**
 * What gathering loads into batches costs, for each key: a hundred fibers of their own, as of a hundred callers, each of
 * which gets a key never asked for before, from a lookup of many keys that has its answers ready. Beside
 * `RequestResolver`, Effect's own way of batching, which keeps nothing and batches within one fiber's `forEach`; and one
 * `getMany` of the same keys. What is taken off is what the same gets cost with a lookup of one key that has to wait for
 * its turn, as one in a batch has to: the rest is gathering.
 */
import { Effect, Either, Request, RequestResolver, Runtime } from "effect"
import { Cache, CacheBatch, MemoryStore } from "effect-larder"
import * as Claims from "./claims.js"
import type { Subject } from "./measure.js"
import { measure, pairwise, ratios } from "./measure.js"
import type { Suite } from "./suite.js"
import { finder, toRow } from "./suite.js"

const width = 100

class Get extends Request.TaggedClass("Get")<number, never, { readonly key: number }> {}

const resolver = RequestResolver.makeBatched((requests: ReadonlyArray<Get>) =>
  Effect.forEach(requests, (request) => Request.succeed(request, request.key), { discard: true })
)

const run = Runtime.runPromise(Runtime.defaultRuntime)
const fork = Runtime.runFork(Runtime.defaultRuntime)

/** As many fibers as there are keys, each on its own. */
const callers = (keys: ReadonlyArray<number>, get: (key: number) => Effect.Effect<unknown>): Effect.Effect<void> =>
  Effect.async((resume) => {
    let left = keys.length
    for (const key of keys) {
      fork(get(key)).addObserver(() => {
        left--
        if (left === 0) resume(Effect.void)
      })
    }
  })

const names = {
  alone: "larder: a hundred gets, each load for itself",
  larder: "larder: a hundred gets, coalesced",
  peer: "RequestResolver: a hundred requests",
  many: "larder: one getMany of a hundred"
} as const

/** The nanoseconds are those of one key. */
const subject = (name: string, once: (keys: ReadonlyArray<number>) => Effect.Effect<unknown>): Subject => {
  let next = 0
  return {
    name,
    batch: width,
    run: async (times) => {
      for (let done = 0; done < times; done += width) {
        await run(once(Array.from({ length: width }, () => next++)))
      }
    }
  }
}

export const batch: Suite = ({ quick }) =>
  Effect.gen(function* () {
    const batched = (name: string) =>
      Cache.make(name, {
        lookup: CacheBatch.lookup(
          (keys: ReadonlyArray<number>) => Effect.succeed(keys.map((key) => Either.right(key))),
          {
            maxSize: width
          }
        )
      })
    const one = yield* batched("one")
    const many = yield* batched("many")
    const alone = yield* Cache.make("alone", { lookup: (key: number) => Effect.as(Effect.yieldNow(), key) })
    const samples = yield* Effect.promise(() =>
      measure(
        [
          subject(names.alone, (keys) => callers(keys, alone.get)),
          subject(names.larder, (keys) => callers(keys, one.get)),
          subject(names.peer, (keys) =>
            Effect.forEach(keys, (key) => Effect.request(new Get({ key }), resolver), { batching: true, discard: true })
          ),
          subject(names.many, (keys) => many.getMany(keys))
        ],
        { warmup: quick ? 10 : 30, rounds: quick ? 20 : 100, batch: width }
      )
    )
    const find = finder(samples)
    const net = (name: string) => pairwise(find(name), find(names.alone), (own, alone) => own - alone)
    return {
      tables: [{ title: "For each of a hundred cold keys, all at once", rows: samples.map(toRow) }],
      claims: [
        Claims.below("gathering a get into a batch costs less than 5 µs", "ns", 5_000, net(names.larder)),
        Claims.below("... and less than RequestResolver does", "x", 1, ratios(find(names.larder), find(names.peer))),
        Claims.below(
          "a getMany that loads costs less than that for each key",
          "x",
          1,
          ratios(find(names.many), find(names.larder))
        )
      ]
    }
  }).pipe(Effect.scoped, Effect.provide(MemoryStore.layer({ capacity: 10_000 })), Effect.runPromise)
