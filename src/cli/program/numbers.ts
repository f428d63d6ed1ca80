/** What the routes of a program tell, as people would ask for it. */
import type { View } from "./client.js"

export const fullest = ({ tiers }: View, of: "entries" | "bytes"): number =>
  Math.max(0, ...tiers.map((tier) => tier[of]))

export interface Gets {
  readonly gets: number
  readonly hits: number
  /** Gets that needed a load, or failed. */
  readonly misses: number
}

const none: Gets = { gets: 0, hits: 0, misses: 0 }

/** All so far; those of a store that nobody counts for are none. */
export const getsOf = ({ stats }: View): Gets => {
  if (stats === undefined) return none
  const of = (...outcomes: ReadonlyArray<string>): number =>
    outcomes.reduce((sum, outcome) => sum + (stats.outcomes[outcome] ?? 0), 0)
  const [hits, misses] = [of("fresh", "stale"), of("loaded", "joined", "failsafe", "failed")]
  return { gets: hits + misses + of("bypassed"), hits, misses }
}

/** A program that has begun anew counts from nothing. */
export const between = (now: Gets, before: Gets): Gets =>
  now.gets < before.gets
    ? now
    : { gets: now.gets - before.gets, hits: now.hits - before.hits, misses: now.misses - before.misses }

/** From 0 to 1; unknown before the first. */
export const ratioOf = ({ hits, misses }: Gets): number | undefined =>
  hits + misses === 0 ? undefined : hits / (hits + misses)
