/**
 * Sets, deletions and invalidations over versioned items: in how few steps they are done while nobody else is there, and
 * what becomes of them when somebody comes between two of these.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { CacheError, type CacheStore } from "effect-larder"
import { randomUUID } from "node:crypto"
import * as Limited from "../../src/store/internal/limited.js"
import { slotOf } from "../../src/store/internal/slots.js"
import * as Client from "../../src/store/memcached/client.js"
import * as Memcached from "../../src/store/memcached/items.js"
import * as Objects from "../../src/store/object/objects.js"
import * as Engine from "../../src/store/versioned/engine.js"
import type { Items } from "../../src/store/versioned/items.js"
import * as Plain from "../../src/store/versioned/plain.js"
import * as Server from "../fixtures/servers/memcached.js"
import { clientOver } from "../fixtures/servers/objects.js"

type Acting = Effect.Effect<unknown, CacheError.StoreFailure>

const failure = (operation: string, cause: unknown) =>
  new CacheError.StoreError({ store: "test", operation, reason: String(cause), transient: true, hint: "none", cause })

const limited = Limited.make({ store: "test", millis: 10_000, failure })

const location = { host: "127.0.0.1", user: undefined, password: "", connectMillis: 5_000, tls: undefined }

const memcached = Effect.gen(function* () {
  const at = { ...location, port: (yield* Server.make()).port }
  const client = yield* Client.connect({ ...at, maxConnections: 2 })
  const limits = { chunkBytes: 1_000_000, maxValueBytes: 1_000_000 }
  return Memcached.make({ client, location: at, limited: yield* limited, prefix: "larder", ...limits })
})

const objects = Effect.map(limited, (limited) =>
  Objects.make({ objects: clientOver(new Map()), limited, prefix: "larder", failure })
)

const plain = Effect.sync(() => {
  const entries = new Map<string, Uint8Array>()
  return Plain.make({
    get: (_, names) => Effect.sync(() => names.map((name) => entries.get(name))),
    set: (_, name, bytes) => Effect.sync(() => void entries.set(name, bytes)),
    remove: (_, names) => Effect.sync(() => names.forEach((name) => entries.delete(name)))
  })
})

const services: ReadonlyArray<{
  readonly name: string
  readonly isThere: boolean
  readonly items: Effect.Effect<Items, unknown, Scope.Scope>
}> = [
  { name: "memcached", isThere: Server.isThere, items: memcached },
  { name: "objects", isThere: true, items: objects },
  { name: "names and values", isThere: true, items: plain }
]

/** A program. */
const engineOver = (items: Items): CacheStore.Engine =>
  Engine.make({ store: "test", region: "region", items, fresh: () => randomUUID().replaceAll("-", "") })

const slot = (key: string): string => `slot/region/${slotOf(key, 256)}`

/** Another key of the same slot: what fences one, fences the other. */
const neighbour = Array.from({ length: 10_000 }, (_, n) => `neighbour ${n}`).find((key) => slot(key) === slot("k"))!

/** A tag that nobody has had before fences loads by itself: so these have none. */
const set = (engine: CacheStore.Engine, value: string, since?: number, key = "k"): Acting =>
  engine.setMany([
    {
      key,
      bytes: new TextEncoder().encode(value),
      tags: since === undefined ? ["t", `of ${value}`] : ["t"],
      reclaimAt: Infinity,
      since
    }
  ])

const read = (engine: CacheStore.Engine, key = "k") =>
  Effect.map(engine.getMany([key]), ({ rows: [row] }) => row && new TextDecoder().decode(row.bytes))

const outdate = (engine: CacheStore.Engine): Acting => engine.outdate!

const epochOf = (engine: CacheStore.Engine) => Effect.map(engine.getMany([]), ({ epoch }) => epoch)

/** The items, of which the first operation that is such a one waits until something else is done. */
const after = (
  items: Items,
  which: (operation: "claim" | "replace", names: ReadonlyArray<string>) => boolean,
  act: Acting
): Items => {
  let isDone = false
  const once = <A>(
    operation: "claim" | "replace",
    names: ReadonlyArray<string>,
    run: Effect.Effect<A, CacheError.StoreFailure>
  ) =>
    Effect.suspend(() => {
      if (isDone || !which(operation, names)) return run
      isDone = true
      return Effect.zipRight(act, run)
    })
  return {
    ...items,
    claim: (of, names, ...rest) => once("claim", names, items.claim(of, names, ...rest)),
    replace: (of, all) =>
      once(
        "replace",
        all.map(({ name }) => name),
        items.replace(of, all)
      )
  }
}

const replacing = (operation: string): boolean => operation === "replace"

/** What somebody else does between the claim of a set and its writes. Told is an epoch from before the set. */
const others: Record<string, (other: CacheStore.Engine, items: Items, since: number) => Acting> = {
  "raises the counter": outdate,
  "raises it for a tag": (other) => other.bump(["t"]),
  "makes the fence anew, which was forgotten": (other, items, since) =>
    Effect.zipRight(items.remove("forget", [slot("k")]), set(other, "load", since, neighbour)),
  "makes the tag's fence anew": (other, items, since) =>
    Effect.zipRight(items.remove("forget", ["tag/region/t"]), set(other, "load", since, neighbour)),
  "stores a load": (other, _, since) => set(other, "load", since),
  "forgets the entry": (_, items) => items.remove("forget", ["entry/region/k"]),
  "forgets the state": (_, items) => items.remove("forget", ["state/region"]),
  "sets the same key": (other) => set(other, "theirs"),
  "deletes the same key": (other) => other.deleteMany(["k"]),
  "clears the region": (other) => other.clear
}

