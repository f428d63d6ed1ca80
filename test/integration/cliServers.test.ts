/** The `larder` command over servers: each by its url, and a large migration that is killed half-way. */
import { assert, describe, it } from "@effect/vitest"
import { Cache, CacheStore } from "effect-larder"
import * as Envelope from "effect-larder/Envelope"
import * as Json from "effect-larder/Json"
import * as RedisStore from "effect-larder/RedisStore"
import * as SqliteStore from "effect-larder/SqliteStore"
import { Clock, Effect, Either, Exit, type Layer, Schema, Stream } from "effect"
import { spawn } from "node:child_process"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { jsonOf, larder } from "../fixtures/cli/terminal.js"
import * as Memcached from "../fixtures/servers/memcached.js"
import * as Postgres from "../fixtures/servers/postgres.js"
import * as Redis from "../fixtures/servers/redis.js"
import { folder } from "../fixtures/sqlite/common.js"

const root = fileURLToPath(new URL("../..", import.meta.url))

const words = Effect.flatMap(
  Cache.make("words", {
    key: Schema.String,
    success: Schema.String,
    timeToLive: "1 hour",
    tags: ["all"],
    lookup: (word: string) => Effect.succeed(word.toUpperCase())
  }),
  (cache) => cache.getMany(["bread", "salt"])
)

/** Every command that looks, over one server. */
const lookedAt = (url: string) =>
  Effect.gen(function* () {
    const at = larder({ LARDER_STORE: url })
    assert.strictEqual((yield* at("health")).code, 0)
    const [row] = jsonOf(yield* at("list", "--json")) as ReadonlyArray<{
      readonly name: string
      readonly entries: number
    }>
    assert.deepStrictEqual([row?.name, row?.entries], ["words", 2])
    assert.strictEqual((yield* at("get", "words", "bread")).out, "BREAD")
    yield* at("invalidate", "words", "--key", "bread", "--yes")
    assert.strictEqual((yield* at("get", "words", "bread")).code, 1)
    yield* at("clear", "--yes")
    assert.include((yield* at("list")).out, "0 B")
  })

describe.skipIf(!Memcached.isThere)("larder over memcached", () => {
  it.scopedLive("looks at it and removes from it", () =>
    Effect.gen(function* () {
      const { port } = yield* Memcached.make()
      const url = `memcached://127.0.0.1:${port}?prefix=shop`
      const MemcachedStore = yield* Effect.promise(() => import("effect-larder/MemcachedStore"))
      yield* Effect.provide(
        Effect.scoped(words),
        MemcachedStore.layer({ url: `memcached://127.0.0.1:${port}`, prefix: "shop" })
      )
      yield* lookedAt(url)
    })
  )
})

describe.skipIf(!Postgres.isThere)("larder over PostgreSQL", () => {
  it.scopedLive("looks at it and removes from it", () =>
    Effect.gen(function* () {
      const server = yield* Postgres.make
      const PostgresStore = yield* Effect.promise(() => import("effect-larder/PostgresStore"))
      const url = `postgres://larder@127.0.0.1:${server.port}/postgres`
      yield* Effect.provide(Effect.scoped(words), PostgresStore.layer({ url, prefix: "shop" }))
      yield* lookedAt(`${url}?prefix=shop`)
    })
  )
})

const entries = 100_000
const codec = Envelope.make({ success: Json.make(Schema.Struct({ id: Schema.Number, text: Schema.String })) })

/** Entries of one cache, put there at once; every tenth is a little older, and lives a little longer. */
const filled = (store: Layer.Layer<CacheStore.CacheStore, unknown>) =>
  Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    const rows = Array.from({ length: entries }, (_, id) => {
      const end = now + 3_600_000 + (id % 10) * 60_000
      const tags = [`shard:${id % 7}`]
      const entry = {
        exit: Exit.succeed({ id, text: `text ${id}` }),
        createdAt: now - id,
        freshUntil: end - 1_000,
        staleUntil: end,
        tags,
        loadMillis: 1,
        keyText: undefined
      }
      return { key: `~${id}`, bytes: Either.getOrThrow(codec.encode(entry)), tags, reclaimAt: end, since: undefined }
    })
    const { raw } = yield* CacheStore.CacheStore
    const engine = yield* raw!.open("numbers")
    for (let at = 0; at < entries; at += 10_000) yield* engine.setMany(rows.slice(at, at + 10_000))
    return new Map(rows.map((row) => [row.key, row]))
  }).pipe(Effect.scoped, Effect.provide(store))

