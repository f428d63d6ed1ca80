/** Falling back is composing Layers: a store that cannot be had, and the one that takes its place. */
import { Cached, CacheStore, MemoryStore } from "effect-larder"
import * as SqliteStore from "effect-larder/SqliteStore"
import { Effect, Schedule, Schema } from "effect"

/** No file can be made below one that is a file itself. */
const Broken = SqliteStore.layer({ filename: `${process.argv[1]}/cache.db` }).pipe(
  // a busy file is tried again, and waited for no longer than this
  CacheStore.retry(Schedule.exponential("10 millis").pipe(Schedule.intersect(Schedule.recurs(2)))),
  CacheStore.timeout("50 millis")
)

const Store = MemoryStore.layer({ capacity: 1_000 }).pipe(
  CacheStore.tieredOver(Broken),
  CacheStore.orElse(MemoryStore.layer())
)

const lengthOf = Cached.fn("lengthOf", { success: Schema.Number })((word: string) => Effect.succeed(word.length))

const program = Effect.gen(function* () {
  console.log(`larder has ${yield* lengthOf("larder")} letters`)
  const store = yield* CacheStore.CacheStore
  console.log(`kept by ${store.name}, because: ${store.rejected.join(", ")}`)
})

program.pipe(Effect.provide(Store), Effect.runPromise)
