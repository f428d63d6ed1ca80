import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import * as Engine from "../../src/store/sqlite/engine.js"
import { check, keys } from "../fixtures/sqlite/batches.js"
import { build, start } from "../fixtures/sqlite/child.js"
import { engine, epoch, folder, open, read, row } from "../fixtures/sqlite/common.js"

const built = Effect.runSync(Scope.make())
let worker = ""
beforeAll(async () => {
  worker = await Effect.runPromise(Scope.extend(build, built))
  // bundling takes a second, and ten on a machine that is busy
}, 60_000)
afterAll(() => Effect.runPromise(Scope.close(built, Exit.void)))

describe("SQLite: two processes on one file", () => {
  const invalidations = [
    ["delete k", undefined],
    ["delete k a b c", undefined],
    ["set k theirs", "theirs"],
    ["bump t", undefined],
    ["clear", undefined]
  ] as const
  for (const [command, left] of invalidations) {
    it.scoped(`a load that was under way here when another process said "${command}" is not stored`, () =>
      Effect.gen(function* () {
        const file = `${yield* folder}/cache.db`
        const here = yield* engine(file)
        const there = yield* start(worker, file)
        yield* here.setMany([row("k", "before", { tags: ["t"] })])
        assert.strictEqual(yield* there.ask("get k"), "before")
        const since = yield* epoch(here)
        yield* there.ask(command)
        yield* here.setMany([row("k", "late", { since, tags: ["t"] })])
        assert.deepStrictEqual(yield* read(here, "k"), [left])
        assert.strictEqual(yield* there.ask("get k"), String(left))
        assert.strictEqual(Number(yield* there.ask("epoch")), yield* epoch(here))
      })
    )
  }

  it.scoped("nor one that was under way there", () =>
    Effect.gen(function* () {
      const file = `${yield* folder}/cache.db`
      const here = yield* engine(file)
      const there = yield* start(worker, file)
      for (const invalidate of [here.deleteMany(["k"]), here.bump(["t"]), here.clear]) {
        const since = yield* there.ask("epoch")
        yield* invalidate
        assert.strictEqual(yield* there.ask(`load k late ${since}`), "ok")
        assert.deepStrictEqual(yield* read(here, "k"), [undefined])
      }
      assert.strictEqual(yield* there.ask(`load k new ${yield* there.ask("epoch")}`), "ok")
      assert.deepStrictEqual(yield* read(here, "k"), ["new"])
    })
  )

  it.scoped("four that make the file at the same moment, and write at the same time, lose nothing", () =>
    Effect.gen(function* () {
      const file = `${yield* folder}/cache.db`
      const children = yield* Effect.replicateEffect(start(worker, file), 4)
      const answers = yield* Effect.forEach(children, (child, index) => child.ask(`explicit 250 child-${index}`), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(answers, ["ok", "ok", "ok", "ok"])
      const store = yield* engine(file)
      assert.strictEqual(yield* epoch(store), 1_000)
      assert.deepStrictEqual(yield* store.size!(0), { entries: 1_000, bytes: 0 })
    })
  )
})

/** A small generator with a seed, so that a failure can be repeated as nearly as two processes allow. */
const random = (seed: number) => () => {
  seed = Math.imul(seed ^ (seed >>> 15), seed | 1)
  seed ^= seed + Math.imul(seed ^ (seed >>> 7), seed | 61)
  return ((seed ^ (seed >>> 14)) >>> 0) / 4_294_967_296
}

describe("SQLite: a process that is killed while it writes", () => {
  const kills = 50
  const seed = Number(process.env["SEED"] ?? 20_240_229)

  it.scoped(
    `loses nothing that was acknowledged and tears nothing, ${kills} times (seed ${seed})`,
    () =>
      Effect.gen(function* () {
        const file = `${yield* folder}/cache.db`
        const next = random(seed)
        let acknowledged = 0
        let starting = yield* Effect.fork(start(worker, file))
        for (let kill = 0; kill < kills; kill++) {
          const child = yield* starting.await.pipe(Effect.flatten)
          // the next one gets ready meanwhile: starting takes most of the time
          if (kill < kills - 1) starting = yield* Effect.fork(start(worker, file))
          yield* child.say(`crash ${acknowledged + 1}`)
          const patience = 1 + Math.floor(next() * 40)
          for (let heard = 0; heard < patience; heard++) acknowledged = Number(yield* child.hear)
          assert.isNotNaN(acknowledged)
          acknowledged = Number((yield* child.kill).at(-1) ?? acknowledged)

          const context = `seed ${seed}, kill ${kill}, acknowledged ${acknowledged}`
          yield* Effect.scoped(
            Effect.gen(function* () {
              const connection = yield* open(file)
              const integrity = yield* connection.run("check", () => connection.execute("PRAGMA integrity_check", []))
              assert.deepStrictEqual(
                integrity.map((columns) => ({ ...columns })),
                [{ integrity_check: "ok" }],
                context
              )
              const store = yield* Engine.make(connection, "test")
              const { rows } = yield* store.getMany(keys)
              const found = rows.map(check)
              const batch = found[0]!
              assert.deepStrictEqual(
                found,
                keys.map(() => batch),
                context
              )
              assert.include([acknowledged, acknowledged + 1], batch, context)
              acknowledged = Number(batch)
            })
          )
        }
      }),
    240_000
  )
})
