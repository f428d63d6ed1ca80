/** How long what a load brings may be kept. */
import * as Duration from "effect/Duration"
import type * as CacheConfig from "../../CacheConfig.js"
import type { Access } from "../../CachePolicy.js"
import * as Check from "../options.js"
import { wantsAccess } from "./accesses.js"
import type { Options } from "./options.js"

/** All in milliseconds, 0 for not at all. What a function of the program's answers may make it throw: a bad duration. */
export interface Lifetimes<K, A, E> {
  readonly success: (value: A, key: K, access: Access) => number
  readonly failure: (error: E, key: K) => number
  /** Whatever else is said. */
  readonly longest: number
  /** The part of each life that chance may take away. */
  readonly jitter: number
  /** Whether it goes by the use of a key, which must be counted then. */
  readonly usesAccess: boolean
}

const successOf = <K, A, E, R>(
  { timeToLive }: Options<K, A, E, R>,
  config: CacheConfig.CacheConfig
): Lifetimes<K, A, E>["success"] => {
  const common = Duration.toMillis(config.timeToLive)
  if (typeof timeToLive !== "function") {
    const fixed = timeToLive === undefined ? common : Check.millisOf(timeToLive)
    return () => fixed
  }
  return (value, key, access) => {
    const answer = timeToLive(value, key, access)
    return answer === undefined ? common : Check.durationOf(answer)
  }
}

const tagOf = (error: unknown): string | undefined =>
  typeof error === "object" && error !== null && "_tag" in error && typeof error._tag === "string"
    ? error._tag
    : undefined

const isPerTag = (value: object): value is Readonly<Record<string, Duration.DurationInput | undefined>> =>
  !Duration.isDuration(value) && !Array.isArray(value)

const failureOf = <K, A, E, R>({ failureTimeToLive }: Options<K, A, E, R>): Lifetimes<K, A, E>["failure"] => {
  if (failureTimeToLive === undefined) return () => 0
  if (typeof failureTimeToLive === "function") {
    return (error, key) => Check.durationOf(failureTimeToLive(error, key) ?? 0)
  }
  if (typeof failureTimeToLive === "object" && isPerTag(failureTimeToLive)) {
    const table = new Map(Object.entries(failureTimeToLive))
    return (error) => Check.durationOf(table.get(tagOf(error) ?? "") ?? 0)
  }
  const fixed = Check.millisOf(failureTimeToLive)
  return () => fixed
}

export const lifetimesOf = <K, A, E, R>(
  options: Options<K, A, E, R>,
  config: CacheConfig.CacheConfig
): Lifetimes<K, A, E> => ({
  success: successOf(options, config),
  failure: failureOf(options),
  longest: options.maxTimeToLive === undefined ? Infinity : Check.millisOf(options.maxTimeToLive),
  jitter: options.jitter ?? 0,
  usesAccess: wantsAccess(options.timeToLive)
})

/** What is left of a life: chance and the longest there may be only shorten it. */
export const shortened = (
  millis: number,
  { jitter, longest }: Pick<Lifetimes<never, never, never>, "jitter" | "longest">,
  chance: () => number
): number => {
  const bounded = Math.min(millis, longest)
  return jitter === 0 ? bounded : bounded * (1 - jitter * chance())
}
