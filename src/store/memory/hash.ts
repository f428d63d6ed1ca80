/** 32 bits that stand for a key, the same each time and another in each store: FNV-1a, by Fowler, Noll and Vo. */
export const hashOf = (key: string, seed: number): number => {
  let hash = 0x811c9dc5 ^ seed
  for (let index = 0; index < key.length; index++) hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193)
  return hash >>> 0
}
