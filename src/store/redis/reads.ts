/**
 * Readings of one region.
 *
 * The counter is asked for before the entries, in the same packet, so it is never later than they are. Whether an entry's
 * tags are good still is asked only where one was invalidated after the entry was written.
 */
import type * as CacheStore from "../../CacheStore.js"
import type { Marker } from "../internal/mark.js"
import type { Client } from "./client.js"
import { type Incarnations, unknown } from "../internal/incarnations.js"
import { decodeRow, encodeText, type FoundRow, type Names } from "./rows.js"
import * as Scripts from "./scripts.js"

export interface Reading {
  readonly epoch: number
  readonly rows: ReadonlyMap<string, CacheStore.Row>
}

export interface Region {
  readonly client: Client
  readonly names: Names
  readonly mark: Marker
  readonly incarnations: Incarnations
  /** Makes the name of an incarnation that there was never before. */
  readonly fresh: () => string
}

/** A region that is not there is begun, and has nothing. */
const begin = async ({ client, fresh, incarnations, names }: Region): Promise<Reading> => {
  const [name, epoch] = (await client.run(Scripts.open, [names.meta, names.tags], [fresh()])) as [string, string]
  return { epoch: incarnations.numberOf(name, Number(epoch)), rows: new Map() }
}

/** Leaves out the entries one of whose tags was invalidated since. */
const withGoodTags = async (
  { client, fresh, names }: Region,
  found: ReadonlyArray<FoundRow>,
  lastBump: number
): Promise<ReadonlyArray<FoundRow>> => {
  const doubtful = found.filter(({ epoch, row }) => row.tags.length > 0 && epoch < lastBump)
  if (doubtful.length === 0) return found
  const parameters = doubtful.flatMap(({ epoch, incarnation, row }) => [
    incarnation,
    String(epoch),
    String(row.tags.length),
    ...row.tags.map(encodeText)
  ])
  const verdicts = await client.run(Scripts.judge, [names.meta, names.tags], [fresh(), ...parameters])
  const outdated = new Set(doubtful.filter((_, index) => (verdicts as ReadonlyArray<number>)[index] !== 1))
  return found.filter((one) => !outdated.has(one))
}

/** The counter, and those of the keys that there is an entry for. */
export const read = async (region: Region, keys: ReadonlyArray<string>): Promise<Reading> => {
  const { client, incarnations, mark, names } = region
  const [state, values] = (await Promise.all([
    client.send(["HMGET", names.meta, "i", "e", "o", "b"]),
    keys.length === 0 ? [] : client.sendForBytes(["MGET", ...keys.map((key) => names.entries + encodeText(key))])
  ])) as [ReadonlyArray<string | null>, ReadonlyArray<Buffer | null>]
  const [name] = state
  if (typeof name !== "string") return begin(region)
  const [epoch = 0, oldest = 0, lastBump = 0] = state.slice(1).map(Number)
  const found = keys.flatMap((key, index) => {
    const value = values[index]
    const one = value ? decodeRow(mark, key, value) : undefined
    // an epoch that is yet to come was never written here
    const isOurs = one !== undefined && one.incarnation === name && one.epoch >= oldest && one.epoch <= epoch
    return isOurs ? [one] : []
  })
  const number = incarnations.numberOf(name, epoch)
  const good = number === unknown ? [] : await withGoodTags(region, found, lastBump)
  return { epoch: number, rows: new Map(good.map(({ row }) => [row.key, row])) }
}
