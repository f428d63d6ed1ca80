import { assert, describe, it } from "@effect/vitest"
import {
  Arbitrary,
  Cause,
  Chunk,
  Data,
  Either,
  Equal,
  Exit,
  FastCheck as fc,
  Option,
  ParseResult,
  Schema
} from "effect"
import * as Effect from "effect/Effect"
import type { CodecError } from "effect-larder/CacheError"
import type { CacheEntry } from "effect-larder/CacheEntry"
import type { Codec } from "effect-larder/Codec"
import * as Envelope from "effect-larder/Envelope"
import * as Json from "effect-larder/Json"
import { readFileSync } from "node:fs"
import { isDeepStrictEqual } from "node:util"
import * as checksum from "../../src/codec/internal/checksum.js"

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

const right = <A>(either: Either.Either<A, CodecError>): A => {
  if (Either.isLeft(either)) throw new Error(`unexpected: ${either.left.message}`, { cause: either.left.cause })
  return either.right
}
const left = <A>(either: Either.Either<A, CodecError>): CodecError => {
  assert(Either.isLeft(either), "expected a CodecError")
  assert.strictEqual(either.left._tag, "CodecError")
  return either.left
}
const roundTrip = <A>(codec: Codec<A>, value: A): A => right(codec.decode(right(codec.encode(value))))

class User extends Schema.Class<User>("test/User")({
  id: Schema.Number,
  name: Schema.String,
  seen: Schema.optional(Schema.Date)
}) {}
class NotFound extends Schema.TaggedError<NotFound>()("NotFound", { id: Schema.Unknown }) {}

interface Tree {
  readonly name: string
  readonly children: ReadonlyArray<Tree>
}
const makeTree = (): Schema.Schema<Tree> => {
  const tree: Schema.Schema<Tree> = Schema.Struct({
    name: Schema.String,
    children: Schema.Array(Schema.suspend(() => tree))
  })
  return tree
}

