/**
 * Invalidations that a store has not been told of, or may not have been: while they are owed, nothing that it has may be
 * served. Remembered to a bound; beyond it all that the store has is owed for.
 */
import * as Effect from "effect/Effect"
import type * as CacheError from "../../CacheError.js"
import type * as CacheStore from "../../CacheStore.js"

/** Keys, and tags, that are remembered one by one. */
const bound = 1_000

export class Owed {
  /** Each with a number that tells whether it was owed once more since. */
  private readonly keys = new Map<string, number>()
  private readonly tags = new Map<string, number>()
  private everything: number | undefined = undefined
  private count = 0

  get isNothing(): boolean {
    return this.everything === undefined && this.keys.size === 0 && this.tags.size === 0
  }

  owesKeys(keys: ReadonlyArray<string>): void {
    this.add(this.keys, keys)
  }

  owesTags(tags: ReadonlyArray<string>): void {
    this.add(this.tags, tags)
  }

  owesEverything(): void {
    this.everything = ++this.count
    this.keys.clear()
    this.tags.clear()
  }

  private add(to: Map<string, number>, all: ReadonlyArray<string>): void {
    if (this.everything !== undefined) return this.owesEverything()
    for (const one of all) to.set(one, ++this.count)
    if (to.size > bound) this.owesEverything()
  }

  /** Tells the store; what comes to be owed meanwhile stays so. */
  settle<A, E>(region: CacheStore.Region<A, E>): Effect.Effect<void, CacheError.StoreFailure> {
    return Effect.suspend(() => {
      const { everything } = this
      if (everything !== undefined) {
        return Effect.map(region.invalidateAll, () => {
          if (this.everything === everything) this.everything = undefined
        })
      }
      const [keys, tags] = [[...this.keys], [...this.tags]]
      const names = (all: ReadonlyArray<readonly [string, number]>) => all.map(([name]) => name)
      const forget = (from: Map<string, number>, all: ReadonlyArray<readonly [string, number]>) => {
        for (const [name, count] of all) if (from.get(name) === count) from.delete(name)
      }
      return Effect.zipRight(
        keys.length === 0 ? Effect.void : region.deleteMany(names(keys)),
        tags.length === 0 ? Effect.void : region.invalidateTags(names(tags))
      ).pipe(
        Effect.map(() => {
          forget(this.keys, keys)
          forget(this.tags, tags)
        })
      )
    })
  }
}
