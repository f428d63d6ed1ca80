/** How names, counters, fences and entries are said to a service of names and bytes; see engine.ts. */
import { sha256 } from "@noble/hashes/sha2.js"
import * as Encoding from "effect/Encoding"
import type * as CacheStore from "../../CacheStore.js"
import { digestOf, type Marker } from "../internal/mark.js"

const encoder = new TextEncoder()
const decoder = new TextDecoder("utf-8", { ignoreBOM: true })

const digested = "#"

/** A text as a part of a name: as a url would have it, or, if that is long, its digest. No two texts meet. */
const partOf = (text: string): string => {
  const part = text.isWellFormed() ? encodeURIComponent(text) : ""
  // JSON says every string in UTF-8, those with broken unicode, too
  return part.length > 0 && part.length <= 80
    ? part
    : `${digested}${Encoding.encodeBase64Url(sha256(encoder.encode(JSON.stringify(text))))}`
}

/** Where everything of a region is. */
export interface Names {
  readonly state: string
  /** The region's name, where the names do not tell it, for its state to tell. */
  readonly label: string | undefined
  /** What the names of its entries begin with. */
  readonly entries: string
  readonly entry: (key: string) => string
  readonly slot: (slot: number) => string
  readonly tag: (tag: string) => string
}

/** What the names of all states begin with. */
export const states = "state/"

/** Kinds first, so that a service may be told to keep each of them for another time. */
export const namesOf = (region: string): Names => {
  const own = partOf(region)
  return {
    state: `${states}${own}`,
    label: own.startsWith(digested) ? encodeURIComponent(region) : undefined,
    entries: `entry/${own}/`,
    entry: (key) => `entry/${own}/${partOf(key)}`,
    slot: (slot) => `slot/${own}/${slot}`,
    tag: (tag) => `tag/${own}/${partOf(tag)}`
  }
}

/** What a region knows of its invalidations. */
export interface State {
  /** The name of its incarnation: another one whenever what was known has been lost. */
  readonly incarnation: string
  /** The counter. */
  readonly epoch: number
  /** The epoch before which nothing that is there, or is being loaded, is good any more. */
  readonly oldest: number
  /** The epoch of the last invalidation of any tag. */
  readonly lastBump: number
}

/** A line that tells by itself whether it is whole. */
const seal = (...parts: ReadonlyArray<string | number>): Uint8Array => {
  const line = parts.join(" ")
  return encoder.encode(`${line} ${digestOf(line)}`)
}

const unseal = (bytes: Uint8Array | undefined): ReadonlyArray<string> | undefined => {
  if (bytes === undefined || bytes.length === 0) return undefined
  const text = decoder.decode(bytes)
  const end = text.lastIndexOf(" ")
  const line = text.slice(0, end)
  return end > 0 && String(digestOf(line)) === text.slice(end + 1) ? line.split(" ") : undefined
}

/** How many a state has, but for its region's name. */
const stateParts = 4

export const encodeState = ({ epoch, incarnation, lastBump, oldest }: State, label: string | undefined): Uint8Array =>
  seal(incarnation, epoch, oldest, lastBump, ...(label === undefined ? [] : [label]))

/** `undefined` for what is not there, or is not what was written. */
export const decodeState = (bytes: Uint8Array | undefined): State | undefined => {
  const parts = unseal(bytes)
  if (parts === undefined || parts.length < stateParts) return undefined
  const [incarnation = "", ...numbers] = parts
  const [epoch = 0, oldest = 0, lastBump = 0] = numbers.map(Number)
  return { incarnation, epoch, oldest, lastBump }
}

/** Which region a state is of, unless it is none. */
export const regionOf = (name: string, bytes: Uint8Array | undefined): string | undefined => {
  const parts = unseal(bytes)
  const own = name.slice(states.length)
  const part = own.startsWith(digested) ? parts?.[stateParts] : own
  return parts === undefined || part === undefined ? undefined : decodeURIComponent(part)
}

/** The epoch in which a slot's keys, or a tag, were last invalidated. */
export const encodeFence = (incarnation: string, epoch: number): Uint8Array => seal(incarnation, epoch)

/** `undefined` if nothing is known in this incarnation. */
export const decodeFence = (incarnation: string, bytes: Uint8Array | undefined): number | undefined => {
  const parts = unseal(bytes)
  return parts?.length === 2 && parts[0] === incarnation ? Number(parts[1]) : undefined
}

/** An entry as it was found, with what decides whether it is one. */
export interface FoundRow {
  readonly row: CacheStore.Row
  readonly incarnation: string
  readonly epoch: number
}

const newline = 10

/** No entry has no bytes: a row that is answered with these is taken for rotten, and removed. */
const rotten = new Uint8Array(0)

const joined = (head: Uint8Array, rest: Uint8Array): Uint8Array => {
  const all = new Uint8Array(head.length + rest.length)
  all.set(head)
  all.set(rest, head.length)
  return all
}

