/** What the page shows: the caches of this program, or those in a store that nobody has open. */
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Metric from "effect/Metric"
import * as MetricState from "effect/MetricState"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as CacheAdmin from "../CacheAdmin.js"
import type * as CacheError from "../CacheError.js"
import type * as CacheStore from "../CacheStore.js"
import { textOf as textOfPayload } from "../internal/admin/payload.js"
import { groupTag, showTag } from "../internal/groups.js"
import { steadyMillis } from "../internal/steady.js"
import * as CacheAnalytics from "../observe/CacheAnalytics.js"
import * as CacheEvents from "../observe/CacheEvents.js"
import * as CacheStats from "../observe/CacheStats.js"
import * as Families from "../observe/internal/families.js"
import type * as StoreAdmin from "../StoreAdmin.js"

export type Failure = CacheError.InvalidConfig | CacheError.StoreFailure

/** A cache at one moment. Without `stats`, nobody counts its gets here. */
export interface View {
  readonly name: string
  readonly tiers: ReadonlyArray<{ readonly store: string; readonly entries: number; readonly bytes: number }>
  readonly stats:
    | {
        readonly outcomes: Readonly<Record<string, number>>
        readonly loads: number
        readonly loadFailures: number
        readonly savedMillis: number
        readonly evictions: number
        readonly percentiles: { readonly p50: number; readonly p95: number; readonly p99: number }
      }
    | undefined
  /** Keys with their part of the gets, under `CacheAnalytics.layer`; and what follows from that and more. */
  readonly hottest: ReadonlyArray<{ readonly key: string; readonly part: number }>
  readonly advice: ReadonlyArray<string>
  readonly flights: ReadonlyArray<{ readonly key: string; readonly millis: number; readonly waiters: number }>
}

/** An entry, as far as it can be told. */
export interface Entry {
  readonly verdict: string
  readonly reasons: ReadonlyArray<string>
  readonly tags: ReadonlyArray<string>
  readonly createdAt: number | undefined
  readonly freshUntil: number | undefined
  readonly loadMillis: number | undefined
  readonly bytes: number | undefined
  /** The value as text, or why there is none. */
  readonly value: string | undefined
}

export interface Breaker {
  readonly store: string
  readonly isOpen: boolean
}

/** A tag, or a group, as people call it, and how many entries have it. */
export interface Tag {
  readonly tag: string
  readonly entries: number
}

export interface Removal {
  readonly keys: ReadonlyArray<string>
  readonly tags: ReadonlyArray<string>
  readonly groups: ReadonlyArray<string>
  readonly everything: boolean
}

export interface Source {
  readonly title: string
  readonly views: Effect.Effect<ReadonlyArray<View>, Failure>
  /** Stores with a breaker, and whether they are left alone at the moment. */
  readonly breakers: Effect.Effect<ReadonlyArray<Breaker>>
  readonly keys: (cache: string, limit: number) => Effect.Effect<ReadonlyArray<string>, Failure>
  /** The tags that most of the entries have. */
  readonly tags: (cache: string) => Effect.Effect<ReadonlyArray<Tag>, Failure>
  readonly entry: (cache: string, key: string) => Effect.Effect<Entry, Failure>
  readonly invalidate: (cache: string, removal: Removal) => Effect.Effect<void, Failure>
  readonly clear: (cache: string) => Effect.Effect<number, Failure>
  readonly events: Stream.Stream<CacheEvents.CacheEvent>
}

const outcomes = ["fresh", "stale", "loaded", "joined", "failsafe", "bypassed", "failed"] as const

type Reports = ReadonlyArray<CacheAnalytics.Report>

