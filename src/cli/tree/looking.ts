/** Commands that look at a store. */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import type * as Effect from "effect/Effect"
import * as Looking from "../commands/looking.js"
import * as OfProgram from "../program/looking.js"
import * as Serving from "../commands/serving.js"
import * as Watching from "../commands/watching.js"

import { about, anyCache, cache, common, every, key, over, overAny, watch } from "./shared.js"

const list = Command.make(
  "list",
  common,
  overAny(
    () => Looking.list,
    () => OfProgram.list
  )
).pipe(
  Command.withDescription(
    about("Lists the caches in a store, with their entries and size.", "list --store sqlite:./cache.db")
  )
)

const watched = <E, R>(options: { readonly watch: boolean }, once: Effect.Effect<void, E, R>) =>
  options.watch ? Watching.again(once, "2 seconds") : once

const stats = Command.make(
  "stats",
  { ...common, cache: anyCache, watch },
  overAny(
    (options) => watched(options, Looking.stats(options.cache)),
    (options) => watched(options, OfProgram.stats(options.cache))
  )
).pipe(
  Command.withDescription(
    about("Tells what the entries of a cache come to: states, sizes, ages, tags.", "stats users --watch")
  )
)

const inspect = Command.make(
  "inspect",
  {
    ...common,
    cache: anyCache,
    key: Options.text("key").pipe(Options.withDescription("One entry, all of it."), Options.optional),
    limit: Options.integer("limit").pipe(
      Options.withDescription("Entries of each cache at most."),
      Options.withDefault(20)
    )
  },
  overAny(Looking.inspect, OfProgram.inspect)
).pipe(
  Command.withDescription(
    about("Shows entries: keys, states, ages, sizes, tags.", "inspect users --limit 100", "inspect users --key 7")
  )
)

const get = Command.make(
  "get",
  { ...common, cache, key },
  over((options) => Looking.get(options.cache, options.key))
).pipe(
  Command.withDescription(about("Prints the value of an entry; bytes that are no text as hex.", "get users 7 --json"))
)

const explain = Command.make(
  "explain",
  { ...common, cache, key },
  overAny(
    (options) => Looking.explain(options.cache, options.key),
    (options) => OfProgram.explain(options.cache, options.key)
  )
).pipe(Command.withDescription(about("Tells what a get of a key would find, and why.", "explain users 7")))

const health = Command.make(
  "health",
  common,
  over(() => Looking.health)
).pipe(Command.withDescription(about("Tells whether a store answers.", "health --store redis://127.0.0.1")))

/** Not more than ten times a second. */
const everyMillis = (options: { readonly every: number }): number =>
  (options.every >= 0.1 ? options.every : 0.1) * 1_000

const top = Command.make(
  "top",
  { ...common, every },
  overAny(
    (options) => Watching.top({ every: everyMillis(options) }),
    (options) => OfProgram.top({ every: everyMillis(options) })
  )
).pipe(Command.withDescription(about("Shows the largest caches and how they grow, until Ctrl-C.", "top --every 5")))

const dashboard = Command.make(
  "dashboard",
  {
    ...common,
    port: Options.integer("port").pipe(Options.withDescription("0 is any that is free."), Options.withDefault(4_983)),
    write: Options.boolean("write").pipe(
      Options.withDescription("Allows changes, for whoever has the address that is printed.")
    )
  },
  over(Serving.dashboard)
).pipe(Command.withDescription(about("Serves a page over a store, to this machine.", "dashboard --write")))

export const commands = [list, stats, inspect, get, explain, health, top, dashboard] as const
