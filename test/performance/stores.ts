/**
 * What each engine costs beside the driver, or the system call, that it stands on, in one run. An engine moves bytes; what
 * a cache adds (decoding, freshness, the load that is shared) is the difference to the last rows of each table.
 *
 * Values are a hundred bytes of JSON, in files a hundred thousand. Servers are started for this, on the loopback.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as PgClient from "@effect/sql-pg/PgClient"
import Database from "better-sqlite3"
import { Cache, type CacheStore } from "effect-larder"
import * as FileStore from "effect-larder/FileStore"
import * as PostgresStore from "effect-larder/PostgresStore"
import * as SqliteStore from "effect-larder/SqliteStore"
import { Effect, Layer, Redacted, Schema } from "effect"
import * as fs from "node:fs/promises"
import * as Connection from "../../src/store/sqlite/connection.js"
import * as SqliteEngine from "../../src/store/sqlite/engine.js"
import * as Postgres from "../fixtures/servers/postgres.js"
import { folder } from "../fixtures/sqlite/common.js"
import * as Claims from "./claims.js"
import type { Subject } from "./measure.js"
import { measure, ratios } from "./measure.js"
import type { Suite } from "./suite.js"
import { finder, inFiber, toRow } from "./suite.js"

const keys = Array.from({ length: 1_000 }, (_, index) => `item:${index}`)
const around = (() => {
  let next = 0
  return () => keys[next++ % keys.length]!
})()
const value = new TextEncoder().encode(
  JSON.stringify({ id: "x".repeat(36), name: "a loaf of brown bread", price: 4.5 })
)
const page = "x".repeat(100_000)

const rowOf = (key: string) => ({ key, bytes: value, tags: [], reclaimAt: Infinity, since: undefined })

const texts = (layer: Layer.Layer<CacheStore.CacheStore, unknown>, text: string) =>
  Effect.flatMap(Layer.build(layer), (context) =>
    Effect.provide(
      Cache.make("bench", { key: Schema.String, success: Schema.String, lookup: () => Effect.succeed(text) }),
      context
    )
  )

const serial = (name: string, run: () => unknown, batch?: number): Subject => ({
  name,
  batch,
  run: async (times) => {
    for (let done = 0; done < times; done++) await run()
  }
})

const sqlite = Effect.gen(function* () {
  const at = yield* folder
  const connection = yield* Connection.open({ file: `${at}/cache.db`, busyMillis: 1_000 })
  const engine = yield* SqliteEngine.make(connection, "bench")
  yield* engine.setMany(keys.map(rowOf))
  const raw = yield* Effect.acquireRelease(
    Effect.sync(() => new Database(`${at}/raw.db`)),
    (database) => Effect.sync(() => database.close())
  )
  raw.pragma("journal_mode = WAL")
  raw.pragma("synchronous = NORMAL")
  raw.exec("CREATE TABLE entries (key TEXT PRIMARY KEY, value BLOB NOT NULL)")
  const insert = raw.prepare("INSERT INTO entries VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value")
  const select = raw.prepare("SELECT value FROM entries WHERE key = ?")
  const insertAll = raw.transaction((all: ReadonlyArray<string>) => {
    for (const key of all) insert.run(key, value)
  })
  insertAll(keys)
  const cache = yield* texts(SqliteStore.layer({ filename: `${at}/whole.db` }), "a loaf of brown bread")
  yield* cache.getMany(keys)
  const runtime = yield* Effect.runtime<never>()
  return [
    {
      name: "better-sqlite3: get",
      run: (times) => {
        for (let done = 0; done < times; done++) select.get(around())
      }
    },
    inFiber(runtime, "SqliteStore: get of the engine", () => engine.getMany([around()])),
    inFiber(runtime, "SqliteStore: get of a cache", () => cache.get(around())),
    serial("better-sqlite3: a transaction of 1 000 sets", () => insertAll(keys), 2),
    inFiber(runtime, "SqliteStore: 1 000 sets of the engine", () => engine.setMany(keys.map(rowOf)), 2)
  ] satisfies ReadonlyArray<Subject>
})

const files = Effect.gen(function* () {
  const at = yield* folder
  const store = Layer.provide(FileStore.layer({ directory: `${at}/store`, compression: "none" }), NodeFileSystem.layer)
  const cache = yield* texts(store, page)
  yield* cache.getMany(keys.slice(0, 50))
  for (const key of keys.slice(0, 50)) yield* Effect.promise(() => fs.writeFile(`${at}/${key}`, page))
  const runtime = yield* Effect.runtime<never>()
  let next = 0
  const some = () => keys[next++ % 50]!
  return [
    serial("node:fs: readFile of 100 kB", () => fs.readFile(`${at}/${some()}`)),
    inFiber(runtime, "FileStore: get of a cache, 100 kB", () => cache.get(some()))
  ] satisfies ReadonlyArray<Subject>
})

const postgres = Effect.gen(function* () {
  const server = yield* Postgres.make
  const url = `postgres://larder@127.0.0.1:${server.port}/postgres`
  const cache = yield* texts(PostgresStore.layer({ url }), "a loaf of brown bread")
  yield* cache.getMany(keys)
  const context = yield* Layer.build(PgClient.layer({ url: Redacted.make(url) }))
  const sql = context.unsafeMap.get(PgClient.PgClient.key) as PgClient.PgClient
  yield* sql`CREATE TABLE raw (key text PRIMARY KEY, value bytea NOT NULL)`
  for (const key of keys) yield* sql`INSERT INTO raw VALUES (${key}, ${Buffer.from(value)})`
  const runtime = yield* Effect.runtime<never>()
  return [
    inFiber(runtime, "@effect/sql-pg: a query by key", () => sql`SELECT value FROM raw WHERE key = ${around()}`),
    inFiber(runtime, "PostgresStore: get of a cache", () => cache.get(around()))
  ] satisfies ReadonlyArray<Subject>
})

export const stores: Suite = ({ quick }) =>
  Effect.gen(function* () {
    const options = { warmup: quick ? 5 : 20, rounds: quick ? 20 : 60, batch: 200 }
    const timed = (subjects: ReadonlyArray<Subject>) => Effect.promise(() => measure(subjects, options))
    const [inFile, inFiles, inDatabase] = [
      yield* timed(yield* sqlite),
      yield* timed(yield* files),
      yield* timed(yield* postgres)
    ]
    const find = finder([...inFile, ...inFiles, ...inDatabase])
    const claim = (text: string, bound: number, own: string, raw: string) =>
      Claims.below(text, "x", bound, ratios(find(own), find(raw)))
    return {
      tables: [
        { title: "A SQLite file", rows: inFile.map(toRow) },
        { title: "A file for each entry", rows: inFiles.map(toRow) },
        { title: "PostgreSQL", rows: inDatabase.map(toRow) }
      ],
      claims: [
        claim("a get of the SQLite engine", 4, "SqliteStore: get of the engine", "better-sqlite3: get"),
        claim(
          "a thousand sets of the SQLite engine",
          4,
          "SqliteStore: 1 000 sets of the engine",
          "better-sqlite3: a transaction of 1 000 sets"
        ),
        claim("a get of a file, decoded", 3, "FileStore: get of a cache, 100 kB", "node:fs: readFile of 100 kB"),
        claim("a get of PostgreSQL, decoded", 3, "PostgresStore: get of a cache", "@effect/sql-pg: a query by key")
      ]
    }
  }).pipe(Effect.scoped, Effect.provide(Layer.empty), Effect.runPromise)
