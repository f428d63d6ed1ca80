/**
 * One reader of a value: where he is, what he has had, and how he goes on if what he reads is lost under his hands.
 *
 * Bytes of two loads are never put together, unless the later one has the same bytes up to the place where he is. That is
 * told by the link of the last chunk that he had, and by the bytes that he had of the next one.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as CacheError from "../../CacheError.js"
import type { Settings } from "../cache/settings.js"
import { runtimeOf } from "../inherit.js"
import { type Chunk, noLink } from "./chunk.js"
import { open, type Opened } from "./opening.js"
import { type Origin, stored } from "./origin.js"
import type { Loaded, Streams } from "./streams.js"

type Mode = Settings["mode"] | undefined
type Failure<E> = Loaded<E> | CacheError.StoreError
/** `None` is the end. */
type Pull<E> = Effect.Effect<Uint8Array, Option.Option<Failure<E>>>

/** What is read before it is asked for. */
interface Prefetched {
  readonly index: number
  readonly fiber: Fiber.RuntimeFiber<Chunk | undefined>
}

const nothing = new Uint8Array(0)
const nowhere: Opened<never> = {
  origin: stored({ generation: "", chunkBytes: 0, chunks: 0, bytes: 0 }),
  answer: Effect.never
}

const beginsWith = (bytes: Uint8Array, start: Uint8Array): boolean =>
  bytes.length >= start.length && start.every((byte, at) => byte === bytes[at])

class Reader<K, E, R> {
  /** Chunks that he has had as a whole, the link of the last, and what he has had of the next. */
  private index = 0
  private link = noLink
  private part: Uint8Array = nothing
  /** He goes on with another load, and it is not known yet whether that begins the next chunk with `part`. */
  private isResuming = false
  private hasLost = false
  private prefetched: Prefetched | undefined
  private opened: Opened<Loaded<E>> = nowhere
  /** What ends with what he reads now. */
  private ride: Scope.CloseableScope | undefined

  constructor(
    private readonly streams: Streams<K, E, R>,
    private readonly key: K,
    private readonly fiber: Fiber.RuntimeFiber<unknown, unknown>,
    private readonly scope: Scope.Scope
  ) {}

  private get origin(): Origin<Loaded<E>> {
    return this.opened.origin
  }

  private get hasBytes(): boolean {
    return this.index > 0 || this.part.length > 0
  }

  /** Gets to the bytes from where he is; what he had before ends. */
  open(mode: Mode): Effect.Effect<void, Loaded<E>> {
    return Effect.suspend(() => {
      const runtime = runtimeOf(undefined, this.fiber)
      const wanted = { key: this.key, from: Math.max(0, this.index - 1), mode, runtime }
      const before = this.ride === undefined ? Effect.void : Scope.close(this.ride, Exit.void)
      return before.pipe(
        Effect.zipRight(Scope.fork(this.scope, ExecutionStrategy.sequential)),
        Effect.tap((ride) => Effect.sync(() => void (this.ride = ride))),
        Effect.flatMap((ride) => Scope.extend(open(this.streams, wanted), ride)),
        Effect.map((opened) => this.begin(opened))
      )
    })
  }

  private begin(opened: Opened<Loaded<E>>): void {
    this.opened = opened
    this.prefetched = undefined
    this.isResuming = this.hasBytes
  }

  readonly pull: Pull<E> = Effect.suspend(() => {
    const seen = this.origin.look(this.index, this.part.length)
    switch (seen._tag) {
      case "Bytes":
        return this.take(seen.bytes, seen.link)
      case "Stored":
        return Effect.flatMap(this.read(this.index), (chunk) =>
          chunk === undefined ? this.lost : this.take(chunk.bytes, chunk.link)
        )
      case "Ahead":
        return Effect.zipRight(this.origin.more(this.index, this.part.length), this.pull)
      case "End":
        return this.part.length === 0 ? Effect.fail(Option.none()) : this.changed
      case "Failed":
        return this.failed(seen.cause)
    }
  })

  private take(bytes: Uint8Array, link: string | undefined): Pull<E> {
    if (this.isResuming && !beginsWith(bytes, this.part)) return this.changed
    this.isResuming = false
    const rest = bytes.subarray(this.part.length)
    if (link === undefined) {
      this.part = bytes
    } else {
      this.index++
      this.link = link
      this.part = nothing
      this.origin.moveTo(this.index)
    }
    return rest.length === 0 ? this.pull : Effect.succeed(rest)
  }

