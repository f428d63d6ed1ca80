/** Giving back the space of rows that nobody will read again, a little with every so many writes. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Connection } from "./connection.js"
import { numberIn } from "./rows.js"
import * as Schema from "./schema.js"

/** A sweep begins after this many rows were written, and looks at this many times as many. */
const sweepAfter = 64
const sweepRatio = 2

/** What a store looks at when it opens, so that processes too short-lived to sweep do not leave it all to others. */
export const atOpening = 1024

/**
 * Deletes what will never be served again among the next `rows` rows, wherever they belong. Each row written pays for
 * looking at two, so the cursor has been through the whole table after half as many writes as it has rows: what may be
 * reclaimed never comes to more than what may not, plus what was reclaimable from the start. The cursor is in the
 * database: processes take turns.
 */
const sweep = ({ execute }: Connection, rows: number, now: number): void => {
  const from = numberIn(execute(Schema.sweepPosition, []), "position")
  const end = execute(Schema.sweepEnd, [from, rows - 1])
  const to = end.length === 0 ? Number.MAX_SAFE_INTEGER : numberIn(end, "id")
  execute(Schema.reclaim, [from, to, now])
  execute(Schema.moveSweep, [end.length === 0 ? 0 : to])
}

/** Looks for rows to reclaim. Space is all it is about: if it cannot be had now it will be later. */
export const reclaim = (connection: Connection, rows: number): Effect.Effect<void> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) =>
    Effect.ignore(connection.transaction("reclaim", () => sweep(connection, rows, now)))
  )

/** Deletes all that will never be served again; answers how many rows that were. To be used within a transaction. */
export const all = ({ execute }: Connection, now: number): number => {
  execute(Schema.reclaim, [0, Number.MAX_SAFE_INTEGER, now])
  return numberIn(execute("SELECT changes() AS count", []), "count")
}

/** Told how many rows were written, sweeps when it is time. Each region opened counts for itself. */
export const sometimes = (connection: Connection): ((written: number) => Effect.Effect<void>) => {
  let writes = 0
  return (written) =>
    Effect.suspend(() => {
      writes += written
      if (writes < sweepAfter) return Effect.void
      const rows = writes * sweepRatio
      writes = 0
      return reclaim(connection, rows)
    })
}
