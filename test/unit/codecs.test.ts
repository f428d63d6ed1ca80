/** Codecs beside JSON: bytes and text as they are, MessagePack, Arrow; older Schemas; and bytes that are damaged. */
import { assert, describe, it } from "@effect/vitest"
import { type Table, tableFromArrays } from "apache-arrow"
import { Arbitrary, Effect, Either, Exit, FastCheck as fc, Layer, Schema, Stream, TestClock } from "effect"
import { Cache, CacheEvents, type CacheError, type CacheStore, Cached, MemoryStore } from "effect-larder"
import * as Arrow from "effect-larder/Arrow"
import * as Binary from "effect-larder/Binary"
import * as Codec from "effect-larder/Codec"
import * as Compression from "effect-larder/Compression"
import * as Envelope from "effect-larder/Envelope"
import * as Json from "effect-larder/Json"
import * as MsgPack from "effect-larder/MsgPack"
import * as SqliteStore from "effect-larder/SqliteStore"
import { readFileSync } from "node:fs"
import { isDeepStrictEqual } from "node:util"
import { over } from "../fixtures/cache/harness.js"

const right = <A>(either: Either.Either<A, CacheError.CodecError>): A => {
  if (Either.isLeft(either)) throw new Error(`unexpected: ${either.left.message}`, { cause: either.left.cause })
  return either.right
}
const left = <A>(either: Either.Either<A, CacheError.CodecError>): CacheError.CodecError => {
  assert(Either.isLeft(either), "expected a CodecError")
  return either.left
}
const roundTrip = <A>(codec: Codec.Codec<A>, value: A): A => right(codec.decode(right(codec.encode(value))))

const instanceOf = <A extends ArrayBuffer | ArrayBufferView>(type: { readonly name: string }): Schema.Schema<A> =>
  Schema.declare((value): value is A => Object(value).constructor === type, { identifier: type.name })

/** As bytes come from a store: in the midst of others, at any place. */
const moved = (bytes: Uint8Array, by: number): Uint8Array => {
  const all = new Uint8Array(bytes.length + by + 3).fill(0xee)
  all.set(bytes, by)
  return all.subarray(by, by + bytes.length)
}

describe("Binary", () => {
  it("keeps text as it is, with half pairs too", () =>
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: "binary" }),
          fc.array(fc.nat(0xffff)).map((units) => String.fromCharCode(...units))
        ),
        (text) => {
          assert.strictEqual(roundTrip(Binary.make(Schema.String), text), text)
        }
      )
    ))

  it("keeps the type, the elements and nothing else of typed arrays, wherever their bytes lie", () => {
    const arrays = [
      Int8Array.of(-1, 127),
      Uint8Array.of(0, 255),
      Uint8ClampedArray.of(0, 255),
      Int16Array.of(-2, 3),
      Uint16Array.of(0xabcd),
      Int32Array.of(-5, 2 ** 31 - 1),
      Uint32Array.of(2 ** 32 - 1),
      Float32Array.of(0.5, -0, Infinity),
      Float64Array.of(Math.PI, NaN, -0),
      BigInt64Array.of(-(2n ** 63n)),
      BigUint64Array.of(2n ** 64n - 1n)
    ]
    for (const array of arrays) {
      const codec = Binary.make(instanceOf<Float64Array>(array.constructor))
      const bytes = right(codec.encode(array as Float64Array))
      assert.strictEqual(bytes.length, array.byteLength + 1)
      for (let by = 0; by < 9; by++) {
        const found = right(codec.decode(moved(bytes, by)))
        assert.strictEqual(found.constructor, array.constructor)
        assert.deepStrictEqual([...(found as Iterable<unknown>)], [...(array as Iterable<unknown>)])
      }
      // a part of a larger buffer
      const part = (array as Float64Array).subarray(1)
      assert.deepStrictEqual([...roundTrip(codec, part)], [...part])
      assert.deepStrictEqual([...roundTrip(codec, part.subarray(part.length))], [])
    }
  })

  it("shares memory with what it was read from, where elements lie as they must", () => {
    const codec = Binary.make(instanceOf<Float64Array>(Float64Array))
    const bytes = moved(right(codec.encode(Float64Array.of(1, 2))), 7)
    assert.strictEqual(right(codec.decode(bytes)).buffer, bytes.buffer)
  })

  it("keeps buffers and views", () => {
    const buffer = Uint8Array.of(1, 2, 3).buffer
    assert.deepStrictEqual(roundTrip(Binary.make(instanceOf<ArrayBuffer>(ArrayBuffer)), buffer), buffer)
    const view = roundTrip(Binary.make(instanceOf<DataView>(DataView)), new DataView(buffer, 1, 2))
    assert.deepStrictEqual([view.byteLength, view.getUint8(0)], [2, 2])
    assert.deepStrictEqual([...roundTrip(Binary.make(Schema.Uint8ArrayFromSelf), Buffer.from("abc"))], [97, 98, 99])
  })

  it("validates what it reads, and refuses what it cannot write", () => {
    const short = Binary.make(Schema.String.pipe(Schema.maxLength(2)))
    const bytes = right(Binary.make(Schema.String).encode("long"))
    assert.match(left(short.decode(bytes)).message, /2 character/)
    assert.strictEqual(
      left(Binary.make(instanceOf<Float64Array>(Float64Array)).decode(Uint8Array.of(24, 1, 2))).codec,
      "Binary"
    )
    for (const broken of [[], [9, 1], [255], [0, 0xff], [16 + 3, 1]]) {
      left(Binary.make(Schema.Uint8ArrayFromSelf).decode(Uint8Array.from(broken)))
    }
    const wrong = Binary.make(Schema.Number as unknown as Schema.Schema<number, string>)
    assert.match(left(wrong.encode(1)).message, /must encode to text/)
  })
})

