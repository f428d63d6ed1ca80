/**
 * The same workload over several stores on this machine: a cache of texts of a kibibyte, asked by one caller.
 *
 * Each number is the time of one operation, from many; a store that is far away is measured with its way.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Cache from "../../Cache.js"
import type * as CacheError from "../../CacheError.js"
import * as CacheStore from "../../CacheStore.js"
import * as Format from "../format.js"
import type { Screen } from "../screen.js"
import { type Service, show } from "../screen.js"

/** One operation: microseconds that this part of them took at most. */
export interface Timed {
  readonly operation: string
  readonly times: number
  readonly p50: number
  readonly p95: number
  readonly p99: number
}

/** What was measured of one store. */
export interface Benchmarked {
  readonly store: string
  readonly results: ReadonlyArray<Timed>
}

/** The cache that it makes and empties again. */
export const benchmarkName = "larder-benchmark"
const valueBytes = 1_024
const many = 100

const percentile = (sorted: ReadonlyArray<number>, part: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0

/** Runs an operation with each number, one after another. */
const timed = <E, R>(
  operation: string,
  times: number,
  run: (index: number) => Effect.Effect<unknown, E, R>
): Effect.Effect<Timed, E, R> =>
  Effect.gen(function* () {
    const micros: Array<number> = []
    for (let index = 0; index < times; index++) {
      const started = yield* Clock.currentTimeNanos
      yield* run(index)
      micros.push(Number((yield* Clock.currentTimeNanos) - started) / 1_000)
    }
    micros.sort((a, b) => a - b)
    return {
      operation,
      times,
      p50: percentile(micros, 0.5),
      p95: percentile(micros, 0.95),
      p99: percentile(micros, 0.99)
    }
  })

/** What measuring itself takes, which the others are freed of. */
const empty = Effect.map(
  timed("nothing", 1_000, () => Effect.void),
  ({ p50 }) => p50
)

const without = (overhead: number, { p50, p95, p99, ...rest }: Timed): Timed => ({
  ...rest,
  p50: Math.max(0, p50 - overhead),
  p95: Math.max(0, p95 - overhead),
  p99: Math.max(0, p99 - overhead)
})

type Failure =
  | CacheError.InvalidConfig
  | CacheError.StoreFailure
  | CacheError.LoadTimeout
  | CacheError.LoadRejected
  | CacheError.KeyError
  | CacheError.CodecError

/** The workload over the store in force, with so many entries; once before it counts, for the compiler's sake. */
export const workload = (entries: number): Effect.Effect<Benchmarked, Failure, CacheStore.CacheStore> =>
  Effect.gen(function* () {
    const store = yield* CacheStore.CacheStore
    const value = "x".repeat(valueBytes)
    const cache = yield* Cache.make(benchmarkName, {
      key: Schema.String,
      success: Schema.String,
      lookup: () => Effect.succeed(value)
    })
    const key = (index: number): string => `key ${index}`
    const batch = (index: number): ReadonlyArray<string> =>
      Array.from({ length: many }, (_, at) => key((index * many + at) % entries))
    const round = Effect.gen(function* () {
      yield* cache.clear
      return [
        yield* timed("get that loads", entries, (index) => cache.get(key(index))),
        yield* timed("get that hits", entries, (index) => cache.get(key(index))),
        yield* timed(`getMany of ${many}`, Math.max(10, Math.floor(entries / many)), (index) =>
          cache.getMany(batch(index))
        ),
        yield* timed("set", entries, (index) => cache.set(key(index), value)),
        yield* timed("invalidate", entries, (index) => cache.invalidate(key(index)))
      ]
    })
    yield* round
    const overhead = yield* empty
    const results = yield* round
    yield* cache.clear
    return { store: store.name, results: results.map((one) => without(overhead, one)) }
  }).pipe(Effect.scoped)

const micros = (time: number): string =>
  time < 1_000 ? `${time.toFixed(time < 10 ? 1 : 0)} us` : `${(time / 1_000).toFixed(1)} ms`

const benchmarkTable = (all: ReadonlyArray<Benchmarked>, screen: Service): string =>
  Format.table(
    [
      { head: "STORE" },
      { head: "OPERATION" },
      { head: "TIMES", right: true },
      { head: "P50", right: true },
      { head: "P95", right: true },
      { head: "P99", right: true },
      { head: "A SECOND", right: true }
    ],
    all.flatMap(({ results, store }) =>
      results.map(({ operation, p50, p95, p99, times }, index) => [
        index === 0 ? store : "",
        operation,
        Format.count(times),
        micros(p50),
        micros(p95),
        micros(p99),
        Format.count(1_000_000 / Math.max(p50, 0.001))
      ])
    ),
    screen
  )

/** Shows what was measured. */
export const report = (all: ReadonlyArray<Benchmarked>): Effect.Effect<void, never, Screen> =>
  show({ unit: "microseconds", valueBytes, stores: all }, (_, screen) => benchmarkTable(all, screen))
