/** The six operations of `CacheStore.Engine` over one region of a SQLite database. */
import type { SqlError } from "@effect/sql/SqlError"
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type * as CacheError from "../../CacheError.js"
import type * as CacheStore from "../../CacheStore.js"
import type { Columns, Connection } from "./connection.js"
import * as Schema from "./schema.js"

const scanPage = 64

/** A sweep begins after this many rows were written, and looks at this many times as many. */
const sweepAfter = 64
const sweepRatio = 2

/** What a store looks at when it opens, so that processes too short-lived to sweep do not leave it all to others. */
export const sweepAtOpening = 1024

/** Tags are counted only now and then, so that invalidating one stays O(1). */
const countTagsAfter = 256

/** Bytes given to one statement; larger batches take several, in one transaction. */
const maxStatementBytes = 16 * 1024 * 1024

/**
 * Where the fence of a key is kept. Part of the schema: every process must find the same slot. A sample of at most 64
 * characters will do, for a collision costs one load at most.
 */
const slotOf = (key: string): number => {
  const { length } = key
  const step = length > 32 ? length >>> 5 : 1
  let hash = 0x811c9dc5 ^ length
  for (let index = 0; index < length; index += step) hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193)
  // the last characters differ most often, and a stride may step over them
  for (let index = Math.max(0, length - 8); index < length; index++) {
    hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193)
  }
  return ((hash >>> 16) ^ hash) & (Schema.slots - 1)
}

/**
 * Region names and tags may be any string; SQLite's text is UTF-8. Escaped as in JSON, no two of them meet, and most
 * stay as they are.
 */
const escape = (text: string): string => JSON.stringify(text).slice(1, -1)
const encodeTags = (tags: ReadonlyArray<string>): string | null =>
  tags.length === 0 ? null : JSON.stringify(tags.map(escape))

const parse = Option.liftThrowable((text: string): unknown => JSON.parse(text))

/** What does not parse cannot come from here: SQL has sorted it out already. */
const unescape = (text: string): string =>
  text.includes("\\") ? Option.match(parse(`"${text}"`), { onNone: () => text, onSome: String }) : text

const decodeTags = (text: unknown): ReadonlyArray<string> => {
  if (typeof text !== "string") return []
  const tags = Option.getOrUndefined(parse(text))
  return Array.isArray(tags) ? tags.map((tag) => unescape(String(tag))) : []
}

const toRow = (columns: Columns): CacheStore.Row | undefined => {
  const { key, reclaimAt, tags, value } = columns
  return typeof key === "string" && value instanceof Uint8Array
    ? {
      key,
      // a plain view: Buffer's own `slice` shares memory, which a codec need not expect
      bytes: new Uint8Array(value.buffer, value.byteOffset, value.byteLength),
      tags: decodeTags(tags),
      reclaimAt: typeof reclaimAt === "number" ? reclaimAt : Infinity
    }
    : undefined
}

const numberIn = (rows: ReadonlyArray<Columns>, column: string): number => Number(rows[0]?.[column] ?? 0)

interface Batch {
  readonly rows: ReadonlyArray<CacheStore.RowWrite>
  readonly bytes: number
}

const batches = (rows: ReadonlyArray<CacheStore.RowWrite>): ReadonlyArray<Batch> => {
  const all: Array<Batch> = []
  let current: Array<CacheStore.RowWrite> = []
  let bytes = 0
  for (const row of rows) {
    if (current.length > 0 && bytes + row.bytes.byteLength > maxStatementBytes) {
      all.push({ rows: current, bytes })
      current = []
      bytes = 0
    }
    current.push(row)
    bytes += row.bytes.byteLength
  }
  if (current.length > 0) all.push({ rows: current, bytes })
  return all
}

