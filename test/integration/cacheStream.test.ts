/** Values that are streams, over stores that keep bytes: a database, files and a server; and how much memory they take. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Option, Scope, Stream } from "effect"
import { CacheError, CacheStore, CacheStream, MemoryStore } from "effect-larder"
import * as FileStore from "effect-larder/FileStore"
import * as RedisStore from "effect-larder/RedisStore"
import * as SqliteStore from "effect-larder/SqliteStore"
import { execFile } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { promisify } from "node:util"
import { afterAll, beforeAll } from "vitest"
import { noFibersLeft } from "../fixtures/cache/harness.js"
import type * as Server from "../fixtures/servers/process.js"
import * as Redis from "../fixtures/servers/redis.js"
import { bundle } from "../fixtures/sqlite/child.js"
import { folder } from "../fixtures/sqlite/common.js"
import { Shelf, Spy, stepwise, Tap, textOf } from "../fixtures/stream/tap.js"

type Store = Layer.Layer<CacheStore.CacheStore, unknown>

const files = (options: FileStore.Options) => Layer.provide(FileStore.layer(options), NodeFileSystem.layer)

/** Larger than one chunk of these tests, and no two parts of it alike. */
const long = Array.from({ length: 2_000 }, (_, line) => `line ${line}\n`).join("")

const semantics = (name: string, layer: Store) =>
  describe(`over ${name}`, () => {
    const over = <A, E>(self: Effect.Effect<A, E, CacheStore.CacheStore | Scope.Scope>) =>
      self.pipe(Effect.scoped, Effect.provide(Layer.fresh(layer)), noFibersLeft)

    it.live("one load for all, whatever their pace; then it is had from the store", () =>
      Effect.gen(function* () {
        const tap = new Tap()
        const cache = yield* CacheStream.make("films", { lookup: () => tap.stream, chunkBytes: 1_000 })
        const slow = yield* stepwise(cache.get("a"))
        const begun = yield* Effect.fork(slow.step)
        yield* tap.nextRun
        yield* tap.give("begin ")
        assert.strictEqual(yield* Fiber.join(begun), "begin ")
        const others = yield* Effect.fork(
          Effect.all([textOf(cache.get("a")), textOf(cache.get("a"))], { concurrency: 2 })
        )
        yield* tap.give(long)
        yield* tap.end()
        const whole = `begin ${long}`
        assert.deepStrictEqual(yield* Fiber.join(others), [whole, whole])
        assert.strictEqual(yield* slow.rest, long)
        yield* slow.leave
        assert.strictEqual(yield* textOf(cache.get("a")), whole)
        assert.deepStrictEqual(yield* cache.info("a"), Option.some({ bytes: whole.length }))
        assert.deepStrictEqual([tap.runs, tap.open], [1, 0])
      }).pipe(over)
    )

    it.live("the last reader ends the load, and nothing of it is left", () =>
      Effect.gen(function* () {
        const spy = new Spy()
        const tap = new Tap()
        const cache = yield* spy.watch(CacheStream.make("films", { lookup: () => tap.stream, chunkBytes: 1_000 }))
        const reader = yield* stepwise(cache.get("a"))
        const begun = yield* Effect.fork(reader.step)
        yield* tap.nextRun
        yield* tap.give(long)
        yield* Fiber.join(begun)
        yield* reader.step
        yield* reader.leave
        assert.strictEqual(tap.open, 0)
        assert.deepStrictEqual([yield* spy.count("films"), yield* spy.count("films/chunks")], [0, 0])
      }).pipe(over)
    )

    it.live("what was invalidated while it was loaded is served to nobody who asks later", () =>
      Effect.gen(function* () {
        const tap = new Tap()
        const cache = yield* CacheStream.make("films", { lookup: () => tap.stream, chunkBytes: 10, tags: ["film"] })
        const before = yield* Effect.fork(textOf(cache.get("a")))
        yield* tap.nextRun
        yield* tap.give("old old old ")
        yield* cache.invalidateTags(["film"])
        const after = yield* Effect.fork(textOf(cache.get("a")))
        yield* tap.nextRun
        yield* tap.give("new new new ", 1)
        yield* tap.end(1)
        assert.strictEqual(yield* Fiber.join(after), "new new new ")
        yield* tap.end(0)
        assert.strictEqual(yield* Fiber.join(before), "old old old ")
        assert.strictEqual(yield* textOf(cache.get("a")), "new new new ")
        assert.strictEqual(tap.runs, 2)
      }).pipe(over)
    )

    it.live("a part that is lost while it is read is had from the source, if that has not changed", () =>
      Effect.gen(function* () {
        const spy = new Spy()
        const shelf = new Shelf(long)
        const cache = yield* spy.watch(CacheStream.make("films", { lookup: shelf.lookup, chunkBytes: 1_000 }))
        yield* Stream.runDrain(cache.get("a"))
        const lucky = yield* stepwise(cache.get("a"))
        const first = yield* lucky.step
        yield* spy.lose(
          "films/chunks",
          ...Array.from({ length: yield* spy.count("films/chunks") }, (_, place) => place)
        )
        assert.strictEqual(first + (yield* lucky.rest), long)
        yield* lucky.leave
        assert.strictEqual(shelf.runs, 2)
        const unlucky = yield* stepwise(cache.get("a"))
        yield* unlucky.step
        yield* spy.lose(
          "films/chunks",
          ...Array.from({ length: yield* spy.count("films/chunks") }, (_, place) => place)
        )
        shelf.pieces = [`other ${long}`]
        const failed = yield* Effect.flip(unlucky.rest)
        assert.instanceOf(Option.getOrUndefined(failed), CacheError.StoreError)
        yield* unlucky.leave
        assert.strictEqual(yield* textOf(cache.get("a")), `other ${long}`)
      }).pipe(over)
    )
  })

