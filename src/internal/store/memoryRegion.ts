/**
 * Regions kept by reference in this process.
 *
 * All regions of one store share its slots, so the store's bounds hold whatever the number of caches. Nothing here
 * is asynchronous: each operation is atomic because JavaScript runs it to its end. No timers: what is over is found
 * out when it is read, or pushed out by the bounds.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type * as CacheEntry from "../../CacheEntry.js"
import type * as CacheError from "../../CacheError.js"
import type * as CacheStore from "../../CacheStore.js"
import type { Policy } from "../../eviction/Policy.js"
import { Epochs } from "../epochs.js"
import { closed } from "./service.js"
import { steadyMillis } from "../steady.js"

/** Invariant: a node is in its region's map if and only if it is in the pool at its slot and in the policy. */
interface Node {
  readonly region: MemoryRegion<unknown, unknown>
  readonly key: string
  entry: CacheEntry.CacheEntry<unknown, unknown>
  epoch: number
  slot: number
  weight: number
}

export interface PoolOptions {
  readonly maxEntries: number
  readonly maxBytes: number
  readonly policy: Policy
  /** Bytes of one entry. Asked at each write only if `maxBytes` is finite; otherwise only for listings. */
  readonly weigh: (key: string, entry: CacheEntry.CacheEntry<unknown, unknown>) => number
}

/** The slots that all regions of a store share. */
export class Pool {
  private readonly nodes: Array<Node | undefined> = []
  private readonly free: Array<number> = []
  private entries = 0
  private bytes = 0
  /** How many entries the bounds have pushed out. */
  evictions = 0
  private readonly weighs: boolean

  constructor(readonly options: PoolOptions) {
    this.weighs = options.maxBytes !== Infinity
  }

  /** False when the entry alone is heavier than the whole store may be: then nothing is pushed out for it. */
  insert(
    region: MemoryRegion<unknown, unknown>,
    key: string,
    entry: CacheEntry.CacheEntry<unknown, unknown>,
    epoch: number
  ): boolean {
    const weight = this.weighs ? this.options.weigh(key, entry) : 0
    if (!this.fits(weight)) return false
    const slot = this.free.pop() ?? this.nodes.length
    const node: Node = { region, key, entry, epoch, slot, weight }
    this.nodes[slot] = node
    region.nodes.set(key, node)
    this.entries++
    this.bytes += weight
    this.options.policy.onInsert(slot, 0, entry.staleUntil)
    this.shrink()
    return true
  }

  /** Overwrites in place: the key keeps its slot, and no other key is pushed out for it. */
  replace(node: Node, entry: CacheEntry.CacheEntry<unknown, unknown>, epoch: number): boolean {
    const weight = this.weighs ? this.options.weigh(node.key, entry) : 0
    if (!this.fits(weight)) {
      this.remove(node)
      return false
    }
    this.bytes += weight - node.weight
    node.weight = weight
    node.entry = entry
    node.epoch = epoch
    this.options.policy.onReplace(node.slot, entry.staleUntil)
    this.shrink()
    return true
  }

  /** A weigher is the program's own: what it makes of a value may be no weight (NaN, negative), and is then too much. */
  private fits(weight: number): boolean {
    return weight >= 0 && weight <= this.options.maxBytes
  }

  remove(node: Node): void {
    this.options.policy.remove(node.slot)
    this.forget(node)
  }

  hit(node: Node): void {
    this.options.policy.onHit(node.slot)
  }

  private forget(node: Node): void {
    const { region } = node
    region.nodes.delete(node.key)
    this.nodes[node.slot] = undefined
    this.free.push(node.slot)
    this.entries--
    this.bytes -= node.weight
    if (region.nodes.size === 0) region.onEmpty()
  }

  private shrink(): void {
    while (this.entries > this.options.maxEntries || this.bytes > this.options.maxBytes) {
      const node = this.nodes[this.options.policy.evict()]
      if (node === undefined) return
      this.forget(node)
      this.evictions++
    }
  }
}

export class MemoryRegion<A, E> implements CacheStore.LiveView<A, E> {
  /** @internal shared with the pool, which alone writes it */
  readonly nodes: Map<string, Node>
  private readonly epochs: Epochs
  private fingerprint: string | undefined
  isClosed = true

