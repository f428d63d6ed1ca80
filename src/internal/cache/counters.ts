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
}
