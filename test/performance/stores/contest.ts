/** One engine's contest: everybody in it takes turns on one server or disk, and what comes of it is put beside the raw client. */
import { Effect } from "effect"
import { isDeepStrictEqual } from "node:util"
import * as Claims from "../claims.js"
import { measure, quantile, ratios, type Sample } from "../measure.js"
import { show } from "../report.js"
import type { Result } from "../suite.js"
import { finder, toRow } from "../suite.js"
import { type Contender, type Operation, operations } from "./contender.js"
import type { Workload } from "./workload.js"

/** How much of `own` beside the raw client is too much. */
export interface Bound {
  readonly own: string
  readonly operation: Operation
  /** Times what the raw client takes: what holds today. */
  readonly below: number
  /** What it shall come to, where that is not so yet. */
  readonly target?: number | undefined
}

export interface Contest {
  readonly title: string
  readonly contenders: ReadonlyArray<Contender>
  readonly bounds: ReadonlyArray<Bound>
  /** Which of ours is to be ahead of every peer in everything that both do: an aim, told until it is reached. */
  readonly ahead: string
  /** That of the peers; the others may have it as a text. */
  readonly workload: Workload<unknown>
  /** Gets, or sets, in one round. */
  readonly serial: { readonly get: number; readonly set: number }
  readonly rounds?: number | undefined
}

type Samples = ReadonlyArray<readonly [operation: Operation, samples: ReadonlyArray<Sample>]>

const batchOf = ({ serial, workload: { size } }: Contest, operation: Operation): number => {
  if (operation === "get" || operation === "set") return serial[operation]
  return operation === "setMany" ? size.sets : size.gets * (serial.get > size.gets / 4 ? 5 : 1)
}

/** Everything is stored before anything is asked for, and has to be what was stored. */
const seed = async ({ contenders, workload: { value } }: Contest): Promise<void> => {
  for (const { name, probe, role, seed } of contenders) {
    await seed()
    const found = await probe()
    const isThere = role === "peer" ? isDeepStrictEqual(found, value) : found !== undefined
    if (!isThere) throw new Error(`${name} does not answer with what was stored but with ${String(found)}`)
  }
}

/** An operation, and with how many keys. */
const said = ({ workload: { size } }: Contest, operation: Operation): string => {
  const count = operation === "setMany" ? size.sets : size.gets
  return operations[operation]
    .replace("fibers", `${count} fibers`)
    .replace("gets", `${count} gets`)
    .replace("sets", `${count} sets`)
}

const play = async (contest: Contest, quick: boolean): Promise<Samples> => {
  await seed(contest)
  const samples: Array<Samples[number]> = []
  for (const operation of Object.keys(operations) as ReadonlyArray<Operation>) {
    const subjects = contest.contenders.flatMap(({ name, runs }) => {
      const run = runs[operation]
      return run === undefined ? [] : [{ name, run }]
    })
    if (subjects.length === 0) continue
    // a batch of sets is long enough for a round, and there is nothing in it that more of them would show
    const share = operation === "setMany" ? 3 : 1
    const rounds = Math.ceil((quick ? 15 : (contest.rounds ?? 60)) / share)
    const options = { warmup: Math.ceil(rounds / 3), rounds, batch: batchOf(contest, operation) }
    samples.push([operation, await measure(subjects, options)])
  }
  return samples
}

const claimsOf = (contest: Contest, samples: Samples): Result["claims"] => {
  const { ahead, bounds, contenders, title } = contest
  const raw = contenders.find(({ role }) => role === "raw")!.name
  return samples.flatMap(([operation, taken]) => {
    const find = finder(taken)
    const what = `${title}: ${said(contest, operation)}`
    const beside = bounds
      .filter((bound) => bound.operation === operation)
      .map(({ below, own, target }) =>
        Claims.below(
          `${what}, ${own} beside ${raw}${target === undefined || target === below ? "" : ` (to become ${target})`}`,
          "x",
          below,
          ratios(find(own), find(raw))
        )
      )
    const isIn = ({ name, role }: Contender) => role === "peer" && taken.some((sample) => sample.name === name)
    const before = contenders
      .filter(isIn)
      .map(({ name }) => Claims.aim(`${what}, ahead of ${name}`, "x", 1, ratios(find(ahead), find(name))))
    return [...beside, ...before]
  })
}

/** A table for docs/performance.md: what the raw client takes for a key, and how many times that the others do. */
const summaryOf = (contest: Contest, samples: Samples): string => {
  const { contenders, title } = contest
  const cell = ({ name, role }: Contender, taken: ReadonlyArray<Sample>): string => {
    const sample = taken.find((one) => one.name === name)
    const raw = taken.find((one) => contenders.some((other) => other.role === "raw" && other.name === one.name))
    if (sample === undefined || raw === undefined) return ""
    return role === "raw" ? show(quantile(sample.nanos, 0.5), "ns") : quantile(ratios(sample, raw), 0.5).toFixed(2)
  }
  const line = (cells: ReadonlyArray<string>) => `| ${cells.join(" | ")} |`
  return [
    line([title, ...samples.map(([operation]) => said(contest, operation))]),
    line(["---", ...samples.map(() => "---")]),
    ...contenders.map((contender) => line([contender.name, ...samples.map(([, taken]) => cell(contender, taken))]))
  ].join("\n")
}

export const hold = (contest: Contest, quick: boolean): Effect.Effect<Result> =>
  Effect.promise(async () => {
    const samples = await play(contest, quick)
    return {
      tables: samples.map(([operation, taken]) => ({
        title: `${contest.title}: ${said(contest, operation)}, for each key`,
        rows: taken.map(toRow)
      })),
      claims: claimsOf(contest, samples),
      summary: [summaryOf(contest, samples)]
    }
  })

/** Several contests of one engine. */
export const together = (results: ReadonlyArray<Result>): Result => ({
  tables: results.flatMap(({ tables }) => tables),
  claims: results.flatMap(({ claims }) => claims),
  summary: results.flatMap(({ summary = [] }) => summary)
})
