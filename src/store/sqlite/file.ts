/** The file that a database lives in: made before SQLite sees it, so that it is never readable by others. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as fs from "node:fs/promises"
import * as os from "node:os"
import * as path from "node:path"
import * as CacheError from "../../CacheError.js"

/** SQLite's own names for the write-ahead log and its index; they get the permissions of the database. */
const parts = ["", "-wal", "-shm"]

const codeOf = (cause: unknown): string =>
  typeof cause === "object" && cause !== null && "code" in cause ? String(cause.code) : ""

/** What a caller can do about it, where the system's own code says more than the operation. */
const hints: Readonly<Record<string, string>> = {
  EROFS: "the file system is read-only: mount it writable, or choose another filename",
  ENOSPC: "the disk is full: make room, or choose another filename",
  EDQUOT: "this user's quota of the disk is used up: make room, or choose another filename",
  ENAMETOOLONG: "choose a shorter filename",
  ELOOP: "the path is a circle of links: choose another filename"
}

const pathError =
  (file: string, reason: string, hint: string) =>
  (cause?: unknown): CacheError.PathError =>
    new CacheError.PathError({ path: file, reason, hint: hints[codeOf(cause)] ?? hint, cause })

const attempt = <A>(
  run: () => Promise<A>,
  onError: (cause: unknown) => CacheError.PathError
): Effect.Effect<A, CacheError.PathError> => Effect.tryPromise({ try: run, catch: onError })

const create = async (file: string, mode: number): Promise<boolean> => {
  const handle = await fs.open(file, "wx", mode)
  try {
    // the umask has taken its part of `mode`, which may be too much
    await handle.chmod(mode)
  } finally {
    await handle.close()
  }
  return true
}

/** Makes the file, empty, if there is none. One that is there is not changed: it may be somebody else's. */
export const ensureFile = (file: string, mode: number): Effect.Effect<void, CacheError.PathError> =>
  Effect.gen(function* () {
    const hint = `let this process write in ${path.dirname(file)}, or choose another filename`
    const made = yield* attempt(
      () => create(file, mode),
      pathError(file, "cannot create the database file", hint)
    ).pipe(
      Effect.catchIf(
        (error) => codeOf(error.cause) === "EEXIST",
        () => Effect.succeed(false)
      )
    )
    if (made) return
    const stat = yield* attempt(() => fs.stat(file), pathError(file, "cannot read the database file", hint))
    if (!stat.isFile()) {
      return yield* pathError(file, "the database's path is not a file", "choose another filename, or remove it")()
    }
  })

const securePart = (file: string, mode: number): Effect.Effect<void, CacheError.PathError> =>
  Effect.gen(function* () {
    const insecure = pathError(
      file,
      `cannot give the file the permissions 0${mode.toString(8)}`,
      "let the user who runs this process own the file, or keep it on a disk that has permissions"
    )
    const stat = yield* attempt(() => fs.stat(file), insecure)
    if ((stat.mode & 0o777) === mode) return
    yield* attempt(() => fs.chmod(file, mode), insecure)
    const after = yield* attempt(() => fs.stat(file), insecure)
    if ((after.mode & 0o777) !== mode) return yield* insecure()
  }).pipe(
    // the log comes and goes with other processes
    Effect.catchIf(
      (error) => codeOf(error.cause) === "ENOENT",
      () => Effect.void
    )
  )

/** Gives the database and its companions their permissions, whatever the umask, and looks whether it worked. */
export const secure = (file: string, mode: number): Effect.Effect<void, CacheError.PathError> =>
  process.platform === "win32"
    ? Effect.void
    : Effect.forEach(parts, (part) => securePart(file + part, mode), { discard: true })

/** A folder of its own that only this user may enter, removed with all that is in it when the Scope closes. */
export const temporaryFolder: Effect.Effect<string, CacheError.PathError, Scope.Scope> = Effect.acquireRelease(
  Effect.suspend(() => {
    const base = os.tmpdir()
    return attempt(
      () => fs.mkdtemp(path.join(base, "effect-larder-")),
      pathError(base, "cannot create a temporary folder", "let TMPDIR name a folder that can be written")
    )
  }),
  (folder) => Effect.ignore(Effect.tryPromise(() => fs.rm(folder, { recursive: true, force: true })))
)
