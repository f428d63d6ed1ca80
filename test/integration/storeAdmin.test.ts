/** A store looked after without the programs whose caches it keeps. */
import { assert, describe, it } from "@effect/vitest"
import { Cache, CacheStore, type CacheError, MemoryStore, StoreAdmin } from "effect-larder"
import * as Compression from "effect-larder/Compression"
import * as Encryption from "effect-larder/Encryption"
import * as FileStore from "effect-larder/FileStore"
import * as ObjectStore from "effect-larder/ObjectStore"
import * as SqliteStore from "effect-larder/SqliteStore"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Chunk, Context, Effect, Layer, Option, Redacted, Schema, Stream, TestClock } from "effect"
import { randomBytes } from "node:crypto"
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { clientOver } from "../fixtures/servers/objects.js"

const decoder = new TextDecoder()
const encoder = new TextEncoder()

interface Word {
  readonly text: string
  readonly length: number
}

/** A program's cache: what it loads has a tag for its first letter. */
const words = (name = "words") =>
  Cache.make(name, {
    key: Schema.String,
    success: Schema.Struct({ text: Schema.String, length: Schema.Number }),
    failure: Schema.String,
    timeToLive: "1 minute",
    staleIfError: "1 hour",
    failureTimeToLive: "1 minute",
    tags: (_, word) => [`letter:${word[0]}`],
    lookup: (text: string): Effect.Effect<Word, string> =>
      text === "bad" ? Effect.fail("refused") : Effect.succeed({ text, length: text.length })
  })

/** A life of such a program, over before anybody looks. */
const filled = (names: ReadonlyArray<string>, keys: ReadonlyArray<string>) =>
  Effect.forEach(
    names,
    (name) =>
      Effect.scoped(
        Effect.flatMap(words(name), (cache) => Effect.forEach(keys, (key) => Effect.ignore(cache.get(key))))
      ),
    { discard: true }
  )

/** A store of its own, and the service over it. */
const opened = (
  options: StoreAdmin.Options = {},
  layer: Layer.Layer<CacheStore.CacheStore, unknown> = SqliteStore.layerMemory
) =>
  Effect.gen(function* () {
    const built = yield* Layer.build(Layer.fresh(layer))
    const admin = yield* Effect.provide(StoreAdmin.make(options), built)
    return { admin, store: Effect.provide(built), service: Context.get(built, CacheStore.CacheStore) }
  })

const keysOf = (items: Chunk.Chunk<StoreAdmin.Item>) =>
  Chunk.toReadonlyArray(items)
    .map(({ key }) => key)
    .sort()

const issueOf = (error: unknown) => (error as CacheError.InvalidConfig).issues[0]

