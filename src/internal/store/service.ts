/** What every store's service has in common: region names that are exclusive, and an end. */
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import * as CacheError from "../../CacheError.js"
import type * as CacheStore from "../../CacheStore.js"
import * as Options from "../options.js"

const TypeId: CacheStore.TypeId = "~effect-larder/CacheStore"

/** A store that was used after its Layer was released, or a region after its Scope was closed. */
export const closed = (store: string): CacheError.StoreUnavailable =>
  new CacheError.StoreUnavailable({
    store,
    reason: "it has been closed",
    hint: "use a cache only inside the Scope (or Layer) that it was made in"
  })

const nameTaken = (store: string, name: string): CacheError.InvalidConfig =>
  CacheError.invalidConfig([
    {
      field: "name",
      value: name,
      reason: `a cache of this name is open already on ${store}`,
      hint: "give each cache its own name, or provide one Layer (bound to a constant) instead of building it twice"
    }
  ])

/** Stands between a prefix and what it is put before; see `CacheStore.prefixed`. No part has it: it is a control character. */
export const prefixSeparator = "\u001f"

export const prefixedName = (prefix: string, name: string): string => `${prefix}${prefixSeparator}${name}`

/** Those of the regions that have the prefix, as they are called without it. */
export const prefixedRaw = (prefix: string, { compact, open, regions }: CacheStore.Raw): CacheStore.Raw => {
  const start = prefixedName(prefix, "")
  return {
    regions: Effect.map(regions, (all) =>
      all.flatMap((name) => (name.startsWith(start) ? name.slice(start.length) : []))
    ),
    open: (name) => open(prefixedName(prefix, name)),
    compact
  }
}

const checkName = (name: string): Effect.Effect<void, CacheError.InvalidConfig> =>
  Effect.forEach(name.split(prefixSeparator), (part) => Options.check({ name: part }, { name: Options.regionName }), {
    discard: true
  })

/**
 * The service of a base store. `open` makes a region; here it is given its exclusive name, and told from outside
 * when it may no longer be used.
 */
export const make = (options: {
  readonly name: string
  readonly capabilities: CacheStore.Capabilities
  readonly open: <A, E>(
    region: CacheStore.RegionOptions<A, E>
  ) => Effect.Effect<CacheStore.Region<A, E>, CacheError.InvalidConfig | CacheError.StoreFailure, Scope.Scope>
  readonly raw?:
    | (Omit<CacheStore.Raw, "compact"> & {
        readonly compact: ((open: CacheStore.Raw["open"]) => NonNullable<CacheStore.Raw["compact"]>) | undefined
      })
    | undefined
}): Effect.Effect<CacheStore.Service, never, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const open = new Set<string>()
    let isClosed = false
    yield* Scope.addFinalizer(
      scope,
      Effect.sync(() => {
        isClosed = true
      })
    )
    const { raw } = options
    const take = (name: string) =>
      Effect.acquireRelease(
        Effect.suspend((): Effect.Effect<void, CacheError.InvalidConfig | CacheError.StoreUnavailable> => {
          if (isClosed) return Effect.fail(closed(options.name))
          if (open.has(name)) return Effect.fail(nameTaken(options.name, name))
          open.add(name)
          return Effect.void
        }),
        () => Effect.sync(() => open.delete(name))
      )
    const exclusively = (name: string) => Effect.zipRight(checkName(name), take(name))
    const rawOf = ({ compact, open, regions }: NonNullable<typeof raw>): CacheStore.Raw => {
      const opening: CacheStore.Raw["open"] = (name) => Effect.zipRight(exclusively(name), open(name))
      return { regions, open: opening, compact: compact?.(opening) }
    }
    return {
      [TypeId]: TypeId,
      name: options.name,
      capabilities: options.capabilities,
      rejected: [],
      scope,
      region: (region) => Effect.zipRight(exclusively(region.name), options.open(region)),
      raw: raw && rawOf(raw)
    }
  })

/** The service of a store made of others: they see to names and ends. */
export const compose = (
  parts: Pick<CacheStore.Service, "name" | "capabilities" | "rejected" | "region">
): Effect.Effect<CacheStore.Service, never, Scope.Scope> =>
  Effect.map(Effect.scope, (scope) => ({ [TypeId]: TypeId, scope, ...parts }))
