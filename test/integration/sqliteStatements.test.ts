/** How statements are run: without a fiber where that can be, and by a second handle where they only read. */
import type { Connection } from "@effect/sql/SqlConnection"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import * as fs from "node:fs"
import * as Engine from "../../src/store/sqlite/engine.js"
import * as Statements from "../../src/store/sqlite/statements.js"
import { folder, open, read, row } from "../fixtures/sqlite/common.js"

/** A driver that prepares nothing, and answers each statement with what its parameters are when it is run. */
const echo = (wrap: (run: () => ReadonlyArray<object>) => Effect.Effect<ReadonlyArray<object>>) => {
  const prepared: Array<ReadonlyArray<unknown>> = []
  const driver = {
    executeUnprepared: (_sql: string, parameters: ReadonlyArray<unknown>) => {
      prepared.push(parameters)
      return wrap(() => [{ ...parameters }])
    }
  }
  return { prepared, execute: Statements.make(driver as unknown as Connection) }
}

describe("SQLite: statements", () => {
  it("what is one step of the runtime is run without a fiber, and anything else with one", () => {
    let fibers = 0
    const step = Effect.withFiberRuntime((fiber) => {
      fibers = Math.max(fibers, fiber.id().id)
      return Effect.succeed("at once")
    })
    assert.deepStrictEqual(Statements.immediately(step), Exit.succeed("at once"))
    const first = fibers
    assert.deepStrictEqual(Statements.immediately(step), Exit.succeed("at once"))
    assert.strictEqual(fibers, first)
    const later = Effect.withFiberRuntime(() => Effect.flatMap(Effect.succeed(1), (n) => Effect.succeed(n + 1)))
    assert.deepStrictEqual(Statements.immediately(later), Exit.succeed(2))
    assert.deepStrictEqual(Statements.immediately(Effect.suspend(() => Effect.succeed(3))), Exit.succeed(3))
    assert.deepStrictEqual(Statements.immediately(Effect.suspend(() => Effect.fail("no"))), Exit.fail("no"))
  })

  it("a statement is prepared once, and run with the parameters of the moment, whatever the driver's effect looks like", () => {
    const forms = [
      (run: () => ReadonlyArray<object>) => Effect.withFiberRuntime(() => Effect.succeed(run())),
      (run: () => ReadonlyArray<object>) => Effect.flatMap(Effect.void, () => Effect.sync(run))
    ]
    for (const form of forms) {
      const { execute, prepared } = echo(form)
      for (const n of [1, 2, 3]) assert.deepStrictEqual(execute("one", [n, "x"]), [{ 0: n, 1: "x" }])
      execute("two", [])
      assert.strictEqual(prepared.length, 2)
    }
  })

  it("what was written is not held on to", () => {
    const { execute, prepared } = echo((run) => Effect.sync(run))
    const large = new Uint8Array(10)
    assert.deepStrictEqual(execute("put", [1, "key", large]), [{ 0: 1, 1: "key", 2: large }])
    assert.deepStrictEqual(prepared[0], [undefined, undefined, undefined])
  })

  it.scoped(
    "what only reads has a handle of its own: it cannot write, sees what is written at once, and is gone after",
    () =>
      Effect.gen(function* () {
        const file = `${yield* folder}/cache.db`
        yield* Effect.scoped(
          Effect.gen(function* () {
            const connection = yield* open(file)
            const writer = yield* Engine.make(connection, "test")
            const reader = yield* Engine.make(yield* open(file), "test")
            for (let n = 0; n < 20; n++) {
              yield* writer.setMany([row("a", `value ${n}`), row("b", `other ${n}`)])
              assert.deepStrictEqual(yield* read(reader, "a"), [`value ${n}`])
              assert.deepStrictEqual(yield* read(writer, "b", "a"), [`other ${n}`, `value ${n}`])
            }
            assert.throws(() => connection.reading.all("DELETE FROM entries RETURNING id"), /readonly/)
            // one handle holds the lock, another asks
            connection.execute("BEGIN IMMEDIATE", [])
            assert.deepStrictEqual(yield* read(writer, "a"), ["value 19"])
            connection.execute("ROLLBACK", [])
          })
        )
        // the last handle that is closed takes the log with it
        assert.isFalse(fs.existsSync(`${file}-wal`))
        assert.isFalse(fs.existsSync(`${file}-shm`))
      })
  )
})
