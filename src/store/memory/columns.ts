/**
 * What is kept of entries: not objects, but columns of dense arrays, indexed by slot. An entry becomes an object when
 * somebody asks for it as a whole, which hits do not.
 *
 * Most of a hit's time is spent waiting for memory, so what it reads is together; and what is no object takes no
 * header, need not be traced by the collector, and is not moved when it gets old.
 */
import * as Exit from "effect/Exit"
import type * as CacheEntry from "../../CacheEntry.js"
import * as BySlot from "../../eviction/internal/bySlot.js"

export class Columns {
  /** A success's value, or the Exit of a failure. */
  private readonly contents: Array<unknown> = []
  private readonly tags: Array<ReadonlyArray<string> | undefined> = []
  /** Of few: only what has a digest for its key has a text. */
  private readonly keyTexts = new Map<number, string>()
  /** When failures are not fresh any more; they are few. For hits, which are successes, they never are. */
  private readonly failures = new Map<number, number>()
  private createdAt = BySlot.floats()
  private freshUntil = BySlot.floats()
  private staleUntil = BySlot.floats()
  private loadMillis = BySlot.floats()

  /** Weakly: a value that is an object stays only as long as somebody else holds on to it. */
  constructor(readonly isWeak: boolean) {}

  reserve(slot: number): void {
    this.createdAt = BySlot.withRoomFor(this.createdAt, slot)
    this.freshUntil = BySlot.withRoomFor(this.freshUntil, slot)
    this.staleUntil = BySlot.withRoomFor(this.staleUntil, slot)
    this.loadMillis = BySlot.withRoomFor(this.loadMillis, slot)
  }

  put(slot: number, entry: CacheEntry.CacheEntry<unknown, unknown>): void {
    const { createdAt, exit, freshUntil, keyText, loadMillis, staleUntil, tags } = entry
    const isSuccess = exit._tag === "Success"
    this.contents[slot] = isSuccess ? this.held(exit.value) : exit
    this.tags[slot] = tags
    this.createdAt[slot] = createdAt
    this.freshUntil[slot] = isSuccess ? freshUntil : -Infinity
    this.forget(slot)
    if (!isSuccess) this.failures.set(slot, freshUntil)
    this.staleUntil[slot] = staleUntil
    this.loadMillis[slot] = loadMillis
    if (keyText !== undefined) this.keyTexts.set(slot, keyText)
  }

  private held(value: unknown): unknown {
    const isObject = (typeof value === "object" && value !== null) || typeof value === "function"
    return this.isWeak && isObject ? new WeakRef(value) : value
  }

  /** Whether the collector has taken the value. */
  isCollected(slot: number): boolean {
    const content = this.isWeak ? this.contents[slot] : undefined
    return content instanceof WeakRef && content.deref() === undefined
  }

  /** What few slots have. */
  private forget(slot: number): void {
    if (this.failures.size > 0) this.failures.delete(slot)
    if (this.keyTexts.size > 0) this.keyTexts.delete(slot)
  }

  /** Lets go of whatever was there. */
  drop(slot: number): void {
    this.contents[slot] = undefined
    this.tags[slot] = undefined
    this.forget(slot)
  }

  entryAt(slot: number): CacheEntry.CacheEntry<unknown, unknown> {
    const content = this.valueAt(slot)
    const failure = this.failures.get(slot)
    return {
      // as `put` has put it there
      exit: failure === undefined ? Exit.succeed(content) : (content as Exit.Exit<never, unknown>),
      createdAt: this.createdAt[slot]!,
      freshUntil: failure ?? this.freshUntil[slot]!,
      staleUntil: this.staleUntil[slot]!,
      tags: this.tagsAt(slot),
      loadMillis: this.loadMillis[slot]!,
      keyText: this.keyTexts.get(slot)
    }
  }

  tagsAt(slot: number): ReadonlyArray<string> {
    return this.tags[slot]!
  }

  staleUntilAt(slot: number): number {
    return this.staleUntil[slot]!
  }

  /** Of a success; nothing if it was collected. */
  valueAt(slot: number): unknown {
    const content = this.contents[slot]
    return this.isWeak && content instanceof WeakRef ? content.deref() : content
  }

  loadMillisAt(slot: number): number {
    return this.loadMillis[slot]!
  }

  createdAtAt(slot: number): number {
    return this.createdAt[slot]!
  }

  /** Of a success. */
  freshUntilAt(slot: number): number {
    return this.freshUntil[slot]!
  }

  /** Whether it is a success that is fresh. */
  isFresh(slot: number, until: number): boolean {
    return until < this.freshUntil[slot]!
  }
}
