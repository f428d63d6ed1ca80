/**
 * The room that all regions of a memory store share: its slots, its bounds, and who goes when it is full.
 *
 * Nothing here is asynchronous: each operation is atomic because JavaScript runs it to its end. Whoever listens to
 * removals is told at the end of the operation, when all is in place again, and may use the store as he likes.
 */
import type * as CacheEntry from "../../CacheEntry.js"
import * as BySlot from "../../eviction/internal/bySlot.js"
import type { Policy } from "../../eviction/Policy.js"
import type { Removal, RemovalCause } from "../MemoryStore.js"
import { Columns } from "./columns.js"
import { hashOf } from "./hash.js"
import type { MemoryRegion } from "./region.js"
import { Removals } from "./removals.js"

type Entry = CacheEntry.CacheEntry<unknown, unknown>
type AnyRegion = MemoryRegion<unknown, unknown>

/** Weighed only where something depends on it, or when somebody asks. */
const unweighed = -1

export interface Bounds {
  readonly maxEntries: number
  readonly maxBytes: number
  readonly maxEntryBytes: number
}

export interface PoolOptions extends Bounds {
  readonly policy: Policy
  /** Bytes of one entry. Asked at each write only if a bound is in bytes; otherwise only for listings. */
  readonly weigh: (key: string, entry: Entry) => number
  readonly pinned?: ((key: string, entry: Entry) => boolean) | undefined
  /** Milliseconds without a reading after which an entry is over; `Infinity` for no such end. */
  readonly timeToIdle?: number | undefined
  /** Makes a value safe from being changed, before it is kept. */
  readonly protect?: ((value: unknown) => void) | undefined
  /** Whether values that are objects are held weakly. */
  readonly isWeak?: boolean | undefined
  /** Different in each store, so that nobody knows which keys collide. */
  readonly seed?: number | undefined
  readonly onRemoval?: ((removal: Removal) => void) | undefined
  /** Told that something may end at that time, in milliseconds. */
  readonly onMortal?: ((endsAt: number) => void) | undefined
}

/**
 * Each entry has a *slot*, a small integer, by which all is kept that is to be known of it.
 *
 * Invariant: a slot is in its region's map if and only if it is filled here, and, unless it is pinned, in the policy.
 */
export class Pool {
  readonly columns: Columns
  private readonly keys: Array<string> = []
  private readonly regions: Array<AnyRegion | undefined> = []
  private readonly free: Array<number> = []
  private epochs = BySlot.floats()
  private weights = BySlot.floats()
  /** 1 for those that the policy does not know: the bounds never push them out. */
  private pins = BySlot.bytes()
  /** When it was last read, where that matters. */
  private readAt = BySlot.floats()
  private bounds: Bounds
  private weighs: boolean
  private readonly policy: Policy
  /** Milliseconds without a reading after which an entry is over, unless its region says less. */
  readonly timeToIdle: number
  /** Whether readings keep entries alive, in one of the regions at least. */
  private slides = false
  private readonly seed: number
  entries = 0
  pinned = 0
  /** Of those that were weighed. */
  private weighed = 0
  private pinnedWeight = 0
  private unknown = 0
  private readonly removals: Removals

  constructor(readonly options: PoolOptions) {
    const { maxBytes, maxEntries, maxEntryBytes } = options
    this.bounds = { maxEntries, maxBytes, maxEntryBytes }
    this.weighs = isWeighing(options)
    this.columns = new Columns(options.isWeak === true)
    this.policy = options.policy
    this.removals = new Removals(options.onRemoval)
    this.timeToIdle = options.timeToIdle ?? Infinity
    this.seed = options.seed ?? 0
  }

  /** False when there is no room that could be made for it; then nothing is pushed out. */
  insert(region: AnyRegion, key: string, entry: Entry, epoch: number): boolean {
    const isPinned = this.options.pinned?.(key, entry) === true
    const weight = this.weighs ? this.options.weigh(key, entry) : unweighed
    if (!this.fits(weight) || !this.makeRoomFor(weight)) {
      this.removals.tell()
      return false
    }
    const slot = this.free.pop() ?? this.addSlot()
    this.keys[slot] = key
    this.regions[slot] = region
    this.pins[slot] = isPinned ? 1 : 0
    region.slots.set(key, slot)
    this.entries++
    this.weigh(slot, weight)
    if (isPinned) this.pinned++
    else this.policy.onInsert(slot, hashOf(key, this.seed ^ region.salt), entry.staleUntil)
    this.fill(slot, entry, epoch)
    this.removals.tell()
    return true
  }

