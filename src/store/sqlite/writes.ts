/** Storing rows: what loads brought, where nothing forbids it, and explicit writes, which are invalidations too. */
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import type * as CacheStore from "../../CacheStore.js"
import type { Connection } from "./connection.js"
import type { Epochs } from "./epochs.js"
import type { Marker } from "../internal/mark.js"
import { type Batch, batches, writeParameters } from "./rows.js"
import * as Schema from "./schema.js"
import * as Sweep from "./sweep.js"
import type * as Upkeep from "./upkeep.js"

export const make = (
  connection: Connection,
  region: number,
  mark: Marker,
  epochs: Epochs,
  keep: Upkeep.Budget | undefined
): CacheStore.Engine["setMany"] => {
  const { execute, run, transaction } = connection
  const sweep = Sweep.sometimes(connection)

  const writeAll = (all: ReadonlyArray<Batch>, epoch: number | undefined): Effect.Effect<void, SqlError> =>
    Effect.forEach(all, (batch) => execute(Schema.write, [writeParameters(region, mark, batch, epoch)]), {
      discard: true
    })

  const writeLoaded = (rows: ReadonlyArray<CacheStore.RowWrite>) =>
    Effect.suspend(() => {
      const all = batches(rows)
      return all.length > 1 ? transaction("set", writeAll(all, undefined)) : run("set", writeAll(all, undefined))
    })

  /** Loads first: they are held against what stood before, and give way to the explicit writes beside them. */
  const writeExplicit = (rows: ReadonlyArray<CacheStore.RowWrite>) =>
    Effect.suspend(() => {
      const explicit = rows.filter((row) => row.since === undefined)
      const keys = explicit.map((row) => row.key)
      const loaded = batches(rows.filter((row) => row.since !== undefined))
      return transaction(
        "set",
        writeAll(loaded, undefined).pipe(
          Effect.zipRight(epochs.raise),
          Effect.tap((epoch) => epochs.fence(keys, epoch)),
          Effect.flatMap((epoch) => writeAll(batches(explicit), epoch))
        )
      )
    })

  return (rows) =>
    rows.length === 0
      ? Effect.void
      : Effect.zipRight(
          rows.every((row) => row.since !== undefined) ? writeLoaded(rows) : writeExplicit(rows),
          keep === undefined ? sweep(rows.length) : Effect.zipRight(sweep(rows.length), keep(rows))
        )
}
