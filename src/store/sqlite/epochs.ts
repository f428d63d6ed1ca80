/** What outdates entries: a region's counter, its fences and its tags. To be used within a transaction. */
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import { slotOf } from "../internal/slots.js"
import type { Connection } from "./connection.js"
import { escape, numberIn } from "./rows.js"
import * as Schema from "./schema.js"

/** Tags are counted only now and then, so that invalidating one stays O(1). */
const countTagsAfter = 256

export interface Epochs {
  /** Moves the region on to its next epoch. */
  readonly raise: Effect.Effect<number, SqlError>
  /** Forbids storing what loads of these keys bring that started before the epoch. */
  readonly fence: (keys: ReadonlyArray<string>, epoch: number) => Effect.Effect<unknown, SqlError>
  /** Forbids storing what any load brings that started before now. */
  readonly fenceAll: Effect.Effect<void, SqlError>
  /** The same, and outdates all that is there. */
  readonly outdateAll: Effect.Effect<void, SqlError>
  /** Outdates whatever has one of these tags. */
  readonly bump: (tags: ReadonlyArray<string>) => Effect.Effect<void, SqlError>
}

export const make = ({ execute }: Connection, region: number): Epochs => {
  let bumpsSinceCount = countTagsAfter

  const raise = Effect.map(execute(Schema.raiseEpoch, [region]), (rows) => numberIn(rows, "epoch"))

  const raiseFloor = execute(Schema.raiseFloor, [region])

  /** Tags beyond the limit are forgotten, oldest first; entries older than the youngest of them are all outdated. */
  const forgetTags = Effect.flatMap(execute(Schema.excessTags, [region]), (rows) => {
    if (rows.length === 0) return Effect.void
    const epoch = numberIn(rows, "epoch")
    return Effect.zipRight(execute(Schema.forgetTags, [region, epoch]), execute(Schema.raiseTagFloor, [epoch, region]))
  })

  const countTags = (bumped: number) =>
    Effect.suspend(() => {
      bumpsSinceCount += bumped
      if (bumpsSinceCount < countTagsAfter) return Effect.void
      bumpsSinceCount = 0
      return Effect.asVoid(forgetTags)
    })

  const forgetAllTags = Effect.asVoid(execute(Schema.deleteTags, [region]))

  const fenceAll = Effect.gen(function* () {
    yield* raise
    yield* raiseFloor
    // the floor forbids all that these would have
    yield* execute(Schema.deleteFences, [region])
  })

  return {
    raise,
    fence: (keys, epoch) =>
      keys.length > Schema.maxFencedKeys
        ? raiseFloor
        : execute(Schema.fence, [
            { region, epoch, slots: JSON.stringify(keys.map((key) => slotOf(key, Schema.slots))) }
          ]),
    fenceAll: Effect.zipRight(fenceAll, forgetAllTags),
    outdateAll: fenceAll.pipe(
      Effect.zipRight(execute(Schema.raiseEntryFloor, [region])),
      Effect.zipRight(forgetAllTags)
    ),
    bump: (tags) =>
      Effect.flatMap(raise, (epoch) =>
        execute(Schema.bump, [{ region, epoch, tags: JSON.stringify(tags.map(escape)) }])
      ).pipe(Effect.zipRight(countTags(tags.length)))
  }
}
