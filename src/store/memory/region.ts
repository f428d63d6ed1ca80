/**
 * Regions kept by reference in this process.
 *
 * All regions of one store share its pool, so the store's bounds hold whatever the number of caches. What is over is
 * found out when it is read, swept up by the store's one maintenance fiber, or pushed out by the bounds.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Stream from "effect/Stream"
import type * as CacheEntry from "../../CacheEntry.js"
import type * as CacheError from "../../CacheError.js"
import type * as CacheStore from "../../CacheStore.js"
import type * as Codec from "../../codec/Codec.js"
import { Epochs } from "../../internal/epochs.js"
import { endingBy } from "../../internal/store/endingBy.js"
import { onOurClock } from "../../internal/store/ourClock.js"
import { closed } from "../../internal/store/service.js"
import { steadyMillis } from "../../internal/steady.js"
import type { RemovalCause } from "../MemoryStore.js"
import type { Columns } from "./columns.js"
import { type Counts, noCounts } from "./removals.js"
import type { Pool } from "./pool.js"

let regions = 0

/** What outlasts the closing of a region. */
interface Past<A, E> {
  readonly slots: Map<string, number>
  readonly epochs: Epochs
  readonly codec: Codec.EntryCodec<A, E> | undefined
  readonly salt: number
  readonly removals: Counts
}

const nothing = <A, E>(): Past<A, E> => ({
  slots: new Map(),
  epochs: new Epochs(),
  codec: undefined,
  salt: Math.imul(++regions, 0x9e3779b1),
  removals: noCounts()
})

export class MemoryRegion<A, E> implements CacheStore.LiveView<A, E> {
  /** @internal by key; shared with the pool, which alone writes it */
  readonly slots: Map<string, number>
  private readonly epochs: Epochs
  private codec: Codec.EntryCodec<A, E> | undefined
  isClosed = true
  /** The same key in two regions is two keys. */
  readonly salt: number
  readonly slides: boolean
  /** Milliseconds without a reading after which an entry is over. */
  readonly timeToIdle: number
  /** Milliseconds that an entry is kept at most from when it came. */
  private readonly timeToLive: number
  /** @internal how many entries have gone, by cause; the pool counts */
  readonly removals: Counts
  private readonly hasPast: boolean
  private readonly columns: Columns

  /**
   * `onEmpty` is told when the last entry has gone, for whatever reason. A name that is opened again takes over what
   * `previous` has kept, as another object: whoever still holds the old one finds it closed.
   */
  constructor(
    readonly pool: Pool,
    readonly name = "",
    readonly onEmpty: () => void = () => {},
    previous?: MemoryRegion<A, E>,
    limits: Pick<CacheStore.RegionOptions<A, E>, "timeToIdle" | "timeToLive"> = {}
  ) {
    const { codec, epochs, removals, salt, slots } = previous?.past ?? nothing<A, E>()
    this.slots = slots
    this.epochs = epochs
    this.codec = codec
    this.removals = removals
    this.salt = salt
    this.timeToIdle = Math.min(pool.timeToIdle, limits.timeToIdle ?? Infinity)
    this.timeToLive = limits.timeToLive?.[0] ?? Infinity
    this.slides = this.timeToIdle !== Infinity
    if (this.slides) pool.beginToSlide()
    this.columns = pool.columns
    this.hasPast = previous !== undefined
  }

  /** What the next object of this name takes over. */
  private get past(): Past<A, E> {
    const { codec, epochs, removals, salt, slots } = this
    return { codec, epochs, removals, salt, slots }
  }

  /** Entries stay for a cache that reopens the name, but only one with the same Schema: values never change type. */
  open(codec: Codec.EntryCodec<A, E> | undefined): void {
    // what was never open before has nothing to lose, and a snapshot of it may still be restored
    if (this.hasPast && (codec === undefined || codec.fingerprint !== this.codec?.fingerprint)) this.clear()
    this.codec = codec
    this.isClosed = false
  }

  /** Without a Schema nothing could tell whether who opens the name again means the same values. */
  close(): void {
    if (this.codec === undefined) this.clear()
    this.isClosed = true
  }

  /** @internal told by the pool after an entry has gone */
  emptied(): void {
    if (this.slots.size === 0) this.onEmpty()
  }

  isOutdated(slot: number): boolean {
    const { lastBump } = this.epochs
    if (lastBump === 0) return false
    const epoch = this.pool.epochAt(slot)
    return epoch < lastBump && this.epochs.outdated(this.columns.tagsAt(slot), epoch)
  }

