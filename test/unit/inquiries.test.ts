import { assert, it } from "@effect/vitest"
import {
  Cause,
  Context,
  Deferred,
  Effect,
  Exit,
  Fiber,
  FiberRef,
  Layer,
  Schema,
  Stream,
  TestClock,
  Tracer
} from "effect"
import { Cache, CacheError, CacheStore } from "effect-larder"
import { describe } from "vitest"

/** A store that is far away: what it was asked for, turn by turn, and a gate that its answers wait behind. */
const storeOf = (about: Pick<CacheStore.Engine, "gathers" | "askedByCallers">) =>
  Effect.gen(function* () {
    const rows = new Map<string, CacheStore.RowWrite>()
    const asked: Array<ReadonlyArray<string>> = []
    const state = { interrupted: 0, gate: yield* Deferred.make<void>() }
    const begun = yield* Deferred.make<void>()
    const store = yield* CacheStore.make({
      name: "FarAway",
      capabilities: { live: false, persistent: false, shared: true },
      open: () =>
        Effect.succeed<CacheStore.Engine>({
          ...about,
          getMany: (keys) =>
            Effect.suspend(() => {
              asked.push(keys)
              const reading = { epoch: 0, rows: keys.map((key) => rows.get(key)) }
              return Deferred.succeed(begun, undefined).pipe(
                Effect.zipRight(Deferred.await(state.gate)),
                Effect.as(reading)
              )
            }).pipe(Effect.onInterrupt(() => Effect.sync(() => void state.interrupted++))),
          setMany: (all) => Effect.sync(() => all.forEach((row) => rows.set(row.key, row))),
          deleteMany: () => Effect.succeed(0),
          bump: () => Effect.void,
          clear: Effect.succeed(0),
          scan: Stream.fromIterable(rows.values())
        })
    })
    return { asked, state, store, open: Deferred.succeed(state.gate, undefined), begun: Deferred.await(begun) }
  })

const farAway = storeOf({ gathers: true, askedByCallers: true })
/** One that is not to be asked by whoever has something to do with it. */
const aloof = storeOf({ gathers: true })

const lengths = (options: { readonly strict?: true } = {}) => {
  const loads: Array<string> = []
  const cache = Cache.make("lengths", {
    key: Schema.String,
    success: Schema.Number,
    timeToLive: "1 hour",
    lookup: (key) => Effect.sync(() => loads.push(key)).pipe(Effect.as(key.length)),
    ...options
  })
  return { cache, loads }
}

const over = <A, E, R>(store: CacheStore.Service, effect: Effect.Effect<A, E, R>) =>
  Effect.provide(effect, Layer.succeed(CacheStore.CacheStore, store))

