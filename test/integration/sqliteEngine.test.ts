import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream, TestClock } from "effect"
import * as fc from "fast-check"
import type * as CacheStore from "../../src/CacheStore.js"
import * as Engine from "../../src/store/sqlite/engine.js"
import * as Schema from "../../src/store/sqlite/schema.js"
import * as Sweep from "../../src/store/sqlite/sweep.js"
import { engine, epoch, folder, open, read, row, text } from "../fixtures/sqlite/common.js"

const keysOf = (engine: CacheStore.Engine) =>
  Effect.map(Stream.runCollect(engine.scan), (rows) => [...rows].map((row) => row.key).sort())

describe("SQLite engine: rows", () => {
  it.scoped("gives back what was written, one place per key asked, in order", () =>
    Effect.gen(function* () {
      const store = yield* engine()
      yield* store.setMany([
        { key: "a", bytes: text("A"), tags: ["x", "y"], reclaimAt: 12.5, since: undefined },
        { key: "b", bytes: new Uint8Array(0), tags: [], reclaimAt: Infinity, since: undefined }
      ])
      const { rows } = yield* store.getMany(["b", "none", "a", "b"])
      assert.deepStrictEqual(rows, [
        { key: "b", bytes: new Uint8Array(0), tags: [], reclaimAt: Infinity },
        undefined,
        { key: "a", bytes: text("A"), tags: ["x", "y"], reclaimAt: 12.5 },
        { key: "b", bytes: new Uint8Array(0), tags: [], reclaimAt: Infinity }
      ])
      const one = yield* store.getMany(["a"])
      assert.deepStrictEqual(one.rows, [rows[2]])
      assert.strictEqual(Object.getPrototypeOf(one.rows[0]!.bytes), Uint8Array.prototype)
    })
  )

  it.scoped("does nothing, and raises nothing, when given nothing", () =>
    Effect.gen(function* () {
      const store = yield* engine()
      yield* store.setMany([])
      yield* store.bump([])
      assert.strictEqual(yield* store.deleteMany([]), 0)
      assert.deepStrictEqual(yield* store.getMany([]), { epoch: 0, rows: [] })
    })
  )

  it.scoped("counts and lists its own region only", () =>
    Effect.gen(function* () {
      const connection = yield* open()
      const a = yield* Engine.make(connection, "a")
      const b = yield* Engine.make(connection, "b")
      yield* a.setMany(Array.from({ length: 150 }, (_, index) => row(`key ${index}`, "four")))
      yield* b.setMany([row("key 1", "other"), row("", "empty key")])
      assert.strictEqual((yield* keysOf(a)).length, 150)
      assert.deepStrictEqual(yield* keysOf(b), ["", "key 1"])
      assert.deepStrictEqual(yield* a.size!(0), { entries: 150, bytes: 600 })
      assert.strictEqual(yield* a.clear, 150)
      assert.deepStrictEqual(yield* read(b, "key 1", ""), ["other", "empty key"])
      assert.deepStrictEqual(yield* a.size!(0), { entries: 0, bytes: 0 })
    })
  )

  it.scoped("sizes only what is not yet reclaimable, and serves even that", () =>
    Effect.gen(function* () {
      const store = yield* engine()
      yield* store.setMany([row("a", "1", { reclaimAt: 10 }), row("b", "22")])
      assert.deepStrictEqual(yield* store.size!(9), { entries: 2, bytes: 3 })
      assert.deepStrictEqual(yield* store.size!(10), { entries: 1, bytes: 2 })
      assert.deepStrictEqual(yield* read(store, "a"), ["1"])
    })
  )

  it.scoped("writes batches larger than one statement takes, as one", () =>
    Effect.gen(function* () {
      const store = yield* engine()
      const big = (key: string, fill: number, since?: number): CacheStore.RowWrite => ({
        key,
        bytes: new Uint8Array(7 * 1024 * 1024).fill(fill),
        tags: [],
        reclaimAt: Infinity,
        since
      })
      yield* store.setMany(["a", "b", "c", "d", "e"].map((key, index) => big(key, index, 0)))
      const { rows } = yield* store.getMany(["e", "c", "a"])
      assert.deepStrictEqual(
        rows.map((row) => row && [row.bytes.length, row.bytes[0], row.bytes.at(-1)]),
        [
          [7 * 1024 * 1024, 4, 4],
          [7 * 1024 * 1024, 2, 2],
          [7 * 1024 * 1024, 0, 0]
        ]
      )
    })
  )

  it.scoped("keeps hostile keys, tags and region names apart", () =>
    Effect.gen(function* () {
      const hostile = [
        "",
        "'; DROP TABLE entries; --",
        '"',
        "\\",
        "\\u0000",
        "%",
        "_",
        "*",
        "../../etc/passwd",
        "é",
        "e\u0301",
        "😀",
        "a".repeat(1_000_000),
        `${"a".repeat(999_999)}b`
      ]
      const unsafe = [...hostile, "\0", "a\0b", "a\0c", "\ud800", "\udc00", "\ufffd", "\n"]
      const connection = yield* open()
      const regions = yield* Effect.forEach(unsafe, (name) => Engine.make(connection, name))
      const first = regions[0]!
      yield* first.setMany(hostile.map((key, index) => row(key, String(index))))
      assert.deepStrictEqual(
        yield* read(first, ...hostile),
        hostile.map((_, index) => String(index))
      )
      for (const [index, key] of hostile.entries()) assert.deepStrictEqual(yield* read(first, key), [String(index)])
      for (const other of regions.slice(1))
        assert.deepStrictEqual(yield* read(other, ...hostile.slice(0, 3)), [undefined, undefined, undefined])
      assert.strictEqual(yield* first.deleteMany(["%", "*"]), 2)
      assert.strictEqual((yield* keysOf(first)).length, hostile.length - 2)

      const tagged = regions[1]!
      yield* tagged.setMany(unsafe.map((tag, index) => row(`k${index}`, "", { tags: [tag] })))
      const { rows } = yield* tagged.getMany(unsafe.map((_, index) => `k${index}`))
      assert.deepStrictEqual(
        rows.map((row) => row?.tags),
        unsafe.map((tag) => [tag])
      )
      for (const [index, tag] of unsafe.entries()) {
        yield* tagged.bump([tag])
        assert.strictEqual((yield* keysOf(tagged)).length, unsafe.length - index - 1, JSON.stringify(tag.slice(0, 40)))
      }
    })
  )
})