/** A date that is none is the same as no other one, not even by what compares deeply. */
const isNoDate = (value: unknown): boolean => value instanceof Date && Number.isNaN(value.getTime())

describe("MsgPack", () => {
  const schemas: ReadonlyArray<readonly [string, Schema.Schema.AnyNoContext]> = [
    ["String", Schema.String],
    ["Number", Schema.Number],
    ["Boolean", Schema.Boolean],
    ["Undefined", Schema.Undefined],
    ["NullishOr", Schema.NullishOr(Schema.String)],
    ["BigIntFromSelf", Schema.BigIntFromSelf],
    ["DateFromSelf", Schema.DateFromSelf],
    ["Uint8ArrayFromSelf", Schema.Uint8ArrayFromSelf],
    ["MapFromSelf", Schema.MapFromSelf({ key: Schema.Number, value: Schema.UndefinedOr(Schema.String) })],
    ["SetFromSelf", Schema.SetFromSelf(Schema.BigIntFromSelf)],
    [
      "Struct",
      Schema.Struct({
        a: Schema.Number,
        b: Schema.optional(Schema.Uint8ArrayFromSelf),
        $c: Schema.Array(Schema.String)
      })
    ],
    ["Record", Schema.Record({ key: Schema.String, value: Schema.Union(Schema.Number, Schema.Uint8ArrayFromSelf) })],
    ["HashMap", Schema.HashMap({ key: Schema.String, value: Schema.Finite })],
    ["Unknown JSON", Schema.Unknown]
  ]
  for (const [name, schema] of schemas) {
    it(`round trips: ${name}`, () => {
      const values: fc.Arbitrary<unknown> =
        name === "Unknown JSON" ? fc.jsonValue() : Arbitrary.make(schema as Schema.Schema<unknown>)
      const codec = MsgPack.make(schema as Schema.Schema<unknown>)
      const equals = Schema.equivalence(schema as Schema.Schema<unknown>)
      fc.assert(
        fc.property(values, fc.nat(9), (value, by) => {
          const encoded = codec.encode(value)
          // a key that no reader gives back is refused, and so is one that UTF-8 cannot say
          if (Either.isLeft(encoded)) return assert.match(encoded.left.message, /__proto__|surrogate/)
          const found = right(codec.decode(moved(encoded.right, by)))
          assert.isTrue(
            isDeepStrictEqual(found, value) || equals(found, value) || (isNoDate(found) && isNoDate(value)),
            JSON.stringify({ found, value }, (_, one: unknown) => (typeof one === "bigint" ? String(one) : one))
          )
        }),
        { numRuns: 300 }
      )
    })
  }

  it("keeps bytes and typed arrays inside of values, shorter than JSON", () => {
    const codec = MsgPack.make(Schema.Unknown)
    const value = { name: "a", pixels: Buffer.alloc(1_000, 7), weights: Float32Array.of(1, 2), odd: "\ud800" }
    const bytes = right(codec.encode(value))
    assert.isBelow(bytes.length, 1_100)
    const found = right(codec.decode(bytes)) as typeof value
    assert.deepStrictEqual([...found.pixels], [...value.pixels])
    assert.strictEqual(found.pixels.constructor, Uint8Array)
    assert.deepStrictEqual(found.weights, value.weights)
    assert.strictEqual(found.odd, value.odd)
    // what is read shares no memory with the entry
    bytes.fill(0)
    assert.strictEqual(found.pixels[0], 7)
  })

  it("refuses what it would lose, and bytes that are nothing", () => {
    const codec = MsgPack.make(Schema.Unknown)
    assert.match(left(codec.encode(() => 1)).message, /function/)
    assert.match(
      left(codec.encode({ a: JSON.parse('{"__proto__": 1}') })).message,
      /a.__proto__: MsgPack would lose this key/
    )
    for (const broken of [[], [0], [0, 0xdd, 0xff, 0xff, 0xff, 0xff], [1, 0x81, 0xa1, 0x24, 0]]) {
      left(codec.decode(Uint8Array.from(broken)))
    }
  })
})

