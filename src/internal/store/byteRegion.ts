/** A region over a byte engine: adds the codec, the meaning of time, validation, events and spans to its six operations. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type * as CacheError from "../../CacheError.js"
import type * as CacheStore from "../../CacheStore.js"
import type * as Codec from "../../codec/Codec.js"
import type * as CacheEvents from "../../observe/CacheEvents.js"
import { toldKey } from "../tracing.js"
import { steady, steadyMillis } from "../steady.js"
import { endingBy } from "./endingBy.js"
import { observed } from "./observed.js"
import { onOurClock } from "./ourClock.js"

export interface ByteRegionOptions<A, E> {
  readonly store: string
  readonly name: string
  readonly engine: CacheStore.Engine
  readonly codec: Codec.EntryCodec<A, E>
  readonly events: CacheEvents.Service
  /** Milliseconds without a reading after which an entry is gone. */
  readonly timeToIdle: number
  /** Milliseconds that an entry is kept at most from when it came. */
  readonly timeToLive: number
}

/** The part of its idle time after which a reading renews an entry: each time would be a write for each reading. */
const renewAfter = 0.1

/** What is there to be renewed. */
const isUsed = ({ reclaimAt }: CacheStore.Row, { timeToIdle }: { readonly timeToIdle: number }, now: number): boolean =>
  timeToIdle !== Infinity && reclaimAt - now <= timeToIdle * (1 - renewAfter)

/** Not read for too long. An engine's own time is not asked, but where this is what it was told. */
const isIdle = ({ timeToIdle }: { readonly timeToIdle: number }, row: CacheStore.Row, now: number): boolean =>
  timeToIdle !== Infinity && now >= row.reclaimAt

/** Decodes a row; what does not decode is reported, and answered with `undefined`. */
const decodeRow = <A, E>(options: ByteRegionOptions<A, E>, row: CacheStore.Row) => {
  const decoded = options.codec.decode(row.bytes)
  if (Either.isRight(decoded)) return decoded.right
  options.events.publish({
    _tag: "DecodeFailed",
    store: options.store,
    cache: options.name,
    keyHash: toldKey(options.events, row.key),
    error: decoded.left
  })
  return undefined
}

const getMany = <A, E>(
  options: ByteRegionOptions<A, E>,
  keys: ReadonlyArray<string>,
  now: number
): Effect.Effect<CacheStore.Reading<A, E>, CacheError.StoreFailure> =>
  Effect.flatMap(options.engine.getMany(keys), ({ epoch, rows }) => {
    const rotten: Array<string> = []
    const used: Array<CacheStore.RowWrite> = []
    const found = rows.map((row): CacheStore.Found<A, E> | undefined => {
      if (row === undefined || isIdle(options, row, now)) return undefined
      const decoded = decodeRow(options, row)
      if (decoded === undefined) rotten.push(row.key)
      const entry = decoded && onOurClock(decoded, now)
      if (entry !== undefined && isUsed(row, options, now)) {
        used.push({ ...row, reclaimAt: Math.min(entry.staleUntil, now + options.timeToIdle), since: epoch })
      }
      return entry && { entry, store: options.store, tier: 1 }
    })
    if (used.length + rotten.length === 0) return Effect.succeed({ epoch, found, failure: undefined })
    const renewed = used.length === 0 ? Effect.void : Effect.ignore(options.engine.setMany(used)) // what was read is right all the same
    if (rotten.length === 0) return Effect.as(renewed, { epoch, found, failure: undefined })
    // Removing fences the keys, so a load that now fills the gap must start from the epoch after it.
    return Effect.zipRight(renewed, options.engine.deleteMany(rotten)).pipe(
      Effect.zipRight(options.engine.getMany([])),
      Effect.map((after) => ({ epoch: after.epoch, found, failure: undefined }))
    )
  })

