/** What goes wrong in SQLite, in this project's words. Drivers' errors stop here: they become the `cause`. */
import * as CacheError from "../../CacheError.js"

/** The store's name in errors, spans and logs. */
export const storeName = "SqliteStore"

const rebuild = (file: string): string =>
  `remove ${file}, ${file}-wal and ${file}-shm while no process uses them; a cache fills again by itself`

interface Diagnosis {
  readonly reason: string
  readonly transient: boolean
  readonly hint: (file: string) => string
}

/** By the beginning of SQLite's result code: extended codes say more than a caller can act upon. */
const diagnoses: ReadonlyArray<readonly [code: string, diagnosis: Diagnosis]> = [
  [
    "SQLITE_BUSY",
    {
      reason: "another process holds the database",
      transient: true,
      hint: () => "try again, or raise busyTimeout"
    }
  ],
  [
    "SQLITE_LOCKED",
    {
      reason: "another connection holds the table",
      transient: true,
      hint: () => "try again, or raise busyTimeout"
    }
  ],
  [
    "SQLITE_FULL",
    {
      reason: "the disk is full",
      transient: false,
      hint: (file) => `free space on the disk of ${file}; what was stored before can still be read`
    }
  ],
  [
    "SQLITE_READONLY",
    {
      reason: "the database cannot be written",
      transient: false,
      hint: (file) => `give this process write access to ${file} and its folder`
    }
  ],
  [
    "SQLITE_PERM",
    {
      reason: "access to the database is denied",
      transient: false,
      hint: (file) => `give this process read and write access to ${file} and its folder`
    }
  ],
  [
    "SQLITE_CANTOPEN",
    {
      reason: "the database file cannot be opened",
      transient: false,
      hint: (file) => `check that ${file} is a file, and that its folder exists and can be written`
    }
  ],
  [
    "SQLITE_IOERR",
    {
      reason: "the disk failed to read or write",
      transient: false,
      hint: (file) => `check the disk of ${file} and its free space`
    }
  ],
  ["SQLITE_CORRUPT", { reason: "the database is damaged", transient: false, hint: rebuild }],
  [
    "SQLITE_NOTADB",
    {
      reason: "the file is not a SQLite database",
      transient: false,
      hint: (file) => `choose another filename: ${file} holds something else, and is left as it is`
    }
  ],
  [
    "SQLITE_TOOBIG",
    {
      reason: "an entry is larger than SQLite can hold (1 000 000 000 bytes)",
      transient: false,
      hint: () => "keep values of this size in a FileStore or ObjectStore"
    }
  ],
  // the statements are the same every time: if one does not fit the tables, it is the tables that have changed
  ["SQLITE_ERROR", { reason: "the tables are not as they were made", transient: false, hint: rebuild }]
]

const unknown = (error: unknown): Diagnosis => ({
  reason: error instanceof Error ? error.message : String(error),
  transient: false,
  hint: (file) => `if this goes on, ${rebuild(file)}`
})

/** The driver's error within what `@effect/sql` made of it. */
const driverError = (error: unknown): unknown =>
  typeof error === "object" && error !== null && "_tag" in error && error._tag === "SqlError" && "cause" in error
    ? error.cause
    : error

const codeOf = (error: unknown): string =>
  typeof error === "object" && error !== null && "code" in error ? String(error.code) : ""

const diagnose = (error: unknown): Diagnosis => {
  const code = codeOf(error)
  return diagnoses.find(([prefix]) => code.startsWith(prefix))?.[1] ?? unknown(error)
}

/** A statement failed. */
export const ofStatement = (operation: string, file: string, thrown: unknown): CacheError.StoreError => {
  const error = driverError(thrown)
  const { hint, reason, transient } = diagnose(error)
  return new CacheError.StoreError({
    store: storeName,
    operation,
    reason,
    transient,
    hint: hint(file),
    cause: error
  })
}

/** The database cannot be opened, or cannot be what this store needs. */
export const ofOpening = (file: string, thrown: unknown): CacheError.StoreUnavailable => {
  const error = driverError(thrown)
  const { hint, reason } = diagnose(error)
  // better-sqlite3 looks for its compiled half only when the first database is opened
  const unbuilt = error instanceof Error && /bindings file|NODE_MODULE_VERSION/.test(error.message)
  return unbuilt
    ? new CacheError.StoreUnavailable({
        store: storeName,
        reason: "better-sqlite3 is not compiled for this Node.js",
        hint: "npm rebuild better-sqlite3",
        cause: error
      })
    : new CacheError.StoreUnavailable({
        store: storeName,
        reason: `${reason}: ${file}`,
        hint: hint(file),
        cause: error
      })
}
