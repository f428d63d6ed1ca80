/** Versions where the service knows none: what was written or removed since it was claimed is not written over. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import * as Plain from "../../src/store/versioned/plain.js"
import { settled } from "../fixtures/cache/harness.js"

const bytes = (text: string) => new TextEncoder().encode(text)
const text = (found: Uint8Array | undefined) => (found === undefined ? undefined : new TextDecoder().decode(found))

/** A service whose next write waits until it is let go. */
const service = () => {
  const entries = new Map<string, Uint8Array>()
  const state = { gate: undefined as Deferred.Deferred<void> | undefined }
  const plain: Plain.Plain = {
    get: (_, names) => Effect.sync(() => names.map((name) => entries.get(name))),
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
