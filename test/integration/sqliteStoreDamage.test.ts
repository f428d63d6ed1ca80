import { assert, describe, it } from "@effect/vitest"
import { Cache } from "effect-larder"
import * as SqliteStore from "effect-larder/SqliteStore"
import { Effect, Either, Logger, Option, Schema } from "effect"
import fc from "fast-check"
import * as fs from "node:fs"
import * as Engine from "../../src/store/sqlite/engine.js"
import * as Tables from "../../src/store/sqlite/schema.js"
import { folder, open, read, row } from "../fixtures/sqlite/common.js"
import { life, refused, told } from "../fixtures/sqlite/lives.js"

const quiet = Logger.remove(Logger.defaultLogger)

const rebuild = (file: string) =>
  `remove ${file}, ${file}-wal and ${file}-shm while no process uses them; a cache fills again by itself`

const unavailable = (reason: string) => `Cache store 'SqliteStore' is not available: ${reason}`

/** Values that know whose they are, and are of many sizes. */
const valueOf = (cache: string, key: string): string => `${cache} ${key} `.repeat(1 + ((key.length * 7) % 20))

const texts = (name: string) =>
  Cache.make(name, {
    key: Schema.String,
    success: Schema.String,
    lookup: (key) => Effect.succeed(`loaded ${key}`)
  })

/** Where in a database file an index says which row each key is, index by index in the order of its entries. */
const indexedRows = (file: Buffer, keys: ReadonlyArray<string>): ReadonlyArray<number> => {
  const pageSize = 4_096
  const indexLeaf = 10
  const places: Array<number> = []
  for (let page = 0; page < file.length; page += pageSize) {
    if (file[page] !== indexLeaf) continue
    for (const key of keys) {
      for (let at = file.indexOf(key, page); at >= 0 && at < page + pageSize; at = file.indexOf(key, at + 1)) {
        places.push(at + key.length)
      }
    }
  }
  // cells are filled in from the end of the page
  return places.sort((a, b) => b - a)
}

