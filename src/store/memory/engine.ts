/** A memory store put together: its pool, its regions, its maintenance, and what its owner can do with it. */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
import * as CacheError from "../../CacheError.js"
import * as CacheStore from "../../CacheStore.js"
import * as Policies from "../../eviction/Policies.js"
import * as Check from "../../internal/options.js"
import * as Service from "../../internal/store/service.js"
import { toldKey } from "../../internal/tracing.js"
import { steadyMillis } from "../../internal/steady.js"
import * as CacheEvents from "../../observe/CacheEvents.js"
import * as MemoryProbe from "../MemoryProbe.js"
import type * as MemoryStore from "../MemoryStore.js"
import * as Encoded from "./encoded.js"
import * as Options from "./options.js"
import { Pool } from "./pool.js"
import * as Pressure from "./pressure.js"
import * as Region from "./region.js"
import * as Snapshot from "./snapshot.js"
import { Sweeper } from "./sweeper.js"
import { warnOf } from "../../internal/tell.js"

export const storeName = "MemoryStore"

export interface Engine {
  readonly store: CacheStore.Service
  readonly controls: MemoryStore.ControlsService
}

type Guard = <Args extends ReadonlyArray<unknown>, X>(
  callback: CacheEvents.Callback,
  f: (...args: Args) => X,
  otherwise: X
) => (...args: Args) => X

/**
 * Callbacks are the program's own: what they throw is told, and must not reach whoever reads or writes the cache, or
 * waits for a load.
 */
const guard = (events: CacheEvents.Service, runtime: Runtime.Runtime<never>): Guard => {
  const told = new Set<CacheEvents.Callback>()
  return (callback, f, otherwise) =>
    (...args) => {
      try {
        return f(...args)
      } catch (defect) {
        events.publish({ _tag: "CallbackFailed", store: storeName, callback, defect })
        if (!told.has(callback)) {
          told.add(callback)
          Runtime.runFork(runtime)(
            warnOf(storeName, `${callback} of ${storeName} threw; this is logged once, see CacheEvents`, defect)
          )
        }
        return otherwise
      }
    }
}

/** Removals are told to the program's own listener, and to whoever reads the events. */
const listener = (
  events: CacheEvents.Service,
  own: ((removal: MemoryStore.Removal) => void) | undefined
): ((removal: MemoryStore.Removal) => void) | undefined => {
  if (!events.isHeard) return own
  return (removal) => {
    const { cache, cause, key } = removal
    events.publish({ _tag: "Removed", store: storeName, cache, keyHash: toldKey(events, key), cause })
    own?.(removal)
  }
}

const makePool = (settings: Options.Settings, events: CacheEvents.Service): Effect.Effect<Pool, never, Scope.Scope> =>
  Effect.gen(function* () {
    const runtime = yield* Effect.runtime<never>()
    const seed = yield* Random.nextInt
    const guarded = guard(events, runtime)
    const { pinned, protect, weigh } = settings.pool
    const sweeper = new Sweeper(() => pool, settings.sweepEvery, runtime)
    const pool: Pool = new Pool({
      ...settings.pool,
      // what has no weight is not kept
      weigh: guarded("weigher", weigh, NaN),
      pinned: pinned && guarded("pinned", pinned, false),
      protect: protect && guarded("freeze", protect, undefined),
      policy: Policies.make(settings.policy, { seed }),
      seed,
      onRemoval: listener(events, settings.onRemoval && guarded("onRemoval", settings.onRemoval, undefined)),
      onMortal: settings.sweepEvery === Infinity ? undefined : sweeper.expect
    })
    yield* Effect.addFinalizer(() => sweeper.close)
    return pool
  })

/** The regions of a store by name, and what a snapshot holds for those that were not opened yet. */
class Regions {
  private readonly byName = new Map<string, Region.MemoryRegion<unknown, unknown>>()
  private readonly unopened = new Map<string, ReadonlyArray<Snapshot.Record>>()

  constructor(private readonly pool: Pool) {}

  open<A, E>(options: CacheStore.RegionOptions<A, E>, now: number): Region.MemoryRegion<A, E> {
    const { codec, name } = options
    // the codec's fingerprint, which the region checks, is what makes the values of this name `A` and `E`
    const previous = this.byName.get(name) as Region.MemoryRegion<A, E> | undefined
    const region = new Region.MemoryRegion<A, E>(this.pool, name, () => this.forget(name), previous, options)
    region.open(codec)
    this.byName.set(name, region as Region.MemoryRegion<unknown, unknown>)
    region.restore(this.unopened.get(name) ?? [], now)
    this.unopened.delete(name)
    return region
  }

