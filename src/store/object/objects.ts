/** Items as objects. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { randomUUID } from "node:crypto"
import type * as CacheError from "../../CacheError.js"
import type { Limited } from "../internal/limited.js"
import type { Item, Items, Replacement } from "../versioned/items.js"
import type * as Plain from "../versioned/plain.js"

/** An object as it was read. */
export interface Found {
  readonly bytes: Uint8Array
  /** What the service calls this writing of it: its ETag, or generation. */
  readonly version: string
}

/** What has to be so for an object to be written. */
export type Condition = { readonly _tag: "Absent" } | { readonly _tag: "Version"; readonly version: string }

/**
 * All that is asked of a service of objects. Promises are rejected when it cannot be done; that a condition does not hold
 * is an answer.
 */
export interface Objects {
  readonly get: (key: string) => Promise<Found | undefined>
  /** The version of what was written, or `undefined` if the condition does not hold. */
  readonly put: (key: string, bytes: Uint8Array, condition: Condition | undefined) => Promise<string | undefined>
  readonly remove: (key: string) => Promise<void>
  readonly list: (start: string) => AsyncIterable<string>
}

export interface Options {
  readonly objects: Objects
  readonly limited: Limited
  readonly prefix: string
  readonly failure: (operation: string, cause: unknown) => CacheError.StoreFailure
}

/** The first byte of an object: what it is. */
const whole = 0
const place = 1
/** Tries to make a place where others make and remove things. */
const tries = 20
/** Requests under way for one operation. */
const concurrency = 32

const form = (first: number, bytes: Uint8Array): Uint8Array => {
  const all = new Uint8Array(bytes.length + 1)
  all[0] = first
  all.set(bytes, 1)
  return all
}

const contentOf = (found: Found | undefined): Uint8Array | undefined =>
  found !== undefined && found.bytes[0] === whole ? found.bytes.subarray(1) : undefined

/** As `Promise.all`, a few at a time. */
const inOrder = async <A, B>(all: ReadonlyArray<A>, run: (one: A, index: number) => Promise<B>): Promise<Array<B>> => {
  const results: Array<B> = []
  let next = 0
  const work = async () => {
    while (next < all.length) {
      const index = next++
      results[index] = await run(all[index]!, index)
    }
  }
  await Promise.all(Array.from({ length: Math.min(concurrency, all.length) }, work))
  return results
}

const reader =
  ({ objects, prefix }: Options) =>
  async (names: ReadonlyArray<string>): Promise<ReadonlyArray<Uint8Array | undefined>> => {
    const [first, ...rest] = names
    if (first === undefined) return []
    const one = async (name: string) => contentOf(await objects.get(`${prefix}/${name}`))
    return [await one(first), ...(await inOrder(rest, one))]
  }

const lister =
  ({ failure, objects, prefix }: Options): Items["list"] =>
  (operation, start) =>
    Stream.map(
      // begun each time it is run
      Stream.suspend(() =>
        Stream.fromAsyncIterable(objects.list(`${prefix}/${start}`), (cause) => failure(operation, cause))
      ),
      (key) => key.slice(prefix.length + 1)
    )

/** Of a service that writes only if a condition holds: that orders what all programs do. */
export const make = (options: Options): Items => {
  const { limited, objects, prefix } = options
  const read = reader(options)

  const claimed = async (name: string, left = tries): Promise<Item> => {
    const key = `${prefix}/${name}`
    const found = await objects.get(key)
    if (found !== undefined) return { bytes: contentOf(found) ?? new Uint8Array(0), version: found.version }
    // no two places are alike, so their versions differ, whatever the service makes them of
    const version = await objects.put(key, form(place, new TextEncoder().encode(randomUUID())), { _tag: "Absent" })
    if (version !== undefined) return { bytes: new Uint8Array(0), version }
    if (left === 0) throw new Error(`others made and removed ${key} ${tries} times meanwhile`)
    return claimed(name, left - 1)
  }

  const replaced = async ({ bytes, name, version }: Replacement): Promise<boolean> => {
    const condition: Condition = { _tag: "Version", version: String(version) }
    return (await objects.put(`${prefix}/${name}`, form(whole, bytes), condition)) !== undefined
  }

  return {
    // one request for each item
    ordered: false,
    askedByCallers: true,
    read: (operation, names) => limited(operation, () => read(names)),
    claim: (operation, names, others) =>
      limited(operation, async () => {
        const items = await inOrder(names, (name) => claimed(name))
        return { items, found: await read(others) }
      }),
    replace: (operation, items) => limited(operation, () => inOrder(items, replaced)),
    remove: (operation, names) =>
      Effect.asVoid(limited(operation, () => inOrder(names, (name) => objects.remove(`${prefix}/${name}`)))),
    list: lister(options)
  }
}

/** Of a service that writes whatever it is told: this process orders what it does itself. */
export const plain = (options: Options): Plain.Plain => {
  const { failure, objects, prefix } = options
  const said = <A>(operation: string, run: () => Promise<A>) =>
    Effect.tryPromise({ try: run, catch: (cause) => failure(operation, cause) })
  const read = reader(options)
  return {
    get: (operation, names) => said(operation, () => read(names)),
    set: (operation, name, bytes) =>
      Effect.asVoid(said(operation, () => objects.put(`${prefix}/${name}`, form(whole, bytes), undefined))),
    remove: (operation, names) =>
      Effect.asVoid(said(operation, () => inOrder(names, (name) => objects.remove(`${prefix}/${name}`)))),
    list: lister(options)
  }
}

/** Whether the service minds conditions: one that does not writes a second object where it should not. */
export const mindsConditions = async ({ objects, prefix }: Options): Promise<boolean> => {
  const key = `${prefix}/probe/${randomUUID()}`
  const put = (text: string, condition: Condition | undefined) =>
    objects.put(key, new TextEncoder().encode(text), condition)
  try {
    const version = await put("whether conditional writes are conditional", { _tag: "Absent" })
    if (version === undefined) return false
    await put("another writing, and so another version", undefined)
    const isOver = (await put("over", { _tag: "Version", version })) === undefined
    return isOver && (await put("there", { _tag: "Absent" })) === undefined
  } finally {
    await objects.remove(key)
  }
}
