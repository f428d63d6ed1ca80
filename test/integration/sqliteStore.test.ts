import { assert, describe, it } from "@effect/vitest"
import { Cache, type CacheError, CacheStore } from "effect-larder"
import * as SqliteStore from "effect-larder/SqliteStore"
import { Config, ConfigProvider, Effect, Layer, Schema, TestClock } from "effect"
import * as fs from "node:fs"
import * as Tables from "../../src/store/sqlite/schema.js"
import { bundle, start } from "../fixtures/sqlite/child.js"
import { folder, open } from "../fixtures/sqlite/common.js"
import { life, refused, storeOf } from "../fixtures/sqlite/lives.js"
import * as Numbers from "../fixtures/sqlite/numbers.js"

const modeOf = (file: string): string => (fs.statSync(file).mode & 0o777).toString(8)

describe("SqliteStore: entries that outlive the program", () => {
  it.scoped("a second store on the same file finds what the first one stored, nested values included (T15)", () =>
    Effect.gen(function* () {
      const layer = SqliteStore.layer({ filename: `${yield* folder}/cache.db` })
      const first = yield* life(layer, "a", "b")
      assert.deepStrictEqual(first.loads, ["a", "b"])
      const second = yield* life(layer, "b", "a")
      assert.deepStrictEqual(second.loads, [])
      assert.deepStrictEqual(second.values, [Numbers.numbersOf("b"), Numbers.numbersOf("a")])
      assert.isTrue(second.values[0]!.byName instanceof Map && second.values[0]!.at instanceof Date)
    })
  )

  it.scoped("two stores that are open at the same time see each other's entries, and what was invalidated", () =>
    Effect.gen(function* () {
      const filename = `${yield* folder}/cache.db`
      const loads: Array<string> = []
      // two Layers, as two programs would have; one Layer would be built once and refuse the name
      const [here, there] = yield* Effect.all(
        [SqliteStore.layer({ filename }), SqliteStore.layer({ filename })].map((layer) =>
          Effect.flatMap(Layer.build(layer), (context) => Effect.provide(Numbers.open(loads), context))
        )
      )
      yield* here!.get("a")
      yield* there!.get("a")
      assert.deepStrictEqual(loads, ["a"])
      yield* there!.invalidate("a")
      assert.isFalse(yield* here!.has("a"))
    })
  )

  it.scoped("a new process with the same cache name finds 10 entries with 0 loads (T48, R002)", () =>
    Effect.gen(function* () {
      const file = `${yield* folder}/cache.db`
      const program = yield* bundle("store/worker")
      const get = (n: number) => Effect.scoped(Effect.flatMap(start(program, file), (other) => other.ask(`get ${n}`)))
      assert.deepStrictEqual(JSON.parse(yield* get(10)), { right: 10, loads: 10 })
      assert.deepStrictEqual(JSON.parse(yield* get(10)), { right: 10, loads: 0 })
      assert.deepStrictEqual(JSON.parse(yield* get(11)), { right: 11, loads: 1 })
    })
  )

  it.scoped("the time to live goes on while nobody has the file open", () =>
    Effect.gen(function* () {
      const layer = SqliteStore.layer({ filename: `${yield* folder}/cache.db` })
      yield* life(layer, "a")
      yield* TestClock.adjust("3599 seconds")
      assert.deepStrictEqual((yield* life(layer, "a")).loads, [])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual((yield* life(layer, "a")).loads, ["a"])
    })
  )

  it.scoped("entries of another Schema are no entries, and give way", () =>
    Effect.gen(function* () {
      const layer = SqliteStore.layer({ filename: `${yield* folder}/cache.db` })
      yield* life(layer, "a")
      const asText = yield* Cache.make("app/Numbers", {
        key: Schema.String,
        success: Schema.String,
        lookup: () => Effect.succeed("text")
      }).pipe(
        Effect.flatMap((cache) => cache.get("a")),
        Effect.scoped,
        Effect.provide(layer)
      )
      assert.strictEqual(asText, "text")
      assert.deepStrictEqual((yield* life(layer, "a")).loads, ["a"])
    })
  )
})

