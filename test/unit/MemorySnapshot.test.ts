/** Snapshots of a memory store: what comes back, what must not, and bytes of all kinds. */
import { FileSystem, Path } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { SystemError } from "@effect/platform/Error"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Logger, Schema, type Scope, TestClock } from "effect"
import { Cache, type CacheError, MemoryStore } from "effect-larder"
import { LeakOracle } from "effect-larder/testing"
import fc from "fast-check"
import * as fs from "node:fs"
import * as path from "node:path"
import * as Checksum from "../../src/codec/internal/checksum.js"
import { folder } from "../fixtures/sqlite/common.js"

const text = { key: Schema.String, success: Schema.String }
const never = (key: string) => Effect.succeed(`loaded ${key}`)
const texts = (name = "texts") => Cache.make(name, { ...text, lookup: never, tags: (_value, key) => [key] })

/** A new store, as a new process would have it. */
const life =
  (options: MemoryStore.Options = {}) =>
  <A, E>(
    self: Effect.Effect<A, E, MemoryStore.Provided | Scope.Scope>
  ): Effect.Effect<A, E | CacheError.InvalidConfig> =>
    self.pipe(Effect.scoped, Effect.provide(MemoryStore.layer(options)))

const snapshot = Effect.flatMap(MemoryStore.Controls, (controls) => controls.snapshot)
const restore = (bytes: Uint8Array) => Effect.flatMap(MemoryStore.Controls, (controls) => controls.restore(bytes))
const usage = Effect.flatMap(MemoryStore.Controls, (controls) => controls.usage)

const written = (count: number, name?: string) =>
  Effect.gen(function* () {
    const cache = yield* texts(name)
    for (let n = 0; n < count; n++) yield* cache.set(`${n}`, `kept ${n}`)
    return yield* snapshot
  })

