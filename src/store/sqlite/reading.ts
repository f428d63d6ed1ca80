/**
 * A second handle on the database file, for what a hit asks: it cannot write, and readers do not wait for the writer.
 *
 * It is of the very driver that `@effect/sql-sqlite-node` brings, asked without what that puts around it: rows as arrays
 * and no wrapped statement, which makes a reading a quarter cheaper. It is about time only. Where the driver cannot be
 * found from here (in a bundle, say), and for a database in memory, which is one handle's own, the connection that
 * writes does it.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { createRequire } from "node:module"
import type { Execute } from "./statements.js"

/** A row by its values, in the order of the columns. */
export type Values = ReadonlyArray<unknown>

/** Asks. Throws what goes wrong. Not to be used within a transaction, which it does not see. */
export interface Reading {
  readonly first: (sql: string, ...parameters: ReadonlyArray<unknown>) => Values | undefined
  readonly all: (sql: string, ...parameters: ReadonlyArray<unknown>) => ReadonlyArray<Values>
}

/** What is used of better-sqlite3. */
interface Statement {
  readonly raw: () => Statement
  readonly get: (...parameters: ReadonlyArray<unknown>) => Values | undefined
  readonly all: (...parameters: ReadonlyArray<unknown>) => ReadonlyArray<Values>
}
interface Database {
  readonly prepare: (sql: string) => Statement
  readonly close: () => void
}
type Driver = new (file: string, options: { readonly readonly: boolean; readonly timeout: number }) => Database

const openDatabase = (file: string, busyMillis: number): Database => {
  // as the package sees it, which need not be as this one does
  const here = createRequire(import.meta.url)
  const there = createRequire(here.resolve("@effect/sql-sqlite-node/package.json"))
  const Driver = there("better-sqlite3") as Driver
  return new Driver(file, { readonly: true, timeout: busyMillis })
}

/** By the connection that writes. */
const through = (execute: Execute): Reading => {
  const all: Reading["all"] = (sql, ...parameters) => execute(sql, parameters).map((row) => Object.values(row))
  return { all, first: (sql, ...parameters) => all(sql, ...parameters)[0] }
}

const by = (database: Database): Reading => {
  const statements = new Map<string, Statement>()
  const prepare = (sql: string): Statement => {
    const statement = database.prepare(sql).raw()
    statements.set(sql, statement)
    return statement
  }
  return {
    first: (sql, ...parameters) => (statements.get(sql) ?? prepare(sql)).get(...parameters),
    all: (sql, ...parameters) => (statements.get(sql) ?? prepare(sql)).all(...parameters)
  }
}

/** By a handle of its own, closed with the Scope; to be opened when the file has its tables. */
export const open = (file: string, busyMillis: number, execute: Execute): Effect.Effect<Reading, never, Scope.Scope> =>
  file === ":memory:"
    ? Effect.succeed(through(execute))
    : Effect.acquireRelease(
        Effect.try(() => openDatabase(file, busyMillis)),
        (database) => Effect.sync(() => database.close())
      ).pipe(
        Effect.map(by),
        Effect.orElseSucceed(() => through(execute))
      )
