/** What several commands have in common: their options, how they are described, and over what they run. */
import * as Args from "@effect/cli/Args"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as Options from "@effect/cli/Options"
import type * as Prompt from "@effect/cli/Prompt"
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as Path from "@effect/platform/Path"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import type * as CacheStore from "../../CacheStore.js"
import type * as StoreAdmin from "../../StoreAdmin.js"
import { adminOf, storeOf, viewed } from "../attached.js"
import * as Program from "../program/client.js"
import * as Screen from "../screen.js"

/** What the platform has to provide: files, paths and a terminal, as `NodeContext.layer` does. */
export type Environment = Prompt.Prompt.Environment | FileSystem.FileSystem | Path.Path

/** What a command is for, and how it is called. In one paragraph: the list of commands shows no more. */
export const about = (text: string, ...examples: ReadonlyArray<string>): HelpDoc.HelpDoc =>
  HelpDoc.p([text, ...examples.map((one, index) => `${index === 0 ? "Example: " : ""}larder ${one}`)].join("  "))

export const store = Options.text("store").pipe(
  Options.withAlias("s"),
  Options.withPseudoName("url"),
  Options.withDescription(
    "The store, such as sqlite:./cache.db or redis://127.0.0.1; or a running program, by the address of its dashboard. Else LARDER_STORE, else the default file."
  ),
  Options.withFallbackConfig(Config.string("LARDER_STORE")),
  Options.withDefault("sqlite:")
)
export const json = Options.boolean("json").pipe(Options.withDescription("Prints JSON, for programs."))
export const yes = Options.boolean("yes").pipe(
  Options.withAlias("y"),
  Options.withDescription("Does it without asking.")
)
export const watch = Options.boolean("watch").pipe(
  Options.withDescription("Looks again every two seconds, until Ctrl-C.")
)
export const every = Options.float("every").pipe(
  Options.withPseudoName("seconds"),
  Options.withDescription("Seconds between two looks."),
  Options.withDefault(1)
)
export const cache = Args.text({ name: "cache" }).pipe(
  Args.withDescription("The name of a cache, as larder list has it.")
)
export const anyCache = Args.optional(cache)
export const key = Args.text({ name: "key" }).pipe(Args.withDescription("The text of a key, as larder inspect has it."))
export const common = { store, json } as const

/** What every command over a store is told. */
export interface Common {
  readonly store: string
  readonly json: boolean
}

/** Runs a command over the store that is named, which has to be there. */
export const over =
  <A, E>(
    handler: (options: A) => Effect.Effect<void, E, StoreAdmin.StoreAdmin | Screen.Screen | FileSystem.FileSystem>
  ) =>
  (options: A & Common) =>
    handler(options).pipe(
      Effect.provide(adminOf({ url: options.store, create: false })),
      Effect.provide(Screen.layer(options)),
      viewed
    )

/** The same for what a running program can be asked for as well, over the routes of its dashboard. */
export const overAny =
  <A, E, E2>(
    handler: (options: A) => Effect.Effect<void, E, StoreAdmin.StoreAdmin | Screen.Screen | FileSystem.FileSystem>,
    ofProgram: (options: A) => Effect.Effect<void, E2, Program.Program | Screen.Screen | FileSystem.FileSystem>
  ) =>
  (options: A & Common) =>
    Effect.if(Program.isProgram(options.store), {
      onTrue: () =>
        ofProgram(options).pipe(
          Effect.provide(Program.layer(options.store)),
          Effect.provide(Screen.layer(options)),
          viewed
        ),
      onFalse: () => over(handler)(options)
    })

/** The same for what asks for no store. */
export const here = <E, R>(options: { readonly json: boolean }, handler: Effect.Effect<void, E, R | Screen.Screen>) =>
  handler.pipe(Effect.provide(Screen.layer(options)), viewed)

/** The same for a program of the user's, which gets the store as it is. */
export const under = <E>(options: Common, handler: Effect.Effect<void, E, CacheStore.CacheStore | Screen.Screen>) =>
  handler.pipe(
    Effect.provide(storeOf({ url: options.store, create: true })),
    Effect.provide(Screen.layer(options)),
    viewed
  )

export const repeated = (name: string, text: string) =>
  Options.text(name).pipe(Options.withDescription(text), Options.repeated)

export const caches = repeated("cache", "A cache, as often as there are; without it, all of them.")
