/**
 * One region over two: the second is used while the first is left alone.
 *
 * Both are behind breakers (see breaker.ts), and every invalidation is told to both: what one of them could not be told
 * it is told before it answers anything again. A load is stored where the reading before it was answered; the epoch of a
 * reading is a pair, with the one that was not asked marked as such.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import type * as CacheError from "../../CacheError.js"
import type * as CacheStore from "../../CacheStore.js"
import { noEpoch } from "../epochs.js"
import { type Guarded, isRefused } from "./breaker.js"

type Failure = CacheError.StoreFailure

const isInterrupted = (exit: Exit.Exit<unknown, unknown>): boolean =>
  Exit.isFailure(exit) && Cause.isInterrupted(exit.cause)

/**
 * One after the other, if not interrupted before; `owe` tells what the second has not done then, or has failed at. The
 * first sees to itself.
 */
const inTurn = <A, E1, B, E2, C, E3>(
  first: Effect.Effect<A, E1>,
  second: (exit: Exit.Exit<A, E1>) => Effect.Effect<B, E2>,
  owe: () => void,
  combine: (first: Exit.Exit<A, E1>, second: Exit.Exit<B, E2>) => Exit.Exit<C, E3>
): Effect.Effect<C, E1 | E3> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Effect.exit(restore(first)), (one): Effect.Effect<C, E1 | E3> => {
      if (isInterrupted(one)) {
        owe()
        return one as Exit.Exit<never, E1> // an interruption has no value
      }
      return Effect.flatMap(Effect.exit(restore(second(one))), (other): Effect.Effect<C, E1 | E3> => {
        if (Exit.isFailure(other) && !isRefused(other)) owe()
        return combine(one, other)
      })
    })
  )

export const make = <A, E>(
  { region: first }: Guarded<A, E>,
  { owed, region: second }: Guarded<A, E>
): CacheStore.Region<A, E> => {
  type Writes = ReadonlyArray<CacheStore.Write<A, E>>

  /** Done if one of the two has done it. */
  const both = <X>(
    one: Effect.Effect<X, Failure>,
    other: Effect.Effect<X, Failure>,
    owe: () => void,
    combine: (first: X, second: X) => X
  ): Effect.Effect<X, Failure> =>
    inTurn(
      one,
      () => other,
      owe,
      (first, second): Exit.Exit<X, Failure> => {
        if (Exit.isFailure(first)) return second
        return Exit.isFailure(second) ? first : Exit.succeed(combine(first.value, second.value))
      }
    )

  /** What the second has of these keys is older; where the first cannot keep them, it does. */
  const setExplicitly = (writes: Writes) => {
    const keys = writes.map(({ key }) => key)
    return inTurn(
      first.setMany(writes),
      (exit): Effect.Effect<unknown, Failure | CacheError.CodecError> => {
        if (isRefused(exit)) return exit
        return Exit.isSuccess(exit) ? second.deleteMany(keys) : second.setMany(writes)
      },
      () => owed.owesKeys(keys),
      (exit, other) => (Exit.isSuccess(exit) ? exit : Exit.asVoid(other))
    )
  }

  const loadedIn = (writes: Writes, place: 0 | 1): Writes =>
    writes.flatMap((write) => {
      const since = typeof write.since === "object" ? write.since[place]! : noEpoch
      return since === noEpoch ? [] : [{ ...write, since }]
    })

  return {
    name: first.name,
    near: undefined,
    complete: false,
    tiers: Math.max(first.tiers, second.tiers),
    gathers: first.gathers,
    askedByCallers: first.askedByCallers === true && second.askedByCallers === true,
    getMany: (keys) =>
      Effect.matchEffect(first.getMany(keys), {
        onSuccess: (reading) => Effect.succeed({ ...reading, epoch: [reading.epoch, noEpoch] }),
        onFailure: () =>
          Effect.map(second.getMany(keys), (reading) => ({ ...reading, epoch: [noEpoch, reading.epoch] }))
      }),
    setMany: (writes) => {
      const explicit = writes.filter(({ since }) => since === undefined)
      const [one, other] = [loadedIn(writes, 0), loadedIn(writes, 1)]
      return (explicit.length === 0 ? Effect.void : setExplicitly(explicit)).pipe(
        Effect.zipRight(one.length === 0 ? Effect.void : first.setMany(one)),
        Effect.zipRight(other.length === 0 ? Effect.void : second.setMany(other))
      )
    },
    deleteMany: (keys) => both(first.deleteMany(keys), second.deleteMany(keys), () => owed.owesKeys(keys), Math.max),
    invalidateTags: (tags) =>
      both(
        first.invalidateTags(tags),
        second.invalidateTags(tags),
        () => owed.owesTags(tags),
        () => undefined
      ),
    invalidateAll: both(
      first.invalidateAll,
      second.invalidateAll,
      () => owed.owesEverything(),
      () => undefined
    ),
    clear: both(first.clear, second.clear, () => owed.owesEverything(), Math.max),
    inspect: (key) => Effect.orElse(first.inspect(key), () => second.inspect(key)),
    entries: Stream.orElse(first.entries, () => second.entries),
    sizes: Effect.orElse(first.sizes, () => second.sizes)
  }
}
