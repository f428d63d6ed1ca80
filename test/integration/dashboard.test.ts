/** The page over caches: who may ask it what, and what a browser makes of it. */
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServer from "@effect/platform/HttpServer"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import {
  Cache,
  CacheAnalytics,
  CacheError,
  CacheEvents,
  CacheStats,
  CacheStore,
  MemoryStore,
  StoreAdmin
} from "effect-larder"
import * as CacheDashboard from "effect-larder/CacheDashboard"
import * as SqliteStore from "effect-larder/SqliteStore"
import { FaultyStore } from "effect-larder/testing"
import { Deferred, Effect, Fiber, Layer, Schema } from "effect"
import { createServer, request } from "node:http"
import { join } from "node:path"
import { larder } from "../fixtures/cli/terminal.js"
import * as Browser from "../fixtures/servers/browser.js"
import { folder } from "../fixtures/sqlite/common.js"

const secret = "a-secret-of-24-characters"
const markup = "<img src=x onerror=alert(1)>\u202e"

/** Serves a router on a free port of this machine, under a path; answers where. */
const served = <E>(page: Effect.Effect<HttpRouter.HttpRouter, E>) =>
  Effect.gen(function* () {
    const router = HttpRouter.empty.pipe(HttpRouter.mount("/caches", yield* page))
    const context = yield* Layer.build(
      HttpServer.serve(router).pipe(
        Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" }))
      )
    )
    const { address } = yield* Effect.provide(HttpServer.HttpServer, context)
    return address._tag === "TcpAddress" ? address.port : 0
  })

/** A program with a cache, and its page. */
const program = (options: CacheDashboard.Options = {}) =>
  Effect.gen(function* () {
    const users = yield* Cache.make("shop/users", {
      key: Schema.String,
      success: Schema.Struct({ name: Schema.String }),
      tags: (_, key) => [`letter:${key[0]}`],
      lookup: (key: string) => Effect.succeed({ name: `${key} ${markup}` })
    })
    yield* users.getMany(["ada", "bob", markup])
    yield* users.get("ada")
    return { users, port: yield* served(CacheDashboard.make({ every: "100 millis", ...options })) }
  })

const layer = Layer.mergeAll(MemoryStore.layer(), CacheStats.layer).pipe(Layer.provideMerge(CacheEvents.layer()))

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly text: string
}

/** A request with headers that a browser would not let a page set. */
const ask = (
  port: number,
  path: string,
  {
    body,
    headers = {},
    method = "GET"
  }: { readonly method?: string; readonly headers?: Record<string, string>; readonly body?: string } = {}
): Effect.Effect<Answer> =>
  Effect.promise(
    () =>
      new Promise<Answer>((resolve, reject) => {
        const sent = request(
          { port, host: "127.0.0.1", path: `/caches${path}`, method, headers, agent: false },
          (response) => {
            let text = ""
            response.setEncoding("utf8").on("data", (chunk) => (text += String(chunk)))
            response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }))
          }
        )
        sent.on("error", reject)
        sent.end(body)
      })
  )

interface State {
  readonly at: number
  readonly breakers: ReadonlyArray<{ readonly store: string; readonly isOpen: boolean }>
}

/** The first states that a page is told of. */
const states = (port: number, count: number): Effect.Effect<ReadonlyArray<State>> =>
  Effect.promise(
    () =>
      new Promise((resolve, reject) => {
        let text = ""
        const sent = request({ port, host: "127.0.0.1", path: "/caches/api/live", agent: false }, (response) => {
          response.setEncoding("utf8").on("data", (chunk) => {
            text += String(chunk)
            const all = [...text.matchAll(/^event: state\ndata: (.*)\n\n/gm)].map(
              ([, data]) => JSON.parse(data!) as State
            )
            if (all.length < count) return
            sent.destroy()
            resolve(all.slice(0, count))
          })
        })
        sent.on("error", reject)
        sent.end()
      })
  )

const jsonIn = ({ text }: Answer): unknown => JSON.parse(text)
const mine = { authorization: `Bearer ${secret}`, "content-type": "application/json" }

