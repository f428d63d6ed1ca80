/**
 * Resources in a cache over a memory store of its own.
 *
 * A resource is *kept* while the store has it, and *used* while there are Scopes that it was got in. It is released when
 * it is neither. A resource that was acquired and never got so far as to be kept or used (its load was overtaken, or
 * interrupted at the last moment) is found out a little later, when whoever waited for it has had his turn.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as LogLevel from "effect/LogLevel"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import * as Cache from "../../Cache.js"
import type * as CacheError from "../../CacheError.js"
import * as CacheStore from "../../CacheStore.js"
import { tell } from "../../internal/tell.js"
import type { Options, ScopedCache } from "../ScopedCache.js"
import * as MemoryStore from "../../store/MemoryStore.js"

class Lease<A> {
  users = 0
  /** Nobody may begin to use it. */
  isOver = false

  constructor(
    readonly value: A,
    readonly scope: Scope.CloseableScope,
    /** Whether the store has this very one. */
    readonly isKept: Effect.Effect<boolean>
  ) {}
}

class Leases<A> {
  private readonly live = new Set<Lease<A>>()
  /** Releases that nobody waits for. */
  private readonly releasing = new Set<Fiber.RuntimeFiber<unknown>>()

  constructor(private readonly runtime: Runtime.Runtime<never>) {}

  get size(): number {
    return this.live.size
  }

  add(lease: Lease<A>): void {
    this.live.add(lease)
  }

  /** Whether it may be used: it may have been given up since it was found. */
  take(lease: Lease<A>): boolean {
    if (lease.isOver) return false
    lease.users++
    return true
  }

  /** One user has left. */
  leave(lease: Lease<A>): Effect.Effect<void> {
    return Effect.suspend(() => {
      lease.users--
      return this.end(lease)
    })
  }

  /** Releases it if it is neither kept nor used. */
  private end(lease: Lease<A>): Effect.Effect<void> {
    return Effect.flatMap(lease.isKept, (isKept) => {
      if (lease.isOver || lease.users > 0 || isKept) return Effect.void
      lease.isOver = true
      return Effect.ensuring(
        Scope.close(lease.scope, Exit.void),
        Effect.sync(() => this.live.delete(lease))
      )
    })
  }

  /** The same, where nobody can wait. */
  endSoon(lease: Lease<A>): void {
    const fiber = Runtime.runFork(this.runtime)(
      Effect.catchAllCause(this.end(lease), (cause) =>
        tell({ level: LogLevel.Error, message: "a resource could not be released", about: {}, more: [cause] })
      )
    )
    this.releasing.add(fiber)
    fiber.addObserver(() => this.releasing.delete(fiber))
  }

  /** All that nobody uses, and those that are on their way. */
  readonly close: Effect.Effect<void> = Effect.zipRight(
    Effect.suspend(() => Effect.forEach([...this.live], (lease) => Effect.exit(this.end(lease)), { discard: true })),
    Effect.suspend(() => Effect.forEach([...this.releasing], Fiber.await, { discard: true }))
  )
}

/** Turns of the scheduler after which whoever waited for a resource has begun to use it. */
const turns = 3

const later = (fiber: Fiber.RuntimeFiber<unknown, unknown>, turns: number, f: () => void): void =>
  turns === 0 ? f() : fiber.currentScheduler.scheduleTask(() => later(fiber, turns - 1, f), 0)

/** Acquires in a Scope of its own, which is closed unless that succeeds. */
const acquire = <A, E, R>(
  lookup: Effect.Effect<A, E, R>,
  lend: (value: A, scope: Scope.CloseableScope) => Lease<A>
): Effect.Effect<Lease<A>, E, Exclude<R, Scope.Scope>> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Scope.make(), (scope) =>
      Effect.matchCauseEffect(restore(Scope.extend(lookup, scope)), {
        onFailure: (cause) => Effect.zipRight(Scope.close(scope, Exit.failCause(cause)), Effect.failCause(cause)),
        onSuccess: (value) => Effect.sync(() => lend(value, scope))
      })
    )
  )

const defaultCapacity = 100

export const make = <K, A, E, R>(
  options: Options<K, A, E, R>
): Effect.Effect<ScopedCache<K, A, E>, CacheError.InvalidConfig, Exclude<R, Scope.Scope> | Scope.Scope> =>
  Effect.gen(function* () {
    const { capacity = defaultCapacity, key, loadDeadline, lookup, name = "ScopedCache", policy = "lru" } = options
    const leases = new Leases<A>(yield* Effect.runtime<never>())
    // before the cache, so after it: what is in the air by then has been brought down
    yield* Effect.addFinalizer(() => leases.close)
    const store = yield* Layer.build(
      MemoryStore.layer({
        capacity,
        policy,
        onRemoval: ({ entry }) => {
          // only successes are kept, and all of them are leases
          if (Exit.isSuccess(entry.exit)) leases.endSoon(entry.exit.value as Lease<A>)
        }
      })
    )
    const cache = (yield* Cache.make(name, {
      ...(key === undefined ? {} : { key }),
      ...(loadDeadline === undefined ? {} : { loadDeadline }),
      timeToLive: options.timeToLive ?? Infinity,
      timeToIdle: options.timeToIdle,
      lookup: (key: K) =>
        Effect.withFiberRuntime<Lease<A>, E, Exclude<R, Scope.Scope>>((fiber) =>
          acquire(lookup(key), (value, scope) => {
            const lease: Lease<A> = new Lease(
              value,
              scope,
              Effect.suspend(() => isKept(key, lease))
            )
            leases.add(lease)
            later(fiber, turns, () => leases.endSoon(lease))
            return lease
          })
        )
    }).pipe(
      Effect.provideService(CacheStore.CacheStore, Context.get(store, CacheStore.CacheStore)),
      // the store is this cache's own
      Effect.catchAll((error) => (error._tag === "InvalidConfig" ? Effect.fail(error) : Effect.die(error)))
      // what the options add to `E` is told by `ScopedCache.make`
    )) as Cache.Cache<K, Lease<A>, E>
    /** What has expired is kept until the store removes it, and tells. A store that is closed keeps nothing. */
    const isKept = (key: K, lease: Lease<A>): Effect.Effect<boolean> =>
      Effect.match(cache.explain(key), {
        onFailure: () => false,
        onSuccess: ({ tiers: [tier] }) =>
          tier?.entry !== undefined && Exit.isSuccess(tier.entry.exit) && tier.entry.exit.value === lease
      })
    const get = (key: K): Effect.Effect<A, E, Scope.Scope> =>
      Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(restore(cache.get(key)), (lease) =>
          leases.take(lease)
            ? Effect.as(
                Effect.addFinalizer(() => leases.leave(lease)),
                lease.value
              )
            : get(key)
        )
      )
    return {
      get,
      has: cache.has,
      // no store failure can come from a memory store that is open; a key that is none is in `E`, see `Cache.GetError`
      invalidate: (key) => cache.invalidate(key) as Effect.Effect<void, E>,
      invalidateAll: Effect.asVoid(Effect.orDie(cache.clear)),
      size: Effect.orDie(cache.size),
      live: Effect.sync(() => leases.size),
      stats: cache.stats
    }
  })
