/** Stores made of others: one in front of another, or in its place. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import * as Layer from "effect/Layer"
import * as CacheError from "../CacheError.js"
import * as Breaker from "../internal/store/breaker.js"
import * as Failover from "../internal/store/failover.js"
import * as Layers from "../internal/store/layers.js"
import * as Sharded from "../internal/store/sharded.js"
import * as Store from "../internal/store/service.js"
import * as Tiered from "../internal/store/tiered.js"
import { breakerOf, checkBreaker } from "./breaking.js"
import { changeStore } from "./change.js"
import { CacheStore, context, Live, Persistent, type RegionOptions, type Service, Shared } from "./contract.js"
import type { BreakerOptions } from "./resilience.js"

/** What Layers of stores provide beside their stores, the later first. */
const beside = (...all: ReadonlyArray<Context.Context<CacheStore>>): Context.Context<never> => {
  const rest = new Map(all.flatMap((one) => [...one.unsafeMap]))
  for (const { key } of [CacheStore, Live, Persistent, Shared]) rest.delete(key)
  return Context.unsafeMake(rest)
}

type Marks = Live | Persistent | Shared

/** The store, with the marks that its capabilities say. */
const marked = (service: Service): Context.Context<CacheStore> =>
  context(
    ...(service.capabilities.persistent ? [Persistent] : []),
    ...(service.capabilities.shared ? [Shared] : [])
  )(service)