describe("Arrow", () => {
  it("keeps tables: names, types, values, nulls", () => {
    const table = tableFromArrays({
      id: Int32Array.of(1, 2, 3),
      price: Float64Array.of(0.5, NaN, -0),
      name: ["a", "é", "\u{1f600}"]
    })
    const codec = Arrow.make()
    const bytes = right(codec.encode(table))
    for (const by of [0, 1, 7, 8]) {
      const found = right(codec.decode(moved(bytes, by)))
      assert.deepStrictEqual(found.schema.fields.map(String), table.schema.fields.map(String))
      assert.deepStrictEqual(found.toArray().map(String), table.toArray().map(String))
    }
  })

  it("validates what it reads", () => {
    const priced = Arrow.TableFromSelf.pipe(
      Schema.filter((table: Table) => table.schema.fields.some(({ name }) => name === "price") || "needs a price")
    )
    const bytes = right(Arrow.make().encode(tableFromArrays({ id: Int32Array.of(1) })))
    assert.match(left(Arrow.make(priced).decode(bytes)).message, /needs a price/)
    left(Arrow.make().decode(new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8, 9])))
  })
})

describe("a cache's codec", () => {
  it("is the cheapest that suits, unless it is named", () => {
    assert.strictEqual(Codec.make(Schema.String.pipe(Schema.minLength(1))).name, "Binary")
    assert.strictEqual(Codec.make(Schema.Literal("a", "b")).name, "Binary")
    assert.strictEqual(Codec.make(Schema.Date).name, "Binary")
    assert.strictEqual(Codec.make(Schema.NullOr(Schema.String)).name, "Json")
    assert.strictEqual(Codec.make(Schema.Number).name, "Json")
  })

  const layers: Readonly<Record<string, Layer.Layer<CacheStore.CacheStore, unknown>>> = {
    bytes: MemoryStore.layerBytes(),
    sqlite: SqliteStore.layerMemory
  }
  for (const [name, layer] of Object.entries(layers)) {
    it.effect(`is what a store of bytes is given (${name})`, () =>
      Effect.gen(function* () {
        const vector = Cached.fn("vector", { success: instanceOf<Float64Array>(Float64Array), codec: Binary.make })(
          (size: number) => Effect.succeed(new Float64Array(size).fill(0.5))
        )
        yield* vector(1_000)
        assert.deepStrictEqual(yield* vector(1_000), new Float64Array(1_000).fill(0.5))
        const { fresh, tiers } = yield* vector.stats
        assert.strictEqual(fresh, 1)
        assert.isTrue(tiers[0]!.bytes < 9_000, String(tiers[0]!.bytes))
        const packed = Cached.fn("packed", { success: Schema.Struct({ a: Schema.Number }), codec: MsgPack.make })(
          (a: number) => Effect.succeed({ a })
        )
        yield* packed(1)
        assert.deepStrictEqual(yield* packed(1), { a: 1 })
        assert.strictEqual((yield* packed.stats).fresh, 1)
      }).pipe(over(layer))
    )
  }
})

