/** What PostgresStore does with its connections: what is prepared on them, how they are set, and when they are thrown away. */
import { assert, describe, it } from "@effect/vitest"
import type { CacheError } from "effect-larder"
import * as PostgresStore from "effect-larder/PostgresStore"
import { Duration, Effect, Exit, Fiber, Redacted, Scope } from "effect"
import { EventEmitter } from "node:events"
import * as fs from "node:fs"
import * as net from "node:net"
import * as path from "node:path"
import Pg from "pg"
import { afterAll, beforeAll } from "vitest"
import * as Arrays from "../../src/store/postgres/arrays.js"
import * as Connection from "../../src/store/postgres/connection.js"
import type { Attempt } from "../../src/store/internal/limited.js"
import * as Pool from "../../src/store/postgres/pool.js"
import * as Schema from "../../src/store/postgres/schema.js"
import * as Postgres from "../fixtures/servers/postgres.js"
import type * as Server from "../fixtures/servers/process.js"
import { folder } from "../fixtures/sqlite/common.js"
import { refused } from "../fixtures/sqlite/lives.js"

describe("a pool that is closed", () => {
  it.live("runs nothing on a connection that is made only then", () =>
    Effect.gen(function* () {
      const ran: Array<string> = []
      const late: Array<() => void> = []
      /** As much of a client as the pool asks for; it connects when it is told to. */
      class Client extends EventEmitter {
        readonly connection = { stream: { destroy: () => {} } }
        connect(connected: () => void) {
          late.push(connected)
        }
        query({ text }: Pg.QueryConfig, ended: (error: null, result: unknown) => void) {
          ran.push(text)
          ended(null, { rows: [] })
        }
        end(ended?: () => void) {
          ended?.()
        }
      }
      class Driver extends Pg.Pool {
        constructor(options: Pg.PoolConfig) {
          super({ ...options, Client: Client as unknown as new () => Pg.ClientBase })
        }
      }
      const scope = yield* Scope.make()
      const options = {
        url: "postgres://nobody@nowhere/nothing",
        maxConnections: 1,
        connectMillis: 5_000,
        prepared: true
      }
      const pool = yield* Scope.extend(Pool.make(Driver, options), scope)
      const running = pool.run({ text: "SELECT 1" }, { giveUp: undefined }).then(
        () => "done",
        (cause: unknown) => String(cause)
      )
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(yield* Effect.promise(() => running), "Error: Connection terminated")
      assert.strictEqual(late.length, 1)
      for (const connected of late) connected()
      yield* Effect.promise(() => new Promise(setImmediate))
      assert.deepStrictEqual(ran, [])
    })
  )
})

