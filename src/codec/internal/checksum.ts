/**
 * The checksum of the envelope: MurmurHash3, the x86 variant of 128 bits, in its reference form.
 *
 * Why not a CRC: in plain JavaScript a CRC goes byte by byte, this goes sixteen bytes at a time in 32-bit arithmetic
 * and is several times faster. What it promises for rot (not for forgers: it has no key): mixing one block into the
 * state is a bijection of the block and of the state, and so are all later steps, so damage confined to one aligned
 * block of 16 bytes is *always* found; any other damage escapes with odds of about 2^-128.
 */

const C1 = 0x239b961b
const C2 = 0xab0e9789
const C3 = 0x38b34ae5
const C4 = 0xa1e38b93

/** The size of the checksum in bytes. */
export const size = 16

const rotl = (x: number, by: number): number => (x << by) | (x >>> (32 - by))

const mix1 = (k: number): number => Math.imul(rotl(Math.imul(k, C1), 15), C2)
const mix2 = (k: number): number => Math.imul(rotl(Math.imul(k, C2), 16), C3)
const mix3 = (k: number): number => Math.imul(rotl(Math.imul(k, C3), 17), C4)
const mix4 = (k: number): number => Math.imul(rotl(Math.imul(k, C4), 18), C1)

const avalanche = (h: number): number => {
  const a = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  const b = Math.imul(a ^ (a >>> 13), 0xc2b2ae35)
  return b ^ (b >>> 16)
}

/** Up to four bytes at `at`, little-endian, never past `end`. */
const partial = (view: DataView, at: number, end: number): number => {
  let word = 0
  for (let i = Math.min(at + 4, end) - 1; i >= at; i--) word = (word << 8) | view.getUint8(i)
  return word
}

/** What was computed last, so that nothing is made for it each time: it is taken before anything else is computed. */
const words = new Int32Array(4)

/** The checksum of the first `length` bytes that a view shows, as four words that are good until the next one. */
const compute = (view: DataView, length: number, seed: number): Int32Array => {
  const blocks = length - (length % 16)
  let h1 = seed | 0
  let h2 = h1
  let h3 = h1
  let h4 = h1
  for (let i = 0; i < blocks; i += 16) {
    h1 ^= mix1(view.getInt32(i, true))
    h1 = (Math.imul((rotl(h1, 19) + h2) | 0, 5) + 0x561ccd1b) | 0
    h2 ^= mix2(view.getInt32(i + 4, true))
    h2 = (Math.imul((rotl(h2, 17) + h3) | 0, 5) + 0x0bcaa747) | 0
    h3 ^= mix3(view.getInt32(i + 8, true))
    h3 = (Math.imul((rotl(h3, 15) + h4) | 0, 5) + 0x96cd1c35) | 0
    h4 ^= mix4(view.getInt32(i + 12, true))
    h4 = (Math.imul((rotl(h4, 13) + h1) | 0, 5) + 0x32ac3b17) | 0
  }
  h1 = h1 ^ mix1(partial(view, blocks, length)) ^ length
  h2 = h2 ^ mix2(partial(view, blocks + 4, length)) ^ length
  h3 = h3 ^ mix3(partial(view, blocks + 8, length)) ^ length
  h4 = h4 ^ mix4(partial(view, blocks + 12, length)) ^ length
  h1 = (h1 + h2 + h3 + h4) | 0
  h2 = avalanche((h2 + h1) | 0)
  h3 = avalanche((h3 + h1) | 0)
  h4 = avalanche((h4 + h1) | 0)
  h1 = avalanche(h1)
  h1 = (h1 + h2 + h3 + h4) | 0
  words[0] = h1
  words[1] = h2 + h1
  words[2] = h3 + h1
  words[3] = h4 + h1
  return words
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** The checksum of the first `length` bytes, as four words. */
export const of = (bytes: Uint8Array, length: number, seed = 0): readonly [number, number, number, number] => {
  const [a = 0, b = 0, c = 0, d = 0] = compute(viewOf(bytes), length, seed)
  return [a, b, c, d]
}

/** Writes the checksum of everything before `at` at `at`. */
export const write = (bytes: Uint8Array, at: number): void => {
  const view = viewOf(bytes)
  compute(view, at, 0).forEach((word, i) => view.setInt32(at + 4 * i, word, true))
}

/** Whether the checksum at `at` is that of everything before it. */
export const matches = (bytes: Uint8Array, at: number, view = viewOf(bytes)): boolean => {
  const found = compute(view, at, 0)
  for (let i = 0; i < 4; i++) if (view.getInt32(at + 4 * i, true) !== found[i]) return false
  return true
}
