/** What a region knows of its invalidations: its state, and the fences of its slots and tags; see engine.ts. */
import * as Effect from "effect/Effect"
import * as CacheError from "../../CacheError.js"
import type { Item, Items, Replacement } from "./items.js"
import * as Rows from "./rows.js"

/** Tries to write what others keep writing, too. Each time that one fails, another one was done. */
export const tries = 100

type Failing<A> = Effect.Effect<A, CacheError.StoreFailure>

/** A change of the state. */
interface Change {
  readonly before: Rows.State
  readonly after: Rows.State
}

export class Ledger {
  constructor(
    private readonly store: string,
    private readonly items: Items,
    private readonly names: Rows.Names,
    private readonly fresh: () => string
  ) {}

  /** Changes the state, and begins the region where there is none. Answers what it was, and is. */
  private change(operation: string, to: (state: Rows.State) => Rows.State): Failing<Change> {
    const { items, names } = this
    const again = (left: number): Failing<Change> =>
      Effect.flatMap(items.claim(operation, [names.state], []), ({ items: [item] }) => {
        const before = Rows.decodeState(item!.bytes) ?? this.begun()
        const after = to(before)
        return Effect.flatMap(items.replace(operation, [this.stateOf(item!, after)]), ([isDone]) => {
          if (isDone === true) return Effect.succeed({ before, after })
          return left > 0 ? again(left - 1) : this.crowded(operation)
        })
      })
    return again(tries)
  }

  private stateOf({ version }: Item, state: Rows.State): Replacement {
    return { name: this.names.state, version, bytes: Rows.encodeState(state, this.names.label), reclaimAt: Infinity }
  }

  private begun(): Rows.State {
    return { incarnation: this.fresh(), epoch: 0, oldest: 0, lastBump: 0 }
  }

  crowded(operation: string): Failing<never> {
    return Effect.fail(
      new CacheError.StoreError({
        store: this.store,
        operation,
        reason: `others were quicker ${tries} times in a row`,
        transient: true,
        hint: "try again; programs that invalidate so often had better have caches of their own",
        cause: undefined
      })
    )
  }

  /** The state, as it was found; where there was none, of a region that has just begun. */
  present(operation: string, found: Uint8Array | undefined): Failing<Rows.State> {
    const state = Rows.decodeState(found)
    return state === undefined
      ? Effect.map(
          this.change(operation, (one) => one),
          ({ after }) => after
        )
      : Effect.succeed(state)
  }

  /** The counter, one higher. */
  raise(operation: string, to: (epoch: number) => Partial<Rows.State> = () => ({})) {
    return this.change(operation, (state) => {
      const epoch = state.epoch + 1
      return { ...state, epoch, ...to(epoch) }
    })
  }

  /** Raises fences to an epoch, unless they are there already. */
  fence(
    operation: string,
    fences: ReadonlyArray<string>,
    { epoch, incarnation }: Rows.State,
    left = tries
  ): Failing<void> {
    if (fences.length === 0) return Effect.void
    return Effect.flatMap(this.items.claim(operation, fences, []), ({ items }) => {
      const lower = items.flatMap(({ bytes, version }, index) => {
        const isThere = (Rows.decodeFence(incarnation, bytes) ?? -1) >= epoch
        return isThere
          ? []
          : [{ name: fences[index]!, version, bytes: Rows.encodeFence(incarnation, epoch), reclaimAt: Infinity }]
      })
      return this.fill(operation, lower, (missed) =>
        left > 0
          ? this.fence(operation, missed, { epoch, incarnation, oldest: 0, lastBump: 0 }, left - 1)
          : this.crowded(operation)
      )
    })
  }

  /** Writes what may be written; what somebody else was quicker with is tried otherwise. */
  fill(
    operation: string,
    all: ReadonlyArray<Replacement>,
    otherwise: (missed: ReadonlyArray<string>) => Failing<void>
  ): Failing<void> {
    if (all.length === 0) return Effect.void
    return Effect.flatMap(this.items.replace(operation, all), (done) => {
      const missed = all.filter((_, index) => done[index] !== true).map(({ name }) => name)
      return missed.length === 0 ? Effect.void : otherwise(missed)
    })
  }

  /** Makes fences that are not there: as high as the counter is once it is known that they are not. */
  establish(operation: string, fences: ReadonlyArray<string>, left = tries): Failing<ReadonlyMap<string, number>> {
    const { state } = this.names
    return Effect.flatMap(this.items.claim(operation, fences, [state]), ({ found, items }) =>
      Effect.flatMap(this.present(operation, found[0]), ({ epoch, incarnation }) => {
        const known = new Map<string, number>()
        const missing: Array<Replacement> = []
        items.forEach(({ bytes, version }, index) => {
          const name = fences[index]!
          const there = Rows.decodeFence(incarnation, bytes)
          known.set(name, there ?? epoch)
          if (there === undefined) {
            missing.push({ name, version, bytes: Rows.encodeFence(incarnation, epoch), reclaimAt: Infinity })
          }
        })
        const again = (missed: ReadonlyArray<string>) =>
          left > 0
            ? Effect.map(this.establish(operation, missed, left - 1), (others) => {
                for (const [name, one] of others) known.set(name, one)
              })
            : this.crowded(operation)
        return Effect.as(this.fill(operation, missing, again), known)
      })
    )
  }
}
