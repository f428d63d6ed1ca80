/** ObjectStore against a real S3 server: the laws of stores, and what happens when the server does not keep its word. */
import { assert, describe, it } from "@effect/vitest"
import { CacheError, CacheStore, MemoryStore } from "effect-larder"
import * as ObjectStore from "effect-larder/ObjectStore"
import { StoreLaws } from "effect-larder/testing"
import { Config, ConfigProvider, Effect, Exit, Layer, Logger, Redacted, Scope, Stream } from "effect"
import { afterAll, beforeAll } from "vitest"
import * as Regions from "../../src/testing/internal/regions.js"
import { counted } from "../fixtures/cache/counted.js"
import { noFibersLeft } from "../fixtures/cache/harness.js"
import { clientOver } from "../fixtures/servers/objects.js"
import * as S3 from "../fixtures/servers/s3.js"
import { life, refused, told } from "../fixtures/sqlite/lives.js"

const silent = Logger.remove(Logger.defaultLogger)
const quiet = Effect.provide(silent)

const storeIn = ({ bucket, endpoint }: S3.S3, options: Partial<ObjectStore.Options> = {}) =>
  ObjectStore.layer({ bucket, endpoint, credentials: S3.credentials, ...options })

const openedOn = (layer: Layer.Layer<CacheStore.CacheStore, unknown>, made: ReturnType<typeof counted>) =>
  Effect.flatMap(Layer.build(Layer.fresh(layer)), (context) => Effect.provide(made.cache, context))

