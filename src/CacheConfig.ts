/**
 * The settings that every store and cache understands: one immutable value, checked once, when it is built.
 *
 * Nothing has to be configured: without any of this the defaults hold. `layer` puts settings in force for what is built
 * with it, from options, the environment (`LARDER_*`) and the defaults; `layerFile` adds a configuration file;
 * `locally` overrides some of them for one effect. Options of a single cache or store stand between the two, so:
 * call site (`locally`) > cache options > options of `layer` > environment > file > defaults, setting by setting.
 *
 * @since 0.1.0
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as Path from "@effect/platform/Path"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { dual } from "effect/Function"
import * as Layer from "effect/Layer"
import type * as Pipeable from "effect/Pipeable"
import { pipeArguments } from "effect/Pipeable"
import * as Schema from "effect/Schema"
import * as CacheError from "./CacheError.js"
import { tellChange } from "./internal/configChange.js"
import * as Fields from "./internal/configFields.js"
import * as ConfigFile from "./internal/configFile.js"
import * as Override from "./internal/configLocal.js"
import * as Sources from "./internal/configSources.js"
import * as Constants from "./internal/constants.js"
import type { Problem } from "./internal/duration.js"
import { formatDuration } from "./internal/duration.js"
import { warnManyEntries } from "./internal/manyEntries.js"

/** The Schema's verdict on a value, and its words, are those of the setting's own decoder. */
const guarded = <A>(identifier: string, decode: (field: string, input: unknown) => Either.Either<unknown, Problem>) =>
  Schema.declare((input: unknown): input is A => Either.isRight(decode("", input)), {
    identifier,
    message: (issue) =>
      Either.match(decode("", issue.actual), { onLeft: (problem) => problem.reason, onRight: () => "is valid" })
  })

const durationIn = (code: Fields.Setting<Duration.Duration>["code"], millis: number) =>
  Schema.transform(guarded<Duration.DurationInput | "Infinity">("DurationInput", code), Schema.DurationFromSelf, {
    strict: true,
    // the guard before has accepted what cannot be decoded
    decode: (input) => Either.getOrElse(code("", input), () => Duration.zero),
    // `formatDuration` writes what Effect calls a duration input, or "Infinity"
    encode: (duration) => formatDuration(duration) as Duration.DurationInput | "Infinity"
  }).pipe(Schema.optionalWith({ default: () => Duration.millis(millis) }))

const countIn = (setting: Fields.Setting<number>, entries: number) =>
  Schema.transform(
    guarded<number | "Infinity">("PositiveIntegerOrInfinity", setting.code),
    guarded<number>("PositiveIntegerOrInfinity", setting.code),
    {
      strict: true,
      decode: (input) => Number(input),
      encode: (count) => (count === Infinity ? ("Infinity" as const) : count)
    }
  ).pipe(Schema.optionalWith({ default: () => entries }))

const schemaFields = {
  timeToLive: durationIn(Fields.settings.timeToLive.code, Constants.defaultTimeToLive),
  staleWhileRevalidate: durationIn(Fields.settings.staleWhileRevalidate.code, Constants.defaultStaleWhileRevalidate),
  staleIfError: durationIn(Fields.settings.staleIfError.code, Constants.defaultStaleIfError),
  loadDeadline: durationIn(Fields.settings.loadDeadline.code, Constants.defaultLoadDeadline),
  waitFresh: durationIn(Fields.settings.waitFresh.code, Constants.defaultWaitFresh),
  waitStale: durationIn(Fields.settings.waitStale.code, Constants.defaultWaitStale),
  maxEntries: countIn(Fields.settings.maxEntries, Constants.defaultMaxEntries),
  maxBytes: countIn(Fields.settings.maxBytes, Constants.defaultMaxBytes),
  mode: Schema.optionalWith(Schema.Literal(...Fields.modes), { default: () => Constants.defaultMode }),
  directory: Schema.optional(guarded<string>("Directory", Fields.settings.directory.code)),
  keyHashing: Schema.optionalWith(Schema.Literal(...Fields.keyHashings), {
    default: () => Constants.defaultKeyHashing
  }),
  filePermissions: Schema.optionalWith(Schema.Literal(...Fields.filePermissions), {
    default: () => Constants.defaultFilePermissions
  }),
  traceHits: Schema.optionalWith(Schema.Boolean, { default: () => Constants.defaultTraceHits }),
  sources: Schema.optionalWith(
    Schema.Record({
      key: Schema.String,
      value: Schema.Union(
        Schema.Literal("explicit", "default"),
        Schema.TemplateLiteral("environment ", Schema.String),
        Schema.TemplateLiteral("file ", Schema.String)
      )
    }),
    { default: () => ({}) }
  )
}

