/** The size of the database: kept below a budget, and given back to the disk. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as CacheError from "../../CacheError.js"
import type * as CacheStore from "../../CacheStore.js"
import type { Connection } from "./connection.js"
import { numberIn } from "./rows.js"
import * as Schema from "./schema.js"
import type { Execute } from "./statements.js"
import * as Sweep from "./sweep.js"

/** Rows that are removed at once. */
const some = 64
/** The part of the budget that may be written before it is looked at again. */
const slack = 16
/** Bytes of a row beside its value, and what is left empty on its page. */
const overhead = 2_000

const pragma = (execute: Execute, name: string): number => numberIn(execute(`PRAGMA ${name}`, []), name)

/** Bytes of pages that something is on. */
const used = (execute: Execute): number =>
  (pragma(execute, "page_count") - pragma(execute, "freelist_count")) * pragma(execute, "page_size")

/** Removes what was there first, until the rest is within the budget. */
const trim = ({ execute }: Connection, maxBytes: number): void => {
  while (used(execute) > maxBytes) {
    if (execute(Schema.removeOldest, [some]).length === 0) return
  }
}

/** Keeps to the budget now. That it cannot be done at this moment is no reason to fail: it is looked at again. */
export const keepTo = (connection: Connection, maxBytes: number): Effect.Effect<void> =>
  maxBytes === Infinity ? Effect.void : Effect.ignore(connection.transaction("trim", () => trim(connection, maxBytes)))

/** Told what is written, keeps to the budget when it is time. */
export type Budget = (rows: ReadonlyArray<CacheStore.Row>) => Effect.Effect<void>

/** One for all regions of a database. */
export const budget = (connection: Connection, maxBytes: number): Budget => {
  let bytes = 0
  return (rows) =>
    Effect.suspend(() => {
      bytes += rows.reduce((sum, row) => sum + row.bytes.length + overhead, 0)
      if (bytes * slack < maxBytes) return Effect.void
      bytes = 0
      return keepTo(connection, maxBytes)
    })
}

/** The size of the database in bytes, what is free in it included. */
export const size = ({ execute, run }: Connection): Effect.Effect<number, CacheError.StoreFailure> =>
  run("size", () => pragma(execute, "page_count") * pragma(execute, "page_size"))

/** Gives what is free back to the disk. */
export const vacuum = (connection: Connection): Effect.Effect<void, CacheError.StoreFailure> =>
  Effect.asVoid(connection.run("vacuum", () => connection.execute("VACUUM", [])))

/** Removes what will never be served again, and gives all that is free back to the disk. */
export const compact = (connection: Connection): Effect.Effect<CacheStore.Compaction, CacheError.StoreFailure> =>
  Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    const before = yield* size(connection)
    const removed = yield* connection.transaction("compact", () => Sweep.all(connection, now))
    yield* vacuum(connection)
    // what vacuum has written is in the log beside the file, as large as the file was
    yield* connection.run("compact", () => connection.execute("PRAGMA wal_checkpoint(TRUNCATE)", []))
    return { removed, before, after: yield* size(connection) }
  })
