/**
 * One region over several, each of which has values of its own kind.
 *
 * A key has an entry in one of them: what is written into one is removed from the others, one write of a key after the
 * other. An explicit write fences its key in all of them first, so that no load that began before it is stored anywhere;
 * a load that is dropped leaves what is elsewhere as it is.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Stream from "effect/Stream"
import * as CacheEntry from "../../CacheEntry.js"
import type * as CacheError from "../../CacheError.js"
import type * as CacheStore from "../../CacheStore.js"
import type * as Codec from "../../codec/Codec.js"
import { noEpoch, unknownEpoch } from "../epochs.js"
import { KeyTurns } from "../keyTurns.js"
import { steadyMillis } from "../steady.js"

type Failure = CacheError.StoreFailure
type Entry<A, E> = CacheEntry.CacheEntry<A, E>
type Write<A, E> = CacheStore.Write<A, E>
type Region<A, E> = CacheStore.Region<A, E>

/** Encodes an entry once, though its size is asked for first. */
export const remembering = <A, E>(codec: Codec.EntryCodec<A, E>): Codec.EntryCodec<A, E> => {
  const known = new WeakMap<Entry<A, E>, Uint8Array>()
  return {
    name: codec.name,
    get fingerprint() {
      return codec.fingerprint
    },
    encode: (entry) => {
      const there = known.get(entry)
      if (there !== undefined) return Either.right(there)
      return Either.map(codec.encode(entry), (bytes) => {
        known.set(entry, bytes)
        return bytes
      })
    },
    decode: codec.decode
  }
}

/** Where an entry goes: the place of its part. */
export type Place<A, E> = (entry: Entry<A, E>) => Effect.Effect<number, CacheError.CodecError>

const epochOf = (since: CacheStore.Epoch | undefined, place: number): CacheStore.Epoch | undefined =>
  typeof since === "object" ? since[place] : since

const keysOf = <A, E>(writes: ReadonlyArray<Write<A, E>>): ReadonlyArray<string> => writes.map(({ key }) => key)

/** Writes, each into its part, while nobody else writes the same keys. */
const writer = <A, E>(parts: ReadonlyArray<Region<A, E>>, placeOf: Place<A, E>) => {
  const others = (chosen: number) => parts.filter((_, place) => place !== chosen)

  /** The keys are fenced everywhere, so that no load that began before this is stored anywhere. */
  const setExplicitly = (writes: ReadonlyArray<Write<A, E>>, chosen: number) =>
    Effect.zipRight(
      Effect.forEach(others(chosen), (part) => part.deleteMany(keysOf(writes)), { discard: true }),
      parts[chosen]!.setMany(writes)
    )

  /** What is elsewhere goes only if the load was taken: that it is dropped may be because of what is elsewhere. */
  const setLoaded = (writes: ReadonlyArray<Write<A, E>>, chosen: number) =>
    Effect.gen(function* () {
      const part = parts[chosen]!
      const elsewhere = yield* Effect.forEach(others(chosen), (other) =>
        Effect.map(other.getMany(keysOf(writes)), ({ found }) => ({
          other,
          there: writes.filter((_, index) => found[index] !== undefined)
        }))
      )
      yield* part.setMany(writes.map((write) => ({ ...write, since: epochOf(write.since, chosen) })))
      for (const { other, there } of elsewhere) {
        if (there.length === 0) continue
        const { found } = yield* part.getMany(keysOf(there))
        const taken = there.filter(
          ({ entry }, index) => (found[index]?.entry.createdAt ?? -Infinity) >= entry.createdAt
        )
        if (taken.length > 0) yield* other.deleteMany(keysOf(taken))
      }
    })

  /** Those that go to the same part go there together. */
  return (writes: ReadonlyArray<Write<A, E>>): Effect.Effect<void, Failure | CacheError.CodecError> =>
    Effect.flatMap(
      Effect.forEach(writes, ({ entry }) => placeOf(entry)),
      (places) =>
        Effect.forEach(
          parts.keys(),
          (chosen) => {
            const own = writes.filter((_, index) => places[index] === chosen)
            const explicit = own.filter(({ since }) => since === undefined)
            const loaded = own.filter(({ since }) => since !== undefined)
            return Effect.zipRight(
              loaded.length === 0 ? Effect.void : setLoaded(loaded, chosen),
              explicit.length === 0 ? Effect.void : setExplicitly(explicit, chosen)
            )
          },
          { discard: true }
        )
    )
}

