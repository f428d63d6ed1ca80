/** What the parts of a cache's machinery share: the decoded definition of one cache. */
import type * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as CacheEntry from "../../CacheEntry.js"
import type * as CacheKey from "../../CacheKey.js"
import type * as CacheStore from "../../CacheStore.js"
import type * as CacheEvents from "../../observe/CacheEvents.js"
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
  readonly settings: Settings
  /** Milliseconds that a success, or a failure, may be kept; 0 for not at all. May throw: then the load is a defect. */
  readonly timeToLive: (value: A, key: K) => number
  readonly failureTimeToLive: (error: E, key: K) => number
  readonly tags: (value: A, key: K) => ReadonlyArray<string>
  /** Of kept failures: the tags that are known before there is a value. */
  readonly failureTags: ReadonlyArray<string>
  readonly when: ((key: K) => boolean) | undefined
  readonly cacheIf: ((exit: Exit.Exit<A, E>, key: K) => boolean) | undefined
  readonly strict: boolean
  readonly region: CacheStore.Region<A, E>
  readonly events: CacheEvents.Service
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
