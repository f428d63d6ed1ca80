/**
 * The one connection that a store keeps for its life.
 *
 * Everything that runs here runs to its end before anything else in this process does: the driver is synchronous, and
 * each operation is given a fiber of its own that cannot yield. So no fiber ever sees another one's transaction half
 * done, no interruption can leave one open, and what the caller has set in its context (a tracer, safe integers) does
 * not reach the statements.
 */
import type { SqlError } from "@effect/sql/SqlError"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as CacheError from "../../CacheError.js"
import { closed } from "../../internal/store/service.js"
import * as Peers from "../internal/peers.js"
import * as Errors from "./errors.js"
import * as Schema from "./schema.js"

/** One row of a result, by column. */
export type Columns = Readonly<Record<string, unknown>>

/** Runs one statement. Only to be used within `Connection.run` or `Connection.transaction`. */
export type Execute = (
  sql: string,
  parameters: ReadonlyArray<unknown>
) => Effect.Effect<ReadonlyArray<Columns>, SqlError>

export interface Connection {
  readonly execute: Execute
  /** Runs what needs no transaction: one statement, which is atomic by itself. */
  readonly run: <A>(operation: string, body: Effect.Effect<A, SqlError>) => Effect.Effect<A, CacheError.StoreFailure>
  /** Runs statements that take effect together or not at all, here and in other processes. */
  readonly transaction: <A>(
    operation: string,
    body: Effect.Effect<A, SqlError>
  ) => Effect.Effect<A, CacheError.StoreFailure>
  /** Copies the database as it is, a little at a time, while it is used. */
  readonly backup: (destination: string) => Effect.Effect<void, CacheError.StoreFailure>
}

/** What the driver can do. */
interface Driver {
  readonly execute: Execute
  readonly backup: (destination: string) => Effect.Effect<unknown, SqlError>
}

const inTransaction = <A>(
  execute: Execute,
  body: Effect.Effect<A, SqlError>,
  // takes the write lock at once: a lock asked for later cannot be waited for once another has written
  begin = "BEGIN IMMEDIATE"
): Effect.Effect<A, SqlError> =>
  Effect.zipRight(
    execute(begin, []),
    Effect.tapErrorCause(
      Effect.zipLeft(body, execute("COMMIT", [])),
      // a full disk has rolled back already; then this fails, as it should
      () => Effect.ignore(execute("ROLLBACK", []))
    )
  )

const driver = "@effect/sql-sqlite-node"

const loadDriver = Peers.load(
  { store: Errors.storeName, driver, install: `${driver} @effect/sql @effect/experimental` },
  () => import("@effect/sql-sqlite-node/SqliteClient")
)

/** Opens the database; closing it never fails, whatever state it is in. */
const openDriver = (file: string): Effect.Effect<Driver, CacheError.StoreUnavailable, Scope.Scope> =>
  Effect.gen(function* () {
    const driver = yield* loadDriver
    const scope = yield* Effect.acquireRelease(Scope.make(), (scope, exit) =>
      Effect.catchAllCause(Scope.close(scope, exit), () => Effect.void)
    )
    return yield* Layer.buildWithScope(
      driver.layer({
        filename: file,
        // switched on below, once it is known whose database this is
        disableWAL: true,
        prepareCacheTTL: Duration.infinity
      }),
      scope
    ).pipe(
      Effect.flatMap((context) => {
        const client = Context.get(context, driver.SqliteClient)
        return Effect.map(client.reserve, (connection) => ({
          execute: ((sql, parameters) => connection.execute(sql, parameters, undefined)) satisfies Execute,
          // the reserved connection's own: the client would wait for it to be given back
          backup: (connection as unknown as Pick<Driver, "backup">).backup.bind(connection)
        }))
      }),
      Scope.extend(scope),
      // the driver throws when it cannot open the file
      Effect.catchAllCause((cause) => Effect.fail(Errors.ofOpening(file, cause)))
    )
  })

const number = (rows: ReadonlyArray<Columns>): number => Number(Object.values(rows[0] ?? {})[0])

interface Identity {
  readonly version: number
  readonly ours: boolean
}

const identify = (execute: Execute): Effect.Effect<Identity, SqlError> =>
  Effect.gen(function* () {
    const application = number(yield* execute("PRAGMA application_id", []))
    const version = number(yield* execute("PRAGMA user_version", []))
    const tables = number(yield* execute("SELECT count(*) FROM sqlite_schema", []))
    const empty = application === 0 && version === 0 && tables === 0
    return { version, ours: empty || application === Schema.applicationId }
  })

