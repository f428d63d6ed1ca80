/** Commands about this machine and this folder. */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { configFileEndings } from "../../internal/constants.js"
import * as StoreAdmin from "../../StoreAdmin.js"
import { adminOf } from "../attached.js"
import * as Here from "../commands/here.js"

import { about, here, json } from "./shared.js"

const config = Command.make("config", { json }, (options) => here(options, Here.config)).pipe(
  Command.withDescription(about("Shows every setting that is in force in this folder, and where it comes from."))
)

const init = Command.make(
  "init",
  {
    json,
    format: Options.choice("format", configFileEndings).pipe(
      Options.withDescription("How it is written."),
      Options.withDefault("toml")
    )
  },
  (options) => here(options, Here.init(options.format))
).pipe(
  Command.withDescription(about("Writes a configuration file with every setting explained.", "init --format yaml"))
)

const doctor = Command.make(
  "doctor",
  { json, store: Options.optional(Options.withAlias(Options.text("store"), "s")) },
  (options) =>
    here(
      options,
      Here.doctor(
        Option.getOrUndefined(
          Option.map(options.store, (url) =>
            Effect.flatMap(StoreAdmin.StoreAdmin, ({ names, store }) =>
              Effect.map(names, (all) => `${store} answers; it has ${all.length} caches`)
            ).pipe(Effect.provide(adminOf({ url, create: false })))
          )
        )
      )
    )
).pipe(Command.withDescription(about("Looks at all that caching here depends on.", "doctor --store redis://127.0.0.1")))

export const commands = [config, init, doctor] as const
