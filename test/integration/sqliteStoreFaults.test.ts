import { assert, describe, it } from "@effect/vitest"
import { Cache, type CacheError, CacheStore } from "effect-larder"
import * as SqliteStore from "effect-larder/SqliteStore"
import { Effect, Layer, Logger, Schedule, Schema } from "effect"
import * as fs from "node:fs"
import * as Engine from "../../src/store/sqlite/engine.js"
import { bundle, start } from "../fixtures/sqlite/child.js"
import { folder, open } from "../fixtures/sqlite/common.js"
import { canMount, disk, readOnlyFolder } from "../fixtures/sqlite/disk.js"
import { life, refused, told } from "../fixtures/sqlite/lives.js"

const quiet = Logger.remove(Logger.defaultLogger)

const unavailable = (reason: string) => `Cache store 'SqliteStore' is not available: ${reason}`

const texts = (name: string) =>
  Cache.make(name, {
    key: Schema.String,
    success: Schema.String,
    lookup: (key) => Effect.succeed(`loaded ${key}`)
  })

/** Needs disks of its own; see `canMount`. */
const onDisk: typeof it.scoped = canMount
  ? it.scoped
  : Object.assign(
      (name: string) => console.warn(`not run, for want of leave to mount (run as root): ${name}`),
      it.scoped
    )

describe("SqliteStore: paths that cannot be used", () => {
  it.scoped("a folder where the file should be", () =>
    Effect.gen(function* () {
      const at = yield* folder
      assert.deepStrictEqual(told(yield* refused(SqliteStore.layer({ filename: at }))), {
        tag: "PathError",
        message: `the database's path is not a file: ${at}`,
        hint: "choose another filename, or remove it"
      })
    })
  )

  it.scoped("a file where the folder should be (T30)", () =>
    Effect.gen(function* () {
      const at = `${yield* folder}/file`
      fs.writeFileSync(at, "mine")
      assert.deepStrictEqual(told(yield* refused(SqliteStore.layer({ filename: `${at}/cache.db` }))), {
        tag: "PathError",
        message: `cannot create cache folder: ${at}`,
        hint: "a file of this name is in the way: remove it, or name another folder"
      })
      const below = told(yield* refused(SqliteStore.layer({ filename: `${at}/below/cache.db` })))
      assert.strictEqual(below.message, `cannot create cache folder: ${at}/below`)
      assert.strictEqual(fs.readFileSync(at, "utf8"), "mine")
    })
  )

  it.scoped("a name that is too long, a link to nowhere and a circle of links", () =>
    Effect.gen(function* () {
      const at = yield* folder
      const long = `${at}/${"x".repeat(300)}`
      assert.deepStrictEqual(told(yield* refused(SqliteStore.layer({ filename: long }))), {
        tag: "PathError",
        message: `cannot create the database file: ${long}`,
        hint: "choose a shorter filename"
      })
      fs.symlinkSync(`${at}/nowhere`, `${at}/dangling`)
      const dangling = told(yield* refused(SqliteStore.layer({ filename: `${at}/dangling` })))
      assert.strictEqual(dangling.message, `cannot read the database file: ${at}/dangling`)
      fs.symlinkSync(`${at}/circle`, `${at}/circle`)
      const circle = told(yield* refused(SqliteStore.layer({ filename: `${at}/circle` })))
      assert.strictEqual(circle.hint, "the path is a circle of links: choose another filename")
    })
  )

  onDisk("a folder that cannot be written", () =>
    Effect.gen(function* () {
      const at = yield* readOnlyFolder
      const error = told(yield* refused(SqliteStore.layer({ filename: `${at}/cache.db` })))
      assert.strictEqual(error.tag, "PathError")
      assert.strictEqual(error.message, `cannot create the database file: ${at}/cache.db`)
      assert.include(
        [
          "the file system is read-only: mount it writable, or choose another filename",
          `let this process write in ${at}, or choose another filename`
        ],
        error.hint
      )
      const made = yield* refused(SqliteStore.layer({ filename: `${at}/new/cache.db` }))
      assert.strictEqual(made.message, `cannot create cache folder: ${at}/new`)
    })
  )

  onDisk("a disk that has become read-only", () =>
    Effect.gen(function* () {
      const mounted = yield* disk(4 * 1_048_576)
      const file = `${mounted.folder}/cache.db`
      const layer = SqliteStore.layer({ filename: file })
      yield* life(layer, "a")
      yield* mounted.makeReadOnly
      assert.deepStrictEqual(told(yield* refused(layer)), {
        tag: "StoreUnavailable",
        message: unavailable(`the database file cannot be opened: ${file}`),
        hint: `check that ${file} is a file, and that its folder exists and can be written`
      })
    })
  )
})

