/** The debug mode: everything, with keys; and without it, no key anywhere. */
import { assert, describe, it } from "@effect/vitest"
import { Cache, CacheEvents, CacheLog, MemoryStore } from "effect-larder"
import { ConfigProvider, Effect, HashMap, Layer, Logger } from "effect"
import { settled } from "../fixtures/cache/harness.js"

interface Line {
  readonly message: string
  readonly level: string
  readonly annotations: Readonly<Record<string, unknown>>
}

/** What a program logs with this Layer around it: a load, two hits, a failure and a removal of keys that nobody may see. */
const logged = (layer: Layer.Layer<never>, variables: Readonly<Record<string, string>> = {}) =>
  Effect.suspend(() => {
    const lines: Array<Line> = []
    const listening = Logger.add(
      Logger.make(({ annotations, logLevel, message }) => {
        lines.push({
          message: String(message),
          level: logLevel.label,
          annotations: Object.fromEntries(HashMap.toEntries(annotations))
        })
      })
    )
    const program = Effect.gen(function* () {
      const cache = yield* Cache.make("users", {
        lookup: (key: string) => (key === "secret bad" ? Effect.fail("refused") : Effect.succeed(key.length))
      })
      yield* cache.get("secret key")
      yield* cache.get("secret key")
      yield* Effect.either(cache.get("secret bad"))
      yield* cache.invalidate("secret key")
      yield* Effect.logDebug("mine, a detail")
      yield* settled
    })
    return program.pipe(
      Effect.scoped,
      Effect.provide(MemoryStore.layer().pipe(Layer.provideMerge(layer))),
      Effect.provide(listening),
      Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(variables)))),
      Effect.as(lines)
    )
  })

const tellsAll = (lines: ReadonlyArray<Line>) => {
  const said = lines.map(({ annotations, message }) => `${message} ${String(annotations["key"] ?? "")}`)
  assert.includeMembers(said, [
    "larder: Loaded secret key",
    "larder: Hit secret key",
    "larder: LoadFailed secret bad",
    "larder: Removed secret key"
  ])
  const loaded = lines.find(({ message }) => message === "larder: Loaded")
  assert.deepStrictEqual([loaded?.level, typeof loaded?.annotations["millis"]], ["DEBUG", "number"])
}

const tellsNothing = (lines: ReadonlyArray<Line>) => assert.notInclude(JSON.stringify(lines), "secret")

describe("CacheLog.layerDebug", () => {
  it.effect("tells everything that caches do, with keys and times", () =>
    Effect.map(logged(CacheLog.layerDebug), (lines) => {
      tellsAll(lines)
      assert.isTrue(lines.some(({ message }) => message === "mine, a detail"))
    })
  )

  it.effect("without it no key is told", () => Effect.map(logged(CacheEvents.layer({ hits: true })), tellsNothing))
})

describe("CacheLog.layerEnvironment", () => {
  it.effect("is the debug mode where LARDER_DEBUG says so", () =>
    Effect.gen(function* () {
      tellsAll(yield* logged(CacheLog.layerEnvironment, { LARDER_DEBUG: "true" }))
      for (const no of [{}, { LARDER_DEBUG: "false" }, { LARDER_DEBUG: "perhaps" }]) {
        tellsNothing(yield* logged(CacheLog.layerEnvironment, no))
      }
    })
  )

  it.effect("else logs what LARDER_LOG_LEVEL lets through", () =>
    Effect.gen(function* () {
      const details = (variables: Readonly<Record<string, string>>) =>
        Effect.map(logged(CacheLog.layerEnvironment, variables), (lines) => lines.length)
      assert.strictEqual(yield* details({}), 0)
      assert.strictEqual(yield* details({ LARDER_LOG_LEVEL: "DEBUG" }), 1)
      assert.strictEqual(yield* details({ LARDER_LOG_LEVEL: "nonsense" }), 0)
    })
  )
})
