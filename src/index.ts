/**
 * @since 0.1.0
 */
export * as Cache from "./Cache.js"
export * as CacheConfig from "./CacheConfig.js"
export * as CacheEntry from "./CacheEntry.js"
export * as CacheError from "./CacheError.js"
export * as CacheEvents from "./observe/CacheEvents.js"
export * as CacheKey from "./CacheKey.js"
export * as CacheResult from "./CacheResult.js"
export * as CacheStats from "./observe/CacheStats.js"
export * as CacheStore from "./CacheStore.js"
export * as MemoryStore from "./store/MemoryStore.js"
