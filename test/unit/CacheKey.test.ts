import { assert, describe, it } from "@effect/vitest"
import { Chunk, Data, DateTime, Duration, Effect, Either, HashMap, HashSet, Option, Redacted, Schema } from "effect"
import { CacheError } from "effect-larder"
import * as CacheKey from "effect-larder/CacheKey"
import * as fc from "fast-check"
import { createHash } from "node:crypto"
import { runInNewContext } from "node:vm"

const textOf = (value: unknown): string => Either.getOrThrow(CacheKey.text(value))

const errorOf = (value: unknown): CacheError.KeyError => {
  const result = CacheKey.encode(value)
  if (Either.isRight(result)) {
    return assert.fail(`was encoded: ${result.right}`)
  }
  assert.instanceOf(result.left, CacheError.KeyError)
  return result.left
}

class User extends Schema.Class<User>("test/User")({
  id: Schema.String,
  since: Schema.Date,
  age: Schema.optional(Schema.Number)
}) {
  get label(): string {
    return `${this.id}!`
  }
}

// -------------------------------------------------------------------------------------------------------------------
// a description of values, from which the same value can be built in several ways, and its own strict equality
// -------------------------------------------------------------------------------------------------------------------

type Spec =
  | { readonly t: "atom"; readonly of: string; readonly value: unknown; readonly make: () => unknown }
  | { readonly t: "list" | "set" | "chunk" | "hashset"; readonly items: ReadonlyArray<Spec> }
  | { readonly t: "some" | "left" | "right"; readonly item: Spec }
  | { readonly t: "record"; readonly fields: ReadonlyArray<readonly [string, Spec]> }
  | { readonly t: "map" | "hashmap"; readonly fields: ReadonlyArray<readonly [Spec, Spec]> }

const atom = (of: string, value: unknown, make: () => unknown = () => value): Spec => ({ t: "atom", of, value, make })

/** Strict structural equality, written without any text: nested searches instead of sorting. */
const same = (a: Spec, b: Spec): boolean => {
  if (a.t === "atom" && b.t === "atom") {
    return a.of === b.of && Object.is(a.value, b.value)
  }
  if ("items" in a && "items" in b && a.t === b.t) {
    return a.t === "list" || a.t === "chunk"
      ? a.items.length === b.items.length && a.items.every((item, index) => same(item, b.items[index]!))
      : sameBag(a.items, b.items, same)
  }
  if ("item" in a && "item" in b) {
    return a.t === b.t && same(a.item, b.item)
  }
  if (a.t === "record" && b.t === "record") {
    const present = (fields: ReadonlyArray<readonly [string, Spec]>) =>
      fields.filter(([, value]) => !(value.t === "atom" && value.of === "undefined"))
    return sameBag(present(a.fields), present(b.fields), (x, y) => x[0] === y[0] && same(x[1], y[1]))
  }
  if ((a.t === "map" && b.t === "map") || (a.t === "hashmap" && b.t === "hashmap")) {
    return sameBag(a.fields, b.fields, (x, y) => same(x[0], y[0]) && same(x[1], y[1]))
  }
  return false
}

const sameBag = <A>(a: ReadonlyArray<A>, b: ReadonlyArray<A>, equal: (x: A, y: A) => boolean): boolean => {
  const rest = [...b]
  return (
    a.length === b.length &&
    a.every((x) => {
      const index = rest.findIndex((y) => equal(x, y))
      return index >= 0 && rest.splice(index, 1).length === 1
    })
  )
}

/** Builds the value; with `turned`, everything that has no order is built the other way round. */
const build = (spec: Spec, turned = false): unknown => {
  const order = <A>(items: ReadonlyArray<A>): ReadonlyArray<A> => (turned ? [...items].reverse() : items)
  switch (spec.t) {
    case "atom":
      return spec.make()
    case "list":
      return spec.items.map((item) => build(item, turned))
    case "chunk":
      return Chunk.fromIterable(spec.items.map((item) => build(item, turned)))
    case "set":
      return new Set(order(spec.items).map((item) => build(item, turned)))
    case "hashset":
      return HashSet.fromIterable(order(spec.items).map((item) => build(item, turned)))
    case "some":
      return Option.some(build(spec.item, turned))
    case "left":
      return Either.left(build(spec.item, turned))
    case "right":
      return Either.right(build(spec.item, turned))
    case "map":
      return new Map(order(spec.fields).map(([key, value]) => [build(key, turned), build(value, turned)]))
    case "hashmap":
      return HashMap.fromIterable(
        order(spec.fields).map(([key, value]) => [build(key, turned), build(value, turned)] as const)
      )
    case "record": {
      const out = turned ? Object.create(null) : {}
      for (const [key, value] of order(spec.fields)) {
        Object.defineProperty(out, key, { value: build(value, turned), enumerable: true, configurable: true })
      }
      return out
    }
  }
}

const hostileStrings = fc.oneof(
  fc.string(),
  fc.string16bits(),
  fc.fullUnicodeString(),
  fc.constantFrom(
    "",
    "~",
    "~~",
    "~1",
    "~#",
    "~null",
    "true",
    "null",
    "1",
    "-0",
    "NaN",
    "$",
    "$$",
    "$undefined",
    "$map",
    "$args",
    "$$map",
    "__proto__",
    "constructor",
    "toString",
    "hasOwnProperty",
    "\0",
    "\u007f",
    "\u0085",
    "\ud800",
    "\udc00\ud800",
    "\ufeff",
    "é",
    "e\u0301",
    "\u2028",
    '"',
    "\\",
    "\\u0000",
    "../..",
    "a\0b",
    "😀"
  ),
  fc.string({ minLength: 195, maxLength: 210 })
)

