/** Entries that are compressed, encrypted, or both: read again, whatever the settings have come to be, or not at all. */
import { assert, describe, it } from "@effect/vitest"
import { Cache, CacheError, CacheStore, MemoryStore } from "effect-larder"
import type * as Codec from "effect-larder/Codec"
import * as Compression from "effect-larder/Compression"
import * as Encryption from "effect-larder/Encryption"
import * as SqliteStore from "effect-larder/SqliteStore"
import { StoreLaws } from "effect-larder/testing"
import { Deferred, Effect, Either, Exit, Fiber, Layer, Logger, Redacted, Schema } from "effect"
import fc from "fast-check"
import { randomBytes } from "node:crypto"
import * as zlib from "node:zlib"
import * as Envelope from "../../src/codec/Envelope.js"
import * as Json from "../../src/codec/Json.js"
import { over, settled } from "../fixtures/cache/harness.js"

const newKey = () => Redacted.make(randomBytes(32).toString("base64"))
const algorithms = ["gzip", "deflate", "brotli"] as const

const bytes = MemoryStore.layerBytes()
for (const algorithm of algorithms) {
  StoreLaws.suite(
    `compressed by ${algorithm}`,
    bytes.pipe(CacheStore.encodedBy(Compression.make({ algorithm, threshold: 0 }))),
    { histories: 20 }
  )
}
StoreLaws.suite(
  "compressed, then encrypted",
  SqliteStore.layerMemory.pipe(
    CacheStore.encodedBy(Encryption.make({ keys: [newKey()] })),
    CacheStore.encodedBy(Compression.make())
  ),
  { histories: 20 }
)
StoreLaws.suite("in a bulkhead", SqliteStore.layerMemory.pipe(CacheStore.bulkhead({ concurrency: 2 })), {
  histories: 20
})
StoreLaws.suite("observed", SqliteStore.layerMemory.pipe(CacheStore.observed(() => Effect.void)), { histories: 20 })

const plain = Envelope.make({ success: Json.make(Schema.String), failure: undefined })
const entryOf = (value: string) => ({
  exit: Exit.succeed(value),
  createdAt: 1,
  freshUntil: 2,
  staleUntil: 3,
  tags: ["t"],
  loadMillis: 0,
  keyText: undefined
})
const written = (codec: Codec.EntryCodec<string, never>, value: string) =>
  Either.getOrThrow(codec.encode(entryOf(value)))
const valueIn = (codec: Codec.EntryCodec<string, never>, all: Uint8Array) =>
  Either.map(codec.decode(all), ({ exit }) => (Exit.isSuccess(exit) ? exit.value : undefined))

describe("Compression", () => {
  it.effect("what one setting has written every other one reads", () =>
    Effect.gen(function* () {
      const made = yield* Effect.forEach(algorithms, (algorithm) => Compression.make({ algorithm, threshold: 100 }))
      const codecs = [plain, ...made.map((change) => change(plain))]
      for (const value of ["short", "long ".repeat(1_000)]) {
        for (const writer of codecs) {
          for (const reader of codecs.slice(1)) {
            assert.deepStrictEqual(valueIn(reader, written(writer, value)), Either.right(value))
          }
        }
      }
      const long = codecs.map((codec) => written(codec, "long ".repeat(1_000)).byteLength)
      assert.isTrue(
        long.slice(1).every((size) => size < long[0]! / 10),
        String(long)
      )
    })
  )

  it.effect("what is short, or does not get shorter, stays as it is", () =>
    Effect.gen(function* () {
      const codec = (yield* Compression.make())(plain)
      assert.deepStrictEqual(written(codec, "short"), written(plain, "short"))
      const noise = randomBytes(2_000).toString("latin1")
      const always = (yield* Compression.make({ threshold: 0, level: 1 }))(plain)
      assert.isAtMost(written(always, noise).byteLength, written(plain, noise).byteLength)
    })
  )

  it.effect("any damage is no entry, and no crash", () =>
    Effect.gen(function* () {
      const text = "a value that is told again and again, and again and again"
      const made = yield* Effect.forEach(algorithms, (algorithm) => Compression.make({ algorithm, threshold: 0 }))
      const codecs = made.map((change) => change(plain))
      fc.assert(
        fc.property(fc.nat(), fc.integer({ min: 1, max: 255 }), fc.constantFrom(...codecs), (at, turn, codec) => {
          const all = written(codec, text)
          all[at % all.length]! ^= turn
          const found = valueIn(codec, all)
          // some bits of a stream mean nothing: then the value is the one that was written
          if (Either.isRight(found)) assert.strictEqual(found.right, text)
          else assert.instanceOf(found.left, CacheError.CodecError)
        }),
        { numRuns: 5_000 }
      )
    })
  )

  it.effect("options that make no sense are told, all of them", () =>
    Effect.gen(function* () {
      const bad = { algorithm: "zip", level: 99, threshold: -1 } as unknown as Compression.Options
      const error = yield* Effect.flip(Compression.make(bad))
      assert.deepStrictEqual(error.issues.map(({ field }) => field).sort(), ["algorithm", "level", "threshold"])
      if ("zstdCompressSync" in zlib) {
        const codec = (yield* Compression.make({ algorithm: "zstd", threshold: 0 }))(plain)
        assert.deepStrictEqual(valueIn(codec, written(codec, "long ".repeat(100))), Either.right("long ".repeat(100)))
      } else {
        assert.match((yield* Effect.flip(Compression.make({ algorithm: "zstd" }))).hint, /Node 22.15 or later/)
      }
    })
  )
})

