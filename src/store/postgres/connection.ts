/** How a store comes to its tables, and its statements to the server. */
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { createHash } from "node:crypto"
import type * as Pg from "pg"
import * as CacheError from "../../CacheError.js"
import * as Limited from "../internal/limited.js"
import * as Peers from "../internal/peers.js"
import * as Errors from "./errors.js"
import * as Pool from "./pool.js"
import * as Schema from "./schema.js"

export interface Connection {
  /** Runs one statement, of which each is atomic by itself. */
  readonly run: (
    operation: string,
    sql: string,
    parameters: ReadonlyArray<unknown>
  ) => Effect.Effect<ReadonlyArray<Pool.Columns>, CacheError.StoreFailure>
  /** The same as a Promise, in an operation that is run with `limited`. */
  readonly send: (
    sql: string,
    parameters: ReadonlyArray<unknown>,
    attempt: Limited.Attempt
  ) => Promise<ReadonlyArray<Pool.Columns>>
  readonly limited: Limited.Limited
  /** Whether the server keeps the plan of each. */
  readonly prepared: boolean
}

export interface Options {
  readonly url: Redacted.Redacted<string>
  /** The server, for people: without its password. */
  readonly where: string
  readonly prefix: string
  readonly unlogged: boolean
  readonly prepared: boolean
  readonly maxConnections: number
  readonly connectMillis: number
  readonly millis: number
}

const install = "@effect/sql-pg @effect/sql @effect/experimental pg"

const newer = (where: string, found: number): CacheError.StoreUnavailable =>
  new CacheError.StoreUnavailable({
    store: Errors.storeName,
    reason: `the tables have version ${found}, newer than ${Schema.version} (${where})`,
    hint: "upgrade effect-larder in this process, or give it a prefix of its own"
  })

/** Makes the tables, or brings them up to date, in one transaction over a connection of the pool. */
const migrate = (pool: Pg.Pool, named: (sql: string) => string, { prefix, unlogged, where }: Options) =>
  Effect.gen(function* () {
    const { PgClient, layerFromPool } = yield* Peers.load(
      { store: Errors.storeName, driver: "@effect/sql-pg", install },
      () => import("@effect/sql-pg/PgClient")
    )
    const opening = Errors.ofOpening(where)
    return yield* Effect.flatMap(PgClient, (client) => {
      const execute = (sql: string, parameters: ReadonlyArray<unknown> = []) =>
        client.unsafe<Pool.Columns>(named(sql), parameters).withoutTransform
      const steps: Effect.Effect<void, SqlError | CacheError.StoreUnavailable> = Effect.gen(function* () {
        // several processes may start at once: one after the other
        yield* execute(Schema.lock, [`effect-larder ${prefix}`])
        yield* execute(Schema.versionTable)
        const [row] = yield* execute(Schema.readVersion)
        const found = Number(row?.["version"] ?? 0)
        if (found > Schema.version) return yield* newer(where, found)
        for (const statement of Schema.migrations({ unlogged }).slice(found).flat()) yield* execute(statement)
        if (found < Schema.version) yield* execute(Schema.writeVersion)
      })
      return client.withTransaction(steps)
    }).pipe(
      Effect.provide(layerFromPool({ acquire: Effect.succeed(pool) })),
      Effect.mapError((error) => (error._tag === "SqlError" ? opening(error) : error))
    )
  })

export const open = (options: Options): Effect.Effect<Connection, CacheError.StoreUnavailable, Scope.Scope> =>
  Effect.gen(function* () {
    const { millis, prefix, prepared, url, where } = options
    const driver = yield* Peers.load({ store: Errors.storeName, driver: "pg", install }, () => import("pg"))
    const pool = yield* Pool.make(driver.default.Pool, { ...options, url: Redacted.value(url) })
    const named = (sql: string): string => sql.replaceAll("{p}", prefix)
    yield* Effect.tryPromise({
      // which throws what is wrong with the url
      try: async () => (await pool.ofDriver.connect()).release(),
      catch: Errors.ofOpening(where)
    })
    yield* migrate(pool.ofDriver, named, options)

    const limited = yield* Limited.make({ store: Errors.storeName, millis, failure: Errors.ofStatement })
    /** By the statement as it is written. Of equal names the texts are equal, whichever program has prepared them. */
    const statements = new Map<string, { readonly name?: string; readonly text: string }>()
    const statementOf = (sql: string) => {
      const known = statements.get(sql)
      if (known !== undefined) return known
      const text = named(sql)
      const name = `larder_${createHash("sha256").update(text).digest("hex").slice(0, 32)}`
      const made = prepared ? { name, text } : { text }
      statements.set(sql, made)
      return made
    }
    const send: Connection["send"] = (sql, parameters, attempt) =>
      pool.run({ ...statementOf(sql), values: parameters as Array<unknown> }, attempt)
    return {
      limited,
      prepared,
      send,
      run: (operation, sql, parameters) => limited(operation, (attempt) => send(sql, parameters, attempt))
    }
  })
