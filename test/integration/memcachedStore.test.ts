/** MemcachedStore against a real server: the laws of stores, and what happens when the server does not keep its word. */
import { assert, describe, it } from "@effect/vitest"
import { CacheError, CacheStore, MemoryStore } from "effect-larder"
import * as MemcachedStore from "effect-larder/MemcachedStore"
import { StoreLaws } from "effect-larder/testing"
import { Config, ConfigProvider, Duration, Effect, Exit, Layer, Logger, Redacted, Scope, Stream } from "effect"
import * as fs from "node:fs/promises"
import * as path from "node:path"
import { afterAll, beforeAll } from "vitest"
import * as Regions from "../../src/testing/internal/regions.js"
import { counted } from "../fixtures/cache/counted.js"
import { noFibersLeft } from "../fixtures/cache/harness.js"
import * as Memcached from "../fixtures/servers/memcached.js"
import type * as Server from "../fixtures/servers/process.js"
import * as Proxy from "../fixtures/servers/proxy.js"
import { folder } from "../fixtures/sqlite/common.js"
import { life, refused, storeOf, told } from "../fixtures/sqlite/lives.js"

const quiet = Effect.provide(Logger.remove(Logger.defaultLogger))

const urlOf = ({ port }: { readonly port: number }): string => `memcached://127.0.0.1:${port}`

const openedOn = (layer: Layer.Layer<CacheStore.CacheStore, unknown>, made: ReturnType<typeof counted>) =>
  Effect.flatMap(Layer.build(Layer.fresh(layer)), (context) => Effect.provide(made.cache, context))

/** Asks until it is answered by the store again: the connection is made in the background. */
const again = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.repeat(
    Effect.zipRight(
      Effect.promise(() => new Promise(setImmediate)),
      Effect.option(effect)
    ),
    {
      until: (done) => done._tag === "Some",
      times: 10_000
    }
  )

/** In real time: what the server hears of, and when, is not done by the test's clock. */
const realPause = (millis: number) => Effect.promise(() => new Promise((resolve) => setTimeout(resolve, millis)))

