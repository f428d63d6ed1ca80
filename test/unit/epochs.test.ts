/** The bounded memory of what was invalidated when: it may forget, but only to the side of safety. */
import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { Epochs, maxTags, unknownEpoch } from "../../src/internal/epochs.js"

/** The same with a memory that has no end. */
class Naive {
  now = 0
  cleared = 0
  readonly keys = new Map<string, number>()
  readonly tags = new Map<string, number>()
  fence(key: string): void {
    this.keys.set(key, ++this.now)
  }
  fenceAll(): void {
    this.cleared = ++this.now
  }
  bump(tag: string): void {
    this.tags.set(tag, ++this.now)
  }
  accepts(key: string, since: number): boolean {
    return since >= this.cleared && since >= (this.keys.get(key) ?? 0)
  }
  outdated(tags: ReadonlyArray<string>, since: number): boolean {
    return tags.some((tag) => since < (this.tags.get(tag) ?? 0))
  }
}

const keys = ["", "a", "b", "user:1", "user:2", "x".repeat(100), "__proto__"]
const tags = ["", "t", "u", "__proto__", "constructor"]

type Step =
  | { readonly do: "fence"; readonly name: string }
  | { readonly do: "bump"; readonly name: string }
  | { readonly do: "fenceAll" }

const histories: fc.Arbitrary<ReadonlyArray<Step>> = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ do: fc.constant("fence" as const), name: fc.constantFrom(...keys) }) },
    { weight: 5, arbitrary: fc.record({ do: fc.constant("bump" as const), name: fc.constantFrom(...tags) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("fenceAll" as const) }) }
  ),
  { maxLength: 40 }
)

const apply = (epochs: Epochs | Naive, step: Step): void => {
  if (step.do === "fence") epochs.fence(step.name)
  else if (step.do === "bump") epochs.bump(step.name)
  else epochs.fenceAll()
}

describe("Epochs", () => {
  it("accept whatever starts now, and nothing of an unknown epoch", () => {
    const epochs = new Epochs()
    for (const key of keys) {
      epochs.fence(key)
      assert.isTrue(epochs.accepts(key, epochs.now))
      assert.isFalse(epochs.accepts(key, unknownEpoch))
      assert.isFalse(new Epochs().accepts(key, unknownEpoch))
    }
    for (const tag of tags) {
      epochs.bump(tag)
      assert.isFalse(epochs.outdated(tags, epochs.now))
    }
  })

  it("never go back, and rise with every invalidation", () => {
    fc.assert(
      fc.property(histories, (history) => {
        const epochs = new Epochs()
        history.forEach((step, index) => {
          apply(epochs, step)
          assert.strictEqual(epochs.now, index + 1)
        })
      })
    )
  })

  it("never accept what an endless memory would not, whatever the history", () => {
    fc.assert(
      fc.property(histories, fc.subarray(tags), (history, some) => {
        const epochs = new Epochs()
        const naive = new Naive()
        for (const step of history) {
          apply(epochs, step)
          apply(naive, step)
          for (let since = 0; since <= epochs.now; since++) {
            for (const key of keys) if (!naive.accepts(key, since)) assert.isFalse(epochs.accepts(key, since))
            // so few tags are remembered one by one: here they agree
            assert.strictEqual(epochs.outdated(some, since), naive.outdated(some, since))
          }
        }
      })
    )
  })

  it("do not touch what they have nothing to do with", () => {
    const epochs = new Epochs()
    const since = epochs.now
    epochs.fence("a")
    epochs.bump("t")
    assert.isFalse(epochs.accepts("a", since))
    assert.isTrue(epochs.accepts("b", since))
    assert.isFalse(epochs.outdated(["u"], since))
    assert.isFalse(epochs.outdated([], since))
  })

  it("spread neighbouring keys over the 1 024 slots: one fence costs few others", () => {
    const names = Array.from({ length: 10_000 }, (_, index) => `user:${index}`)
    const epochs = new Epochs()
    epochs.fence("user:5000")
    const refused = names.filter((name) => !epochs.accepts(name, 0))
    assert.include(refused, "user:5000")
    // 10 to a slot if they were spread evenly
    assert.isBelow(refused.length, 100)
  })

  it("keep fences of any number of keys, in no more room", () => {
    const epochs = new Epochs()
    const names = Array.from({ length: 50_000 }, (_, index) => `key ${index}`)
    for (const name of names) epochs.fence(name)
    assert.isTrue(names.every((name) => !epochs.accepts(name, 0)))
    assert.isTrue(names.every((name) => epochs.accepts(name, epochs.now)))
    const [fences] = Object.values(epochs).filter((field) => field instanceof Float64Array)
    assert.strictEqual(fences?.length, 1_024)
  })

  it("remember 10 000 tags; those that are forgotten outdate all that is older, and make nothing valid again", () => {
    const epochs = new Epochs()
    const count = maxTags + 500
    const names = Array.from({ length: count }, (_, index) => `tag ${index}`)
    names.forEach((name) => epochs.bump(name))
    const [remembered] = Object.values(epochs).filter((field) => field instanceof Map)
    assert.strictEqual(maxTags, 10_000)
    assert.strictEqual(remembered?.size, maxTags)
    // the tag at `index` was bumped at epoch `index + 1`
    names.forEach((name, index) => {
      assert.isTrue(epochs.outdated([name], index), name)
      assert.isFalse(epochs.outdated([name], epochs.now), name)
    })
    // coarser than asked: of what nobody has bumped, all that is older than the youngest forgotten tag
    assert.isTrue(epochs.outdated(["never bumped"], 499))
    assert.isFalse(epochs.outdated(["never bumped"], 500))
    assert.isFalse(epochs.outdated([], 0), "what has no tag is not touched")
  })

  it("a tag that is bumped again is young again", () => {
    const epochs = new Epochs()
    epochs.bump("old")
    for (let index = 0; index < maxTags - 1; index++) epochs.bump(`tag ${index}`)
    epochs.bump("old")
    const last = epochs.now
    for (let index = 0; index < maxTags - 1; index++) epochs.bump(`more ${index}`)
    assert.isTrue(epochs.outdated(["old"], last - 1))
    assert.isFalse(epochs.outdated(["old"], last), "its own last bump is still remembered one by one")
  })
})
