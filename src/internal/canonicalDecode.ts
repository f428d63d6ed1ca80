/**
 * Canonical text back into values: the inverse of `canonical.ts`.
 *
 * The text may come from anywhere (a store, a command line), so nothing in it is trusted: tags are looked up in a Map,
 * properties are defined rather than assigned, and everything that no value could have been written as is refused.
 */
import * as Chunk from "effect/Chunk"
import * as Duration from "effect/Duration"
import * as Either from "effect/Either"
import * as Encoding from "effect/Encoding"
import * as HashMap from "effect/HashMap"
import * as HashSet from "effect/HashSet"
import * as Option from "effect/Option"
import { maxDepth } from "./canonical.js"

/** Refuses the text; caught in `read`, with whatever else malformed text makes the constructors throw. */
const malformed = (): never => {
  throw new SyntaxError("not a canonical text")
}

type Revive = (payload: unknown, depth: number) => unknown

const string = (value: unknown): string => (typeof value === "string" ? value : malformed())

const array = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : malformed())

const integer = (value: unknown): bigint => {
  const text = string(value)
  return /^-?\d+$/.test(text) ? BigInt(text) : malformed()
}

const bytes = (value: unknown): Uint8Array => Either.getOrElse(Encoding.decodeBase64Url(string(value)), malformed)

/** A buffer of their own, so that the bytes are aligned for every kind of view. */
const buffer = (value: unknown): ArrayBuffer => {
  const copy = new Uint8Array(bytes(value))
  return copy.buffer
}

const items = (value: unknown, depth: number): Array<unknown> => array(value).map((item) => revive(item, depth + 1))

const pair = (value: unknown): readonly [unknown, unknown] => {
  const list = array(value)
  return list.length === 2 ? [list[0], list[1]] : malformed()
}

const entries = (value: unknown, depth: number): Array<[unknown, unknown]> =>
  array(value).map((entry) => {
    const [key, item] = pair(entry)
    return [revive(key, depth + 1), revive(item, depth + 1)]
  })

const flag =
  <A>(value: A) =>
  (payload: unknown): A =>
    payload === true ? value : malformed()

const numbers: ReadonlyMap<unknown, number> = new Map([
  ["NaN", NaN],
  ["Infinity", Infinity],
  ["-Infinity", -Infinity],
  ["-0", -0]
])

const tags: ReadonlyMap<string, Revive> = new Map<string, Revive>([
  ["undefined", flag(undefined)],
  ["number", (payload) => numbers.get(payload) ?? malformed()],
  ["bigint", integer],
  [
    "date",
    (payload) => {
      const date = new Date(payload === null ? NaN : typeof payload === "number" ? payload : malformed())
      return payload === null || date.getTime() === payload ? date : malformed()
    }
  ],
  ["map", (payload, depth) => new Map(entries(payload, depth))],
  ["set", (payload, depth) => new Set(items(payload, depth))],
  ["url", (payload) => new URL(string(payload))],
  [
    "regexp",
    (payload) => {
      const [source, flags] = pair(payload)
      return new RegExp(string(source), string(flags))
    }
  ],
  ["none", flag(Option.none())],
  ["some", (payload, depth) => Option.some(revive(payload, depth + 1))],
  ["left", (payload, depth) => Either.left(revive(payload, depth + 1))],
  ["right", (payload, depth) => Either.right(revive(payload, depth + 1))],
  ["duration", (payload) => (payload === "Infinity" ? Duration.infinity : Duration.nanos(integer(payload)))],
  ["chunk", (payload, depth) => Chunk.unsafeFromArray(items(payload, depth))],
  ["hashmap", (payload, depth) => HashMap.fromIterable(entries(payload, depth))],
  ["hashset", (payload, depth) => HashSet.fromIterable(items(payload, depth))],
  // only its Schema can make an instance again; without it the encoded form is what can be told
  [
    "class",
    (payload, depth) => {
      const [name, encoded] = pair(payload)
      string(name)
      return revive(encoded, depth)
    }
  ],
  ["ArrayBuffer", buffer],
  ["DataView", (payload) => new DataView(buffer(payload))],
  ["Uint8Array", bytes],
  ["Uint8ClampedArray", (payload) => new Uint8ClampedArray(buffer(payload))],
  ["Int8Array", (payload) => new Int8Array(buffer(payload))],
  ["Uint16Array", (payload) => new Uint16Array(buffer(payload))],
  ["Int16Array", (payload) => new Int16Array(buffer(payload))],
  ["Uint32Array", (payload) => new Uint32Array(buffer(payload))],
  ["Int32Array", (payload) => new Int32Array(buffer(payload))],
  ["Float32Array", (payload) => new Float32Array(buffer(payload))],
  ["Float64Array", (payload) => new Float64Array(buffer(payload))],
  ["BigUint64Array", (payload) => new BigUint64Array(buffer(payload))],
  ["BigInt64Array", (payload) => new BigInt64Array(buffer(payload))]
])

const record = (value: object, keys: ReadonlyArray<string>, depth: number): object => {
  const out = {}
  for (const key of keys) {
    if (key.startsWith("$") && !key.startsWith("$$")) {
      malformed()
    }
    // the property of JSON.parse's own making; defined on the copy, because assigning `__proto__` would not make one
    const item: unknown = (value as Readonly<Record<string, unknown>>)[key]
    Object.defineProperty(out, key.startsWith("$") ? key.slice(1) : key, {
      value: revive(item, depth + 1),
      enumerable: true,
      writable: true,
      configurable: true
    })
  }
  return out
}

const revive = (value: unknown, depth: number): unknown => {
  if (typeof value !== "object" || value === null) {
    return value
  }
  if (depth > maxDepth) {
    return malformed()
  }
  if (Array.isArray(value)) {
    return items(value, depth)
  }
  const keys = Object.keys(value)
  const first = keys[0]
  if (keys.length === 1 && first !== undefined && first.startsWith("$") && !first.startsWith("$$")) {
    const tag = tags.get(first.slice(1)) ?? malformed()
    return tag((value as Readonly<Record<string, unknown>>)[first], depth)
  }
  return record(value, keys, depth)
}

const read = <A>(text: string, from: (json: unknown) => A): Option.Option<A> => {
  try {
    return Option.some(from(JSON.parse(text)))
  } catch {
    // malformed text, an impossible date, URL or pattern, a length that does not fit: all are "not written by us"
    return Option.none()
  }
}

/** The value of a canonical text (without the mark). Never throws. */
export const readValue = (text: string): Option.Option<unknown> => read(text, (json) => revive(json, 0))

/** How the text of an argument list starts, where it is not that of its only element. */
export const argumentsStart = `{"$args":`

/** The argument list of a canonical text that starts with `argumentsStart`. Never throws. */
export const readArguments = (text: string): Option.Option<ReadonlyArray<unknown>> =>
  read(text, (json) => {
    const keys = typeof json === "object" && json !== null ? Object.keys(json) : []
    return keys.length === 1 && keys[0] === "$args"
      ? // just looked at: it is an object with this very key
        items((json as { readonly $args: unknown }).$args, 0)
      : malformed()
  })
