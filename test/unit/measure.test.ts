/** The instrument that all benchmark figures come from, on a clock that only its subjects move. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Baseline from "../performance/baseline.js"
import { aim, below } from "../performance/claims.js"
import { histogram, measure, percentiles, quantile, ratios } from "../performance/measure.js"
import type { Subject } from "../performance/measure.js"
import { around, scattered, skewed, text1KiB } from "../performance/workloads.js"

/** Subjects whose operations take the given nanoseconds, and what was run when. */
const laboratory = () => {
  let time = 1_000
  const log: Array<string> = []
  const costing = (name: string, nanos: () => number, batch?: number): Subject => ({
    name,
    batch,
    run: (times) => {
      log.push(name)
      time += times * nanos()
    }
  })
  return { now: () => time, log, costing }
}

const values = fc.array(fc.double({ min: 1e-3, max: 1e12, noNaN: true }), { minLength: 1, maxLength: 50 })

describe("measure", () => {
  it("gives the time of one operation, whatever the batch", async () => {
    const { costing, now } = laboratory()
    const subjects = [costing("a", () => 10), costing("b", () => 3, 7)]
    const [a, b] = await measure(subjects, { warmup: 2, rounds: 5, batch: 100, now })
    assert.deepStrictEqual(a, { name: "a", batch: 100, nanos: [10, 10, 10, 10, 10] })
    assert.deepStrictEqual(b, { name: "b", batch: 7, nanos: [3, 3, 3, 3, 3] })
  })

  it("throws the warm-up away", async () => {
    const { costing, now } = laboratory()
    let runs = 0
    const warming = costing("warming", () => (runs++ < 3 ? 1_000 : 1))
    const [sample] = await measure([warming], { warmup: 3, rounds: 4, batch: 1, now })
    assert.deepStrictEqual(sample?.nanos, [1, 1, 1, 1])
  })

  it("waits for what is asynchronous", async () => {
    let time = 0
    const slow: Subject = {
      name: "slow",
      run: async (times) => {
        await Promise.resolve()
        time += 5 * times
      }
    }
    const [sample] = await measure([slow], { warmup: 0, rounds: 2, batch: 4, now: () => time })
    assert.deepStrictEqual(sample?.nanos, [5, 5])
  })

  it("lets all have a turn in each round, and each follow each", async () => {
    const { costing, log, now } = laboratory()
    const names = ["a", "b", "c"]
    await measure(
      names.map((name) => costing(name, () => 1)),
      { warmup: 0, rounds: 6, batch: 1, now }
    )
    const rounds = Array.from({ length: 6 }, (_, round) => log.slice(round * 3, round * 3 + 3))
    for (const round of rounds) assert.deepStrictEqual([...round].sort(), names)
    const pairs = new Set(rounds.flatMap(([x, y, z]) => [`${x}${y}`, `${y}${z}`]))
    assert.deepStrictEqual([...pairs].sort(), ["ab", "ac", "ba", "bc", "ca", "cb"])
  })

  it("compares within a round: what slows a whole round down does not show", async () => {
    const { costing, now } = laboratory()
    let runs = 0
    const weather = () => 10 ** Math.floor(runs++ / 2)
    const subjects = [costing("twice", () => 2 * weather()), costing("once", () => weather())]
    const [twice, once] = await measure(subjects, { warmup: 0, rounds: 5, batch: 1, now })
    assert.deepStrictEqual(ratios(twice!, once!), [2, 2, 2, 2, 2])
    assert.deepStrictEqual(once?.nanos, [1, 10, 100, 1_000, 10_000])
  })

  it("compares nothing that was not measured together", () => {
    const one = { name: "one", batch: 1, nanos: [1] }
    assert.throws(() => ratios(one, { name: "two", batch: 1, nanos: [1, 2] }), /one and two/)
  })
})

