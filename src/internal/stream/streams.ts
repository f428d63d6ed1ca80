/**
 * A cache of streams: a cache of manifests, whose loads run a source and write its chunks before they land.
 *
 * So a load, who waits for it and what ends it, what it is fenced by, how long it is good and what it counts as are the
 * cache's business. What is added here is that those who wait for a load need not wait for its end: they follow it.
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as LogLevel from "effect/LogLevel"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Cache from "../../Cache.js"
import * as CacheError from "../../CacheError.js"
import type { Core } from "../cache/core.js"
import type { Flight } from "../cache/flight.js"
import * as Operations from "../cache/operations.js"
import type { Settings } from "../cache/settings.js"
import type { StoreGuard } from "../cache/storeGuard.js"
import { tell } from "../tell.js"
import { type Chunk, freshGeneration, keyOf, type Manifest } from "./chunk.js"
import type { Chunks } from "./chunks.js"
import { Intake } from "./intake.js"

type AnyFiber = Fiber.RuntimeFiber<unknown, unknown>
type WriteFailure = CacheError.StoreFailure | CacheError.CodecError

/** How values are cut and kept; durations in milliseconds. */
export interface Cut<K> {
  readonly chunkBytes: number
  readonly maxBytes: number
  /** For how long a source may have nothing to say. */
  readonly loadDeadline: number
  /** For how long chunks outlive their manifest. */
  readonly margin: number
  readonly timeToLive: (key: K) => number
}

export interface Parts<K, E, R> {
  readonly source: (key: K) => Stream.Stream<Uint8Array, E, R>
  readonly cut: Cut<K>
  readonly chunks: Chunks
  readonly guard: StoreGuard<Chunk, never>
  /** Of the cache. */
  readonly scope: Scope.Scope
}

/** What a load can fail with. */
export type Loaded<E> = E | CacheError.LoadTimeout

export class Streams<K, E, R> {
  /** Runs that are under way, by the fibers that they run in. */
  private readonly intakes = new Map<AnyFiber, Intake<Loaded<E>>>()
  /** Those who wait for a run of a key to bring something. */
  private readonly arrivals = new Map<string, Set<() => void>>()

  constructor(
    readonly cache: Cache.Cache<K, Manifest, Loaded<E>>,
    readonly core: Core<K, Manifest, Loaded<E>, never>,
    readonly parts: Parts<K, E, R>
  ) {}

  get name(): string {
    return this.core.definition.name
  }

  get chunks(): Chunks {
    return this.parts.chunks
  }

  /** The run in a fiber, once it has brought something. */
  intakeIn(fiber: AnyFiber | undefined): Intake<Loaded<E>> | undefined {
    const intake = fiber && this.intakes.get(fiber)
    return intake?.hasBegun === true ? intake : undefined
  }

  /** Calls back whenever a run of this key has begun to bring bytes; answers how to have that ended. */
  onArrival(id: string, listener: () => void): () => void {
    const listeners = this.arrivals.get(id) ?? new Set()
    listeners.add(listener)
    this.arrivals.set(id, listeners)
    return () => {
      listeners.delete(listener)
      if (listeners.size === 0 && this.arrivals.get(id) === listeners) this.arrivals.delete(id)
    }
  }

  private arrived(id: string): void {
    for (const listener of this.arrivals.get(id) ?? []) listener()
  }

  /** What the cache of manifests calls: runs the source, and answers when all of it has been written. */
  load(key: K): Effect.Effect<Manifest, Loaded<E>, R> {
    // a flight has its fiber once that has run: so it can be told which flight this is
    return Effect.zipRight(
      Effect.yieldNow(),
      Effect.withFiberRuntime<Manifest, Loaded<E>, R>((fiber) => {
        const flight = this.core.loader.flying.find((one) => one.fiber === fiber)
        return this.loadIn(key, fiber, flight)
      })
    )
  }

  private loadIn(
    key: K,
    fiber: AnyFiber,
    flight: Flight<K, Manifest, Loaded<E>> | undefined
  ): Effect.Effect<Manifest, Loaded<E>, R> {
    const id = this.idOf(key)
    const { chunks, cut, guard } = this.parts
    const generation = freshGeneration()
    const life = this.lifeOf(key, flight?.settings ?? this.core.definition.settings)
    const passOn = Effect.sync(() => {
      intake.passOn()
      // who comes from now on could not have its beginning: he needs a run of his own
      if (flight !== undefined) this.core.loader.detach(flight)
    })
    const intake = new Intake<Loaded<E>>({
      ...cut,
      generation,
      // a load that is in no flight is of one get, which wants nothing to be stored: nobody else waits for its reader
      isStored: flight !== undefined,
      patience: flight === undefined ? Infinity : cut.loadDeadline,
      begun: () => this.arrived(id),
      write: (chunk) =>
        Effect.matchEffect(chunks.write(id, chunk, life), {
          onSuccess: () => Effect.succeed(true),
          onFailure: (failure) => {
            const report = guard.unwritten(failure, [keyOf(id, generation, chunk.index)])
            return Effect.as(Effect.zipRight(passOn, report), false)
          }
        }),
      tooLarge: Effect.zipRight(
        passOn,
        Effect.suspend(() => this.tellTooLarge)
      )
    })
    this.intakes.set(fiber, intake)
    return intake.run(this.limited(this.parts.source(key))).pipe(
      Effect.zipRight(Effect.suspend(() => (intake.isStored ? this.settle(id, key, intake, flight) : Effect.void))),
      Effect.map(() => intake.manifest),
      Effect.onExit((exit) => {
        this.intakes.delete(fiber)
        const isKept = Exit.isSuccess(exit) && intake.isStored
        return isKept || flight === undefined ? Effect.void : chunks.retire({ id, generation, chunks: intake.count })
      })
    )
  }

