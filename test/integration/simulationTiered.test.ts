import { CacheStore, MemoryStore } from "effect-larder"
import * as SqliteStore from "effect-larder/SqliteStore"
import { capacity } from "../fixtures/simulation/play.js"
import { suite } from "../fixtures/simulation/suite.js"

suite(
  "memory over SQLite",
  MemoryStore.layer({ capacity, policy: "lru" }).pipe(CacheStore.tieredOver(SqliteStore.layerMemory))
)
