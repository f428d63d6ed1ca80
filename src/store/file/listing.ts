/** Where the files of a store are, and which of them are entries. */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { createHash } from "node:crypto"
import * as path from "node:path"
import type * as CacheError from "../../CacheError.js"
import { marker } from "../internal/mark.js"
import * as EntryFile from "./entryFile.js"
import * as Errors from "./errors.js"
import type { Item, Shelf } from "./shelf.js"

export interface Place {
  readonly directory: string
  readonly generation: string
  readonly shelf: Shelf
  readonly durable: boolean
  readonly compress: boolean
  readonly modes: { readonly file: number; readonly folder: number }
}

/** Files that are written, read or removed at the same time. */
export const concurrency = 16
const ending = ".entry"

/** Where a key's file is. UTF-16, because UTF-8 would make all broken surrogates one. */
export const nameOf = (folder: string, key: string): string => {
  const digest = createHash("sha256").update(key, "utf16le").digest("hex")
  return path.join(folder, digest.slice(0, 2), `${digest.slice(2)}${ending}`)
}

/** What the file system has of a region: entries of the present incarnation, the one used longest ago first. */
export const list = (
  fs: FileSystem.FileSystem,
  place: Place,
  region: string,
  folder: string,
  incarnation: string
): Effect.Effect<ReadonlyArray<Item>, CacheError.StoreError> => {
  const mark = marker(region)
  const head = (file: string, size: number) =>
    Effect.flatMap(
      Effect.scoped(
        Effect.flatMap(fs.open(file, { flag: "r" }), (handle) => handle.readAlloc(Math.min(size, EntryFile.firstRead)))
      ),
      (bytes) => {
        const head = Option.isNone(bytes) ? undefined : EntryFile.decodeHead(mark, bytes.value)
        return head === "more"
          ? Effect.map(fs.readFile(file), (all) => EntryFile.decodeHead(mark, all))
          : Effect.succeed(head)
      }
    )
  const one = (name: string) =>
    Effect.gen(function* () {
      const file = path.join(place.directory, name)
      const { mtime, size } = yield* fs.stat(file)
      const found = name.endsWith(ending) ? yield* head(file, Number(size)) : undefined
      // one that is whole, but in another's place, would be served for it
      const isOurs =
        typeof found === "object" && found.incarnation === incarnation && name === nameOf(folder, found.key)
      if (!isOurs) {
        yield* Effect.ignore(fs.remove(file))
        return []
      }
      const used = Option.match(mtime, { onNone: () => 0, onSome: (at) => at.getTime() })
      return [{ ...found, name, region, used, bytes: Number(size) }]
    })
  return Effect.gen(function* () {
    const shards = yield* fs.readDirectory(path.join(place.directory, folder))
    const names = yield* Effect.forEach(
      shards.filter((shard) => /^[0-9a-f]{2}$/.test(shard)),
      (shard) =>
        Effect.map(fs.readDirectory(path.join(place.directory, folder, shard)), (files) =>
          files.map((file) => path.join(folder, shard, file))
        ),
      { concurrency }
    )
    const items = yield* Effect.forEach(names.flat(), one, { concurrency })
    return items.flat().sort((a, b) => a.used - b.used)
  }).pipe(Effect.mapError(Errors.ofOperation("open")))
}
