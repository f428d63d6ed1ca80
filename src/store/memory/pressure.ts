/**
 * Gives memory back before the process runs out of it.
 *
 * What was given up is still in use until the collector has come by, so readings alone would make a store empty itself.
 * So what was released, and has not been seen to go since, is taken off a reading first; a little less of it each time,
 * for it was but an estimate.
 */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import { idleSleep } from "../../internal/idleSleep.js"
import type * as CacheEvents from "../../observe/CacheEvents.js"
import type * as MemoryProbe from "../MemoryProbe.js"
import type { Pool } from "./pool.js"
import { warnOf } from "../../internal/tell.js"

export interface PressureOptions {
  /** Parts of the limit, from 0 to 1: above `high` entries go, until `low` is reached. */
  readonly high: number
  readonly low: number
  /** Milliseconds between two looks. */
  readonly every: number
}

const usedGauge = Metric.gauge("cache_memory_used_bytes", { description: "Memory in use, by limit" })
const limitGauge = Metric.gauge("cache_memory_limit_bytes", { description: "What may be in use" })
const releasedCounter = Metric.counter("cache_memory_released_bytes_total", {
  description: "Estimated bytes of entries given up under memory pressure",
  incremental: true
})
const crossings = Metric.counter("cache_memory_pressure_total", {
  description: "How often a high-water mark was crossed",
  incremental: true
})

/** How much of what was released and has not been seen to go is believed in at the next look. */
const patience = 0.8

interface State {
  isHigh: boolean
  lastUsed: number
  /** Released since then, and not seen to be gone yet. */
  pending: number
}

const look = (
  { high, low }: PressureOptions,
  { limit, used }: MemoryProbe.Reading,
  pool: Pool,
  state: State
): { readonly released: number; readonly entries: number; readonly crossed: boolean } => {
  state.pending = patience * Math.max(0, state.pending - Math.max(0, state.lastUsed - used))
  state.lastUsed = used
  const inUse = used - state.pending
  const crossed = !state.isHigh && used > high * limit
  state.isHigh = state.isHigh ? used > low * limit : used > high * limit
  if (inUse <= high * limit) return { released: 0, entries: 0, crossed }
  const before = pool.entries
  const released = pool.release(inUse - low * limit)
  state.pending += released
  return { released, entries: before - pool.entries, crossed }
}

export const watch = (
  options: PressureOptions,
  dependencies: {
    readonly store: string
    readonly pool: Pool
    readonly probe: MemoryProbe.Service
    readonly events: CacheEvents.Service
  }
): Effect.Effect<never> => {
  const { events, pool, probe, store } = dependencies
  const states = new Map<MemoryProbe.Reading["kind"], State>()
  const stateOf = (kind: MemoryProbe.Reading["kind"]): State => {
    const known = states.get(kind) ?? { isHigh: false, lastUsed: 0, pending: 0 }
    states.set(kind, known)
    return known
  }
  const each = (reading: MemoryProbe.Reading): Effect.Effect<void> =>
    Effect.suspend(() => {
      const { kind, limit, used } = reading
      const { crossed, entries, released } = look(options, reading, pool, stateOf(kind))
      const labelled = <Type, Out>(metric: Metric.Metric<Type, number, Out>, value: number) =>
        Metric.update(metric.pipe(Metric.tagged("store", store), Metric.tagged("limit", kind)), value)
      const gauges = Effect.zipRight(labelled(usedGauge, used), labelled(limitGauge, limit))
      const counted = released === 0 ? gauges : Effect.zipRight(gauges, labelled(releasedCounter, released))
      if (!crossed) return counted
      events.publish({ _tag: "MemoryPressure", store, limit: kind, used, max: limit, entries, released })
      const percent = Math.round((100 * used) / limit)
      return counted.pipe(
        Effect.zipRight(labelled(crossings, 1)),
        Effect.zipRight(
          warnOf(
            store,
            `${store} gives up entries, for the ${kind} is ${percent} % full (${used} of ${limit} bytes): ` +
              `${entries} of them, about ${released} bytes; lower maxEntries or maxBytes of the store, or give the ` +
              "process more memory"
          )
        )
      )
    })
  return Effect.forever(
    Effect.zipRight(
      Effect.flatMap(probe.read, (readings) => Effect.forEach(readings, each, { discard: true })).pipe(
        // a probe that is broken must not end the watch: the next reading may be right
        Effect.catchAllCause((cause) => warnOf(store, `${store} cannot read how much memory is used`, cause))
      ),
      idleSleep(options.every)
    )
  )
}
