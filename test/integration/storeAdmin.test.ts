/** A store looked after without the programs whose caches it keeps. */
import { assert, describe, it } from "@effect/vitest"
import { Cache, CacheStore, type CacheError, MemoryStore, StoreAdmin } from "effect-larder"
import * as Compression from "effect-larder/Compression"
import * as Encryption from "effect-larder/Encryption"
import * as SqliteStore from "effect-larder/SqliteStore"
import { Chunk, Context, Effect, Layer, Option, Redacted, Schema, Stream, TestClock } from "effect"
import { randomBytes } from "node:crypto"

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
      yield* Effect.provide(filled(["words"], ["bread"]), outside)
      const look = (options: StoreAdmin.Options) =>
        Effect.scoped(
          Effect.flatMap(Effect.provide(StoreAdmin.make(options), built), (admin) =>
            Effect.zip(Effect.flatten(Stream.runHead(admin.items("words"))), admin.verify("words", { remove: true }))
          )
        )
      const [sealed, verified] = yield* look({})
      assert.deepStrictEqual([sealed.state, verified.sealed, verified.unreadable], ["sealed", 1, 0])
      const [item] = yield* look({ encodedBy: [compress, encrypt] })
      assert.strictEqual(decoder.decode(item.payload), '{"text":"bread","length":5}')
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