/**
 * Puts a nearer store in front of a farther one: readings ask the nearer first and fill it from the farther, writes and
 * invalidations go to both. The result is persistent or shared if the farther store is.
 *
 * A farther store that fails costs speed, not answers: what the nearer holds is served, and the rest is loaded. What
 * the two Layers provide beside their stores (`MemoryStore.Controls`, ...) is provided still, the nearer's first.
 *
 * @example
 * ```ts
 * import { CacheStore, MemoryStore } from "effect-larder"
 * import * as SqliteStore from "effect-larder/SqliteStore"
 *
 * export const Store = MemoryStore.layer().pipe(CacheStore.tieredOver(SqliteStore.layerTemporary))
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const tieredOver =
  <O2, E2, R2>(farther: Layer.Layer<CacheStore | O2, E2, R2>) =>
  <O1, E1, R1>(
    nearer: Layer.Layer<CacheStore | O1, E1, R1>
  ): Layer.Layer<CacheStore | Exclude<O1, Marks> | Exclude<O2, Live>, E1 | E2, R1 | R2> =>
    Layer.scopedContext(
      Effect.gen(function* () {
        const nearest = yield* Layers.Nearer
        const farthest = yield* Layers.Farther
        const near = Context.get(nearest, CacheStore)
        const far = Context.get(farthest, CacheStore)
        const service = yield* Store.compose({
          name: `${near.name} > ${far.name}`,
          capabilities: { ...far.capabilities, live: false },
          rejected: [...near.rejected, ...far.rejected],
          region: <A, E>(options: RegionOptions<A, E>) =>
            Effect.flatMap(near.region(options), (first) =>
              Effect.map(
                // what is said of tiers is said from the nearest on
                far.region({ ...options, timeToLive: options.timeToLive?.slice(first.tiers) }),
                (second) => Tiered.make<A, E>(options.name, first, second)
              )
            )
        })
        // a store's Layer provides the marks that its capabilities say, so these are those of `O2`
        return Context.merge(beside(farthest, nearest), marked(service)) as Context.Context<
          CacheStore | Exclude<O1, Marks> | Exclude<O2, Live>
        >
      })
    ).pipe(Layer.provide([Layers.as(nearer, Layers.Nearer), Layers.as(farther, Layers.Farther)]))

/**
 * Uses the next store when this one cannot be built, whether by a typed error or a defect of acquisition. Interruption
 * is not a reason to fall back. Logs which store is in use and why the others are not, and tells it in `rejected`.
 *
 * @example
 * ```ts
 * import { CacheStore, MemoryStore } from "effect-larder"
 * import * as SqliteStore from "effect-larder/SqliteStore"
 *
 * export const Store = SqliteStore.layer({ filename: "cache.db" }).pipe(CacheStore.orElse(MemoryStore.layer()))
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const orElse =
  <O2, E2, R2>(next: Layer.Layer<CacheStore | O2, E2, R2>) =>
  <O1, E1, R1>(first: Layer.Layer<CacheStore | O1, E1, R1>): Layer.Layer<CacheStore | Extract<O1, O2>, E2, R1 | R2> =>
    Layer.unwrapEffect(
      Effect.map(FiberRef.get(Layers.rejections), (around) => {
        const within: Array<string> = []
        return Layer.matchCause(Layer.locally(first, Layers.rejections, within), {
          onSuccess: (built): Layer.Layer<CacheStore | Extract<O1, O2>, E2, R1 | R2> => Layer.succeedContext(built),
          onFailure: (cause) => {
            // "only": where a store is built of parts side by side, the failure of one interrupts the others
            if (Cause.isInterruptedOnly(cause)) return Layer.effectContext(Effect.interrupt)
            const reasons = [...within, Layers.reasonOf(cause)]
            around?.push(...reasons)
            return changeStore(Layer.locally(next, Layers.rejections, around ?? []), (service) => ({
              ...service,
              rejected: [...reasons, ...service.rejected]
            }))
          }
          // one line, whatever is nested in this
        }).pipe(
          Layer.tap((built) => (around === undefined ? Layers.logChoice(Context.get(built, CacheStore)) : Effect.void))
        )
      })
    )

/**
 * Uses the next store while this one fails at run time, and this one again as soon as it answers. Both are behind
 * circuit breakers.
 *
 * Invalidations go to both stores; what one of them could not be told it is told before it answers anything again, so
 * nothing that was invalidated meanwhile comes back. What was loaded meanwhile stays in the next store, for the next
 * time. The result has the marks that both stores have. For a store that cannot be had when the program starts, see
 * `orElse`. Options are checked when the Layer is built: `InvalidConfig`.
 *
 * @example
 * ```ts
 * import { CacheStore } from "effect-larder"
 * import * as RedisStore from "effect-larder/RedisStore"
 * import * as SqliteStore from "effect-larder/SqliteStore"
 *
 * export const Store = RedisStore.layer({ timeout: "50 millis" }).pipe(
 *   CacheStore.failover(SqliteStore.layer({ filename: "cache.db" }))
 * )
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const failover =
  <O2, E2, R2>(next: Layer.Layer<CacheStore | O2, E2, R2>, options: BreakerOptions = {}) =>
  <O1, E1, R1>(
    first: Layer.Layer<CacheStore | O1, E1, R1>
  ): Layer.Layer<
    CacheStore | Exclude<O1 | O2, Marks> | Exclude<Extract<O1, O2>, Live>,
    E1 | E2 | CacheError.InvalidConfig,
    R1 | R2
  > =>
    Layer.scopedContext(
      Effect.gen(function* () {
        yield* checkBreaker(options)
        const [nearer, farther] = [yield* Layers.Nearer, yield* Layers.Farther]
        const one = Context.get(nearer, CacheStore)
        const other = Context.get(farther, CacheStore)
        const breakers = [breakerOf(one.name, options), breakerOf(other.name, options)] as const
        const capabilities = {
          live: false,
          persistent: one.capabilities.persistent && other.capabilities.persistent,
          shared: one.capabilities.shared && other.capabilities.shared
        }
        const service = yield* Store.compose({
          name: `${one.name} or ${other.name}`,
          capabilities,
          rejected: [...one.rejected, ...other.rejected],
          region: <A, E>(wanted: RegionOptions<A, E>) =>
            Effect.zipWith(one.region(wanted), other.region(wanted), (first, second) =>
              Failover.make<A, E>(Breaker.around(first, breakers[0]), Breaker.around(second, breakers[1]))
            )
        })
        // a store's Layer provides the marks that its capabilities say, so these are those that both have
        return Context.merge(beside(farther, nearer), marked(service)) as Context.Context<
          CacheStore | Exclude<O1 | O2, Marks> | Exclude<Extract<O1, O2>, Live>
        >
      })
    ).pipe(Layer.provide([Layers.as(first, Layers.Nearer), Layers.as(next, Layers.Farther)]))

/** The shards that do not have a mark. */
type Lacking<Shards, Mark> = {
  [Name in keyof Shards]: Mark extends Layer.Layer.Success<Extract<Shards[Name], AnyLayer>> ? never : Name
}[keyof Shards]

