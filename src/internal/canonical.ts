/**
 * Values into canonical JSON text: one value, one text; one text, one value.
 *
 * Invariants:
 * - what JSON cannot say is an object with one key that starts with one `$` (a tag), and the own keys of plain objects
 *   that start with `$` get a second one, so a tag is never mistaken for data;
 * - the order of properties, Map entries and Set members never shows: they are sorted by their text, by code units;
 * - a value of which anything would be lost is refused with the path to it.
 */
import * as Chunk from "effect/Chunk"
import * as Duration from "effect/Duration"
import * as Either from "effect/Either"
import * as Encoding from "effect/Encoding"
import * as HashMap from "effect/HashMap"
import * as HashSet from "effect/HashSet"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as CacheError from "../CacheError.js"
import { describe, isData, isListPrototype, isObjectPrototype, schemaClassOf, showStep, viewKind } from "./kinds.js"
import type { SchemaClass, Step } from "./kinds.js"
import { quote } from "./keyText.js"
import { isOrderless } from "./schemaAst.js"

/** Deeper values are refused: low enough that no usual stack overflows, and the text does not depend on the stack. */
export const maxDepth = 500

/** Longer texts are refused, in characters: shared references can make a small value's text exponentially long. */
const maxText = 1 << 23

type Rule = (writer: Writer, value: never, depth: number) => string

const tagged = (tag: string, payload: string): string => `{"$${tag}":${payload}}`

const rule = <A>(write: (writer: Writer, value: A, depth: number) => string): Rule =>
  // a rule is only looked up for values that were found to be of its type
  write as Rule

/** What belongs to JavaScript, by prototype. */
const builtins: ReadonlyMap<unknown, Rule> = new Map<unknown, Rule>([
  [
    Date.prototype,
    rule<Date>((_, value) => {
      const time = value.getTime()
      return tagged("date", Number.isNaN(time) ? "null" : String(time))
    })
  ],
  [Map.prototype, rule<Map<unknown, unknown>>((writer, value, depth) => writer.entries("map", value, depth))],
  [Set.prototype, rule<Set<unknown>>((writer, value, depth) => writer.members("set", value, depth))],
  [URL.prototype, rule<URL>((_, value) => tagged("url", quote(value.href)))],
  [RegExp.prototype, rule<RegExp>((_, value) => tagged("regexp", `[${quote(value.source)},${quote(value.flags)}]`))],
  [
    ArrayBuffer.prototype,
    rule<ArrayBuffer>((_, value) => tagged("ArrayBuffer", quote(Encoding.encodeBase64Url(new Uint8Array(value)))))
  ]
])

/** What belongs to Effect, by predicate. */
const effects: ReadonlyArray<readonly [is: (value: unknown) => boolean, rule: Rule]> = [
  [
    Option.isOption,
    rule<Option.Option<unknown>>((writer, value, depth) =>
      value._tag === "None" ? tagged("none", "true") : tagged("some", writer.child("value", value.value, depth))
    )
  ],
  [
    Either.isEither,
    rule<Either.Either<unknown, unknown>>((writer, value, depth) =>
      value._tag === "Left"
        ? tagged("left", writer.child("left", value.left, depth))
        : tagged("right", writer.child("right", value.right, depth))
    )
  ],
  [
    Duration.isDuration,
    rule<Duration.Duration>((_, value) => {
      const nanos = Duration.toNanos(value)
      return tagged("duration", nanos._tag === "None" ? `"Infinity"` : `"${nanos.value}"`)
    })
  ],
  [
    Chunk.isChunk,
    rule<Chunk.Chunk<unknown>>((writer, value, depth) =>
      tagged("chunk", writer.items(Chunk.toReadonlyArray(value), depth))
    )
  ],
  [
    HashMap.isHashMap,
    rule<HashMap.HashMap<unknown, unknown>>((writer, value, depth) => writer.entries("hashmap", value, depth))
  ],
  [HashSet.isHashSet, rule<HashSet.HashSet<unknown>>((writer, value, depth) => writer.members("hashset", value, depth))]
]

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

