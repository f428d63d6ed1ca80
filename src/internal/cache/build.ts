/** From a definition to the cache that a program holds in its hand. */
import * as Effect from "effect/Effect"
import type * as Either from "effect/Either"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Cache from "../../Cache.js"
import type * as CacheError from "../../CacheError.js"
import type * as CacheStore from "../../CacheStore.js"
import { groupTag } from "../groups.js"
import * as CacheStats from "../../observe/CacheStats.js"
import * as Batch from "./batch.js"
import * as Controls from "./controls.js"
import { Core } from "./core.js"
import { explain } from "./explain.js"
import type { Options } from "./options.js"
import { define } from "./define.js"
import type { Answer } from "./model.js"
import * as Operations from "./operations.js"

const TypeId: Cache.TypeId = "~effect-larder/Cache"

/** Under this a cache that was made here carries its machinery; one that somebody else made, for a test, has none. */
const coreKey: unique symbol = Symbol("effect-larder/Cache/core")

export const coreOf = <K, A, E, R>(cache: Cache.Cache<K, A, E, R>): Core<K, A, E, R> | undefined =>
  (cache as { readonly [coreKey]?: Core<K, A, E, R> })[coreKey]

const getMany = <K, A, E, R>(core: Core<K, A, E, R>): Cache.Cache<K, A, E, R>["getMany"] => {
  const many = (keys: Iterable<K>, options?: { readonly mode: "either" }) =>
    Effect.flatMap(Batch.getMany(core, keys), (answers: ReadonlyArray<Answer<A, E>>) =>
      Effect.forEach(
        answers,
        ({ exit }): Effect.Effect<A | Either.Either<A, E>, E> =>
          options?.mode === "either" ? Effect.either(exit) : exit
      )
    )
  return many as Cache.Cache<K, A, E, R>["getMany"] // the two overloads are the two branches
}

/** Keys that the type says can be refused are refused with `KeyError`; for others that branch cannot be reached. */
type Typed<E, K> = Effect.Effect<void, E | CacheError.KeyError> & Effect.Effect<void, E | Cache.OperationError<K>>

const toCache = <K, A, E, R>(core: Core<K, A, E, R>): Cache.Cache<K, A, E, R> => {
  const typed = <E2>(effect: Effect.Effect<void, E2 | CacheError.KeyError>) => effect as Typed<E2, K>
  const entries = Operations.entries(core)
  const cache: Cache.Cache<K, A, E, R> = {
    [TypeId]: TypeId,
    name: core.definition.name,
    get: core.get,
    getOption: (key) => Operations.getOption(core, key),
    getResult: (key) => Operations.getResult(core, key),
    getMany: getMany(core),
    // a key that the type says is one cannot be refused
    explain: (key) => explain(core, key) as ReturnType<Cache.Cache<K, A, E, R>["explain"]>,
    has: (key) => Operations.has(core, key),
    set: (key, value, options) => typed(Operations.setMany(core, [[key, value]], options)),
    setMany: (pairs, options) => typed(Operations.setMany(core, pairs, options)),
    invalidate: (key) => typed(Operations.invalidateMany(core, [key])),
    invalidateMany: (keys) => typed(Operations.invalidateMany(core, keys)),
    invalidateTags: (tags) => Operations.invalidateTags(core, tags),
    invalidateGroup: (group) => Operations.invalidateTags(core, [groupTag(group)]),
    invalidateAll: Operations.invalidateAll(core),
    refresh: (key) => Operations.refresh(core, key),
    expire: (key) => typed(Operations.expire(core, key)),
    clear: Operations.clear(core),
    size: Effect.map(core.definition.region.sizes, (tiers) => Math.max(...tiers.map((tier) => tier.entries))),
    keys: Stream.map(entries, ([key]) => key),
    entries,
    stats: Operations.stats(core)
  }
  // not enumerable: a cache that is printed or copied shows what it is for
  return Object.defineProperty(cache, coreKey, { value: core })
}

export const make = <K, A, E, R>(
  name: string,
  options: Options<K, A, E, R>
): Effect.Effect<
  Cache.Cache<K, A, E, R>,
  CacheError.InvalidConfig | CacheError.StoreFailure,
  CacheStore.CacheStore | R | Scope.Scope
> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    // the region is acquired before the finalizer is added, so loads are brought down while it is still open
    const core = new Core(yield* define(name, options))
    yield* Scope.addFinalizerExit(scope, () => core.close)
    const registry = yield* CacheStats.Registry
    yield* registry.join({ name, stats: Operations.stats(core), controls: Controls.make(core) })
    return toCache(core)
  })
