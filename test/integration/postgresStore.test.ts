/** PostgresStore against a real server: the laws of stores, several programs at once, and a server that goes away. */
import { assert, describe, it } from "@effect/vitest"
import { CacheError, CacheStore, MemoryStore } from "effect-larder"
import * as PostgresStore from "effect-larder/PostgresStore"
import { StoreLaws } from "effect-larder/testing"
import { Effect, Exit, Layer, Logger, Redacted, Schedule, Scope } from "effect"
import { afterAll, beforeAll } from "vitest"
import * as Regions from "../../src/testing/internal/regions.js"
import { counted } from "../fixtures/cache/counted.js"
import * as Postgres from "../fixtures/servers/postgres.js"
import type * as Server from "../fixtures/servers/process.js"
import { life, refused, storeOf } from "../fixtures/sqlite/lives.js"

describe.skipIf(!Postgres.isThere)("PostgresStore", () => {
  const scope = Effect.runSync(Scope.make())
  let server: Server.Server
  let shops = 0
  beforeAll(async () => {
    server = await Effect.runPromise(Scope.extend(Postgres.make, scope))
  }, 60_000)
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))
  const urlOf = () => `postgres://larder@127.0.0.1:${server.port}/postgres`
  const layer = (options: Partial<PostgresStore.Options> = {}) =>
    Layer.suspend(() => PostgresStore.layer({ url: urlOf(), maxConnections: 4, ...options }))

  /** Tables of its own for each Layer that is built. */
  const own = Layer.suspend(() => layer({ prefix: `test${++shops}`, unlogged: shops % 2 === 0 }))
  StoreLaws.suite("PostgresStore", own, { histories: 20 })
  const unprepared = Layer.suspend(() => layer({ prefix: `test${++shops}`, prepared: false }))
  StoreLaws.suite("PostgresStore, nothing prepared", unprepared, { histories: 10 })
  StoreLaws.suite("memory over PostgreSQL", MemoryStore.layer().pipe(CacheStore.tieredOver(own)), { histories: 10 })

  it.scoped("what one program stores and invalidates, another one sees; it outlives both", () =>
    Effect.gen(function* () {
      const made = layer({ prefix: "two" })
      const open = Effect.flatMap(Layer.build(Layer.fresh(made)), (context) => Effect.provide(counted().cache, context))
      const [here, there] = yield* Effect.all([open, open])
      assert.strictEqual(yield* here.get("a"), "a1")
      assert.strictEqual(yield* there.get("a"), "a1")
      yield* there.invalidateTags(["tag a"])
      assert.strictEqual(yield* here.get("a"), "a2")
      assert.strictEqual(yield* there.clear, 1)
      assert.isFalse(yield* here.has("a"))
      assert.deepStrictEqual((yield* life(made, "x")).loads, ["x"])
      assert.deepStrictEqual((yield* life(made, "x")).loads, [])
    })
  )

  it.scoped("what is asked for, and written, in one turn is one statement", () =>
    Effect.gen(function* () {
      const context = yield* Layer.build(layer({ prefix: "turn", maxConnections: 1 }))
      const cache = yield* Effect.provide(counted().cache, context)
      const keys = Array.from({ length: 2_000 }, (_, index) => `key ${index}`)
      yield* cache.getMany(keys)
      yield* Effect.forEach(keys, cache.get, { concurrency: "unbounded" })
      const stats = yield* cache.stats
      assert.deepStrictEqual([stats.loads, stats.fresh, stats.storeFailures], [2_000, 2_000, 0])
      // of two writes of one key in one turn the explicit one wins
      const region = yield* Effect.provide(Regions.open("r"), context)
      const since = yield* Regions.epochOf(region)
      yield* Effect.all([Regions.put(region, "k", "mine"), Regions.put(region, "k", "loaded", { since })], {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(yield* Regions.values(region, "k"), ["mine"])
    })
  )

  it.scoped("several programs may make the tables at the same time", () =>
    Effect.gen(function* () {
      const stores = yield* Effect.all(
        Array.from({ length: 5 }, () => storeOf(Layer.fresh(layer({ prefix: "race", maxConnections: 1 })))),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(stores.length, 5)
    })
  )

  it.scoped("a load that is overtaken while it is written is not there afterwards, whoever invalidates", () =>
    Effect.gen(function* () {
      const open = Effect.flatMap(Layer.build(Layer.fresh(layer({ prefix: "fence", maxConnections: 2 }))), (context) =>
        Effect.provide(Regions.open("r"), context)
      )
      const [here, there] = yield* Effect.all([open, open])
      for (let round = 0; round < 60; round++) {
        const since = yield* Regions.epochOf(here)
        const write = Regions.put(here, "k", "old", { since, tags: ["t"] })
        const invalidate =
          round % 3 === 0 ? there.deleteMany(["k"]) : round % 3 === 1 ? there.invalidateTags(["t"]) : there.clear
        yield* Effect.all(round % 2 === 0 ? [write, invalidate] : [invalidate, write], { concurrency: "unbounded" })
        assert.deepStrictEqual(yield* Regions.values(here, "k"), [undefined], `round ${round}`)
      }
    })
  )

  it.live("a server that stops answering costs its timeout once; killed and started again, it has what it had", () =>
    Effect.gen(function* () {
      const mine = yield* Postgres.make
      const url = `postgres://larder@127.0.0.1:${mine.port}/postgres`
      const context = yield* Layer.build(
        PostgresStore.layer({ url, timeout: "300 millis" }).pipe(
          CacheStore.circuitBreaker({ resetAfter: "200 millis" })
        )
      )
      const { cache: made, state } = counted()
      const cache = yield* Effect.provide(made, context)
      yield* Effect.forEach(["a", "a"], cache.get)
      assert.strictEqual(state.loads, 1)
      yield* mine.kill
      yield* Effect.forEach(["a", "b"], cache.get)
      assert.strictEqual(state.loads, 3)
      assert.strictEqual((yield* Effect.flip(cache.invalidate("a")))._tag, "StoreUnavailable")
      yield* mine.start
      yield* Effect.retry(cache.invalidate("z"), { schedule: Schedule.spaced("100 millis"), times: 100 })
      // what was owed is done: the entry of the first life was invalidated
      assert.strictEqual(yield* cache.get("a"), "a4")
      assert.strictEqual(yield* cache.get("a"), "a4")
    }).pipe(Effect.scoped, Effect.provide(Logger.remove(Logger.defaultLogger)))
  )

  it.scoped(
    "a server that cannot be had, or does not let us in, is told with what to do, and without the password",
    () =>
      Effect.gen(function* () {
        const at = (path: string) => `postgres://larder:s3cr3t@127.0.0.1:${path}`
        const gone = (yield* refused(PostgresStore.layer({ url: at("1/x") }))) as CacheError.StoreUnavailable
        assert.strictEqual(gone._tag, "StoreUnavailable")
        assert.match(gone.message, /ECONNREFUSED.*postgres:\/\/127\.0\.0\.1:1\/x/)
        assert.notInclude(JSON.stringify(gone), "s3cr3t")
        const none = (yield* refused(
          PostgresStore.layer({ url: at(`${server.port}/none`) })
        )) as CacheError.StoreUnavailable
        assert.strictEqual(none.hint, "create it, or name another in the url")
      })
  )

  it.scoped("tables of a newer version are left as they are", () =>
    Effect.gen(function* () {
      yield* Effect.scoped(storeOf(layer({ prefix: "newer" })))
      const { PgClient, layer: pg } = yield* Effect.promise(() => import("@effect/sql-pg/PgClient"))
      yield* Effect.flatMap(PgClient, (sql) => sql.unsafe("UPDATE newer_version SET version = 99")).pipe(
        Effect.provide(pg({ url: Redacted.make(urlOf()) })),
        Effect.orDie
      )
      const error = yield* refused(layer({ prefix: "newer" }))
      assert.match(error.message, /the tables have version 99, newer than 2/)
    })
  )

  it.scoped("tables of an older version are brought up to date, with what is in them", () =>
    Effect.gen(function* () {
      const { cache, state } = counted("older")
      const get = Effect.scoped(
        Effect.flatMap(Layer.build(layer({ prefix: "older" })), (context) =>
          Effect.provide(
            Effect.flatMap(cache, (made) => made.get("a")),
            context
          )
        )
      )
      assert.strictEqual(yield* get, "a1")
      // version 1 read without a function
      const { PgClient, layer: pg } = yield* Effect.promise(() => import("@effect/sql-pg/PgClient"))
      yield* Effect.flatMap(PgClient, (sql) =>
        Effect.zipRight(sql.unsafe("DROP FUNCTION older_read"), sql.unsafe("UPDATE older_version SET version = 1"))
      ).pipe(Effect.provide(pg({ url: Redacted.make(urlOf()) })), Effect.orDie)
      assert.strictEqual(yield* get, "a1")
      assert.strictEqual(state.loads, 1)
    })
  )

  it.scoped("tables that somebody drops, and no more than these, are made anew", () =>
    Effect.gen(function* () {
      const tables = ["entries", "fences", "tags", "regions", "version"].map((name) => `dropped_${name}`).join(", ")
      yield* Effect.scoped(Layer.build(layer({ prefix: "dropped" })))
      const { PgClient, layer: pg } = yield* Effect.promise(() => import("@effect/sql-pg/PgClient"))
      yield* Effect.flatMap(PgClient, (sql) => sql.unsafe(`DROP TABLE ${tables}`)).pipe(
        Effect.provide(pg({ url: Redacted.make(urlOf()) })),
        Effect.orDie
      )
      const { cache: made, state } = counted()
      const cache = yield* Effect.provide(made, yield* Layer.build(layer({ prefix: "dropped" })))
      yield* cache.get("a")
      yield* cache.get("a")
      assert.strictEqual(state.loads, 1)
    })
  )

  it.scoped("an entry is found by the index, also in a table whose size the planner does not know yet", () =>
    Effect.gen(function* () {
      const context = yield* Layer.build(layer({ prefix: "plan" }))
      const cache = yield* Effect.provide(counted("planned").cache, context)
      const { PgClient, layer: pg } = yield* Effect.promise(() => import("@effect/sql-pg/PgClient"))
      const touched = yield* Effect.flatMap(PgClient, (sql) => {
        const read = sql.unsafe(
          "SELECT * FROM plan_read((SELECT max(id) FROM plan_regions), ARRAY(SELECT digest FROM plan_entries LIMIT 1))"
        )
        return cache.getMany(Array.from({ length: 1_000 }, (_, index) => `key ${index}`)).pipe(
          // what this transaction has read so far, of the entries: one to have a digest, and one by it
          Effect.zipRight(
            sql.withTransaction(
              Effect.zipRight(
                read,
                sql.unsafe<{ readonly count: number }>(
                  `SELECT (coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::integer AS count
                   FROM pg_stat_xact_user_tables WHERE relname = 'plan_entries'`
                )
              )
            )
          )
        )
      }).pipe(Effect.provide(pg({ url: Redacted.make(urlOf()), maxConnections: 1 })), Effect.orDie)
      assert.isAbove(touched[0]!.count, 0)
      assert.isBelow(touched[0]!.count, 10)
    })
  )

  it.scoped("options that make no sense are told, all of them, without the password", () =>
    Effect.gen(function* () {
      const bad = {
        url: "http://:s3cr3t@h",
        prefix: "A b",
        unlogged: 1,
        prepared: "no",
        timeout: 0,
        connectTimeout: "soon",
        maxConnections: 0
      }
      const error = yield* refused(PostgresStore.layer(bad as unknown as PostgresStore.Options))
      assert.instanceOf(error, CacheError.InvalidConfig)
      assert.deepStrictEqual(error.issues.map(({ field }) => field).sort(), Object.keys(bad).sort())
      assert.notInclude(error.message, "s3cr3t")
    })
  )
})
