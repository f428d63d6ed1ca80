import * as SqliteStore from "effect-larder/SqliteStore"
import { suite } from "../fixtures/simulation/suite.js"

suite("SQLite", SqliteStore.layerMemory)
