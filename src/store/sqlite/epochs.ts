/** What outdates entries: a region's counter, its fences and its tags. To be used within a transaction. */
import { slotOf } from "../internal/slots.js"
import type { Connection } from "./connection.js"
import { escape, numberIn } from "./rows.js"
import * as Schema from "./schema.js"

/** Tags are counted only now and then, so that invalidating one stays O(1). */
const countTagsAfter = 256

export interface Epochs {
  /** The region's present epoch: nothing was invalidated after it. */
  readonly now: () => number
  /** Moves the region on to its next epoch. */
  readonly raise: () => number
  /** Forbids storing what loads of these keys bring that started before the epoch. */
  readonly fence: (keys: ReadonlyArray<string>, epoch: number) => void
  /** Forbids storing what any load brings that started before now. */
  readonly fenceAll: () => void
  /** The same, and outdates all that is there. */
  readonly outdateAll: () => void
  /** Outdates whatever has one of these tags. */
  readonly bump: (tags: ReadonlyArray<string>) => void
}

export const make = ({ execute }: Connection, region: number): Epochs => {
  let bumpsSinceCount = countTagsAfter

  const now = (): number => numberIn(execute(Schema.readEpoch, [region]), "epoch")

  const raise = (): number => {
    const epoch = now() + 1
    execute(Schema.raiseEpoch, [epoch, region])
    return epoch
  }

  /** Tags beyond the limit are forgotten, oldest first; entries older than the youngest of them are all outdated. */
  const forgetTags = (): void => {
    const excess = execute(Schema.excessTags, [region])
    if (excess.length === 0) return
    const epoch = numberIn(excess, "epoch")
    execute(Schema.forgetTags, [region, epoch])
    execute(Schema.raiseTagFloor, [epoch, region])
  }

  const fenceAll = (): void => {
    raise()
    execute(Schema.raiseFloor, [region])
    // the floor forbids all that these would have
    execute(Schema.deleteFences, [region])
    execute(Schema.deleteTags, [region])
  }

  return {
    now,
    raise,
    fence: (keys, epoch) => {
      if (keys.length > Schema.maxFencedKeys) execute(Schema.raiseFloor, [region])
      else for (const key of keys) execute(Schema.fence, [region, slotOf(key, Schema.slots), epoch])
    },
    fenceAll,
    outdateAll: () => {
      fenceAll()
      execute(Schema.raiseEntryFloor, [region])
    },
    bump: (tags) => {
      execute(Schema.bump, [region, raise(), JSON.stringify(tags.map(escape))])
      bumpsSinceCount += tags.length
      if (bumpsSinceCount < countTagsAfter) return
      bumpsSinceCount = 0
      forgetTags()
    }
  }
}
