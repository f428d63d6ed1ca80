/** The statics of a `Cache.Service` class: the cache's own operations, on whichever cache is provided. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type * as Cache from "../../Cache.js"
import { coreOf } from "./build.js"
import type { Target } from "./get.js"
import { Get } from "./get.js"

/** One step from the fiber's services to the operation. */
const use = <Self, Shape, A, E, R>(
  tag: Context.Tag<Self, Shape>,
  f: (cache: Shape) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R | Self> =>
  Effect.withFiberRuntime((fiber) => f(Context.unsafeGet(fiber.currentContext as Context.Context<Self>, tag)))

const getBy =
  <K, A, E, R>(target: Target<K, A, E, R>) =>
  (key: K): Effect.Effect<A, E, R> =>
    new Get(target, key)

/** The cache that a fiber is provided with, for a get that wants its hits at once. */
const target = <Self, K, A, E, R>(tag: Context.Tag<Self, Cache.Cache<K, A, E, R>>): Target<K, A, E, R | Self> => ({
  hitsOf: (fiber) => {
    // whatever is under the Tag's key was put there under the Tag
    const cache = fiber.currentContext.unsafeMap.get(tag.key) as Cache.Cache<K, A, E, R> | undefined
    return cache && coreOf(cache)
  },
  whole: (key) => use(tag, (cache) => cache.get(key))
})

export const statics = <Self, K, A, E, R>(
  tag: Context.Tag<Self, Cache.Cache<K, A, E, R>>
): Cache.Statics<Self, K, A, E, R> => ({
  get: getBy(target(tag)),
  getOption: (key) => use(tag, (cache) => cache.getOption(key)),
  getResult: (key) => use(tag, (cache) => cache.getResult(key)),
  getMany: ((keys: Iterable<K>, options: { readonly mode: "either" }) =>
    use(tag, (cache) => cache.getMany(keys, options))) as Cache.Statics<Self, K, A, E, R>["getMany"],
  explain: (key) => use(tag, (cache) => cache.explain(key)),
  has: (key) => use(tag, (cache) => cache.has(key)),
  set: (key, value, options) => use(tag, (cache) => cache.set(key, value, options)),
  setMany: (entries, options) => use(tag, (cache) => cache.setMany(entries, options)),
  invalidate: (key) => use(tag, (cache) => cache.invalidate(key)),
  invalidateMany: (keys) => use(tag, (cache) => cache.invalidateMany(keys)),
  invalidateTags: (tags) => use(tag, (cache) => cache.invalidateTags(tags)),
  invalidateGroup: (group) => use(tag, (cache) => cache.invalidateGroup(group)),
  invalidateAll: use(tag, (cache) => cache.invalidateAll),
  refresh: (key) => use(tag, (cache) => cache.refresh(key)),
  expire: (key) => use(tag, (cache) => cache.expire(key)),
  clear: use(tag, (cache) => cache.clear),
  size: use(tag, (cache) => cache.size),
  keys: Stream.unwrap(Effect.map(tag, (cache) => cache.keys)),
  entries: Stream.unwrap(Effect.map(tag, (cache) => cache.entries)),
  stats: use(tag, (cache) => cache.stats)
})
