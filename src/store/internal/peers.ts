/** Drivers that a program installs only if it wants their store. */
import * as Effect from "effect/Effect"
import * as CacheError from "../../CacheError.js"

/** The driver was not found, or did not find what it needs itself, or is there and does not load. */
export const missing =
  (store: string, driver: string, install: string) =>
  (cause: unknown): CacheError.StoreUnavailable => {
    const message = cause instanceof Error ? cause.message : String(cause)
    const absent = /Cannot find (?:package|module) '((?:@[\w.-]+\/)?[\w.-]+)/.exec(message)?.[1]
    return new CacheError.StoreUnavailable({
      store,
      reason:
        absent === undefined
          ? `the package ${driver} cannot be loaded: ${message}`
          : `the package ${absent} is not installed`,
      hint: `npm install ${install}`,
      cause
    })
  }

/** Imports a driver inside the Layer that needs it, and nowhere else. */
export const load = <Driver>(
  options: { readonly store: string; readonly driver: string; readonly install?: string },
  load: () => Promise<Driver>
): Effect.Effect<Driver, CacheError.StoreUnavailable> =>
  Effect.tryPromise({ try: load, catch: missing(options.store, options.driver, options.install ?? options.driver) })
