/** What can be done with a cache besides getting: writes, invalidations, listings. All through the core's flights and fences. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type * as CacheEntry from "../../CacheEntry.js"
import type * as CacheError from "../../CacheError.js"
import type * as CacheResult from "../../CacheResult.js"
import type * as CacheStore from "../../CacheStore.js"
import * as CacheStats from "../../observe/CacheStats.js"
import { isDigest } from "../keyText.js"
import * as Check from "../options.js"
import type { Core } from "./core.js"
import type { Settings } from "./settings.js"
import { chanceOf } from "../chance.js"
import { unknown } from "./accesses.js"
import { shortened } from "./lifetimes.js"
import { judge, makeEntry, mayFallBackOn } from "./settings.js"
import { steadyMillis } from "../steady.js"

type StoreFailure = CacheError.StoreFailure

export interface SetOptions {
  readonly timeToLive?: Duration.DurationInput | undefined
  readonly tags?: ReadonlyArray<string> | undefined
}

export const getResult = <K, A, E, R>(
  core: Core<K, A, E, R>,
  key: K
): Effect.Effect<CacheResult.CacheResult<A>, E, R> =>
  Effect.withFiberRuntime((fiber) =>
    Effect.flatMap(core.answer(key), ({ entry, exit, outcome, tier }) =>
      Exit.map(exit, (value) => ({
        value,
        outcome,
        age: entry === undefined ? 0 : Math.max(0, core.clock.now(fiber) - entry.createdAt),
        tier: outcome === "loaded" || outcome === "joined" ? undefined : tier,
        freshUntil: entry?.freshUntil
      }))
    )
  )

/** The entry of a key, if the store has one that is not gone. Counts as no get and as no use of a near entry. */
export const peek = <K, A, E, R>(
  core: Core<K, A, E, R>,
  key: K
): Effect.Effect<CacheEntry.CacheEntry<A, E> | undefined, E> =>
  Effect.withFiberRuntime((fiber) => {
    const id = core.encode(key)
    if (typeof id !== "string") return Effect.fail(id as E & CacheError.KeyError)
    const entry = core.definition.region.near?.peek(id, core.clock.now(fiber))
    if (entry !== undefined || core.definition.region.complete) return Effect.succeed(entry)
    return Effect.map(core.loader.read(id), (reading) => reading.found[0]?.entry)
  })

export const getOption = <K, A, E, R>(core: Core<K, A, E, R>, key: K): Effect.Effect<Option.Option<A>, E> =>
  Effect.withFiberRuntime((fiber) =>
    Effect.flatMap(peek(core, key), (entry): Effect.Effect<Option.Option<A>, E> => {
      const verdict = judge(entry, core.settingsOf(fiber), core.clock.now(fiber))
      return entry !== undefined && (verdict === "fresh" || verdict === "stale")
        ? Exit.map(entry.exit, Option.some)
        : Effect.succeedNone
    })
  )

/** What is kept for its source's sake alone is no value that could be had. */
export const has = <K, A, E, R>(core: Core<K, A, E, R>, key: K): Effect.Effect<boolean, E> =>
  Effect.withFiberRuntime((fiber) =>
    Effect.map(
      peek(core, key),
      (entry) => entry !== undefined && mayFallBackOn(entry, core.settingsOf(fiber), core.clock.now(fiber))
    )
  )

/** The synchronous view, where that is all there is. */
const hereOf = <K, A, E, R>({
  definition: { region },
  isClosed
}: Core<K, A, E, R>): CacheStore.LiveView<A, E> | undefined => (region.complete && !isClosed ? region.near : undefined)

/** One event for each operation, once it has been done. */
const tell = <K, A, E, R>(
  { definition: { events, name } }: Core<K, A, E, R>,
  by: "keys" | "tags" | "all" | "clear" | "set",
  count: number
): void => {
  if (events.isHeard) events.publish({ _tag: "Invalidated", cache: name, by, count })
}

const telling = <X, E2, K, A, E, R>(
  core: Core<K, A, E, R>,
  by: "keys" | "tags" | "all" | "clear" | "set",
  count: number,
  effect: Effect.Effect<X, E2>
): Effect.Effect<X, E2> =>
  core.definition.events.isHeard ? Effect.tap(effect, () => Effect.sync(() => tell(core, by, count))) : effect

/** The keys' texts, or what is wrong with the first that cannot be a key. */
const encodeAll = <K, A, E, R>(
  core: Core<K, A, E, R>,
  keys: ReadonlyArray<K>
): ReadonlyArray<string> | CacheError.KeyError => {
  const ids: Array<string> = []
  for (const key of keys) {
    const id = core.encode(key)
    if (typeof id !== "string") return id
    ids.push(id)
  }
  return ids
}

