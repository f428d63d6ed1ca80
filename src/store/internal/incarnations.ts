/**
 * A region's counter as this process counts it: one number that never goes back, whatever becomes of the server.
 *
 * Redis has a counter for each incarnation of a region; here each incarnation that was met has a place, and a number is
 * a place and a count. Those met long ago are forgotten: what was loaded in them is not stored.
 */

/** Counts of one incarnation: more invalidations than a server sees in two thousand years, at one a second. */
const counts = 2 ** 36
/** Incarnations that a process can tell apart; after these nothing more is stored. */
const places = 2 ** 17
const remembered = 1_000

/** What belongs to no incarnation that is known. */
export const unknown = -1

export class Incarnations {
  private readonly names: Array<string> = []
  private forgotten = 0

  /** The number of an epoch of the incarnation that the server is in now. */
  numberOf(name: string, epoch: number): number {
    if (this.names.at(-1) !== name) this.begin(name)
    const place = this.forgotten + this.names.length - 1
    return place < places ? place * counts + epoch : unknown
  }

  private begin(name: string): void {
    this.names.push(name)
    if (this.names.length <= remembered) return
    this.names.shift()
    this.forgotten++
  }

  /** The number of an epoch, of an incarnation that need not be the present one. */
  find(name: string, epoch: number): number {
    const place = this.names.lastIndexOf(name)
    return place < 0 ? unknown : (this.forgotten + place) * counts + epoch
  }

  /** As the scripts want it: incarnation and epoch, or nothing that could ever be accepted. */
  textOf(number: number): string {
    const name = number < 0 ? undefined : this.names[Math.floor(number / counts) - this.forgotten]
    return name === undefined ? "? 0" : `${name} ${number % counts}`
  }
}
