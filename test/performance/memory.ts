/**
 * What entries take, each way of holding them in a process of its own: 10 000 texts of 1 KiB, as an array (no keys), a
 * Map, `effect/Cache` and a cache over `MemoryStore`; and what an entry takes besides its value, by number of entries,
 * beside the caches of the world outside, each bounded and with expiry.
 *
 * Workload: keys `user:0` and on. Each text is a different one of 1024 one-byte characters; where only what is besides
 * the values is asked for, they are small integers. Effect's and larder's caches are filled by misses.
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

const holders = ["Map", "lru-cache", "larder", "effect/Cache", "bentocache", "cacheable", "cache-manager"] as const
type Holder = (typeof holders)[number]
const sizes = [10_000, 100_000, 1_000_000] as const

const hold = async (kind: Kind | Holder, count: number, values: "text" | "number"): Promise<Grown> => {
  const options = ["--expose-gc", "--max-old-space-size=8192", "--import", "tsx", child, kind, String(count), values]
  const { stdout } = await promisify(execFile)(process.execPath, options)
  const grown = Schema.decodeSync(Grown)(stdout)
  if (grown.count !== count) throw new Error(`${kind} holds ${grown.count} entries instead of ${count}`)
  return grown
}

/** Bytes of an entry besides its value, by number of entries. */
const overheads = async (rounds: number): Promise<ReadonlyMap<number, ReadonlyMap<Holder, ReadonlyArray<number>>>> => {
  const all = new Map(sizes.map((size) => [size as number, new Map(holders.map((name) => [name, Array<number>()]))]))
  for (let round = 0; round < rounds; round++) {
    for (const size of sizes) {
      for (const name of holders)
        all
          .get(size)!
          .get(name)!
          .push((await hold(name, size, "number")).heap / size)
    }
  }
  return all
}

const rowsOf = (title: string, all: ReadonlyMap<Kind, ReadonlyArray<Grown>>, f: (grown: Grown) => number): Table => ({
  title,
  rows: kinds.map((name): Row => ({ name, unit: "bytes", values: all.get(name)!.map(f), batch: 1 }))
})

export const memory: Suite = async ({ quick }) => {
  const all = new Map(kinds.map((kind) => [kind, Array<Grown>()]))
  for (let round = 0; round < (quick ? 1 : 5); round++) {
    for (const kind of kinds) all.get(kind)!.push(await hold(kind, entries, "text"))
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
  const besides = await overheads(quick ? 1 : 3)
  const estimates = larder.flatMap(({ estimate }) => (estimate === undefined ? [] : [estimate]))
  return {
    tables: [
      rowsOf("10 000 entries of 1 KiB: growth of the heap and what hangs on it", all, ({ heap }) => heap),
      rowsOf("The same: growth of the process, by the system's account", all, ({ rss }) => rss),
      rowsOf("The same: the whole process, by the system's account", all, (grown) => grown.process),
      { title: "What one entry takes besides its value", rows: perEntry },
      ...Array.from(besides, ([size, of]) => ({
        title: `What one entry takes besides its value, of ${size}`,
        rows: Array.from(of, ([name, values]): Row => ({ name, unit: "bytes", values, batch: size }))
      })),
      {
        title: "What the store itself thinks all entries weigh",
        rows: [{ name: "larder", unit: "bytes", values: estimates, batch: 1 }]
      }
    ],
    claims: [
      ...Array.from(besides, ([size, of]) =>
        Claims.below(
          `an entry of ${size} takes less than one of effect/Cache`,
          "x",
          1,
          of.get("larder")!.map((bytes, round) => bytes / of.get("effect/Cache")![round]!)
        )
      ),
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
