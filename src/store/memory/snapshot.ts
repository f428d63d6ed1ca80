/**
 * The entries of a memory store as bytes, hottest first, so that whatever is cut off was worth least.
 *
 * `LRDS`, a version byte, then records: the length of its head and of its body (4 bytes each, little-endian), the head
 * (cache, fingerprint of the codec and key, as JSON), the body (the entry, as its codec writes it) and a checksum of
 * all of that. A record that is damaged is passed over; one that is cut off ends the reading.
 */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as Checksum from "../../codec/internal/checksum.js"
import type { Pool } from "./pool.js"

const magic = [0x4c, 0x52, 0x44, 0x53, 1] as const
const lengths = 8
const encoder = new TextEncoder()
const decoder = new TextDecoder("utf-8", { fatal: true })

export interface Record {
  readonly cache: string
  readonly fingerprint: string
  readonly key: string
  readonly bytes: Uint8Array
}

const encodeRecord = ({ bytes, cache, fingerprint, key }: Record): Uint8Array => {
  // JSON escapes what UTF-8 could not hold
  const head = encoder.encode(JSON.stringify([cache, fingerprint, key]))
  const record = new Uint8Array(lengths + head.length + bytes.length + Checksum.size)
  const view = new DataView(record.buffer)
  view.setUint32(0, head.length, true)
  view.setUint32(4, bytes.length, true)
  record.set(head, lengths)
  record.set(bytes, lengths + head.length)
  Checksum.write(record, record.length - Checksum.size)
  return record
}

const Head = Schema.parseJson(Schema.Tuple(Schema.String, Schema.String, Schema.String))

/** A checksum tells what has rotted, not what somebody else has written. */
const decodeHead = (bytes: Uint8Array) =>
  Either.flatMap(
    Either.try(() => decoder.decode(bytes)),
    Schema.decodeUnknownEither(Head)
  )

const decodeRecord = (record: Uint8Array, headLength: number): Record | undefined => {
  const end = record.length - Checksum.size
  if (!Checksum.matches(record, end)) return undefined
  const head = decodeHead(record.subarray(lengths, lengths + headLength))
  if (Either.isLeft(head)) return undefined
  const [cache, fingerprint, key] = head.right
  return { cache, fingerprint, key, bytes: record.slice(lengths + headLength, end) }
}

const concat = (parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/**
 * All that has a codec and is not over at `now`; then, as far as the store has room for them, those of the last
 * snapshot that nobody has opened the region of yet.
 */
export const encode = (pool: Pool, now: number, waiting: Iterable<Record>): Uint8Array => {
  const records: Array<Uint8Array> = []
  for (const { region, slot } of pool.ranked()) {
    const encoded = pool.isOver(slot, now) ? undefined : region.encode(slot)
    if (encoded !== undefined) records.push(encodeRecord({ cache: region.name, key: pool.keyAt(slot), ...encoded }))
  }
  let { bytes, entries } = pool.room
  for (const record of waiting) {
    entries--
    bytes -= record.bytes.length
    if (entries < 0 || bytes < 0) break
    records.push(encodeRecord(record))
  }
  return concat([Uint8Array.from(magic), ...records])
}

export interface Decoded {
  readonly records: ReadonlyArray<Record>
  /** Records that were passed over, or cut off. */
  readonly damaged: number
}

/** `undefined` for what is no snapshot at all. */
export const decode = (bytes: Uint8Array): Decoded | undefined => {
  if (!magic.every((byte, at) => bytes[at] === byte)) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const records: Array<Record> = []
  let damaged = 0
  let at: number = magic.length
  while (at < bytes.length) {
    if (at + lengths > bytes.length) return { records, damaged: damaged + 1 }
    const headLength = view.getUint32(at, true)
    const end = at + lengths + headLength + view.getUint32(at + 4, true) + Checksum.size
    if (end > bytes.length) return { records, damaged: damaged + 1 }
    const record = decodeRecord(bytes.subarray(at, end), headLength)
    if (record === undefined) damaged++
    else records.push(record)
    at = end
  }
  return { records, damaged }
}
