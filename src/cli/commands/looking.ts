/** Commands that look at a store and change nothing. */
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type * as CacheError from "../../CacheError.js"
import * as CacheKey from "../../CacheKey.js"
import { showTag } from "../../internal/groups.js"
import { steadyMillis } from "../../internal/steady.js"
import * as StoreAdmin from "../../StoreAdmin.js"
import { NotWell, Usage } from "../errors.js"
import * as Format from "../format.js"
import { type Colour, paint, safe, Screen, type Service, show } from "../screen.js"

type Failure = CacheError.InvalidConfig | CacheError.StoreFailure
type Looking<E = never> = Effect.Effect<void, Failure | E, StoreAdmin.StoreAdmin | Screen>

/** The name as the store has it, of what a person calls so: with a prefix as a folder. */
export const named = (given: string): Effect.Effect<string, Failure, StoreAdmin.StoreAdmin> =>
  Effect.flatMap(StoreAdmin.StoreAdmin, ({ names }) =>
    Effect.map(names, (all) =>
      all.includes(given) ? given : (all.find((name) => Format.cacheName(name) === given) ?? given)
    )
  )

/**
 * What a person may mean by a key, the likeliest first: its text as the store has it; what is written as JSON; a string.
 */
export const meanings = (given: string): ReadonlyArray<string> => {
  const parsed = Either.getRight(Either.try((): unknown => JSON.parse(given)))
  const values = [...Option.toArray(parsed), given]
  const texts = values.flatMap((value) => Option.toArray(Either.getRight(CacheKey.encode(value))))
  return [...new Set([given, ...texts])]
}

/** The key as the store has it, of what a person calls so. */
export const keyed = (cache: string, given: string): Effect.Effect<string, Failure, StoreAdmin.StoreAdmin> =>
  Effect.gen(function* () {
    const admin = yield* StoreAdmin.StoreAdmin
    for (const key of meanings(given)) if (Option.isSome(yield* admin.inspect(cache, key))) return key
    return given
  })

/** The one that is named, or all. */
export const chosen = (
  given: Option.Option<string>
): Effect.Effect<ReadonlyArray<string>, Failure, StoreAdmin.StoreAdmin> =>
  Option.match(given, {
    onNone: () => Effect.flatMap(StoreAdmin.StoreAdmin, ({ names }) => names),
    onSome: (name) => Effect.map(named(name), (one) => [one])
  })

const nothing = "no caches: nothing has been stored here"

const listTable = (rows: ReadonlyArray<StoreAdmin.Row>, screen: Service): string =>
  rows.length === 0
    ? nothing
    : Format.table(
        [{ head: "CACHE" }, { head: "STORE" }, { head: "ENTRIES", right: true }, { head: "SIZE", right: true }],
        rows.map(({ bytes, entries, name, store }) => [
          Format.cacheName(name),
          store,
          Format.count(entries),
          Format.bytes(bytes)
        ]),
        screen
      )

/** Which caches there are, and how much each of them has. */
export const list: Looking = Effect.flatMap(StoreAdmin.StoreAdmin, (admin) =>
  Effect.flatMap(admin.list, (rows) => show(rows, listTable))
)

const statesOf = ({ states }: StoreAdmin.RegionStats): string =>
  Object.entries(states)
    .filter(([, count]) => count > 0)
    .map(([state, count]) => `${Format.count(count)} ${state}`)
    .join(", ") || "none"

const ago = (at: number | undefined, now: number): string =>
  at === undefined ? "unknown" : `${Format.duration(Math.max(0, now - at))} ago`

const statsText = (stats: StoreAdmin.RegionStats, now: number, screen: Service): string => {
  const { bytes, entries, failures, largest, loadMillis, name, newest, oldest, store, tags } = stats
  const rows: ReadonlyArray<readonly [string, string]> = [
    ["  store", store],
    ["  entries", `${Format.count(entries)} (${statesOf(stats)})`],
    ["  size", `${Format.bytes(bytes)}, the largest ${Format.bytes(largest)}`],
    ...(entries === 0
      ? []
      : ([
          ["  loaded", `the oldest ${ago(oldest, now)}, the youngest ${ago(newest, now)}`],
          ["  cost of loading", Format.duration(loadMillis)]
        ] as const)),
    ...(failures === 0 ? [] : ([["  failures kept", Format.count(failures)]] as const)),
    ...(tags.length === 0
      ? []
      : ([
          ["  tags", tags.map(([tag, count]) => `${safe(showTag(tag))} (${Format.count(count)})`).join(", ")]
        ] as const))
  ]
  return `${paint(screen, "bold", Format.cacheName(name))}\n${Format.pairs(rows, screen)}`
}

