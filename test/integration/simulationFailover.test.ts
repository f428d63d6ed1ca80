import { CacheStore, MemoryStore } from "effect-larder"
import * as SqliteStore from "effect-larder/SqliteStore"
import { capacity } from "../fixtures/simulation/play.js"
import { unreliable } from "../fixtures/simulation/flawed.js"
import { suite } from "../fixtures/simulation/suite.js"

suite(
  "one store in place of another that fails",
  unreliable(SqliteStore.layerMemory, 0.2).pipe(
    CacheStore.failover(MemoryStore.layerBytes({ capacity }), { resetAfter: 20, maxResetAfter: 50 })
  ),
  { isUnreliable: true }
)
