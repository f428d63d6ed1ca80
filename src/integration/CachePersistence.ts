/**
 * A store as the `BackingPersistence` of `@effect/experimental`: what is built on that (`PersistedCache`,
 * `RequestResolver.persisted`, ...) then keeps its results where caches keep their entries.
 *
 * @example
 * ```ts
 * import * as Persistence from "@effect/experimental/Persistence"
 * import { Effect, Layer, Option } from "effect"
 * import { MemoryStore } from "effect-larder"
 * import * as CachePersistence from "effect-larder/CachePersistence"
 *
 * const program = Effect.gen(function*() {
 *   const persistence = yield* Persistence.BackingPersistence
 *   const prices = yield* persistence.make("prices")
 *   yield* prices.set("bread", 4.5, Option.none())
 *   return yield* prices.get("bread")
 * })
 *
 * program.pipe(
 *   Effect.scoped,
 *   Effect.provide(CachePersistence.layer.pipe(Layer.provide(MemoryStore.layer()))),
 *   Effect.runPromise
 * ).then((found) => console.log(Option.getOrThrow(found))) // 4.5
 * ```
 *
 * @since 0.1.0
 */
import * as Persistence from "@effect/experimental/Persistence"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as CacheStore from "../CacheStore.js"
import * as Values from "./internal/values.js"

const millisOf = (timeToLive: Option.Option<Duration.Duration>): number =>
  Option.match(timeToLive, { onNone: () => Infinity, onSome: Duration.toMillis })

/**
 * `BackingPersistence` over the store in force. Each of its stores is a region of its own, under the name
 * `persistence/<id>`; one that is open already, or a store that cannot be had, is a defect, for its type has no failure.
 * Values are what JSON can say, as that of `@effect/experimental` are. Failures are `PersistenceBackingError`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Persistence.BackingPersistence, never, CacheStore.CacheStore> = Layer.effect(
  Persistence.BackingPersistence,
  Effect.map(CacheStore.CacheStore, (store) =>
    Persistence.BackingPersistence.of({
      [Persistence.BackingPersistenceTypeId]: Persistence.BackingPersistenceTypeId,
      make: (storeId) =>
        Values.open(`persistence/${storeId}`, Schema.Unknown).pipe(
          Effect.provideService(CacheStore.CacheStore, store),
          Effect.orDie,
          Effect.map(({ clear, getMany, remove, setMany }): Persistence.BackingPersistenceStore => {
            const failing =
              (method: string) =>
              <A, E>(effect: Effect.Effect<A, E>) =>
                Effect.mapError(effect, (error) => Persistence.PersistenceBackingError.make(method, error))
            return {
              get: (key) => Effect.map(getMany([key]), ([found]) => Option.fromNullable(found)).pipe(failing("get")),
              getMany: (keys) =>
                Effect.map(getMany(keys), (all) => all.map((found) => Option.fromNullable(found))).pipe(
                  failing("getMany")
                ),
              set: (key, value, timeToLive) => setMany([[key, value, millisOf(timeToLive)]]).pipe(failing("set")),
              setMany: (entries) =>
                setMany(entries.map(([key, value, timeToLive]) => [key, value, millisOf(timeToLive)])).pipe(
                  failing("setMany")
                ),
              remove: (key) => Effect.asVoid(remove([key])).pipe(failing("remove")),
              clear: Effect.asVoid(clear).pipe(failing("clear"))
            }
          })
        )
    })
  )
)