  /** Why what is there may not be served, if so. */
  endOf(slot: number, now: number): RemovalCause | undefined {
    if (this.isOutdated(slot)) return "explicit"
    if (this.pool.isOver(slot, now)) return "expired"
    return this.columns.isCollected(slot) ? "collected" : undefined
  }

  /** The slot of what may be served; what may not is removed. */
  private present(key: string, now: number): number | undefined {
    const slot = this.slots.get(key)
    if (slot === undefined || this.isClosed) return undefined
    const cause = this.endOf(slot, now)
    if (cause === undefined) return slot
    this.pool.remove(slot, cause)
    return undefined
  }

  /** The hottest path of all: nothing is removed here, and nothing looked at twice. */
  find(key: string, until: number): number {
    const slot = this.slots.get(key)
    if (slot === undefined || this.isClosed) return -1
    const { columns, pool } = this
    if (!columns.isFresh(slot, until) || this.isOutdated(slot)) return -2
    if (columns.isWeak && columns.isCollected(slot)) return -2
    if (this.slides) {
      if (pool.isOver(slot, until)) return -2
      pool.renew(slot, until)
    }
    pool.hit(slot)
    return slot
  }

  valueAt(place: number): A {
    return this.columns.valueAt(place) as A // as in `get`
  }

  loadMillisAt(place: number): number {
    return this.columns.loadMillisAt(place)
  }

  createdAtAt(place: number): number {
    return this.columns.createdAtAt(place)
  }

  freshUntilAt(place: number): number {
    return this.columns.freshUntilAt(place)
  }

  get(key: string, now: number): CacheEntry.CacheEntry<A, E> | undefined {
    const slot = this.present(key, now)
    if (slot === undefined) return undefined
    this.pool.hit(slot)
    this.pool.renew(slot, now)
    return this.entryAt(slot)
  }

  private entryAt(slot: number): CacheEntry.CacheEntry<A, E> {
    return this.columns.entryAt(slot) as CacheEntry.CacheEntry<A, E> // only `set` of this region fills its map, see `codec`
  }

  peek(key: string, now: number): CacheEntry.CacheEntry<A, E> | undefined {
    const slot = this.present(key, now)
    return slot === undefined ? undefined : this.entryAt(slot)
  }

  inspect(key: string, now: number): Omit<CacheStore.Inspection<A, E>, "store" | "tier"> {
    const slot = this.slots.get(key)
    if (slot === undefined) return { entry: undefined, epoch: undefined, outdatedBy: undefined, isIdle: false }
    const epoch = this.pool.epochAt(slot)
    const entry = this.entryAt(slot)
    return {
      entry: this.columns.isCollected(slot) ? undefined : entry,
      epoch,
      outdatedBy: this.epochs.outdatedBy(entry.tags, epoch),
      isIdle: now < entry.staleUntil && this.pool.isOver(slot, now)
    }
  }

  epoch(): number {
    return this.epochs.now
  }

  set(
    key: string,
    given: CacheEntry.CacheEntry<A, E>,
    since: number | undefined,
    now = given.createdAt + given.loadMillis
  ): boolean {
    if (this.isClosed) return false
    const entry = this.timeToLive === Infinity ? given : endingBy(given, now + this.timeToLive)
    const slot = this.slots.get(key)
    if (since === undefined) return this.write(slot, key, entry, this.epochs.fence(key), now)
    if (!this.epochs.accepts(key, since) || this.epochs.outdated(entry.tags, since)) return false
    if (slot !== undefined && this.pool.epochAt(slot) > since) return false
    return this.write(slot, key, entry, since, now)
  }

  private write(
    slot: number | undefined,
    key: string,
    entry: CacheEntry.CacheEntry<A, E>,
    epoch: number,
    now: number
  ): boolean {
    const isIn =
      slot === undefined
        ? this.pool.insert(this as MemoryRegion<unknown, unknown>, key, entry, epoch)
        : this.pool.replace(slot, entry, epoch)
    // what another tier has had for long is as good as read, now that it comes here
    const place = this.slides && isIn ? this.slots.get(key) : undefined
    if (place !== undefined) this.pool.renew(place, now)
    return isIn
  }

  delete(key: string): boolean {
    this.epochs.fence(key)
    const slot = this.slots.get(key)
    if (slot === undefined) return false
    this.pool.remove(slot, "explicit")
    return true
  }

