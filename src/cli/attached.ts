/** Stores as commands have them: with the configuration of this folder, and what undoes compression and encryption. */
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as Path from "@effect/platform/Path"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as CacheConfig from "../CacheConfig.js"
import type * as CacheStore from "../CacheStore.js"
import type * as CacheError from "../CacheError.js"
import type * as Codec from "../codec/Codec.js"
import * as Compression from "../codec/Compression.js"
import * as Encryption from "../codec/Encryption.js"
import * as StoreAdmin from "../StoreAdmin.js"
import * as Attach from "./attach.js"

type Files = FileSystem.FileSystem | Path.Path

/** The keys that entries are encrypted with, between commas; see `Encryption`. */
const keys = Config.option(Config.redacted("LARDER_ENCRYPTION_KEYS"))

/** Whatever is compressed or encrypted so, can be looked into; what is not, too. */
const transforms: Effect.Effect<ReadonlyArray<Codec.Transform>, CacheError.InvalidConfig> = Effect.gen(function* () {
  const compression = yield* Compression.make()
  const given = yield* Effect.orElseSucceed(keys, Option.none<Redacted.Redacted<string>>)
  const [first, ...rest] = Option.match(given, {
    onNone: () => [],
    onSome: (text) =>
      Redacted.value(text)
        .split(",")
        .map((key) => Redacted.make(key.trim()))
  })
  return first === undefined ? [compression] : [compression, yield* Encryption.make({ keys: [first, ...rest] })]
})

/** The store that a url leads to. */
export const storeOf = (
  wanted: Attach.Wanted
): Layer.Layer<CacheStore.CacheStore, Effect.Effect.Error<ReturnType<typeof Attach.storeOf>>, Files> =>
  Layer.unwrapEffect(Attach.storeOf(wanted)).pipe(Layer.provide(CacheConfig.layerFile()))

/** Its admin. */
export const adminOf = (wanted: Attach.Wanted) =>
  Layer.unwrapEffect(Effect.map(transforms, (encodedBy) => StoreAdmin.layer({ encodedBy }))).pipe(
    Layer.provide(storeOf(wanted))
  )

/** What is logged goes where it is in nobody's way: results are piped on. */
export const viewed = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.provide(effect, Logger.replace(Logger.defaultLogger, Logger.withConsoleError(Logger.logfmtLogger)))
