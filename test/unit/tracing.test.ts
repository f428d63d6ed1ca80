import { assert, describe, it } from "@effect/vitest"
import { Cache, CacheConfig, Cached, CacheError, CacheStore, CacheTracing, MemoryStore } from "effect-larder"
import * as SqliteStore from "effect-larder/SqliteStore"
import { FaultyStore } from "effect-larder/testing"
import { Context, Deferred, Effect, Exit, Fiber, Option, Schema, Scope, Stream, TestClock, Tracer } from "effect"

const { attributes, names } = CacheTracing
const memory = Effect.provide(MemoryStore.layer())
const tiered = Effect.provide(MemoryStore.layer().pipe(CacheStore.tieredOver(SqliteStore.layerTemporary)))
const secret = "ada@example.org"

const cacheOf = (options: Partial<Cache.Options<string, string, never, never, string, string>> = {}) =>
  Cache.make("users", {
    key: Schema.String,
    success: Schema.String,
    lookup: (id: string) => Effect.succeed(`user of ${id.length}`),
    ...options
  })

const namesOf = (spans: ReadonlyArray<Tracer.Span>) => spans.map((span) => span.name)
const parentOf = (span: Tracer.Span) => Option.getOrUndefined(span.parent)?.spanId
const find = (spans: ReadonlyArray<Tracer.Span>, name: string) => {
  const span = spans.find((one) => one.name === name)
  assert.isDefined(span, `${name} in ${namesOf(spans)}`)
  return span!
}

