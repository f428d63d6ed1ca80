/** What a program may say of a cache, and what is right about it. */
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type * as Schema from "effect/Schema"
import type { Previous } from "../../Cache.js"
import { TypeId as BatchTypeId } from "../../CacheBatch.js"
import type * as CacheConfig from "../../CacheConfig.js"
import type * as CacheKey from "../../CacheKey.js"
import type * as Codec from "../../codec/Codec.js"
import type * as CachePolicy from "../../CachePolicy.js"
import * as Check from "../options.js"
import { adaptiveIssue } from "./accesses.js"
import { isPolicy } from "./policy.js"

/**
 * The options of `Cache.make` without their types' finer points: which Schema goes with which parameter is seen to
 * there, and not told again here.
 */
export interface Options<K, A, E, R> extends Omit<CachePolicy.Options<K, A, E>, "mode">, CachePolicy.Limits {
  readonly key?: Schema.Schema.AnyNoContext | undefined
  readonly keys?: CacheKey.KeyCodec<K> | undefined
  readonly success?: Schema.Schema.AnyNoContext | undefined
  readonly failure?: Schema.Schema.AnyNoContext | undefined
  readonly codec?: Codec.Maker<A> | undefined
  readonly migrations?: ReadonlyArray<Codec.Codec<A>> | undefined
  readonly lookup: (key: K) => Effect.Effect<A, E, R>
  readonly revalidate?: ((key: K, previous: Previous<A>) => Effect.Effect<Option.Option<A>, E, R>) | undefined
  readonly mode?: CacheConfig.Mode | undefined
  readonly policy?: CachePolicy.CachePolicy<K, A, E, unknown> | undefined
  readonly strict?: boolean | undefined
  readonly requirements?: "captured" | "caller" | undefined
}

const perTag: Check.Check = (value) => {
  if (typeof value !== "object" || value === null || Duration.isDuration(value) || Array.isArray(value)) {
    return Check.durationOrFunction(value)
  }
  for (const [tag, duration] of Object.entries(value)) {
    const issue = duration === undefined ? undefined : Check.duration(duration)
    if (issue !== undefined) return { reason: `${tag}: ${issue.reason}`, hint: issue.hint }
  }
  return undefined
}

const durations: Check.Check = (value) => {
  if (!Array.isArray(value)) return { reason: "must be a list", hint: 'give each tier a duration: ["30 seconds"]' }
  return value.map(Check.duration).find((issue) => issue !== undefined)
}

export const isSchedule = (value: unknown): value is Schedule.Schedule<unknown, unknown> =>
  typeof value === "object" && value !== null && Schedule.ScheduleTypeId in value

const schedule: Check.Check = (value) =>
  isSchedule(value) ? undefined : { reason: "must be a Schedule", hint: "use one of effect/Schedule" }

const bulkheadIssue: Check.Check = (value) => {
  const { concurrency, queue } = Object(value) as Readonly<Record<string, unknown>>
  const bad = Check.positiveInteger(concurrency)
  if (bad !== undefined) return { reason: `concurrency ${bad.reason}`, hint: bad.hint }
  const badQueue = queue === undefined || queue === 0 ? undefined : Check.positiveInteger(queue)
  return badQueue && { reason: `queue ${badQueue.reason}`, hint: `${badQueue.hint}, or 0 for no queue` }
}

/** Of a batched lookup. */
const batchIssue: Check.Check = (value) => {
  const batch = (value as { readonly [BatchTypeId]?: { readonly maxSize: unknown } })[BatchTypeId]
  const issue = batch && Check.positiveInteger(batch.maxSize)
  return issue && { reason: `its maxSize of ${String(batch.maxSize)} ${issue.reason}`, hint: issue.hint }
}

export const checks: Record<keyof Options<never, never, never, never>, Check.Check> = {
  key: Check.schema,
  keys: Check.any,
  success: Check.schema,
  failure: Check.schema,
  codec: Check.isFunction,
  migrations: (value) =>
    Array.isArray(value) ? undefined : { reason: "must be a list", hint: "give [Codec.migration(Old, migrate)]" },
  lookup: (value) => Check.isFunction(value) ?? batchIssue(value),
  revalidate: Check.isFunction,
  policy: (value) =>
    isPolicy(value) ? undefined : { reason: "must be a CachePolicy", hint: "make one with CachePolicy.make" },
  timeToLive: (value) => Check.durationOrFunction(value) ?? adaptiveIssue(value),
  failureTimeToLive: perTag,
  maxTimeToLive: Check.duration,
  timeToIdle: Check.positiveDuration,
  tierTimeToLive: durations,
  jitter: Check.fraction((value) => value >= 0 && value <= 1, "from 0 to 1"),
  refreshAhead: Check.fraction((value) => value > 0 && value < 1, "above 0 and below 1"),
  earlyRefresh: Check.fraction((value) => value > 0 && value < Infinity, "above 0"),
  failsafeWhen: Check.isFunction,
  retry: schedule,
  backoff: (value) => (isSchedule(value) ? undefined : Check.duration(value)),
  shareFailures: Check.duration,
  revalidateWithin: Check.duration,
  bulkhead: bulkheadIssue,
  group: Check.isFunction,
  staleWhileRevalidate: Check.duration,
  staleIfError: Check.duration,
  loadDeadline: Check.duration,
  waitFresh: Check.duration,
  waitStale: Check.duration,
  mode: Check.oneOf("default", "no-store", "reload", "no-cache", "force-cache", "only-if-cached"),
  traceHits: Check.boolean,
  tags: Check.tags,
  when: Check.isFunction,
  cacheIf: Check.isFunction,
  version: Check.text,
  strict: Check.boolean,
  requirements: Check.oneOf("captured", "caller")
}