describe("ObjectStore", () => {
  const scope = Effect.runSync(Scope.make())
  let minding: S3.S3
  let careless: S3.S3
  let shops = 0
  beforeAll(async () => {
    minding = await Effect.runPromise(Scope.extend(S3.make({ conditional: true }), scope))
    careless = await Effect.runPromise(Scope.extend(S3.make({ conditional: false }), scope))
  })
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

  const own = (which: () => S3.S3) =>
    Layer.suspend(() => storeIn(which(), { prefix: `test${++shops}` })).pipe(Layer.provide(silent))
  StoreLaws.suite(
    "ObjectStore with conditional writes",
    own(() => minding),
    { histories: 10 }
  )
  StoreLaws.suite(
    "ObjectStore without conditional writes",
    own(() => careless),
    { histories: 10 }
  )
  StoreLaws.suite(
    "ObjectStore with a client of its own",
    Layer.suspend(() => ObjectStore.layerClient(Effect.succeed(clientOver(new Map()))))
  )

  it.scoped("what one program stores and invalidates, another one sees", () =>
    Effect.gen(function* () {
      const layer = storeIn(minding, { prefix: "two" })
      const [one, other] = [counted(), counted()]
      const [here, there] = [yield* openedOn(layer, one), yield* openedOn(layer, other)]
      assert.strictEqual(yield* here.get("a"), "a1")
      assert.strictEqual(yield* there.get("a"), "a1")
      yield* there.invalidateTags(["tag a"])
      assert.strictEqual(yield* here.get("a"), "a2")
      yield* here.set("a", "mine")
      assert.strictEqual(yield* there.get("a"), "mine")
      assert.strictEqual(yield* there.clear, 1)
      assert.isFalse(yield* here.has("a"))
      assert.strictEqual(other.state.loads, 0)
    })
  )

  it.scoped("programs that write and invalidate at once wait for each other, and lose nothing", () =>
    Effect.gen(function* () {
      const objects = new Map<string, ObjectStore.Found>()
      const layer = ObjectStore.layerClient(Effect.succeed(clientOver(objects)))
      const caches = yield* Effect.replicateEffect(openedOn(layer, counted()), 4)
      yield* Effect.forEach(
        caches,
        (cache) =>
          Effect.forEach(
            Array.from({ length: 25 }, (_, n) => `key ${n % 3}`),
            (key) => Effect.zipRight(cache.set(key, "value"), cache.invalidate(key)),
            { discard: true }
          ),
        { concurrency: "unbounded" }
      )
      for (const key of ["key 0", "key 1", "key 2"]) assert.isFalse(yield* caches[0]!.has(key))
      const state = new TextDecoder().decode(objects.get("larder/state/counted")?.bytes)
      assert.include(state, ` ${4 * 25 * 2} 0 0 `)
    })
  )

  it.scoped("lifecycle rules may remove anything, at any time", () =>
    Effect.gen(function* () {
      const objects = new Map<string, ObjectStore.Found>()
      const context = yield* Layer.build(ObjectStore.layerClient(Effect.succeed(clientOver(objects))))
      const region = yield* Effect.provide(Regions.open("region"), context)
      for (const [index, removed] of ["state/", "slot/", "tag/", "entry/"].entries()) {
        const key = `k${index}`
        const since = yield* Regions.epochOf(region)
        yield* Regions.put(region, key, "old", { tags: ["t"] })
        yield* region.invalidateTags(["t"])
        yield* region.deleteMany([key])
        for (const name of [...objects.keys()]) if (name.startsWith(`larder/${removed}`)) objects.delete(name)
        yield* Regions.put(region, key, "late", { since, tags: ["t"] })
        assert.deepStrictEqual(yield* Regions.values(region, key), [undefined], removed)
        yield* Regions.put(region, key, "new", { since: yield* Regions.epochOf(region), tags: ["t"] })
        assert.deepStrictEqual(yield* Regions.values(region, key), ["new"], removed)
      }
    })
  )

  it.scoped("one that does not mind conditions is told in the log", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const listening = Logger.replace(
        Logger.defaultLogger,
        Logger.make(({ message }) => void lines.push(String(message)))
      )
      yield* Layer.build(storeIn(minding, { prefix: "log" })).pipe(Effect.provide(listening))
      assert.deepStrictEqual(lines, [])
      yield* Layer.build(storeIn(careless, { prefix: "log" })).pipe(Effect.provide(listening))
      assert.match(lines.join(), /larder does not mind the conditions of conditional writes/)
    })
  )

  it.scoped("large values come back whole; entries outlive the program", () =>
    Effect.gen(function* () {
      const region = yield* Effect.provide(
        Regions.open("region"),
        yield* Layer.build(storeIn(minding, { prefix: "large", timeout: "30 seconds" }))
      )
      const large = Array.from({ length: 3_000_000 }, (_, n) => String.fromCharCode(97 + (n % 26))).join("")
      yield* Regions.put(region, "k", large)
      assert.isTrue((yield* Regions.values(region, "k"))[0] === large)
      const layer = storeIn(minding, { prefix: "life" })
      assert.deepStrictEqual((yield* life(layer, "a", "b")).loads, ["a", "b"])
      assert.deepStrictEqual((yield* life(layer, "a", "b")).loads, [])
    })
  )

  it.scoped("lists and clears more than one page", () =>
    Effect.gen(function* () {
      const objects = new Map<string, ObjectStore.Found>()
      const cache = yield* openedOn(ObjectStore.layerClient(Effect.succeed(clientOver(objects))), counted("a/b {c}"))
      const keys = Array.from({ length: 1_200 }, (_, n) => `key ${n}`)
      yield* cache.getMany(keys)
      assert.deepStrictEqual([...(yield* Stream.runCollect(cache.keys))].sort(), [...keys].sort())
      assert.strictEqual(yield* cache.clear, 1_200)
      assert.strictEqual([...objects.keys()].filter((key) => key.includes("/entry/")).length, 0)
    })
  )

  it.live("a server that fails, or does not answer, costs the loads, and says so", () =>
    Effect.gen(function* () {
      const mine = yield* S3.make({ conditional: true })
      const made = counted()
      const cache = yield* openedOn(storeIn(mine, { timeout: "300 millis" }), made)
      yield* Effect.forEach(["a", "a"], cache.get)
      assert.strictEqual(made.state.loads, 1)
      yield* mine.answer(503)
      yield* cache.get("a")
      assert.strictEqual(made.state.loads, 2)
      const error = yield* Effect.flip(cache.invalidate("a"))
      assert.isTrue(CacheError.isTransient(error))
      assert.strictEqual(error.message, "Cache store 'ObjectStore' failed at delete: the service is busy")
      yield* mine.answer(undefined)
      yield* Effect.forEach(["a", "a"], cache.get)
      assert.isAtMost(made.state.loads, 3)
      yield* mine.hang
      assert.match(yield* cache.get("a"), /^a\d$/)
      assert.strictEqual((yield* Effect.flip(cache.invalidate("a")))._tag, "StoreTimeout")
    }).pipe(Effect.scoped, noFibersLeft, quiet)
  )

  it.scoped("a bucket that cannot be had is told with what to do, and without the secret", () =>
    Effect.gen(function* () {
      const { endpoint } = minding
      const none = (yield* refused(storeIn(minding, { bucket: "nothing-here" }))) as CacheError.StoreUnavailable
      assert.deepStrictEqual(told(none), {
        tag: "StoreUnavailable",
        message: `Cache store 'ObjectStore' is not available: there is no such bucket (${endpoint}/nothing-here)`,
        hint: "make it, or give the name of another"
      })
      const secretAccessKey = Redacted.make("s3cr3t")
      const wrong = yield* refused(storeIn(minding, { credentials: { accessKeyId: "nobody", secretAccessKey } }))
      assert.match((wrong as CacheError.StoreUnavailable).message, /the access key is not known/)
      assert.notInclude(JSON.stringify(wrong), "s3cr3t")
      const gone = yield* refused(storeIn({ ...minding, endpoint: "http://127.0.0.1:9" }))
      assert.match((gone as CacheError.StoreUnavailable).message, /ECONNREFUSED/)
      assert.strictEqual(
        (gone as CacheError.StoreUnavailable).hint,
        "check that a server runs at http://127.0.0.1:9/larder and can be reached"
      )
    })
  )

  it.scoped("options that make no sense are told, all of them, without the secret", () =>
    Effect.gen(function* () {
      const bad = {
        bucket: "a/b",
        region: 1,
        endpoint: "ftp://x",
        credentials: { secret: "s3cr3t" },
        prefix: "a b",
        timeout: 0
      }
      const error = yield* refused(ObjectStore.layer(bad as unknown as ObjectStore.Options))
      assert.instanceOf(error, CacheError.InvalidConfig)
      assert.deepStrictEqual(error.issues.map(({ field }) => field).sort(), Object.keys(bad).sort())
      assert.notInclude(JSON.stringify(error) + error.message, "s3cr3t")
    })
  )

  it.scoped("layerConfig reads its options where they are configured", () =>
    Effect.gen(function* () {
      const layer = ObjectStore.layerConfig({
        bucket: Config.string("BUCKET"),
        endpoint: Config.string("ENDPOINT"),
        credentials: Config.succeed(S3.credentials)
      })
      const configured = (entries: Record<string, string>) =>
        Layer.provide(layer, Layer.setConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(entries)))))
      const { loads } = yield* life(configured({ BUCKET: minding.bucket, ENDPOINT: minding.endpoint }), "a")
      assert.deepStrictEqual(loads, ["a"])
      assert.match(String(yield* refused(configured({ BUCKET: minding.bucket }))), /ENDPOINT/)
    })
  )

  it.scoped("memory before a bucket asks it once", () =>
    Effect.gen(function* () {
      const mine = yield* S3.make({ conditional: true })
      const cache = yield* openedOn(MemoryStore.layer().pipe(CacheStore.tieredOver(storeIn(mine))), counted())
      yield* cache.get("a")
      const before = mine.requests()
      yield* Effect.forEach(["a", "a", "a"], cache.get)
      assert.strictEqual(mine.requests(), before)
    })
  )
})
