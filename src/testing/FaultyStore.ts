/**
 * Any store, with faults that a test switches on and off: to see what a program does when its store is down, slow,
 * hanging or forgetful. The store under it is a real one and keeps what it was given meanwhile.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import type * as CacheError from "../CacheError.js"
import * as CacheStore from "../CacheStore.js"
import type * as Codec from "../codec/Codec.js"

/**
 * What a store is asked: to open a region, and what a region is asked to do.
 *
 * @since 0.1.0
 * @category models
 */
export type Operation =
  | "open"
  | "get"
  | "set"
  | "delete"
  | "invalidate_tags"
  | "invalidate_all"
  | "clear"
  | "inspect"
  | "sizes"

/**
 * What goes wrong.
 *
 * - `Fail`: the operation fails, and is not done;
 * - `Hang`: it never ends; `Slow`: it is late;
 * - `Forget`: reading finds nothing, whatever there is;
 * - `Corrupt`: what is read has a bit turned, where the store keeps bytes;
 * - `Lose`: it is answered as if it were done, and is not; reading finds nothing;
 * - `Duplicate`: it is done twice, as by a network that has lost the first answer.
 *
 * @since 0.1.0
 * @category models
 */
export type Fault =
  | { readonly _tag: "Fail"; readonly failure: CacheError.StoreFailure }
  | { readonly _tag: "Hang" }
  | { readonly _tag: "Slow"; readonly by: Duration.DurationInput }
  | { readonly _tag: "Forget" }
  | { readonly _tag: "Corrupt" }
  | { readonly _tag: "Lose" }
  | { readonly _tag: "Duplicate" }

/**
 * The hand on the switch.
 *
 * @since 0.1.0
 * @category models
 */
export interface Switch {
  /**
   * From now on this goes wrong: with one operation, or with all; always, or with a probability from 0 to 1, of which
   * the `Random` in force decides.
   */
  readonly break: (fault: Fault, operation?: Operation, probability?: number) => Effect.Effect<void>
  /** The next operations go wrong so, one after the other (`undefined`: well); after that what `break` has said. */
  readonly script: (faults: ReadonlyArray<Fault | undefined>, operation?: Operation) => Effect.Effect<void>
  /** From now on all is well. */
  readonly heal: Effect.Effect<void>
  /** How often each operation was asked for so far, whatever came of it. */
  readonly calls: Effect.Effect<Readonly<Record<Operation, number>>>
}

/**
 * The faults of the store in force.
 *
 * @since 0.1.0
 * @category tags
 */
export class Faults extends Context.Tag("effect-larder/FaultyStore/Faults")<Faults, Switch>() {}

const none = {
  open: 0,
  get: 0,
  set: 0,
  delete: 0,
  invalidate_tags: 0,
  invalidate_all: 0,
  clear: 0,
  inspect: 0,
  sizes: 0
}

interface Broken {
  readonly fault: Fault
  readonly probability: number
}

/** What an operation answers that is not done. */
const nothing: Readonly<Record<string, unknown>> = { delete: 0, clear: 0, inspect: [], sizes: [] }

/** The switch, and how it is felt. */
class State {
  private readonly faults = new Map<string, Broken>()
  private readonly scripts = new Map<string, Array<Fault | undefined>>()
  private readonly counts: Record<string, number> = { ...none }

  readonly switch: Switch = {
    break: (fault, operation, probability = 1) =>
      Effect.sync(() => void this.faults.set(operation ?? "all", { fault, probability })),
    script: (faults, operation) => Effect.sync(() => void this.scripts.set(operation ?? "all", [...faults])),
    heal: Effect.sync(() => {
      this.faults.clear()
      this.scripts.clear()
    }),
    calls: Effect.sync(() => ({ ...none, ...this.counts }))
  }

  /** What becomes of this one: decided once for each. */
  private next(operation: string): Effect.Effect<Fault | undefined> {
    return Effect.suspend(() => {
      this.counts[operation] = (this.counts[operation] ?? 0) + 1
      for (const script of [this.scripts.get(operation), this.scripts.get("all")]) {
        if (script !== undefined && script.length > 0) return Effect.succeed(script.shift())
      }
      const broken = this.faults.get(operation) ?? this.faults.get("all")
      if (broken === undefined || broken.probability >= 1) return Effect.succeed(broken?.fault)
      return Effect.map(Random.next, (chance) => (chance < broken.probability ? broken.fault : undefined))
    })
  }