const bytes = fc.uint8Array({ maxLength: 6 })

const atoms: fc.Arbitrary<Spec> = fc.oneof(
  hostileStrings.map((value) => atom("string", value)),
  fc
    .oneof(fc.double(), fc.integer(), fc.constantFrom(0, -0, 1, NaN, Infinity, -Infinity, 1e21, 5e-324))
    .map((value) => atom("number", value)),
  fc.boolean().map((value) => atom("boolean", value)),
  fc.constant(atom("null", null)),
  fc.constant(atom("undefined", undefined)),
  fc.oneof(fc.bigInt(), fc.constantFrom(0n, 1n)).map((value) => atom("bigint", value)),
  fc
    .oneof(fc.integer({ min: -3, max: 3 }), fc.integer(), fc.constant(NaN))
    .map((time) => atom("date", time, () => new Date(time))),
  fc.webUrl().map((url) => atom("url", new URL(url).href, () => new URL(url))),
  fc
    .constantFrom("a", "a/b", "(?:)", "\\d+")
    .chain((source) =>
      fc.constantFrom("", "g", "gi").map((flags) => atom(`regexp ${flags}`, source, () => new RegExp(source, flags)))
    ),
  fc.constant(atom("none", "none", () => Option.none())),
  fc.oneof(fc.nat(5), fc.nat(), fc.constant(Infinity)).map((ms) => atom("duration", ms, () => Duration.millis(ms))),
  bytes.map((data) => atom("bytes", data.join(), () => data)),
  bytes.map((data) => atom("buffer", data.join(), () => new Uint8Array(data).buffer)),
  bytes.map((data) => atom("view", data.join(), () => new DataView(new Uint8Array(data).buffer))),
  bytes.map((data) => atom("int8", data.join(), () => new Int8Array(new Uint8Array(data).buffer))),
  bytes.map((data) => atom("int16", data.join(), () => Int16Array.from(data))),
  bytes.map((data) => atom("float64", data.join(), () => Float64Array.from(data)))
)

/** Members that JavaScript or Effect would merge are merged here too, so that both builds have as many. */
const distinct = (items: ReadonlyArray<Spec>): ReadonlyArray<Spec> => {
  const zero = (spec: Spec): Spec => (spec.t === "atom" && Object.is(spec.value, -0) ? atom("number", 0) : spec)
  return items.map(zero).filter((item, index, all) => all.findIndex((other) => same(item, other)) === index)
}

/** Members of a HashSet or keys of a HashMap: primitives, since what Effect's equality makes of others is not ours. */
const primitives = atoms.filter(
  (spec) => spec.t === "atom" && ["string", "boolean", "null", "bigint"].includes(spec.of)
)

const specs: fc.Arbitrary<Spec> = fc.letrec<{ spec: Spec }>((tie) => {
  const list = fc.array(tie("spec"), { maxLength: 4 })
  const unique = fc.array(fc.tuple(tie("spec"), tie("spec")), { maxLength: 3 }).map((pairs) => {
    const keys = distinct(pairs.map(([key]) => key))
    return keys.map((key, index) => [key, pairs[index]![1]] as const)
  })
  return {
    spec: fc.oneof(
      { maxDepth: 4, depthIdentifier: "spec" },
      atoms,
      list.map((items): Spec => ({ t: "list", items })),
      fc
        .uniqueArray(fc.tuple(hostileStrings, tie("spec")), { selector: ([key]) => key, maxLength: 4 })
        .map((fields): Spec => ({ t: "record", fields })),
      list.map((items): Spec => ({ t: "set", items: distinct(items) })),
      list.map((items): Spec => ({ t: "chunk", items })),
      unique.map((fields): Spec => ({ t: "map", fields })),
      fc.array(primitives, { maxLength: 4 }).map((items): Spec => ({ t: "hashset", items: distinct(items) })),
      fc.tuple(fc.array(primitives, { maxLength: 3 }), tie("spec")).map(
        ([keys, value]): Spec => ({
          t: "hashmap",
          fields: distinct(keys).map((key) => [key, value] as const)
        })
      ),
      tie("spec").map((item): Spec => ({ t: "some", item })),
      tie("spec").map((item): Spec => ({ t: "left", item })),
      tie("spec").map((item): Spec => ({ t: "right", item }))
    )
  }
}).spec

/** Leaves that a careless encoding takes for each other. */
const confusable: fc.Arbitrary<Spec> = fc.constantFrom(
  ...["", "0", "-0", "1", "~1", "null", "true", "NaN", "undefined", "1n"].map((text) => atom("string", text)),
  ...[0, -0, 1, NaN, Infinity].map((value) => atom("number", value)),
  atom("boolean", true),
  atom("null", null),
  atom("bigint", 0n),
  atom("bigint", 1n),
  atom("date", 0, () => new Date(0)),
  atom("date", NaN, () => new Date(NaN)),
  atom("none", "none", () => Option.none()),
  { t: "list", items: [] } satisfies Spec,
  { t: "record", fields: [] } satisfies Spec,
  { t: "map", fields: [] } satisfies Spec,
  { t: "set", items: [] } satisfies Spec
)

/** Two values that are often equal or nearly so: the second is the first with one leaf exchanged. */
const nearby: fc.Arbitrary<readonly [Spec, Spec]> = fc
  .tuple(specs, fc.oneof(atoms, confusable), fc.nat(20))
  .map(([spec, leaf, at]) => {
    let count = 0
    const change = (node: Spec): Spec => {
      if (node.t === "atom") {
        return count++ === at ? leaf : node
      }
      if (node.t === "list" || node.t === "chunk") {
        return { t: node.t, items: node.items.map(change) }
      }
      if (node.t === "set") {
        return { t: "set", items: distinct(node.items.map(change)) }
      }
      if ("item" in node) {
        return { t: node.t, item: change(node.item) }
      }
      if (node.t === "record") {
        return { t: "record", fields: node.fields.map(([key, value]) => [key, change(value)]) }
      }
      return node
    }
    return [spec, change(spec)]
  })

