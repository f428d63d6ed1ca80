/**
 * The one family of errors that effect-larder fails with.
 *
 * Every member says what went wrong (`message`), what to do about it (`hint`) and where to read more (`docsUrl`, a file that
 * this package exports, and after `#` the section in it). Drivers' own errors never come through untyped: they are the `cause` of one of these.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { docsUrl } from "./internal/docsUrl.js"

/**
 * One thing wrong with a configuration: which field, the value as it was given, the reason and the remedy.
 *
 * @since 0.1.0
 * @category models
 */
export class Issue extends Schema.Class<Issue>("effect-larder/CacheError/Issue")({
  field: Schema.String,
  value: Schema.String,
  reason: Schema.String,
  hint: Schema.String
}) {}

/**
 * Options, environment or a configuration file hold values that cannot be used. Lists every issue, not only the first.
 *
 * @example
 * ```ts
 * import { CacheError } from "effect-larder"
 *
 * const error = CacheError.invalidConfig([
 *   { field: "capacity", value: 0, reason: "must be positive", hint: "use Infinity for no bound" }
 * ])
 * console.log(error.message) // Invalid capacity=0: must be positive
 * ```
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidConfig extends Schema.TaggedError<InvalidConfig>("effect-larder/CacheError/InvalidConfig")(
  "InvalidConfig",
  { issues: Schema.Array(Issue) }
) {
  /** @since 0.1.0 */
  override get message(): string {
    return this.issues.map((issue) => `Invalid ${issue.field}=${issue.value}: ${issue.reason}`).join("\n")
  }
  /** @since 0.1.0 */
  get hint(): string {
    return this.issues.map((issue) => `${issue.field}: ${issue.hint}`).join("\n")
  }
  /** @since 0.1.0 */
  get docsUrl(): string {
    return docsUrl(this._tag)
  }
}

/** How a bad value is shown: short, on one line, never the internals of an object or a function. */
const show = (value: unknown): string => {
  if (typeof value === "function") return value.name === "" ? "[Function]" : `[Function ${value.name}]`
  const text =
    typeof value === "string"
      ? JSON.stringify(value)
      : typeof value === "object" && value !== null
        ? Object.prototype.toString.call(value)
        : Object.is(value, -0)
          ? "-0"
          : typeof value === "bigint"
            ? `${value}n`
            : String(value)
  return text.length > 80 ? `${text.slice(0, 77)}...` : text
}

/**
 * Makes an `InvalidConfig` from values as they were given.
 *
 * @since 0.1.0
 * @category constructors
 */
export const invalidConfig = (
  issues: ReadonlyArray<{
    readonly field: string
    readonly value: unknown
    readonly reason: string
    readonly hint: string
  }>
): InvalidConfig =>
  new InvalidConfig({ issues: issues.map((issue) => new Issue({ ...issue, value: show(issue.value) })) })

/**
 * A store that is wanted cannot be had: its peer is missing, its server refuses, its folder cannot be written,
 * or it has been closed.
 *
 * @since 0.1.0
 * @category errors
 */
export class StoreUnavailable extends Schema.TaggedError<StoreUnavailable>("effect-larder/CacheError/StoreUnavailable")(
  "StoreUnavailable",
  {
    store: Schema.String,
    reason: Schema.optional(Schema.String),
    hint: Schema.String,
    cause: Schema.optional(Schema.Defect)
  }
) {
  /** @since 0.1.0 */
  override get message(): string {
    return `Cache store '${this.store}' is not available${this.reason === undefined ? "" : `: ${this.reason}`}`
  }
  /** @since 0.1.0 */
  get docsUrl(): string {
    return docsUrl(this._tag)
  }
}

/**
 * A store failed at an operation. `transient` tells whether trying again may help (a busy file, a lost connection)
 * or not (a full disk, a damaged database).
 *
 * @since 0.1.0
 * @category errors
 */
export class StoreError extends Schema.TaggedError<StoreError>("effect-larder/CacheError/StoreError")("StoreError", {
  store: Schema.String,
  operation: Schema.String,
  reason: Schema.String,
  transient: Schema.Boolean,
  hint: Schema.String,
  cause: Schema.optional(Schema.Defect)
}) {
  /** @since 0.1.0 */
  override get message(): string {
    return `Cache store '${this.store}' failed at ${this.operation}: ${this.reason}`
  }
  /** @since 0.1.0 */
  get docsUrl(): string {
    return docsUrl(this._tag)
  }
}

/**
 * A store did not answer in time. `millis` is the limit that was in force, in milliseconds.
 *
 * @since 0.1.0
 * @category errors
 */
export class StoreTimeout extends Schema.TaggedError<StoreTimeout>("effect-larder/CacheError/StoreTimeout")(
  "StoreTimeout",
  { store: Schema.String, operation: Schema.String, millis: Schema.Number }
) {
  /** @since 0.1.0 */
  override get message(): string {
    return `Cache store '${this.store}' did not answer ${this.operation} within ${this.millis} ms`
  }
  /** @since 0.1.0 */
  get hint(): string {
    return "check that the store is reachable, or raise the limit given to CacheStore.timeout"
  }
  /** @since 0.1.0 */
  get docsUrl(): string {
    return docsUrl(this._tag)
  }
}

/**
 * A load took too long. `limit` names the option that was in force, `millis` its value in milliseconds.
 *
 * @since 0.1.0
 * @category errors
 */