describe.skipIf(!Memcached.isThere)("MemcachedStore", () => {
  const scope = Effect.runSync(Scope.make())
  let server: Server.Server
  let shops = 0
  beforeAll(async () => {
    server = await Effect.runPromise(Scope.extend(Memcached.make(), scope))
  })
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

  /** A part of the server for each Layer that is built. */
  const own = Layer.suspend(() => MemcachedStore.layer({ url: urlOf(server), prefix: `test${++shops}` }))
  StoreLaws.suite("MemcachedStore", own, { histories: 50 })
  StoreLaws.suite("memory over memcached", MemoryStore.layer().pipe(CacheStore.tieredOver(own)), { histories: 50 })

  it.scoped("what one program stores and invalidates, another one sees", () =>
    Effect.gen(function* () {
      const layer = MemcachedStore.layer({ url: urlOf(server), prefix: "two" })
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

  it.scoped("many programs write and invalidate at once: nobody is told what is over, and the counter counts all", () =>
    Effect.gen(function* () {
      const layer = MemcachedStore.layer({ url: urlOf(server), prefix: "many" })
      const caches = yield* Effect.replicateEffect(openedOn(layer, counted()), 4)
      const work = (cache: (typeof caches)[number], at: number) =>
        Effect.forEach(
          Array.from({ length: 25 }, (_, n) => n),
          (n) =>
            Effect.gen(function* () {
              const key = `key ${n % 3}`
              yield* cache.set(key, `${at} ${n}`)
              yield* n % 2 === 0 ? cache.invalidate(key) : cache.invalidateTags([`tag ${key}`])
            }),
          { discard: true }
        )
      yield* Effect.forEach(caches, work, { concurrency: "unbounded" })
      const [first] = caches
      for (const key of ["key 0", "key 1", "key 2"]) assert.isFalse(yield* first!.has(key))
      const state = yield* Memcached.say(server.port, "mg many:state/counted v", /^VA|^EN/)
      // two for each turn
      assert.include(state, ` ${4 * 25 * 2} 0 `)
    })
  )

  it.scoped("a server that forgets everything brings nothing back", () =>
    Effect.gen(function* () {
      const mine = yield* Memcached.make()
      const context = yield* Layer.build(MemcachedStore.layer({ url: urlOf(mine) }))
      const { cache: made, state } = counted()
      const cache = yield* Effect.provide(made, context)
      yield* Effect.repeatN(cache.invalidate("a"), 10)
      const region = yield* Effect.provide(Regions.open("region"), context)
      yield* region.deleteMany(["a"])
      const before = yield* Regions.epochOf(region)
      yield* Memcached.say(mine.port, "flush_all")
      // one that began in what is forgotten is not stored, though the counter is lower now
      yield* Regions.put(region, "a", "old", { since: before })
      assert.deepStrictEqual(yield* Regions.values(region, "a"), [undefined])
      yield* Regions.put(region, "a", "new", { since: yield* Regions.epochOf(region) })
      assert.deepStrictEqual(yield* Regions.values(region, "a"), ["new"])
      // a fence is evicted: it is taken to be as high as the counter is
      yield* cache.get("a")
      yield* cache.invalidateTags(["tag b"])
      const late = yield* Regions.epochOf(region)
      yield* region.invalidateTags(["gone"])
      yield* Memcached.say(mine.port, "delete larder:tag/region/gone")
      yield* Regions.put(region, "late", 1, { since: late, tags: ["gone"] })
      assert.deepStrictEqual(yield* Regions.values(region, "late"), [undefined])
      yield* Regions.put(region, "c", 1, { since: yield* Regions.epochOf(region) })
      const stale = yield* Regions.epochOf(region)
      yield* region.deleteMany(["c"])
      const slots = (yield* Memcached.say(mine.port, "lru_crawler metadump all", /^END/)).matchAll(
        /key=(larder%3Aslot\S+)/g
      )
      for (const [, key = ""] of slots) yield* Memcached.say(mine.port, `delete ${decodeURIComponent(key)}`)
      yield* Regions.put(region, "c", 2, { since: stale })
      assert.deepStrictEqual(yield* Regions.values(region, "c"), [undefined])
      // what an entry's tags went through is forgotten: it is as good as gone
      assert.strictEqual(state.loads, 1)
      yield* Memcached.say(mine.port, "delete larder:tag/counted/all")
      yield* cache.get("a")
      assert.strictEqual(state.loads, 2)
      // the counter
      yield* Memcached.say(mine.port, "delete larder:state/counted")
      yield* cache.get("a")
      assert.strictEqual(state.loads, 3)
      yield* cache.get("a")
      assert.strictEqual(state.loads, 3)
    })
  )

  it.scoped("what is larger than an item is written in pieces; if one is gone, so is the entry", () =>
    Effect.gen(function* () {
      const layer = MemcachedStore.layer({
        url: urlOf(server),
        prefix: "large",
        timeout: "10 seconds",
        maxValueBytes: 8_000_000
      })
      const region = yield* Effect.provide(Regions.open("region"), yield* Layer.build(layer))
      const large = Array.from({ length: 5_000_000 }, (_, n) => String.fromCharCode(97 + (n % 26))).join("")
      yield* Regions.put(region, "k", large)
      assert.isTrue((yield* Regions.values(region, "k"))[0] === large)
      assert.strictEqual((yield* region.sizes)[0]?.entries, 1)
      yield* Regions.put(region, "k", `${large}!`)
      assert.isTrue((yield* Regions.values(region, "k"))[0] === `${large}!`)
      const keys = [
        ...(yield* Memcached.say(server.port, "lru_crawler metadump all", /^END/)).matchAll(/key=(large\S+)/g)
      ]
      const piece = keys.map(([, key = ""]) => decodeURIComponent(key)).find((key) => key.endsWith("|3"))
      yield* Memcached.say(server.port, `delete ${piece}`)
      // it may have been the value's before, whose pieces go by themselves
      for (const [, other = ""] of keys) {
        const its = decodeURIComponent(other)
        if (its.includes("|") && its !== piece) yield* Memcached.say(server.port, `delete ${its}`)
      }
      assert.deepStrictEqual(yield* Regions.values(region, "k"), [undefined])
      const error = yield* Effect.flip(Regions.put(region, "k", large + large))
      assert.deepStrictEqual(told(error as CacheError.StoreError), {
        tag: "StoreError",
        message:
          "Cache store 'MemcachedStore' failed at set: the entry has 10000144 bytes, at most 8000000 are written",
        hint: "raise maxValueBytes, or keep it in another store"
      })
    })
  )

  it.scoped("an older load is not stored after a write that was evicted since", () =>
    Effect.gen(function* () {
      const layer = MemcachedStore.layer({ url: urlOf(server), prefix: "evicted" })
      const region = yield* Effect.provide(Regions.open("region"), yield* Layer.build(layer))
      yield* Regions.put(region, "k", "first")
      const since = yield* Regions.epochOf(region)
      yield* Regions.put(region, "k", "set")
      assert.include(yield* Memcached.say(server.port, "delete evicted:entry/region/k"), "DELETED")
      yield* Regions.put(region, "k", "late", { since })
      assert.deepStrictEqual(yield* Regions.values(region, "k"), [undefined])
    })
  )

  it.scoped("pieces without number are no entry", () =>
    Effect.gen(function* () {
      const layer = MemcachedStore.layer({ url: urlOf(server), prefix: "pieces" })
      const made = counted()
      const cache = yield* openedOn(layer, made)
      yield* cache.get("a")
      const head = `\u0001${"n".repeat(12)}\u007f\u007f\u007f\u007f\u0001\u0000\u0000\u0000x`
      assert.include(yield* Memcached.say(server.port, `ms pieces:entry/counted/a ${head.length}\r\n${head}`), "HD")
      assert.strictEqual(yield* cache.get("a"), "a2")
      assert.strictEqual(yield* cache.get("a"), "a2")
    })
  )

  it.scoped("entries that end in more than thirty days are kept; those that end soon go by themselves", () =>
    Effect.gen(function* () {
      const layer = MemcachedStore.layer({ url: urlOf(server), prefix: "lives" })
      const region = yield* Effect.provide(Regions.open("region"), yield* Layer.build(layer))
      yield* Regions.put(region, "long", 1, { life: 40 * 86_400_000 })
      yield* Regions.put(region, "short", 2, { life: 3_600_000 })
      assert.deepStrictEqual(yield* Regions.values(region, "long", "short"), [1, 2])
      const lifeOf = (key: string) =>
        Effect.map(Memcached.say(server.port, `mg lives:entry/region/${key} t`), (text) => /t(-?\d+)/.exec(text)?.[1])
      assert.strictEqual(yield* lifeOf("long"), "-1")
      const left = Number(yield* lifeOf("short"))
      assert.isTrue(left >= 3_655 && left <= 3_660, String(left))
    })
  )

  it.scoped("bytes that rot are no entry", () =>
    Effect.gen(function* () {
      const layer = MemcachedStore.layer({ url: urlOf(server), prefix: "rot" })
      const made = counted()
      const cache = yield* openedOn(layer, made)
      const key = "rot:entry/counted/a"
      for (const damage of [
        `ms ${key} 0\r\n`,
        `ms ${key} 5\r\nhello`,
        `ms ${key} 3\r\n\u0001xx`,
        `ms ${key} 5 MA\r\n!!!!!`,
        `ms ${key} 3 MP\r\nabc`
      ]) {
        yield* cache.get("a")
        const { loads } = made.state
        yield* cache.get("a")
        assert.strictEqual(made.state.loads, loads)
        assert.include(yield* Memcached.say(server.port, damage), "HD")
        yield* cache.get("a")
        assert.strictEqual(made.state.loads, loads + 1, damage)
      }
    })
  )

  it.scoped("a server that is killed, and started again empty: gets go on, and it is used again by itself", () =>
    Effect.gen(function* () {
      const mine = yield* Memcached.make()
      const made = counted()
      const cache = yield* openedOn(MemcachedStore.layer({ url: urlOf(mine) }), made)
      yield* Effect.forEach(["a", "a"], cache.get)
      assert.strictEqual(made.state.loads, 1)
      yield* mine.kill
      yield* Effect.forEach(["a", "a"], cache.get)
      assert.strictEqual(made.state.loads, 3)
      const error = yield* Effect.flip(cache.invalidate("a"))
      assert.isTrue(CacheError.isTransient(error))
      assert.match(error.message, /^Cache store 'MemcachedStore' failed at delete: /)
      yield* mine.start
      yield* again(cache.invalidate("z"))
      yield* Effect.forEach(["a", "a", "a"], cache.get)
      assert.strictEqual(made.state.loads, 4)
    }).pipe(quiet)
  )

  it.live("a server that stops answering costs its timeout once, then nothing", () =>
    Effect.gen(function* () {
      const mine = yield* Memcached.make()
      const layer = MemcachedStore.layer({ url: urlOf(mine), timeout: "200 millis" }).pipe(
        CacheStore.circuitBreaker({ resetAfter: "300 millis" })
      )
      const cache = yield* openedOn(layer, counted())
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
    }).pipe(Effect.scoped, noFibersLeft, quiet)
  )

  it.live("a way to the server that cuts, delays, drips and breaks off costs answers of the store, and no others", () =>
    Effect.gen(function* () {
      const way = yield* Proxy.make(server.port)
      const layer = MemcachedStore.layer({ url: urlOf(way), prefix: "way", timeout: "300 millis" })
      const made = counted()
      const cache = yield* openedOn(layer, made)
      const keys = ["a", "b", "c"]
      yield* cache.getMany(keys)
      yield* way.drip(1)
      assert.strictEqual((yield* cache.getMany(keys))[1], "b2")
      assert.strictEqual(made.state.loads, 3)
      yield* way.mend
      for (let bytes = 1; bytes < 400; bytes += 7) {
        yield* way.breakAfter(bytes)
        yield* cache.get("a")
        yield* way.mend
        yield* again(cache.invalidate("z"))
      }
      assert.match(yield* cache.get("b"), /^b\d+$/)
      yield* way.delay(400)
      const { loads } = made.state
      yield* cache.get("b")
      assert.strictEqual(made.state.loads, loads + 1)
      yield* way.mend
      yield* way.cut
      yield* cache.get("b")
      assert.strictEqual(made.state.loads, loads + 2)
      yield* way.mend
      yield* again(cache.invalidate("z"))
      yield* cache.getMany(keys)
      const settled = made.state.loads
      yield* cache.getMany(keys)
      assert.strictEqual(made.state.loads, settled)
    }).pipe(Effect.scoped, noFibersLeft, quiet)
  )

  it.scoped(
    "a server that cannot be had, or does not let us in, is told with what to do, and without the password",
    () =>
      Effect.gen(function* () {
        const dir = yield* folder
        const users = path.join(dir, "users")
        yield* Effect.promise(() => fs.writeFile(users, "ada:sesame\n", { mode: 0o644 }))
        yield* Effect.promise(() => fs.chmod(dir, 0o755))
        const locked = yield* Memcached.make("-Y", users)
        const at = `memcached://127.0.0.1:${locked.port}`
        const message = (reason: string) => `Cache store 'MemcachedStore' is not available: ${reason} (${at})`
        const wants = {
          tag: "StoreUnavailable",
          message: message("the server wants another user name and password"),
          hint: "put them in the url: memcached://user:password@host"
        }
        const why = (url: string) =>
          Effect.map(refused(MemcachedStore.layer({ url })), (error) => error as CacheError.StoreUnavailable)
        assert.deepStrictEqual(told(yield* why(at)), wants)
        const wrong = yield* why(`memcached://ada:s3cr3t@127.0.0.1:${locked.port}`)
        assert.deepStrictEqual(told(wrong), wants)
        assert.notInclude(JSON.stringify(wrong), "s3cr3t")
        const right = Redacted.make(`memcached://ada:sesame@127.0.0.1:${locked.port}`)
        const cache = yield* openedOn(MemcachedStore.layer({ url: right }), counted())
        yield* cache.get("a")
        assert.strictEqual(yield* cache.clear, 1)
        yield* locked.kill
        const gone = (yield* refused(MemcachedStore.layer({ url: right }))) as CacheError.StoreUnavailable
        assert.match(gone.message, /ECONNREFUSED/)
        assert.strictEqual(gone.hint, `check that a server runs at ${at} and can be reached`)
        assert.notInclude(JSON.stringify(gone), "sesame")
      }).pipe(quiet)
  )

  it.scoped("options that make no sense are told, all of them, without the password", () =>
    Effect.gen(function* () {
      const bad = {
        url: "http://:s3cr3t@host",
        prefix: "a b",
        timeout: 0,
        connectTimeout: "soon",
        tls: 1,
        maxConnections: 0,
        chunkBytes: 1,
        maxValueBytes: -1
      }
      const error = yield* refused(MemcachedStore.layer(bad as unknown as MemcachedStore.Options))
      assert.instanceOf(error, CacheError.InvalidConfig)
      assert.deepStrictEqual(error.issues.map(({ field }) => field).sort(), Object.keys(bad).sort())
      assert.notInclude(error.message, "s3cr3t")
      for (const url of ["", "memcached://", "memcached://host/1"]) {
        assert.instanceOf(yield* refused(MemcachedStore.layer({ url })), CacheError.InvalidConfig)
      }
    })
  )

  it.scoped("layerConfig reads its options where they are configured", () =>
    Effect.gen(function* () {
      const layer = MemcachedStore.layerConfig({ url: Config.redacted("URL"), prefix: Config.string("PREFIX") })
      const configured = (entries: Record<string, string>) =>
        Layer.provide(layer, Layer.setConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(entries)))))
      yield* life(configured({ URL: urlOf(server), PREFIX: "configured" }), "a")
      assert.include(yield* Memcached.say(server.port, "mg configured:state/app%2FNumbers v"), "VA")
      assert.match(String(yield* refused(configured({ URL: urlOf(server) }))), /PREFIX/)
    })
  )

  it.scoped("lists what there is, once, whatever the names are; a hundred gets of one turn go together", () =>
    Effect.gen(function* () {
      const layer = MemcachedStore.layer({ url: urlOf(server), prefix: "list" })
      const cache = yield* openedOn(layer, counted("a{b}%*?[c]"))
      const keys = Array.from({ length: 2_500 }, (_, n) => `key ${n} ${"x".repeat(n % 300)}`)
      yield* cache.getMany(keys)
      assert.deepStrictEqual([...(yield* Stream.runCollect(cache.keys))].sort(), [...keys].sort())
      const reads = Effect.map(Memcached.say(server.port, "stats", /^END/), (text) =>
        Number(/STAT get_hits (\d+)/.exec(text)?.[1])
      )
      const before = yield* reads
      yield* Effect.forEach(keys.slice(0, 100), cache.get, { concurrency: "unbounded" })
      // one counter for all of them
      assert.strictEqual((yield* reads) - before, 101)
      assert.strictEqual(yield* cache.clear, 2_500)
      assert.strictEqual(yield* cache.size, 0)
    })
  )

  it.scoped("a store that is closed says so, and its connections are gone", () =>
    Effect.gen(function* () {
      const mine = yield* Memcached.make()
      const store = yield* Effect.scoped(storeOf(MemcachedStore.layer({ url: urlOf(mine) })))
      const error = yield* Effect.flip(Effect.provideService(counted().cache, CacheStore.CacheStore, store))
      assert.strictEqual(error.message, "Cache store 'MemcachedStore' is not available: it has been closed")
      // the server hears of it a little later; one is the test's own
      const connections = Effect.map(Memcached.say(mine.port, "stats", /^END/), (text) =>
        Number(/STAT curr_connections (\d+)/.exec(text)?.[1])
      )
      const left = yield* Effect.repeat(
        Effect.tap(connections, () => realPause(10)),
        {
          until: (count) => count === 1,
          times: 1_000
        }
      )
      assert.strictEqual(left, 1)
    })
  )
})
