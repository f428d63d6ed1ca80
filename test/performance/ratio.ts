/**
 * `npm run bench:ratio -- FILE...`: the hit ratio of every policy beside the optimum, over recorded accesses (one key a
 * line, gzipped or not) and made-up ones.
 *
 * A case is one trace at one size. What a policy lacks in a case is its distance, in points (hundredths of all
 * accesses), from the best policy of that case.
 */
import * as Policies from "effect-larder/Policies"
import { parseArgs } from "node:util"
import type { Trace } from "./ratio/simulate.js"
import { optimum, replay } from "./ratio/simulate.js"
import { fromFile, synthetic } from "./ratio/traces.js"

const usage = `npm run bench:ratio -- [options] [FILE...]

Replays accesses through every eviction policy at several sizes, beside the optimum (Belady).
FILE: one key a line, plain or gzip.

  --only-files     leave out the synthetic accesses
  --sizes LIST     parts of a trace's keys that there is room for, in percent (1,5,10,25,50)
  --seed N         seed of the policies that draw lots (1)
  --json           for machines`

/** All but `ttl`: entries that never end by themselves come to `fifo` there. */
const compared = Policies.names.filter((name) => name !== "ttl")

interface Case {
  readonly trace: string
  readonly size: number
  readonly percent: number
  readonly optimum: number
  readonly ratios: Readonly<Record<string, number>>
}

const caseOf = (trace: Trace, percent: number, seed: number): Case => {
  const size = Math.max(10, Math.round((trace.keys * percent) / 100))
  return {
    trace: trace.name,
    size,
    percent,
    optimum: optimum(trace, size),
    ratios: Object.fromEntries(compared.map((name) => [name, replay(trace, Policies.make(name, { seed }), size)]))
  }
}

const points = (ratio: number): number => 100 * ratio

interface Summary {
  readonly policy: string
  readonly mean: number
  readonly worst: number
  readonly at: string
}

/** How far each policy is from the best of each case. */
const summarize = (cases: ReadonlyArray<Case>): ReadonlyArray<Summary> =>
  compared
    .map((policy) => {
      const distances = cases.map((one) => points(Math.max(...Object.values(one.ratios)) - one.ratios[policy]!))
      const worst = Math.max(...distances)
      const at = cases[distances.indexOf(worst)]!
      const mean = distances.reduce((sum, distance) => sum + distance, 0) / distances.length
      return { policy, mean, worst, at: `${at.trace} ${at.percent} %` }
    })
    .sort((a, b) => a.mean - b.mean)

const print = (cases: ReadonlyArray<Case>, summary: ReadonlyArray<Summary>): void => {
  const width = Math.max(...cases.map(({ trace }) => trace.length))
  const head = ["optimum", ...compared].map((name) => name.padStart(9)).join(" ")
  console.log(`hits in 100 accesses\n\n${"".padEnd(width)}     entries ${head}`)
  for (const { optimum: best, percent, ratios, size, trace } of cases) {
    const numbers = [best, ...compared.map((name) => ratios[name]!)].map((ratio) =>
      points(ratio).toFixed(1).padStart(9)
    )
    console.log(`${trace.padEnd(width)} ${`${percent} %`.padStart(4)} ${String(size).padStart(6)} ${numbers.join(" ")}`)
  }
  console.log(`\npoints from the best policy of each of ${cases.length} cases\n`)
  for (const { at, mean, policy, worst } of summary) {
    const isDefault = policy === Policies.defaultName ? "  (default)" : ""
    console.log(
      `${policy.padEnd(10)} mean ${mean.toFixed(2).padStart(5)}   worst ${worst.toFixed(1).padStart(4)} at ${at}${isDefault}`
    )
  }
}

/** What the default is chosen for. */
const bounds = { mean: 0.7, worst: 6 }

const main = (): void => {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      "only-files": { type: "boolean", default: false },
      sizes: { type: "string", default: "1,5,10,25,50" },
      seed: { type: "string", default: "1" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false }
    }
  })
  const sizes = values.sizes.split(",").map(Number)
  const isWrong = sizes.some((size) => !(size > 0 && size <= 100)) || !Number.isInteger(Number(values.seed))
  if (values.help || isWrong) {
    console.log(usage)
    process.exitCode = values.help ? 0 : 2
    return
  }
  const traces = [...positionals.map(fromFile), ...(values["only-files"] ? [] : synthetic())]
  if (traces.length === 0) {
    console.error(`there is nothing to replay: name a file, or leave out --only-files\n\n${usage}`)
    process.exitCode = 2
    return
  }
  const cases = traces.flatMap((trace) => sizes.map((percent) => caseOf(trace, percent, Number(values.seed))))
  const summary = summarize(cases)
  if (values.json) {
    console.log(JSON.stringify({ cases, summary, default: Policies.defaultName, bounds }, null, 2))
    return
  }
  print(cases, summary)
  const chosen = summary.find(({ policy }) => policy === Policies.defaultName)!
  const holds = chosen.mean <= bounds.mean && chosen.worst <= bounds.worst
  console.log(
    `\n${holds ? "PASS" : "FAIL"}  ${Policies.defaultName}: at most ${bounds.mean} points from the best in the mean, ${bounds.worst} in the worst`
  )
  if (!holds) process.exitCode = 1
}

main()
