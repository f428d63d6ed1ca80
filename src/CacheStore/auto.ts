/** Stores of which each value gets the one that suits it. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as LogLevel from "effect/LogLevel"
import type * as CacheEntry from "../CacheEntry.js"
import * as CacheError from "../CacheError.js"
import type * as Codec from "../codec/Codec.js"
import * as Options from "../internal/options.js"
import * as Selection from "../internal/selection.js"
import * as Auto from "../internal/store/auto.js"
import * as Layers from "../internal/store/layers.js"
import * as Store from "../internal/store/service.js"
import { steadyMillis } from "../internal/steady.js"
import { tell } from "../internal/tell.js"
import { CacheStore, context, Persistent, type RegionOptions, type Service, Shared } from "./contract.js"

/**
 * What is asked of a store: how large the values are (`bytes`), whether they are kept by reference for want of a Schema
 * or as bytes (`kind`), how long they live (`lifetime`, in milliseconds), what is done with them most (`access`), and
 * whether they must survive the process (`persistent`) and be seen by several (`shared`). All of it is optional.
 *
 * @since 0.1.0
 * @category models
 */
export interface Profile extends Selection.Profile {}

/**
 * A store that may be chosen: what it can do, why it cannot be had, if it cannot (`unavailable`), and the size of values
 * up to which it is good (`upTo`, in bytes; by default any).
 *
 * @since 0.1.0
 * @category models
 */
export interface Candidate extends Selection.Candidate {}

/**
 * The name of the best candidate (`undefined` if none will do), why it is, and why the others are not.
 *
 * @since 0.1.0
 * @category models
 */
export interface Choice extends Selection.Selection {}

/**
 * Which of several stores suits best. A pure function: what must be so (it can be had, keeps references where there is no
 * Schema, is `persistent`, is `shared`) filters first; what had better be so ranks what is left: that the size fits, that
 * what lives less than a minute or is mostly written does not go to a disk, that it is near. Of those that are alike the
 * first is chosen.
 *
 * @example
 * ```ts
 * import { CacheStore } from "effect-larder"
 *
 * const memory = { name: "memory", capabilities: { live: true, persistent: false, shared: false }, upTo: 10_000 }
 * const files = { name: "files", capabilities: { live: false, persistent: true, shared: false } }
 *
 * console.log(CacheStore.select({ bytes: 500 }, [memory, files]).choice) // => memory
 * console.log(CacheStore.select({ bytes: 500_000 }, [memory, files]).choice) // => files
 * console.log(CacheStore.select({ persistent: true }, [memory, files]).rejected) // => { memory: 'does not survive the process' }
 * ```
 *
 * @since 0.1.0
 * @category selection
 */
export const select: (profile: Profile, candidates: ReadonlyArray<Candidate>) => Choice = Selection.select

/** Whatever it provides, fails with and needs. */
type AnyLayer = Layer.Layer<never, unknown, unknown>

/**
 * A store for values of some size: up to `upTo` bytes as they are encoded. Default: 1 MiB, and without end for the last.
 *
 * @since 0.1.0
 * @category models
 */
export interface Part {
  readonly store: AnyLayer
  readonly upTo?: number | undefined
}

type StoreOf<P extends Part> = P["store"]

/** The parts that do not have a mark. */
type Lacking<Parts, Mark> = {
  [Name in keyof Parts]: Parts[Name] extends Part
    ? Mark extends Layer.Layer.Success<StoreOf<Parts[Name]>>
      ? never
      : Name
    : never
}[keyof Parts]

/** A mark, if all have it. */
type Common<Parts, Mark> = [Lacking<Parts, Mark>] extends [never] ? Mark : never

type Parts = Readonly<Record<string, Part>>

const defaultUpTo = 2 ** 20

const issuesOf = (parts: Parts): Parameters<typeof CacheError.invalidConfig>[0] =>
  Object.entries(parts).flatMap(([name, { upTo }]) => {
    const issue = upTo === undefined ? undefined : Options.positiveInteger(upTo)
    return issue === undefined ? [] : [{ field: `${name}.upTo`, value: String(upTo), ...issue }]
  })

const checkParts = (parts: Parts): Effect.Effect<void, CacheError.InvalidConfig> => {
  const issues = issuesOf(parts)
  if (issues.length > 0) return Effect.fail(CacheError.invalidConfig(issues))
  return Object.keys(parts).length > 0
    ? Effect.void
    : Effect.fail(
        CacheError.invalidConfig([
          { field: "parts", value: "{}", reason: "there are none", hint: "give one store at least, with a name" }
        ])
      )
}

/** A part, built. */
interface Built {
  readonly candidate: Candidate
  readonly store: Service | undefined
}

/** Builds each; what cannot be built is left out. The last reason is the reason why none can be. */
const buildAll = (parts: Parts) =>
  Effect.gen(function* () {
    const built: Array<Built> = []
    let last: Cause.Cause<unknown> = Cause.empty
    const names = Object.keys(parts)
    for (const [name, { store, upTo }] of Object.entries(parts)) {
      const exit = yield* Effect.exit(Layer.build(store as Layer.Layer<CacheStore, unknown>))
      const limit = upTo ?? (name === names.at(-1) ? Infinity : defaultUpTo)
      if (Exit.isSuccess(exit)) {
        const service = Context.get(exit.value, CacheStore)
        built.push({ candidate: { name, capabilities: service.capabilities, upTo: limit }, store: service })
        continue
      }
      if (Cause.isInterruptedOnly(exit.cause)) return yield* Effect.interrupt
      last = exit.cause
      const unavailable = Layers.reasonOf(exit.cause)
      const capabilities = { live: false, persistent: false, shared: false }
      built.push({ candidate: { name, capabilities, unavailable, upTo: limit }, store: undefined })
    }
    return built.some(({ store }) => store !== undefined) ? built : yield* Effect.failCause(last)
  })

