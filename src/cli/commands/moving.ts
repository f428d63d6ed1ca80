/** Commands that take entries from one place to another. */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as CacheError from "../../CacheError.js"
import * as StoreAdmin from "../../StoreAdmin.js"
import { NotWell, Usage } from "../errors.js"
import * as Format from "../format.js"
import { progress } from "../progress.js"
import type { Screen } from "../screen.js"
import { paint, type Service, show } from "../screen.js"

type Failure = CacheError.InvalidConfig | CacheError.StoreFailure

/** The last of each cache, in the order in which they came. */
const lasts = <A extends { readonly name: string }>(all: Iterable<readonly [string, A]>): ReadonlyArray<A> =>
  [...new Map(all)].map(([, one]) => one)

/** Shows how far it is while it runs; answers what has become of each cache. */
const watched = <E, R>(
  copying: Stream.Stream<StoreAdmin.Copied, E, R>
): Effect.Effect<ReadonlyArray<StoreAdmin.Copied>, E, R | Screen> =>
  Effect.scoped(
    Effect.gen(function* () {
      const bar = yield* progress
      const seen = new Map<string, StoreAdmin.Copied>()
      yield* Stream.runForEach(copying, (one) => {
        seen.set(one.name, one)
        return bar({ label: Format.cacheName(one.name), done: one.seen, total: one.total })
      })
      return lasts(seen)
    })
  )

const copiedTable = (rows: ReadonlyArray<StoreAdmin.Copied>, screen: Service): string =>
  rows.length === 0
    ? "no caches: there was nothing to copy"
    : Format.table(
        [
          { head: "CACHE" },
          { head: "ENTRIES", right: true },
          { head: "COPIED", right: true },
          { head: "THERE ALREADY", right: true },
          { head: "YOUNGER THERE", right: true },
          { head: "OVER", right: true }
        ],
        rows.map(({ copied, kept, name, over, present, seen }) => [
          Format.cacheName(name),
          ...[seen, copied, present, kept, over].map(Format.count)
        ]),
        screen
      )

/** What is copied, and how carefully. */
export interface Migrating extends StoreAdmin.Between {
  /** Whether every entry is looked for when all is done. */
  readonly verify: boolean
}

/** Copies entries from one store into another. Begun again after it was stopped, it goes on where it was. */
export const migrate = ({ verify, ...between }: Migrating): Effect.Effect<void, Failure | NotWell, Screen> =>
  Effect.gen(function* () {
    const copied = yield* watched(StoreAdmin.migrate(between))
    const compared = verify ? yield* StoreAdmin.compare(between) : []
    const missing = compared.reduce((sum, one) => sum + one.missing, 0)
    yield* show({ copied, ...(verify ? { compared } : {}) }, (_, screen) => {
      const table = copiedTable(copied, screen)
      if (!verify) return table
      const entries = compared.reduce((sum, one) => sum + one.entries, 0)
      const verdict =
        missing === 0
          ? paint(screen, "green", `verified: all ${Format.count(entries)} are there`)
          : paint(screen, "red", `${Format.count(missing)} of ${Format.count(entries)} are not there: run it again`)
      return `${table}\n${verdict}`
    })
    if (missing > 0) return yield* new NotWell()
  })

/** Writes the entries of some caches, or of all, into a file, which is there only when it is whole. */
export const snapshot = (options: {
  readonly caches: ReadonlyArray<string>
  readonly file: string
}): Effect.Effect<void, Failure | CacheError.PathError, StoreAdmin.StoreAdmin | Screen | FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const { caches, file } = options
    const admin = yield* StoreAdmin.StoreAdmin
    const fs = yield* FileSystem.FileSystem
    const temporary = `${file}.tmp`
    let size = 0
    const lines = Stream.tap(admin.snapshot(caches.length === 0 ? undefined : caches), (line) =>
      Effect.sync(() => void (size += line.byteLength))
    )
    const failed = (cause: { readonly message: string }) =>
      new CacheError.PathError({
        path: file,
        reason: `cannot be written: ${cause.message}`,
        hint: "name a file in a folder that you may write in, on a disk with room",
        cause
      })
    yield* Stream.run(lines, fs.sink(temporary, { mode: 0o600 })).pipe(
      Effect.zipRight(fs.rename(temporary, file)),
      Effect.onError(() => Effect.ignore(fs.remove(temporary))),
      Effect.catchTags({ SystemError: failed, BadArgument: failed })
    )
    yield* show({ file, bytes: size }, () => `wrote ${file}: ${Format.bytes(size)}`)
  })

/** Puts the entries of a file back that `snapshot` has written. */
export const restore = (
  file: string
): Effect.Effect<
  void,
  Failure | CacheError.CodecError | CacheError.PathError,
  StoreAdmin.StoreAdmin | Screen | FileSystem.FileSystem
> =>
  Effect.gen(function* () {
    const admin = yield* StoreAdmin.StoreAdmin
    const fs = yield* FileSystem.FileSystem
    const bytes = Stream.mapError(
      fs.stream(file),
      (cause) =>
        new CacheError.PathError({
          path: file,
          reason: `cannot be read: ${cause.message}`,
          hint: "name a file that larder snapshot has written",
          cause
        })
    )
    yield* Effect.flatMap(watched(admin.restore(bytes)), (copied) => show(copied, copiedTable))
  })

/** Both stores of a migration have to be named, and be two. */
export const twoStores = (from: string, to: string): Effect.Effect<void, Usage> =>
  from === to
    ? new Usage({ reason: `--from and --to are the same store`, hint: "name another one with --to" })
    : Effect.void
