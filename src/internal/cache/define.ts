/** From the options a program gives to the checked definition of a cache. */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import type * as CacheBatch from "../../CacheBatch.js"
import * as CacheConfig from "../../CacheConfig.js"
import type * as CacheError from "../../CacheError.js"
import { invalidConfig } from "../../CacheError.js"
import * as CacheKey from "../../CacheKey.js"
import * as CacheStore from "../../CacheStore.js"
import * as Codec from "../../codec/Codec.js"
import * as Envelope from "../../codec/Envelope.js"
import * as Json from "../../codec/Json.js"
import * as CacheAnalytics from "../../observe/CacheAnalytics.js"
import * as CacheEvents from "../../observe/CacheEvents.js"
import * as CacheStats from "../../observe/CacheStats.js"
import { localKey } from "../configLocal.js"
import { digest } from "../keyText.js"
import * as Check from "../options.js"
import type { Definition } from "./model.js"
import { TypeId as BatchTypeId } from "../../CacheBatch.js"
import { defaultRevalidateWithin } from "../constants.js"
import { groupTag } from "../groups.js"
import { Accesses } from "./accesses.js"
import { earlyOf } from "./early.js"
import { GroupLoads } from "./groupLoads.js"
import { holdOffsOf } from "./holdOffs.js"
import { lifetimesOf } from "./lifetimes.js"
import type { Options } from "./options.js"
import { checks } from "./options.js"
import { isPolicy, orElse } from "./policy.js"
import type { Settings } from "./settings.js"

type DurationInput = Duration.DurationInput

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
const codecOf = <K, A, E, R>(options: Options<K, A, E, R>): Codec.EntryCodec<A, E> | undefined => {
  const { codec, failure, migrations, success, version } = options
  if (success === undefined) return undefined
  return Envelope.make({
    success: (codec ?? Codec.make)(success as unknown as Schema.Schema<A, never>, { version }),
    failure: failure === undefined ? undefined : Json.make(failure as Schema.Schema<E, unknown>, { version }),
    older: migrations
  })
}

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

/** Tags that are known before there is a value, and those that are computed from it. */
const tagsOf = <K, A, E, R>({
  group,
  tags
}: Options<K, A, E, R>): Pick<Definition<K, A, E, R>, "keyTags" | "groupTags" | "tags"> => {
  const fixed = typeof tags === "function" ? [] : (tags ?? [])
  const keyTags = group === undefined ? () => fixed : (key: K) => [...fixed, groupTag(group(key))]
  const groupTags = group === undefined ? () => [] : (key: K) => [groupTag(group(key))]
  const own = typeof tags === "function" ? tags : () => fixed
  return {
    keyTags,
    groupTags,
    tags: group === undefined ? own : (value, key) => [...own(value, key), ...groupTags(key)]
  }
}

const millisOr = (input: DurationInput | undefined, otherwise: number): number =>
  input === undefined ? otherwise : Check.millisOf(input)

/** The part of a cache that its policy decides. */
const behaviourOf = <K, A, E, R>(options: Options<K, A, E, R>, config: CacheConfig.CacheConfig) => {
  const lifetimes = lifetimesOf(options, config)
  const retention = options.revalidate === undefined ? 0 : defaultRevalidateWithin
  return {
    batch: BatchTypeId in options.lookup ? (options.lookup as CacheBatch.Lookup<K, A, E, R>)[BatchTypeId] : undefined,
    revalidate: options.revalidate,
    revalidateWithin: millisOr(options.revalidateWithin, retention),
    retry: options.retry,
    bulkhead: options.bulkhead,
    holdOffs: holdOffsOf<E>(options),
    early: earlyOf(options),
    accesses: lifetimes.usesAccess ? new Accesses() : undefined,
    failsafeWhen: options.failsafeWhen,
    settings: settingsOf(options, config),
    lifetimes,
    ...tagsOf(options)
  }
}

export const define = <K, A, E, R>(
  name: string,
  own: Options<K, A, E, R>
): Effect.Effect<
  Definition<K, A, E, R>,
  CacheError.InvalidConfig | CacheError.StoreFailure,
  CacheStore.CacheStore | R | Scope.Scope
> =>
  Effect.gen(function* () {
    const { policy, ...said } = own
    // the policy's own checks are those of the options that it stands for
    const options: Options<K, A, E, R> = isPolicy(policy) ? orElse(said, policy.options) : own
    yield* Check.check({ ...options, name, lookup: options.lookup }, { name: Check.regionName, ...checks }, [
      "name",
      "lookup"
    ])
    const config = yield* CacheConfig.Current
    const store = yield* CacheStore.CacheStore
    yield* checkFailures(name, options, store)
    const context = yield* Effect.context<R>()
    const region = yield* store.region<A, E>({
      name,
      codec: codecOf(options),
      timeToIdle: millisOr(options.timeToIdle, Infinity),
      timeToLive: options.tierTimeToLive?.map(Check.millisOf) ?? []
    })
    const { open } = yield* CacheAnalytics.CacheAnalytics
    const { maxGroups = 0 } = yield* CacheStats.Registry
    return {
      name,
      keys: keysOf(options, config),
      lookup: options.lookup,
      context: options.requirements === "caller" ? undefined : captured(context),
      ...behaviourOf(options, config),
      when: options.when,
      cacheIf: options.cacheIf,
      strict: options.strict ?? false,
      store: store.name,
      region,
      events: yield* CacheEvents.CacheEvents,
      groupLoads: maxGroups > 0 && options.group !== undefined ? new GroupLoads(options.group, maxGroups) : undefined,
      recorder: open === undefined ? undefined : yield* open(name)
    }
  })
