/** FileStore: which file is read for a key, and how many at a time. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as FileSystem from "@effect/platform/FileSystem"
import { assert, describe, it } from "@effect/vitest"
import { Cache } from "effect-larder"
import * as FileStore from "effect-larder/FileStore"
import { Effect, Layer, Schema } from "effect"
import * as fs from "node:fs"
import * as path from "node:path"
import { folder } from "../fixtures/sqlite/common.js"

/** The cache of one life of a store, over the file system given. */
const open = (directory: string, files: Layer.Layer<FileSystem.FileSystem> = NodeFileSystem.layer) =>
  Effect.flatMap(Layer.build(Layer.fresh(Layer.provide(FileStore.layer({ directory }), files))), (context) =>
    Effect.provide(
      Cache.make("texts", {
        key: Schema.String,
        success: Schema.String,
        lookup: (key) => Effect.succeed(`loaded ${key}`)
      }),
      context
    )
  )

const entriesIn = (directory: string): ReadonlyArray<string> =>
  fs
    .readdirSync(directory, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".entry"))
    .map((name) => path.join(directory, name))

/** The most that were under way at the same moment, of what is counted. */
const watched = (most: { reads: number; writes: number }) =>
  Layer.effect(
    FileSystem.FileSystem,
    Effect.map(FileSystem.FileSystem, (real): FileSystem.FileSystem => {
      const counting = (which: "reads" | "writes") => {
        let now = 0
        return <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
          Effect.acquireUseRelease(
            Effect.sync(() => {
              most[which] = Math.max(most[which], ++now)
            }),
            () => Effect.zipRight(Effect.yieldNow(), effect),
            () => Effect.sync(() => now--)
          )
      }
      const [reading, writing] = [counting("reads"), counting("writes")]
      return {
        ...real,
        readFile: (file) => reading(real.readFile(file)),
        writeFile: (file, bytes, options) => writing(real.writeFile(file, bytes, options))
      }
    })
  ).pipe(Layer.provide(NodeFileSystem.layer))

describe("FileStore: reading", () => {
  it.scoped("a file that was put in another's place between two lives is no entry of either", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      const life = <A, E>(use: (cache: Cache.Cache<string, string>) => Effect.Effect<A, E>) =>
        Effect.scoped(Effect.flatMap(open(directory), use))
      yield* life((cache) => cache.set("a", "of a"))
      const [ofA] = entriesIn(directory)
      yield* life((cache) => cache.set("b", "of b"))
      const ofB = entriesIn(directory).find((name) => name !== ofA)
      fs.copyFileSync(ofB!, ofA!)
      assert.deepStrictEqual(yield* life((cache) => Effect.all([cache.get("a"), cache.get("b")])), ["loaded a", "of b"])
    })
  )

  it.scoped("a batch reads and writes 16 files at a time at most", () =>
    Effect.gen(function* () {
      const most = { reads: 0, writes: 0 }
      const cache = yield* open(yield* folder, watched(most))
      const keys = Array.from({ length: 100 }, (_, index) => `key ${index}`)
      yield* cache.setMany(keys.map((key) => [key, `of ${key}`]))
      assert.deepStrictEqual(
        yield* cache.getMany(keys),
        keys.map((key) => `of ${key}`)
      )
      assert.deepStrictEqual(most, { reads: 16, writes: 16 })
    })
  )
})
