/** A store of regions over items. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as CacheError from "../../CacheError.js"
import * as CacheStore from "../../CacheStore.js"
import * as Layers from "../../internal/store/layers.js"
import * as Engine from "./engine.js"
import type { Items } from "./items.js"
import * as Rows from "./rows.js"

/** The name of an incarnation that there was never before. */
const fresh = (): string => globalThis.crypto.randomUUID().replaceAll("-", "")

/** Whoever has a state is a region; one of a long name says it there. */
const regionsOf = (items: Items): Effect.Effect<ReadonlyArray<string>, CacheError.StoreFailure> =>
  items.list("regions", Rows.states).pipe(
    Stream.runCollect,
    Effect.flatMap((names) =>
      Effect.forEach(new Set(names), (name) =>
        Effect.map(items.read("regions", [name]), ([state]) => Rows.regionOf(name, state) ?? [])
      )
    ),
    Effect.map((all) => all.flat())
  )

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
      open: (region) => Effect.sync(() => Engine.make({ store: options.name, region, items: options.items, fresh })),
      regions: regionsOf(options.items)
    }),
    // who looks at the bytes has time
    (service) =>
      options.millis === undefined ? service : { ...Layers.limited(service, options.millis), raw: service.raw }
  )
