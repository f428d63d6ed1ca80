/**
 * A value with its provenance: what `Cache.getResult` answers.
 *
 * @since 0.1.0
 */

/**
 * What one get was. Exactly one per get:
 *
 * - `fresh`: served from a store, within its time to live;
 * - `stale`: served from a store, past it, as the policy allows;
 * - `loaded`: this get started the load and received its value;
 * - `joined`: received the value of a load that another get had started;
 * - `failsafe`: the load failed, an older value was served instead;
 * - `bypassed`: the lookup ran and nothing was read or stored (mode `no-store`, or `when` said no);
 * - `failed`: ended in a failure that did not come from a store, or was interrupted while waiting.
 *
 * @since 0.1.0
 * @category models
 */
export type Outcome = "fresh" | "stale" | "loaded" | "joined" | "failsafe" | "bypassed" | "failed"

/**
 * A value, and how it was come by.
 *
 * @since 0.1.0
 * @category models
 */
export interface CacheResult<out A> {
  readonly value: A
  readonly outcome: Outcome
  /** Milliseconds since the load of this value started. */
  readonly age: number
  /** The tier that answered, 1 being nearest; `undefined` when the value was loaded. */
  readonly tier: number | undefined
  /** Until when the value counts as fresh, in milliseconds since the epoch; `undefined` when it is not kept. */
  readonly freshUntil: number | undefined
}
