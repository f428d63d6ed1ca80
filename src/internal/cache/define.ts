/** From the options a program gives to the checked definition of a cache. */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import * as CacheConfig from "../../CacheConfig.js"
import type * as CacheError from "../../CacheError.js"
import { invalidConfig } from "../../CacheError.js"
import * as CacheKey from "../../CacheKey.js"
import * as CacheStore from "../../CacheStore.js"
import type * as Codec from "../../codec/Codec.js"
import * as Envelope from "../../codec/Envelope.js"
import * as Json from "../../codec/Json.js"
import * as CacheEvents from "../../observe/CacheEvents.js"
import { localKey } from "../configLocal.js"
import { digest } from "../keyText.js"
import * as Check from "../options.js"
import type { Definition } from "./model.js"
import type { Settings } from "./settings.js"

type DurationInput = Duration.DurationInput

/**
 * The options of `Cache.make` without their types' finer points: which Schema goes with which parameter is seen to
 * there, and not told again here.
 */
export interface Options<K, A, E, R> {
  readonly key?: Schema.Schema.AnyNoContext | undefined
  readonly keys?: CacheKey.KeyCodec<K> | undefined
  readonly success?: Schema.Schema.AnyNoContext | undefined
  readonly failure?: Schema.Schema.AnyNoContext | undefined
  readonly lookup: (key: K) => Effect.Effect<A, E, R>
  readonly timeToLive?: DurationInput | ((value: A, key: K) => DurationInput) | undefined
  readonly failureTimeToLive?:
    | DurationInput
    | ((error: E, key: K) => DurationInput)
    | Readonly<Record<string, DurationInput | undefined>>
    | undefined
  readonly staleWhileRevalidate?: DurationInput | undefined
  readonly staleIfError?: DurationInput | undefined
  readonly loadDeadline?: DurationInput | undefined
  readonly waitFresh?: DurationInput | undefined
  readonly waitStale?: DurationInput | undefined
  readonly mode?: CacheConfig.Mode | undefined
  readonly traceHits?: boolean | undefined
  readonly tags?: ReadonlyArray<string> | ((value: A, key: K) => ReadonlyArray<string>) | undefined
  readonly when?: ((key: K) => boolean) | undefined
  readonly cacheIf?: ((exit: Exit.Exit<A, E>, key: K) => boolean) | undefined
  readonly version?: string | undefined
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

const checks: Record<keyof Options<never, never, never, never>, Check.Check> = {
  key: Check.schema,
  keys: Check.any,
  success: Check.schema,
  failure: Check.schema,
  lookup: Check.isFunction,
  timeToLive: Check.durationOrFunction,
  failureTimeToLive: perTag,
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

/** A duration given by a function cannot be checked before it is there: a bad one is the load's defect. */
const millisOf = (input: DurationInput): number => {
  const issue = Check.duration(input)
  if (issue !== undefined) throw new RangeError(`a time to live ${issue.reason}; ${issue.hint}`)
  return Check.millisOf(input)
}

const timeToLiveOf = <K, A, E, R>(
  { timeToLive }: Options<K, A, E, R>,
  config: CacheConfig.CacheConfig
): Definition<K, A, E, R>["timeToLive"] => {
  if (typeof timeToLive === "function") return (value, key) => millisOf(timeToLive(value, key))
  const fixed = timeToLive === undefined ? Duration.toMillis(config.timeToLive) : millisOf(timeToLive)
  return () => fixed
}

const tagOf = (error: unknown): string | undefined =>
  typeof error === "object" && error !== null && "_tag" in error && typeof error._tag === "string"
    ? error._tag
    : undefined

const isPerTag = (value: object): value is Readonly<Record<string, DurationInput | undefined>> =>
  !Duration.isDuration(value) && !Array.isArray(value)

const failureTimeToLiveOf = <K, A, E, R>({
  failureTimeToLive
}: Options<K, A, E, R>): Definition<K, A, E, R>["failureTimeToLive"] => {
  if (failureTimeToLive === undefined) return () => 0
  if (typeof failureTimeToLive === "function") return (error, key) => millisOf(failureTimeToLive(error, key))
  if (typeof failureTimeToLive === "object" && isPerTag(failureTimeToLive)) {
    const table = new Map(Object.entries(failureTimeToLive))
    return (error) => millisOf(table.get(tagOf(error) ?? "") ?? 0)
  }
  const fixed = millisOf(failureTimeToLive)
  return () => fixed
}

const settingsOf = <K, A, E, R>(options: Options<K, A, E, R>, config: CacheConfig.CacheConfig): Settings => {
  const millis = (own: DurationInput | undefined, common: Duration.Duration) => Check.millisOf(own ?? common)
  return {
    mode: options.mode ?? config.mode,
    timeToLive: undefined,
    staleWhileRevalidate: millis(options.staleWhileRevalidate, config.staleWhileRevalidate),
    staleIfError: millis(options.staleIfError, config.staleIfError),
    loadDeadline: millis(options.loadDeadline, config.loadDeadline),
    waitFresh: millis(options.waitFresh, config.waitFresh),
    waitStale: millis(options.waitStale, config.waitStale),
    traceHits: options.traceHits ?? config.traceHits,
    tags: [],
    typedDeadline: options.loadDeadline !== undefined,
    typedWait: options.waitFresh !== undefined
  }
}

/** With hashed keys a store cannot tell what its keys are, and neither can we: listings have none. */
const hashed = <K>(keys: CacheKey.KeyCodec<K>): CacheKey.KeyCodec<K> => ({
  unsafeEncode: (key) => digest(keys.textOf(key) ?? keys.unsafeEncode(key)),
  textOf: () => undefined,
  decode: () => Option.none()
})

const keysOf = <K, A, E, R>(options: Options<K, A, E, R>, config: CacheConfig.CacheConfig): CacheKey.KeyCodec<K> => {
  const keys =
    options.keys ??
    // without a Schema any value is tried, and the type says whether it can be refused (`CacheKey.ErrorOf`)
    ((options.key === undefined ? CacheKey.any : CacheKey.forSchema(options.key)) as unknown as CacheKey.KeyCodec<K>)
  return config.keyHashing === "hashed" ? hashed(keys) : keys
}

/** Only failures that `failureTimeToLive` keeps are ever encoded, and those are what the failure Schema is of. */
const codecOf = <K, A, E, R>({ failure, success, version }: Options<K, A, E, R>): Codec.EntryCodec<A, E> | undefined =>
  success === undefined
    ? undefined
    : Envelope.make({
        success: Json.make(success as Schema.Schema<A, unknown>, { version }),
        failure: failure === undefined ? undefined : Json.make(failure as Schema.Schema<E, unknown>, { version })
      })

/** What a store of bytes cannot keep for want of a Schema is told when the cache is built, not at the first failure. */
const checkFailures = <K, A, E, R>(
  name: string,
  { failure, failureTimeToLive }: Options<K, A, E, R>,
  store: CacheStore.Service
): Effect.Effect<void, CacheError.InvalidConfig> =>
  failureTimeToLive === undefined || failure !== undefined || store.capabilities.live
    ? Effect.void
    : Effect.fail(
        invalidConfig([
          {
            field: "failure",
            value: undefined,
            reason: `cache '${name}' keeps failures (failureTimeToLive) without a Schema, and ${store.name} keeps bytes`,
            hint: "give the cache a failure Schema, or use MemoryStore"
          }
        ])
      )

/** Everything but what belongs to one caller: his span and his local configuration are his, not every load's. */
const captured = <R>(context: Context.Context<R>): Context.Context<never> => {
  const all = new Map(context.unsafeMap)
  all.delete(Tracer.ParentSpan.key)
  all.delete(localKey)
  return Context.unsafeMake(all)
}

export const define = <K, A, E, R>(
  name: string,
  options: Options<K, A, E, R>
): Effect.Effect<
  Definition<K, A, E, R>,
  CacheError.InvalidConfig | CacheError.StoreFailure,
  CacheStore.CacheStore | R | Scope.Scope
> =>
  Effect.gen(function* () {
    yield* Check.check({ ...options, name, lookup: options.lookup }, { name: Check.regionName, ...checks }, [
      "name",
      "lookup"
    ])
    const config = yield* CacheConfig.Current
    const store = yield* CacheStore.CacheStore
    yield* checkFailures(name, options, store)
    const context = yield* Effect.context<R>()
    const region = yield* store.region<A, E>({ name, codec: codecOf(options) })
    const { tags } = options
    const fixedTags = typeof tags === "function" ? [] : (tags ?? [])
    return {
      name,
      keys: keysOf(options, config),
      lookup: options.lookup,
      context: options.requirements === "caller" ? undefined : captured(context),
      settings: settingsOf(options, config),
      timeToLive: timeToLiveOf(options, config),
      failureTimeToLive: failureTimeToLiveOf(options),
      tags: typeof tags === "function" ? tags : () => fixedTags,
      failureTags: fixedTags,
      when: options.when,
      cacheIf: options.cacheIf,
      strict: options.strict ?? false,
      region,
      events: yield* CacheEvents.CacheEvents
    }
  })
