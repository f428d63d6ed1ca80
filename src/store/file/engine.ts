/**
 * One region in a directory: a file for each entry, in 256 folders, and a journal of what outdates them.
 *
 * What is there is known in memory; only values are read. A file is written beside its place and moved there when it is
 * whole. One operation at a time touches the file of a key; what decides (fences, epochs, the shelf) changes only between
 * two effects, and is looked at once more after each of them.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as path from "node:path"
import type * as CacheError from "../../CacheError.js"
import type * as CacheStore from "../../CacheStore.js"
import { steadyMillis } from "../../internal/steady.js"
import { KeyTurns } from "../../internal/keyTurns.js"
import { type Marker, marker } from "../internal/mark.js"
import { safeName } from "../internal/paths.js"
import * as EntryFile from "./entryFile.js"
import * as Errors from "./errors.js"
import * as Journal from "./journal.js"
import { concurrency, list, nameOf, type Place } from "./listing.js"
import type { Item } from "./shelf.js"

/** Writes after which what is over is looked for, at least. */
const leastWrites = 1_000

class Region {
  private readonly turns = new KeyTurns()
  private readonly mark: Marker
  private readonly folders = new Set<string>()
  private readonly items: ReadonlyMap<string, Item>
  private writes = 0
  private sweepAfter = leastWrites

  constructor(
    private readonly fs: FileSystem.FileSystem,
    private readonly place: Place,
    private readonly name: string,
    private readonly folder: string,
    private readonly journal: Journal.Journal
  ) {
    this.mark = marker(name)
    this.items = place.shelf.keysOf(name)
  }

  get epochs(): Journal.Journal["epochs"] {
    return this.journal.epochs
  }

  at(name: string): string {
    return `${this.place.directory}${path.sep}${name}`
  }

  item(key: string): Item | undefined {
    return this.items.get(key)
  }

  isOutdated = ({ epoch, tags }: Pick<Item, "epoch" | "tags">): boolean => this.epochs.outdated(tags, epoch)

  /** The row of an item, unless it has gone meanwhile. */
  read(item: Item): Effect.Effect<CacheStore.Row | undefined, CacheError.StoreError> {
    return Effect.matchEffect(this.fs.readFile(this.at(item.name)), {
      onSuccess: (bytes): Effect.Effect<CacheStore.Row | undefined> => {
        const head = EntryFile.decodeHead(this.mark, bytes)
        if (head === undefined || head === "more" || head.key !== item.key) {
          return Effect.succeed({ ...item, bytes: new Uint8Array(0) }) // rotten: the core removes it
        }
        // another one has taken its place while it was read
        return head.epoch === item.epoch ? EntryFile.rowOf(head, bytes) : Effect.succeed(undefined)
      },
      onFailure: (error) =>
        Errors.isMissing(error) ? Effect.sync(() => this.forget(item)) : Effect.fail(Errors.ofOperation("get")(error))
    })
  }

  private forget(item: Item): undefined {
    if (this.place.shelf.get(item.name) === item) this.place.shelf.remove(item.name)
    return undefined
  }

  find(key: string): Effect.Effect<CacheStore.Row | undefined, CacheError.StoreError> {
    return Effect.suspend(() => {
      const item = this.item(key)
      if (item === undefined || this.isOutdated(item)) return Effect.succeed(undefined)
      this.place.shelf.touch(item)
      return this.read(item)
    })
  }

  private accepts(row: CacheStore.Row, name: string, epoch: number): boolean {
    if (!this.epochs.accepts(row.key, epoch) || this.epochs.outdated(row.tags, epoch)) return false
    return (this.place.shelf.get(name)?.epoch ?? 0) <= epoch
  }

  write(row: CacheStore.RowWrite): Effect.Effect<void, CacheError.StoreError> {
    const name = nameOf(this.folder, row.key)
    return Effect.suspend(() => {
      const epoch = row.since ?? this.epochs.fence(row.key)
      return this.turns.run(
        [name],
        Effect.suspend(() => (this.accepts(row, name, epoch) ? this.replace(row, name, epoch) : Effect.void))
      )
    })
  }