describe("SQLite engine: what a load may not store (law 3)", () => {
  it.scoped("the counter starts at 0, rises with every invalidation and explicit write, and not with loads", () =>
    Effect.gen(function* () {
      const store = yield* engine()
      assert.strictEqual(yield* epoch(store), 0)
      let last = 0
      for (const operation of [
        store.setMany([row("a", "1")]),
        store.deleteMany(["a"]),
        store.bump(["t"]),
        store.clear,
        store.deleteMany(["never there"])
      ]) {
        yield* operation
        const now = yield* epoch(store)
        assert.isAbove(now, last)
        last = now
      }
      yield* store.setMany([row("a", "1", { since: last })])
      assert.strictEqual(yield* epoch(store), last)
    })
  )

  const invalidations: Record<string, (store: CacheStore.Engine) => Effect.Effect<unknown, unknown>> = {
    "deleting its key": (store) => store.deleteMany(["k"]),
    "deleting its key among 1000": (store) =>
      store.deleteMany(["k", ...Array.from({ length: 999 }, (_, index) => `other ${index}`)]),
    "setting its key": (store) => store.setMany([row("k", "explicit")]),
    "setting its key among 100": (store) =>
      store.setMany([row("k", "explicit"), ...Array.from({ length: 99 }, (_, index) => row(`other ${index}`, ""))]),
    "invalidating its tag": (store) => store.bump(["other", "t"]),
    clearing: (store) => store.clear
  }
  for (const [name, invalidate] of Object.entries(invalidations)) {
    it.scoped(name, () =>
      Effect.gen(function* () {
        const store = yield* engine()
        const since = yield* epoch(store)
        yield* invalidate(store)
        const before = yield* read(store, "k")
        yield* store.setMany([row("k", "late", { since, tags: ["t"] })])
        assert.deepStrictEqual(yield* read(store, "k"), before)
        yield* store.setMany([
          row("k", "late in a batch", { since, tags: ["t"] }),
          row("j", "", { since, tags: ["t"] })
        ])
        assert.deepStrictEqual(yield* read(store, "k"), before)
        // a load that starts now is welcome
        yield* store.setMany([row("k", "new", { since: yield* epoch(store), tags: ["t"] })])
        assert.deepStrictEqual(yield* read(store, "k"), ["new"])
      })
    )
  }

  it.scoped("a `since` below 0 is always dropped", () =>
    Effect.gen(function* () {
      const store = yield* engine()
      yield* store.setMany([row("k", "never", { since: -1 })])
      assert.deepStrictEqual(yield* read(store, "k"), [undefined])
    })
  )

  it.scoped("an older load does not replace a younger one's value; an equal one does", () =>
    Effect.gen(function* () {
      const store = yield* engine()
      yield* store.bump(["unrelated"])
      yield* store.setMany([row("k", "young", { since: 1 })])
      yield* store.setMany([row("k", "old", { since: 0 })])
      assert.deepStrictEqual(yield* read(store, "k"), ["young"])
      yield* store.setMany([row("k", "as young", { since: 1 })])
      assert.deepStrictEqual(yield* read(store, "k"), ["as young"])
    })
  )

  it.scoped("in one batch explicit writes win, loads are held against what stood before", () =>
    Effect.gen(function* () {
      const store = yield* engine()
      yield* store.setMany([row("a", "explicit"), row("a", "load", { since: 0 }), row("b", "load", { since: 0 })])
      assert.deepStrictEqual(yield* read(store, "a", "b"), ["explicit", "load"])
      yield* store.setMany([row("c", "first"), row("c", "last")])
      assert.deepStrictEqual(yield* read(store, "c"), ["last"])
    })
  )

  it.scoped("invalidating a tag hides what has it, from every reading, until it is written again", () =>
    Effect.gen(function* () {
      const store = yield* engine()
      yield* store.setMany([row("a", "1", { tags: ["t", "u"] }), row("b", "2", { tags: ["u"] }), row("c", "3")])
      yield* store.bump(["t"])
      assert.deepStrictEqual(yield* read(store, "a", "b", "c"), [undefined, "2", "3"])
      assert.deepStrictEqual(yield* read(store, "a"), [undefined])
      assert.deepStrictEqual(yield* keysOf(store), ["b", "c"])
      assert.deepStrictEqual(yield* store.size!(0), { entries: 2, bytes: 2 })
      assert.strictEqual(yield* store.deleteMany(["a", "b"]), 1)
      yield* store.setMany([row("a", "again", { tags: ["t"] })])
      assert.deepStrictEqual(yield* read(store, "a"), ["again"])
      yield* store.bump(["u"])
      assert.strictEqual(yield* store.clear, 2)
    })
  )
})

