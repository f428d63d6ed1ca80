/** Something that happens again and again, and those who wait until it has made a difference. */
import * as Effect from "effect/Effect"

export class Signal {
  private readonly listeners = new Set<() => void>()

  /** Waits until it is so. Looking and beginning to listen are one step: nothing is missed between them. */
  until(isSo: () => boolean): Effect.Effect<void> {
    return Effect.async((resume) => {
      const listener = () => {
        if (!isSo()) return
        this.listeners.delete(listener)
        resume(Effect.void)
      }
      this.listeners.add(listener)
      listener()
      return Effect.sync(() => void this.listeners.delete(listener))
    })
  }

  give(): void {
    for (const listener of this.listeners) listener()
  }
}
