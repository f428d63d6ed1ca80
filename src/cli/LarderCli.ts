/**
 * The `larder` command as a value: for a command of your own that has it as a part, and for whoever wants what its
 * subcommands do without a terminal. See docs/guide/cli.md.
 *
 * Needs the optional peers `@effect/cli` and `@effect/platform-node`.
 *
 * @example
 * ```ts
 * import { NodeContext } from "@effect/platform-node"
 * import { Effect, Layer } from "effect"
 * import { StoreAdmin } from "effect-larder"
 * import * as LarderCli from "effect-larder/LarderCli"
 * import * as SqliteStore from "effect-larder/SqliteStore"
 *
 * // what `larder list --json` does, over a store of yours
 * LarderCli.list.pipe(
 *   Effect.provide(StoreAdmin.layer().pipe(Layer.provide(SqliteStore.layerMemory))),
 *   Effect.provide(LarderCli.layerScreen({ json: true }).pipe(Layer.provide(NodeContext.layer))),
 *   Effect.runPromise
 * )
 * ```
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as CliConfig from "@effect/cli/CliConfig"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as HashMap from "effect/HashMap"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Commands from "./command.js"
import type * as Shared from "./tree/shared.js"
import * as Errors from "./errors.js"

/**
 * What the platform has to provide: files, paths and a terminal, as `NodeContext.layer` does.
 *
 * @since 0.1.0
 * @category models
 */
export type Environment = Shared.Environment

/**
 * The command with all its subcommands.
 *
 * @since 0.1.0
 * @category commands
 */
export const command = Commands.larder

/** The name of a subcommand, if it is one. */
const known = (name: string | undefined): string | undefined =>
  HashMap.has(Command.getSubcommands(command), name ?? "") ? name : undefined

/** What is short for something else. */
const spelledOut = (argument: string): ReadonlyArray<string> =>
  argument === "--verbose" ? ["--log-level", "debug"] : [argument]

/** What is logged at least, unless `--log-level` says otherwise. */
const level = Layer.unwrapEffect(
  Effect.map(
    Effect.orElseSucceed(Config.logLevel("LARDER_LOG_LEVEL"), () => LogLevel.Info),
    Logger.minimumLogLevel
  )
)

/**
 * Runs the command with the arguments of a process (the first two, Node and the script, included). Answers the code that
 * the process ends with: 0 it is done; 1 it could not be done, or what was looked at is not well; 2 it was not said
 * right. What went wrong has been told on standard error.
 *
 * @since 0.1.0
 * @category commands
 */
export const run = (
  args: ReadonlyArray<string>,
  { version }: { readonly version: string }
): Effect.Effect<number, never, Environment> =>
  Command.run(command, { name: "larder", version })(args.flatMap(spelledOut)).pipe(
    Effect.provide(level),
    Effect.provide(CliConfig.layer({ showBuiltIns: false })),
    Effect.exit,
    Effect.flatMap(
      Exit.match({
        onSuccess: () => Effect.succeed<number>(Errors.exitCodes.done),
        onFailure: (cause) =>
          Effect.suspend(() => {
            const text = [Errors.told(cause), Errors.usageHint(cause, known(args[2]))].filter(Boolean).join("\n")
            return Effect.as(text === "" ? Effect.void : Console.error(text), Errors.codeOf(cause))
          })
      })
    )
  )

/**
 * Where the handlers show what they have found: programs read JSON, people what they would like to read.
 *
 * @since 0.1.0
 * @category screens
 */
export { Screen } from "./screen.js"

/**
 * The terminal of this process.
 *
 * @since 0.1.0
 * @category screens
 */
export { layer as layerScreen } from "./screen.js"

/**
 * What a handler fails with if it was not told right; and if all went right, but what it looked at is not well.
 *
 * @since 0.1.0
 * @category errors
 */
export { NotWell, Usage } from "./errors.js"

/**
 * Look at the store in force: what the subcommands of these names do.
 *
 * @since 0.1.0
 * @category handlers
 */
export { explain, get, health, inspect, list, stats } from "./commands/looking.js"

/**
 * Remove what the store in force has, or end its freshness.
 *
 * @since 0.1.0
 * @category handlers
 */
export { clear, compact, expire, invalidate, verify } from "./commands/changing.js"

/**
 * Take entries to another store, into a file, or out of it.
 *
 * @since 0.1.0
 * @category handlers
 */
export { migrate, restore, snapshot } from "./commands/moving.js"

/**
 * Run a program over the store in force.
 *
 * @since 0.1.0
 * @category handlers
 */
export { analyze, profile, warm } from "./commands/running.js"

/**
 * Measure the store in force, and show what was measured.
 *
 * @since 0.1.0
 * @category handlers
 */
export { report, workload } from "./commands/benchmark.js"

/**
 * Look again and again.
 *
 * @since 0.1.0
 * @category handlers
 */
export { again, top } from "./commands/watching.js"

/**
 * Draw what was seen of caches over a time.
 *
 * @since 0.1.0
 * @category handlers
 */
export { ofFile as visualizeFile, ofLooks as visualize } from "./commands/visualizing.js"

/**
 * Look at this machine and this folder.
 *
 * @since 0.1.0
 * @category handlers
 */
export { config, doctor, init } from "./commands/here.js"

/**
 * Serve the page over the store in force.
 *
 * @since 0.1.0
 * @category handlers
 */
export { dashboard } from "./commands/serving.js"
