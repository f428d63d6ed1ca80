/** Results for people and for programs. */
import { readFileSync } from "node:fs"
import { arch, cpus, loadavg, platform, release, totalmem } from "node:os"
import type { Claim, Unit } from "./claims.js"
import { histogram, percentiles } from "./measure.js"
import type { Result, Row, Table } from "./suite.js"

const scales: Record<Unit, ReadonlyArray<readonly [from: number, name: string]>> = {
  ns: [
    [1e9, "s"],
    [1e6, "ms"],
    [1e3, "µs"],
    [1, "ns"]
  ],
  bytes: [
    [2 ** 20, "MiB"],
    [2 ** 10, "KiB"],
    [1, "B"]
  ],
  x: [[1, "x"]]
}

export const show = (value: number, unit: Unit): string => {
  const steps = scales[unit]
  const [from, name] = steps.find(([start]) => Math.abs(value) >= start) ?? steps[steps.length - 1]!
  const scaled = value / from
  const digits = unit === "x" || Math.abs(scaled) < 10 ? 2 : Math.abs(scaled) < 100 ? 1 : 0
  return `${scaled.toFixed(digits)} ${name}`
}

const columns = ["p5", "p25", "p50", "p75", "p95", "p99"] as const

const line = (name: string, width: number, cells: ReadonlyArray<string>): string =>
  `  ${name.padEnd(width)}${cells.map((cell) => cell.padStart(11)).join("")}`

export const table = ({ rows, title }: Table): string => {
  const width = Math.max(...rows.map((row) => row.name.length))
  const body = rows.map((row) => {
    const at = percentiles(row.values)
    return line(
      row.name,
      width,
      columns.map((column) => show(at[column], row.unit))
    )
  })
  return [title, line("", width, columns), ...body, ""].join("\n")
}

export const claim = ({ bound, median, quartiles, text, unit, verdict }: Claim): string =>
  `  ${verdict.padEnd(6)}${show(median, unit).padStart(10)} (${quartiles.map((value) => show(value, unit)).join(" to ")}), bound ${show(bound, unit)}: ${text}`

const versionOf = (file: string): unknown => {
  const json: unknown = JSON.parse(readFileSync(new URL(file, import.meta.url), "utf8"))
  return typeof json === "object" && json !== null && "version" in json ? json.version : undefined
}

const packages = [
  "effect",
  "@effect/sql-sqlite-node",
  "better-sqlite3",
  "lru-cache",
  "bentocache",
  "cacheable",
  "cache-manager",
  "keyv",
  "unstorage",
  "redis",
  "pg"
]

/** What the numbers were had on: without it they mean nothing. */
export const machine = (): Readonly<Record<string, unknown>> => ({
  cpu: cpus()[0]?.model ?? "unknown",
  cores: cpus().length,
  memory: totalmem(),
  system: `${platform()} ${arch()} ${release()}`,
  loadAverage: loadavg().map((load) => Math.round(load * 100) / 100),
  node: process.version,
  v8: process.versions.v8,
  "effect-larder": versionOf("../../package.json"),
  ...Object.fromEntries(packages.map((name) => [name, versionOf(`../../node_modules/${name}/package.json`)]))
})

const rowJson = ({ batch, name, unit, values }: Row) => ({
  name,
  unit,
  batch,
  rounds: values.length,
  percentiles: percentiles(values),
  histogram: histogram(values)
})

export const json = (
  run: { readonly startedAt: string; readonly quick: boolean; readonly machine: Readonly<Record<string, unknown>> },
  results: ReadonlyArray<readonly [suite: string, result: Result]>
): string => {
  const suites = results.map(([suite, { claims, tables }]) => ({
    suite,
    claims,
    tables: tables.map(({ rows, title }) => ({ title, rows: rows.map(rowJson) }))
  }))
  return `${JSON.stringify({ ...run, suites }, null, 2)}\n`
}

/** A page with this table in place of the one that begins with the same title; a page without one is told. */
export const withTable = (page: string, summary: string): string => {
  const [head = ""] = summary.split(" | ", 1)
  const lines = page.split("\n")
  const start = lines.findIndex((line) => line.startsWith(`${head} | `))
  if (start < 0) throw new Error(`The page has no table that begins with "${head} |".`)
  const length = lines.slice(start).findIndex((line) => !line.startsWith("|"))
  const rest = length < 0 ? [] : lines.slice(start + length)
  return [...lines.slice(0, start), summary, ...rest].join("\n")
}
