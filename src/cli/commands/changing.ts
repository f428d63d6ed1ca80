/** Commands that remove what a store has. They ask before, or want to be told `--yes`. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as CacheError from "../../CacheError.js"
import { groupTag } from "../../internal/groups.js"
import * as StoreAdmin from "../../StoreAdmin.js"
import { NotWell, Usage } from "../errors.js"
import * as Format from "../format.js"
import { paint, safe, Screen, show } from "../screen.js"
import { chosen, keyed, named, notThere } from "./looking.js"

type Failure = CacheError.InvalidConfig | CacheError.StoreFailure
type Changing<E = never> = Effect.Effect<void, Failure | E, StoreAdmin.StoreAdmin | Screen>

/** Whether it may be done. Where nobody can be asked, it has to have been said before. */
export const allowed = (question: string, yes: boolean): Effect.Effect<boolean, Usage, Screen> =>
  Effect.gen(function* () {
    if (yes) return true
    const screen = yield* Screen
    const answer = yield* screen.confirm(question)
    if (answer === undefined) {
      return yield* new Usage({ reason: `${question} Nobody is here to be asked`, hint: "add --yes if it is meant" })
    }
    if (!answer) yield* screen.note("nothing was changed")
    return answer
  })

const clearedText = ({ cleared, entries }: StoreAdmin.Cleared): string =>
  `cleared ${cleared === "all" ? "all caches" : Format.cacheName(cleared)}: ${Format.some(entries, "entry", "entries")}`

/** Removes all entries of a cache, or of all caches. */
export const clear = (options: { readonly cache: Option.Option<string>; readonly yes: boolean }): Changing<Usage> =>
  Effect.gen(function* () {
    const admin = yield* StoreAdmin.StoreAdmin
    const rows = yield* Effect.flatMap(chosen(options.cache), Effect.forEach(admin.stats))
    const entries = rows.reduce((sum, row) => sum + row.entries, 0)
    const what = rows.map(({ name }) => Format.cacheName(name)).join(", ") || "nothing"
    const question = `Remove ${Format.some(entries, "entry", "entries")} (${what}) from ${admin.store}?`
    if (!(yield* allowed(question, options.yes))) return
    const name = Option.isSome(options.cache) ? rows[0]?.name : undefined
    yield* Effect.flatMap(name === undefined ? admin.clearAll : admin.clear(name), (cleared) =>
      show(cleared, clearedText)
    )
  })

/** What is to be invalidated. */
export interface Invalidating {
  readonly cache: string
  readonly keys: ReadonlyArray<string>
  readonly tags: ReadonlyArray<string>
  readonly groups: ReadonlyArray<string>
  readonly everything: boolean
  readonly yes: boolean
}

/** What is to be invalidated, in words. */
export const partsOf = ({
  everything,
  groups,
  keys,
  tags
}: Invalidating): Effect.Effect<ReadonlyArray<string>, Usage> => {
  const parts = [
    ...keys.map((key) => `key ${safe(key)}`),
    ...tags.map((tag) => `tag ${safe(tag)}`),
    ...groups.map((group) => `group ${safe(group)}`),
    ...(everything ? ["everything"] : [])
  ]
  return parts.length > 0
    ? Effect.succeed(parts)
    : new Usage({
        reason: "nothing is named that is to be invalidated",
        hint: "add --key, --tag or --group, as often as you like, or --all"
      })
}

/** Makes entries unserveable: those of some keys, tags or groups, or all. */
export const invalidate = (options: Invalidating): Changing<Usage> =>
  Effect.gen(function* () {
    const admin = yield* StoreAdmin.StoreAdmin
    const { cache, everything, groups, keys, tags, yes } = options
    const parts = yield* partsOf(options)
    const name = yield* named(cache)
    const question = `Invalidate ${parts.join(", ")} of ${Format.cacheName(name)} in ${admin.store}?`
    if (!(yield* allowed(question, yes))) return
    const fences = [...tags, ...groups.map(groupTag)]
    // named first, so that a wrong name is told before anything is done
    const found = yield* Effect.forEach(keys, (key) => keyed(name, key))
    const removed = yield* admin.delete(name, ...found)
    if (fences.length > 0) yield* admin.invalidateTags(name, ...fences)
    if (everything) yield* admin.invalidateAll(name)
    yield* show(
      { cache: name, invalidated: { keys, tags, groups, everything }, removed },
      () => `invalidated ${parts.join(", ")} of ${Format.cacheName(name)}`
    )
  })

