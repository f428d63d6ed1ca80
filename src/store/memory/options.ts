/** The options of a memory store, checked once. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as CacheConfig from "../../CacheConfig.js"
import type * as CacheEntry from "../../CacheEntry.js"
import type * as CacheError from "../../CacheError.js"
import * as Policies from "../../eviction/Policies.js"
import { warnManyEntries } from "../../internal/manyEntries.js"
import * as Check from "../../internal/options.js"
import { weigh } from "../../internal/weigh.js"
import type * as MemoryStore from "../MemoryStore.js"
import type { Bounds, PoolOptions } from "./pool.js"
import type { PressureOptions } from "./pressure.js"
import { protect } from "./protect.js"

/** Columns, list links and map bucket, measured on V8; see `npm run bench:memory`. */
const overhead = 200

const weighEntry = (key: string, entry: CacheEntry.CacheEntry<unknown, unknown>): number =>
  overhead + key.length + weigh(entry.exit._tag === "Success" ? entry.exit.value : entry.exit.cause)

export interface Settings {
  readonly pool: Omit<PoolOptions, "policy" | "seed" | "onRemoval" | "onMortal">
  readonly policy: Policies.Name
  readonly onRemoval: ((removal: MemoryStore.Removal) => void) | undefined
  /** Milliseconds; `Infinity` for no maintenance. */
  readonly sweepEvery: number
  readonly pressure: PressureOptions | undefined
}

const oneBound =
  (capacity: unknown): Check.Check =>
  (value) =>
    capacity === undefined || capacity === value
      ? Check.positiveInteger(value)
      : { reason: "differs from capacity, which is short for it", hint: "give one of maxEntries and capacity" }

const share: Check.Check = (value) =>
  typeof value === "number" && value > 0 && value <= 1
    ? undefined
    : { reason: "must be above 0 and at most 1", hint: "use a part of the limit, such as 0.9" }

const marks = { high: 0.9, low: 0.8, every: "5 seconds" } as const

const low =
  (high: unknown): Check.Check =>
  (value) =>
    share(value) ??
    ((value as number) < ((high ?? marks.high) as number)
      ? undefined
      : { reason: "must be below memoryPressure.high", hint: `use high ${marks.high} and low ${marks.low}` })

const boundChecks = (options: MemoryStore.Bounds): Readonly<Record<string, Check.Check>> => ({
  capacity: Check.positiveInteger,
  maxEntries: oneBound(options.capacity),
  maxBytes: Check.positiveInteger,
  maxEntryBytes: Check.positiveInteger
})

/** With the fields of what is nested beside the others, so that an issue names the very one. */
const flat = ({ memoryPressure, ...rest }: MemoryStore.Options): Readonly<Record<string, unknown>> =>
  typeof memoryPressure === "object" && (memoryPressure as unknown) !== null
    ? {
        ...rest,
        // low is compared with high even where only high is given
        ...Object.fromEntries(
          Object.entries({ low: marks.low, ...memoryPressure }).map(([field, value]) => [
            `memoryPressure.${field}`,
            value
          ])
        )
      }
    : { ...rest, memoryPressure }

const check = (options: MemoryStore.Options): Effect.Effect<void, CacheError.InvalidConfig> =>
  Check.check(flat(options), {
    ...boundChecks(options),
    weigher: Check.isFunction,
    policy: Check.oneOf(...Policies.names),
    pinned: Check.isFunction,
    timeToIdle: Check.positiveDuration,
    freeze: Check.oneOf("never", "development", "always"),
    references: Check.oneOf("strong", "weak"),
    memoryPressure: () => ({ reason: "must be an object", hint: "use {} for the defaults" }),
    "memoryPressure.high": share,
    "memoryPressure.low": low(options.memoryPressure?.high),
    "memoryPressure.every": Check.positiveDuration,
    sweepEvery: Check.positiveDuration,
    onRemoval: Check.isFunction
  })

interface Host {
  readonly process?: { readonly env?: { readonly NODE_ENV?: string } }
}

const isProduction = (): boolean => (globalThis as Host).process?.env?.NODE_ENV === "production"

const defaultSweepEvery = 60_000

const pressureOf = ({ every, high, low }: MemoryStore.MemoryPressure): PressureOptions => ({
  high: high ?? marks.high,
  low: low ?? marks.low,
  every: Check.millisOf(every ?? marks.every)
})

const protection = (freeze: MemoryStore.Options["freeze"]): ((value: unknown) => void) | undefined =>
  freeze === "always" || (freeze === "development" && !isProduction()) ? protect : undefined

/** The settings of a store; those that are left out are the configuration's, or the defaults. */
export const resolve = (options: MemoryStore.Options): Effect.Effect<Settings, CacheError.InvalidConfig> =>
  Effect.gen(function* () {
    yield* check(options)
    const { capacity, maxEntries = capacity } = options
    const config = yield* CacheConfig.Current
    const bounds = rebounded(options, { ...config, maxEntryBytes: Infinity })
    // what the configuration says was warned of when it was built; many that are bounded by bytes are no danger
    if (maxEntries !== undefined && bounds.maxBytes === Infinity) yield* warnManyEntries(maxEntries)
    const millis = (value: Duration.DurationInput | undefined, otherwise: number) =>
      value === undefined ? otherwise : Check.millisOf(value)
    return {
      pool: {
        ...bounds,
        weigh: options.weigher ?? weighEntry,
        pinned: options.pinned,
        timeToIdle: millis(options.timeToIdle, Infinity),
        protect: protection(options.freeze),
        isWeak: options.references === "weak"
      },
      policy: options.policy ?? Policies.defaultName,
      onRemoval: options.onRemoval,
      sweepEvery: millis(options.sweepEvery, defaultSweepEvery),
      pressure: options.memoryPressure && pressureOf(options.memoryPressure)
    }
  })

const rebounded = (bounds: MemoryStore.Bounds, present: Bounds): Bounds => ({
  maxEntries: bounds.maxEntries ?? bounds.capacity ?? present.maxEntries,
  maxBytes: bounds.maxBytes ?? present.maxBytes,
  maxEntryBytes: bounds.maxEntryBytes ?? present.maxEntryBytes
})

/** Other bounds for a store that runs; what is left out stays as it is. */
export const rebound = (bounds: MemoryStore.Bounds, present: Bounds): Effect.Effect<Bounds, CacheError.InvalidConfig> =>
  Effect.as(Check.check(bounds, boundChecks(bounds)), rebounded(bounds, present))
