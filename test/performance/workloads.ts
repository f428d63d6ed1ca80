/**
 * What all suites work on. Nothing here is left to chance: the same call gives the same data, on every machine.
 */

/** `user:0`, `user:1`, ...: text as keys usually are, short and with what differs at the end. */
export const textKeys = (count: number, prefix = "user"): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, index) => `${prefix}:${index}`)

const greatestDivisor = (a: number, b: number): number => (b === 0 ? a : greatestDivisor(b, a % b))

/**
 * The numbers from 0 to `count - 1`, each once, in an order that jumps about: what is walked in the order in which it
 * was made is faster than any program's accesses.
 */
export const scattered = (count: number): ReadonlyArray<number> => {
  // near the golden section no jump lands close to a recent one
  let stride = Math.max(1, Math.round(count * 0.618))
  while (greatestDivisor(stride, count) !== 1) stride++
  return Array.from({ length: count }, (_, index) => (index * stride) % count)
}

const golden = (Math.sqrt(5) - 1) / 2

/**
 * `length` accesses to `count` entries, few of them often and most of them rarely, as programs do: the rth most wanted
 * is asked for about 1 / r times as often as the first (Zipf's law). Which ones are wanted has nothing to do with the
 * order in which they were made.
 */
export const skewed = (count: number, length: number): ReadonlyArray<number> => {
  const byRank = scattered(count)
  return Array.from({ length }, (_, index) => byRank[Math.floor((count + 1) ** ((index * golden) % 1)) - 1]!)
}

/** The `index`th text of 1024 one-byte characters. No two share memory, as views of a larger text would. */
export const text1KiB = (index: number): string => {
  const bytes = Buffer.alloc(1024)
  let state = (index + 1) * 2654435761
  for (let at = 0; at < bytes.length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    bytes[at] = 32 + ((state >>> 24) % 95)
  }
  return bytes.toString("latin1")
}

/** Walks a list round and round, going on where it stopped: `next()` is all that a loop may cost. */
export const around = <A>(items: ReadonlyArray<A>): (() => A) => {
  let index = -1
  return () => {
    index = index + 1 === items.length ? 0 : index + 1
    return items[index]!
  }
}
