/** The `larder` command, as somebody at a terminal uses it, over real stores. */
import { assert, describe, it } from "@effect/vitest"
import { Cache, CacheStore, type StoreAdmin } from "effect-larder"
import * as Encryption from "effect-larder/Encryption"
import * as FileStore from "effect-larder/FileStore"
import * as SqliteStore from "effect-larder/SqliteStore"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Effect, Layer, Redacted, Schema } from "effect"
import { randomBytes } from "node:crypto"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Format from "../../src/cli/format.js"
import { jsonOf, larder } from "../fixtures/cli/terminal.js"

const users = (name: string) =>
  Cache.make(name, {
    key: Schema.Number,
    success: Schema.Struct({ id: Schema.Number, name: Schema.String }),
    timeToLive: "1 hour",
    tags: (_, id) => [`org:${id % 2}`],
    lookup: (id: number) => Effect.succeed({ id, name: `User ${id}` })
  })

const evil = "evil\u001b[2J\u009b2J\u202ekey"
const pages = Cache.make("pages", {
  key: Schema.String,
  success: Schema.String,
  lookup: (url: string) => Effect.succeed(`<h1>${url}</h1>`)
})

const fill = Effect.scoped(
  Effect.gen(function* () {
    const cache = yield* users("users")
    yield* cache.getMany([1, 2, 3, 4])
    yield* cache.invalidateGroup("none")
    yield* Effect.flatMap(pages, (made) => made.getMany(["/", evil]))
  })
)

/** A folder of its own with a store in it, and the command that looks at that store. */
const shop = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "larder-cli-test-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  ),
  (folder) => {
    const file = join(folder, "cache.db")
    const url = `sqlite:${file}`
    return { folder, file, url, larder: larder({ LARDER_STORE: url }), store: SqliteStore.layer({ filename: file }) }
  }
)

/** The same with entries in it. */
const filled = Effect.tap(shop, ({ store }) => Effect.provide(fill, store))

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
const steering = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/