describe("SqliteStore: a file that is not, or no longer, a cache", () => {
  const notADatabase = (file: string) => ({
    tag: "StoreUnavailable",
    message: unavailable(`the file is not a SQLite database: ${file}`),
    hint: `choose another filename: ${file} holds something else, and is left as it is`
  })
  const damaged = (file: string) => ({
    tag: "StoreUnavailable",
    message: unavailable(`the database is damaged: ${file}`),
    hint: rebuild(file)
  })
  const foreign = (file: string) => ({
    tag: "StoreUnavailable",
    message: unavailable(`the database belongs to another application: ${file}`),
    hint: `choose another filename: ${file} is left as it is`
  })
  const pragmas = (file: string, ...statements: ReadonlyArray<string>) =>
    Effect.scoped(
      Effect.map(open(file), ({ execute }) => {
        for (const statement of statements) execute(`PRAGMA ${statement}`, [])
      })
    )
  const rewrite = (change: (bytes: Buffer) => Buffer) => (file: string) =>
    Effect.sync(() => fs.writeFileSync(file, change(fs.readFileSync(file))))

  const cases: ReadonlyArray<
    readonly [
      name: string,
      harm: (file: string) => Effect.Effect<unknown, unknown>,
      expected: (file: string) => ReturnType<typeof told>
    ]
  > = [
    ["a text", (file) => Effect.sync(() => fs.writeFileSync(file, "dear diary\n".repeat(1_000))), notADatabase],
    ["a short text", (file) => Effect.sync(() => fs.writeFileSync(file, "no")), notADatabase],
    ["zeros", (file) => Effect.sync(() => fs.writeFileSync(file, Buffer.alloc(10_000))), notADatabase],
    ["its last half missing", rewrite((bytes) => bytes.subarray(0, bytes.length / 2)), damaged],
    ["all but the first page missing", rewrite((bytes) => bytes.subarray(0, 4_096)), damaged],
    ["cut in its header", rewrite((bytes) => bytes.subarray(0, 50)), damaged],
    ["another application's", (file) => pragmas(file, "application_id = 1"), foreign],
    ["one that does not say whose", (file) => pragmas(file, "application_id = 0"), foreign],
    ["one in another mode", (file) => pragmas(file, "application_id = 7", "journal_mode = DELETE"), foreign]
  ]
  for (const [name, harm, expected] of cases) {
    it.scoped(`${name}: refused, and left as it is`, () =>
      Effect.gen(function* () {
        const at = yield* folder
        const file = `${at}/cache.db`
        const layer = SqliteStore.layer({ filename: file })
        yield* life(layer, "a", "b", "c")
        yield* harm(file)
        fs.chmodSync(file, 0o644)
        const before = fs.readFileSync(file)
        assert.deepStrictEqual(told(yield* refused(layer)), expected(file))
        assert.isTrue(before.equals(fs.readFileSync(file)), "the file was changed")
        assert.strictEqual(fs.statSync(file).mode & 0o777, 0o644, "its permissions were changed")
        assert.deepStrictEqual(fs.readdirSync(at), ["cache.db"])
      })
    )
  }

  it.scoped("an index that leads to another's row: absent, and what is written there is not found there", () =>
    Effect.gen(function* () {
      const file = `${yield* folder}/cache.db`
      const layer = SqliteStore.layer({ filename: file })
      const in2 = <A, E>(use: (caches: ReadonlyArray<Cache.Cache<string, string>>) => Effect.Effect<A, E>) =>
        Effect.forEach(["v0", "v1"], texts).pipe(
          Effect.flatMap(use),
          Effect.scoped,
          Effect.provide(layer),
          Effect.provide(quiet)
        )
      const keys = ["key a", "key b"]
      yield* in2(
        // so that a key has the same epoch in both
        Effect.forEach((cache) => Effect.forEach(["first", ...keys], (key) => cache.set(key, valueOf(cache.name, key))))
      )
      const whole = fs.readFileSync(file)
      const swaps: ReadonlyArray<readonly [name: string, row: number, other: number]> = [
        ["key a and key b of v0", 0, 1],
        ["key a of v0 and of v1", 0, 2]
      ]
      for (const [name, row, other] of swaps) {
        const rotten = Buffer.from(whole)
        const places = indexedRows(rotten, keys)
        assert.strictEqual(places.length, 4)
        const [one, two] = [places[row]!, places[other]!]
        ;[rotten[one], rotten[two]] = [rotten[two]!, rotten[one]!]
        fs.writeFileSync(file, rotten)
        yield* in2((caches) =>
          Effect.gen(function* () {
            const all = caches.flatMap((cache) => keys.map((key) => [cache, key] as const))
            const read = Effect.forEach(all, ([cache, key]) => Effect.map(cache.getOption(key), Option.getOrUndefined))
            const [first, firstKey] = all[row]!
            // written through the index, so into the other's row
            yield* first.set(firstKey, "mine")
            const found = yield* read
            assert.include([undefined, "mine"], found[row], name)
            assert.strictEqual(found[other], undefined, name)
          })
        )
        fs.writeFileSync(file, rotten)
        yield* in2(
          Effect.forEach((cache) =>
            Effect.gen(function* () {
              for (const key of keys) assert.include([valueOf(cache.name, key), `loaded ${key}`], yield* cache.get(key))
              const many = yield* cache.getMany(keys)
              many.forEach((value, at) => assert.include([valueOf(cache.name, keys[at]!), `loaded ${keys[at]}`], value))
            })
          )
        )
      }
    })
  )

  it.scoped("bits that rot anywhere: each value is right, absent or a typed error, never another's", () =>
    Effect.gen(function* () {
      const file = `${yield* folder}/cache.db`
      const layer = SqliteStore.layer({ filename: file })
      const names = ["v0", "v1", "v2"]
      const keys = Array.from({ length: 60 }, (_, index) => `key ${index}`)
      yield* Effect.forEach(names, texts).pipe(
        Effect.flatMap(
          Effect.forEach((cache) =>
            cache.setMany(keys.map((key) => [key, valueOf(cache.name, key)] as const)).pipe(
              // some are written again, so that rows are not in the order of their keys
              Effect.zipRight(cache.setMany(keys.slice(20, 40).map((key) => [key, valueOf(cache.name, key)] as const)))
            )
          )
        ),
        Effect.scoped,
        Effect.provide(layer)
      )
      const whole = fs.readFileSync(file)

      const readAll = Effect.forEach(names, (name) =>
        Effect.gen(function* () {
          const cache = yield* texts(name)
          for (const key of keys) {
            const found = yield* Effect.either(cache.getOption(key))
            const value = Option.getOrUndefined(Either.getOrElse(found, Option.none))
            if (value !== undefined) assert.strictEqual(value, valueOf(name, key), `${name} ${key}`)
          }
          // what is written to a rotten place must not be found in another's either
          yield* Effect.either(cache.set(keys[7]!, valueOf(name, keys[7]!)))
          const found = yield* cache.getMany(keys)
          found.forEach((value, at) => assert.include([valueOf(name, keys[at]!), `loaded ${keys[at]}`], value))
        })
      ).pipe(Effect.scoped, Effect.provide(layer), Effect.provide(quiet))

      // the first 100 bytes tell what the file is; the rest is where it rots, the keys of the index above all
      const indexed = indexedRows(whole, ["key "])
      const place = fc.oneof(
        fc.nat(whole.length - 101).map((at) => at + 100),
        fc.tuple(fc.nat(indexed.length - 1), fc.integer({ min: -4, max: 2 })).map(([at, off]) => indexed[at]! + off)
      )
      const flip = fc.record({ place, bit: fc.nat(7) })
      const flips = fc.array(flip, { minLength: 1, maxLength: 100 })
      const cut = fc.oneof(fc.constant(0), fc.nat(4_096), fc.nat(whole.length))
      const property = fc.asyncProperty(flips, cut, async (flips, cut) => {
        const rotten = Buffer.from(whole)
        for (const { place, bit } of flips) rotten[place]! ^= 1 << bit
        for (const part of ["", "-wal", "-shm"]) fs.rmSync(file + part, { force: true })
        fs.writeFileSync(file, rotten.subarray(0, rotten.length - cut))
        const failure = await Effect.runPromise(Effect.flip(Effect.zipRight(readAll, Effect.fail(undefined))))
        if (failure !== undefined) assert.include(["StoreUnavailable", "StoreError"], failure._tag)
      })
      yield* Effect.promise(() => fc.assert(property, { numRuns: 150 }))
    })
  )

  it.scoped("a row that a query answers with another key's: rotten, wherever the mistake was made", () =>
    Effect.gen(function* () {
      const connection = yield* open()
      const store = yield* Engine.make(connection, "test")
      yield* store.setMany([row("a", "A"), row("b", "B"), row("c", "C")])
      const exchanged: Readonly<Record<string, (asked: unknown) => unknown>> = {
        [Tables.readOne]: () => "b",
        [Tables.readMany]: () => JSON.stringify(["b", "a", "c"])
      }
      const { reading } = connection
      const other = (sql: string, asked: unknown) => exchanged[sql]?.(asked) ?? asked
      const confused = yield* Engine.make(
        {
          ...connection,
          reading: {
            first: (sql, asked, ...others) => reading.first(sql, other(sql, asked), ...others),
            all: (sql, asked, ...others) => reading.all(sql, other(sql, asked), ...others)
          }
        },
        "test"
      )
      assert.deepStrictEqual(yield* read(store, "a", "b", "c"), ["A", "B", "C"])
      // no bytes are no entry
      assert.deepStrictEqual(yield* read(confused, "a"), [""])
      assert.deepStrictEqual(yield* read(confused, "a", "b", "c"), ["", "", "C"])
    })
  )
})
