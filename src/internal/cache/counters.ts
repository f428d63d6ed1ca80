import { Latencies } from "./latencies.js"

/** Plain numbers that the hot path adds to and that everything else only reads. */
export class Counters {
  fresh = 0
  stale = 0
  loaded = 0
  joined = 0
  failsafe = 0
  bypassed = 0
  failed = 0
  /** Lookups started by loads (not by bypasses), and those that did not succeed. */
  loads = 0
  loadFailures = 0
  loadMillis = 0
  /** What the lookups would have cost that hits made unnecessary, in milliseconds. */
  savedMillis = 0
  storeFailures = 0
  /** Lookups that were run again within a load. */
  retries = 0
  /** Loads (or batches of them) that the bulkhead kept from beginning. */
  rejected = 0
  /** Loads whose source said that what is known is right still. */
  notModified = 0
  /** Loads that were begun behind the callers' backs. */
  refreshes = 0
  readonly latencies = new Latencies()
}
