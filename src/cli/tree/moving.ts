/** Commands that take entries from one place to another. */
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as StoreAdmin from "../../StoreAdmin.js"
import { adminOf, viewed } from "../attached.js"
import * as Moving from "../commands/moving.js"
import * as Screen from "../screen.js"

import { about, caches, common, json, over } from "./shared.js"

/** A store's admin in the Scope around. */
const adminIn = (url: string, create: boolean) =>
  Effect.map(Layer.build(adminOf({ url, create })), Context.get(StoreAdmin.StoreAdmin))

const migrate = Command.make(
  "migrate",
  {
    json,
    from: Options.text("from").pipe(
      Options.withPseudoName("url"),
      Options.withDescription("The store that has the entries.")
    ),
    to: Options.text("to").pipe(Options.withPseudoName("url"), Options.withDescription("The store that gets them.")),
    caches,
    unverified: Options.boolean("no-verify").pipe(
      Options.withDescription("Does not look for each entry in the other store when all is done.")
    )
  },
  ({ caches, from, json, to, unverified }) =>
    Effect.scoped(
      Effect.gen(function* () {
        yield* Moving.twoStores(from, to)
        const options = { from: yield* adminIn(from, false), to: yield* adminIn(to, true), verify: !unverified }
        yield* Moving.migrate(caches.length === 0 ? options : { ...options, names: caches })
      })
    ).pipe(Effect.provide(Screen.layer({ json })), viewed)
).pipe(
  Command.withDescription(
    about(
      "Copies entries into another store, with their values, tags and what is left of their lives. Can be stopped, and begun again.",
      "migrate --from sqlite:./cache.db --to redis://127.0.0.1"
    )
  )
)

const snapshot = Command.make(
  "snapshot",
  {
    ...common,
    caches,
    file: Args.text({ name: "file" }).pipe(Args.withDescription("The file to write."))
  },
  over(Moving.snapshot)
).pipe(Command.withDescription(about("Writes entries into a file, as lines of JSON.", "snapshot cache.jsonl")))

const restore = Command.make(
  "restore",
  {
    ...common,
    file: Args.text({ name: "file" }).pipe(Args.withDescription("A file that larder snapshot has written."))
  },
  (options) =>
    Moving.restore(options.file).pipe(
      Effect.provide(adminOf({ url: options.store, create: true })),
      Effect.provide(Screen.layer(options)),
      viewed
    )
).pipe(
  Command.withDescription(
    about("Puts the entries of a file back, unless there are younger ones.", "restore cache.jsonl")
  )
)

export const commands = [migrate, snapshot, restore] as const