describe("larder: looking", () => {
  it.scopedLive("list, stats, inspect, get, explain and health tell what is there", () =>
    Effect.gen(function* () {
      const { larder } = yield* filled
      const list = yield* larder("list")
      assert.match(list.out, /CACHE +STORE +ENTRIES +SIZE\npages +SqliteStore +2 +\d+ B\nusers +SqliteStore +4 +\d+ B/)
      const rows = jsonOf(yield* larder("list", "--json")) as ReadonlyArray<Record<string, unknown>>
      assert.deepStrictEqual(
        rows.map(({ entries, name }) => [name, entries]),
        [
          ["pages", 2],
          ["users", 4]
        ]
      )
      assert.include((yield* larder("stats", "users")).out, "4 (4 fresh)")
      assert.include((yield* larder("stats", "users")).out, "tag org:0 (2), tag org:1 (2)")
      const inspected = yield* larder("inspect", "users", "--limit", "2")
      assert.match(inspected.out, /~1 +fresh .* org:1/)
      assert.include(inspected.out, "and more: --limit 20")
      assert.deepStrictEqual(jsonOf(yield* larder("get", "users", "3", "--json")), { json: { id: 3, name: "User 3" } })
      assert.strictEqual((yield* larder("get", "pages", "/")).out, "<h1>/</h1>")
      assert.include((yield* larder("explain", "users", "3")).out, "a get is answered with it")
      assert.include((yield* larder("inspect", "users", "--key", "3")).out, "fingerprint")
      assert.match((yield* larder("health")).out, /^up {2}SqliteStore has answered in \d+ ms: 2 caches$/)
    })
  )

  it.scopedLive("nothing that is stored steers a terminal, in text and in JSON", () =>
    Effect.gen(function* () {
      const { larder, store } = yield* filled
      yield* Effect.provide(Effect.scoped(Effect.flatMap(users("na\u202eme"), (cache) => cache.get(1))), store)
      for (const command of [
        ["list"],
        ["stats"],
        ["inspect"],
        ["explain", "pages", evil],
        ["get", "pages", evil],
        ["get", "pages", `no\u001b[2J`]
      ]) {
        for (const json of [[], ["--json"]]) {
          const { err, out } = yield* larder(...command, ...json)
          assert.notMatch(out, steering)
          assert.notMatch(err, steering)
          assert.isTrue(out.length + err.length > 0)
        }
      }
      assert.include((yield* larder("inspect", "pages")).out, "evil\\u001b[2J")
    })
  )

  it.scopedLive("what is not there is told, with what to do, and another code", () =>
    Effect.gen(function* () {
      const { folder, larder } = yield* filled
      const unknown = yield* larder("get", "wrods", "1")
      assert.deepStrictEqual([unknown.code, unknown.out], [1, ""])
      assert.include(unknown.err, "there are: pages, users")
      assert.include((yield* larder("get", "users", "99")).err, "there is no entry for this key in users: 99")
      assert.strictEqual((yield* larder("explain", "users", "99")).code, 1)
      const none = yield* larder("list", "--store", `sqlite:${folder}/none.db`)
      assert.deepStrictEqual([none.code, existsSync(`${folder}/none.db`)], [1, false])
      assert.include(none.err, "there is no ")
      const files = yield* larder("list", "--store", `file:${folder}/none`)
      assert.deepStrictEqual([files.code, existsSync(`${folder}/none`)], [1, false])
    })
  )

  it("in a narrow terminal texts give way before numbers, and columns that are left out before both", () => {
    const heads = [{ head: "NAME" }, { head: "GETS", right: true }, { head: "SIZE", right: true, optional: true }]
    const rows = [["a name that is long", "1,234,567", "100.0 MiB"]]
    const at = (columns: number) => Format.table(heads, rows, { columns }).split("\n")
    assert.deepStrictEqual(at(80), [
      "NAME                      GETS       SIZE",
      "a name that is long  1,234,567  100.0 MiB"
    ])
    assert.deepStrictEqual(at(35), ["NAME                      GETS", "a name that is long  1,234,567"])
    assert.deepStrictEqual(
      at(24),
      ["NAME              GETS", "a name tha…  1,234,567"].map((line) => line)
    )
  })

  it("what is told in pairs stays within the line of a terminal, and loses no word", () => {
    const text = "the quick brown fox jumps over the lazy dog ".repeat(8).trim()
    const pairs = [
      ["  a", text],
      ["  longer", "x".repeat(100)]
    ] as const
    for (const columns of [40, 60, 80, 200]) {
      const lines = Format.pairs(pairs, { columns }).split("\n")
      assert.isAtMost(Math.max(...lines.slice(0, -1).map((line) => line.length)), columns)
      assert.strictEqual(lines.slice(0, -1).join(" ").split(/\s+/).filter(Boolean).join(" "), `a ${text}`)
    }
    assert.strictEqual(Format.pairs(pairs).split("\n").length, 2)
  })

  it.scopedLive("what was not said right is told with where to read more", () =>
    Effect.gen(function* () {
      const { larder } = yield* filled
      assert.match((yield* larder("get", "users")).err, /try: larder get --help$/)
      assert.match((yield* larder("nope\u001b[2J")).err, /try: larder --help$/)
    })
  )

  it.scopedLive("what was not said right ends with 2", () =>
    Effect.gen(function* () {
      const { larder } = yield* filled
      for (const args of [
        ["lst"],
        ["get", "users"],
        ["inspect", "--limit", "many"],
        ["inspect", "--limit", "0"],
        ["inspect", "--key", "1"],
        ["invalidate", "users"],
        ["list", "--store", "nonsense"],
        ["list", "--store", "constructor:x"],
        ["list", "--store", "__proto__:x"],
        ["list", "--store", "s3://"],
        ["list", "--store", "file:"],
        ["migrate", "--from", "sqlite:a.db", "--to", "sqlite:a.db"]
      ]) {
        const { code, err } = yield* larder(...args)
        assert.deepStrictEqual([code, err === ""], [2, false], args.join(" "))
      }
      for (const password of ["secret", "s@secret", "a/secret", "a:secret@b/secret"]) {
        const { err } = yield* larder("list", "--store", `oracle://me:${password}@host/db`)
        assert.include(err, "oracle://me:***@host/db")
        assert.notInclude(err, "secret")
      }
    })
  )
})

