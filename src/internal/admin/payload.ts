/** The value of an entry without its Schema: the text that it is, if it is one. */
import * as Text from "../../codec/internal/text.js"

/** What `Binary` puts before text, unless it has half a surrogate pair: that kind is too rare to be guessed. */
const narrow = 0

/** The text, and whether it was written as such: what was not may be JSON. `undefined` for bytes that are no text. */
export const textOf = (payload: Uint8Array): { readonly text: string; readonly isPlain: boolean } | undefined => {
  try {
    if (payload[0] === narrow) return { text: Text.fromUtf8(payload.subarray(1)), isPlain: true }
    return { text: Text.fromUtf8(payload), isPlain: false }
  } catch {
    return undefined
  }
}