const allDefault = Object.fromEntries(Fields.fields.map((field) => [field, "default" as const]))

/** Not frozen, because Effect keeps an object's hash on the object itself. */
const locked = <A extends object>(value: A): A => {
  for (const name of Object.keys(value)) Object.defineProperty(value, name, { writable: false, configurable: false })
  return value
}

/**
 * The settings of stores and caches, all of them, with the source of each. Immutable.
 * Constructing one by hand throws where Schema does; `make`, `layer` and `extend` fail typed instead.
 *
 * - `timeToLive`, default infinite: how long an entry is fresh; 0 means "do not store".
 * - `staleWhileRevalidate`, default 0: how long after that it may be served while it is loaded again.
 * - `staleIfError`, default 0: how long after that it may be served when the load fails.
 * - `loadDeadline`, default 30 seconds: when a load is interrupted.
 * - `waitFresh`, default infinite: how long a caller waits who can be served nothing.
 * - `waitStale`, default infinite: how long a caller waits who can be served a stale value.
 * - `maxEntries`, default 10 000: how many entries a store keeps; `Infinity` for no bound.
 * - `maxBytes`, default `Infinity`: how many bytes of entries a store keeps.
 * - `mode`, default `"default"`: `no-store`, `reload`, `no-cache`, `force-cache` or `only-if-cached`, as in Fetch.
 * - `directory`, default the platform's cache folder: where stores with files keep them.
 * - `keyHashing`, default `"clear"`: whether keys are readable in stores, or `"hashed"`.
 * - `filePermissions`, default `"private"` (0600 in 0700), or `"shared"` (0644 in 0755).
 * - `traceHits`, default `false`: whether hits make a span too.
 *
 * @since 0.1.0
 * @category models
 */
export class CacheConfig extends Schema.Class<CacheConfig>("effect-larder/CacheConfig")(schemaFields) {
  constructor(props: Schema.Struct.Constructor<typeof schemaFields> | void, options?: Schema.MakeOptions) {
    super(props, options)
    // structural, so that configs are equal by value; of every setting, so that no source can be added later
    const sources = Data.struct({ ...allDefault, ...this.sources })
    Object.defineProperty(this, "sources", { value: locked(sources), enumerable: true })
    locked(this)
  }
}

/**
 * The name of a setting.
 *
 * @since 0.1.0
 * @category models
 */
export type Field = Fields.Field

/**
 * Where a setting's value came from: an option, a named environment variable, a named file, or nowhere.
 *
 * @since 0.1.0
 * @category models
 */
export type Source = Fields.Source

/**
 * How a `get` uses the cache, in the words of the Fetch standard.
 *
 * @since 0.1.0
 * @category models
 */
export type Mode = CacheConfig["mode"]

/**
 * Settings as they are written in code: all optional, durations as `"5 minutes"`, milliseconds, a `Duration` or
 * `"Infinity"`. `capacity` is short for `maxEntries`. Leaving a setting out, or `undefined`, is absence.
 *
 * @since 0.1.0
 * @category models
 */
export type Options = { readonly [F in Field]?: Schema.Struct.Encoded<typeof schemaFields>[F] | undefined } & {
  readonly capacity?: number | "Infinity" | undefined
}

/**
 * The settings when nothing is given.
 *
 * @since 0.1.0
 * @category constants
 */
