/**
 * Logs of what caches do, and logs that are kept: a line for each event, at its level; a line every so often of what was done;
 * a file that does not grow for ever.
 *
 * Everything the library logs goes through Effect's own `Logger`, so whatever a program has for its logs works for these.
 *
 * @since 0.1.0
 */
import { FileSystem } from "@effect/platform/FileSystem"
import { Path } from "@effect/platform/Path"
import type { PlatformError } from "@effect/platform/Error"
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import * as FiberRefs from "effect/FiberRefs"
import * as HashMap from "effect/HashMap"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import * as Schedule from "effect/Schedule"
import * as Tracer from "effect/Tracer"
import * as CacheError from "../CacheError.js"
import { currentFiber } from "../internal/currentFiber.js"
import * as Check from "../internal/options.js"
import { tell, traceOf } from "../internal/tell.js"
import * as CacheEvents from "./CacheEvents.js"
import * as CacheStats from "./CacheStats.js"

/**
 * Where the file is, and how much is kept.
 *
 * @since 0.1.0
 * @category models
 */
export interface FileOptions {
  /** The file that is written to. Its folder is made if there is none. Older files lie beside it, with a date in their name. */
  readonly filename: string
  /** How large it may become before it is put aside, in bytes. Default: 10 000 000. */
  readonly maxBytes?: number | undefined
  /** How long older files are kept. Default: 1 week. */
  readonly maxAge?: Duration.DurationInput | undefined
  /** How many older files are kept. Default: 100. */
  readonly maxFiles?: number | undefined
  /** Whether older files are compressed. Default: true. */
  readonly gzip?: boolean | undefined
  /** How long lines may wait until they are written together. Default: 1 second. */
  readonly flushEvery?: Duration.DurationInput | undefined
}

const nonEmpty: Check.Check = (value) =>
  typeof value === "string" && value.trim() === value && value.length > 0
    ? undefined
    : { reason: "must be the path of a file", hint: 'give a path such as "logs/app.log"' }

const compressed = (bytes: Uint8Array): Effect.Effect<Uint8Array> =>
  Effect.promise(async () => {
    const stream = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream().pipeThrough(new CompressionStream("gzip"))
    return new Uint8Array(await new Response(stream).arrayBuffer())
  })

/** A moment as a part of a file's name that sorts by time. */
const stamp = (millis: number): string => new Date(millis).toISOString().replaceAll(":", "-")

const momentIn = (name: string): number | undefined => {
  const found = /\.(\d{4}-\d\d-\d\dT)(\d\d)-(\d\d)-(\d\d\.\d{3}Z)(?:-\d+)?(?:\.gz)?$/.exec(name)
  return found === null ? undefined : Date.parse(`${found[1]}${found[2]}:${found[3]}:${found[4]}`)
}

interface Settings {
  readonly filename: string
  readonly maxBytes: number
  readonly maxAge: number
  readonly maxFiles: number
  readonly gzip: boolean
}

/** One file, and those that it was before. */
class Rotation {
  private size = 0
  private turns = 0

  constructor(
    private readonly fs: FileSystem,
    private readonly path: Path,
    private readonly settings: Settings
  ) {}

  get open(): Effect.Effect<void, PlatformError> {
    return Effect.gen(this, function* () {
      const { filename } = this.settings
      yield* this.fs.makeDirectory(this.path.dirname(filename), { recursive: true })
      const found = yield* Effect.option(this.fs.stat(filename))
      this.size = Option.isSome(found) ? Number(found.value.size) : 0
    })
  }

  /** Written at its end; put aside first if it would become too large. Many lines that come at once are no exception. */
  write(lines: ReadonlyArray<string>): Effect.Effect<void, PlatformError> {
    return Effect.gen(this, function* () {
      let waiting = ""
      let bytes = 0
      for (const line of lines) {
        const length = new TextEncoder().encode(line).length + 1
        if (this.size + bytes > 0 && this.size + bytes + length > this.settings.maxBytes) {
          yield* this.append(waiting, bytes)
          yield* this.rotate
          waiting = ""
          bytes = 0
        }
        waiting += `${line}\n`
        bytes += length
      }
      yield* this.append(waiting, bytes)
    })
  }

  private append(text: string, bytes: number): Effect.Effect<void, PlatformError> {
    return bytes === 0
      ? Effect.void
      : Effect.map(
          this.fs.writeFile(this.settings.filename, new TextEncoder().encode(text), { flag: "a" }),
          () => void (this.size += bytes)
        )
  }

