/**
 * The epochs of one region kept in this process: a counter that every invalidation raises, and a bounded memory of
 * what was invalidated when.
 *
 * Invariant: a load that started at epoch `e` may be stored only if nothing that concerns it was invalidated at an
 * epoch above `e`. Bounded memory is had by remembering *coarser*, never by forgetting: keys share slots, and a tag
 * that no longer fits raises the floor for all tagged entries. So the worst that can happen is that a value which
 * could have been kept is not.
 */

/** The epoch of a tier that was not, or could not be, asked: nothing may be written on its strength. */
export const unknownEpoch = -1

/** The epoch of a store that need not be asked, or takes nothing: nothing is ever written on its account, either. */
export const noEpoch = -2

const slots = 1024

/** A cheap spread of keys over slots: a collision costs one unneeded reload at most, so a sample of the text will do. */
const slotOf = (key: string): number => {
  const length = key.length
  let hash = length
  const step = length > 16 ? length >>> 4 : 1
  for (let index = 0; index < length; index += step) {
    hash = (Math.imul(hash, 31) + key.charCodeAt(index)) | 0
  }
  // the last characters differ most often ("user:1", "user:2") and a stride may step over them
  hash = Math.imul((Math.imul(hash, 31) + key.charCodeAt(length - 1)) | 0, 0x9e3779b1)
  return (hash >>> 16) & (slots - 1)
}

/** At most this many tags are remembered one by one in each region. */
export const maxTags = 10_000

/** What of a region's epochs has to outlive the process, where its entries do. Tags oldest first. */
export interface Lasting {
  readonly outdatedBefore: number
  readonly taggedFloor: number
  readonly tags: ReadonlyArray<readonly [tag: string, epoch: number]>
}

export class Epochs {
  /** The present epoch. Only ever rises. */
  now = 0
  /** The epoch of the last bump of any tag: an entry checked since then need not be checked again. */
  lastBump = 0
  private cleared = 0
  private outdatedBefore = 0
  private lastFence = 0
  private taggedFloor = 0
  private readonly fences = new Float64Array(slots)
  private readonly tags = new Map<string, number>()

  /** Loads of this key that started before now may not be stored. Answers the new epoch. */
  fence(key: string): number {
    this.lastFence = ++this.now
    this.fences[slotOf(key)] = this.now
    return this.now
  }

  /** No load that started before now may be stored. */
  fenceAll(): void {
    this.cleared = ++this.now
  }

  /** Everything that is there, and loads that started before now, are outdated. */
  bumpAll(): void {
    this.cleared = ++this.now
    this.outdatedBefore = this.now
    this.lastBump = this.now
    // whatever they would outdate is outdated
    this.tags.clear()
  }

  /** Entries of this tag, and loads that started before now and turn out to have it, are outdated. */
  bump(tag: string): void {
    this.lastBump = ++this.now
    // re-inserting keeps the map ordered by epoch, so the first is always the oldest
    this.tags.delete(tag)
    this.tags.set(tag, this.now)
    if (this.tags.size > maxTags) {
      for (const [oldest, epoch] of this.tags) {
        this.taggedFloor = epoch
        this.tags.delete(oldest)
        break
      }
    }
  }

  /** Whether a load of this key that started at `since` may still be stored, tags apart. */
  accepts(key: string, since: number): boolean {
    return (
      since > unknownEpoch && since >= this.cleared && (since >= this.lastFence || since >= this.fences[slotOf(key)]!)
    )
  }

  /** The same, with what it was, and when: for people who wonder. */
  outdatedBy(
    tags: ReadonlyArray<string>,
    since: number
  ): { readonly tag: string | undefined; readonly epoch: number } | undefined {
    if (since < this.outdatedBefore) return { tag: undefined, epoch: this.outdatedBefore }
    const tag = tags.find((one) => since < (this.tags.get(one) ?? -1))
    if (tag !== undefined) return { tag, epoch: this.tags.get(tag)! }
    return tags.length > 0 && since < this.taggedFloor ? { tag: tags[0], epoch: this.taggedFloor } : undefined
  }

  /** All that outdates entries, for a store that keeps it: what forbids loads dies with those who load. */
  get lasting(): Lasting {
    return { outdatedBefore: this.outdatedBefore, taggedFloor: this.taggedFloor, tags: [...this.tags] }
  }

  /** As it was; goes on from `now`, which must not be before any epoch that was ever given out. */
  static from({ outdatedBefore, taggedFloor, tags }: Lasting, now: number): Epochs {
    const epochs = new Epochs()
    epochs.now = now
    epochs.lastBump = now
    epochs.outdatedBefore = outdatedBefore
    epochs.taggedFloor = taggedFloor
    for (const [tag, epoch] of tags) epochs.tags.set(tag, epoch)
    return epochs
  }

  /** Whether one of these tags was invalidated after `since`. */
  outdated(tags: ReadonlyArray<string>, since: number): boolean {
    // this order: while no tag is bumped, reading an entry does not touch its tags, which lie elsewhere in memory
    if (since >= this.lastBump) return false
    if (since < this.outdatedBefore) return true
    if (tags.length === 0) return false
    if (since < this.taggedFloor) return true
    for (const tag of tags) {
      const epoch = this.tags.get(tag)
      if (epoch !== undefined && since < epoch) return true
    }
    return false
  }
}
