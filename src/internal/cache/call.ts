/** What one call of a caller is, from its start to its answer. */
import type * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as CacheStore from "../../CacheStore.js"
import type { Flight } from "./flight.js"
import type { Begun } from "./loader.js"
import type { Answer } from "./model.js"
import type { Settings, Verdict } from "./settings.js"

type AnyFiber = Fiber.RuntimeFiber<unknown, unknown>

/** One call of a caller: what is in force for it, and how it may be interrupted while it waits. */
export interface Call {
  readonly settings: Settings
  readonly fiber: AnyFiber
  readonly restore: <X, E2, R2>(effect: Effect.Effect<X, E2, R2>) => Effect.Effect<X, E2, R2>
  readonly startedAt: number
  /** The caller asks for one key and waits for it next: he may ask a store for it himself. */
  readonly isSingle?: boolean
}

/** What a store said of one key, and the epoch from which a load may go on. */
export interface Asked<A, E> {
  readonly found: CacheStore.Found<A, E> | undefined
  readonly epoch: CacheStore.Epoch
  /** Something was invalidated since: what was found may be served to who asked, but not to others who join his load. */
  readonly overtaken: boolean
}

/** A place taken in a flight: it must be ridden or left. */
export interface Place<K, A, E> {
  readonly flight: Flight<K, A, E>
  readonly owner: boolean
}

/** What has come of looking for a key where it is near, or where it was asked for with others. */
export interface Sought<A, E> {
  readonly found: Pick<CacheStore.Found<A, E>, "entry" | "tier"> | undefined
  readonly verdict: Verdict
  readonly asked: Asked<A, E> | undefined
  readonly begun: Begun<A, E> | undefined
}

/**
 * What a get has come to: an answer, counted already; the way to one, which counts its outcome when it is run; or a place.
 * Whoever does not go that way, or does not ride, gives the ticket back: see `leave`.
 */
export type Ticket<K, A, E, R> = Answer<A, E> | Effect.Effect<Answer<A, E>, E, R> | Place<K, A, E>

export const isPlace = <K, A, E, R>(ticket: Ticket<K, A, E, R>): ticket is Place<K, A, E> => "flight" in ticket
export const isAnswer = <K, A, E, R>(ticket: Ticket<K, A, E, R>): ticket is Answer<A, E> => "outcome" in ticket