/** How many keys the server has. */
const keysIn = (port: number) =>
  Effect.map(Redis.say(port, "DBSIZE"), (answer) => Number(/:(\d+)/.exec(answer)?.[1] ?? 0))

describe.skipIf(!Redis.isThere)("larder over Redis", () => {
  it.scopedLive("looks at it and removes from it, and tells what has outdated an entry", () =>
    Effect.gen(function* () {
      const { port } = yield* Redis.make()
      const store = RedisStore.layer({ url: `redis://127.0.0.1:${port}`, prefix: "shop" })
      const url = `redis://127.0.0.1:${port}?prefix=shop`
      const at = larder({ LARDER_STORE: url })
      yield* Effect.provide(Effect.scoped(words), store)
      yield* at("invalidate", "words", "--tag", "all", "--yes")
      const why = yield* at("explain", "words", "salt")
      assert.strictEqual(why.code, 0)
      assert.include(why.out, "outdated")
      assert.include(why.out, "tag all was invalidated after it was loaded")
      yield* Effect.provide(Effect.scoped(words), store)
      yield* lookedAt(url)
    })
  )

  it.scopedLive(
    "a migration of 100 000 entries that is killed half-way is done when it is begun again",
    () =>
      Effect.gen(function* () {
        const { port } = yield* Redis.make()
        const file = join(yield* folder, "cache.db")
        const rows = yield* filled(SqliteStore.layer({ filename: file }))
        const arguments_ = ["migrate", "--from", `sqlite:${file}`, "--to", `redis://127.0.0.1:${port}`]

        const child = spawn(process.execPath, ["--import", "tsx", "src/cli/main.ts", ...arguments_], {
          cwd: root,
          stdio: "ignore"
        })
        const ended = new Promise<NodeJS.Signals | null>((resolve) => child.on("exit", (_, signal) => resolve(signal)))
        yield* Effect.repeat(keysIn(port), { until: (keys) => keys > entries / 4 })
        child.kill("SIGKILL")
        assert.strictEqual(yield* Effect.promise(() => ended), "SIGKILL")
        const before = yield* keysIn(port)
        assert.isBelow(before, entries)

        const done = jsonOf(yield* larder()(...arguments_, "--json")) as {
          readonly copied: ReadonlyArray<Record<string, number>>
          readonly compared: ReadonlyArray<Record<string, number>>
        }
        const [copied] = done.copied
        assert.strictEqual(copied?.["seen"], entries)
        assert.isAbove(copied?.["present"] ?? 0, entries / 5)
        assert.strictEqual((copied?.["present"] ?? 0) + (copied?.["copied"] ?? 0), entries)
        assert.deepInclude(done.compared[0], { entries, same: entries, missing: 0, different: 0 })

        // as the next program finds them: each once, with its tags, and no longer there than it should be
        const store = RedisStore.layer({ url: `redis://127.0.0.1:${port}` })
        const seen = yield* Effect.gen(function* () {
          const { raw } = yield* CacheStore.CacheStore
          const engine = yield* raw!.open("numbers")
          return yield* Stream.runFold(engine.scan, new Set<string>(), (keys, row) => {
            const was = rows.get(row.key)
            assert.isFalse(keys.has(row.key))
            assert.deepStrictEqual(row.tags, was?.tags)
            assert.deepStrictEqual(Buffer.from(row.bytes), Buffer.from(was?.bytes ?? []))
            assert.isBelow(Math.abs(row.reclaimAt - (was?.reclaimAt ?? 0)), 1_000)
            return keys.add(row.key)
          })
        }).pipe(Effect.scoped, Effect.provide(store))
        assert.strictEqual(seen.size, entries)
        const now = yield* Clock.currentTimeMillis
        const left = Number(/:(\d+)/.exec(yield* Redis.say(port, "PTTL larder:{numbers}:entry:~3"))?.[1])
        // the server keeps it a minute longer than it is served, for clocks that differ
        const longer = now + left - (rows.get("~3")?.reclaimAt ?? 0)
        assert.isTrue(longer > -1_000 && longer < 61_000, String(longer))
      }),
    300_000
  )
})
