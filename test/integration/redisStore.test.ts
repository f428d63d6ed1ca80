/** RedisStore against a real server: the laws of stores, and what happens when the server does not keep its word. */
import { assert, describe, it } from "@effect/vitest"
import { CacheError, CacheStore, MemoryStore } from "effect-larder"
import * as RedisStore from "effect-larder/RedisStore"
import { StoreLaws } from "effect-larder/testing"
import * as Regions from "../../src/testing/internal/regions.js"
import { Config, ConfigProvider, Duration, Effect, Exit, Layer, Logger, Redacted, Scope, Stream } from "effect"
import { afterAll, beforeAll } from "vitest"
import { counted } from "../fixtures/cache/counted.js"
import { noFibersLeft } from "../fixtures/cache/harness.js"
import * as Redis from "../fixtures/servers/redis.js"
import type * as Server from "../fixtures/servers/process.js"
import { life, refused, storeOf, told } from "../fixtures/sqlite/lives.js"

const quiet = Layer.provide(Logger.remove(Logger.defaultLogger))

const urlOf = ({ port }: Server.Server): string => `redis://127.0.0.1:${port}`

/** In real time: what the server does is not done by the test's clock. */
const realPause = (millis: number) => Effect.promise(() => new Promise((resolve) => setTimeout(resolve, millis)))