describe("Encryption", () => {
  it.effect("hides the value and the tags, and the same value looks another each time", () =>
    Effect.gen(function* () {
      const codec = (yield* Encryption.make({ keys: [newKey()] }))(plain)
      const [one, other] = [written(codec, "s3cr3t"), written(codec, "s3cr3t")]
      assert.notInclude(Buffer.from(one).toString("latin1"), "s3cr3t")
      assert.notDeepEqual(one, other)
      assert.deepStrictEqual(valueIn(codec, one), Either.right("s3cr3t"))
    })
  )

  it.effect("keys are rotated: the first one writes, all of them read", () =>
    Effect.gen(function* () {
      const [first, second, third] = [newKey(), newKey(), newKey()]
      const old = (yield* Encryption.make({ keys: [first] }))(plain)
      const both = (yield* Encryption.make({ keys: [second, first] }))(plain)
      const last = (yield* Encryption.make({ keys: [third, second] }))(plain)
      assert.deepStrictEqual(valueIn(both, written(old, "v")), Either.right("v"))
      assert.deepStrictEqual(valueIn(last, written(both, "v")), Either.right("v"))
      assert.isTrue(Either.isLeft(valueIn(last, written(old, "v"))))
      assert.isTrue(Either.isLeft(valueIn(old, written(plain, "v"))), "what was not encrypted is not believed")
    })
  )

  it.effect("each bit that is changed, and each byte that is missing, is found", () =>
    Effect.gen(function* () {
      const codec = (yield* Encryption.make({ keys: [newKey()] }))(plain)
      const all = written(codec, "value")
      for (let bit = 0; bit < all.length * 8; bit++) {
        const turned = all.slice()
        turned[bit >> 3]! ^= 1 << (bit & 7)
        assert.instanceOf(Either.getOrThrow(Either.flip(valueIn(codec, turned))), CacheError.CodecError)
      }
      for (let size = 0; size < all.length; size++) assert.isTrue(Either.isLeft(valueIn(codec, all.slice(0, size))))
    })
  )

  it.effect("a key that is none is told, and not shown", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Encryption.make({ keys: [newKey(), Redacted.make("s3cr3t")] }))
      assert.match(error.message, /^Invalid keys\[1\]=.*: must be 32 bytes as base64$/)
      assert.notInclude(JSON.stringify(error), "s3cr3t")
    })
  )
})

describe("CacheStore.encodedBy, observed, bulkhead", () => {
  it.effect("a store that keeps values has nothing to encode", () =>
    Effect.gen(function* () {
      const layer = MemoryStore.layer().pipe(CacheStore.encodedBy(Compression.make()))
      const error = yield* Effect.flip(Effect.scoped(Layer.build(layer)))
      assert.match(error.message, /keeps values, not bytes/)
    })
  )

  it.effect("each operation is told when it has ended", () =>
    Effect.gen(function* () {
      const told: Array<string> = []
      const layer = SqliteStore.layerMemory.pipe(
        CacheStore.observed(({ failure, operation, store }) =>
          Effect.sync(() => told.push(`${store} ${operation}${failure === undefined ? "" : ` ${failure._tag}`}`))
        )
      )
      yield* Effect.gen(function* () {
        const cache = yield* Cache.make("told", {
          success: Schema.String,
          lookup: (key: string) => Effect.succeed(key)
        })
        yield* cache.get("a")
        yield* cache.invalidate("a")
        yield* Effect.ignore(cache.set("a", 1 as unknown as string))
      }).pipe(over(layer))
      assert.deepStrictEqual(told, [
        "SqliteStore open",
        "SqliteStore get",
        "SqliteStore set",
        "SqliteStore delete",
        "SqliteStore set CodecError"
      ])
    })
  )

  it.effect("no more at once than may be, no more waiting than may; the rest is refused at once", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      let running = 0
      const slow = SqliteStore.layerMemory.pipe(
        CacheStore.observed(({ operation }) =>
          operation === "get" ? Effect.sync(() => running++).pipe(Effect.zipRight(Deferred.await(gate))) : Effect.void
        ),
        CacheStore.bulkhead({ concurrency: 2, queue: 1 })
      )
      yield* Effect.gen(function* () {
        const cache = yield* Cache.make("busy", {
          success: Schema.String,
          strict: true,
          lookup: (key: string) => Effect.succeed(key)
        })
        const gets = yield* Effect.forEach(["a", "b", "c", "d"], (key) => Effect.fork(Effect.either(cache.get(key))))
        yield* settled
        assert.strictEqual(running, 2)
        const refused = yield* Fiber.join(gets[3]!)
        assert.strictEqual(Either.isLeft(refused) && refused.left._tag, "StoreError")
        yield* Deferred.succeed(gate, undefined)
        assert.deepStrictEqual(yield* Effect.forEach(gets.slice(0, 3), Fiber.join), ["a", "b", "c"].map(Either.right))
      }).pipe(over(slow))
      const bad = Layer.build(MemoryStore.layer().pipe(CacheStore.bulkhead({ concurrency: 0, queue: -1 })))
      const error = yield* Effect.flip(Effect.scoped(bad))
      assert.deepStrictEqual(
        error.issues.map(({ field }) => field),
        ["concurrency", "queue"]
      )
    }).pipe(Effect.provide(Logger.remove(Logger.defaultLogger)))
  )
})
