/** FileStore: the laws of stores, and what a file system does to files. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import { Cache, CacheError, CacheStore, MemoryStore } from "effect-larder"
import * as FileStore from "effect-larder/FileStore"
import { StoreLaws } from "effect-larder/testing"
import { Config, ConfigProvider, Effect, Exit, Layer, Schema, TestClock } from "effect"
import * as fs from "node:fs"
import * as path from "node:path"
import * as Regions from "../../src/testing/internal/regions.js"
import { folder } from "../fixtures/sqlite/common.js"
import { life, refused, storeOf, told } from "../fixtures/sqlite/lives.js"

const layer = (options: FileStore.Options) => Layer.provide(FileStore.layer(options), NodeFileSystem.layer)

/** A folder of its own for each that is built. */
const temporary = (options: FileStore.Options = {}) =>
  Layer.unwrapScoped(Effect.map(folder, (directory) => layer({ directory, ...options })))

StoreLaws.suite("FileStore", temporary(), { histories: 50 })
StoreLaws.suite("FileStore, durable and not compressed", temporary({ durable: true, compression: "none" }), {
  histories: 20
})
StoreLaws.suite("memory over FileStore", MemoryStore.layer().pipe(CacheStore.tieredOver(temporary())), {
  histories: 50
})

/** All files of a store that hold entries. */
const entriesIn = (directory: string): ReadonlyArray<string> =>
  fs
    .readdirSync(directory, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".entry"))
    .map((name) => path.join(directory, name))

const onlyEntry = (directory: string): string => {
  const all = entriesIn(directory)
  assert.strictEqual(all.length, 1)
  return all[0]!
}

/** A cache whose values are numbered as they are loaded, for one life of the store. */
const counted = <A, E>(
  options: FileStore.Options,
  use: (cache: Cache.Cache<string, string>, state: { loads: number }) => Effect.Effect<A, E>
) => {
  const state = { loads: 0 }
  return Cache.make("counted", {
    key: Schema.String,
    success: Schema.String,
    tags: (_, key) => [`tag ${key}`],
    lookup: (key) => Effect.sync(() => `${key}${++state.loads}`)
  }).pipe(
    Effect.flatMap((cache) => use(cache, state)),
    Effect.scoped,
    Effect.provide(layer(options))
  )
}

/** What the get of a key is in a new life: what was there, or what is loaded. */
const getIn = (options: FileStore.Options, key = "a") => counted(options, (cache) => cache.get(key))

describe("FileStore: entries that outlive the program", () => {
  it.scoped("the next life finds what the last one stored", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      assert.deepStrictEqual((yield* life(layer({ directory }), "a", "b")).loads, ["a", "b"])
      assert.deepStrictEqual((yield* life(layer({ directory }), "b", "a")).loads, [])
    })
  )

  const invalidations = {
    "a key": (cache: Cache.Cache<string, string>) => cache.invalidate("a"),
    "a tag": (cache: Cache.Cache<string, string>) => cache.invalidateTags(["tag a"]),
    everything: (cache: Cache.Cache<string, string>) => cache.invalidateAll,
    "all that is cleared": (cache: Cache.Cache<string, string>) => cache.clear
  }
  for (const [what, invalidate] of Object.entries(invalidations)) {
    it.scoped(`${what} that was invalidated stays so, and what came later stays`, () =>
      Effect.gen(function* () {
        const directory = yield* folder
        yield* counted({ directory }, (cache) =>
          Effect.all([cache.set("a", "old"), invalidate(cache), cache.set("b", "later")], { discard: true })
        )
        assert.strictEqual(yield* getIn({ directory }), "a1")
        assert.strictEqual(yield* getIn({ directory }, "b"), "later")
        // an invalidation of the second life outdates what is of the first, however much that had counted
        yield* counted({ directory }, (cache) => cache.invalidateTags(["tag b"]))
        assert.strictEqual(yield* getIn({ directory }, "b"), "b1")
      })
    )
  }

  it.scoped("a process that is killed leaves nothing half done", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      yield* counted({ directory }, (cache) => cache.set("a", "kept"))
      const file = onlyEntry(directory)
      fs.writeFileSync(`${file}.tmp`, "half a")
      // a line of the journal that was cut off
      const journal = path.join(path.dirname(path.dirname(file)), "epochs")
      fs.appendFileSync(journal, '123 ["tags",5,["ta')
      // who had the directory is no more: no process has this number
      fs.writeFileSync(path.join(directory, "owner"), JSON.stringify({ pid: 2 ** 22 + 1, boot: bootId(), token: "x" }))
      assert.strictEqual(yield* getIn({ directory }), "kept")
      assert.isFalse(fs.existsSync(`${file}.tmp`))
      assert.isFalse(fs.existsSync(path.join(directory, "owner")))
    })
  )

  it.scoped("after a crash of the machine only a durable store is believed", () =>
    Effect.gen(function* () {
      for (const durable of [false, true]) {
        const directory = yield* folder
        yield* counted({ directory, durable }, (cache) => cache.set("a", "kept"))
        fs.writeFileSync(path.join(directory, "owner"), JSON.stringify({ pid: 1, boot: "another", token: "x" }))
        assert.strictEqual(yield* getIn({ directory, durable }), durable ? "kept" : "a1")
      }
    })
  )

  it.scoped("a journal that is damaged or missing makes all entries none", () =>
    Effect.gen(function* () {
      for (const damage of [
        (file: string) => fs.rmSync(file),
        (file: string) => fs.writeFileSync(file, fs.readFileSync(file, "utf8").replace(/tag/, "tug")),
        (file: string) => fs.writeFileSync(file, fs.readFileSync(file).subarray(30))
      ]) {
        const directory = yield* folder
        yield* counted({ directory }, (cache) =>
          Effect.all([cache.set("a", "old"), cache.invalidateTags(["tag z"])], { discard: true })
        )
        damage(path.join(path.dirname(path.dirname(onlyEntry(directory))), "epochs"))
        assert.strictEqual(yield* getIn({ directory }), "a1")
      }
    })
  )
})

