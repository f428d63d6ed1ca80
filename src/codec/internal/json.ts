/**
 * Values that JSON has no words for, in JSON, reversibly.
 *
 * In tagged form such a value is an object with one key that starts with a single `$`:
 *
 *     undefined          {"$undefined":0}
 *     12n                {"$bigint":"12"}
 *     NaN, -0, Infinity  {"$number":"NaN"}, {"$number":"-0"}, {"$number":"Infinity"}
 *     Date               {"$date":0}, or {"$date":null} for an invalid one
 *     Uint8Array         {"$bytes":"base64"}
 *     Map, Set           {"$map":[[key,value],...]}, {"$set":[value,...]}
 *
 * and a key that starts with `$` in the value itself gets one `$` more. What cannot be told apart from something else
 * afterwards (functions, symbols, instances of classes, holes in arrays) is refused, never approximated.
 */
import * as Either from "effect/Either"
import * as Encoding from "effect/Encoding"

type Path = ReadonlyArray<PropertyKey>

/** Where something is that cannot be told in JSON, and what it is. */
export interface Refusal {
  readonly path: Path
  readonly what: string
}

const numbers: ReadonlyMap<unknown, number> = new Map([
  ["NaN", NaN],
  ["Infinity", Infinity],
  ["-Infinity", -Infinity],
  ["-0", -0]
])

/** A path as people write it: `users.0.name`, or `the value itself`. */
export const showPath = (path: Path): string => (path.length === 0 ? "the value itself" : path.map(String).join("."))

/** Plain objects, those of another realm included. */
export const isPlainObject = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) return true
  return (
    typeof prototype === "object" &&
    prototype !== null &&
    Object.getPrototypeOf(prototype) === null &&
    Object.hasOwn(prototype, "isPrototypeOf")
  )
}

const className = (value: object): string =>
  typeof value.constructor === "function" && value.constructor.name !== "" ? value.constructor.name : "an unnamed class"

const isPlainNumber = (value: number): boolean => Number.isFinite(value) && !Object.is(value, -0)

/**
 * Whether `JSON.parse(JSON.stringify(value))` is the value again. Extra properties of arrays and properties that are
 * not enumerable are not looked at.
 */
export const isPlain = (value: unknown): boolean => {
  if (typeof value === "string" || typeof value === "boolean" || value === null) return true
  if (typeof value === "number") return isPlainNumber(value)
  if (typeof value !== "object") return false
  if (Array.isArray(value)) {
    // by index, so that a hole is seen as undefined
    for (let i = 0; i < value.length; i++) if (!isPlain(value[i])) return false
    return true
  }
  if (!isPlainObject(value) || Object.getOwnPropertySymbols(value).length > 0) return false
  // an object, as the tests above say; for-in and an index are the fastest way through it, and it inherits nothing
  const properties = value as Readonly<Record<string, unknown>>
  for (const key in properties) if (!isPlain(properties[key])) return false
  return true
}

/**
 * Plain data of a value in tagged form; the first thing that has no form is reported. `native` says of what is not JSON
 * how it is written all the same, if it is.
 */
export const tag = (
  value: unknown,
  native: (value: unknown) => unknown = () => undefined
): Either.Either<unknown, Refusal> => {
  const path: Array<PropertyKey> = []
  let refusal: Refusal | undefined

  const refuse = (what: string): undefined => {
    refusal ??= { path: [...path], what }
  }
  const at = (key: PropertyKey, child: unknown): unknown => {
    path.push(key)
    const tagged = go(child)
    path.pop()
    return tagged
  }
  const object = (value: object): unknown => {
    if (!isPlainObject(value)) return refuse(`an instance of ${className(value)} has no form in JSON`)
    if (Object.getOwnPropertySymbols(value).length > 0)
      return refuse("an object with symbols as keys has no form in JSON")
    // without a prototype a key "__proto__" is a key like any other
    const out: Record<string, unknown> = Object.create(null)
    for (const key of Object.keys(value)) {
      out[key.startsWith("$") ? `$${key}` : key] = at(key, Reflect.get(value, key))
    }
    return out
  }
  const array = (value: ReadonlyArray<unknown>): unknown =>
    Array.from(value, (item, i) =>
      i in value ? at(i, item) : refuse(`an array with a hole at ${i} has no form in JSON`)
    )
  const builtin = (value: object): unknown => {
    switch (Object.getPrototypeOf(value)) {
      case Date.prototype: {
        const millis = Number(value)
        return { $date: Number.isNaN(millis) ? null : millis }
      }
      case Map.prototype:
        return { $map: Array.from(value as ReadonlyMap<unknown, unknown>, ([k, v], i) => [at(i, k), at(i, v)]) }
      case Set.prototype:
        return { $set: Array.from(value as ReadonlySet<unknown>, (item, i) => at(i, item)) }
      default:
        return value instanceof Uint8Array ? { $bytes: Encoding.encodeBase64(value) } : object(value)
    }
  }
  const go = (value: unknown): unknown => native(value) ?? ours(value)
  const ours = (value: unknown): unknown => {
    switch (typeof value) {
      case "undefined":
        return { $undefined: 0 }
      case "bigint":
        return { $bigint: String(value) }
      case "number":
        return isPlainNumber(value) ? value : { $number: Object.is(value, -0) ? "-0" : String(value) }
      case "function":
      case "symbol":
        return refuse(`a ${typeof value} has no form in JSON`)
      case "object":
        return value === null ? null : Array.isArray(value) ? array(value) : builtin(value)
      default:
        return value
    }
  }
  const tagged = go(value)
  return refusal === undefined ? Either.right(tagged) : Either.left(refusal)
}

