/**
 * One explicit write of a key after the other, where a write takes several steps: with two at once, each tier might end
 * with another one's value.
 */
import * as Effect from "effect/Effect"

export class KeyTurns {
  /** The keys that are being written, and who waits for each. */
  private readonly waiting = new Map<string, Set<() => void>>()

  /** Waits for its turn with all of the keys at once, so that nobody has one and waits for another. */
  run<A, E, R>(ids: ReadonlyArray<string>, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    const keys = [...new Set(ids)]
    return Effect.uninterruptibleMask((restore) =>
      Effect.zipRight(
        restore(Effect.suspend(() => (this.busy(keys) === undefined ? Effect.void : this.free(keys)))),
        Effect.suspend(() => this.take(keys, restore(effect)))
      )
    )
  }

  private busy(keys: ReadonlyArray<string>): Set<() => void> | undefined {
    for (const key of keys) {
      const waiting = this.waiting.get(key)
      if (waiting !== undefined) return waiting
    }
    return undefined
  }

  /** Looked for and waited for in one step: nobody is missed who ends between the two. */
  private free(keys: ReadonlyArray<string>): Effect.Effect<void> {
    return Effect.async<void>((resume) => {
      const waiting = this.busy(keys)
      if (waiting === undefined) return resume(Effect.void)
      const wake = () => resume(this.free(keys))
      waiting.add(wake)
      return Effect.sync(() => waiting.delete(wake))
    })
  }

  /** Somebody may have been quicker between being woken and being here. */
  private take<A, E, R>(keys: ReadonlyArray<string>, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    if (this.busy(keys) !== undefined) return this.run(keys, effect)
    for (const key of keys) this.waiting.set(key, new Set())
    return Effect.ensuring(
      effect,
      Effect.sync(() => {
        const all = keys.map((key) => this.waiting.get(key)!)
        for (const key of keys) this.waiting.delete(key)
        for (const waiting of all) for (const wake of waiting) wake()
      })
    )
  }
}
