/** Commands that remove what a store has. */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Changing from "../commands/changing.js"
import * as OfProgram from "../program/changing.js"

import { about, anyCache, cache, common, key, over, overAny, repeated, yes } from "./shared.js"

const clear = Command.make("clear", { ...common, cache: anyCache, yes }, overAny(Changing.clear, OfProgram.clear)).pipe(
  Command.withDescription(about("Removes all entries of a cache, or of all caches. Asks before.", "clear users --yes"))
)

const invalidate = Command.make(
  "invalidate",
  {
    ...common,
    cache,
    keys: repeated("key", "An entry."),
    tags: repeated("tag", "All entries that have the tag."),
    groups: repeated("group", "All entries of the group."),
    everything: Options.boolean("all").pipe(Options.withDescription("All entries.")),
    yes
  },
  overAny(Changing.invalidate, OfProgram.invalidate)
).pipe(Command.withDescription(about("Makes entries unserveable. Asks before.", "invalidate users --tag org:7 --yes")))

const expire = Command.make("expire", { ...common, cache, key, yes }, over(Changing.expire)).pipe(
  Command.withDescription(
    about("Ends the freshness of an entry, so that a get loads it again. Asks before.", "expire users 7 --yes")
  )
)

const compact = Command.make(
  "compact",
  common,
  over(() => Changing.compact)
).pipe(
  Command.withDescription(
    about(
      "Removes what is over, and gives the room back to the disk. Nobody can write to a SQLite file meanwhile.",
      "compact --store sqlite:./cache.db"
    )
  )
)

const verify = Command.make(
  "verify",
  {
    ...common,
    cache: anyCache,
    remove: Options.boolean("remove").pipe(Options.withDescription("Removes what cannot be read. Asks before.")),
    yes
  },
  over(Changing.verify)
).pipe(Command.withDescription(about("Reads every entry, to see whether it is whole.", "verify --remove")))

export const commands = [clear, invalidate, expire, verify, compact] as const