  private get rotate(): Effect.Effect<void, PlatformError> {
    return Effect.gen(this, function* () {
      const { filename, gzip } = this.settings
      const now = yield* Clock.currentTimeMillis
      // two within a millisecond have two names
      const aside = `${filename}.${stamp(now)}-${++this.turns}`
      yield* this.fs.rename(filename, aside)
      this.size = 0
      if (gzip) {
        yield* this.fs.writeFile(`${aside}.gz`, yield* compressed(yield* this.fs.readFile(aside)))
        yield* this.fs.remove(aside)
      }
      yield* this.prune(now)
    })
  }

  /** Only what bears this file's name and a date is ever removed. */
  private prune(now: number): Effect.Effect<void, PlatformError> {
    return Effect.gen(this, function* () {
      const { filename, maxAge, maxFiles } = this.settings
      const folder = this.path.dirname(filename)
      const start = `${this.path.basename(filename)}.`
      const older = (yield* this.fs.readDirectory(folder))
        .flatMap((name) => {
          const moment = name.startsWith(start) ? momentIn(name) : undefined
          return moment === undefined ? [] : [{ name, moment }]
        })
        .sort((a, b) => b.moment - a.moment || (a.name < b.name ? 1 : -1))
      const gone = older.filter(({ moment }, place) => place >= maxFiles || now - moment > maxAge)
      yield* Effect.forEach(gone, ({ name }) => this.fs.remove(this.path.join(folder, name)), { discard: true })
    })
  }
}

/**
 * A logger beside those that there are, which writes a line of JSON for each log into a file. When the file is as large as it
 * may be it is put aside, compressed, and what is too old or too many is removed.
 *
 * A disk that is full costs lines and harms nothing: it is told to the other loggers, once until it is well again. Options
 * are checked when the Layer is built: `InvalidConfig`; `PathError` tells that the folder cannot be made.
 *
 * @example
 * ```ts
 * import * as NodeContext from "@effect/platform-node/NodeContext"
 * import { Effect, Layer } from "effect"
 * import { CacheLog } from "effect-larder"
 * import { tmpdir } from "node:os"
 * import { join } from "node:path"
 *
 * const Log = CacheLog.layerFile({ filename: join(tmpdir(), "effect-larder-example", "app.log"), maxAge: "3 days" })
 *
 * Effect.log("ready").pipe(Effect.provide(Log.pipe(Layer.provide(NodeContext.layer))), Effect.runPromise)
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerFile = (
  options: FileOptions
): Layer.Layer<never, CacheError.InvalidConfig | CacheError.PathError, FileSystem | Path> =>
  Layer.unwrapScoped(
    Effect.gen(function* () {
      const { flushEvery = "1 second", gzip = true, maxAge = "7 days", maxBytes = 10_000_000, maxFiles = 100 } = options
      yield* Check.check(
        { ...options },
        {
          filename: nonEmpty,
          maxBytes: Check.positiveInteger,
          maxAge: Check.positiveDuration,
          maxFiles: Check.positiveInteger,
          gzip: Check.boolean,
          flushEvery: Check.positiveDuration
        }
      )
      const settings = { filename: options.filename, maxBytes, maxAge: Check.millisOf(maxAge), maxFiles, gzip }
      const rotation = new Rotation(yield* FileSystem, yield* Path, settings)
      yield* Effect.mapError(
        rotation.open,
        (cause) =>
          new CacheError.PathError({
            path: options.filename,
            reason: cause.message,
            hint: "give the path of a file that this process may make and write to",
            cause
          })
      )
      let isWell = true
      // one after the other, and to its end: the last lines come while others are being written
      const turn = yield* Effect.makeSemaphore(1)
      const write = (lines: Array<string>): Effect.Effect<void> =>
        lines.length === 0
          ? Effect.void
          : Effect.matchEffect(Effect.uninterruptible(turn.withPermits(1)(rotation.write(lines))), {
              onSuccess: () => Effect.sync(() => void (isWell = true)),
              onFailure: ({ message }) =>
                Effect.suspend(() => {
                  const isNew = isWell
                  isWell = false
                  // the other loggers hear it; this one cannot tell that it cannot tell
                  return isNew
                    ? tell({
                        level: LogLevel.Warning,
                        message: `the log ${options.filename} cannot be written: ${message}`,
                        about: { path: options.filename }
                      })
                    : Effect.void
                })
            })
      return Logger.addScoped(Logger.batched(traced(Logger.jsonLogger), flushEvery, write))
    })
  )

const percent = (part: number): string => `${(100 * part).toFixed(1)} %`

const lineOf = (stats: CacheStats.CacheStats): string =>
  `${stats.name}: ${stats.gets} gets, ${percent(stats.hitRatio)} hits, ${stats.loads} loads` +
  ` (${stats.loadFailures} failed, mean ${stats.meanLoadMillis.toFixed(1)} ms, p95 ${stats.loadPercentile(0.95).toFixed(1)} ms)`

/**
 * Logs, every so often, what each cache of the registry (`CacheStats.layer`, `CacheMetrics.layer`) did since the last time: a
 * line for each that was asked at all. Default: every minute. An interval that is none is `InvalidConfig`.
 *
 * @example
 * ```ts
 * import { CacheLog, CacheStats } from "effect-larder"
 * import { Layer } from "effect"
 *
 * export const Watched = CacheLog.layerSummary({ every: "5 minutes" }).pipe(Layer.provideMerge(CacheStats.layer))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerSummary = (
  options: { readonly every?: Duration.DurationInput | undefined } = {}
): Layer.Layer<never, CacheError.InvalidConfig> =>
  Layer.scopedDiscard(
    Effect.gen(function* () {
      const { every = "1 minute" } = options
      yield* Check.check({ ...options }, { every: Check.positiveDuration })
      const { caches } = yield* CacheStats.Registry
      const seen = new WeakMap<CacheStats.Registered, CacheStats.CacheStats>()
      const summarize = (cache: CacheStats.Registered): Effect.Effect<void> =>
        Effect.flatMap(cache.stats, (now) => {
          const before = seen.get(cache)
          seen.set(cache, now)
          const since = before === undefined ? now : CacheStats.diff(now, before)
          return since.gets === 0
            ? Effect.void
            : tell({
                level: LogLevel.Info,
                message: lineOf(since),
                about: {
                  cache: since.name,
                  gets: since.gets,
                  hitRatio: since.hitRatio,
                  loads: since.loads,
                  p95: since.loads === 0 ? undefined : since.loadPercentile(0.95),
                  entries: Math.max(0, ...since.tiers.map((tier) => tier.entries)),
                  bytes: Math.max(0, ...since.tiers.map((tier) => tier.bytes))
                }
              })
        })
      const all = Effect.flatMap(caches, (known) => Effect.forEach(known, summarize, { discard: true }))
      yield* Effect.forkScoped(Effect.schedule(all, Schedule.spaced(every)))
    })
  )

/**
 * What nobody else tells, and somebody should know of although every caller had an answer. What a store failed at, and that it
 * is there again, is told by whoever goes on without it, once, with its own level.
 */
