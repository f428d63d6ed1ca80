/**
 * The synchronous view of a memory store, beside lru-cache: what is left of a hit when no Effect is run.
 *
 * Workload: bounds and expiry on in both. Reads and writes go to 1000 entries of a cache of 10 000; the get-or-set asks
 * for 100 000 keys by Zipf's law in a cache of 10 000, so that about every third misses, is set, and pushes one out.
 * A write makes its entry anew. lru-cache reads its clock once in a synchronous run, and so the view is given the time
 * that was read once in a round.
 */
import { Effect, Exit } from "effect"
import { type CacheEntry, CacheStore, MemoryStore } from "effect-larder"
import type * as Policies from "effect-larder/Policies"
import { LRUCache } from "lru-cache"
import * as Claims from "./claims.js"
import type { Subject } from "./measure.js"
import { measure, ratios } from "./measure.js"
import { random, zipf } from "./ratio/traces.js"
import type { Row, Suite } from "./suite.js"
import { finder, toRow } from "./suite.js"
import { around, textKeys } from "./workloads.js"

const capacity = 10_000
const hour = 3_600_000
const few = textKeys(1_000)
const many = textKeys(100_000)
const draw = zipf(many.length, 1, random(1))
const wanted = Array.from({ length: 1 << 20 }, () => many[draw()]!)
const noTags: ReadonlyArray<string> = []

const peerOf = (): LRUCache<string, number> => new LRUCache<string, number>({ max: capacity, ttl: hour })

type View = CacheStore.LiveView<number, never>

const viewOf = (policy?: Policies.Name) =>
  Effect.gen(function* () {
    const store = yield* CacheStore.CacheStore
    const region = yield* store.region<number, never>({ name: "view", codec: undefined })
    return region.near!
  }).pipe(Effect.provide(MemoryStore.layer({ capacity, policy })))

const entryOf = (value: number, now: number): CacheEntry.CacheEntry<number, never> => ({
  exit: Exit.succeed(value),
  createdAt: now,
  freshUntil: now + hour,
  staleUntil: now + hour,
  tags: noTags,
  loadMillis: 0,
  keyText: undefined
})

/** Sums up what was found, so that no reading is in vain. */
const reading = (name: string, get: (key: string, now: number) => number | undefined): Subject => {
  const next = around(few)
  return {
    name,
    run: (times) => {
      const now = Date.now()
      let sum = 0
      for (let done = 0; done < times; done++) sum += get(next(), now)!
      if (sum !== times) throw new Error("not all were there")
    }
  }
}

const writing = (name: string, set: (key: string, now: number) => void): Subject => {
  const next = around(few)
  return {
    name,
    run: (times) => {
      const now = Date.now()
      for (let done = 0; done < times; done++) set(next(), now)
    }
  }
}

interface Counted {
  readonly subject: Subject
  readonly missed: () => number
}

const getOrSet = (
  name: string,
  get: (key: string, now: number) => number | undefined,
  set: (key: string, now: number) => void
): Counted => {
  const next = around(wanted)
  let asked = 0
  let missed = 0
  const subject: Subject = {
    name,
    run: (times) => {
      const now = Date.now()
      for (let done = 0; done < times; done++) {
        const key = next()
        if (get(key, now) === undefined) {
          missed++
          set(key, now)
        }
      }
      asked += times
    }
  }
  return { subject, missed: () => missed / asked }
}

const names = {
  peerGet: "lru-cache: get",
  get: "larder: find",
  getNow: "larder: find, the clock read each time",
  peerSet: "lru-cache: set",
  set: "larder: set",
  peerBoth: "lru-cache: get or set",
  both: "larder: get or set",
  bothLru: "larder: get or set, policy lru"
} as const

const valueOf = (view: View, key: string, now: number): number | undefined => {
  const place = view.find(key, now)
  return place < 0 ? undefined : view.valueAt(place)
}
const getOf = (view: View) => (key: string, now: number) => valueOf(view, key, now)
const setOf = (view: View) => (key: string, now: number) => void view.set(key, entryOf(1, now), undefined)

export const view: Suite = ({ quick }) =>
  Effect.gen(function* () {
    const [own, flooded, floodedLru] = [yield* viewOf(), yield* viewOf(), yield* viewOf("lru")]
    const [peer, floodedPeer] = [peerOf(), peerOf()]
    for (const key of few) {
      peer.set(key, 1)
      own.set(key, entryOf(1, Date.now()), undefined)
    }
    const rounds = { warmup: quick ? 20 : 60, rounds: quick ? 60 : 300 }
    const simple = yield* Effect.promise(() =>
      measure(
        [
          reading(names.peerGet, (key) => peer.get(key)),
          reading(names.get, getOf(own)),
          reading(names.getNow, (key) => valueOf(own, key, Date.now())),
          writing(names.peerSet, (key) => peer.set(key, 1)),
          writing(names.set, setOf(own))
        ],
        { ...rounds, batch: 16_384 }
      )
    )
    const counted = [
      getOrSet(
        names.peerBoth,
        (key) => floodedPeer.get(key),
        (key) => floodedPeer.set(key, 1)
      ),
      getOrSet(names.both, getOf(flooded), setOf(flooded)),
      getOrSet(names.bothLru, getOf(floodedLru), setOf(floodedLru))
    ]
    const mixed = yield* Effect.promise(() =>
      measure(
        counted.map(({ subject }) => subject),
        { ...rounds, batch: 16_384 }
      )
    )
    const find = finder([...simple, ...mixed])
    const misses = counted.map(
      ({ missed, subject }): Row => ({ name: subject.name, unit: "x", values: [missed()], batch: 1 })
    )
    return {
      tables: [
        { title: "The synchronous view", rows: simple.map(toRow) },
        { title: "Get or set by Zipf's law, with evictions", rows: mixed.map(toRow) },
        { title: "The part of them that missed", rows: misses }
      ],
      claims: [
        Claims.below(
          "a hit of the view costs at most 1.2 x lru-cache's get",
          "x",
          1.2,
          ratios(find(names.get), find(names.peerGet))
        ),
        Claims.below(
          "a set of the view costs at most 1.2 x lru-cache's set",
          "x",
          1.2,
          ratios(find(names.set), find(names.peerSet))
        ),
        Claims.below(
          "a get or set with evictions costs at most 1.6 x lru-cache's",
          "x",
          1.6,
          ratios(find(names.both), find(names.peerBoth))
        )
      ]
    }
  }).pipe(Effect.scoped, Effect.runPromise)