const isKey = (key: string): boolean =>
  key.length > 0 && key.length <= 200 && !/[\u0000-\u001f\u007f-\u009f]/.test(key) && !/\p{Surrogate}/u.test(key)

describe("CacheKey", () => {
  describe("fixed texts (T31)", () => {
    const expected: ReadonlyArray<readonly [unknown, string]> = [
      ["abc", "abc"],
      ["user:42 é 😀", "user:42 é 😀"],
      ["", `~""`],
      ["~x", `~"~x"`],
      ["a\0b\u007f\u0085", `~"a\\u0000b\\u007f\\u0085"`],
      ["\ud800", `~"\\ud800"`],
      [42, "~42"],
      [-1.5, "~-1.5"],
      [1e21, "~1e+21"],
      [0, "~0"],
      [-0, `~{"$number":"-0"}`],
      [NaN, `~{"$number":"NaN"}`],
      [-Infinity, `~{"$number":"-Infinity"}`],
      [true, "~true"],
      [false, "~false"],
      [null, "~null"],
      [undefined, `~{"$undefined":true}`],
      [12n, `~{"$bigint":"12"}`],
      [[1, "1", true, null, undefined], `~[1,"1",true,null,{"$undefined":true}]`],
      [{ b: 2, a: [1], c: undefined }, `~{"a":[1],"b":2}`],
      [{ $map: 1, $$: 2 }, `~{"$$$":2,"$$map":1}`],
      [JSON.parse(`{"__proto__":1}`), `~{"__proto__":1}`],
      [new Date(0), `~{"$date":0}`],
      [new Date(NaN), `~{"$date":null}`],
      [
        new Map<unknown, unknown>([
          ["b", 1],
          ["a", 2]
        ]),
        `~{"$map":[["a",2],["b",1]]}`
      ],
      [new Set([2, 1]), `~{"$set":[1,2]}`],
      [new Uint8Array([1, 2, 255]), `~{"$Uint8Array":"AQL_"}`],
      [Buffer.from([1, 2, 255]), `~{"$Uint8Array":"AQL_"}`],
      [new Int16Array([-1]), `~{"$Int16Array":"__8"}`],
      [new Uint8Array([1]).buffer, `~{"$ArrayBuffer":"AQ"}`],
      [new URL("https://a.test/b?c"), `~{"$url":"https://a.test/b?c"}`],
      [/a"b/gi, `~{"$regexp":["a\\"b","gi"]}`],
      [Option.some("a"), `~{"$some":"a"}`],
      [Option.none(), `~{"$none":true}`],
      [Either.right(1), `~{"$right":1}`],
      [Either.left(1), `~{"$left":1}`],
      [Duration.seconds(1), `~{"$duration":"1000000000"}`],
      [Duration.infinity, `~{"$duration":"Infinity"}`],
      [Chunk.make(1, 2), `~{"$chunk":[1,2]}`],
      [HashMap.make(["b", 1], ["a", 2]), `~{"$hashmap":[["a",2],["b",1]]}`],
      [HashSet.make("b", "a"), `~{"$hashset":["a","b"]}`],
      [Data.struct({ a: 1 }), `~{"a":1}`],
      [Data.tuple("a", 1), `~["a",1]`],
      [
        new User({ id: "1", since: new Date(0) }),
        `~{"$class":["test/User",{"id":"1","since":"1970-01-01T00:00:00.000Z"}]}`
      ]
    ]
    for (const [value, key] of expected) {
      it(key, () => {
        assert.strictEqual(CacheKey.unsafeEncode(value), key)
        assert.deepStrictEqual(CacheKey.encode(value), Either.right(key))
        assert.strictEqual(textOf(value), key)
      })
    }

    it("a digest is the SHA-256 of the text, so it is the same in every process", () => {
      const value = { long: "x".repeat(300) }
      const digest = createHash("sha256")
        .update(`~{"long":"${"x".repeat(300)}"}`, "utf8")
        .digest("base64url")
      assert.strictEqual(CacheKey.unsafeEncode(value), `~#${digest}`)
      assert.strictEqual(CacheKey.unsafeEncode("x".repeat(201)), "~#gagBeVqH4l7JGWyU1Rl0GflTMEkiBK_gjRKJOfYcCI8")
    })
  })

  describe("laws", () => {
    it("distinct values have distinct keys and equal values have equal keys", () => {
      fc.assert(
        fc.property(fc.oneof(nearby, fc.tuple(specs, specs), fc.tuple(confusable, confusable)), ([a, b]) => {
          assert.strictEqual(CacheKey.unsafeEncode(build(a)) === CacheKey.unsafeEncode(build(b)), same(a, b))
        }),
        { numRuns: 5000 }
      )
    })

    it("the order of properties, Map entries and Set members does not matter", () => {
      fc.assert(
        fc.property(specs, (spec) => {
          assert.strictEqual(CacheKey.unsafeEncode(build(spec)), CacheKey.unsafeEncode(build(spec, true)))
        }),
        { numRuns: 2000 }
      )
    })

    it("text is decoded to a value with the same text", () => {
      fc.assert(
        fc.property(specs, (spec) => {
          const text = textOf(build(spec))
          const decoded = CacheKey.decode(text)
          assert.isTrue(Option.isSome(decoded), text)
          assert.strictEqual(textOf(Option.getOrThrow(decoded)), text)
        }),
        { numRuns: 3000 }
      )
    })

    it("every key is a short, well-formed string without control characters (T17)", () => {
      fc.assert(
        fc.property(
          fc.oneof(
            specs.map((spec) => build(spec)),
            hostileStrings,
            fc.anything()
          ),
          (value) => {
            const key = CacheKey.encode(value)
            assert.isTrue(Either.isLeft(key) ? key.left instanceof CacheError.KeyError : isKey(key.right))
          }
        ),
        { numRuns: 3000 }
      )
    })

    it("texts and digests never meet", () => {
      fc.assert(
        fc.property(
          fc.array(fc.oneof(hostileStrings, fc.string({ minLength: 150, maxLength: 400 })), { maxLength: 8 }),
          (values) => {
            const texts = new Set(values)
            const keys = new Set(values.map((value) => CacheKey.unsafeEncode(value)))
            // the keys of keys, too
            const again = new Set([...keys].map((key) => CacheKey.unsafeEncode(key)))
            assert.deepStrictEqual([keys.size, again.size], [texts.size, texts.size])
          }
        )
      )
    })

    it("a string is its own key, or its JSON after the mark, or a digest", () => {
      fc.assert(
        fc.property(hostileStrings, (text) => {
          const key = CacheKey.unsafeEncode(text)
          const plain = isKey(text) && !text.startsWith("~")
          assert.isTrue(plain ? key === text : key.startsWith(`~"`) || CacheKey.isDigest(key))
        }),
        { numRuns: 2000 }
      )
    })

    it("the two ways to the text of a number agree", () => {
      fc.assert(
        fc.property(fc.double(), (n) => {
          assert.strictEqual(CacheKey.unsafeEncode(n), textOf(n))
          assert.strictEqual(textOf([n]), `~[${textOf(n).slice(1)}]`)
        })
      )
    })

    it('"1", 1, true, null, undefined, -0, 0 and 1n are different keys (T8)', () => {
      const values = [
        "1",
        1,
        true,
        "true",
        null,
        "null",
        undefined,
        "undefined",
        -0,
        0,
        1n,
        "",
        [],
        {},
        [[]],
        [{}],
        NaN
      ]
      assert.strictEqual(new Set(values.map((value) => CacheKey.unsafeEncode(value))).size, values.length)
    })

    it("kinds that hold the same are different keys", () => {
      const values = [
        [1],
        new Set([1]),
        Chunk.make(1),
        HashSet.make(1),
        Option.some(1),
        Either.left(1),
        Either.right(1),
        new Uint8Array([1]),
        new Int8Array([1]),
        new Uint8ClampedArray([1]),
        new Uint8Array([1]).buffer,
        new Map([[1, 1]]),
        HashMap.make([1, 1]),
        { 1: 1 },
        [[1, 1]],
        { $set: [1] },
        { $$set: [1] },
        `~[1]`,
        `{"$set":[1]}`
      ]
      assert.strictEqual(new Set(values.map((value) => CacheKey.unsafeEncode(value))).size, values.length)
    })

    it("equal list arguments meet, others do not (T6)", () => {
      const key = (args: ReadonlyArray<unknown>) => Either.getOrThrow(CacheKey.encodeArguments(args))
      assert.strictEqual(key([[1, 2, 3]]), key([[1, 2, 3]]))
      assert.notStrictEqual(key([[1, 2, 3]]), key([[1, 2, 4]]))
    })
  })

  describe("arguments", () => {
    const key = (...args: ReadonlyArray<unknown>) => Either.getOrThrow(CacheKey.encodeArguments(args))

    it("fixed texts", () => {
      assert.deepStrictEqual(
        [
          key(),
          key(undefined),
          key("a"),
          key("a", undefined),
          key(1),
          key("a", "b"),
          key(["a", "b"]),
          key(undefined, 1)
        ],
        [
          `~{"$args":[]}`,
          `~{"$args":[]}`,
          "a",
          "a",
          "~1",
          `~{"$args":["a","b"]}`,
          `~["a","b"]`,
          `~{"$args":[{"$undefined":true},1]}`
        ]
      )
      assert.notStrictEqual(key({ $args: ["a", "b"] }), key("a", "b"))
      assert.notStrictEqual(key([]), key())
    })

    it("lists meet exactly when they are equal but for undefined at the end", () => {
      const list = fc.array(fc.oneof(specs, fc.constant(atom("undefined", undefined))), { maxLength: 4 })
      const trim = (items: ReadonlyArray<Spec>): ReadonlyArray<Spec> => {
        const last = items.at(-1)
        return last?.t === "atom" && last.of === "undefined" ? trim(items.slice(0, -1)) : items
      }
      const pairs = fc.oneof(
        fc.tuple(list, list),
        list.map((items) => [items, [...items, atom("undefined", undefined)]] as const),
        list.map((items) => [items, [{ t: "list", items } satisfies Spec]] as const),
        nearby.map(
          ([a, b]) =>
            [
              [a, b],
              [b, a]
            ] as const
        )
      )
      fc.assert(
        fc.property(pairs, ([a, b]) => {
          const equal = key(...a.map((spec) => build(spec))) === key(...b.map((spec) => build(spec)))
          assert.strictEqual(equal, same({ t: "list", items: trim(a) }, { t: "list", items: trim(b) }))
        }),
        { numRuns: 3000 }
      )
    })

    it("round trip, and the codec's text of long lists", () => {
      const { decode, textOf, unsafeEncode } = CacheKey.forArguments
      fc.assert(
        fc.property(fc.array(specs, { maxLength: 4 }), (items) => {
          const args = items.map((spec) => build(spec))
          const encoded = unsafeEncode(args)
          const whole = textOf(args)
          assert.strictEqual(whole !== undefined, CacheKey.isDigest(encoded))
          assert.strictEqual(unsafeEncode(Option.getOrThrow(decode(whole ?? encoded))), encoded)
        }),
        { numRuns: 1000 }
      )
      assert.deepStrictEqual(decode(`~{"$args":["a",{"$bigint":"1"}]}`), Option.some(["a", 1n]))
      assert.deepStrictEqual(decode("a"), Option.some(["a"]))
      for (const bad of [`~{"$args":1}`, `~{"$args":[],"a":1}`, `~{"$args":[{"$x":1}]}`, `~{"$args":`, `~#`]) {
        assert.deepStrictEqual(decode(bad), Option.none(), bad)
      }
    })

    it("the path starts at the argument", () => {
      const path = (args: ReadonlyArray<unknown>) =>
        Either.getLeft(CacheKey.encodeArguments(args)).pipe(Option.map((error) => error.path))
      assert.deepStrictEqual(path(["a", { b: Symbol("c") }]), Option.some("arguments[1].b"))
      assert.deepStrictEqual(path([{ b: () => 1 }]), Option.some("arguments[0].b"))
    })
  })

  describe("refusals", () => {
    class Plain {
      readonly id = 1
    }
    class Admin extends User {}
    class Stack extends Array<number> {}
    const cyclic: Record<string, unknown> = { a: { b: [1] } }
    cyclic["c"] = [cyclic]
    const revoked = Proxy.revocable({}, {})
    revoked.revoke()
    const detached = new Uint8Array(4)
    structuredClone(detached.buffer, { transfer: [detached.buffer] })
    const cases: ReadonlyArray<readonly [name: string, value: unknown, path: string, reason: RegExp]> = [
      ["function", { user: { friends: [1, 2, 3, () => 1] } }, "key.user.friends[3]", /function/],
      ["symbol", Symbol("a"), "key", /symbol/],
      ["Promise", [Promise.resolve(1)], "key[0]", /Promise/],
      ["Effect", { "odd name": Effect.succeed(1) }, `key["odd name"]`, /Effect/],
      ["WeakMap", new Map([["a", new WeakMap()]]), "key.values()[0]", /WeakMap/],
      ["Map key", new Map([[() => 1, 1]]), "key.keys()[0]", /function/],
      ["Set member", new Set([1, Symbol("a")]), "key.values()[1]", /symbol/],
      ["in an Option", Option.some(() => 1), "key.value", /function/],
      ["in an Either", Either.left(() => 1), "key.left", /function/],
      ["in a Chunk", Chunk.make(1, () => 1), "key[1]", /function/],
      ["class", { a: new Plain() }, "key.a", /instance of Plain/],
      ["subclass of a Schema class", new Admin({ id: "1", since: new Date(0) }), "key", /instance of Admin/],
      ["subclass of Array", new Stack(3), "key", /instance of Stack/],
      ["Error", new Error("no"), "key", /instance of Error/],
      ["boxed", Object(1), "key", /instance of Number/],
      ["Redacted", Redacted.make("secret"), "key", /prototype/],
      ["DateTime", DateTime.unsafeMake(0), "key", /prototype/],
      ["prototype of its own", Object.create({ a: 1 }), "key", /prototype/],
      ["SharedArrayBuffer", new SharedArrayBuffer(1), "key", /SharedArrayBuffer/],
      ["detached bytes", detached, "key", /threw|detached/],
      ["fake Date", Object.create(Date.prototype), "key", /threw/],
      ["symbol property", { a: { [Symbol("b")]: 1 } }, "key.a", /symbol/],
      ["Math", Math, "key", /Math/],
      [
        "arguments",
        (function () {
          return arguments
        })(),
        "key",
        /Arguments/
      ],
      ["list with properties", ["ab".match(/a/)], "key[0]", /besides/],
      ["cycle", cyclic, "key.c[0]", /cycle/],
      [
        "throwing getter",
        {
          get a(): never {
            throw new Error("secret")
          }
        },
        "key",
        /threw/
      ],
      ["revoked Proxy", revoked.proxy, "key", /threw/],
      ["Schema class refusing", Object.assign(new User({ id: "1", since: new Date(0) }), { id: 1 }), "key", /refused/]
    ]
    for (const [name, value, path, reason] of cases) {
      it(name, () => {
        // an emptied buffer is only an empty one to readers of its length
        if (name === "detached bytes" && Either.isRight(CacheKey.encode(value))) {
          return assert.fail("a detached buffer has lost its bytes")
        }
        const error = errorOf(value)
        assert.strictEqual(error.path, path)
        assert.match(error.reason, reason)
        assert.notInclude(error.message, "secret")
        assert.throws(() => CacheKey.unsafeEncode(value), CacheError.KeyError)
        assert.throws(() => CacheKey.any.textOf(value), CacheError.KeyError)
        assert.isTrue(Either.isLeft(CacheKey.text(value)))
      })
    }

    it("a value that appears twice is no cycle", () => {
      const shared = { a: 1 }
      assert.strictEqual(CacheKey.unsafeEncode([shared, shared]), `~[{"a":1},{"a":1}]`)
    })

    for (const levels of [400, 10_000, 200_000]) {
      it(`${levels} levels deep: the right key or a KeyError`, () => {
        const wraps: ReadonlyArray<(value: unknown) => unknown> = [
          (value) => [value],
          (value) => ({ value }),
          (value) => new Map([[value, 1]]),
          (value) => new Set([value]),
          (value) => Option.some(value)
        ]
        for (const wrap of wraps) {
          let value: unknown = 1
          for (let index = 0; index < levels; index++) {
            value = wrap(value)
          }
          const key = CacheKey.encode(value)
          assert.strictEqual(Either.isRight(key), levels === 400)
          if (Either.isLeft(key)) {
            assert.match(key.left.reason, /deeper than 500/)
            assert.isBelow(key.left.path.length, 201)
          } else {
            assert.strictEqual(textOf(Option.getOrThrow(CacheKey.decode(textOf(value)))), textOf(value))
          }
        }
      })
    }

    it("with hardly any stack left: the right key or a KeyError", () => {
      let value: unknown = 1
      for (let index = 0; index < 300; index++) {
        value = [value]
      }
      const seen: Array<Either.Either<string, CacheError.KeyError>> = []
      const dive = (): void => {
        try {
          dive()
        } finally {
          // on the way up: from no room at all to plenty
          if (seen.length < 3000) {
            try {
              seen.push(CacheKey.encode(value))
            } catch (error) {
              // no room even to make the KeyError
              assert.instanceOf(error, RangeError)
            }
          }
        }
      }
      try {
        dive()
      } catch (error) {
        assert.instanceOf(error, RangeError)
      }
      const right = CacheKey.unsafeEncode(value)
      assert.isAbove(seen.length, 0)
      assert.isTrue(seen.every((key) => Either.isLeft(key) || key.right === right))
    })

    it("shared references cannot make the text explode", () => {
      let value: unknown = ["0123456789"]
      for (let index = 0; index < 60; index++) {
        value = [value, value]
      }
      assert.match(errorOf(value).reason, /larger than/)
    })

    it("a sparse list of any length ends", () => {
      assert.match(errorOf(new Array(2 ** 32 - 1)).reason, /larger than/)
      assert.strictEqual(CacheKey.unsafeEncode([, 1]), CacheKey.unsafeEncode([undefined, 1]))
    })
  })

  describe("kinds", () => {
    it("plain data of another realm", () => {
      assert.strictEqual(
        CacheKey.unsafeEncode(runInNewContext(`({ b: [1, { c: new Uint8Array([1]) }], a: "x" })`)),
        `~{"a":"x","b":[1,{"c":{"$Uint8Array":"AQ"}}]}`
      )
    })

    it("a Data struct whose hash was taken is still its properties", () => {
      const value = Data.struct({ a: 1 })
      HashSet.make(value)
      class Point extends Data.Class<{ readonly x: number }> {}
      assert.strictEqual(CacheKey.unsafeEncode(value), `~{"a":1}`)
      assert.strictEqual(CacheKey.unsafeEncode(new Point({ x: 1 })), `~{"x":1}`)
    })

    it("equal durations meet, however they were made", () => {
      assert.strictEqual(CacheKey.unsafeEncode(Duration.nanos(1_000_000n)), CacheKey.unsafeEncode(Duration.millis(1)))
      assert.notStrictEqual(CacheKey.unsafeEncode(Duration.nanos(1n)), CacheKey.unsafeEncode(Duration.zero))
    })

    it("a Map with two equal keys does not show their order", () => {
      const key = (...values: ReadonlyArray<number>) =>
        CacheKey.unsafeEncode(new Map(values.map((value) => [[1], value] as const)))
      assert.strictEqual(key(1, 2), key(2, 1))
      assert.notStrictEqual(key(1, 2), key(1, 1))
    })

    it("a slice of a buffer is its own bytes only", () => {
      const all = new Uint8Array([9, 1, 2, 9])
      assert.strictEqual(CacheKey.unsafeEncode(all.subarray(1, 3)), CacheKey.unsafeEncode(new Uint8Array([1, 2])))
    })

    it("Schema classes: by identifier and encoded fields, wherever they stand", () => {
      class Other extends Schema.Class<Other>("test/Other")(User.fields) {}
      class More extends User.extend<More>("test/More")({}) {}
      const fields = { id: "1", since: new Date(5) }
      const values = [new User(fields), new Other(fields), new More(fields), fields]
      assert.strictEqual(new Set(values.map((value) => CacheKey.unsafeEncode(value))).size, 4)
      assert.strictEqual(CacheKey.unsafeEncode([new User(fields)]), CacheKey.unsafeEncode([new User({ ...fields })]))
      assert.deepStrictEqual(
        CacheKey.decode(CacheKey.unsafeEncode(new User(fields))),
        Option.some({ id: "1", since: "1970-01-01T00:00:00.005Z" })
      )
    })

    it("a Schema class that holds a Set meets its equal", () => {
      class Team extends Schema.Class<Team>("test/Team")({ members: Schema.ReadonlySet(Schema.String) }) {}
      const key = (...members: ReadonlyArray<string>) => CacheKey.unsafeEncode(new Team({ members: new Set(members) }))
      assert.strictEqual(key("a", "b"), key("b", "a"))
      assert.notStrictEqual(key("a", "b"), key("b", "c"))
    })
  })

  describe("long keys", () => {
    it("200 characters stay, 201 become a digest", () => {
      assert.strictEqual(CacheKey.unsafeEncode("x".repeat(200)), "x".repeat(200))
      assert.isTrue(CacheKey.isDigest(CacheKey.unsafeEncode("x".repeat(201))))
      const list = (length: number) => CacheKey.unsafeEncode(["x".repeat(length)])
      assert.strictEqual(list(195).length, 200)
      assert.isFalse(CacheKey.isDigest(list(195)))
      assert.isTrue(CacheKey.isDigest(list(196)))
    })

    it("a string that looks like a digest is no digest", () => {
      const digest = CacheKey.unsafeEncode("x".repeat(201))
      assert.strictEqual(CacheKey.unsafeEncode(digest), `~"${digest}"`)
      assert.isFalse(CacheKey.isDigest(CacheKey.unsafeEncode(digest)))
      assert.deepStrictEqual(CacheKey.decode(digest), Option.none())
      assert.isFalse(CacheKey.isDigest("~#"))
    })

    it("textOf gives the text of digests only", () => {
      const long = ["é".repeat(300)]
      assert.strictEqual(CacheKey.any.textOf("short"), undefined)
      assert.strictEqual(CacheKey.any.textOf({ a: 1 }), undefined)
      assert.strictEqual(CacheKey.any.textOf(long), `~["${"é".repeat(300)}"]`)
      assert.deepStrictEqual(CacheKey.any.decode(CacheKey.any.textOf(long)!), Option.some(long))
    })

    it("keys of 1 MB that differ in one character are two keys", () => {
      const text = "x".repeat(1 << 20)
      const values = [text, `${text}y`, { a: text }, [text, 1], Uint8Array.from({ length: 1 << 20 }, (_, i) => i)]
      const keys = values.map((value) => CacheKey.unsafeEncode(value))
      assert.strictEqual(new Set(keys).size, values.length)
      assert.isTrue(keys.every(CacheKey.isDigest))
      assert.deepStrictEqual(CacheKey.decode(textOf(values[2])), Option.some(values[2]))
    })
  })

  describe("hostile names", () => {
    it("__proto__ and constructor are properties like any other, and touch no prototype", () => {
      const value = JSON.parse(`{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":2}},"$x":3}`)
      const text = textOf(value)
      const decoded = Option.getOrThrow(CacheKey.decode(text)) as Record<string, unknown>
      assert.deepStrictEqual(Object.keys(decoded).sort(), ["$x", "__proto__", "constructor"])
      assert.strictEqual(Object.getPrototypeOf(decoded), Object.prototype)
      assert.isUndefined(({} as Record<string, unknown>)["polluted"])
      assert.strictEqual(textOf(decoded), text)
      assert.notStrictEqual(text, textOf({}))
    })

    it("decode never throws", () => {
      const bad = [
        "",
        "~",
        "~{",
        "~#",
        "a\0",
        "\ud800",
        "x".repeat(201),
        `~{"$x":1}`,
        `~{"$":1}`,
        `~{"$undefined":1}`,
        `~{"$map":1}`,
        `~{"$map":[1]}`,
        `~{"$map":[[1]]}`,
        `~{"$set":{}}`,
        `~{"$bigint":"0x1"}`,
        `~{"$bigint":""}`,
        `~{"$bigint":1}`,
        `~{"$number":1}`,
        `~{"$date":"x"}`,
        `~{"$date":1e99}`,
        `~{"$date":0.5}`,
        `~{"$url":"x"}`,
        `~{"$regexp":["(",""]}`,
        `~{"$regexp":["a","gg"]}`,
        `~{"$Uint8Array":"*"}`,
        `~{"$Int16Array":"AQ"}`,
        `~{"$duration":"x"}`,
        `~{"$class":["a"]}`,
        `~{"$class":[1,2]}`,
        `~{"$constructor":1}`,
        `~{"$__proto__":1}`,
        `~{"$args":[]}`,
        `~{"a":1,"$map":[]}`,
        `~{"$map":[],"$set":[]}`,
        `~${"[".repeat(100_000)}${"]".repeat(100_000)}`
      ]
      for (const text of bad) {
        assert.deepStrictEqual(CacheKey.decode(text), Option.none(), text.slice(0, 50))
      }
      fc.assert(
        fc.property(
          fc.oneof(
            hostileStrings,
            fc.json().map((json) => `~${json}`)
          ),
          (text) => {
            assert.isTrue(Option.isOption(CacheKey.decode(text)))
          }
        ),
        { numRuns: 1000 }
      )
    })
  })

  describe("forSchema", () => {
    const Query = Schema.Struct({ a: Schema.Number, b: Schema.optionalWith(Schema.Number, { default: () => 1 }) })

    it("a field that is absent meets its default (T7)", () => {
      const { decode, unsafeEncode } = CacheKey.forSchema(Query)
      const short = unsafeEncode({ a: 5 } as never)
      assert.strictEqual(short, unsafeEncode({ a: 5, b: 1 }))
      assert.strictEqual(short, `~{"a":5,"b":1}`)
      assert.notStrictEqual(short, unsafeEncode({ a: 5, b: 2 }))
      assert.deepStrictEqual(decode(short), Option.some({ a: 5, b: 1 }))
    })

    it("what the Schema does not know does not count, nor does the order", () => {
      const { unsafeEncode } = CacheKey.forSchema(Query)
      assert.strictEqual(unsafeEncode({ b: 2, a: 1, extra: 3 } as never), unsafeEncode({ a: 1, b: 2 }))
    })

    it("optional fields normalise", () => {
      const { unsafeEncode } = CacheKey.forSchema(Schema.Struct({ a: Schema.optional(Schema.String) }))
      assert.strictEqual(unsafeEncode({}), unsafeEncode({ a: undefined }))
    })

    it("text and numbers skip the Schema", () => {
      let checked = 0
      const Checked = Schema.String.pipe(
        Schema.filter(() => ++checked > 0),
        Schema.brand("Checked")
      )
      const direct = CacheKey.forSchema(Schema.Union(Checked, Schema.Int, Schema.Literal("x", 7)))
      assert.strictEqual(direct.unsafeEncode("abc" as never), "abc")
      assert.strictEqual(direct.unsafeEncode(7), "~7")
      assert.strictEqual(direct.textOf("x".repeat(201) as never), `~"${"x".repeat(201)}"`)
      assert.strictEqual(checked, 0)
      assert.deepStrictEqual(direct.decode("~7"), Option.some(7 as const))
      assert.deepStrictEqual(direct.decode("~1.5"), Option.none())
      assert.throws(() => direct.unsafeEncode(true as never), CacheError.KeyError)
    })

    it("encoded sides", () => {
      const since = CacheKey.forSchema(Schema.Date)
      assert.strictEqual(since.unsafeEncode(new Date(0)), "1970-01-01T00:00:00.000Z")
      assert.deepStrictEqual(since.decode("1970-01-01T00:00:00.000Z"), Option.some(new Date(0)))
      const count = CacheKey.forSchema(Schema.NumberFromString)
      assert.strictEqual(count.unsafeEncode(12), "12")
      assert.deepStrictEqual(count.decode("12"), Option.some(12))
      const user = CacheKey.forSchema(User)
      const decoded = Option.getOrThrow(user.decode(user.unsafeEncode(new User({ id: "1", since: new Date(0) }))))
      assert.instanceOf(decoded, User)
      assert.strictEqual(decoded.label, "1!")
      const big = CacheKey.forSchema(Schema.Tuple(Schema.BigIntFromSelf, Schema.DateTimeUtc))
      assert.strictEqual(
        big.unsafeEncode([1n, DateTime.unsafeMake(0)]),
        `~[{"$bigint":"1"},"1970-01-01T00:00:00.000Z"]`
      )
    })

    it("a key that the Schema refuses is a KeyError with the path and without the value", () => {
      const codec = CacheKey.forSchema(Schema.Struct({ user: Schema.Struct({ ages: Schema.Array(Schema.Int) }) }))
      for (const [key, path] of [
        [{ user: { ages: [1, 1.5] } }, "key.user.ages[1]"],
        [{ user: {} }, "key.user.ages"],
        ["secret", "key"]
      ] as const) {
        try {
          codec.unsafeEncode(key as never)
          assert.fail("was encoded")
        } catch (error) {
          assert.instanceOf(error, CacheError.KeyError)
          assert.strictEqual(error.path, path)
          assert.notInclude(error.message, "secret")
        }
      }
      assert.throws(() => CacheKey.forSchema(Schema.NumberFromString).unsafeEncode("1" as never), CacheError.KeyError)
    })

    it("a Schema that throws or is asynchronous gives a KeyError", () => {
      const throwing = Schema.transform(Schema.String, Schema.String, {
        decode: (): string => {
          throw new Error("no")
        },
        encode: (): string => {
          throw new Error("no")
        }
      })
      const later = Schema.transformOrFail(Schema.String, Schema.String, {
        decode: (text) => Effect.delay(Effect.succeed(text), 1),
        encode: (text) => Effect.delay(Effect.succeed(text), 1)
      })
      for (const codec of [CacheKey.forSchema(throwing), CacheKey.forSchema(later)]) {
        assert.throws(() => codec.unsafeEncode("a"), CacheError.KeyError)
        assert.deepStrictEqual(codec.decode("a"), Option.none())
      }
      assert.throws(() => CacheKey.forSchema(Schema.Unknown).unsafeEncode(() => 1), CacheError.KeyError)
    })

    it("Maps, Sets and parseJson do not show their order, and come back", () => {
      class Team extends Schema.Class<Team>("test/Team2")({ members: Schema.HashSet(Schema.String) }) {}
      const Keys = Schema.Struct({
        map: Schema.Map({ key: Schema.String, value: Schema.Date }),
        set: Schema.ReadonlySet(Schema.Number),
        json: Schema.parseJson(Schema.Record({ key: Schema.String, value: Schema.Number })),
        team: Schema.optional(Team)
      })
      const { decode, textOf, unsafeEncode } = CacheKey.forSchema(Keys)
      const one = {
        map: new Map([
          ["a", new Date(1)],
          ["b", new Date(2)]
        ]),
        set: new Set([1, 2]),
        json: { a: 1, b: 2 },
        team: new Team({ members: HashSet.make("x", "y") })
      }
      const other = {
        map: new Map([
          ["b", new Date(2)],
          ["a", new Date(1)]
        ]),
        set: new Set([2, 1]),
        json: { b: 2, a: 1 },
        team: new Team({ members: HashSet.make("y", "x") })
      }
      assert.strictEqual(unsafeEncode(one), unsafeEncode(other))
      assert.notStrictEqual(unsafeEncode(one), unsafeEncode({ ...other, set: new Set([1]) }))
      const decoded = Option.getOrThrow(decode(textOf(one) ?? unsafeEncode(one)))
      assert.instanceOf(decoded.team, Team)
      assert.strictEqual(unsafeEncode(decoded), unsafeEncode(one))
      assert.throws(() => unsafeEncode({ ...one, set: new Set(["1"]) } as never), CacheError.KeyError)
    })

    it("a recursive Schema", () => {
      interface Tree {
        readonly value: number
        readonly children: ReadonlyArray<Tree>
      }
      const Tree: Schema.Schema<Tree> = Schema.Struct({
        value: Schema.Number,
        children: Schema.Array(Schema.suspend(() => Tree))
      })
      const { decode, unsafeEncode } = CacheKey.forSchema(Tree)
      const tree = { value: 1, children: [{ value: 2, children: [] }] }
      assert.deepStrictEqual(decode(unsafeEncode(tree)), Option.some(tree))
      let deep: Tree = tree
      for (let index = 0; index < 100_000; index++) {
        deep = { value: index, children: [deep] }
      }
      assert.throws(() => unsafeEncode(deep), CacheError.KeyError)
    })
  })
})
