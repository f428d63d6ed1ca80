/**
 * Checks of option values, shared by the configuration, the options of caches and those of stores. None has an effect.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import type { Problem } from "./duration.js"
import { parseNumber } from "./duration.js"

type Checked<A> = Either.Either<A, Problem>

const refuse = (field: string, value: unknown, reason: string, hint: string): Checked<never> =>
  Either.left({ field, value, reason, hint })

/** A count of entries or bytes: 1, 2, 3, ... or `Infinity` (also as text, for formats that cannot write it). */
export const positiveIntegerOrInfinity = (field: string, input: unknown): Checked<number> => {
  const value = input === "Infinity" ? Infinity : input
  const hint = "use a whole number from 1, or Infinity for no bound"
  if (typeof value !== "number" || Number.isNaN(value)) return refuse(field, input, "must be an integer", hint)
  if (value <= 0) return refuse(field, input, "must be positive", hint)
  if (value !== Infinity && !Number.isInteger(value)) return refuse(field, input, "must be an integer", hint)
  return Either.right(value)
}

/** The same from the environment or a file: `"100"` is 100. */
export const positiveIntegerOrInfinityText = (field: string, input: unknown): Checked<number> => {
  const value = typeof input === "string" ? (parseNumber(input.trim()) ?? input) : input
  return Either.mapLeft(positiveIntegerOrInfinity(field, value), (problem) => ({ ...problem, value: input }))
}

/** One of a few words. */
export const oneOf =
  <const A extends string>(words: ReadonlyArray<A>) =>
  (field: string, input: unknown): Checked<A> => {
    const word = words.find((word) => word === input)
    return word === undefined
      ? refuse(field, input, `must be one of ${words.join(", ")}`, `the default is "${words[0]}"`)
      : Either.right(word)
  }

/** `true` or `false`. */
export const flag = (field: string, input: unknown): Checked<boolean> =>
  typeof input === "boolean"
    ? Either.right(input)
    : refuse(field, input, "must be true or false", "write true or false")

const yes = new Set(["true", "yes", "on", "1"])
const no = new Set(["false", "no", "off", "0"])

/** The same from the environment or a file, in the words that Effect's `Config.boolean` knows. */
export const flagText = (field: string, input: unknown): Checked<boolean> => {
  const word = typeof input === "string" ? input.trim().toLowerCase() : ""
  return flag(field, yes.has(word) ? true : no.has(word) ? false : input)
}

/** The path of a folder, which need not exist: nothing is looked at or made here. */
export const folder = (field: string, input: unknown): Checked<string> =>
  typeof input !== "string"
    ? refuse(field, input, "must be a path", "write the path of a folder")
    : input.trim() === ""
      ? refuse(field, input, "must not be empty", "leave it out for the platform's cache folder")
      : input.includes("\0")
        ? refuse(field, input, "must not contain NUL", "write the path of a folder")
        : Either.right(input)

/** A list of texts. */
export const texts = (field: string, input: unknown): Checked<ReadonlyArray<string>> =>
  Array.isArray(input) && input.every((item) => typeof item === "string")
    ? Either.right(Object.freeze(input.slice()))
    : refuse(field, input, "must be a list of texts", 'write ["one", "two"]')

/** How many single-character edits lie between two words. */
const distance = (from: string, to: string): number => {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (let i = 1; i <= from.length; i++) {
    const next = [i]
    for (let j = 1; j <= to.length; j++) {
      const swap = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1)
      next.push(Math.min(swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[to.length] ?? 0
}

/** What people call some settings elsewhere. */
const otherNames: ReadonlyMap<string, string> = new Map([
  ["ttl", "timeToLive"],
  ["swr", "staleWhileRevalidate"],
  ["maxsize", "maxEntries"],
  ["dir", "directory"],
  ["path", "directory"],
  ["folder", "directory"],
  ["cachemode", "mode"],
  ["timeout", "loadDeadline"]
])

/** The option that a misspelt one probably means. */
const nearest = (option: string, known: ReadonlyArray<string>): string | undefined => {
  // no option is longer than this, and comparing a hostile name letter by letter would take for ever
  const plain = option
    .slice(0, 40)
    .toLowerCase()
    .replace(/[-_\s]/g, "")
  const named = otherNames.get(plain)
  if (named !== undefined && known.includes(named)) return named
  const ranked = known
    .map((name) => ({ name, far: distance(plain, name.toLowerCase()) }))
    .sort((left, right) => left.far - right.far)
  const best = ranked[0]
  return best !== undefined && best.far <= Math.max(1, Math.floor(plain.length / 3)) ? best.name : undefined
}

/** The `Problem` of an option that does not exist, naming those that do. */
export const unknownOption = (option: string, value: unknown, known: ReadonlyArray<string>): Problem => {
  const meant = nearest(option, known)
  return {
    field: option,
    value,
    reason: meant === undefined ? "unknown option" : `unknown option; did you mean ${meant}?`,
    hint: `the options are ${known.join(", ")}`
  }
}
