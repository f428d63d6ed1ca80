import { assert, describe, it } from "@effect/vitest"
import { Cache, CacheConfig, type CacheError } from "effect-larder"
import * as SqliteStore from "effect-larder/SqliteStore"
import { ConfigProvider, Effect, Layer, Schema } from "effect"
import * as fs from "node:fs"
import * as path from "node:path"
import { folder } from "../fixtures/sqlite/common.js"
import { life, refused, storeOf } from "../fixtures/sqlite/lives.js"

const modeOf = (file: string): string => (fs.statSync(file).mode & 0o7777).toString(8)

const umask = (mask: number) =>
  Effect.acquireRelease(
    Effect.sync(() => process.umask(mask)),
    (before) => Effect.sync(() => process.umask(before))
  )

describe("SqliteStore: who may read the file", () => {
  const permissions = [
    ["private", "700", "600"],
    ["shared", "755", "644"]
  ] as const
  for (const [filePermissions, folderMode, fileMode] of permissions) {
    for (const mask of [0, 0o022, 0o077, 0o777]) {
      it.scoped(`${filePermissions} is 0${folderMode} and 0${fileMode}, with the umask 0${mask.toString(8)}`, () =>
        Effect.gen(function* () {
          const base = yield* folder
          const file = `${base}/made/here/cache.db`
          yield* umask(mask)
          const layer = SqliteStore.layer({ filename: file }).pipe(
            Layer.provide(CacheConfig.layer({ filePermissions }))
          )
          yield* storeOf(layer)
          yield* life(layer, "a")
          assert.deepStrictEqual([modeOf(`${base}/made`), modeOf(`${base}/made/here`)], [folderMode, folderMode])
          assert.deepStrictEqual(fs.readdirSync(`${base}/made/here`), ["cache.db", "cache.db-shm", "cache.db-wal"])
          for (const name of fs.readdirSync(`${base}/made/here`)) {
            assert.strictEqual(modeOf(`${base}/made/here/${name}`), fileMode, name)
          }
        })
      )
    }
  }

  it.scoped("a folder that was there is used as it is, and a file of ours is closed to others", () =>
    Effect.gen(function* () {
      const base = yield* folder
      const file = `${base}/cache.db`
      fs.chmodSync(base, 0o751)
      const layer = SqliteStore.layer({ filename: file })
      yield* life(layer, "a")
      fs.chmodSync(file, 0o666)
      assert.deepStrictEqual((yield* life(layer, "a")).loads, [])
      assert.strictEqual(modeOf(base), "751")
      assert.strictEqual(modeOf(file), "600")
    })
  )
})

describe("SqliteStore: names", () => {
  const hostile = [
    "../../x",
    "..",
    ".",
    "/etc/passwd",
    "\\\\server\\share",
    "con",
    "CON",
    "nul.db",
    "a/b",
    "a_b",
    "A_b",
    " ",
    "\0",
    "x\0.db",
    "\ud800",
    "\udfff",
    "é",
    "e\u0301",
    "\u202e😀",
    "__proto__",
    "constructor",
    ":memory:",
    "file:x?mode=memory",
    "a".repeat(300),
    `${"a".repeat(299)}b`
  ]

  it.scoped("whatever the name, the file is in the cache folder, and no other name's", () =>
    Effect.gen(function* () {
      const base = yield* folder
      const directory = path.join(base, "cache")
      const put = (name: string, value: string | undefined) =>
        Cache.make("same", { key: Schema.String, success: Schema.String, lookup: () => Effect.succeed("absent") }).pipe(
          Effect.flatMap((cache) =>
            value === undefined ? cache.get("key") : Effect.as(cache.set("key", value), value)
          ),
          Effect.scoped,
          Effect.provide(SqliteStore.layer({ name })),
          Effect.provide(CacheConfig.layer({ directory }))
        )
      yield* Effect.forEach(hostile, (name) => put(name, JSON.stringify(name)))
      assert.deepStrictEqual(
        yield* Effect.forEach(hostile, (name) => put(name, undefined)),
        hostile.map((name) => JSON.stringify(name))
      )
      assert.deepStrictEqual(fs.readdirSync(base), ["cache"])
      const files = fs.readdirSync(directory)
      assert.strictEqual(files.length, hostile.length)
      for (const file of files) assert.match(file, /^[a-z0-9_-]{1,120}\.db$/)
    })
  )

  it.scoped("without a name or filename it is one file in the folder that the environment names", () =>
    Effect.gen(function* () {
      const directory = `${yield* folder}/from environment`
      const environment = Layer.setConfigProvider(ConfigProvider.fromMap(new Map([["LARDER_DIR", directory]])))
      const layer = SqliteStore.layer().pipe(Layer.provide(CacheConfig.layer()), Layer.provide(environment))
      yield* life(layer, "a")
      assert.deepStrictEqual((yield* life(layer, "a")).loads, [])
      assert.strictEqual(fs.readdirSync(directory).length, 1)
      assert.strictEqual(modeOf(directory), "700")
    })
  )
})

describe("SqliteStore: options that cannot be used", () => {
  const path_ = 'give a path such as "data/cache.db"'
  const cases: ReadonlyArray<readonly [options: object, message: string, hint: string]> = [
    [{ filename: "" }, 'Invalid filename="": must be a path that is not empty', `filename: ${path_}`],
    [{ filename: 7 }, "Invalid filename=7: must be a path that is not empty", `filename: ${path_}`],
    [{ filename: ":memory:" }, 'Invalid filename=":memory:": is not a file', "filename: use SqliteStore.layerMemory"],
    [{ filename: "a\0b" }, 'Invalid filename="a\\u0000b": must not have NUL characters', `filename: ${path_}`],
    [{ filename: "data/" }, `Invalid filename="data/": must be a file's path, not a folder's`, `filename: ${path_}`],
    [{ filename: "a.db " }, 'Invalid filename="a.db ": must not begin or end with white space', `filename: ${path_}`],
    [{ name: "" }, 'Invalid name="": must be a name that is not empty', 'name: give a name such as "my-app"'],
    [
      { filename: "a.db", name: "a" },
      'Invalid filename="a.db": cannot be given together with name',
      "filename: give one of filename and name"
    ],
    [
      { file: "a.db" },
      'Invalid file="a.db": is not an option here',
      "file: known options: busyTimeout, filename, maxBytes, name"
    ],
    [
      { busyTimeout: "30 days" },
      'Invalid busyTimeout="30 days": must be finite, 2^31 - 1 milliseconds at most',
      'busyTimeout: use a duration such as "1 second"'
    ]
  ]
  for (const [options, message, hint] of cases) {
    it.effect(JSON.stringify(options), () =>
      Effect.gen(function* () {
        // as a program without types may call it
        const error = yield* refused(SqliteStore.layer(options as SqliteStore.Options))
        assert.deepStrictEqual([error._tag, error.message, error.hint], ["InvalidConfig", message, hint])
      })
    )
  }

  it.effect("all that is wrong is told at once, and nothing is made", () =>
    Effect.gen(function* () {
      const error = yield* refused(SqliteStore.layer({ name: "", busyTimeout: "Infinity", wal: true } as object))
      assert.strictEqual(error._tag, "InvalidConfig")
      assert.deepStrictEqual(
        (error as CacheError.InvalidConfig).issues.map((issue) => issue.field),
        ["name", "busyTimeout", "wal"]
      )
    })
  )
})