describe("larder: removing", () => {
  it.scopedLive("nothing is removed that was not meant: it asks, or wants --yes", () =>
    Effect.gen(function* () {
      const { larder } = yield* filled
      for (const args of [["clear"], ["clear", "users"], ["invalidate", "users", "--all"]]) {
        const { code, err } = yield* larder(...args)
        assert.strictEqual(code, 2)
        assert.include(err, "--yes")
      }
      assert.include((yield* larder("list")).out, "4")
      assert.deepStrictEqual(jsonOf(yield* larder("clear", "users", "--yes", "--json")), {
        cleared: "users",
        entries: 4
      })
      assert.strictEqual((yield* larder("clear", "--yes")).out, "cleared all caches: 2 entries")
    })
  )

  it.scopedLive("keys, tags and all of a cache are invalidated, and the rest stays", () =>
    Effect.gen(function* () {
      const { larder } = yield* filled
      const left = Effect.map(larder("list", "--json"), (said) =>
        (jsonOf(said) as ReadonlyArray<{ readonly entries: number }>).map(({ entries }) => entries)
      )
      assert.strictEqual(
        (yield* larder("invalidate", "users", "--key", "1", "--yes")).out,
        "invalidated key 1 of users"
      )
      assert.deepStrictEqual(yield* left, [2, 3])
      yield* larder("invalidate", "users", "--tag", "org:0", "--yes")
      assert.deepStrictEqual(yield* left, [2, 1])
      yield* larder("invalidate", "users", "--group", "g", "--yes")
      assert.deepStrictEqual(yield* left, [2, 1])
      yield* larder("invalidate", "users", "--all", "--yes")
      assert.deepStrictEqual(yield* left, [2, 0])
      const wrong = yield* larder("invalidate", "wrods", "--all", "--yes")
      assert.strictEqual(wrong.code, 1)
    })
  )

  it.scopedLive("what cannot be read is found, and removed if that is meant", () =>
    Effect.gen(function* () {
      const { larder, store } = yield* filled
      assert.strictEqual((yield* larder("verify")).code, 0)
      const odd = Effect.flatMap(CacheStore.CacheStore, ({ raw }) =>
        Effect.flatMap(raw!.open("users"), (engine) =>
          engine.setMany([{ key: "odd", bytes: new Uint8Array(9), tags: [], reclaimAt: Infinity, since: undefined }])
        )
      )
      yield* Effect.provide(Effect.scoped(odd), store)
      const found = yield* larder("verify", "users")
      assert.strictEqual(found.code, 1)
      assert.include(found.out, "5 entries, 1 unreadable")
      assert.include(found.out, "odd: 9 bytes are too few")
      assert.strictEqual((yield* larder("verify", "--remove")).code, 2)
      const removed = yield* larder("verify", "--remove", "--yes")
      assert.strictEqual(removed.code, 0)
      assert.include(removed.out, "1 unreadable, removed")
      assert.strictEqual((yield* larder("verify")).code, 0)
    })
  )
})

describe("larder: what is over", () => {
  it.scopedLive("expire ends an entry, if there is one; compact gives room back", () =>
    Effect.gen(function* () {
      const { larder, store } = yield* filled
      const refused = yield* larder("expire", "users", "3")
      assert.strictEqual(refused.code, 2)
      assert.include(refused.err, "add --yes if it is meant")
      assert.include((yield* larder("expire", "users", "3", "--yes")).out, "a get loads it again")
      assert.strictEqual((yield* larder("get", "users", "3")).code, 1)
      const absent = yield* larder("expire", "users", "77", "--yes")
      assert.deepStrictEqual([absent.code, absent.err.includes("there is no entry")], [1, true])
      assert.deepStrictEqual(
        yield* Effect.provide(Effect.scoped(Effect.flatMap(users("users"), (cache) => cache.has(3))), store),
        false
      )
      yield* larder("clear", "--yes")
      const compacted = jsonOf(yield* larder("compact", "--json")) as StoreAdmin.Compacted
      assert.deepStrictEqual([compacted.store, compacted.removed], ["SqliteStore", 0])
      assert.isAtMost(compacted.bytes?.after ?? Infinity, compacted.bytes?.before ?? 0)
      assert.match((yield* larder("compact")).out, /^no entries were over; [\d.]+ KiB before, [\d.]+ KiB now$/)
    })
  )
})

