/**
 * Readings of one region.
 *
 * The counter is asked for with the entries, in one command, so both are of the same moment. Whether an entry's
 * tags are good still is asked only where one was invalidated after the entry was written.
 */
import type * as CacheStore from "../../CacheStore.js"
import type { Marker } from "../internal/mark.js"
import type { Client } from "./client.js"
import { type Incarnations, unknown } from "../internal/incarnations.js"
import { decodeRow, encodeText, type FoundRow, type Names, ownOf, stateIn } from "./rows.js"
import * as Scripts from "./scripts.js"

export interface Reading {
  readonly epoch: number
  /** One place for each key asked. */
  readonly rows: ReadonlyArray<CacheStore.Row | undefined>
}

export interface Region {
  readonly client: Client
  readonly names: Names
  readonly mark: Marker
  readonly incarnations: Incarnations
  /** Makes the name of an incarnation that there was never before. */
  readonly fresh: () => string
}

/** What was found, and of which state. */
interface Found {
  readonly incarnation: string
  readonly epoch: number
  readonly rows: ReadonlyArray<FoundRow | undefined>
}

/** Leaves out the entries one of whose tags was invalidated since. */
const withGoodTags = async ({ client, fresh, names }: Region, found: Found, lastBump: number): Promise<Found> => {
  const doubtful = found.rows.flatMap((one) =>
    one !== undefined && one.row.tags.length > 0 && one.epoch < lastBump ? [one] : []
  )
  if (doubtful.length === 0) return found
  const parameters = doubtful.flatMap(({ epoch, incarnation, row }) => [
    incarnation,
    String(epoch),
    String(row.tags.length),
    ...row.tags.map(encodeText)
  ])
  const answer = await client.run(Scripts.judge, ownOf(names), [fresh(), ...parameters])
  const [incarnation, epoch, ...verdicts] = answer as [string, string, ...ReadonlyArray<number>]
  // the region has begun anew, for something of it was forgotten: nothing of before is there any more
  if (incarnation !== found.incarnation)
    return { incarnation, epoch: Number(epoch), rows: found.rows.map(() => undefined) }
  const outdated = new Set<FoundRow | undefined>(doubtful.filter((_, index) => verdicts[index] !== 1))
  return { ...found, rows: found.rows.map((one) => (outdated.has(one) ? undefined : one)) }
}

/**
 * The counter, and those of the keys that there is an entry for. A region that is not there is begun; one whose state
 * alone was forgotten has it told again.
 */
export const read = async (region: Region, keys: ReadonlyArray<string>, isAgain = false): Promise<Reading> => {
  const { client, fresh, incarnations, mark, names } = region
  const wanted = keys.map((key) => names.entries + encodeText(key))
  const [told, ...values] = (await client.sendForBytes([
    "MGET",
    names.state,
    ...wanted
  ])) as ReadonlyArray<Buffer | null>
  const state = told ? stateIn(told) : undefined
  if (state === undefined) {
    if (isAgain) return { epoch: unknown, rows: keys.map(() => undefined) }
    await client.run(Scripts.open, ownOf(names), [fresh()])
    return read(region, keys, true)
  }
  const { epoch, incarnation, lastBump, oldest } = state
  const rows = values.map((value, index) => {
    const one = value ? decodeRow(mark, keys[index]!, value) : undefined
    // an epoch that is yet to come was never written here
    return one !== undefined && one.incarnation === incarnation && one.epoch >= oldest && one.epoch <= epoch
      ? one
      : undefined
  })
  const good = await withGoodTags(region, { incarnation, epoch, rows }, lastBump)
  const number = incarnations.numberOf(good.incarnation, good.epoch)
  return { epoch: number, rows: good.rows.map((one) => (number === unknown ? undefined : one?.row)) }
}
