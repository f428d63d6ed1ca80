import { Layer, Logger } from "effect"
import { CacheStore, MemoryStore } from "effect-larder"
import * as Policies from "effect-larder/Policies"
import * as SqliteStore from "effect-larder/SqliteStore"
import { FaultyStore, StoreLaws } from "effect-larder/testing"

StoreLaws.suite("MemoryStore", MemoryStore.layer())
StoreLaws.suite("MemoryStore with bytes counted", MemoryStore.layer({ maxBytes: 100_000_000 }))
StoreLaws.suite(
  "MemoryStore with all it can do",
  MemoryStore.layer({
    maxEntryBytes: 10_000_000,
    pinned: (key) => key.length % 2 === 0,
    timeToIdle: "20000 days",
    freeze: "always",
    memoryPressure: { every: "365 days" },
    onRemoval: () => {
      throw new Error("of a listener")
    }
  }).pipe(Layer.provide(Logger.remove(Logger.defaultLogger))) // it says so each time
)
StoreLaws.suite("MemoryStore of bytes", MemoryStore.layerBytes())
StoreLaws.suite("MemoryStore with weak references", MemoryStore.layer({ references: "weak" }))
for (const policy of Policies.names) {
  StoreLaws.suite(`MemoryStore with ${policy}`, MemoryStore.layer({ policy }), { histories: 50 })
}
StoreLaws.suite("SqliteStore in a file", SqliteStore.layerTemporary, { histories: 50 })
StoreLaws.suite("SqliteStore in memory", SqliteStore.layerMemory)

const overSqlite = MemoryStore.layer().pipe(CacheStore.tieredOver(SqliteStore.layerMemory))
StoreLaws.suite("memory over SQLite", overSqlite)
StoreLaws.suite("memory over memory over SQLite", MemoryStore.layer().pipe(CacheStore.tieredOver(overSqlite)))
StoreLaws.suite("under a prefix", SqliteStore.layerMemory.pipe(CacheStore.prefixed("shop"), CacheStore.prefixed("eu")))
StoreLaws.suite("with retry and timeout", overSqlite.pipe(CacheStore.retry(), CacheStore.timeout("1 second")))
StoreLaws.suite("a fallback", SqliteStore.layerMemory.pipe(CacheStore.orElse(MemoryStore.layer())))
StoreLaws.suite("FaultyStore with no fault", FaultyStore.over(MemoryStore.layer()))