describe("Json", () => {
  describe("round trips", () => {
    const laws: ReadonlyArray<readonly [string, Schema.Schema.AnyNoContext]> = [
      ["String", Schema.String],
      ["Number", Schema.Number],
      ["Boolean", Schema.Boolean],
      ["Null", Schema.Null],
      ["Undefined", Schema.Undefined],
      ["Void", Schema.Void],
      ["NullishOr", Schema.NullishOr(Schema.String)],
      ["BigInt", Schema.BigInt],
      ["BigIntFromSelf", Schema.BigIntFromSelf],
      ["Date", Schema.Date],
      ["DateFromSelf, invalid dates too", Schema.DateFromSelf],
      ["Uint8Array", Schema.Uint8Array],
      ["Uint8ArrayFromSelf", Schema.Uint8ArrayFromSelf],
      ["Literal", Schema.Literal("a", 1, true, null)],
      ["Tuple with undefined", Schema.Tuple(Schema.UndefinedOr(Schema.Number), Schema.optionalElement(Schema.String))],
      ["Array of undefined", Schema.Array(Schema.UndefinedOr(Schema.String))],
      ["MapFromSelf", Schema.MapFromSelf({ key: Schema.Number, value: Schema.UndefinedOr(Schema.String) })],
      ["SetFromSelf", Schema.SetFromSelf(Schema.BigIntFromSelf)],
      ["Map", Schema.Map({ key: Schema.String, value: Schema.Number })],
      ["HashMap", Schema.HashMap({ key: Schema.String, value: Schema.Finite })],
      ["Chunk", Schema.Chunk(Schema.Finite)],
      ["Option", Schema.Option(Schema.UndefinedOr(Schema.Finite))],
      ["Either", Schema.Either({ left: Schema.String, right: Schema.Finite })],
      [
        "Struct with optional fields",
        Schema.Struct({
          a: Schema.optional(Schema.String),
          b: Schema.optionalWith(Schema.Number, { exact: true }),
          $c: Schema.NullOr(Schema.BigIntFromSelf),
          $$d: Schema.DateFromSelf
        })
      ],
      ["Record with any keys", Schema.Record({ key: Schema.String, value: Schema.UndefinedOr(Schema.Number) })],
      ["Class", User],
      ["TaggedError", NotFound],
      ["recursive", makeTree()]
    ]
    for (const [name, schema] of laws) {
      it(name, () => {
        const codec = Json.make(schema as Schema.Schema<unknown, unknown>)
        // equal hash maps may be built differently, and deep equality knows that NaN is NaN: either will do
        const equivalent = (a: unknown, b: unknown): void =>
          Equal.equals(a, b) && !(a instanceof Error) ? undefined : assert.deepStrictEqual(a, b)
        fc.assert(
          fc.property(Arbitrary.make(schema as Schema.Schema<unknown, unknown>), (value) => {
            if (name.startsWith("Record") && Object.hasOwn(value as object, "__proto__")) return
            equivalent(roundTrip(codec, value), value)
          }),
          { numRuns: 300 }
        )
      })
    }

    it("any tree of values under Schema.Unknown, hostile keys included", () => {
      const codec = Json.make(Schema.Unknown)
      const key = fc.oneof(
        fc.string(),
        fc.constantFrom("__proto__", "constructor", "toJSON", "$", "$$", "$date", "$undefined", "$$bigint", "\ud800"),
        fc.string16bits()
      )
      const leaf = fc.oneof(
        fc.string16bits(),
        fc.double(),
        fc.constantFrom(undefined, null, NaN, -0, 0, Infinity, -Infinity, "", "$"),
        fc.bigInt(),
        fc.date(),
        fc.uint8Array(),
        fc.boolean()
      )
      const { tree } = fc.letrec<{ tree: unknown; leaf: unknown }>((tie) => ({
        leaf,
        tree: fc.oneof(
          { depthSize: "small", withCrossShrink: true },
          tie("leaf"),
          fc.array(tie("tree")),
          fc.array(fc.tuple(key, tie("tree"))).map((entries) => Object.fromEntries(entries)),
          fc.array(fc.tuple(tie("tree"), tie("tree"))).map((entries) => new Map(entries)),
          fc.array(tie("tree")).map((items) => new Set(items))
        )
      }))
      fc.assert(
        // node's comparison, because chai's turns members of sets into strings, which a key "toString" forbids
        fc.property(tree, (value) => isDeepStrictEqual(roundTrip(codec, value), value)),
        { numRuns: 1000 }
      )
    })

    it("values that are hard to tell apart stay apart", () => {
      const codec = Json.make(Schema.Unknown)
      const values: ReadonlyArray<unknown> = [
        undefined,
        null,
        "undefined",
        "null",
        0,
        -0,
        "0",
        0n,
        "0n",
        NaN,
        "NaN",
        Infinity,
        -Infinity,
        false,
        "",
        [],
        [undefined],
        [null],
        {},
        { a: undefined },
        { $undefined: 0 },
        { $$undefined: 0 },
        { $bigint: "0" },
        new Date(0),
        0,
        new Date(NaN),
        new Uint8Array(),
        new Uint8Array(1),
        new Map(),
        new Set(),
        new Map([[undefined, undefined]])
      ]
      for (const value of values) {
        // beside an undefined, so that the tagged form is used for all of them
        for (const sample of [value, [undefined, value]]) {
          const back = roundTrip(codec, sample)
          assert.deepStrictEqual(back, sample)
          if (typeof sample === "number") assert.isTrue(Object.is(back, sample))
        }
      }
    })

    it("plain values are plain JSON, whatever their keys", () => {
      const codec = Json.make(Schema.Unknown)
      const value = { $date: 1, $: [1, "é", null, { $undefined: 0 }], nested: { a: true } }
      assert.strictEqual(text(right(codec.encode(value))), JSON.stringify(value))
      assert.strictEqual(text(right(codec.encode({ $a: undefined }))), `${"$"}{"$$a":{"$undefined":0}}`)
    })

    it("a key __proto__ stays data, and harms nobody", () => {
      const codec = Json.make(Schema.Unknown)
      for (const source of [`{"__proto__":{"admin":true}}`, `{"a":[{"__proto__":1}]}`]) {
        const value: unknown = JSON.parse(source)
        assert.strictEqual(text(right(codec.encode(value))), source)
        assert.strictEqual(JSON.stringify(roundTrip(codec, value)), source)
        assert.strictEqual(JSON.stringify(roundTrip(codec, [undefined, value])), `[null,${source}]`)
      }
      assert.isUndefined(Reflect.get(roundTrip(codec, [undefined, JSON.parse(`{"__proto__":{"x":1}}`)]) as object, "x"))
    })

    it("a key __proto__ is refused where a record would lose it", () => {
      const codec = Json.make(
        Schema.Struct({ all: Schema.Chunk(Schema.Record({ key: Schema.String, value: Schema.Unknown })) })
      )
      const hostile: Record<string, unknown> = JSON.parse(`{"__proto__":{"admin":true}}`)
      assert.include(left(codec.encode({ all: Chunk.make({ a: 1 }, hostile) })).reason, "__proto__")
      assert.include(
        left(codec.decode(utf8(`{"all":[{},{"__proto__":{"admin":true}}]}`))).reason,
        "all.1.__proto__: the Schema's record would lose this key"
      )
      assert.isTrue(Either.isRight(codec.encode({ all: Chunk.make({ proto: 1 }) })))
      const maps = Json.make(
        Schema.MapFromSelf({ key: Schema.String, value: Schema.Record({ key: Schema.String, value: Schema.Unknown }) })
      )
      left(maps.encode(new Map([["a", hostile]])))
    })

    it("5 MB of text, and a very deep value", () => {
      const codec = Json.make(Schema.Unknown)
      const large = "aé😀\n".repeat(1_000_000)
      assert.strictEqual(roundTrip(codec, large), large)
      let deep: unknown = undefined
      for (let i = 0; i < 500; i++) deep = [deep]
      assert.deepStrictEqual(roundTrip(codec, deep), deep)
    })
  })

  describe("refusals", () => {
    class Point {
      constructor(readonly x: number) {}
    }
    const holes = [1, 2, 3]
    delete holes[1]
    const cases: ReadonlyArray<readonly [string, unknown, string]> = [
      ["a function", { a: [0, () => 1] }, "a.1: a function"],
      ["a symbol", Symbol("s"), "the value itself: a symbol"],
      ["a class instance", { p: new Point(1) }, "p: an instance of Point"],
      ["a regular expression", [/x/], "0: an instance of RegExp"],
      ["a Data.struct", Data.struct({ a: 1 }), "the value itself: an instance of"],
      ["an object with toJSON", { d: { toJSON: () => 1 } }, "d.toJSON: a function"],
      ["a symbol as key", { a: { [Symbol.for("k")]: 1 } }, "a: an object with symbols as keys"],
      ["a hole", { a: holes }, "a: an array with a hole at 1"],
      ["inside a map", new Map([["k", () => 1]]), "0: a function"]
    ]
    for (const [name, value, reason] of cases) {
      it(`${name} is refused on encoding, with its path`, () => {
        const error = left(Json.make(Schema.Unknown).encode(value))
        assert.strictEqual(error.operation, "encode")
        assert.include(error.reason, reason)
      })
    }

    it("a circular value, and one too deep for the stack", () => {
      const circle: Array<unknown> = []
      circle.push(circle)
      left(Json.make(Schema.Unknown).encode(circle))
      left(Json.make(Schema.Unknown).encode([undefined, circle]))
      let deep: unknown = undefined
      for (let i = 0; i < 200_000; i++) deep = [deep]
      left(Json.make(Schema.Unknown).encode(deep))
      left(Json.make(Schema.Unknown).decode(utf8(`$${"[".repeat(200_000)}${"]".repeat(200_000)}`)))
    })

    it("a value that the Schema refuses, without showing it", () => {
      const codec = Json.make(Schema.Struct({ users: Schema.Array(Schema.Struct({ pin: Schema.Number })) }), {
        name: "pins"
      })
      const encodeError = left(codec.encode({ users: [{ pin: "1234-secret" as never }] }))
      assert.strictEqual(encodeError.message, "Codec 'pins' cannot encode: users.0.pin: Expected number")
      assert.isTrue(ParseResult.isParseError(encodeError.cause))
      const decodeError = left(codec.decode(utf8(`{"users":[{"pin":"1234\\nsecret"}]}`)))
      assert.strictEqual(decodeError.message, "Codec 'pins' cannot decode: users.0.pin: Expected number")
      assert.strictEqual(left(codec.decode(utf8(`{}`))).reason, "users: is missing")
      assert.notInclude(left(codec.decode(utf8(`{"users":"1234 secret`))).reason, "secret")
    })

    it("bytes that are not such JSON", () => {
      const codec = Json.make(Schema.Unknown)
      const bad = [
        "",
        "$",
        "{",
        "nul",
        "1 2",
        "\ufeff1",
        `${"$"}{"$what":1}`,
        `${"$"}{"$bigint":"x"}`,
        `${"$"}{"$bigint":1}`,
        `${"$"}{"$number":"1"}`,
        `${"$"}{"$number":1}`,
        `${"$"}{"$date":"1970"}`,
        `${"$"}{"$bytes":"*"}`,
        `${"$"}{"$bytes":7}`,
        `${"$"}{"$map":[1]}`,
        `${"$"}{"$map":[[1]]}`,
        `${"$"}{"$map":{}}`,
        `${"$"}{"$set":0}`,
        `${"$"}{"$date":0,"a":1}`,
        `${"$"}{"$":1}`
      ]
      for (const each of bad) left(codec.decode(utf8(each)))
      for (const each of [[0xff], [0xc3, 0x28], [0x22, 0xed, 0xa0, 0x80, 0x22]])
        left(codec.decode(Uint8Array.from(each)))
    })

    it("random bytes never throw, and what decodes is what the Schema allows", () => {
      const codec = Json.make(User)
      const tokens = fc.array(
        fc.constantFrom(...`$ { } [ ] , : " 1 e - "id" "name" "$date" "__proto__" null`.split(" "))
      )
      fc.assert(
        fc.property(
          fc.oneof(
            fc.uint8Array(),
            tokens.map((all) => utf8(all.join("")))
          ),
          (bytes) => {
            const decoded = codec.decode(bytes)
            assert.isTrue(Either.isLeft(decoded) || decoded.right instanceof User)
          }
        ),
        { numRuns: 5000 }
      )
    })

    it("a Schema that throws or works asynchronously", () => {
      const throwing = Json.make(
        Schema.transform(Schema.String, Schema.String, {
          strict: true,
          decode: () => {
            throw new Error("decode")
          },
          encode: () => {
            throw new Error("encode")
          }
        })
      )
      left(throwing.encode("a"))
      left(throwing.decode(utf8(`"a"`)))
      const slow = Json.make(
        Schema.transformOrFail(Schema.String, Schema.String, {
          strict: true,
          decode: (s) =>
            Effect.as(
              Effect.promise(() => Promise.resolve()),
              s
            ),
          encode: (s) =>
            Effect.as(
              Effect.promise(() => Promise.resolve()),
              s
            )
        })
      )
      left(slow.encode("a"))
      left(slow.decode(utf8(`"a"`)))
    })
  })
})