  private addSlot(): number {
    const slot = this.keys.length
    this.columns.reserve(slot)
    this.epochs = BySlot.withRoomFor(this.epochs, slot)
    this.weights = BySlot.withRoomFor(this.weights, slot)
    this.pins = BySlot.withRoomFor(this.pins, slot)
    if (this.slides) this.readAt = BySlot.withRoomFor(this.readAt, slot)
    return slot
  }

  /** Overwrites in place: the key keeps its slot, and no other key is pushed out for it unless it has grown. */
  replace(slot: number, entry: Entry, epoch: number): boolean {
    const { maxBytes } = this.bounds
    const key = this.keys[slot]!
    const pin = this.options.pinned?.(key, entry) === true ? 1 : 0
    const weight = this.weighs ? this.options.weigh(key, entry) : unweighed
    const needsRoom = this.weighs && this.weighed - this.weights[slot]! + weight > maxBytes
    this.note("replaced", slot)
    if (!this.fits(weight) || needsRoom || pin !== this.pins[slot]) return this.reinsert(slot, entry, epoch)
    if (this.weights[slot] !== weight) {
      this.unweigh(slot)
      this.weigh(slot, weight)
    }
    if (pin === 0) this.policy.onReplace(slot, entry.staleUntil)
    this.fill(slot, entry, epoch)
    this.removals.tell()
    return true
  }

  /** As another entry: it may be too heavy, may need room, or may have become one that is kept (or no longer). */
  private reinsert(slot: number, entry: Entry, epoch: number): boolean {
    const region = this.regions[slot]!
    const key = this.keys[slot]!
    this.forget(slot)
    const isIn = this.insert(region, key, entry, epoch)
    if (!isIn) region.emptied()
    return isIn
  }

  /** A weigher is the program's own: what it makes of a value may be no weight (NaN, negative), and is then too much. */
  private fits(weight: number): boolean {
    return !this.weighs || (weight >= 0 && weight <= this.bounds.maxBytes && weight <= this.bounds.maxEntryBytes)
  }

  /** What is pinned stays: if that alone leaves no room, nothing is pushed out in vain. */
  private makeRoomFor(weight: number): boolean {
    const { maxBytes, maxEntries } = this.bounds
    const bytes = this.weighs ? weight : 0
    if (this.pinned + 1 > maxEntries || (this.weighs && this.pinnedWeight + bytes > maxBytes)) return false
    this.shrinkTo(maxEntries - 1, this.weighs ? maxBytes - bytes : Infinity)
    return true
  }

  private shrinkTo(entries: number, bytes: number): void {
    while (this.entries > entries || this.weighed > bytes) {
      if (this.evict("size") < 0) return
    }
  }

  /** Answers the slot that was given up, or -1 when there is none that may be. */
  private evict(cause: RemovalCause): number {
    const slot = this.policy.evict()
    if (slot < 0) return slot
    this.note(cause, slot)
    const region = this.regions[slot]!
    this.unlink(slot)
    region.emptied()
    return slot
  }

  remove(slot: number, cause: RemovalCause): void {
    this.note(cause, slot)
    const region = this.regions[slot]!
    this.forget(slot)
    region.emptied()
    this.removals.tell()
  }

  hit(slot: number): void {
    if (this.pinned === 0 || this.pins[slot] === 0) this.policy.onHit(slot)
  }

  private fill(slot: number, entry: Entry, epoch: number): void {
    const { exit } = entry
    this.options.protect?.(exit._tag === "Success" ? exit.value : exit.cause)
    this.columns.put(slot, entry)
    this.epochs[slot] = epoch
    if (this.slides) this.readAt[slot] = entry.createdAt + entry.loadMillis
    const { onMortal } = this.options
    if (onMortal !== undefined) {
      const endsAt = this.endsAt(slot)
      if (endsAt !== Infinity) onMortal(endsAt)
    }
  }

  keyAt(slot: number): string {
    return this.keys[slot]!
  }

  epochAt(slot: number): number {
    return this.epochs[slot]!
  }

  /** From now on it is known when each entry was last read. */
  beginToSlide(): void {
    if (this.slides) return
    this.slides = true
    if (this.keys.length > 0) this.readAt = BySlot.withRoomFor(this.readAt, this.keys.length - 1)
    this.forEach((slot) => {
      this.readAt[slot] = this.columns.createdAtAt(slot) + this.columns.loadMillisAt(slot)
    })
  }

  /** When the entry is over, if nobody reads it before. */
  private endsAt(slot: number): number {
    const staleUntil = this.columns.staleUntilAt(slot)
    return this.slides ? Math.min(staleUntil, this.readAt[slot]! + this.regions[slot]!.timeToIdle) : staleUntil
  }

  isOver(slot: number, now: number): boolean {
    return now >= this.endsAt(slot)
  }

