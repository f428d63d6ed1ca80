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
import type * as CacheError from "../CacheError.js"
import * as CacheStore from "../CacheStore.js"
import * as Layers from "../internal/store/layers.js"

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
 * What goes wrong: an operation fails, never ends, or is late; or reading finds nothing, whatever there is.
 *
 * @since 0.1.0
 * @category models
 */
export type Fault =
  | { readonly _tag: "Fail"; readonly failure: CacheError.StoreFailure }
  | { readonly _tag: "Hang" }
  | { readonly _tag: "Slow"; readonly by: Duration.DurationInput }
  | { readonly _tag: "Forget" }

/**
 * The hand on the switch.
 *
 * @since 0.1.0
 * @category models
 */
export interface Switch {
  /** From now on this goes wrong: with one operation, or with all. */
  readonly break: (fault: Fault, operation?: Operation) => Effect.Effect<void>
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

/** The switch, and how it is felt. */
class State {
  private readonly faults = new Map<string, Fault>()
  private readonly counts: Record<string, number> = { ...none }

  readonly switch: Switch = {
    break: (fault, operation) => Effect.sync(() => void this.faults.set(operation ?? "all", fault)),
    heal: Effect.sync(() => this.faults.clear()),
    calls: Effect.sync(() => ({ ...none, ...this.counts }))
  }

  faultOf(operation: string): Fault | undefined {
    return this.faults.get(operation) ?? this.faults.get("all")
  }

  readonly around: Layers.Around = <A, E, R>(operation: string, effect: Effect.Effect<A, E, R>) =>
    Effect.suspend((): Effect.Effect<A, E | CacheError.StoreFailure, R> => {
      this.counts[operation] = (this.counts[operation] ?? 0) + 1
      const fault = this.faultOf(operation)
      if (fault === undefined || fault._tag === "Forget") return effect
      if (fault._tag === "Fail") return Effect.fail(fault.failure)
      return fault._tag === "Hang" ? Effect.never : Effect.delay(effect, fault.by)
    })
}

/** Without a synchronous view: what answers at once cannot be late. */
const faulty = <A, E>(region: CacheStore.Region<A, E>, state: State): CacheStore.Region<A, E> => ({
  ...region,
  near: undefined,
  complete: false,
  getMany: (keys) =>
    Effect.map(region.getMany(keys), (reading) =>
      state.faultOf("get")?._tag === "Forget" ? { ...reading, found: keys.map(() => undefined) } : reading
    )
})

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
    const broken = Layers.aroundStore(store, state.around)
    const service: CacheStore.Service = {
      ...broken,
      region: (options) => Effect.map(broken.region(options), (region) => faulty(region, state))
    }
    return Context.make(CacheStore.CacheStore, service).pipe(Context.add(Faults, state.switch))
  })
