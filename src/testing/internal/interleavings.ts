/**
 * The law of fences, checked on random histories: what a store answers is always one of the values that the history
 * permits. A store may drop more than it must (its memory of invalidations is coarse), so several may be permitted;
 * none that was invalidated ever is.
 */
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import type * as CacheStore from "../../CacheStore.js"
import * as Regions from "./regions.js"

const keys = ["a", "b", "c"]
const tags = ["t", "u"]

export type Step =
  | { readonly do: "epoch"; readonly slot: number }
  | { readonly do: "load"; readonly key: string; readonly slot: number; readonly tags: ReadonlyArray<string> }
  | { readonly do: "set"; readonly key: string; readonly tags: ReadonlyArray<string> }
  | { readonly do: "delete"; readonly key: string }
  | { readonly do: "bump"; readonly tag: string }
  | { readonly do: "clear" }
  | { readonly do: "all" }

const key = fc.constantFrom(...keys)
const slot = fc.nat(2)
const someTags = fc.subarray(tags)

export const steps: fc.Arbitrary<Array<Step>> = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant("epoch"), slot }) as fc.Arbitrary<Step> },
    { weight: 6, arbitrary: fc.record({ do: fc.constant("load"), key, slot, tags: someTags }) as fc.Arbitrary<Step> },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("set"), key, tags: someTags }) as fc.Arbitrary<Step> },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("delete"), key }) as fc.Arbitrary<Step> },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant("bump"), tag: fc.constantFrom(...tags) }) as fc.Arbitrary<Step>
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("clear") }) as fc.Arbitrary<Step> },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("all") }) as fc.Arbitrary<Step> }
  ),
  { minLength: 4, maxLength: 24 }
)

interface Permitted {
  readonly value: number
  readonly tags: ReadonlyArray<string>
}

/** What has happened, in steps: the last invalidation of each key and tag, and what each key may answer. */
export class Model {
  private time = 0
  private readonly keyTime = new Map<string, number>()
  private readonly tagTime = new Map<string, number>()
  private readonly permitted = new Map<string, ReadonlyArray<Permitted>>()

  private timeOf(times: ReadonlyMap<string, number>, name: string): number {
    return times.get(name) ?? 0
  }

  now(): number {
    return this.time
  }

  load(key: string, since: number, entry: Permitted): void {
    const current =
      since >= this.timeOf(this.keyTime, key) && entry.tags.every((tag) => since >= this.timeOf(this.tagTime, tag))
    if (current) this.permitted.set(key, [...this.of(key), entry])
  }

  set(key: string, entry: Permitted): void {
    this.keyTime.set(key, ++this.time)
    this.permitted.set(key, [entry])
  }

  delete(key: string): void {
    this.keyTime.set(key, ++this.time)
    this.permitted.set(key, [])
  }

  bump(tag: string): void {
    this.tagTime.set(tag, ++this.time)
    for (const [name, all] of this.permitted) {
      this.permitted.set(
        name,
        all.filter((entry) => !entry.tags.includes(tag))
      )
    }
  }

  clear(): void {
    for (const name of keys) this.delete(name)
  }

  of(key: string): ReadonlyArray<Permitted> {
    return this.permitted.get(key) ?? []
  }
}

/** Runs a history and answers with the first wrong answer in words, or `undefined`. */
export const run = (region: Regions.Region, history: ReadonlyArray<Step>) =>
  Effect.gen(function* () {
    const model = new Model()
    const start = { time: model.now(), epoch: yield* Regions.epochOf(region) }
    const slots: Array<{ readonly time: number; readonly epoch: CacheStore.Epoch }> = [start, start, start]
    for (const [value, step] of history.entries()) {
      switch (step.do) {
        case "epoch":
          slots[step.slot] = { time: model.now(), epoch: yield* Regions.epochOf(region) }
          break
        case "load": {
          const { epoch, time } = slots[step.slot]!
          yield* Regions.put(region, step.key, value, { tags: step.tags, since: epoch })
          model.load(step.key, time, { value, tags: step.tags })
          break
        }
        case "set":
          yield* Regions.put(region, step.key, value, { tags: step.tags })
          model.set(step.key, { value, tags: step.tags })
          break
        case "delete":
          yield* region.deleteMany([step.key])
          model.delete(step.key)
          break
        case "bump":
          yield* region.invalidateTags([step.tag])
          model.bump(step.tag)
          break
        case "clear":
          yield* region.clear
          model.clear()
          break
        case "all":
          yield* region.invalidateAll
          model.clear()
      }
      const answers = yield* Regions.values(region, ...keys)
      const wrong = keys.findIndex((name, index) => {
        const answer = answers[index]
        return answer !== undefined && !model.of(name).some((entry) => entry.value === answer)
      })
      if (wrong >= 0) return `after step ${value}, '${keys[wrong]}' is ${String(answers[wrong])}, which is out of date`
      if (step.do === "set" && answers[keys.indexOf(step.key)] !== value) return `step ${value}: a set did not hold`
    }
    return undefined
  })
