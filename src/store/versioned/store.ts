/** A store of regions over items. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as CacheStore from "../../CacheStore.js"
import * as Layers from "../../internal/store/layers.js"
import * as Engine from "./engine.js"
import type { Items } from "./items.js"

/** The name of an incarnation that there was never before. */
const fresh = (): string => globalThis.crypto.randomUUID().replaceAll("-", "")

export const make = (options: {
  readonly name: string
  readonly capabilities: CacheStore.Capabilities
  readonly items: Items
  /** Milliseconds that an operation may take, where the items themselves know no limit. */
  readonly millis?: number
}): Effect.Effect<CacheStore.Service, never, Scope.Scope> =>
  Effect.map(
    CacheStore.make({
      name: options.name,
      capabilities: options.capabilities,
      open: (region) => Effect.sync(() => Engine.make({ store: options.name, region, items: options.items, fresh }))
    }),
    (service) => (options.millis === undefined ? service : Layers.limited(service, options.millis))
  )
