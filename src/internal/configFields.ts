/**
 * The table of settings: one row for each, from which everything else about it follows: how it is read from code and
 * from text, and the name of its environment variable.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Either from "effect/Either"
import * as Values from "./configValues.js"
import type { Problem } from "./duration.js"
import { decodeDuration, decodeDurationText } from "./duration.js"

/** The modes of the Fetch standard; the first is the default. */
export const modes = ["default", "no-store", "reload", "no-cache", "force-cache", "only-if-cached"] as const

/** How keys are kept in stores; the first is the default. */
export const keyHashings = ["clear", "hashed"] as const

/** Who may read files; the first is the default. */
export const filePermissions = ["private", "shared"] as const

type Decode<A> = (field: string, input: unknown) => Either.Either<A, Problem>

/** How one setting is read. `text` is for the environment and files, `code` for options and the Schema. */
export interface Setting<out A> {
  readonly variable: string
  readonly code: Decode<A>
  readonly text: Decode<A>
}

const setting = <A>(variable: string, code: Decode<A>, text: Decode<A> = code): Setting<A> => ({ variable, code, text })

const asDuration =
  (decode: Decode<number>): Decode<Duration.Duration> =>
  (field, input) =>
    Either.map(decode(field, input), Duration.millis)

const duration = (variable: string): Setting<Duration.Duration> =>
  setting(variable, asDuration(decodeDuration), asDuration(decodeDurationText))

const count = (variable: string): Setting<number> =>
  setting(variable, Values.positiveIntegerOrInfinity, Values.positiveIntegerOrInfinityText)

/** All settings, in the order in which they are listed. */
export const settings = {
  timeToLive: duration("LARDER_TTL"),
  staleWhileRevalidate: duration("LARDER_STALE_WHILE_REVALIDATE"),
  staleIfError: duration("LARDER_STALE_IF_ERROR"),
  loadDeadline: duration("LARDER_LOAD_DEADLINE"),
  waitFresh: duration("LARDER_WAIT_FRESH"),
  waitStale: duration("LARDER_WAIT_STALE"),
  maxEntries: count("LARDER_CAPACITY"),
  maxBytes: count("LARDER_MAX_BYTES"),
  mode: setting("LARDER_MODE", Values.oneOf(modes)),
  directory: setting("LARDER_DIR", Values.folder),
  keyHashing: setting("LARDER_KEY_HASHING", Values.oneOf(keyHashings)),
  filePermissions: setting("LARDER_FILE_PERMISSIONS", Values.oneOf(filePermissions)),
  traceHits: setting("LARDER_TRACE_HITS", Values.flag, Values.flagText)
} as const

/** The name of a setting. */
export type Field = keyof typeof settings

/** What each setting decodes to. */
export type Decoded = { readonly [F in Field]: (typeof settings)[F] extends Setting<infer A> ? A : never }

/** Where a value came from. */
export type Source = "explicit" | "default" | `environment ${string}` | `file ${string}`

// Object.keys of a const object is its keys; TypeScript cannot say so
export const fields = Object.keys(settings) as ReadonlyArray<Field>

/** Whether a text names a setting; `constructor` and the like do not. */
export const isField = (name: string): name is Field => Object.hasOwn(settings, name)

/** The options that a person may write. */
export const knownOptions: ReadonlyArray<string> = [...fields, "capacity"]