/** A mark, if all have it. */
type Common<Shards, Mark> = [Lacking<Shards, Mark>] extends [never] ? Mark : never

/** Whatever it provides, fails with and needs. */
type AnyLayer = Layer.Layer<never, unknown, unknown>

/**
 * Spreads keys over several stores: each key has its place in one of them. What is invalidated by tag, and what is
 * cleared, is so in all.
 *
 * The names decide which keys go where (rendezvous hashing), so keep them when you add or remove a store: only the keys
 * of that one move then. One that is away costs the loads of its own keys. The result has the marks that all stores
 * have. No stores at all are `InvalidConfig`.
 *
 * @example
 * ```ts
 * import { CacheStore } from "effect-larder"
 * import * as RedisStore from "effect-larder/RedisStore"
 *
 * export const Store = CacheStore.sharded({
 *   one: RedisStore.layer({ url: "redis://cache-1:6379" }).pipe(CacheStore.circuitBreaker()),
 *   two: RedisStore.layer({ url: "redis://cache-2:6379" }).pipe(CacheStore.circuitBreaker())
 * })
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const sharded = <const Shards extends Readonly<Record<string, AnyLayer>>>(
  shards: Shards
): Layer.Layer<
  CacheStore | Common<Shards, Persistent> | Common<Shards, Shared>,
  Layer.Layer.Error<Shards[keyof Shards]> | CacheError.InvalidConfig,
  Layer.Layer.Context<Shards[keyof Shards]>
> => {
  type All = CacheStore | Common<Shards, Persistent> | Common<Shards, Shared>
  const names = Object.keys(shards).sort()
  const tags = names.map((name) => Context.GenericTag<Context.Context<CacheStore>>(`effect-larder/CacheStore/${name}`))
  const parts = names.map((name, place) =>
    Layer.map(shards[name] as Layer.Layer<CacheStore>, (built) => Context.make(tags[place]!, built))
  )
  const made = Layer.scopedContext(
    Effect.gen(function* () {
      if (names.length === 0) return yield* noShards
      const stores = (yield* Effect.all(tags)).map((built) => Context.get(built, CacheStore))
      const has = (mark: "persistent" | "shared") => stores.every(({ capabilities }) => capabilities[mark])
      const capabilities = { live: false, persistent: has("persistent"), shared: has("shared") }
      const placeOf = Sharded.placing(names)
      const service = yield* Store.compose({
        name: stores.map(({ name }) => name).join(" + "),
        capabilities,
        rejected: stores.flatMap(({ rejected }) => rejected),
        region: <A, E>(wanted: RegionOptions<A, E>) =>
          Effect.map(
            Effect.forEach(stores, (store) => store.region(wanted)),
            (regions) => Sharded.make<A, E>(wanted.name, regions, placeOf)
          )
      })
      return marked(service)
    })
  )
  // the marks are those that all have, and the requirements those of the parts
  return Layer.provide(made, parts as unknown as [Layer.Layer<Context.Context<CacheStore>>]) as Layer.Layer<
    All,
    Layer.Layer.Error<Shards[keyof Shards]> | CacheError.InvalidConfig,
    Layer.Layer.Context<Shards[keyof Shards]>
  >
}

const noShards = Effect.fail(
  CacheError.invalidConfig([
    { field: "shards", value: "{}", reason: "there are none", hint: "give one store at least, under a name of its own" }
  ])
)