describe("StoreAdmin", () => {
  it.scoped("lists the caches of a store, and what is in them", () =>
    Effect.gen(function* () {
      const { admin, store } = yield* opened()
      yield* store(filled(["words", "other"], ["bread", "butter", "bad"]))
      assert.deepStrictEqual(
        (yield* admin.list).map(({ entries, name, store }) => [name, entries, store]),
        [
          ["other", 3, "SqliteStore"],
          ["words", 3, "SqliteStore"]
        ]
      )
      const items = yield* Stream.runCollect(admin.items("words"))
      assert.deepStrictEqual(keysOf(items), ["bad", "bread", "butter"])
      const bread = Option.getOrThrow(Chunk.findFirst(items, ({ key }) => key === "bread"))
      assert.strictEqual(bread.state, "fresh")
      assert.deepStrictEqual(bread.tags, ["letter:b"])
      assert.strictEqual(bread.header?.freshUntil, 60_000)
      assert.strictEqual(decoder.decode(bread.payload), '{"text":"bread","length":5}')
    })
  )

  it.scoped("tells what they come to: states, failures, ages, tags", () =>
    Effect.gen(function* () {
      const { admin, store } = yield* opened()
      yield* store(filled(["words"], ["bread", "bad"]))
      yield* TestClock.adjust("61 seconds")
      yield* store(filled(["words"], ["salt"]))
      const stats = yield* admin.stats("words")
      assert.deepStrictEqual(stats.states, { fresh: 1, stale: 2, over: 0, sealed: 0, unreadable: 0 })
      assert.deepStrictEqual([stats.entries, stats.failures, stats.oldest, stats.newest], [3, 1, 0, 61_000])
      assert.deepStrictEqual(stats.tags, [
        ["letter:b", 1],
        ["letter:s", 1]
      ])
      assert.isAbove(stats.bytes, stats.largest)
      yield* TestClock.adjust("1 hour")
      const later = yield* admin.stats("words")
      assert.deepStrictEqual([later.states.over, later.entries], [2, 1])
    })
  )

  it.scoped("inspects an entry, also one that was invalidated, and tells by what", () =>
    Effect.gen(function* () {
      const { admin, store } = yield* opened()
      yield* store(filled(["words"], ["bread", "salt"]))
      assert.isTrue(Option.isNone(yield* admin.inspect("words", "none")))
      yield* admin.invalidateTags("words", "letter:b")
      const found = Option.getOrThrow(yield* admin.inspect("words", "bread"))
      assert.strictEqual(found.outdatedBy?.tag, "letter:b")
      assert.strictEqual(Option.getOrThrow(yield* admin.inspect("words", "salt")).outdatedBy, undefined)
      assert.deepStrictEqual(keysOf(yield* Stream.runCollect(admin.items("words"))), ["salt"])
      yield* admin.invalidateAll("words")
      assert.strictEqual(yield* Stream.runCount(admin.items("words")), 0)
    })
  )

  it.scoped("removes entries, a cache, all caches; and what was removed a program loads anew", () =>
    Effect.gen(function* () {
      const { admin, store } = yield* opened()
      yield* store(filled(["a", "b", "c"], ["bread", "salt"]))
      assert.strictEqual(yield* admin.delete("a", "bread", "none"), 1)
      assert.deepStrictEqual(yield* admin.clear("b"), { cleared: "b", entries: 2 })
      assert.deepStrictEqual(yield* admin.clearAll, { cleared: "all", entries: 3 })
      const has = yield* store(Effect.scoped(Effect.flatMap(words("a"), (cache) => cache.has("salt"))))
      assert.isFalse(has)
    })
  )

  it.scoped("refuses names that there are not, and those of caches that are open", () =>
    Effect.gen(function* () {
      const { admin, store } = yield* opened()
      yield* store(filled(["words", "other"], ["bread"]))
      const missing = issueOf(yield* Effect.flip(admin.clear("wrods")))
      assert.deepStrictEqual(
        [missing?.field, missing?.value, missing?.hint],
        ["cache", '"wrods"', "there are: other, words"]
      )
      yield* store(words("words"))
      const open = issueOf(yield* Effect.flip(admin.clear("words")))
      assert.include(open?.reason, "open already")
    })
  )

  it.scoped("refuses stores that keep no bytes, and those made of others", () =>
    Effect.gen(function* () {
      const tiered = MemoryStore.layer().pipe(CacheStore.tieredOver(SqliteStore.layerMemory))
      const before = SqliteStore.layerMemory.pipe(CacheStore.readOnly)
      for (const layer of [MemoryStore.layer(), tiered, before]) {
        const issue = issueOf(yield* Effect.flip(opened({}, layer)))
        assert.strictEqual(issue?.field, "store")
      }
    })
  )

  it.scoped("under a prefix there are only the caches that have it", () =>
    Effect.gen(function* () {
      const built = yield* Layer.build(SqliteStore.layerMemory)
      const shop = Layer.succeedContext(built).pipe(CacheStore.prefixed("shop"))
      yield* Effect.provide(filled(["plain"], ["bread"]), built)
      yield* Effect.provide(filled(["words"], ["bread"]), shop)
      const admin = yield* Effect.provide(StoreAdmin.make(), shop)
      assert.deepStrictEqual(yield* admin.names, ["words"])
      assert.strictEqual((yield* admin.stats("words")).entries, 1)
    })
  )

  it.scoped("looks into what is compressed or encrypted if it is told how, and calls it sealed if not", () =>
    Effect.gen(function* () {
      const compress = yield* Compression.make({ threshold: 0 })
      const encrypt = yield* Encryption.make({ keys: [Redacted.make(randomBytes(32).toString("base64"))] })
      const built = yield* Layer.build(SqliteStore.layerMemory)
      const inside = Layer.succeedContext(built)
      const outside = inside.pipe(
        CacheStore.encodedBy(Effect.succeed(encrypt)),
        CacheStore.encodedBy(Effect.succeed(compress))
      )
      // long enough to be smaller when it is compressed
      const long = "bread ".repeat(100)
      yield* Effect.provide(filled(["words"], [long]), outside)
      const look = (options: StoreAdmin.Options) =>
        Effect.scoped(
          Effect.flatMap(Effect.provide(StoreAdmin.make(options), built), (admin) =>
            Effect.zip(Effect.flatten(Stream.runHead(admin.items("words"))), admin.verify("words", { remove: true }))
          )
        )
      const [sealed, verified] = yield* look({})
      assert.deepStrictEqual([sealed.state, verified.sealed, verified.unreadable], ["sealed", 1, 0])
      const [item] = yield* look({ encodedBy: [compress, encrypt] })
      assert.strictEqual(decoder.decode(item.payload), JSON.stringify({ text: long, length: long.length }))
      assert.isBelow(item.bytes, long.length)
      yield* Effect.provide(filled(["plain"], ["salt"]), built)
      const both = yield* Effect.provide(StoreAdmin.make({ encodedBy: [compress, encrypt] }), built)
      assert.strictEqual((yield* both.stats("plain")).states.fresh, 1)
    })
  )

  it.scoped("finds what is damaged, and removes it if it is told to", () =>
    Effect.gen(function* () {
      const { admin, service, store } = yield* opened()
      yield* store(filled(["words"], ["bread", "salt"]))
      yield* Effect.scoped(
        Effect.flatMap(service.raw!.open("words"), (engine) =>
          engine.setMany([
            { key: "odd", bytes: encoder.encode("odd"), tags: [], reclaimAt: Infinity, since: undefined }
          ])
        )
      )
      const found = yield* admin.verify("words")
      assert.deepStrictEqual([found.entries, found.unreadable, found.removed], [3, 1, false])
      assert.deepStrictEqual(
        found.problems.map(({ key }) => key),
        ["odd"]
      )
      assert.isTrue((yield* admin.verify("words", { remove: true })).removed)
      assert.deepStrictEqual((yield* admin.verify("words")).unreadable, 0)
      assert.deepStrictEqual(keysOf(yield* Stream.runCollect(admin.items("words"))), ["bread", "salt"])
    })
  )
})