const refuse = (file: string, { ours, version }: Identity): Effect.Effect<void, CacheError.StoreUnavailable> => {
  if (!ours) {
    return Effect.fail(
      new CacheError.StoreUnavailable({
        store: Errors.storeName,
        reason: `the database belongs to another application: ${file}`,
        hint: `choose another filename: ${file} is left as it is`
      })
    )
  }
  return version <= Schema.migrations.length
    ? Effect.void
    : Effect.fail(
        new CacheError.StoreUnavailable({
          store: Errors.storeName,
          reason: `the database has schema version ${version}, newer than ${Schema.migrations.length}: ${file}`,
          hint: "upgrade effect-larder in this process, or give it a filename of its own"
        })
      )
}

/** Answers whose database it was, and of which version, when this began. */
const migrate = (execute: Execute): Effect.Effect<Identity, SqlError> =>
  Effect.gen(function* () {
    // asked again inside the transaction: another process may have been here since
    const identity = yield* identify(execute)
    if (!identity.ours || identity.version >= Schema.migrations.length) return identity
    for (const migration of Schema.migrations.slice(identity.version)) {
      for (const statement of migration) yield* execute(statement, [])
    }
    yield* execute(`PRAGMA application_id = ${Schema.applicationId}`, [])
    yield* execute(`PRAGMA user_version = ${Schema.migrations.length}`, [])
    return identity
  })

/** Leaves the file whole by itself, as far as other processes allow without waiting for them. */
const checkpoint = (execute: Execute): Effect.Effect<void> =>
  Effect.ignore(Effect.zipRight(execute("PRAGMA busy_timeout = 0", []), execute("PRAGMA wal_checkpoint(TRUNCATE)", [])))

/** Opens `file` (or ":memory:"), makes or upgrades its tables, and closes it with the Scope. */
export const open = (options: {
  readonly file: string
  readonly busyMillis: number
}): Effect.Effect<Connection, CacheError.StoreUnavailable, Scope.Scope> =>
  Effect.gen(function* () {
    const { file } = options
    const { backup, execute } = yield* openDriver(file)
    const opening = <A>(body: Effect.Effect<A, SqlError>): Effect.Effect<A, CacheError.StoreUnavailable> =>
      Effect.suspend(() => {
        const exit = Effect.runSyncExit(body)
        return Exit.isSuccess(exit) ? Effect.succeed(exit.value) : Effect.fail(Errors.ofOpening(file, exit.cause))
      })
    yield* opening(execute(`PRAGMA busy_timeout = ${options.busyMillis}`, []))
    // in a transaction, for it takes three statements and another process may be making the tables
    const found = yield* opening(inTransaction(execute, identify(execute), "BEGIN"))
    yield* refuse(file, found)
    yield* opening(execute("PRAGMA journal_mode = WAL", []))
    yield* opening(execute("PRAGMA synchronous = NORMAL", []))
    // only when there is something to do: it waits for whoever is writing
    if (found.version < Schema.migrations.length) {
      yield* refuse(file, yield* opening(inTransaction(execute, migrate(execute))))
    }

    let isClosed = false
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        isClosed = true
        Effect.runSyncExit(checkpoint(execute))
      })
    )
    const run = <A>(operation: string, body: Effect.Effect<A, SqlError>): Effect.Effect<A, CacheError.StoreFailure> =>
      Effect.suspend((): Effect.Effect<A, CacheError.StoreFailure> => {
        if (isClosed) return Effect.fail(closed(Errors.storeName))
        const exit = Effect.runSyncExit(body)
        return Exit.isSuccess(exit)
          ? Effect.succeed(exit.value)
          : Effect.fail(Errors.ofStatement(operation, file, exit.cause))
      })
    return {
      execute,
      run,
      transaction: (operation, body) => run(operation, inTransaction(execute, body)),
      backup: (destination) =>
        Effect.suspend(
          (): Effect.Effect<void, CacheError.StoreFailure> =>
            isClosed
              ? Effect.fail(closed(Errors.storeName))
              : Effect.catchAllCause(Effect.asVoid(backup(destination)), (cause) =>
                  Effect.fail(Errors.ofStatement("backup", destination, cause))
                )
        )
    }
  })
