import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import { assert, describe, it } from "@effect/vitest"
import {
  Cause,
  ConfigError,
  ConfigProvider,
  Context,
  Deferred,
  Duration,
  Effect,
  Either,
  Equal,
  Exit,
  Fiber,
  Layer,
  Logger,
  Schema,
  TestClock
} from "effect"
import * as CacheConfig from "effect-larder/CacheConfig"
import * as CacheError from "effect-larder/CacheError"
import fc from "fast-check"
import * as fs from "node:fs"
import * as os from "node:os"
import * as nodePath from "node:path"
import { fileURLToPath } from "node:url"
import { settings } from "../../src/internal/configFields.js"
import { memoryLimit } from "../../src/internal/configFile.js"
import { decodeDuration, formatDuration } from "../../src/internal/duration.js"

const environment = (variables: Record<string, string> = {}) =>
  Layer.setConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(variables))))

const make = (options: CacheConfig.Options = {}, variables: Record<string, string> = {}) =>
  Effect.provide(CacheConfig.make(options), environment(variables))

const issues = (options: object, variables: Record<string, string> = {}) =>
  // as a user without types would
  Effect.map(Effect.flip(make(options as CacheConfig.Options, variables)), (error) =>
    error.issues.map(({ field, reason }) => `${field}: ${reason}`)
  )

const temporary = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(nodePath.join(os.tmpdir(), "larder-config-"))),
  (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true, force: true }))
)

/** The platform as it is when a program is started in `folder`. */
const platformIn = (folder: string) =>
  Layer.merge(
    NodeFileSystem.layer,
    Layer.map(NodePath.layer, (context) => {
      const path = Context.get(context, Path.Path)
      return Context.make(Path.Path, { ...path, resolve: (...parts) => path.resolve(folder, ...parts) })
    })
  )

const makeIn = (folder: string, options: CacheConfig.Options = {}, variables: Record<string, string> = {}) =>
  Effect.provide(CacheConfig.makeFile(options), Layer.merge(platformIn(folder), environment(variables)))

const write = (folder: string, name: string, text: string) => {
  fs.mkdirSync(folder, { recursive: true })
  fs.writeFileSync(nodePath.join(folder, name), text)
}

const logged = <A, E, R>(effect: Effect.Effect<A, E, R>) => {
  const lines: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => void lines.push(`${logLevel.label} ${String(message)}`))
  return Effect.as(Effect.provide(effect, Logger.replace(Logger.defaultLogger, logger)), lines)
}

/** Four different values of each setting, as they are written in code, a variable and a file. */
const samples: { readonly [F in CacheConfig.Field]: readonly [unknown, string, unknown] } = {
  timeToLive: ["1 minute", "2 minutes", "3 minutes"],
  staleWhileRevalidate: ["1 minute", "2 minutes", "3 minutes"],
  staleIfError: ["1 minute", "2 minutes", "3 minutes"],
  loadDeadline: ["1 minute", "2 minutes", "3 minutes"],
  waitFresh: ["1 minute", "2 minutes", "3 minutes"],
  waitStale: ["1 minute", "2 minutes", "3 minutes"],
  maxEntries: [1, "2", 3],
  maxBytes: [1, "2", 3],
  mode: ["reload", "no-store", "no-cache"],
  directory: ["/one", "/two", "/three"],
  keyHashing: ["hashed", "clear", "hashed"],
  filePermissions: ["shared", "private", "shared"],
  traceHits: [true, "no", true]
}
const fields = Object.keys(settings) as Array<CacheConfig.Field>

const shown = (config: CacheConfig.CacheConfig, field: CacheConfig.Field) =>
  CacheConfig.describe(config).find((row) => row.field === field)

const written = (value: unknown) => String(value).replace(/^1 minute$/, "1 minutes")