describe("SqliteStore: layers", () => {
  it.scoped("layerConfig reads its options where they are configured", () =>
    Effect.gen(function* () {
      const file = `${yield* folder}/configured.db`
      const layer = SqliteStore.layerConfig({
        filename: Config.string("FILE"),
        busyTimeout: Config.duration("BUSY").pipe(Config.withDefault("1 second"))
      })
      const configured = (entries: Record<string, string>) =>
        Layer.provide(layer, Layer.setConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(entries)))))
      yield* life(configured({ FILE: file, BUSY: "10 millis" }), "a")
      assert.deepStrictEqual((yield* life(SqliteStore.layer({ filename: file }), "a")).loads, [])
      assert.match(String(yield* refused(configured({}))), /FILE/)
      const error = yield* refused(configured({ FILE: "", BUSY: "30 days" }))
      assert.strictEqual((error as CacheError.InvalidConfig)._tag, "InvalidConfig")
    })
  )

  it.scoped("layerTemporary has a private folder of its own, which is gone with it", () =>
    Effect.gen(function* () {
      const base = yield* folder
      const before = process.env["TMPDIR"]
      yield* Effect.acquireRelease(
        Effect.sync(() => (process.env["TMPDIR"] = base)),
        () =>
          Effect.sync(() => (before === undefined ? delete process.env["TMPDIR"] : (process.env["TMPDIR"] = before)))
      )
      yield* Effect.scoped(
        Effect.gen(function* () {
          const store = yield* storeOf(SqliteStore.layerTemporary)
          assert.deepStrictEqual(store.capabilities, { live: false, persistent: false, shared: false })
          const [made] = fs.readdirSync(base)
          assert.strictEqual(modeOf(`${base}/${made}`), "700")
          assert.strictEqual(modeOf(`${base}/${made}/cache.db`), "600")
        })
      )
      assert.deepStrictEqual(fs.readdirSync(base), [])
      fs.rmSync(base, { recursive: true })
      const error = yield* refused(SqliteStore.layerTemporary)
      assert.strictEqual(error._tag, "PathError")
      assert.strictEqual(error.message, `cannot create a temporary folder: ${base}`)
      assert.strictEqual(error.hint, "let TMPDIR name a folder that can be written")
      fs.mkdirSync(base)
    })
  )

  it.effect("layerMemory is a database of its own each time it is built", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual((yield* life(SqliteStore.layerMemory, "a", "a")).loads, ["a"])
      assert.deepStrictEqual((yield* life(SqliteStore.layerMemory, "a")).loads, ["a"])
    })
  )

  it.scoped("a store says what it is, and refuses once it is closed", () =>
    Effect.gen(function* () {
      const layer = SqliteStore.layer({ filename: `${yield* folder}/cache.db` })
      const store = yield* Effect.scoped(storeOf(layer))
      assert.strictEqual(store.name, "SqliteStore")
      assert.deepStrictEqual(store.capabilities, { live: false, persistent: true, shared: true })
      const error = yield* Effect.flip(Effect.provideService(Numbers.open([]), CacheStore.CacheStore, store))
      assert.strictEqual(error._tag, "StoreUnavailable")
      assert.strictEqual(error.message, "Cache store 'SqliteStore' is not available: it has been closed")
    })
  )
})

describe("SqliteStore: schema versions", () => {
  /** For one test there is a second version of the tables. */
  const nextVersion = (...statements: ReadonlyArray<string>) => {
    const all = Tables.migrations as Array<ReadonlyArray<string>>
    return Effect.acquireRelease(
      Effect.sync(() => all.push(statements)),
      () => Effect.sync(() => all.pop())
    )
  }

  it.scoped("an older file is brought up to date and keeps its entries", () =>
    Effect.gen(function* () {
      const layer = SqliteStore.layer({ filename: `${yield* folder}/cache.db` })
      yield* life(layer, "a")
      yield* nextVersion("ALTER TABLE sweep ADD COLUMN note TEXT")
      assert.deepStrictEqual((yield* life(layer, "a")).loads, [])
      assert.deepStrictEqual((yield* life(layer, "a")).loads, [])
    })
  )

  it.scoped("a file of version 1 keeps its entries, and everything in it can be invalidated", () =>
    Effect.gen(function* () {
      const filename = `${yield* folder}/cache.db`
      const layer = SqliteStore.layer({ filename })
      yield* life(layer, "a")
      yield* Effect.scoped(
        Effect.map(open(filename), ({ execute }) => {
          execute("ALTER TABLE regions DROP COLUMN entry_floor", [])
          execute("PRAGMA user_version = 1", [])
        })
      )
      assert.deepStrictEqual((yield* life(layer, "a")).loads, [])
      yield* Effect.scoped(Effect.flatMap(Numbers.open([]), (cache) => cache.invalidateAll)).pipe(Effect.provide(layer))
      assert.deepStrictEqual((yield* life(layer, "a")).loads, ["a"])
    })
  )

  it.scoped("a newer one is refused and left as it is", () =>
    Effect.gen(function* () {
      const file = `${yield* folder}/cache.db`
      const layer = SqliteStore.layer({ filename: file })
      yield* Effect.scoped(Effect.zipRight(nextVersion("ALTER TABLE sweep ADD COLUMN note TEXT"), life(layer, "a")))
      const known = Tables.migrations.length
      const before = fs.readFileSync(file)
      const error = yield* refused(layer)
      assert.strictEqual(error._tag, "StoreUnavailable")
      assert.strictEqual(
        error.message,
        `Cache store 'SqliteStore' is not available: the database has schema version ${known + 1}, newer than ${known}: ${file}`
      )
      assert.strictEqual(
        (error as CacheError.StoreUnavailable).hint,
        "upgrade effect-larder in this process, or give it a filename of its own"
      )
      assert.isTrue(before.equals(fs.readFileSync(file)))
    })
  )

  it.scoped("a migration that fails changes nothing", () =>
    Effect.gen(function* () {
      const layer = SqliteStore.layer({ filename: `${yield* folder}/cache.db` })
      yield* life(layer, "a")
      const error = yield* Effect.scoped(
        Effect.zipRight(nextVersion("DELETE FROM entries", "no statement at all"), refused(layer))
      )
      assert.strictEqual(error._tag, "StoreUnavailable")
      assert.deepStrictEqual((yield* life(layer, "a")).loads, [])
    })
  )

  it.scoped("a file that is up to date opens while another connection is writing", () =>
    Effect.gen(function* () {
      const file = `${yield* folder}/cache.db`
      const writer = yield* open(file)
      writer.execute("BEGIN IMMEDIATE", [])
      const layer = SqliteStore.layer({ filename: file, busyTimeout: "1 milli" })
      assert.strictEqual((yield* Effect.scoped(storeOf(layer))).name, "SqliteStore")
      writer.execute("COMMIT", [])
    })
  )
})
