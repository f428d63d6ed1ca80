/**
 * Where the fence of a key is kept. Every process must find the same slot. FNV-1a over a sample of at most 64 characters
 * will do: a collision costs one load at most.
 */
export const slotOf = (key: string, slots: number): number => {
  const { length } = key
  const step = length > 32 ? length >>> 5 : 1
  let hash = 0x811c9dc5 ^ length
  for (let index = 0; index < length; index += step) hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193)
  // the last characters differ most often, and a stride may step over them
  for (let index = Math.max(0, length - 8); index < length; index++) {
    hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193)
  }
  return ((hash >>> 16) ^ hash) & (slots - 1)
}
