/** A store over a `Map`, which stands for a database: the shortest engine that keeps all laws. */
import { Effect, Layer, Stream } from "effect"
import { CacheStore } from "effect-larder"

/** How many tags are remembered one by one. */
const maxTags = 1_000

/** What the database has of one region. Each method is one step, so nothing can come between. */
class Region {
  private readonly rows = new Map<string, CacheStore.Row & { readonly epoch: number }>()
  private readonly tags = new Map<string, number>()
  /** The counter: every invalidation and every explicit write raises it. */
  private epoch = 0
  /** No load that began before may be stored. One for the whole region: coarser than need be, and never wrong. */
  private floor = 0
  /** No entry with tags that was written before is there any more. */
  private tagFloor = 0

  private isOutdated(tags: ReadonlyArray<string>, epoch: number): boolean {
    return (tags.length > 0 && epoch < this.tagFloor) || tags.some((tag) => epoch < (this.tags.get(tag) ?? 0))
  }

  private find(key: string): CacheStore.Row | undefined {
    const row = this.rows.get(key)
    return row === undefined || this.isOutdated(row.tags, row.epoch) ? undefined : row
  }

  get(keys: ReadonlyArray<string>) {
    return { epoch: this.epoch, rows: keys.map((key) => this.find(key)) }
  }

  set(row: CacheStore.RowWrite): void {
    // an explicit write wins over every load that began before it
    const epoch = row.since ?? this.raiseFloor()
    const isLate =
      epoch < this.floor || this.isOutdated(row.tags, epoch) || epoch < (this.rows.get(row.key)?.epoch ?? 0)
    if (!isLate) this.rows.set(row.key, { ...row, epoch })
  }

  delete(keys: ReadonlyArray<string>): number {
    this.raiseFloor()
    return keys.filter((key) => this.find(key) !== undefined && this.rows.delete(key)).length
  }

  bump(tags: ReadonlyArray<string>): void {
    this.epoch++
    for (const tag of tags) this.tags.set(tag, this.epoch)
    if (this.tags.size <= maxTags) return
    // forgetting makes entries invalid, and never valid again
    this.tagFloor = this.epoch
    this.tags.clear()
  }

  clear(): number {
    const count = this.all().length
    this.raiseFloor()
    this.rows.clear()
    return count
  }

  all(): ReadonlyArray<CacheStore.Row> {
    return [...this.rows.keys()].flatMap((key) => this.find(key) ?? [])
  }

  private raiseFloor(): number {
    this.floor = ++this.epoch
    return this.epoch
  }
}

const engine = (region: Region): CacheStore.Engine => ({
  getMany: (keys) => Effect.sync(() => region.get(keys)),
  setMany: (rows) => Effect.sync(() => rows.forEach((row) => region.set(row))),
  deleteMany: (keys) => Effect.sync(() => region.delete([...new Set(keys)])),
  bump: (tags) => Effect.sync(() => region.bump(tags)),
  clear: Effect.sync(() => region.clear()),
  scan: Stream.suspend(() => Stream.fromIterable(region.all()))
})

/** The store. What it is made of lives as long as the Layer. */
export const layer: Layer.Layer<CacheStore.CacheStore> = Layer.scopedContext(
  Effect.suspend(() => {
    const regions = new Map<string, Region>()
    const regionOf = (name: string): Region => {
      const region = regions.get(name) ?? new Region()
      regions.set(name, region)
      return region
    }
    return Effect.map(
      CacheStore.make({
        name: "MapStore",
        capabilities: { live: false, persistent: false, shared: false },
        open: (name) => Effect.sync(() => engine(regionOf(name)))
      }),
      // a store whose entries survive the process adds CacheStore.Persistent, one that is shared CacheStore.Shared
      CacheStore.context()
    )
  })
)
