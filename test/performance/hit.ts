/**
 * What a memory hit costs: inside a running fiber, by kind of key and way of calling, beside `effect/Cache`; and what
 * entering Effect for a single hit costs.
 *
 * Workload: 1000 entries in caches of capacity 10 000, all present and fresh, read round and round.
 */
import { Cache as EffectCache, Data, Effect, Exit, Option, Schema } from "effect"
import type { Runtime, Scope } from "effect"
import { Cache, Cached, CacheKey, MemoryStore } from "effect-larder"
import type { CacheStore } from "effect-larder"
import * as Build from "larder-internal/internal/cache/build.js"
import * as Claims from "./claims.js"
import type { Sample, Subject } from "./measure.js"
import { measure, ratios } from "./measure.js"
import type { Result, Suite } from "./suite.js"
import { finder, inFiber, toRow } from "./suite.js"
import { around, textKeys } from "./workloads.js"

const entries = 1_000
const capacity = 10_000
const timeToLive = "1 hour"

const Page = Schema.Struct({ org: Schema.String, page: Schema.Number })
type Page = typeof Page.Type

const texts = textKeys(entries)
const numbers = texts.map((_, index) => index)
const pages: ReadonlyArray<Page> = texts.map((org, page) => ({ org, page }))
/** What `effect/Cache` needs to find a record again: equality by value. Its hash is kept after the first use. */
const dataPages = pages.map((page) => Data.struct(page))

const pageCodec = CacheKey.forSchema(Page)

/** A key that brings its text along, so that a struct's hit can be measured without the building of its key. */
interface Prepared {
  readonly page: Page
  readonly text: string
}
const prepared = pages.map((page): Prepared => ({ page, text: pageCodec.unsafeEncode(page) }))
const preparedCodec: CacheKey.KeyCodec<Prepared> = {
  unsafeEncode: ({ text }) => text,
  textOf: () => undefined,
  decode: () => Option.none()
}

class Lengths extends Cache.Service<Lengths>()("bench/Lengths", {
  key: Schema.String,
  lookup: (text) => Effect.succeed(text.length),
  timeToLive
}) {}

const lengthOf = Cached.fn("bench/lengthOf", { timeToLive })((text: string) => Effect.succeed(text.length))

const peer = <K>() => EffectCache.make({ capacity, timeToLive, lookup: (_: K) => Effect.succeed(1) })

type Requirements = Lengths | CacheStore.CacheStore

const caches = Effect.gen(function* () {
  const all = {
    text: yield* Cache.make("text", { key: Schema.String, lookup: (_) => Effect.succeed(1), timeToLive }),
    number: yield* Cache.make("number", { key: Schema.Number, lookup: (_) => Effect.succeed(1), timeToLive }),
    page: yield* Cache.make("page", { key: Page, lookup: (_) => Effect.succeed(1), timeToLive }),
    prepared: yield* Build.make("prepared", { keys: preparedCodec, lookup: (_) => Effect.succeed(1), timeToLive }),
    peerText: yield* peer<string>(),
    peerNumber: yield* peer<number>(),
    peerPage: yield* peer<Page>()
  }
  for (let index = 0; index < entries; index++) {
    const [text, number, page] = [texts[index]!, numbers[index]!, pages[index]!]
    yield* Effect.all([all.text.get(text), all.number.get(number), all.page.get(page)])
    yield* all.prepared.get(prepared[index]!)
    yield* Effect.all([all.peerText.get(text), all.peerNumber.get(number), all.peerPage.get(dataPages[index]!)])
    yield* Effect.all([Lengths.get(text), lengthOf(text)])
  }
  return all
})

type Caches = Effect.Effect.Success<typeof caches>

const names = {
  floor: "no cache: an effect that is ready",
  map: "no cache: a Map inside one effect",
  text: "larder  Cache.get, string",
  number: "larder  Cache.get, number",
  prepared: "larder  Cache.get, struct, its key's text ready",
  page: "larder  Cache.get, struct",
  service: "larder  Service.get, string",
  fn: "larder  Cached.fn, string",
  peerText: "effect/Cache, string",
  peerNumber: "effect/Cache, number",
  peerPage: "effect/Cache, struct (Data, kept)",
  peerPageAnew: "effect/Cache, struct (Data, made anew)",
  pageKey: "larder  key of a struct"
} as const

/** Until it can be looked up: text that was put together is only made flat, and hashed, when a Map is asked for it. */
const keyBuilding = (): Subject => {
  const next = around(pages)
  const other = new Map([["another key", true]])
  return {
    name: names.pageKey,
    run: (times) => {
      let found = 0
      for (let done = 0; done < times; done++) if (other.has(pageCodec.unsafeEncode(next()))) found++
      if (found !== 0) throw new Error("two keys met")
    }
  }
}

