/**
 * PostgreSQL: beside prepared statements of `pg`, over a pool of ten connections as everybody here has it, and a thousand
 * upserts in one statement. One server on the loopback, which does not wait for its disk.
 *
 * Of peers: Keyv and cacheable by `@keyv/postgres`, bentocache by knex (by kysely it writes a date where it has made
 * a column of numbers), unstorage by db0, which has one connection.
 */
import KeyvPostgres from "@keyv/postgres"
import { knexDriver } from "bentocache/drivers/knex"
import { createDatabase } from "db0"
import db0Postgres from "db0/connectors/postgresql"
import * as PostgresStore from "effect-larder/PostgresStore"
import { Effect, Layer, Schema } from "effect"
import Knex from "knex"
import pg from "pg"
import unstorageDb0 from "unstorage/drivers/db0"
import * as Postgres from "../../fixtures/servers/postgres.js"
import * as Contender from "./contender.js"
import type * as Contest from "./contest.js"
import type { Engine } from "./engine.js"
import * as Peers from "./peers.js"
import { Item, records, texts } from "./workload.js"

const names = { record: "larder, a record", text: "larder, a text" }

const bounds: ReadonlyArray<Contest.Bound> = [
  { own: Contender.engineName, operation: "get", below: 3, target: 1.5 },
  { own: names.text, operation: "get", below: 3.4, target: 1.5 },
  { own: names.text, operation: "atOnce", below: 1 }
]

const connections = 10

const pool = (connectionString: string) =>
  Effect.acquireRelease(
    Effect.sync(() => new pg.Pool({ connectionString, max: connections })),
    (pool) => Effect.promise(() => pool.end())
  )

const raw = (url: string) =>
  Effect.gen(function* () {
    const client = yield* pool(url)
    yield* Effect.promise(() => client.query("CREATE TABLE raw (key text PRIMARY KEY, value text NOT NULL)"))
    const upsert = "ON CONFLICT (key) DO UPDATE SET value = excluded.value"
    const prepared = (name: string, text: string) => (values: ReadonlyArray<unknown>) =>
      client.query({ name, text, values: [...values] })
    const get = prepared("get", "SELECT value FROM raw WHERE key = $1")
    const set = prepared("set", `INSERT INTO raw VALUES ($1, $2) ${upsert}`)
    const getMany = prepared("getMany", "SELECT key, value FROM raw WHERE key = ANY($1::text[])")
    const setMany = prepared("setMany", `INSERT INTO raw SELECT * FROM unnest($1::text[], $2::text[]) ${upsert}`)
    return Contender.promised("pg", "raw", texts(), {
      get: (key) => get([key]),
      set: (key, value) => set([key, value]),
      getMany: (keys) => getMany([keys]),
      setMany: (entries) => setMany([entries.map(([key]) => key), entries.map(([, value]) => value)])
    })
  })

export const postgres: Engine = {
  isThere: Postgres.isThere,
  contests: Effect.gen(function* () {
    const { port } = yield* Postgres.make
    const url = `postgres://larder@127.0.0.1:${port}/postgres`
    const work = records()
    const store = yield* Layer.build(PostgresStore.layer({ url, maxConnections: connections }))
    const ofUnstorage = yield* Effect.acquireRelease(
      Effect.sync(() => createDatabase(db0Postgres({ url }))),
      (database) => Effect.promise(() => database.dispose())
    )
    const ofBento = { client: "pg", connection: url, pool: { min: 0, max: connections } }
    return [
      {
        title: "PostgreSQL",
        ahead: names.record,
        bounds,
        workload: work,
        serial: { get: 50, set: 50 },
        contenders: [
          yield* raw(url),
          yield* Contender.engine(store, texts()),
          yield* Contender.cache(names.text, store, Schema.String, texts()),
          yield* Contender.cache(names.record, store, Item, work),
          yield* Peers.keyv(work, () => new KeyvPostgres({ uri: url, table: "keyv", max: connections })),
          yield* Peers.cacheable(work, () => new KeyvPostgres({ uri: url, table: "cacheable", max: connections })),
          yield* Peers.bentocache(work, () => knexDriver({ connection: Knex(ofBento) })),
          yield* Peers.unstorage(work, () => unstorageDb0({ database: ofUnstorage }))
        ]
      }
    ]
  })
}