describe.skipIf(!Postgres.isThere)("connections of PostgresStore", () => {
  const scope = Effect.runSync(Scope.make())
  let server: Server.Server
  beforeAll(async () => {
    server = await Effect.runPromise(Scope.extend(Postgres.make, scope))
  }, 60_000)
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

  const urlOf = ({ port }: Server.Server, parameters = "") =>
    `postgres://larder@127.0.0.1:${port}/postgres${parameters}`
  const open = (options: Partial<Connection.Options> = {}, parameters = "") =>
    Effect.suspend(() =>
      Connection.open({
        url: Redacted.make(urlOf(server, parameters)),
        where: "here",
        prefix: "c",
        unlogged: false,
        prepared: true,
        maxConnections: 1,
        connectMillis: 5_000,
        millis: Infinity,
        ...options
      })
    )
  const valueOf = ({ run }: Connection.Connection, sql: string): Effect.Effect<unknown, CacheError.StoreFailure> =>
    Effect.map(run("test", sql, []), ([row = {}]) => Object.values(row)[0])
  const pid = "SELECT pg_backend_pid()"

  const plans = `SELECT name, generic_plans::integer AS generic, custom_plans::integer AS custom
    FROM pg_prepared_statements WHERE statement LIKE 'SELECT r.epoch%' ORDER BY length(statement)`
  const digest = Buffer.from("some digest")
  const read = ({ run }: Connection.Connection) => run("get", Schema.read, ["1", Arrays.bytea([digest])])

  it.scoped("a statement is prepared once for each connection, and planned once for any parameters, by the index", () =>
    Effect.gen(function* () {
      const made = yield* open({ prefix: "once" })
      for (let round = 0; round < 10; round++) {
        yield* read(made)
        yield* made.run("get", Schema.readOne, ["1", digest])
      }
      const prepared = yield* made.run("test", plans, [])
      assert.lengthOf(prepared, 2)
      for (const { custom, generic, name } of prepared) {
        assert.deepStrictEqual([generic, custom], [10, 0])
        const plan = yield* made.run("test", `EXPLAIN EXECUTE ${String(name)} (1, '{}')`, [])
        const lines = plan.map((row) => String(row["QUERY PLAN"])).join("\n")
        assert.notInclude(lines, "Seq Scan")
        assert.match(lines, /Index Cond: \(\(region = \$1\) AND \(digest = /)
      }
    })
  )

  it.scoped("for a pooler nothing is prepared, and nothing is set", () =>
    Effect.gen(function* () {
      const made = yield* open({ prepared: false })
      yield* read(made)
      // but this one, which has no name
      assert.deepStrictEqual(yield* made.run("test", plans, []), [])
      assert.strictEqual(yield* valueOf(made, "SHOW enable_seqscan"), "on")
    })
  )

  it.scoped("what the url sets for its sessions is set, and counts more than what the store sets", () =>
    Effect.gen(function* () {
      const made = yield* open({}, "?options=-c%20work_mem%3D3MB+-c%20plan_cache_mode=auto&sslmode=disable")
      assert.strictEqual(yield* valueOf(made, "SHOW work_mem"), "3MB")
      assert.strictEqual(yield* valueOf(made, "SHOW plan_cache_mode"), "auto")
      assert.strictEqual(yield* valueOf(made, "SHOW enable_seqscan"), "off")
      assert.strictEqual(yield* valueOf(made, "SHOW application_name"), "effect-larder")
    })
  )

  it("and so is what the environment sets; the rest of a url stays as it was written", () => {
    const before = process.env["PGOPTIONS"]
    const ours = "options=-c%20plan_cache_mode=force_generic_plan%20-c%20enable_seqscan=off"
    try {
      delete process.env["PGOPTIONS"]
      assert.strictEqual(Pool.withSettings("postgres://a:%zz b@h/d"), `postgres://a:%zz b@h/d?${ours}`)
      process.env["PGOPTIONS"] = "-c a=1&2+3#4"
      assert.strictEqual(
        Pool.withSettings("postgres://h/d?sslmode=require#no"),
        `postgres://h/d?sslmode=require&${ours}%20-c%20a=1%262%2B3%234`
      )
    } finally {
      if (before === undefined) delete process.env["PGOPTIONS"]
      else process.env["PGOPTIONS"] = before
    }
  })

  it.scoped("an array arrives as it was sent", () =>
    Effect.gen(function* () {
      const made = yield* open()
      const echo = (type: string, sent: Buffer) =>
        Effect.map(made.run("test", `SELECT $1::${type}[] AS sent`, [sent]), ([row]) => row?.["sent"])
      const bytes = Array.from({ length: 300 }, (_, index) => Buffer.alloc(index, index))
      const texts = [null, "", "NULL", 'a "quoted", {one}', "zażółć 😀", "x".repeat(70_000), null]
      const wholes = [0, 1, null, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1]
      const doubles = [0, 0.1, 1.7976e12, Infinity, null]
      assert.deepStrictEqual(yield* echo("bytea", Arrays.bytea([...bytes, null])), [...bytes, null])
      assert.deepStrictEqual(yield* echo("text", Arrays.text(texts)), texts)
      assert.deepStrictEqual(
        yield* echo("bigint", Arrays.bigint(wholes)),
        wholes.map((one) => one?.toString() ?? null)
      )
      assert.deepStrictEqual(yield* echo("integer", Arrays.integer([0, null, 255])), [0, null, 255])
      assert.deepStrictEqual(yield* echo("double precision", Arrays.double(doubles)), doubles)
      const lists = [["a", "ż"], null, []]
      const written = lists.map((list) => list && JSON.stringify(list))
      assert.deepStrictEqual(yield* echo("jsonb", Arrays.jsonb(written)), lists)
      assert.deepStrictEqual(yield* echo("text", Arrays.text([])), [])
    })
  )

  it.scoped(
    "what the url names and is not there is told when it is opened, and later fails no more than needs it",
    () =>
      Effect.gen(function* () {
        const file = path.join(yield* folder, "ca.pem")
        const certified = open({ maxConnections: 2 }, `?sslmode=disable&sslrootcert=${file}`)
        const absent = yield* Effect.flip(certified)
        assert.strictEqual(absent._tag, "StoreUnavailable")
        assert.include(absent.message, "ca.pem")
        fs.writeFileSync(file, "")
        const made = yield* certified
        fs.rmSync(file)
        const busy = yield* Effect.fork(valueOf(made, "SELECT pg_sleep(0.3)"))
        yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
        const another = yield* Effect.flip(read(made))
        assert.deepInclude(another, { _tag: "StoreError", operation: "get" })
        assert.include(another.message, "ca.pem")
        yield* Fiber.join(busy)
        yield* read(made)
      })
  )

  it.scoped("a statement that is refused leaves its connection as it was; one that ends it has another after it", () =>
    Effect.gen(function* () {
      const made = yield* open()
      const first = yield* valueOf(made, pid)
      const refused = yield* Effect.flip(valueOf(made, "SELECT 1 / 0"))
      assert.strictEqual(refused._tag, "StoreError")
      assert.strictEqual(yield* valueOf(made, pid), first)
      const lost = yield* Effect.flip(valueOf(made, "SELECT pg_terminate_backend(pg_backend_pid())"))
      assert.deepInclude(lost, {
        _tag: "StoreError",
        transient: true,
        reason: "the server is shutting down or starting"
      })
      assert.notStrictEqual(yield* valueOf(made, pid), first)
    })
  )

  it.scoped("a connection that does not have what was prepared on it is not used again, and told what to do", () =>
    Effect.gen(function* () {
      const made = yield* open()
      const first = yield* valueOf(made, pid)
      yield* read(made)
      yield* valueOf(made, "DEALLOCATE ALL")
      // as behind a pooler: what this connection has been told is not known where it leads to now
      const forgotten = yield* Effect.flip(read(made))
      assert.deepInclude(forgotten, { _tag: "StoreError", transient: false })
      assert.include(forgotten.hint, "prepared: false")
      assert.notStrictEqual(yield* valueOf(made, pid), first)
      yield* read(made)
    })
  )

  it.scopedLive("what takes too long takes its connection with it", () =>
    Effect.gen(function* () {
      const made = yield* open({ millis: 300 })
      const first = yield* valueOf(made, pid)
      assert.strictEqual((yield* Effect.flip(valueOf(made, "SELECT pg_sleep(60)")))._tag, "StoreTimeout")
      assert.notStrictEqual(yield* valueOf(made, pid), first)
    })
  )

  it.scoped("what waits for a connection when its time is over is not run later", () =>
    Effect.gen(function* () {
      const { default: pg } = yield* Effect.promise(() => import("pg"))
      const pool = yield* Pool.make(pg.Pool, {
        url: urlOf(server),
        maxConnections: 1,
        connectMillis: 5_000,
        prepared: true
      })
      const [hangs, waits, last]: ReadonlyArray<Attempt> = Array.from({ length: 3 }, () => ({ giveUp: undefined }))
      const nobody = () => {}
      pool.run({ text: "SELECT pg_sleep(60)" }, hangs!).catch(nobody)
      pool.run({ text: "CREATE TABLE too_late ()" }, waits!).catch(nobody)
      waits!.giveUp?.()
      const found = pool.run({ text: "SELECT to_regclass('too_late') AS found" }, last!)
      // once it has its connection
      yield* Effect.promise(() => new Promise((resolve) => pool.ofDriver.once("acquire", resolve)))
      hangs!.giveUp?.()
      assert.deepStrictEqual(yield* Effect.promise(() => found), [{ found: null }])
    })
  )

  it.live("a session that hangs costs one operation its time, and closing no more than a second", () =>
    Effect.gen(function* () {
      const life = yield* Scope.make()
      const made = yield* Scope.extend(open({ millis: 300, connectMillis: Infinity }), life)
      const hangs = Effect.acquireRelease(
        Effect.tap(Effect.map(valueOf(made, pid), Number), (found) =>
          Effect.sync(() => process.kill(found, "SIGSTOP"))
        ),
        (found) => Effect.sync(() => process.kill(found, "SIGCONT"))
      )
      const first = yield* hangs
      assert.strictEqual((yield* Effect.flip(read(made)))._tag, "StoreTimeout")
      assert.notStrictEqual(yield* valueOf(made, pid), first)
      yield* hangs
      // who waits while it is closed is told: for the server to answer, or for a connection
      const asked = Effect.fork(Effect.flip(read(made)))
      const busy = yield* asked
      yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      const waiting = yield* asked
      yield* Effect.yieldNow()
      const [took] = yield* Effect.timed(Scope.close(life, Exit.void))
      assert.isBelow(Duration.toMillis(took), 4_000)
      for (const fiber of [busy, waiting])
        assert.include(["StoreError", "StoreTimeout"], (yield* Fiber.join(fiber))._tag)
    }).pipe(Effect.scoped)
  )

  it.scoped("a pooler that refuses how a connection is opened is told with what to do", () =>
    Effect.gen(function* () {
      const startups: Array<string> = []
      const message = "SFATAL\0C08P01\0Munsupported startup parameter: options\0\0"
      const pooler = net.createServer((socket) =>
        socket.once("data", (startup) => {
          startups.push(startup.toString("latin1"))
          const head = Buffer.from("E\0\0\0\0")
          head.writeInt32BE(4 + message.length, 1)
          socket.end(Buffer.concat([head, Buffer.from(message)]))
        })
      )
      yield* Effect.acquireRelease(
        Effect.async<void>((resume) => void pooler.listen(0, "127.0.0.1", () => resume(Effect.void))),
        () => Effect.async<void>((resume) => void pooler.close(() => resume(Effect.void)))
      )
      const url = `postgres://larder@127.0.0.1:${(pooler.address() as net.AddressInfo).port}/x`
      const error = (yield* refused(PostgresStore.layer({ url }))) as CacheError.StoreUnavailable
      assert.strictEqual(error._tag, "StoreUnavailable")
      assert.include(error.hint, "prepared: false")
      yield* refused(PostgresStore.layer({ url, prepared: false }))
      assert.deepStrictEqual(
        startups.map((startup) => startup.includes("options\0-c plan_cache_mode=force_generic_plan")),
        [true, false]
      )
    })
  )
})