describe("SQLite engine: bounds", () => {
  it.scoped("remembers about 10 000 tags; what is older than the forgotten ones is outdated", () =>
    Effect.gen(function* () {
      const connection = yield* open()
      const store = yield* Engine.make(connection, "test")
      yield* store.setMany([
        row("old", "1", { tags: ["quiet"] }),
        row("untagged", "2"),
        row("doomed", "3", { tags: ["first"] })
      ])
      yield* store.bump(["first"])
      const since = yield* epoch(store)
      const count = Effect.map(
        connection.run("test", () => connection.execute("SELECT count(*) AS n FROM tag_epochs", [])),
        (rows) => Number(rows[0]?.["n"])
      )
      for (let batch = 0; batch < 24; batch++) {
        yield* store.bump(Array.from({ length: 500 }, (_, index) => `tag ${batch} ${index}`))
        assert.isAtMost(yield* count, Schema.maxTags)
      }
      // "first" is forgotten by now, and yet nothing that it made invalid is valid again
      assert.deepStrictEqual(yield* read(store, "old", "untagged", "doomed"), [undefined, "2", undefined])
      yield* store.setMany([row("late", "", { since, tags: ["first"] }), row("late untagged", "4", { since })])
      assert.deepStrictEqual(yield* read(store, "late", "late untagged"), [undefined, "4"])
      yield* store.setMany([row("new", "5", { since: yield* epoch(store), tags: ["first"] })])
      assert.deepStrictEqual(yield* read(store, "new"), ["5"])
    })
  )

  it.scoped("fences take at most 256 rows, and none after clear", () =>
    Effect.gen(function* () {
      const connection = yield* open()
      const store = yield* Engine.make(connection, "test")
      const count = Effect.map(
        connection.run("test", () => connection.execute("SELECT count(*) AS n FROM fences", [])),
        (rows) => Number(rows[0]?.["n"])
      )
      for (let index = 0; index < 2_000; index++) yield* store.deleteMany([`user:${index}`])
      assert.strictEqual(yield* count, Schema.slots)
      yield* store.clear
      assert.strictEqual(yield* count, 0)
    })
  )

  it.scoped("reclaims what has expired while it writes, so that the dead never outnumber the living", () =>
    Effect.gen(function* () {
      const connection = yield* open()
      const store = yield* Engine.make(connection, "test")
      const abandoned = yield* Engine.make(connection, "a cache that is no more")
      const count = Effect.map(
        connection.run("test", () => connection.execute("SELECT count(*) AS n FROM entries", [])),
        (rows) => Number(rows[0]?.["n"])
      )
      yield* abandoned.setMany(Array.from({ length: 300 }, (_, index) => row(`${index}`, "", { reclaimAt: 1 })))
      // each write lives for 1 000 more: in the long run as many are alive
      for (let now = 10; now <= 6_000; now += 10) {
        yield* TestClock.adjust(10)
        yield* store.setMany(
          Array.from({ length: 10 }, (_, index) => row(`key ${now} ${index}`, "", { since: 0, reclaimAt: now + 1_000 }))
        )
      }
      assert.isAtMost(yield* count, 2_000 + 128)
      assert.strictEqual((yield* abandoned.getMany(["0"])).rows[0], undefined)
      assert.deepStrictEqual(yield* store.size!(6_000), { entries: 1_000, bytes: 0 })
    })
  )

  it.scoped("reclaims what a tag has outdated, and on opening too", () =>
    Effect.gen(function* () {
      const file = `${yield* folder}/cache.db`
      const count = Effect.scoped(
        Effect.flatMap(open(file), ({ execute, run }) =>
          Effect.map(
            run("test", () => execute("SELECT count(*) AS n FROM entries", [])),
            (rows) => Number(rows[0]?.["n"])
          )
        )
      )
      yield* Effect.scoped(
        Effect.gen(function* () {
          const store = yield* engine(file)
          yield* store.setMany([row("a", "", { tags: ["t"] }), row("b", ""), row("c", "", { reclaimAt: 5 })])
          yield* store.bump(["t"])
        })
      )
      assert.strictEqual(yield* count, 3)
      yield* TestClock.adjust(5)
      yield* Effect.scoped(Effect.flatMap(open(file), (connection) => Sweep.reclaim(connection, 100)))
      assert.strictEqual(yield* count, 1)
    })
  )

  it.scoped("a row whose tags rotted on the disk is absent, and harms no other", () =>
    Effect.gen(function* () {
      const connection = yield* open()
      const store = yield* Engine.make(connection, "test")
      yield* store.setMany([row("a", "1", { tags: ["t"] }), row("b", "2", { tags: ["t"] }), row("c", "3")])
      yield* connection.run("test", () => connection.execute("UPDATE entries SET tags = '[\"t' WHERE key = 'a'", []))
      // no bytes are no entry
      assert.deepStrictEqual(yield* read(store, "a", "b", "c"), ["", "2", "3"])
      yield* store.bump(["unrelated"])
      assert.deepStrictEqual(yield* read(store, "a", "b", "c"), [undefined, "2", "3"])
      yield* Sweep.reclaim(connection, 100)
      assert.deepStrictEqual(yield* keysOf(store), ["b", "c"])
    })
  )
})

