/**
 * One region over a service that can only read, write and remove named items, and tell one version of an item from
 * another: memcached, a bucket of objects, a Keyv adapter.
 *
 * The items of a region: its *state* (see `State`); one for each of 256 slots, with the epoch in which a key of that slot
 * was last set or deleted; one for each tag, with the epoch in which it was last invalidated; one for each entry, with
 * the epoch of which it is. An invalidation raises the counter first, then the fences, and removes entries last. A load
 * is stored like this: a place is claimed for it, *then* the fences are read, then the place is filled. So a fence that
 * was raised before they were read forbids it; and one that was raised later belongs to an invalidation that has yet to
 * remove the entry, and with it the place. What outdates entries that are there (tags, everything) is looked at by
 * whoever reads them.
 *
 * An explicit write is an invalidation that writes its entries instead of removing them. How all of that comes to two
 * round trips where nobody else writes: see ledger.ts.
 *
 * A service may forget anything. A fence that is not there is as high as the counter; a region without a state begins
 * anew, in another incarnation, of which no entry is there. So forgetting makes entries invalid, and never valid again.
 */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type * as CacheError from "../../CacheError.js"
import type * as CacheStore from "../../CacheStore.js"
import { Gather } from "../internal/gather.js"
import { Incarnations, unknown } from "../internal/incarnations.js"
import { lastOfEach } from "../internal/lastOfEach.js"
import { marker } from "../internal/mark.js"
import { slotOf } from "../internal/slots.js"
import type { Item, Items } from "./items.js"
import { Ledger, tries } from "./ledger.js"
import * as Rows from "./rows.js"

/** Slots in which fences are kept: keys that share one share its fate. */
const slots = 256
/** Entries that are read at once for a listing. */
const page = 100
type Failing<A> = Effect.Effect<A, CacheError.StoreFailure>
type Write = CacheStore.RowWrite

export interface Options {
  /** For errors. */
  readonly store: string
  readonly region: string
  readonly items: Items
  /** Makes the name of an incarnation that there was never before: letters and digits. */
  readonly fresh: () => string
}

/** What is answered to a reading. */
type Reading = Effect.Effect.Success<ReturnType<CacheStore.Engine["getMany"]>>

const isThere = (one: Rows.FoundRow | undefined): boolean => one !== undefined

/** What a load is checked against, as of one moment. */
interface Fences {
  readonly state: Rows.State
  readonly of: (name: string) => number
}

class Region {
  private readonly names: Rows.Names
  private readonly ledger: Ledger
  private readonly mark
  private readonly incarnations = new Incarnations()
  private readonly writes = new Gather((asks: ReadonlyArray<ReadonlyArray<Write>>) =>
    Effect.as(
      this.write(lastOfEach(asks.flat())),
      asks.map(() => undefined)
    )
  )

  constructor(private readonly options: Options) {
    this.names = Rows.namesOf(options.region)
    this.ledger = new Ledger(options.store, options.items, this.names, options.fresh)
    this.mark = marker(options.region)
  }

  /** Whether an entry belongs to what the region is now, tags apart. */
  private isGood(state: Rows.State, { epoch, incarnation }: Rows.FoundRow): boolean {
    return incarnation === state.incarnation && epoch >= state.oldest && epoch <= state.epoch
  }

  /** Puts nothing in the place of rows one of whose tags was invalidated since. */
  private withGoodTags(
    operation: string,
    { incarnation, lastBump }: Rows.State,
    rows: ReadonlyArray<Rows.FoundRow | undefined>
  ): Failing<ReadonlyArray<Rows.FoundRow | undefined>> {
    const isDoubtful = (one: Rows.FoundRow | undefined): one is Rows.FoundRow =>
      one !== undefined && one.epoch < lastBump && one.row.tags.length > 0
    if (!rows.some(isDoubtful)) return Effect.succeed(rows)
    const names = this.tagsOf(rows.flatMap((one) => (isDoubtful(one) ? [one.row] : [])))
    return Effect.map(this.options.items.read(operation, names), (found) => {
      const fences = new Map(names.map((name, index) => [name, Rows.decodeFence(incarnation, found[index])]))
      const isGood = ({ epoch, row }: Rows.FoundRow) =>
        row.tags.every((tag) => (fences.get(this.names.tag(tag)) ?? Infinity) <= epoch)
      return rows.map((one) => (!isDoubtful(one) || isGood(one) ? one : undefined))
    })
  }

  /** What there is of each key, tags apart. */
  private rowsOf(
    state: Rows.State,
    keys: ReadonlyArray<string>,
    values: ReadonlyArray<Uint8Array | undefined>
  ): ReadonlyArray<Rows.FoundRow | undefined> {
    return keys.map((key, index) => {
      const one = Rows.decodeRowOf(this.mark, key, state, values[index])
      return one !== undefined && this.isGood(state, one) ? one : undefined
    })
  }

