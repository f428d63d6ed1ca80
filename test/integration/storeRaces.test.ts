/**
 * Law 3 where it is kept: loaders and invalidators at the same region at the same time, with turns for the others
 * wherever a store may give them. What was loaded before an invalidation is never read after it.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Schema, TestContext } from "effect"
import { type CacheEntry, type CacheError, CacheStore, Envelope, Json, MemoryStore } from "effect-larder"
import * as SqliteStore from "effect-larder/SqliteStore"
import { LeakOracle } from "effect-larder/testing"
import fc from "fast-check"
import { dawdling } from "../fixtures/cache/regions.js"

const codec = Envelope.make({ success: Json.make(Schema.Number) })

type Region = CacheStore.Region<number, never>

const entryOf = (value: number): CacheEntry.CacheEntry<number, never> => ({
  exit: Exit.succeed(value),
  createdAt: 0,
  freshUntil: Infinity,
  staleUntil: Infinity,
  tags: ["t"],
  loadMillis: 0,
  keyText: undefined
})

type How = "delete" | "tag" | "clear" | "set"

interface Race {
  readonly loaders: ReadonlyArray<{ readonly before: number; readonly during: number }>
  readonly invalidators: ReadonlyArray<{ readonly before: number; readonly how: How }>
  /** Each pushes the key out of a nearer tier that has room for one, and reads it: from the farther, filling the nearer. */
  readonly readers: ReadonlyArray<{ readonly before: number }>
  /** Turns that the store takes around its operations, one after the other and then again. */
  readonly turns: ReadonlyArray<number>
}

const turn = fc.nat(6)

const races: fc.Arbitrary<Race> = fc.record({
  loaders: fc.array(fc.record({ before: turn, during: turn }), { minLength: 1, maxLength: 4 }),
  invalidators: fc.array(fc.record({ before: turn, how: fc.constantFrom<How>("delete", "tag", "clear", "set") }), {
    minLength: 1,
    maxLength: 3
  }),
  readers: fc.array(fc.record({ before: turn }), { maxLength: 3 }),
  turns: fc.array(fc.nat(3), { minLength: 1, maxLength: 8 })
})

const passTurns = (count: number) => (count === 0 ? Effect.void : Effect.repeatN(Effect.yieldNow(), count - 1))

/** Added to values that are written by hand: these are right whenever they are read, loads are held to them. */
const byHand = 1_000

const invalidations: Record<How, (region: Region, value: number) => Effect.Effect<unknown, CacheError.CacheError>> = {
  delete: (region) => region.deleteMany(["k"]),
  tag: (region) => region.invalidateTags(["t"]),
  clear: (region) => region.clear,
  set: (region, value) => region.setMany([{ key: "k", entry: entryOf(byHand + value), since: undefined }])
}

/** The source is a number that invalidators raise before they invalidate. No value of a load that is read may be older. */
const race = (region: Region, { invalidators, loaders, readers }: Race) =>
  Effect.gen(function* () {
    let source = 0
    /** What the source was at least when the last invalidation that has returned began. */
    let least = 0
    const read = Effect.gen(function* () {
      const atLeast = least
      const [found] = (yield* region.getMany(["k"])).found
      const value = found && Exit.getOrElse(found.entry.exit, () => -1)
      if (value !== undefined) assert.isAtLeast(value, atLeast, "what was invalidated is read again")
    })
    const load = ({ before, during }: Race["loaders"][number]) =>
      Effect.gen(function* () {
        yield* passTurns(before)
        const { epoch } = yield* region.getMany(["k"])
        const value = source
        yield* passTurns(during)
        yield* region.setMany([{ key: "k", entry: entryOf(value), since: epoch }])
        yield* read
      })
    const invalidate = ({ before, how }: Race["invalidators"][number]) =>
      Effect.gen(function* () {
        yield* passTurns(before)
        const value = ++source
        yield* invalidations[how](region, value)
        least = Math.max(least, value)
        yield* read
      })
    const readFarther = ({ before }: Race["readers"][number]) =>
      Effect.gen(function* () {
        yield* passTurns(before)
        yield* region.setMany([{ key: "other", entry: { ...entryOf(0), tags: [] }, since: undefined }])
        yield* read
      })
    // what is there already was true when the race began
    yield* region.setMany([{ key: "k", entry: entryOf(source), since: undefined }])
    yield* Effect.all([...loaders.map(load), ...invalidators.map(invalidate), ...readers.map(readFarther)], {
      concurrency: "unbounded",
      discard: true
    })
    yield* read
  })

/** The nearer tier: whatever is written to it pushes out what was there. */
const onePlace = MemoryStore.layer({ capacity: 1 })

const shapes = {
  memory: (turns: () => number) => MemoryStore.layer().pipe(dawdling(turns)),
  SQLite: (turns: () => number) => SqliteStore.layerMemory.pipe(dawdling(turns)),
  "memory over SQLite": (turns: () => number) =>
    onePlace.pipe(dawdling(turns), CacheStore.tieredOver(SqliteStore.layerMemory.pipe(dawdling(turns)))),
  "memory over memory over memory": (turns: () => number) => {
    const far = MemoryStore.layer().pipe(dawdling(turns))
    const middle = Layer.fresh(onePlace).pipe(dawdling(turns), CacheStore.tieredOver(far))
    return onePlace.pipe(dawdling(turns), CacheStore.tieredOver(middle))
  }
}

describe("loaders against invalidators", () => {
  for (const [name, shape] of Object.entries(shapes)) {
    it(`${name}: nothing that was invalidated is read again, whoever comes when`, () =>
      fc.assert(
        fc.asyncProperty(races, (drawn) => {
          let at = 0
          const layer = shape(() => drawn.turns[at++ % drawn.turns.length]!)
          return Effect.flatMap(CacheStore.CacheStore, (store) =>
            store.region<number, never>({ name: "race", codec })
          ).pipe(
            Effect.flatMap((region) => race(region, drawn)),
            Effect.provide(layer),
            LeakOracle.check,
            Effect.provide(TestContext.TestContext),
            Effect.runPromise
          )
        }),
        { numRuns: name.includes("SQLite") ? 100 : 300 }
      ))
  }
})

describe("a reading that fills the nearer tier, and an invalidation while the farther one is answering", () => {
  for (const [how, invalidate] of Object.entries(invalidations)) {
    it.effect(`${how}: what was read is not kept`, () => {
      let turns = 0
      const store = onePlace.pipe(CacheStore.tieredOver(MemoryStore.layer().pipe(dawdling(() => turns))))
      return Effect.gen(function* () {
        const { region: open } = yield* CacheStore.CacheStore
        const region = yield* open<number, never>({ name: "backfill", codec })
        for (const key of ["k", "other"]) {
          yield* region.setMany([{ key, entry: entryOf(1), since: undefined }])
        }
        turns = 20 // before the farther store reads, and again before it hands over what it has read
        const reader = yield* Effect.fork(region.getMany(["k"]))
        yield* passTurns(30)
        turns = 0
        yield* invalidate(region, 2)
        const [before] = (yield* Fiber.join(reader)).found
        assert.deepStrictEqual(before?.entry.exit, Exit.succeed(1), "it was read before, so it may be answered")
        const [after] = (yield* region.getMany(["k"])).found
        assert.deepStrictEqual(after?.entry.exit, how === "set" ? Exit.succeed(byHand + 2) : undefined)
      }).pipe(Effect.provide(store), LeakOracle.check)
    })
  }
})