describe("gets over a store that is far away", () => {
  it.scoped("ask it once in each turn, and each has its own answer", () =>
    Effect.gen(function* () {
      const { asked, open, store } = yield* farAway
      const { cache: made, loads } = lengths()
      const cache = yield* over(store, made)
      yield* open
      const keys = ["a", "bb", "ccc", "bb"]
      assert.deepStrictEqual(yield* Effect.forEach(keys, cache.get, { concurrency: "unbounded" }), [1, 2, 3, 2])
      assert.deepStrictEqual(asked, [["a", "bb", "ccc"]])
      assert.deepStrictEqual(loads, ["a", "bb", "ccc"])
      // now the store has them
      assert.deepStrictEqual(yield* Effect.forEach(keys, cache.get, { concurrency: "unbounded" }), [1, 2, 3, 2])
      assert.strictEqual(asked.length, 2)
      assert.strictEqual(loads.length, 3)
      const { bypassed, failed, fresh, inFlight, joined, loaded } = yield* cache.stats
      assert.deepStrictEqual(
        { bypassed, failed, fresh, inFlight, joined, loaded },
        {
          bypassed: 0,
          failed: 0,
          fresh: 4,
          inFlight: 0,
          joined: 1,
          loaded: 3
        }
      )
    })
  )

  it.scoped("whoever asks for all of them leaves, and those who are left are asked for anew", () =>
    Effect.gen(function* () {
      const { asked, begun, open, state, store } = yield* farAway
      const { cache: made, loads } = lengths()
      const cache = yield* over(store, made)
      const [first, second] = [yield* Effect.fork(cache.get("a")), yield* Effect.fork(cache.get("bb"))]
      yield* begun
      assert.deepStrictEqual(asked, [["a", "bb"]])
      yield* Fiber.interrupt(first)
      assert.strictEqual(state.interrupted, 1)
      yield* open
      assert.strictEqual(yield* Fiber.join(second), 2)
      assert.deepStrictEqual(asked, [["a", "bb"], ["bb"]])
      assert.deepStrictEqual(loads, ["bb"])
    })
  )

  it.scoped("one that leaves harms no other, be they after the same key", () =>
    Effect.gen(function* () {
      const { asked, begun, open, state, store } = yield* farAway
      const { cache: made, loads } = lengths()
      const cache = yield* over(store, made)
      const asking = (key: string) => Effect.fork(cache.get(key))
      const [first, same, other] = [yield* asking("a"), yield* asking("a"), yield* asking("bb")]
      yield* begun
      yield* Fiber.interrupt(other)
      assert.strictEqual(state.interrupted, 0)
      yield* Fiber.interrupt(first)
      yield* open
      assert.strictEqual(yield* Fiber.join(same), 1)
      assert.deepStrictEqual(asked, [["a", "bb"], ["a"]])
      assert.deepStrictEqual(loads, ["a"])
    })
  )

  it.scoped("one who is after the leader's own key leaves, and nothing is asked twice", () =>
    Effect.gen(function* () {
      const { asked, begun, open, state, store } = yield* farAway
      const { cache: made } = lengths()
      const cache = yield* over(store, made)
      const [first, same] = [yield* Effect.fork(cache.get("a")), yield* Effect.fork(cache.get("a"))]
      yield* begun
      yield* Fiber.interrupt(same)
      yield* open
      assert.strictEqual(yield* Fiber.join(first), 1)
      yield* Effect.yieldNow()
      assert.deepStrictEqual([asked, state.interrupted], [[["a"]], 0])
    })
  )

  it.scoped("who may not be interrupted asks for nothing himself: a limit ends what does not answer", () =>
    Effect.gen(function* () {
      const { asked, store } = yield* farAway
      const onTimeout = () => new CacheError.StoreTimeout({ store: "FarAway", operation: "get", millis: 50 })
      const limited: CacheStore.Service = {
        ...store,
        region: (options) =>
          Effect.map(store.region(options), (region) => ({
            ...region,
            getMany: (keys) => Effect.timeoutFail(region.getMany(keys), { duration: "50 millis", onTimeout })
          }))
      }
      const { cache: made, loads } = lengths()
      const cache = yield* over(limited, made)
      const getting = yield* Effect.fork(Effect.uninterruptible(cache.get("a")))
      yield* TestClock.adjust("50 millis")
      assert.strictEqual(yield* Fiber.join(getting), 1)
      assert.deepStrictEqual([asked, loads], [[["a"]], ["a"]])
    })
  )

  it.scoped("of a store that is asked for one key at a time, too: who asks leaves, and another asks", () =>
    Effect.gen(function* () {
      const { asked, begun, open, state, store } = yield* storeOf({ askedByCallers: true })
      const { cache: made, loads } = lengths()
      const cache = yield* over(store, made)
      const asking = (key: string) => Effect.fork(cache.get(key))
      const [first, same, other] = [yield* asking("a"), yield* asking("a"), yield* asking("bb")]
      yield* begun
      yield* Effect.yieldNow()
      assert.deepStrictEqual(asked, [["a"], ["bb"]])
      yield* Fiber.interruptAll([first, other])
      assert.strictEqual(state.interrupted, 2)
      yield* open
      assert.strictEqual(yield* Fiber.join(same), 1)
      assert.deepStrictEqual(asked, [["a"], ["bb"], ["a"]])
      assert.deepStrictEqual(loads, ["a"])
      assert.strictEqual((yield* cache.stats).inFlight, 0)
    })
  )

  it.scoped("a load is run with what its first caller had when he asked, wherever he is by then", () =>
    Effect.gen(function* () {
      const { begun, open, store } = yield* farAway
      const name = FiberRef.unsafeMake("nobody")
      const made = Cache.make("names", { key: Schema.String, success: Schema.String, lookup: () => FiberRef.get(name) })
      const cache = yield* over(store, made)
      const get = Effect.locally(cache.get("a"), name, "first")
      const first = yield* Effect.fork(Effect.ensuring(get, FiberRef.set(name, "gone")))
      const second = yield* Effect.fork(Effect.locally(cache.get("a"), name, "second"))
      yield* begun
      yield* Fiber.interrupt(first)
      yield* open
      assert.strictEqual(yield* Fiber.join(second), "first")
    })
  )

  it.scoped("the last one that leaves takes the question back", () =>
    Effect.gen(function* () {
      const { asked, begun, open, state, store } = yield* farAway
      const { cache: made, loads } = lengths()
      const cache = yield* over(store, made)
      const all = yield* Effect.forEach(["a", "bb"], (key) => Effect.fork(cache.get(key)))
      yield* begun
      yield* Fiber.interruptAll(all)
      assert.strictEqual(state.interrupted, 1)
      assert.strictEqual((yield* cache.stats).inFlight, 0)
      yield* open
      assert.strictEqual(yield* cache.get("a"), 1)
      assert.strictEqual(asked.length, 2)
      assert.deepStrictEqual(loads, ["a"])
    })
  )

  it.scoped("a cache that ends before the turn does asks for nothing", () =>
    Effect.gen(function* () {
      const { asked, open, store } = yield* farAway
      const { cache: made } = lengths()
      yield* open
      const fiber = yield* Effect.scoped(
        Effect.gen(function* () {
          const cache = yield* over(store, made)
          const asking = yield* Effect.forkDaemon(cache.get("a"))
          // it has its turn, and this is still the same one
          yield* Effect.yieldNow()
          return asking
        })
      )
      assert.isTrue(Exit.isInterrupted(yield* Fiber.await(fiber)))
      assert.deepStrictEqual(asked, [])
    })
  )

  it.scoped("what was invalidated while the store was asked is not kept", () =>
    Effect.gen(function* () {
      const { begun, open, store } = yield* farAway
      const { cache: made, loads } = lengths()
      const cache = yield* over(store, made)
      const before = yield* Effect.fork(cache.get("a"))
      yield* begun
      yield* cache.invalidate("a")
      const after = yield* Effect.fork(cache.get("a"))
      yield* Effect.yieldNow()
      yield* open
      yield* Fiber.join(before)
      yield* Fiber.join(after)
      // two loads: the later get may not have what began before the invalidation
      assert.deepStrictEqual(loads, ["a", "a"])
    })
  )

  it.scoped("a store that throws where it should fail keeps nobody waiting", () =>
    Effect.gen(function* () {
      const { store } = yield* farAway
      const broken: CacheStore.Service = {
        ...store,
        region: (options) =>
          Effect.map(store.region(options), (region) => ({
            ...region,
            getMany: (keys) => {
              if (keys.length > 0) throw new Error("no store at all")
              return region.getMany(keys)
            }
          }))
      }
      const { cache: made } = lengths()
      const cache = yield* over(broken, made)
      const exits = yield* Effect.forEach(["a", "bb"], (key) => Effect.exit(cache.get(key)), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(
        exits.map((exit) => Exit.isFailure(exit) && Cause.pretty(exit.cause).includes("no store at all")),
        [true, true]
      )
      assert.strictEqual((yield* cache.stats).inFlight, 0)
    })
  )

  it.scoped("end with the cache; who asks himself does when the store has answered him, and asks for no more", () =>
    Effect.gen(function* () {
      const { asked, begun, open, state, store } = yield* farAway
      const { cache: made, loads } = lengths()
      const [first, second] = yield* Effect.scoped(
        Effect.gen(function* () {
          const cache = yield* over(store, made)
          const asking = [yield* Effect.forkDaemon(cache.get("a")), yield* Effect.forkDaemon(cache.get("bb"))] as const
          yield* begun
          return asking
        })
      )
      assert.isTrue(Exit.isInterrupted(yield* Fiber.await(second)))
      yield* open
      assert.isTrue(Exit.isInterrupted(yield* Fiber.await(first)))
      assert.strictEqual(state.interrupted, 0)
      assert.deepStrictEqual([asked, loads], [[["a", "bb"]], []])
    })
  )

  it.scoped("where no caller asks, one that leaves costs the others nothing", () =>
    Effect.gen(function* () {
      const { asked, begun, open, state, store } = yield* aloof
      const { cache: made, loads } = lengths()
      const cache = yield* over(store, made)
      const [first, second] = [yield* Effect.fork(cache.get("a")), yield* Effect.fork(cache.get("bb"))]
      yield* begun
      yield* Fiber.interrupt(first)
      assert.strictEqual(state.interrupted, 0)
      yield* open
      assert.strictEqual(yield* Fiber.join(second), 2)
      assert.deepStrictEqual([asked, loads], [[["a", "bb"]], ["bb"]])
    })
  )

  it.scoped("what a caller is in the midst of does not reach a store that does not ask for callers", () =>
    Effect.gen(function* () {
      class Transaction extends Context.Tag("Transaction")<Transaction, string>() {}
      const { open, store } = yield* aloof
      const seen: Array<boolean> = []
      const watched: CacheStore.Service = {
        ...store,
        region: (options) =>
          Effect.map(store.region(options), (region) => ({
            ...region,
            getMany: (keys) =>
              Effect.flatMap(Effect.context<never>(), (context) => {
                seen.push(context.unsafeMap.has(Transaction.key))
                return region.getMany(keys)
              })
          }))
      }
      const { cache: made } = lengths()
      const cache = yield* over(watched, made)
      yield* open
      assert.strictEqual(yield* Effect.provideService(cache.get("a"), Transaction, "open"), 1)
      assert.deepStrictEqual(seen, [false])
    })
  )

  it.scoped("a cache that ends takes back what is asked in a fiber of its own", () =>
    Effect.gen(function* () {
      const { begun, state, store } = yield* aloof
      const { cache: made } = lengths()
      const fiber = yield* Effect.scoped(
        Effect.gen(function* () {
          const cache = yield* over(store, made)
          const asking = yield* Effect.forkDaemon(cache.get("a"))
          yield* begun
          return asking
        })
      )
      assert.strictEqual(state.interrupted, 1)
      assert.isTrue(Exit.isInterrupted(yield* Fiber.await(fiber)))
    })
  )

  it.scoped("a reading for many is a child of the first one's span, and linked to the others'", () =>
    Effect.gen(function* () {
      const spans: Array<Tracer.Span> = []
      const tracer = Tracer.make({
        span: (name, parent, context, links, startTime, kind) => {
          const attributes = new Map<string, unknown>()
          const all = [...links]
          const span: Tracer.Span = {
            _tag: "Span",
            name,
            spanId: String(spans.length),
            traceId: name,
            parent,
            context,
            status: { _tag: "Started", startTime },
            attributes,
            links: all,
            sampled: true,
            kind,
            end: () => {},
            attribute: (key, value) => void attributes.set(key, value),
            event: () => {},
            addLinks: (more) => void all.push(...more)
          }
          spans.push(span)
          return span
        },
        context: (f) => f()
      })
      const { open, store } = yield* farAway
      const { cache: made } = lengths()
      const cache = yield* over(store, made)
      yield* open
      const get = (key: string) => Effect.withSpan(cache.get(key), `caller ${key}`)
      yield* Effect.withTracer(Effect.all([get("a"), get("bb")], { concurrency: "unbounded" }), tracer)
      const reading = spans.find(({ name }) => name === "larder.store.get")
      const named = (name: string) => spans.find((span) => span.name === name)?.spanId
      assert.strictEqual(reading?.parent._tag === "Some" ? reading.parent.value.spanId : undefined, named("caller a"))
      assert.deepStrictEqual(
        reading?.links.map(({ span }) => span.spanId),
        [named("caller bb")]
      )
      assert.strictEqual(reading?.attributes.get("cache.keys"), 2)
      // each load is its own caller's
      const parents = spans.flatMap(({ name, parent }) =>
        name === "larder.load" && parent._tag === "Some" ? [parent.value.spanId] : []
      )
      assert.deepStrictEqual(parents, [named("caller a"), named("caller bb")])
    })
  )
})
