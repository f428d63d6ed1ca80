/** The laws of stores that can be looked into; see `CacheStore.Raw`. For the others they hold of themselves. */
import { assert } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as CacheError from "../../CacheError.js"
import * as CacheStore from "../../CacheStore.js"
import * as Regions from "./regions.js"

export const laws: Record<string, Regions.Law> = {
  "tells which regions there are, and gives their rows as they are": Effect.gen(function* () {
    const store = yield* CacheStore.CacheStore
    if (store.raw === undefined) return
    const { open, regions } = store.raw
    const names = ["b", "../b", "b{c}%7d", "å".repeat(150)]
    for (const name of names) {
      yield* Effect.scoped(
        Effect.flatMap(Regions.open(name), (region) => Regions.put(region, "k", name, { life: 60_000, tags: ["t"] }))
      )
    }
    const told = yield* regions
    assert.deepStrictEqual(told.filter((name) => names.includes(name)).sort(), [...names].sort())
    const copy = (name: string) =>
      Effect.gen(function* () {
        const [from, to] = [yield* open(name), yield* open(`${name.slice(0, 100)} copied`)]
        const rows = yield* Stream.runCollect(from.scan)
        yield* to.setMany(Chunk.toReadonlyArray(rows).map((row) => ({ ...row, since: undefined })))
      })
    for (const name of names) yield* Effect.scoped(copy(name))
    for (const name of names) {
      const region = yield* Regions.open(`${name.slice(0, 100)} copied`)
      assert.deepStrictEqual(yield* Regions.values(region, "k"), [name])
      yield* region.invalidateTags(["t"])
      assert.deepStrictEqual(yield* Regions.values(region, "k"), [undefined])
    }
  }),
  "gives no rows of a region that is open": Effect.gen(function* () {
    const store = yield* CacheStore.CacheStore
    if (store.raw === undefined) return
    yield* Regions.open("name")
    const error = yield* Effect.flip(Effect.scoped(store.raw.open("name")))
    assert.instanceOf(error, CacheError.InvalidConfig)
  })
}