describe("MemoryStore: snapshots", () => {
  it.effect("another life begins with the entries: no load, whether the cache was open at the restore or not", () =>
    Effect.gen(function* () {
      const bytes = yield* written(10).pipe(life())
      yield* Effect.gen(function* () {
        assert.deepStrictEqual(yield* restore(bytes), { restored: 0, waiting: 10, damaged: 0 })
        const cache = yield* texts()
        assert.strictEqual(yield* cache.get("7"), "kept 7")
        assert.strictEqual((yield* cache.stats).fresh, 1)
      }).pipe(life())
      yield* Effect.gen(function* () {
        const cache = yield* texts()
        assert.deepStrictEqual(yield* restore(bytes), { restored: 10, waiting: 0, damaged: 0 })
        assert.strictEqual(yield* cache.get("7"), "kept 7")
      }).pipe(life())
    }).pipe(LeakOracle.check)
  )

  it.effect("the hottest come first: they are what a smaller store begins with", () =>
    Effect.gen(function* () {
      const bytes = yield* Effect.gen(function* () {
        const cache = yield* texts()
        for (let n = 0; n < 100; n++) yield* cache.set(`${n}`, `kept ${n}`)
        for (let times = 0; times < 3; times++) for (const key of ["11", "42", "77"]) yield* cache.get(key)
        return yield* snapshot
      }).pipe(life({ policy: "lru" }))
      yield* Effect.gen(function* () {
        const cache = yield* texts()
        assert.strictEqual((yield* restore(bytes)).restored, 3)
        for (const key of ["11", "42", "77"]) assert.isTrue(yield* cache.has(key), key)
        assert.deepStrictEqual((yield* usage).removals.size, 0)
      }).pipe(life({ capacity: 3 }))
      yield* Effect.gen(function* () {
        yield* texts()
        yield* restore(bytes)
        assert.isAtMost((yield* usage).bytes, 5_000)
        assert.isAbove((yield* usage).entries, 3)
      }).pipe(life({ maxBytes: 5_000 }))
    }).pipe(LeakOracle.check)
  )

  it.effect("what was written or invalidated in this life wins", () =>
    Effect.gen(function* () {
      const bytes = yield* written(10).pipe(life())
      yield* Effect.gen(function* () {
        const cache = yield* texts()
        yield* cache.set("0", "new")
        yield* cache.invalidate("1")
        yield* cache.invalidateTags(["2"])
        yield* restore(bytes)
        assert.strictEqual(yield* cache.get("0"), "new")
        assert.strictEqual(yield* cache.get("1"), "loaded 1")
        assert.strictEqual(yield* cache.get("2"), "loaded 2")
        assert.strictEqual(yield* cache.get("3"), "kept 3")
      }).pipe(life())
      yield* Effect.gen(function* () {
        const cache = yield* texts()
        yield* cache.clear
        assert.strictEqual((yield* restore(bytes)).restored, 0)
      }).pipe(life())
    }).pipe(LeakOracle.check)
  )

  it.effect("what is over, or outdated, is not in it; what ends meanwhile does not come back", () =>
    Effect.gen(function* () {
      const bytes = yield* Effect.gen(function* () {
        const cache = yield* texts()
        yield* cache.set("over", "v", { timeToLive: "1 minute" })
        yield* cache.set("ending", "v", { timeToLive: "3 minutes" })
        yield* cache.set("staying", "v", { timeToLive: "1 hour" })
        yield* cache.get("outdated")
        yield* cache.invalidateTags(["outdated"])
        yield* TestClock.adjust("2 minutes")
        return yield* snapshot
      }).pipe(life({ sweepEvery: Infinity }))
      yield* Effect.gen(function* () {
        assert.strictEqual((yield* restore(bytes)).waiting, 2)
        yield* TestClock.adjust("2 minutes")
        const cache = yield* texts()
        assert.deepStrictEqual([yield* cache.has("ending"), yield* cache.has("staying")], [false, true])
        yield* TestClock.adjust("1 hour")
        assert.isFalse(yield* cache.has("staying"), "its life has not begun anew")
      }).pipe(life())
    }).pipe(LeakOracle.check)
  )

  it.effect("values never change type: another Schema, or none, and nothing comes back", () =>
    Effect.gen(function* () {
      const bytes = yield* written(3).pipe(life())
      yield* Effect.gen(function* () {
        yield* restore(bytes)
        const cache = yield* Cache.make("texts", {
          key: Schema.String,
          success: Schema.Struct({ text: Schema.String }),
          lookup: (key: string) => Effect.succeed({ text: key })
        })
        assert.deepStrictEqual(yield* cache.get("1"), { text: "1" })
      }).pipe(life())
      yield* Effect.gen(function* () {
        yield* restore(bytes)
        const cache = yield* Cache.make("texts", { lookup: never })
        assert.strictEqual(yield* cache.get("1"), "loaded 1")
        const without = yield* snapshot
        assert.deepStrictEqual(yield* restore(without), { restored: 0, waiting: 0, damaged: 0 }, "without a Schema")
      }).pipe(life())
    }).pipe(LeakOracle.check)
  )

  it.effect("any cut and any flipped bit costs records, never truth, and never hangs", () =>
    Effect.gen(function* () {
      const bytes = yield* written(5).pipe(life())
      yield* Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(
            fc.nat(bytes.length),
            fc.option(fc.nat(bytes.length * 8 - 1), { nil: undefined }),
            (length, bit) =>
              Effect.gen(function* () {
                const damaged = bytes.slice(0, length)
                if (bit !== undefined && bit >> 3 < length) damaged[bit >> 3]! ^= 1 << (bit & 7)
                const cache = yield* texts()
                const exit = yield* Effect.exit(restore(damaged))
                if (Exit.isFailure(exit)) {
                  assert.strictEqual((yield* Effect.flip(restore(damaged)))._tag, "CodecError")
                  assert.isTrue(length < 5 || (bit !== undefined && bit < 40), "only what has no head is no snapshot")
                  return
                }
                assert.isAtMost(exit.value.restored, 5)
                for (let n = 0; n < 5; n++) assert.include([`kept ${n}`, `loaded ${n}`], yield* cache.get(`${n}`))
              }).pipe(life(), Effect.runPromise)
          ),
          { numRuns: 300 }
        )
      )
    })
  )

  it.effect("a record with the right checksum that is none is passed over, and the others are not", () =>
    Effect.gen(function* () {
      const bytes = yield* written(1).pipe(life())
      for (const head of ["", "no JSON", "{}", '["texts", 1, "0"]', "\u0000"]) {
        const text = new TextEncoder().encode(head)
        const forged = new Uint8Array(8 + text.length + Checksum.size)
        new DataView(forged.buffer).setUint32(0, text.length, true)
        forged.set(text, 8)
        Checksum.write(forged, 8 + text.length)
        const both = Uint8Array.from([...bytes.subarray(0, 5), ...forged, ...bytes.subarray(5)])
        const restored = yield* Effect.zipRight(texts(), restore(both)).pipe(life())
        assert.deepStrictEqual(restored, { restored: 1, waiting: 0, damaged: 1 }, head)
      }
    }).pipe(LeakOracle.check)
  )

  it.effect("names and keys of all kinds come back", () =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(fc.uniqueArray(fc.string({ unit: "binary" }), { maxLength: 10 }), (keys) =>
          Effect.gen(function* () {
            const bytes = yield* Effect.gen(function* () {
              const cache = yield* texts("h\u00e4m \u{1f600}")
              for (const key of keys) yield* cache.set(key, `kept ${key}`)
              return yield* snapshot
            }).pipe(life())
            yield* Effect.gen(function* () {
              yield* restore(bytes)
              const cache = yield* texts("h\u00e4m \u{1f600}")
              for (const key of keys) assert.strictEqual(yield* cache.get(key), `kept ${key}`)
            }).pipe(life())
          }).pipe(Effect.runPromise)
        ),
        { numRuns: 100 }
      )
    )
  )
})