/** Asked again, whether it is answered with what was stored, and how. */
const outcome = (key: string, source: Effect.Effect<Word, string>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const cache = yield* Cache.make("words", {
        key: Schema.String,
        success: Schema.Struct({ text: Schema.String, length: Schema.Number }),
        failure: Schema.String,
        timeToLive: "1 minute",
        staleIfError: "1 hour",
        lookup: () => source
      })
      return (yield* cache.getResult(key)).outcome
    })
  )

describe("StoreAdmin: the end of an entry", () => {
  const makers = Effect.all({
    compress: Compression.make({ threshold: 0 }),
    encrypt: Encryption.make({ keys: [Redacted.make(randomBytes(32).toString("base64"))] })
  })
  for (const name of ["as it is", "compressed", "encrypted", "compressed and encrypted"]) {
    it.scoped(`an entry that is ended is loaded again, and still there if that fails: ${name}`, () =>
      Effect.gen(function* () {
        const { compress, encrypt } = yield* makers
        const built = yield* Layer.build(SqliteStore.layerMemory)
        const transforms = [
          ...(name.includes("compressed") ? [compress] : []),
          ...(name.includes("encrypted") ? [encrypt] : [])
        ]
        const store = transforms.reduceRight(
          (layer, transform) => layer.pipe(CacheStore.encodedBy(Effect.succeed(transform))),
          Layer.succeedContext(built) as Layer.Layer<CacheStore.CacheStore, CacheError.InvalidConfig>
        )
        const bread = "bread ".repeat(20)
        yield* Effect.provide(filled(["words"], [bread, "salt"]), store)
        // who looks after it knows more ways than were taken
        const admin = yield* Effect.provide(StoreAdmin.make({ encodedBy: [compress, encrypt] }), built)
        assert.isTrue(yield* admin.expire("words", bread))
        const asked = (key: string, source: Effect.Effect<Word, string>) => Effect.provide(outcome(key, source), store)
        assert.strictEqual(yield* asked("salt", Effect.fail("down")), "fresh")
        assert.strictEqual(yield* asked(bread, Effect.fail("down")), "failsafe")
        assert.strictEqual(yield* asked(bread, Effect.succeed({ text: "new", length: 3 })), "loaded")
        assert.strictEqual(yield* asked(bread, Effect.fail("down")), "fresh")
      })
    )
  }

  it.scoped("what is kept for nothing else goes; what cannot be looked into is told; what is not there is false", () =>
    Effect.gen(function* () {
      const encrypt = yield* Encryption.make({ keys: [Redacted.make(randomBytes(32).toString("base64"))] })
      const { admin, service, store } = yield* opened()
      yield* store(
        Effect.scoped(
          Effect.flatMap(
            Cache.make("plain", {
              key: Schema.String,
              success: Schema.Number,
              timeToLive: "1 minute",
              lookup: () => Effect.succeed(1)
            }),
            (cache) => cache.get("a")
          )
        )
      )
      assert.isFalse(yield* admin.expire("plain", "b"))
      assert.isTrue(yield* admin.expire("plain", "a"))
      assert.isTrue(Option.isNone(yield* admin.inspect("plain", "a")))
      const sealed = Layer.succeed(CacheStore.CacheStore, service).pipe(CacheStore.encodedBy(Effect.succeed(encrypt)))
      yield* Effect.provide(filled(["words"], ["bread"]), sealed)
      assert.strictEqual((yield* Effect.flip(admin.expire("words", "bread")))._tag, "CodecError")
    })
  )
})