/** Says of each entry where it goes: by its size, which only a codec knows, and by how long it lives. */
const placing =
  <A, E>(candidates: ReadonlyArray<Candidate>, codec: Codec.EntryCodec<A, E> | undefined): Auto.Place<A, E> =>
  (entry: CacheEntry.CacheEntry<A, E>) =>
    Effect.gen(function* () {
      const now = yield* steadyMillis
      const bytes = codec === undefined ? undefined : (yield* codec.encode(entry)).length
      const kind = codec === undefined ? "reference" : "bytes"
      const { choice, reasons } = select({ bytes, kind, lifetime: entry.staleUntil - now }, candidates)
      yield* tell({
        level: LogLevel.Debug,
        message: `${choice} for an entry, which ${reasons.join(", ")}`,
        about: { store: choice }
      })
      return candidates.findIndex(({ name }) => name === choice)
    })

const needsSchema = (name: string): CacheError.InvalidConfig =>
  CacheError.invalidConfig([
    {
      field: "success",
      value: undefined,
      reason: `cache '${name}' has no Schema for its values, and none of the stores keeps values by reference`,
      hint: "give the cache a success Schema (and a failure Schema if failures are cached), or add MemoryStore"
    }
  ])

const opened = <A, E>(built: ReadonlyArray<Built>, wanted: RegionOptions<A, E>) =>
  Effect.gen(function* () {
    const codec = wanted.codec === undefined ? undefined : Auto.remembering(wanted.codec)
    const there = built.flatMap(({ candidate, store }) =>
      store !== undefined && (codec !== undefined || candidate.capabilities.live) ? [{ candidate, store }] : []
    )
    if (there.length === 0) return yield* Effect.fail(needsSchema(wanted.name))
    const regions = yield* Effect.forEach(there, ({ store }, place) =>
      // what is said of tiers is said from the first on
      store.region<A, E>({ ...wanted, codec, timeToLive: wanted.timeToLive?.slice(place) })
    )
    return Auto.make<A, E>(
      wanted.name,
      regions,
      placing(
        there.map(({ candidate }) => candidate),
        codec
      )
    )
  })

/**
 * One store of several, in which each value has the place that suits it: what is small goes to the first part, what is
 * larger to the next, and so on, as `select` says. A part that cannot be built is left out, and the next one takes its
 * values; if none can be built, the Layer fails with what the last one said. What was chosen, and why, is in the log.
 *
 * A value that grows or shrinks changes its part, and is removed from the one it was in. The result has the marks that
 * all parts have. A value that has no Schema goes to a part that keeps references.
 *
 * @example
 * ```ts
 * import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
 * import { Cache, CacheStore } from "effect-larder"
 * import * as FileStore from "effect-larder/FileStore"
 * import * as SqliteStore from "effect-larder/SqliteStore"
 * import { Effect, Layer, Schema } from "effect"
 *
 * const Store = CacheStore.layerAuto({
 *   small: { store: SqliteStore.layerTemporary, upTo: 50_000 },
 *   large: { store: FileStore.layer({ directory: "node_modules/.cache/larder-auto-example" }) }
 * }).pipe(Layer.provide(NodeFileSystem.layer))
 *
 * const program = Effect.gen(function*() {
 *   const pages = yield* Cache.make("pages", {
 *     key: Schema.Number,
 *     success: Schema.String,
 *     lookup: (size: number) => Effect.succeed("x".repeat(size))
 *   })
 *   yield* pages.clear
 *   yield* pages.getMany([10, 20, 100_000])
 *   const { tiers } = yield* pages.stats
 *   console.log(tiers.map(({ entries, store }) => `${store}: ${entries}`).join(", ")) // => SqliteStore: 2, FileStore: 1
 * })
 *
 * program.pipe(Effect.scoped, Effect.provide(Store), Effect.runPromise)
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const layerAuto = <const P extends Parts>(
  parts: P
): Layer.Layer<
  CacheStore | Common<P, Persistent> | Common<P, Shared>,
  Layer.Layer.Error<StoreOf<P[keyof P]>> | CacheError.InvalidConfig,
  Layer.Layer.Context<StoreOf<P[keyof P]>>
> => {
  type Error = Layer.Layer.Error<StoreOf<P[keyof P]>> | CacheError.InvalidConfig
  type Needed = Layer.Layer.Context<StoreOf<P[keyof P]>>
  type All = CacheStore | Common<P, Persistent> | Common<P, Shared>
  return Layer.scopedContext(
    Effect.gen(function* () {
      yield* checkParts(parts)
      const built = yield* buildAll(parts)
      const stores = built.flatMap(({ store }) => store ?? [])
      const has = (mark: "persistent" | "shared") => stores.every(({ capabilities }) => capabilities[mark])
      const service = yield* Store.compose({
        name: stores.map(({ name }) => name).join(" | "),
        capabilities: { live: false, persistent: has("persistent"), shared: has("shared") },
        rejected: [
          ...built.flatMap(({ candidate: { name, unavailable } }) =>
            unavailable === undefined ? [] : [`${name}: ${unavailable}`]
          ),
          ...stores.flatMap(({ rejected }) => rejected)
        ],
        region: (wanted) => opened(built, wanted)
      })
      yield* Layers.logChoice(service)
      return context(
        ...(service.capabilities.persistent ? [Persistent] : []),
        ...(service.capabilities.shared ? [Shared] : [])
      )(service)
    })
    // the parts' own errors and needs, which a record of any Layers has forgotten
  ) as Layer.Layer<never, unknown, unknown> as Layer.Layer<All, Error, Needed>
}
