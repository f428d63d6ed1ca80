/**
 * Where entries live: the contract that every engine meets, and the Layer combinators over it.
 *
 * A store is a service provided by one Layer (`MemoryStore.layer`, `SqliteStore.layer`, ...). A cache opens a *region*
 * of it in its own Scope. Falling back from one engine to another, and putting one engine in front of another, is
 * composing Layers.
 *
 * @example
 * ```ts
 * import { CacheStore, MemoryStore } from "effect-larder"
 * import * as SqliteStore from "effect-larder/SqliteStore"
 *
 * // memory in front of a file; if the file cannot be had, memory alone
 * export const Store = MemoryStore.layer({ capacity: 10_000 }).pipe(
 *   CacheStore.tieredOver(
 *     SqliteStore.layer({ filename: "cache.db" }).pipe(CacheStore.orElse(MemoryStore.layer()))
 *   )
 * )
 * ```
 *
 * @since 0.1.0
 */
/**
 * The contract: stores, their regions, engines, and what makes a store of an engine.
 *
 * @since 0.1.0
 * @category contract
 */
export * from "./CacheStore/contract.js"
/**
 * Stores made of others.
 *
 * @since 0.1.0
 * @category combinators
 */
export * from "./CacheStore/composition.js"
/**
 * Stores that may fail.
 *
 * @since 0.1.0
 * @category combinators
 */
export * from "./CacheStore/resilience.js"
/**
 * Stores that show, or take, less than the one under them.
 *
 * @since 0.1.0
 * @category combinators
 */
export * from "./CacheStore/shaping.js"
/**
 * Stores of which each value gets the one that suits it.
 *
 * @since 0.1.0
 * @category combinators
 */
export * from "./CacheStore/auto.js"
