/**
 * Statements that are prepared once and run at once, on the connection that was reserved.
 *
 * The driver looks a statement up in an `effect/Cache` for each run, which costs more than the reading itself. But one
 * that it is given unprepared it prepares there and then, and the effect it answers with runs that very statement, each
 * time it is run, with what its parameters are by then. So each statement is asked for once, and its parameters are filled
 * in anew for each run.
 *
 * Nor is a fiber made for each run, which would cost half a reading more: the effect is one synchronous step, and taken as
 * the runtime would take it. That is read off an effect of this form; should it ever look different, `runSync` runs it.
 */
import type { Connection } from "@effect/sql/SqlConnection"
import type { SqlError } from "@effect/sql/SqlError"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

/** One row of a result, by column. */
export type Columns = Readonly<Record<string, unknown>>

/** Runs one statement, and throws what goes wrong. Only to be used within `Connection.run` or `Connection.transaction`. */
export type Execute = (sql: string, parameters: ReadonlyArray<unknown>) => ReadonlyArray<Columns>

interface Step<A, E> {
  readonly _op?: unknown
  readonly effect_instruction_i0?: (fiber: unknown, status: unknown) => Effect.Effect<A, E>
}

/** A fiber with nothing in its context: what the caller has set in his (safe integers) does not reach the statements. */
const nobody: { readonly fiber: unknown; readonly status: unknown } = Effect.runSync(
  Effect.withFiberRuntime((fiber, status) => Effect.succeed({ fiber, status }))
)

const sample = Effect.withFiberRuntime(() => Effect.void) as Step<void, never>
const asStep = typeof sample.effect_instruction_i0 === "function" ? sample._op : undefined

/** What the effect comes to. */
export const immediately = <A, E>(effect: Effect.Effect<A, E>): Exit.Exit<A, E> => {
  const step = effect as Step<A, E>
  if (asStep === undefined || step._op !== asStep || step.effect_instruction_i0 === undefined) {
    return Effect.runSyncExit(effect)
  }
  const next = step.effect_instruction_i0(nobody.fiber, nobody.status)
  return Exit.isExit(next) ? (next as Exit.Exit<A, E>) : Effect.runSyncExit(next)
}

/** So many parameters are those of a reading. */
const few = 2

interface Statement {
  readonly parameters: Array<unknown>
  readonly run: Effect.Effect<ReadonlyArray<Columns>, SqlError>
}

export const make = (connection: Connection): Execute => {
  const statements = new Map<string, Statement>()
  const prepare = (sql: string): Statement => {
    const parameters: Array<unknown> = []
    const statement = { parameters, run: connection.executeUnprepared(sql, parameters, undefined) }
    statements.set(sql, statement)
    return statement
  }
  return (sql, given) => {
    const { parameters, run } = statements.get(sql) ?? prepare(sql)
    for (let index = 0; index < given.length; index++) parameters[index] = given[index]
    const exit = immediately(run)
    // what is written may be large, and the next writing far away; what is asked for is neither
    if (given.length > few) parameters.fill(undefined)
    if (Exit.isSuccess(exit)) return exit.value
    throw Cause.squash(exit.cause)
  }
}