describe("larder: moving", () => {
  it.scopedLive("entries go to another store, and through a file, and programs find them there", () =>
    Effect.gen(function* () {
      const { file, folder, larder, url } = yield* filled
      const other = `file:${folder}/files`
      const moved = yield* larder("migrate", "--from", url, "--to", other)
      assert.include(moved.out, "verified: all 6 are there")
      const has = Effect.scoped(Effect.flatMap(users("users"), (cache) => cache.has(3)))
      const files = FileStore.layer({ directory: `${folder}/files` }).pipe(Layer.provide(NodeFileSystem.layer))
      assert.isTrue(yield* Effect.provide(has, files))

      const dump = join(folder, "dump.jsonl")
      assert.include((yield* larder("snapshot", dump, "--cache", "users")).out, "wrote ")
      assert.include((yield* larder("restore", dump, "--store", `sqlite:${folder}/third.db`)).out, "users        4")
      assert.isTrue(yield* Effect.provide(has, SqliteStore.layer({ filename: `${folder}/third.db` })))

      assert.strictEqual((yield* larder("snapshot", join(folder, "none", "x"))).code, 1)
      assert.strictEqual((yield* larder("restore", join(folder, "none"))).code, 1)
      writeFileSync(dump, readFileSync(dump).subarray(0, 200))
      assert.include((yield* larder("restore", dump)).err, "line ")
      assert.isTrue(existsSync(file))
      const wrong = yield* larder("migrate", "--from", url, "--to", other, "--cache", "wrods")
      assert.deepStrictEqual([wrong.code, wrong.err.includes("there are: pages, users")], [1, true])
    })
  )

  it.scopedLive("what is encrypted is copied as it is, and looked into only with its key", () =>
    Effect.gen(function* () {
      const { folder, store, url } = yield* shop
      const key = randomBytes(32).toString("base64")
      const sealed = store.pipe(CacheStore.encodedBy(Encryption.make({ keys: [Redacted.make(key)] })))
      yield* Effect.provide(fill, sealed)
      const plain = larder({ LARDER_STORE: url })
      const shut = yield* plain("get", "users", "1")
      assert.deepStrictEqual([shut.code, shut.out], [1, ""])
      assert.include((yield* plain("inspect", "users")).out, "sealed")
      const other = `sqlite:${folder}/other.db`
      assert.strictEqual((yield* plain("migrate", "--from", url, "--to", other)).code, 0)
      const keyed = larder({
        LARDER_STORE: other,
        LARDER_ENCRYPTION_KEYS: `${randomBytes(32).toString("base64")}, ${key}`
      })
      assert.deepStrictEqual(jsonOf(yield* keyed("get", "users", "1", "--json")), { json: { id: 1, name: "User 1" } })
      const bad = larder({ LARDER_STORE: other, LARDER_ENCRYPTION_KEYS: "short" })
      assert.strictEqual((yield* bad("list")).code, 1)
    })
  )
})

describe("larder: running", () => {
  const script = `
    import { Cache } from "effect-larder"
    import { Effect, Schema } from "effect"
    export default Effect.gen(function* () {
      const squares = yield* Cache.make("squares", {
        key: Schema.Number, success: Schema.Number, lookup: (n: number) => Effect.succeed(n * n)
      })
      yield* squares.getMany([1, 2, 3])
      yield* squares.get(2)
    })`

  it.scopedLive("a program fills the store, and is profiled", () =>
    Effect.gen(function* () {
      const { folder, larder } = yield* shop
      const program = join(folder, "program.ts")
      writeFileSync(program, script)
      const warmed = yield* larder("warm", program)
      assert.strictEqual(warmed.code, 0, warmed.err)
      assert.match(warmed.out, /squares +4 +25\.0 % +3/)
      assert.include((yield* larder("list")).out, "squares")
      const out = join(folder, "out.cpuprofile")
      assert.match((yield* larder("profile", program, "--out", out)).out, /squares +4/)
      assert.isArray((JSON.parse(readFileSync(out, "utf8")) as { readonly nodes: unknown }).nodes)
      const used = yield* larder("analyze", program)
      assert.strictEqual(used.code, 0, used.err)
      assert.match(used.out, /gets +4, 25\.0 % hits/)
      assert.include(used.out, "ASKED FOR MOST")
      writeFileSync(join(folder, "none.ts"), "export const x = 1")
      assert.include((yield* larder("warm", join(folder, "none.ts"))).err, "has no Effect as its default export")
      assert.include((yield* larder("warm", join(folder, "absent.ts"))).err, "cannot be loaded")
    })
  )

  it.scopedLive("a store of somebody's own is a module", () =>
    Effect.gen(function* () {
      const { file, folder, larder } = yield* filled
      const plugin = join(folder, "store.ts")
      writeFileSync(
        plugin,
        `import * as SqliteStore from "effect-larder/SqliteStore"\nexport const layer = SqliteStore.layer({ filename: ${JSON.stringify(file)} })`
      )
      assert.include((yield* larder("list", "--store", plugin)).out, "users")
      writeFileSync(join(folder, "none.ts"), "export default 1")
      assert.include((yield* larder("list", "--store", join(folder, "none.ts"))).err, "exports no Layer")
    })
  )

  it.scopedLive("the workload is the same over every store", () =>
    Effect.gen(function* () {
      const { larder, url } = yield* shop
      const { stores } = jsonOf(yield* larder("benchmark", "memory:", url, "--entries", "20", "--json")) as {
        readonly stores: ReadonlyArray<{
          readonly store: string
          readonly results: ReadonlyArray<{ readonly p50: number; readonly p99: number }>
        }>
      }
      assert.deepStrictEqual(
        stores.map(({ store }) => store),
        ["MemoryStore", "SqliteStore"]
      )
      for (const { results } of stores) {
        assert.strictEqual(results.length, 5)
        for (const { p50, p99 } of results) assert.isTrue(p50 >= 0 && p50 <= p99)
      }
      assert.include((yield* larder("benchmark", "--entries", "5")).out, "getMany of 100")
    })
  )
})

