/** Versions where the service knows none: what was written or removed since it was claimed is not written over. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import fc from "fast-check"
import { marker } from "../../src/store/internal/mark.js"
import * as Plain from "../../src/store/versioned/plain.js"
import * as Rows from "../../src/store/versioned/rows.js"
import { settled } from "../fixtures/cache/harness.js"

const bytes = (text: string) => new TextEncoder().encode(text)
const text = (found: Uint8Array | undefined) => (found === undefined ? undefined : new TextDecoder().decode(found))

/** A service whose next write waits until it is let go. */
const service = () => {
  const entries = new Map<string, Uint8Array>()
  const state = { gate: undefined as Deferred.Deferred<void> | undefined, read: [] as Array<string> }
  const plain: Plain.Plain = {
    get: (_, names) =>
      Effect.sync(() => {
        state.read.push(...names)
        return names.map((name) => entries.get(name))
      }),
    set: (_, name, value) =>
      Effect.suspend(() => {
        const { gate } = state
        state.gate = undefined
        const write = Effect.sync(() => void entries.set(name, value))
        return gate === undefined ? write : Effect.zipRight(Deferred.await(gate), write)
      }),
    remove: (_, names) => Effect.sync(() => names.forEach((name) => entries.delete(name)))
  }
  return { items: Plain.make(plain), entries, state }
}

const replacement = (name: string, value: string, version: string | number) => ({
  name,
  version,
  bytes: bytes(value),
  reclaimAt: Infinity
})

const claimed = ({ items }: ReturnType<typeof service>, name: string) =>
  Effect.map(items.claim("set", [name], []), (claim) => claim.items[0]!.version)

describe("items without versions of their own", () => {
  it.effect("are written if nothing else was, and not after another write or a removal", () =>
    Effect.gen(function* () {
      const made = service()
      const { items } = made
      const first = yield* claimed(made, "a")
      const second = yield* claimed(made, "a")
      assert.deepStrictEqual(yield* items.replace("set", [replacement("a", "one", first)]), [true])
      assert.deepStrictEqual(yield* items.replace("set", [replacement("a", "two", second)]), [false])
      assert.deepStrictEqual((yield* items.read("get", ["a", "none"])).map(text), ["one", undefined])
      const third = yield* claimed(made, "a")
      yield* items.remove("delete", ["a"])
      assert.deepStrictEqual(yield* items.replace("set", [replacement("a", "three", third)]), [false])
      assert.deepStrictEqual(yield* items.read("get", ["a"]), [undefined])
    })
  )

  it.effect("are not read where only their versions are wanted", () =>
    Effect.gen(function* () {
      const { items, state } = service()
      const { items: before } = yield* items.claim("set", ["a", "b"], [])
      yield* items.replace("set", [
        replacement("a", "one", before[0]!.version),
        replacement("b", "two", before[1]!.version)
      ])
      state.read.length = 0
      const { items: claimed } = yield* items.claim("set", ["a", "b"], [], 1)
      assert.deepStrictEqual(state.read, ["b"])
      assert.strictEqual(text(claimed[1]?.bytes), "two")
      const versions = claimed.map(({ version }) => version)
      const again = [replacement("a", "three", versions[0]!), replacement("b", "four", versions[1]!)]
      assert.deepStrictEqual(yield* items.replace("set", again), [true, true])
      assert.deepStrictEqual((yield* items.read("get", ["a", "b"])).map(text), ["three", "four"])
    })
  )

  it.effect("a removal waits for the write before it, even if nobody waits for that any more", () =>
    Effect.gen(function* () {
      const made = service()
      const { entries, items, state } = made
      const version = yield* claimed(made, "a")
      const gate = yield* Deferred.make<void>()
      // the first thing that is written is the list of names
      yield* items.replace("set", [replacement("a", "zero", version)])
      const again = yield* claimed(made, "a")
      state.gate = gate
      const writing = yield* Effect.fork(items.replace("set", [replacement("a", "late", again)]))
      yield* settled
      yield* Fiber.interrupt(writing)
      const removing = yield* Effect.fork(items.remove("delete", ["a"]))
      yield* settled
      assert.isNull(removing.unsafePoll())
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(removing)
      assert.isFalse(entries.has("a"))
      // a claim that is made meanwhile sees what is written
      assert.strictEqual(yield* claimed(made, "b"), 0)
    })
  )
})

describe("rows", () => {
  const mark = marker("region")
  const state = { incarnation: "a1b2c3", epoch: 9, oldest: 0, lastBump: 0 }
  const rows = fc.record({
    incarnation: fc.constantFrom("a1b2c3", "a1b2c4", "a1b2c"),
    epoch: fc.nat(2 ** 40),
    key: fc.oneof(fc.string(), fc.string({ unit: "binary" }), fc.constantFrom('a","b', "k\\", "\n", "Ã©", "é", "")),
    tags: fc.oneof(fc.constant([]), fc.array(fc.string(), { maxLength: 2 })),
    reclaimAt: fc.oneof(
      fc.constant(Infinity),
      fc.integer(),
      fc.nat(2 ** 42),
      fc.double({ noNaN: true, min: -1e300, max: 1e300 })
    ),
    value: fc.uint8Array(),
    asked: fc.option(fc.string())
  })

  /** Mostly a digit, as most of what a head has is: that goes on being a number, of something else. */
  const other = fc.oneof(fc.integer({ min: 48, max: 57 }), fc.nat(255))

  it("are read at a glance as they are when they are looked at in full, whole or not", () => {
    const seen = { whole: 0, rotten: 0 }
    fc.assert(
      fc.property(rows, fc.nat(), other, ({ asked, epoch, incarnation, key, reclaimAt, tags, value }, at, byte) => {
        const written = Rows.encodeRow(mark, incarnation, epoch, { key, bytes: value, tags, reclaimAt })
        const changed = Uint8Array.from(written)
        changed[at % changed.length] = byte
        for (const bytes of [written, changed, written.subarray(0, at % written.length)]) {
          const full = Rows.decodeRow(mark, bytes)
          const wanted = full?.row.key === (asked ?? key) ? full : undefined
          assert.deepStrictEqual(Rows.decodeRowOf(mark, asked ?? key, state, bytes), wanted)
          if (wanted !== undefined) seen[wanted.row.bytes.length === 0 ? "rotten" : "whole"]++
        }
      }),
      { numRuns: 5_000 }
    )
    assert.isAbove(Math.min(seen.whole, seen.rotten), 50)
  })

  it("are written as they have always been", () => {
    const row = { key: "kä", bytes: new Uint8Array([1, 2]), tags: [], reclaimAt: 1_700_000_000_000 }
    const head = '["a1b2c3",7,1700000000000,[],"kä",MARK]\n'
    const whole = head.replace("MARK", String(mark("kä", 7, "[1700000000000,[]]")))
    assert.deepStrictEqual(Rows.encodeRow(mark, "a1b2c3", 7, row), new Uint8Array([...bytes(whole), 1, 2]))
  })
})