describe("spans of gets and loads", () => {
  it.scoped("a load has one, a hit in memory has none", () =>
    Effect.gen(function* () {
      const cache = yield* cacheOf()
      const [, cold] = yield* CacheTracing.collect(cache.get(secret))
      assert.deepStrictEqual(namesOf(cold), [names.load])
      const [, warm] = yield* CacheTracing.collect(cache.get(secret))
      assert.deepStrictEqual(namesOf(warm), [])
    }).pipe(memory)
  )

  it.scoped("nobody looks: no span is made", () =>
    Effect.gen(function* () {
      const cache = yield* cacheOf()
      // the tracer in force is Effect's own and there is no span: the load's fiber sees none either
      const inside = yield* Cache.make("inside", { lookup: (_: string) => Effect.option(Effect.currentSpan) })
      yield* cache.get(secret)
      assert.deepStrictEqual(yield* inside.get("a"), Option.none())
    }).pipe(memory)
  )

  for (const [how, options, locally] of [
    ["by the cache's option", { traceHits: true }, undefined],
    ["locally", {}, { traceHits: true }]
  ] as const) {
    it.scoped(`hits have one where that is asked for ${how}`, () =>
      Effect.gen(function* () {
        const cache = yield* cacheOf(options)
        const get = locally === undefined ? cache.get(secret) : cache.get(secret).pipe(CacheConfig.locally(locally))
        const [, cold] = yield* CacheTracing.collect(get)
        assert.deepStrictEqual(namesOf(cold), [names.get, names.load])
        assert.strictEqual(parentOf(cold[1]!), cold[0]!.spanId)
        assert.strictEqual(cold[0]!.attributes.get(attributes.outcome), "loaded")
        yield* TestClock.adjust("3 seconds")
        const [, warm] = yield* CacheTracing.collect(get)
        assert.deepStrictEqual(namesOf(warm), [names.get])
        const all = Object.fromEntries(warm[0]!.attributes)
        assert.deepInclude(all, {
          [attributes.cache]: "users",
          [attributes.outcome]: "fresh",
          [attributes.tier]: 1,
          [attributes.ageMillis]: 3_000
        })
        assert.match(String(all[attributes.keyHash]), /^[0-9a-f]{16}$/)
      }).pipe(memory)
    )
  }

  it.scoped("hits have one where the configuration asks for it", () =>
    Effect.gen(function* () {
      const cache = yield* cacheOf()
      yield* cache.get(secret)
      const [, warm] = yield* CacheTracing.collect(cache.get(secret))
      assert.deepStrictEqual(namesOf(warm), [names.get])
    }).pipe(memory, Effect.provide(CacheConfig.layer({ traceHits: true })))
  )

  it.scoped("the load's parent is the caller's span, not the one that was current when the cache was made", () =>
    Effect.gen(function* () {
      const cache = yield* cacheOf().pipe(Effect.withSpan("making"))
      const [, spans] = yield* CacheTracing.collect(Effect.withSpan(cache.get(secret), "asking"))
      assert.strictEqual(parentOf(find(spans, names.load)), find(spans, "asking").spanId)
    }).pipe(memory)
  )

  it.scoped("spans that the lookup makes are the load's children", () =>
    Effect.gen(function* () {
      const cache = yield* Cache.make("inner", {
        lookup: (n: number) => Effect.succeed(n).pipe(Effect.withSpan("query"))
      })
      const [, spans] = yield* CacheTracing.collect(cache.get(1))
      assert.strictEqual(parentOf(find(spans, "query")), find(spans, names.load).spanId)
    }).pipe(memory)
  )

  it.scoped("who joins a load waits in a span of his own; the two are linked both ways", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<string>()
      const cache = yield* cacheOf({ lookup: () => Deferred.await(gate) })
      const [, spans] = yield* CacheTracing.collect(
        Effect.gen(function* () {
          const first = yield* Effect.fork(Effect.withSpan(cache.get(secret), "first"))
          yield* Effect.yieldNow()
          const second = yield* Effect.fork(Effect.withSpan(cache.get(secret), "second"))
          yield* Effect.yieldNow()
          yield* Deferred.succeed(gate, "value")
          yield* Fiber.join(Fiber.zip(first, second))
        })
      )
      const load = find(spans, names.load)
      const wait = find(spans, names.wait)
      assert.strictEqual(parentOf(load), find(spans, "first").spanId)
      assert.strictEqual(parentOf(wait), find(spans, "second").spanId)
      assert.strictEqual(wait.attributes.get(attributes.outcome), "joined")
      assert.deepStrictEqual(
        wait.links.map(({ span }) => span.spanId),
        [load.spanId]
      )
      assert.deepStrictEqual(
        load.links.map(({ span }) => span.spanId),
        [wait.spanId]
      )
      assert.strictEqual(namesOf(spans).filter((name) => name === names.load).length, 1)
    }).pipe(memory)
  )

  it.scoped("a refresh in the background belongs to the trace of who was served stale", () =>
    Effect.gen(function* () {
      const cache = yield* cacheOf({ timeToLive: "1 second", staleWhileRevalidate: "1 minute" })
      yield* cache.get(secret)
      yield* TestClock.adjust("2 seconds")
      const [, spans] = yield* CacheTracing.collect(Effect.withSpan(cache.get(secret), "asking"))
      assert.strictEqual(parentOf(find(spans, names.load)), find(spans, "asking").spanId)
    }).pipe(memory)
  )

  it.scoped("a refresh that begins when its caller has gone keeps the trace and the requirements he called with", () =>
    Effect.gen(function* () {
      class Db extends Context.Tag("test/Db")<Db, string>() {}
      const user = Cached.fn("user", {
        success: Schema.String,
        timeToLive: "1 second",
        staleWhileRevalidate: "1 hour"
      })((id: string) => Effect.map(Db, (db) => db + id))
      const asking = (name: string) => user("a").pipe(Effect.provideService(Db, "db:"), Effect.withSpan(name))
      yield* asking("cold")
      yield* TestClock.adjust("2 seconds")
      const faults = yield* FaultyStore.Faults
      yield* faults.break({ _tag: "Slow", by: "1 second" }, "get")
      const [, spans] = yield* CacheTracing.collect(
        Effect.gen(function* () {
          const first = yield* Effect.fork(asking("first"))
          yield* Effect.yieldNow()
          const second = yield* Effect.fork(asking("second"))
          yield* Effect.yieldNow()
          yield* Fiber.interrupt(first)
          yield* TestClock.adjust("1 second")
          assert.strictEqual(yield* Fiber.join(second), "db:a")
          yield* TestClock.adjust("1 second") // the refresh asks the store for its epoch first
        })
      )
      const load = find(spans, names.load)
      assert.strictEqual(parentOf(load), find(spans, "first").spanId)
      assert.isTrue(load.status._tag === "Ended" && Exit.isSuccess(load.status.exit))
    }).pipe(Effect.provide(FaultyStore.over(MemoryStore.layer())))
  )

  it.scoped("a load that bypasses the cache has a span of the caller's trace", () =>
    Effect.gen(function* () {
      const cache = yield* cacheOf({ mode: "no-store" }).pipe(Effect.withSpan("making"))
      const [, spans] = yield* CacheTracing.collect(Effect.withSpan(cache.get(secret), "asking"))
      const load = find(spans, names.load)
      assert.strictEqual(parentOf(load), find(spans, "asking").spanId)
      assert.strictEqual(load.attributes.get(attributes.outcome), "bypassed")
      assert.strictEqual(load.status._tag, "Ended")
    }).pipe(memory)
  )

  it.scoped("many gets at once have one span where hits are traced, and none where they are not", () =>
    Effect.gen(function* () {
      const cache = yield* cacheOf()
      const traced = cache.getMany(["a", "b"]).pipe(CacheConfig.locally({ traceHits: true }))
      const [, cold] = yield* CacheTracing.collect(traced)
      assert.deepStrictEqual(namesOf(cold), [names.getMany, names.load, names.load])
      assert.deepStrictEqual(cold.slice(1).map(parentOf), [cold[0]!.spanId, cold[0]!.spanId])
      assert.strictEqual(cold[0]!.attributes.get(attributes.keys), 2)
      const [, warm] = yield* CacheTracing.collect(traced)
      assert.deepStrictEqual(namesOf(warm), [names.getMany])
      const [, plain] = yield* CacheTracing.collect(cache.getMany(["a", "b"]))
      assert.deepStrictEqual(namesOf(plain), [])
    }).pipe(memory)
  )

  for (const waiters of [127, 300]) {
    it.scoped(`of ${waiters} waiters at most 128 are linked to their load, and the load to all of them`, () =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<string>()
        const cache = yield* cacheOf({ lookup: () => Deferred.await(gate) })
        const [, spans] = yield* CacheTracing.collect(
          Effect.gen(function* () {
            const all = yield* Effect.forkAll(Array.from({ length: waiters + 1 }, () => cache.get(secret)))
            yield* Effect.yieldNow()
            yield* Deferred.succeed(gate, "value")
            yield* Fiber.join(all)
          })
        )
        const load = find(spans, names.load)
        const waits = spans.filter((span) => span.name === names.wait)
        assert.strictEqual(waits.length, waiters)
        assert.strictEqual(load.links.length, Math.min(waiters, 128))
        for (const wait of waits) assert.strictEqual(wait.links[0]?.span.spanId, load.spanId)
      }).pipe(memory)
    )
  }

  it.scoped("who waits before the load has begun, while the store is asked, is linked to it too", () =>
    Effect.gen(function* () {
      const faults = yield* FaultyStore.Faults
      yield* faults.break({ _tag: "Slow", by: "1 second" }, "get")
      const cache = yield* cacheOf()
      const [, spans] = yield* CacheTracing.collect(
        Effect.gen(function* () {
          const first = yield* Effect.fork(cache.get(secret))
          const second = yield* Effect.fork(cache.get(secret))
          yield* TestClock.adjust("1 second")
          yield* Fiber.join(Fiber.zip(first, second))
        })
      )
      const load = find(spans, names.load)
      const wait = find(spans, names.wait)
      assert.deepStrictEqual([load.links[0]?.span.spanId, wait.links[0]?.span.spanId], [wait.spanId, load.spanId])
    }).pipe(Effect.provide(FaultyStore.over(MemoryStore.layer())))
  )

  it.scoped("a waiter that is interrupted ends its span, and only its own", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<string>()
      const cache = yield* cacheOf({ lookup: () => Deferred.await(gate) })
      const [, spans] = yield* CacheTracing.collect(
        Effect.gen(function* () {
          const first = yield* Effect.fork(cache.get(secret))
          yield* Effect.yieldNow()
          const second = yield* Effect.fork(cache.get(secret))
          yield* Effect.yieldNow()
          yield* Fiber.interrupt(second)
          yield* Deferred.succeed(gate, "value")
          yield* Fiber.join(first)
        })
      )
      const wait = find(spans, names.wait).status
      assert.isTrue(wait._tag === "Ended" && Exit.isFailure(wait.exit) && Exit.isInterrupted(wait.exit))
      const load = find(spans, names.load).status
      assert.isTrue(load._tag === "Ended" && Exit.isSuccess(load.exit))
    }).pipe(memory)
  )

  for (const mode of ["default", "no-store"] as const) {
    it.scoped(`a lookup that throws ends its span as failed, in mode ${mode}`, () =>
      Effect.gen(function* () {
        const cache = yield* cacheOf({
          mode,
          lookup: () => {
            throw new Error("thrown")
          }
        })
        const [exit, spans] = yield* CacheTracing.collect(Effect.exit(cache.get(secret)))
        assert.isTrue(Exit.isFailure(exit))
        const { status } = find(spans, names.load)
        assert.isTrue(status._tag === "Ended" && Exit.isFailure(status.exit))
      }).pipe(memory)
    )
  }

  it.scoped("a program that has tracing switched off makes none, even inside a span", () =>
    Effect.gen(function* () {
      const cache = yield* cacheOf({ traceHits: true })
      const [, spans] = yield* CacheTracing.collect(
        Effect.withSpan(cache.get(secret).pipe(Effect.withTracerEnabled(false)), "asking")
      )
      assert.deepStrictEqual(namesOf(spans), ["asking"])
    }).pipe(memory)
  )

  it.scoped("a load that fails, or is interrupted, has a span that ends so", () =>
    Effect.gen(function* () {
      const failing = yield* Cache.make("failing", { lookup: (_: string) => Effect.fail("no") })
      const [, failed] = yield* CacheTracing.collect(Effect.exit(failing.get("a")))
      const { status } = find(failed, names.load)
      assert.isTrue(status._tag === "Ended" && Exit.isFailure(status.exit))

      const hanging = yield* Cache.make("hanging", { lookup: (_: string) => Effect.never })
      const [, spans] = yield* CacheTracing.collect(
        Effect.gen(function* () {
          const caller = yield* Effect.fork(hanging.get("a"))
          yield* Effect.yieldNow()
          yield* Fiber.interrupt(caller)
        })
      )
      const end = find(spans, names.load).status
      assert.isTrue(end._tag === "Ended" && Exit.isFailure(end.exit) && Exit.isInterrupted(end.exit))
    }).pipe(memory)
  )
})

