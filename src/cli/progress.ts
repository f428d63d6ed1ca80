/** How far a long work is: a bar on a terminal, and nothing elsewhere. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Progress from "cli-progress"
import { Screen } from "./screen.js"

export interface Step {
  readonly label: string
  readonly done: number
  /** `undefined` where nobody knows. */
  readonly total: number | undefined
}

const format = "{label} {bar} {value}/{all}"
const width = 30

/** On standard error, so that what is printed can be piped on; the terminal is given back with the Scope. */
export const progress: Effect.Effect<(step: Step) => Effect.Effect<void>, never, Screen | Scope.Scope> = Effect.flatMap(
  Screen,
  ({ columns, json }) => {
    if (columns === undefined || json || process.stderr.isTTY !== true) return Effect.succeed(() => Effect.void)
    const acquire = Effect.sync(
      () =>
        new Progress.SingleBar({
          format,
          barsize: width,
          barCompleteChar: "█",
          barIncompleteChar: "░",
          hideCursor: true,
          clearOnComplete: true,
          stream: process.stderr
        })
    )
    return Effect.map(
      Effect.acquireRelease(acquire, (bar) => Effect.sync(() => bar.stop())),
      (bar) => {
        let label: string | undefined
        return (step: Step) =>
          Effect.sync(() => {
            const all = Math.max(step.total ?? step.done, step.done)
            const shown = { label: step.label, all: step.total ?? "?" }
            if (label === step.label) bar.update(step.done, shown)
            else bar.start(all, step.done, shown)
            label = step.label
            bar.setTotal(all)
          })
      }
    )
  }
)
