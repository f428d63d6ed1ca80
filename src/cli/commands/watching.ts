/** Commands that look again and again, until somebody has seen enough. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as CacheError from "../../CacheError.js"
import { steadyMillis } from "../../internal/steady.js"
import * as StoreAdmin from "../../StoreAdmin.js"
import * as Format from "../format.js"
import { Screen, type Service } from "../screen.js"

/** Cursor home, and everything below it away: less flicker than clearing the whole screen. */
const home = "\u001b[H\u001b[J"

/** Runs a command until it is interrupted or has run so many times, on the same place of a terminal. */
export const again = <E, R>(
  command: Effect.Effect<void, E, R>,
  every: Duration.DurationInput,
  times = Infinity
): Effect.Effect<void, E, R | Screen> =>
  Effect.flatMap(Screen, (screen) => {
    const isScreen = screen.columns !== undefined && !screen.json
    const once = isScreen ? Effect.zipRight(screen.print(home), command) : command
    return Effect.asVoid(Effect.repeat(once, Schedule.intersect(Schedule.spaced(every), Schedule.recurs(times - 1))))
  })

interface Seen {
  readonly at: number
  readonly rows: ReadonlyArray<StoreAdmin.Row>
}

const change = (now: number, before: number | undefined, seconds: number): string => {
  if (before === undefined || seconds <= 0) return ""
  const each = (now - before) / seconds
  return each === 0 ? "" : `${each > 0 ? "+" : "-"}${Format.count(Math.abs(each))}/s`
}

const topTable = (now: Seen, before: Seen | undefined, screen: Service): string => {
  const seconds = before === undefined ? 0 : (now.at - before.at) / 1_000
  const ordered = [...now.rows].sort((a, b) => b.bytes - a.bytes)
  const total = (of: "entries" | "bytes"): number => now.rows.reduce((sum, row) => sum + row[of], 0)
  return [
    `${Format.some(now.rows.length, "cache")}, ${Format.some(total("entries"), "entry", "entries")}, ${Format.bytes(total("bytes"))}`,
    Format.table(
      [
        { head: "CACHE" },
        { head: "ENTRIES", right: true },
        { head: "CHANGE", right: true },
        { head: "SIZE", right: true },
        { head: "SHARE", right: true }
      ],
      ordered.map((row) => {
        const earlier = before?.rows.find(({ name }) => name === row.name)
        return [
          Format.cacheName(row.name),
          Format.count(row.entries),
          change(row.entries, earlier?.entries, seconds),
          Format.bytes(row.bytes),
          Format.percent(total("bytes") === 0 ? 0 : row.bytes / total("bytes"))
        ]
      }),
      screen
    )
  ].join("\n")
}

/** The caches by size, and how they grow. */
export const top = (options: {
  readonly every: Duration.DurationInput
  readonly times?: number
}): Effect.Effect<void, CacheError.InvalidConfig | CacheError.StoreFailure, StoreAdmin.StoreAdmin | Screen> =>
  Effect.suspend(() => {
    let before: Seen | undefined
    const once = Effect.gen(function* () {
      const admin = yield* StoreAdmin.StoreAdmin
      const screen = yield* Screen
      const now: Seen = { at: yield* steadyMillis, rows: yield* admin.list }
      // one object a line, for whoever reads along
      yield* screen.print(
        screen.json ? JSON.stringify({ at: now.at, caches: now.rows }) : topTable(now, before, screen)
      )
      before = now
    })
    return again(once, options.every, options.times)
  })
