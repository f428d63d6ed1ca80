/**
 * `npm run bench`: measures what is claimed, prints it, and exits with 1 if a claim does not hold.
 *
 *   npm run bench                               all suites
 *   npm run bench -- hit miss                   some of them: hit, miss, memory, scale
 *   npm run bench -- stores                     a group of them; or one: stores:redis
 *   npm run bench -- --quick                    fewer rounds
 *   npm run bench -- --json after.json          the same as a file, with histograms, machine and versions
 *   npm run bench -- --against before.json      exits with 1 also if a figure has got worse since, by 20 % or more
 *   npm run bench -- --tolerance 0.5 ...        or by another part
 *   npm run bench -- stores --page docs/performance.md   writes the tables of engines there
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, resolve } from "node:path"
import { parseArgs } from "node:util"
import * as Baseline from "./baseline.js"
import { formsSuite } from "./forms.js"
import { hit } from "./hit.js"
import { batch } from "./batch.js"
import { load } from "./load.js"
import { memory } from "./memory.js"
import { miss } from "./miss.js"
import { observe } from "./observe.js"
import { program } from "./program.js"
import * as Report from "./report.js"
import { scale } from "./scale.js"
import { soak } from "./soak.js"
import { stores } from "./stores/index.js"
import type { Result, Suite } from "./suite.js"
import { view } from "./view.js"

const suites: Readonly<Record<string, Suite>> = {
  hit,
  miss,
  memory,
  scale,
  program,
  observe,
  view,
  batch,
  load,
  forms: formsSuite,
  ...stores,
  soak
}

/** The suites that a name stands for: its own, or those of its group. */
const named = (name: string): ReadonlyArray<string> =>
  Object.keys(suites).filter((suite) => suite === name || suite.startsWith(`${name}:`))

type Results = ReadonlyArray<readonly [suite: string, result: Result]>

const read = () => {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      quick: { type: "boolean", default: false },
      json: { type: "string" },
      against: { type: "string" },
      page: { type: "string" },
      tolerance: { type: "string", default: "0.2" }
    }
  })
  const unknown = positionals.filter((name) => named(name).length === 0)
  if (unknown.length > 0) {
    throw new Error(`No suite is called ${unknown.join(", ")}. There are: ${Object.keys(suites).join(", ")}.`)
  }
  const tolerance = Number(values.tolerance)
  if (!(tolerance >= 0)) throw new Error("--tolerance is a part such as 0.2")
  // read now: a file that is not there should not be found out after minutes of measuring
  const earlier = values.against === undefined ? undefined : Baseline.read(values.against)
  if (earlier !== undefined && earlier.quick !== values.quick) {
    throw new Error("A quick run is less warmed up than a full one: hold it against another quick one.")
  }
  return {
    chosen: positionals.length === 0 ? Object.keys(suites) : positionals.flatMap(named),
    quick: values.quick,
    json: values.json,
    page: values.page,
    earlier,
    tolerance
  }
}

type Arguments = ReturnType<typeof read>

const runAll = async ({ chosen, quick }: Arguments): Promise<Results> => {
  const results: Array<readonly [string, Result]> = []
  for (const name of chosen) {
    console.log(`\n== ${name}${quick ? " (quick)" : ""}\n`)
    const result = await suites[name]!({ quick })
    results.push([name, result])
    for (const table of result.tables) console.log(Report.table(table))
    for (const claim of result.claims) console.log(Report.claim(claim))
    for (const summary of result.summary ?? []) console.log(`\n${summary}`)
  }
  return results
}

/** Prints what became of the earlier run's figures; answers how many are worse. */
const judge = (
  { earlier, tolerance }: Arguments,
  machine: Readonly<Record<string, unknown>>,
  results: Results
): number => {
  if (earlier === undefined) return 0
  const changes = Baseline.compare(earlier, machine, results, tolerance)
  console.log("\n== against the earlier run\n")
  for (const change of changes) console.log(Baseline.line(change))
  const worse = changes.filter(({ isWorse }) => isWorse).length
  console.log(`\n${worse} of ${changes.length} figures are worse by more than ${Math.round(tolerance * 100)} %`)
  return worse
}

const main = async (options: Arguments): Promise<number> => {
  const startedAt = new Date().toISOString()
  const machine = Report.machine()
  for (const [name, value] of Object.entries(machine)) console.log(`${name}: ${String(value)}`)
  const results = await runAll(options)
  if (options.json !== undefined) {
    const file = resolve(options.json)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, Report.json({ startedAt, quick: options.quick, machine }, results))
    console.log(`\nwritten: ${file}`)
  }
  if (options.page !== undefined) {
    const summaries = results.flatMap(([, { summary = [] }]) => summary)
    writeFileSync(options.page, summaries.reduce(Report.withTable, readFileSync(options.page, "utf8")))
  }
  const worse = judge(options, machine, results)
  const claims = results.flatMap(([, result]) => result.claims)
  const of = (verdict: string): number => claims.filter((claim) => claim.verdict === verdict).length
  console.log(
    `\n${of("PASS")} of ${claims.length} claims hold; ${of("NOISY")} noisy, ${of("FAIL")} failed, ${of("OPEN")} open`
  )
  return of("FAIL") + worse > 0 ? 1 : 0
}

try {
  process.exitCode = await main(read())
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 2
}
