/**
 * Files: beside `node:fs`'s readFile and writeFile of as many bytes, in one folder. Records, for what is small, and texts
 * of a hundred thousand bytes, for what files are for.
 *
 * Of peers: bentocache's file driver and unstorage's `fs`. Keyv, and so cacheable, has no adapter of its own for files;
 * what others offer keeps all entries in one file of JSON, which is no engine of this kind.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { fileDriver } from "bentocache/drivers/file"
import * as FileStore from "effect-larder/FileStore"
import { Effect, Layer, Schema } from "effect"
import * as fs from "node:fs/promises"
import unstorageFs from "unstorage/drivers/fs"
import { folder } from "../../fixtures/sqlite/common.js"
import * as Contender from "./contender.js"
import type * as Contest from "./contest.js"
import type { Engine } from "./engine.js"
import * as Peers from "./peers.js"
import { Item, pages, records, type Size, texts, type Workload } from "./workload.js"

/** A thousand files take longer to write than they tell. */
const size: Size = { keys: 100, gets: 100, sets: 100 }

const names = { record: "larder, a record", text: "larder, a text" }

const bounds: ReadonlyArray<Contest.Bound> = [
  { own: Contender.engineName, operation: "get", below: 1.3 },
  { own: names.text, operation: "get", below: 1.7, target: 1.3 }
]

const largeBounds: ReadonlyArray<Contest.Bound> = [
  { own: Contender.engineName, operation: "get", below: 1.3 },
  { own: names.text, operation: "get", below: 2.2, target: 1.3 }
]

const raw = (directory: string, work: Workload<string>) => {
  const get = (key: string) => fs.readFile(`${directory}/${key}`)
  const set = (key: string, value: string) => fs.writeFile(`${directory}/${key}`, value)
  const getMany = (keys: ReadonlyArray<string>) => Promise.all(keys.map(get))
  return Effect.as(
    Effect.promise(() => fs.mkdir(directory)),
    Contender.promised("node:fs", "raw", work, { get, set, getMany })
  )
}

const peers = <A>(at: string, work: Workload<A>) =>
  Effect.all([
    Peers.bentocache(work, () => fileDriver({ directory: `${at}/bentocache` })),
    Peers.unstorage(work, () => unstorageFs({ base: `${at}/unstorage` }))
  ])

const open = (at: string) =>
  Layer.build(Layer.provide(FileStore.layer({ directory: `${at}/larder`, compression: "none" }), NodeFileSystem.layer))

const small = Effect.gen(function* () {
  const at = yield* folder
  const store = yield* open(at)
  const work = records(size)
  return {
    title: "Files",
    ahead: names.record,
    bounds,
    workload: work,
    serial: { get: 50, set: 20 },
    contenders: [
      yield* raw(`${at}/raw`, texts(size)),
      yield* Contender.engine(store, texts(size)),
      yield* Contender.cache(names.text, store, Schema.String, texts(size)),
      yield* Contender.cache(names.record, store, Item, work),
      ...(yield* peers(at, work))
    ]
  }
})

const large = Effect.gen(function* () {
  const at = yield* folder
  const work = pages(size)
  const store = yield* open(at)
  return {
    title: "Files of 100 kB",
    ahead: names.text,
    bounds: largeBounds,
    workload: work,
    serial: { get: 50, set: 20 },
    contenders: [
      yield* raw(`${at}/raw`, work),
      yield* Contender.engine(store, work),
      yield* Contender.cache(names.text, store, Schema.String, work),
      ...(yield* peers(at, work))
    ]
  }
})

export const file: Engine = { isThere: true, contests: Effect.all([small, large]) }
