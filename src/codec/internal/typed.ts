/** Typed arrays as bytes and back: little-endian, whatever the machine is. */

/** What knows the type of its elements. */
export type TypedArray =
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array

interface Maker {
  readonly BYTES_PER_ELEMENT: number
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): TypedArray
}

/** The place of a type is what it is written as: part of the format. */
const makers: ReadonlyArray<Maker> = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array
]

const isLittle = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1

/** The same bytes, each element's turned round. */
const swapped = (bytes: Uint8Array, size: number): Uint8Array => {
  const copy = bytes.slice()
  for (let at = 0; at < copy.length; at += size) copy.subarray(at, at + size).reverse()
  return copy
}

/** The number of the type, or -1 for what is none of them. A `Buffer` is a `Uint8Array`. */
export const typeOf = (value: unknown): number => {
  if (!ArrayBuffer.isView(value)) return -1
  return makers.findIndex((make) => value instanceof make)
}

/** Bytes, a `Buffer` among them. */
export const isBytes = (value: unknown): value is Uint8Array => value instanceof Uint8Array

/** The elements' bytes: the same memory, where the machine is little-endian as nearly all are. */
export const bytesOf = (value: TypedArray): Uint8Array => {
  const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
  return isLittle ? bytes : swapped(bytes, value.BYTES_PER_ELEMENT)
}

/**
 * The elements of bytes: the same memory where they lie on a boundary of their size, else a copy. `undefined` where the
 * type is not known, or the bytes are no whole number of elements.
 */
export const arrayOf = (type: number, given: Uint8Array): TypedArray | undefined => {
  const make = makers[type]
  if (make === undefined || given.length % make.BYTES_PER_ELEMENT !== 0) return undefined
  const size = make.BYTES_PER_ELEMENT
  const bytes = isLittle ? given : swapped(given, size)
  const aligned = bytes.byteOffset % size === 0 ? bytes : bytes.slice()
  return new make(aligned.buffer, aligned.byteOffset, aligned.length / size)
}