describe("StoreAdmin: room", () => {
  const folder = Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "larder-compact-"))),
    (made) => Effect.sync(() => rmSync(made, { recursive: true, force: true }))
  )
  const keys = Array.from({ length: 200 }, (_, index) => `word ${index}`)
  /** Entries that are over, beside some that are not, and the service over them. */
  const used = (layer: Layer.Layer<CacheStore.CacheStore, unknown>) =>
    Effect.gen(function* () {
      const { admin, store } = yield* opened({}, layer)
      yield* store(filled(["words"], keys))
      yield* TestClock.adjust("2 hours")
      yield* store(filled(["words"], ["bread", "salt"]))
      return admin
    })

  it.scoped("a SQLite file is smaller than before, and what is not over is there", () =>
    Effect.gen(function* () {
      const file = join(yield* folder, "cache.db")
      const admin = yield* used(SqliteStore.layer({ filename: file }))
      const { bytes, removed, store } = yield* admin.compact
      assert.strictEqual(store, "SqliteStore")
      assert.isAbove(removed, 0)
      assert.isBelow(bytes?.after ?? Infinity, bytes?.before ?? 0)
      assert.strictEqual(statSync(file).size, bytes?.after)
      assert.deepStrictEqual(keysOf(yield* Stream.runCollect(admin.items("words"))), ["bread", "salt"])
      const again = yield* admin.compact
      assert.deepStrictEqual([again.removed, again.bytes?.after], [0, bytes?.after])
    })
  )

  it.scoped("files of what is over or outdated are gone, of all caches", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      const files = () => readdirSync(directory, { recursive: true }).filter((name) => String(name).endsWith(".entry"))
      const layer = FileStore.layer({ directory }).pipe(Layer.provide(NodeFileSystem.layer))
      const { admin, store } = yield* opened({}, layer)
      yield* store(filled(["words", "other"], keys.slice(0, 20)))
      yield* TestClock.adjust("2 hours")
      yield* store(filled(["words", "other"], ["bread", "bean", "salt"]))
      yield* admin.invalidateTags("other", "letter:b")
      assert.strictEqual(files().length, 46)
      const { bytes, removed } = yield* admin.compact
      assert.strictEqual(removed, 42)
      assert.strictEqual(files().length, 4)
      assert.strictEqual(
        files().reduce((sum, name) => sum + statSync(join(directory, String(name))).size, 0),
        bytes?.after
      )
      assert.isBelow(bytes?.after ?? Infinity, bytes?.before ?? 0)
      assert.strictEqual((yield* admin.list).find(({ name }) => name === "other")?.entries, 1)
    })
  )

  it.scoped("others only lose what is over", () =>
    Effect.gen(function* () {
      const admin = yield* used(ObjectStore.layerClient(Effect.succeed(clientOver(new Map()))))
      assert.deepStrictEqual(yield* admin.compact, { store: admin.store, removed: keys.length, bytes: undefined })
      assert.deepStrictEqual(keysOf(yield* Stream.runCollect(admin.items("words"))), ["bread", "salt"])
      assert.strictEqual((yield* admin.compact).removed, 0)
    })
  )
})

