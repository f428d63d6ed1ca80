import * as KeyValueStore from "@effect/platform/KeyValueStore"
import { Layer } from "effect"
import * as PlatformStore from "effect-larder/PlatformStore"
import { suite } from "../fixtures/simulation/suite.js"

suite("a key-value store", PlatformStore.layer().pipe(Layer.provide(KeyValueStore.layerMemory)), { part: 0.2 })
