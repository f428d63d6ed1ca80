/** An entry as a file: one line of JSON that tells what it is, then its bytes. */
import * as Effect from "effect/Effect"
import { promisify } from "node:util"
import * as zlib from "node:zlib"
import type * as CacheStore from "../../CacheStore.js"
import type { Marker } from "../internal/mark.js"

const gzip = promisify(zlib.gzip)
const gunzip = promisify(zlib.gunzip)

/** Smaller bytes are not worth compressing. */
export const threshold = 1_024

/** What is read of a file to know what it is, unless its key is longer. */
export const firstRead = 4_096

const newline = 10

/** What a file says of itself. */
export interface Head {
  readonly incarnation: string
  readonly epoch: number
  readonly reclaimAt: number
  readonly form: "plain" | "gzip"
  readonly key: string
  readonly tags: ReadonlyArray<string>
  /** Where its bytes begin. */
  readonly start: number
}

const markOf = (mark: Marker, { epoch, form, incarnation, key, reclaimAt, tags }: Omit<Head, "start">): number =>
  mark(key, epoch, JSON.stringify([incarnation, reclaimAt, form, tags]))

export const encode = (
  mark: Marker,
  row: CacheStore.Row,
  place: { readonly incarnation: string; readonly epoch: number; readonly compress: boolean }
): Effect.Effect<Uint8Array> =>
  Effect.map(
    place.compress && row.bytes.byteLength >= threshold
      ? Effect.promise(() => gzip(row.bytes))
      : Effect.succeed(undefined),
    (compressed) => {
      const { epoch, incarnation } = place
      const { key, reclaimAt, tags } = row
      // what does not get smaller stays as it is
      const isSmaller = compressed !== undefined && compressed.byteLength < row.bytes.byteLength
      const form = isSmaller ? "gzip" : "plain"
      const body = isSmaller ? compressed : row.bytes
      const marked = markOf(mark, { incarnation, epoch, reclaimAt, form, key, tags })
      // JSON has no Infinity, and escapes what UTF-8 could not hold
      const until = reclaimAt === Infinity ? null : reclaimAt
      const head = Buffer.from(`${JSON.stringify(["larder", 1, marked, incarnation, epoch, until, form, key, tags])}\n`)
      return Buffer.concat([head, body])
    }
  )

const isTags = (tags: unknown): tags is ReadonlyArray<string> =>
  Array.isArray(tags) && tags.every((tag) => typeof tag === "string")

const isForm = (form: unknown): form is Head["form"] => form === "plain" || form === "gzip"

/** What the beginning of a file says; `undefined` if it is none of ours, or not whole; "more" if it goes on. */
export const decodeHead = (mark: Marker, bytes: Uint8Array): Head | "more" | undefined => {
  const end = bytes.indexOf(newline)
  if (end < 0) return bytes[0] === 0x5b ? "more" : undefined
  try {
    const line: unknown = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, end).toString())
    if (!Array.isArray(line) || line[0] !== "larder" || line[1] !== 1) return undefined
    const [, , marked, incarnation, epoch, until, form, key, tags] = line as ReadonlyArray<unknown>
    if (typeof incarnation !== "string" || typeof epoch !== "number" || typeof key !== "string") return undefined
    if (!isForm(form) || !isTags(tags)) return undefined
    const reclaimAt = typeof until === "number" ? until : Infinity
    const head = { incarnation, epoch, reclaimAt, form, key, tags, start: end + 1 }
    return markOf(mark, head) === marked ? head : undefined
  } catch {
    return undefined
  }
}

/** No entry has no bytes: a row that is answered with these is taken for rotten, and removed. */
const rotten = new Uint8Array(0)

/** A file that is whole, as a row. */
export const rowOf = (head: Head, file: Uint8Array): Effect.Effect<CacheStore.Row> => {
  const body = file.subarray(head.start)
  const { key, reclaimAt, tags } = head
  const bytes =
    head.form === "plain"
      ? Effect.succeed(body)
      : Effect.orElseSucceed(
          Effect.tryPromise(() => gunzip(body)),
          () => rotten
        )
  return Effect.map(bytes, (bytes) => ({
    key,
    reclaimAt,
    tags,
    bytes: new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }))
}
