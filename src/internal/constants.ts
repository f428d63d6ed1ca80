/**
 * Every default and limit of effect-larder, each named once. Durations are in milliseconds, sizes in bytes.
 *
 * @since 0.1.0
 */

/** How long an entry is fresh: for ever, because the capacity bounds a cache and nothing else has to. */
export const defaultTimeToLive = Infinity

/** How long after its life an entry may be served while it is loaded again: not at all, unless asked. */
export const defaultStaleWhileRevalidate = 0

/** How long after its life an entry may be served instead of a failed load: not at all, unless asked. */
export const defaultStaleIfError = 0

/** When a load is interrupted. Finite, so that a lookup that hangs does not keep its key for ever. */
export const defaultLoadDeadline = 30_000

/** How long a caller with nothing to be served waits for a load: as long as the load may last. */
export const defaultWaitFresh = Infinity

/** How long a caller who could be served a stale value waits for a load: as long as the load may last. */
export const defaultWaitStale = Infinity

/** How many entries a store keeps. */
export const defaultMaxEntries = 10_000

/** How many bytes of entries a store keeps: as many as `maxEntries` entries have. */
export const defaultMaxBytes = Infinity

/** Above this many entries one warning is logged when the configuration is built. */
export const manyEntries = 1_000_000

/** The mode of the Fetch standard that is in force when none is given. */
export const defaultMode = "default"

/** Keys are kept readable in stores. (Spans, logs and metrics hash them regardless.) */
export const defaultKeyHashing = "clear"

/** Files and folders are for their owner alone. */
export const defaultFilePermissions = "private"

/** A hit makes no span: a span costs several times what the hit does. */
export const defaultTraceHits = false

/** Milliseconds for which what is no longer fresh is kept to be revalidated, where a cache can do that: a day. */
export const defaultRevalidateWithin = 86_400_000

/** How many loads may wait for their turn in a bulkhead. */
export const defaultBulkheadQueue = 1_000

/** How many keys at most are given to a batched lookup at once. */
export const defaultBatchSize = 100

/** The name of larder's folder in the platform's cache folder. */
export const folderName = "effect-larder"

/** POSIX modes of folders, by `filePermissions`. */
export const folderModes = { private: 0o700, shared: 0o755 } as const

/** POSIX modes of files, by `filePermissions`. */
export const fileModes = { private: 0o600, shared: 0o644 } as const

/** How many characters of a name stay readable in the name of its file or folder. */
export const readableNameLength = 40

/** How many hexadecimal digits of a name's SHA-256 its file or folder carries: 160 bits. */
export const nameDigestLength = 40

/** How a configuration file is named, without its ending. */
export const configFileName = "larder.config"

/** The endings of a configuration file. */
export const configFileEndings = ["toml", "yaml", "json"] as const