for (const { isThere, items: made, name } of services) {
  describe.skipIf(!isThere)(`sets over ${name}`, () => {
    const test = (what: string, run: (items: Items) => Effect.Effect<void, unknown>) =>
      it.scoped(what, () => Effect.flatMap(made, run))

    for (const [what, act] of Object.entries(others)) {
      test(`somebody ${what} between the claim and the writes`, (items) =>
        Effect.gen(function* () {
          const [other, reader] = [engineOver(items), engineOver(items)]
          yield* set(other, "before")
          const since = yield* epochOf(other)
          let isDone = false
          const acting = Effect.zipRight(
            act(other, items, since),
            Effect.sync(() => void (isDone = true))
          )
          yield* set(engineOver(after(items, replacing, acting)), "mine")
          assert.isTrue(isDone)
          assert.strictEqual(yield* read(reader), "mine")
          // a load from before is not stored, wherever it comes from
          yield* set(other, "late", since)
          assert.strictEqual(yield* read(reader), "mine")
          // one from now on is
          yield* reader.deleteMany(["k"])
          yield* set(reader, "next", yield* epochOf(reader))
          assert.strictEqual(yield* read(other), "next")
        }))
    }

    test("a load that has claimed its place before a set is not stored after it", (items) =>
      Effect.gen(function* () {
        const other = engineOver(items)
        yield* set(other, "before")
        const loading = engineOver(after(items, replacing, set(other, "mine")))
        yield* set(loading, "late", yield* epochOf(loading))
        assert.strictEqual(yield* read(other), "mine")
      }))

    test("what arrives when the set has been given up is as over as what was there", (items) =>
      Effect.gen(function* () {
        const other = engineOver(items)
        for (const invalidate of [outdate(other), other.bump(["t"]), other.deleteMany(["k"])]) {
          yield* set(other, "before")
          let isOver = false
          const given: Items = after(
            items,
            replacing,
            Effect.zipLeft(
              invalidate,
              Effect.sync(() => (isOver = true))
            )
          )
          const mine = engineOver({
            ...given,
            claim: (...parameters) =>
              Effect.suspend(() => (isOver ? Effect.fail(failure("set", "given up")) : given.claim(...parameters)))
          })
          yield* Effect.flip(set(mine, "mine"))
          assert.isTrue(isOver)
          assert.isUndefined(yield* read(other))
          // whoever raises the counter next brings nothing back
          yield* set(other, "another", undefined, "another")
          assert.isUndefined(yield* read(other))
        }
      }))

    test("a fence that somebody raises in the midst of the claim is not lowered, though the set is given up", (items) =>
      Effect.gen(function* () {
        const other = engineOver(items)
        // slot, entry, two tags and the state: others have their turn after any of them
        for (const at of [1, 2, 3, 4]) {
          yield* set(other, "before")
          let since = 0
          let claims = 0
          const mine = engineOver({
            ...items,
            claim: (of, names, others, unread = 0) =>
              Effect.gen(function* () {
                if (++claims > 1) return yield* Effect.fail(failure("set", "given up"))
                const first = yield* items.claim(of, names.slice(0, at), [], Math.min(unread, at))
                yield* set(other, "theirs")
                since = yield* epochOf(other)
                yield* set(other, "theirs")
                const rest = yield* items.claim(of, names.slice(at), others, Math.max(0, unread - at))
                return { items: [...first.items, ...rest.items], found: rest.found }
              })
          })
          yield* Effect.ignore(set(mine, "mine"))
          const found = yield* read(other)
          yield* set(other, "late", since)
          assert.strictEqual(yield* read(other), found)
        }
      }))

    test("a fence that is forgotten while it is raised is as high as the counter is", (items) =>
      Effect.gen(function* () {
        const other = engineOver(items)
        yield* set(other, "before")
        let since = 0
        const forgetting = Effect.gen(function* () {
          since = yield* epochOf(other)
          yield* set(other, "theirs")
          yield* items.remove("forget", [slot("k")])
        })
        // the long way, which comes to its fences second
        const refused = after(items, replacing, outdate(other))
        const mine = engineOver(
          after(
            refused,
            (operation, names) => operation === "claim" && names.length === 1 && names[0] === slot("k"),
            forgetting
          )
        )
        yield* set(mine, "mine")
        assert.isAbove(since, 0)
        const found = yield* read(other)
        assert.include(["mine", "theirs"], found)
        yield* set(other, "late", since)
        assert.strictEqual(yield* read(other), found)
      }))

    test("each is done in the fewest steps, and tags that it does not name go on being good", (items) =>
      Effect.gen(function* () {
        const steps: Array<string> = []
        const noted = <P extends ReadonlyArray<unknown>, A>(step: string, run: (...parameters: P) => A) => {
          return (...parameters: P): A => {
            steps.push(step)
            return run(...parameters)
          }
        }
        const counted = engineOver({
          ...items,
          read: noted("read", items.read),
          claim: noted("claim", items.claim),
          replace: noted("replace", items.replace),
          remove: noted("remove", items.remove)
        })
        const of = (act: Acting) => Effect.map(act, () => steps.splice(0).join(" "))
        yield* of(set(counted, "first"))
        const [two, three] = ["replace replace", "replace replace replace"]
        assert.strictEqual(yield* of(set(counted, "second")), `claim ${items.ordered ? "replace" : three}`)
        assert.strictEqual(yield* of(counted.bump(["other"])), `claim ${items.ordered ? "replace" : two}`)
        assert.strictEqual(yield* of(read(counted)), "read read")
        assert.strictEqual(yield* read(counted), "second")
        steps.length = 0
        assert.strictEqual(yield* of(counted.deleteMany(["none"])), `claim ${items.ordered ? "replace" : two} remove`)
        assert.strictEqual(yield* counted.deleteMany(["k", "none"]), 1)
      }))
  })
}
