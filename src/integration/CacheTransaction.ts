/**
 * Invalidation bound to an SQL transaction: what a transaction has changed is invalidated when it has committed, and
 * not if it is rolled back.
 *
 * Invalidating inside a transaction is wrong twice: others load the old value again before the commit, and keep it; and
 * after a rollback nothing had changed. After the commit it is right: whoever loaded meanwhile had the old value, and
 * what began to load before an invalidation is never kept after it.
 *
 * Between the commit and the invalidation, which follows at once and cannot be interrupted, others are served what was
 * right a moment ago. Inside the transaction the cache is as it was: what has to see its own changes reads the database,
 * or the cache with mode `no-store`. A process that ends between the two has committed and not invalidated.
 *
 * @example
 * ```ts
 * import { SqlClient } from "@effect/sql"
 * import { SqliteClient } from "@effect/sql-sqlite-node"
 * import { Cache, MemoryStore } from "effect-larder"
 * import * as CacheTransaction from "effect-larder/CacheTransaction"
 * import { Effect, Layer } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const sql = yield* SqlClient.SqlClient
 *   yield* sql`CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)`
 *   yield* sql`INSERT INTO users VALUES (1, 'Ada')`
 *   const names = yield* Cache.make("names", {
 *     lookup: (id: number) => Effect.map(sql`SELECT name FROM users WHERE id = ${id}`, ([row]) => row?.["name"])
 *   })
 *   yield* names.get(1)
 *
 *   yield* sql`UPDATE users SET name = 'Grace' WHERE id = 1`.pipe(
 *     Effect.zipRight(CacheTransaction.invalidateAfterCommit(names.invalidate(1))),
 *     CacheTransaction.withTransaction
 *   )
 *   return yield* names.get(1)
 * })
 *
 * program.pipe(
 *   Effect.scoped,
 *   Effect.provide(Layer.merge(MemoryStore.layer(), SqliteClient.layer({ filename: ":memory:" }))),
 *   Effect.runPromise
 * ).then(console.log) // Grace
 * ```
 *
 * @since 0.1.0
 */
import * as SqlClient from "@effect/sql/SqlClient"
import type * as SqlError from "@effect/sql/SqlError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as CacheError from "../CacheError.js"

type Invalidation = Effect.Effect<unknown, CacheError.StoreFailure>

/** What is to be invalidated when the transaction around has committed. */
class Pending extends Context.Tag("effect-larder/CacheTransaction/Pending")<Pending, Array<Invalidation>>() {}

/** What runs after the transaction must not believe that it is inside. */
const outside = <R>(context: Context.Context<R>): Context.Context<R> => {
  const services = new Map(context.unsafeMap)
  services.delete(SqlClient.TransactionConnection.key)
  services.delete(Pending.key)
  return Context.unsafeMake(services)
}

/**
 * Runs an invalidation when the transaction around it has committed: `Cache.invalidate`, `invalidateTags`,
 * `invalidateGroup`, `set` and the like, each in the order in which they were asked for. Where there is no
 * `withTransaction` around, at once. What it fails with is then what the transaction fails with, although it has
 * committed.
 *
 * @since 0.1.0
 * @category combinators
 */
export const invalidateAfterCommit = <A, R>(
  invalidation: Effect.Effect<A, CacheError.StoreFailure, R>
): Effect.Effect<void, CacheError.StoreFailure, R> =>
  Effect.contextWithEffect((context: Context.Context<R>) =>
    Option.match(Context.getOption(context, Pending), {
      onNone: () => Effect.asVoid(invalidation),
      onSome: (pending) =>
        Effect.sync(() => void pending.push(Effect.mapInputContext(invalidation, () => outside(context))))
    })
  )

const openedElsewhere =
  "CacheTransaction.withTransaction is inside a transaction that was begun without it, so it cannot know whether that one commits; begin the outermost one with CacheTransaction.withTransaction too"

/**
 * As `SqlClient.withTransaction`, and runs what `invalidateAfterCommit` has gathered inside once it has committed. If
 * it is rolled back, by a failure, a defect or an interruption, nothing is invalidated. Nested, it is a savepoint, and
 * what it has gathered waits for the outermost transaction. All invalidations are tried, whatever becomes of the first,
 * and the first failure is told.
 *
 * Inside a transaction that was begun with `SqlClient.withTransaction` itself it dies: it could not know of the commit.
 *
 * @since 0.1.0
 * @category combinators
 */
export const withTransaction = <A, E, R>(
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, E | SqlError.SqlError | CacheError.StoreFailure, R | SqlClient.SqlClient> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.contextWithEffect((context: Context.Context<R | SqlClient.SqlClient>) => {
      const around = Context.getOption(context, Pending)
      if (Option.isNone(around) && Option.isSome(Context.getOption(context, SqlClient.TransactionConnection))) {
        return Effect.dieMessage(openedElsewhere)
      }
      const pending: Array<Invalidation> = []
      const body = Effect.provideService(restore(self), Pending, pending)
      return Effect.flatMap(Context.get(context, SqlClient.SqlClient).withTransaction(body), (value) => {
        if (Option.isSome(around)) around.value.push(...pending)
        return Option.isSome(around) ? Effect.succeed(value) : Effect.as(runAll(pending), value)
      })
    })
  )

const runAll = (pending: ReadonlyArray<Invalidation>): Effect.Effect<void, CacheError.StoreFailure> =>
  Effect.flatMap(Effect.forEach(pending, Effect.exit), (exits) =>
    Effect.forEach(exits, (exit) => exit, { discard: true })
  )
