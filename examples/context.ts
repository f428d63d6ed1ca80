/** Settings and stores that are in force for one effect only, and are undone when it has ended. */
import { CacheConfig, CacheContext, Cached, MemoryStore } from "effect-larder"
import { Effect, Option } from "effect"

let runs = 0
const report = Cached.fn("report", { timeToLive: "1 hour" })((month: string) =>
  Effect.sync(() => `${month}, version ${++runs}`)
)

const program = Effect.gen(function* () {
  console.log(yield* report("May"))

  // settings for one effect: asked anew, and the new version is kept
  console.log(`reload: ${yield* report("May").pipe(CacheConfig.locally({ mode: "reload" }))}`)
  console.log(`after:  ${yield* report("May")}`)

  // a store for one effect: a batch that neither sees nor touches what others have cached
  const batch = Effect.forEach(["April", "May", "May"], (month) => report(month)).pipe(
    CacheContext.with(MemoryStore.layer(), { capacity: 100 })
  )
  console.log(`batch:  ${(yield* batch).join("; ")}`)
  console.log(`after:  ${yield* report("May")}`)

  // a context in the hand: things are put in and taken out directly
  const scratch = yield* CacheContext.make(MemoryStore.layer(), { config: { timeToLive: "1 minute" } })
  yield* scratch.set("seen", ["April"])
  console.log(`scratch: ${Option.isSome(yield* scratch.get("seen"))}`)
})

program.pipe(Effect.scoped, Effect.provide(MemoryStore.layer()), Effect.runPromise)