describe("SqliteStore: a full disk", () => {
  const big = (key: string): string => key.repeat(40_000 / key.length)

  /** What holds whatever it is that has run full; `free` makes room. */
  const holds = (file: string, free: Effect.Effect<unknown, unknown>) =>
    Effect.gen(function* () {
      const loads: Array<string> = []
      const cache = yield* Cache.make("big", {
        key: Schema.String,
        success: Schema.String,
        lookup: (key) => Effect.sync(() => (loads.push(key), big(key)))
      })
      const stored: Array<string> = []
      const fill = (index: number): Effect.Effect<CacheError.StoreError, unknown> =>
        Effect.matchEffect(cache.set(`key ${index}`, big(`key ${index}`)), {
          onSuccess: () => {
            stored.push(`key ${index}`)
            return fill(index + 1)
          },
          onFailure: (error) => (error._tag === "StoreError" ? Effect.succeed(error) : Effect.die(error))
        })
      const error = yield* fill(0)
      assert.isAtLeast(stored.length, 3)
      assert.deepStrictEqual(told(error), {
        tag: "StoreError",
        message: "Cache store 'SqliteStore' failed at set: the disk is full",
        hint: `free space on the disk of ${file}; what was stored before can still be read`
      })
      assert.isFalse(error.transient)

      // several at once, of which the first would fit: all or nothing
      const many = ["x", "y", "z"]
      const writes = [["small", "fits"] as const, ...many.map((key) => [key, big(key)] as const)]
      const failed = yield* Effect.flip(cache.setMany(writes))
      assert.strictEqual(failed._tag, "StoreError")
      const has = Effect.forEach(["small", ...many], (key) => cache.has(key))
      assert.deepStrictEqual(yield* has, [false, false, false, false])

      // what is stored is served; the rest comes from the lookup, each time
      assert.deepStrictEqual(yield* cache.getMany(stored), stored.map(big))
      assert.deepStrictEqual(loads, [])
      assert.strictEqual(yield* cache.get("x"), big("x"))
      assert.strictEqual(yield* cache.get("x"), big("x"))
      assert.deepStrictEqual(loads, ["x", "x"])
      assert.isAtLeast((yield* cache.stats).storeFailures, 2)

      yield* free
      yield* cache.setMany(writes)
      assert.deepStrictEqual(yield* has, [true, true, true, true])
      assert.deepStrictEqual(yield* cache.getMany([...stored, ...many]), [...stored, ...many].map(big))
      assert.deepStrictEqual(loads, ["x", "x"])
    }).pipe(Effect.provide(quiet), Effect.scoped)

  const integrity = (file: string) =>
    Effect.scoped(
      Effect.map(open(file), ({ execute }) =>
        execute("PRAGMA integrity_check", []).map((row) => row["integrity_check"])
      )
    )

  onDisk("a disk that is full", () =>
    Effect.gen(function* () {
      const mounted = yield* disk(1_048_576)
      const file = `${mounted.folder}/cache.db`
      const ballast = `${mounted.folder}/ballast`
      fs.writeFileSync(ballast, Buffer.alloc(300_000))
      yield* holds(
        file,
        Effect.sync(() => fs.rmSync(ballast))
      ).pipe(Effect.provide(SqliteStore.layer({ filename: file })))
      assert.deepStrictEqual(yield* integrity(file), ["ok"])
    })
  )

  onDisk("a disk that was full before the store was made", () =>
    Effect.gen(function* () {
      const mounted = yield* disk(65_536)
      const ballast = `${mounted.folder}/ballast`
      const file = `${mounted.folder}/cache.db`
      fs.writeFileSync(ballast, Buffer.alloc(61_440))
      const layer = SqliteStore.layer({ filename: file })
      const error = told(yield* refused(layer))
      assert.strictEqual(error.tag, "StoreUnavailable")
      assert.match(error.hint, /space/)
      fs.rmSync(ballast)
      fs.rmSync(file, { force: true })
    })
  )

  it.scoped("a database that may not grow, as a disk that is full", () =>
    Effect.gen(function* () {
      const file = `${yield* folder}/cache.db`
      const connection = yield* open(file)
      const limit = (pages: number) =>
        connection.run("test", () => connection.execute(`PRAGMA max_page_count = ${pages}`, []))
      yield* limit(80)
      const store = CacheStore.make({
        name: "SqliteStore",
        capabilities: { live: false, persistent: true, shared: true },
        open: (region) => Engine.make(connection, region)
      })
      yield* holds(file, limit(1_000)).pipe(
        Effect.provide(Layer.scopedContext(Effect.map(store, CacheStore.context())))
      )
      assert.deepStrictEqual(yield* integrity(file), ["ok"])
    })
  )
})

