/**
 * How many slots the window of a W-TinyLFU gets, found out while it runs.
 *
 * Each eviction gives up one of two: the window's candidate or the main part's victim. A slot is worth having where
 * what was given up comes back soon. So those given up are remembered for a while, and when one comes back, the part
 * that it left grows: by the less, the later it comes, and the more its part has given up lately. Where both lose as
 * much per departure, the balance rests. To hear of both, now and then the one is given up that should stay; that is
 * also what keeps an adversary from owning the cache by keys that collide.
 *
 * That is the marginal utility that cliff-hanging and regret-minimizing caches look for (Cidon, Eisenman, Alizadeh and
 * Katti, "Cliffhanger: scaling performance cliffs in web memory caches", NSDI 2016; Vietri et al., "Driving cache
 * replacement with ML-based LeCaR", HotStorage 2018), with the two ghosts of Megiddo and Modha's ARC (FAST 2003) as
 * its measure. Against hill climbing by the hit ratio, which is the usual way, it knows which way to go at the first
 * sign, and in loops, where nothing comes back in time, it stays where it is.
 */
import { from, Ghosts, unknown } from "./ghosts.js"
import { xorshift } from "./xorshift.js"

/** Of the two that an eviction chooses from: the window's candidate, */
export const ofWindow = 0
/** and the main part's victim. */
export const ofMain = 1
/** Whose departure it was. */
export type Side = typeof ofWindow | typeof ofMain

/** The window's first part of all slots, and the bounds of what it may become. */
const initialPart = 0.05
const leastPart = 0.005
const greatestPart = 0.95
/** No single return may shift more than this. */
const greatestShift = 0.3
/** One in so many decisions is turned round. */
const trialEvery = 64

/** One for each policy: what it learns is of one stream of keys. */
export class Balance {
  private part = initialPart
  private readonly ghosts = new Ghosts()
  /** By side: how many were given up among the last ones, of which there are about as many as slots. */
  private readonly given: [number, number] = [0, 0]
  private readonly random: () => number

  constructor(seed: number) {
    this.random = xorshift(seed)
  }

  /** The slots that the window may have of `count`. */
  window(count: number): number {
    return Math.max(1, Math.round(this.part * count))
  }

  /** Whether this decision is to be turned round, to learn from it. */
  get isTrial(): boolean {
    return this.random() < 2 ** 32 / trialEvery
  }

  /** One of `count` was given up. */
  gaveUp(side: Side, hash: number, count: number): void {
    this.given[ofWindow] -= this.given[ofWindow] / count
    this.given[ofMain] -= this.given[ofMain] / count
    this.given[side]++
    this.ghosts.reserve(2 * count)
    this.ghosts.add(hash, side)
  }

  /** A key came in that may have been here before. */
  came(hash: number, count: number): void {
    const departure = this.ghosts.take(hash)
    if (departure === unknown) return
    // what comes back after a whole turnover could not have been kept by any balance
    const worth = 1 - this.ghosts.since(departure) / count
    if (worth <= 0) return
    const side = from(departure)
    const shift = Math.min(greatestShift, worth / Math.max(1, this.given[side]))
    this.part = Math.min(greatestPart, Math.max(leastPart, this.part + (side === ofWindow ? shift : -shift)))
  }
}