const levels: Partial<Record<CacheEvents.CacheEvent["_tag"], LogLevel.LogLevel>> = {
  FailsafeServed: LogLevel.Warning,
  DecodeFailed: LogLevel.Warning
}

/** What is worth telling of an event, beside what it is: no values, and no objects. */
const aboutOf = (event: CacheEvents.CacheEvent): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    Object.entries(event).flatMap(([name, value]: readonly [string, unknown]) => {
      if (name === "_tag" || name === "createdAt") return []
      if (value instanceof Error) return [[name, value.message]]
      return typeof value === "object" ? [] : [[name === "keyHash" ? "key" : name, value]]
    })
  )

/**
 * Logs each event of caches and stores, through the loggers that there are: `Loaded`, `LoadFailed`, `StaleServed`,
 * `Invalidated`, `Removed` and the like as debug lines, `FailsafeServed` and `DecodeFailed` as warnings. A line has the log
 * annotations of the call that it belongs to (see `CacheTracing.withCorrelationId`), and the ids of its trace and span.
 *
 * Keys are hashed. With `hits` each hit is told too, which makes hits several times as expensive. `CacheEvents` are to be had as
 * with `CacheEvents.layer`, so this stands in its place.
 *
 * @example
 * ```ts
 * import { CacheLog, Cached, MemoryStore } from "effect-larder"
 * import { Effect, Layer, Logger, LogLevel } from "effect"
 *
 * const length = Cached.fn("length")((word: string) => Effect.succeed(word.length))
 *
 * // level=DEBUG message="larder: Loaded" cache=length key=5c1a... millis=0
 * length("bread").pipe(
 *   Effect.provide(MemoryStore.layer().pipe(Layer.provideMerge(CacheLog.layer()))),
 *   Logger.withMinimumLogLevel(LogLevel.Debug),
 *   Effect.runPromise
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  options: { readonly capacity?: number | undefined; readonly hits?: boolean | undefined } = {}
): Layer.Layer<CacheEvents.CacheEvents> => told({ capacity: options.capacity, hits: options.hits })

/** Where it happens, so that the lines stand between the program's own. */
const told = (options: Parameters<typeof CacheEvents.layer>[0]): Layer.Layer<CacheEvents.CacheEvents> =>
  Layer.unwrapEffect(
    Effect.map(Effect.runtime<never>(), (runtime) =>
      CacheEvents.layer(options).pipe(
        CacheEvents.tap((event) => {
          const level = levels[event._tag] ?? LogLevel.Debug
          const line = tell({ level, message: event._tag, about: aboutOf(event) })
          Runtime.runSync(runtime)(asPartOf(currentFiber(), line))
        })
      )
    )
  )