/** What the entries of a cache, or of each, come to. */
export const stats = (cache: Option.Option<string>): Looking =>
  Effect.gen(function* () {
    const admin = yield* StoreAdmin.StoreAdmin
    const now = yield* steadyMillis
    const all = yield* Effect.flatMap(chosen(cache), Effect.forEach(admin.stats))
    yield* show(all, (rows, screen) =>
      rows.length === 0 ? nothing : rows.map((one) => statsText(one, now, screen)).join("\n\n")
    )
  })

const stateColours: Readonly<Record<StoreAdmin.State, Colour>> = {
  fresh: "green",
  stale: "yellow",
  over: "dim",
  sealed: "dim",
  unreadable: "red"
}

/** An item for programs: without bytes, but with the value that they are. */
const forJson = ({ header, payload, ...item }: StoreAdmin.Item) => ({
  ...item,
  tags: item.tags.map((tag) => (tag.startsWith("\u0001") ? { group: tag.slice(1) } : tag)),
  header,
  value: payload && Format.valueOf(payload)
})

const until = ({ header, state }: StoreAdmin.Item, now: number): string => {
  if (header === undefined) return ""
  if (state === "fresh") return Format.duration(header.freshUntil - now)
  return state === "stale" ? `stale ${Format.duration(header.staleUntil - now)}` : ""
}

const itemTable = (items: ReadonlyArray<StoreAdmin.Item>, now: number, screen: Service): string =>
  Format.table(
    [
      { head: "KEY" },
      { head: "STATE" },
      { head: "AGE", right: true },
      { head: "LEFT", right: true },
      { head: "SIZE", right: true },
      { head: "TAGS" }
    ],
    items.map((item) => [
      safe(item.key),
      paint(screen, stateColours[item.state], item.state),
      item.header === undefined ? "" : Format.duration(Math.max(0, now - item.header.createdAt)),
      until(item, now),
      Format.bytes(item.bytes),
      item.tags.map((tag) => safe(showTag(tag).replace(/^tag /, ""))).join(" ")
    ]),
    screen
  )

/** The first entries of a cache, or of each. */
const firsts = (cache: Option.Option<string>, limit: number): Looking<Usage> =>
  Effect.gen(function* () {
    if (limit < 1) return yield* new Usage({ reason: `--limit ${limit} is not positive`, hint: "--limit 20" })
    const admin = yield* StoreAdmin.StoreAdmin
    const now = yield* steadyMillis
    const all = yield* Effect.flatMap(
      chosen(cache),
      Effect.forEach((name) =>
        Effect.map(Stream.runCollect(Stream.take(admin.items(name), limit + 1)), (found) => ({
          name,
          items: Chunk.toReadonlyArray(Chunk.take(found, limit)),
          isAll: found.length <= limit
        }))
      )
    )
    const json = all.map(({ isAll, items, name }) => ({ name, items: items.map(forJson), isAll }))
    yield* show(json, (_, screen) =>
      all.length === 0
        ? nothing
        : all
            .map(({ isAll, items, name }) =>
              [
                paint(screen, "bold", Format.cacheName(name)),
                items.length === 0 ? "  no entries" : itemTable(items, now, screen),
                ...(isAll ? [] : [paint(screen, "dim", `  and more: --limit ${limit * 10}`)])
              ].join("\n")
            )
            .join("\n\n")
    )
  })

const valueText = (value: Format.Value): string => {
  if ("json" in value) return JSON.stringify(value.json, null, 2).split("\n").map(safe).join("\n")
  if ("text" in value) return value.text.split("\n").map(safe).join("\n")
  const more = value.bytes * 2 > value.hex.length ? `... (${Format.bytes(value.bytes)})` : ""
  return `${value.hex}${more}`
}

/** Says so, and fails. */
export const notThere = (cache: string, key: string) =>
  Effect.zipRight(
    Effect.flatMap(Screen, (screen) =>
      screen.note(
        `there is no entry for this key in ${Format.cacheName(cache)}: ${safe(key)}\n  try: larder inspect ${Format.cacheName(cache)}, which lists keys`
      )
    ),
    new NotWell()
  )

/** Looks a key up, outdated or not. */
const found = (cache: string, key: string) =>
  Effect.gen(function* () {
    const admin = yield* StoreAdmin.StoreAdmin
    const name = yield* named(cache)
    const entry = yield* admin.inspect(name, yield* keyed(name, key))
    return Option.isNone(entry) ? yield* notThere(name, key) : { name, entry: entry.value }
  })

