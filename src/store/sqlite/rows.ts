/** How rows, tags and batches of rows are said to SQLite, and heard from it. */
import * as Option from "effect/Option"
import type * as CacheStore from "../../CacheStore.js"
import type { Marker } from "../internal/mark.js"
import type { Values } from "./reading.js"
import type { Columns } from "./statements.js"

/**
 * Region names and tags may be any string; SQLite's text is UTF-8. Escaped as in JSON, no two of them meet, and most
 * stay as they are.
 */
export const escape = (text: string): string => (/["\\\p{C}]/u.test(text) ? JSON.stringify(text).slice(1, -1) : text)
const encodeTags = (tags: ReadonlyArray<string>): string | null =>
  tags.length === 0 ? null : JSON.stringify(tags.map(escape))

const parse = Option.liftThrowable((text: string): unknown => JSON.parse(text))

/** What does not parse cannot come from here: SQL has sorted it out already. */
export const unescape = (text: string): string =>
  text.includes("\\") ? Option.match(parse(`"${text}"`), { onNone: () => text, onSome: String }) : text

const none: ReadonlyArray<string> = []

const decodeTags = (text: unknown): ReadonlyArray<string> => {
  if (typeof text !== "string") return none
  const tags = Option.getOrUndefined(parse(text))
  return Array.isArray(tags) ? tags.map((tag) => unescape(String(tag))) : none
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

/** What `Schema.readOne` and `readMany` answer with, after the epoch. */
export const contentOf = (values: Values): Columns => ({
  value: values[1],
  tags: values[2],
  reclaimAt: values[3],
  since: values[4],
  mark: values[5]
})

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

/** Adds a row to the parameters of `Schema.put` or `Schema.putLoaded`, in their order. */
export const addParameters = (
  parameters: Array<unknown>,
  region: number,
  mark: Marker,
  { bytes, key, reclaimAt, tags }: CacheStore.Row,
  epoch: number
): void => {
  const encoded = encodeTags(tags)
  // no time at all means never
  const until = reclaimAt === Infinity ? null : reclaimAt
  parameters.push(region, key, epoch, until, encoded, mark(key, epoch, encoded), bytes)
}