/** What is written for a key: an entry, or nothing where its time to live is none. */
const written = <K, A, E, R>(
  { definition }: Core<K, A, E, R>,
  [key, value]: readonly [K, A],
  id: string,
  options: {
    readonly timeToLive: number | undefined
    readonly tags: ReadonlyArray<string> | undefined
    readonly settings: Settings
    readonly now: number
    readonly chance: () => number
  }
): CacheEntry.CacheEntry<A, E> | undefined => {
  const { now, settings } = options
  const { lifetimes } = definition
  const said = options.timeToLive ?? settings.timeToLive ?? lifetimes.success(value, key, unknown)
  const timeToLive = shortened(said, lifetimes, options.chance)
  const tags =
    options.tags === undefined ? definition.tags(value, key) : [...options.tags, ...definition.groupTags(key)]
  const entry = makeEntry<A, E>({
    exit: Exit.succeed(value),
    startedAt: now,
    endedAt: now,
    timeToLive,
    settings,
    keptFor: definition.revalidateWithin,
    tags: settings.tags.length === 0 ? tags : [...tags, ...settings.tags],
    keyText: isDigest(id) ? definition.keys.textOf(key) : undefined
  })
  return timeToLive > 0 ? entry : undefined
}

/** Explicit values: they win over every load that started before, and a time to live of 0 leaves nothing. */
export const setMany = <K, A, E, R>(
  core: Core<K, A, E, R>,
  pairs: Iterable<readonly [K, A]>,
  options: SetOptions | undefined
): Effect.Effect<void, StoreFailure | CacheError.CodecError | CacheError.InvalidConfig | CacheError.KeyError> => {
  const write = Effect.withFiberRuntime<void, StoreFailure | CacheError.CodecError | CacheError.KeyError>((fiber) => {
    const all = Array.from(pairs)
    const ids = encodeAll(
      core,
      all.map(([key]) => key)
    )
    if (!("length" in ids)) return Effect.fail(ids)
    const timeToLive = options?.timeToLive === undefined ? undefined : Check.millisOf(options.timeToLive)
    const given = {
      timeToLive,
      tags: options?.tags,
      settings: core.settingsOf(fiber),
      now: core.clock.now(fiber),
      chance: () => chanceOf(fiber)
    }
    const entries = all.map((pair, index) => written(core, pair, ids[index]!, given))
    const here = hereOf(core)
    const done =
      here === undefined
        ? core.loader.overtake(ids, writeTo(core.definition.region, ids, entries))
        : core.loader.overtakeHere(ids, (id, index) => {
            const entry = entries[index]
            if (entry === undefined) here.delete(id)
            else here.set(id, entry, undefined)
          })
    return telling(core, "set", ids.length, done)
  })
  return options === undefined
    ? write
    : Effect.zipRight(Check.check(options, { timeToLive: Check.duration, tags: Check.tagList }), write)
}

const writeTo = <A, E>(
  region: CacheStore.Region<A, E>,
  ids: ReadonlyArray<string>,
  entries: ReadonlyArray<CacheEntry.CacheEntry<A, E> | undefined>
): Effect.Effect<void, StoreFailure | CacheError.CodecError> => {
  const gone = ids.filter((_, index) => entries[index] === undefined)
  const writes = ids.flatMap((key, index) => {
    const entry = entries[index]
    return entry === undefined ? [] : [{ key, entry, since: undefined }]
  })
  return Effect.zipRight(
    gone.length === 0 ? Effect.void : region.deleteMany(gone),
    writes.length === 0 ? Effect.void : region.setMany(writes)
  )
}

export const invalidateMany = <K, A, E, R>(
  core: Core<K, A, E, R>,
  keys: Iterable<K>
): Effect.Effect<void, StoreFailure | CacheError.KeyError> =>
  Effect.suspend((): Effect.Effect<void, StoreFailure | CacheError.KeyError> => {
    const ids = encodeAll(core, Array.from(keys))
    return "length" in ids ? invalidateIds(core, ids) : Effect.fail(ids)
  })

/** By the texts of keys, as a store has them. */
export const invalidateIds = <K, A, E, R>(
  core: Core<K, A, E, R>,
  ids: ReadonlyArray<string>
): Effect.Effect<void, StoreFailure> =>
  Effect.suspend(() => {
    const here = hereOf(core)
    if (ids.length === 0) return Effect.void
    const done =
      here === undefined
        ? Effect.asVoid(core.loader.overtake(ids, core.definition.region.deleteMany(ids)))
        : core.loader.overtakeHere(ids, (id) => here.delete(id))
    return telling(core, "keys", ids.length, done)
  })

