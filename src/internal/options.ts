/** Options are checked once, when what they configure is built, and every issue is told, not only the first. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as CacheError from "../CacheError.js"
import { decodeDuration } from "./duration.js"

/** What is wrong with a value, or `undefined` when nothing is. */
export type Check = (value: unknown) => { readonly reason: string; readonly hint: string } | undefined

export const any: Check = () => undefined

export const positiveInteger: Check = (value) => {
  const hint = "use a positive integer, or Infinity for no bound"
  if (typeof value !== "number" || Number.isNaN(value)) return { reason: "must be a number", hint }
  if (value <= 0) return { reason: "must be positive", hint }
  return Number.isInteger(value) || value === Infinity ? undefined : { reason: "must be an integer", hint }
}

export const duration: Check = (value) => Option.getOrUndefined(Either.getLeft(decodeDuration("", value)))

/** Milliseconds of what `duration` has found nothing wrong with. "Infinity" is a duration here, as in configuration. */
export const millisOf = (value: unknown): number =>
  Duration.toMillis(Either.getOrThrowWith(decodeDuration("", value), (issue) => new RangeError(issue.reason)))

/** The same of a duration that a function gave, which cannot be checked before it is there: a bad one is a defect. */
export const durationOf = (value: unknown): number => {
  const issue = duration(value)
  if (issue !== undefined) throw new RangeError(`a time to live ${issue.reason}; ${issue.hint}`)
  return millisOf(value)
}

export const positiveDuration: Check = (value) =>
  duration(value) ??
  (millisOf(value) > 0
    ? undefined
    : { reason: "must be longer than nothing", hint: 'use a duration such as "5 seconds"' })

export const durationOrFunction: Check = (value) => (typeof value === "function" ? undefined : duration(value))

/** A part of a whole, `above` and `below` not included. */
export const fraction =
  (isIn: (value: number) => boolean, words: string): Check =>
  (value) =>
    typeof value === "number" && isIn(value) ? undefined : { reason: `must be ${words}`, hint: `use a number ${words}` }

export const isFunction: Check = (value) =>
  typeof value === "function" ? undefined : { reason: "must be a function", hint: "give a function" }

export const boolean: Check = (value) =>
  typeof value === "boolean" ? undefined : { reason: "must be true or false", hint: "use true or false" }

export const object: Check = (value) =>
  typeof value === "object" && value !== null
    ? undefined
    : { reason: "must be an object", hint: "give an object, as the option's own documentation tells" }

export const text: Check = (value) =>
  typeof value === "string" ? undefined : { reason: "must be text", hint: "use a string" }

/** What the keys of a store on a server begin with. */
export const prefix: Check = (value) =>
  typeof value === "string" && /^[^\s{}]{1,100}$/.test(value) && !/\p{Surrogate}/u.test(value)
    ? undefined
    : { reason: "must be 1 to 100 characters without spaces and braces", hint: 'give a prefix such as "shop"' }

export const tags: Check = (value) =>
  typeof value === "function" || tagList(value) === undefined
    ? undefined
    : { reason: "must be tags", hint: "use a list of strings, or a function that returns one" }

export const tagList: Check = (value) =>
  Array.isArray(value) && value.every((tag) => typeof tag === "string")
    ? undefined
    : { reason: "must be tags", hint: "use a list of strings" }

export const nameList: Check = (value) =>
  Array.isArray(value) && value.every((name) => typeof name === "string")
    ? undefined
    : { reason: "must be a list of names", hint: 'give names such as ["users"]' }

export const schema: Check = (value) =>
  Schema.isSchema(value) ? undefined : { reason: "must be a Schema", hint: "use a Schema such as Schema.String" }

export const oneOf =
  (...known: ReadonlyArray<string>): Check =>
  (value) =>
    typeof value === "string" && known.includes(value)
      ? undefined
      : { reason: "is not known", hint: `use one of ${known.join(", ")}` }

const control = /[\u0000-\u001f\u007f]/

/** The longest name a cache may have, in characters. */
const maxNameLength = 200

export const regionName: Check = (value) => {
  const hint = `use 1 to ${maxNameLength} characters without control characters, such as "app/Users"`
  if (typeof value !== "string" || value.length === 0) return { reason: "must be a name that is not empty", hint }
  if (value.length > maxNameLength) return { reason: `must have at most ${maxNameLength} characters`, hint }
  return control.test(value) || !value.isWellFormed()
    ? { reason: "must not have control characters or broken unicode", hint }
    : undefined
}

/** Fails with every issue of every option. An `undefined` option is an absent one, unless it is among the `required`. */
export const check = (
  options: object,
  checks: Readonly<Record<string, Check>>,
  required: ReadonlyArray<string> = []
): Effect.Effect<void, CacheError.InvalidConfig> => {
  const issues = Object.entries(options).flatMap(([field, value]: readonly [string, unknown]) => {
    if (value === undefined && !required.includes(field)) return []
    const known = Object.hasOwn(checks, field) ? checks[field] : undefined
    if (known === undefined) {
      return [
        {
          field,
          value,
          reason: "is not an option here",
          hint: `known options: ${Object.keys(checks).join(", ")}`
        }
      ]
    }
    const issue = known(value)
    return issue === undefined ? [] : [{ field, value, reason: issue.reason, hint: issue.hint }]
  })
  return issues.length === 0 ? Effect.void : Effect.fail(CacheError.invalidConfig(issues))
}
