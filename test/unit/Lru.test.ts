import { assert, describe, it } from "@effect/vitest"
import * as Lru from "effect-larder/Lru"
import fc from "fast-check"

/** Least recently used first, as simply as it can be said. */
class Naive {
  order: Array<number> = []
  onInsert(slot: number): void {
    this.order.push(slot)
  }
  onHit(slot: number): void {
    this.remove(slot)
    this.order.push(slot)
  }
  remove(slot: number): void {
    this.order = this.order.filter((other) => other !== slot)
  }
  evict(): number {
    return this.order.shift() ?? -1
  }
}

type Step = { readonly do: "touch" | "remove"; readonly slot: number } | { readonly do: "evict" }

const steps = (slots: number): fc.Arbitrary<ReadonlyArray<Step>> => {
  const slot = fc.nat(slots - 1)
  return fc.array(
    fc.oneof(
      { weight: 6, arbitrary: fc.record({ do: fc.constant("touch" as const), slot }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constant("remove" as const), slot }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constant("evict" as const) }) }
    ),
    { maxLength: 200 }
  )
}

/** Does the same to both, and answers with what both have evicted, the rest of them at the end. */
const inStep = (all: ReadonlyArray<Step>): readonly [ReadonlyArray<number>, ReadonlyArray<number>] => {
  const policy = Lru.make()
  const naive = new Naive()
  const evicted: [Array<number>, Array<number>] = [[], []]
  const evict = () => {
    evicted[0].push(policy.evict())
    evicted[1].push(naive.evict())
  }
  for (const step of all) {
    if (step.do === "evict") {
      evict()
    } else {
      const isIn = naive.order.includes(step.slot)
      const name = step.do === "touch" ? (isIn ? "onHit" : "onInsert") : "remove"
      if (name === "remove" && !isIn) continue
      if (name === "onInsert") policy.onInsert(step.slot, 0, Infinity)
      else policy[name](step.slot)
      naive[name](step.slot)
    }
  }
  for (let left = naive.order.length; left >= 0; left--) evict()
  return evicted
}

describe("Lru", () => {
  it("evicts what was neither inserted nor hit for longest, then nothing", () => {
    const policy = Lru.make()
    for (const slot of [0, 1, 2]) policy.onInsert(slot, 0, Infinity)
    policy.onHit(0)
    policy.remove(2)
    assert.deepStrictEqual([policy.evict(), policy.evict(), policy.evict(), policy.evict()], [1, 0, -1, -1])
  })

  it("takes a slot in again after it was evicted or removed", () => {
    const policy = Lru.make()
    policy.onInsert(5, 0, Infinity)
    assert.strictEqual(policy.evict(), 5)
    policy.onInsert(5, 0, Infinity)
    policy.remove(5)
    assert.strictEqual(policy.evict(), -1)
    policy.onInsert(5, 0, Infinity)
    assert.strictEqual(policy.evict(), 5)
  })

  it("does in every history what a naive list does", () => {
    fc.assert(
      fc.property(steps(6), (all) => {
        const [evicted, expected] = inStep(all)
        assert.deepStrictEqual(evicted, expected)
      }),
      { numRuns: 500 }
    )
  })

  it("does so with slots beyond what it has room for at first, in whatever order they come", () => {
    fc.assert(
      fc.property(steps(1_000), (all) => {
        const [evicted, expected] = inStep(all)
        assert.deepStrictEqual(evicted, expected)
      }),
      { numRuns: 200 }
    )
    const policy = Lru.make()
    const order = [62, 63, 64, 65, 127, 128, 129, 4_095, 100_000]
    for (const slot of order) policy.onInsert(slot, 0, Infinity)
    assert.deepStrictEqual(
      order.map(() => policy.evict()),
      order
    )
  })
})
