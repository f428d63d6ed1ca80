/**
 * SQLite: beside prepared statements of better-sqlite3, and a thousand upserts in one transaction. Everybody has a file of
 * their own in one folder, and all of these are in WAL mode, as ours is, whether or not a peer would have thought of it.
 *
 * Of peers: Keyv and cacheable by `@keyv/sqlite`, bentocache by kysely, unstorage by db0; the last two stand on
 * better-sqlite3, as ours does, and `@keyv/sqlite` on sqlite3, which works in another thread.
 */
import KeyvSqlite from "@keyv/sqlite"
import { kyselyDriver } from "bentocache/drivers/kysely"
import Database from "better-sqlite3"
import db0Sqlite from "db0/connectors/better-sqlite3"
import { createDatabase } from "db0"
import * as SqliteStore from "effect-larder/SqliteStore"
import { Effect, Layer, Schema } from "effect"
import { Kysely, SqliteDialect } from "kysely"
import unstorageDb0 from "unstorage/drivers/db0"
import * as Connection from "larder-internal/store/sqlite/connection.js"
import * as SqliteEngine from "larder-internal/store/sqlite/engine.js"
import { folder } from "../../fixtures/sqlite/common.js"
import * as Contender from "./contender.js"
import type * as Contest from "./contest.js"
import type { Engine } from "./engine.js"
import * as Peers from "./peers.js"
import { Item, records, texts } from "./workload.js"

const names = { engine: Contender.engineName, record: "larder, a record", text: "larder, a text" }

const bounds: ReadonlyArray<Contest.Bound> = [
  { own: names.engine, operation: "get", below: 2 },
  { own: names.engine, operation: "setMany", below: 1.2 }
]

const openRaw = (file: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const database = new Database(file)
      database.pragma("journal_mode = WAL")
      database.pragma("synchronous = NORMAL")
      return database
    }),
    (database) => Effect.sync(() => database.close())
  )

const raw = (file: string) =>
  Effect.map(openRaw(file), (database) => {
    database.exec("CREATE TABLE entries (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
    const select = database.prepare("SELECT value FROM entries WHERE key = ?")
    const upsert = database.prepare(
      "INSERT INTO entries VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
    )
    return Contender.direct("better-sqlite3", texts(), {
      get: (key) => select.get(key),
      set: (key, value) => upsert.run(key, value),
      setMany: database.transaction((entries: ReadonlyArray<readonly [string, string]>) => {
        for (const [key, value] of entries) upsert.run(key, value)
      })
    })
  })

/** Without a cache: bytes in and out. */
const engine = (file: string) =>
  Effect.gen(function* () {
    const connection = yield* Connection.open({ file, busyMillis: 1_000 })
    const engine = yield* SqliteEngine.make(connection, "bench")
    const work = texts()
    const bytes = new TextEncoder().encode(work.value)
    const row = (key: string) => ({ key, bytes, tags: [], reclaimAt: Infinity, since: undefined })
    return Contender.effectful(names.engine, yield* Effect.runtime<never>(), work, {
      get: (key) => engine.getMany([key]),
      set: (key) => engine.setMany([row(key)]),
      getMany: (keys) => engine.getMany(keys),
      setMany: (entries) => engine.setMany(entries.map(([key]) => row(key)))
    })
  })

export const sqlite: Engine = {
  isThere: true,
  contests: Effect.gen(function* () {
    const at = yield* folder
    const work = records()
    const store = yield* Layer.build(SqliteStore.layer({ filename: `${at}/larder.db` }))
    const file = (name: string) => Effect.as(Effect.scoped(openRaw(`${at}/${name}.db`)), `${at}/${name}.db`)
    const [ofKeyv, ofCacheable] = [`sqlite://${yield* file("keyv")}`, `sqlite://${yield* file("cacheable")}`]
    const ofBento = yield* openRaw(`${at}/bentocache.db`)
    const path = yield* file("unstorage")
    const ofUnstorage = yield* Effect.acquireRelease(
      Effect.sync(() => createDatabase(db0Sqlite({ path }))),
      (database) => Effect.promise(() => database.dispose())
    )
    return [
      {
        title: "SQLite",
        ahead: names.record,
        bounds,
        workload: work,
        serial: { get: 200, set: 50 },
        contenders: [
          yield* raw(`${at}/raw.db`),
          yield* engine(`${at}/engine.db`),
          yield* Contender.cache(names.text, store, Schema.String, texts()),
          yield* Contender.cache(names.record, store, Item, work),
          yield* Peers.keyv(work, () => new KeyvSqlite(ofKeyv)),
          yield* Peers.cacheable(work, () => new KeyvSqlite(ofCacheable)),
          yield* Peers.bentocache(work, () =>
            kyselyDriver({ connection: new Kysely({ dialect: new SqliteDialect({ database: ofBento }) }) })
          ),
          yield* Peers.unstorage(work, () => unstorageDb0({ database: ofUnstorage }))
        ]
      }
    ]
  })
}