  bump(tags: ReadonlyArray<string>): void {
    for (const tag of tags) this.epochs.bump(tag)
  }

  outdate(): void {
    this.epochs.bumpAll()
  }

  clear(): number {
    this.epochs.fenceAll()
    const count = this.slots.size
    for (const slot of [...this.slots.values()]) this.pool.remove(slot, "explicit")
    return count
  }

  /** Those that may be served at `now`; what may not is removed. */
  private servable(now: number): ReadonlyArray<number> {
    return [...this.slots.keys()].flatMap((key) => this.present(key, now) ?? [])
  }

  list(now: number): ReadonlyArray<CacheStore.Listed<A, E>> {
    return this.servable(now).map((slot) => ({
      key: this.pool.keyAt(slot),
      entry: this.entryAt(slot),
      bytes: this.pool.weightOf(slot)
    }))
  }

  size(now: number): { readonly entries: number; readonly bytes: number } {
    const slots = this.servable(now)
    return { entries: slots.length, bytes: slots.reduce((sum, slot) => sum + this.pool.weightOf(slot), 0) }
  }

  /**
   * Takes in entries of a snapshot, hottest first, as many as there is room for: as if each had been loaded when this
   * process began. So whatever was set or invalidated since is right, and they are not. Answers how many it took.
   */
  restore(rows: ReadonlyArray<{ readonly key: string; readonly bytes: Uint8Array }>, now: number): number {
    const { codec, pool } = this
    if (codec === undefined) return 0
    const room = pool.room
    const chosen: Array<readonly [string, CacheEntry.CacheEntry<A, E>]> = []
    let bytes = 0
    for (const row of rows) {
      const decoded = codec.decode(row.bytes)
      const entry = Either.isRight(decoded) ? onOurClock(decoded.right, now) : undefined
      if (entry === undefined) continue
      bytes += room.bytes === Infinity ? 0 : pool.options.weigh(row.key, entry)
      if (chosen.length >= room.entries || bytes > room.bytes) break
      chosen.push([row.key, entry])
    }
    // the hottest comes last, and is thereby what was used last
    return chosen.reverse().filter(([key, entry]) => !this.slots.has(key) && this.set(key, entry, 0)).length
  }

  /** The entry as bytes, for a snapshot; `undefined` where there is no Schema, or it refuses. */
  encode(slot: number): { readonly bytes: Uint8Array; readonly fingerprint: string } | undefined {
    const { codec } = this
    if (codec === undefined || this.isOutdated(slot)) return undefined
    const encoded = codec.encode(this.entryAt(slot))
    return Either.isRight(encoded) ? { bytes: encoded.right, fingerprint: codec.fingerprint } : undefined
  }
}

/** The same as a `Region`. Using it after its Scope was closed is a typed failure. */
export const toRegion = <A, E>(store: string, name: string, view: MemoryRegion<A, E>): CacheStore.Region<A, E> => {
  const live = <X>(f: (now: number) => X): Effect.Effect<X, CacheError.StoreUnavailable> =>
    Effect.flatMap(steadyMillis, (now) => (view.isClosed ? Effect.fail(closed(store)) : Effect.sync(() => f(now))))
  return {
    name,
    near: view,
    complete: true,
    tiers: 1,
    askedByCallers: true,
    getMany: (keys) =>
      live((now) => ({
        epoch: view.epoch(),
        found: keys.map((key) => {
          const entry = view.get(key, now)
          return entry === undefined ? undefined : { entry, store, tier: 1 }
        }),
        failure: undefined
      })),
    setMany: (writes) =>
      live((now) => {
        // this store's epochs are plain numbers: it never hands out another form
        for (const { entry, key, since } of writes) view.set(key, entry, since as number | undefined, now)
      }),
    deleteMany: (keys) => live(() => keys.reduce((count, key) => (view.delete(key) ? count + 1 : count), 0)),
    invalidateTags: (tags) => live(() => view.bump(tags)),
    invalidateAll: live(() => view.outdate()),
    clear: live(() => view.clear()),
    inspect: (key) => live((now) => [{ store, tier: 1, ...view.inspect(key, now) }]),
    entries: Stream.unwrap(live((now) => Stream.fromIterable(view.list(now)))),
    sizes: live((now) => [{ store, tier: 1, ...view.size(now), removals: { ...view.removals } }])
  }
}
