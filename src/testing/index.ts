/**
 * What authors of stores and plugins test with.
 *
 * @since 0.1.0
 */
// Written by scripts/exports.mjs from the folder tree: `npm run exports`.

/**
 * Any store, with faults that a test switches on and off: to see what a program does when its store is down, slow,
 * hanging or forgetful. The store under it is a real one and keeps what it was given meanwhile.
 *
 * @since 0.1.0
 */
export * as FaultyStore from "./FaultyStore.js"

/**
 * Tells whether a test left something behind: a fiber, a finalizer, a load in the air, a get without an outcome.
 *
 * @since 0.1.0
 */
export * as LeakOracle from "./LeakOracle.js"

/**
 * What every store must do, as a suite of tests: for ours, for compositions, and for yours.
 *
 * @since 0.1.0
 */
export * as StoreLaws from "./StoreLaws.js"