export const defaults: CacheConfig = new CacheConfig()

/**
 * The settings in force where a store or cache is built. Needs no Layer: without one it is `defaults`.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { CacheConfig } from "effect-larder"
 *
 * const program = Effect.gen(function*() {
 *   const config = yield* CacheConfig.Current
 *   console.log(config.maxEntries) // 10000
 * })
 *
 * Effect.runSync(program)
 * ```
 *
 * @since 0.1.0
 * @category references
 */
export class Current extends Context.Reference<Current>()("effect-larder/CacheConfig/Current", {
  defaultValue: (): CacheConfig => defaults
}) {}

const invalid = (problems: ReadonlyArray<Problem>): CacheError.InvalidConfig => CacheError.invalidConfig(problems)

const build = (reading: Sources.Reading): Effect.Effect<CacheConfig, CacheError.InvalidConfig> => {
  if (reading.problems.length > 0) return Effect.fail(invalid(reading.problems))
  // every value was checked by its decoder
  const config = new CacheConfig({ ...reading.values, sources: reading.sources }, true)
  return Effect.as(warnManyEntries(config.maxEntries), config)
}

/**
 * Settings from options, the environment and the defaults, in this order. Fails with every issue of all of them.
 * The options are read at once: changing the object afterwards changes nothing.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { CacheConfig } from "effect-larder"
 *
 * const config = Effect.runSync(CacheConfig.make({ timeToLive: "5 minutes", capacity: 100 }))
 * console.log(config.maxEntries) // 100
 *
 * const error = Effect.runSync(Effect.flip(CacheConfig.make({ capacity: 0, timeToLive: -1 })))
 * console.log(error.message)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options = {}): Effect.Effect<CacheConfig, CacheError.InvalidConfig> => {
  const explicit = Sources.fromOptions(options)
  return Effect.flatMap(Sources.fromEnvironment, (environment) => build(Sources.overlay(explicit, environment)))
}

/**
 * The same with a configuration file between the environment and the defaults: the one that `LARDER_CONFIG` names, or
 * `larder.config.{toml,yaml,json}` in the working directory or the nearest folder above it. No file is no error.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeFile = (
  options: Options = {}
): Effect.Effect<CacheConfig, CacheError.InvalidConfig, FileSystem.FileSystem | Path.Path> => {
  const explicit = Sources.fromOptions(options)
  return Effect.flatMap(Effect.all([Sources.fromEnvironment, ConfigFile.fromConfigFile]), ([environment, file]) =>
    build(Sources.overlay(explicit, environment, file))
  )
}

/** `describe` is of what follows, which is there by the time a Layer is built. */
const tellIfChanged = (config: CacheConfig): Effect.Effect<void> =>
  Effect.flatMap(Current, (before) => tellChange(describe(before), describe(config)))

/**
 * Puts the settings of `make` in force for the stores and caches that are built with this Layer. What is different from those
 * that were in force around it is logged, at INFO, with the source of each.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { CacheConfig } from "effect-larder"
 *
 * const Config = CacheConfig.layer({ timeToLive: "5 minutes", maxEntries: 1_000 })
 *
 * const program = Effect.map(CacheConfig.Current, (config) => config.maxEntries)
 *
 * console.log(Effect.runSync(Effect.provide(program, Config))) // 1000
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options = {}): Layer.Layer<Current, CacheError.InvalidConfig> =>
  Layer.effect(Current, Effect.tap(make(options), tellIfChanged))

/**
 * Puts the settings of `makeFile` in force. Provide the platform's `FileSystem` and `Path`, as in `NodeContext.layer`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerFile = (
  options: Options = {}
): Layer.Layer<Current, CacheError.InvalidConfig, FileSystem.FileSystem | Path.Path> =>
  Layer.effect(Current, Effect.tap(makeFile(options), tellIfChanged))

/**
 * Options that are built up by pipe.
 *
 * @since 0.1.0
 * @category models
 */
export type Patch = Options & Pipeable.Pipeable

