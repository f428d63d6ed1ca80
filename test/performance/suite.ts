/** What a suite is, and how an Effect becomes a subject. */
import { Effect, Runtime } from "effect"
import type { Claim, Unit } from "./claims.js"
import type { Sample, Subject } from "./measure.js"

/** One line of a table. `values` has one number a round. */
export interface Row {
  readonly name: string
  readonly unit: Unit
  readonly values: ReadonlyArray<number>
  /** Operations that each value is the mean of. */
  readonly batch: number
}

export interface Table {
  readonly title: string
  readonly rows: ReadonlyArray<Row>
}

export interface Result {
  readonly tables: ReadonlyArray<Table>
  readonly claims: ReadonlyArray<Claim>
  /** Tables in Markdown, for docs/performance.md. */
  readonly summary?: ReadonlyArray<string> | undefined
}

/** `quick`: fewer rounds, for a first look and for continuous integration. */
export type Suite = (options: { readonly quick: boolean }) => Promise<Result>

export const toRow = ({ batch, name, nanos }: Sample): Row => ({ name, unit: "ns", values: nanos, batch })

/** Looks samples up by name; a name that was not measured is a mistake in the suite. */
export const finder =
  (samples: ReadonlyArray<Sample>) =>
  (name: string): Sample => {
    const sample = samples.find((candidate) => candidate.name === name)
    if (sample === undefined) throw new Error(`nothing was measured under the name ${name}`)
    return sample
  }

/** One fiber that performs an operation over and over: the cheapest loop that Effect has. */
const loop = <E, R>(times: number, operation: () => Effect.Effect<unknown, E, R>): Effect.Effect<void, E, R> =>
  Effect.suspend(() => {
    let done = 0
    return Effect.whileLoop({
      while: () => done < times,
      body: operation,
      step: () => {
        done++
      }
    })
  })

/** A subject whose operations are run one after another inside one running fiber. */
export const inFiber = <E, R>(
  runtime: Runtime.Runtime<R>,
  name: string,
  operation: () => Effect.Effect<unknown, E, R>,
  batch?: number
): Subject => {
  const run = Runtime.runPromise(runtime)
  return { name, batch, run: (times) => run(loop(times, operation)) }
}

/** The same as programs write it: `yield*` after `yield*` in one generator. */
export const inGenerator = <E, R>(
  runtime: Runtime.Runtime<R>,
  name: string,
  operation: () => Effect.Effect<unknown, E, R>
): Subject => ({
  name,
  run: (times) =>
    Runtime.runPromise(runtime)(
      Effect.gen(function* () {
        for (let done = 0; done < times; done++) yield* operation()
      })
    )
})
