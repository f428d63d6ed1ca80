/** Commands that look at a running program. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { steadyMillis } from "../../internal/steady.js"
import { meanings } from "../commands/looking.js"
import { again } from "../commands/watching.js"
import { NotWell, Usage } from "../errors.js"
import * as Format from "../format.js"
import { paint, safe, Screen, type Service, show } from "../screen.js"
import { type Entry, type Failure, Program, type View } from "./client.js"
import { between, fullest, getsOf, ratioOf } from "./numbers.js"

type Looking<E = never> = Effect.Effect<void, Failure | E, Program | Screen>

const ratioText = (ratio: number | undefined): string => (ratio === undefined ? "" : Format.percent(ratio))

const unknown = (given: string, views: ReadonlyArray<View>): Usage =>
  new Usage({
    reason: `the program has no cache that is called ${safe(given)}`,
    hint: `it has: ${views.map(({ name }) => Format.cacheName(name)).join(", ") || "none"}`
  })

/** Those that are meant: one by its name, or all. */
export const chosen = (given: Option.Option<string>): Effect.Effect<ReadonlyArray<View>, Failure | Usage, Program> =>
  Effect.gen(function* () {
    const views = yield* (yield* Program).views
    if (Option.isNone(given)) return [...views].sort((a, b) => (a.name < b.name ? -1 : 1))
    const found = views.filter(({ name }) => name === given.value || Format.cacheName(name) === given.value)
    return found.length === 0 ? yield* unknown(given.value, views) : found
  })

const nothing = "no caches: the program has none under CacheStats.layer"

const storesOf = ({ tiers }: View): string => tiers.map(({ store }) => store).join(" > ")

const listTable = (views: ReadonlyArray<View>, screen: Service): string =>
  views.length === 0
    ? nothing
    : Format.table(
        [
          { head: "CACHE" },
          { head: "STORES" },
          { head: "ENTRIES", right: true },
          { head: "SIZE", right: true },
          { head: "GETS", right: true },
          { head: "HITS", right: true }
        ],
        views.map((view) => [
          Format.cacheName(view.name),
          safe(storesOf(view)),
          Format.count(fullest(view, "entries")),
          Format.bytes(fullest(view, "bytes")),
          view.stats === undefined ? "" : Format.count(getsOf(view).gets),
          ratioText(ratioOf(getsOf(view)))
        ]),
        screen
      )

/** The caches of the program. */
export const list: Looking<Usage> = Effect.flatMap(chosen(Option.none()), (views) => show(views, listTable))

const shownKeys = 5

const countedText = ({ flights, hottest, stats }: View): ReadonlyArray<readonly [string, string]> => {
  if (stats === undefined) return []
  const { evictions, loadFailures, loads, outcomes, percentiles, savedMillis } = stats
  const told = Object.entries(outcomes).filter(([, count]) => count > 0)
  const [p50, p95, p99] = [percentiles.p50, percentiles.p95, percentiles.p99].map(Format.duration)
  return [
    ["  outcomes", told.map(([outcome, count]) => `${Format.count(count)} ${safe(outcome)}`).join(", ") || "none"],
    ["  loads", `${Format.count(loads)}, ${Format.count(loadFailures)} failed, ${flights.length} under way`],
    ...(percentiles.p99 === 0 ? [] : ([["  load times", `p50 ${p50}, p95 ${p95}, p99 ${p99}`]] as const)),
    ["  saved", `${Format.duration(savedMillis)} of loading`],
    ["  pushed out", Format.some(evictions, "entry", "entries")],
    ...(hottest.length === 0
      ? []
      : ([
          [
            "  asked for most",
            hottest
              .slice(0, shownKeys)
              .map(({ key, part }) => `${safe(key)} (${Format.percent(part)})`)
              .join(", ")
          ]
        ] as const))
  ]
}

const statsText = (view: View, screen: Service): string => {
  const counted = getsOf(view)
  const ratio = ratioOf(counted)
  return [
    paint(screen, "bold", Format.cacheName(view.name)),
    Format.pairs(
      [
        ...(view.stats === undefined
          ? []
          : ([
              ["  gets", `${Format.count(counted.gets)}${ratio === undefined ? "" : `, ${Format.percent(ratio)} hits`}`]
            ] as const)),
        ...countedText(view),
        ...view.tiers.map(({ bytes, entries, store }, tier): readonly [string, string] => [
          `  tier ${tier + 1}`,
          `${safe(store)}: ${Format.some(entries, "entry", "entries")}, ${Format.bytes(bytes)}`
        ])
      ],
      screen
    )
  ].join("\n")
}

/** What a cache of the program, or each, has done so far. */
export const stats = (cache: Option.Option<string>): Looking<Usage> =>
  Effect.flatMap(chosen(cache), (views) =>
    show(views, (all, screen) => (all.length === 0 ? nothing : all.map((view) => statsText(view, screen)).join("\n\n")))
  )

/** The key as the program has it, of what a person calls so: the one that there is an entry for. */
export const keyed = (cache: string, given: string): Effect.Effect<readonly [string, Entry], Failure, Program> =>
  Effect.gen(function* () {
    const program = yield* Program
    for (const key of meanings(given)) {
      const entry = yield* program.entry(cache, key)
      if (typeof entry.createdAt === "number") return [key, entry] as const
    }
    return [given, yield* program.entry(cache, given)] as const
  })

