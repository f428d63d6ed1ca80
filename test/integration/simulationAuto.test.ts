import { Layer, Logger } from "effect"
import { CacheStore, MemoryStore } from "effect-larder"
import * as SqliteStore from "effect-larder/SqliteStore"
import { capacity } from "../fixtures/simulation/play.js"
import { suite } from "../fixtures/simulation/suite.js"

suite(
  "chosen by size",
  CacheStore.layerAuto({
    small: { store: MemoryStore.layerBytes({ capacity }), upTo: 130 },
    large: { store: SqliteStore.layerMemory }
  }).pipe(Layer.provide(Logger.remove(Logger.defaultLogger))),
  { part: 0.3 }
)
