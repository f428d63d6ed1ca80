/** How rows, tags and batches of rows are said to SQLite, and heard from it. */
import * as Option from "effect/Option"
import type * as CacheStore from "../../CacheStore.js"
import type { Columns } from "./connection.js"
import type { Marker } from "../internal/mark.js"
import { slotOf } from "../internal/slots.js"
import * as Schema from "./schema.js"

/** Bytes given to one statement; larger batches take several, in one transaction. */
const maxStatementBytes = 16 * 1024 * 1024

/**
 * Region names and tags may be any string; SQLite's text is UTF-8. Escaped as in JSON, no two of them meet, and most
 * stay as they are.
 */
export const escape = (text: string): string => JSON.stringify(text).slice(1, -1)
const encodeTags = (tags: ReadonlyArray<string>): string | null =>
  tags.length === 0 ? null : JSON.stringify(tags.map(escape))

const parse = Option.liftThrowable((text: string): unknown => JSON.parse(text))

/** What does not parse cannot come from here: SQL has sorted it out already. */
export const unescape = (text: string): string =>
  text.includes("\\") ? Option.match(parse(`"${text}"`), { onNone: () => text, onSome: String }) : text

const decodeTags = (text: unknown): ReadonlyArray<string> => {
  if (typeof text !== "string") return []
  const tags = Option.getOrUndefined(parse(text))
  return Array.isArray(tags) ? tags.map((tag) => unescape(String(tag))) : []
}

/** No entry has no bytes: a row that is answered with these is taken for rotten, and removed. */
const rotten = new Uint8Array(0)

/** `key` is what was asked for: the row that was found may say otherwise. */
export const toRow = (mark: Marker, columns: Columns, key: unknown = columns["key"]): CacheStore.Row | undefined => {
  const { reclaimAt, since, tags, value } = columns
  if (typeof key !== "string" || value === null) return undefined
  const isWhole =
    value instanceof Uint8Array && mark(key, Number(since), tags === null ? null : String(tags)) === columns["mark"]
  return {
    key,
    // a plain view: Buffer's own `slice` shares memory, which a codec need not expect
    bytes: isWhole ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength) : rotten,
    tags: decodeTags(tags),
    reclaimAt: typeof reclaimAt === "number" ? reclaimAt : Infinity
  }
}

/** A row with its epoch and what outdates it; see `Schema.inspect`. */
export const inspected = (mark: Marker, columns: Columns, key: string): CacheStore.InspectedRow | undefined => {
  const row = toRow(mark, columns, key)
  if (row === undefined) return undefined
  const epoch = Number(columns["since"])
  const [entryFloor, tagFloor] = [Number(columns["entryFloor"]), Number(columns["tagFloor"])]
  const outdatedBy = (): CacheStore.InspectedRow["outdatedBy"] => {
    if (epoch < entryFloor) return { tag: undefined, epoch: entryFloor }
    const bumped = Option.getOrUndefined(parse(String(columns["bumped"])))
    if (Array.isArray(bumped)) return { tag: unescape(String(bumped[0])), epoch: Number(bumped[1]) }
    return row.tags.length > 0 && epoch < tagFloor ? { tag: row.tags[0], epoch: tagFloor } : undefined
  }
  return { row, epoch, outdatedBy: outdatedBy() }
}

export const numberIn = (rows: ReadonlyArray<Columns>, column: string): number => Number(rows[0]?.[column] ?? 0)

export interface Batch {
  readonly rows: ReadonlyArray<CacheStore.RowWrite>
  readonly bytes: number
}

export const batches = (rows: ReadonlyArray<CacheStore.RowWrite>): ReadonlyArray<Batch> => {
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
export const writeParameters = (region: number, mark: Marker, batch: Batch, epoch: number | undefined) => {
  const only = batch.rows.length === 1 ? batch.rows[0]!.bytes : undefined
  const bytes = only ?? new Uint8Array(batch.bytes)
  let start = 0
  const rows = batch.rows.map((row) => {
    if (only === undefined) bytes.set(row.bytes, start)
    const place = start + 1
    start += row.bytes.byteLength
    const since = epoch ?? row.since ?? 0
    const tags = encodeTags(row.tags)
    const { byteLength } = row.bytes
    // what JSON cannot say (Infinity) becomes null, which here means never
    return [
      row.key,
      since,
      row.reclaimAt,
      tags,
      place,
      byteLength,
      slotOf(row.key, Schema.slots),
      mark(row.key, since, tags)
    ]
  })
  return { region, rows: JSON.stringify(rows), bytes }
}
