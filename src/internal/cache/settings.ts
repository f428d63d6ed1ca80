/** What is in force for one get, and what it makes of an entry. */
import type * as Exit from "effect/Exit"
import type * as CacheEntry from "../../CacheEntry.js"
import type { Local } from "../configLocal.js"

/** All durations in milliseconds, decoded once. */
export interface Settings {
  readonly mode: NonNullable<Local["mode"]>
  /** Set by `CacheConfig.locally` only: bounds what may be served as fresh, and is what a load's result is given. */
  readonly timeToLive: number | undefined
  readonly staleWhileRevalidate: number
  readonly staleIfError: number
  readonly loadDeadline: number
  readonly waitFresh: number
  readonly waitStale: number
  readonly traceHits: boolean
  readonly tags: ReadonlyArray<string>
  /** Whether the limit was asked for by the program, so that passing it is in the error type; else it is a defect. */
  readonly typedDeadline: boolean
  readonly typedWait: boolean
}

/** The nearer call site wins, field by field. */
export const withLocal = (base: Settings, local: Local): Settings => ({
  mode: local.mode ?? base.mode,
  timeToLive: local.timeToLive ?? base.timeToLive,
  staleWhileRevalidate: local.staleWhileRevalidate ?? base.staleWhileRevalidate,
  staleIfError: local.staleIfError ?? base.staleIfError,
  loadDeadline: local.loadDeadline ?? base.loadDeadline,
  waitFresh: local.waitFresh ?? base.waitFresh,
  waitStale: local.waitStale ?? base.waitStale,
  traceHits: local.traceHits ?? base.traceHits,
  tags: local.tags ?? base.tags,
  typedDeadline: base.typedDeadline || local.loadDeadline !== undefined,
  typedWait: base.typedWait || local.waitFresh !== undefined
})

/**
 * What may be done with an entry:
 * - `fresh`: served;
 * - `stale`: served, and refreshed in the background;
 * - `fallback`: served only if the load fails or takes too long;
 * - `unusable`: not served.
 */
export type Verdict = "fresh" | "stale" | "fallback" | "unusable"

type Entry = CacheEntry.CacheEntry<unknown, unknown>

/** When the entry stops being fresh for this caller: never later than was said when it was stored. */
const freshUntil = (entry: Entry, settings: Settings): number =>
  settings.timeToLive === undefined
    ? entry.freshUntil
    : Math.min(entry.freshUntil, entry.createdAt + settings.timeToLive)

const judgeDefault = (entry: Entry, settings: Settings, now: number): Verdict => {
  const until = freshUntil(entry, settings)
  if (now < until) return "fresh"
  if (now < until + settings.staleWhileRevalidate) return "stale"
  return now < until + settings.staleIfError ? "fallback" : "unusable"
}

export const judge = (entry: Entry | undefined, settings: Settings, now: number): Verdict => {
  if (entry === undefined || now >= entry.staleUntil) return "unusable"
  switch (settings.mode) {
    case "default":
      return judgeDefault(entry, settings, now)
    case "force-cache":
    case "only-if-cached":
      return "fresh"
    case "no-cache":
      return now < freshUntil(entry, settings) + settings.staleIfError ? "fallback" : "unusable"
    default:
      return "unusable"
  }
}

/** Whether a load that fails may be answered with it. */
export const mayFallBackOn = (entry: Entry, { staleIfError, staleWhileRevalidate }: Settings, now: number): boolean =>
  now < Math.min(entry.staleUntil, entry.freshUntil + Math.max(staleIfError, staleWhileRevalidate))

/** Makes the entry of an Exit that is to live for `timeToLive` milliseconds from when its load started. */
export const makeEntry = <A, E>(options: {
  readonly exit: Exit.Exit<A, E>
  readonly startedAt: number
  readonly endedAt: number
  readonly timeToLive: number
  readonly settings: Settings
  /** Milliseconds that it is kept past its freshness for other reasons. */
  readonly keptFor: number
  readonly tags: ReadonlyArray<string>
  readonly keyText: string | undefined
}): CacheEntry.CacheEntry<A, E> => {
  const until = options.startedAt + options.timeToLive
  const { staleIfError, staleWhileRevalidate } = options.settings
  return {
    exit: options.exit,
    createdAt: options.startedAt,
    freshUntil: until,
    staleUntil: until + Math.max(staleIfError, staleWhileRevalidate, options.keptFor),
    tags: options.tags,
    // the clock may have been set back meanwhile
    loadMillis: Math.max(0, options.endedAt - options.startedAt),
    keyText: options.keyText
  }
}