const viewOf = ({ controls, stats }: CacheStats.Registered, reports: Reports, now: number): Effect.Effect<View> =>
  Effect.zipWith(stats, controls.flights, (counted, flights) => ({
    name: counted.name,
    ...analysed(counted, reports),
    tiers: counted.tiers.map(({ bytes, entries, store }) => ({ store, entries, bytes })),
    stats: {
      outcomes: Object.fromEntries(outcomes.map((outcome) => [outcome, counted[outcome]])),
      loads: counted.loads,
      loadFailures: counted.loadFailures,
      savedMillis: counted.savedMillis,
      evictions: counted.evictions,
      percentiles: {
        p50: counted.loadPercentile(0.5),
        p95: counted.loadPercentile(0.95),
        p99: counted.loadPercentile(0.99)
      }
    },
    flights: flights.slice(0, mostFlights).map(({ key, startedAt, waiters }) => ({
      key,
      waiters,
      millis: Math.max(0, now - startedAt)
    }))
  }))

const analysed = ({ name, tiers }: CacheStats.CacheStats, reports: Reports): Pick<View, "hottest" | "advice"> => {
  const report = reports.find(({ cache }) => cache === name)
  if (report === undefined) return { hottest: [], advice: [] }
  return { hottest: report.hottest.slice(0, mostHot), advice: CacheAnalytics.advice(report, tiers[0]?.entries ?? 0) }
}

/** Keys that are shown as hot. */
const mostHot = 10
/** Loads under way that are shown of one cache. */
const mostFlights = 20
/** Characters of a value that are shown. */
const mostText = 100_000

const shortened = (text: string): string =>
  text.length > mostText ? `${text.slice(0, mostText)}... (${text.length} characters)` : text

/** Any value as a person can read it; one that is no JSON as its own text. */
const textOf = (value: unknown): string => {
  if (typeof value === "string") return shortened(value)
  try {
    return shortened(
      JSON.stringify(value, (_, each: unknown) => (typeof each === "bigint" ? `${each}n` : each), 2) ?? String(value)
    )
  } catch {
    return String(value)
  }
}

const valueIn = (entry: CacheStore.Inspection<unknown, unknown>["entry"]): string | undefined =>
  entry &&
  Exit.match(entry.exit, {
    onSuccess: textOf,
    onFailure: (cause) => `a failure that is kept: ${shortened(Cause.pretty(cause))}`
  })

/** What breakers keep as a metric, whether anybody exports it or not; see `CacheStore.circuitBreaker`. */
const breakers: Effect.Effect<ReadonlyArray<Breaker>> = Effect.map(Metric.snapshot, (pairs) =>
  pairs.flatMap(({ metricKey, metricState }) => {
    const store = metricKey.tags.find(({ key }) => key === "store")?.value
    return metricKey.name === Families.breakerOpen && store !== undefined && MetricState.isGaugeState(metricState)
      ? [{ store, isOpen: Number(metricState.value) > 0 }]
      : []
  })
)

/** Entries whose tags are looked at, and tags that are shown. */
const mostTagged = 10_000
const mostTags = 20

const tagsOf = <E>(entries: Stream.Stream<ReadonlyArray<string>, E>): Effect.Effect<ReadonlyArray<Tag>, E> =>
  Effect.map(
    Stream.runFold(Stream.take(entries, mostTagged), new Map<string, number>(), (counts, tags) => {
      for (const tag of tags) counts.set(tag, (counts.get(tag) ?? 0) + 1)
      return counts
    }),
    (counts) =>
      [...counts]
        .sort(([a, one], [b, other]) => other - one || (a < b ? -1 : 1))
        .slice(0, mostTags)
        .map(([tag, entries]) => ({ tag: showTag(tag), entries }))
  )