export const make = <A, E>(name: string, parts: ReadonlyArray<Region<A, E>>, placeOf: Place<A, E>): Region<A, E> => {
  const turns = new KeyTurns()
  const offsets = parts.map((_, place) => parts.slice(0, place).reduce((sum, { tiers }) => sum + tiers, 0))
  const moved = <X extends { readonly tier: number }>(rows: ReadonlyArray<X>, place: number): ReadonlyArray<X> =>
    rows.map((row) => ({ ...row, tier: row.tier + offsets[place]! }))
  /** All of them, even if one fails. */
  const each = <X, E2>(use: (part: Region<A, E>, place: number) => Effect.Effect<X, E2>) =>
    Effect.flatMap(
      Effect.forEach(parts, (part, place) => Effect.exit(use(part, place))),
      (exits) => Effect.forEach(exits, (exit) => exit)
    )
  const sum = (counts: ReadonlyArray<number>): number => counts.reduce((total, count) => total + count, 0)

  /** One part after the other, each for what those before it have not. */
  const getMany = (keys: ReadonlyArray<string>): Effect.Effect<CacheStore.Reading<A, E>> =>
    Effect.gen(function* () {
      const now = yield* steadyMillis
      const found: Array<CacheStore.Found<A, E> | undefined> = keys.map(() => undefined)
      const epochs: Array<CacheStore.Epoch> = parts.map(() => noEpoch)
      let failure: Failure | undefined
      for (const [place, part] of parts.entries()) {
        const wanted = keys.flatMap((_, index) => (found[index] === undefined ? [index] : []))
        // what is stale will be loaded, and may belong elsewhere then
        const isDone =
          wanted.length === 0 && found.every((one) => one === undefined || CacheEntry.isFresh(one.entry, now))
        if (isDone && keys.length > 0) break
        const reading = yield* Effect.either(part.getMany(wanted.map((index) => keys[index]!)))
        if (Either.isLeft(reading)) {
          failure ??= reading.left
          epochs[place] = unknownEpoch
        } else {
          failure ??= reading.right.failure
          epochs[place] = reading.right.epoch
          wanted.forEach((index, at) => {
            const one = reading.right.found[at]
            if (one !== undefined) found[index] = { ...one, tier: one.tier + offsets[place]! }
          })
        }
      }
      return { epoch: epochs, found, failure }
    })

  const setMany = writer(parts, placeOf)

  return {
    name,
    near: parts[0]?.near,
    complete: false,
    tiers: parts.reduce((all, { tiers }) => all + tiers, 0),
    gathers: parts.some(({ gathers }) => gathers === true),
    askedByCallers: parts.every(({ askedByCallers }) => askedByCallers === true),
    getMany,
    setMany: (writes) => turns.run(keysOf(writes), setMany(writes)),
    deleteMany: (keys) =>
      turns.run(
        keys,
        Effect.map(
          each((part) => part.deleteMany(keys)),
          sum
        )
      ),
    invalidateTags: (tags) => Effect.asVoid(each((part) => part.invalidateTags(tags))),
    invalidateAll: Effect.asVoid(each((part) => part.invalidateAll)),
    clear: Effect.map(
      each((part) => part.clear),
      sum
    ),
    inspect: (key) =>
      Effect.map(
        each((part) => part.inspect(key)),
        (all) => all.flatMap(moved)
      ),
    entries: parts.map(({ entries }) => entries).reduce((all, entries) => Stream.concat(all, entries)),
    sizes: Effect.map(
      each((part) => part.sizes),
      (all) => all.flatMap(moved)
    )
  }
}