describe.skipIf(!Redis.isThere)("RedisStore", () => {
  const scope = Effect.runSync(Scope.make())
  let server: Server.Server
  let shops = 0
  beforeAll(async () => {
    server = await Effect.runPromise(Scope.extend(Redis.make(), scope))
  })
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

  /** A part of the server for each Layer that is built. */
  const own = Layer.suspend(() => RedisStore.layer({ url: urlOf(server), prefix: `test${++shops}` }))
  StoreLaws.suite("RedisStore", own, { histories: 50 })
  StoreLaws.suite("memory over Redis", MemoryStore.layer().pipe(CacheStore.tieredOver(own)), { histories: 50 })

  it.scoped("what one program stores and invalidates, another one sees", () =>
    Effect.gen(function* () {
      const layer = RedisStore.layer({ url: urlOf(server), prefix: "two" })
      const open = (made: ReturnType<typeof counted>) =>
        Effect.flatMap(Layer.build(Layer.fresh(layer)), (context) => Effect.provide(made.cache, context))
      const [one, other] = [counted(), counted()]
      const [here, there] = [yield* open(one), yield* open(other)]
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

  it.scoped("entries outlive the program, and nobody else's keys are touched", () =>
    Effect.gen(function* () {
      const layer = RedisStore.layer({ url: urlOf(server), prefix: "life" })
      yield* Redis.say(server.port, "SET life:mine 1")
      assert.deepStrictEqual((yield* life(layer, "a", "b")).loads, ["a", "b"])
      assert.deepStrictEqual((yield* life(layer, "a", "b")).loads, [])
      yield* Effect.scoped(
        Effect.flatMap(storeOf(RedisStore.layer({ url: urlOf(server), prefix: "li*" })), (store) =>
          Effect.flatMap(
            Effect.provideService(counted("app/Numbers").cache, CacheStore.CacheStore, store),
            (cache) => cache.clear
          )
        )
      )
      assert.deepStrictEqual((yield* life(layer, "a", "b")).loads, [], "a pattern is a name like any other")
      assert.include(yield* Redis.say(server.port, "GET life:mine"), "1")
    })
  )

  it.scoped("what is over makes room by itself, a minute later", () =>
    Effect.gen(function* () {
      const context = yield* Layer.build(RedisStore.layer({ url: urlOf(server), prefix: "room" }))
      const cache = yield* Effect.provide(counted().cache, context)
      yield* cache.get("a")
      const left = Number(/\d+/.exec(yield* Redis.say(server.port, 'PTTL "room:{counted}:entry:a"'))?.[0])
      assert.isAtMost(left, 3_660_000)
      assert.isAbove(left, 3_600_000)
      assert.include(yield* Redis.say(server.port, 'PTTL "room:{counted}:meta"'), ":-1")
    })
  )

  it.scoped("a server that forgets everything brings nothing back", () =>
    Effect.gen(function* () {
      const mine = yield* Redis.make()
      const context = yield* Layer.build(RedisStore.layer({ url: urlOf(mine) }))
      const { cache: made, state } = counted()
      const cache = yield* Effect.provide(made, context)
      yield* Effect.repeatN(cache.invalidate("a"), 10)
      const region = yield* Effect.provide(Regions.open("region"), context)
      yield* region.deleteMany(["a"])
      const before = yield* Regions.epochOf(region)
      yield* Redis.say(mine.port, "FLUSHALL")
      // one that began in what is forgotten is not stored, though the counter is lower now
      yield* Regions.put(region, "a", "old", { since: before })
      assert.deepStrictEqual(yield* Regions.values(region, "a"), [undefined])
      yield* Regions.put(region, "a", "new", { since: yield* Regions.epochOf(region) })
      assert.deepStrictEqual(yield* Regions.values(region, "a"), ["new"])
      // the record of invalidated tags alone is evicted: what has tags is as good as gone
      yield* cache.get("a")
      yield* cache.invalidateTags(["tag b"])
      yield* Redis.say(mine.port, "DEL larder:{counted}:tags")
      yield* cache.get("a")
      assert.strictEqual(state.loads, 2)
      // the counter alone: what readers know of it is right, until something changes it
      yield* Redis.say(mine.port, "DEL larder:{counted}:meta")
      yield* cache.get("a")
      assert.strictEqual(state.loads, 2)
      yield* cache.invalidate("b")
      yield* cache.get("a")
      assert.strictEqual(state.loads, 3)
      yield* cache.get("a")
      assert.strictEqual(state.loads, 3)
      // what readers know of it alone: it is told them again
      yield* Redis.say(mine.port, "DEL larder:{counted}:state")
      yield* cache.get("a")
      assert.strictEqual(state.loads, 3)
      // the counter, and an entry whose tag is in doubt: all begins anew at once
      yield* cache.invalidateTags(["tag b"])
      yield* Redis.say(mine.port, "DEL larder:{counted}:meta")
      yield* cache.get("a")
      assert.strictEqual(state.loads, 4)
      yield* cache.get("a")
      assert.strictEqual(state.loads, 4)
    })
  )

  it.scoped("bytes that rot are no entry", () =>
    Effect.gen(function* () {
      const context = yield* Layer.build(RedisStore.layer({ url: urlOf(server), prefix: "rot" }))
      const { cache: made, state } = counted()
      const cache = yield* Effect.provide(made, context)
      const key = '"rot:{counted}:entry:a"'
      for (const damage of [
        `SETRANGE ${key} 30 X`,
        `APPEND ${key} X`,
        `SET ${key} ""`,
        `SET ${key} "no entry at all"`,
        `SETRANGE ${key} 13 9999999`,
        // the first digit of its epoch, which is then no number: it is neither old nor yet to come
        `SETRANGE ${key} 15 :`
      ]) {
        yield* cache.get("a")
        const { loads } = state
        yield* cache.get("a")
        assert.strictEqual(state.loads, loads)
        yield* Redis.say(server.port, damage)
        yield* cache.get("a")
        assert.strictEqual(state.loads, loads + 1, damage)
      }
    })
  )

  it.scoped("a server that is killed, and started again empty: gets go on, and it is used again by itself", () =>
    Effect.gen(function* () {
      const mine = yield* Redis.make()
      const context = yield* Layer.build(RedisStore.layer({ url: urlOf(mine) }).pipe(quiet))
      const { cache: made, state } = counted()
      const cache = yield* Effect.provide(made, context)
      yield* Effect.forEach(["a", "a"], cache.get)
      assert.strictEqual(state.loads, 1)
      yield* mine.kill
      yield* Effect.forEach(["a", "a"], cache.get)
      assert.strictEqual(state.loads, 3)
      const error = yield* Effect.flip(cache.invalidate("a"))
      assert.strictEqual(error._tag, "StoreError")
      assert.isTrue(CacheError.isTransient(error))
      assert.match(error.message, /^Cache store 'RedisStore' failed at delete: /)
      yield* mine.start
      // the driver connects again within two seconds
      yield* Effect.repeat(Effect.zipRight(realPause(50), Effect.option(cache.invalidate("z"))), {
        until: (done) => done._tag === "Some",
        times: 100
      })
      yield* Effect.forEach(["a", "a", "a"], cache.get)
      assert.strictEqual(state.loads, 4)
    }).pipe(Effect.provide(Logger.remove(Logger.defaultLogger)))
  )

  it.live("a server that stops answering costs its timeout once, then nothing", () =>
    Effect.gen(function* () {
      const mine = yield* Redis.make()
      const layer = RedisStore.layer({ url: urlOf(mine), timeout: "200 millis" }).pipe(
        CacheStore.circuitBreaker({ resetAfter: "300 millis" })
      )
      const cache = yield* Effect.flatMap(Layer.build(layer), (context) => Effect.provide(counted().cache, context))
      yield* cache.get("a")
      yield* mine.stop
      const [first] = yield* Effect.timed(cache.get("b"))
      assert.isAtLeast(Duration.toMillis(first), 190)
      const others = Array.from({ length: 50 }, (_, n) => `${n}`)
      const [rest] = yield* Effect.timed(Effect.forEach(others, cache.get))
      assert.isBelow(Duration.toMillis(rest), 50 * 200)
      yield* mine.resume
      yield* Effect.sleep("350 millis")
      const before = yield* cache.stats
      yield* cache.get("a")
      assert.strictEqual((yield* cache.stats).fresh, before.fresh + 1)
    }).pipe(Effect.scoped, noFibersLeft, Effect.provide(Logger.remove(Logger.defaultLogger)))
  )

  it.scoped("a server without memory refuses to write, and says what to do", () =>
    Effect.gen(function* () {
      const mine = yield* Redis.make("--maxmemory", "1mb", "--maxmemory-policy", "noeviction")
      const context = yield* Layer.build(RedisStore.layer({ url: urlOf(mine) }))
      const { cache: made } = counted()
      const cache = yield* Effect.provide(made, context)
      yield* cache.set("big", "x".repeat(2_000_000))
      const error = yield* Effect.flip(cache.set("a", "small"))
      assert.deepStrictEqual(told(error as CacheError.StoreError), {
        tag: "StoreError",
        message: "Cache store 'RedisStore' failed at set: the server has no memory left",
        hint: "raise maxmemory, or set maxmemory-policy to allkeys-lru or allkeys-lfu so that it makes room"
      })
      assert.strictEqual(yield* cache.get("a"), "a1")
    }).pipe(Effect.provide(Logger.remove(Logger.defaultLogger)))
  )

  it.scoped(
    "a server that cannot be had, or does not let us in, is told with what to do, and without the password",
    () =>
      Effect.gen(function* () {
        const locked = yield* Redis.make("--requirepass", "sesame")
        const at = `redis://127.0.0.1:${locked.port}`
        const message = (reason: string) => `Cache store 'RedisStore' is not available: ${reason} (${at})`
        assert.deepStrictEqual(told((yield* refused(RedisStore.layer({ url: at }))) as CacheError.StoreUnavailable), {
          tag: "StoreUnavailable",
          message: message("the server wants a password"),
          hint: "put it in the url: redis://:password@host"
        })
        const wrong = `redis://:s3cr3t@127.0.0.1:${locked.port}`
        const error = (yield* refused(RedisStore.layer({ url: wrong }))) as CacheError.StoreUnavailable
        assert.strictEqual(error.message, message("the user name or password is wrong"))
        assert.notInclude(JSON.stringify(error), "s3cr3t")
        const right = Redacted.make(`redis://:sesame@127.0.0.1:${locked.port}`)
        assert.strictEqual((yield* storeOf(RedisStore.layer({ url: right }))).name, "RedisStore")
        yield* locked.kill
        const gone = (yield* refused(RedisStore.layer({ url: right }))) as CacheError.StoreUnavailable
        assert.match(gone.message, /ECONNREFUSED/)
        assert.strictEqual(gone.hint, `check that a server runs at ${at} and can be reached`)
        assert.notInclude(JSON.stringify(gone), "sesame")
      })
  )

  it.scoped("options that make no sense are told, all of them, without the password", () =>
    Effect.gen(function* () {
      const bad = { url: "http://:s3cr3t@host", prefix: "a b", timeout: 0, connectTimeout: "soon", tls: 1 }
      const error = yield* refused(RedisStore.layer(bad as unknown as RedisStore.Options))
      assert.instanceOf(error, CacheError.InvalidConfig)
      assert.deepStrictEqual(error.issues.map(({ field }) => field).sort(), [
        "connectTimeout",
        "prefix",
        "timeout",
        "tls",
        "url"
      ])
      assert.notInclude(error.message, "s3cr3t")
      for (const url of ["", "redis://", "redis://host/db"]) {
        assert.instanceOf(yield* refused(RedisStore.layer({ url })), CacheError.InvalidConfig)
      }
    })
  )

  it.scoped("layerConfig reads its options where they are configured", () =>
    Effect.gen(function* () {
      const layer = RedisStore.layerConfig({ url: Config.redacted("URL"), prefix: Config.string("PREFIX") })
      const configured = (entries: Record<string, string>) =>
        Layer.provide(layer, Layer.setConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(entries)))))
      yield* life(configured({ URL: urlOf(server), PREFIX: "configured" }), "a")
      assert.include(yield* Redis.say(server.port, 'EXISTS "configured:{app/Numbers}:meta"'), ":1")
      assert.match(String(yield* refused(configured({ URL: urlOf(server) }))), /PREFIX/)
    })
  )

  it.scoped("host, port, database and password take the place of a url, also from the environment", () =>
    Effect.gen(function* () {
      const locked = yield* Redis.make("--requirepass", "p@ss/word")
      const values = {
        LARDER_REDIS_HOST: "127.0.0.1",
        LARDER_REDIS_PORT: String(locked.port),
        LARDER_REDIS_DB: "3",
        LARDER_REDIS_PASSWORD: "p@ss/word"
      }
      const provider = ConfigProvider.fromMap(new Map(Object.entries(values)), { pathDelim: "_" })
      const layer = RedisStore.layerConfig(RedisStore.environment).pipe(
        Layer.provide(Layer.setConfigProvider(provider))
      )
      assert.deepStrictEqual((yield* life(layer, "a")).loads, ["a"])
      const password = Redacted.make("p@ss/word")
      const same = RedisStore.layer({ host: "127.0.0.1", port: locked.port, database: 3, password })
      assert.deepStrictEqual((yield* life(same, "a")).loads, [])
      const other = RedisStore.layer({ host: "127.0.0.1", port: locked.port, password })
      assert.deepStrictEqual((yield* life(other, "a")).loads, ["a"])
      for (const bad of [0, 65_536, 1.5, NaN]) {
        const error = yield* refused(RedisStore.layer({ port: bad }))
        assert.match(String(error), /port.*must be an integer from 1 to 65535/)
      }
      const both = yield* refused(RedisStore.layer({ url: "redis://host", port: 1, password: "s3cr3t" }))
      assert.deepStrictEqual((both as CacheError.InvalidConfig).issues.map(({ field }) => field).sort(), [
        "password",
        "port"
      ])
      assert.notInclude(JSON.stringify(both) + String(both), "s3cr3t")
    })
  )

  it.scoped("gets of one turn are one command", () =>
    Effect.gen(function* () {
      const mine = yield* Redis.make()
      const context = yield* Layer.build(RedisStore.layer({ url: urlOf(mine) }))
      const cache = yield* Effect.provide(counted().cache, context)
      const keys = Array.from({ length: 100 }, (_, n) => `key ${n}`)
      yield* cache.getMany(keys)
      const calls = Effect.map(Redis.say(mine.port, "INFO commandstats"), (text) =>
        Number(/cmdstat_mget:calls=(\d+)/.exec(text)?.[1])
      )
      const before = yield* calls
      yield* Effect.forEach(keys, cache.get, { concurrency: "unbounded" })
      assert.strictEqual((yield* calls) - before, 1)
    })
  )

  it.scoped("twenty thousand cold keys at once are loaded and stored, and their writes go together", () =>
    Effect.gen(function* () {
      const mine = yield* Redis.make()
      const context = yield* Layer.build(RedisStore.layer({ url: urlOf(mine), timeout: "30 seconds" }))
      const { cache: made, state } = counted()
      const cache = yield* Effect.provide(made, context)
      const keys = Array.from({ length: 20_000 }, (_, n) => `key ${n}`)
      yield* cache.getMany(keys)
      assert.strictEqual((yield* cache.stats).storeFailures, 0)
      assert.strictEqual((yield* cache.stats).tiers[0]?.entries, 20_000)
      yield* cache.getMany(keys)
      assert.strictEqual(state.loads, 20_000)
      const scripts = Number(/cmdstat_evalsha:calls=(\d+)/.exec(yield* Redis.say(mine.port, "INFO commandstats"))?.[1])
      assert.isBelow(scripts, 2_000)
    })
  )

  it.scoped("lists what there is, once, whatever the names are", () =>
    Effect.gen(function* () {
      const context = yield* Layer.build(RedisStore.layer({ url: urlOf(server), prefix: "list" }))
      const cache = yield* Effect.provide(counted("a{b}%*?[c]").cache, context)
      const keys = Array.from({ length: 2_500 }, (_, n) => `key ${n}`)
      yield* cache.getMany(keys)
      assert.deepStrictEqual([...(yield* Stream.runCollect(cache.keys))].sort(), [...keys].sort())
      assert.strictEqual(yield* cache.clear, 2_500)
      assert.strictEqual(yield* cache.size, 0)
    })
  )

  it.scoped("a store that is closed says so, and its connection is gone", () =>
    Effect.gen(function* () {
      const mine = yield* Redis.make()
      const store = yield* Effect.scoped(storeOf(RedisStore.layer({ url: urlOf(mine) })))
      const error = yield* Effect.flip(Effect.provideService(counted().cache, CacheStore.CacheStore, store))
      assert.strictEqual(error.message, "Cache store 'RedisStore' is not available: it has been closed")
      // the server hears of it a little later; one is the test's own
      yield* Effect.repeat(Redis.say(mine.port, "INFO clients"), {
        until: (clients) => clients.includes("connected_clients:1\r"),
        times: 1_000
      }).pipe(Effect.map((clients) => assert.include(clients, "connected_clients:1\r")))
    })
  )
})