  close<A, E>(region: Region.MemoryRegion<A, E>): void {
    region.close()
    this.forget(region.name)
  }

  /** What is closed and empty has nothing for who opens its name again. */
  private forget(name: string): void {
    const region = this.byName.get(name)
    if (region?.isClosed === true && region.slots.size === 0) this.byName.delete(name)
  }

  /** What a snapshot holds for regions that were not opened yet. */
  get waiting(): ReadonlyArray<Snapshot.Record> {
    return [...this.unopened.values()].flat()
  }

  /** Answers how many entries are there again, and how many wait for their region. */
  restore(
    records: ReadonlyArray<Snapshot.Record>,
    now: number
  ): { readonly restored: number; readonly waiting: number } {
    let restored = 0
    let waiting = 0
    for (const name of new Set(records.map((record) => record.cache))) {
      const rows = records.filter((record) => record.cache === name)
      const region = this.byName.get(name)
      if (region === undefined) {
        this.unopened.set(name, rows)
        waiting += rows.length
      } else restored += region.restore(rows, now)
    }
    return { restored, waiting }
  }
}

const notASnapshot = (): CacheError.CodecError =>
  new CacheError.CodecError({
    codec: "MemoryStore.snapshot",
    operation: "decode",
    reason: "these bytes are no snapshot of a memory store, or one of another version"
  })

const makeControls = (pool: Pool, regions: Regions): MemoryStore.ControlsService => ({
  usage: Effect.sync(() => ({
    entries: pool.entries,
    pinned: pool.pinned,
    bytes: pool.bytes,
    ...pool.limits,
    removals: { ...pool.gone }
  })),
  resize: (bounds) =>
    Effect.suspend(() => Effect.map(Options.rebound(bounds, pool.limits), (next) => pool.resize(next))),
  prune: (bounds) =>
    Effect.map(
      Options.rebound(bounds, { maxEntries: Infinity, maxBytes: Infinity, maxEntryBytes: Infinity }),
      ({ maxBytes, maxEntries }) => pool.prune(maxEntries, maxBytes)
    ),
  snapshot: Effect.map(steadyMillis, (now) => Snapshot.encode(pool, now, regions.waiting)),
  restore: (bytes) =>
    Effect.flatMap(steadyMillis, (now) => {
      const decoded = Snapshot.decode(bytes)
      return decoded === undefined
        ? Effect.failSync(notASnapshot)
        : Effect.sync(() => ({ ...regions.restore(decoded.records, now), damaged: decoded.damaged }))
    })
})

/** Everything but the store's service: that depends on what the entries are. */
const prepare = (
  options: MemoryStore.Options
): Effect.Effect<
  { readonly regions: Regions; readonly controls: MemoryStore.ControlsService },
  CacheError.InvalidConfig,
  Scope.Scope
> =>
  Effect.gen(function* () {
    const settings = yield* Options.resolve(options)
    const events = yield* CacheEvents.CacheEvents
    const pool = yield* makePool(settings, events)
    const regions = new Regions(pool)
    if (settings.pressure !== undefined) {
      const probe = yield* MemoryProbe.MemoryProbe
      yield* Effect.forkScoped(Pressure.watch(settings.pressure, { store: storeName, pool, probe, events }))
    }
    return { regions, controls: makeControls(pool, regions) }
  })

const opened = <A, E>(regions: Regions, options: CacheStore.RegionOptions<A, E>) =>
  Effect.acquireRelease(
    Effect.map(steadyMillis, (now) => regions.open(options, now)),
    (view) => Effect.sync(() => regions.close(view))
  ).pipe(Effect.map((view) => Region.toRegion(storeName, options.name, view)))

/** Entries are references. */
export const make = (options: MemoryStore.Options): Effect.Effect<Engine, CacheError.InvalidConfig, Scope.Scope> =>
  Effect.gen(function* () {
    const { controls, regions } = yield* prepare(options)
    const store = yield* Service.make({
      name: storeName,
      capabilities: { live: true, persistent: false, shared: false },
      open: (region) => opened(regions, region)
    })
    return { store, controls }
  })

/** Entries are bytes. */
export const makeBytes = (options: MemoryStore.Options): Effect.Effect<Engine, CacheError.InvalidConfig, Scope.Scope> =>
  Effect.gen(function* () {
    // the types say so, too
    yield* Check.check({ freeze: options.freeze, references: options.references }, {})
    const { controls, regions } = yield* prepare(options)
    const store = yield* CacheStore.make({
      name: storeName,
      capabilities: { live: false, persistent: false, shared: false },
      open: (name) => Effect.map(opened(regions, { name, codec: Encoded.codec }), Encoded.engine)
    })
    return { store, controls }
  })
