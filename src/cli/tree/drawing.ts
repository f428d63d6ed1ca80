/** The command that draws. */
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Visualizing from "../commands/visualizing.js"
import * as Program from "../program/client.js"
import * as StoreAdmin from "../../StoreAdmin.js"

import { about, caches, common, every, here, overAny } from "./shared.js"

const visualize = Command.make(
  "visualize",
  {
    ...common,
    caches,
    file: Args.optional(
      Args.text({ name: "file" }).pipe(
        Args.withDescription(
          "What larder top --json has written, or a log of CacheLog with summaries. Without it the store, or the program, is looked at for a while."
        )
      )
    ),
    format: Options.choice("format", Visualizing.formats).pipe(
      Options.withDescription("How it is drawn."),
      Options.withDefault("ascii" as const)
    ),
    output: Options.optional(
      Options.text("output").pipe(
        Options.withAlias("o"),
        Options.withPseudoName("file"),
        Options.withDescription("Where it goes: else to the screen.")
      )
    ),
    every,
    span: Options.float("for").pipe(
      Options.withPseudoName("seconds"),
      Options.withDescription("How long it looks, where there is no file."),
      Options.withDefault(60)
    )
  },
  (options) => {
    const looking = overAny<typeof options, unknown, unknown>(
      () =>
        Visualizing.ofLooks(
          Effect.flatMap(StoreAdmin.StoreAdmin, ({ list }) => list),
          options
        ),
      () =>
        Visualizing.ofLooks(
          Effect.flatMap(Program.Program, ({ views }) => views),
          options
        )
    )
    return Option.match(options.file, {
      onNone: () => looking(options),
      onSome: (file) => here(options, Visualizing.ofFile(file, options))
    })
  }
).pipe(
  Command.withDescription(
    about(
      "Draws hits, times of loads and sizes over a time, as text, a page or a picture.",
      "visualize --store http://127.0.0.1:3001/caches --for 30",
      "visualize samples.jsonl --format svg --output caches.svg"
    )
  )
)

export const commands = [visualize] as const
