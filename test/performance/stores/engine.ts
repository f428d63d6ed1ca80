/** How the contests of one engine become a suite. */
import { Effect, type Scope } from "effect"
import type { Suite } from "../suite.js"
import * as Contest from "./contest.js"

export interface Engine {
  /** Whether what it needs is installed. */
  readonly isThere: boolean
  /** Everything that takes part, set up; it ends with the Scope. */
  readonly contests: Effect.Effect<ReadonlyArray<Contest.Contest>, unknown, Scope.Scope>
}

export const suite =
  ({ contests, isThere }: Engine): Suite =>
  ({ quick }) =>
    isThere
      ? contests.pipe(
          Effect.flatMap(Effect.forEach((contest) => Contest.hold(contest, quick))),
          Effect.map(Contest.together),
          Effect.scoped,
          Effect.runPromise
        )
      : Promise.resolve({ tables: [], claims: [] })