  /** Once the manifest has been written, or has not, what is of no use any more is removed. */
  private settle(
    id: string,
    key: K,
    intake: Intake<Loaded<E>>,
    flight: Flight<K, Manifest, Loaded<E>> | undefined
  ): Effect.Effect<void> {
    if (flight === undefined) return Effect.void
    return Effect.flatMap(this.present(key), (previous) =>
      flight.awaitLanding.pipe(
        Effect.zipRight(this.present(key)),
        Effect.flatMap((present) => {
          if (present?.generation !== intake.generation) return this.chunks.retire({ id, ...intake.manifest })
          return previous === undefined ? Effect.void : this.chunks.retire({ id, ...previous })
        }),
        Effect.forkIn(this.parts.scope),
        Effect.asVoid
      )
    )
  }

  /** What is stored, be it too old to be served. */
  present(key: K): Effect.Effect<Manifest | undefined> {
    return Effect.match(Operations.peek(this.core, key), {
      onFailure: () => undefined,
      onSuccess: (entry) => (entry !== undefined && Exit.isSuccess(entry.exit) ? entry.exit.value : undefined)
    })
  }

  /** A source that has nothing to say for too long has failed. */
  private limited<E2, R2>(source: Stream.Stream<Uint8Array, E2, R2>): Stream.Stream<Uint8Array, Loaded<E2>, R2> {
    const { loadDeadline } = this.parts.cut
    if (loadDeadline === Infinity) return source
    const late = () =>
      Cause.fail(new CacheError.LoadTimeout({ cache: this.name, limit: "loadDeadline", millis: loadDeadline }))
    return Stream.timeoutFailCause<Loaded<E2>>(late, Duration.millis(loadDeadline))(source)
  }

  private lifeOf(key: K, { staleIfError, staleWhileRevalidate, timeToLive }: Settings, own?: number): number {
    const { cut } = this.parts
    const fresh = own ?? timeToLive ?? cut.timeToLive(key)
    return fresh + Math.max(staleIfError, staleWhileRevalidate) + cut.margin
  }

  private get tooLarge(): CacheError.CodecError {
    const reason = `the value has more than ${this.parts.cut.maxBytes} bytes (maxBytes)`
    return new CacheError.CodecError({ codec: "CacheStream", operation: "encode", reason })
  }

  /** That is what the program has asked for: it is told, but nothing has gone wrong. */
  private get tellTooLarge(): Effect.Effect<void> {
    const error = this.tooLarge
    this.core.definition.events.publish({ _tag: "EncodeFailed", cache: this.name, error })
    return tell({
      level: LogLevel.Info,
      message: `cache '${this.name}' passes on a value that it does not keep. ${error.message}`,
      about: { cache: this.name }
    })
  }

  /** Of a key that the cache has taken, or will refuse itself. */
  idOf(key: K): string {
    const id = this.core.encode(key)
    return typeof id === "string" ? id : ""
  }

  /** Writes a value that the program has, and then its manifest. */
  set<E2, R2>(
    key: K,
    source: Stream.Stream<Uint8Array, E2, R2>,
    options: Cache.SetOptions | undefined,
    timeToLive: number | undefined
  ): Effect.Effect<void, E2 | CacheError.LoadTimeout | Cache.WriteError<K>, R2> {
    return Effect.suspend(() => {
      const id = this.core.encode(key)
      // the types say whether a key can be refused: see `CacheKey.ErrorOf`
      if (typeof id !== "string") return Effect.fail(id as CacheError.KeyError & Cache.WriteError<K>)
      const { chunks, cut } = this.parts
      const generation = freshGeneration()
      const life = this.lifeOf(key, this.core.definition.settings, timeToLive)
      const intake = new Intake<E2 | CacheError.LoadTimeout | WriteFailure>({
        ...cut,
        generation,
        patience: 0,
        isStored: true,
        begun: () => {},
        write: (chunk) => Effect.as(chunks.write(id, chunk, life), true),
        tooLarge: Effect.suspend(() => Effect.fail(this.tooLarge))
      })
      return this.present(key).pipe(
        Effect.tap(() => intake.run(this.limited(source))),
        Effect.tap(() => this.cache.set(key, intake.manifest, options)),
        Effect.onError(() => chunks.retire({ id, generation, chunks: intake.count })),
        Effect.flatMap((previous) => (previous === undefined ? Effect.void : chunks.retire({ id, ...previous })))
      )
    })
  }

  /** A value of which a part is lost is none. If it cannot be removed, the next reader will find out as this one did. */
  forget(key: K, generation: string): Effect.Effect<void> {
    return Effect.flatMap(this.present(key), (present) =>
      present?.generation === generation ? Effect.ignore(this.invalidate(key)) : Effect.void
    )
  }

  invalidate(key: K): Effect.Effect<void, Cache.OperationError<K>> {
    return Effect.flatMap(this.present(key), (previous) =>
      Effect.zipRight(
        this.cache.invalidate(key),
        Effect.suspend(() =>
          previous === undefined ? Effect.void : this.chunks.retire({ id: this.idOf(key), ...previous })
        )
      )
    )
  }
}
