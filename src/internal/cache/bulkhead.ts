/** How many loads of one cache run at once, and how many wait for their turn. */
import * as Effect from "effect/Effect"
import * as CacheError from "../../CacheError.js"
import { defaultBulkheadQueue } from "../constants.js"
import type { Counters } from "./counters.js"

export class Bulkhead {
  private readonly semaphore: Effect.Semaphore
  /** Those that run and those that wait. */
  private admitted = 0

  constructor(
    private readonly cache: string,
    private readonly concurrency: number,
    private readonly queue: number = defaultBulkheadQueue
  ) {
    this.semaphore = Effect.unsafeMakeSemaphore(concurrency)
  }

  limit<A, E, R>(
    effect: Effect.Effect<A, E, R>,
    counters: Pick<Counters, "rejected">
  ): Effect.Effect<A, E | CacheError.LoadRejected, R> {
    const enter = Effect.suspend(() => {
      const { cache, concurrency, queue } = this
      if (this.admitted >= concurrency + queue) {
        counters.rejected++
        return Effect.fail(new CacheError.LoadRejected({ cache, concurrency, queue }))
      }
      this.admitted++
      return Effect.void
    })
    const exit = Effect.sync(() => {
      this.admitted--
    })
    return Effect.acquireUseRelease(
      enter,
      () => this.semaphore.withPermits(1)(effect),
      () => exit
    )
  }
}