describe("statistics", () => {
  it("interpolates quantiles", () => {
    assert.strictEqual(quantile([4, 1, 3, 2], 0.5), 2.5)
    assert.strictEqual(quantile([3], 0.99), 3)
    assert.isNaN(quantile([], 0.5))
  })

  it("has percentiles that rise from the least to the greatest", () => {
    fc.assert(
      fc.property(values, (all) => {
        const { p1, p5, p25, p50, p75, p90, p95, p99, p100 } = percentiles(all)
        const rising = [Math.min(...all), p1, p5, p25, p50, p75, p90, p95, p99, p100]
        for (let index = 1; index < rising.length; index++) {
          assert.isAtLeast(rising[index]! * (1 + 1e-9), rising[index - 1]!)
        }
        assert.strictEqual(p100, Math.max(...all))
      })
    )
  })

  it("puts every value into one bucket, less than a tenth wide", () => {
    fc.assert(
      fc.property(values, (all) => {
        const buckets = histogram(all)
        assert.strictEqual(
          buckets.reduce((sum, [, count]) => sum + count, 0),
          all.length
        )
        for (const [upTo, count] of buckets) {
          const inside = all.filter((value) => value <= upTo * (1 + 1e-9) && value > (upTo / 1.0906) * (1 - 1e-9))
          assert.isAtLeast(inside.length, count)
        }
      })
    )
  })

  it("calls a claim broken only where noise does not explain it", () => {
    assert.strictEqual(below("", "ns", 10, [9, 9, 9, 99]).verdict, "PASS")
    assert.strictEqual(below("", "ns", 10, [9, 9, 11, 11, 11]).verdict, "NOISY")
    assert.strictEqual(below("", "ns", 10, [9, 11, 11, 11, 11, 11]).verdict, "FAIL")
    assert.strictEqual(below("", "ns", 10, []).verdict, "FAIL")
    assert.strictEqual(aim("", "ns", 10, [9, 9, 9, 99]).verdict, "PASS")
    assert.strictEqual(aim("", "ns", 10, [11, 11, 11]).verdict, "OPEN")
  })
})

describe("baseline", () => {
  const earlier = {
    quick: false,
    machine: { cpu: "abacus", node: "v20" },
    suites: [
      {
        suite: "hit",
        claims: [
          { text: "time", median: 100, quartiles: [90, 110] as const },
          { text: "ratio", median: 0.5, quartiles: [0.4, 0.7] as const }
        ]
      }
    ]
  }
  const run = (time: number, ratio: number) =>
    [
      [
        "hit",
        {
          claims: [
            below("time", "ns", 1e9, [time]),
            below("ratio", "x", 1, [ratio]),
            below("new", "x", 1, [1]),
            below("ratio", "x", 1, [9], { steady: false })
          ]
        }
      ]
    ] as const
  const worse = (machine: Readonly<Record<string, unknown>>, time: number, ratio: number) =>
    Baseline.compare(earlier, machine, run(time, ratio), 0.2).map(({ claim, isWorse }) => `${claim.text} ${isWorse}`)

  it("finds what got worse by more than the tolerance", () => {
    assert.deepStrictEqual(worse(earlier.machine, 119, 0.71), ["time false", "ratio true"])
    assert.deepStrictEqual(worse(earlier.machine, 121, 0.4), ["time true", "ratio false"])
  })

  it("calls nothing worse that is within the middle half of before", () => {
    assert.deepStrictEqual(worse(earlier.machine, 100, 0.69), ["time false", "ratio false"])
  })

  it("compares times on the same machine only", () => {
    assert.deepStrictEqual(worse({ cpu: "abacus", node: "v22" }, 1_000, 0.5), ["ratio false"])
  })
})

describe("workloads", () => {
  it("visits everything once, in no order", () => {
    for (const count of [1, 2, 10, 1_000]) {
      const order = scattered(count)
      assert.deepStrictEqual(
        [...order].sort((a, b) => a - b),
        Array.from({ length: count }, (_, index) => index)
      )
    }
    assert.notDeepEqual(scattered(10).slice(0, 3), [0, 1, 2])
  })

  it("wants few things often: the first tenth gets most of the accesses, and nothing else is forgotten", () => {
    const wanted = skewed(1_000, 20_000)
    const favourites = new Set(scattered(1_000).slice(0, 100))
    assert.isAbove(wanted.filter((index) => favourites.has(index)).length, 12_000)
    assert.isTrue(wanted.every((index) => Number.isInteger(index) && index >= 0 && index < 1_000))
    assert.isAbove(new Set(wanted).size, 900)
  })

  it("makes the same texts each time, all different", () => {
    assert.strictEqual(text1KiB(7), text1KiB(7))
    assert.strictEqual(text1KiB(7).length, 1_024)
    assert.strictEqual(new Set(Array.from({ length: 100 }, (_, index) => text1KiB(index))).size, 100)
  })

  it("goes round and round", () => {
    const next = around(["a", "b"])
    assert.deepStrictEqual([next(), next(), next()], ["a", "b", "a"])
  })
})