describe("StoreAdmin: from one store to another", () => {
  const keys = Array.from({ length: 1_200 }, (_, index) => `word ${index}`)

  it.scoped("copies entries with their values, times and tags; and again only what is not there", () =>
    Effect.gen(function* () {
      const [from, to] = [yield* opened(), yield* opened()]
      yield* from.store(filled(["words", "other"], keys))
      yield* TestClock.adjust("30 seconds")
      const options = { from: from.admin, to: to.admin, names: ["words"] }
      const first = Chunk.toReadonlyArray(yield* Stream.runCollect(StoreAdmin.migrate(options)))
      assert.isAbove(first.length, 2)
      assert.deepStrictEqual(first.at(-1), {
        name: "words",
        seen: 1_200,
        copied: 1_200,
        present: 0,
        kept: 0,
        over: 0,
        total: 1_200
      })
      assert.deepStrictEqual(yield* to.admin.names, ["words"])
      const again = Option.getOrThrow(yield* Stream.runLast(StoreAdmin.migrate(options)))
      assert.deepStrictEqual([again.copied, again.present], [0, 1_200])
      assert.deepStrictEqual(yield* StoreAdmin.compare(options), [
        { name: "words", entries: 1_200, same: 1_200, different: 0, missing: 0 }
      ])
      const there = yield* to.store(words())
      assert.deepStrictEqual((yield* there.getResult("word 7")).outcome, "fresh")
      yield* there.invalidateTags(["letter:w"])
      assert.isFalse(yield* there.has("word 7"))
    })
  )

  it.scoped("what it has copied ends when it would have ended", () =>
    Effect.gen(function* () {
      const [from, to] = [yield* opened(), yield* opened()]
      yield* from.store(filled(["words"], ["bread"]))
      yield* TestClock.adjust("30 seconds")
      yield* Stream.runDrain(StoreAdmin.migrate({ from: from.admin, to: to.admin }))
      yield* TestClock.adjust("29999 millis")
      assert.strictEqual((yield* to.admin.stats("words")).states.fresh, 1)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual((yield* to.admin.stats("words")).states.fresh, 0)
      yield* TestClock.adjust("1 hour")
      const after = Option.getOrThrow(yield* Stream.runLast(StoreAdmin.migrate({ from: from.admin, to: to.admin })))
      assert.deepStrictEqual([after.seen, after.over, after.copied], [1, 1, 0])
    })
  )

  it.scoped("a younger entry stays, an older one is replaced", () =>
    Effect.gen(function* () {
      const [from, to] = [yield* opened(), yield* opened()]
      yield* to.store(filled(["words"], ["old"]))
      yield* from.store(filled(["words"], ["young"]))
      yield* TestClock.adjust("1 second")
      yield* to.store(filled(["words"], ["young"]))
      yield* from.store(filled(["words"], ["old"]))
      const last = Option.getOrThrow(yield* Stream.runLast(StoreAdmin.migrate({ from: from.admin, to: to.admin })))
      assert.deepStrictEqual([last.copied, last.kept], [1, 1])
      const items = Chunk.toReadonlyArray(yield* Stream.runCollect(to.admin.items("words")))
      assert.deepStrictEqual(
        items.map(({ header }) => header?.createdAt),
        [1_000, 1_000]
      )
    })
  )

  it.scoped("what is invalidated in the second store meanwhile is not brought back", () =>
    Effect.gen(function* () {
      const [from, to] = [yield* opened(), yield* opened()]
      yield* from.store(filled(["words"], ["bread", "salt"]))
      // between the moment in which it is looked at and that in which it is written
      const raw: CacheStore.Raw = {
        ...to.admin.raw,
        open: (name) =>
          Effect.map(to.admin.raw.open(name), (engine) => ({
            ...engine,
            getMany: (keys) => Effect.tap(engine.getMany(keys), () => engine.deleteMany(["bread"]))
          }))
      }
      yield* Stream.runDrain(StoreAdmin.migrate({ from: from.admin, to: { ...to.admin, raw } }))
      assert.deepStrictEqual(keysOf(yield* Stream.runCollect(to.admin.items("words"))), ["salt"])
    })
  )

  it.scoped("what is over in the second store keeps no place, also where nobody can tell its age", () =>
    Effect.gen(function* () {
      const [from, to] = [yield* opened(), yield* opened()]
      const row = { key: "bread", bytes: encoder.encode("sealed"), tags: [], reclaimAt: 1_000, since: undefined }
      yield* Effect.scoped(Effect.flatMap(to.admin.raw.open("words"), (engine) => engine.setMany([row])))
      yield* TestClock.adjust("2 seconds")
      yield* from.store(filled(["words"], ["bread"]))
      const last = Option.getOrThrow(yield* Stream.runLast(StoreAdmin.migrate({ from: from.admin, to: to.admin })))
      assert.deepStrictEqual([last.copied, last.kept], [1, 0])
    })
  )

  it.scoped("names that there are not are refused before anything is copied", () =>
    Effect.gen(function* () {
      const [from, to] = [yield* opened(), yield* opened()]
      yield* from.store(filled(["words"], ["bread"]))
      const error = yield* Effect.flip(
        Stream.runDrain(StoreAdmin.migrate({ from: from.admin, to: to.admin, names: ["words", "wrods"] }))
      )
      assert.strictEqual(issueOf(error)?.value, '"wrods"')
      assert.deepStrictEqual(yield* to.admin.names, [])
    })
  )
})

