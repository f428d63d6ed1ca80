/**
 * Law 3 between programs that share a service of versioned items: loaders, writers and invalidators, each an engine of
 * its own, while the service forgets what it likes, writers die on their way, and what they have sent arrives all the same.
 */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { CacheError, type CacheStore } from "effect-larder"
import fc from "fast-check"
import * as Engine from "../../src/store/versioned/engine.js"
import type { Items } from "../../src/store/versioned/items.js"
import { dawdling } from "../fixtures/versioned/items.js"

type How = "delete" | "tag" | "all" | "clear" | "set"

const turn = fc.nat(12)

const races = fc.record({
  loaders: fc.array(fc.record({ before: turn, during: turn }), { minLength: 1, maxLength: 4 }),
  invalidators: fc.array(
    fc.record({ before: turn, how: fc.constantFrom<How>("delete", "tag", "all", "clear", "set") }),
    { minLength: 1, maxLength: 4 }
  ),
  /** Set, and are given up. */
  dying: fc.array(fc.record({ before: turn, after: fc.nat(20) }), { maxLength: 2 }),
  forgotten: fc.array(fc.record({ before: turn, what: fc.nat(3) }), { maxLength: 3 }),
  turns: fc.array(fc.nat(3), { minLength: 1, maxLength: 12 })
})

type Race = typeof races extends fc.Arbitrary<infer R> ? R : never

/** Added to what is set by hand, which is right whenever it is read; to what the dying set, until they are dead. */
const [byHand, byDying] = [1_000, 2_000]

const passTurns = (count: number) => (count === 0 ? Effect.void : Effect.repeatN(Effect.yieldNow(), count - 1))

const rowOf = (value: number, since: number | undefined): CacheStore.RowWrite => ({
  key: "k",
  bytes: new TextEncoder().encode(String(value)),
  tags: ["t"],
  reclaimAt: Infinity,
  since
})

/** Fail when they die, whatever they are at; what is on its way arrives. */
const mortal = (items: Items, death: Effect.Effect<never, CacheError.StoreFailure>): Items => ({
  ...items,
  claim: (...parameters) => Effect.raceFirst(items.claim(...parameters), death),
  replace: (...parameters) => Effect.raceFirst(items.replace(...parameters), death)
})

const invalidate = (engine: CacheStore.Engine, how: How, value: number): Effect.Effect<unknown, unknown> => {
  switch (how) {
    case "delete":
      return engine.deleteMany(["k"])
    case "tag":
      return engine.bump(["t"])
    case "all":
      return engine.outdate!
    case "clear":
      return engine.clear
    case "set":
      return engine.setMany([rowOf(byHand + value, undefined)])
  }
}

const play = (ordered: boolean, { dying, forgotten, invalidators, loaders, turns }: Race) =>
  Effect.gen(function* () {
    let [at, source, incarnations] = [0, 0, 0]
    const { held, items } = dawdling({ ordered, turns: () => turns[at++ % turns.length]! })
    const engine = (its = items) =>
      Engine.make({ store: "test", region: "region", items: its, fresh: () => `incarnation${++incarnations}` })
    /** What the source was at least when the last invalidation that has ended began; who was dead then. */
    let least = 0
    const dead = new Set<number>()
    const over = new Set<number>()
    const readBy = (reader: CacheStore.Engine) =>
      Effect.gen(function* () {
        const [atLeast, forbidden] = [least, new Set(over)]
        const [row] = (yield* reader.getMany(["k"])).rows
        if (row === undefined) return
        const value = Number(new TextDecoder().decode(row.bytes))
        assert.isFalse(forbidden.has(value), "what was set by who had died before an invalidation")
        assert.isAtLeast(value, atLeast, "what was invalidated is read again")
      })
    const load = ({ before, during }: Race["loaders"][number]) =>
      Effect.gen(function* () {
        const own = engine()
        yield* passTurns(before)
        const { epoch } = yield* own.getMany(["k"])
        const value = source
        yield* passTurns(during)
        yield* own.setMany([rowOf(value, epoch)])
        yield* readBy(own)
      })
    const invalidating = ({ before, how }: Race["invalidators"][number]) =>
      Effect.gen(function* () {
        const own = engine()
        yield* passTurns(before)
        const value = ++source
        const gone = [...dead]
        yield* invalidate(own, how, value)
        least = Math.max(least, value)
        for (const one of gone) over.add(one)
        yield* readBy(own)
      })
    const die = ({ after, before }: Race["dying"][number], index: number) =>
      Effect.gen(function* () {
        const death = yield* Deferred.make<never, CacheError.StoreFailure>()
        const own = engine(mortal(items, Deferred.await(death)))
        yield* passTurns(before)
        const value = byDying + index
        const writing = yield* Effect.fork(Effect.exit(own.setMany([rowOf(value, undefined)])))
        yield* passTurns(after)
        yield* Deferred.fail(death, new CacheError.StoreTimeout({ store: "test", operation: "set", millis: 1 }))
        yield* Fiber.join(writing)
        dead.add(value)
      })
    const forget = ({ before, what }: Race["forgotten"][number]) =>
      Effect.gen(function* () {
        yield* passTurns(before)
        const start = ["state/", "slot/", "tag/", "entry/"][what]!
        for (const name of held.keys()) if (name.startsWith(start)) held.delete(name)
      })
    yield* engine().setMany([rowOf(source, undefined)])
    yield* Effect.all(
      [...loaders.map(load), ...invalidators.map(invalidating), ...dying.map(die), ...forgotten.map(forget)],
      { concurrency: "unbounded", discard: true }
    )
    yield* readBy(engine())
  })

const histories = Math.ceil(Number(process.env["HISTORIES"] ?? 10_000) / 20)

describe("programs that share versioned items", () => {
  for (const ordered of [true, false]) {
    it(
      `${ordered ? "written in their order" : "written at once"}: nothing that was invalidated is read again`,
      () =>
        fc.assert(
          fc.asyncProperty(races, (race) => Effect.runPromise(play(ordered, race))),
          { numRuns: histories }
        ),
      20 * 60_000
    )
  }
})
