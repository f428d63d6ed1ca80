/**
 * Effect's metrics as the text that Prometheus, and whatever speaks its language, asks for.
 *
 * All metrics of the program are told, those of caches (see `CacheMetrics`) brought up to date first, so that what is
 * scraped is what was counted.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type * as MetricKey from "effect/MetricKey"
import type * as MetricKeyType from "effect/MetricKeyType"
import type * as MetricPair from "effect/MetricPair"
import * as MetricState from "effect/MetricState"
import * as Option from "effect/Option"
import * as CacheStats from "./CacheStats.js"

/**
 * What the text is: the type of the response's content.
 *
 * @since 0.1.0
 * @category constants
 */
export const contentType = "text/plain; version=0.0.4; charset=utf-8"

type Labels = ReadonlyArray<readonly [name: string, value: string]>

/** One line: a suffix of the family's name, labels, a number. */
type Line = readonly [suffix: string, labels: Labels, value: number | bigint]

interface Told {
  readonly type: "counter" | "gauge" | "histogram" | "summary"
  readonly lines: ReadonlyArray<Line>
}

/** Characters that a name may not have, of metrics and of labels; the latter have no colons. */
const nameOf = (text: string): string => text.replace(/[^a-zA-Z0-9_:]/g, "_").replace(/^(?=\d)/, "_")
const labelOf = (text: string): string => nameOf(text).replaceAll(":", "_")

const escaped = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"')

const numberOf = (value: number | bigint): string => {
  if (value === Infinity) return "+Inf"
  return value === -Infinity ? "-Inf" : String(value)
}

/** What a state is in Prometheus's words. */
const told = (state: MetricState.MetricState.Untyped): Told => {
  if (MetricState.isCounterState(state)) return { type: "counter", lines: [["", [], state.count]] }
  if (MetricState.isGaugeState(state)) return { type: "gauge", lines: [["", [], state.value]] }
  if (MetricState.isFrequencyState(state)) {
    const lines = Array.from(state.occurrences, ([value, count]): Line => ["", [["value", value]], count])
    return { type: "counter", lines }
  }
  if (MetricState.isHistogramState(state)) {
    // its counts are of all up to each bound already
    const bounds = state.buckets.filter(([bound]) => Number.isFinite(bound))
    const buckets = bounds.map(([bound, count]): Line => ["_bucket", [["le", numberOf(bound)]], count])
    const all: ReadonlyArray<Line> = [
      ["_bucket", [["le", "+Inf"]], state.count],
      ["_sum", [], state.sum],
      ["_count", [], state.count]
    ]
    return { type: "histogram", lines: [...buckets, ...all] }
  }
  if (MetricState.isSummaryState(state)) {
    const quantiles = state.quantiles.map(
      ([quantile, value]): Line => ["", [["quantile", String(quantile)]], Option.getOrElse(value, () => NaN)]
    )
    return {
      type: "summary",
      lines: [...quantiles, ["_sum", [], state.sum], ["_count", [], state.count]]
    }
  }
  return { type: "gauge", lines: [] }
}

const lineOf = (name: string, own: Labels, [suffix, labels, value]: Line): string => {
  const all = [...own, ...labels].map(([label, text]) => `${labelOf(label)}="${escaped(text)}"`)
  return `${name}${suffix}${all.length === 0 ? "" : `{${all.join(",")}}`} ${numberOf(value)}`
}

const labelsOf = (key: MetricKey.MetricKey<MetricKeyType.MetricKeyType.Untyped>): Labels =>
  key.tags.map((tag) => [tag.key, tag.value] as const).sort(([a], [b]) => (a < b ? -1 : 1))

const familyOf = (name: string, pairs: ReadonlyArray<MetricPair.MetricPair.Untyped>): ReadonlyArray<string> => {
  const description = pairs.map(({ metricKey }) => Option.getOrUndefined(metricKey.description)).find(Boolean)
  const all = pairs.map(({ metricKey, metricState }) => ({ labels: labelsOf(metricKey), ...told(metricState) }))
  const [first] = all
  if (first === undefined || all.every(({ lines }) => lines.length === 0)) return []
  return [
    ...(description === undefined
      ? []
      : [`# HELP ${name} ${description.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}`]),
    `# TYPE ${name} ${first.type}`,
    ...all.flatMap(({ labels, lines }) => lines.map((line) => lineOf(name, labels, line)))
  ]
}

/**
 * Metrics in the text format of Prometheus, version 0.0.4, which all that scrapes understands. By default those of the
 * whole program; `only` chooses by name.
 *
 * Names and labels get an underscore for each character that they may not have there; values are escaped.
 *
 * @example
 * ```ts
 * import { Cache, CacheMetrics, CachePrometheus, MemoryStore } from "effect-larder"
 * import { Effect, Layer } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const lengths = yield* Cache.make("lengths", { lookup: (word: string) => Effect.succeed(word.length) })
 *   yield* lengths.getMany(["a", "b"])
 *   const text = yield* CachePrometheus.text({ only: (name) => name === "cache_loads_total" })
 *   console.log(text.split("\n")[2]) // => cache_loads_total{cache="lengths"} 2
 * })
 *
 * program.pipe(
 *   Effect.scoped,
 *   Effect.provide(Layer.merge(MemoryStore.layer(), CacheMetrics.layer())),
 *   Effect.runPromise
 * )
 * ```
 *
 * @since 0.1.0
 * @category getters
 */
export const text = (options: { readonly only?: (name: string) => boolean } = {}): Effect.Effect<string> =>
  Effect.gen(function* () {
    const { settle } = yield* CacheStats.Registry
    yield* settle
    const families = new Map<string, Array<MetricPair.MetricPair.Untyped>>()
    for (const pair of yield* Metric.snapshot) {
      if (options.only?.(pair.metricKey.name) === false) continue
      const name = nameOf(pair.metricKey.name)
      families.set(name, [...(families.get(name) ?? []), pair])
    }
    const lines = [...families].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([name, pairs]) => familyOf(name, pairs))
    return lines.length === 0 ? "" : `${lines.join("\n")}\n`
  })
