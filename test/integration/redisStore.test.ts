/** RedisStore against a real server: the laws of stores, and what happens when the server does not keep its word. */
import { assert, describe, it } from "@effect/vitest"
import { Cache, CacheError, CacheStore, MemoryStore } from "effect-larder"
import * as RedisStore from "effect-larder/RedisStore"
import { StoreLaws } from "effect-larder/testing"
import { Effect, Exit, Layer, Redacted, Schema, Scope } from "effect"
import { afterAll, beforeAll } from "vitest"
import * as Redis from "../fixtures/servers/redis.js"
import type * as Server from "../fixtures/servers/process.js"

describe.skipIf(!Redis.isThere)("RedisStore", () => {
  const scope = Effect.runSync(Scope.make())
  let server: Server.Server
  let shops = 0
  beforeAll(async () => {
    server = await Effect.runPromise(Scope.extend(Redis.make(), scope))
  })
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

  /** A part of the server for each Layer that is built. */
  const own = Layer.suspend(() =>
    RedisStore.layer({ url: `redis://127.0.0.1:${server.port}`, prefix: `test${++shops}` })
  )
  StoreLaws.suite("RedisStore", own, { histories: 50 })
  StoreLaws.suite("memory over Redis", MemoryStore.layer().pipe(CacheStore.tieredOver(own)), { histories: 50 })
})