/** Sets a key as data, `__proto__` too. */
const put = (target: object, key: string, value: unknown): void => {
  Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true })
}

/**
 * The value of a tagged form, as `JSON.parse` gave it. `native` reads what `tag`'s has written: a tag of one's own, or
 * what is no JSON.
 */
export const untag = (
  parsed: unknown,
  native: (name: string, content: unknown) => unknown = () => undefined
): Either.Either<unknown, Refusal> => {
  const path: Array<PropertyKey> = []
  let refusal: Refusal | undefined

  const refuse = (what: string): undefined => {
    refusal ??= { path: [...path], what }
  }
  const at = (key: PropertyKey, child: unknown): unknown => {
    path.push(key)
    const value = go(child)
    path.pop()
    return value
  }
  const list = (content: unknown): ReadonlyArray<unknown> =>
    Array.isArray(content) ? content.map((item, i) => at(i, item)) : (refuse("a list tag without a list") ?? [])
  const pair = (item: unknown): readonly [unknown, unknown] =>
    Array.isArray(item) && item.length === 2
      ? [item[0], item[1]]
      : (refuse("a map tag without pairs") ?? [undefined, undefined])
  const bytes = (content: unknown): unknown => {
    const decoded = typeof content === "string" ? Either.getOrUndefined(Encoding.decodeBase64(content)) : undefined
    return decoded ?? refuse("a malformed $bytes")
  }
  const bigint = (content: unknown): unknown =>
    typeof content === "string" && /^-?\d+$/.test(content) ? BigInt(content) : refuse("a malformed $bigint")
  const special = (name: string, content: unknown): unknown => {
    switch (name) {
      case "$undefined":
        return undefined
      case "$bigint":
        return bigint(content)
      case "$number":
        return numbers.get(content) ?? refuse("a malformed $number")
      case "$date":
        return content === null || typeof content === "number" ? new Date(content ?? NaN) : refuse("a malformed $date")
      case "$bytes":
        return bytes(content)
      case "$map":
        return new Map(list(content).map(pair))
      case "$set":
        return new Set(list(content))
      default:
        return native(name, content) ?? refuse(`an unknown tag ${JSON.stringify(name)}`)
    }
  }
  const object = (value: object): unknown => {
    const keys = Object.keys(value)
    const [first] = keys
    if (keys.length === 1 && first !== undefined && first.startsWith("$") && !first.startsWith("$$")) {
      return special(first, Reflect.get(value, first))
    }
    const out = {}
    for (const key of keys) {
      if (key.startsWith("$") && !key.startsWith("$$")) refuse(`a tag ${JSON.stringify(key)} beside other keys`)
      put(out, key.startsWith("$") ? key.slice(1) : key, at(key, Reflect.get(value, key)))
    }
    return out
  }
  const go = (value: unknown): unknown =>
    Array.isArray(value)
      ? value.map((item, i) => at(i, item))
      : typeof value === "object" && value !== null && !ArrayBuffer.isView(value)
        ? object(value)
        : value
  const value = go(parsed)
  return refusal === undefined ? Either.right(value) : Either.left(refusal)
}

/** Where an own key `__proto__` is, in anything that holds values: objects of any class, arrays, maps and sets. */
export const protoKey = (value: unknown): Path | undefined => {
  const seen = new Set<unknown>()
  // the path is put together on the way back, so that looking costs nothing when there is nothing
  const go = (value: unknown): Array<PropertyKey> | undefined => {
    if (typeof value !== "object" || value === null || ArrayBuffer.isView(value) || seen.has(value)) return undefined
    seen.add(value)
    if (Object.hasOwn(value, "__proto__")) return ["__proto__"]
    // an object, as the test above says; an index is several times faster than Reflect.get
    const properties = value as Readonly<Record<string, unknown>>
    for (const key of Object.keys(properties)) {
      const found = go(properties[key])
      if (found !== undefined) return [key, ...found]
    }
    return value instanceof Map || value instanceof Set ? go(Array.from(value.entries())) : undefined
  }
  return go(value)
}
