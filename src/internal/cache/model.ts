/** What the parts of a cache's machinery share: the decoded definition of one cache. */
import type * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Option from "effect/Option"
import type * as Schedule from "effect/Schedule"
import type { Previous } from "../../Cache.js"
import type { Lookup, TypeId } from "../../CacheBatch.js"
import type * as CacheEntry from "../../CacheEntry.js"
import type * as CacheKey from "../../CacheKey.js"
import type { Bulkhead } from "../../CachePolicy.js"
import type * as CacheStore from "../../CacheStore.js"
import type * as CacheEvents from "../../observe/CacheEvents.js"
import type { Recorder } from "../../observe/internal/recorder.js"
import type { Accesses } from "./accesses.js"
import type { Early } from "./early.js"
import type { GroupLoads } from "./groupLoads.js"
import type { HoldOffs } from "./holdOffs.js"
import type { Lifetimes } from "./lifetimes.js"
import type { Settings } from "./settings.js"

/**
 * A cache, checked and decoded. `E` is everything a get can fail with; only the failures that `failureTimeToLive`
 * gives a life to are ever stored.
 */
export interface Definition<K, A, E, R> {
  readonly name: string
  readonly keys: CacheKey.KeyCodec<K>
  readonly lookup: (key: K) => Effect.Effect<A, E, R>
  /** The lookup's requirements where they were captured; `undefined` where they are left at the call site. */
  readonly context: Context.Context<never> | undefined
  /** Where the lookup takes many keys at once. */
  readonly batch: Lookup<K, A, E, R>[TypeId] | undefined
  readonly revalidate: ((key: K, previous: Previous<A>) => Effect.Effect<Option.Option<A>, E, R>) | undefined
  /** Milliseconds that what is no longer fresh is kept for it. */
  readonly revalidateWithin: number
  readonly retry: Schedule.Schedule<unknown, E> | undefined
  readonly bulkhead: Bulkhead | undefined
  readonly holdOffs: HoldOffs<E> | undefined
  readonly early: Early | undefined
  readonly accesses: Accesses | undefined
  readonly failsafeWhen: ((error: E, key: K) => boolean) | undefined
  readonly settings: Settings
  readonly lifetimes: Lifetimes<K, A, E>
  readonly tags: (value: A, key: K) => ReadonlyArray<string>
  /** The tags that are known before there is a value: all that a kept failure has. */
  readonly keyTags: (key: K) => ReadonlyArray<string>
  /** Of those, the one that is made of the key, if any. */
  readonly groupTags: (key: K) => ReadonlyArray<string>
  readonly when: ((key: K) => boolean) | undefined
  readonly cacheIf: ((exit: Exit.Exit<A, E>, key: K) => boolean) | undefined
  readonly strict: boolean
  /** What the store calls itself. */
  readonly store: string
  readonly region: CacheStore.Region<A, E>
  readonly events: CacheEvents.Service
  /** Counts loads by their keys' groups, where metrics want it and the cache has groups. */
  readonly groupLoads: GroupLoads<K> | undefined
  /** Sees a part of the gets, for `CacheAnalytics`. */
  readonly recorder: Recorder | undefined
}

/** Exactly one of these for each get. */
export type Outcome = "fresh" | "stale" | "loaded" | "joined" | "failsafe" | "bypassed" | "failed"

/** The answer to one get, counted. */
export interface Answer<A, E> {
  readonly exit: Exit.Exit<A, E>
  readonly outcome: Outcome
  readonly entry: CacheEntry.CacheEntry<A, E> | undefined
  readonly tier: number | undefined
}
