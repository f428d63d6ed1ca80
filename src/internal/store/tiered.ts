/**
 * One region over two: the nearer answers first and is filled from the farther.
 *
 * Each tier keeps its own epochs, and a tiered epoch is the pair. Two orders make that right without any lock:
 * invalidations go to the farther tier first, and the nearer epoch is taken before the farther tier is read. So if an
 * invalidation is not yet known to the nearer tier when a reading begins, the entry that reading brings is refused by
 * the nearer tier later; and if it is known there, the farther tier knew it before.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import * as CacheEntry from "../../CacheEntry.js"
import type * as CacheError from "../../CacheError.js"
import type * as CacheStore from "../../CacheStore.js"
import { unknownEpoch } from "../epochs.js"
import { steadyMillis } from "../steady.js"

type Reading<A, E> = CacheStore.Reading<A, E>
type Found<A, E> = CacheStore.Found<A, E>

/** A tiered epoch is always a pair made here; an unknown one is unknown for both tiers. */
const part = (epoch: CacheStore.Epoch | undefined, tier: 0 | 1): CacheStore.Epoch | undefined =>
  typeof epoch === "object" ? epoch[tier] : epoch

/** A tier that cannot be read counts as empty, and as one that nothing may be written to on account of this reading. */
const readOrEmpty = <A, E>(
  region: CacheStore.Region<A, E>,
  keys: ReadonlyArray<string>
): Effect.Effect<Reading<A, E>> =>
  Effect.catchAll(region.getMany(keys), (failure) =>
    Effect.succeed({ epoch: unknownEpoch, found: keys.map(() => undefined), failure })
  )

const newest = <A, E>(near: Found<A, E> | undefined, far: Found<A, E> | undefined): Found<A, E> | undefined =>
  far === undefined || (near !== undefined && near.entry.createdAt >= far.entry.createdAt) ? near : far

interface Tiers<A, E> {
  readonly near: CacheStore.Region<A, E>
  readonly far: CacheStore.Region<A, E>
}

/** Asks the farther tier for what the nearer has not, or only stale, and fills the nearer with what is newer. */
const readFar = <A, E>(
  { far, near }: Tiers<A, E>,
  keys: ReadonlyArray<string>,
  first: Reading<A, E>,
  wanted: ReadonlyArray<number>
): Effect.Effect<Reading<A, E>> =>
  Effect.flatMap(
    readOrEmpty(
      far,
      wanted.map((index) => keys[index]!)
    ),
    (second) => {
      const found = [...first.found]
      const backfill: Array<CacheStore.Write<A, E>> = []
      wanted.forEach((index, place) => {
        const theirs = second.found[place]
        const best = newest(first.found[index], theirs && { ...theirs, tier: theirs.tier + near.tiers })
        if (best !== undefined && best !== first.found[index]) {
          found[index] = best
          backfill.push({ key: keys[index]!, entry: best.entry, since: first.epoch })
        }
      })
      const reading: Reading<A, E> = {
        epoch: [first.epoch, second.epoch],
        found,
        failure: second.failure ?? first.failure
      }
      return backfill.length === 0
        ? Effect.succeed(reading)
        : Effect.match(near.setMany(backfill), {
            onSuccess: () => reading,
            // the answer is right all the same, and the next reading of the nearer tier reports its trouble
            onFailure: () => reading
          })
    }
  )

const getMany = <A, E>(tiers: Tiers<A, E>, keys: ReadonlyArray<string>): Effect.Effect<Reading<A, E>> =>
  Effect.flatMap(steadyMillis, (now) =>
    Effect.flatMap(readOrEmpty(tiers.near, keys), (first) => {
      const wanted: Array<number> = []
      first.found.forEach((found, index) => {
        if (found === undefined || !CacheEntry.isFresh(found.entry, now)) wanted.push(index)
      })
      return wanted.length === 0 && keys.length > 0
        ? Effect.succeed({ ...first, epoch: [first.epoch, unknownEpoch] })
        : readFar(tiers, keys, first, wanted)
    })
  )

/** Both, farther first, even if the first fails; then whichever failure came first. */
const both = <A, E1, E2>(
  far: Effect.Effect<A, E1>,
  near: Effect.Effect<A, E2>,
  combine: (far: A, near: A) => A
): Effect.Effect<A, E1 | E2> =>
  Effect.flatMap(Effect.exit(far), (first) =>
    Effect.flatMap(near, (second) => Exit.map(first, (value) => combine(value, second)))
  )

const setMany = <A, E>(
  { far, near }: Tiers<A, E>,
  writes: ReadonlyArray<CacheStore.Write<A, E>>
): Effect.Effect<void, CacheError.StoreFailure | CacheError.CodecError> => {
  // what a tier would drop for not knowing its epoch it is not asked to write: it may be down
  const forTier = (tier: 0 | 1) =>
    writes.flatMap((write) => {
      const since = part(write.since, tier)
      return since === unknownEpoch ? [] : [{ ...write, since }]
    })
  const farther = forTier(1)
  return Effect.flatMap(Effect.exit(farther.length === 0 ? Effect.void : far.setMany(farther)), (exit) =>
    // what the Schema refuses is stored nowhere; what only the farther tier cannot keep is kept in the nearer
    Exit.isFailure(exit) && exit.cause._tag === "Fail" && exit.cause.error._tag === "CodecError"
      ? exit
      : Effect.zipRight(near.setMany(forTier(0)), exit)
  )
}

const entries = <A, E>({ far, near }: Tiers<A, E>): Stream.Stream<CacheStore.Listed<A, E>, CacheError.StoreFailure> =>
  Stream.suspend(() => {
    const seen = new Set<string>() // at most what the nearer tier holds
    return Stream.concat(
      Stream.tap(near.entries, (row) => Effect.sync(() => seen.add(row.key))),
      Stream.filter(far.entries, (row) => !seen.has(row.key))
    )
  })

export const make = <A, E>(
  name: string,
  near: CacheStore.Region<A, E>,
  far: CacheStore.Region<A, E>
): CacheStore.Region<A, E> => {
  const tiers: Tiers<A, E> = { near, far }
  return {
    name,
    near: near.near,
    complete: false,
    tiers: near.tiers + far.tiers,
    gathers: near.gathers === true || far.gathers === true,
    askedByCallers: near.askedByCallers === true && far.askedByCallers === true,
    getMany: (keys) => getMany(tiers, keys),
    setMany: (writes) => setMany(tiers, writes),
    deleteMany: (keys) => both(far.deleteMany(keys), near.deleteMany(keys), Math.max),
    invalidateTags: (tags) => both(far.invalidateTags(tags), near.invalidateTags(tags), () => undefined),
    invalidateAll: both(far.invalidateAll, near.invalidateAll, () => undefined),
    clear: both(far.clear, near.clear, Math.max),
    inspect: (key) =>
      Effect.zipWith(near.inspect(key), far.inspect(key), (first, second) => [
        ...first,
        ...second.map((one) => ({ ...one, tier: one.tier + near.tiers }))
      ]),
    entries: entries(tiers),
    sizes: Effect.zipWith(near.sizes, far.sizes, (first, second) => [
      ...first,
      ...second.map((size) => ({ ...size, tier: size.tier + near.tiers }))
    ])
  }
}