describe("spans of stores", () => {
  it.scoped("each call has one, under the get; a warm hit in memory has none; keys are never in clear", () =>
    Effect.gen(function* () {
      const cache = yield* cacheOf({ tags: ["t"] })
      const [, spans] = yield* CacheTracing.collect(
        Effect.gen(function* () {
          yield* Effect.withSpan(cache.get(secret), "cold")
          yield* Effect.withSpan(cache.get(secret), "warm")
          yield* cache.invalidate(secret)
          yield* cache.getMany([secret, "b"])
          yield* cache.invalidateTags(["t"])
          yield* cache.clear
        })
      )
      const cold = find(spans, "cold")
      const under = spans.filter((span) => parentOf(span) === cold.spanId)
      assert.deepStrictEqual(namesOf(under), [names.storeGet, names.load, names.storeSet])
      assert.deepStrictEqual(
        spans.filter((span) => parentOf(span) === find(spans, "warm").spanId),
        []
      )
      for (const name of [names.storeDelete, names.storeInvalidateTags, names.storeClear]) find(spans, name)
      for (const span of spans.filter((one) => one.name.startsWith("larder.store."))) {
        assert.strictEqual(span.attributes.get(attributes.store), "SqliteStore")
        assert.strictEqual(span.attributes.get(attributes.cache), "users")
        assert.strictEqual(span.attributes.get(attributes.operation), span.name.slice("larder.store.".length))
        assert.strictEqual(span.kind, "client")
      }
      const batch = spans.filter((span) => span.attributes.get(attributes.keys) !== undefined)
      assert.isAtLeast(batch.length, 1)
      for (const span of spans) {
        const shown = JSON.stringify([span.name, ...span.attributes, ...span.links.map((link) => link.attributes)])
        assert.notInclude(shown, secret)
        assert.isTrue(span.status._tag === "Ended")
      }
    }).pipe(tiered)
  )
})

