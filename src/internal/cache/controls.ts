/** What can be done with a cache whose types are not known, for whoever looks after all caches of a program. */
import * as Effect from "effect/Effect"
import type * as CacheStats from "../../observe/CacheStats.js"
import { groupTag } from "../groups.js"
import type { Core } from "./core.js"
import { explainId } from "./explain.js"
import * as Operations from "./operations.js"

export const make = <K, A, E, R>(core: Core<K, A, E, R>): CacheStats.Controls => {
  const { keys, region } = core.definition
  return {
    // a store of several parts tells of one that failed in its answer
    probe: Effect.flatMap(region.getMany([]), ({ failure }) =>
      failure === undefined ? Effect.void : Effect.fail(failure)
    ),
    entries: region.entries,
    explain: (id) => explainId(core, id, keys.decode(id)),
    invalidate: (ids) => Operations.invalidateIds(core, ids),
    invalidateTags: (tags) => Operations.invalidateTags(core, tags),
    invalidateGroup: (group) => Operations.invalidateTags(core, [groupTag(group)]),
    invalidateAll: Operations.invalidateAll(core),
    expire: (id) => Operations.expireId(core, id),
    clear: Operations.clear(core),
    flights: Effect.sync(() =>
      core.loader.flying.map(({ adopted, id, startedAt, waiters }) => ({ key: id, startedAt, waiters, adopted }))
    )
  }
}
