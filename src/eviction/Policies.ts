/**
 * The eviction policies by name, as a store is configured with them.
 *
 * @since 0.1.0
 */
import * as Fifo from "./Fifo.js"
import * as Lfu from "./Lfu.js"
import * as Lifo from "./Lifo.js"
import * as Lru from "./Lru.js"
import * as Mru from "./Mru.js"
import type { Policy } from "./Policy.js"
import * as Random from "./Random.js"
import * as S3Fifo from "./S3Fifo.js"
import * as Sieve from "./Sieve.js"
import * as TinyLfu from "./TinyLfu.js"
import * as Ttl from "./Ttl.js"

type Make = (options: { readonly seed: number }) => Policy

const makes = {
  "w-tinylfu": TinyLfu.make,
  lru: Lru.make,
  lfu: Lfu.make,
  fifo: Fifo.make,
  lifo: Lifo.make,
  mru: Mru.make,
  random: Random.make,
  ttl: Ttl.make,
  sieve: Sieve.make,
  "s3-fifo": S3Fifo.make
} satisfies Record<string, Make>

/**
 * What a policy is called.
 *
 * @since 0.1.0
 * @category models
 */
export type Name = keyof typeof makes

/**
 * All names, the default first.
 *
 * @since 0.1.0
 * @category models
 */
export const names: ReadonlyArray<Name> = Object.keys(makes) as Array<Name>

/**
 * The policy that is used where none is named: the one whose hit ratio is nearest to the best of all of them, over all
 * accesses that `npm run bench:ratio` replays.
 *
 * @since 0.1.0
 * @category models
 */
export const defaultName: Name = "w-tinylfu"

/**
 * A policy of its own for one owner. `seed` (any number) is for those that draw lots; others leave it alone.
 *
 * @example
 * ```ts
 * import * as Policies from "effect-larder/Policies"
 *
 * const policy = Policies.make("lru", { seed: 1 })
 * policy.onInsert(0, 0, Infinity)
 * console.log(policy.evict()) // 0
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: (name: Name, options: { readonly seed: number }) => Policy = (name, options) => makes[name](options)
