/** Invalidation that waits for a commit, over a real database. */
import { SqlClient } from "@effect/sql"
import { SqliteClient } from "@effect/sql-sqlite-node"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Layer } from "effect"
import { Cache, CacheError, MemoryStore } from "effect-larder"
import * as CacheTransaction from "effect-larder/CacheTransaction"
import { settled } from "../fixtures/cache/harness.js"

const setUp = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)`
  yield* sql`INSERT INTO users VALUES (1, 'Ada'), (2, 'Alan')`
  const cache = yield* Cache.make("names", {
    lookup: (id: number) => Effect.map(sql`SELECT name FROM users WHERE id = ${id}`, ([row]) => String(row?.["name"]))
  })
  yield* cache.getMany([1, 2])
  const rename = (id: number, name: string) =>
    Effect.zipRight(
      sql`UPDATE users SET name = ${name} WHERE id = ${id}`,
      CacheTransaction.invalidateAfterCommit(cache.invalidate(id))
    )
  return { sql, cache, rename }
})

const over = <A, E>(self: Effect.Effect<A, E, Layer.Layer.Success<typeof Both> | import("effect").Scope.Scope>) =>
  self.pipe(Effect.scoped, Effect.provide(Both))

const Both = Layer.merge(MemoryStore.layer(), SqliteClient.layer({ filename: ":memory:" }))

describe("CacheTransaction", () => {
  it.effect("what was changed is invalidated after the commit, and not before", () =>
    Effect.gen(function* () {
      const { cache, rename } = yield* setUp
      const before = yield* CacheTransaction.withTransaction(Effect.zipRight(rename(1, "Grace"), cache.has(1)))
      assert.isTrue(before)
      assert.isFalse(yield* cache.has(1))
      assert.deepStrictEqual(yield* cache.getMany([1, 2]), ["Grace", "Alan"])
    }).pipe(over)
  )

  it.effect("rolled back by a failure, a defect or an interruption, nothing is", () =>
    Effect.gen(function* () {
      const { cache, rename } = yield* setUp
      const endings = [Effect.fail("no"), Effect.die("no"), Effect.interrupt]
      for (const ending of endings) {
        const exit = yield* Effect.exit(
          CacheTransaction.withTransaction(Effect.zipRight(rename(1, "Grace"), ending as Effect.Effect<never, string>))
        )
        assert.isTrue(Exit.isFailure(exit))
        assert.isTrue(yield* cache.has(1))
      }
      assert.strictEqual((yield* cache.stats).loads, 2)
      assert.strictEqual(yield* cache.get(1), "Ada")
    }).pipe(over)
  )

  it.effect("a value that was loaded between the change and the commit is not served after it", () =>
    Effect.gen(function* () {
      const { sql } = yield* setUp
      const gate = yield* Effect.makeLatch(false)
      const names = ["old"]
      const cache = yield* Cache.make("slow", {
        lookup: (_: number) =>
          Effect.suspend(() => {
            const seen = names.at(-1)
            return Effect.as(gate.await, seen)
          })
      })
      const loading = yield* Effect.fork(cache.get(1))
      yield* settled
      yield* CacheTransaction.withTransaction(
        Effect.zipRight(sql`SELECT 1`, CacheTransaction.invalidateAfterCommit(cache.invalidate(1)))
      )
      names.push("new")
      yield* gate.open
      assert.strictEqual(yield* Fiber.join(loading), "old")
      assert.strictEqual(yield* cache.get(1), "new")
    }).pipe(over)
  )

  it.effect("nested, it waits for the outermost; what an inner one has rolled back is left out", () =>
    Effect.gen(function* () {
      const { cache, rename } = yield* setUp
      yield* CacheTransaction.withTransaction(
        Effect.gen(function* () {
          yield* CacheTransaction.withTransaction(rename(1, "Grace"))
          assert.isTrue(yield* cache.has(1), "the savepoint is no commit")
          yield* Effect.exit(CacheTransaction.withTransaction(Effect.zipRight(rename(2, "Barbara"), Effect.fail("no"))))
        })
      )
      assert.isFalse(yield* cache.has(1))
      assert.isTrue(yield* cache.has(2))
      assert.deepStrictEqual(yield* cache.getMany([1, 2]), ["Grace", "Alan"])
    }).pipe(over)
  )

  it.effect("without a transaction it is done at once; inside one that was begun elsewhere it is refused", () =>
    Effect.gen(function* () {
      const { cache, rename, sql } = yield* setUp
      yield* rename(1, "Grace")
      assert.isFalse(yield* cache.has(1))
      const exit = yield* Effect.exit(sql.withTransaction(CacheTransaction.withTransaction(rename(2, "Barbara"))))
      assert.match(String(Exit.isFailure(exit) && Cause.squash(exit.cause)), /begin the outermost one with/)
      assert.isTrue(yield* cache.has(2))
    }).pipe(over)
  )

  it.effect("an invalidation that fails is told, and the others are done all the same", () =>
    Effect.gen(function* () {
      const { cache, rename } = yield* setUp
      const failure = new CacheError.StoreUnavailable({ store: "Far", reason: "down", hint: "wait" })
      const exit = yield* Effect.exit(
        CacheTransaction.withTransaction(
          Effect.zipRight(CacheTransaction.invalidateAfterCommit(Effect.fail(failure)), rename(1, "Grace"))
        )
      )
      const told = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
      assert.isTrue(told instanceof CacheError.StoreUnavailable && told.reason === "down")
      assert.isFalse(yield* cache.has(1))
      assert.strictEqual(yield* cache.get(1), "Grace")
    }).pipe(over)
  )
})