/** The caches that are built under `CacheStats.layer`, or what has it in itself. */
export const ofProgram = (values: boolean): Effect.Effect<Source> =>
  Effect.gen(function* () {
    const registry = yield* CacheStats.Registry
    const admin = yield* CacheAdmin.make
    const events = yield* CacheEvents.CacheEvents
    const { reports } = yield* CacheAnalytics.CacheAnalytics
    return {
      title: "this program",
      views: Effect.gen(function* () {
        const now = yield* steadyMillis
        const seen = yield* reports
        return yield* Effect.forEach(yield* registry.caches, (cache) => viewOf(cache, seen, now))
      }),
      keys: (cache, limit) =>
        Effect.map(Stream.runCollect(Stream.take(admin.keys(cache), limit)), Chunk.toReadonlyArray),
      breakers,
      tags: (cache) => tagsOf(Stream.map(admin.entries(cache), ({ entry }) => entry.tags)),
      entry: (cache, key) =>
        Effect.map(admin.explain(cache, key), ({ reasons, tiers, verdict }) => {
          const entry = tiers.find((tier) => tier.entry !== undefined)?.entry
          return {
            verdict,
            reasons,
            tags: entry?.tags.map(showTag) ?? [],
            createdAt: entry?.createdAt,
            freshUntil: entry?.freshUntil,
            loadMillis: entry?.loadMillis,
            bytes: undefined,
            value: values ? valueIn(entry) : undefined
          }
        }),
      invalidate: (cache, { everything, groups, keys, tags }) =>
        Effect.gen(function* () {
          if (keys.length > 0) yield* admin.delete(cache, ...keys)
          if (tags.length > 0) yield* admin.invalidateTags(cache, ...tags)
          yield* Effect.forEach(groups, (group) => admin.invalidateGroup(cache, group), { discard: true })
          if (everything) yield* admin.invalidateAll(cache)
        }),
      clear: (cache) => Effect.map(admin.clear(cache), ({ entries }) => entries),
      events: events.changes
    }
  })

/** Without its Schema: text, if that is what it is. */
const payloadText = (payload: Uint8Array | undefined): string | undefined =>
  payload && shortened(textOfPayload(payload)?.text ?? `${payload.byteLength} bytes that are no text`)

const inspected = ({ item, outdatedBy }: StoreAdmin.Inspected, values: boolean): Entry => {
  const why =
    outdatedBy === undefined
      ? []
      : [`${outdatedBy.tag === undefined ? "everything" : showTag(outdatedBy.tag)} was invalidated after it was loaded`]
  return {
    verdict: outdatedBy === undefined ? item.state : "outdated",
    reasons: [...why, ...(item.problem === undefined ? [] : [item.problem])],
    tags: item.tags.map(showTag),
    createdAt: item.header?.createdAt,
    freshUntil: item.header?.freshUntil,
    loadMillis: item.header?.loadMillis,
    bytes: item.bytes,
    value: values ? payloadText(item.payload) : undefined
  }
}

const absent: Entry = {
  verdict: "absent",
  reasons: ["there is no entry for this key"],
  tags: [],
  createdAt: undefined,
  freshUntil: undefined,
  loadMillis: undefined,
  bytes: undefined,
  value: undefined
}

/** What a store has of caches of other programs: nobody here counts their gets. */
export const ofStore = (admin: StoreAdmin.Service, values: boolean): Source => ({
  title: admin.store,
  views: Effect.map(admin.list, (rows) =>
    rows.map(({ bytes, entries, name, store }) => ({
      name,
      tiers: [{ store, entries, bytes }],
      stats: undefined,
      hottest: [],
      advice: [],
      flights: []
    }))
  ),
  keys: (cache, limit) =>
    Effect.map(Stream.runCollect(Stream.take(admin.items(cache), limit)), (items) =>
      Chunk.toReadonlyArray(items).map(({ key }) => key)
    ),
  entry: (cache, key) =>
    Effect.map(
      admin.inspect(cache, key),
      Option.match({ onNone: () => absent, onSome: (found) => inspected(found, values) })
    ),
  breakers: Effect.succeed([]),
  tags: (cache) => tagsOf(Stream.map(admin.items(cache), ({ tags }) => tags)),
  invalidate: (cache, { everything, groups, keys, tags }) =>
    Effect.gen(function* () {
      const fences = [...tags, ...groups.map(groupTag)]
      if (keys.length > 0) yield* admin.delete(cache, ...keys)
      if (fences.length > 0) yield* admin.invalidateTags(cache, ...fences)
      if (everything) yield* admin.invalidateAll(cache)
    }),
  clear: (cache) => Effect.map(admin.clear(cache), ({ entries }) => entries),
  events: Stream.empty
})
