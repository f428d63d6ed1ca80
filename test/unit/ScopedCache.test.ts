/** Resources that are shared: acquired once, released exactly once, and never while anybody uses them. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope, TestClock } from "effect"
import { ScopedCache } from "effect-larder"
import fc from "fast-check"
import { forAll, noFibersLeft, settled } from "../fixtures/cache/harness.js"

/** One acquisition: who uses it, and how often it was released. */
interface Resource {
  readonly key: string
  readonly id: number
  released: number
}

/** A factory that remembers what it has made. */
class Factory {
  readonly made: Array<Resource> = []
  /** Turns that acquiring, and releasing, takes. */
  turns = 0
  failing = false

  readonly lookup = (key: string): Effect.Effect<Resource, string, Scope.Scope> =>
    Effect.acquireRelease(
      Effect.gen(this, function* () {
        yield* Effect.repeatN(Effect.yieldNow(), this.turns)
        if (this.failing) return yield* Effect.fail("cannot")
        const resource: Resource = { key, id: this.made.length, released: 0 }
        this.made.push(resource)
        return resource
      }),
      (resource) =>
        Effect.zipRight(
          Effect.repeatN(Effect.yieldNow(), this.turns),
          Effect.sync(() => void resource.released++)
        )
    )

  get open(): ReadonlyArray<number> {
    return this.made.filter(({ released }) => released === 0).map(({ id }) => id)
  }
}

/** Uses a resource until `end` is called. */
const use = (cache: ScopedCache.ScopedCache<string, Resource, string>, key: string) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const resource = yield* Scope.extend(cache.get(key), scope)
    return { resource, end: Scope.close(scope, Exit.void) }
  })

const isolated = <A, E>(self: Effect.Effect<A, E, Scope.Scope>) => self.pipe(Effect.scoped, noFibersLeft)

