/** Typed arrays that grow with the slots they are indexed by. */

type Numbers = Uint8Array | Uint32Array | Float64Array

const initialSlots = 64

/** Numbers up to 255. */
export const bytes = (): Uint8Array => new Uint8Array(initialSlots)
/** Numbers up to 2^32 - 1. */
export const integers = (): Uint32Array => new Uint32Array(initialSlots)
/** Any numbers. */
export const floats = (): Float64Array => new Float64Array(initialSlots)

/** The same array, or a wider one with the same content, that has room for the slot. */
export const withRoomFor = <N extends Numbers>(array: N, slot: number): N => {
  if (slot < array.length) return array
  const wider = new (array.constructor as new (length: number) => N)(Math.max(slot + 1, array.length * 2))
  wider.set(array)
  return wider
}
