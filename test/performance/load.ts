/**
 * What a get costs that has to load: find nothing, run the lookup, keep what it answers. Beside `effect/Cache`.
 *
 * Workload: inside one running fiber, every get asks for a key never asked for before, in caches of 10 000 that are
 * full, so that each load pushes an entry out. The lookups do nothing: one has its answer, one is a synchronous effect,
 * one has to wait for its turn. And a thousand fibers that ask for one cold key at once, which is loaded once.
 */
import { Cache as EffectCache, Effect, Runtime } from "effect"
import { Cache, MemoryStore } from "effect-larder"
import * as Claims from "./claims.js"
import type { Sample, Subject } from "./measure.js"
import { measure, pairwise, ratios } from "./measure.js"
import type { Suite } from "./suite.js"
import { finder, toRow } from "./suite.js"

const capacity = 10_000
const timeToLive = "1 hour"
const crowd = Array.from({ length: 1_000 })

const lookups: Readonly<Record<string, (key: string) => Effect.Effect<number>>> = {
  "that is there": () => Effect.succeed(1),
  "that is synchronous": () => Effect.sync(() => 1),
  "that waits for its turn": () => Effect.as(Effect.yieldNow(), 1)
}

/** Keys that nobody has seen, as many as one wants. */
const unseen = (): (() => string) => {
  let count = 0
  return () => `unseen:${count++}`
}

const run = Runtime.runPromise(Runtime.defaultRuntime)

const loading = (name: string, get: (key: string) => Effect.Effect<number>): Subject => {
  const next = unseen()
  return {
    name,
    run: (times) =>
      run(
        Effect.gen(function* () {
          for (let done = 0; done < times; done++) yield* get(next())
        })
      )
  }
}

const crowding = (name: string, get: (key: string) => Effect.Effect<number>): Subject => {
  const next = unseen()
  return {
    name,
    batch: 1,
    run: async (times) => {
      for (let done = 0; done < times; done++) {
        const key = next()
        await run(Effect.forEach(crowd, () => get(key), { concurrency: "unbounded", discard: true }))
      }
    }
  }
}

const names = { floor: "no cache", larder: "larder", peer: "effect/Cache" } as const
const nameOf = (who: keyof typeof names, lookup: string): string => `${names[who]}: a lookup ${lookup}`

const subjects = Effect.forEach(Object.entries(lookups), ([title, lookup]) =>
  Effect.gen(function* () {
    const cache = yield* Cache.make(title, { lookup, timeToLive })
    const peer = yield* EffectCache.make({ capacity, timeToLive, lookup })
    const ways = [
      ["floor", lookup],
      ["larder", cache.get],
      ["peer", (key: string) => peer.get(key)]
    ] as const
    return {
      alone: ways.map(([who, get]) => loading(nameOf(who, title), get)),
      crowd: ways.map(([who, get]) => crowding(nameOf(who, title), get))
    }
  })
)

/** What the cache adds to starting a thousand fibers. */
const net = (own: Sample, floor: Sample): Sample => ({ ...own, nanos: pairwise(own, floor, (a, b) => a - b) })

export const load: Suite = ({ quick }) =>
  Effect.gen(function* () {
    const all = yield* subjects
    const alone = yield* Effect.promise(() =>
      measure(
        all.flatMap((one) => one.alone),
        { warmup: quick ? 10 : 30, rounds: quick ? 30 : 200, batch: 2_048 }
      )
    )
    const crowds = yield* Effect.promise(() =>
      measure(
        all.flatMap((one) => one.crowd),
        { warmup: quick ? 5 : 20, rounds: quick ? 20 : 100, batch: 1 }
      )
    )
    const [find, findCrowd] = [finder(alone), finder(crowds)]
    const [ready, sync, waiting] = Object.keys(lookups) as [string, string, string]
    const against = (title: string) => ratios(find(nameOf("larder", title)), find(nameOf("peer", title)))
    const crowdRatio = (title: string) => ratios(findCrowd(nameOf("larder", title)), findCrowd(nameOf("peer", title)))
    const netRatio = (title: string) => {
      const floor = findCrowd(nameOf("floor", title))
      return ratios(net(findCrowd(nameOf("larder", title)), floor), net(findCrowd(nameOf("peer", title)), floor))
    }
    return {
      tables: [
        { title: "A get that loads, inside a running fiber", rows: alone.map(toRow) },
        { title: "A thousand fibers that get one cold key, all together", rows: crowds.map(toRow) }
      ],
      claims: [
        Claims.below(
          "a get that loads costs at most 1/5 of effect/Cache's: the answer is there",
          "x",
          1 / 5,
          against(ready)
        ),
        Claims.below("... the lookup is synchronous", "x", 1 / 5, against(sync)),
        Claims.below("... and no more than effect/Cache's where the lookup waits", "x", 1.2, against(waiting)),
        Claims.below("a thousand gets of one cold key cost less than effect/Cache's", "x", 1, crowdRatio(ready)),
        Claims.below("... and, starting the fibers apart, at most 1/5", "x", 1 / 5, netRatio(ready)),
        Claims.below("... and no more than effect/Cache's where the lookup waits", "x", 1.1, crowdRatio(waiting))
      ]
    }
  }).pipe(Effect.scoped, Effect.provide(MemoryStore.layer({ capacity })), Effect.runPromise)
