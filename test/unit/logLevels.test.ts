/** What is logged, at which level and with which fields; and that the logs and spans of one call are found by one id. */
import { assert, describe, it } from "@effect/vitest"
import {
  Cache,
  CacheConfig,
  CacheError,
  CacheEvents,
  CacheLog,
  CacheStore,
  CacheTracing,
  MemoryStore
} from "effect-larder"
import * as SqliteStore from "effect-larder/SqliteStore"
import { FaultyStore } from "effect-larder/testing"
import { Cause, ConfigProvider, Effect, HashMap, Layer, Logger, LogLevel, Schema, TestClock } from "effect"
import { settled } from "../fixtures/cache/harness.js"

interface Line {
  readonly level: string
  readonly message: string
  readonly about: Readonly<Record<string, unknown>>
  readonly cause: string
}

/** All that is logged while an effect runs, details too. */
const heard = <A, E, R>(
  self: Effect.Effect<A, E, R>,
  hear: (logger: Logger.Logger<unknown, void>) => Logger.Logger<unknown, void> = (logger) => logger
) =>
  Effect.suspend(() => {
    const lines: Array<Line> = []
    const listening = Logger.make<unknown, void>(({ annotations, cause, logLevel, message }) => {
      lines.push({
        level: logLevel.label,
        message: String(Array.isArray(message) ? message[0] : message),
        about: Object.fromEntries(HashMap.toEntries(annotations)),
        cause: Cause.pretty(cause, { renderErrorCause: true })
      })
    })
    return self.pipe(
      Effect.provide(Logger.replace(Logger.defaultLogger, hear(listening))),
      Logger.withMinimumLogLevel(LogLevel.All),
      Effect.as(lines)
    )
  })

const levelsOf = (lines: ReadonlyArray<Line>) => lines.map(({ level, message }) => `${level} ${message}`)
const isHash = (text: unknown) => assert.match(String(text), /^[0-9a-f]{16}$/)
const failing = (failure: CacheError.StoreFailure): FaultyStore.Fault => ({ _tag: "Fail", failure })
const diskFull = new CacheError.StoreError({
  store: "DiskStore",
  operation: "write",
  reason: "the disk is full",
  transient: false,
  hint: "make room",
  cause: new Error("ENOSPC")
})
const lost = new CacheError.StoreError({ ...diskFull, reason: "connection lost", transient: true })

