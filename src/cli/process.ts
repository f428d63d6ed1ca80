/** The command as a process: it ends with the code of what it has done, and quietly where nobody reads on. */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as LarderCli from "./LarderCli.js"

/** What a shell expects of who was stopped with Ctrl-C. */
const interrupted = 130

/** `larder list | head` closes the pipe before all is said. */
const endWithTheReader = (): void => {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0)
    throw error
  })
}

export const main = (args: ReadonlyArray<string>, version: string): void => {
  endWithTheReader()
  LarderCli.run(args, { version }).pipe(
    Effect.flatMap((code) =>
      Effect.sync(() => {
        process.exitCode = code
      })
    ),
    Effect.provide(NodeContext.layer),
    NodeRuntime.runMain({
      disableErrorReporting: true,
      teardown: (exit, onExit) => onExit(exit._tag === "Success" ? Number(process.exitCode ?? 0) : interrupted)
    })
  )
}
