/** ObjectStore by Google's own client, against a server that speaks as much of its protocol as is needed. */
import { assert, describe, it } from "@effect/vitest"
import { CacheError, type CacheStore } from "effect-larder"
import * as ObjectStore from "effect-larder/ObjectStore"
import { StoreLaws } from "effect-larder/testing"
import { Config, ConfigProvider, Effect, Exit, Layer, Logger, Redacted, Scope, Stream } from "effect"
import { afterAll, beforeAll, vi } from "vitest"
import { counted } from "../fixtures/cache/counted.js"
import * as Google from "../fixtures/servers/google.js"
import { life, refused, told } from "../fixtures/sqlite/lives.js"

const silent = Logger.remove(Logger.defaultLogger)

const storeIn = ({ bucket, endpoint }: Google.Google, options: Partial<ObjectStore.GoogleOptions> = {}) =>
  ObjectStore.layerGoogle({ bucket, endpoint, ...options })

const openedOn = (layer: Layer.Layer<CacheStore.CacheStore, unknown>, made = counted()) =>
  Effect.flatMap(Layer.build(Layer.fresh(layer)), (context) => Effect.provide(made.cache, context))

describe("ObjectStore.layerGoogle", () => {
  const scope = Effect.runSync(Scope.make())
  let minding: Google.Google
  let careless: Google.Google
  let shops = 0
  beforeAll(async () => {
    minding = await Effect.runPromise(Scope.extend(Google.make({ conditional: true }), scope))
    careless = await Effect.runPromise(Scope.extend(Google.make({ conditional: false }), scope))
  })
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

  StoreLaws.suite(
    "ObjectStore in Google Cloud Storage",
    Layer.suspend(() => storeIn(minding, { prefix: `test${++shops}` })),
    { histories: 10 }
  )

  it.scoped("what one program stores and invalidates, another one sees; entries outlive both (R035)", () =>
    Effect.gen(function* () {
      const layer = storeIn(minding, { prefix: "two" })
      const other = counted()
      const [here, there] = [yield* openedOn(layer), yield* openedOn(layer, other)]
      assert.strictEqual(yield* here.get("a"), "a1")
      assert.strictEqual(yield* there.get("a"), "a1")
      yield* there.invalidateTags(["tag a"])
      assert.strictEqual(yield* here.get("a"), "a2")
      yield* here.set("a", "mine")
      assert.strictEqual(yield* there.get("a"), "mine")
      assert.strictEqual(other.state.loads, 0)
      const lasting = storeIn(minding, { prefix: "life" })
      assert.deepStrictEqual((yield* life(lasting, "a", "b")).loads, ["a", "b"])
      assert.deepStrictEqual((yield* life(lasting, "a", "b")).loads, [])
    })
  )

  it.scoped("lists and clears more than one page, whatever the names", () =>
    Effect.gen(function* () {
      const cache = yield* openedOn(storeIn(minding, { prefix: "pages" }), counted("a/b {c}"))
      const keys = Array.from({ length: 120 }, (_, n) => `key/${n}?#%é`)
      yield* cache.getMany(keys)
      assert.deepStrictEqual([...(yield* Stream.runCollect(cache.keys))].sort(), [...keys].sort())
      assert.strictEqual(yield* cache.clear, 120)
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

  it.scoped("a service that fails is asked once, costs the loads, and is told", () =>
    Effect.gen(function* () {
      const mine = yield* Google.make({ conditional: true })
      const made = counted()
      const cache = yield* openedOn(storeIn(mine), made)
      yield* cache.get("a")
      yield* mine.answer(503)
      const before = mine.requests()
      const error = yield* Effect.flip(cache.invalidate("a"))
      // for the state and for the fence of the key, which are claimed at once
      assert.isAtMost(mine.requests(), before + 2)
      assert.isTrue(CacheError.isTransient(error))
      assert.strictEqual(error.message, "Cache store 'ObjectStore' failed at delete: the service is busy")
      yield* cache.get("a")
      assert.strictEqual(made.state.loads, 2)
      for (const [status, reason] of [
        [401, "the credentials are not known"],
        [403, "this is not allowed"],
        [418, "the service answered with 418"]
      ] as const) {
        yield* mine.answer(status)
        const refusal = yield* Effect.flip(cache.invalidate("a"))
        assert.isFalse(CacheError.isTransient(refusal))
        assert.strictEqual(refusal.message, `Cache store 'ObjectStore' failed at delete: ${reason}`)
      }
    }).pipe(Effect.provide(silent))
  )

  it.scoped("a bucket that cannot be had is told with what to do, and without the key", () =>
    Effect.gen(function* () {
      const { endpoint } = minding
      const none = (yield* refused(storeIn(minding, { bucket: "nothing-here" }))) as CacheError.StoreUnavailable
      assert.deepStrictEqual(told(none), {
        tag: "StoreUnavailable",
        message: `Cache store 'ObjectStore' is not available: there is no such bucket (${endpoint}/nothing-here)`,
        hint: "make it, or give the name of another"
      })
      const gone = (yield* refused(
        storeIn({ ...minding, endpoint: "http://127.0.0.1:9" })
      )) as CacheError.StoreUnavailable
      assert.match(gone.message, /ECONNREFUSED/)
      assert.strictEqual(gone.hint, "check that a server runs at http://127.0.0.1:9/larder and can be reached")
      const credentials = { clientEmail: "larder@example.com", privateKey: Redacted.make("s3cr3t") }
      const wrong = yield* refused(storeIn(minding, { credentials }))
      assert.strictEqual((wrong as CacheError.StoreUnavailable)._tag, "StoreUnavailable")
      assert.notInclude(JSON.stringify(wrong) + String(wrong), "s3cr3t")
    })
  )

  it.scoped("options that make no sense are told, all of them, without the key", () =>
    Effect.gen(function* () {
      const bad = { bucket: "a/b", endpoint: "ftp://x", credentials: { key: "s3cr3t" }, prefix: "a b", timeout: 0 }
      const error = yield* refused(ObjectStore.layerGoogle(bad as unknown as ObjectStore.GoogleOptions))
      assert.instanceOf(error, CacheError.InvalidConfig)
      assert.deepStrictEqual(error.issues.map(({ field }) => field).sort(), Object.keys(bad).sort())
      assert.notInclude(JSON.stringify(error) + error.message, "s3cr3t")
    })
  )

  it.scoped("layerGoogleConfig reads its options where they are configured", () =>
    Effect.gen(function* () {
      const layer = ObjectStore.layerGoogleConfig({
        bucket: Config.string("BUCKET"),
        endpoint: Config.string("ENDPOINT"),
        prefix: Config.succeed("config")
      })
      const configured = (entries: Record<string, string>) =>
        Layer.provide(layer, Layer.setConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(entries)))))
      const { loads } = yield* life(configured({ BUCKET: minding.bucket, ENDPOINT: minding.endpoint }), "a")
      assert.deepStrictEqual(loads, ["a"])
      assert.match(String(yield* refused(configured({ BUCKET: minding.bucket }))), /ENDPOINT/)
    })
  )

  it.scoped("a client that is not installed is told with the command that installs it (R056)", () =>
    Effect.gen(function* () {
      vi.doMock("@google-cloud/storage", () => {
        throw new Error("Cannot find package '@google-cloud/storage' imported from here")
      })
      const error = (yield* refused(storeIn(minding))) as CacheError.StoreUnavailable
      vi.doUnmock("@google-cloud/storage")
      assert.strictEqual(error.hint, "npm install @google-cloud/storage")
      assert.match(error.message, /@google-cloud\/storage/)
    })
  )
})