describe("levels", () => {
  const Faulty = FaultyStore.over(MemoryStore.layer())
  const length = { lookup: (word: string) => Effect.succeed(word.length) }

  it.effect("what an event tells is a detail; what stood in for something better is a warning", () =>
    Effect.gen(function* () {
      const state = { isDown: false }
      const lookup = (word: string) => (state.isDown ? Effect.fail("down") : Effect.succeed(word.length))
      const lines = yield* heard(
        Effect.gen(function* () {
          const cache = yield* Cache.make("words", { lookup, timeToLive: "1 second", staleIfError: "1 hour" })
          yield* cache.get("secret")
          yield* cache.get("secret")
          yield* TestClock.adjust("2 seconds")
          state.isDown = true
          yield* cache.get("secret")
          yield* Effect.ignore(cache.get("secret too"))
          yield* cache.invalidate("secret")
          yield* settled
        }).pipe(
          Effect.scoped,
          Effect.provide(MemoryStore.layer().pipe(Layer.provideMerge(CacheLog.layer({ hits: true }))))
        )
      )
      const told = levelsOf(lines.filter(({ message }) => !message.includes("using")))
      assert.includeMembers(told, [
        "DEBUG larder: Loaded",
        "DEBUG larder: Hit",
        "DEBUG larder: LoadFailed",
        "DEBUG larder: Invalidated",
        "WARN larder: FailsafeServed"
      ])
      assert.isTrue(told.every((line) => line.startsWith("DEBUG") || line.endsWith("FailsafeServed")))
      for (const { about, message } of lines) if (message.endsWith("Loaded")) isHash(about["key"])
      assert.notInclude(JSON.stringify(lines), "secret")
    })
  )

  it.effect("hits are told only where that is asked for, and events are heard as with CacheEvents.layer", () =>
    Effect.gen(function* () {
      const lines = yield* heard(
        Effect.gen(function* () {
          const { hits, isHeard } = yield* CacheEvents.CacheEvents
          assert.deepStrictEqual([hits, isHeard], [false, true])
          const cache = yield* Cache.make("words", length)
          yield* cache.getMany(["a", "a"])
          yield* cache.get("a")
        }).pipe(Effect.scoped, Effect.provide(MemoryStore.layer().pipe(Layer.provideMerge(CacheLog.layer()))))
      )
      assert.include(levelsOf(lines), "DEBUG larder: Loaded")
      assert.notInclude(levelsOf(lines), "DEBUG larder: Hit")
    })
  )

  it.effect("a store that may come back is a warning, once; its return is news", () =>
    Effect.gen(function* () {
      const lines = yield* heard(
        Effect.gen(function* () {
          const cache = yield* Cache.make("words", length)
          const faults = yield* FaultyStore.Faults
          yield* faults.break(failing(lost))
          yield* cache.get("secret")
          yield* cache.get("secret")
          yield* faults.heal
          yield* cache.get("other")
        }).pipe(Effect.scoped, Effect.provide(Faulty))
      )
      const told = levelsOf(lines).filter((line) => line.includes("cache 'words'"))
      assert.deepStrictEqual(told, [
        `WARN larder: cache 'words' goes on without its store. ${lost.message}`,
        "INFO larder: cache 'words' has its store back"
      ])
      const { about, cause } = lines.find(({ level }) => level === "WARN")!
      assert.deepStrictEqual([about["cache"], about["store"], about["operation"]], ["words", "DiskStore", "write"])
      isHash(about["key"])
      assert.strictEqual(cause, Cause.pretty(Cause.empty))
      // what is no news is a detail, and has the same fields
      const again = lines.filter(({ level, message }) => level === "DEBUG" && message.includes(lost.message))
      assert.isAbove(again.length, 0)
      isHash(again[0]!.about["key"])
    })
  )

  it.effect("one that somebody has to repair is an error, with cause, store, cache, operation and hashed key", () =>
    Effect.gen(function* () {
      const lines = yield* heard(
        Effect.gen(function* () {
          const cache = yield* Cache.make("words", length)
          yield* (yield* FaultyStore.Faults).break(failing(diskFull))
          yield* cache.get("secret")
          yield* cache.getMany(["one", "two"])
        }).pipe(Effect.scoped, Effect.provide(Faulty))
      )
      const errors = lines.filter(({ level }) => level === "ERROR")
      assert.strictEqual(errors.length, 1, levelsOf(lines).join("\n"))
      const { about, cause, message } = errors[0]!
      assert.strictEqual(message, `larder: cache 'words' goes on without its store. ${diskFull.message}`)
      const { key, ...rest } = about
      isHash(key)
      assert.deepStrictEqual(rest, { cache: "words", store: "DiskStore", operation: "write" })
      assert.match(cause, /StoreError: .*the disk is full[^]*ENOSPC/)
      assert.isTrue(lines.some(({ about: { keys } }) => keys === 2))
      assert.notInclude(JSON.stringify(lines), "secret")
    })
  )

  it.effect("a value that cannot be kept is an error that does not show the value", () =>
    Effect.gen(function* () {
      const lines = yield* heard(
        Effect.gen(function* () {
          const cache = yield* Cache.make("words", {
            key: Schema.String,
            success: Schema.Number,
            lookup: () => Effect.succeed("a secret value" as unknown as number)
          })
          yield* cache.get("secret key")
        }).pipe(Effect.scoped, Effect.provide(SqliteStore.layerMemory))
      )
      const { about, level } = lines.find(({ message }) => message.includes("could not store a value"))!
      assert.strictEqual(level, "ERROR")
      assert.deepStrictEqual([about["cache"], about["operation"]], ["words", "set"])
      isHash(about["key"])
      assert.isString(about["cause"])
      assert.notInclude(JSON.stringify(lines), "secret")
    })
  )

  it.effect("another store than the one that was wanted is a warning, and says instead of which", () =>
    Effect.gen(function* () {
      const missing = Layer.fail(new CacheError.StoreUnavailable({ store: "RedisStore", reason: "refused", hint: "" }))
      const lines = yield* heard(
        Effect.provide(Effect.void, (missing as typeof Faulty).pipe(CacheStore.orElse(MemoryStore.layer())))
      )
      assert.deepStrictEqual(levelsOf(lines), ["WARN larder: using MemoryStore (RedisStore: refused)"])
      assert.deepStrictEqual(lines[0]?.about, { store: "MemoryStore", insteadOf: ["RedisStore: refused"] })
    })
  )

  it.effect("other settings than those around are news, with what they were and where they come from", () =>
    Effect.gen(function* () {
      const inner = Effect.provide(Effect.void, CacheConfig.layer({ timeToLive: "5 minutes", maxEntries: 1_000 }))
      const outer = Effect.provide(inner, CacheConfig.layer({ maxEntries: 1_000 }))
      const environment = ConfigProvider.fromMap(new Map([["LARDER_CAPACITY", "50"]]))
      const lines = yield* heard(Effect.withConfigProvider(outer, environment))
      assert.deepStrictEqual(levelsOf(lines), [
        "INFO larder: settings: maxEntries 1000 instead of 10000 (explicit)",
        "INFO larder: settings: timeToLive 5 minutes instead of Infinity (explicit)"
      ])
      assert.deepStrictEqual(lines[1]?.about, {
        changes: [{ field: "timeToLive", was: "Infinity", is: "5 minutes", source: "explicit" }]
      })
      const fromOutside = yield* heard(
        Effect.withConfigProvider(Effect.provide(Effect.void, CacheConfig.layer()), environment)
      )
      assert.match(fromOutside[0]!.message, /maxEntries 50 instead of 10000 \(environment LARDER_CAPACITY\)/)
      assert.deepStrictEqual(yield* heard(Effect.provide(Effect.void, CacheConfig.layer())), [])
    })
  )
})