  /**
   * `onEmpty` is told when the last entry has gone, for whatever reason. A name that is opened again takes over what
   * `previous` has kept, as another object: whoever still holds the old one finds it closed.
   */
  constructor(
    readonly pool: Pool,
    readonly onEmpty: () => void = () => {},
    previous?: MemoryRegion<A, E>
  ) {
    this.nodes = previous?.nodes ?? new Map<string, Node>()
    this.epochs = previous?.epochs ?? new Epochs()
    this.fingerprint = previous?.fingerprint
  }

  /** Entries stay for a cache that reopens the name, but only one with the same Schema: values never change type. */
  open(fingerprint: string | undefined): void {
    if (fingerprint === undefined || fingerprint !== this.fingerprint) this.clear()
    this.fingerprint = fingerprint
    this.isClosed = false
  }

  /** Without a Schema nothing could tell whether who opens the name again means the same values. */
  close(): void {
    if (this.fingerprint === undefined) this.clear()
    this.isClosed = true
  }

  private present(key: string, now: number): Node | undefined {
    const node = this.nodes.get(key)
    if (node === undefined || this.isClosed) return undefined
    if (now >= node.entry.staleUntil || this.epochs.outdated(node.entry.tags, node.epoch)) {
      this.pool.remove(node)
      return undefined
    }
    return node
  }

  /** The hottest path of all: nothing is removed here, and nothing looked at twice. */
  fresh(key: string, until: number): CacheEntry.CacheEntry<A, E> | undefined {
    const node = this.nodes.get(key)
    if (node === undefined || this.isClosed) return undefined
    const { entry } = node
    if (until >= entry.freshUntil || this.epochs.outdated(entry.tags, node.epoch)) return undefined
    this.pool.hit(node)
    return entry as CacheEntry.CacheEntry<A, E> // as in `get`
  }

  get(key: string, now: number): CacheEntry.CacheEntry<A, E> | undefined {
    const node = this.present(key, now)
    if (node === undefined) return undefined
    this.pool.hit(node)
    return node.entry as CacheEntry.CacheEntry<A, E> // only `set` of this region fills its map, see `fingerprint`
  }

  peek(key: string, now: number): CacheEntry.CacheEntry<A, E> | undefined {
    return this.present(key, now)?.entry as CacheEntry.CacheEntry<A, E> | undefined
  }

  epoch(): number {
    return this.epochs.now
  }

  set(key: string, entry: CacheEntry.CacheEntry<A, E>, since: number | undefined): boolean {
    if (this.isClosed) return false
    const node = this.nodes.get(key)
    if (since === undefined) {
      const epoch = this.epochs.fence(key)
      return this.write(node, key, entry, epoch)
    }
    if (!this.epochs.accepts(key, since) || this.epochs.outdated(entry.tags, since)) return false
    if (node !== undefined && node.epoch > since) return false
    return this.write(node, key, entry, since)
  }

  private write(node: Node | undefined, key: string, entry: CacheEntry.CacheEntry<A, E>, epoch: number): boolean {
    return node === undefined
      ? this.pool.insert(this as MemoryRegion<unknown, unknown>, key, entry, epoch)
      : this.pool.replace(node, entry, epoch)
  }

  delete(key: string): boolean {
    this.epochs.fence(key)
    const node = this.nodes.get(key)
    if (node === undefined) return false
    this.pool.remove(node)
    return true
  }

  bump(tags: ReadonlyArray<string>): void {
    for (const tag of tags) this.epochs.bump(tag)
  }

  clear(): number {
    this.epochs.fenceAll()
    const count = this.nodes.size
    for (const node of [...this.nodes.values()]) this.pool.remove(node)
    return count
  }

  list(now: number): ReadonlyArray<CacheStore.Listed<A, E>> {
    const rows: Array<CacheStore.Listed<A, E>> = []
    for (const key of [...this.nodes.keys()]) {
      const entry = this.peek(key, now)
      if (entry !== undefined) rows.push({ key, entry, bytes: this.pool.options.weigh(key, entry) })
    }
    return rows
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
      live(() => {
        // this store's epochs are plain numbers: it never hands out another form
        for (const { entry, key, since } of writes) view.set(key, entry, since as number | undefined)
      }),
    deleteMany: (keys) => live(() => keys.reduce((count, key) => (view.delete(key) ? count + 1 : count), 0)),
    invalidateTags: (tags) => live(() => view.bump(tags)),
    clear: live(() => view.clear()),
    entries: Stream.unwrap(live((now) => Stream.fromIterable(view.list(now)))),
    sizes: live((now) => {
      const rows = view.list(now)
      return [{ store, tier: 1, entries: rows.length, bytes: rows.reduce((sum, row) => sum + row.bytes, 0) }]
    })
  }
}
