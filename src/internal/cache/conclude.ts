/** What a finished load means: what those who wait get, and what is kept. */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as CacheError from "../../CacheError.js"
import { isDigest } from "../keyText.js"
import type * as CacheEntry from "../../CacheEntry.js"
import type { Landing, Load } from "./flight.js"
import type { Definition } from "./model.js"
import { unknown } from "./accesses.js"
import { shortened } from "./lifetimes.js"
import { makeEntry, mayFallBackOn } from "./settings.js"

/** Whether this failure may be answered with something older. What the machinery adds to `E` always may. */
const isCovered = <K, A, E, R>(
  { failsafeWhen }: Pick<Definition<K, A, E, R>, "failsafeWhen">,
  { key }: Load<K, A, E>,
  exit: Exit.Exit<A, E>
): boolean => {
  if (failsafeWhen === undefined || Exit.isSuccess(exit) || !Cause.isFailType(exit.cause)) return true
  const { error } = exit.cause
  return error instanceof CacheError.LoadTimeout || error instanceof CacheError.LoadRejected || failsafeWhen(error, key)
}

/** A failure that has no life of its own is answered by what was there before, if that may still be used. */
export const fallBack = <K, A, E, R>(
  definition: Pick<Definition<K, A, E, R>, "failsafeWhen">,
  flight: Load<K, A, E>,
  exit: Exit.Exit<A, E>,
  now: number
): Landing<A, E> => {
  const entry = flight.previous
  // a lookup that was interrupted by something of its own has failed like any other; one that we brought down has not
  const broughtDown = flight.detached && Exit.isFailure(exit) && Cause.isInterrupted(exit.cause)
  return entry !== undefined &&
    !broughtDown &&
    mayFallBackOn(entry, flight.settings, now) &&
    isCovered(definition, flight, exit)
    ? { exit: entry.exit, how: "failsafe", entry, tier: 1 }
    : { exit, how: "failed", entry: undefined, tier: 1 }
}

/** Milliseconds that this Exit may be kept. Only a single typed failure can have a life of its own; a defect never. */
const lifetime = <K, A, E, R>(
  { accesses, cacheIf, lifetimes }: Definition<K, A, E, R>,
  { id, key, settings, startedAt }: Load<K, A, E>,
  exit: Exit.Exit<A, E>
): number => {
  if (cacheIf?.(exit, key) === false) return 0
  if (Exit.isSuccess(exit)) {
    const access = accesses?.loaded(id, startedAt) ?? unknown
    return settings.timeToLive ?? lifetimes.success(exit.value, key, access)
  }
  return Cause.isFailType(exit.cause) ? lifetimes.failure(exit.cause.error, key) : 0
}

/** A refresh that nothing forced is no reason to give up a good value for a failure, even one that has a life. */
const keepsWhatIsThere = <K, A, E>({ known, settings }: Load<K, A, E>, now: number): boolean =>
  settings.mode === "reload" || (known !== undefined && Exit.isSuccess(known.exit) && now < known.freshUntil)

export const conclude = <K, A, E, R>(
  definition: Definition<K, A, E, R>,
  flight: Load<K, A, E>,
  exit: Exit.Exit<A, E>,
  endedAt: number,
  chance: () => number
): { readonly landing: Landing<A, E>; readonly entry: CacheEntry.CacheEntry<A, E> | undefined } => {
  try {
    const timeToLive = shortened(lifetime(definition, flight, exit), definition.lifetimes, chance)
    if (Exit.isFailure(exit) && (timeToLive <= 0 || keepsWhatIsThere(flight, endedAt))) {
      return { landing: fallBack(definition, flight, exit, endedAt), entry: undefined }
    }
    const own = Exit.isSuccess(exit) ? definition.tags(exit.value, flight.key) : definition.keyTags(flight.key)
    const entry = makeEntry({
      exit,
      startedAt: flight.startedAt,
      endedAt,
      timeToLive,
      settings: flight.settings,
      keptFor: definition.revalidateWithin,
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