describe("StoreAdmin: snapshots", () => {
  const odd = ["bread", "\ud800 half", "new\nline", "😀"]

  it.scoped("puts back what was written, in whatever chunks it comes", () =>
    Effect.gen(function* () {
      const [from, to] = [yield* opened(), yield* opened()]
      yield* from.store(filled(["words", "other"], odd))
      const chunks = Chunk.toReadonlyArray(yield* Stream.runCollect(from.admin.snapshot()))
      const all = Buffer.concat(chunks)
      for (const size of [7, 1_000_000]) {
        const pieces = Array.from(
          { length: Math.ceil(all.length / size) },
          (_, index) => new Uint8Array(all.subarray(index * size, (index + 1) * size))
        )
        yield* Stream.runDrain(to.admin.restore(Stream.fromIterable(pieces)))
        assert.deepStrictEqual(
          (yield* StoreAdmin.compare({ from: from.admin, to: to.admin })).map(({ missing, same }) => [same, missing]),
          [
            [4, 0],
            [4, 0]
          ]
        )
      }
    })
  )

  it.scoped("refuses what is none, what is cut off, and what is more than it says", () =>
    Effect.gen(function* () {
      const { admin, store } = yield* opened()
      yield* store(filled(["words"], ["bread", "salt"]))
      const lines = Chunk.toReadonlyArray(yield* Stream.runCollect(admin.snapshot(["words"]))).map((line) =>
        decoder.decode(line)
      )
      const refused = (text: string) =>
        Effect.map(
          Effect.flip(Stream.runDrain(admin.restore(Stream.make(encoder.encode(text))))),
          (error) => (error as CacheError.CodecError).reason
        )
      assert.include(yield* refused("hello\n"), "line 1 is none of a snapshot's: hello")
      assert.include(yield* refused(lines.slice(1).join("")), "line 1")
      assert.include(yield* refused(lines.slice(0, 2).join("")), "cut off after 1 entries")
      assert.include(yield* refused(lines.slice(0, -1).join("") + '{"entries":7}\n'), "2 entries where it says 7")
      assert.include(yield* refused(lines.join("") + lines[1]), "line 5 comes after the end")
      assert.include(yield* refused(""), "cut off after 0")
    })
  )
})
