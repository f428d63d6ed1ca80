/** What is told of how keys are used, beside what is so. */
import { assert, describe, it } from "@effect/vitest"
import { Cache, CacheAnalytics, MemoryStore } from "effect-larder"
import { Effect, Layer } from "effect"
import { lookLength, Recorder } from "../../src/observe/internal/recorder.js"

/** A generator of numbers below 1 that is the same each time (Steele and others, SplitMix, 2014). */
const seeded = (seed: number) => () => {
  seed = (seed + 0x9e3779b9) | 0
  let z = Math.imul(seed ^ (seed >>> 16), 0x21f0aaad)
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
  return ((z ^ (z >>> 15)) >>> 0) / 2 ** 32
}

/** Numbers of which small ones come often: the n-th is asked for in proportion to 1/n^0.9. */
const zipf = (count: number, seed: number) => {
  const random = seeded(seed)
  const sums: Array<number> = []
  for (let n = 1; n <= count; n++) sums.push((sums.at(-1) ?? 0) + n ** -0.9)
  const all = sums.at(-1) ?? 1
  return () => {
    const wanted = random() * all
    let [low, high] = [0, count - 1]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (sums[middle]! < wanted) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** The hit ratio of an exact cache that forgets what was used longest ago, without the first quarter of the gets. */
const lru = (keys: ReadonlyArray<string>, size: number): number => {
  const kept = new Map<string, true>()
  let hits = 0
  keys.forEach((key, at) => {
    const isThere = kept.delete(key)
    if (isThere && at >= keys.length / 4) hits++
    kept.set(key, true)
    if (kept.size > size) kept.delete(kept.keys().next().value!)
  })
  return hits / (keys.length * 0.75)
}

const over = Effect.provide(Layer.merge(MemoryStore.layer({ capacity: 100_000 }), CacheAnalytics.layer))

describe("CacheAnalytics", () => {
  for (const [count, seed] of [
    [300, 1],
    [5_000, 2],
    [50_000, 3]
  ] as const) {
    it(`its curve is within 4 % of exact caches, for ${count} keys (seed ${seed})`, () => {
      const next = zipf(count, seed)
      const keys = Array.from({ length: lookLength }, () => `user:${next()}`)
      const recorder = new Recorder()
      for (const key of keys) recorder.get(key, "other")
      const curve = recorder.report.curve.map(([entries, hitRatio]) => ({ entries, hitRatio }))
      for (const size of [32, 128, 512, 2_048, 8_192]) {
        const told = CacheAnalytics.hitRatioAt({ curve }, size)
        assert.isBelow(Math.abs(told - lru(keys, size)), 0.04, `${size}: ${told}, exactly ${lru(keys, size)}`)
      }
      const distinct = new Set(keys).size
      assert.isBelow(Math.abs(recorder.report.keys - distinct) / distinct, 0.1)
    })
  }

  it("names the keys that are asked for most, with their parts", () => {
    const next = zipf(10_000, 4)
    const recorder = new Recorder()
    const counts = new Map<string, number>()
    for (let get = 0; get < lookLength; get++) {
      const key = `k${next()}`
      counts.set(key, (counts.get(key) ?? 0) + 1)
      recorder.get(key, "hit")
    }
    const exact = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 5)
    const told = new Map(recorder.report.hottest)
    for (const [key, count] of exact) {
      assert.isBelow(Math.abs((told.get(key) ?? 0) - count / lookLength), 0.02, key)
    }
    assert.isAtMost(recorder.report.hottest.length, 20)
  })

  it("is not blind for programs that ask for keys in turns", () => {
    for (const turn of [2, 3, 4, 8, 16]) {
      const recorder = new Recorder()
      for (let get = 0; get < 8_192; get++) recorder.get(get % turn === 0 ? "in turn" : `other ${get}`, "hit")
      const [first] = recorder.report.hottest
      assert.strictEqual(first?.[0], "in turn")
      assert.isBelow(Math.abs((first?.[1] ?? 0) - 1 / turn), 0.05)
    }
  })

  it("remembers little, however many keys there are, and looks away when there is much to see", () => {
    const recorder = new Recorder()
    for (let get = 0; get < lookLength; get++) recorder.get(`key ${get}`, "loaded")
    const { hottest, keys, reloaded, unused } = recorder.report
    assert.isBelow(Math.abs(keys - lookLength) / lookLength, 0.1)
    assert.deepStrictEqual([reloaded, unused], [0, 1])
    assert.isTrue(hottest.every(([, part]) => part < 0.01))
    // no key is as frequent as this one, but nobody looks
    for (let look = 0; look < 2; look++) for (let get = 0; get < lookLength; get++) recorder.get("one", "hit")
    assert.strictEqual(recorder.report.gets, lookLength)
  })

  it.scoped("sees hits and loads of every cache under it, and forgets those that are closed", () =>
    Effect.gen(function* () {
      const make = Cache.make("lengths", { lookup: (word: string) => Effect.succeed(word.length) })
      yield* Effect.scoped(
        Effect.gen(function* () {
          const cache = yield* make
          for (let round = 0; round < 4_000; round++) {
            yield* cache.get("often")
            yield* cache.get("often")
            yield* cache.get(`once ${round}`)
          }
          const report = (yield* CacheAnalytics.reports)[0]!
          assert.deepStrictEqual([report.cache, report.gets], ["lengths", 12_000])
          assert.strictEqual(report.hottest[0]?.key, "often")
          assert.isBelow(Math.abs((report.hottest[0]?.part ?? 0) - 2 / 3), 0.05)
          assert.isAbove(report.unused, 0.9)
          const said = CacheAnalytics.advice(report, 4_001)
          assert.isTrue(said.some((sentence) => sentence.includes("is never asked for again")))
          assert.isTrue(said.some((sentence) => /one key has 6\d % of the gets/.test(sentence)))
          assert.isTrue(said.some((sentence) => sentence.includes("half the capacity")))
        })
      )
      assert.deepStrictEqual(yield* CacheAnalytics.reports, [])
    }).pipe(over)
  )

  it("advises more room where that would help, longer lives where they are short, and nothing where little was seen", () => {
    const report = {
      cache: "c",
      gets: 5_000,
      keys: 1_000,
      hottest: [],
      unused: 0,
      reloaded: 0.8,
      curve: [
        { entries: 64, hitRatio: 0.1 },
        { entries: 128, hitRatio: 0.3 },
        { entries: 256, hitRatio: 0.7 }
      ]
    }
    assert.deepStrictEqual(CacheAnalytics.advice(report, 128), [
      "twice the capacity (256 entries) would raise the hit ratio by 40 %",
      "80 % of the keys are loaded again and again: a longer timeToLive, or staleWhileRevalidate, would save loads"
    ])
    assert.deepStrictEqual(CacheAnalytics.advice({ ...report, gets: 10 }, 128), [])
    assert.deepStrictEqual(
      [0, 64, 1e9].map((entries) => CacheAnalytics.hitRatioAt(report, entries)),
      [0.1, 0.1, 0.7]
    )
    assert.strictEqual(CacheAnalytics.hitRatioAt({ curve: [] }, 5), 0)
  })
})
