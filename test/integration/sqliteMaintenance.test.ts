/** The size of a SqliteStore's file: kept below a budget, given back, copied while it is used. */
import { assert, describe, it } from "@effect/vitest"
import { Cache, CacheError, CacheStore } from "effect-larder"
import * as SqliteStore from "effect-larder/SqliteStore"
import { Context, Effect, Layer, Schema } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import * as Regions from "../../src/testing/internal/regions.js"
import { folder } from "../fixtures/sqlite/common.js"
import { refused } from "../fixtures/sqlite/lives.js"

const opened = (options: SqliteStore.Options) =>
  Effect.map(Layer.build(Layer.fresh(SqliteStore.layer(options))), (context) => ({
    context,
    upkeep: Context.get(context, SqliteStore.Maintenance),
    open: (name: string) => Effect.provide(Regions.open(name), context)
  }))

/** Not to be compressed by anybody. */
const value = (n: number): string => `${n} ${"x".repeat(2_000)}`

const key = (n: number): string => `key ${n}`

describe("SqliteStore", () => {
  it.scoped("keeps to its budget, by what was there first, over all caches of the file", () =>
    Effect.gen(function* () {
      const filename = join(yield* folder, "cache.db")
      const maxBytes = 1_000_000
      const { open, upkeep } = yield* opened({ filename, maxBytes })
      const [first, second] = [yield* open("first"), yield* open("second")]
      let most = 0
      for (let n = 0; n < 2_000; n++) {
        yield* Regions.put(n % 2 === 0 ? first : second, key(n), value(n))
        if (n % 100 === 0) most = Math.max(most, yield* upkeep.size)
      }
      assert.isBelow(most, maxBytes * 1.15)
      assert.isAbove(most, maxBytes * 0.8)
      const [oldest, newest] = [yield* Regions.values(first, key(0)), yield* Regions.values(second, key(1_999))]
      assert.deepStrictEqual(oldest, [undefined])
      assert.deepStrictEqual(newest, [value(1_999)])
      // what is written again keeps its place; the rest is a row of the youngest
      const sizes = [(yield* first.sizes)[0]!.entries, (yield* second.sizes)[0]!.entries]
      assert.isTrue(
        sizes.every((entries) => entries > 100 && entries < 300),
        String(sizes)
      )
    })
  )

  it.scoped("a file that is too large already is made smaller when it is opened", () =>
    Effect.gen(function* () {
      const filename = join(yield* folder, "cache.db")
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { open } = yield* opened({ filename })
          const region = yield* open("region")
          for (let n = 0; n < 500; n++) yield* Regions.put(region, key(n), value(n))
          assert.strictEqual((yield* region.sizes)[0]!.entries, 500)
        })
      )
      const { open, upkeep } = yield* opened({ filename, maxBytes: 300_000 })
      const region = yield* open("region")
      assert.isBelow((yield* region.sizes)[0]!.entries, 150)
      const before = yield* upkeep.size
      yield* upkeep.vacuum
      const after = yield* upkeep.size
      assert.isBelow(after, 320_000)
      assert.isAbove(before, 2 * after)
      assert.deepStrictEqual(yield* Regions.values(region, key(499)), [value(499)])
    })
  )

  it.scoped("a copy that is made while it is used is whole, and of one moment", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      const { open, upkeep } = yield* opened({ filename: join(dir, "cache.db") })
      const region = yield* open("app/Numbers")
      for (let n = 0; n < 300; n++) yield* Regions.put(region, key(n), value(n))
      const copy = join(dir, "copy.db")
      yield* Effect.all(
        [
          upkeep.backup(copy),
          Effect.forEach(
            Array.from({ length: 200 }, (_, n) => n),
            (n) => Effect.zipRight(Effect.yieldNow(), Regions.put(region, key(n), `changed ${n}`)),
            { discard: true }
          )
        ],
        { concurrency: "unbounded" }
      )
      const { open: openCopy } = yield* opened({ filename: copy })
      const copied = yield* openCopy("app/Numbers")
      assert.strictEqual((yield* copied.sizes)[0]!.entries, 300)
      for (let n = 0; n < 300; n++) {
        const [found] = yield* Regions.values(copied, key(n))
        assert.isTrue(found === value(n) || found === `changed ${n}`, `${n}: ${String(found)}`)
      }
    })
  )

  it.scoped("a copy that cannot be made says why", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      const { upkeep } = yield* opened({ filename: join(dir, "cache.db") })
      const error = yield* Effect.flip(upkeep.backup(join(dir, "no", "such", "folder.db")))
      assert.instanceOf(error, CacheError.StoreError)
      assert.match(error.message, /failed at backup/)
      assert.isFalse(fs.existsSync(join(dir, "no")))
      const closed = yield* Effect.scoped(Effect.map(opened({ filename: join(dir, "b.db") }), (one) => one.upkeep))
      for (const use of [closed.size, closed.vacuum, closed.backup(join(dir, "c.db"))]) {
        assert.match((yield* Effect.flip(use)).message, /it has been closed/)
      }
    })
  )

  it.scoped("a budget that makes no sense is refused", () =>
    Effect.gen(function* () {
      for (const maxBytes of [0, -1, 1.5, NaN]) {
        assert.match(String(yield* refused(SqliteStore.layer({ maxBytes }))), /maxBytes/)
      }
    })
  )

  it.scoped("a cache over a full budget goes on", () =>
    Effect.gen(function* () {
      const filename = join(yield* folder, "cache.db")
      const { context } = yield* opened({ filename, maxBytes: 200_000 })
      const cache = yield* Effect.provideService(
        Cache.make("pages", {
          key: Schema.Number,
          success: Schema.String,
          lookup: (n: number) => Effect.succeed(value(n))
        }),
        CacheStore.CacheStore,
        Context.get(context, CacheStore.CacheStore)
      )
      for (let n = 0; n < 300; n++) assert.strictEqual(yield* cache.get(n), value(n))
      assert.strictEqual(yield* cache.get(299), value(299))
      assert.strictEqual((yield* cache.stats).fresh, 1)
    })
  )
})
