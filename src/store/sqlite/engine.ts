/** The operations of `CacheStore.Engine` over one region of a SQLite database. */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type * as CacheError from "../../CacheError.js"
import type * as CacheStore from "../../CacheStore.js"
import type { Connection } from "./connection.js"
import * as Epochs from "./epochs.js"
import { type Marker, marker } from "../internal/mark.js"
import { escape, inspected, numberIn, toRow, unescape } from "./rows.js"
import * as Schema from "./schema.js"
import type * as Upkeep from "./upkeep.js"
import * as Writes from "./writes.js"

const scanPage = 64

/**
 * The region's number, made at its first opening. Names are never reused, so a number means one region for ever. Looked
 * for first, because making it would wait for whoever is writing.
 */
const open = ({ execute, run }: Connection, name: string): Effect.Effect<number, CacheError.StoreFailure> => {
  const find = execute(Schema.findRegion, [escape(name)])
  return run(
    "open",
    find.pipe(
      Effect.flatMap((rows) =>
        rows.length > 0 ? Effect.succeed(rows) : Effect.zipRight(execute(Schema.openRegion, [escape(name)]), find)
      ),
      Effect.map((rows) => numberIn(rows, "id"))
    )
  )
}

export const regions = ({ execute, run }: Connection): Effect.Effect<ReadonlyArray<string>, CacheError.StoreFailure> =>
  Effect.map(run("regions", execute(Schema.listRegions, [])), (rows) =>
    rows.map((row) => unescape(String(row["name"])))
  )

export const make = (
  connection: Connection,
  name: string,
  keep?: Upkeep.Budget
): Effect.Effect<CacheStore.Engine, CacheError.StoreFailure> =>
  Effect.map(open(connection, name), (region) => engine(connection, region, marker(name), keep))

/** One key takes a cheaper statement than many, no key none but the epoch's. */
const reader =
  ({ execute, run }: Connection, region: number, mark: Marker): CacheStore.Engine["getMany"] =>
  (keys) => {
    if (keys.length === 0) {
      return Effect.map(run("get", execute(Schema.readEpoch, [region])), (rows) => ({
        epoch: numberIn(rows, "epoch"),
        rows: []
      }))
    }
    if (keys.length === 1) {
      return Effect.map(run("get", execute(Schema.readOne, [keys[0], region])), (rows) => ({
        epoch: numberIn(rows, "epoch"),
        rows: [rows[0] && toRow(mark, rows[0], keys[0])]
      }))
    }
    return Effect.map(run("get", execute(Schema.readMany, [JSON.stringify(keys), region])), (rows) => {
      const found = keys.map((): CacheStore.Row | undefined => undefined)
      for (const columns of rows) {
        const place = Number(columns["place"])
        found[place] = toRow(mark, columns, keys[place])
      }
      return { epoch: numberIn(rows, "epoch"), rows: found }
    })
  }

/** Page after page in the order of the keys, none of them read before it is asked for. */
const scanner = ({ execute, run }: Connection, region: number, mark: Marker): CacheStore.Engine["scan"] =>
  Stream.paginateChunkEffect("", (after) =>
    Effect.map(
      run("scan", execute(after === "" ? Schema.firstPage : Schema.nextPage, [region, after, scanPage])),
      (rows) => {
        const page = rows.flatMap((columns) => toRow(mark, columns) ?? [])
        const last = rows.length < scanPage ? undefined : page.at(-1)
        return [Chunk.unsafeFromArray(page), Option.map(Option.fromNullable(last), (row) => row.key)]
      }
    )
  )

const engine = (
  connection: Connection,
  region: number,
  mark: Marker,
  keep: Upkeep.Budget | undefined
): CacheStore.Engine => {
  const { execute, run, transaction } = connection
  const epochs = Epochs.make(connection, region)

  return {
    getMany: reader(connection, region, mark),

    setMany: Writes.make(connection, region, mark, epochs, keep),

    deleteMany: (keys) => {
      if (keys.length === 0) return Effect.succeed(0)
      const parameters = [region, JSON.stringify(keys)]
      return transaction(
        "delete",
        Effect.flatMap(epochs.raise, (epoch) => epochs.fence(keys, epoch)).pipe(
          Effect.zipRight(execute(Schema.countKeys, parameters)),
          Effect.zipLeft(execute(Schema.deleteKeys, parameters)),
          Effect.map((rows) => numberIn(rows, "count"))
        )
      )
    },

    bump: (tags) => (tags.length === 0 ? Effect.void : transaction("invalidateTags", epochs.bump(tags))),

    clear: transaction(
      "clear",
      // counted and deleted while the tags still stand: only what they have not outdated counts
      execute(Schema.countAll, [region]).pipe(
        Effect.zipLeft(execute(Schema.deleteAll, [region])),
        Effect.zipLeft(epochs.fenceAll),
        Effect.map((rows) => numberIn(rows, "count"))
      )
    ),

    outdate: transaction("invalidateAll", epochs.outdateAll),

    inspect: (key) =>
      Effect.map(run("inspect", execute(Schema.inspect, [key, region])), ([columns]) =>
        columns === undefined ? undefined : inspected(mark, columns, key)
      ),

    scan: scanner(connection, region, mark),

    size: (now) =>
      Effect.map(run("size", execute(Schema.size, [region, now])), (rows) => ({
        entries: numberIn(rows, "entries"),
        bytes: numberIn(rows, "bytes")
      }))
  }
}
