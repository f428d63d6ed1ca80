/** Functions and effects that are cached where they stand. */
import { Cached, type CacheStore, MemoryStore } from "effect-larder"
import { Effect } from "effect"

let searches = 0

/** `key` picks what matters of the arguments, `when` what is worth keeping. */
const search = Cached.fn("search", {
  key: (text: string, limit = 10) => [text.trim().toLowerCase(), limit],
  when: (text: string) => text.trim().length > 2,
  timeToLive: "1 minute"
})((text: string, limit?: number) =>
  Effect.as(
    Effect.sync(() => searches++),
    `${limit ?? 10} results for ${text.trim().toLowerCase()}`
  )
)

/** An effect without arguments. */
const exchangeRates = Cached.effect("exchangeRates", { timeToLive: "1 hour", staleIfError: "1 day" })(
  Effect.succeed(new Map([["NOK", 11.4]]))
)

/** A function that calls itself: each number is worked out once. */
const fibonacci: (n: number) => Effect.Effect<bigint, never, CacheStore.CacheStore> = Cached.fn("fibonacci")(
  (n: number) =>
    n < 2 ? Effect.succeed(BigInt(n)) : Effect.zipWith(fibonacci(n - 1), fibonacci(n - 2), (a, b) => a + b)
)

const program = Effect.gen(function* () {
  yield* search("Larder")
  yield* search(" larder ", 10)
  console.log(`searched ${searches} time`)

  yield* search.invalidate("LARDER")
  yield* search("larder")
  console.log(`searched ${searches} times`)

  yield* exchangeRates
  yield* exchangeRates
  console.log(`rates: ${(yield* exchangeRates.stats).hits} hit`)

  console.log(`fibonacci(90) = ${yield* fibonacci(90)}`)
})

program.pipe(Effect.provide(MemoryStore.layer()), Effect.runPromise)
