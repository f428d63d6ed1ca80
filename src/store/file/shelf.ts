/** What there is in all regions of a store, in the order of its last use, within a budget of bytes. */

/** What is known of an entry without reading it. */
export interface Item {
  /** Of its file, from the store's directory on. */
  readonly name: string
  readonly region: string
  readonly key: string
  readonly epoch: number
  readonly tags: ReadonlyArray<string>
  readonly reclaimAt: number
  /** Of the file. */
  readonly bytes: number
}

export class Shelf {
  private readonly items = new Map<string, Item>()
  /** The same by region and key, so that a reading need not work out the name of a file. */
  private readonly regions = new Map<string, Map<string, Item>>()
  private used = 0

  constructor(readonly maxBytes: number) {}

  /** Of all files. */
  get bytes(): number {
    return this.used
  }

  get(name: string): Item | undefined {
    return this.items.get(name)
  }

  /** What was used last comes last. */
  touch(item: Item): void {
    if (this.items.get(item.name) !== item) return
    this.items.delete(item.name)
    this.items.set(item.name, item)
  }

  put(item: Item): void {
    this.remove(item.name)
    this.items.set(item.name, item)
    this.regionOf(item.region).set(item.key, item)
    this.used += item.bytes
  }

  remove(name: string): Item | undefined {
    const item = this.items.get(name)
    if (item === undefined) return undefined
    this.items.delete(name)
    this.regionOf(item.region).delete(item.key)
    this.used -= item.bytes
    return item
  }

  /** Takes out what was used longest ago until the rest fits; answers what that was. */
  shrink(): ReadonlyArray<Item> {
    const gone: Array<Item> = []
    for (const [name, item] of this.items) {
      if (this.used <= this.maxBytes) break
      this.remove(name)
      gone.push(item)
    }
    return gone
  }

  /** Takes out what will never be served again. */
  sweep(isOver: (item: Item) => boolean): ReadonlyArray<Item> {
    const over = [...this.items.values()].filter(isOver)
    for (const { name } of over) this.remove(name)
    return over
  }

  private regionOf(region: string): Map<string, Item> {
    let items = this.regions.get(region)
    if (items === undefined) this.regions.set(region, (items = new Map()))
    return items
  }

  /** What there is in a region by its keys, now and later. */
  keysOf(region: string): ReadonlyMap<string, Item> {
    return this.regionOf(region)
  }

  of(region: string): ReadonlyArray<Item> {
    return [...this.keysOf(region).values()]
  }
}
