import { MemoryStore } from "effect-larder"
import { capacity } from "../fixtures/simulation/play.js"
import { suite } from "../fixtures/simulation/suite.js"

suite("memory", MemoryStore.layer({ capacity, policy: "lru" }))
