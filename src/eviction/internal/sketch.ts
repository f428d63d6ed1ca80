/**
 * How often keys were seen lately, roughly and in little memory.
 *
 * A count-min sketch (Cormode and Muthukrishnan, "An improved data stream summary", 2005) of counters of 4 bits with
 * the conservative update, aged as in TinyLFU (Einziger, Friedman and Manes, "TinyLFU: a highly efficient cache
 * admission policy", 2017): after twenty times as many additions as there are keys, all counters are halved. A key's four
 * counters lie in one block of 64 bytes, so that looking one up costs one cache line.
 */

/** What a counter of 4 bits can hold. */
const most = 15
/** Words of 32 bits in a block; a word holds 8 counters. */
const blockWords = 16
const initialBlocks = 8
/** Additions between two agings, for each key that there is room for. */
const sampling = 20
const lowThreeBits = 0x77777777

/** Spreads the bits of a hash: neighbours get nothing in common (the finalizer of MurmurHash3, by Appleby). */
export const spread = (hash: number): number => {
  let mixed = hash
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return mixed ^ (mixed >>> 16)
}

/** Counts keys by their hashes, from 0 to 15. */
export class Sketch {
  private words = new Uint32Array(initialBlocks * blockWords)
  private blockMask = initialBlocks - 1
  private keys = 0
  private additions = 0

  /** Makes room for so many keys. What is known stays known, if a little less exactly. */
  reserve(keys: number): void {
    if (keys > this.keys) this.keys = keys
    // a block has 128 counters: 16 keys a block leave each key two counters for each of its four
    while ((this.blockMask + 1) * blockWords < this.keys) this.double()
  }

  private double(): void {
    const { words } = this
    const wider = new Uint32Array(words.length * 2)
    wider.set(words)
    wider.set(words, words.length)
    this.words = wider
    this.blockMask = wider.length / blockWords - 1
  }

  private block(mixed: number): number {
    return (mixed & this.blockMask) * blockWords
  }

  /** From 0 to 15: at least as often as the key was added since, each aging apart. */
  count(hash: number): number {
    const mixed = spread(hash)
    const base = this.block(mixed)
    let rest = spread(mixed ^ 0x9e3779b9)
    let least = most
    for (let row = 0; row < 4; row++, rest >>>= 6) {
      const count = (this.words[base + 4 * row + (rest & 3)]! >>> (rest & 0x1c)) & most
      if (count < least) least = count
    }
    return least
  }

  /** Only those of its counters are raised that are not above the key's count already. */
  add(hash: number, times = 1): void {
    const { words } = this
    const mixed = spread(hash)
    const base = this.block(mixed)
    const places = spread(mixed ^ 0x9e3779b9)
    let least = most
    for (let row = 0, rest = places; row < 4; row++, rest >>>= 6) {
      const count = (words[base + 4 * row + (rest & 3)]! >>> (rest & 0x1c)) & most
      if (count < least) least = count
    }
    const raised = Math.min(most, least + times)
    for (let row = 0, rest = places; row < 4 && raised > least; row++, rest >>>= 6) {
      const index = base + 4 * row + (rest & 3)
      const shift = rest & 0x1c
      const word = words[index]!
      if (((word >>> shift) & most) < raised) words[index] = (word & ~(most << shift)) | (raised << shift)
    }
    this.additions += times
    if (this.additions >= sampling * this.keys) this.age()
  }

  private age(): void {
    const { words } = this
    for (let index = 0; index < words.length; index++) words[index] = (words[index]! >>> 1) & lowThreeBits
    this.additions >>>= 1
  }
}