const insideFiber = (runtime: Runtime.Runtime<Requirements>, all: Caches): ReadonlyArray<Subject> => {
  const over = <A>(
    name: string,
    items: ReadonlyArray<A>,
    f: (item: A) => Effect.Effect<unknown, unknown, Requirements>
  ) => {
    const next = around(items)
    return inFiber(runtime, name, () => f(next()))
  }
  const map = new Map(texts.map((text) => [text, Exit.succeed(1)]))
  const ready = texts.map(() => Exit.succeed(1))
  return [
    over(names.floor, ready, (exit) => exit),
    over(names.map, texts, (text) => Effect.withFiberRuntime(() => map.get(text)!)),
    over(names.text, texts, all.text.get),
    over(names.number, numbers, all.number.get),
    over(names.prepared, prepared, all.prepared.get),
    over(names.page, pages, all.page.get),
    over(names.service, texts, Lengths.get),
    over(names.fn, texts, (text) => lengthOf(text)),
    over(names.peerText, texts, (text) => all.peerText.get(text)),
    over(names.peerNumber, numbers, (number) => all.peerNumber.get(number)),
    over(names.peerPage, dataPages, (page) => all.peerPage.get(page)),
    over(names.peerPageAnew, pages, (page) => all.peerPage.get(Data.struct(page))),
    keyBuilding()
  ]
}

const entering = (all: Caches): ReadonlyArray<Subject> => {
  const sync = (name: string, f: (text: string) => Effect.Effect<unknown, unknown>): Subject => {
    const next = around(texts)
    return {
      name: `runSync     ${name}`,
      run: (times) => {
        for (let done = 0; done < times; done++) Effect.runSync(f(next()))
      }
    }
  }
  const promise = (name: string, f: (text: string) => Effect.Effect<unknown, unknown>): Subject => {
    const next = around(texts)
    return {
      name: `runPromise  ${name}`,
      run: async (times) => {
        for (let done = 0; done < times; done++) await Effect.runPromise(f(next()))
      }
    }
  }
  // an effect that is a value already would not even start a fiber
  const simple = Effect.sync(() => 1)
  return [sync, promise].flatMap((way) => [
    way("no cache: the simplest effect", () => simple),
    way("larder  Cache.get, string", all.text.get),
    way("effect/Cache, string", (text) => all.peerText.get(text))
  ])
}

const claimsOf = (find: (name: string) => Sample): ReadonlyArray<Claims.Claim> => {
  const kinds: ReadonlyArray<readonly [what: string, own: Sample, peer: Sample]> = [
    ["Cache.get, string key", find(names.text), find(names.peerText)],
    ["Cache.get, number key", find(names.number), find(names.peerNumber)],
    ["Cache.get, struct key, key building apart", find(names.prepared), find(names.peerPage)],
    ["Service.get, string key", find(names.service), find(names.peerText)],
    ["Cached.fn, string key", find(names.fn), find(names.peerText)]
  ]
  return kinds.flatMap(([what, own, peer]) => [
    Claims.below(`a hit in a running fiber costs < 1 µs: ${what}`, "ns", 1_000, own.nanos),
    Claims.below(`a hit costs less than effect/Cache's: ${what}`, "x", 1, ratios(own, peer))
  ])
}

const suite = (quick: boolean): Effect.Effect<Result, unknown, Requirements | Scope.Scope> =>
  Effect.gen(function* () {
    const all = yield* caches
    const runtime = yield* Effect.runtime<Requirements>()
    const inside = yield* Effect.promise(() =>
      measure(insideFiber(runtime, all), { warmup: quick ? 20 : 50, rounds: quick ? 60 : 400, batch: 4_096 })
    )
    const outside = yield* Effect.promise(() =>
      measure(entering(all), { warmup: 20, rounds: quick ? 40 : 200, batch: 1_024 })
    )
    return {
      tables: [
        { title: "A hit inside a running fiber, the loop included", rows: inside.map(toRow) },
        { title: "Entering Effect for a single hit", rows: outside.map(toRow) }
      ],
      claims: claimsOf(finder(inside))
    }
  })

export const hit: Suite = ({ quick }) =>
  suite(quick).pipe(
    Effect.scoped,
    Effect.provide(Lengths.layer),
    Effect.provide(MemoryStore.layer({ capacity })),
    Effect.runPromise
  )