const bootId = () => fs.readFileSync("/proc/sys/kernel/random/boot_id", "utf8")

describe("FileStore: files", () => {
  it.scoped("any bit that rots makes a miss, never another value", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      yield* counted({ directory }, (cache) =>
        Effect.gen(function* () {
          yield* cache.set("a", "kept")
          const file = onlyEntry(directory)
          const whole = fs.readFileSync(file)
          for (let bit = 0; bit < whole.length * 8; bit += 5) {
            const turned = Buffer.from(whole)
            turned[bit >> 3]! ^= 1 << (bit & 7)
            fs.writeFileSync(file, turned)
            const got = yield* cache.get("a")
            assert.isTrue(got === "kept" || /^a\d+$/.test(got), `bit ${bit}: ${got}`)
            yield* cache.set("a", "kept")
            fs.writeFileSync(file, whole)
          }
        })
      )
    })
  )

  it.scoped("a file that somebody removes, or puts in another's place, is a miss", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      yield* counted({ directory }, (cache) =>
        Effect.gen(function* () {
          yield* cache.set("a", "mine")
          const file = onlyEntry(directory)
          fs.rmSync(file)
          assert.strictEqual(yield* cache.get("a"), "a1")
          yield* cache.set("b", "other")
          const other = entriesIn(directory).find((name) => name !== file)!
          fs.copyFileSync(other, file)
          assert.strictEqual(yield* cache.get("a"), "a2")
        })
      )
    })
  )

  it.scoped("files and folders are for their owner alone", () =>
    Effect.gen(function* () {
      const directory = path.join(yield* folder, "store")
      yield* counted({ directory }, (cache) => cache.set("../../a", "value"))
      for (const name of fs.readdirSync(directory, { recursive: true, encoding: "utf8" })) {
        const { mode } = fs.statSync(path.join(directory, name))
        assert.strictEqual(mode & 0o077, 0, `${name} is ${(mode & 0o777).toString(8)}`)
      }
    })
  )

  it.scoped("what is long is compressed, and found by a store that would not", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      const long = "all work and no play ".repeat(1_000)
      yield* counted({ directory }, (cache) => cache.set("a", long))
      assert.isBelow(fs.statSync(onlyEntry(directory)).size, 1_000)
      assert.strictEqual(yield* getIn({ directory, compression: "none" }), long)
      yield* counted({ directory, compression: "none" }, (cache) => cache.set("a", long))
      assert.isAbove(fs.statSync(onlyEntry(directory)).size, long.length)
      assert.strictEqual(yield* getIn({ directory }), long)
    })
  )

  it.scoped("no more bytes than there may be: what was used longest ago goes, in the next life, too", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      const options = { directory, compression: "none", maxBytes: 10_000 } as const
      const value = "x".repeat(2_000)
      yield* counted(options, (cache) =>
        Effect.gen(function* () {
          for (const key of ["a", "b", "c", "d"]) yield* cache.set(key, value)
          yield* cache.get("a")
          yield* cache.set("e", value)
          assert.deepStrictEqual(yield* Effect.filter(["a", "b", "c", "d", "e"], cache.has), ["a", "c", "d", "e"])
          // larger than all that there may be: not kept, and what it should have replaced is gone
          yield* cache.set("a", "x".repeat(20_000))
          assert.isFalse(yield* cache.has("a"))
          assert.isTrue(yield* cache.has("c"))
        })
      )
      assert.strictEqual(entriesIn(directory).length, 3)
      yield* counted({ ...options, maxBytes: 3_000 }, (cache) =>
        Effect.map(cache.size, (size) => assert.strictEqual(size, 1))
      )
      assert.strictEqual(entriesIn(directory).length, 1)
    })
  )

  it.scoped("what is over makes room, after as many writes as there are entries", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      const context = yield* Layer.build(layer({ directory, compression: "none" }))
      const region = yield* Effect.provide(Regions.open("r"), context)
      yield* Regions.put(region, "short", "x", { life: 10 })
      yield* Regions.put(region, "tagged", "x", { tags: ["t"] })
      yield* region.invalidateTags(["t"])
      yield* TestClock.adjust("1 second")
      const names = entriesIn(directory)
      for (let batch = 0; batch < 11; batch++) {
        const entry = yield* Regions.entryOf(Exit.succeed(batch))
        yield* region.setMany(
          Array.from({ length: 100 }, (_, index) => ({ key: `${index % 50}`, entry, since: undefined }))
        )
      }
      assert.deepStrictEqual(
        names.filter((name) => fs.existsSync(name)),
        []
      )
      assert.strictEqual(entriesIn(directory).length, 50)
    })
  )

  it.scoped("a load that is overtaken while its file is written is not there afterwards", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      const context = yield* Layer.build(layer({ directory }))
      const region = yield* Effect.provide(Regions.open("r"), context)
      for (let round = 0; round < 50; round++) {
        const since = yield* Regions.epochOf(region)
        yield* Effect.all([Regions.put(region, "k", "old", { since, tags: ["t"] }), remove(region, round)], {
          concurrency: "unbounded"
        })
        assert.deepStrictEqual(yield* Regions.values(region, "k"), [undefined])
      }
      assert.deepStrictEqual(entriesIn(directory).filter((name) => fs.existsSync(name)).length <= 1, true)
    })
  )
})

