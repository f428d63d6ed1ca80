/** A temporary store and the settings that go with it, from being built to being released. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import type * as CacheContext from "../../CacheContext.js"
import * as CacheConfig from "../../CacheConfig.js"
import type * as CacheError from "../../CacheError.js"
import * as CacheStore from "../../CacheStore.js"
import * as CacheEvents from "../../observe/CacheEvents.js"
import { tell } from "../tell.js"

type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

class InForce extends Context.Reference<InForce>()("effect-larder/CacheContext/InForce", {
  defaultValue: (): Option.Option<CacheContext.Info> => Option.none()
}) {}

export const current: Effect.Effect<Option.Option<CacheContext.Info>> = InForce

export class Opened<Out> {
  isClosed = false

  constructor(
    readonly info: CacheContext.Info,
    readonly scope: Scope.CloseableScope,
    private readonly events: CacheEvents.Service,
    private readonly built: Context.Context<CacheStore.CacheStore | Out>
  ) {}

  readonly provide = <A, E, R>(
    self: Effect.Effect<A, E, R>
  ): Effect.Effect<A, E, Exclude<R, CacheStore.CacheStore | Out>> =>
    Effect.mapInputContext(self, (around: Context.Context<Exclude<R, CacheStore.CacheStore | Out>>) =>
      Context.merge(around, this.built).pipe(
        Context.add(CacheConfig.Current, this.info.config),
        Context.add(InForce, Option.some(this.info)),
        (all) => all as unknown as Context.Context<R> // what `Exclude` has left out is what `built` has
      )
    )

  /** Never fails: what the body came to is not to be hidden by what became of the clean-up. */
  readonly release = (exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> =>
    Effect.suspend(() => {
      this.isClosed = true
      return close(this.scope, exit, this.info.store.name, this.events)
    })
}

const close = (
  scope: Scope.CloseableScope,
  exit: Exit.Exit<unknown, unknown>,
  store: string,
  events: CacheEvents.Service
): Effect.Effect<void> =>
  Effect.flatMap(
    Effect.exit(Scope.close(scope, exit)),
    Exit.match({
      onSuccess: () => Effect.void,
      onFailure: (cause) => {
        const reason = Cause.pretty(cause)
        events.publish({ _tag: "ReleaseFailed", store, reason })
        return tell({
          level: LogLevel.Warning,
          message: `the temporary store ${store} was not released cleanly`,
          about: { store, operation: "close" },
          more: [cause]
        })
      }
    })
  )

/** To be run where it cannot be interrupted; `restore` is for the building of the store, which may take its time. */
export const open = <Out, E, R>(
  store: Layer.Layer<CacheStore.CacheStore | Out, E, R>,
  patch: CacheConfig.Options,
  restore: Restore
): Effect.Effect<Opened<Out>, E | CacheError.InvalidConfig, R> =>
  Effect.gen(function* () {
    const outer = yield* InForce
    const events = yield* CacheEvents.CacheEvents
    const config = yield* CacheConfig.extend(yield* CacheConfig.Current, patch)
    const scope = yield* Scope.make()
    const built = yield* restore(Layer.buildWithScope(store, scope)).pipe(
      Effect.provideService(CacheConfig.Current, config),
      Effect.tapErrorCause((cause) => close(scope, Exit.failCause(cause), "that could not be built", events))
    )
    return new Opened<Out>({ store: Context.get(built, CacheStore.CacheStore), config, outer }, scope, events, built)
  })