describe("CacheTracing.withCorrelationId", () => {
  const Store = MemoryStore.layer().pipe(Layer.provideMerge(CacheLog.layer({ hits: true })))
  /** A call in the trace of a request: it loads, and its lookup logs too. */
  const call = Effect.gen(function* () {
    const cache = yield* Cache.make("words", {
      lookup: (word: string) => Effect.as(Effect.log("looked up"), word.length)
    })
    yield* cache.get("bread")
    yield* cache.get("bread")
  })

  it.effect("logs and spans of one call have its id, and the logs of the library the trace's", () =>
    Effect.gen(function* () {
      let spans: ReadonlyArray<{
        readonly name: string
        readonly traceId: string
        readonly attributes: ReadonlyMap<string, unknown>
      }> = []
      const request = call.pipe(Effect.withSpan("request"), CacheTracing.withCorrelationId("request-7"))
      const lines = yield* heard(
        CacheTracing.collect(request).pipe(
          Effect.tap(([, found]) => Effect.sync(() => void (spans = found))),
          Effect.scoped,
          Effect.provide(Store)
        )
      )
      assert.deepStrictEqual(
        spans.map(({ name }) => name),
        ["request", "larder.load"]
      )
      for (const { attributes } of spans) assert.strictEqual(attributes.get("correlation.id"), "request-7")
      const ours = lines.filter(({ message }) => /: (Hit|Loaded)$/.test(message))
      assert.deepStrictEqual(levelsOf(ours), ["DEBUG larder: Loaded", "DEBUG larder: Hit"])
      for (const { about } of ours) {
        assert.strictEqual(about["correlationId"], "request-7")
        assert.strictEqual(about["traceId"], spans[0]!.traceId)
      }
      const theirs = lines.find(({ message }) => message === "looked up")!
      assert.strictEqual(theirs.about["correlationId"], "request-7")
    })
  )

  it.effect("without one it is the outer one, the trace's, or one that is made up", () =>
    Effect.gen(function* () {
      const idOf = <E, R>(around: (self: Effect.Effect<void>) => Effect.Effect<void, E, R>) =>
        Effect.map(heard(around(Effect.log("x"))), ([line]) => line?.about["correlationId"])
      const alone = CacheTracing.withCorrelationId()
      assert.strictEqual(yield* idOf((self) => alone(self).pipe(CacheTracing.withCorrelationId("outer"))), "outer")
      const made = yield* idOf(alone)
      assert.match(String(made), /^[0-9a-f]{32}$/)
      assert.notStrictEqual(yield* idOf(alone), made)
      const traced = yield* Effect.useSpan("request", (span) =>
        Effect.map(
          idOf((self) => Effect.withParentSpan(alone(self), span)),
          (id) => [id, span.traceId]
        )
      )
      assert.strictEqual(traced[0], traced[1])
      assert.isUndefined(yield* idOf((self) => self))
    })
  )
})

describe("CacheLog.traced", () => {
  it.effect("gives every line the ids of its trace and span, where there is one", () =>
    Effect.gen(function* () {
      const lines = yield* heard(
        Effect.zipRight(
          Effect.log("outside"),
          Effect.useSpan("request", (span) =>
            Effect.withParentSpan(Effect.annotateLogs(Effect.log("inside"), { expected: span.spanId }), span)
          )
        ),
        CacheLog.traced
      )
      const [outside, inside] = lines
      assert.deepStrictEqual(outside?.about, {})
      assert.strictEqual(inside?.about["spanId"], inside?.about["expected"])
      assert.isString(inside?.about["traceId"])
    })
  )
})
