/**
 * Items of a service that knows no versions: this process orders what it does itself, and nobody orders what others do.
 *
 * A version here is how often the name's slot has been written so far; two names that share a slot cost a try.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import type * as CacheError from "../../CacheError.js"
import { handled } from "../../internal/handled.js"
import { KeyTurns } from "../../internal/keyTurns.js"
import { steadyMillis } from "../../internal/steady.js"
import { lifeOf } from "../internal/lives.js"
import { slotOf } from "../internal/slots.js"
import type { Items, Replacement } from "./items.js"

type Failing<A> = Effect.Effect<A, CacheError.StoreFailure>

/** All that is asked of it. */
export interface Plain {
  readonly get: (operation: string, names: ReadonlyArray<string>) => Failing<ReadonlyArray<Uint8Array | undefined>>
  /** `millis` is how long it must be kept; `Infinity` for ever. */
  readonly set: (operation: string, name: string, bytes: Uint8Array, millis: number) => Failing<void>
  readonly remove: (operation: string, names: ReadonlyArray<string>) => Failing<void>
  /** The names that begin so. Where there is no such thing, an index is kept among the items. */
  readonly list?: ((operation: string, start: string) => Stream.Stream<string, CacheError.StoreFailure>) | undefined
}

const slots = 4_096
/** Items that the names are listed in: the fewer they are, the longer is each. */
const shelves = 64
const nothing = new Uint8Array(0)
const encoder = new TextEncoder()
const decoder = new TextDecoder()

const shelfOf = (name: string): string => `index/${slotOf(name, shelves)}`

const namesIn = (bytes: Uint8Array | undefined): ReadonlyArray<string> => {
  if (bytes === undefined || bytes.length === 0) return []
  try {
    const all: unknown = JSON.parse(decoder.decode(bytes))
    return Array.isArray(all) ? all.map(String) : []
  } catch {
    return []
  }
}

/** The names of all items, for a service that cannot tell them. */
class Index {
  constructor(private readonly plain: Plain) {}

  /** Before an item is written, so that none is ever there that is not listed. */
  readonly add = (operation: string, name: string): Failing<void> =>
    this.change(operation, shelfOf(name), (all) => (all.includes(name) ? all : [...all, name]))

  readonly remove = (operation: string, names: ReadonlyArray<string>): Failing<void> => {
    const gone = new Set(names)
    return Effect.forEach(
      new Set(names.map(shelfOf)),
      (shelf) => this.change(operation, shelf, (all) => all.filter((name) => !gone.has(name))),
      { discard: true }
    )
  }

  private change(
    operation: string,
    shelf: string,
    to: (all: ReadonlyArray<string>) => ReadonlyArray<string>
  ): Failing<void> {
    return Effect.flatMap(this.plain.get(operation, [shelf]), ([found]) => {
      const before = namesIn(found)
      const after = to(before)
      return after.length === before.length
        ? Effect.void
        : this.plain.set(operation, shelf, encoder.encode(JSON.stringify(after)), Infinity)
    })
  }

  readonly list = (operation: string, start: string): Stream.Stream<string, CacheError.StoreFailure> =>
    Stream.range(0, shelves - 1).pipe(
      Stream.mapEffect((shelf) => this.plain.get(operation, [`index/${shelf}`])),
      Stream.flatMap(([found]) => Stream.fromIterable(namesIn(found).filter((name) => name.startsWith(start))))
    )
}

/**
 * Lets a write end, whoever still waits for it: one that is left alone with the service would be done at any later time,
 * after what is to be done after it.
 */
const ending = <A>(write: Failing<A>): Failing<A> => Effect.flatMap(Effect.forkDaemon(handled(write)), Fiber.join)

export const make = (plain: Plain): Items => {
  const turns = new KeyTurns()
  const writes = new Float64Array(slots)
  const index = plain.list === undefined ? new Index(plain) : undefined
  const slot = (name: string): number => slotOf(name, slots)
  /** With the shelf that lists it: items that share one take turns as well. */
  const held = (names: ReadonlyArray<string>) => [
    ...names.map((name) => `slot ${slot(name)}`),
    ...(index === undefined ? [] : names.map(shelfOf))
  ]
  const mark = (names: ReadonlyArray<string>) => {
    for (const name of names) writes[slot(name)]!++
  }

  const inTurn = <A>(names: ReadonlyArray<string>, write: () => Failing<A>): Failing<A> =>
    ending(turns.run(held(names), Effect.suspend(write)))

  const replace = (operation: string, { bytes, name, reclaimAt, version }: Replacement): Failing<boolean> =>
    inTurn([name], () => {
      if (writes[slot(name)] !== version) return Effect.succeed(false)
      mark([name])
      const write = Effect.flatMap(steadyMillis, (now) => plain.set(operation, name, bytes, lifeOf(reclaimAt, now)))
      return Effect.as(index === undefined ? write : Effect.zipRight(index.add(operation, name), write), true)
    })

  return {
    // two names that share a slot are refused where only one of them was written
    ordered: false,
    read: plain.get,

    // nobody writes while it is read: what is read is what the version is of
    claim: (operation, names, others, unread = 0) =>
      Effect.zipWith(
        turns.run(
          held(names),
          Effect.map(plain.get(operation, names.slice(unread)), (found) =>
            names.map((name, place) => ({ bytes: found[place - unread] ?? nothing, version: writes[slot(name)]! }))
          )
        ),
        Effect.suspend(() => (others.length === 0 ? Effect.succeed([]) : plain.get(operation, others))),
        (items, found) => ({ items, found })
      ),

    // in their order: two that share a slot would each undo the other's version
    replace: (operation, items) => Effect.forEach(items, (item) => replace(operation, item)),

    remove: (operation, names) =>
      inTurn(names, () => {
        mark(names)
        const removed = plain.remove(operation, names)
        return index === undefined ? removed : Effect.zipRight(removed, index.remove(operation, names))
      }),

    list: plain.list ?? index!.list
  }
}
