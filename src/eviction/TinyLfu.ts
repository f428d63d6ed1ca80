/**
 * W-TinyLFU that adapts: keeps what is wanted most often lately, tries out what is new, and finds its own measure
 * between the two. The default policy.
 *
 * Einziger, Friedman and Manes, "TinyLFU: a highly efficient cache admission policy", ACM Transactions on Storage 13
 * (2017): what is new enters by a small *window*; what the window has no more room for competes with the *main* part's
 * least worthy, and a sketch of how often keys were seen, long gone ones too, tells which of the two is given up. Here
 * it goes beyond that in three ways:
 *
 * - A hit raises one counter of one byte, and nothing else. What a hit means (a place in the order, a count in the
 *   sketch) is done when the slot comes up for eviction: lazy promotion, as in a clock.
 * - What a key has in the sketch on account of its present stay is not taken for a recommendation: a key never seen
 *   before drives out nothing. So a loop over more than there is room for keeps a part of the loop, where least
 *   recently used has no hit at all.
 * - The window's size is found by what comes back after it was given up (see `internal/balance`): a thousandth of the
 *   slots for what is skewed and steady, nearly all of them for what moves on.
 *
 * `npm run bench:ratio` compares it with every other policy here and with the optimum.
 *
 * @since 0.1.0
 */
import { Balance, ofMain, ofWindow } from "./internal/balance.js"
import * as BySlot from "./internal/bySlot.js"
import { Lists } from "./internal/lists.js"
import { Sketch } from "./internal/sketch.js"
import type { Policy } from "./Policy.js"

/** What came last. */
const window = 0
/** The main part: what was not used again since it came here, and what was. */
const probation = 1
const protect = 2
type List = typeof window | typeof probation | typeof protect

/** The protected list's part of the main part. */
const protectedPart = 0.7
const maxUses = 255

class TinyLfu implements Policy {
  private readonly lists = new Lists(3)
  private readonly sizes: [number, number, number] = [0, 0, 0]
  private readonly sketch = new Sketch()
  private readonly balance: Balance
  /** By slot: hits that nothing was made of yet. */
  private uses = BySlot.bytes()
  private places = BySlot.bytes()
  private hashes = BySlot.integers()

  constructor(seed: number) {
    this.balance = new Balance(seed)
  }

  onHit(slot: number): void {
    const uses = this.uses[slot]!
    if (uses < maxUses) this.uses[slot] = uses + 1
  }

  onReplace(slot: number): void {
    this.onHit(slot)
  }

  onInsert(slot: number, hash: number): void {
    if (slot >= this.uses.length) {
      this.uses = BySlot.withRoomFor(this.uses, slot)
      this.places = BySlot.withRoomFor(this.places, slot)
      this.hashes = BySlot.withRoomFor(this.hashes, slot)
    }
    this.uses[slot] = 0
    this.hashes[slot] = hash
    this.add(slot, window)
    const { count } = this
    this.sketch.reserve(count)
    this.sketch.add(hash)
    this.balance.came(hash, count)
    // while there is room, what the window has no room for need not compete
    if (this.sizes[window] > this.balance.window(count)) this.move(this.lists.oldest(window), probation)
  }

  remove(slot: number): void {
    this.lists.remove(slot)
    this.sizes[this.places[slot] as List]--
  }

  evict(): number {
    const { count } = this
    if (count === 0) return -1
    const candidate = this.candidate(count)
    const victim = this.victim()
    const side = this.choose(candidate, victim)
    const slot = side === ofWindow ? candidate : victim
    this.remove(slot)
    if (side === ofMain && candidate >= 0) this.move(candidate, probation)
    this.balance.gaveUp(side, this.hashes[slot]!, count)
    return slot
  }

  ranked(): ReadonlyArray<number> {
    return [protect, window, probation].flatMap((list) => this.lists.fromNewest(list))
  }

  private get count(): number {
    return this.sizes[window] + this.sizes[probation] + this.sizes[protect]
  }

  private add(slot: number, list: List): void {
    this.places[slot] = list
    this.lists.add(list, slot)
    this.sizes[list]++
  }

  private move(slot: number, list: List): void {
    this.remove(slot)
    this.add(slot, list)
  }

  /** Makes of a slot's hits what they mean for the sketch. Whether there were any. */
  private settle(slot: number): boolean {
    const uses = this.uses[slot]!
    if (uses === 0) return false
    this.uses[slot] = 0
    this.sketch.add(this.hashes[slot]!, uses)
    return true
  }

  /**
   * The oldest of the window that was not used again, where the window has all that it may have; -1 where it has less.
   * What it has above that (it was larger, or the whole cache was) goes to the main part untried. Each slot is passed
   * over for a hit or moved on, so this takes no longer than the hits and writes did that lead to it.
   */
  private candidate(count: number): number {
    const room = this.balance.window(count)
    while (this.sizes[window] >= room) {
      const slot = this.lists.oldest(window)
      if (this.settle(slot)) this.lists.renew(window, slot)
      else if (this.sizes[window] > room) this.move(slot, probation)
      else return slot
    }
    return -1
  }

  /** The oldest on probation that was not used again, or -1 when all are in the window. */
  private victim(): number {
    const room = Math.floor(protectedPart * (this.sizes[probation] + this.sizes[protect]))
    for (;;) {
      const slot = this.lists.oldest(probation)
      if (slot < 0 && this.sizes[protect] === 0) return -1
      if (slot >= 0) {
        if (!this.settle(slot)) return slot
        this.move(slot, protect)
      }
      while (this.sizes[protect] > room) {
        const oldest = this.lists.oldest(protect)
        if (this.settle(oldest)) this.lists.renew(protect, oldest)
        else this.move(oldest, probation)
      }
    }
  }

  /** Which of the two is to go. The one that is alone goes without a competition. */
  private choose(candidate: number, victim: number): typeof ofWindow | typeof ofMain {
    if (victim < 0) return ofWindow
    if (candidate < 0) return ofMain
    // once it was counted for coming in, which says nothing for it yet
    const recommended = this.sketch.count(this.hashes[candidate]!) - 1
    const isBetter = recommended > this.sketch.count(this.hashes[victim]!)
    return isBetter === this.balance.isTrial ? ofWindow : ofMain
  }
}

/**
 * O(1) for a hit; for a write and an eviction O(1) in the long run, for one may have to do what a number of hits have
 * left to it. About 50 bytes for each slot. `seed` decides which decisions are tried the other way; give a number that
 * others cannot know where keys come from those who might be up to something.
 *
 * @example
 * ```ts
 * import * as TinyLfu from "effect-larder/TinyLfu"
 *
 * const policy = TinyLfu.make({ seed: 1 })
 * for (let slot = 0; slot < 100; slot++) policy.onInsert(slot, slot, Infinity)
 * console.log(policy.ranked().length) // 100
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = ({ seed = 1 }: { readonly seed?: number } = {}): Policy => new TinyLfu(seed)
