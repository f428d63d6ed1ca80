/**
 * The scoped override: decoded once, carried in the fiber's Context under a key of its own, read on the hot path by
 * one look into that Context's map. It travels as Context does: into forks, and out of force on any exit.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Either from "effect/Either"
import { modes } from "./configFields.js"
import * as Values from "./configValues.js"
import type { Problem } from "./duration.js"
import { decodeDuration } from "./duration.js"

/** An override in force, see `CacheConfig.Local`. */
export interface Local {
  readonly mode: (typeof modes)[number] | undefined
  readonly timeToLive: number | undefined
  readonly staleWhileRevalidate: number | undefined
  readonly staleIfError: number | undefined
  readonly loadDeadline: number | undefined
  readonly waitFresh: number | undefined
  readonly waitStale: number | undefined
  readonly traceHits: boolean | undefined
  /** Tags that entries loaded here get besides their own. */
  readonly tags: ReadonlyArray<string> | undefined
}

/** The key of the override in a Context's map. */
export const localKey = "effect-larder/CacheConfig/Local"

/** Never a requirement: only looked up where it may be. */
const Tag: Context.Tag<Local, Local> = Context.GenericTag<Local>(localKey)

/** Whether this program has ever laid an override: before that no Context need be looked into. */
let isUsed = false

/** The override in force in a fiber's Context (`fiber.currentContext`), or `undefined`. Made for the hot path. */
export const localOf = (context: Context.Context<never>): Local | undefined =>
  // only `withLocal` puts anything under this key
  isUsed ? (context.unsafeMap.get(localKey) as Local | undefined) : undefined

const decoders: { readonly [K in keyof Local]: (field: string, input: unknown) => Either.Either<unknown, Problem> } = {
  mode: Values.oneOf(modes),
  timeToLive: decodeDuration,
  staleWhileRevalidate: decodeDuration,
  staleIfError: decodeDuration,
  loadDeadline: decodeDuration,
  waitFresh: decodeDuration,
  waitStale: decodeDuration,
  traceHits: Values.flag,
  tags: Values.texts
}

const isLocalField = (name: string): name is keyof Local => Object.hasOwn(decoders, name)

const unset: Local = {
  mode: undefined,
  timeToLive: undefined,
  staleWhileRevalidate: undefined,
  staleIfError: undefined,
  loadDeadline: undefined,
  waitFresh: undefined,
  waitStale: undefined,
  traceHits: undefined,
  tags: undefined
}

/** Checks all options of an override. */
export const decodeLocal = (options: object): Either.Either<Local, ReadonlyArray<Problem>> => {
  const values: Record<string, unknown> = { ...unset }
  const problems: Array<Problem> = []
  for (const [name, value] of Object.entries(options)) {
    if (!isLocalField(name)) {
      problems.push(Values.unknownOption(name, value, Object.keys(decoders)))
    } else if (value !== undefined) {
      const decoded = decoders[name](name, value)
      if (Either.isLeft(decoded)) problems.push(decoded.left)
      else values[name] = decoded.right
    }
  }
  // every key of `unset` is there, and each value under it was decoded by the decoder of that key
  return problems.length > 0 ? Either.left(problems) : Either.right(Object.freeze(values) as unknown as Local)
}

/** Inner settings win and the rest is inherited. Tags add up: losing one would lose invalidations. */
const nest = (outer: Local | undefined, inner: Local): Local =>
  outer === undefined
    ? inner
    : Object.freeze({
        mode: inner.mode ?? outer.mode,
        timeToLive: inner.timeToLive ?? outer.timeToLive,
        staleWhileRevalidate: inner.staleWhileRevalidate ?? outer.staleWhileRevalidate,
        staleIfError: inner.staleIfError ?? outer.staleIfError,
        loadDeadline: inner.loadDeadline ?? outer.loadDeadline,
        waitFresh: inner.waitFresh ?? outer.waitFresh,
        waitStale: inner.waitStale ?? outer.waitStale,
        traceHits: inner.traceHits ?? outer.traceHits,
        tags:
          inner.tags === undefined || outer.tags === undefined
            ? (inner.tags ?? outer.tags)
            : Object.freeze([...new Set([...outer.tags, ...inner.tags])])
      })

/** The Context with an override laid over the one in force. */
export const withLocal = <R>(context: Context.Context<R>, local: Local): Context.Context<R> => {
  isUsed = true
  return Context.add(context, Tag, nest(localOf(context), local))
}
