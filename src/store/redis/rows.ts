/** How names, keys, tags and entries are said to Redis, and heard from it; see scripts.ts. */
import type * as CacheStore from "../../CacheStore.js"
import type { Marker } from "../internal/mark.js"
import * as Scripts from "./scripts.js"

/**
 * Any string as text that UTF-8 can say: as it is, unless it has broken unicode or looks as if it had been escaped. No
 * two of them meet.
 */
export const encodeText = (text: string): string =>
  text.isWellFormed() && !text.startsWith("\0") ? text : `\0${JSON.stringify(text).slice(1, -1)}`

export const decodeText = (text: string): string =>
  text.startsWith("\0") ? String(JSON.parse(`"${text.slice(1)}"`)) : text

/** Where everything of a region is; a region's name has no control characters, but may have braces. */
export interface Names {
  readonly meta: string
  readonly state: string
  readonly tags: string
  /** What the names of its entries begin with. */
  readonly entries: string
}

/** The part in braces is the hash tag: all that has it is on one node of a cluster. */
export const namesOf = (prefix: string, region: string): Names => {
  const escaped = region.replace(/[%{}]/g, (one) => `%${one.charCodeAt(0).toString(16)}`)
  const base = `${prefix}:{${escaped}}`
  return { meta: `${base}:meta`, state: `${base}:state`, tags: `${base}:tags`, entries: `${base}:entry:` }
}

/** The keys that every script is given first. */
export const ownOf = ({ meta, state, tags }: Names): ReadonlyArray<string> => [meta, tags, state]

/** What readers need to know of a region. */
export interface State {
  readonly incarnation: string
  readonly epoch: number
  /** The epoch before which entries are outdated. */
  readonly oldest: number
  /** The epoch of the last invalidation of any tag. */
  readonly lastBump: number
}

/** The state as the scripts write it: `incarnation epoch oldest lastBump`. Anything else is none. */
export const stateIn = (text: string): State | undefined => {
  const found = /^(\S+) (\d+) (\d+) (\d+)$/.exec(text)
  return found === null
    ? undefined
    : { incarnation: found[1]!, epoch: Number(found[2]), oldest: Number(found[3]), lastBump: Number(found[4]) }
}

/** The region that a key is the state of. */
export const regionOf = (prefix: string, meta: string): string | undefined => {
  const base = `${prefix}:{`
  const end = "}:meta"
  return meta.startsWith(base) && meta.endsWith(end)
    ? meta
        .slice(base.length, -end.length)
        .replace(/%(25|7b|7d)/g, (_, code: string) => String.fromCharCode(parseInt(code, 16)))
    : undefined
}

/** The pattern that finds what begins with a text, and nothing else. */
export const patternOf = (start: string): string => `${start.replace(/[\\*?[\]]/g, "\\$&")}*`

/** An entry as it was found, with what decides whether it is one. */
export interface FoundRow {
  readonly row: CacheStore.Row
  readonly incarnation: string
  readonly epoch: number
}

const newline = 10
const never = "-"

/** All of an entry that comes after its epoch, which only Redis knows. */
export const encodeRow = (mark: Marker, { bytes, key, reclaimAt, tags }: CacheStore.RowWrite): Buffer => {
  const list = tags.length === 0 ? "" : JSON.stringify(tags.map(encodeText))
  const until = reclaimAt === Infinity ? never : String(reclaimAt)
  const head = ` ${until} ${Buffer.byteLength(list)} ${mark(key, 0, until + list)}\n${list}`
  const size = Buffer.byteLength(head)
  const all = Buffer.allocUnsafe(size + bytes.byteLength)
  all.write(head)
  all.set(bytes, size)
  return all
}

/** No entry has no bytes: a row that is answered with these is taken for rotten, and removed. */
const rotten = new Uint8Array(0)

const tagsIn = (list: string): ReadonlyArray<string> | undefined => {
  if (list === "") return []
  try {
    const all: unknown = JSON.parse(list)
    return Array.isArray(all) ? all.map((tag) => decodeText(String(tag))) : undefined
  } catch {
    return undefined
  }
}

/** What was found under a key, unless it is nothing that was ever written here. */
export const decodeRow = (mark: Marker, key: string, found: Buffer): FoundRow | undefined => {
  const end = found.indexOf(newline)
  if (end < 0 || end >= Scripts.head) return undefined
  // every entry that is read passes here: parts are cut out one by one, without a list of them
  const head = found.toString("latin1", 0, end)
  const epochAt = head.indexOf(" ") + 1
  const untilAt = head.indexOf(" ", epochAt) + 1
  const sizeAt = head.indexOf(" ", untilAt) + 1
  const markAt = head.indexOf(" ", sizeAt) + 1
  const until = head.substring(untilAt, sizeAt - 1)
  const start = end + 1 + Number(head.substring(sizeAt, markAt - 1))
  const list = start > end + 1 ? found.toString("utf8", end + 1, start) : ""
  const tags = tagsIn(list)
  const isWhole =
    tags !== undefined &&
    start > end &&
    start <= found.length &&
    String(mark(key, 0, until + list)) === head.substring(markAt)
  return {
    incarnation: head.substring(0, epochAt - 1),
    epoch: Number(head.substring(epochAt, untilAt - 1)),
    row: {
      key,
      bytes: isWhole ? new Uint8Array(found.buffer, found.byteOffset + start, found.length - start) : rotten,
      tags: tags ?? [],
      reclaimAt: until === never ? Infinity : Number(until)
    }
  }
}