describe("SqliteStore: other processes", () => {
  it.scoped("a write that another process keeps waiting fails as transient, reads go on, and retry gets through", () =>
    Effect.gen(function* () {
      const file = `${yield* folder}/cache.db`
      const other = yield* start(yield* bundle("store/worker"), file)
      const busyMillis = 30
      const layer = SqliteStore.layer({ filename: file, busyTimeout: busyMillis })

      yield* Effect.gen(function* () {
        const cache = yield* texts("texts")
        yield* cache.set("a", "stored")
        assert.strictEqual(yield* other.ask("lock"), "locked")

        const started = performance.now()
        const error = yield* Effect.flip(cache.set("a", "later"))
        assert.isAtLeast(performance.now() - started, busyMillis)
        assert.deepStrictEqual(told(error), {
          tag: "StoreError",
          message: "Cache store 'SqliteStore' failed at set: another process holds the database",
          hint: "try again, or raise busyTimeout"
        })
        assert.isTrue((error as CacheError.StoreError).transient)
        assert.strictEqual(yield* cache.get("a"), "stored")
        assert.strictEqual(yield* cache.get("b"), "loaded b")
        assert.isFalse(yield* cache.has("b"))
      }).pipe(Effect.scoped, Effect.provide(layer), Effect.provide(quiet))

      // it lets go after the first failure
      const schedule = Schedule.recurs(3).pipe(Schedule.tapInput(() => other.ask("unlock")))
      yield* Effect.gen(function* () {
        const cache = yield* texts("texts")
        yield* cache.set("a", "later")
        assert.strictEqual(yield* cache.get("a"), "later")
      }).pipe(Effect.scoped, Effect.provide(layer.pipe(CacheStore.retry(schedule))))
    })
  )
})

describe("SqliteStore: peers", () => {
  it.scoped("a driver that is not installed is told with the command that installs it (R056)", () =>
    Effect.gen(function* () {
      const file = `${yield* folder}/cache.db`
      const program = yield* bundle("store/worker", { external: ["@effect/sql-sqlite-node/SqliteClient"], bare: true })
      const other = yield* start(program, file)
      assert.deepStrictEqual(JSON.parse(yield* other.ask("get 1")), {
        _tag: "StoreUnavailable",
        message: unavailable("the package @effect/sql-sqlite-node is not installed"),
        hint: "npm install @effect/sql-sqlite-node @effect/sql @effect/experimental"
      })
    })
  )
})
