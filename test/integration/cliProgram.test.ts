/** The `larder` command attached to a running program, and what it draws of caches over a time. */
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServer from "@effect/platform/HttpServer"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import { Cache, CacheLog, CacheStats, MemoryStore } from "effect-larder"
import * as CacheDashboard from "effect-larder/CacheDashboard"
import { Effect, Layer, Schema } from "effect"
import { readFileSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { join } from "node:path"
import { jsonOf, larder } from "../fixtures/cli/terminal.js"
import { folder } from "../fixtures/sqlite/common.js"

const secret = "a-secret-of-24-characters"
const hostile = '<script>alert(1)</script>"&'

/** A program with two caches, its page, and the address of that. */
const program = Effect.gen(function* () {
  const users = yield* Cache.make("shop/users", {
    key: Schema.Number,
    success: Schema.String,
    tags: (_, id) => [`org:${id % 2}`],
    lookup: (id: number) => Effect.succeed(`User ${id}`)
  })
  const odd = yield* Cache.make(hostile, { lookup: (key: string) => Effect.succeed(key) })
  yield* users.getMany([1, 2, 3])
  yield* users.get(1)
  yield* odd.get("a")
  const router = HttpRouter.empty.pipe(HttpRouter.mount("/caches", yield* CacheDashboard.make({ token: secret })))
  const context = yield* Layer.build(
    HttpServer.serve(router).pipe(
      Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" }))
    )
  )
  const { address } = yield* Effect.provide(HttpServer.HttpServer, context)
  const url = `http://127.0.0.1:${address._tag === "TcpAddress" ? address.port : 0}/caches`
  return {
    users,
    odd,
    url,
    larder: larder({ LARDER_STORE: url }),
    trusted: larder({ LARDER_STORE: url, LARDER_TOKEN: secret })
  }
})

const layer = Layer.mergeAll(MemoryStore.layer(), CacheStats.layer)

describe("larder: a running program", () => {
  it.scopedLive("list, stats, inspect and explain tell of the program's own caches", () =>
    Effect.gen(function* () {
      const { larder } = yield* program
      const list = yield* larder("list")
      assert.match(list.out, /shop\/users +MemoryStore +3 +\d+ B +4 +25.0 %/)
      const rows = jsonOf(yield* larder("list", "--json")) as ReadonlyArray<{ readonly name: string }>
      assert.deepStrictEqual(rows.map(({ name }) => name).sort(), [hostile, "shop/users"].sort())
      assert.include((yield* larder("stats", "shop/users")).out, "1 fresh, 3 loaded")
      assert.match((yield* larder("inspect", "shop/users", "--limit", "2")).out, /^shop\/users\n {2}~\d\n {2}~\d$/)
      const explained = yield* larder("explain", "shop/users", "2")
      assert.match(explained.out, /^fresh\n.*~2[\s\S]*org:0[\s\S]*User 2$/)
      assert.strictEqual((yield* larder("explain", "shop/users", "9")).code, 1)
      const unknown = yield* larder("stats", "nope")
      assert.deepStrictEqual([unknown.code, unknown.err.includes("shop/users")], [2, true])
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("what is changed there wants the token, and is done by the cache itself", () =>
    Effect.gen(function* () {
      const { larder, trusted, url, users } = yield* program
      const refused = yield* larder("invalidate", "shop/users", "--key", "1", "--yes")
      assert.deepStrictEqual([refused.code, refused.out], [1, ""])
      assert.include(refused.err, "LARDER_TOKEN")
      const asked = yield* trusted("clear", "shop/users")
      assert.deepStrictEqual([asked.code, asked.err.includes("--yes")], [2, true])
      assert.isTrue(yield* users.has(1))
      const done = yield* trusted("invalidate", "shop/users", "--key", "1", "--tag", "org:0", "--yes")
      assert.strictEqual(done.out, "invalidated key 1, tag org:0 of shop/users")
      assert.deepStrictEqual(yield* Effect.forEach([1, 2, 3], users.has), [false, false, true])
      const wrong = yield* larder("clear", "--yes", "--store", `${url}#token=wrong-${secret}`)
      assert.deepStrictEqual([wrong.code, wrong.err.includes(secret)], [1, false])
      assert.include((yield* larder("clear", "--yes", "--store", `${url}#token=${secret}`)).out, "cleared ")
      assert.isFalse(yield* users.has(3))
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("what is no program, or cannot be asked of one, is told, and no token with it", () =>
    Effect.gen(function* () {
      const { larder, url } = yield* program
      const store = yield* larder("verify", "--store", `${url}#token=${secret}`)
      assert.deepStrictEqual([store.code, store.err.includes("this command wants a store")], [2, true])
      assert.notInclude(store.err, secret)
      const elsewhere = yield* larder("list", "--store", url.replace("/caches", "/elsewhere"))
      assert.include(elsewhere.err, "no dashboard of effect-larder")
      const nobody = yield* larder("list", "--store", "http://127.0.0.1:1/")
      assert.deepStrictEqual([nobody.code, nobody.err.includes("nobody answers there")], [1, true])
    }).pipe(Effect.provide(layer))
  )
})

/** Looks at a program, a second apart: what `top --json` says of it. */
const lines = (name: string): string => {
  const look = (second: number, fresh: number, loaded: number) => ({
    at: Date.UTC(2026, 0, 1) + second * 1_000,
    caches: [
      {
        name,
        tiers: [{ store: "MemoryStore", entries: loaded, bytes: loaded * 1_024 }],
        stats: {
          outcomes: { fresh, stale: 0, loaded, joined: 0, failsafe: 0, bypassed: 0, failed: 0 },
          loads: loaded,
          loadFailures: 0,
          savedMillis: 0,
          evictions: 0,
          percentiles: { p50: 10, p95: 40, p99: 80 }
        },
        hottest: [],
        flights: []
      }
    ]
  })
  // the third has begun anew
  const looks = [look(0, 0, 10), look(1, 30, 20), look(2, 3, 1), look(3, 99, 5)]
  return `${looks.map((one) => JSON.stringify(one)).join("\n")}\nsomething else\n`
}

describe("larder visualize", () => {
  const drawn = (name: string) =>
    Effect.map(folder, (place) => {
      const file = join(place, "samples.jsonl")
      writeFileSync(file, lines(name))
      return { place, file, larder: larder() }
    })

  it.scopedLive("makes rates and ratios of what was counted between two looks", () =>
    Effect.gen(function* () {
      const { file, larder } = yield* drawn("pages")
      const [series] = jsonOf(yield* larder("visualize", file, "--json")) as ReadonlyArray<{
        readonly points: ReadonlyArray<{ readonly rate?: number; readonly hitRatio?: number }>
      }>
      assert.deepStrictEqual(
        series?.points.map(({ hitRatio, rate }) => [rate, hitRatio]),
        [
          [undefined, undefined],
          [40, 0.75],
          [4, 0.75],
          [100, 0.96]
        ]
      )
    })
  )

  it.scopedLive("draws them in characters, as wide as a line", () =>
    Effect.gen(function* () {
      const { file, larder } = yield* drawn("pages")
      const { code, out } = yield* larder("visualize", file)
      assert.strictEqual(code, 0)
      for (const title of ["pages", "Hit ratio", "Gets a second", "Time of a load  p50 p95 p99", "Entries", "Size"])
        assert.include(out.split("\n"), title)
      assert.match(out, /^100 % [┼┤]/m)
      assert.include(out, "2026-01-01 00:00:03")
      assert.isAtMost(Math.max(...out.split("\n").map((line) => line.length)), 80)
    })
  )

  it.scopedLive("writes a picture and a page, in which nothing of a cache's name is markup", () =>
    Effect.gen(function* () {
      const { file, larder, place } = yield* drawn(hostile)
      for (const format of ["svg", "html"]) {
        const output = join(place, `out.${format}`)
        const { code, out } = yield* larder("visualize", file, "--format", format, "--output", output)
        assert.deepStrictEqual([code, out], [0, `wrote ${output}: 1 cache`])
        const text = readFileSync(output, "utf8")
        assert.include(text, "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&amp;")
        assert.notInclude(text, "<script>alert")
        assert.notMatch(
          text.replaceAll("http://www.w3.org/2000/svg", ""),
          /(src|href)=|url\(|https?:\/\/(?!127)[^\s"']*\.js/
        )
      }
      const svg = readFileSync(join(place, "out.svg"), "utf8")
      assert.strictEqual(svg.match(/<polyline/g)?.length, 7)
    })
  )

  it.scopedLive("draws what a log with summaries says", () =>
    Effect.gen(function* () {
      const place = yield* folder
      const file = join(place, "app.log")
      const summaries = Effect.gen(function* () {
        const cache = yield* Cache.make("logged", { lookup: (key: number) => Effect.succeed(key) })
        for (let round = 0; round < 3; round++) {
          yield* cache.getMany([1, 2, round])
          yield* Effect.sleep("60 millis")
        }
      })
      yield* summaries.pipe(
        Effect.scoped,
        Effect.provide(
          CacheLog.layerSummary({ every: "50 millis" }).pipe(
            Layer.provide(CacheLog.layerFile({ filename: file })),
            Layer.provide(NodeContext.layer),
            Layer.provideMerge(layer)
          )
        )
      )
      const { code, out } = yield* larder()("visualize", file)
      assert.strictEqual(code, 0)
      assert.include(out, "logged\n\nHit ratio")
      assert.include(out, "Entries")
    })
  )

  it.scopedLive("looks at a program for a while", () =>
    Effect.gen(function* () {
      const { larder } = yield* program
      const { code, out } = yield* larder("visualize", "--every", "0.1", "--for", "0.2", "--cache", "shop/users")
      assert.deepStrictEqual([code, out.startsWith("shop/users\n")], [0, true])
      assert.strictEqual((yield* larder("visualize", "--every", "5", "--for", "1")).code, 2)
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("says what is too little, what is not there, and what cannot be written", () =>
    Effect.gen(function* () {
      const { file, larder, place } = yield* drawn("pages")
      const empty = join(place, "empty")
      writeFileSync(empty, "")
      const little = yield* larder("visualize", empty)
      assert.deepStrictEqual([little.code, little.err.includes("top --json")], [1, true])
      assert.strictEqual((yield* larder("visualize", join(place, "none"))).code, 1)
      const unknown = yield* larder("visualize", file, "--cache", "nope")
      assert.deepStrictEqual([unknown.code, unknown.err.includes("there is: pages")], [2, true])
      assert.strictEqual((yield* larder("visualize", file, "-o", join(place, "no", "where"))).code, 1)
    })
  )
})