/** With what the logs of this fiber bear, and in its trace; by the loggers of this one. */
const asPartOf = (fiber: ReturnType<typeof currentFiber>, line: Effect.Effect<void>): Effect.Effect<void> => {
  if (fiber === undefined || fiber === null) return line
  const annotated = Effect.locally(
    line,
    FiberRef.currentLogAnnotations,
    fiber.getFiberRef(FiberRef.currentLogAnnotations)
  )
  return fiber.currentSpan === undefined ? annotated : Effect.withParentSpan(annotated, fiber.currentSpan)
}

/**
 * Shows everything that caches do, to whoever looks for a mistake: each hit, load, removal and failure, with its key **as it
 * is** and its time, as debug lines of a pretty logger. Makes hits several times as expensive: not for production.
 *
 * @example
 * ```ts
 * import { CacheLog, Cached, MemoryStore } from "effect-larder"
 * import { Effect, Layer } from "effect"
 *
 * const length = Cached.fn("length")((word: string) => Effect.succeed(word.length))
 *
 * // logs: larder: Loaded { cache: 'length', key: 'bread', millis: 0 }
 * Effect.runPromise(Effect.provide(length("bread"), MemoryStore.layer().pipe(Layer.provideMerge(CacheLog.layerDebug))))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerDebug: Layer.Layer<CacheEvents.CacheEvents> = told({ hits: true, keys: true }).pipe(
  Layer.provideMerge(Layer.merge(Logger.pretty, Logger.minimumLogLevel(LogLevel.Debug)))
)

/**
 * A logger whose lines have the ids of the trace and span that they were logged in, as the annotations `traceId` and `spanId`:
 * the lines of the program as well as the library's, which have them anyway. `layerFile` does so by itself.
 *
 * @example
 * ```ts
 * import { CacheLog } from "effect-larder"
 * import { Effect, Logger } from "effect"
 *
 * const Logs = Logger.replace(Logger.defaultLogger, CacheLog.traced(Logger.logfmtLogger).pipe(Logger.withConsoleLog))
 *
 * // ... message=ready traceId=... spanId=...
 * Effect.log("ready").pipe(Effect.withSpan("start"), Effect.provide(Logs), Effect.runPromise)
 * ```
 *
 * @since 0.1.0
 * @category loggers
 */
export const traced = <Message, Output>(logger: Logger.Logger<Message, Output>): Logger.Logger<Message, Output> =>
  Logger.make((options) => {
    const context = FiberRefs.getOrDefault(options.context, FiberRef.currentContext)
    const span = Option.getOrUndefined(Context.getOption(context, Tracer.ParentSpan))
    return logger.log({
      ...options,
      annotations: Object.entries(traceOf(span)).reduce(
        (all, [name, id]) => HashMap.set(all, name, id as unknown),
        options.annotations
      )
    })
  })

/**
 * What the environment says: `layerDebug` if `LARDER_DEBUG` is 1 or true, else the level of `LARDER_LOG_LEVEL` (default:
 * INFO) for what runs under it. A value that is neither is as good as none.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerEnvironment: Layer.Layer<never> = Layer.unwrapEffect(
  Effect.map(
    Effect.all([
      Effect.orElseSucceed(Config.boolean("LARDER_DEBUG"), () => false),
      Effect.orElseSucceed(Config.logLevel("LARDER_LOG_LEVEL"), () => LogLevel.Info)
    ]),
    ([isDebug, level]): Layer.Layer<never> => (isDebug ? layerDebug : Logger.minimumLogLevel(level))
  )
)
