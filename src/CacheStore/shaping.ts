/** Stores that show, or take, less than the one under them. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as CacheError from "../CacheError.js"
import * as Options from "../internal/options.js"
import * as Store from "../internal/store/service.js"
import { changeStore } from "./change.js"
import type { CacheStore } from "./contract.js"

/**
 * Puts all regions of a store under a prefix, so that several programs (or versions of one) share an engine without
 * sharing entries. Nested prefixes add up. An empty prefix, or one with control characters, is `InvalidConfig`.
 *
 * @example
 * ```ts
 * import { CacheStore, MemoryStore } from "effect-larder"
 *
 * export const Store = MemoryStore.layer().pipe(CacheStore.prefixed("shop"))
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const prefixed =
  (prefix: string) =>
  <O, E, R>(layer: Layer.Layer<CacheStore | O, E, R>): Layer.Layer<CacheStore | O, E | CacheError.InvalidConfig, R> =>
    Layer.unwrapEffect(
      Effect.map(Options.check({ prefix }, { prefix: Options.regionName }), () =>
        changeStore(layer, (service) => ({
          ...service,
          // names hold no control characters, so no name and no other prefix can make the same text
          region: (options) => service.region({ ...options, name: `${prefix}${Store.prefixSeparator}${options.name}` })
        }))
      )
    )