describe("ScopedCache", () => {
  it.effect("a resource is shared by all who use it, kept when nobody does, and released with the cache", () =>
    Effect.gen(function* () {
      const factory = new Factory()
      yield* Effect.gen(function* () {
        const cache = yield* ScopedCache.make({ lookup: factory.lookup })
        const [first, second] = yield* Effect.all([use(cache, "a"), use(cache, "a")], { concurrency: "unbounded" })
        assert.strictEqual(first.resource, second.resource)
        yield* first.end
        yield* second.end
        yield* settled
        assert.deepStrictEqual(factory.open, [0])
        assert.strictEqual((yield* use(cache, "a")).resource.id, 0)
        assert.deepStrictEqual([yield* cache.size, yield* cache.live, yield* cache.has("b")], [1, 1, false])
      }).pipe(isolated)
      // the last use was never ended: it is not released under its user's hands
      assert.deepStrictEqual(factory.open, [0])
    })
  )

  it.effect("what is given up while it is in use is released when its last user leaves, and not before", () =>
    Effect.gen(function* () {
      const factory = new Factory()
      const cache = yield* ScopedCache.make({ lookup: factory.lookup, capacity: 1 })
      const givenUp: Record<string, Effect.Effect<unknown, string>> = {
        invalidated: cache.invalidate("a"),
        "all are": cache.invalidateAll,
        "pushed out": Effect.scoped(cache.get("other"))
      }
      for (const [how, giveUp] of Object.entries(givenUp)) {
        const [first, second] = [yield* use(cache, "a"), yield* use(cache, "a")]
        yield* giveUp
        yield* settled
        assert.strictEqual(first.resource.released, 0, how)
        const next = yield* use(cache, "a")
        assert.notStrictEqual(next.resource, first.resource, how)
        yield* first.end
        assert.strictEqual(first.resource.released, 0, how)
        yield* second.end
        assert.strictEqual(first.resource.released, 1, how)
        yield* next.end
      }
    }).pipe(isolated)
  )

  it.effect("what nobody uses is released when it expires, or has been idle", () =>
    Effect.gen(function* () {
      for (const options of [{ timeToLive: "10 seconds" }, { timeToIdle: "10 seconds" }] as const) {
        const factory = new Factory()
        const cache = yield* ScopedCache.make({ ...options, name: Object.keys(options)[0], lookup: factory.lookup })
        yield* Effect.scoped(cache.get("a"))
        const used = yield* use(cache, "b")
        yield* TestClock.adjust("11 seconds")
        // the store's own maintenance comes round
        yield* TestClock.adjust("2 minutes")
        yield* settled
        assert.deepStrictEqual(factory.open, [used.resource.id])
        yield* used.end
        assert.deepStrictEqual(factory.open, [])
      }
    }).pipe(isolated)
  )

  it.effect("a failed acquisition is not kept, and leaves nothing behind", () =>
    Effect.gen(function* () {
      const factory = new Factory()
      const cache = yield* ScopedCache.make({
        lookup: (key: string) =>
          Effect.zipRight(
            factory.lookup("part"),
            Effect.suspend(() => factory.lookup(key))
          )
      })
      factory.failing = true
      assert.deepStrictEqual(yield* Effect.exit(Effect.scoped(cache.get("a"))), Exit.fail("cannot"))
      factory.failing = false
      const half = yield* ScopedCache.make({
        name: "half",
        lookup: (key: string) => Effect.zipRight(factory.lookup(key), Effect.fail("half way"))
      })
      assert.deepStrictEqual(yield* Effect.exit(Effect.scoped(half.get("a"))), Exit.fail("half way"))
      assert.deepStrictEqual(factory.open, [])
      assert.strictEqual(yield* half.live, 0)
    }).pipe(isolated)
  )

  it.effect("the first of two who ask is interrupted: the other gets it, and it is released once", () =>
    Effect.gen(function* () {
      const factory = new Factory()
      factory.turns = 20
      const cache = yield* ScopedCache.make({ lookup: factory.lookup })
      const [first, second] = yield* Effect.forEach(["a", "a"], (key) => Effect.fork(use(cache, key)))
      yield* Effect.repeatN(Effect.yieldNow(), 5)
      yield* Fiber.interrupt(first!)
      const used = yield* Fiber.join(second!)
      assert.strictEqual(factory.made.length, 1)
      yield* cache.invalidate("a")
      yield* used.end
      assert.strictEqual(used.resource.released, 1)
    }).pipe(isolated)
  )

  it.effect("options that make no sense are refused", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(ScopedCache.make({ lookup: new Factory().lookup, capacity: 0 }))
      assert.strictEqual(error._tag, "InvalidConfig")
    }).pipe(Effect.scoped)
  )

  type Step =
    | { readonly do: "use" | "end" | "interrupt" | "invalidate"; readonly key: string; readonly user: number }
    | { readonly do: "turns"; readonly many: number }
    | { readonly do: "wait"; readonly many: number }

  const steps: fc.Arbitrary<Array<Step>> = fc.array(
    fc.oneof(
      fc.record({
        do: fc.constantFrom(
          "use" as const,
          "use" as const,
          "end" as const,
          "interrupt" as const,
          "invalidate" as const
        ),
        key: fc.constantFrom("a", "b", "c"),
        user: fc.nat(4)
      }),
      fc.record({ do: fc.constant("turns" as const), many: fc.nat(12) }),
      fc.record({ do: fc.constant("wait" as const), many: fc.nat(12) })
    ),
    { maxLength: 40 }
  )

  it.effect("in any history: never released while in use, and each exactly once in the end", () =>
    forAll(
      fc.record({ steps, turns: fc.nat(3), capacity: fc.integer({ min: 1, max: 3 }) }),
      ({ capacity, steps, turns }) =>
        Effect.gen(function* () {
          const factory = new Factory()
          factory.turns = turns
          const using = new Set<Resource>()
          yield* Effect.gen(function* () {
            const cache = yield* ScopedCache.make({ lookup: factory.lookup, capacity, timeToLive: "10 seconds" })
            const users = new Map<number, { readonly fiber: Fiber.Fiber<void, string>; readonly gate: Effect.Latch }>()
            const begin = (key: string, user: number) =>
              Effect.gen(function* () {
                if (users.has(user)) return
                const gate = yield* Effect.makeLatch(false)
                const body = Effect.scoped(
                  Effect.gen(function* () {
                    const resource = yield* cache.get(key)
                    assert.strictEqual(resource.released, 0, "got what is released")
                    using.add(resource)
                    yield* Effect.ensuring(
                      gate.await,
                      Effect.sync(() => {
                        assert.strictEqual(resource.released, 0, "released while in use")
                      })
                    )
                  })
                )
                users.set(user, { fiber: yield* Effect.fork(body), gate })
              })
            const end = (user: number, interrupt: boolean) =>
              Effect.gen(function* () {
                const found = users.get(user)
                if (found === undefined) return
                users.delete(user)
                yield* found.gate.open
                if (interrupt) yield* Fiber.interrupt(found.fiber)
                else assert.isTrue(Exit.isSuccess(yield* Fiber.await(found.fiber)))
              })
            for (const step of steps) {
              if (step.do === "turns") yield* Effect.repeatN(Effect.yieldNow(), step.many)
              else if (step.do === "wait") yield* TestClock.adjust(step.many * 1_000)
              else if (step.do === "use") yield* begin(step.key, step.user)
              else if (step.do === "invalidate") yield* cache.invalidate(step.key)
              else yield* end(step.user, step.do === "interrupt")
            }
            for (const user of [...users.keys()]) yield* end(user, false)
            // looking at the size removes what has expired
            const kept = yield* cache.size
            yield* settled
            assert.strictEqual(yield* cache.live, kept, "what is not kept has been released")
          }).pipe(Effect.scoped)
          yield* settled
          assert.deepStrictEqual(
            factory.made.map(({ released }) => released),
            factory.made.map(() => 1)
          )
        }).pipe(noFibersLeft),
      { numRuns: 500 }
    )
  )
})
