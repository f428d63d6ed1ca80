/** Whatever is invalidated while it is being loaded, in whatever way and on whatever path: it is never served again. */
import { assert, describe, it } from "@effect/vitest"
import { type Duration, Effect, Fiber, Schema, type Scope, TestClock } from "effect"
import { Cache, CacheBatch, type CacheStore } from "effect-larder"
import { over, settled } from "../fixtures/cache/harness.js"
import { makeSource, type Source, versionIn } from "../fixtures/cache/source.js"
import { stores } from "../fixtures/cache/stores.js"

type Strings = Cache.Cache<string, string>

const make = (source: Source, isBatched: boolean) =>
  Cache.make("overtaken", {
    key: Schema.String,
    success: Schema.String,
    lookup: isBatched
      ? CacheBatch.lookup((keys: ReadonlyArray<string>) =>
          Effect.forEach(keys, (key) => Effect.either(source.lookup(key)))
        )
      : source.lookup,
    timeToLive: "100 seconds",
    staleWhileRevalidate: "100 seconds",
    staleIfError: "1 hour",
    refreshAhead: 0.5,
    tags: (value) => [`tag of ${value.split(":")[0]}`],
    group: (key) => `group of ${key}`
  })

/** A get that is served at once, and has the key loaded again behind its back. */
const getAgainAfter = (wait: Duration.DurationInput, cache: Strings, source: Source) =>
  cache
    .get("k")
    .pipe(Effect.zipRight(TestClock.adjust(wait)), Effect.zipRight(source.hold), Effect.zipRight(cache.get("k")))

/** Ways to have a load of "k" in the air; what they answer does not matter. */
const paths: Readonly<Record<string, (cache: Strings, source: Source) => Effect.Effect<unknown, never, Scope.Scope>>> =
  {
    get: (cache, source) => Effect.zipRight(source.hold, Effect.forkScoped(cache.get("k"))),
    getMany: (cache, source) => Effect.zipRight(source.hold, Effect.forkScoped(cache.getMany(["k", "other"]))),
    refresh: (cache, source) =>
      cache.get("k").pipe(Effect.zipRight(source.hold), Effect.zipRight(Effect.forkScoped(cache.refresh("k")))),
    "refresh ahead": (cache, source) => getAgainAfter("60 seconds", cache, source),
    "stale while revalidate": (cache, source) => getAgainAfter("120 seconds", cache, source)
  }

const invalidations: Readonly<Record<string, (cache: Strings) => Effect.Effect<unknown, unknown>>> = {
  deleted: (cache) => cache.invalidate("k"),
  "its tag invalidated": (cache) => cache.invalidateTags(["tag of k"]),
  "its group invalidated": (cache) => cache.invalidateGroup("group of k"),
  cleared: (cache) => cache.clear,
  "everything invalidated": (cache) => cache.invalidateAll,
  "set and deleted": (cache) => Effect.zipRight(cache.set("k", "k:-1"), cache.invalidate("k"))
}

const check = (
  begin: (cache: Strings, source: Source) => Effect.Effect<unknown, never, Scope.Scope>,
  invalidate: (cache: Strings) => Effect.Effect<unknown, unknown>,
  isBatched: boolean
): Effect.Effect<void, unknown, CacheStore.CacheStore | Scope.Scope> =>
  Effect.gen(function* () {
    const source = yield* makeSource
    const cache = yield* make(source, isBatched)
    yield* begin(cache, source)
    yield* settled
    const { started } = source
    assert.isAbove(started, source.ended, "a load is in the air")
    source.write("k")
    yield* invalidate(cache)
    // one that asks at once, and one when the old load has ended
    const early = yield* Effect.fork(cache.get("k"))
    yield* settled
    yield* source.release
    yield* settled
    assert.strictEqual(versionIn(yield* Fiber.join(early)), 1)
    for (let later = 0; later < 3; later++) {
      assert.strictEqual(versionIn(yield* cache.get("k")), 1)
      yield* TestClock.adjust("70 seconds")
      yield* settled
    }
    assert.strictEqual((yield* cache.stats).inFlight, 0)
  })

for (const store of stores) {
  for (const isBatched of [false, true]) {
    describe(`during a load${isBatched ? " in a batch" : ""} (${store.name})`, () => {
      for (const [path, begin] of Object.entries(paths)) {
        for (const [how, invalidate] of Object.entries(invalidations)) {
          it.effect(`of ${path}: ${how}`, () => check(begin, invalidate, isBatched).pipe(over(store.layer)))
        }
      }
    })
  }
}