  /** Readings keep it alive, where the store slides. */
  renew(slot: number, now: number): void {
    if (this.slides && now > this.readAt[slot]!) this.readAt[slot] = now
  }

  private forget(slot: number): void {
    if (this.pins[slot] === 0) this.policy.remove(slot)
    this.unlink(slot)
  }

  private unlink(slot: number): void {
    this.regions[slot]!.slots.delete(this.keys[slot]!)
    this.unweigh(slot)
    this.entries--
    if (this.pins[slot] === 1) this.pinned--
    this.keys[slot] = ""
    this.regions[slot] = undefined
    this.columns.drop(slot)
    this.free.push(slot)
  }

  private weigh(slot: number, weight: number): void {
    this.weights[slot] = weight
    if (weight === unweighed) this.unknown++
    else this.add(slot, weight)
  }

  private unweigh(slot: number): void {
    const weight = this.weights[slot]!
    if (weight === unweighed) this.unknown--
    else this.add(slot, -weight)
  }

  private add(slot: number, weight: number): void {
    this.weighed += weight
    if (this.pins[slot] === 1) this.pinnedWeight += weight
  }

  private note(cause: RemovalCause, slot: number): void {
    const region = this.regions[slot]!
    this.removals.count(cause)
    region.removals[cause]++
    if (this.removals.isHeard) {
      this.removals.note(cause, region.name, this.keys[slot]!, this.columns.entryAt(slot))
    }
  }

  /** The entry's weight in bytes; what the weigher makes no weight of counts as 0. */
  weightOf(slot: number): number {
    const known = this.weights[slot]!
    if (known !== unweighed) return known
    const weight = this.options.weigh(this.keys[slot]!, this.columns.entryAt(slot))
    this.unweigh(slot)
    this.weigh(slot, weight >= 0 ? weight : 0)
    return this.weights[slot]!
  }

  /** Of all entries. Takes time in proportion to those that were not weighed yet. */
  get bytes(): number {
    if (this.unknown > 0) this.forEach((slot) => this.weightOf(slot))
    return this.weighed
  }

  private forEach(f: (slot: number) => void, from = 0, to = this.keys.length): void {
    for (let slot = from; slot < Math.min(to, this.keys.length); slot++) {
      if (this.regions[slot] !== undefined) f(slot)
    }
  }

  /** How many have gone, by cause. */
  get gone(): Readonly<Record<RemovalCause, number>> {
    return this.removals.counts
  }

  get limits(): Bounds {
    return this.bounds
  }

  /** What can come in without pushing anything out. */
  get room(): { readonly entries: number; readonly bytes: number } {
    const { maxBytes, maxEntries } = this.bounds
    return { entries: maxEntries - this.entries, bytes: maxBytes - (this.weighs ? this.weighed : 0) }
  }

  /** Sets other bounds, and pushes out what is above them. */
  resize(bounds: Bounds): void {
    this.bounds = bounds
    this.weighs = isWeighing(bounds)
    this.prune(bounds.maxEntries, bounds.maxBytes)
  }

  /** Pushes out until there are no more than so many entries and bytes; answers how many have gone. */
  prune(entries: number, bytes: number): number {
    // weights are known from here on: each eviction subtracts its own
    if (bytes !== Infinity || this.weighs) void this.bytes
    const before = this.entries
    this.shrinkTo(entries, bytes)
    this.removals.tell()
    return before - this.entries
  }

  /** Pushes out as much as weighs so many bytes, or all that may be; answers how many bytes that were. */
  release(bytes: number): number {
    const before = this.bytes
    while (before - this.weighed < bytes) {
      if (this.evict("pressure") < 0) break
    }
    this.removals.tell()
    return before - this.weighed
  }

  /** How many slots there are, for `sweep`. */
  get slots(): number {
    return this.keys.length
  }

  /** Removes what is over at `now` in some of the slots; answers when the next of the others ends. */
  sweep(now: number, from: number, to: number): number {
    let next = Infinity
    this.forEach(
      (slot) => {
        const cause = this.regions[slot]!.endOf(slot, now)
        if (cause === undefined) next = Math.min(next, this.endsAt(slot))
        else this.remove(slot, cause)
      },
      from,
      to
    )
    return next
  }

  /** All that are in with their regions, what would be kept longest first. */
  ranked(): ReadonlyArray<{ readonly slot: number; readonly region: AnyRegion }> {
    const slots: Array<number> = []
    this.forEach((slot) => {
      if (this.pins[slot] === 1) slots.push(slot)
    })
    return [...slots, ...this.policy.ranked()].map((slot) => ({ slot, region: this.regions[slot]! }))
  }
}

const isWeighing = ({ maxBytes, maxEntryBytes }: Bounds): boolean => maxBytes !== Infinity || maxEntryBytes !== Infinity
