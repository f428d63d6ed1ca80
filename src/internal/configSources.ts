/**
 * Reading settings from where they are given, and laying one source over another. Nothing here fails: what is wrong is
 * collected, so that one error can list it all.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Equal from "effect/Equal"
import * as Option from "effect/Option"
import type { Decoded, Field, Setting, Source } from "./configFields.js"
import { fields, isField, knownOptions, settings } from "./configFields.js"
import { unknownOption } from "./configValues.js"
import type { Problem } from "./duration.js"

/** What one source, or several of them together, gave. */
export interface Reading {
  readonly values: Partial<Decoded>
  readonly sources: Partial<Record<Field, Source>>
  readonly problems: ReadonlyArray<Problem>
}

/** Nothing given. */
export const nothing: Reading = { values: {}, sources: {}, problems: [] }

/** A source that could not be read at all. */
export const unreadable = (problem: Problem): Reading => ({ ...nothing, problems: [problem] })

/** The first reading wins, field by field; the problems of all of them count. */
export const overlay = (...readings: ReadonlyArray<Reading>): Reading => ({
  values: Object.assign({}, ...readings.map((reading) => reading.values).reverse()),
  sources: Object.assign({}, ...readings.map((reading) => reading.sources).reverse()),
  problems: readings.flatMap((reading) => reading.problems)
})

interface Draft {
  readonly values: Record<string, unknown>
  readonly sources: Partial<Record<Field, Source>>
  readonly problems: Array<Problem>
}

// each value of a draft was decoded by the setting of its own name, which is what `Decoded` says
const finish = (draft: Draft): Reading => ({ ...draft, values: draft.values as Partial<Decoded> })

const draft = (): Draft => ({ values: {}, sources: {}, problems: [] })

const take = (into: Draft, field: Field, name: string, value: unknown, source: Source, how: "code" | "text"): void => {
  const setting: Setting<unknown> = settings[field]
  const decoded = setting[how](name, value)
  if (Either.isLeft(decoded)) {
    into.problems.push(decoded.left)
  } else if (Object.hasOwn(into.values, field) && !Equal.equals(into.values[field], decoded.right)) {
    into.problems.push({
      field: name,
      value,
      reason: `${field} is given twice, with different values`,
      hint:
        name === "capacity" || field === "maxEntries"
          ? "capacity is short for maxEntries: give one of them"
          : `write it once, as ${field}`
    })
  } else {
    into.values[field] = decoded.right
    into.sources[field] = source
  }
}

/** Options as code gives them. `undefined` is absence. */
export const fromOptions = (options: object): Reading => {
  const into = draft()
  for (const [name, value] of Object.entries(options)) {
    const field = name === "capacity" ? "maxEntries" : name
    if (!isField(field)) into.problems.push(unknownOption(name, value, knownOptions))
    else if (value !== undefined) take(into, field, name, value, "explicit", "code")
  }
  return finish(into)
}

const camelCase = (name: string): string => name.replace(/[-_]([a-z])/g, (_, letter: string) => letter.toUpperCase())

/** The settings that a file holds. Names may be camelCase, kebab-case or snake_case; those with a `$` are notes. */
export const fromFile = (file: string, content: object): Reading => {
  const into = draft()
  for (const [name, value] of Object.entries(content)) {
    if (name.startsWith("$")) continue
    const plain = camelCase(name)
    const field = plain === "capacity" ? "maxEntries" : plain
    if (isField(field)) take(into, field, name, value, `file ${file}`, "text")
    else into.problems.push(unknownOption(name, value, knownOptions))
  }
  const problems = into.problems.map((problem) => ({ ...problem, hint: `${problem.hint} (in ${file})` }))
  return finish({ ...into, problems })
}

/** A variable's text, through the `ConfigProvider` in force. Unset and empty are both absence, never 0. */
export const variable = (name: string): Effect.Effect<Either.Either<string | undefined, Problem>> =>
  Effect.match(Config.option(Config.string(name)), {
    onSuccess: (text) => Either.right(Option.getOrUndefined(Option.filter(text, (text) => text.trim() !== ""))),
    onFailure: (error) =>
      Either.left({
        field: name,
        value: undefined,
        reason: `cannot be read: ${error.message}`,
        hint: "look at the ConfigProvider in force"
      })
  })

/** The settings that environment variables hold. */
export const fromEnvironment: Effect.Effect<Reading> = Effect.suspend(() => {
  const into = draft()
  return Effect.as(
    Effect.forEach(
      fields,
      (field) => {
        const name = settings[field].variable
        return Effect.map(variable(name), (text) => {
          if (Either.isLeft(text)) into.problems.push(text.left)
          else if (text.right !== undefined) take(into, field, name, text.right, `environment ${name}`, "text")
        })
      },
      { discard: true }
    ),
    into
  ).pipe(Effect.map(finish))
})
