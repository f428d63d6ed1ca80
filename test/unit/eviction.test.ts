import { assert, describe, it } from "@effect/vitest"
import * as Policies from "effect-larder/Policies"
import type { Policy } from "effect-larder/Policy"
import * as Random from "effect-larder/Random"
import * as TinyLfu from "effect-larder/TinyLfu"
import fc from "fast-check"
import { Balance, ofMain, ofWindow } from "../../src/eviction/internal/balance.js"
import { from, Ghosts, unknown } from "../../src/eviction/internal/ghosts.js"
import { Sketch } from "../../src/eviction/internal/sketch.js"
import * as Models from "../fixtures/eviction/models.js"

type Step =
  | { readonly do: "insert" | "hit" | "replace" | "remove"; readonly pick: number; readonly end: number }
  | { readonly do: "evict" }

/** Keys are small numbers, so that they come back; `end` makes lifetimes that are often the same. */
const steps: fc.Arbitrary<ReadonlyArray<Step>> = fc.array(
  fc.oneof(
    ...(
      [
        ["insert", 6],
        ["hit", 6],
        ["replace", 1],
        ["remove", 1]
      ] as const
    ).map(([name, weight]) => ({
      weight,
      arbitrary: fc.record({
        do: fc.constant(name),
        pick: fc.nat(60),
        end: fc.oneof(fc.nat(5), fc.constant(Infinity))
      })
    })),
    { weight: 3, arbitrary: fc.record({ do: fc.constant("evict" as const) }) }
  ),
  { maxLength: 400, size: "max" }
)

/**
 * Drives a policy as a store would: slots are handed out and taken back, a key has one slot or none. Calls `check`
 * after every step with what is in.
 */
const drive = (
  policy: Policy,
  all: ReadonlyArray<Step>,
  check: (present: ReadonlySet<number>, evicted: number | undefined) => void
): void => {
  const slotOf = new Map<number, number>()
  const keyOf = new Map<number, number>()
  const free: Array<number> = []
  const forget = (slot: number) => {
    slotOf.delete(keyOf.get(slot)!)
    keyOf.delete(slot)
    free.push(slot)
  }
  for (const step of all) {
    let evicted: number | undefined
    if (step.do === "evict") {
      evicted = policy.evict()
      if (evicted >= 0) {
        assert.isTrue(keyOf.has(evicted), "it gave up a slot that was not in")
        forget(evicted)
      }
    } else {
      const slot = slotOf.get(step.pick)
      if (slot === undefined) {
        const fresh = free.pop() ?? slotOf.size
        slotOf.set(step.pick, fresh)
        keyOf.set(fresh, step.pick)
        // hashes that do not crowd together in a memory of ghosts: a model forgets none
        policy.onInsert(fresh, step.pick * 1_299_709 + 1, step.end)
      } else if (step.do === "remove") {
        policy.remove(slot)
        forget(slot)
      } else if (step.do === "replace") {
        policy.onReplace(slot, step.end)
      } else {
        policy.onHit(slot)
      }
    }
    check(new Set(keyOf.keys()), evicted)
  }
}

const models: Readonly<Partial<Record<Policies.Name, (seed: number) => Policy>>> = {
  lru: () => Models.queue(true, "oldest"),
  fifo: () => Models.queue(false, "oldest"),
  lifo: () => Models.queue(false, "newest"),
  mru: () => Models.queue(true, "newest"),
  lfu: Models.lfu,
  ttl: Models.ttl,
  sieve: Models.sieve,
  "s3-fifo": Models.s3Fifo,
  "w-tinylfu": Models.tinyLfu
}

describe.each(Policies.names)("%s", (name) => {
  it("knows what is in after every step, and gives up nothing else", () => {
    fc.assert(
      fc.property(steps, fc.nat(), (all, seed) => {
        const policy = Policies.make(name, { seed })
        drive(policy, all, (present, evicted) => {
          const ranked = policy.ranked()
          assert.strictEqual(ranked.length, present.size)
          if (new Set(ranked).size !== present.size || !ranked.every((slot) => present.has(slot))) {
            assert.fail(`ranked ${ranked.join(" ")}, but in are ${[...present].join(" ")}`)
          }
          if (evicted === -1) assert.strictEqual(present.size, 0)
        })
      }),
      { numRuns: 200 }
    )
  })

  it("answers -1 when nothing is in, and goes on", () => {
    const policy = Policies.make(name, { seed: 1 })
    assert.strictEqual(policy.evict(), -1)
    policy.onInsert(0, 1, Infinity)
    assert.strictEqual(policy.evict(), 0)
    assert.strictEqual(policy.evict(), -1)
    assert.deepStrictEqual([...policy.ranked()], [])
  })

  it("holds 100 000 slots", () => {
    const policy = Policies.make(name, { seed: 1 })
    for (let slot = 0; slot < 100_000; slot++) policy.onInsert(slot, slot, slot)
    for (let slot = 0; slot < 100_000; slot += 3) policy.onHit(slot)
    const evicted = new Set<number>()
    for (let slot = policy.evict(); slot >= 0; slot = policy.evict()) evicted.add(slot)
    assert.strictEqual(evicted.size, 100_000)
  })
})