const isSorted = (keys: ReadonlyArray<string>): boolean => {
  for (let index = 1; index < keys.length; index++) {
    if (keys[index - 1]! > keys[index]!) {
      return false
    }
  }
  return true
}

export class Writer {
  private readonly root: string
  // both are indexed by depth; what lies at or below the present depth is left over and means nothing
  private readonly ancestors: Array<object> = []
  private readonly steps: Array<Step> = []

  constructor(root: string) {
    this.root = root
  }

  refuse(depth: number, reason: string): never {
    let path = this.root
    for (let index = 0; index < depth && path.length <= 200; index++) {
      path += showStep(this.steps[index]!)
    }
    throw new CacheError.KeyError({ path: path.length > 200 ? `${path.slice(0, 197)}...` : path, reason })
  }

  write(value: unknown, depth: number): string {
    switch (typeof value) {
      case "string":
        return quote(value)
      case "number":
        return numberText(value)
      case "boolean":
        return value ? "true" : "false"
      case "undefined":
        return tagged("undefined", "true")
      case "bigint":
        return tagged("bigint", `"${value}"`)
      case "object":
        return value === null ? "null" : this.object(value, depth)
      default:
        return this.refuse(depth, `is a ${typeof value}`)
    }
  }

  child(step: Step, value: unknown, depth: number): string {
    this.steps[depth] = step
    return this.write(value, depth + 1)
  }

  private object(value: object, depth: number): string {
    this.enter(value, depth)
    const proto: object | null = Object.getPrototypeOf(value)
    if (proto === null || isObjectPrototype(proto)) {
      return this.record(value, depth)
    }
    if (Array.isArray(value) && isListPrototype(proto)) {
      return this.list(value, depth)
    }
    const known = builtins.get(proto)
    // a rule takes the very type it was looked up by
    return known === undefined ? this.instance(value, proto, depth) : known(this, value as never, depth)
  }

  private instance(value: object, proto: object, depth: number): string {
    if (ArrayBuffer.isView(value)) {
      const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
      return tagged(viewKind.call(value) ?? "DataView", quote(Encoding.encodeBase64Url(bytes)))
    }
    for (const [is, known] of effects) {
      if (is(value)) {
        return known(this, value as never, depth)
      }
    }
    const made = schemaClassOf(proto)
    if (made !== undefined) {
      return this.schemaClass(made, value, depth)
    }
    return isData(proto) ? this.record(value, depth) : this.refuse(depth, describe(value, proto))
  }

  private schemaClass(made: SchemaClass, value: object, depth: number): string {
    const name = quote(made.identifier)
    if (isOrderless(made.ast)) {
      return tagged("class", `[${name},${this.record(value, depth)}]`)
    }
    const encoded = Schema.encodeUnknownEither(made)(value)
    return encoded._tag === "Left"
      ? this.refuse(depth, "is refused by the Schema of its own class")
      : tagged("class", `[${name},${this.write(encoded.right, depth)}]`)
  }

  private enter(value: object, depth: number): void {
    if (depth >= maxDepth) {
      this.refuse(depth, `is nested deeper than ${maxDepth} levels`)
    }
    for (let index = 0; index < depth; index++) {
      if (this.ancestors[index] === value) {
        this.refuse(depth, "contains itself (a cycle)")
      }
    }
    this.ancestors[depth] = value
  }

  /** Symbol properties would be lost, and `arguments`, `Math` and modules only look like plain objects. */
  private refuseSymbols(value: object, depth: number): void {
    const symbols = Object.getOwnPropertySymbols(value)
    if (symbols.length === 0) {
      return
    }
    if (symbols.some((symbol) => Object.prototype.propertyIsEnumerable.call(value, symbol))) {
      this.refuse(depth, "has a property whose name is a symbol")
    }
    const kind = Object.prototype.toString.call(value)
    if (kind !== "[object Object]" && kind !== "[object Array]") {
      this.refuse(depth, `is ${kind}, which has no natural encoding`)
    }
  }

