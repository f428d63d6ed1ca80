/** What a finished load means: what those who wait get, and what is kept. */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import { isDigest } from "../keyText.js"
import type * as CacheEntry from "../../CacheEntry.js"
import type { Landing, Load } from "./flight.js"
import type { Definition } from "./model.js"
import { makeEntry } from "./settings.js"

/** A failure that has no life of its own is answered by what was there before, if that may still be used. */
export const fallBack = <K, A, E>(flight: Load<K, A, E>, exit: Exit.Exit<A, E>, now: number): Landing<A, E> => {
  const entry = flight.previous
  // a lookup that was interrupted by something of its own has failed like any other; one that we brought down has not
  const broughtDown = flight.detached && Exit.isFailure(exit) && Cause.isInterrupted(exit.cause)
  return entry !== undefined && !broughtDown && now < entry.staleUntil
    ? { exit: entry.exit, how: "failsafe", entry, tier: 1 }
    : { exit, how: "failed", entry: undefined, tier: 1 }
}

/** Milliseconds that this Exit may be kept. Only a single typed failure can have a life of its own; a defect never. */
const lifetime = <K, A, E, R>(
  definition: Definition<K, A, E, R>,
  { key, settings }: Load<K, A, E>,
  exit: Exit.Exit<A, E>
): number => {
  if (definition.cacheIf?.(exit, key) === false) return 0
  if (Exit.isSuccess(exit)) return settings.timeToLive ?? definition.timeToLive(exit.value, key)
  return Cause.isFailType(exit.cause) ? definition.failureTimeToLive(exit.cause.error, key) : 0
}

export const conclude = <K, A, E, R>(
  definition: Definition<K, A, E, R>,
  flight: Load<K, A, E>,
  exit: Exit.Exit<A, E>,
  endedAt: number
): { readonly landing: Landing<A, E>; readonly entry: CacheEntry.CacheEntry<A, E> | undefined } => {
  try {
    const timeToLive = lifetime(definition, flight, exit)
    if (Exit.isFailure(exit) && timeToLive <= 0) return { landing: fallBack(flight, exit, endedAt), entry: undefined }
    const own = Exit.isSuccess(exit) ? definition.tags(exit.value, flight.key) : definition.failureTags
    const entry = makeEntry({
      exit,
      startedAt: flight.startedAt,
      endedAt,
      timeToLive,
      settings: flight.settings,
      tags: flight.settings.tags.length === 0 ? own : [...own, ...flight.settings.tags],
      keyText: isDigest(flight.id) ? definition.keys.textOf(flight.key) : undefined
    })
    const kept = timeToLive > 0 && endedAt < entry.staleUntil ? entry : undefined
    const how = Exit.isSuccess(exit) ? "loaded" : "failed"
    return { landing: { exit, how, entry: kept, tier: 1 }, entry: kept }
  } catch (defect) {
    // a throwing `timeToLive`, `tags` or `cacheIf` is this load's defect: all who wait see it, and nothing hangs
    return { landing: { exit: Exit.die(defect), how: "failed", entry: undefined, tier: 1 }, entry: undefined }
  }
}

/** A success that is not to be kept replaces what was kept before, or may have been where nobody looked: by nothing. */
export const replacesByNothing = <K, A, E>({ previous, settings }: Load<K, A, E>, exit: Exit.Exit<A, E>): boolean =>
  Exit.isSuccess(exit) && (previous !== undefined || settings.mode !== "default")