/** The value of a key, as far as it can be told without its Schema. Fails if there is none. */
export const get = (cache: string, key: string): Looking<NotWell> =>
  Effect.gen(function* () {
    const { entry } = yield* found(cache, key)
    const { payload, problem } = entry.item
    if (payload === undefined) {
      const screen = yield* Screen
      yield* screen.note(`it cannot be looked into: ${safe(problem ?? "")}`)
      return yield* new NotWell()
    }
    yield* show(Format.valueOf(payload), valueText)
  })

const whyOutdated = ({ outdatedBy }: StoreAdmin.Inspected): string | undefined =>
  outdatedBy === undefined
    ? undefined
    : `${outdatedBy.tag === undefined ? "everything" : safe(showTag(outdatedBy.tag))} was invalidated after it was loaded`

const states: Readonly<Record<StoreAdmin.State, string>> = {
  fresh: "a get is answered with it",
  stale: "a get may be answered with it while it is loaded again, as the cache's policy says",
  over: "a get loads it again",
  sealed: "it is encrypted or compressed: give its key in LARDER_ENCRYPTION_KEYS",
  unreadable: "a get takes it for a miss, and removes it"
}

const entryText = (entry: StoreAdmin.Inspected, now: number, screen: Service): string => {
  const { header, problem, state, ...item } = entry.item
  const outdated = whyOutdated(entry)
  const verdict = outdated === undefined ? state : "outdated"
  const colour = outdated === undefined ? stateColours[state] : "yellow"
  const rows: ReadonlyArray<readonly [string, string]> = [
    ["  key", safe(item.key)],
    ["  so", outdated === undefined ? states[state] : `a get loads it again: ${outdated}`],
    ...(problem === undefined ? [] : ([["  problem", safe(problem)]] as const)),
    ...(header === undefined
      ? []
      : ([
          ["  loaded", `${ago(header.createdAt, now)}, in ${Format.duration(header.loadMillis)}`],
          [
            "  fresh",
            header.freshUntil > now
              ? `for ${Format.duration(header.freshUntil - now)} more`
              : `until ${ago(header.freshUntil, now)}`
          ],
          [
            "  kept",
            header.staleUntil > now
              ? `for ${Format.duration(header.staleUntil - now)} more`
              : `until ${ago(header.staleUntil, now)}`
          ],
          ["  is", header.failed ? "a failure that is kept" : "a value"],
          ["  schema", `fingerprint ${header.fingerprint}`]
        ] as const)),
    ["  size", Format.bytes(item.bytes)],
    ["  tags", item.tags.length === 0 ? "none" : item.tags.map((tag) => safe(showTag(tag))).join(", ")]
  ]
  return `${paint(screen, colour, verdict)}\n${Format.pairs(rows, screen)}`
}

/** What a get of the key would find, and why. Fails if there is no entry. */
export const explain = (cache: string, key: string): Looking<NotWell> =>
  Effect.gen(function* () {
    const { entry } = yield* found(cache, key)
    const now = yield* steadyMillis
    const verdict = entry.outdatedBy === undefined ? entry.item.state : "outdated"
    const json = { verdict, ...entry, item: forJson(entry.item) }
    yield* show(json, (_, screen) => entryText(entry, now, screen))
  })

/** What is looked at. */
export interface Inspecting {
  readonly cache: Option.Option<string>
  readonly key: Option.Option<string>
  readonly limit: number
}

/** All that is known of one entry; without a key, the first entries of a cache, or of each. */
export const inspect = ({ cache, key, limit }: Inspecting): Looking<Usage | NotWell> => {
  if (Option.isNone(key)) return firsts(cache, limit)
  return Option.match(cache, {
    onNone: () => new Usage({ reason: "--key wants a cache", hint: "larder inspect <cache> --key <key>" }),
    onSome: (name): Looking<NotWell> => explain(name, key.value)
  })
}

/** Whether the store answers, and how quickly. Fails if it does not. */
export const health: Looking = Effect.gen(function* () {
  const admin = yield* StoreAdmin.StoreAdmin
  const started = yield* Clock.currentTimeMillis
  const names = yield* admin.names
  const millis = (yield* Clock.currentTimeMillis) - started
  yield* show({ status: "up", store: admin.store, millis, caches: names.length }, ({ status, store }, screen) =>
    [
      paint(screen, "green", status),
      `${store} has answered in ${millis} ms: ${Format.some(names.length, "cache")}`
    ].join("  ")
  )
})