export class LoadTimeout extends Schema.TaggedError<LoadTimeout>("effect-larder/CacheError/LoadTimeout")(
  "LoadTimeout",
  {
    cache: Schema.String,
    limit: Schema.Literal("loadDeadline", "waitFresh"),
    millis: Schema.Number
  }
) {
  /** @since 0.1.0 */
  override get message(): string {
    return this.limit === "loadDeadline"
      ? `Cache '${this.cache}': the lookup did not end within its loadDeadline of ${this.millis} ms and was interrupted`
      : `Cache '${this.cache}': no value after waiting ${this.millis} ms (waitFresh); the load goes on in the background`
  }
  /** @since 0.1.0 */
  get hint(): string {
    return `make the lookup faster, raise ${this.limit}, or allow an older value with staleIfError`
  }
  /** @since 0.1.0 */
  get docsUrl(): string {
    return docsUrl(this._tag)
  }
}

/**
 * A load was not begun: as many as the cache's `bulkhead` allows were running, and as many waiting, and there was no
 * stale value to serve.
 *
 * @since 0.1.0
 * @category errors
 */
export class LoadRejected extends Schema.TaggedError<LoadRejected>("effect-larder/CacheError/LoadRejected")(
  "LoadRejected",
  {
    cache: Schema.String,
    concurrency: Schema.Number,
    queue: Schema.Number
  }
) {
  /** @since 0.1.0 */
  override get message(): string {
    return `Cache '${this.cache}': the load was not begun, for ${this.concurrency} are running and ${this.queue} are waiting (bulkhead)`
  }
  /** @since 0.1.0 */
  get hint(): string {
    return "try again later, raise bulkhead.concurrency or bulkhead.queue, or allow an older value with staleIfError"
  }
  /** @since 0.1.0 */
  get docsUrl(): string {
    return docsUrl(this._tag)
  }
}

/**
 * A value cannot be a key: a function, a symbol, a cycle, or an instance of a class that has no Schema.
 *
 * @since 0.1.0
 * @category errors
 */
export class KeyError extends Schema.TaggedError<KeyError>("effect-larder/CacheError/KeyError")("KeyError", {
  path: Schema.String,
  reason: Schema.String
}) {
  /** @since 0.1.0 */
  override get message(): string {
    return `Cannot make a cache key: ${this.path} ${this.reason}`
  }
  /** @since 0.1.0 */
  get hint(): string {
    return "give the cache a `key` Schema, or a `key` function that returns plain data"
  }
  /** @since 0.1.0 */
  get docsUrl(): string {
    return docsUrl(this._tag)
  }
}

/**
 * Bytes that are no entry of this cache (when decoding), or a value that its Schema refuses (when encoding).
 *
 * @since 0.1.0
 * @category errors
 */
export class CodecError extends Schema.TaggedError<CodecError>("effect-larder/CacheError/CodecError")("CodecError", {
  codec: Schema.String,
  operation: Schema.Literal("encode", "decode"),
  reason: Schema.String,
  cause: Schema.optional(Schema.Defect)
}) {
  /** @since 0.1.0 */
  override get message(): string {
    return `Codec '${this.codec}' cannot ${this.operation}: ${this.reason}`
  }
  /** @since 0.1.0 */
  get hint(): string {
    return this.operation === "encode"
      ? "the lookup returned a value that the cache's success (or failure) Schema does not accept"
      : "the entry is treated as absent and removed; nothing needs to be done"
  }
  /** @since 0.1.0 */
  get docsUrl(): string {
    return docsUrl(this._tag)
  }
}

/**
 * A folder or file that a store needs cannot be made, read or written.
 *
 * @since 0.1.0
 * @category errors
 */
export class PathError extends Schema.TaggedError<PathError>("effect-larder/CacheError/PathError")("PathError", {
  path: Schema.String,
  reason: Schema.String,
  hint: Schema.String,
  cause: Schema.optional(Schema.Defect)
}) {
  /** @since 0.1.0 */
  override get message(): string {
    return `${this.reason}: ${this.path}`
  }
  /** @since 0.1.0 */
  get docsUrl(): string {
    return docsUrl(this._tag)
  }
}

/**
 * Mode `only-if-cached` was in force and there is no entry.
 *
 * @since 0.1.0
 * @category errors
 */
export class NotCached extends Schema.TaggedError<NotCached>("effect-larder/CacheError/NotCached")("NotCached", {
  cache: Schema.String
}) {
  /** @since 0.1.0 */
  override get message(): string {
    return `Cache '${this.cache}' has no entry for this key and mode only-if-cached forbids loading it`
  }
  /** @since 0.1.0 */
  get hint(): string {
    return "warm the cache first, or use another mode"
  }
  /** @since 0.1.0 */
  get docsUrl(): string {
    return docsUrl(this._tag)
  }
}

/**
 * What a store's operation can fail with.
 *
 * @since 0.1.0
 * @category models
 */
export type StoreFailure = StoreError | StoreTimeout | StoreUnavailable

/**
 * Every error of effect-larder.
 *
 * @since 0.1.0
 * @category models
 */
export type CacheError =
  | InvalidConfig
  | StoreFailure
  | LoadTimeout
  | LoadRejected
  | KeyError
  | CodecError
  | PathError
  | NotCached

/**
 * Whether trying again may help: a transient `StoreError` or a `StoreTimeout`.
 *
 * @since 0.1.0
 * @category refinements
 */
export const isTransient = (error: unknown): boolean =>
  error instanceof StoreTimeout || (error instanceof StoreError && error.transient)