/** The parameters of `Schema.write`; places in SQL count from 1. */
const writeParameters = (region: number, batch: Batch, epoch: number | undefined) => {
  const only = batch.rows.length === 1 ? batch.rows[0]!.bytes : undefined
  const bytes = only ?? new Uint8Array(batch.bytes)
  let start = 0
  const rows = batch.rows.map((row) => {
    if (only === undefined) bytes.set(row.bytes, start)
    const place = start + 1
    start += row.bytes.byteLength
    // what JSON cannot say (Infinity) becomes null, which here means never
    return [
      row.key,
      epoch ?? row.since,
      row.reclaimAt,
      encodeTags(row.tags),
      place,
      row.bytes.byteLength,
      slotOf(row.key)
    ]
  })
  return { region, rows: JSON.stringify(rows), bytes }
}

/**
 * Deletes what will never be served again among the next `rows` rows, wherever they belong. Each row written pays for
 * looking at two, so the cursor has been through the whole table after half as many writes as it has rows: what may be
 * reclaimed never comes to more than what may not, plus what was reclaimable from the start. The cursor is in the
 * database: processes take turns.
 */
const sweep = ({ execute }: Connection, rows: number, now: number): Effect.Effect<void, SqlError> =>
  Effect.gen(function*() {
    const from = numberIn(yield* execute(Schema.sweepPosition, []), "position")
    const end = yield* execute(Schema.sweepEnd, [from, rows - 1])
    const to = end.length === 0 ? Number.MAX_SAFE_INTEGER : numberIn(end, "id")
    yield* execute(Schema.reclaim, [{ from, to, now }])
    yield* execute(Schema.moveSweep, [end.length === 0 ? 0 : to])
  })

/** Looks for rows to reclaim. Space is all it is about: if it cannot be had now it will be later. */
export const reclaim = (connection: Connection, rows: number): Effect.Effect<void> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) =>
    Effect.ignore(connection.transaction("reclaim", sweep(connection, rows, now))))

/** The region's number, made at its first opening. Names are never reused, so a number means one region for ever. */
const open = (connection: Connection, name: string): Effect.Effect<number, CacheError.StoreFailure> =>
  connection.run(
    "open",
    Effect.zipRight(
      connection.execute(Schema.openRegion, [escape(name)]),
      Effect.map(connection.execute(Schema.findRegion, [escape(name)]), (rows) => numberIn(rows, "id"))
    )
  )

export const make = (
  connection: Connection,
  name: string
): Effect.Effect<CacheStore.Engine, CacheError.StoreFailure> =>
  Effect.map(open(connection, name), (region) => engine(connection, region))