  private replace(row: CacheStore.RowWrite, name: string, epoch: number): Effect.Effect<void, CacheError.StoreError> {
    const { compress, shelf } = this.place
    const file = this.at(name)
    const temporary = `${file}.tmp`
    const { incarnation } = this.journal
    return Effect.gen(this, function* () {
      yield* this.journal.ensureCeiling
      const bytes = yield* EntryFile.encode(this.mark, row, { incarnation, epoch, compress })
      // larger than all that there may be: nothing is kept of this key
      if (bytes.byteLength > shelf.maxBytes) return yield* this.drop(name)
      yield* this.ensureFolder(path.dirname(file))
      yield* this.put(temporary, bytes)
      if (!this.accepts(row, name, epoch)) return yield* this.fs.remove(temporary)
      yield* this.fs.rename(temporary, file)
      if (!this.accepts(row, name, epoch)) return yield* this.drop(name)
      const { key, reclaimAt, tags } = row
      shelf.put({ name, region: this.name, key, epoch, tags, reclaimAt, bytes: bytes.byteLength })
    }).pipe(
      Effect.catchAll((error) =>
        error._tag === "StoreError"
          ? Effect.fail(error)
          : Effect.zipRight(Effect.ignore(this.fs.remove(temporary)), Effect.fail(Errors.ofOperation("set")(error)))
      ),
      // half a write would be to nobody's use
      Effect.uninterruptible
    )
  }

  private put(file: string, bytes: Uint8Array) {
    const { durable, modes } = this.place
    return durable
      ? Effect.scoped(
          Effect.flatMap(this.fs.open(file, { flag: "w", mode: modes.file }), (handle) =>
            Effect.zipRight(handle.writeAll(bytes), handle.sync)
          )
        )
      : this.fs.writeFile(file, bytes, { mode: modes.file })
  }

  private ensureFolder(folder: string) {
    return this.folders.has(folder)
      ? Effect.void
      : Effect.map(this.fs.makeDirectory(folder, { recursive: true, mode: this.place.modes.folder }), () => {
          this.folders.add(folder)
        })
  }

  /** The file of whatever is no longer on the shelf. */
  private drop(name: string) {
    this.place.shelf.remove(name)
    return Effect.catchIf(this.fs.remove(this.at(name)), Errors.isMissing, () => Effect.void)
  }

  /** Files of what is off the shelf, unless it is there again by then. */
  removeFiles(items: ReadonlyArray<Item>, operation: string): Effect.Effect<void, CacheError.StoreError> {
    if (items.length === 0) return Effect.void
    return Effect.forEach(
      items,
      ({ name }) =>
        this.turns.run(
          [name],
          Effect.suspend(() => (this.place.shelf.get(name) === undefined ? this.drop(name) : Effect.void))
        ),
      { concurrency, discard: true }
    ).pipe(Effect.mapError(Errors.ofOperation(operation)), Effect.uninterruptible)
  }

  /** Makes room: for what was written, and now and then of what is over. */
  tidy(now: number, written: number): Effect.Effect<void, CacheError.StoreError> {
    const { shelf } = this.place
    this.writes += written
    const over = this.writes > this.sweepAfter ? this.sweep(now) : []
    return this.removeFiles([...over, ...shelf.shrink()], "set")
  }

  /** Removes what is over or outdated, now; answers how many entries that were. */
  reclaim(now: number): Effect.Effect<number, CacheError.StoreError> {
    return Effect.suspend(() => {
      const over = this.sweep(now)
      return Effect.as(this.removeFiles(over, "compact"), over.length)
    })
  }

  /** As many writes later as there are entries, so that looking at all of them costs each write the same. */
  private sweep(now: number): ReadonlyArray<Item> {
    const { shelf } = this.place
    const over = shelf.sweep((item) => item.region === this.name && (item.reclaimAt <= now || this.isOutdated(item)))
    this.writes = 0
    this.sweepAfter = Math.max(leastWrites, shelf.of(this.name).length)
    return over
  }
}

