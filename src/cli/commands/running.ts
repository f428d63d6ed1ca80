/** Commands that run something over a store: a program of the user's, or a workload that is the same everywhere. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as CacheError from "../../CacheError.js"
import type * as CacheStore from "../../CacheStore.js"
import * as CacheAnalytics from "../../observe/CacheAnalytics.js"
import * as CacheStats from "../../observe/CacheStats.js"
import { loaded } from "../attach.js"
import * as Format from "../format.js"
import { paint, type Screen, type Service, safe, show } from "../screen.js"
import * as Profiler from "../profiler.js"

/** What a module of the user's has to export as its default. */
type Program = Effect.Effect<unknown, unknown, CacheStore.CacheStore | Scope.Scope>

/** The program in a module. */
const programIn = (file: string): Effect.Effect<Program, CacheError.InvalidConfig> =>
  Effect.flatMap(loaded(file), (module) =>
    Effect.isEffect(module["default"])
      ? Effect.succeed(module["default"] as Program)
      : Effect.fail(
          CacheError.invalidConfig([
            {
              field: "module",
              value: file,
              reason: "has no Effect as its default export",
              hint: "export default Effect.gen(function*() { ... }), which may use CacheStore and a Scope"
            }
          ])
        )
  )

/** A cache as it was when it was closed. */
interface Kept {
  readonly stats: CacheStats.CacheStats
  readonly report: CacheAnalytics.Report | undefined
}

/** Remembers the numbers of caches that are closed before anybody asks. */
const recording = (kept: Array<Kept>, { reports }: CacheAnalytics.Service): CacheStats.RegistryService => {
  const open = new Set<CacheStats.Registered>()
  return {
    join: (cache) =>
      Effect.acquireRelease(
        Effect.sync(() => void open.add(cache)),
        () =>
          Effect.zipWith(cache.stats, reports, (stats, seen) => {
            open.delete(cache)
            kept.push({ stats, report: seen.find((one) => one.cache === cache.name) })
          })
      ),
    caches: Effect.sync(() => [...open]),
    settle: Effect.void
  }
}

const adviceOf = ({ report, stats }: Kept): ReadonlyArray<string> =>
  report === undefined ? [] : CacheAnalytics.advice(report, Math.max(1, stats.tiers[0]?.entries ?? 0))

/** What could be better, a line for each piece of advice. */
const adviceText = (all: ReadonlyArray<Kept>): string =>
  all.flatMap((one) => adviceOf(one).map((sentence) => `${Format.cacheName(one.stats.name)}: ${sentence}\n`)).join("")

const noCaches = "the program has made no caches"

const costTable = (all: ReadonlyArray<Kept>, screen: Service): string =>
  all.length === 0
    ? noCaches
    : Format.table(
        [
          { head: "CACHE" },
          { head: "GETS", right: true },
          { head: "HITS", right: true },
          { head: "LOADS", right: true },
          { head: "IN LOADS", right: true },
          { head: "SAVED", right: true },
          { head: "FAILED", right: true }
        ],
        all.map(({ stats }) => [
          Format.cacheName(stats.name),
          Format.count(stats.gets),
          Format.percent(stats.hitRatio),
          Format.count(stats.loads),
          Format.duration(stats.loadMillis),
          Format.duration(stats.savedMillis),
          Format.count(stats.loadFailures)
        ]),
        screen
      )

const measured = (program: Program) =>
  Effect.gen(function* () {
    const kept: Array<Kept> = []
    const started = yield* Clock.currentTimeMillis
    const analytics = yield* CacheAnalytics.CacheAnalytics
    const registry = recording(kept, analytics)
    yield* Effect.scoped(program).pipe(Effect.provideService(CacheStats.Registry, registry))
    const millis = (yield* Clock.currentTimeMillis) - started
    return { millis, caches: kept.sort((a, b) => b.stats.loadMillis - a.stats.loadMillis) }
  }).pipe(Effect.provide(CacheAnalytics.layer))

const forJson = ({ caches, millis }: { readonly caches: ReadonlyArray<Kept>; readonly millis: number }) => ({
  millis,
  caches: caches.map((one) => {
    const { gets, hitRatio, loadFailures, loadMillis, loads, name, savedMillis } = one.stats
    const hottest = one.report?.hottest ?? []
    return { name, gets, hitRatio, loads, loadMillis, savedMillis, loadFailures, hottest, advice: adviceOf(one) }
  })
})

/** Runs a program that fills caches, such as one with `CacheWarming`, over the store; tells what its caches did. */
export const warm = (file: string): Effect.Effect<void, unknown, CacheStore.CacheStore | Screen> =>
  Effect.gen(function* () {
    const found = yield* Effect.flatMap(programIn(file), measured)
    yield* show(forJson(found), (_, screen) =>
      [costTable(found.caches, screen), `done in ${Format.duration(found.millis)}`].join("\n")
    )
  })

const shownKeys = 10

const usedText = (one: Kept, screen: Service): string => {
  const { report, stats } = one
  const title = paint(screen, "bold", Format.cacheName(stats.name))
  if (report === undefined || report.gets === 0) return `${title}\n  nobody has asked it for anything`
  const entries = Math.max(1, stats.tiers[0]?.entries ?? 0)
  const would = (size: number): string => Format.percent(CacheAnalytics.hitRatioAt(report, size))
  const advice = adviceOf(one)
  return [
    title,
    Format.pairs([
      ["  gets", `${Format.count(stats.gets)}, ${Format.percent(stats.hitRatio)} hits`],
      ["  keys", `about ${Format.count(report.keys)}, in ${Format.some(entries, "entry", "entries")}`],
      ["  never used again", Format.percent(report.unused)],
      ["  loaded again", Format.percent(report.reloaded)],
      ...(report.curve.length === 0
        ? []
        : ([["  with half, twice the room", `${would(entries / 2)}, ${would(entries * 2)} hits`]] as const)),
      ["  advice", advice.length === 0 ? "none" : advice.join("; ")]
    ]),
    Format.table(
      [{ head: "  ASKED FOR MOST" }, { head: "PART", right: true }],
      report.hottest.slice(0, shownKeys).map(({ key, part }) => [`  ${safe(key)}`, Format.percent(part)]),
      screen
    )
  ].join("\n")
}

/** Runs a program, and tells how the keys of its caches were used, and what could be better. */
export const analyze = (file: string): Effect.Effect<void, unknown, CacheStore.CacheStore | Screen> =>
  Effect.gen(function* () {
    const { caches } = yield* Effect.flatMap(programIn(file), measured)
    const json = caches.map((one) => ({ ...one.report, cache: one.stats.name, advice: adviceOf(one) }))
    yield* show(json, (_, screen) =>
      caches.length === 0 ? noCaches : caches.map((one) => usedText(one, screen)).join("\n\n")
    )
  })

/** Runs a program, tells the cost of each of its caches, and writes a V8 profile of it. */
export const profile = (options: {
  readonly file: string
  readonly out: string
}): Effect.Effect<void, unknown, CacheStore.CacheStore | Screen> =>
  Effect.gen(function* () {
    const program = yield* programIn(options.file)
    const found = yield* Profiler.profiled(options.out, measured(program))
    yield* show({ ...forJson(found), profile: options.out }, (_, screen) =>
      [
        `${costTable(found.caches, screen)}\n${adviceText(found.caches)}`.trimEnd(),
        `ran ${Format.duration(found.millis)}; wrote ${options.out}: open it in a browser's developer tools`
      ].join("\n")
    )
  })