const PatchPrototype: Pipeable.Pipeable = {
  pipe() {
    return pipeArguments(this, arguments)
  }
}

const patch = (options: Options): Patch =>
  // the prototype is what makes it pipeable; only own properties are options
  Object.freeze(Object.assign(Object.create(PatchPrototype) as Pipeable.Pipeable, options))

/**
 * No options, to be added to by pipe.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { CacheConfig } from "effect-larder"
 *
 * const options = CacheConfig.empty.pipe(
 *   CacheConfig.set("timeToLive", "5 minutes"),
 *   CacheConfig.set("maxEntries", 100)
 * )
 *
 * console.log(Effect.runSync(CacheConfig.make(options)).maxEntries) // 100
 * ```
 *
 * @since 0.1.0
 * @category building
 */
export const empty: Patch = patch({})

/**
 * Adds one option. It is checked with all others, when the settings are made.
 *
 * @since 0.1.0
 * @category building
 */
export const set: {
  /**
   * Adds one option. It is checked with all others, when the settings are made.
   *
   * @since 0.1.0
   * @category building
   */
  <F extends keyof Options>(field: F, value: Options[F]): (self: Options) => Patch
  /**
   * Adds one option. It is checked with all others, when the settings are made.
   *
   * @since 0.1.0
   * @category building
   */
  <F extends keyof Options>(self: Options, field: F, value: Options[F]): Patch
} = dual(
  3,
  <F extends keyof Options>(self: Options, field: F, value: Options[F]): Patch => patch({ ...self, [field]: value })
)

/**
 * Settings that inherit from others what the options leave out. An `Either`, so that it may be yielded as an Effect.
 *
 * @example
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { CacheConfig } from "effect-larder"
 *
 * // the settings in force outside, with a shorter life
 * export const Shorter = Layer.effect(
 *   CacheConfig.Current,
 *   Effect.flatMap(CacheConfig.Current, CacheConfig.extend({ timeToLive: "5 seconds" }))
 * )
 * ```
 *
 * @since 0.1.0
 * @category building
 */
export const extend: {
  /**
   * Settings that inherit from others what the options leave out.
   *
   * @since 0.1.0
   * @category building
   */
  (patch: Options): (parent: CacheConfig) => Either.Either<CacheConfig, CacheError.InvalidConfig>
  /**
   * Settings that inherit from others what the options leave out.
   *
   * @since 0.1.0
   * @category building
   */
  (parent: CacheConfig, patch: Options): Either.Either<CacheConfig, CacheError.InvalidConfig>
} = dual(2, (parent: CacheConfig, patch: Options): Either.Either<CacheConfig, CacheError.InvalidConfig> => {
  const { problems, sources, values } = Sources.fromOptions(patch)
  return problems.length > 0
    ? Either.left(invalid(problems))
    : Either.right(new CacheConfig({ ...parent, ...values, sources: { ...parent.sources, ...sources } }, true))
})

/**
 * One setting as it is in force. `value` is written as in a configuration file.
 *
 * @since 0.1.0
 * @category models
 */
export interface Described {
  readonly field: Field
  readonly value: string
  readonly source: Source
}

const written = (value: CacheConfig[Field]): string =>
  value === undefined ? "the platform's cache folder" : Duration.isDuration(value) ? formatDuration(value) : `${value}`

/**
 * Every setting with its value and where it came from, for printing.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { CacheConfig } from "effect-larder"
 *
 * const config = Effect.runSync(CacheConfig.make({ timeToLive: "90 seconds" }))
 * console.table(CacheConfig.describe(config))
 * // { field: "timeToLive", value: "90 seconds", source: "explicit" }, ...
 * ```
 *
 * @since 0.1.0
 * @category getters
 */
export const describe = (config: CacheConfig): ReadonlyArray<Described> =>
  Fields.fields.map((field) => ({
    field,
    value: written(config[field]),
    source: config.sources[field] ?? "default"
  }))

/**
 * The memory limit of the container the program runs in, in bytes (cgroup version 2 or 1); `undefined` without one.
 * A share of it is a good `maxBytes`.
 *
 * @since 0.1.0
 * @category getters
 */
