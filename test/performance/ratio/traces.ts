/** Accesses to replay: recorded ones from files, and made-up ones that each have one thing to find out. */
import { readFileSync } from "node:fs"
import { basename } from "node:path"
import { gunzipSync } from "node:zlib"
import type { Trace } from "./simulate.js"

/** Numbers the keys in the order in which they come. */
const numbered = (name: string, keys: Iterable<number | string>): Trace => {
  const numbers = new Map<number | string, number>()
  const accesses: Array<number> = []
  for (const key of keys) {
    let number = numbers.get(key)
    if (number === undefined) numbers.set(key, (number = numbers.size))
    accesses.push(number)
  }
  return { name, accesses: Int32Array.from(accesses), keys: numbers.size }
}

const gzipMagic = [0x1f, 0x8b] as const

/** A file of one key a line, gzipped or not. */
export const fromFile = (path: string): Trace => {
  const bytes = readFileSync(path)
  const isGzip = bytes[0] === gzipMagic[0] && bytes[1] === gzipMagic[1]
  const text = (isGzip ? gunzipSync(bytes) : bytes).toString("utf8")
  const lines = text.split(/\r?\n/u).filter((line) => line !== "")
  if (lines.length === 0) throw new Error(`${path} holds no accesses: one key a line is expected, gzipped or not`)
  return numbered(basename(path).replace(/\.gz$/u, ""), lines)
}

/** A generator of numbers from 0 to 1 (mulberry32): the same seed, the same accesses. */
export const random = (seed: number): (() => number) => {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Draws from 0 to `count - 1`, the first most often, by Zipf's law with an exponent. */
export const zipf = (count: number, exponent: number, next: () => number): (() => number) => {
  const sums = new Float64Array(count)
  let sum = 0
  for (let rank = 0; rank < count; rank++) sums[rank] = sum += (rank + 1) ** -exponent
  return () => {
    const wanted = next() * sum
    let low = 0
    let high = count - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (sums[middle]! < wanted) low = middle + 1
      else high = middle
    }
    return low
  }
}

const length = 200_000
const count = 10_000

type Make = (next: () => number) => (at: number) => number

const makes: Readonly<Record<string, Make>> = {
  /** Some are wanted much more than others, for ever. */
  "zipf-0.7": (next) => zipf(count, 0.7, next),
  "zipf-1.0": (next) => zipf(count, 1, next),
  /** The same, and every now and then a pass over what nobody else wants. */
  "zipf-scans": (next) => {
    const draw = zipf(count, 0.9, next)
    let scanned = 0
    return (at) => (at % 10_000 < 3_000 ? count + scanned++ : draw())
  },
  /** What is wanted changes altogether, five times. */
  "zipf-shifting": (next) => {
    const draw = zipf(count, 0.9, next)
    return (at) => draw() + Math.floor(at / (length / 5)) * count
  },
  /** What is wanted changes all the time, a little. */
  "zipf-drifting": (next) => {
    const draw = zipf(count, 0.9, next)
    return (at) => draw() + Math.floor(at / 20)
  },
  /** Round and round. */
  loop: () => (at) => at % 6_000,
  "loop-and-zipf": (next) => {
    const draw = zipf(count, 0.9, next)
    return (at) => (at % 2 === 0 ? draw() : count + ((at >>> 1) % 4_000))
  },
  /** The more lately it was used, the likelier it is used again; and always something new. */
  recency: (next) => {
    const history: Array<number> = []
    let fresh = 0
    const draw = zipf(5_000, 1.1, next)
    return () => {
      const back = draw()
      const key = next() < 0.1 || back >= history.length ? fresh++ : history[history.length - 1 - back]!
      history.push(key)
      return key
    }
  },
  /** No key is better than another. */
  uniform: (next) => () => Math.floor(next() * count)
}

export const synthetic = (): ReadonlyArray<Trace> =>
  Object.entries(makes).map(([name, make], index) => {
    const access = make(random(index + 1))
    return numbered(
      name,
      Array.from({ length }, (_, at) => access(at))
    )
  })
