/** The machinery under the Layer combinators of `CacheStore`. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import * as Layer from "effect/Layer"
import * as LogLevel from "effect/LogLevel"
import * as Schedule from "effect/Schedule"
import * as CacheError from "../../CacheError.js"
import type * as CacheStore from "../../CacheStore.js"
import { tell } from "../tell.js"

/** The operations of a region that can fail, for combinators that treat all of them alike. */
export type Around = <A, E, R>(
  operation: string,
  effect: Effect.Effect<A, E, R>
) => Effect.Effect<A, E | CacheError.StoreFailure, R>

/** The same region with `around` applied to each operation; the synchronous view needs no such help. */
const aroundRegion = <A, E>(region: CacheStore.Region<A, E>, around: Around): CacheStore.Region<A, E> => ({
  ...region,
  getMany: (keys) => around("get", region.getMany(keys)),
  setMany: (writes) => around("set", region.setMany(writes)),
  deleteMany: (keys) => around("delete", region.deleteMany(keys)),
  invalidateTags: (tags) => around("invalidate_tags", region.invalidateTags(tags)),
  invalidateAll: around("invalidate_all", region.invalidateAll),
  clear: around("clear", region.clear),
  inspect: (key) => around("inspect", region.inspect(key)),
  sizes: around("sizes", region.sizes)
})

/** The same store with `around` applied to opening a region, and to each operation of the regions it opens. */
export const aroundStore = (service: CacheStore.Service, around: Around): CacheStore.Service => ({
  ...service,
  raw: undefined,
  region: (options) => Effect.map(around("open", service.region(options)), (region) => aroundRegion(region, around))
})

/**
 * The same store, each of whose operations, opening a region included, has so many milliseconds. Its limit may interrupt
 * it, whether or not he may be who waits for it.
 */
export const limited = (service: CacheStore.Service, millis: number): CacheStore.Service =>
  aroundStore(service, (operation, effect) =>
    Effect.timeoutFail(Effect.interruptible(effect), {
      duration: millis,
      onTimeout: () => new CacheError.StoreTimeout({ store: service.name, operation, millis })
    })
  )

/**
 * Why stores were rejected while the fallback around was built, or `undefined` where there is none around. The error
 * that comes out of a fallback is its last store's alone, so what was wrong with the others goes beside it.
 */
export const rejections = FiberRef.unsafeMake<Array<string> | undefined>(undefined)

/** Why a Layer could not be built, in one line for the log. */
export const reasonOf = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  if (typeof error === "object" && error !== null && "_tag" in error && error._tag === "StoreUnavailable") {
    const { reason, store } = error as CacheError.StoreUnavailable
    return reason === undefined ? store : `${store}: ${reason}`
  }
  return error instanceof Error ? error.message : String(error)
}

/** All that a Layer with a store provides, under one of two names. */
export class Nearer extends Context.Tag("effect-larder/CacheStore/Nearer")<
  Nearer,
  Context.Context<CacheStore.CacheStore>
>() {}
export class Farther extends Context.Tag("effect-larder/CacheStore/Farther")<
  Farther,
  Context.Context<CacheStore.CacheStore>
>() {}

export const as = <I, O, E, R>(
  layer: Layer.Layer<CacheStore.CacheStore | O, E, R>,
  tag: Context.Tag<I, Context.Context<CacheStore.CacheStore>>
): Layer.Layer<I, E, R> => Layer.map(layer, (all) => Context.make(tag, all))

export const logChoice = ({ name, rejected }: CacheStore.Service): Effect.Effect<void> =>
  rejected.length === 0
    ? tell({ level: LogLevel.Info, message: `using ${name}`, about: { store: name } })
    : tell({
        level: LogLevel.Warning,
        message: `using ${name} (${rejected.join("; ")})`,
        about: { store: name, insteadOf: rejected }
      })

/** Exponential from 50 milliseconds, jittered, at most 3 retries. */
export const defaultRetry = Schedule.exponential("50 millis").pipe(
  Schedule.jittered,
  Schedule.intersect(Schedule.recurs(2 + 1))
)
