/**
 * A snapshot in a file, for the time between two lives of a process.
 *
 * It is taken away before it is taken in: were it still there after a crash, it would bring back what this life has
 * invalidated. It is written beside its place and then put there, so that there is never half of one.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import * as CacheConfig from "../../CacheConfig.js"
import type * as CacheError from "../../CacheError.js"
import { fileModes, folderModes } from "../../internal/constants.js"
import * as Check from "../../internal/options.js"
import * as CacheEvents from "../../observe/CacheEvents.js"
import { type Engine, storeName } from "./engine.js"
import { warnOf } from "../../internal/tell.js"

/** A path that is text and not empty, or `InvalidConfig`. */
export const check = (file: unknown): Effect.Effect<void, CacheError.InvalidConfig> =>
  Check.check(
    { file },
    {
      file: (value) =>
        typeof value === "string" && value.trim().length > 0 && !value.includes("\0")
          ? undefined
          : { reason: "must be a path that is not empty", hint: 'give a path such as "data/cache.snapshot"' }
    },
    ["file"]
  )

const isMissing = (error: { readonly _tag: string; readonly reason?: unknown }): boolean =>
  error._tag === "SystemError" && error.reason === "NotFound"

/** What the last life has left is taken in now, and what this one leaves is written when the Scope is closed. */
export const keep = (
  { controls }: Engine,
  file: string
): Effect.Effect<void, never, Scope.Scope | FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const events = yield* CacheEvents.CacheEvents
    const { filePermissions } = yield* CacheConfig.Current

    const load = Effect.tap(fs.readFile(file), () => fs.remove(file)).pipe(
      Effect.flatMap(controls.restore),
      Effect.flatMap(({ damaged }) =>
        damaged === 0
          ? Effect.void
          : warnOf(storeName, `${damaged} damaged records of the snapshot were passed over: ${file}`)
      ),
      Effect.catchAll((error) =>
        isMissing(error)
          ? Effect.void
          : warnOf(storeName, `${storeName} starts empty, for its snapshot cannot be used: ${file}`, error)
      )
    )

    const temporary = `${file}.${yield* Random.nextIntBetween(0, 2 ** 31)}.tmp`
    const write = Effect.gen(function* () {
      const bytes = yield* controls.snapshot
      yield* fs.makeDirectory(path.dirname(file), { recursive: true, mode: folderModes[filePermissions] })
      yield* fs.writeFile(temporary, bytes, { mode: fileModes[filePermissions] })
      yield* fs.rename(temporary, file)
    }).pipe(
      Effect.onError(() => Effect.ignore(fs.remove(temporary))),
      Effect.catchAll((error) => {
        events.publish({ _tag: "ReleaseFailed", store: storeName, reason: `cannot write ${file}: ${error.message}` })
        return warnOf(storeName, `the snapshot was not written, the next start will be cold: ${file}`, error)
      })
    )

    yield* Effect.uninterruptible(load)
    yield* Effect.addFinalizer(() => write)
  })