/** A byte engine that answers a reading with this, and keeps nothing. */
const engine = (getMany: CacheStore.Engine["getMany"]) =>
  CacheStore.make({
    name: "Broken",
    capabilities: { live: false, persistent: false, shared: false },
    open: () =>
      Effect.succeed({
        getMany,
        setMany: () => Effect.void,
        deleteMany: () => Effect.succeed(0),
        bump: () => Effect.void,
        clear: Effect.succeed(0),
        scan: Stream.empty
      })
  })

describe("spans of stores in trouble", () => {
  it.scoped("a call that fails has a span that ends so, and the get goes on", () =>
    Effect.gen(function* () {
      const failure = new CacheError.StoreTimeout({ store: "Broken", operation: "get", millis: 1 })
      const cache = yield* cacheOf().pipe(
        Effect.provideServiceEffect(
          CacheStore.CacheStore,
          engine(() => failure)
        )
      )
      const [value, spans] = yield* CacheTracing.collect(cache.get(secret))
      assert.strictEqual(value, `user of ${secret.length}`)
      assert.deepStrictEqual(namesOf(spans).slice(0, 2), [names.storeGet, names.load])
      const { status } = spans[0]!
      assert.isTrue(status._tag === "Ended" && Exit.isFailure(status.exit))
    })
  )

  it.scoped("a call that is interrupted, or throws, has a span that ends so", () =>
    Effect.gen(function* () {
      const answers: Array<CacheStore.Engine["getMany"]> = [
        () => Effect.never,
        () => {
          throw new Error("thrown")
        }
      ]
      for (const answer of answers) {
        const cache = yield* cacheOf().pipe(
          Effect.provideServiceEffect(CacheStore.CacheStore, engine(answer)),
          Effect.provideService(Scope.Scope, yield* Scope.make())
        )
        const [, spans] = yield* CacheTracing.collect(
          Effect.gen(function* () {
            const caller = yield* Effect.fork(cache.get(secret))
            yield* Effect.yieldNow()
            yield* Fiber.interrupt(caller)
          })
        )
        const { status } = find(spans, names.storeGet)
        assert.isTrue(status._tag === "Ended" && Exit.isFailure(status.exit))
      }
    })
  )
})