describe("migrations", () => {
  const UserV1 = Schema.Struct({ name: Schema.String })
  const UserV2 = Schema.Struct({ first: Schema.String, last: Schema.String })
  const User = Schema.Struct({ first: Schema.String, last: Schema.String, isAdmin: Schema.Boolean })
  const fromV1 = Codec.migration(UserV1, ({ name }) => {
    const [first = "", last] = name.split(" ")
    if (last === undefined) throw new Error("no last name")
    return { first, last, isAdmin: false }
  })
  const fromV2 = Codec.migration(UserV2, (user) => ({ ...user, isAdmin: false }))

  const written = <A, I>(success: Schema.Schema<A, I>, values: Readonly<Record<string, A>>) =>
    Effect.scoped(
      Effect.gen(function* () {
        const cache = yield* Cache.make("users", {
          key: Schema.String,
          success,
          timeToLive: "1 hour",
          lookup: () => Effect.die("not there")
        })
        yield* Effect.forEach(Object.entries(values), ([key, value]) => cache.set(key, value))
      })
    )

  it.effect("what was written under older Schemas is served as today's values, with the times it had", () =>
    Effect.gen(function* () {
      yield* written(UserV1, { ada: { name: "Ada Lovelace" }, plato: { name: "Plato" } })
      yield* written(UserV2, { alan: { first: "Alan", last: "Turing" } })
      yield* TestClock.adjust("30 minutes")
      let loads = 0
      const cache = yield* Cache.make("users", {
        key: Schema.String,
        success: User,
        migrations: [fromV1, fromV2],
        timeToLive: "1 hour",
        lookup: () => Effect.sync(() => ({ first: "new", last: String(++loads), isAdmin: true }))
      })
      assert.deepStrictEqual(yield* cache.get("ada"), { first: "Ada", last: "Lovelace", isAdmin: false })
      assert.deepStrictEqual(yield* cache.get("alan"), { first: "Alan", last: "Turing", isAdmin: false })
      assert.strictEqual(loads, 0)
      // one that cannot be migrated is a miss
      assert.deepStrictEqual(yield* cache.get("plato"), { first: "new", last: "1", isAdmin: true })
      yield* TestClock.adjust("31 minutes")
      assert.strictEqual((yield* cache.get("ada")).last, "2")
    }).pipe(Effect.scoped, over(SqliteStore.layerMemory))
  )

  it.effect("without them it is a miss", () =>
    Effect.gen(function* () {
      yield* written(UserV2, { alan: { first: "Alan", last: "Turing" } })
      const cache = yield* Cache.make("users", {
        key: Schema.String,
        success: User,
        migrations: [fromV1],
        lookup: () => Effect.succeed({ first: "new", last: "1", isAdmin: true })
      })
      assert.strictEqual((yield* cache.get("alan")).first, "new")
    }).pipe(Effect.scoped, over(SqliteStore.layerMemory))
  )
})

