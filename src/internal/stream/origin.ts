/** Where a reader has his bytes from: a load that he follows, or what is stored. */
import * as Effect from "effect/Effect"
import type { Manifest } from "./chunk.js"
import type { Intake, Place, Seen } from "./intake.js"

export interface Origin<E> {
  readonly generation: string
  readonly chunkBytes: number
  readonly look: (index: number, have: number) => Seen<E>
  /** Waits until there is more to see. */
  readonly more: (index: number, have: number) => Effect.Effect<void>
  /** The chunk that is wanted next: none before it will be. */
  readonly moveTo: (next: number) => void
  readonly leave: () => void
}

/** What has been stored as a whole. */
export const stored = ({ chunkBytes, chunks, generation }: Manifest): Origin<never> => ({
  generation,
  chunkBytes,
  look: (index) => ({ _tag: index < chunks ? "Stored" : "End" }),
  more: () => Effect.void,
  moveTo: () => {},
  leave: () => {}
})

/** A load that is under way, or was when it was begun to be followed. */
export const followed = <E>(intake: Intake<E>, from: number): Origin<E> => {
  const place: Place = intake.join(from)
  return {
    generation: intake.generation,
    chunkBytes: intake.manifest.chunkBytes,
    look: (index, have) => intake.look(index, have),
    more: (index, have) => intake.news.until(() => intake.look(index, have)._tag !== "Ahead"),
    moveTo: (next) => intake.moveTo(place, next),
    leave: () => intake.leave(place)
  }
}