describe("larder: here", () => {
  it.scopedLive("init writes a file that the configuration understands, once", () =>
    Effect.gen(function* () {
      const { folder } = yield* shop
      const before = process.cwd()
      process.chdir(folder)
      yield* Effect.addFinalizer(() => Effect.sync(() => process.chdir(before)))
      const here = larder()
      for (const format of ["toml", "yaml", "json"]) {
        assert.strictEqual((yield* here("init", "--format", format)).code, 0)
        const again = yield* here("init", "--format", "toml")
        assert.deepStrictEqual([again.code, again.err.includes("there is one already")], [1, true])
        const config = yield* here("config")
        assert.match(config.out, /timeToLive +Infinity +file/)
        rmSync(join(folder, `larder.config.${format}`))
      }
      writeFileSync(join(folder, "larder.config.toml"), 'timeToLive = "soon"')
      const bad = yield* here("config")
      assert.deepStrictEqual([bad.code, bad.err.includes("timeToLive")], [1, true])
      const doctor = yield* here("doctor")
      assert.strictEqual(doctor.code, 1)
      assert.match(doctor.out, /bad configuration +timeToLive/)
    })
  )

  it.scopedLive("doctor tells whether a store can be reached", () =>
    Effect.gen(function* () {
      const { folder, larder, url } = yield* filled
      assert.match((yield* larder("doctor", "--store", url)).out, /ok {2}store +SqliteStore answers; it has 2 caches/)
      const bad = yield* larder("doctor", "--store", `sqlite:${folder}/none.db`)
      assert.strictEqual(bad.code, 1)
      assert.match(bad.out, /bad store +.*there is no/)
    })
  )

  it.scopedLive("logs go beside the results, as many as are asked for", () =>
    Effect.gen(function* () {
      const { folder, url } = yield* filled
      const chatty = join(folder, "chatty.ts")
      writeFileSync(
        chatty,
        'import { Effect } from "effect"\nexport default Effect.zipRight(Effect.logDebug("a detail"), Effect.logInfo("a fact"))'
      )
      const said = (variables: Record<string, string>, ...args: ReadonlyArray<string>) =>
        Effect.map(larder({ LARDER_STORE: url, ...variables })("warm", chatty, ...args), ({ err, out }) => {
          assert.notInclude(out, "a fact")
          return ["a detail", "a fact"].filter((text) => err.includes(text)).length
        })
      assert.strictEqual(yield* said({}), 1)
      assert.strictEqual(yield* said({}, "--verbose"), 2)
      assert.strictEqual(yield* said({}, "--log-level", "error"), 0)
      assert.strictEqual(yield* said({ LARDER_LOG_LEVEL: "DEBUG" }), 2)
      assert.strictEqual(yield* said({ LARDER_LOG_LEVEL: "ERROR" }), 0)
      assert.strictEqual(yield* said({ LARDER_LOG_LEVEL: "ERROR" }, "--verbose"), 2)
    })
  )

  it.scopedLive("help tells what each command is for; completions are a script", () =>
    Effect.gen(function* () {
      const { larder } = yield* shop
      const help = (yield* larder("--help")).out
      for (const name of ["list", "migrate", "benchmark", "doctor"]) assert.include(help, `- ${name}`)
      assert.include((yield* larder("migrate", "--help")).out, "larder migrate --from")
      assert.include((yield* larder("completions", "bash")).out, "complete")
      assert.strictEqual((yield* larder("--version")).out.trim(), "0.0.0")
    })
  )
})
