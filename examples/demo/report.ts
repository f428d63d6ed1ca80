/** What the program shows: a progress bar while it works, and a table at the end. */
import type { CacheStats } from "effect-larder"
import Table from "cli-table3"
import * as Progress from "cli-progress"
import { Effect } from "effect"

export const duration = (millis: number): string =>
  millis < 1_000 ? `${millis.toFixed(0)} ms` : `${(millis / 1_000).toFixed(1)} s`
const size = (bytes: number): string => (bytes < 1_024 ? `${bytes} B` : `${(bytes / 1_024).toFixed(1)} KiB`)

const width = 40
const fit = (text: string): string => (text.length > width ? `${text.slice(0, width - 1)}…` : text.padEnd(width))

/** A bar in a Scope, so that it gives the terminal back on Ctrl-C, too. Without a terminal: a line now and then. */
export const progress = (total: number) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const bar = new Progress.SingleBar({
        format: "  {bar} {value}/{total}  {answer}",
        barCompleteChar: "█",
        barIncompleteChar: "░",
        barsize: 20,
        stream: process.stdout,
        noTTYOutput: true,
        notTTYSchedule: 2_000,
        hideCursor: true
      })
      bar.start(total, 0, { answer: "" })
      return bar
    }),
    (bar) => Effect.sync(() => bar.stop())
  ).pipe(Effect.map((bar) => (answer: string) => Effect.sync(() => bar.increment({ answer: fit(answer) }))))

const rows: ReadonlyArray<readonly [label: string, show: (stats: CacheStats.CacheStats) => string | number]> = [
  ["gets", (stats) => stats.gets],
  ["  fresh: was there", (stats) => stats.fresh],
  ["  loaded: worked out", (stats) => stats.loaded],
  ["  joined: shared a load", (stats) => stats.joined],
  ["  failed: not on the map", (stats) => stats.failed],
  ["hit ratio", (stats) => `${(100 * stats.hitRatio).toFixed(1)} %`],
  ["time spent in loads", (stats) => duration(stats.loadMillis)],
  ["time saved by hits", (stats) => duration(stats.savedMillis)]
]

/** A column for each cache: its outcomes, hit ratio and time saved, and what each tier holds. */
export const table = (all: ReadonlyArray<CacheStats.CacheStats>): string => {
  const result = new Table({
    head: ["", ...all.map(({ name }) => name)],
    style: { head: [], border: [], compact: true }
  })
  for (const [label, show] of rows) result.push([label, ...all.map(show)])
  for (const [index, { store, tier }] of (all[0]?.tiers ?? []).entries()) {
    const held = all.map(({ tiers }) => `${tiers[index]?.entries} entries, ${size(tiers[index]?.bytes ?? 0)}`)
    result.push([`tier ${tier}: ${store}`, ...held])
  }
  return result.toString()
}