  /** The counter, and what there is of each key. */
  private read(keys: ReadonlyArray<string>): Failing<Reading> {
    const names = [this.names.state]
    for (const key of keys) names.push(this.names.entry(key))
    return Effect.flatMap(this.options.items.read("get", names), (found) => {
      const state = Rows.decodeState(found[0])
      const values = found.slice(1)
      return state === undefined
        ? Effect.flatMap(this.ledger.present("get", undefined), (begun) => this.reading(begun, keys, values))
        : this.reading(state, keys, values)
    })
  }

  private reading(
    state: Rows.State,
    keys: ReadonlyArray<string>,
    values: ReadonlyArray<Uint8Array | undefined>
  ): Failing<Reading> {
    const epoch = this.incarnations.numberOf(state.incarnation, state.epoch)
    const good = this.withGoodTags("get", state, epoch === unknown ? [] : this.rowsOf(state, keys, values))
    return Effect.map(good, (rows) => ({ epoch, rows: keys.map((_, index) => rows[index]?.row) }))
  }

  private slotsOf(keys: ReadonlyArray<string>): ReadonlyArray<string> {
    return [...new Set(keys.map((key) => this.names.slot(slotOf(key, slots))))]
  }

  private tagsOf(rows: ReadonlyArray<CacheStore.Row>): ReadonlyArray<string> {
    return [...new Set(rows.flatMap(({ tags }) => tags))].map(this.names.tag)
  }

  private write(rows: ReadonlyArray<Write>): Failing<void> {
    const explicit = rows.filter(({ since }) => since === undefined)
    const loads = rows.flatMap((row) =>
      row.since === undefined ? [] : [{ row, of: this.incarnations.textOf(row.since) }]
    )
    if (explicit.length === 0) return this.store(loads, tries)
    const plan = {
      fences: this.slotsOf(explicit.map(({ key }) => key)),
      known: this.tagsOf(explicit),
      entries: explicit.map((row) => ({
        name: this.names.entry(row.key),
        bytes: ({ epoch, incarnation }: Rows.State) => Rows.encodeRow(this.mark, incarnation, epoch, row),
        reclaimAt: row.reclaimAt
      }))
    }
    return Effect.flatMap(this.ledger.advance("set", plan), ({ after, isWritten }) => {
      const of = `${after.incarnation} ${after.epoch}`
      const left = explicit.flatMap((row, place) => (isWritten(place) ? [] : [{ row, of }]))
      return this.store([...left, ...loads], tries)
    })
  }

  /** What loads are checked against, once places are claimed for them. */
  private fences(found: ReadonlyArray<Uint8Array | undefined>, names: ReadonlyArray<string>): Failing<Fences> {
    return Effect.gen(this, function* () {
      const state = yield* this.ledger.present("set", found[0])
      const known = new Map(names.map((name, index) => [name, Rows.decodeFence(state.incarnation, found[index + 1])]))
      const missing = names.filter((name) => known.get(name) === undefined)
      const made = missing.length === 0 ? new Map<string, number>() : yield* this.ledger.establish("set", missing)
      return { state, of: (name) => known.get(name) ?? made.get(name) ?? Infinity }
    })
  }

  private store(rows: ReadonlyArray<{ readonly row: Write; readonly of: string }>, left: number): Failing<void> {
    if (rows.length === 0) return Effect.void
    return Effect.gen(this, function* () {
      const places = rows.map(({ row }) => this.names.entry(row.key))
      const all = rows.map(({ row }) => row)
      const names = [...this.slotsOf(all.map(({ key }) => key)), ...this.tagsOf(all)]
      const { found, items } = yield* this.options.items.claim("set", places, [this.names.state, ...names])
      const fences = yield* this.fences(found, names)
      const writes = rows.flatMap((one, index) => {
        const bytes = this.accepted(fences, one, items[index]!)
        const { version } = items[index]!
        return bytes === undefined ? [] : [{ name: places[index]!, version, bytes, reclaimAt: one.row.reclaimAt }]
      })
      yield* this.ledger.fill("set", writes, (missed) => {
        const again = rows.filter((_, index) => missed.includes(places[index]!))
        return left > 0 ? this.store(again, left - 1) : this.ledger.crowded("set")
      })
    })
  }

  /** What is to be written of a row, unless something forbids it. */
  private accepted(
    { of, state }: Fences,
    one: { readonly row: Write; readonly of: string },
    there: Item
  ): Uint8Array | undefined {
    const { row } = one
    const [incarnation = "", count] = one.of.split(" ")
    const epoch = Number(count)
    if (incarnation !== state.incarnation || epoch < state.oldest) return undefined
    // what is written explicitly is as good as anything that is done meanwhile
    const fences =
      row.since === undefined ? [] : [this.names.slot(slotOf(row.key, slots)), ...row.tags.map(this.names.tag)]
    if (fences.some((name) => epoch < of(name))) return undefined
    const other = Rows.decodeRow(this.mark, there.bytes)
    const isOlder = other !== undefined && other.incarnation === incarnation && other.epoch > epoch
    return isOlder ? undefined : Rows.encodeRow(this.mark, incarnation, epoch, row)
  }