const remove = (region: Regions.Region, round: number) =>
  Effect.zipRight(
    Effect.repeatN(Effect.yieldNow(), round % 7),
    round % 3 === 0 ? region.deleteMany(["k"]) : round % 3 === 1 ? region.invalidateTags(["t"]) : region.clear
  )

describe("FileStore: directories", () => {
  it.scoped("one process at a time has it, and one store in a process", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      const first = yield* storeOf(layer({ directory }))
      assert.deepStrictEqual(first.capabilities, { live: false, persistent: true, shared: false })
      assert.deepStrictEqual(told((yield* refused(layer({ directory }))) as CacheError.StoreUnavailable), {
        tag: "StoreUnavailable",
        message: `Cache store 'FileStore' is not available: process ${process.pid} uses it: ${directory}`,
        hint: `give each process a directory of its own, or use SqliteStore, which processes share; if there is no such process, remove ${directory}/owner`
      })
      const other = yield* folder
      fs.writeFileSync(path.join(other, "owner"), JSON.stringify({ pid: 1, boot: bootId(), token: "x" }))
      assert.match(String(yield* refused(layer({ directory: other }))), /process 1 uses it/)
    })
  )

  it.scoped("a folder that cannot be had is told", () =>
    Effect.gen(function* () {
      const at = path.join(yield* folder, "file")
      fs.writeFileSync(at, "mine")
      assert.strictEqual((yield* refused(layer({ directory: at })))._tag, "PathError")
    })
  )

  it.scoped("options that make no sense are told, all of them", () =>
    Effect.gen(function* () {
      const bad = { directory: " ", maxBytes: 0, compression: "zip", durable: 1 } as unknown as FileStore.Options
      const error = yield* refused(layer(bad))
      assert.instanceOf(error, CacheError.InvalidConfig)
      assert.deepStrictEqual(error.issues.map(({ field }) => field).sort(), [
        "compression",
        "directory",
        "durable",
        "maxBytes"
      ])
      assert.match(String(yield* refused(layer({ directory: "a", name: "b" }))), /together with name/)
    })
  )

  it.scoped("layerConfig reads its options where they are configured; a name leads nowhere else", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      const config = FileStore.layerConfig({ directory: Config.string("FOLDER") })
      const configured = Layer.provide(config, [
        NodeFileSystem.layer,
        Layer.setConfigProvider(ConfigProvider.fromMap(new Map([["FOLDER", directory]])))
      ])
      yield* life(configured, "a")
      assert.strictEqual(entriesIn(directory).length, 1)
    })
  )
})
