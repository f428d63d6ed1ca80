/** What goes wrong with a server, in this project's words. A driver's own errors stop here: they become the `cause`. */
import * as CacheError from "../../CacheError.js"

/** What a driver's error means, for whoever has to do something about it. */
export interface Diagnosis {
  readonly reason: string
  /** Whether trying again may help. */
  readonly transient: boolean
  readonly hint: string
}

/** An address that cannot be reached by several ways is one error of several. */
export const firstOf = (error: unknown): unknown => (error instanceof AggregateError ? error.errors[0] : error)

/** How a store tells what went wrong. */
export interface Told {
  /** An operation failed. */
  readonly ofOperation: (operation: string, cause: unknown) => CacheError.StoreError
  /** No connection can be made, or none that can be used. `where` names the server, without its password. */
  readonly ofConnecting: (where: string, cause: unknown) => CacheError.StoreUnavailable
}

/**
 * `away` is the hint of a diagnosis that says that the server cannot be reached: where it is not known yet whether there is
 * one, the hint says where it was looked for.
 */
export const told = (store: string, diagnose: (cause: unknown) => Diagnosis, away: string): Told => ({
  ofOperation: (operation, cause) => new CacheError.StoreError({ store, operation, ...diagnose(cause), cause }),
  ofConnecting: (where, cause) => {
    const { hint, reason } = diagnose(cause)
    return new CacheError.StoreUnavailable({
      store,
      reason: reason.includes(where) ? reason : `${reason} (${where})`,
      hint: hint === away ? `check that a server runs at ${where} and can be reached` : hint,
      cause
    })
  }
})