describe("defaults", () => {
  it.effect("nothing given: 10 000 entries, infinite life, private", () =>
    Effect.gen(function* () {
      const config = yield* make()
      assert.strictEqual(config.maxEntries, 10_000)
      assert.strictEqual(config.maxBytes, Infinity)
      assert.isFalse(Duration.isFinite(config.timeToLive))
      assert.strictEqual(Duration.toMillis(config.loadDeadline), 30_000)
      assert.strictEqual(config.filePermissions, "private")
      assert.strictEqual(config.keyHashing, "clear")
      assert.strictEqual(config.mode, "default")
      assert.isUndefined(config.directory)
      assert.isFalse(config.traceHits)
      assert.isTrue(Equal.equals(config, CacheConfig.defaults))
    })
  )

  it.effect("they are in force without any Layer", () =>
    Effect.map(CacheConfig.Current, (config) => assert.strictEqual(config, CacheConfig.defaults))
  )

  it.effect("a Layer puts settings in force inside and nowhere else", () =>
    Effect.gen(function* () {
      const layer = CacheConfig.layer({ capacity: 100, timeToLive: "60 seconds" })
      const inside = yield* Effect.provide(CacheConfig.Current, layer)
      assert.deepStrictEqual([inside.maxEntries, Duration.toMillis(inside.timeToLive)], [100, 60_000])
      assert.strictEqual((yield* CacheConfig.Current).maxEntries, 10_000)
    })
  )

  it("the guide's table has each setting with its default and its variable", () => {
    const guide = fs.readFileSync(new URL("../../docs/guide/configuration.md", import.meta.url), "utf8")
    const rows = guide
      .split("\n")
      .filter((line) => line.startsWith("| `"))
      .map((line) =>
        line
          .split("|")
          .slice(1, 4)
          .map((cell) => cell.trim().replace(/`/g, ""))
      )
    assert.deepStrictEqual(
      rows,
      CacheConfig.describe(CacheConfig.defaults).map(({ field, value }) => [field, value, settings[field].variable])
    )
  })
})

describe("who wins, setting by setting", () => {
  for (const field of fields) {
    it.scoped(`${field}: explicit, environment, file, default`, () =>
      Effect.gen(function* () {
        const folder = yield* temporary
        const [explicit, variable, inFile] = samples[field]
        const options = { [field]: explicit }
        const name = settings[field].variable
        const file = nodePath.join(folder, "larder.config.json")
        write(folder, "larder.config.json", JSON.stringify({ [field]: inFile }))
        const all = yield* makeIn(folder, options, { [name]: variable })
        assert.deepStrictEqual(shown(all, field), { field, value: written(explicit), source: "explicit" })
        const outer = yield* makeIn(folder, {}, { [name]: variable })
        const second = variable === "no" ? "false" : variable
        assert.deepStrictEqual(shown(outer, field), { field, value: second, source: `environment ${name}` })
        const third = yield* makeIn(folder)
        assert.deepStrictEqual(shown(third, field), { field, value: written(inFile), source: `file ${file}` })
        fs.rmSync(file)
        const last = yield* makeIn(folder)
        assert.deepStrictEqual(shown(last, field), shown(CacheConfig.defaults, field))
      })
    )
  }

  it.effect("unset, undefined and empty are absence, never 0", () =>
    Effect.gen(function* () {
      const variables = Object.fromEntries(fields.map((field) => [settings[field].variable, " "]))
      const options = Object.fromEntries(fields.map((field) => [field, undefined]))
      assert.isTrue(Equal.equals(yield* make(options, variables), CacheConfig.defaults))
    })
  )

  it.effect("a folder with a comma in its name is one folder", () =>
    Effect.map(make({}, { LARDER_DIR: "/a,b" }), (config) => assert.strictEqual(config.directory, "/a,b"))
  )
})

describe("valid values", () => {
  for (const millis of [0, 1, 100, 60_000, 2 ** 31 - 1, 2 ** 31, 2 ** 31 + 1, 0.5, Infinity]) {
    it.effect(`a duration of ${millis} ms is kept exactly`, () =>
      Effect.gen(function* () {
        const config = yield* make({ timeToLive: millis, waitStale: Duration.millis(millis) })
        assert.strictEqual(Duration.toMillis(config.timeToLive), millis)
        assert.strictEqual(Duration.toMillis(config.waitStale), millis)
        const text = formatDuration(config.timeToLive)
        const again = yield* make({}, { LARDER_TTL: text })
        assert.strictEqual(Duration.toMillis(again.timeToLive), millis)
      })
    )
  }

  it.effect("text is read as it is meant", () =>
    Effect.gen(function* () {
      const config = yield* make(
        {},
        {
          LARDER_TTL: " 0 ",
          LARDER_CAPACITY: "Infinity",
          LARDER_MAX_BYTES: "1e6",
          LARDER_TRACE_HITS: "YES",
          LARDER_WAIT_STALE: "1.5 seconds"
        }
      )
      assert.isTrue(Duration.isZero(config.timeToLive))
      assert.strictEqual(config.maxEntries, Infinity)
      assert.strictEqual(config.maxBytes, 1_000_000)
      assert.isTrue(config.traceHits)
      assert.strictEqual(Duration.toMillis(config.waitStale), 1_500)
    })
  )

  it("any duration is written so that it reads back as the same one", () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 10n ** 20n), (nanos) => {
        const duration = Duration.nanos(nanos)
        const read = Duration.decode(formatDuration(duration) as Duration.DurationInput)
        assert.strictEqual(Duration.toMillis(read), Duration.toMillis(duration))
      })
    )
  })

  it("no input makes a negative, a NaN or an exception", () => {
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withDate: true }), (input) => {
        const decoded = decodeDuration("field", input)
        if (Either.isRight(decoded)) assert.isTrue(decoded.right >= 0)
        else assert.strictEqual(decoded.left.field, "field")
      })
    )
  })
})

describe("invalid values", () => {
  const refused: ReadonlyArray<readonly [object, Record<string, string>, string]> = [
    [{ capacity: -1 }, {}, "capacity: must be positive"],
    [{ maxEntries: 0 }, {}, "maxEntries: must be positive"],
    [{ maxEntries: 1.5 }, {}, "maxEntries: must be an integer"],
    [{ maxEntries: NaN }, {}, "maxEntries: must be an integer"],
    [{ maxEntries: "5" }, {}, "maxEntries: must be an integer"],
    [{ maxEntries: null }, {}, "maxEntries: must be an integer"],
    [{ maxBytes: -Infinity }, {}, "maxBytes: must be positive"],
    [{ timeToLive: -1 }, {}, "timeToLive: must not be negative"],
    [{ timeToLive: "-1 seconds" }, {}, "timeToLive: must not be negative"],
    [{ timeToLive: -1n }, {}, "timeToLive: must not be negative"],
    [{ timeToLive: [-1, 0] }, {}, "timeToLive: must not be negative"],
    [{ timeToLive: -Infinity }, {}, "timeToLive: must not be negative"],
    [{ timeToLive: NaN }, {}, "timeToLive: must be a duration, not NaN"],
    [{ timeToLive: [NaN, 0] }, {}, "timeToLive: must be a duration, not NaN"],
    [{ timeToLive: "soon" }, {}, "timeToLive: must be a duration"],
    [{ timeToLive: {} }, {}, "timeToLive: must be a duration"],
    [{ timeToLive: null }, {}, "timeToLive: must be a duration"],
    [{ mode: "fresh" }, {}, "mode: must be one of default, no-store, reload, no-cache, force-cache, only-if-cached"],
    [{ keyHashing: "md5" }, {}, "keyHashing: must be one of clear, hashed"],
    [{ filePermissions: 0o600 }, {}, "filePermissions: must be one of private, shared"],
    [{ traceHits: "true" }, {}, "traceHits: must be true or false"],
    [{ directory: "" }, {}, "directory: must not be empty"],
    [{ directory: "a\0b" }, {}, "directory: must not contain NUL"],
    [{ directory: 5 }, {}, "directory: must be a path"],
    [{ capacity: 5, maxEntries: 6 }, {}, "maxEntries: maxEntries is given twice, with different values"],
    [{ ttl: 5 }, {}, "ttl: unknown option; did you mean timeToLive?"],
    [{ timeTolive: 5 }, {}, "timeTolive: unknown option; did you mean timeToLive?"],
    [{ maxEntires: 5 }, {}, "maxEntires: unknown option; did you mean maxEntries?"],
    [{ constructor: 5 }, {}, "constructor: unknown option"],
    [{ sources: {} }, {}, "sources: unknown option"],
    [{}, { LARDER_TTL: "300" }, "LARDER_TTL: must have a unit"],
    [{}, { LARDER_TTL: "-5 minutes" }, "LARDER_TTL: must not be negative"],
    [{}, { LARDER_TTL: "-5" }, "LARDER_TTL: must not be negative"],
    [{}, { LARDER_TTL: "NaN" }, "LARDER_TTL: must be a duration"],
    [{}, { LARDER_CAPACITY: "0" }, "LARDER_CAPACITY: must be positive"],
    [{}, { LARDER_CAPACITY: "0x10" }, "LARDER_CAPACITY: must be an integer"],
    [{}, { LARDER_CAPACITY: "many" }, "LARDER_CAPACITY: must be an integer"],
    [{}, { LARDER_TRACE_HITS: "perhaps" }, "LARDER_TRACE_HITS: must be true or false"]
  ]
  for (const [options, variables, expected] of refused) {
    it.effect(
      expected +
        ` (${Object.values({ ...options, ...variables })
          .map(String)
          .join(", ")})`,
      () => Effect.map(issues(options, variables), (found) => assert.deepStrictEqual(found, [expected]))
    )
  }

  it.effect("both names of a capacity may be given when they agree", () =>
    Effect.map(make({ capacity: 5, maxEntries: 5 }), (config) => assert.strictEqual(config.maxEntries, 5))
  )

  it.scoped("all issues of all sources are in one error, also those that would have been overridden", () =>
    Effect.gen(function* () {
      const folder = yield* temporary
      write(folder, "larder.config.toml", "timeToLive = 300\nmax_bytes = 0\nttl = 1\n")
      const error = yield* Effect.flip(
        makeIn(folder, { timeToLive: -1, maxBytes: 5, mode: "reload" }, { LARDER_MODE: "fresh" })
      )
      assert.instanceOf(error, CacheError.InvalidConfig)
      assert.deepStrictEqual(
        error.issues.map(({ field }) => field),
        ["timeToLive", "LARDER_MODE", "timeToLive", "max_bytes", "ttl"]
      )
      assert.include(error.message, "Invalid timeToLive=-1: must not be negative")
      assert.include(error.hint, nodePath.join(folder, "larder.config.toml"))
      assert.include(error.hint, 'write "300 seconds" or "300 millis"')
      for (const issue of error.issues) assert.isAbove(issue.hint.length, 5)
      assert.deepStrictEqual(fs.readdirSync(folder), ["larder.config.toml"], "checking makes nothing")
    })
  )

  it.effect("an unknown option's hint names the known ones", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(make({ colour: "red" } as CacheConfig.Options))
      for (const field of fields) assert.include(error.hint, field)
    })
  )

  it.effect("a provider that fails is an issue under the variable's name", () =>
    Effect.gen(function* () {
      const broken = ConfigProvider.fromFlat(
        ConfigProvider.makeFlat({
          load: (path) => Effect.fail(ConfigError.SourceUnavailable([...path], "vault is sealed", Cause.empty)),
          enumerateChildren: () => Effect.die("not asked"),
          patch: ConfigProvider.fromMap(new Map()).flattened.patch
        })
      )
      const error = yield* Effect.flip(Effect.withConfigProvider(CacheConfig.make(), broken))
      assert.strictEqual(error.issues.length, fields.length)
      assert.strictEqual(error.issues[0]?.field, "LARDER_TTL")
      assert.include(error.message, "vault is sealed")
    })
  )

  it.effect("a Layer fails with the same, typed", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(Layer.build(CacheConfig.layer({ capacity: 0 })).pipe(Effect.scoped))
      assert.isTrue(Exit.isFailure(exit) && Cause.isFailType(exit.cause))
    })
  )
})

describe("many entries", () => {
  it.effect("above 1 000 000 works and warns once", () =>
    Effect.gen(function* () {
      const layer = CacheConfig.layer({ maxEntries: 1_000_001 })
      const both = Layer.build(Layer.merge(layer, layer)).pipe(Effect.scoped)
      const lines = yield* logged(
        Effect.map(both, (context) =>
          assert.strictEqual(Context.get(context, CacheConfig.Current).maxEntries, 1_000_001)
        )
      )
      assert.deepStrictEqual(lines, [
        "WARN larder: maxEntries=1000001 may cause memory issues",
        "INFO larder: settings: maxEntries 1000001 instead of 10000 (explicit)"
      ])
      assert.deepStrictEqual(yield* logged(make({ maxEntries: 1_000_000 })), [])
    })
  )
})

describe("immutability", () => {
  it.effect("changing the object passed in changes nothing", () =>
    Effect.gen(function* () {
      const options: { -readonly [F in keyof CacheConfig.Options]: CacheConfig.Options[F] } = { capacity: 5 }
      const layer = CacheConfig.layer(options)
      options.capacity = 6
      assert.strictEqual((yield* Effect.provide(CacheConfig.Current, layer)).maxEntries, 5)
    })
  )

  it("a config refuses to be changed", () => {
    const loose: { maxEntries: number; sources: Record<string, string> } = { ...CacheConfig.defaults }
    assert.throws(() => Object.assign(CacheConfig.defaults, { maxEntries: 1 }), TypeError)
    assert.throws(() => Object.assign(CacheConfig.defaults.sources, { mode: "x" }), TypeError)
    assert.strictEqual(loose.maxEntries, CacheConfig.defaults.maxEntries)
  })
})

describe("the Schema", () => {
  it.effect("encodes to a plain object of JSON and back", () =>
    Effect.gen(function* () {
      const config = yield* make({ timeToLive: "90 seconds", maxBytes: 5, directory: "/x" }, { LARDER_MODE: "reload" })
      const plain = JSON.parse(JSON.stringify(yield* Schema.encode(CacheConfig.CacheConfig)(config)))
      assert.strictEqual(plain.timeToLive, "90 seconds")
      assert.strictEqual(plain.maxEntries, 10_000)
      assert.strictEqual(plain.waitFresh, "Infinity")
      const again = yield* Schema.decodeUnknown(CacheConfig.CacheConfig)(plain)
      assert.isTrue(Equal.equals(again, config))
      assert.deepStrictEqual(CacheConfig.describe(again), CacheConfig.describe(config))
    })
  )

  it.effect("decoding refuses what options refuse, in the same words", () =>
    Effect.gen(function* () {
      for (const plain of [{ timeToLive: -1 }, { maxEntries: 0 }, { directory: "" }, { maxBytes: 0.5 }]) {
        const [issue] = yield* issues(plain)
        const error = yield* Effect.flip(Schema.decodeUnknown(CacheConfig.CacheConfig)(plain))
        assert.include(error.message, String(issue?.split(": ")[1]))
      }
    })
  )
})

describe("building", () => {
  it.effect("by pipe, without changing what is built upon", () =>
    Effect.gen(function* () {
      const five = CacheConfig.empty.pipe(CacheConfig.set("timeToLive", "5 minutes"))
      const options = five.pipe(CacheConfig.set("maxEntries", 100), CacheConfig.set("maxEntries", 50))
      const config = yield* make(options)
      assert.deepStrictEqual([config.maxEntries, Duration.toMinutes(config.timeToLive)], [50, 5])
      assert.deepStrictEqual(Object.keys(five), ["timeToLive"])
      assert.deepStrictEqual(Object.keys(CacheConfig.empty), [])
      assert.strictEqual(CacheConfig.set({}, "mode", "reload").mode, "reload")
    })
  )

  it.effect("extend inherits what the patch leaves out, values and sources", () =>
    Effect.gen(function* () {
      const parent = yield* make({ timeToLive: "1 hour" }, { LARDER_CAPACITY: "7" })
      const child = yield* CacheConfig.extend(parent, { timeToLive: 5, mode: undefined })
      assert.deepStrictEqual([child.maxEntries, Duration.toMillis(child.timeToLive)], [7, 5])
      assert.strictEqual(shown(child, "maxEntries")?.source, "environment LARDER_CAPACITY")
      assert.strictEqual(Duration.toHours(parent.timeToLive), 1)
      const error = Either.flip(CacheConfig.extend({ capacity: 0 })(parent))
      assert.instanceOf(Either.getOrThrow(error), CacheError.InvalidConfig)
    })
  )
})

describe("the file", () => {
  const read = (name: string, text: string) =>
    Effect.gen(function* () {
      const folder = yield* temporary
      write(folder, name, text)
      return yield* Effect.either(makeIn(folder, {}, { LARDER_CONFIG: name }))
    }).pipe(Effect.scoped)

  it.scoped("is found upward from the working directory, the nearest one first", () =>
    Effect.gen(function* () {
      const root = yield* temporary
      const inner = nodePath.join(root, "a", "b", "c")
      write(root, "larder.config.yaml", "maxEntries: 1")
      write(nodePath.join(root, "a", "b"), "larder.config.toml", "maxEntries = 2")
      fs.mkdirSync(inner)
      assert.strictEqual((yield* makeIn(inner)).maxEntries, 2)
      assert.strictEqual((yield* makeIn(nodePath.join(root, "a"))).maxEntries, 1)
    })
  )

  it.scoped("LARDER_CONFIG names another, and that alone is read", () =>
    Effect.gen(function* () {
      const root = yield* temporary
      write(root, "larder.config.yaml", "maxEntries: 1\nmode: reload")
      write(root, "other.json", '{ "maxEntries": 2 }')
      const config = yield* makeIn(root, {}, { LARDER_CONFIG: "other.json" })
      assert.deepStrictEqual([config.maxEntries, config.mode], [2, "default"])
      const error = yield* Effect.flip(makeIn(root, {}, { LARDER_CONFIG: "none.json" }))
      assert.strictEqual(error.message, 'Invalid LARDER_CONFIG="none.json": there is no such file')
    })
  )

  it.scoped("two in one folder are refused", () =>
    Effect.gen(function* () {
      const root = yield* temporary
      write(root, "larder.config.yaml", "")
      write(root, "larder.config.json", "{}")
      const error = yield* Effect.flip(makeIn(root))
      assert.include(error.message, "one configuration file")
    })
  )

  it.effect("may be empty, have a byte order mark, notes, and names in any case", () =>
    Effect.gen(function* () {
      for (const name of ["c.toml", "c.yaml", "c.json"]) {
        assert.isTrue(Either.isRight(yield* read(name, "")), name)
      }
      const config = yield* yield* read("c.json", '\uFEFF{"$note": 1, "max-entries": 5, "time_to_live": "1 day"}')
      assert.deepStrictEqual([config.maxEntries, Duration.toDays(config.timeToLive)], [5, 1])
    })
  )

  it.effect("knows each format's own infinity", () =>
    Effect.gen(function* () {
      const toml = yield* yield* read("c.toml", "maxEntries = inf\nloadDeadline = inf")
      const yaml = yield* yield* read("c.yaml", "maxEntries: .inf\nloadDeadline: .inf")
      for (const config of [toml, yaml]) {
        assert.deepStrictEqual([config.maxEntries, Duration.isFinite(config.loadDeadline)], [Infinity, false])
      }
    })
  )

  const wrong: ReadonlyArray<readonly [string, string, string]> = [
    ["c.toml", "a = ", "is not valid toml"],
    ["c.yaml", "a: [", "is not valid yaml"],
    ["c.json", "{", "is not valid json"],
    ["c.json", "[]", "must hold settings by name"],
    ["c.yaml", "text", "must hold settings by name"],
    ["c.ini", "", "has an unknown ending"],
    ["c.toml", "timeToLive = 2026-01-01", "must be a duration"],
    ["c.json", '{"timeToLive": null}', "must be a duration"],
    ["c.json", '{"__proto__": {"mode": "reload"}}', "unknown option"],
    ["c.yaml", "max-entries: 1\nmaxEntries: 2", "is given twice"]
  ]
  for (const [name, text, reason] of wrong) {
    it.effect(`${name} with ${JSON.stringify(text)} ${reason}`, () =>
      Effect.gen(function* () {
        const error = Either.getOrThrow(Either.flip(yield* read(name, text)))
        assert.include(error.message, reason)
        assert.include(error.message + error.hint, name)
      })
    )
  }

  it.scoped("a folder of that name is an issue, not a crash", () =>
    Effect.gen(function* () {
      const root = yield* temporary
      fs.mkdirSync(nodePath.join(root, "larder.config.json"))
      assert.include((yield* Effect.flip(makeIn(root))).message, "cannot be read")
    })
  )

  it.scoped("a relative directory is relative to the file", () =>
    Effect.gen(function* () {
      const root = yield* temporary
      write(root, "larder.config.toml", 'directory = "data"')
      const inner = nodePath.join(root, "inner")
      fs.mkdirSync(inner)
      assert.strictEqual((yield* makeIn(inner)).directory, nodePath.join(root, "data"))
    })
  )

  const templates = fileURLToPath(new URL("../../examples/config", import.meta.url))
  for (const name of ["larder.config.toml", "larder.config.yaml", "larder.config.json"]) {
    it.effect(`the template ${name} holds every setting with its default`, () =>
      Effect.gen(function* () {
        const config = yield* makeIn(templates, {}, { LARDER_CONFIG: name })
        const file = `file ${nodePath.join(templates, name)}`
        assert.deepStrictEqual(
          CacheConfig.describe(config),
          CacheConfig.describe(CacheConfig.defaults).map((row) => ({
            ...row,
            source: row.field === "directory" ? ("default" as const) : (file as CacheConfig.Source)
          }))
        )
      })
    )
  }

  it.effect("the examples in the guide are valid", () =>
    Effect.gen(function* () {
      const guide = fs.readFileSync(new URL("../../docs/guide/configuration.md", import.meta.url), "utf8")
      const blocks = [...guide.matchAll(/^```(toml|yaml|json)\n([\s\S]*?)^```/gm)]
      assert.strictEqual(blocks.length, 3)
      for (const [, ending, text] of blocks) {
        const config = yield* yield* read(`c.${ending}`, text ?? "")
        assert.isAbove(CacheConfig.describe(config).filter(({ source }) => source.startsWith("file ")).length, 2)
      }
    })
  )
})

describe("memoryLimit", () => {
  const limit = (files: Record<string, string>) =>
    Effect.provideService(memoryLimit, FileSystem.FileSystem, {
      ...FileSystem.makeNoop({}),
      ...FileSystem.makeNoop({
        readFileString: (file) => {
          const text = files[file]
          return text === undefined ? FileSystem.makeNoop({}).readFileString(file) : Effect.succeed(text)
        }
      })
    })

  it.effect("is the cgroup's, of either version, and undefined without one", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* limit({ "/sys/fs/cgroup/memory.max": "536870912\n" }), 536_870_912)
      assert.strictEqual(yield* limit({ "/sys/fs/cgroup/memory/memory.limit_in_bytes": "1048576\n" }), 1_048_576)
      assert.isUndefined(yield* limit({ "/sys/fs/cgroup/memory.max": "max\n" }))
      assert.isUndefined(yield* limit({ "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712" }))
      assert.isUndefined(yield* limit({}))
    })
  )
})

describe("locally", () => {
  const inForce = Effect.withFiberRuntime<CacheConfig.Local | undefined>((fiber) =>
    Effect.succeed(CacheConfig.localOf(fiber.currentContext))
  )

  it.effect("is in force inside only, decoded to milliseconds, data-first and data-last", () =>
    Effect.gen(function* () {
      const options = { mode: "reload", timeToLive: "600 seconds", waitStale: "Infinity", tags: ["a"] } as const
      const inside = yield* inForce.pipe(CacheConfig.locally(options))
      assert.deepStrictEqual(inside, {
        mode: "reload",
        timeToLive: 600_000,
        staleWhileRevalidate: undefined,
        staleIfError: undefined,
        loadDeadline: undefined,
        waitFresh: undefined,
        waitStale: Infinity,
        traceHits: undefined,
        tags: ["a"]
      })
      assert.deepStrictEqual(yield* CacheConfig.locally(inForce, options), inside)
      assert.isTrue(Object.isFrozen(inside) && Object.isFrozen(inside?.tags))
      assert.isUndefined(yield* inForce)
    })
  )

  it.effect("nests: inner settings win, also 0 and false, the rest is inherited, tags add up", () =>
    Effect.gen(function* () {
      const inner = yield* inForce.pipe(
        CacheConfig.locally({ timeToLive: 0, traceHits: false, tags: ["b", "a"] }),
        CacheConfig.locally({ mode: "no-cache", timeToLive: 5, staleIfError: 7, traceHits: true, tags: ["a", "c"] })
      )
      assert.deepStrictEqual(
        [inner?.mode, inner?.timeToLive, inner?.staleIfError, inner?.traceHits, inner?.tags],
        ["no-cache", 0, 7, false, ["a", "c", "b"]]
      )
      const outer = yield* inForce.pipe(Effect.tap(CacheConfig.locally(Effect.void, { mode: "reload" })))
      assert.isUndefined(outer)
      const inherited = yield* inForce.pipe(
        CacheConfig.locally({ mode: "reload" }),
        CacheConfig.locally({ tags: ["a"] })
      )
      assert.deepStrictEqual(inherited?.tags, ["a"])
    })
  )

  it.effect("is inherited by forks, and parallel ones do not see each other's", () =>
    Effect.gen(function* () {
      const mode = Effect.map(inForce, (local) => local?.mode)
      const gate = yield* Deferred.make<void>()
      const child = yield* Effect.fork(Effect.zipRight(Deferred.await(gate), mode)).pipe(
        CacheConfig.locally({ mode: "reload" })
      )
      const modes = yield* Effect.all(
        [
          mode.pipe(Effect.delay(0), CacheConfig.locally({ mode: "no-store" })),
          mode,
          mode.pipe(CacheConfig.locally({ mode: "no-cache" }))
        ],
        { concurrency: "unbounded" }
      ).pipe(Effect.fork)
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(yield* Fiber.join(child), "reload")
      yield* Effect.yieldNow()
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(yield* Fiber.join(modes), ["no-store", undefined, "no-cache"])
    })
  )

  it.effect("is undone on failure, defect and interruption", () =>
    Effect.gen(function* () {
      const exits = [Effect.fail("no"), Effect.die("broken"), Effect.interrupt, Effect.void]
      for (const exit of exits) {
        yield* Effect.exit(CacheConfig.locally(exit, { mode: "reload" }))
        assert.isUndefined(yield* inForce)
      }
    })
  )

  it.effect("keeps the services of the effect it wraps", () =>
    Effect.gen(function* () {
      class Db extends Context.Tag("test/Db")<Db, number>() {}
      const both = Effect.all([Db, inForce]).pipe(
        CacheConfig.locally({ mode: "reload" }),
        Effect.provideService(Db, 42)
      )
      assert.strictEqual((yield* both)[0], 42)
    })
  )

  it.effect("a bad option is a defect with every issue; the effect does not run", () =>
    Effect.gen(function* () {
      let ran = false
      // as a user without types would
      const options: object = { timeToLive: -1, waitFresh: NaN, mode: "fresh", tags: "a", traceHits: 1, maxEntries: 5 }
      const wrapped = CacheConfig.locally(
        Effect.sync(() => (ran = true)),
        options as CacheConfig.LocalOptions
      )
      const exit = yield* Effect.exit(wrapped)
      assert.isTrue(Exit.isFailure(exit) && Cause.isDie(exit.cause))
      const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
      assert.instanceOf(error, CacheError.InvalidConfig)
      assert.deepStrictEqual(
        (error as CacheError.InvalidConfig).issues.map(({ field }) => field),
        ["timeToLive", "waitFresh", "mode", "tags", "traceHits", "maxEntries"]
      )
      assert.isFalse(ran)
    })
  )

  it.effect("options are checked and read once, when it is called", () =>
    Effect.gen(function* () {
      let reads = 0
      const tags = ["a"]
      const local = CacheConfig.locally({
        tags,
        get timeToLive() {
          reads++
          return 5
        }
      })
      tags.push("b")
      for (const _ of [1, 2, 3]) assert.deepStrictEqual((yield* local(inForce))?.tags, ["a"])
      assert.strictEqual(reads, 1)
    })
  )
})
