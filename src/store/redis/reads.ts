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
import { decodeRow, encodeText, type FoundRow, type Names, ownOf, type State, stateIn } from "./rows.js"
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
  readonly lastState: LastState
  /** Makes the name of an incarnation that there was never before. */
  readonly fresh: () => string
}

/** What was found, and of which state. */
interface Found {
  readonly incarnation: string
  readonly epoch: number
  readonly rows: ReadonlyArray<FoundRow | undefined>
}

/** Leaves out those entries of some doubtful ones one of whose tags was invalidated since. */
const withGoodTags = async (
  { client, fresh, names }: Region,
  found: Found,
  doubtful: ReadonlyArray<FoundRow>
): Promise<Found> => {
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

const readingOf = ({ incarnations }: Region, { epoch, incarnation, rows }: Found): Reading => {
  const number = incarnations.numberOf(incarnation, epoch)
  return { epoch: number, rows: rows.map((one) => (number === unknown ? undefined : one?.row)) }
}

/** What a region's state was read as the last time: it changes with what is set, deleted or invalidated only. */
export class LastState {
  private text = ""
  private state: State | undefined

  of(told: Buffer | null | undefined): State | undefined {
    if (!told) return undefined
    const text = told.toString("latin1")
    if (text !== this.text) {
      this.state = stateIn(text)
      this.text = text
    }
    return this.state
  }
}

/**
 * The counter, and those of the keys that there is an entry for. A region that is not there is begun; one whose state
 * alone was forgotten has it told again.
 */
export const read = async (region: Region, keys: ReadonlyArray<string>, isAgain = false): Promise<Reading> => {
  const { client, fresh, lastState, mark, names } = region
  const command = ["MGET", names.state]
  for (const key of keys) command.push(names.entries + encodeText(key))
  const answer = (await client.sendForBytes(command)) as ReadonlyArray<Buffer | null>
  const state = lastState.of(answer[0])
  if (state === undefined) {
    if (isAgain) return { epoch: unknown, rows: keys.map(() => undefined) }
    await client.run(Scripts.open, ownOf(names), [fresh()])
    return read(region, keys, true)
  }
  const { epoch, incarnation, lastBump, oldest } = state
  const doubtful: Array<FoundRow> = []
  const rows = keys.map((key, index): FoundRow | undefined => {
    const value = answer[index + 1]
    const one = value ? decodeRow(mark, key, value) : undefined
    // an epoch that is yet to come was never written here
    const isOurs = one !== undefined && one.incarnation === incarnation && one.epoch >= oldest && one.epoch <= epoch
    if (!isOurs) return undefined
    if (one.row.tags.length > 0 && one.epoch < lastBump) doubtful.push(one)
    return one
  })
  const found = { incarnation, epoch, rows }
  return readingOf(region, doubtful.length === 0 ? found : await withGoodTags(region, found, doubtful))
}
