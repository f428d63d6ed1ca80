/** Rows from one region into another. */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Sink from "effect/Sink"
import * as Stream from "effect/Stream"
import type * as CacheError from "../../CacheError.js"
import type * as CacheStore from "../../CacheStore.js"
import * as Envelope from "../../codec/Envelope.js"
import type { Compared, Copied } from "../../StoreAdmin.js"
import { steadyMillis } from "../steady.js"

type Failing<A> = Effect.Effect<A, CacheError.StoreFailure>
type Rows = ReadonlyArray<CacheStore.Row>

/** Bytes of a batch at most; each row counts for so many more, which bounds their number as well. */
const batchBytes = 16 * 2 ** 20
const rowBytes = 32 * 2 ** 10

export const sizeOf = (engine: CacheStore.Engine, now: number) =>
  engine.size?.(now) ??
  Stream.runFold(engine.scan, { entries: 0, bytes: 0 }, (sum, row) =>
    row.reclaimAt > now ? { entries: sum.entries + 1, bytes: sum.bytes + row.bytes.byteLength } : sum
  )

type Inspected = Pick<CacheStore.InspectedRow, "row" | "outdatedBy"> & { readonly epoch: number | undefined }

/** What an engine knows of a row; where it does not tell more, what is outdated is not there. */
export const inspect = (engine: CacheStore.Engine, key: string): Failing<Option.Option<Inspected>> => {
  const asked: Failing<Inspected | undefined> =
    engine.inspect?.(key) ??
    Effect.map(engine.getMany([key]), ({ rows: [row] }) => row && { row, epoch: undefined, outdatedBy: undefined })
  return Effect.map(asked, Option.fromNullable)
}

const isSame = (a: Uint8Array, b: Uint8Array): boolean =>
  a.byteLength === b.byteLength && a.every((byte, index) => byte === b[index])

const sameIn = (rows: Rows, there: ReadonlyArray<CacheStore.Row | undefined>): number =>
  rows.filter((row, index) => there[index] !== undefined && isSame(row.bytes, there[index].bytes)).length

const createdAt = (row: CacheStore.Row): number =>
  Either.match(Envelope.header(row.bytes), { onLeft: () => Number.NaN, onRight: (header) => header.createdAt })

/** Where the age of one of them is not known, what is there stays. */
const isYounger = (row: CacheStore.Row, than: CacheStore.Row): boolean => createdAt(row) > createdAt(than)

export type Counts = Omit<Copied, "name" | "total">
export const none: Counts = { seen: 0, copied: 0, present: 0, kept: 0, over: 0 }
export const plus = (one: Counts, other: Counts): Counts => ({
  seen: one.seen + other.seen,
  copied: one.copied + other.copied,
  present: one.present + other.present,
  kept: one.kept + other.kept,
  over: one.over + other.over
})

/** As loads of this moment: what is invalidated or set meanwhile wins over them. */
export const put = (to: CacheStore.Engine, from: Rows): Failing<Counts> =>
  Effect.gen(function* () {
    const now = yield* steadyMillis
    const good = from.filter(({ reclaimAt }) => reclaimAt > now)
    const { epoch, rows } = yield* to.getMany(good.map(({ key }) => key))
    // what is over keeps no place
    const there = rows.map((row) => (row !== undefined && row.reclaimAt > now ? row : undefined))
    const wanted = good.filter((row, index) => there[index] === undefined || isYounger(row, there[index]))
    const present = sameIn(good, there)
    if (wanted.length > 0) yield* to.setMany(wanted.map((row) => ({ ...row, since: epoch })))
    return {
      seen: from.length,
      copied: wanted.length,
      present,
      kept: good.length - wanted.length - present,
      over: from.length - good.length
    }
  })

/** In batches that fit memory, whatever the rows' sizes. */
export const batched = <Row extends { readonly bytes: Uint8Array }, E, R>(
  rows: Stream.Stream<Row, E, R>
): Stream.Stream<ReadonlyArray<Row>, E, R> =>
  Stream.map(
    Stream.transduce(
      rows,
      Sink.foldWeighted({
        initial: Chunk.empty<Row>(),
        maxCost: batchBytes,
        cost: (_, row) => row.bytes.byteLength + rowBytes,
        body: (batch, row) => Chunk.append(batch, row)
      })
    ),
    Chunk.toReadonlyArray
  ).pipe(Stream.filter((rows) => rows.length > 0))

/** Puts rows, and tells after each batch what has become of them so far. */
export const into = <E, R>(
  name: string,
  to: CacheStore.Engine,
  rows: Stream.Stream<CacheStore.Row, E, R>,
  total: number | undefined
): Stream.Stream<Copied, E | CacheError.StoreFailure, R> =>
  batched(rows).pipe(
    Stream.mapEffect((batch) => put(to, batch)),
    Stream.scan(none, plus),
    Stream.map((counts) => ({ name, ...counts, total }))
  )

export const all = (
  name: string,
  from: CacheStore.Engine,
  to: CacheStore.Engine
): Stream.Stream<Copied, CacheError.StoreFailure> =>
  Stream.unwrap(
    Effect.flatMap(steadyMillis, (now) =>
      Effect.map(from.size?.(now) ?? Effect.succeed(undefined), (size) => into(name, to, from.scan, size?.entries))
    )
  )

export const compare = (name: string, from: CacheStore.Engine, to: CacheStore.Engine): Failing<Compared> =>
  batched(from.scan).pipe(
    Stream.mapEffect((batch) =>
      Effect.gen(function* () {
        const now = yield* steadyMillis
        const good = batch.filter(({ reclaimAt }) => reclaimAt > now)
        const { rows } = yield* to.getMany(good.map(({ key }) => key))
        const missing = rows.filter((row) => row === undefined).length
        const same = sameIn(good, rows)
        return { entries: good.length, same, missing, different: good.length - same - missing }
      })
    ),
    Stream.runFold({ entries: 0, same: 0, different: 0, missing: 0 }, (sum, one) => ({
      entries: sum.entries + one.entries,
      same: sum.same + one.same,
      different: sum.different + one.different,
      missing: sum.missing + one.missing
    })),
    Effect.map((counts) => ({ name, ...counts }))
  )
