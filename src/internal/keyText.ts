/**
 * The text of keys: which strings are keys as they are, how a string is quoted, and the digest of a long text.
 */
import { sha256 } from "@noble/hashes/sha2.js"
import * as Encoding from "effect/Encoding"

/** No key is longer than this many characters (UTF-16 code units); a longer text becomes a digest. */
export const maxKeyLength = 200

/** What starts every key that is not simply a string. */
export const mark = "~"

/** No canonical text starts so: after the mark comes JSON, and no JSON starts with `#`. */
const digestMark = "~#"

/** The mark and 43 characters: 256 bits in base64url without padding. */
const digestLength = 45

// Control characters are C0, DEL and C1. Surrogates are in the same class so that one scan settles nearly all strings;
// only a string with surrogates or controls is looked at again.
const needsCare = /[\u0000-\u001f\u007f-\u009f\ud800-\udfff]/
const controls = /[\u0000-\u001f\u007f-\u009f]/
const needsEscape = /["\\\u0000-\u001f\u007f-\u009f\ud800-\udfff]/
const highControls = /[\u007f-\u009f]/g

const isWellFormed = (text: string): boolean =>
  // in every supported runtime (Node 20), but newer than the library TypeScript is told of (ES2022)
  (text as unknown as { readonly isWellFormed: () => boolean }).isWellFormed()

/** Whether a string is its own key: not empty, not long, no mark in front, no control characters, well-formed. */
export const isPlain = (text: string): boolean => {
  const length = text.length
  return (
    length !== 0 &&
    length <= maxKeyLength &&
    text.charCodeAt(0) !== 0x7e &&
    (!needsCare.test(text) || (!controls.test(text) && isWellFormed(text)))
  )
}

/** Whether a string that is some key's text is its own key: all other keys start with the mark, and none is longer. */
export const isPlainIfKey = (text: string): boolean =>
  text.length <= maxKeyLength && text.length !== 0 && text.charCodeAt(0) !== 0x7e

/** A JSON string without control characters or lone surrogates in it, not even DEL and C1, which JSON leaves alone. */
export const quote = (text: string): string =>
  needsEscape.test(text)
    ? JSON.stringify(text).replace(highControls, (char) => `\\u00${char.charCodeAt(0).toString(16)}`)
    : `"${text}"`

const utf8 = new TextEncoder()

/**
 * The digest of a text of any length, as a key; also for keys that must not be readable. Texts are well-formed, so
 * UTF-8 loses nothing.
 */
export const digest = (text: string): string => digestMark + Encoding.encodeBase64Url(sha256(utf8.encode(text)))

/** The key of a text: the text, or its digest when it is too long. */
export const shorten = (text: string): string => (text.length <= maxKeyLength ? text : digest(text))

/** Whether a key is a digest, and so cannot be decoded. */
export const isDigest = (key: string): boolean => key.length === digestLength && key.startsWith(digestMark)

/** Leaves out the `undefined`s at the end: a parameter that is not given is one that is `undefined`. */
export const given = (args: ReadonlyArray<unknown>): ReadonlyArray<unknown> => {
  let length = args.length
  while (length > 0 && args[length - 1] === undefined) {
    length--
  }
  return length === args.length ? args : args.slice(0, length)
}