describe("CacheStream", () => {
  semantics("SQLite", SqliteStore.layerTemporary)
  semantics("files", Layer.unwrapScoped(Effect.map(folder, (directory) => files({ directory }))))
  semantics(
    "memory and files",
    MemoryStore.layer({ maxBytes: 4_000 }).pipe(
      CacheStore.tieredOver(Layer.unwrapScoped(Effect.map(folder, (directory) => files({ directory }))))
    )
  )

  it.scopedLive("a value outlives the program; rotten files are no part of it", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      const shelf = new Shelf(long)
      const inOneLife = textOf(
        Stream.unwrapScoped(
          Effect.map(CacheStream.make("films", { lookup: shelf.lookup, chunkBytes: 1_000 }), (cache) => cache.get("a"))
        )
      ).pipe(Effect.provide(files({ directory, compression: "none" })))
      assert.strictEqual(yield* inOneLife, long)
      assert.strictEqual(yield* inOneLife, long)
      assert.strictEqual(shelf.runs, 1)
      const largest = fs
        .readdirSync(directory, { recursive: true, encoding: "utf8" })
        .map((name) => path.join(directory, name))
        .filter((name) => name.endsWith(".entry") && fs.statSync(name).size > 1_000)
      for (const file of largest.slice(0, 5)) {
        const bytes = fs.readFileSync(file)
        bytes[bytes.length - 100]! ^= 1
        fs.writeFileSync(file, bytes)
      }
      assert.strictEqual(yield* inOneLife, long)
      assert.strictEqual(shelf.runs, 2)
      assert.strictEqual(yield* inOneLife, long)
      assert.strictEqual(shelf.runs, 2)
    })
  )

  it.scopedLive(
    "100 MiB, loaded into files and read back, are never in memory as a whole",
    () =>
      Effect.gen(function* () {
        const child = yield* bundle("../stream/worker")
        const directory = yield* folder
        const run = promisify(execFile)
        const { stdout } = yield* Effect.promise(() =>
          run(process.execPath, ["--expose-gc", child, directory, String(100 * 2 ** 20)])
        )
        const { fresh, grownByLoading, grownByReading, isSame, loads } = JSON.parse(stdout) as Record<string, unknown>
        assert.deepStrictEqual({ isSame, fresh, loads }, { isSame: true, fresh: 2, loads: 4 })
        // 5 to 8 MiB are usual: a few chunks in a few forms, and what has not been collected yet
        assert.isBelow(Number(grownByLoading) + Number(grownByReading), 48 * 2 ** 20)
      }),
    120_000
  )
})

describe.skipIf(!Redis.isThere)("CacheStream over Redis", () => {
  const scope = Effect.runSync(Scope.make())
  let server: Server.Server
  let shops = 0
  beforeAll(async () => {
    server = await Effect.runPromise(Scope.extend(Redis.make(), scope))
  })
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

  const layer = (prefix: string) => RedisStore.layer({ url: `redis://127.0.0.1:${server.port}`, prefix })
  semantics(
    "Redis",
    Layer.suspend(() => layer(`streams${++shops}`))
  )

  it.scopedLive("what one program loads and invalidates, another one reads and loads again", () =>
    Effect.gen(function* () {
      const shelf = new Shelf(long)
      const open = Effect.flatMap(Layer.build(Layer.fresh(layer("two"))), (context) =>
        Effect.provide(CacheStream.make("films", { lookup: shelf.lookup, chunkBytes: 1_000 }), context)
      )
      const [here, there] = [yield* open, yield* open]
      assert.strictEqual(yield* textOf(here.get("a")), long)
      assert.strictEqual(yield* textOf(there.get("a")), long)
      assert.strictEqual(shelf.runs, 1)
      yield* there.invalidate("a")
      shelf.pieces = ["other"]
      assert.strictEqual(yield* textOf(here.get("a")), "other")
      assert.strictEqual(yield* textOf(there.get("a")), "other")
      assert.strictEqual(shelf.runs, 2)
    })
  )

  it.scopedLive("a server that dies while it is read from, or written to, costs a run of the source", () =>
    Effect.gen(function* () {
      const own = yield* Redis.make()
      const tap = new Tap()
      const context = yield* Layer.build(
        RedisStore.layer({ url: `redis://127.0.0.1:${own.port}`, prefix: "dying" }).pipe(
          CacheStore.timeout("2 seconds"),
          CacheStore.circuitBreaker()
        )
      )
      const cache = yield* Effect.provide(
        CacheStream.make("films", { lookup: (_: string) => tap.stream, chunkBytes: 1_000 }),
        context
      )
      const loading = yield* Effect.fork(textOf(cache.get("a")))
      yield* tap.nextRun
      yield* tap.give(long)
      yield* tap.end()
      assert.strictEqual(yield* Fiber.join(loading), long)
      const reader = yield* stepwise(cache.get("a"))
      const first = yield* reader.step
      yield* own.kill
      const rest = yield* Effect.fork(reader.rest)
      yield* tap.nextRun
      yield* tap.give(long)
      yield* tap.end()
      assert.strictEqual(first + (yield* Fiber.join(rest)), long)
      yield* reader.leave
      const without = yield* Effect.fork(textOf(cache.get("b")))
      yield* tap.nextRun
      yield* tap.give(long)
      yield* tap.end()
      assert.strictEqual(yield* Fiber.join(without), long)
    })
  )
})