describe("bytes that are damaged", () => {
  const Value = Schema.Struct({ id: Schema.Number, text: Schema.String, bytes: Schema.Uint8ArrayFromSelf })
  const value: typeof Value.Type = {
    id: 42,
    text: "a text that is somewhat longer",
    bytes: Uint8Array.of(1, 2, 3, 255)
  }
  const entry = {
    exit: Exit.succeed(value),
    createdAt: 1_000,
    freshUntil: 2_000,
    staleUntil: 3_000,
    tags: ["one", "two"],
    loadMillis: 5,
    keyText: "a key"
  }
  const zipped = Effect.runSync(Compression.make({ threshold: 0 }))
  const codecs = {
    Json: Envelope.make({ success: Json.make(Value) }),
    MsgPack: Envelope.make({ success: MsgPack.make(Value) }),
    "compressed Json": zipped(Envelope.make({ success: Json.make(Value) })),
    "another Schema": Envelope.make({ success: Json.make(Schema.Struct({ id: Schema.Number })) }),
    "an older Schema": Envelope.make({
      success: Json.make(Value),
      older: [Codec.migration(Schema.Number, () => value)]
    })
  }
  const golden = Uint8Array.from(
    Buffer.from(readFileSync(new URL("../fixtures/envelope-v1.hex", import.meta.url), "utf8").replace(/\s/g, ""), "hex")
  )

  it("100 000 mutated envelopes are never another value, and never a crash", () => {
    const originals = [
      right(codecs.Json.encode(entry)),
      right(codecs.MsgPack.encode(entry)),
      right(codecs["compressed Json"].encode(entry)),
      golden
    ]
    const seed = Number(process.env["LARDER_TEST_SEED"] ?? 20_261_121)
    let state = seed
    /** Numerical Recipes' linear congruence: told by its seed. */
    const random = (below: number): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      return Math.floor((state / 2 ** 32) * below)
    }
    const mutate = (bytes: Uint8Array): Uint8Array => {
      const copy = bytes.slice()
      switch (random(6)) {
        case 0:
          copy[random(copy.length)]! ^= 1 << random(8)
          return copy
        case 1:
          return copy.subarray(0, random(copy.length))
        case 2:
          copy[4] = random(256) // another version
          return copy
        case 3:
          for (let times = random(8) + 2; times > 0; times--) copy[random(copy.length)] = random(256)
          return copy
        case 4:
          return Uint8Array.from([...copy, ...Array.from({ length: random(9) + 1 }, () => random(256))])
        default: {
          // two entries that have grown together
          const other = originals[random(originals.length)]!
          const at = random(copy.length)
          return Uint8Array.from([...copy.subarray(0, at), ...other.subarray(Math.min(at, other.length))])
        }
      }
    }
    let refused = 0
    for (let n = 0; n < 25_000; n++) {
      const original = originals[n % originals.length]!
      const bytes = mutate(original)
      for (const [name, codec] of Object.entries(codecs)) {
        const found = (codec as Codec.Codec<unknown>).decode(bytes)
        if (Either.isLeft(found)) refused++
        // a compressed form has bytes that mean nothing
        else if (!isDeepStrictEqual({ ...(found.right as object) }, entry)) {
          assert.fail(`seed ${seed}, ${n}: ${name} took ${Buffer.from(bytes).toString("hex")}`)
        }
      }
    }
    assert.isAbove(refused, 100_000)
  })

  it.effect("a row of another codec is a miss, and told", () =>
    Effect.gen(function* () {
      const events = yield* CacheEvents.CacheEvents
      const heard: Array<string> = []
      yield* Effect.forkScoped(
        Stream.runForEach(CacheEvents.only("DecodeFailed"), (event) => Effect.sync(() => heard.push(event._tag))).pipe(
          Effect.provideService(CacheEvents.CacheEvents, events)
        )
      )
      yield* Effect.repeatN(Effect.yieldNow(), 20)
      const cached = (codec: Codec.Maker<{ readonly a: number }>) =>
        Effect.scoped(
          Effect.flatMap(
            Cache.make("switch", {
              key: Schema.String,
              success: Schema.Struct({ a: Schema.Number }),
              codec,
              lookup: () => Effect.succeed({ a: 1 })
            }),
            (cache) => Effect.map(cache.get("k"), () => cache).pipe(Effect.flatMap((one) => one.stats))
          )
        )
      assert.strictEqual((yield* cached(Json.make)).loaded, 1)
      assert.strictEqual((yield* cached(Json.make)).fresh, 1)
      assert.strictEqual((yield* cached(MsgPack.make)).loaded, 1)
      assert.strictEqual((yield* cached(MsgPack.make)).fresh, 1)
      yield* Effect.repeatN(Effect.yieldNow(), 20)
      assert.deepStrictEqual(heard, ["DecodeFailed"])
    }).pipe(Effect.scoped, over(Layer.provideMerge(SqliteStore.layerMemory, CacheEvents.layer())))
  )
})