const engine = (connection: Connection, region: number): CacheStore.Engine => {
  const { execute, run, transaction } = connection
  let writesSinceSweep = 0
  let bumpsSinceCount = countTagsAfter

  const raise = Effect.map(execute(Schema.raiseEpoch, [region]), (rows) => numberIn(rows, "epoch"))

  const fence = (keys: ReadonlyArray<string>, epoch: number) =>
    keys.length > Schema.maxFencedKeys
      ? execute(Schema.raiseFloor, [region])
      : execute(Schema.fence, [{ region, epoch, slots: JSON.stringify(keys.map(slotOf)) }])

  const writeAll = (all: ReadonlyArray<Batch>, epoch: number | undefined) =>
    Effect.forEach(all, (batch) => execute(Schema.write, [writeParameters(region, batch, epoch)]), { discard: true })

  const writeLoaded = (rows: ReadonlyArray<CacheStore.RowWrite>) =>
    Effect.suspend(() => {
      const all = batches(rows)
      return all.length > 1 ? transaction("set", writeAll(all, undefined)) : run("set", writeAll(all, undefined))
    })

  /** Loads first: they are held against what stood before, and give way to the explicit writes beside them. */
  const writeExplicit = (rows: ReadonlyArray<CacheStore.RowWrite>) =>
    Effect.suspend(() => {
      const explicit = rows.filter((row) => row.since === undefined)
      const loaded = batches(rows.filter((row) => row.since !== undefined))
      return transaction(
        "set",
        writeAll(loaded, undefined).pipe(
          Effect.zipRight(raise),
          Effect.tap((epoch) => fence(explicit.map((row) => row.key), epoch)),
          Effect.flatMap((epoch) => writeAll(batches(explicit), epoch))
        )
      )
    })

  const sweepSometimes = (written: number): Effect.Effect<void> =>
    Effect.suspend(() => {
      writesSinceSweep += written
      if (writesSinceSweep < sweepAfter) return Effect.void
      const rows = writesSinceSweep * sweepRatio
      writesSinceSweep = 0
      return reclaim(connection, rows)
    })

  /** Tags beyond the limit are forgotten, oldest first; entries older than the youngest of them are all outdated. */
  const forgetTags = Effect.flatMap(execute(Schema.excessTags, [region]), (rows) => {
    if (rows.length === 0) return Effect.void
    const epoch = numberIn(rows, "epoch")
    return Effect.zipRight(
      execute(Schema.forgetTags, [region, epoch]),
      execute(Schema.raiseTagFloor, [epoch, region])
    )
  })

  const countTags = (bumped: number) =>
    Effect.suspend(() => {
      bumpsSinceCount += bumped
      if (bumpsSinceCount < countTagsAfter) return Effect.void
      bumpsSinceCount = 0
      return forgetTags
    })

  return {
    getMany: (keys) => {
      if (keys.length === 0) {
        return Effect.map(run("get", execute(Schema.readEpoch, [region])), (rows) => ({
          epoch: numberIn(rows, "epoch"),
          rows: []
        }))
      }
      if (keys.length === 1) {
        return Effect.map(run("get", execute(Schema.readOne, [keys[0], region])), (rows) => ({
          epoch: numberIn(rows, "epoch"),
          rows: [rows[0] && toRow(rows[0])]
        }))
      }
      return Effect.map(run("get", execute(Schema.readMany, [JSON.stringify(keys), region])), (rows) => {
        const found = keys.map((): CacheStore.Row | undefined => undefined)
        for (const columns of rows) found[Number(columns["place"])] = toRow(columns)
        return { epoch: numberIn(rows, "epoch"), rows: found }
      })
    },

    setMany: (rows) =>
      rows.length === 0
        ? Effect.void
        : Effect.zipRight(
          rows.every((row) => row.since !== undefined) ? writeLoaded(rows) : writeExplicit(rows),
          sweepSometimes(rows.length)
        ),

    deleteMany: (keys) => {
      if (keys.length === 0) return Effect.succeed(0)
      const parameters = [region, JSON.stringify(keys)]
      return transaction(
        "delete",
        Effect.flatMap(raise, (epoch) => fence(keys, epoch)).pipe(
          Effect.zipRight(execute(Schema.countKeys, parameters)),
          Effect.zipLeft(execute(Schema.deleteKeys, parameters)),
          Effect.map((rows) => numberIn(rows, "count"))
        )
      )
    },

    bump: (tags) =>
      tags.length === 0 ? Effect.void : transaction(
        "invalidateTags",
        Effect.flatMap(
          raise,
          (epoch) => execute(Schema.bump, [{ region, epoch, tags: JSON.stringify(tags.map(escape)) }])
        ).pipe(Effect.zipRight(countTags(tags.length)))
      ),

    clear: transaction(
      "clear",
      Effect.gen(function*() {
        yield* raise
        yield* execute(Schema.raiseFloor, [region])
        const count = numberIn(yield* execute(Schema.countAll, [region]), "count")
        yield* execute(Schema.deleteAll, [region])
        // the floor forbids all that these would have
        yield* execute(Schema.deleteFences, [region])
        yield* execute(Schema.deleteTags, [region])
        return count
      })
    ),

    scan: Stream.paginateChunkEffect("", (after) =>
      Effect.map(
        run("scan", execute(after === "" ? Schema.firstPage : Schema.nextPage, [region, after, scanPage])),
        (rows) => {
          const page = rows.flatMap((columns) => toRow(columns) ?? [])
          const last = rows.length < scanPage ? undefined : page.at(-1)
          return [Chunk.unsafeFromArray(page), Option.map(Option.fromNullable(last), (row) => row.key)]
        }
      )),

    size: (now) =>
      Effect.map(run("size", execute(Schema.size, [region, now])), (rows) => ({
        entries: numberIn(rows, "entries"),
        bytes: numberIn(rows, "bytes")
      }))
  }
}
