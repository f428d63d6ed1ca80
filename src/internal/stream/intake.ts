/**
 * One run of a source: its bytes are cut into chunks, which are written as they become full, and which those who
 * follow can have before that.
 *
 * What is in memory is the chunk that is being filled and the last ones that are full. Who follows too slowly for that
 * reads from the store, and holds up nobody. Where nothing is stored (any more) there is nothing to read from: then the
 * source is held up by the slowest of those who follow, for as long as it has patience.
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import { type Chunk, linkOf, type Manifest, noLink } from "./chunk.js"
import { Signal } from "./signal.js"

/** Full chunks that are kept in memory for those who follow closely. */
const kept = 2

/** What can be had of a chunk. */
export type Seen<E> =
  /** All of it, with its link, or, without one, its beginning. */
  | { readonly _tag: "Bytes"; readonly bytes: Uint8Array; readonly link: string | undefined }
  /** It is in the store. */
  | { readonly _tag: "Stored" }
  /** It is not there yet. */
  | { readonly _tag: "Ahead" }
  /** There is no such chunk: the value has ended. */
  | { readonly _tag: "End" }
  | { readonly _tag: "Failed"; readonly cause: Cause.Cause<E> }

const stored = { _tag: "Stored" } as const
const ahead = { _tag: "Ahead" } as const
const end = { _tag: "End" } as const

/** Where somebody is who follows: the chunk that he wants next. */
export interface Place {
  next: number
}

export interface IntakeOptions<E> {
  readonly generation: string
  readonly chunkBytes: number
  readonly maxBytes: number
  /** Milliseconds for which those who follow may hold up the source. */
  readonly patience: number
  /** Whether chunks are written; see `passOn`. */
  readonly isStored: boolean
  /** Writes a chunk; whether it could be written. */
  readonly write: (chunk: Chunk) => Effect.Effect<boolean, E>
  /** There are more bytes than may be kept. */
  readonly tooLarge: Effect.Effect<void, E>
  /** There are bytes. */
  readonly begun: () => void
}

export class Intake<E> {
  readonly generation: string
  /** Chunks that are full, or the last. */
  count = 0
  bytes = 0
  isStored: boolean
  /** There is something new to be had, or nothing any more. */
  readonly news = new Signal()
  private exit: Exit.Exit<void, E> | undefined
  private buffer: Uint8Array
  private filled = 0
  private link = noLink
  private readonly last = new Map<number, Chunk>()
  private readonly places = new Set<Place>()
  private readonly moves = new Signal()

  constructor(private readonly options: IntakeOptions<E>) {
    this.generation = options.generation
    this.isStored = options.isStored
    this.buffer = new Uint8Array(0)
  }

  get hasBegun(): boolean {
    return this.bytes > 0
  }

  /** All that the source has is there. */
  get isComplete(): boolean {
    return this.exit !== undefined && Exit.isSuccess(this.exit)
  }

  get manifest(): Manifest {
    const { bytes, count, generation } = this
    return { generation, chunkBytes: this.options.chunkBytes, chunks: count, bytes }
  }

  /** What there is of a chunk beyond the first `have` bytes of it. */
  look(index: number, have: number): Seen<E> {
    if (index < this.count) {
      const chunk = this.last.get(index)
      return chunk === undefined ? stored : { _tag: "Bytes", bytes: chunk.bytes, link: chunk.link }
    }
    if (index === this.count && this.filled > have) {
      return { _tag: "Bytes", bytes: this.buffer.subarray(0, this.filled), link: undefined }
    }
    if (this.exit === undefined) return ahead
    return Exit.isSuccess(this.exit) ? end : { _tag: "Failed", cause: this.exit.cause }
  }

  join(next: number): Place {
    const place = { next }
    this.places.add(place)
    return place
  }

  moveTo(place: Place, next: number): void {
    place.next = next
    this.moves.give()
  }

  leave(place: Place): void {
    this.places.delete(place)
    this.moves.give()
  }

  /** From now on nothing is stored. */
  passOn(): void {
    this.isStored = false
  }

  /** Takes in all that a source has. */
  run<R>(source: Stream.Stream<Uint8Array, E, R>): Effect.Effect<void, E, R> {
    return source.pipe(
      Stream.runForEach((piece) => this.take(piece, 0)),
      Effect.zipRight(Effect.suspend(() => (this.filled > 0 ? this.fill() : Effect.void))),
      Effect.onExit((exit) =>
        Effect.sync(() => {
          this.exit = exit
          this.news.give()
        })
      )
    )
  }

  private take(piece: Uint8Array, from: number): Effect.Effect<void, E> {
    return Effect.suspend(() => {
      const { chunkBytes, maxBytes } = this.options
      const until = Math.min(piece.length, from + chunkBytes - this.filled)
      if (until === from) return Effect.void
      // what those who follow have been given are views of it: a new one for each chunk, and never moved
      if (this.filled === 0) this.buffer = new Uint8Array(chunkBytes)
      this.buffer.set(piece.subarray(from, until), this.filled)
      this.filled += until - from
      this.bytes += until - from
      if (this.bytes === until) this.options.begun()
      const refused = this.isStored && this.bytes > maxBytes ? this.options.tooLarge : Effect.void
      if (this.filled < chunkBytes) {
        this.news.give()
        return refused
      }
      return refused.pipe(
        Effect.zipRight(this.fill()),
        Effect.zipRight(until < piece.length ? this.take(piece, until) : Effect.void)
      )
    })
  }

  /** The chunk is full, or the last: had by those who follow at once, and then written. */
  private fill(): Effect.Effect<void, E> {
    return Effect.suspend(() => {
      const { chunkBytes } = this.options
      const bytes = this.filled === chunkBytes ? this.buffer : this.buffer.slice(0, this.filled)
      this.link = linkOf(this.link, bytes)
      const chunk = { generation: this.generation, index: this.count, link: this.link, bytes }
      this.last.set(this.count, chunk)
      this.count++
      this.filled = 0
      this.news.give()
      return this.isStored
        ? Effect.flatMap(this.options.write(chunk), (isWritten) => (isWritten ? this.forget : this.handOn))
        : this.handOn
    })
  }

  private readonly forget: Effect.Effect<void> = Effect.sync(() => {
    for (const index of this.last.keys()) {
      if (index < this.count - kept) this.last.delete(index)
    }
  })

  /** As `forget`, when those who follow have had it, or have let this run wait for too long. */
  private readonly handOn: Effect.Effect<void> = Effect.suspend(() => {
    this.passOn()
    const lags = () => [...this.places].some(({ next }) => next < this.count - kept)
    const passed = this.moves.until(() => !lags())
    return Effect.zipRight(lags() ? Effect.timeoutOption(passed, this.options.patience) : Effect.void, this.forget)
  })
}
