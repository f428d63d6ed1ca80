/** How little it takes: a cache that is a service, a function that is cached, and where both keep what they know. */
import { Cache, Cached, CacheStore, MemoryStore } from "effect-larder"
import * as SqliteStore from "effect-larder/SqliteStore"
import { Effect, Schema } from "effect"
import { Atlas, Loneliest, Surroundings, UnknownPlace } from "./Atlas.js"

/** What is around a place, by "country/name". A cache with a name of its own: a service, built by `Around.layer`. */
export class Around extends Cache.Service<Around>()("demo/Around", {
  key: Schema.String,
  success: Surroundings,
  failure: UnknownPlace,
  lookup: (name) => Effect.flatMap(Atlas, (atlas) => atlas.surroundings(name)),
  failureTimeToLive: "1 hour",
  tags: (_, name) => [`country:${name.slice(0, 2)}`]
}) {}

/** The loneliest place of a country: the same for a function that has no service to name. */
export const loneliest = Cached.fn("demo/loneliest", {
  success: Loneliest,
  failure: UnknownPlace,
  failureTimeToLive: "1 hour"
})((country: string) => Effect.flatMap(Atlas, (atlas) => atlas.loneliest(country)))

/** How long the cold run took, in milliseconds: what a warm one is compared with. It is set and looked at only. */
export const coldMillis = Cached.effect("demo/coldMillis", { success: Schema.Number })(Effect.dieMessage("never run"))

/** Memory over a file: the second run finds what the first has learnt. Without the file, memory alone. */
export const storeIn = (filename: string) =>
  MemoryStore.layer({ capacity: 10_000 }).pipe(
    CacheStore.tieredOver(SqliteStore.layer({ filename })),
    CacheStore.orElse(MemoryStore.layer())
  )
