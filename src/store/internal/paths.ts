/**
 * Where stores with files keep them: the one resolver of the default folder, safe names for files and folders, and the
 * making of folders with the permissions they must have.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { createHash } from "node:crypto"
import * as fs from "node:fs/promises"
import * as os from "node:os"
import * as nodePath from "node:path"
import type { CacheConfig } from "../../CacheConfig.js"
import * as CacheError from "../../CacheError.js"
import * as Constants from "../../internal/constants.js"

/** What is asked of a platform's paths; `@effect/platform/Path` and `node:path` both have it. */
export interface PathLike {
  readonly join: (...parts: ReadonlyArray<string>) => string
  readonly isAbsolute: (path: string) => boolean
}

/** What the default folder depends on. */
export interface Host {
  /** As Node names it: "linux", "darwin", "win32", ... */
  readonly platform: string
  /** `XDG_CACHE_HOME` and `LOCALAPPDATA`. */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly home: string | undefined
}

const hint = "name a folder: set LARDER_DIR, or the option directory"

/** The platform's cache folder, without larder's own. Undefined when nothing absolute can be said. */
const platformFolder = (path: PathLike, { env, home, platform }: Host): string | undefined => {
  const absolute = (candidate: string | undefined) =>
    candidate !== undefined && path.isAbsolute(candidate) ? candidate : undefined
  const inHome = (...parts: ReadonlyArray<string>) => {
    const root = absolute(home)
    return root === undefined ? undefined : path.join(root, ...parts)
  }
  switch (platform) {
    case "win32":
      return absolute(env["LOCALAPPDATA"]) ?? inHome("AppData", "Local")
    case "darwin":
      return inHome("Library", "Caches")
    default:
      // the XDG specification says to ignore a path that is not absolute
      return absolute(env["XDG_CACHE_HOME"]) ?? inHome(".cache")
  }
}

/** The default folder, as a pure function of where the program runs. Nothing is made or looked at. */
export const cacheFolder = (path: PathLike, host: Host): Either.Either<string, CacheError.PathError> => {
  const folder = platformFolder(path, host)
  return folder === undefined
    ? Either.left(new CacheError.PathError({ path: host.home ?? "", reason: "cannot tell the home folder", hint }))
    : Either.right(path.join(folder, Constants.folderName))
}

const variable = (name: string): Effect.Effect<string | undefined> =>
  Effect.orElseSucceed(Config.string(name), () => undefined)

/** The folder that a store shall use: the configured one, or else the default one. Always the same between runs. */
export const storeFolder = (config: Pick<CacheConfig, "directory">): Effect.Effect<string, CacheError.PathError> =>
  config.directory !== undefined
    ? Effect.succeed(nodePath.resolve(config.directory))
    : Effect.gen(function* () {
        const env = {
          XDG_CACHE_HOME: yield* variable("XDG_CACHE_HOME"),
          LOCALAPPDATA: yield* variable("LOCALAPPDATA")
        }
        // a user without a home, as in some containers, makes Node throw
        const home = yield* Effect.orElseSucceed(
          Effect.try(() => os.homedir()),
          () => undefined
        )
        return yield* cacheFolder(nodePath, { platform: process.platform, env, home })
      })

/**
 * A name for a file or folder from any text: what is readable of it, and a digest that tells it from all others.
 *
 * Only `a-z`, `0-9`, `_` and `-` appear, so it is one segment on every file system; two names that differ only in case
 * stay apart where case is ignored; no Windows device is meant, because the digest is part of the base name.
 */
export const safeName = (name: string): string => {
  const readable = name
    .slice(0, Constants.readableNameLength)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "_")
  // UTF-16, because UTF-8 would make all broken surrogates one
  const digest = createHash("sha256").update(name, "utf16le").digest("hex")
  return `${readable === "" ? "_" : readable}-${digest.slice(0, Constants.nameDigestLength)}`
}

/** Whether a name can be one of those. */
export const isSafeName = (name: string): boolean => /^[a-z0-9_]+-[0-9a-f]+$/.test(name)

const hints: Readonly<Record<string, string>> = {
  EEXIST: "a file of this name is in the way: remove it, or name another folder",
  ENOTDIR: "a file is in the way: remove it, or name another folder",
  EACCES: "give this user leave to write in the folder above, or name another folder",
  EPERM: "give this user leave to write in the folder above, or name another folder",
  EROFS: "the file system is read-only: mount it writable, or name another folder",
  ENOSPC: "the disk is full: make room, or name another folder",
  ENAMETOOLONG: "name a folder with a shorter path"
}

const codeOf = (cause: unknown): string =>
  typeof cause === "object" && cause !== null && "code" in cause ? String(cause.code) : ""

const failed =
  (path: string, reason: string) =>
  (cause: unknown): CacheError.PathError =>
    new CacheError.PathError({ path, reason, hint: hints[codeOf(cause)] ?? hint, cause })

const cannotCreate = "cannot create cache folder"

/** Windows has no such modes; its folders inherit who may read them from the profile they are in. */
const hasModes = process.platform !== "win32"

const modeOf = async (path: string): Promise<number> => (await fs.stat(path)).mode & 0o777

/** Sets a mode and makes sure that it holds: some file systems accept any and keep their own. */
const setMode = async (path: string, mode: number): Promise<void> => {
  if (!hasModes || (await modeOf(path)) === mode) return
  await fs.chmod(path, mode)
  const actual = await modeOf(path)
  // a file system may be stricter than asked, never more open
  if ((actual & ~mode) !== 0) throw new Error(`its mode is ${actual.toString(8)} whatever is set`)
}

/** Makes one folder with its mode; `false` when it is there already. */
const makeOne = async (path: string, mode: number): Promise<boolean> => {
  try {
    await fs.mkdir(path, { mode })
  } catch (cause) {
    if (codeOf(cause) === "EEXIST" && (await fs.stat(path)).isDirectory()) return false
    throw cause
  }
  await setMode(path, mode)
  return true
}

/** Makes a folder and those above it, each with its mode before the next is made, because a umask may forbid that. */
const make = async (path: string, mode: number): Promise<boolean> => {
  try {
    return await makeOne(path, mode)
  } catch (cause) {
    const above = nodePath.dirname(path)
    if (codeOf(cause) !== "ENOENT" || above === path) throw cause
    await make(above, mode)
    // not `make` again: where the folder above is there, ENOENT means something else and stays
    return makeOne(path, mode)
  }
}

/**
 * Makes sure of a folder: 0700 when `private`, 0755 when `shared`, whatever the umask; so are the folders made above it.
 *
 * A folder that stood before is left as it is, because it may be anybody's (`/tmp`, a volume, the working directory),
 * unless `own` says that it is larder's alone: then its mode is set too. Answers whether the folder was made.
 */
export const ensureFolder = (
  path: string,
  permissions: CacheConfig["filePermissions"],
  options: { readonly own?: boolean } = {}
): Effect.Effect<boolean, CacheError.PathError> => {
  const mode = Constants.folderModes[permissions]
  const absolute = nodePath.resolve(path)
  return Effect.tryPromise({ try: () => make(absolute, mode), catch: failed(path, cannotCreate) }).pipe(
    Effect.tap((made) =>
      made || options.own !== true
        ? Effect.void
        : Effect.tryPromise({
            try: () => setMode(absolute, mode),
            catch: failed(path, "cannot set the permissions of the cache folder")
          })
    )
  )
}