describe("MemoryStore.layerSnapshot", () => {
  const run =
    (file: string, logged: Array<string> = []) =>
    <A, E>(self: Effect.Effect<A, E, MemoryStore.Provided | Scope.Scope>) =>
      self.pipe(
        Effect.scoped,
        Effect.provide(Layer.provide(MemoryStore.layerSnapshot({ file }), NodeContext.layer)),
        Effect.provide(
          Logger.replace(
            Logger.defaultLogger,
            Logger.make(({ message }) => logged.push(String(message)))
          )
        )
      )

  it.effect("each life begins where the last has ended; in between the file is its owner's alone", () =>
    Effect.gen(function* () {
      const file = path.join(yield* folder, "made", "on demand", "cache.snapshot")
      const logged: Array<string> = []
      yield* written(10).pipe(run(file, logged))
      assert.strictEqual(fs.statSync(file).mode & 0o777, 0o600)
      yield* Effect.gen(function* () {
        assert.isFalse(fs.existsSync(file), "a crash from here on must not bring back what is invalidated")
        const cache = yield* texts()
        assert.strictEqual(yield* cache.get("3"), "kept 3")
        yield* cache.invalidate("4")
      }).pipe(run(file, logged))
      yield* Effect.gen(function* () {
        const cache = yield* texts()
        assert.strictEqual(yield* cache.get("3"), "kept 3")
        assert.strictEqual(yield* cache.get("4"), "loaded 4")
      }).pipe(run(file, logged))
      assert.deepStrictEqual(fs.readdirSync(path.dirname(file)), ["cache.snapshot"], "nothing else is left")
      assert.deepStrictEqual(logged, [])
    }).pipe(Effect.scoped, LeakOracle.check)
  )

  it.effect("what a life did not open is not lost", () =>
    Effect.gen(function* () {
      const file = path.join(yield* folder, "cache.snapshot")
      yield* written(3).pipe(run(file))
      yield* written(3, "__proto__").pipe(run(file))
      yield* written(3, "others").pipe(run(file))
      yield* Effect.gen(function* () {
        const cache = yield* texts()
        assert.strictEqual(yield* cache.get("1"), "kept 1")
        const other = yield* texts("__proto__")
        assert.strictEqual(yield* other.get("1"), "kept 1")
      }).pipe(run(file))
    }).pipe(Effect.scoped, LeakOracle.check)
  )

  it.effect("what is no snapshot is a cold start and a warning", () =>
    Effect.gen(function* () {
      const file = path.join(yield* folder, "cache.snapshot")
      for (const content of ["", "not one", "LRDS\u0009"]) {
        const logged: Array<string> = []
        fs.writeFileSync(file, content)
        yield* written(1).pipe(run(file, logged))
        assert.lengthOf(logged, 1, content)
        assert.include(logged[0], "starts empty")
      }
    }).pipe(Effect.scoped, LeakOracle.check)
  )

  it.effect("a disk that fails costs a warning, not the program; what cannot be taken away is not taken in", () =>
    Effect.gen(function* () {
      const file = path.join(yield* folder, "cache.snapshot")
      yield* written(3).pipe(run(file))
      const logged: Array<string> = []
      const real = yield* Effect.provide(FileSystem.FileSystem, NodeContext.layer)
      const failing = (method: string) =>
        Effect.fail(
          new SystemError({ module: "FileSystem", method, reason: "PermissionDenied", pathOrDescriptor: file })
        )
      const broken = Layer.mergeAll(
        Layer.succeed(FileSystem.FileSystem, {
          ...real,
          remove: () => failing("remove"),
          writeFile: () => failing("writeFile")
        }),
        Path.layer
      )
      const result = yield* Effect.gen(function* () {
        const cache = yield* texts()
        return yield* cache.get("1")
      }).pipe(
        Effect.scoped,
        Effect.provide(Layer.provide(MemoryStore.layerSnapshot({ file }), broken)),
        Effect.provide(
          Logger.replace(
            Logger.defaultLogger,
            Logger.make(({ message }) => logged.push(String(message)))
          )
        )
      )
      assert.strictEqual(result, "loaded 1")
      assert.lengthOf(logged, 2)
      assert.include(logged[0], "starts empty")
      assert.include(logged[1], "was not written")
    }).pipe(Effect.scoped, LeakOracle.check)
  )

  it.effect("bad options are InvalidConfig before any file is touched", () =>
    Effect.gen(function* () {
      const file = path.join(yield* folder, "cache.snapshot")
      yield* written(1).pipe(run(file))
      const error = yield* Effect.flip(
        Effect.scoped(Layer.build(MemoryStore.layerSnapshot({ file, capacity: 0 }))).pipe(
          Effect.provide(NodeContext.layer)
        )
      )
      assert.strictEqual(error._tag, "InvalidConfig")
      const empty = yield* Effect.flip(
        Effect.scoped(Layer.build(MemoryStore.layerSnapshot({ file: "" }))).pipe(Effect.provide(NodeContext.layer))
      )
      assert.deepStrictEqual(
        empty.issues.map((issue) => issue.field),
        ["file"]
      )
      assert.isTrue(fs.existsSync(file))
    }).pipe(Effect.scoped)
  )
})
