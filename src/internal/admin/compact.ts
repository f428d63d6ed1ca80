/** Room that nothing is in any more, where an engine does not give it back by itself. */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type * as CacheError from "../../CacheError.js"
import type * as CacheStore from "../../CacheStore.js"
import { steadyMillis } from "../steady.js"

/** Keys that are removed at once. */
const some = 256

/** Removes the rows of a region that are over, as far as it still has them; answers how many those were. */
export const removeOver = (engine: CacheStore.Engine): Effect.Effect<number, CacheError.StoreFailure> =>
  Effect.flatMap(steadyMillis, (now) =>
    engine.scan.pipe(
      Stream.filter(({ reclaimAt }) => reclaimAt <= now),
      Stream.map(({ key }) => key),
      Stream.grouped(some),
      Stream.mapEffect((keys) => engine.deleteMany(Chunk.toReadonlyArray(keys))),
      Stream.runSum
    )
  )