  /** Reading what is decided for it: how it is read is the reader's business. */
  readonly around = <A, E, R>(operation: string, effect: (fault: Fault | undefined) => Effect.Effect<A, E, R>) =>
    Effect.flatMap(this.next(operation), (fault): Effect.Effect<A, E | CacheError.StoreFailure, R> => {
      switch (fault?._tag) {
        case "Fail":
          return Effect.fail(fault.failure)
        case "Hang":
          return Effect.never
        case "Slow":
          return Effect.delay(effect(fault), fault.by)
        case "Duplicate":
          return Effect.zipRight(effect(fault), effect(fault))
        default:
          return effect(fault)
      }
    })
}

/** Turns a bit of what is decoded while it is told to. */
class Corruption {
  isOn = false

  over<A, E>(codec: Codec.EntryCodec<A, E>): Codec.EntryCodec<A, E> {
    return {
      name: codec.name,
      get fingerprint() {
        return codec.fingerprint
      },
      encode: codec.encode,
      decode: (bytes) => {
        if (!this.isOn) return codec.decode(bytes)
        const copy = bytes.slice()
        // in the midst of it, whatever is there
        copy[copy.length >> 1]! ^= 1
        return codec.decode(copy)
      }
    }
  }
}

/** Without a synchronous view: what answers at once cannot be late. */
const faulty = <A, E>(
  region: CacheStore.Region<A, E>,
  state: State,
  corruption: Corruption
): CacheStore.Region<A, E> => {
  const around = <B, E2, R>(operation: Operation, effect: Effect.Effect<B, E2, R>) =>
    state.around(
      operation,
      (fault): Effect.Effect<B, E2, R> =>
        // what it would have answered had there been nothing
        fault?._tag === "Lose" ? Effect.succeed(nothing[operation] as B) : effect
    )
  return {
    ...region,
    near: undefined,
    complete: false,
    getMany: (keys) =>
      state.around("get", (fault) =>
        Effect.suspend(() => {
          corruption.isOn = fault?._tag === "Corrupt"
          return region.getMany(keys)
        }).pipe(
          Effect.ensuring(Effect.sync(() => void (corruption.isOn = false))),
          Effect.map((reading) =>
            fault?._tag === "Forget" || fault?._tag === "Lose"
              ? { ...reading, found: keys.map(() => undefined) }
              : reading
          )
        )
      ),
    setMany: (writes) => around("set", region.setMany(writes)),
    deleteMany: (keys) => around("delete", region.deleteMany(keys)),
    invalidateTags: (tags) => around("invalidate_tags", region.invalidateTags(tags)),
    invalidateAll: around("invalidate_all", region.invalidateAll),
    clear: around("clear", region.clear),
    inspect: (key) => around("inspect", region.inspect(key)),
    sizes: around("sizes", region.sizes)
  }
}

/**
 * Puts a switch on a store. The result answers asynchronously, also over a store in memory.
 *
 * @example
 * ```ts
 * import { Cached, CacheError, MemoryStore } from "effect-larder"
 * import * as FaultyStore from "effect-larder/FaultyStore"
 * import { Effect } from "effect"
 *
 * const price = Cached.fn("price")((item: string) => Effect.succeed(item.length))
 *
 * const program = Effect.gen(function*() {
 *   const faults = yield* FaultyStore.Faults
 *   const failure = new CacheError.StoreTimeout({ store: "test", operation: "get", millis: 50 })
 *   yield* faults.break({ _tag: "Fail", failure })
 *   console.log(yield* price("bread")) // => 5
 *   yield* faults.heal
 * })
 *
 * program.pipe(Effect.provide(FaultyStore.over(MemoryStore.layer())), Effect.runPromise)
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const over = <O, E, R>(
  layer: Layer.Layer<CacheStore.CacheStore | O, E, R>
): Layer.Layer<CacheStore.CacheStore | Faults, E, R> =>
  Layer.map(layer, (built) => {
    const state = new State()
    const store = Context.get(built, CacheStore.CacheStore)
    const service: CacheStore.Service = {
      ...store,
      raw: undefined,
      region: (options) =>
        state.around("open", () => {
          const corruption = new Corruption()
          const codec = options.codec === undefined ? undefined : corruption.over(options.codec)
          return Effect.map(store.region({ ...options, codec }), (region) => faulty(region, state, corruption))
        })
    }
    return Context.make(CacheStore.CacheStore, service).pipe(Context.add(Faults, state.switch))
  })
