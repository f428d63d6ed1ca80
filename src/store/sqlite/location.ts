/** Where a store's file is: a path as given, or a name within larder's own cache folder. */
import * as Effect from "effect/Effect"
import * as path from "node:path"
import * as CacheConfig from "../../CacheConfig.js"
import type * as CacheError from "../../CacheError.js"
import * as Constants from "../../internal/constants.js"
import * as Paths from "../internal/paths.js"

export interface Location {
  readonly file: string
  /** The permissions that the file must have. */
  readonly mode: number
}

const defaultName = "cache"

/** The file alone: neither it nor its folder is made. */
export const fileOf = (options: {
  readonly filename?: string | undefined
  readonly name?: string | undefined
}): Effect.Effect<string, CacheError.PathError> =>
  Effect.gen(function* () {
    if (options.filename !== undefined) return path.resolve(options.filename)
    const folder = yield* Paths.storeFolder(yield* CacheConfig.Current)
    return path.join(folder, `${Paths.safeName(options.name ?? defaultName)}.db`)
  })

/** Finds the file and makes its folder. Only larder's own folder has its permissions set when it stood before. */
export const prepare = (options: {
  readonly filename?: string | undefined
  readonly name?: string | undefined
}): Effect.Effect<Location, CacheError.PathError> =>
  Effect.gen(function* () {
    const config = yield* CacheConfig.Current
    const file = yield* fileOf(options)
    // a directory that was configured may be a volume or a folder of the application's: not larder's alone
    const own = options.filename === undefined && config.directory === undefined
    yield* Paths.ensureFolder(path.dirname(file), config.filePermissions, { own })
    return { file, mode: Constants.fileModes[config.filePermissions] }
  })