  private delete(keys: ReadonlyArray<string>): Failing<number> {
    if (keys.length === 0) return Effect.succeed(0)
    const entries = keys.map(this.names.entry)
    return Effect.gen(this, function* () {
      const plan = { fences: this.slotsOf(keys), others: entries }
      const { before, found } = yield* this.ledger.advance("delete", plan)
      yield* this.options.items.remove("delete", entries)
      if (before === undefined) return 0
      const good = yield* this.withGoodTags("delete", before, this.rowsOf(before, keys, found))
      return good.filter(isThere).length
    })
  }

  private bump(tags: ReadonlyArray<string>): Failing<void> {
    if (tags.length === 0) return Effect.void
    const fences = [...new Set(tags)].map(this.names.tag)
    return Effect.asVoid(this.ledger.advance("invalidateTags", { fences, to: (lastBump) => ({ lastBump }) }))
  }

  private outdate(operation: string) {
    return this.ledger.raise(operation, (oldest) => ({ oldest }))
  }

  /** Outdated at once; then removed, page by page, which may take as long as it likes. */
  private get clear(): Failing<number> {
    const { items } = this.options
    return Effect.flatMap(this.outdate("clear"), ({ after, before }) =>
      this.pages("clear").pipe(
        Stream.mapEffect((chunk) =>
          Effect.gen(this, function* () {
            const found = yield* items.read("clear", chunk)
            const rows = found.map((bytes) => Rows.decodeRow(this.mark, bytes))
            const isNew = (one: Rows.FoundRow | undefined) =>
              one !== undefined && one.incarnation === after.incarnation && one.epoch >= after.epoch
            const own = rows.filter((one) => one !== undefined && this.isGood(before, one))
            const good = yield* this.withGoodTags("clear", before, own)
            yield* items.remove(
              "clear",
              chunk.filter((_, index) => !isNew(rows[index]))
            )
            return good.filter(isThere).length
          })
        ),
        Stream.runSum
      )
    )
  }

  /** The names of all entries, each once. */
  private pages(operation: string): Stream.Stream<ReadonlyArray<string>, CacheError.StoreFailure> {
    return Stream.suspend(() => {
      const seen = new Set<string>()
      const isFirst = (name: string) => !seen.has(name) && seen.add(name) !== undefined
      return this.options.items
        .list(operation, this.names.entries)
        .pipe(Stream.filter(isFirst), Stream.rechunk(page), Stream.chunks, Stream.map(Chunk.toReadonlyArray))
    })
  }

  private get scan(): CacheStore.Engine["scan"] {
    const { items } = this.options
    return this.pages("scan").pipe(
      Stream.mapEffect((chunk) =>
        Effect.gen(this, function* () {
          const [found, ...values] = yield* items.read("scan", [this.names.state, ...chunk])
          const state = yield* this.ledger.present("scan", found)
          const rows = values.flatMap((bytes) => Rows.decodeRow(this.mark, bytes) ?? [])
          const good = yield* this.withGoodTags(
            "scan",
            state,
            rows.filter((one) => this.isGood(state, one))
          )
          return Chunk.unsafeFromArray(good.flatMap((one) => one?.row ?? []))
        })
      ),
      Stream.flattenChunks
    )
  }

  private inspect(key: string): Failing<CacheStore.InspectedRow | undefined> {
    return Effect.gen(this, function* () {
      const { incarnations, names } = this
      const { items } = this.options
      const [found, value] = yield* items.read("inspect", [names.state, names.entry(key)])
      const state = yield* this.ledger.present("inspect", found)
      const one = Rows.decodeRowOf(this.mark, key, state, value)
      if (one === undefined || one.incarnation !== state.incarnation) return undefined
      const { epoch, row } = one
      const number = (count: number) => {
        incarnations.numberOf(state.incarnation, state.epoch)
        return incarnations.find(state.incarnation, count)
      }
      const told = (tag: string | undefined, at: number) => ({
        row,
        epoch: number(epoch),
        outdatedBy: { tag, epoch: number(at) }
      })
      if (epoch < state.oldest) return told(undefined, state.oldest)
      const [good] = yield* this.withGoodTags("inspect", state, [one])
      if (good !== undefined) return { row, epoch: number(epoch), outdatedBy: undefined }
      const fences = yield* items.read("inspect", row.tags.map(names.tag))
      const epochs = fences.map((bytes) => Rows.decodeFence(state.incarnation, bytes) ?? state.lastBump)
      const place = epochs.findIndex((at) => at > epoch)
      return told(row.tags[Math.max(0, place)], epochs[Math.max(0, place)] ?? state.lastBump)
    })
  }

  get engine(): CacheStore.Engine {
    return {
      gathers: true,
      askedByCallers: this.options.items.askedByCallers,
      getMany: (keys) => this.read(keys),
      setMany: (rows) => this.writes.ask(rows),
      deleteMany: (keys) => this.delete([...new Set(keys)]),
      bump: (tags) => this.bump(tags),
      outdate: Effect.asVoid(this.outdate("invalidateAll")),
      clear: this.clear,
      inspect: (key) => this.inspect(key),
      scan: this.scan
    }
  }
}

/** A region, which is begun where it is not there. */
export const make = (options: Options): CacheStore.Engine => new Region(options).engine
