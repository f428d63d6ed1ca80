/**
 * What loads bring is written by somebody else, a little later: whoever loaded does not wait for the store.
 *
 * Only loads: what a program sets, and whatever it invalidates, is done when it returns. Nothing can go wrong by being
 * late, for each write gives back the epoch that its load began in, and the store drops what was invalidated since.
 */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import type * as CacheError from "../../CacheError.js"
import type * as CacheStore from "../../CacheStore.js"
import type * as CacheEvents from "../../observe/CacheEvents.js"

/** Writes that are given to the store at once. */
const most = 100

/** Milliseconds that the last writes may take, when the store is released. */
const drainMillis = 5_000

export const make = <A, E>(
  region: CacheStore.Region<A, E>,
  options: { readonly capacity: number; readonly events: CacheEvents.Service }
): Effect.Effect<CacheStore.Region<A, E>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { capacity, events } = options
    const queue = yield* Queue.bounded<CacheStore.Write<A, E>>(capacity)
    const tell = (error: CacheError.StoreFailure | CacheError.CodecError) =>
      Effect.sync(() =>
        events.publish(
          error._tag === "CodecError"
            ? { _tag: "EncodeFailed", cache: region.name, error }
            : { _tag: "StoreFailed", cache: region.name, error }
        )
      )
    const write = (writes: Chunk.Chunk<CacheStore.Write<A, E>>) =>
      Effect.catchAll(region.setMany(Chunk.toReadonlyArray(writes)), tell)
    let underWay: Chunk.Chunk<CacheStore.Write<A, E>> = Chunk.empty()
    const writeAll = (writes: Chunk.Chunk<CacheStore.Write<A, E>>) =>
      Effect.forEach(Chunk.chunksOf(writes, most), write, { discard: true })
    // after the worker below has ended, and before the region has: what is left, unless the store hangs
    yield* Effect.addFinalizer(() =>
      Effect.flatMap(Queue.takeAll(queue), (rest) =>
        writeAll(Chunk.appendAll(underWay, rest)).pipe(
          Effect.interruptible,
          Effect.disconnect,
          Effect.timeoutOption(drainMillis)
        )
      )
    )
    yield* Effect.forkScoped(
      Effect.forever(
        Effect.uninterruptibleMask((restore) =>
          Effect.flatMap(restore(Queue.takeBetween(queue, 1, most)), (writes) => {
            underWay = writes
            return Effect.map(restore(write(writes)), () => {
              underWay = Chunk.empty()
            })
          })
        )
      )
    )
    return {
      ...region,
      setMany: (writes) =>
        Effect.suspend(() => {
          // what there is no room for is written at once: its caller waits, and the queue gets shorter meanwhile
          const now = writes.filter((one) => one.since === undefined || !queue.unsafeOffer(one))
          return now.length === 0 ? Effect.void : region.setMany(now)
        })
    }
  })