  private grown(text: string, depth: number): string {
    return text.length > maxText ? this.refuse(depth, `is larger than ${maxText} characters`) : text
  }

  private record(value: object, depth: number): string {
    this.refuseSymbols(value, depth)
    const keys = Object.keys(value)
    if (!isSorted(keys)) {
      keys.sort()
    }
    let text = ""
    for (const key of keys) {
      // its own property, whatever it is named
      const item = (value as Readonly<Record<string, unknown>>)[key]
      if (item !== undefined) {
        const name = quote(key.charCodeAt(0) === 0x24 ? `$${key}` : key)
        text = this.grown(`${text}${text === "" ? "" : ","}${name}:${this.child(key, item, depth)}`, depth)
      }
    }
    return `{${text}}`
  }

  private list(value: ReadonlyArray<unknown>, depth: number): string {
    this.refuseSymbols(value, depth)
    // indices come first among the keys, so the last one tells whether there is anything else
    const last = Object.keys(value).at(-1)
    if (last !== undefined && !(Number(last) < value.length)) {
      this.refuse(depth, "is a list with properties besides its elements")
    }
    return this.items(value, depth)
  }

  items(value: ReadonlyArray<unknown>, depth: number): string {
    let text = ""
    for (let index = 0; index < value.length; index++) {
      text = this.grown(`${text}${index === 0 ? "" : ","}${this.child(index, value[index], depth)}`, depth)
    }
    return `[${text}]`
  }

  members(tag: string, value: Iterable<unknown>, depth: number): string {
    const texts: Array<string> = []
    for (const item of value) {
      texts.push(this.child({ of: "values", index: texts.length }, item, depth))
    }
    return this.grown(tagged(tag, `[${texts.sort().join(",")}]`), depth)
  }

  entries(tag: string, value: Iterable<readonly [unknown, unknown]>, depth: number): string {
    const texts: Array<readonly [key: string, value: string]> = []
    for (const [key, item] of value) {
      const index = texts.length
      texts.push([this.child({ of: "keys", index }, key, depth), this.child({ of: "values", index }, item, depth)])
    }
    // two equal keys may stand in one Map (two lists, say), then their values decide
    texts.sort((a, b) => compare(a[0], b[0]) || compare(a[1], b[1]))
    return this.grown(tagged(tag, `[${texts.map(([key, item]) => `[${key},${item}]`).join(",")}]`), depth)
  }
}

export const numberText = (value: number): string =>
  Number.isFinite(value) && (value !== 0 || 1 / value > 0)
    ? String(value)
    : tagged("number", value === 0 ? `"-0"` : `"${value}"`)

const guarded = (root: string, write: (writer: Writer) => string): string => {
  try {
    return write(new Writer(root))
  } catch (cause) {
    // getters, proxies, detached buffers and Schemas may throw anything, and a caller may be deep in its stack already
    throw cause instanceof CacheError.KeyError
      ? cause
      : new CacheError.KeyError({
          path: root,
          reason: cause instanceof RangeError ? "is too large or nested too deeply" : "threw while it was read"
        })
  }
}

/**
 * The canonical text of a value, without the mark.
 *
 * @throws KeyError, and nothing else
 */
export const write = (value: unknown, root: string): string => guarded(root, (writer) => writer.write(value, 0))

/**
 * The canonical text of an argument list, without the mark. A tag of its own, which no value has.
 *
 * @throws KeyError, and nothing else
 */
export const writeArguments = (args: ReadonlyArray<unknown>): string =>
  guarded("arguments", (writer) => tagged("args", writer.items(args, 0)))