describe("fingerprints", () => {
  const of = (schema: Schema.Schema.AnyNoContext, version?: string): string =>
    Json.make(schema as Schema.Schema<unknown, unknown>, { version }).fingerprint

  // stands for "the same in every process and on every machine": when it changes, every stored entry becomes a miss
  it("are these", () => {
    assert.deepStrictEqual(
      {
        string: of(Schema.String),
        struct: of(Schema.Struct({ id: Schema.Int, name: Schema.optional(Schema.String) })),
        class: of(User),
        recursive: of(makeTree()),
        version: of(Schema.String, "2"),
        envelope: Envelope.make({ success: Json.make(User), failure: Json.make(NotFound) }).fingerprint
      },
      {
        string: "tkAMpBM1397m8mjwwo7evA",
        struct: "lrHBZVa3Nis-iA-5VSOvNA",
        class: "bYWE9Dx_duNtltQc2xtdqg",
        recursive: "gDgALY8cRS3Vu4a4h-AFVA",
        version: "wG2pY65b8TXZxAlcCSJsZQ",
        envelope: "yDLrXwm7aiIisRVvzd4c9A"
      }
    )
  })

  it("are 22 characters of base64url", () => {
    assert.match(of(User), /^[\w-]{22}$/)
    assert.match(Envelope.make({ success: Json.make(User) }).fingerprint, /^[\w-]{22}$/)
  })

  it("are equal for Schemas of the same structure", () => {
    const make = () => {
      class Item extends Schema.Class<Item>("test/Item")({ a: Schema.NumberFromString, tree: makeTree() }) {}
      return Schema.Struct({
        item: Item,
        many: Schema.Array(Item),
        age: Schema.Number.pipe(Schema.between(1, 9)),
        when: Schema.Date.pipe(Schema.greaterThanDate(new Date(5))),
        kind: Schema.TemplateLiteral("a", Schema.Number)
      })
    }
    assert.strictEqual(of(make()), of(make()))
    const shared = Schema.Struct({ x: Schema.Number })
    assert.strictEqual(
      of(Schema.Tuple(shared, shared)),
      of(Schema.Tuple(Schema.Struct({ x: Schema.Number }), Schema.Struct({ x: Schema.Number })))
    )
    assert.strictEqual(
      of(Schema.Struct({ a: Schema.String, b: Schema.Number })),
      of(Schema.Struct({ b: Schema.Number, a: Schema.String })),
      "the order of fields does not matter"
    )
    assert.strictEqual(
      of(Schema.String),
      of(Schema.String.annotations({ description: "documentation", title: "too", examples: ["a"] }))
    )
  })

  it("differ when anything that reading depends on differs", () => {
    const S = Schema
    const filtered = (schemaId: symbol) => S.Number.pipe(S.filter(() => true, { schemaId }))
    const tree = (name: string): Schema.Schema<unknown> => {
      const self: Schema.Schema<unknown> = S.Struct({ [name]: S.Array(S.suspend(() => self)) }) as never
      return self
    }
    const list: ReadonlyArray<Schema.Schema.AnyNoContext> = [
      S.String,
      S.Number,
      S.Boolean,
      S.Null,
      S.Undefined,
      S.Void,
      S.Unknown,
      S.Any,
      S.Never as never,
      S.BigIntFromSelf,
      S.Object,
      S.Int,
      S.Positive,
      S.NonEmptyString,
      S.UUID,
      S.Date,
      S.DateFromSelf,
      S.DateFromNumber,
      S.NumberFromString,
      S.BigInt,
      S.Literal("a"),
      S.Literal("b"),
      S.Literal("1"),
      S.Literal(1),
      S.Literal(1n),
      S.Literal("a", "b"),
      S.Literal(true),
      S.Struct({}),
      S.Struct({ a: S.String }),
      S.Struct({ b: S.String }),
      S.Struct({ a: S.Number }),
      S.Struct({ a: S.optional(S.String) }),
      S.Struct({ a: S.optionalWith(S.String, { exact: true }) }),
      S.Struct({ a: S.String, b: S.String }),
      S.Struct({ a: S.propertySignature(S.String).pipe(S.fromKey("c")) }),
      S.Struct({ a: S.propertySignature(S.String).pipe(S.fromKey("d")) }),
      S.Struct({ a: S.optionalWith(S.String, { default: () => "" }) }),
      S.Struct({ "a:b": S.String }),
      S.Struct({ [Symbol.for("a")]: S.String }),
      S.Record({ key: S.String, value: S.String }),
      S.Record({ key: S.String, value: S.Number }),
      S.Record({ key: S.TemplateLiteral("a", S.String), value: S.String }),
      S.Array(S.String),
      S.Tuple(S.String),
      S.Tuple(S.String, S.String),
      S.Tuple(),
      S.Tuple(S.optionalElement(S.String)),
      S.Tuple([S.String], S.String),
      S.Array(S.Array(S.String)),
      S.Union(S.String, S.Number),
      S.Union(S.Number, S.String),
      S.NullOr(S.String),
      S.UndefinedOr(S.String),
      S.TemplateLiteral("a", S.String),
      S.TemplateLiteral("b", S.String),
      S.TemplateLiteral("a", S.Number),
      S.Enums({ A: 1, B: 2 }),
      S.Enums({ A: 1, B: 3 }),
      S.Enums({ A: "1" }),
      S.Option(S.String),
      S.OptionFromSelf(S.String),
      S.OptionFromNullOr(S.String),
      S.Option(S.Number),
      S.Chunk(S.String),
      S.List(S.String),
      S.HashSet(S.String),
      S.Set(S.String),
      S.Map({ key: S.String, value: S.String }),
      S.HashMap({ key: S.String, value: S.String }),
      S.String.pipe(S.minLength(1)),
      S.String.pipe(S.minLength(2)),
      S.String.pipe(S.maxLength(2)),
      S.String.pipe(S.pattern(/a/)),
      S.String.pipe(S.pattern(/a/i)),
      S.String.pipe(S.pattern(/b/)),
      S.Number.pipe(S.greaterThan(1)),
      S.Number.pipe(S.greaterThan(2)),
      S.Number.pipe(S.greaterThan(1), S.lessThan(2)),
      S.BigIntFromSelf.pipe(S.greaterThanBigInt(1n)),
      S.BigIntFromSelf.pipe(S.greaterThanBigInt(2n)),
      S.DateFromSelf.pipe(S.greaterThanDate(new Date(1))),
      S.DateFromSelf.pipe(S.greaterThanDate(new Date(2))),
      filtered(Symbol.for("one")),
      filtered(Symbol.for("two")),
      S.Number.pipe(S.filter(() => true)),
      S.String.annotations({ identifier: "A" }),
      S.String.annotations({ identifier: "B" }),
      S.instanceOf(URL),
      S.instanceOf(RegExp),
      S.compose(S.Trim, S.NumberFromString),
      S.parseJson(S.Number),
      S.UniqueSymbolFromSelf(Symbol.for("a")),
      S.UniqueSymbolFromSelf(Symbol.for("b")),
      User,
      S.typeSchema(User),
      S.encodedSchema(User),
      NotFound,
      class Other extends Schema.Class<Other>("test/Other")(User.fields) {},
      class More extends User.extend<More>("test/User")({ more: Schema.String }) {},
      makeTree(),
      tree("a"),
      tree("b"),
      S.suspend(() => S.String),
      S.Array(makeTree())
    ]
    const seen = new Map<string, number>()
    list.forEach((schema, i) => {
      const fingerprint = of(schema)
      assert.isFalse(seen.has(fingerprint), `${seen.get(fingerprint)} and ${i}: ${schema.ast}`)
      seen.set(fingerprint, i)
    })
  })

  it("differ by name and version, and are the same without", () => {
    const all = [
      Json.make(Schema.String),
      Json.make(Schema.String, { version: "" }),
      Json.make(Schema.String, { version: "1" }),
      Json.make(Schema.String, { name: "1" }),
      Json.make(Schema.String, { name: "1", version: "1" })
    ].map((codec) => codec.fingerprint)
    assert.strictEqual(new Set(all).size, all.length)
    assert.strictEqual(Json.make(Schema.String, { version: undefined }).fingerprint, all[0])
  })

  it("of an envelope differ by either codec, and by which is which", () => {
    const a = Json.make(Schema.String)
    const b = Json.make(Schema.Number)
    const all = [
      Envelope.make({ success: a }).fingerprint,
      Envelope.make({ success: b }).fingerprint,
      Envelope.make({ success: a, failure: b }).fingerprint,
      Envelope.make({ success: b, failure: a }).fingerprint,
      Envelope.make({ success: a, failure: a }).fingerprint
    ]
    assert.strictEqual(new Set(all).size, all.length)
  })

  it("end even for a Schema that makes new Schemas for ever", () => {
    const endless = (): Schema.Schema<unknown> =>
      Schema.Struct({ a: Schema.suspend(endless), b: Schema.suspend(endless) }) as never
    assert.strictEqual(of(endless()), of(endless()))
  })

  it("are not computed before they are asked for", () => {
    const codec = Json.make(Schema.suspend((): Schema.Schema<string> => Later))
    const envelope = Envelope.make({ success: codec })
    const Later = Schema.String
    assert.strictEqual(codec.fingerprint, of(Schema.suspend(() => Schema.String)))
    assert.strictEqual(envelope.fingerprint.length, 22)
  })
})

