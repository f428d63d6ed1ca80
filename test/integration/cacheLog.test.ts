/** Logs in files that do not grow for ever, and a line every so often of what caches did. */
import { FileSystem } from "@effect/platform/FileSystem"
import { SystemError } from "@effect/platform/Error"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { assert, describe, it } from "@effect/vitest"
import { Cache, type CacheError, CacheLog, CacheStats, MemoryStore } from "effect-larder"
import { Effect, Exit, Layer, Logger, Scope, TestClock } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import { gunzipSync } from "node:zlib"
import { over, settled } from "../fixtures/cache/harness.js"
import { folder } from "../fixtures/sqlite/common.js"
import { refused } from "../fixtures/sqlite/lives.js"

/** A program that logs into files, whose logs are written when it is told to. */
const logging = (options: Omit<CacheLog.FileOptions, "filename">) =>
  Effect.gen(function* () {
    const dir = yield* folder
    const filename = join(dir, "logs", "app.log")
    const scope = yield* Scope.make()
    const context = yield* Layer.buildWithScope(
      CacheLog.layerFile({ filename, ...options }).pipe(Layer.provide(NodeContext.layer)),
      scope
    )
    const log = (text: string) => Effect.provide(Effect.log(text), context)
    return {
      dir,
      filename,
      log,
      close: Scope.close(scope, Exit.void),
      names: () => fs.readdirSync(join(dir, "logs")).sort()
    }
  })

const messagesIn = (text: string): ReadonlyArray<string> =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => String((JSON.parse(line) as { message: unknown }).message))

/** Real files are written in real time. */
const written = Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 50)))

const quiet = Effect.provide(Logger.remove(Logger.defaultLogger))

