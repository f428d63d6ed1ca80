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
import type { MemoryRegion } from "./region.js"

/** Weighed only where something depends on it, or when somebody asks. */
const unweighed = -1

/**
 * Invariant: a node is in its region's map if and only if it is in the pool at its slot, and, unless it is pinned, in
 * the policy.
 *
 * What a hit reads comes first and lies together, and is not looked for in the entry: most of a hit's time is spent
 * waiting for memory.
 */
export interface Node {
  /** A success's value; see `Pool.freshUntil` for whether it is one. */
  value: unknown
  loadMillis: number
  slot: number
  epoch: number
  /** The policy does not know it: the bounds never push it out. */
  pinned: boolean
  entry: CacheEntry.CacheEntry<unknown, unknown>
  readonly region: MemoryRegion<unknown, unknown>
  readonly key: string
  weight: number
}

export interface Bounds {
  readonly maxEntries: number
  readonly maxBytes: number
  readonly maxEntryBytes: number
}

export interface PoolOptions extends Bounds {
  readonly policy: Policy
  /** Bytes of one entry. Asked at each write only if a bound is in bytes; otherwise only for listings. */
  readonly weigh: (key: string, entry: CacheEntry.CacheEntry<unknown, unknown>) => number
  readonly pinned?: ((key: string, entry: CacheEntry.CacheEntry<unknown, unknown>) => boolean) | undefined
  /** Milliseconds without a reading after which an entry is over; `Infinity` for no such end. */
  readonly timeToIdle?: number | undefined
  /** Makes a value safe from being changed, before it is kept. */
  readonly protect?: ((value: unknown) => void) | undefined
  /** Different in each store, so that nobody knows which keys collide. */
  readonly seed?: number | undefined
  readonly onRemoval?: ((removal: Removal) => void) | undefined
  /** Told that something may end at that time, in milliseconds. */
  readonly onMortal?: ((endsAt: number) => void) | undefined
}

export class Pool {
  /** By slot. */
  private readonly nodes: Array<Node | undefined> = []
  private readonly free: Array<number> = []
  /** By slot: when the success there is not fresh any more; never is a failure. */
  freshUntil = BySlot.floats()
  /** By slot: when it was last read, where that matters. */
  private readonly readAt: Array<number> = []
  private bounds: Bounds
  private weighs: boolean
  private readonly timeToIdle: number
  /** Whether readings keep entries alive. */
  readonly slides: boolean
  private readonly seed: number
  entries = 0
  pinned = 0
  /** Of those that were weighed. */
  private weighed = 0
  private pinnedWeight = 0
  private unknown = 0
  readonly removals: Record<RemovalCause, number> = { explicit: 0, replaced: 0, expired: 0, size: 0, pressure: 0 }
  /** What listeners have not been told yet. */
  private readonly untold: Array<Removal> = []
  private isTelling = false

  constructor(readonly options: PoolOptions) {
    const { maxBytes, maxEntries, maxEntryBytes } = options
    this.bounds = { maxEntries, maxBytes, maxEntryBytes }
    this.weighs = isWeighing(options)
    this.timeToIdle = options.timeToIdle ?? Infinity
    this.slides = this.timeToIdle !== Infinity
    this.seed = options.seed ?? 0
  }

  /** False when there is no room that could be made for it; then nothing is pushed out. */
  insert(
    region: MemoryRegion<unknown, unknown>,
    key: string,
    entry: CacheEntry.CacheEntry<unknown, unknown>,
    epoch: number
  ): boolean {
    const { pinned: isPinned } = this.options
    const pinned = isPinned !== undefined && isPinned(key, entry)
    const weight = this.weighs ? this.options.weigh(key, entry) : unweighed
    if (!this.fits(weight) || !this.makeRoomFor(weight)) {
      this.tell()
      return false
    }
    const slot = this.free.pop() ?? this.nodes.length
    const node: Node = { value: undefined, loadMillis: 0, slot, epoch, pinned, entry, region, key, weight }
    this.nodes[slot] = node
    region.nodes.set(key, node)
    this.entries++
    this.count(weight, pinned)
    if (pinned) this.pinned++
    else this.options.policy.onInsert(slot, hashOf(key, this.seed ^ region.salt), entry.staleUntil)
    this.begin(node)
    this.tell()
    return true
  }