/** Ends the freshness of an entry. Fails if there is none. */
export const expire = (options: {
  readonly cache: string
  readonly key: string
  readonly yes: boolean
}): Changing<Usage | NotWell | CacheError.CodecError> =>
  Effect.gen(function* () {
    const admin = yield* StoreAdmin.StoreAdmin
    const name = yield* named(options.cache)
    const key = yield* keyed(name, options.key)
    const what = `${safe(key)} of ${Format.cacheName(name)}`
    if (!(yield* allowed(`End the freshness of ${what} in ${admin.store}?`, options.yes))) return
    if (!(yield* admin.expire(name, key))) return yield* notThere(name, key)
    yield* show({ cache: name, expired: key }, () => `expired ${what}: a get loads it again`)
  })

const compactedText = ({ bytes, removed, store }: StoreAdmin.Compacted): string => {
  const gone =
    removed === 0 ? "no entries were over" : `removed ${Format.some(removed, "entry", "entries")} that were over`
  const room =
    bytes === undefined
      ? `${store} gives room back by itself`
      : `${Format.bytes(bytes.before)} before, ${Format.bytes(bytes.after)} now`
  return `${gone}; ${room}`
}

/** Gives room back that nothing is in any more. */
export const compact: Changing = Effect.flatMap(StoreAdmin.StoreAdmin, (admin) =>
  Effect.flatMap(admin.compact, (compacted) => show(compacted, compactedText))
)

const problemsShown = 10

const verifiedText = (one: StoreAdmin.Verified, screen: { readonly colours: boolean }): string => {
  const sealed = one.sealed === 0 ? "" : `, ${Format.count(one.sealed)} sealed`
  const bad = `${Format.count(one.unreadable)} unreadable${one.removed ? ", removed" : ""}`
  const verdict = one.unreadable === 0 ? paint(screen, "green", "whole") : paint(screen, "red", bad)
  const shown = one.problems.slice(0, problemsShown).map(({ key, reason }) => `  ${safe(key)}: ${safe(reason)}`)
  const more = one.unreadable - shown.length
  return [
    `${Format.cacheName(one.name)}: ${Format.some(one.entries, "entry", "entries")}, ${verdict}${sealed}`,
    ...shown,
    ...(more > 0 ? [`  and ${Format.count(more)} more`] : [])
  ].join("\n")
}

/** Reads every entry, to see whether it is whole. Fails if one is not, unless they are removed. */
export const verify = (options: {
  readonly cache: Option.Option<string>
  readonly remove: boolean
  readonly yes: boolean
}): Changing<Usage | NotWell> =>
  Effect.gen(function* () {
    const admin = yield* StoreAdmin.StoreAdmin
    const names = yield* chosen(options.cache)
    const looked = yield* Effect.forEach(names, (name) => admin.verify(name))
    const bad = looked.filter(({ unreadable }) => unreadable > 0)
    const count = bad.reduce((sum, { unreadable }) => sum + unreadable, 0)
    const remove =
      options.remove &&
      count > 0 &&
      (yield* allowed(`Remove ${Format.some(count, "entry", "entries")} that nobody can read?`, options.yes))
    const removed = remove ? yield* Effect.forEach(bad, ({ name }) => admin.verify(name, { remove: true })) : []
    const all = looked.map((one) => removed.find(({ name }) => name === one.name) ?? one)
    yield* show(all, (rows, screen) => rows.map((one) => verifiedText(one, screen)).join("\n") || "no caches")
    if (all.some((one) => one.unreadable > 0 && !one.removed)) return yield* new NotWell()
  })
