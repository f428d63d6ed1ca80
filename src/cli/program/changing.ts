/** Commands that remove what the caches of a running program have. They ask before, or want to be told `--yes`. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { allowed, type Invalidating, partsOf } from "../commands/changing.js"
import type { Usage } from "../errors.js"
import * as Format from "../format.js"
import { type Screen, show } from "../screen.js"
import { type Failure, Program } from "./client.js"
import { chosen, keyed } from "./looking.js"

type Changing = Effect.Effect<void, Failure | Usage, Program | Screen>

/** Removes all entries of a cache, or of all of them. */
export const clear = (options: { readonly cache: Option.Option<string>; readonly yes: boolean }): Changing =>
  Effect.gen(function* () {
    const program = yield* Program
    const views = yield* chosen(options.cache)
    const what = views.map(({ name }) => Format.cacheName(name)).join(", ") || "nothing"
    if (!(yield* allowed(`Remove all entries (${what}) from the program at ${program.address}?`, options.yes))) return
    const cleared = yield* Effect.forEach(views, ({ name }) => program.clear(name))
    const entries = cleared.reduce((sum, one) => sum + one.entries, 0)
    yield* show(cleared, () => `cleared ${what}: ${Format.some(entries, "entry", "entries")}`)
  })

/** Makes entries unserveable, as the cache itself would: loads under way are fenced, too. */
export const invalidate = (options: Invalidating): Changing =>
  Effect.gen(function* () {
    const program = yield* Program
    const { everything, groups, keys, tags, yes } = options
    const parts = yield* partsOf(options)
    const [view] = yield* chosen(Option.some(options.cache))
    const { name } = view!
    const what = `${parts.join(", ")} of ${Format.cacheName(name)}`
    if (!(yield* allowed(`Invalidate ${what} in the program at ${program.address}?`, yes))) return
    const found = yield* Effect.forEach(keys, (key) => Effect.map(keyed(name, key), ([text]) => text))
    yield* program.invalidate(name, { keys: found, tags, groups, everything })
    yield* show({ cache: name, invalidated: { keys, tags, groups, everything } }, () => `invalidated ${what}`)
  })
