/**
 * 32 random bits a call, for choosing victims and nothing else. The same seed gives the same bits.
 *
 * Marsaglia, "Xorshift RNGs", Journal of Statistical Software 8 (2003).
 */
export const xorshift = (seed: number): (() => number) => {
  // it never leaves 0, and small seeds should not begin alike
  let state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) | 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}