export const memoryLimit: Effect.Effect<number | undefined, never, FileSystem.FileSystem> = ConfigFile.memoryLimit

/**
 * What `locally` can override, for gets inside the wrapped effect. `tags` are given to entries that are loaded there,
 * besides their own, and add up where overrides nest.
 *
 * @since 0.1.0
 * @category models
 */
export type LocalOptions = Pick<
  Options,
  | "mode"
  | "timeToLive"
  | "staleWhileRevalidate"
  | "staleIfError"
  | "loadDeadline"
  | "waitFresh"
  | "waitStale"
  | "traceHits"
> & { readonly tags?: ReadonlyArray<string> | undefined }

/**
 * An override in force, decoded: durations are milliseconds, and `undefined` leaves a setting to the cache.
 *
 * @since 0.1.0
 * @category models
 */
export type Local = Override.Local

/**
 * The key under which an override stands in a Context's map.
 *
 * @since 0.1.0
 * @category models
 */
export const localKey: string = Override.localKey

/**
 * The override in force in a fiber's Context (`fiber.currentContext`), or `undefined`. One look into a map, for those
 * who write a cache of their own.
 *
 * @since 0.1.0
 * @category getters
 */
export const localOf: (context: Context.Context<never>) => Local | undefined = Override.localOf

type Given<O, K> = K extends keyof O ? Exclude<O[K], undefined> : never

/**
 * What a `get` may fail with because of an override: `NotCached` where its mode may be `only-if-cached`, `LoadTimeout`
 * where it has a deadline of its own.
 *
 * @since 0.1.0
 * @category models
 */
export type LocalError<O> =
  | ([Extract<Given<O, "mode">, "only-if-cached">] extends [never] ? never : CacheError.NotCached)
  | ([Given<O, "waitFresh"> | Given<O, "loadDeadline">] extends [never] ? never : CacheError.LoadTimeout)

/** Refuses options that do not exist, which inference by a type parameter would let through. */
type Known<O> = O & { readonly [K in Exclude<keyof O, keyof LocalOptions>]: never }

type Wrap = <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

const wrapWith = (options: object): Wrap =>
  Either.match(Override.decodeLocal(options), {
    onLeft:
      (problems): Wrap =>
      () =>
        Effect.die(invalid(problems)),
    onRight:
      (local): Wrap =>
      (self) =>
        Effect.mapInputContext(self, (context) => Override.withLocal(context, local))
  })

/**
 * Overrides settings for the gets inside one effect: over the cache's own options and every default, also in the fibers
 * it forks, and not any more once it has ended, in whatever way. Nested, the inner override wins setting by setting.
 *
 * The options are checked when `locally` is called. As types cannot tell a bad duration from a good one and a typed
 * failure would burden every caller, a bad option is a broken program: the effect dies with `InvalidConfig`.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { CacheConfig } from "effect-larder"
 *
 * const refreshed = CacheConfig.locally({ mode: "reload", timeToLive: "600 seconds" })
 *
 * // any effect that gets from caches
 * const route = Effect.succeed("page")
 *
 * console.log(Effect.runSync(refreshed(route))) // page
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const locally: {
  /**
   * Overrides settings for the gets inside one effect.
   *
   * @since 0.1.0
   * @category combinators
   */
  <const O extends LocalOptions>(
    options: Known<O>
  ): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | LocalError<O>, R>
  /**
   * Overrides settings for the gets inside one effect.
   *
   * @since 0.1.0
   * @category combinators
   */
  <A, E, R, const O extends LocalOptions>(
    self: Effect.Effect<A, E, R>,
    options: Known<O>
  ): Effect.Effect<A, E | LocalError<O>, R>
} = <A, E, R>(first: object, second?: object): never =>
  // not `dual`, which would check the options anew for each effect; the overloads say what comes back
  (second === undefined ? wrapWith(first) : wrapWith(second)(first as Effect.Effect<A, E, R>)) as never