describe("CacheLog.layerFile", () => {
  it.scopedLive("writes a line of JSON for each log, and all of them before it ends", () =>
    Effect.gen(function* () {
      const { close, filename, log } = yield* logging({})
      yield* log("one")
      yield* log("two")
      assert.isFalse(fs.existsSync(filename), "they wait to be written together")
      yield* close
      assert.deepStrictEqual(messagesIn(fs.readFileSync(filename, "utf8")), ["one", "two"])
    }).pipe(quiet)
  )

  it.scopedLive("puts the file aside when it would be too large, compressed, and loses no line", () =>
    Effect.gen(function* () {
      const { close, filename, log, names } = yield* logging({ maxBytes: 1_000, flushEvery: "5 millis" })
      const all = Array.from({ length: 40 }, (_, n) => `line ${n} ${"x".repeat(50)}`)
      for (const text of all) {
        yield* log(text)
        yield* Effect.sleep("8 millis")
      }
      yield* close
      const older = names().filter((name) => name !== "app.log")
      assert.isAbove(older.length, 3)
      assert.isTrue(
        older.every((name) => /^app\.log\.\d{4}-.*Z-\d+\.gz$/.test(name)),
        older.join()
      )
      const texts = older.map((name) => gunzipSync(fs.readFileSync(join(filename, "..", name))).toString())
      assert.isTrue(texts.every((text) => text.length <= 1_000))
      const found = [...texts.flatMap(messagesIn), ...messagesIn(fs.readFileSync(filename, "utf8"))]
      assert.deepStrictEqual(found, all)
    }).pipe(quiet)
  )

  it.scopedLive(
    "lines that are written together are divided among files, and one that is too long has a file of its own",
    () =>
      Effect.gen(function* () {
        const { close, filename, log, names } = yield* logging({ maxBytes: 600, gzip: false })
        const all = [...Array.from({ length: 9 }, (_, n) => `line ${n} ${"é".repeat(20)}`), "x".repeat(1_000), "last"]
        for (const text of all) yield* log(text)
        yield* close
        const texts = names().map((name) => fs.readFileSync(join(filename, "..", name)))
        assert.isAbove(texts.length, 3)
        for (const text of texts) {
          assert.isTrue(text.length <= 600 || messagesIn(text.toString()).length === 1, `${text.length} bytes`)
        }
        assert.sameMembers(
          texts.flatMap((text) => messagesIn(text.toString())),
          all
        )
      }).pipe(quiet)
  )

  it.scopedLive(
    "keeps what is young and few enough, touches nobody else's files, and goes on with a file that is there",
    () =>
      Effect.gen(function* () {
        const { close, filename, log, names } = yield* logging({
          maxBytes: 200,
          maxFiles: 2,
          gzip: false,
          flushEvery: "5 millis"
        })
        const logs = join(filename, "..")
        for (const name of [
          "app.log.txt",
          "other.log.2020-01-01T00-00-00.000Z-1.gz",
          "app.log.2020-01-01T00-00-00.000Z-1.gz"
        ]) {
          fs.writeFileSync(join(logs, name), "there")
        }
        for (let n = 0; n < 8; n++) {
          yield* log(`line ${n} ${"x".repeat(100)}`)
          yield* Effect.sleep("8 millis")
        }
        yield* close
        const left = names()
        assert.include(left, "app.log.txt")
        assert.include(left, "other.log.2020-01-01T00-00-00.000Z-1.gz")
        const older = left.filter((name) => /^app\.log\.2/.test(name))
        assert.strictEqual(older.length, 2, left.join())
        assert.isFalse(older.some((name) => name.includes("2020")))
        const again = yield* Scope.make()
        const layer = CacheLog.layerFile({ filename, maxBytes: 1_000_000 }).pipe(Layer.provide(NodeContext.layer))
        const context = yield* Layer.buildWithScope(layer, again)
        yield* Effect.provide(Effect.log("more"), context)
        yield* Scope.close(again, Exit.void)
        assert.strictEqual(messagesIn(fs.readFileSync(filename, "utf8")).at(-1), "more")
      }).pipe(quiet)
  )

  it.scopedLive("a disk that is full costs lines, is told once, and harms nothing", () =>
    Effect.gen(function* () {
      const { dir } = yield* logging({})
      const heard: Array<string> = []
      const listening = Logger.replace(
        Logger.defaultLogger,
        Logger.make(({ message }) => void heard.push(String(message)))
      )
      const full = new SystemError({
        reason: "Unknown",
        module: "FileSystem",
        method: "writeFile",
        description: "ENOSPC"
      })
      const broken = Layer.map(NodeContext.layer, (context) => {
        const real = context.unsafeMap.get(FileSystem.key) as FileSystem
        context.unsafeMap.set(FileSystem.key, { ...real, writeFile: () => Effect.fail(full) })
        return context
      })
      yield* Effect.gen(function* () {
        const context = yield* Layer.build(
          CacheLog.layerFile({ filename: join(dir, "full.log"), flushEvery: "5 millis" }).pipe(Layer.provide(broken))
        )
        for (const text of ["one", "two", "three"]) {
          yield* Effect.provide(Effect.log(text), context)
          yield* written
        }
      }).pipe(Effect.scoped, Effect.provide(listening))
      assert.strictEqual(heard.filter((line) => line.includes("cannot be written")).length, 1)
    }).pipe(quiet)
  )

  it.scoped("options that make no sense are told, and a folder that cannot be made", () =>
    Effect.gen(function* () {
      const bad = { filename: "", maxBytes: 0, maxAge: 0, maxFiles: 1.5, gzip: 1, flushEvery: "soon" }
      const layer = CacheLog.layerFile(bad as unknown as CacheLog.FileOptions).pipe(Layer.provide(NodeContext.layer))
      const error = (yield* refused(layer)) as CacheError.InvalidConfig
      assert.deepStrictEqual(error.issues.map(({ field }) => field).sort(), Object.keys(bad).sort())
      const nowhere = CacheLog.layerFile({ filename: "/dev/null/logs/app.log" }).pipe(Layer.provide(NodeContext.layer))
      assert.strictEqual((yield* refused(nowhere))._tag, "PathError")
    })
  )
})

describe("CacheLog.layerSummary", () => {
  it.effect("logs what each cache did since the last time, if it did anything", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const listening = Logger.replace(
        Logger.defaultLogger,
        Logger.make(({ message }) => void lines.push(String(message)))
      )
      yield* Effect.gen(function* () {
        const cache = yield* Cache.make("lengths", { lookup: (word: string) => Effect.succeed(word.length) })
        yield* Cache.make("idle", { lookup: (word: string) => Effect.succeed(word.length) })
        yield* Effect.forEach(["a", "a", "b", "a"], cache.get)
        yield* TestClock.adjust("1 minute")
        yield* settled
        yield* TestClock.adjust("1 minute")
        yield* settled
        yield* cache.get("a")
        yield* TestClock.adjust("1 minute")
        yield* settled
      }).pipe(
        Effect.scoped,
        over(Layer.provideMerge(Layer.merge(MemoryStore.layer(), CacheLog.layerSummary()), CacheStats.layer)),
        Effect.provide(listening)
      )
      assert.deepStrictEqual(lines, [
        "larder: lengths: 4 gets, 50.0 % hits, 2 loads (0 failed, mean 0.0 ms, p95 1.0 ms)",
        "larder: lengths: 1 gets, 100.0 % hits, 0 loads (0 failed, mean 0.0 ms, p95 0.0 ms)"
      ])
      const error = yield* refused(CacheLog.layerSummary({ every: 0 }))
      assert.match(error.message, /every/)
    })
  )
})
