/**
 * The one reading of durations: from code, where a bare number is milliseconds as everywhere in Effect, and from text
 * (environment and files), where a bare number is refused because readers disagree about its unit.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Either from "effect/Either"
import * as Option from "effect/Option"

/** One thing wrong with a configuration, with the value as it was given. `CacheError.invalidConfig` takes these. */
export interface Problem {
  readonly field: string
  readonly value: unknown
  readonly reason: string
  readonly hint: string
}

const hint = 'write a number and a unit, as in "5 minutes"; 0 is no time at all, "Infinity" is without end'

/** A number in decimal notation, and nothing else: not "", not "0x10", not "1_000". */
const decimal = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i

/** The number that a text spells, or `undefined` when it spells none. "Infinity" is spelt as such. */
export const parseNumber = (text: string): number | undefined =>
  text === "Infinity" ? Infinity : text === "-Infinity" ? -Infinity : decimal.test(text) ? Number(text) : undefined

/** Effect's own decoding turns what is negative or not a number into zero, so both are looked for before. */
const parts = (input: unknown): ReadonlyArray<unknown> => (Array.isArray(input) ? input : [input])

const isNegative = (part: unknown): boolean =>
  typeof part === "number" || typeof part === "bigint" ? part < 0 : typeof part === "string" && /^\s*-/.test(part)

/**
 * The milliseconds of a duration as code gives it: `"5 minutes"`, a `Duration`, a number of milliseconds, or
 * `"Infinity"`. Zero and `Infinity` are valid and kept; negative, NaN and unreadable ones are a `Problem`.
 */
export const decodeDuration = (field: string, input: unknown): Either.Either<number, Problem> => {
  // most are: what a function answers is read anew for each entry
  if (typeof input === "number" && input >= 0) return Either.right(input)
  const refuse = (reason: string) => Either.left({ field, value: input, reason, hint })
  if (input === "Infinity") return Either.right(Infinity)
  if (parts(input).some((part) => Number.isNaN(part))) return refuse("must be a duration, not NaN")
  if (parts(input).some(isNegative)) return refuse("must not be negative")
  return Option.match(Duration.decodeUnknown(input), {
    onNone: () => refuse("must be a duration"),
    onSome: (duration) => Either.right(Duration.toMillis(duration))
  })
}

/** The same from the environment or a file, where a number other than 0 and Infinity must have a unit. */
export const decodeDurationText = (field: string, input: unknown): Either.Either<number, Problem> => {
  const value = typeof input === "string" ? (parseNumber(input.trim()) ?? input.trim()) : input
  return typeof value === "number" && value > 0 && value < Infinity
    ? Either.left({
        field,
        value: input,
        reason: "must have a unit",
        hint: `write "${value} seconds" or "${value} millis"`
      })
    : Either.mapLeft(decodeDuration(field, value), (problem) => ({ ...problem, value: input }))
}

const units = [
  [86_400_000n, "days"],
  [3_600_000n, "hours"],
  [60_000n, "minutes"],
  [1_000n, "seconds"]
] as const

/** A duration as text that `decodeDuration` reads back to exactly the same one, in the largest unit that fits. */
export const formatDuration = (duration: Duration.Duration): string => {
  if (!Duration.isFinite(duration)) return "Infinity"
  const millis = Duration.toMillis(duration)
  if (!Number.isInteger(millis)) return `${Duration.unsafeToNanos(duration)} nanos`
  // bigint prints as plain digits where a large number would print an exponent
  const whole = BigInt(millis)
  const unit = whole === 0n ? undefined : units.find(([size]) => whole % size === 0n)
  return unit === undefined ? `${whole} millis` : `${whole / unit[0]} ${unit[1]}`
}