describe.each(Object.entries(models))("%s and its model", (name, model) => {
  it("do the same, in the same order", () => {
    fc.assert(
      fc.property(steps, fc.nat(), (all, seed) => {
        const real = Policies.make(name as Policies.Name, { seed })
        const naive = model(seed)
        const both: Policy = {
          onInsert: (slot, hash, end) => {
            real.onInsert(slot, hash, end)
            naive.onInsert(slot, hash, end)
          },
          onHit: (slot) => {
            real.onHit(slot)
            naive.onHit(slot)
          },
          onReplace: (slot, end) => {
            real.onReplace(slot, end)
            naive.onReplace(slot, end)
          },
          remove: (slot) => {
            real.remove(slot)
            naive.remove(slot)
          },
          evict: () => {
            const slot = real.evict()
            assert.strictEqual(naive.evict(), slot)
            return slot
          },
          ranked: () => real.ranked()
        }
        drive(both, all, () => assert.deepStrictEqual([...real.ranked()], [...naive.ranked()]))
      }),
      { numRuns: 300 }
    )
  })
})

/** Hits in a cache of `size` slots. */
const hitsIn = (policy: Policy, size: number, keys: Iterable<number>): number => {
  const slots = new Map<number, number>()
  const present: Array<number> = []
  let hits = 0
  for (const key of keys) {
    const slot = slots.get(key)
    if (slot !== undefined) {
      hits++
      policy.onHit(slot)
      continue
    }
    const place = present.length < size ? present.length : policy.evict()
    slots.delete(present[place]!)
    present[place] = key
    slots.set(key, place)
    policy.onInsert(place, Math.imul(key + 1, 0x9e3779b1), Infinity)
  }
  return hits
}

const round = (length: number, times: number): ReadonlyArray<number> =>
  Array.from({ length: length * times }, (_, at) => at % length)

describe("random", () => {
  it("draws the same lots from the same seed, and all slots about as often", () => {
    const draw = (seed: number): ReadonlyArray<number> => {
      const policy = Random.make({ seed })
      for (let slot = 0; slot < 10; slot++) policy.onInsert(slot, slot, Infinity)
      return Array.from({ length: 10_000 }, () => {
        const slot = policy.evict()
        policy.onInsert(slot, slot, Infinity)
        return slot
      })
    }
    assert.deepStrictEqual(draw(1), draw(1))
    assert.notDeepEqual(draw(1), draw(2))
    const counts = Array.from({ length: 10 }, (_, slot) => draw(3).filter((other) => other === slot).length)
    for (const count of counts) assert.isTrue(count > 850 && count < 1_150, `unevenly drawn: ${counts.join(" ")}`)
  })
})

describe("w-tinylfu", () => {
  it("keeps a part of a loop that is larger than the cache, where lru has no hit at all", () => {
    const loop = round(2_000, 50)
    assert.strictEqual(hitsIn(Policies.make("lru", { seed: 1 }), 1_000, loop), 0)
    const hits = hitsIn(Policies.make("w-tinylfu", { seed: 1 }), 1_000, loop)
    assert.isAbove(hits / loop.length, 0.45)
  })

  it("comes close to lru where what is wanted moves on", () => {
    // each key is asked for five times within 500 accesses, and never again
    const moving = Array.from({ length: 100_000 }, (_, at) => Math.floor(at / 5) - 100 * ((at * 7) % 5))
    const best = hitsIn(Policies.make("lru", { seed: 1 }), 1_000, moving)
    const hits = hitsIn(Policies.make("w-tinylfu", { seed: 1 }), 1_000, moving)
    assert.isAbove(hits / best, 0.93)
  })

  it("is not owned by whoever floods it with one-time keys", () => {
    const wanted = round(500, 60)
    const flooded = wanted.flatMap((key, at) => [key, 1_000_000 + 2 * at, 1_000_001 + 2 * at])
    const hits = hitsIn(Policies.make("w-tinylfu", { seed: 1 }), 700, flooded)
    assert.isAbove(hits / wanted.length, 0.9)
    assert.isBelow(hitsIn(Policies.make("lru", { seed: 1 }), 700, flooded) / wanted.length, 0.01)
  })

  it("gets over keys that collide with one that is wanted often", () => {
    const policy = TinyLfu.make({ seed: 1 })
    // all of one hash: what comes looks as worthy as what is there, so only a trial lets it in
    for (let slot = 0; slot < 100; slot++) policy.onInsert(slot, 7, Infinity)
    const evicted = new Set<number>()
    for (let turn = 0; turn < 20_000; turn++) {
      const slot = policy.evict()
      evicted.add(slot)
      policy.onInsert(slot, 7, Infinity)
    }
    assert.isAbove(evicted.size, 50)
  })
})

