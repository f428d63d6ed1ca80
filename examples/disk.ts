/**
 * Memory over a SQLite file: what one run has learnt the next one knows. Run it twice.
 *
 *     node --import tsx examples/disk.ts [file]
 */
import { Cached, CacheStore, MemoryStore } from "effect-larder"
import * as SqliteStore from "effect-larder/SqliteStore"
import { Effect, Schema } from "effect"

const Store = MemoryStore.layer({ capacity: 1_000 }).pipe(
  CacheStore.tieredOver(SqliteStore.layer({ filename: process.argv[2] ?? ".demo/example.db" }))
)

/** What is kept in a file needs a Schema: it is how values are written, and checked when they are read back. */
class Primes extends Schema.Class<Primes>("Primes")({ count: Schema.Number, foundAt: Schema.Date }) {}

const primesBelow = Cached.fn("primesBelow", { success: Primes, timeToLive: "1 day" })((limit: number) =>
  Effect.clockWith((clock) =>
    Effect.map(clock.currentTimeMillis, (now) => {
      const composite = new Uint8Array(limit)
      let count = 0
      for (let n = 2; n < limit; n++) {
        if (composite[n] === 1) continue
        count++
        for (let multiple = n * n; multiple < limit; multiple += n) composite[multiple] = 1
      }
      return new Primes({ count, foundAt: new Date(now) })
    })
  )
)

const program = Effect.gen(function* () {
  const { count, foundAt } = yield* primesBelow(5_000_000)
  const { loads, tiers } = yield* primesBelow.stats
  console.log(`${count} primes below 5 000 000, found at ${foundAt.toISOString()}`)
  console.log(loads === 0 ? "known from an earlier run" : "worked out now; run it again")
  for (const { bytes, entries, store, tier } of tiers) console.log(`tier ${tier}: ${store}, ${entries}, ${bytes} bytes`)
})

program.pipe(Effect.provide(Store), Effect.runPromise)
