/**
 * One region over several: each key has its place in one of them, and what concerns more than keys goes to all.
 *
 * Which one a key belongs to is decided by rendezvous hashing (Thaler and Ravishankar, A Name-Based Mapping Scheme for
 * Rendezvous, 1996): the shard whose name and the key together come to the highest number. Adding or removing a shard
 * moves only the keys of that shard.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type * as CacheError from "../../CacheError.js"
import type * as CacheStore from "../../CacheStore.js"
import { noEpoch, unknownEpoch } from "../epochs.js"

type Failure = CacheError.StoreFailure

/** FNV-1a with a final mix, so that names which differ in one letter do not go together. */
const weigh = (seed: number, text: string): number => {
  let hash = seed
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** Tells the place of each key's shard among the names. */
export const placing = (names: ReadonlyArray<string>): ((key: string) => number) => {
  const seeds = names.map((name) => weigh(0x811c9dc5, name))
  return (key) => {
    let best = 0
    let highest = -1
    seeds.forEach((seed, place) => {
      const weight = weigh(seed, key)
      if (weight > highest) {
        best = place
        highest = weight
      }
    })
    return best
  }
}

export const make = <A, E>(
  name: string,
  shards: ReadonlyArray<CacheStore.Region<A, E>>,
  placeOf: (key: string) => number
): CacheStore.Region<A, E> => {
  /** Side by side: one that is slow or away keeps no other one waiting. All of them, even if one fails. */
  const each = <X, E2>(
    use: (shard: CacheStore.Region<A, E>, place: number) => Effect.Effect<X, E2>
  ): Effect.Effect<ReadonlyArray<X>, E2> =>
    Effect.flatMap(
      Effect.forEach(shards, (shard, place) => Effect.exit(use(shard, place)), { concurrency: "unbounded" }),
      (exits) => Effect.forEach(exits, (exit) => exit)
    )
  const group = <X>(all: ReadonlyArray<X>, keyOf: (one: X) => string): ReadonlyArray<Array<X>> => {
    const groups = shards.map((): Array<X> => [])
    for (const one of all) groups[placeOf(keyOf(one))]!.push(one)
    return groups
  }
  const sum = (counts: ReadonlyArray<number>): number => counts.reduce((total, count) => total + count, 0)
  const itself = (key: string): string => key

  const getMany = (keys: ReadonlyArray<string>): Effect.Effect<CacheStore.Reading<A, E>> => {
    const groups = group(keys, itself)
    // one that is away costs what it has, and not what the others have
    const readings = each((shard, place): Effect.Effect<CacheStore.Reading<A, E> | undefined> => {
      const own = groups[place]!
      return own.length === 0 && keys.length > 0
        ? Effect.succeed(undefined)
        : Effect.catchAll(shard.getMany(own), (failure) =>
            Effect.succeed({ epoch: unknownEpoch, found: own.map(() => undefined), failure })
          )
    })
    return Effect.map(readings, (all) => {
      const places = shards.map(() => 0)
      return {
        epoch: all.map((reading) => reading?.epoch ?? noEpoch),
        found: keys.map((key) => {
          const place = placeOf(key)
          return all[place]?.found[places[place]!++]
        }),
        failure: all.find((reading) => reading?.failure !== undefined)?.failure
      }
    })
  }

  return {
    name,
    near: undefined,
    complete: false,
    tiers: Math.max(...shards.map(({ tiers }) => tiers)),
    gathers: shards.some(({ gathers }) => gathers === true),
    askedByCallers: shards.every(({ askedByCallers }) => askedByCallers === true),
    // one key, the commonest of all, is asked for without ado
    getMany: (keys) => {
      if (keys.length !== 1) return getMany(keys)
      const place = placeOf(keys[0]!)
      return Effect.map(shards[place]!.getMany(keys), (reading) => ({
        ...reading,
        epoch: shards.map((_, index) => (index === place ? reading.epoch : noEpoch))
      }))
    },
    setMany: (writes) => {
      const groups = group(writes, ({ key }) => key)
      return Effect.asVoid(
        each((shard, place): Effect.Effect<void, Failure | CacheError.CodecError> => {
          const own = groups[place]!.map((write) => ({
            ...write,
            since: typeof write.since === "object" ? write.since[place] : write.since
          }))
          return own.length === 0 ? Effect.void : shard.setMany(own)
        })
      )
    },
    deleteMany: (keys) => {
      const groups = group(keys, itself)
      return Effect.map(
        each((shard, place) => (groups[place]!.length === 0 ? Effect.succeed(0) : shard.deleteMany(groups[place]!))),
        sum
      )
    },
    invalidateTags: (tags) => Effect.asVoid(each((shard) => shard.invalidateTags(tags))),
    invalidateAll: Effect.asVoid(each((shard) => shard.invalidateAll)),
    clear: Effect.map(
      each((shard) => shard.clear),
      sum
    ),
    inspect: (key) => shards[placeOf(key)]!.inspect(key),
    entries: shards.map(({ entries }) => entries).reduce((all, entries) => Stream.concat(all, entries)),
    sizes: Effect.map(
      each((shard) => shard.sizes),
      (all) =>
        // one row for each tier, over all shards
        all[0]!.map((first, tier) => ({
          ...first,
          entries: sum(all.map((rows) => rows[tier]?.entries ?? 0)),
          bytes: sum(all.map((rows) => rows[tier]?.bytes ?? 0))
        }))
    )
  }
}