describe("the sketch", () => {
  const many = fc.array(fc.tuple(fc.nat(200), fc.integer({ min: 1, max: 5 })), { maxLength: 150 })

  it("never counts less than was added before it is halved, and seldom more", () => {
    fc.assert(
      fc.property(many, (added) => {
        const sketch = new Sketch()
        sketch.reserve(2_000) // 20 times as many additions do not come together here
        const exact = new Map<number, number>()
        for (const [key, times] of added) {
          sketch.add(key * 7919, times)
          exact.set(key, (exact.get(key) ?? 0) + times)
        }
        for (const [key, count] of exact) assert.isAtLeast(sketch.count(key * 7919), Math.min(15, count))
        const strangers = Array.from({ length: 200 }, (_, index) => sketch.count((1_000 + index) * 7919))
        assert.isAtMost(strangers.filter((count) => count > 0).length, 10)
      })
    )
  })

  it("forgets: counts are halved after twenty additions for each key there is room for", () => {
    const sketch = new Sketch()
    sketch.reserve(10)
    sketch.add(1, 12)
    assert.strictEqual(sketch.count(1), 12)
    for (let addition = 12; addition < 199; addition++) sketch.add(2)
    assert.strictEqual(sketch.count(1), 12)
    sketch.add(2)
    assert.strictEqual(sketch.count(1), 6)
    assert.strictEqual(sketch.count(2), 7)
  })

  it("still knows what it knew after it has grown", () => {
    const sketch = new Sketch()
    sketch.reserve(100)
    for (let key = 0; key < 100; key++) sketch.add(key * 7919, (key % 7) + 1)
    sketch.reserve(50_000)
    for (let key = 0; key < 100; key++) assert.isAtLeast(sketch.count(key * 7919), (key % 7) + 1)
  })
})

describe("the ghosts", () => {
  it("know who went when and from where, once", () => {
    const ghosts = new Ghosts()
    ghosts.reserve(100)
    for (let hash = 1; hash <= 20; hash++) ghosts.add(hash, hash % 2 === 0 ? 0 : 1)
    const departure = ghosts.take(15)
    assert.strictEqual(ghosts.since(departure), 5)
    assert.strictEqual(from(departure), 1)
    assert.strictEqual(ghosts.take(15), unknown)
    assert.strictEqual(from(ghosts.take(16)), 0)
    assert.strictEqual(ghosts.take(99), unknown)
  })

  it("remember most of as many as there is room for, also after they have grown", () => {
    const ghosts = new Ghosts()
    for (let hash = 1; hash <= 5_000; hash++) {
      ghosts.reserve(2 * hash)
      ghosts.add(Math.imul(hash, 0x9e3779b1), 1)
    }
    let known = 0
    for (let hash = 1; hash <= 5_000; hash++) {
      const departure = ghosts.take(Math.imul(hash, 0x9e3779b1))
      if (departure === unknown) continue
      known++
      assert.strictEqual(ghosts.since(departure), 5_000 - hash)
    }
    assert.isAbove(known, 4_700)
  })
})

describe("the balance", () => {
  const count = 1_000

  it("gives to the side whose losses come back, and more the sooner they do", () => {
    const after = (side: typeof ofWindow | typeof ofMain, late: number): number => {
      const balance = new Balance(1)
      for (let hash = 1; hash <= 200; hash++) balance.gaveUp(side, hash, count)
      for (let hash = 1; hash <= late; hash++) balance.gaveUp(side, 10_000 + hash, count)
      for (let hash = 1; hash <= 200; hash++) balance.came(hash, count)
      return balance.window(count)
    }
    const before = new Balance(1).window(count)
    assert.isAbove(after(ofWindow, 0), before)
    assert.isBelow(after(ofMain, 0), before)
    assert.isAbove(after(ofWindow, 0), after(ofWindow, 500))
    assert.isAbove(after(ofWindow, 500), before)
    // after a whole turnover nothing could have kept it
    assert.strictEqual(after(ofWindow, 1_200), before)
  })

  it("stays within its bounds, and a window has one slot at least", () => {
    const balance = new Balance(1)
    for (let hash = 1; hash <= 10_000; hash++) {
      balance.gaveUp(ofWindow, hash, count)
      balance.came(hash, count)
    }
    assert.strictEqual(balance.window(count), 950)
    for (let hash = 1; hash <= 10_000; hash++) {
      balance.gaveUp(ofMain, hash, count)
      balance.came(hash, count)
    }
    assert.strictEqual(balance.window(count), 5)
    assert.strictEqual(balance.window(10), 1)
  })

  it("tries the other way one time in 64", () => {
    const balance = new Balance(1)
    const trials = Array.from({ length: 64_000 }, () => balance.isTrial).filter((isTrial) => isTrial).length
    assert.isTrue(trials > 850 && trials < 1_150, `${trials} trials`)
  })
})