describe("CacheTracing", () => {
  it.effect("draws a tree", () =>
    Effect.gen(function* () {
      const square = Cached.fn("square", { success: Schema.Number })((n: number) =>
        Effect.zipRight(Effect.withSpan(Effect.void, "query"), Effect.succeed(n * n))
      )
      const [, spans] = yield* CacheTracing.collect(Effect.withSpan(square(3), "question"))
      const lines = CacheTracing.tree(spans).split("\n")
      assert.deepStrictEqual(
        lines.map((line) => /^[│├└─ ]*[\w.]+/.exec(line)?.[0]),
        ["question", "├─ larder.store.get", "├─ larder.load", "│  └─ query", "└─ larder.store.set"]
      )
      assert.include(lines[2], "name=square")
    }).pipe(tiered)
  )

  it.effect("says what failed, what is linked, and what has not ended", () =>
    Effect.gen(function* () {
      const [, spans] = yield* CacheTracing.collect(
        Effect.scoped(
          Effect.gen(function* () {
            const open = yield* Effect.makeSpan("open")
            yield* Effect.exit(
              Effect.withSpan(Effect.fail("no"), "failing", {
                links: [{ _tag: "SpanLink", span: open, attributes: {} }]
              })
            )
          })
        )
      )
      const [first = "", second = ""] = CacheTracing.tree(spans).split("\n")
      assert.include(first, "open  not ended")
      assert.include(second, "1 linked  failed")
    })
  )

  it.effect("still tells the tracer in force", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const outer = yield* Effect.tracer
      const tracer = Tracer.make({
        span: (...options) => {
          seen.push(options[0])
          return outer.span(...options)
        },
        context: (execution, fiber) => outer.context(execution, fiber)
      })
      const [result, spans] = yield* CacheTracing.collect(Effect.withSpan(Effect.succeed(1), "a")).pipe(
        Effect.withTracer(tracer)
      )
      assert.strictEqual(result, 1)
      assert.deepStrictEqual(seen, ["a"])
      assert.deepStrictEqual(namesOf(spans), ["a"])
    })
  )
})
