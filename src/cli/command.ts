/** The commands of `larder`: what each is called and takes is in tree/, what they do in commands/. */
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"

import { commands as looking } from "./tree/looking.js"
import { commands as drawing } from "./tree/drawing.js"
import { commands as changing } from "./tree/changing.js"
import { commands as moving } from "./tree/moving.js"
import { commands as running } from "./tree/running.js"
import { commands as here } from "./tree/here.js"
import { about } from "./tree/shared.js"

const shells = {
  bash: () => Command.getBashCompletions(larder, "larder"),
  fish: () => Command.getFishCompletions(larder, "larder"),
  zsh: () => Command.getZshCompletions(larder, "larder")
} as const

const completions: Command.Command<"completions", never, never, { readonly shell: keyof typeof shells }> = Command.make(
  "completions",
  {
    shell: Args.choice(Object.keys(shells).map((name) => [name, name as keyof typeof shells]) as never, {
      name: "shell"
    })
  },
  ({ shell }: { readonly shell: keyof typeof shells }) =>
    Effect.flatMap(shells[shell](), (lines) => Console.log(lines.join("\n")))
).pipe(
  Command.withDescription(about("Prints what makes a shell complete these commands.", "completions bash >> ~/.bashrc"))
)

/** All of them. */
export const larder = Command.make("larder").pipe(
  Command.withDescription(
    about("Looks after caches: what is in a store, and what to do about it.", "list", "explain users 7")
  ),
  Command.withSubcommands([...looking, ...drawing, ...changing, ...moving, ...running, ...here, completions])
)
