/** How a combinator changes the store that a Layer provides. */
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import { CacheStore, Live, Persistent, type Service, Shared } from "./contract.js"

/** A store is provided under all the Tags that fit it, so changing it means changing it under each. */
export const changeStore = <O, E, R>(
  layer: Layer.Layer<CacheStore | O, E, R>,
  f: (service: Service) => Service
): Layer.Layer<CacheStore | O, E, R> =>
  Layer.map(layer, (built) => {
    const changed = f(Context.get(built, CacheStore))
    const all = new Map(built.unsafeMap)
    for (const { key } of [CacheStore, Live, Persistent, Shared]) {
      if (all.has(key)) all.set(key, changed)
    }
    return Context.unsafeMake(all)
  })
