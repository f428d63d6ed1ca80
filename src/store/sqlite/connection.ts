/**
 * The one connection that a store keeps for its life.
 *
 * Everything that runs here runs to its end before anything else in this process does: the driver is synchronous, and
 * an operation is one synchronous step of whoever asks for it. So no fiber ever sees another one's transaction half done,
 * and no interruption can leave one open.
 */
import type { SqlError } from "@effect/sql/SqlError"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as CacheError from "../../CacheError.js"
import { closed } from "../../internal/store/service.js"
import * as Peers from "../internal/peers.js"
import * as Errors from "./errors.js"
import * as Reading from "./reading.js"
import * as Schema from "./schema.js"
import * as Statements from "./statements.js"

export interface Connection {
  readonly execute: Statements.Execute
  /** Asks, outside of transactions and within `run`. */
  readonly reading: Reading.Reading
  /** Runs what needs no transaction: one statement, which is atomic by itself. */
  readonly run: <A>(operation: string, body: () => A) => Effect.Effect<A, CacheError.StoreFailure>
  /** Runs statements that take effect together or not at all, here and in other processes. */
  readonly transaction: <A>(operation: string, body: () => A) => Effect.Effect<A, CacheError.StoreFailure>
  /** Copies the database as it is, a little at a time, while it is used. */
  readonly backup: (destination: string) => Effect.Effect<void, CacheError.StoreFailure>
}

/** What the driver can do. */
interface Driver {
  readonly execute: Statements.Execute
  readonly backup: (destination: string) => Effect.Effect<unknown, SqlError>
}

/** For what may fail and is no worse for it. */
const ignoring = (body: () => unknown): void => {
  try {
    body()
  } catch {
    // nothing that could be done about it
  }
}

const inTransaction = <A>(
  execute: Statements.Execute,
  body: () => A,
  // takes the write lock at once: a lock asked for later cannot be waited for once another has written
  begin = "BEGIN IMMEDIATE"
): A => {
  execute(begin, [])
  try {
    const result = body()
    execute("COMMIT", [])
    return result
  } catch (error) {
    // a full disk has rolled back already; then this fails, as it should
    ignoring(() => execute("ROLLBACK", []))
    throw error
  }
}

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
        disableWAL: true
      }),
      scope
    ).pipe(
      Effect.flatMap((context) => {
        const client = Context.get(context, driver.SqliteClient)
        return Effect.map(client.reserve, (connection) => ({
          execute: Statements.make(connection),
          // the reserved connection's own: the client would wait for it to be given back
          backup: (connection as unknown as Pick<Driver, "backup">).backup.bind(connection)
        }))
      }),
      Scope.extend(scope),
      // the driver throws when it cannot open the file
      Effect.catchAllCause((cause) => Effect.fail(Errors.ofOpening(file, Cause.squash(cause))))
    )
  })

const number = (rows: ReadonlyArray<Statements.Columns>): number => Number(Object.values(rows[0] ?? {})[0])

interface Identity {
  readonly version: number
  readonly ours: boolean
}

const identify = (execute: Statements.Execute): Identity => {
  const application = number(execute("PRAGMA application_id", []))
  const version = number(execute("PRAGMA user_version", []))
  const tables = number(execute("SELECT count(*) FROM sqlite_schema", []))
  const empty = application === 0 && version === 0 && tables === 0
  return { version, ours: empty || application === Schema.applicationId }
}

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
const migrate = (execute: Statements.Execute): Identity => {
  // asked again inside the transaction: another process may have been here since
  const identity = identify(execute)
  if (!identity.ours || identity.version >= Schema.migrations.length) return identity
  for (const statement of Schema.migrations.slice(identity.version).flat()) execute(statement, [])
  execute(`PRAGMA application_id = ${Schema.applicationId}`, [])
  execute(`PRAGMA user_version = ${Schema.migrations.length}`, [])
  return identity
}

/** Leaves the file whole by itself, as far as other processes allow without waiting for them. */
const checkpoint = (execute: Statements.Execute): void =>
  ignoring(() => {
    execute("PRAGMA busy_timeout = 0", [])
    execute("PRAGMA wal_checkpoint(TRUNCATE)", [])
  })

/** Opens `file` (or ":memory:"), makes or upgrades its tables, and closes it with the Scope. */
export const open = (options: {
  readonly file: string
  readonly busyMillis: number
}): Effect.Effect<Connection, CacheError.StoreUnavailable, Scope.Scope> =>
  Effect.gen(function* () {
    const { file } = options
    const { backup, execute } = yield* openDriver(file)
    const opening = <A>(body: () => A): Effect.Effect<A, CacheError.StoreUnavailable> =>
      Effect.try({ try: body, catch: (error) => Errors.ofOpening(file, error) })
    yield* opening(() => execute(`PRAGMA busy_timeout = ${options.busyMillis}`, []))
    // in a transaction, for it takes three statements and another process may be making the tables
    const found = yield* opening(() => inTransaction(execute, () => identify(execute), "BEGIN"))
    yield* refuse(file, found)
    yield* opening(() => execute("PRAGMA journal_mode = WAL", []))
    yield* opening(() => execute("PRAGMA synchronous = NORMAL", []))
    // only when there is something to do: it waits for whoever is writing
    if (found.version < Schema.migrations.length) {
      yield* refuse(file, yield* opening(() => inTransaction(execute, () => migrate(execute))))
    }

    const reading = yield* Reading.open(file, options.busyMillis, execute)

    let isClosed = false
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        isClosed = true
        checkpoint(execute)
      })
    )
    const run = <A>(operation: string, body: () => A): Effect.Effect<A, CacheError.StoreFailure> =>
      Effect.suspend((): Effect.Effect<A, CacheError.StoreFailure> => {
        if (isClosed) return Effect.fail(closed(Errors.storeName))
        try {
          return Effect.succeed(body())
        } catch (error) {
          return Effect.fail(Errors.ofStatement(operation, file, error))
        }
      })
    return {
      execute,
      reading,
      run,
      transaction: (operation, body) => run(operation, () => inTransaction(execute, body)),
      backup: (destination) =>
        Effect.suspend(
          (): Effect.Effect<void, CacheError.StoreFailure> =>
            isClosed
              ? Effect.fail(closed(Errors.storeName))
              : Effect.catchAllCause(Effect.asVoid(backup(destination)), (cause) =>
                  Effect.fail(Errors.ofStatement("backup", destination, Cause.squash(cause)))
                )
        )
    }
  })