/** Characters of a value that are shown; all of them are in `--json`. */
const mostValue = 200
const shortened = (text: string): string => (text.length > mostValue ? `${text.slice(0, mostValue)}...` : text)

const entryText = (key: string, entry: Entry, now: number, screen: Service): string => {
  const { bytes, createdAt, freshUntil, loadMillis, reasons, tags, value, verdict } = entry
  const rows: ReadonlyArray<readonly [string, string | undefined]> = [
    ["  key", safe(key)],
    ["  because", reasons.map(safe).join("; ") || undefined],
    [
      "  loaded",
      typeof createdAt === "number"
        ? `${Format.duration(Math.max(0, now - createdAt))} ago, in ${Format.duration(loadMillis ?? 0)}`
        : undefined
    ],
    [
      "  fresh",
      typeof freshUntil === "number" && freshUntil > now ? `for ${Format.duration(freshUntil - now)} more` : undefined
    ],
    ["  size", typeof bytes === "number" ? Format.bytes(bytes) : undefined],
    ["  tags", tags.map(safe).join(", ") || undefined],
    ["  value", typeof value === "string" ? shortened(safe(value.replace(/\n\s*/g, " "))) : undefined]
  ]
  const known = rows.flatMap(([name, text]) => (text === undefined ? [] : [[name, text] as const]))
  return `${paint(screen, "bold", safe(verdict))}\n${Format.pairs(known, screen)}`
}

/** Why a get of the key would hit or miss. Fails if there is no entry. */
export const explain = (cache: string, given: string): Looking<Usage | NotWell> =>
  Effect.gen(function* () {
    const [view] = yield* chosen(Option.some(cache))
    const [key, entry] = yield* keyed(view!.name, given)
    const now = yield* steadyMillis
    yield* show({ key, ...entry }, (_, screen) => entryText(key, entry, now, screen))
    if (typeof entry.createdAt !== "number") return yield* new NotWell()
  })

/** The keys of a cache, or of each; with a key, all that is known of its entry. */
export const inspect = (options: {
  readonly cache: Option.Option<string>
  readonly key: Option.Option<string>
  readonly limit: number
}): Looking<Usage | NotWell> =>
  Effect.gen(function* () {
    const { cache, key, limit } = options
    if (Option.isSome(key)) {
      if (Option.isSome(cache)) return yield* explain(cache.value, key.value)
      return yield* new Usage({ reason: "--key wants a cache", hint: "larder inspect <cache> --key <key>" })
    }
    if (limit < 1) return yield* new Usage({ reason: `--limit ${limit} is not positive`, hint: "--limit 20" })
    const program = yield* Program
    const all = yield* Effect.flatMap(
      chosen(cache),
      Effect.forEach(({ name }) => Effect.map(program.keys(name, limit), (keys) => ({ name, keys })))
    )
    yield* show(all, (_, screen) =>
      all.length === 0
        ? nothing
        : all
            .map(({ keys, name }) =>
              [
                paint(screen, "bold", Format.cacheName(name)),
                ...(keys.length === 0 ? ["  no entries"] : keys.map((each) => `  ${safe(each)}`))
              ].join("\n")
            )
            .join("\n\n")
    )
  })

interface Seen {
  readonly at: number
  readonly views: ReadonlyArray<View>
}

const topTable = (now: Seen, before: Seen | undefined, screen: Service): string => {
  const seconds = before === undefined ? 0 : (now.at - before.at) / 1_000
  const rows = now.views.map((view) => {
    const earlier = before?.views.find(({ name }) => name === view.name)
    const since = earlier === undefined ? getsOf(view) : between(getsOf(view), getsOf(earlier))
    return { view, since, perSecond: seconds > 0 && earlier !== undefined ? since.gets / seconds : 0 }
  })
  const total = rows.reduce((sum, { perSecond }) => sum + perSecond, 0)
  return [
    `${Format.some(now.views.length, "cache")}, ${Format.count(total)} gets a second`,
    Format.table(
      [
        { head: "CACHE" },
        { head: "GETS/S", right: true },
        { head: "HITS", right: true },
        { head: "LOAD P95", right: true },
        { head: "LOADING", right: true, optional: true },
        { head: "ENTRIES", right: true },
        { head: "SIZE", right: true, optional: true }
      ],
      [...rows]
        .sort((a, b) => b.perSecond - a.perSecond || (a.view.name < b.view.name ? -1 : 1))
        .map(({ perSecond, since, view }) => [
          Format.cacheName(view.name),
          view.stats === undefined ? "" : Format.count(perSecond),
          ratioText(ratioOf(since)),
          view.stats === undefined || view.stats.loads === 0 ? "" : Format.duration(view.stats.percentiles.p95),
          String(view.flights.length),
          Format.count(fullest(view, "entries")),
          Format.bytes(fullest(view, "bytes"))
        ]),
      screen
    )
  ].join("\n")
}

/** The caches that are asked most, again and again. */
export const top = (options: { readonly every: number; readonly times?: number }): Looking =>
  Effect.suspend(() => {
    let before: Seen | undefined
    const once = Effect.gen(function* () {
      const screen = yield* Screen
      const now: Seen = { at: yield* steadyMillis, views: yield* (yield* Program).views }
      // one object a line, for whoever reads along
      yield* screen.print(
        screen.json ? JSON.stringify({ at: now.at, caches: now.views }) : topTable(now, before, screen)
      )
      before = now
    })
    return again(once, options.every, options.times)
  })