  /** One chunk from the store, and the next one while this is dealt with. */
  private read(index: number): Effect.Effect<Chunk | undefined> {
    const { prefetched } = this
    this.prefetched = undefined
    const chunk = prefetched?.index === index ? Fiber.join(prefetched.fiber) : this.chunkAt(index)
    return Effect.tap(chunk, (found) => (found === undefined ? Effect.void : this.prefetch(index + 1)))
  }

  private chunkAt(index: number): Effect.Effect<Chunk | undefined> {
    return this.streams.chunks.read(this.streams.idOf(this.key), this.origin.generation, index)
  }

  private prefetch(index: number): Effect.Effect<void> {
    if (this.ride === undefined || this.origin.look(index, 0)._tag !== "Stored") return Effect.void
    return Effect.map(Effect.forkIn(this.chunkAt(index), this.ride), (fiber) => {
      this.prefetched = { index, fiber }
    })
  }

  /** The load that he follows has failed: so has the get, unless there was something to fall back on. */
  private failed(cause: Cause.Cause<Loaded<E>>): Pull<E> {
    return Effect.matchCauseEffect(this.opened.answer, {
      onFailure: (cause) => Effect.failCause(Cause.map(cause, Option.some)),
      onSuccess: (manifest) => {
        if (Cause.isInterruptedOnly(cause)) return this.lost
        if (this.hasBytes) return Effect.failCause(Cause.map(cause, Option.some))
        this.begin({ origin: stored(manifest), answer: Effect.succeed(manifest) })
        return this.pull
      }
    })
  }

  /** What he reads is gone: nobody is to begin with it any more, and he goes on with something else. */
  private readonly lost: Pull<E> = Effect.suspend(() => {
    const { generation } = this.origin
    // who loses a second load, or one that others read still, has one of his own: that waits for him, and is not lost
    const modes: ReadonlyArray<Mode> = this.hasLost ? ["no-store"] : [undefined, "no-store"]
    this.hasLost = true
    return Effect.matchCauseEffect(
      Effect.zipRight(this.streams.forget(this.key, generation), this.openAnother(generation, modes)),
      {
        onFailure: (cause) => Effect.failCause(Cause.map(cause, Option.some)),
        onSuccess: () => this.resume
      }
    )
  })

  /** The first of these that answers with something else than what is lost. */
  private openAnother(lost: string, [mode, ...others]: ReadonlyArray<Mode>): Effect.Effect<void, Loaded<E>> {
    return Effect.flatMap(this.open(mode), () =>
      this.origin.generation === lost && others.length > 0 ? this.openAnother(lost, others) : Effect.void
    )
  }

  /** Goes on where he was, if what was before that is the same here. */
  private readonly resume: Pull<E> = Effect.suspend(() => {
    if (!this.hasBytes) return this.pull
    if (this.origin.chunkBytes !== this.streams.parts.cut.chunkBytes) return this.changed
    if (this.index === 0) return this.pull
    const seen = this.origin.look(this.index - 1, Infinity)
    switch (seen._tag) {
      case "Bytes":
        return this.resumeAfter(seen.link)
      case "Stored":
        return Effect.flatMap(this.chunkAt(this.index - 1), (chunk) =>
          chunk === undefined ? this.lost : this.resumeAfter(chunk.link)
        )
      case "Ahead":
        return Effect.zipRight(this.origin.more(this.index - 1, Infinity), this.resume)
      case "End":
        return this.changed
      case "Failed":
        return this.failed(seen.cause)
    }
  })

  private resumeAfter(link: string | undefined): Pull<E> {
    return link === this.link ? this.pull : this.changed
  }

  private get changed(): Pull<E> {
    return Effect.fail(
      Option.some(
        new CacheError.StoreError({
          store: this.streams.core.definition.store,
          operation: "get",
          reason: "a part of the value was lost while it was read, and its source has other bytes by now",
          transient: true,
          hint: "get the value again from its beginning; see that the store has room for all of its chunks"
        })
      )
    )
  }
}

/** The bytes of a key. Everything that reading takes is in the Scope of the stream. */
export const read = <K, E, R>(streams: Streams<K, E, R>, key: K, mode: Mode): Stream.Stream<Uint8Array, Failure<E>> =>
  Stream.unwrapScoped(
    Effect.withFiberRuntime((fiber) =>
      Effect.flatMap(Effect.scope, (scope) => {
        const reader = new Reader(streams, key, fiber, scope)
        return Effect.as(reader.open(mode), Stream.repeatEffectOption(reader.pull))
      })
    )
  )