  /** Overwrites in place: the key keeps its slot, and no other key is pushed out for it unless it has grown. */
  replace(node: Node, entry: CacheEntry.CacheEntry<unknown, unknown>, epoch: number): boolean {
    const { pinned: isPinned, policy } = this.options
    const weight = this.weighs ? this.options.weigh(node.key, entry) : unweighed
    const pinned = isPinned !== undefined && isPinned(node.key, entry)
    const needsRoom = this.weighs && this.weighed - node.weight + weight > this.bounds.maxBytes
    this.note("replaced", node)
    if (!this.fits(weight) || needsRoom || pinned !== node.pinned) return this.reinsert(node, entry, epoch)
    this.uncount(node.weight, pinned)
    this.count(weight, pinned)
    node.weight = weight
    node.entry = entry
    node.epoch = epoch
    if (!pinned) policy.onReplace(node.slot, entry.staleUntil)
    this.begin(node)
    this.tell()
    return true
  }

  /** As another entry: it may be too heavy, may need room, or may have become one that is kept (or no longer). */
  private reinsert(node: Node, entry: CacheEntry.CacheEntry<unknown, unknown>, epoch: number): boolean {
    this.forget(node)
    const isIn = this.insert(node.region, node.key, entry, epoch)
    if (!isIn) node.region.emptied()
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
    this.shrinkTo(maxEntries - 1, this.weighs ? maxBytes - bytes : Infinity, "size")
    return true
  }

  private shrinkTo(entries: number, bytes: number, cause: RemovalCause): void {
    let goesOn = true
    while (goesOn && (this.entries > entries || this.weighed > bytes)) goesOn = this.evict(cause)
  }

  private evict(cause: RemovalCause): boolean {
    const node = this.nodes[this.options.policy.evict()]
    if (node === undefined) return false
    this.note(cause, node)
    this.unlink(node)
    node.region.emptied()
    return true
  }

  remove(node: Node, cause: RemovalCause): void {
    this.note(cause, node)
    this.forget(node)
    node.region.emptied()
    this.tell()
  }

  hit(node: Node): void {
    if (!node.pinned) this.options.policy.onHit(node.slot)
  }

  private begin(node: Node): void {
    const { entry, slot } = node
    const { exit, loadMillis } = entry
    const isSuccess = exit._tag === "Success"
    this.options.protect?.(isSuccess ? exit.value : exit.cause)
    node.value = isSuccess ? exit.value : undefined
    node.loadMillis = loadMillis
    this.freshUntil = BySlot.withRoomFor(this.freshUntil, slot)
    this.freshUntil[slot] = isSuccess ? entry.freshUntil : -Infinity
    if (this.slides) this.readAt[slot] = entry.createdAt + loadMillis
    const { onMortal } = this.options
    if (onMortal !== undefined) {
      const endsAt = this.endsAt(node)
      if (endsAt !== Infinity) onMortal(endsAt)
    }
  }

  /** When the entry is over, if nobody reads it before. */
  private endsAt({ entry, slot }: Node): number {
    return this.slides ? Math.min(entry.staleUntil, this.readAt[slot]! + this.timeToIdle) : entry.staleUntil
  }

  isOver(node: Node, now: number): boolean {
    return now >= node.entry.staleUntil || (this.slides && now >= this.readAt[node.slot]! + this.timeToIdle)
  }

  /** Readings keep it alive, where the store slides. */
  renew(node: Node, now: number): void {
    if (this.slides && now > this.readAt[node.slot]!) this.readAt[node.slot] = now
  }

