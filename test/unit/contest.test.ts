/** What the benchmark of stores makes of those who take part; the instrument itself is in measure.test.ts. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect } from "effect"
import { withTable } from "../performance/report.js"
import * as Contender from "../performance/stores/contender.js"
import * as Contest from "../performance/stores/contest.js"
import { records, texts } from "../performance/stores/workload.js"

const size = { keys: 4, gets: 2, sets: 4 }

/** A client over a Map, and how many keys it was asked for by which operation. */
const client = <A>({ forgets = false } = {}) => {
  const kept = new Map<string, A>()
  const asked = { get: 0, getMany: 0, set: 0 }
  const set = (key: string, value: A) => {
    asked.set++
    if (!forgets) kept.set(key, value)
    return Promise.resolve()
  }
  const get = (key: string) => {
    asked.get++
    return Promise.resolve(kept.get(key))
  }
  const getMany = (keys: ReadonlyArray<string>) => {
    asked.getMany += keys.length
    return Promise.resolve(keys.map((key) => kept.get(key)))
  }
  return { asked, client: { get, set, getMany } }
}

const contest = (peer = client()): Contest.Contest => {
  const work = records(size)
  const { get, set } = peer.client
  return {
    title: "Maps",
    ahead: "ours",
    workload: work,
    serial: { get: 2, set: 2 },
    bounds: [
      { own: "ours", operation: "get", below: 3, target: 2 },
      { own: "ours", operation: "setMany", below: 1_000, target: 1_000 }
    ],
    contenders: [
      Contender.promised("raw", "raw", texts(size), client<string>().client),
      Contender.promised("ours", "own", work, client<unknown>().client),
      Contender.promised("a peer", "peer", work, { get, set })
    ]
  }
}

describe("a contest of stores", () => {
  it.effect("claims its bounds beside the raw client, and to be ahead of a peer in all that it does", () =>
    Effect.gen(function* () {
      const { claims } = yield* Contest.hold(contest(), true)
      assert.deepStrictEqual(
        claims.map(({ bound, text }) => [text, bound]),
        [
          ["Maps: a get, ours beside raw (to become 2)", 3],
          ["Maps: a get, ahead of a peer", 1],
          ["Maps: a set, ahead of a peer", 1],
          ["Maps: 2 gets at once, ahead of a peer", 1],
          ["Maps: 2 fibers that get, ahead of a peer", 1],
          ["Maps: a batch of 4 sets, ours beside raw", 1_000],
          ["Maps: a batch of 4 sets, ahead of a peer", 1]
        ]
      )
    })
  )

  it.effect("is summed up beside the raw client; what somebody cannot do is left empty", () =>
    Effect.gen(function* () {
      const { summary = [] } = yield* Contest.hold(contest(), true)
      const rows = summary[0]!.split("\n").map((row) => row.split(" | ").map((cell) => cell.replace(/^\| | \|$/g, "")))
      assert.deepStrictEqual(rows[0], [
        "Maps",
        ...["a get", "a set", "2 gets at once", "2 fibers that get", "a batch of 2 gets", "a batch of 4 sets"]
      ])
      assert.deepStrictEqual(
        rows.slice(2).map(([name]) => name),
        ["raw", "ours", "a peer"]
      )
      for (const cell of rows[2]!.slice(1)) assert.match(cell, /^\d+(\.\d+)? (ns|µs|ms)$/)
      for (const cell of rows[3]!.slice(1)) assert.match(cell, /^\d+\.\d\d$/)
      assert.strictEqual(rows[4]![5], "")
    })
  )

  it.effect("is not held with a peer that does not give back what it was given", () =>
    Effect.gen(function* () {
      const cause = yield* Effect.flip(Effect.sandbox(Contest.hold(contest(client({ forgets: true })), true)))
      assert.match(Cause.pretty(cause), /a peer does not answer with what was stored but with undefined/)
    })
  )

  it("takes the place of its table on a page, and leaves the rest", () => {
    const table = (title: string, cell: string) => `| ${title} | a get |\n| --- | --- |\n| raw | ${cell} |`
    const page = `# A page\n\n${table("Redis", "1")}\n\nBetween.\n\n${table("Redis over", "2")}\n`
    const written = withTable(withTable(page, table("Redis over", "4")), table("Redis", "3"))
    assert.strictEqual(written, `# A page\n\n${table("Redis", "3")}\n\nBetween.\n\n${table("Redis over", "4")}\n`)
    assert.throws(() => withTable(page, table("SQLite", "1")), /no table that begins with "\| SQLite \|"/)
  })

  it("asks for as many keys as it is told to, whatever the operation", async () => {
    const { asked, client: given } = client()
    const { runs, seed } = Contender.promised("raw", "raw", records(size), given)
    await seed()
    assert.strictEqual(asked.set, size.keys)
    for (const operation of ["get", "atOnce", "inTurns", "getMany", "set", "setMany"] as const)
      await runs[operation]!(8)
    assert.deepStrictEqual(asked, { get: 24, getMany: 8, set: size.keys + 16 })
  })
})
