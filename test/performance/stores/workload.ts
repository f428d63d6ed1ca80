/**
 * What every engine is asked for: the same thousand keys with the same value, a record of five fields that is a hundred
 * bytes as JSON, or that JSON as a plain text, so that raw clients, which know no more than text, serve as one beside both.
 */
import { Schema } from "effect"
import { around, textKeys } from "../workloads.js"

export const Item = Schema.Struct({
  id: Schema.String,
  name: Schema.String,
  price: Schema.Number,
  stock: Schema.Number,
  tags: Schema.Array(Schema.String)
})

const item = { id: "item:0", name: "a loaf of brown bread", price: 4.5, stock: 12, tags: ["bread", "fresh"] }

export type Entry<A> = readonly [key: string, value: A]

export interface Size {
  readonly keys: number
  /** Gets at once, and in a batch. */
  readonly gets: number
  /** Sets in a batch. */
  readonly sets: number
}

const usual: Size = { keys: 1_000, gets: 100, sets: 1_000 }

/** Keys and what each of them has. The functions go round, and each call of them begins a round of its own. */
export interface Workload<A> {
  readonly size: Size
  readonly value: A
  readonly all: ReadonlyArray<Entry<A>>
  readonly one: () => () => string
  readonly many: () => () => ReadonlyArray<string>
  readonly entries: () => () => ReadonlyArray<Entry<A>>
}

const parts = <B>(all: ReadonlyArray<B>, length: number): ReadonlyArray<ReadonlyArray<B>> =>
  Array.from({ length: Math.floor(all.length / length) }, (_, index) => all.slice(index * length, (index + 1) * length))

const workload = <A>(value: A, size: Size = usual): Workload<A> => {
  const keys = textKeys(size.keys, "item")
  const all = keys.map((key) => [key, value] as const)
  return {
    size,
    value,
    all,
    one: () => around(keys),
    many: () => around(parts(keys, size.gets)),
    entries: () => around(parts(all, size.sets))
  }
}

export const records = (size?: Size) => workload(item, size)
export const texts = (size?: Size) => workload(JSON.stringify(item), size)
/** What files are for. */
export const pages = (size: Size) => workload("x".repeat(100_000), size)

/** Milliseconds. Everything that can be is stored with it. */
export const timeToLive = 3_600_000
