/** `CacheStore.orElse` where it is made of parts, nested, or interrupted from within. The plain cases: `fallback.test.ts`. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Layer, Logger, type Scope } from "effect"
import { CacheError, CacheStore, MemoryStore } from "effect-larder"
import * as SqliteStore from "effect-larder/SqliteStore"
import { LeakOracle } from "effect-larder/testing"

const unavailable = (store: string, reason: string) => new CacheError.StoreUnavailable({ store, reason, hint: "none" })

/** A store whose Layer does what `acquire` does, and then is a memory store under another name. */
const named = <E = never>(name: string, acquire: Effect.Effect<unknown, E, Scope.Scope> = Effect.void) =>
  Layer.scopedContext(
    Effect.zipRight(acquire, Layer.build(MemoryStore.layer())).pipe(
      Effect.map((built) => ({ ...Context.get(built, CacheStore.CacheStore), name })),
      Effect.map(CacheStore.context(CacheStore.Live))
    )
  )

const refusing = (name: string, reason: string) => named(name, Effect.fail(unavailable(name, reason)))

const storeIn = <O, E>(layer: Layer.Layer<CacheStore.CacheStore | O, E>) =>
  Effect.map(Layer.build(layer), (built) => Context.get(built, CacheStore.CacheStore))

const a = refusing("A", "a")
const b = refusing("B", "b")
const c = named("C")

const nested = {
  "to the right": a.pipe(CacheStore.orElse(b.pipe(CacheStore.orElse(c)))),
  "to the left": a.pipe(CacheStore.orElse(b), CacheStore.orElse(c))
}

describe("CacheStore.orElse: stores made of parts", () => {
  it.effect("falls back when one part fails, though that interrupts the others (R049)", () =>
    Effect.gen(function* () {
      const parts = named("Hanging", Effect.never).pipe(CacheStore.tieredOver(refusing("Failing", "it is down")))
      const store = yield* storeIn(parts.pipe(CacheStore.orElse(named("Next"))))
      assert.strictEqual(store.name, "Next")
      assert.deepStrictEqual(store.rejected, ["Failing: it is down"])
    }).pipe(LeakOracle.check)
  )

  it.effect("falls back when one part dies, though that interrupts the others (R049)", () =>
    Effect.gen(function* () {
      const dying = named("Dying", Effect.die(new Error("bad driver")))
      const parts = named("Hanging", Effect.never).pipe(CacheStore.tieredOver(dying))
      const store = yield* storeIn(parts.pipe(CacheStore.orElse(named("Next"))))
      assert.deepStrictEqual(store.rejected, ["bad driver"])
    }).pipe(LeakOracle.check)
  )

  it.effect("releases the parts that were there before the next store is tried (R052)", () => {
    const happened: Array<string> = []
    const say = (what: string) => Effect.sync(() => void happened.push(what))
    const part = (name: string) =>
      named(
        name,
        Effect.acquireRelease(say(`${name} up`), () => say(`${name} down`))
      )
    const broken = named("Broken", Effect.zipRight(Effect.yieldNow(), Effect.fail(unavailable("Broken", "it is"))))
    return Effect.gen(function* () {
      const tiers = part("Near").pipe(CacheStore.tieredOver(broken), CacheStore.prefixed("p"), CacheStore.retry())
      yield* Effect.scoped(storeIn(tiers.pipe(CacheStore.orElse(part("Next")))))
      assert.deepStrictEqual(happened, ["Near up", "Near down", "Next up", "Next down"])
    }).pipe(LeakOracle.check)
  })

  it.effect("tells under tiers what each tier rejected", () =>
    Effect.gen(function* () {
      const far = a.pipe(CacheStore.orElse(SqliteStore.layerMemory))
      const store = yield* storeIn(named("Near").pipe(CacheStore.tieredOver(far)))
      assert.strictEqual(store.name, "Near > SqliteStore")
      assert.deepStrictEqual(store.rejected, ["A: a"])
    }).pipe(LeakOracle.check)
  )
})

describe("CacheStore.orElse: ends of acquisition", () => {
  it.effect("a store that interrupts its own building is interrupted, not replaced", () => {
    let built = 0
    const next = named(
      "Next",
      Effect.sync(() => built++)
    )
    return Effect.gen(function* () {
      const layer = named("First", Effect.interrupt).pipe(CacheStore.orElse(next))
      const exit = yield* Effect.exit(Effect.scoped(storeIn(layer)))
      assert.isTrue(Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause))
      assert.strictEqual(built, 0)
    }).pipe(LeakOracle.check)
  })

  it.effect("a finalizer that dies does not hide the fallback (R052)", () =>
    Effect.gen(function* () {
      const half = Effect.zipRight(
        Effect.addFinalizer(() => Effect.die("cannot let go")),
        Effect.fail(unavailable("First", "half way"))
      )
      const store = yield* storeIn(named("First", half).pipe(CacheStore.orElse(named("Next"))))
      assert.strictEqual(store.name, "Next")
    }).pipe(LeakOracle.check)
  )

  it.effect("when none is to be had, the defect of the last one is its own", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(Effect.scoped(storeIn(a.pipe(CacheStore.orElse(named("B", Effect.die("b")))))))
      assert.deepStrictEqual(Exit.isFailure(exit) && Array.from(Cause.defects(exit.cause)), ["b"])
      assert.isTrue(Exit.isFailure(exit) && Cause.failures(exit.cause).length === 0)
    }).pipe(LeakOracle.check)
  )
})

describe("CacheStore.orElse: nested (R055)", () => {
  for (const [how, layer] of Object.entries(nested)) {
    it.effect(`${how}: each that was rejected is told of once, in the order of preference, however often built`, () =>
      Effect.gen(function* () {
        for (let times = 0; times < 3; times++) {
          const store = yield* Effect.scoped(storeIn(layer))
          assert.strictEqual(store.name, "C")
          assert.deepStrictEqual(store.rejected, ["A: a", "B: b"])
        }
      }).pipe(LeakOracle.check)
    )

    it.effect(`${how}: one line in the log tells all of it`, () => {
      const lines: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => {
        lines.push(`${logLevel.label} ${String(Array.isArray(message) ? message[0] : message)}`)
      })
      return Effect.gen(function* () {
        yield* Effect.provide(storeIn(layer), Logger.replace(Logger.defaultLogger, logger))
        assert.deepStrictEqual(lines, ["WARN larder: using C (A: a; B: b)"])
      }).pipe(LeakOracle.check)
    })
  }
})
