/**
 * What a region knows of its invalidations: its state, and the fences of its slots and tags; see engine.ts.
 *
 * To raise the counter, then fences, and then to write entries takes six steps, each of which waits for the one before it.
 * `advance` takes two where nobody comes between: it claims all of it at once, the state last, and then writes the state,
 * the fences and the entries, in this order, and each only if nobody else has written it since. So:
 *
 * - If all is written, all is as if it had been done step by step. A load of an epoch before ours that is stored over our
 *   entry has claimed it after it was written, hence after the fences were, and it is these that it reads then.
 * - What is not written is done step by step, from there on: from the beginning if the state was not raised by us, from
 *   the fences if one of them is not up, and from those entries otherwise.
 * - What was written all the same, after something was refused, does no harm meanwhile, nor if nobody comes to end this.
 *   A fence is not lowered: when it was claimed the counter was no higher than in the state, which was claimed after it.
 *   An entry is of the epoch that was *claimed*, not of the one that is begun: whatever was invalidated since outdates it,
 *   or has removed it, as with any other entry that was there.
 */
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

/** What is to be done at once. */
interface Plan {
  /** Fences that are raised to the new epoch. */
  readonly fences: ReadonlyArray<string>
  /** Fences that have to be there, however high. */
  readonly known?: ReadonlyArray<string>
  /** Entries that are written. */
  readonly entries?: ReadonlyArray<Planned>
  /** What else is to be read before anything is written. */
  readonly others?: ReadonlyArray<string>
  /** What is to be changed of the state besides the counter. */
  readonly to?: (epoch: number) => Partial<Rows.State>
}

interface Planned {
  readonly name: string
  readonly bytes: (state: Rows.State) => Uint8Array
  readonly reclaimAt: number
}

interface Advance {
  /** What was there before; `undefined` where there was no region. */
  readonly before: Rows.State | undefined
  /** The fences are at this epoch, or above. */
  readonly after: Rows.State
  /** Whether the entry of this place in the plan was written. */
  readonly isWritten: (place: number) => boolean
  /** What is under `others`. */
  readonly found: ReadonlyArray<Uint8Array | undefined>
}

const unchanged = (): Partial<Rows.State> => ({})
const none = (): boolean => false

const raisedFrom = (state: Rows.State, to: (epoch: number) => Partial<Rows.State>): Rows.State => {
  const epoch = state.epoch + 1
  return { ...state, epoch, ...to(epoch) }
}

const lasting = (name: string, { version }: Item, bytes: Uint8Array): Replacement => ({
  name,
  version,
  bytes,
  reclaimAt: Infinity
})

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

  private stateOf(item: Item, state: Rows.State): Replacement {
    return lasting(this.names.state, item, Rows.encodeState(state, this.names.label))
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
  raise(operation: string, to: (epoch: number) => Partial<Rows.State> = unchanged) {
    return this.change(operation, (state) => raisedFrom(state, to))
  }

  /** Raises the counter, then fences, and then writes as many of the entries as nobody else does: in the fewest steps. */
  advance(operation: string, plan: Plan): Failing<Advance> {
    const { entries = [], fences, known = [], others = [], to } = plan
    const written = [...fences, ...entries.map(({ name }) => name)]
    const names = [...written, ...known, this.names.state]
    return Effect.flatMap(
      this.items.claim(operation, names, others, written.length),
      ({ found, items }): Failing<Advance> => {
        const before = Rows.decodeState(items.at(-1)!.bytes)
        const fenced = (after: Rows.State): Failing<Advance> =>
          Effect.as(this.fence(operation, fences, after), { before, after, isWritten: none, found })
        const raised = () => Effect.flatMap(this.raise(operation, to), ({ after }) => fenced(after))
        if (before === undefined) return raised()
        const after = raisedFrom(before, to ?? unchanged)
        const steps = this.steps(plan, items, before, after)
        return Effect.flatMap(this.inOrder(operation, steps), (done) => {
          if (done[0] !== true) return raised()
          const start = steps[0].length + steps[1].length
          for (let place = 1; place < start; place++) if (done[place] !== true) return fenced(after)
          return Effect.succeed({ before, after, isWritten: (place) => done[start + place] === true, found })
        })
      }
    )
  }

  /** The state; the fences; the entries. */
  private steps(
    { entries = [], fences, known = [] }: Plan,
    items: ReadonlyArray<Item>,
    before: Rows.State,
    after: Rows.State
  ): readonly [ReadonlyArray<Replacement>, ReadonlyArray<Replacement>, ReadonlyArray<Replacement>] {
    const { epoch, incarnation } = before
    const [high, low] = [Rows.encodeFence(incarnation, after.epoch), Rows.encodeFence(incarnation, epoch)]
    const missing = known.flatMap((name, index) => {
      const item = items[fences.length + entries.length + index]!
      return Rows.decodeFence(incarnation, item.bytes) === undefined ? [lasting(name, item, low)] : []
    })
    return [
      [this.stateOf(items.at(-1)!, after)],
      [...fences.map((name, index) => lasting(name, items[index]!, high)), ...missing],
      entries.map(({ bytes, name, reclaimAt }, index) => ({
        name,
        version: items[fences.length + index]!.version,
        bytes: bytes(before),
        reclaimAt
      }))
    ]
  }

  /** Tells of each whether it was written; where one was not, the next steps need not be. */
  private inOrder(
    operation: string,
    [first, ...rest]: ReadonlyArray<ReadonlyArray<Replacement>>
  ): Failing<ReadonlyArray<boolean>> {
    if (first === undefined) return Effect.succeed([])
    if (this.items.ordered) return this.items.replace(operation, [...first, ...rest.flat()])
    const begun = first.length === 0 ? Effect.succeed([]) : this.items.replace(operation, first)
    return Effect.flatMap(begun, (done) =>
      done.includes(false)
        ? Effect.succeed(done)
        : Effect.map(this.inOrder(operation, rest), (others) => [...done, ...others])
    )
  }

  /** Raises fences to an epoch, unless they are there already. */
  private fence(operation: string, fences: ReadonlyArray<string>, after: Rows.State, left = tries): Failing<void> {
    if (fences.length === 0) return Effect.void
    const { epoch, incarnation } = after
    return Effect.flatMap(this.items.claim(operation, fences, [this.names.state]), ({ found, items }) => {
      // one that has been forgotten was at most as high as the counter is by now
      const now = Rows.decodeState(found[0])
      const highest = now?.incarnation === incarnation ? now.epoch : epoch
      const lower = items.flatMap((item, index) => {
        const there = Rows.decodeFence(incarnation, item.bytes)
        if (there !== undefined && there >= epoch) return []
        return [lasting(fences[index]!, item, Rows.encodeFence(incarnation, there === undefined ? highest : epoch))]
      })
      return this.fill(operation, lower, (missed) =>
        left > 0 ? this.fence(operation, missed, after, left - 1) : this.crowded(operation)
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
        items.forEach((item, index) => {
          const name = fences[index]!
          const there = Rows.decodeFence(incarnation, item.bytes)
          known.set(name, there ?? epoch)
          if (there === undefined) missing.push(lasting(name, item, Rows.encodeFence(incarnation, epoch)))
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