  private forget(node: Node): void {
    if (!node.pinned) this.options.policy.remove(node.slot)
    this.unlink(node)
  }

  private unlink(node: Node): void {
    node.region.nodes.delete(node.key)
    this.nodes[node.slot] = undefined
    this.free.push(node.slot)
    this.entries--
    if (node.pinned) this.pinned--
    this.uncount(node.weight, node.pinned)
  }

  private count(weight: number, pinned: boolean): void {
    if (weight === unweighed) this.unknown++
    else this.add(weight, pinned)
  }

  private uncount(weight: number, pinned: boolean): void {
    if (weight === unweighed) this.unknown--
    else this.add(-weight, pinned)
  }

  private add(weight: number, pinned: boolean): void {
    this.weighed += weight
    if (pinned) this.pinnedWeight += weight
  }

  private note(cause: RemovalCause, { entry, key, region }: Node): void {
    this.removals[cause]++
    if (this.options.onRemoval !== undefined) this.untold.push({ cause, cache: region.name, key, entry })
  }

  /** A listener may cause removals himself: they are told after those that he is being told. */
  private tell(): void {
    const { onRemoval } = this.options
    if (onRemoval === undefined || this.isTelling) return
    this.isTelling = true
    for (let at = 0; at < this.untold.length; at++) onRemoval(this.untold[at]!)
    this.untold.length = 0
    this.isTelling = false
  }

  /** The entry's weight in bytes; what the weigher makes no weight of counts as 0. */
  weightOf(node: Node): number {
    if (node.weight !== unweighed) return node.weight
    const weight = this.options.weigh(node.key, node.entry)
    this.uncount(unweighed, node.pinned)
    node.weight = weight >= 0 ? weight : 0
    this.count(node.weight, node.pinned)
    return node.weight
  }

  /** Of all entries. Takes time in proportion to those that were not weighed yet. */
  get bytes(): number {
    if (this.unknown > 0) {
      for (const node of this.nodes) if (node !== undefined) this.weightOf(node)
    }
    return this.weighed
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
    this.shrinkTo(entries, bytes, "size")
    this.tell()
    return before - this.entries
  }

  /** Pushes out as much as weighs so many bytes, or all that may be; answers how many bytes that were. */
  release(bytes: number): number {
    let freed = 0
    while (freed < bytes) {
      const node = this.nodes[this.options.policy.evict()]
      if (node === undefined) break
      freed += this.weightOf(node)
      this.note("pressure", node)
      this.unlink(node)
      node.region.emptied()
    }
    this.tell()
    return freed
  }

  /** How many slots there are, for `sweep`. */
  get slots(): number {
    return this.nodes.length
  }

  /** Removes what is over at `now` in some of the slots; answers when the next of the others ends. */
  sweep(now: number, from: number, to: number): number {
    let next = Infinity
    for (let slot = from; slot < Math.min(to, this.nodes.length); slot++) {
      const node = this.nodes[slot]
      if (node === undefined) continue
      if (node.region.isOutdated(node)) this.remove(node, "explicit")
      else if (this.isOver(node, now)) this.remove(node, "expired")
      else next = Math.min(next, this.endsAt(node))
    }
    return next
  }

  /** All nodes, what would be kept longest first. */
  ranked(): ReadonlyArray<Node> {
    const pinned = this.nodes.filter((node) => node !== undefined && node.pinned) as Array<Node>
    return [...pinned, ...this.options.policy.ranked().map((slot) => this.nodes[slot]!)]
  }
}

const isWeighing = ({ maxBytes, maxEntryBytes }: Bounds): boolean => maxBytes !== Infinity || maxEntryBytes !== Infinity

/** 32 bits that stand for a key, the same each time and another in each store: FNV-1a, by Fowler, Noll and Vo. */
const hashOf = (key: string, seed: number): number => {
  let hash = 0x811c9dc5 ^ seed
  for (let index = 0; index < key.length; index++) hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193)
  return hash >>> 0
}