describe("checksum", () => {
  it("is MurmurHash3 x86 128: the reference implementation's verification value", () => {
    const bytesOf = (words: ReadonlyArray<number>): Uint8Array => {
      const out = new DataView(new ArrayBuffer(16))
      words.forEach((word, i) => out.setInt32(4 * i, word, true))
      return new Uint8Array(out.buffer)
    }
    const hashes = new Uint8Array(256 * 16)
    for (let i = 0; i < 256; i++) {
      const key = Uint8Array.from({ length: i }, (_, n) => n)
      hashes.set(bytesOf(checksum.of(key, i, 256 - i)), i * 16)
    }
    assert.strictEqual(checksum.of(hashes, hashes.length)[0] >>> 0, 0xb3ece62a)
  })
})

type Entry<A, E = never> = CacheEntry<A, E>

const entryOf = <A, E>(exit: Exit.Exit<A, E>, over?: Partial<Omit<Entry<A, E>, "exit">>): Entry<A, E> => ({
  exit,
  createdAt: 1_700_000_000_000,
  freshUntil: 1_700_000_060_000,
  staleUntil: Infinity,
  tags: ["org:1"],
  loadMillis: 12.5,
  keyText: undefined,
  ...over
})

describe("Envelope", () => {
  const users = Envelope.make({ success: Json.make(User), failure: Json.make(NotFound) })
  const unknowns = Envelope.make({ success: Json.make(Schema.Unknown), failure: Json.make(Schema.Unknown) })
  const ada = entryOf<User, NotFound>(Exit.succeed(new User({ id: 1, name: "Ada" }, true)))

  const hostileText = fc.oneof(
    fc.string16bits(),
    fc.fullUnicodeString(),
    fc.constantFrom(
      "",
      "\u0000",
      "\ud800",
      "\udc00\ud800",
      "😀",
      "a\ufeff",
      "\ufeffa",
      "ÿ",
      "__proto__",
      "a".repeat(5000)
    )
  )
  const time = fc.oneof(
    fc.integer(),
    fc.double({ noNaN: true }),
    fc.constantFrom(0, -0, Infinity, 2 ** 31 - 1, 2 ** 53)
  )
  const arbitraryEntry = fc
    .record({
      exit: fc.oneof(
        fc
          .anything({ withBigInt: true, withDate: true, withMap: true, withSet: true, maxDepth: 2 })
          .map((a) => Exit.succeed(a)),
        fc.jsonValue().map((e) => Exit.fail(e))
      ),
      createdAt: fc.oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true })),
      ends: fc.tuple(time, time).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const),
      tags: fc.array(hostileText),
      loadMillis: fc.double({ min: 0, max: 1e9, noNaN: true }),
      keyText: fc.option(hostileText, { nil: undefined })
    })
    .map(
      ({ ends, exit, ...rest }): Entry<unknown, unknown> => ({
        ...rest,
        exit,
        freshUntil: ends[0],
        staleUntil: ends[1]
      })
    )

  it("any entry round-trips, and its header says the same", () => {
    fc.assert(
      fc.property(arbitraryEntry, (entry) => {
        const bytes = right(unknowns.encode(entry))
        const back = right(unknowns.decode(bytes))
        assert.isTrue(isDeepStrictEqual(back, entry))
        const { exit, ...rest } = entry
        const { failed, fingerprint, payloadBytes, ...header } = right(Envelope.header(bytes))
        assert.deepStrictEqual(header, rest)
        assert.strictEqual(failed, Exit.isFailure(exit))
        assert.strictEqual(fingerprint, unknowns.fingerprint)
        assert.isTrue(payloadBytes > 0 && payloadBytes < bytes.length)
      }),
      { numRuns: 3000 }
    )
  })

  it("undefined, null and every falsy value are values", () => {
    for (const value of [undefined, null, false, 0, -0, NaN, "", 0n]) {
      assert.deepStrictEqual(roundTrip(unknowns, entryOf(Exit.succeed(value))).exit, Exit.succeed(value))
      assert.deepStrictEqual(roundTrip(unknowns, entryOf(Exit.fail(value))).exit, Exit.fail(value))
    }
  })

  it("a class and a tagged error come back as instances", () => {
    const back = roundTrip(users, ada)
    assert(Exit.isSuccess(back.exit))
    assert.instanceOf(back.exit.value, User)
    const failed = roundTrip(users, entryOf<User, NotFound>(Exit.fail(new NotFound({ id: "7" }))))
    assert(Exit.isFailure(failed.exit))
    const error = Cause.failureOption(failed.exit.cause)
    assert(Option.isSome(error))
    assert.instanceOf(error.value, NotFound)
    assert.strictEqual(error.value.id, "7")
  })

  it("bytes that sit inside a larger buffer are read as well", () => {
    const bytes = right(users.encode(ada))
    const pool = new Uint8Array(bytes.length + 13)
    pool.set(bytes, 7)
    assert.deepStrictEqual(right(users.decode(pool.subarray(7, 7 + bytes.length))), ada)
  })

  it("an empty payload and one of 5 MB", () => {
    const raw: Codec<Uint8Array> = {
      name: "raw",
      fingerprint: "raw",
      encode: Either.right,
      decode: (bytes) => Either.right(bytes.slice())
    }
    const codec = Envelope.make({ success: raw })
    const large = new Uint8Array(5_000_000).map((_, i) => i * 31)
    for (const value of [new Uint8Array(), large]) {
      const bytes = right(codec.encode(entryOf(Exit.succeed(value), { tags: [] })))
      assert.strictEqual(bytes.length, 80 + value.length)
      assert.isTrue(Exit.isSuccess(right(codec.decode(bytes)).exit))
      assert.strictEqual(right(Envelope.header(bytes)).payloadBytes, value.length)
      if (value.length > 0) {
        assert.deepStrictEqual(right(codec.decode(bytes)).exit, Exit.succeed(value))
        bytes[4_000_000]! ^= 4
        assert.strictEqual(left(codec.decode(bytes)).reason, "checksum differs")
      }
    }
  })

  describe("what is never stored", () => {
    const never = Envelope.make<User, string>({ success: Json.make(User) })
    const cases: ReadonlyArray<readonly [string, Entry<User, string>, string]> = [
      ["a failure without a codec", entryOf(Exit.fail("no")), "no codec for failures"],
      ["a defect", entryOf(Exit.die("no")), "kind Die"],
      ["an interruption", entryOf(Exit.failCause(Cause.empty)), "kind Empty"],
      [
        "a failure with a defect",
        entryOf(Exit.failCause(Cause.parallel(Cause.fail("a"), Cause.die("b")))),
        "kind Parallel"
      ],
      ["a value its Schema refuses", entryOf(Exit.succeed({ id: "1" } as never)), "Expected"]
    ]
    for (const [name, entry, reason] of cases) {
      it(name, () => assert.include(left(never.encode(entry)).reason, reason))
    }
    const times: ReadonlyArray<readonly [Partial<Entry<never>>, string]> = [
      [{ createdAt: NaN }, "createdAt is NaN"],
      [{ createdAt: Infinity }, "createdAt is Infinity"],
      [{ freshUntil: NaN }, "freshUntil is NaN"],
      [{ staleUntil: NaN }, "staleUntil is NaN"],
      [{ freshUntil: 2, staleUntil: 1 }, "freshUntil is after staleUntil"],
      [{ freshUntil: Infinity, staleUntil: 1e308 }, "freshUntil is after staleUntil"],
      [{ loadMillis: NaN }, "loadMillis is NaN"],
      [{ loadMillis: -1 }, "loadMillis is -1"],
      [{ loadMillis: Infinity }, "loadMillis is Infinity"]
    ]
    for (const [over, reason] of times) {
      it(`times that make no sense: ${reason}`, () =>
        assert.strictEqual(left(users.encode({ ...ada, ...over })).reason, reason))
    }
    it("what a throwing codec makes", () => {
      const boom = (): never => {
        throw new Error("boom")
      }
      const throwing = Envelope.make({ success: { ...Json.make(Schema.String), encode: boom, decode: boom } })
      left(throwing.encode(entryOf(Exit.succeed("a"))))
      const bytes = right(Envelope.make({ success: Json.make(Schema.String) }).encode(entryOf(Exit.succeed("a"))))
      left(throwing.decode(bytes))
    })
  })

  describe("what is not read", () => {
    /** Changes the bytes and makes the checksum right again. */
    const forged = (
      change: (view: DataView, bytes: Uint8Array) => void,
      entry: Entry<User, NotFound> = ada
    ): Uint8Array => {
      const bytes = right(users.encode(entry)).slice()
      change(new DataView(bytes.buffer), bytes)
      checksum.write(bytes, bytes.length - checksum.size)
      return bytes
    }
    const cases: ReadonlyArray<readonly [string, Uint8Array, string]> = [
      ["nothing", new Uint8Array(), "0 bytes are too few"],
      ["another file", utf8("x".repeat(200)), "other magic"],
      ["another format version", forged((view) => view.setUint8(4, 9)), "format version 9"],
      ["an unknown flag", forged((view) => view.setUint8(5, 4)), "unknown flags 4"],
      ["reserved bytes", forged((view) => view.setUint16(6, 1, true)), "reserved bytes are 1"],
      ["another fingerprint", forged((view) => view.setUint8(23, view.getUint8(23) ^ 1)), "other schema fingerprint"],
      ["createdAt NaN", forged((view) => view.setFloat64(24, NaN, true)), "createdAt is NaN"],
      ["freshUntil NaN", forged((view) => view.setFloat64(32, NaN, true)), "freshUntil is NaN"],
      ["freshUntil after staleUntil", forged((view) => view.setFloat64(40, 0, true)), "freshUntil is after staleUntil"],
      ["a negative load", forged((view) => view.setFloat64(48, -1, true)), "loadMillis is -1"],
      ["too many tags", forged((view) => view.setUint32(56, 0xffff_ffff, true)), "malformed tags"],
      ["too few tags", forged((view) => view.setUint32(56, 0, true)), "the payload has"],
      ["a tag past the end", forged((view) => view.setUint32(64, 0x7fff_ffff, true)), "malformed tags"],
      ["a wide tag of odd size", forged((view) => view.setUint32(64, 0x8000_0005, true)), "malformed tags"],
      ["a tag that is not UTF-8", forged((view) => view.setUint8(68, 0xff)), "malformed text"],
      [
        "a key text past the end",
        forged((view) => {
          view.setUint8(5, 2)
          view.setUint32(64, 0x7fff_ffff, true)
        }),
        "malformed key text"
      ],
      ["a longer payload", forged((view) => view.setUint32(60, 0xffff_ffff, true)), "the payload has"],
      ["a payload its Schema refuses", forged((_, bytes) => bytes.set(utf8("nul"), 73)), "not UTF-8 JSON"],
      ["a success that claims to be a failure", forged((view) => view.setUint8(5, 1)), "_tag"]
    ]
    for (const [name, bytes, reason] of cases) {
      it(name, () => assert.include(left(users.decode(bytes)).reason, reason))
    }

    it("another Schema's entry, and a failure where none are kept", () => {
      const bytes = right(users.encode(ada))
      const other = Envelope.make({ success: Json.make(User, { version: "2" }), failure: Json.make(NotFound) })
      assert.strictEqual(left(other.decode(bytes)).reason, "other schema fingerprint")
      const only = Envelope.make({ success: Json.make(User) })
      const success = right(only.encode(entryOf(Exit.succeed(new User({ id: 1, name: "Ada" }, true)))))
      success[5] = 1
      checksum.write(success, success.length - checksum.size)
      assert.include(left(only.decode(success)).reason, "no codec for failures")
    })

    it("every single bit flip and every truncation of an entry", () => {
      const bytes = right(users.encode({ ...ada, keyText: "k\ud800", tags: ["a", "ü", "\udfff"] }))
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const mutated = bytes.slice()
        mutated[bit >> 3]! ^= 1 << (bit & 7)
        left(users.decode(mutated))
        left(Envelope.header(mutated))
      }
      for (let length = 0; length < bytes.length; length++) left(users.decode(bytes.subarray(0, length)))
      for (let more = 1; more < 40; more++) left(users.decode(Uint8Array.from([...bytes, ...new Uint8Array(more)])))
    })

    it("100 000 mutated envelopes: never a throw, never a wrong value", () => {
      const samples = [
        ada,
        { ...ada, tags: [], keyText: "" },
        entryOf<User, NotFound>(Exit.fail(new NotFound({ id: 1 })), { tags: ["😀", "\ud800"], keyText: `[1,"é"]` }),
        entryOf<User, NotFound>(Exit.succeed(new User({ id: 2, name: "x".repeat(300), seen: new Date(0) }, true)))
      ].map((entry) => ({ entry, bytes: right(users.encode(entry)) }))
      const other = right(
        Envelope.make({ success: Json.make(User) }).encode(entryOf(Exit.succeed(new User({ id: 9, name: "" }))))
      )

      const place = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
      const mutation = fc.oneof(
        fc
          .array(fc.tuple(place, fc.integer({ min: 0, max: 7 })), { minLength: 1, maxLength: 8 })
          .map((flips) => (b: Uint8Array) => {
            for (const [at, bit] of flips) b[Math.floor(at * b.length)]! ^= 1 << bit
            return b
          }),
        fc.tuple(place, fc.uint8Array({ minLength: 1, maxLength: 32 })).map(([at, noise]) => (b: Uint8Array) => {
          b.set(noise.subarray(0, b.length - Math.floor(at * b.length)), Math.floor(at * b.length))
          return b
        }),
        place.map((at) => (b: Uint8Array) => b.subarray(0, Math.floor(at * b.length))),
        place.map((at) => (b: Uint8Array) => b.subarray(Math.floor(at * b.length))),
        fc.uint8Array({ minLength: 1 }).map((noise) => (b: Uint8Array) => Uint8Array.from([...b, ...noise])),
        fc.uint8Array({ maxLength: 200 }).map((noise) => () => noise),
        fc.integer({ min: 0, max: 255 }).map((version) => (b: Uint8Array) => b.fill(version, 4, 5)),
        fc.uint8Array({ minLength: 16, maxLength: 16 }).map((print) => (b: Uint8Array) => {
          b.set(print, 8)
          checksum.write(b, b.length - checksum.size)
          return b
        }),
        // two places change places: sums would not see it
        fc.tuple(place, place, fc.integer({ min: 1, max: 16 })).map(
          ([from, to, size]) =>
            (b: Uint8Array) =>
              b.copyWithin(Math.floor(to * b.length), Math.floor(from * b.length), Math.floor(from * b.length) + size)
        ),
        place.map((at) => (b: Uint8Array) => {
          const cut = Math.floor(at * Math.min(b.length, other.length))
          return Uint8Array.from([...b.subarray(0, cut), ...other.subarray(cut)])
        })
      )
      let refused = 0
      fc.assert(
        fc.property(fc.constantFrom(...samples), mutation, ({ bytes, entry }, mutate) => {
          const mutated = mutate(bytes.slice())
          const decoded = users.decode(mutated)
          if (Either.isLeft(decoded)) {
            refused++
            left(decoded)
            assert.isFalse(Buffer.from(mutated).equals(bytes), "unchanged bytes are read")
          } else {
            assert.isTrue(Buffer.from(mutated).equals(bytes), "changed bytes are refused")
            assert.deepStrictEqual(decoded.right, entry)
          }
        }),
        // about a fifth changes nothing: a cut at the end, a copy in place
        { numRuns: 130_000 }
      )
      assert.isAtLeast(refused, 100_000)
    })
  })

  // the format is a promise: these bytes were written once and must be read for ever, or the version must change
  it("reads format version 1 as it was written", () => {
    const hex = readFileSync(new URL("../fixtures/envelope-v1.hex", import.meta.url), "utf8").replace(/\s/g, "")
    const codec = Envelope.make({ success: Json.make(Schema.Struct({ id: Schema.Number, at: Schema.BigIntFromSelf })) })
    const golden = entryOf(Exit.succeed({ id: 42, at: -7n }), {
      createdAt: 1_700_000_000_000.5,
      tags: ["org:1", "ünï😀", "half \ud83d"],
      keyText: `["user",42]`
    })
    const bytes = Uint8Array.from(Buffer.from(hex, "hex"))
    assert.strictEqual(text(bytes.subarray(0, 4)), "LRDR")
    assert.deepStrictEqual(right(codec.decode(bytes)), golden)
    assert.strictEqual(Buffer.from(right(codec.encode(golden))).toString("hex"), hex)
    assert.deepStrictEqual(right(Envelope.header(bytes)), {
      createdAt: 1_700_000_000_000.5,
      freshUntil: 1_700_000_060_000,
      staleUntil: Infinity,
      loadMillis: 12.5,
      tags: ["org:1", "ünï😀", "half \ud83d"],
      keyText: `["user",42]`,
      failed: false,
      fingerprint: codec.fingerprint,
      payloadBytes: 32
    })
  })
})
