/**
 * What 10 000 entries of 1 KiB take, each way of holding them in a process of its own.
 *
 * Workload: keys `user:0` and on, each value a different text of 1024 one-byte characters; held in an array (no keys),
 * a Map, `effect/Cache` and a cache over `MemoryStore`, the last two filled by misses.
 */
import { Schema } from "effect"
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import * as Claims from "./claims.js"
import { quantile } from "./measure.js"
import type { Row, Suite, Table } from "./suite.js"

const entries = 10_000
const limit = 100e6

const Grown = Schema.parseJson(
  Schema.Struct({
    count: Schema.Number,
    estimate: Schema.optional(Schema.Number),
    heap: Schema.Number,
    rss: Schema.Number,
    process: Schema.Number
  })
)
type Grown = typeof Grown.Type

const kinds = ["values alone", "Map", "effect/Cache", "larder"] as const
type Kind = (typeof kinds)[number]

const child = fileURLToPath(new URL("memoryChild.ts", import.meta.url))

const hold = async (kind: Kind): Promise<Grown> => {
  const options = ["--expose-gc", "--import", "tsx", child, kind, String(entries)]
  const { stdout } = await promisify(execFile)(process.execPath, options)
  const grown = Schema.decodeSync(Grown)(stdout)
  if (grown.count !== entries) throw new Error(`${kind} holds ${grown.count} entries instead of ${entries}`)
  return grown
}

const rowsOf = (title: string, all: ReadonlyMap<Kind, ReadonlyArray<Grown>>, f: (grown: Grown) => number): Table => ({
  title,
  rows: kinds.map((name): Row => ({ name, unit: "bytes", values: all.get(name)!.map(f), batch: 1 }))
})

export const memory: Suite = async ({ quick }) => {
  const all = new Map(kinds.map((kind) => [kind, Array<Grown>()]))
  for (let round = 0; round < (quick ? 1 : 5); round++) {
    for (const kind of kinds) all.get(kind)!.push(await hold(kind))
  }
  const larder = all.get("larder")!
  const payload = quantile(
    all.get("values alone")!.map(({ heap }) => heap),
    0.5
  )
  const perEntry = kinds
    .filter((kind) => kind !== "values alone")
    .map(
      (name): Row => ({
        name,
        unit: "bytes",
        values: all.get(name)!.map(({ heap }) => (heap - payload) / entries),
        batch: entries
      })
    )
  const estimates = larder.flatMap(({ estimate }) => (estimate === undefined ? [] : [estimate]))
  return {
    tables: [
      rowsOf("10 000 entries of 1 KiB: growth of the heap and what hangs on it", all, ({ heap }) => heap),
      rowsOf("The same: growth of the process, by the system's account", all, ({ rss }) => rss),
      rowsOf("The same: the whole process, by the system's account", all, (grown) => grown.process),
      { title: "What one entry takes besides its value", rows: perEntry },
      {
        title: "What the store itself thinks all entries weigh",
        rows: [{ name: "larder", unit: "bytes", values: estimates, batch: 1 }]
      }
    ],
    claims: [
      Claims.below(
        "10 000 entries of 1 KiB take < 100 MB of heap",
        "bytes",
        limit,
        larder.map(({ heap }) => heap)
      ),
      Claims.below(
        "10 000 entries of 1 KiB make the process grow < 100 MB",
        "bytes",
        limit,
        larder.map(({ rss }) => rss),
        { steady: false }
      )
    ]
  }
}