export const invalidateTags = <K, A, E, R>(
  core: Core<K, A, E, R>,
  tags: ReadonlyArray<string>
): Effect.Effect<void, StoreFailure> =>
  tags.length === 0
    ? Effect.void
    : telling(core, "tags", tags.length, core.loader.overtake(undefined, core.definition.region.invalidateTags(tags)))

/** What is stored stays where it is until it is read, or swept up: so this takes no longer for a million entries. */
export const invalidateAll = <K, A, E, R>(core: Core<K, A, E, R>): Effect.Effect<void, StoreFailure> =>
  Effect.suspend(() => {
    core.definition.holdOffs?.forgetAll()
    return telling(core, "all", 1, core.loader.overtake(undefined, core.definition.region.invalidateAll))
  })

export const clear = <K, A, E, R>(core: Core<K, A, E, R>): Effect.Effect<number, StoreFailure> =>
  Effect.suspend(() => {
    core.definition.holdOffs?.forgetAll()
    return telling(core, "clear", 1, core.loader.overtake(undefined, core.definition.region.clear))
  })

/**
 * The epoch of every tier, and then the entry, for a tiered store that has it near does not ask the farther tier. While
 * somebody else invalidates the key, a nearer tier may still have what a farther one knows to be gone: then nothing.
 */
const readWithEpoch = <K, A, E, R>(core: Core<K, A, E, R>, id: string) =>
  Effect.flatMap(core.definition.region.getMany([]), ({ epoch, failure }) => {
    if (failure !== undefined) return Effect.fail(failure)
    return core.loader.isContested(id)
      ? Effect.succeed({ epoch, found: undefined })
      : Effect.map(core.definition.region.getMany([id]), ({ found }) => ({ epoch, found: found[0] }))
  })

/** Ends the entry's freshness but keeps it for what may still be served stale. */
export const expire = <K, A, E, R>(
  core: Core<K, A, E, R>,
  key: K
): Effect.Effect<void, StoreFailure | CacheError.KeyError> =>
  Effect.suspend((): Effect.Effect<void, StoreFailure | CacheError.KeyError> => {
    const id = core.encode(key)
    return typeof id === "string" ? expireId(core, id) : Effect.fail(id)
  })

export const expireId = <K, A, E, R>(core: Core<K, A, E, R>, id: string): Effect.Effect<void, StoreFailure> =>
  Effect.suspend((): Effect.Effect<void, StoreFailure> => {
    return core.loader.overtake(
      [id],
      Effect.flatMap(readWithEpoch(core, id), ({ epoch, found }) =>
        Effect.flatMap(steadyMillis, (now) => {
          if (found === undefined) return Effect.asVoid(core.definition.region.deleteMany([id]))
          const entry = { ...found.entry, freshUntil: Math.min(found.entry.freshUntil, now) }
          const { revalidateWithin, settings } = core.definition
          const kept = Math.max(settings.staleIfError, settings.staleWhileRevalidate, revalidateWithin)
          const staleUntil = Math.min(entry.staleUntil, entry.freshUntil + kept)
          // held against what happens meanwhile, so that nothing invalidated or replaced comes back
          const write = { key: id, entry: { ...entry, staleUntil }, since: epoch }
          return staleUntil <= now
            ? Effect.asVoid(core.definition.region.deleteMany([id]))
            : // what was read back from the store has been through its codec before
              Effect.catchTag(core.definition.region.setMany([write]), "CodecError", Effect.die)
        })
      )
    )
  })

/** Keys of classes without a Schema cannot be made again from their text and are left out. */
export const entries = <K, A, E, R>(
  core: Core<K, A, E, R>
): Stream.Stream<readonly [K, CacheEntry.CacheEntry<A, E>], StoreFailure> =>
  Stream.filterMap(core.definition.region.entries, ({ entry, key }) =>
    Option.map(core.definition.keys.decode(entry.keyText ?? key), (decoded) => [decoded, entry] as const)
  )

export const stats = <K, A, E, R>(core: Core<K, A, E, R>): Effect.Effect<CacheStats.CacheStats> =>
  Effect.map(
    // a store that cannot be asked for its size must not hide what the cache itself knows
    Effect.orElseSucceed(core.definition.region.sizes, (): ReadonlyArray<CacheStore.TierSize> => []),
    (tiers) =>
      new CacheStats.CacheStats({
        ...core.counters,
        name: core.definition.name,
        loadTimes: core.counters.latencies.buckets,
        inFlight: core.loader.inFlight,
        groups: core.definition.groupLoads?.all ?? [],
        tiers: tiers.map((tier) => new CacheStats.TierSize(tier))
      })
  )

/** A get that reads nothing. What is stored stays until there is something to put in its place. */
export const refresh = <K, A, E, R>(core: Core<K, A, E, R>, key: K): Effect.Effect<A, E, R> =>
  Effect.flatMap(core.answer(key, "reload"), (answer) => answer.exit)
