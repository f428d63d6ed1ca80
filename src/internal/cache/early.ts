/** Refreshing before the end: when an entry that is still fresh is loaded again behind its readers' backs. */

export interface Times {
  readonly createdAt: number
  readonly freshUntil: number
  readonly loadMillis: number
}

/** No chance is lower than 2 to the -53, so that no draw is further ahead than this many load times. */
const furthest = 53 * Math.LN2

/**
 * By a fixed part of the entry's life, by chance (XFetch: Vattani, Chierichetti, Lowenstein, "Optimal Probabilistic
 * Cache Stampede Prevention", VLDB 2015), or by whichever comes first.
 */
export class Early {
  constructor(
    /** The part of its life after which an entry is due; 1 for never. */
    private readonly ahead: number,
    /** How eager chance is; 0 for not at all. */
    private readonly beta: number
  ) {}

  /** Whether `isDue` may be true of it. Made for the hot path. */
  mayBeDue(createdAt: number, freshUntil: number, loadMillis: number, now: number): boolean {
    if (freshUntil === Infinity) return false
    return (
      now >= createdAt + (freshUntil - createdAt) * this.ahead || now + loadMillis * this.beta * furthest >= freshUntil
    )
  }

  /** Of an entry that is fresh. `chance` is drawn only where it decides. */
  isDue({ createdAt, freshUntil, loadMillis }: Times, now: number, chance: () => number): boolean {
    if (freshUntil === Infinity) return false
    if (this.ahead < 1 && now >= createdAt + (freshUntil - createdAt) * this.ahead) return true
    // 1 - chance is never 0
    return this.beta > 0 && now - loadMillis * this.beta * Math.log(1 - chance()) >= freshUntil
  }
}

export const earlyOf = (options: {
  readonly refreshAhead?: number | undefined
  readonly earlyRefresh?: number | undefined
}): Early | undefined =>
  options.refreshAhead === undefined && options.earlyRefresh === undefined
    ? undefined
    : new Early(options.refreshAhead ?? 1, options.earlyRefresh ?? 0)
