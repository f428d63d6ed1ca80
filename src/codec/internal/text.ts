/**
 * Strings in the envelope: a length and a form in 4 bytes, then the bytes.
 *
 * UTF-8 cannot hold half a surrogate pair, and an encoder replaces it silently, which would make two different tags
 * one. Such strings are rare; they are written as UTF-16 and marked by the highest bit of the length.
 */

const WIDE = 0x8000_0000

const encoder = new TextEncoder()
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
const halfPair = /\p{Surrogate}/u

/** Below this length a loop over ASCII is several times cheaper than calling the encoder. */
const short = 128

/** UTF-8 of a string that is known to have no half surrogate pair. */
export const utf8 = (text: string): Uint8Array => {
  if (text.length > short) return encoder.encode(text)
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code > 0x7f) return encoder.encode(text)
    bytes[i] = code
  }
  return bytes
}

/** The string of UTF-8 bytes. Throws where they are malformed. */
export const fromUtf8 = (bytes: Uint8Array): string => decoder.decode(bytes)

/** The string of UTF-16, little-endian; of an odd number of bytes the last one is left out. */
export const fromUtf16 = (bytes: Uint8Array): string => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let text = ""
  for (let i = 0; i + 1 < bytes.length; i += 2) text += String.fromCharCode(view.getUint16(i, true))
  return text
}

/** A string ready to be written. */
export interface Text {
  readonly head: number
  readonly bytes: Uint8Array
}

/** Whether UTF-8 would lose something of a string. */
export const isWide = (text: string): boolean => halfPair.test(text)

/** UTF-16, little-endian. */
export const utf16 = (text: string): Uint8Array => {
  const bytes = new Uint8Array(text.length * 2)
  const view = new DataView(bytes.buffer)
  for (let i = 0; i < text.length; i++) view.setUint16(2 * i, text.charCodeAt(i), true)
  return bytes
}

/** Prepares a string. */
export const encode = (text: string): Text => {
  const isHalf = isWide(text)
  const bytes = isHalf ? utf16(text) : utf8(text)
  return { head: isHalf ? bytes.length + WIDE : bytes.length, bytes }
}

/** The size of the prepared string with its length. */
export const size = (text: Text): number => 4 + text.bytes.length

/** Writes the prepared string at `at` and answers where the next thing goes. */
export const write = (view: DataView, bytes: Uint8Array, at: number, text: Text): number => {
  view.setUint32(at, text.head, true)
  bytes.set(text.bytes, at + 4)
  return at + size(text)
}

/** Reads the string at `at` and where it ends; `undefined` if it would pass `end` or is not well formed. */
export const read = (
  view: DataView,
  bytes: Uint8Array,
  at: number,
  end: number
): { readonly text: string; readonly next: number } | undefined => {
  if (at + 4 > end) return undefined
  const head = view.getUint32(at, true)
  const next = at + 4 + (head % WIDE)
  if (next > end) return undefined
  if (head < WIDE) return { text: fromUtf8(bytes.subarray(at + 4, next)), next }
  return head % 2 !== 0 ? undefined : { text: fromUtf16(bytes.subarray(at + 4, next)), next }
}