/** A line of JSON, and the entry's own bytes after it. */
export const encodeRow = (
  mark: Marker,
  incarnation: string,
  epoch: number,
  { bytes, key, reclaimAt, tags }: CacheStore.Row
): Uint8Array => {
  const until = reclaimAt === Infinity ? null : reclaimAt
  const marked = mark(key, epoch, JSON.stringify([until, tags]))
  const head = JSON.stringify([incarnation, epoch, until, tags, key, marked])
  return joined(encoder.encode(`${head}\n`), bytes)
}

type Head = [incarnation: string, epoch: number, until: number | null, tags: Array<string>, key: string, mark: number]

const isHead = (value: unknown): value is Head =>
  Array.isArray(value) &&
  value.length === 6 &&
  typeof value[0] === "string" &&
  typeof value[1] === "number" &&
  Array.isArray(value[3]) &&
  typeof value[4] === "string"

const headIn = (bytes: Uint8Array, end: number): Head | undefined => {
  try {
    const head: unknown = JSON.parse(decoder.decode(bytes.subarray(0, end)))
    return isHead(head) ? head : undefined
  } catch {
    return undefined
  }
}

/** Where it goes on after a text, or -1 if it is not there. Of what is not ASCII no byte is a character. */
const past = (bytes: Uint8Array, at: number, text: string): number => {
  const end = at + text.length
  if (at < 0 || end > bytes.length) return -1
  for (let index = at; index < end; index++) if (bytes[index] !== text.charCodeAt(index - at)) return -1
  return end
}

const [zero, nine, minus] = [48, 57, 45]
/** More digits than these a number does not have that is told exactly. */
const digits = 15

/** Where an integer ends; where it begins, if there is none. */
const pastInteger = (bytes: Uint8Array, at: number): number => {
  let end = bytes[at] === minus ? at + 1 : at
  while (end - at < digits && bytes[end]! >= zero && bytes[end]! <= nine) end++
  return end
}

const integerIn = (bytes: Uint8Array, at: number, end: number): number => {
  const isBelow = bytes[at] === minus
  let number = 0
  for (let index = isBelow ? at + 1 : at; index < end; index++) number = number * 10 + (bytes[index]! - zero)
  return isBelow ? -number : number
}

/**
 * As `decodeRow`, of what nearly every reading finds: an entry of this key and incarnation, which has no tags, and of
 * which every character is as it was written. `undefined` tells nothing: then it has to be looked at in full.
 */
const decodePlain = (mark: Marker, bytes: Uint8Array, key: string, { incarnation }: State): FoundRow | undefined => {
  const start = past(bytes, past(bytes, 0, '["'), incarnation)
  const epochAt = past(bytes, start, '",')
  if (epochAt < 0) return undefined
  const epochEnd = pastInteger(bytes, epochAt)
  const untilAt = past(bytes, epochEnd, ",")
  const never = past(bytes, untilAt, "null")
  const untilEnd = never < 0 ? pastInteger(bytes, Math.max(0, untilAt)) : never
  const keyAt = past(bytes, past(bytes, untilEnd, ',[],"'), key)
  const markAt = past(bytes, keyAt, '",')
  if (untilAt < 0 || markAt < 0) return undefined
  const markEnd = pastInteger(bytes, markAt)
  const end = past(bytes, markEnd, "]\n")
  const epoch = integerIn(bytes, epochAt, epochEnd)
  const until = never < 0 ? integerIn(bytes, untilAt, untilEnd) : null
  if (end < 0 || mark(key, epoch, `[${until},[]]`) !== integerIn(bytes, markAt, markEnd)) return undefined
  return { incarnation, epoch, row: { key, bytes: bytes.subarray(end), tags: [], reclaimAt: until ?? Infinity } }
}

/** As `decodeRow`, of a key: what is there of another one is nothing. */
export const decodeRowOf = (
  mark: Marker,
  key: string,
  state: State,
  bytes: Uint8Array | undefined
): FoundRow | undefined => {
  if (bytes === undefined) return undefined
  const one = decodePlain(mark, bytes, key, state) ?? decodeRow(mark, bytes)
  return one?.row.key === key ? one : undefined
}

/** What was found, unless it is nothing, or nothing that was ever written here. */
export const decodeRow = (mark: Marker, bytes: Uint8Array | undefined): FoundRow | undefined => {
  const end = bytes?.indexOf(newline) ?? -1
  if (bytes === undefined || end < 0) return undefined
  const head = headIn(bytes, end)
  if (head === undefined) return undefined
  const [incarnation, epoch, until, tags, key, marked] = head
  const isWhole = mark(key, epoch, JSON.stringify([until, tags])) === marked
  return {
    incarnation,
    epoch,
    row: {
      key,
      bytes: isWhole ? bytes.subarray(end + 1) : rotten,
      tags: isWhole ? tags : [],
      reclaimAt: until ?? Infinity
    }
  }
}
