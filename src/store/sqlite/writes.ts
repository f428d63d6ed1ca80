/** Storing rows: what loads brought, where nothing forbids it, and explicit writes, which are invalidations too. */
import * as Effect from "effect/Effect"
import type * as CacheStore from "../../CacheStore.js"
import type { Marker } from "../internal/mark.js"
import { slotOf } from "../internal/slots.js"
import type { Connection } from "./connection.js"
import type { Epochs } from "./epochs.js"
import { addParameters } from "./rows.js"
import * as Schema from "./schema.js"
import * as Sweep from "./sweep.js"
import type * as Upkeep from "./upkeep.js"

/** Bytes given to one statement, if it writes several rows: SQLite has a copy of them all while it runs. */
const maxBytes = 1024 * 1024

const isSmall = (rows: ReadonlyArray<CacheStore.Row>, from: number, to: number): boolean => {
  let bytes = 0
  for (let at = from; at < to; at++) bytes += rows[at]!.bytes.byteLength
  return bytes <= maxBytes
}

/** How many of the rows from a place on one statement takes, and which statement. */
const next = (rows: ReadonlyArray<CacheStore.Row>, at: number): Schema.Put => {
  const fits = ({ count }: Schema.Put): boolean => at + count <= rows.length && isSmall(rows, at, at + count)
  return Schema.putMany.find(fits) ?? Schema.putOne
}

export const make = (
  connection: Connection,
  region: number,
  mark: Marker,
  epochs: Epochs,
  keep: Upkeep.Budget | undefined
): CacheStore.Engine["setMany"] => {
  const { execute, run, transaction } = connection
  const sweep = Sweep.sometimes(connection)

  /** Rows that nothing can forbid: explicit ones, and what was loaded in the present epoch. */
  const putAll = (rows: ReadonlyArray<CacheStore.RowWrite>, epoch: number): void => {
    for (let at = 0; at < rows.length; ) {
      const { count, sql } = next(rows, at)
      const parameters: Array<unknown> = []
      for (const end = at + count; at < end; at++) {
        addParameters(parameters, region, mark, rows[at]!, rows[at]!.since ?? epoch)
      }
      execute(sql, parameters)
    }
  }

  const putLoaded = (row: CacheStore.RowWrite): void => {
    const parameters: Array<unknown> = []
    addParameters(parameters, region, mark, row, row.since ?? 0)
    execute(Schema.putLoaded, [...parameters, slotOf(row.key, Schema.slots)])
  }

  /** Where nothing was invalidated since a load began there is nothing to hold it against. */
  const putAllLoaded = (rows: ReadonlyArray<CacheStore.RowWrite>): void => {
    if (rows.length === 0) return
    const now = epochs.now()
    const isPresent = ({ since = 0 }: CacheStore.RowWrite): boolean => since >= now
    putAll(rows.filter(isPresent), now)
    for (const row of rows) if (!isPresent(row)) putLoaded(row)
  }

  /** Loads first: they are held against what stood before, and give way to the explicit writes beside them. */
  const putBoth = (rows: ReadonlyArray<CacheStore.RowWrite>): void => {
    const explicit = rows.filter((row) => row.since === undefined)
    putAllLoaded(rows.filter((row) => row.since !== undefined))
    const epoch = epochs.raise()
    epochs.fence(
      explicit.map((row) => row.key),
      epoch
    )
    putAll(explicit, epoch)
  }

  const write = (rows: ReadonlyArray<CacheStore.RowWrite>) => {
    if (rows.some((row) => row.since === undefined)) return transaction("set", () => putBoth(rows))
    return rows.length === 1 ? run("set", () => putLoaded(rows[0]!)) : transaction("set", () => putAllLoaded(rows))
  }

  return (rows) =>
    rows.length === 0
      ? Effect.void
      : Effect.zipRight(
          write(rows),
          keep === undefined ? sweep(rows.length) : Effect.zipRight(sweep(rows.length), keep(rows))
        )
}
