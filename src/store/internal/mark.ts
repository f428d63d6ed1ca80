/**
 * What binds a row to its place. A value knows by its own checksum whether it is whole, but not whose it is: one bit
 * that rots in an index makes a key find another key's row, and the next write goes there too. So each row has a mark
 * made of all that decides whether it may be served; one that does not fit is no row of this key.
 */

/** The mark of a row: 32 bits of the region's name, the key, the epoch and the tags as they are stored. */
export type Marker = (key: string, epoch: number, tags: string | null) => number

/** FNV-1a over UTF-16: every character changes the outcome, whatever follows. The length keeps neighbours apart. */
const add = (hash: number, text: string): number => {
  const { length } = text
  hash = Math.imul(hash ^ length, 0x01000193)
  for (let index = 0; index < length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  return hash
}

/** Part of the schema, as `slotOf` is: every process must make the same marks. */
export const marker = (region: string): Marker => {
  const seed = add(0x811c9dc5, region)
  return (key, epoch, tags) => {
    const hash = add(add(seed, key), tags ?? "")
    return Math.imul(hash ^ (epoch | 0), 0x01000193) ^ Math.floor(epoch / 2 ** 32)
  }
}

/** 32 bits of any text. */
export const digestOf = (text: string): number => add(0x811c9dc5, text)