/** The engine's contract, said with plain maps that forget nothing. */
class Model {
  epoch = 0
  private cleared = 0
  private readonly keys = new Map<string, number>()
  private readonly tags = new Map<string, number>()
  private readonly rows = new Map<string, { value: string; tags: ReadonlyArray<string>; epoch: number }>()

  invalidate(keys: ReadonlyArray<string>, epoch: number): void {
    this.epoch = epoch
    for (const key of keys) {
      this.keys.set(key, epoch)
      this.rows.delete(key)
    }
  }
  set(key: string, value: string, tags: ReadonlyArray<string>, epoch: number): void {
    this.invalidate([key], epoch)
    this.rows.set(key, { value, tags, epoch })
  }
  load(key: string, value: string, tags: ReadonlyArray<string>, since: number): void {
    if (this.mayStore(key, tags, since)) this.rows.set(key, { value, tags, epoch: since })
  }
  mayStore(key: string, tags: ReadonlyArray<string>, since: number): boolean {
    return since >= this.cleared && since >= (this.keys.get(key) ?? 0) && !this.outdated(tags, since)
  }
  bump(tags: ReadonlyArray<string>, epoch: number): void {
    this.epoch = epoch
    for (const tag of tags) this.tags.set(tag, epoch)
  }
  clear(epoch: number): void {
    this.epoch = this.cleared = epoch
    this.rows.clear()
  }
  outdated(tags: ReadonlyArray<string>, since: number): boolean {
    return tags.some((tag) => (this.tags.get(tag) ?? 0) > since)
  }
  get(key: string): string | undefined {
    const row = this.rows.get(key)
    return row === undefined || this.outdated(row.tags, row.epoch) ? undefined : row.value
  }
}