const setMany = <A, E>(
  options: ByteRegionOptions<A, E>,
  writes: ReadonlyArray<CacheStore.Write<A, E>>
): Effect.Effect<void, CacheError.StoreFailure | CacheError.CodecError> =>
  Effect.flatMap(steadyMillis, (now) =>
    Effect.flatMap(
      Either.all(
        writes.map((write) => {
          const { key, since } = write
          const entry = endingBy(write.entry, now + options.timeToLive)
          return Either.map(
            options.codec.encode(entry),
            (bytes): CacheStore.RowWrite => ({
              key,
              bytes,
              tags: entry.tags,
              reclaimAt: Math.min(entry.staleUntil, now + options.timeToIdle),
              since: since as number | undefined // an engine's epochs are plain numbers: it never hands out another form
            })
          )
        })
      ),
      (rows) => (rows.length === 0 ? Effect.void : options.engine.setMany(rows))
    )
  )

/** Where the engine does not tell more, what is outdated is not there. */
const inspect = <A, E>(
  options: ByteRegionOptions<A, E>,
  key: string
): Effect.Effect<ReadonlyArray<CacheStore.Inspection<A, E>>, CacheError.StoreFailure> => {
  const { codec, engine, store } = options
  const asked: Effect.Effect<Partial<CacheStore.InspectedRow> | undefined, CacheError.StoreFailure> =
    engine.inspect?.(key) ?? Effect.map(engine.getMany([key]), ({ rows: [row] }) => row && { row })
  return Effect.zipWith(asked, steadyMillis, (found, now) => [
    {
      store,
      tier: 1,
      entry: found?.row && Either.getOrUndefined(codec.decode(found.row.bytes)),
      epoch: found?.epoch,
      outdatedBy: found?.outdatedBy,
      isIdle: found?.row !== undefined && isIdle(options, found.row, now)
    }
  ])
}

/** Rows that may still be served. A listing does not remove what does not decode: reading it will. */
const entries = <A, E>(
  options: ByteRegionOptions<A, E>
): Stream.Stream<CacheStore.Listed<A, E>, CacheError.StoreFailure> =>
  Stream.unwrap(
    Effect.map(steadyMillis, (now) =>
      Stream.filterMap(options.engine.scan, (row) => {
        const entry = isIdle(options, row, now) ? undefined : Either.getOrUndefined(options.codec.decode(row.bytes))
        const ours = entry && onOurClock(entry, now)
        return Option.fromNullable(ours && { key: row.key, entry: ours, bytes: row.bytes.byteLength })
      })
    )
  )

const sizes = <A, E>(
  options: ByteRegionOptions<A, E>
): Effect.Effect<ReadonlyArray<CacheStore.TierSize>, CacheError.StoreFailure> =>
  Effect.flatMap(steadyMillis, (now) =>
    Effect.map(
      options.engine.size?.(now) ??
        Stream.runFold(
          Stream.filter(options.engine.scan, (row) => row.reclaimAt > now),
          { entries: 0, bytes: 0 },
          (sum, row) => ({ entries: sum.entries + 1, bytes: sum.bytes + row.bytes.byteLength })
        ),
      (size) => [{ store: options.store, tier: 1, ...size }]
    )
  )

export const make = <A, E>(options: ByteRegionOptions<A, E>): CacheStore.Region<A, E> => {
  const { engine } = options
  return {
    name: options.name,
    near: undefined,
    complete: false,
    tiers: 1,
    gathers: engine.gathers,
    askedByCallers: engine.askedByCallers,
    getMany: (keys) => observed(options, "get", keys, (fiber) => getMany(options, keys, steady.now(fiber))),
    setMany: (writes) => {
      const keys = writes.map(({ key }) => key)
      return observed(options, "set", keys, () => setMany(options, writes))
    },
    deleteMany: (keys) => observed(options, "delete", keys, () => engine.deleteMany(keys)),
    invalidateTags: (tags) => observed(options, "invalidate_tags", undefined, () => engine.bump(tags)),
    invalidateAll: observed(options, "invalidate_all", undefined, () => engine.outdate ?? Effect.asVoid(engine.clear)),
    clear: observed(options, "clear", undefined, () => engine.clear),
    inspect: (key) => inspect(options, key),
    entries: entries(options),
    sizes: sizes(options)
  }
}