describe("CacheDashboard", () => {
  it.scopedLive("tells of the program's caches, of entries, and why a get would hit", () =>
    Effect.gen(function* () {
      const { port } = yield* program()
      const [cache] = jsonIn(yield* ask(port, "/api/caches")) as ReadonlyArray<{
        readonly name: string
        readonly stats: { readonly outcomes: Record<string, number> }
        readonly tiers: ReadonlyArray<{ readonly entries: number }>
      }>
      assert.deepStrictEqual([cache?.name, cache?.tiers[0]?.entries], ["shop/users", 3])
      assert.deepInclude(cache?.stats.outcomes, { fresh: 1, loaded: 3, failed: 0 })
      assert.sameMembers(jsonIn(yield* ask(port, "/api/keys?cache=shop/users")) as Array<string>, [
        "ada",
        "bob",
        markup
      ])
      const entry = jsonIn(yield* ask(port, "/api/entry?cache=shop/users&key=ada")) as Record<string, unknown>
      assert.deepInclude(entry, { verdict: "fresh", tags: ["tag letter:a"] })
      assert.include(entry["value"], "ada <img")
      const none = yield* ask(port, "/api/keys?cache=wrods")
      assert.strictEqual(none.status, 404)
      assert.deepStrictEqual(jsonIn(none), { error: "there is no cache of this name", hint: "there are: shop/users" })
      for (const query of [
        "",
        "?cache=shop/users&limit=NaN",
        "?cache=shop/users&limit=x",
        "?cache=shop/users&limit=1.5"
      ]) {
        assert.strictEqual((yield* ask(port, `/api/keys${query}`)).status, 400, query)
      }
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("tells which keys are asked for most, and what could be better", () =>
    Effect.gen(function* () {
      const { port, users } = yield* program()
      for (let round = 0; round < 2_000; round++) yield* users.get("ada")
      const [cache] = jsonIn(yield* ask(port, "/api/caches")) as ReadonlyArray<{
        readonly hottest: ReadonlyArray<{ readonly key: string; readonly part: number }>
        readonly advice: ReadonlyArray<string>
      }>
      assert.strictEqual(cache?.hottest[0]?.key, "ada")
      assert.include(cache?.advice.join(), "one key has")
    }).pipe(Effect.provide(Layer.provideMerge(layer, CacheAnalytics.layer)))
  )

  it.scopedLive("tells which tags entries have, and which stores are left alone", () =>
    Effect.gen(function* () {
      const { port } = yield* program()
      assert.deepStrictEqual(jsonIn(yield* ask(port, "/api/tags?cache=shop/users")), [
        { tag: "tag letter:<", entries: 1 },
        { tag: "tag letter:a", entries: 1 },
        { tag: "tag letter:b", entries: 1 }
      ])
      assert.strictEqual((yield* ask(port, "/api/tags?cache=none")).status, 404)
      const broken = FaultyStore.over(SqliteStore.layerMemory).pipe(CacheStore.circuitBreaker({ failures: 1 }))
      yield* Effect.provide(
        Effect.gen(function* () {
          const faults = yield* FaultyStore.Faults
          const cache = yield* Cache.make("broken", {
            key: Schema.String,
            success: Schema.Number,
            lookup: () => Effect.succeed(1)
          })
          const failure = new CacheError.StoreTimeout({ store: "far", operation: "get", millis: 50 })
          yield* faults.break({ _tag: "Fail", failure })
          yield* cache.get("a")
        }),
        broken
      )
      const [state] = yield* states(port, 1)
      assert.deepInclude(state?.breakers ?? [], { store: "SqliteStore", isOpen: true })
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("looks once for all who have the page open", () =>
    Effect.gen(function* () {
      const store = yield* Layer.build(SqliteStore.layerMemory)
      const admin = yield* Effect.provide(StoreAdmin.make(), store)
      let looks = 0
      const counted = {
        ...admin,
        list: Effect.zipRight(
          Effect.sync(() => looks++),
          admin.list
        )
      }
      const port = yield* served(CacheDashboard.over(counted, { every: "100 millis" }))
      const seen = yield* Effect.all([states(port, 5), states(port, 5), states(port, 5)], { concurrency: 3 })
      for (const page of seen) {
        const moments = page.map(({ at }) => at)
        assert.deepStrictEqual(moments, [...new Set(moments)], "no look is told twice")
      }
      // by themselves they would have been fifteen
      assert.isAtLeast(looks, 5)
      assert.isAtMost(looks, 9)
    }).pipe(Effect.provide(CacheStats.layer))
  )

  it.scopedLive("shows no values if it is not to", () =>
    Effect.gen(function* () {
      const { port } = yield* program({ values: false })
      assert.notProperty(jsonIn(yield* ask(port, "/api/entry?cache=shop/users&key=ada")), "value")
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("answers only under its own names, and no page of another origin", () =>
    Effect.gen(function* () {
      const { port } = yield* program({ token: secret })
      const own = `127.0.0.1:${port}`
      for (const headers of [
        { host: "evil.example.com" },
        { host: `evil.example.com:${port}` },
        { host: "127.0.0.1.evil.example.com" },
        { host: own, origin: "http://evil.example.com" },
        { host: own, origin: `http://localhost:${port}` },
        { host: own, origin: "http://127.0.0.1:1" },
        { host: own, origin: "null" }
      ]) {
        for (const [method, path] of [
          ["GET", "/"],
          ["GET", "/api/caches"],
          ["GET", "/api/live"],
          ["POST", "/api/clear?cache=shop/users"]
        ] as const) {
          const { status, text } = yield* ask(port, path, { method, headers: { ...mine, ...headers } })
          assert.strictEqual(status, 421, `${method} ${path} ${JSON.stringify(headers)}`)
          assert.notInclude(text, "shop")
        }
      }
      assert.strictEqual((yield* ask(port, "/api/caches", { headers: { host: `LOCALHOST:${port}` } })).status, 200)
      assert.strictEqual(
        (yield* ask(port, "/api/caches", { headers: { host: own, origin: `http://${own}` } })).status,
        200
      )
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("without a token nothing can be changed", () =>
    Effect.gen(function* () {
      const { port, users } = yield* program()
      for (const path of ["/api/clear?cache=shop/users", "/api/invalidate?cache=shop/users"]) {
        const answer = yield* ask(port, path, { method: "POST", headers: mine, body: '{"everything":true}' })
        assert.strictEqual(answer.status, 403)
      }
      assert.isTrue(yield* users.has("ada"))
      assert.deepStrictEqual(jsonIn(yield* ask(port, "/api/about")), { title: "this program", changes: false })
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("with one it changes what whoever knows it wants, and nobody else", () =>
    Effect.gen(function* () {
      const { port, users } = yield* program({ token: secret })
      const post = (path: string, headers: Record<string, string>, body = "{}") =>
        Effect.map(ask(port, `${path}?cache=shop/users`, { method: "POST", headers, body }), ({ status }) => status)
      const json = { "content-type": "application/json" }
      for (const authorization of [
        "",
        "Bearer",
        "Bearer ",
        `Bearer ${secret.slice(1)}`,
        `Bearer ${secret}x`,
        `Basic ${secret}`
      ]) {
        assert.strictEqual(yield* post("/api/clear", { ...json, authorization }), 401, authorization)
      }
      // what a form of another page can send without being asked
      assert.strictEqual(
        yield* post("/api/clear", { authorization: `Bearer ${secret}`, "content-type": "text/plain" }),
        415
      )
      assert.strictEqual((yield* ask(port, "/api/clear?cache=shop/users", { headers: mine })).status, 404)
      assert.isTrue(yield* users.has("ada"))

      assert.strictEqual(yield* post("/api/invalidate", mine, '{"keys":["ada"]}'), 200)
      assert.isFalse(yield* users.has("ada"))
      assert.strictEqual(yield* post("/api/invalidate", mine, '{"tags":["letter:b"]}'), 200)
      assert.isFalse(yield* users.has("bob"))
      assert.isTrue(yield* users.has(markup))
      for (const body of ["", "{", '{"keys":"ada"}', '{"keys":[1]}']) {
        assert.strictEqual(yield* post("/api/invalidate", mine, body), 400, body)
      }
      assert.strictEqual(yield* post("/api/clear", mine), 200)
      assert.isFalse(yield* users.has(markup))
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("serves its own files, and no others; and nothing of it may be framed or come from elsewhere", () =>
    Effect.gen(function* () {
      const { port } = yield* program()
      const page = yield* ask(port, "/")
      const links = [...page.text.matchAll(/(?:src|href)="([^"#]+)"/g)].map(([, link]) => String(link))
      assert.isAbove(links.length, 3)
      for (const link of links) {
        const file = yield* ask(port, `/${link}`)
        assert.strictEqual(file.status, 200, link)
        for (const [, other] of file.text.matchAll(/from "\.\/([\w.]+)"/g)) {
          assert.strictEqual((yield* ask(port, `/assets/${other}`)).status, 200, other)
        }
      }
      for (const path of [
        "/assets/../CacheDashboard.ts",
        "/assets/..%2f..%2f..%2fpackage.json",
        "/assets/%2e%2e%2fassets.ts",
        "/assets/package.json",
        "/assets/"
      ]) {
        assert.strictEqual((yield* ask(port, path)).status, 404, path)
      }
      assert.include(page.headers["content-security-policy"], "default-src 'none'; script-src 'self'")
      assert.include(page.headers["content-security-policy"], "frame-ancestors 'none'")
      assert.strictEqual(page.headers["x-content-type-options"], "nosniff")
      assert.notMatch(page.text, /<script(?![^>]*src=)|style=|\son\w+=|https?:/)
      const bare = yield* ask(port, "")
      assert.deepStrictEqual([bare.status, bare.headers["location"]], [308, "caches/"])
    }).pipe(Effect.provide(layer))
  )

  it.effect("refuses options that make no sense, and does not show the token", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(CacheDashboard.make({ token: "short", every: 0 }))
      assert.instanceOf(error, CacheError.InvalidConfig)
      assert.deepStrictEqual(error.issues.map(({ field }) => field).sort(), ["every", "token"])
      assert.notInclude(error.message, "short")
    })
  )

  it.scopedLive("over a store it tells of caches of other programs", () =>
    Effect.gen(function* () {
      const store = yield* Layer.build(SqliteStore.layerMemory)
      const filled = Effect.flatMap(
        Cache.make("words", {
          key: Schema.String,
          success: Schema.String,
          tags: ["t"],
          lookup: (word: string) => Effect.succeed(word)
        }),
        (cache) => cache.getMany(["bread", "salt", "oil"])
      )
      yield* Effect.provide(Effect.scoped(filled), store)
      const admin = yield* Effect.provide(StoreAdmin.make(), store)
      const port = yield* served(CacheDashboard.over(admin, { token: secret }))
      assert.deepInclude(jsonIn(yield* ask(port, "/api/entry?cache=words&key=bread")), {
        verdict: "fresh",
        value: "bread"
      })
      assert.deepInclude(jsonIn(yield* ask(port, "/api/entry?cache=words&key=none")), { verdict: "absent" })
      const post = (path: string, body: string) => ask(port, path, { method: "POST", headers: mine, body })
      yield* post("/api/invalidate?cache=words", '{"keys":["bread"]}')
      assert.sameMembers(jsonIn(yield* ask(port, "/api/keys?cache=words")) as Array<string>, ["salt", "oil"])
      yield* post("/api/invalidate?cache=words", '{"tags":["t"]}')
      assert.deepInclude(jsonIn(yield* ask(port, "/api/entry?cache=words&key=salt")), { verdict: "outdated" })
      assert.deepStrictEqual(jsonIn(yield* post("/api/clear?cache=words", "{}")), { cleared: "words", entries: 0 })
    }).pipe(Effect.provide(CacheStats.layer))
  )

  it.scopedLive("larder dashboard serves it until it is stopped", () =>
    Effect.gen(function* () {
      const file = join(yield* folder, "cache.db")
      yield* Effect.provide(
        Effect.scoped(
          Effect.flatMap(
            Cache.make("words", {
              key: Schema.String,
              success: Schema.String,
              lookup: (word: string) => Effect.succeed(word)
            }),
            (cache) => cache.get("bread")
          )
        ),
        SqliteStore.layer({ filename: file })
      )
      const said = yield* Deferred.make<string>()
      const at = larder({ LARDER_STORE: `sqlite:${file}` }, (line) => Deferred.unsafeDone(said, Effect.succeed(line)))
      const running = yield* Effect.fork(at("dashboard", "--port", "0", "--write", "--json"))
      const { address } = JSON.parse(yield* Deferred.await(said)) as { readonly address: string }
      const [, port, token] = /:(\d+)\/#token=(.+)$/.exec(address) ?? []
      const caches = yield* Effect.promise(() =>
        fetch(`http://127.0.0.1:${port}/api/caches`).then((answer) => answer.json())
      )
      assert.deepInclude((caches as ReadonlyArray<object>)[0], { name: "words" })
      const cleared = yield* Effect.promise(() =>
        fetch(`http://127.0.0.1:${port}/api/clear?cache=words`, {
          method: "POST",
          headers: { authorization: `Bearer ${token}`, "content-type": "application/json" }
        })
      )
      assert.strictEqual(cleared.status, 200)
      yield* Fiber.interrupt(running)
      assert.strictEqual((yield* larder({ LARDER_STORE: `sqlite:${file}` })("dashboard", "--port", "70000")).code, 2)
    })
  )
})

describe.skipIf(!Browser.isThere)("CacheDashboard in a browser", () => {
  for (const [name, colorScheme, width] of [
    ["light", "light", 1200],
    ["dark, on a phone", "dark", 390]
  ] as const) {
    it.scopedLive(`shows what there is, and does what it is told: ${name}`, () =>
      Effect.gen(function* () {
        const { port, users } = yield* program({ token: secret })
        const browser = yield* Browser.make
        const [problems, elsewhere]: [Array<string>, Array<string>] = [[], []]
        yield* Effect.promise(async () => {
          const page = await browser.newPage({ colorScheme, viewport: { width, height: 800 } })
          page.on("console", (message) => problems.push(message.text()))
          page.on("pageerror", (error) => problems.push(error.message))
          page.on("dialog", (dialog) => problems.push(dialog.message()))
          page.on("request", (sent) => {
            if (!sent.url().startsWith(`http://127.0.0.1:${port}/caches`)) elsewhere.push(sent.url())
          })
          await page.goto(`http://127.0.0.1:${port}/caches#token=${secret}`)
          await page.getByText("live", { exact: true }).waitFor()
          assert.notInclude(page.url(), secret)
          assert.strictEqual(await page.locator("#rows tr").count(), 1)
          await page.getByRole("button", { name: "shop/users" }).click()
          await page.locator("#chart-outcomes canvas").waitFor()

          // what happens shows: a get is told, and its line is drawn
          const before = await page.locator("#chart-outcomes canvas").screenshot()
          await Effect.runPromise(Effect.forEach(Array.from({ length: 50 }), () => users.get("bob")))
          await Effect.runPromise(users.get("carl"))
          await page
            .getByText(/^.*Loaded {2}shop\/users/)
            .first()
            .waitFor()
          await page.waitForFunction(() => document.querySelector("#rows td:nth-child(6)")?.textContent === "4")
          // rows have changed since, and taken the focus from nobody
          assert.strictEqual(await page.evaluate(() => document.activeElement?.textContent), "shop/users")
          assert.deepStrictEqual(await page.locator("#tags li").allInnerTexts(), [
            "1tag letter:<",
            "1tag letter:a",
            "1tag letter:b"
          ])
          assert.match(await page.locator("#tiers").innerText(), /^tier 1MemoryStore: 4 entries, /)
          assert.isFalse(before.equals(await page.locator("#chart-outcomes canvas").screenshot()))

          // markup is text, by keyboard alone
          await page.getByLabel("Key").fill(markup)
          await page.keyboard.press("Enter")
          await page.locator(".verdict", { hasText: "fresh" }).waitFor()
          assert.include(await page.locator("#entry pre").innerText(), "<img src=x onerror=alert(1)>\\u202e")
          assert.strictEqual(await page.locator("img").count(), 0)

          await page.getByRole("button", { name: "Invalidate", exact: true }).click()
          await page.getByRole("button", { name: "Leave it" }).click()
          assert.isTrue(await Effect.runPromise(users.has(markup)))
          await page.getByRole("button", { name: "Invalidate", exact: true }).click()
          await page.getByRole("button", { name: "Do it" }).click()
          await page.locator("#entry", { hasText: "Invalidated" }).waitFor()
          assert.isFalse(await Effect.runPromise(users.has(markup)))
          await page.getByRole("button", { name: "Clear this cache" }).click()
          await page.getByRole("button", { name: "Do it" }).click()
          await page.locator("#entry", { hasText: "Cleared: 3 entries" }).waitFor()
          assert.isFalse(await Effect.runPromise(users.has("ada")))

          const wide = await page.evaluate(() => document.documentElement.scrollWidth)
          assert.isAtMost(wide, width)
          const paper = await page.evaluate(() => getComputedStyle(document.body).backgroundColor)
          assert.strictEqual(paper, colorScheme === "dark" ? "rgb(20, 24, 26)" : "rgb(251, 251, 249)")
          await page.getByRole("button", { name: "Dark or light" }).click()
          assert.notStrictEqual(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), paper)
        })
        assert.deepStrictEqual([problems, elsewhere], [[], []])
      }).pipe(Effect.provide(layer))
    )
  }

  it.scopedLive("without a token it has no buttons that change anything", () =>
    Effect.gen(function* () {
      const { port } = yield* program()
      const browser = yield* Browser.make
      yield* Effect.promise(async () => {
        const page = await browser.newPage()
        await page.goto(`http://127.0.0.1:${port}/caches/#token=${secret}`)
        await page.getByText("live", { exact: true }).waitFor()
        assert.isFalse(await page.locator("#clear").isVisible())
        assert.isFalse(await page.locator("#invalidate").isVisible())
        assert.isTrue(await page.getByRole("button", { name: "Explain" }).isVisible())
      })
    }).pipe(Effect.provide(layer))
  )
})