describe("SQLite engine: any interleaving", () => {
  const keys = ["a", "b", "c"]
  const tags = ["t", "u"]
  const key = fc.constantFrom(...keys)
  const someTags = fc.subarray(tags)
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.record({ op: fc.constant("start" as const) }) },
    {
      weight: 6,
      arbitrary: fc.record({ op: fc.constant("finish" as const), load: fc.nat(), key, tags: someTags })
    },
    { weight: 2, arbitrary: fc.record({ op: fc.constant("set" as const), key, tags: someTags }) },
    {
      weight: 2,
      arbitrary: fc.record({ op: fc.constant("delete" as const), keys: fc.subarray(keys, { minLength: 1 }) })
    },
    {
      weight: 2,
      arbitrary: fc.record({ op: fc.constant("bump" as const), tags: fc.subarray(tags, { minLength: 1 }) })
    },
    { weight: 1, arbitrary: fc.record({ op: fc.constant("clear" as const) }) },
    { weight: 1, arbitrary: fc.record({ op: fc.constant("many" as const) }) }
  )

  it.scoped("never serves what the model forbids, and keeps what it need not drop", () =>
    Effect.gen(function* () {
      const connection = yield* open()
      let run = 0
      const property = fc.asyncProperty(fc.array(step, { maxLength: 40 }), (steps) =>
        Effect.runPromise(
          Effect.gen(function* () {
            // two engines of one region: what one process remembers the other must know
            const engines = [
              yield* Engine.make(connection, `run ${++run}`),
              yield* Engine.make(connection, `run ${run}`)
            ] as const
            const model = new Model()
            const loads: Array<number> = [0]
            let values = 0
            let floor = 0
            for (const [index, step] of steps.entries()) {
              const store = engines[index % 2 === 0 ? 0 : 1]
              const value = `value ${++values}`
              switch (step.op) {
                case "start":
                  loads.push(yield* epoch(store))
                  break
                case "finish": {
                  const since = loads[step.load % loads.length]!
                  yield* store.setMany([row(step.key, value, { since, tags: step.tags })])
                  const [stored] = yield* read(store, step.key)
                  if (stored === value) model.load(step.key, value, step.tags, since)
                  // the engine may drop more than the model: never a load that started after all of it
                  else if (since === model.epoch) assert.fail(`dropped a load of the present epoch: ${step.key}`)
                  else if (since >= floor && model.mayStore(step.key, step.tags, since)) {
                    // an older load that met a younger one's row, or shares a slot: the row that was there stays
                    assert.strictEqual(stored, model.get(step.key))
                  }
                  break
                }
                case "set":
                  yield* store.setMany([row(step.key, value, { tags: step.tags })])
                  model.set(step.key, value, step.tags, yield* epoch(store))
                  break
                case "delete":
                  yield* store.deleteMany(step.keys)
                  model.invalidate(step.keys, yield* epoch(store))
                  break
                case "bump":
                  yield* store.bump(step.tags)
                  model.bump(step.tags, yield* epoch(store))
                  break
                case "clear":
                  yield* store.clear
                  model.clear((floor = yield* epoch(store)))
                  break
                case "many":
                  yield* store.deleteMany(Array.from({ length: 70 }, (_, index) => `other ${index}`))
                  model.epoch = floor = yield* epoch(store)
              }
              const expected = keys.map((key) => model.get(key))
              assert.deepStrictEqual(yield* read(engines[0], ...keys), expected)
              for (const [index, key] of keys.entries()) {
                assert.deepStrictEqual(yield* read(engines[1], key), [expected[index]])
              }
              assert.strictEqual(
                (yield* keysOf(engines[0])).length,
                expected.filter((value) => value !== undefined).length
              )
              assert.strictEqual(
                (yield* store.size!(0)).entries,
                expected.filter((value) => value !== undefined).length
              )
            }
          })
        )
      )
      yield* Effect.promise(() => fc.assert(property, { numRuns: 300 }))
    })
  )
})