export interface FileEngine extends CacheStore.Engine {
  /** Removes what is over or outdated; answers how many entries that were. */
  readonly reclaim: Effect.Effect<number, CacheError.StoreError>
}

export const make = (
  place: Place,
  name: string
): Effect.Effect<FileEngine, CacheError.StoreFailure, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const { durable, generation, modes, shelf } = place
    const folder = safeName(name)
    const absolute = path.join(place.directory, folder)
    yield* Effect.mapError(
      fs.makeDirectory(absolute, { recursive: true, mode: modes.folder }),
      Errors.ofOperation("open")
    )
    const journal = yield* Journal.open(absolute, { region: name, generation, durable, mode: modes.file })
    for (const item of yield* list(fs, place, name, folder, journal.incarnation)) shelf.put(item)
    const region = new Region(fs, place, name, folder, journal)
    const { epochs } = journal
    const own = () => shelf.of(name)
    const good = () => own().filter((item) => !region.isOutdated(item))
    yield* region.removeFiles(shelf.shrink(), "open")

    const engine: FileEngine = {
      reclaim: Effect.flatMap(steadyMillis, (now) => region.reclaim(now)),

      askedByCallers: true,

      getMany: (keys) =>
        Effect.suspend(() => {
          const epoch = epochs.now
          return Effect.map(
            keys.length === 1
              ? Effect.map(region.find(keys[0]!), (row) => [row])
              : Effect.forEach(keys, (key) => region.find(key), { concurrency }),
            (rows) => ({ epoch, rows })
          )
        }),

      setMany: (rows) =>
        Effect.zipRight(
          rows.length === 1
            ? region.write(rows[0]!)
            : Effect.forEach(rows, (row) => region.write(row), { concurrency, discard: true }),
          // that room could not be made is no reason to say that nothing was written
          Effect.flatMap(steadyMillis, (now) => Effect.ignore(region.tidy(now, rows.length)))
        ),

      deleteMany: (keys) =>
        Effect.suspend(() => {
          const gone = [...new Set(keys)].flatMap((key) => {
            const item = region.item(key)
            epochs.fence(key)
            return (item && shelf.remove(item.name)) ?? []
          })
          const count = gone.filter((item) => !region.isOutdated(item)).length
          return Effect.as(region.removeFiles(gone, "delete"), count)
        }),

      bump: (tags) =>
        Effect.suspend(() => {
          if (tags.length === 0) return Effect.void
          for (const tag of tags) epochs.bump(tag)
          return journal.bumped(tags, epochs.now)
        }),

      outdate: Effect.suspend(() => {
        epochs.bumpAll()
        return journal.outdated(epochs.now)
      }),

      clear: Effect.suspend(() => {
        const count = good().length
        const gone = shelf.sweep((item) => item.region === name)
        epochs.bumpAll()
        return journal.outdated(epochs.now).pipe(Effect.zipRight(region.removeFiles(gone, "clear")), Effect.as(count))
      }),

      inspect: (key) =>
        Effect.suspend(() => {
          const item = region.item(key)
          if (item === undefined) return Effect.succeed(undefined)
          const outdatedBy = epochs.outdatedBy(item.tags, item.epoch)
          return Effect.map(region.read(item), (row) => row && { row, epoch: item.epoch, outdatedBy })
        }),

      scan: Stream.suspend(() =>
        Stream.filterMap(
          Stream.mapEffect(Stream.fromIterable(own()), (item) =>
            region.isOutdated(item) ? Effect.succeed(undefined) : region.read(item)
          ),
          Option.fromNullable
        )
      ),

      size: (now) =>
        Effect.sync(() => {
          const present = good().filter((item) => item.reclaimAt > now)
          return { entries: present.length, bytes: present.reduce((sum, item) => sum + item.bytes, 0) }
        })
    }
    return engine
  })
