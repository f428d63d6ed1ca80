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
import { contentOf, escape, inspected, numberIn, toRow, unescape } from "./rows.js"
import * as Schema from "./schema.js"
import type * as Upkeep from "./upkeep.js"
import * as Writes from "./writes.js"

const scanPage = 64

/**
 * The region's number, made at its first opening. Names are never reused, so a number means one region for ever. Looked
 * for first, because making it would wait for whoever is writing.
 */
const open = ({ execute, run }: Connection, name: string): Effect.Effect<number, CacheError.StoreFailure> =>
  run("open", () => {
    const find = () => execute(Schema.findRegion, [escape(name)])
    const found = find()
    if (found.length > 0) return numberIn(found, "id")
    execute(Schema.openRegion, [escape(name)])
    return numberIn(find(), "id")
  })

export const regions = ({ execute, run }: Connection): Effect.Effect<ReadonlyArray<string>, CacheError.StoreFailure> =>
  run("regions", () => execute(Schema.listRegions, []).map((row) => unescape(String(row["name"]))))

export const make = (
  connection: Connection,
  name: string,
  keep?: Upkeep.Budget
): Effect.Effect<CacheStore.Engine, CacheError.StoreFailure> =>
  Effect.map(open(connection, name), (region) => engine(connection, region, marker(name), keep))

/** What is answered where the region itself is gone. */
const nothing = [0, null]

/** One key takes a cheaper statement than many, no key none but the epoch's. */
const reader = ({ reading, run }: Connection, region: number, mark: Marker): CacheStore.Engine["getMany"] => {
  const none = () => ({ epoch: Number(reading.first(Schema.readEpoch, region)?.[0]), rows: [] })
  const one = (key: string) => {
    const values = reading.first(Schema.readOne, key, region) ?? nothing
    return { epoch: Number(values[0]), rows: [toRow(mark, contentOf(values), key)] }
  }
  const many = (keys: ReadonlyArray<string>) => {
    const all = reading.all(Schema.readMany, JSON.stringify(keys), region)
    const rows = keys.map((): CacheStore.Row | undefined => undefined)
    for (const values of all) {
      const place = Number(values[6])
      rows[place] = toRow(mark, contentOf(values), keys[place])
    }
    return { epoch: Number(all[0]?.[0] ?? 0), rows }
  }
  return (keys) => run("get", () => (keys.length === 1 ? one(keys[0]!) : keys.length === 0 ? none() : many(keys)))
}

/** Page after page in the order of the keys, none of them read before it is asked for. */
const scanner = ({ execute, run }: Connection, region: number, mark: Marker): CacheStore.Engine["scan"] =>
  Stream.paginateChunkEffect("", (after) =>
    run("scan", () => {
      const rows = execute(after === "" ? Schema.firstPage : Schema.nextPage, [region, after, scanPage])
      const page = rows.flatMap((columns) => toRow(mark, columns) ?? [])
      const last = rows.length < scanPage ? undefined : page.at(-1)
      return [Chunk.unsafeFromArray(page), Option.map(Option.fromNullable(last), (row) => row.key)]
    })
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
    askedByCallers: true,

    getMany: reader(connection, region, mark),

    setMany: Writes.make(connection, region, mark, epochs, keep),

    deleteMany: (keys) =>
      keys.length === 0
        ? Effect.succeed(0)
        : transaction("delete", () => {
            epochs.fence(keys, epochs.raise())
            const parameters = [region, JSON.stringify(keys)]
            const count = numberIn(execute(Schema.countKeys, parameters), "count")
            execute(Schema.deleteKeys, parameters)
            return count
          }),

    bump: (tags) => (tags.length === 0 ? Effect.void : transaction("invalidateTags", () => epochs.bump(tags))),

    clear: transaction("clear", () => {
      // counted and deleted while the tags still stand: only what they have not outdated counts
      const count = numberIn(execute(Schema.countAll, [region]), "count")
      execute(Schema.deleteAll, [region])
      epochs.fenceAll()
      return count
    }),

    outdate: transaction("invalidateAll", epochs.outdateAll),

    inspect: (key) =>
      run("inspect", () => {
        const [columns] = execute(Schema.inspect, [key, region])
        return columns && inspected(mark, columns, key)
      }),

    scan: scanner(connection, region, mark),

    size: (now) =>
      run("size", () => {
        const rows = execute(Schema.size, [region, now])
        return { entries: numberIn(rows, "entries"), bytes: numberIn(rows, "bytes") }
      })
  }
}
