/** What is promised, and whether a measurement bears it out. */
import { quantile } from "./measure.js"

export type Unit = "ns" | "x" | "bytes"

/**
 * - `PASS`: the median keeps the bound;
 * - `NOISY`: the median does not, but a quarter of the rounds or more do: run it again on a quieter machine;
 * - `FAIL`: the bound is broken, and noise does not explain it;
 * - `OPEN`: nobody has claimed it yet: it is where things are to get to.
 */
export type Verdict = "PASS" | "NOISY" | "FAIL" | "OPEN"

export interface Claim {
  readonly text: string
  readonly unit: Unit
  readonly bound: number
  readonly median: number
  readonly quartiles: readonly [number, number]
  readonly verdict: Verdict
  /** Whether the same code comes to about the same figure every time, so that runs can be compared by it. */
  readonly steady: boolean
}

/** A claim that the values stay below a bound. One value a round. */
export const below = (
  text: string,
  unit: Unit,
  bound: number,
  values: ReadonlyArray<number>,
  { steady = true }: { readonly steady?: boolean } = {}
): Claim => {
  const median = quantile(values, 0.5)
  const quartiles = [quantile(values, 0.25), quantile(values, 0.75)] as const
  // written so that NaN, which is what no values come to, fails
  const verdict = median < bound ? "PASS" : quartiles[0] < bound ? "NOISY" : "FAIL"
  return { text, unit, bound, median, quartiles, verdict, steady }
}

/** What is aimed at, and told until it is reached; no claim is broken where it is not. */
export const aim = (text: string, unit: Unit, bound: number, values: ReadonlyArray<number>): Claim => {
  const claim = below(text, unit, bound, values)
  return claim.verdict === "PASS" ? claim : { ...claim, verdict: "OPEN" }
}
