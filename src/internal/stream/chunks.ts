/** The chunks of a cache's values, in a region of their own; and when those of a load may go. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as CacheError from "../../CacheError.js"
import type * as CacheStore from "../../CacheStore.js"
import type { StoreGuard } from "../cache/storeGuard.js"
import { steadyMillis } from "../steady.js"
import { type Chunk, keyOf, type Manifest } from "./chunk.js"

/** Keys that are removed at once. */
const removedAtOnce = 256

/** Whose chunks they are. */
export type Owner = Pick<Manifest, "generation" | "chunks"> & { readonly id: string }

/** Those who read a generation, and what is to be done when the last of them has left. */
interface Readers {
  count: number
  removal: Effect.Effect<void> | undefined
}

export class Chunks {
  private readonly readers = new Map<string, Readers>()

  constructor(
    private readonly region: CacheStore.Region<Chunk, never>,
    private readonly guard: StoreGuard<Chunk, never>
  ) {}

  /** Writes it to be kept for `life` milliseconds. Nobody else writes under its key, so no write is held against another. */
  write(id: string, chunk: Chunk, life: number): Effect.Effect<void, CacheError.StoreFailure | CacheError.CodecError> {
    return Effect.flatMap(steadyMillis, (now) => {
      const until = now + life
      const entry = {
        exit: Exit.succeed(chunk),
        createdAt: now,
        freshUntil: until,
        staleUntil: until,
        tags: [],
        loadMillis: 0,
        keyText: undefined
      }
      return this.region.setMany([{ key: keyOf(id, chunk.generation, chunk.index), entry, since: undefined }])
    })
  }

  /**
   * `undefined` if it is not there, for whatever reason. What a generation has never changes, so one that is past its
   * life is still right.
   */
  read(id: string, generation: string, index: number): Effect.Effect<Chunk | undefined> {
    return Effect.map(this.guard.read([keyOf(id, generation, index)]), ({ found: [found] }) => {
      if (found === undefined || Exit.isFailure(found.entry.exit)) return undefined
      const chunk = found.entry.exit.value
      // a store that answers with something else is one that has lost it
      return chunk.generation === generation && chunk.index === index ? chunk : undefined
    })
  }

  /** Somebody begins to read; answers how he leaves. */
  hold(generation: string): Effect.Effect<void> {
    const readers = this.readers.get(generation) ?? { count: 0, removal: undefined }
    readers.count++
    this.readers.set(generation, readers)
    return Effect.suspend(() => {
      readers.count--
      if (readers.count > 0) return Effect.void
      this.readers.delete(generation)
      return readers.removal ?? Effect.void
    })
  }

  /** Removes what no manifest names any more: at once, or when the last of those who read it here has left. */
  retire({ chunks, generation, id }: Owner): Effect.Effect<void> {
    return Effect.suspend(() => {
      const removal = this.remove(id, generation, chunks)
      const readers = this.readers.get(generation)
      if (readers === undefined) return removal
      readers.removal = removal
      return Effect.void
    })
  }

  private remove(id: string, generation: string, chunks: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      const batches = Array.from({ length: Math.ceil(chunks / removedAtOnce) }, (_, batch) => batch * removedAtOnce)
      return Effect.forEach(
        batches,
        (from) => {
          const length = Math.min(removedAtOnce, chunks - from)
          return this.guard.remove(Array.from({ length }, (_, i) => keyOf(id, generation, from + i)))
        },
        { discard: true }
      )
    })
  }

  readonly clear: Effect.Effect<number, CacheError.StoreFailure> = Effect.suspend(() => this.region.clear)
}
