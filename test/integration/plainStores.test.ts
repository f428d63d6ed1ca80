/** Stores over what knows names and values only: Keyv's adapters, Effect's KeyValueStore and BackingPersistence. */
import * as Persistence from "@effect/experimental/Persistence"
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import { Layer } from "effect"
import * as KeyvStore from "effect-larder/KeyvStore"
import * as PersistenceStore from "effect-larder/PersistenceStore"
import * as PlatformStore from "effect-larder/PlatformStore"
import { StoreLaws } from "effect-larder/testing"

const stores = {
  KeyvStore: KeyvStore.layer({ adapter: () => new Map<string, string>() }),
  PlatformStore: PlatformStore.layer().pipe(Layer.provide(KeyValueStore.layerMemory)),
  PersistenceStore: PersistenceStore.layer().pipe(Layer.provide(Persistence.layerMemory))
}

for (const [name, layer] of Object.entries(stores)) {
  StoreLaws.suite(name, layer)
}
