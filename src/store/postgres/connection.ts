/** The pool that a store keeps for its life, and how its statements are run. */
import type { SqlError } from "@effect/sql/SqlError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as CacheError from "../../CacheError.js"
import * as Limited from "../internal/limited.js"
import * as Peers from "../internal/peers.js"
import * as Errors from "./errors.js"
import * as Schema from "./schema.js"

/** One row of a result, by column. */
export type Columns = Readonly<Record<string, unknown>>

export interface Connection {
  /** Runs one statement, of which each is atomic by itself. */
  readonly run: (
    operation: string,
    sql: string,
    parameters: ReadonlyArray<unknown>
  ) => Effect.Effect<ReadonlyArray<Columns>, CacheError.StoreFailure>
}

export interface Options {
  readonly url: Redacted.Redacted<string>
  /** The server, for people: without its password. */
  readonly where: string
  readonly prefix: string
  readonly unlogged: boolean
  readonly maxConnections: number
  readonly connectMillis: number
  readonly millis: number
}

const driver = "@effect/sql-pg"

const newer = (where: string, found: number): CacheError.StoreUnavailable =>
  new CacheError.StoreUnavailable({
    store: Errors.storeName,
    reason: `the tables have version ${found}, newer than ${Schema.version} (${where})`,
    hint: "upgrade effect-larder in this process, or give it a prefix of its own"
  })

export const open = (options: Options): Effect.Effect<Connection, CacheError.StoreUnavailable, Scope.Scope> =>
  Effect.gen(function* () {
    const { connectMillis, maxConnections, millis, prefix, unlogged, url, where } = options
    const { PgClient, layer } = yield* Peers.load(
      { store: Errors.storeName, driver, install: `${driver} @effect/sql @effect/experimental` },
      () => import("@effect/sql-pg/PgClient")
    )
    const opening = Errors.ofOpening(where)
    const context = yield* Layer.build(
      layer({ url, maxConnections, connectTimeout: connectMillis, applicationName: "effect-larder" })
    ).pipe(
      Effect.mapError(opening),
      Effect.timeoutFail({ duration: connectMillis, onTimeout: () => opening(new Error("no connection in time")) })
    )
    const client = Context.get(context, PgClient)
    const named = (sql: string): string => sql.replaceAll("{p}", prefix)
    const execute = (sql: string, parameters: ReadonlyArray<unknown> = []) =>
      client.unsafe<Columns>(named(sql), parameters as Array<unknown>).withoutTransform

    const migrate: Effect.Effect<void, SqlError | CacheError.StoreUnavailable> = Effect.gen(function* () {
      // several processes may start at once: one after the other
      yield* execute(Schema.lock, [`effect-larder ${prefix}`])
      yield* execute(Schema.versionTable)
      const [row] = yield* execute(Schema.readVersion)
      const found = Number(row?.["version"] ?? 0)
      if (found > Schema.version) return yield* newer(where, found)
      for (const statement of Schema.migrations({ unlogged }).slice(found).flat()) yield* execute(statement)
      if (found < Schema.version) yield* execute(Schema.writeVersion)
    })
    yield* client
      .withTransaction(migrate)
      .pipe(Effect.mapError((error) => (error._tag === "SqlError" ? opening(error) : error)))

    // telling a server that hangs to stop would take its time, too: it is not waited for
    const limited = yield* Limited.makeForEffects({ store: Errors.storeName, millis })
    return {
      run: (operation, sql, parameters) =>
        limited(
          operation,
          Effect.mapError(execute(sql, parameters), (error) => Errors.ofStatement(operation, error))
        )
    }
  })
