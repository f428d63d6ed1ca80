/**
 * Whole entries as bytes: the file format of every byte store.
 *
 * Format version 1. All numbers are little-endian; offsets and sizes are in bytes.
 *
 * | offset | size | what |
 * | --- | --- | --- |
 * | 0 | 4 | magic: the letters `LRDR` |
 * | 4 | 1 | format version: 1 |
 * | 5 | 1 | flags: bit 0 the payload is a failure, bit 1 there is a key text; bits 2 to 7 are 0 |
 * | 6 | 2 | reserved for the id of a codec or a compression: 0 |
 * | 8 | 16 | fingerprint of the codecs (the bytes, not their text) |
 * | 24 | 8 | `createdAt`, float64, milliseconds since the epoch |
 * | 32 | 8 | `freshUntil`, float64, may be `Infinity` |
 * | 40 | 8 | `staleUntil`, float64, may be `Infinity` |
 * | 48 | 8 | `loadMillis`, float64 |
 * | 56 | 4 | number of tags, unsigned |
 * | 60 | 4 | size of the payload, unsigned |
 * | 64 | | the key text (when bit 1 is set), then the tags, each a *string* |
 * | | | the payload: what the success codec, or the failure codec, made of the value |
 * | end - 16 | 16 | checksum (MurmurHash3 x86 128, seed 0) of everything before it |
 *
 * A *string* is 4 bytes, of which the lowest 31 bits are the size of what follows, and the highest bit tells its form:
 * 0 is UTF-8, 1 is UTF-16 little-endian, used only for strings with half a surrogate pair.
 *
 * **Rule for readers**: magic and format version are looked at first, then the checksum, then the rest. Another
 * version, an unknown flag, a reserved byte that is not 0, a byte too many or too few: a `CodecError`, and the
 * entry is a miss. Nothing is skipped, guessed or repaired. A change of this layout gets a new version.
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import * as Either from "effect/Either"
import * as Encoding from "effect/Encoding"
import * as Exit from "effect/Exit"
import type * as CacheEntry from "../CacheEntry.js"
import * as CacheError from "../CacheError.js"
import type * as Codec from "./Codec.js"
import * as checksum from "./internal/checksum.js"
import * as fingerprint from "./internal/fingerprint.js"
import * as text from "./internal/text.js"

const magic = 0x5244_524c
const version = 1
const failedFlag = 1
const keyTextFlag = 2
const fixedSize = 64
const maxPayload = 0xffff_ffff

/**
 * What can be read of an entry without its Schema. Times in milliseconds since the epoch, `loadMillis` in
 * milliseconds, `payloadBytes` in bytes.
 *
 * @since 0.1.0
 * @category models
 */
export interface Header {
  readonly createdAt: number
  readonly freshUntil: number
  readonly staleUntil: number
  readonly loadMillis: number
  readonly tags: ReadonlyArray<string>
  readonly keyText: string | undefined
  /** Whether the entry is a typed failure. */
  readonly failed: boolean
  /** The fingerprint of the codecs it was written with, as `EntryCodec.fingerprint` has it. */
  readonly fingerprint: string
  readonly payloadBytes: number
}

type Times = Pick<Header, "createdAt" | "freshUntil" | "staleUntil" | "loadMillis">

/** What a reading found: the header and where the payload is, or why there is none. */
type Read = { readonly header: Omit<Header, "fingerprint">; readonly payload: Uint8Array } | string

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

const fingerprintOf = (bytes: Uint8Array): Uint8Array => bytes.subarray(8, 8 + fingerprint.size)

const timesProblem = (times: Times): string | undefined => {
  if (!Number.isFinite(times.createdAt)) return `createdAt is ${times.createdAt}`
  if (Number.isNaN(times.freshUntil)) return "freshUntil is NaN"
  if (Number.isNaN(times.staleUntil)) return "staleUntil is NaN"
  if (times.freshUntil > times.staleUntil) return "freshUntil is after staleUntil"
  if (!(Number.isFinite(times.loadMillis) && times.loadMillis >= 0)) return `loadMillis is ${times.loadMillis}`
  return undefined
}

/** Whether these are the bytes of an envelope at all, and whole. */
const envelopeProblem = (view: DataView, bytes: Uint8Array): string | undefined => {
  if (bytes.length < fixedSize + checksum.size) return `${bytes.length} bytes are too few for an envelope`
  if (view.getUint32(0, true) !== magic) return "not an envelope: other magic"
  if (view.getUint8(4) !== version) return `format version ${view.getUint8(4)}, this reader knows ${version}`
  if (!checksum.matches(bytes, bytes.length - checksum.size, view)) return "checksum differs"
  if ((view.getUint8(5) & ~(failedFlag | keyTextFlag)) !== 0) return `unknown flags ${view.getUint8(5)}`
  if (view.getUint16(6, true) !== 0) return `reserved bytes are ${view.getUint16(6, true)}`
  return undefined
}

interface Texts {
  readonly keyText: string | undefined
  readonly tags: ReadonlyArray<string>
  /** Where the payload starts. */
  readonly next: number
}

/** Of most entries. */
const noTexts: Texts = { keyText: undefined, tags: Object.freeze([]), next: fixedSize }

/** The key text and the tags. */
const readTexts = (view: DataView, bytes: Uint8Array, end: number): Texts | string => {
  if ((view.getUint8(5) & keyTextFlag) === 0 && view.getUint32(56, true) === 0) return noTexts
  let next = fixedSize
  let keyText: string | undefined
  if ((view.getUint8(5) & keyTextFlag) !== 0) {
    const found = text.read(view, bytes, next, end)
    if (found === undefined) return "malformed key text"
    keyText = found.text
    next = found.next
  }
  const tags: Array<string> = []
  for (let left = view.getUint32(56, true); left > 0; left--) {
    const found = text.read(view, bytes, next, end)
    if (found === undefined) return "malformed tags"
    tags.push(found.text)
    next = found.next
  }
  return { keyText, tags, next }
}

const read = (bytes: Uint8Array): Read => {
  const view = viewOf(bytes)
  const problem = envelopeProblem(view, bytes)
  if (problem !== undefined) return problem
  const end = bytes.length - checksum.size
  const texts = readTexts(view, bytes, end)
  if (typeof texts === "string") return texts
  const header: Omit<Header, "fingerprint"> = {
    createdAt: view.getFloat64(24, true),
    freshUntil: view.getFloat64(32, true),
    staleUntil: view.getFloat64(40, true),
    loadMillis: view.getFloat64(48, true),
    tags: texts.tags,
    keyText: texts.keyText,
    failed: (view.getUint8(5) & failedFlag) !== 0,
    payloadBytes: view.getUint32(60, true)
  }
  const times = timesProblem(header)
  if (times !== undefined) return times
  return texts.next + header.payloadBytes === end
    ? { header, payload: bytes.subarray(texts.next, end) }
    : `the payload has ${end - texts.next} bytes, not ${header.payloadBytes}`
}

const write = (
  entry: CacheEntry.CacheEntry<unknown, unknown>,
  failed: boolean,
  identity: Uint8Array,
  payload: Uint8Array
): Uint8Array => {
  const keyText = entry.keyText === undefined ? [] : [text.encode(entry.keyText)]
  const texts = [...keyText, ...entry.tags.map(text.encode)]
  const size = texts.reduce((sum, each) => sum + text.size(each), fixedSize + payload.length + checksum.size)
  const bytes = new Uint8Array(size)
  const view = viewOf(bytes)
  view.setUint32(0, magic, true)
  view.setUint8(4, version)
  view.setUint8(5, (failed ? failedFlag : 0) | (keyText.length > 0 ? keyTextFlag : 0))
  bytes.set(identity, 8)
  view.setFloat64(24, entry.createdAt, true)
  view.setFloat64(32, entry.freshUntil, true)
  view.setFloat64(40, entry.staleUntil, true)
  view.setFloat64(48, entry.loadMillis, true)
  view.setUint32(56, entry.tags.length, true)
  view.setUint32(60, payload.length, true)
  const at = texts.reduce((at, each) => text.write(view, bytes, at, each), fixedSize)
  bytes.set(payload, at)
  checksum.write(bytes, size - checksum.size)
  return bytes
}

const codecError = (
  codec: string,
  operation: "encode" | "decode",
  reason: string,
  cause?: unknown
): CacheError.CodecError =>
  new CacheError.CodecError({ codec, operation, reason, ...(cause === undefined ? {} : { cause }) })

/**
 * Reads what an entry's bytes say without its Schema: for tools that list, inspect or sweep. The checksum is verified;
 * the payload is not decoded. Fails with `CodecError` where `make`'s `decode` would, but for the fingerprint and the
 * payload.
 *
 * @example
 * ```ts
 * import { Either, Exit, Schema } from "effect"
 * import * as Envelope from "effect-larder/Envelope"
 * import * as Json from "effect-larder/Json"
 *
 * const codec = Envelope.make({ success: Json.make(Schema.String) })
 * const bytes = Either.getOrThrow(codec.encode({
 *   exit: Exit.succeed("Ada"),
 *   createdAt: 0,
 *   freshUntil: 1000,
 *   staleUntil: Infinity,
 *   tags: ["org:1"],
 *   loadMillis: 12,
 *   keyText: undefined
 * }))
 * const header = Either.getOrThrow(Envelope.header(bytes))
 * console.log(header.tags, header.failed, header.fingerprint === codec.fingerprint) // [ 'org:1' ] false true
 * ```
 *
 * @since 0.1.0
 * @category getters
 */
export const header = (bytes: Uint8Array): Either.Either<Header, CacheError.CodecError> =>
  Either.map(open(bytes), ({ header }) => header)

/**
 * As `header`, with the bytes that the value's codec has made, as a view of those given.
 *
 * @since 0.1.0
 * @category getters
 */
export const open = (
  bytes: Uint8Array
): Either.Either<{ readonly header: Header; readonly payload: Uint8Array }, CacheError.CodecError> => {
  try {
    const found = read(bytes)
    if (typeof found === "string") return Either.left(codecError("Envelope", "decode", found))
    const header = { ...found.header, fingerprint: Encoding.encodeBase64Url(fingerprintOf(bytes)) }
    return Either.right({ header, payload: found.payload })
  } catch (cause) {
    return Either.left(codecError("Envelope", "decode", "malformed text", cause))
  }
}

/**
 * The same entry, fresh no longer than until `at` (milliseconds since the epoch), and kept after that for as long as it
 * would have been kept past its own end. The value is not looked at. Fails as `header` does.
 *
 * @example
 * ```ts
 * import { Either, Exit, Schema } from "effect"
 * import * as Envelope from "effect-larder/Envelope"
 * import * as Json from "effect-larder/Json"
 *
 * const codec = Envelope.make({ success: Json.make(Schema.String) })
 * const entry = { exit: Exit.succeed("Ada"), createdAt: 0, freshUntil: 1000, staleUntil: 5000, tags: [], loadMillis: 1, keyText: undefined }
 * const bytes = Either.getOrThrow(codec.encode(entry))
 * const { freshUntil, staleUntil } = Either.getOrThrow(Either.flatMap(Envelope.expire(bytes, 300), Envelope.header))
 * console.log(freshUntil, staleUntil) // => 300 4300
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const expire = (bytes: Uint8Array, at: number): Either.Either<Uint8Array, CacheError.CodecError> =>
  Either.map(header(bytes), ({ freshUntil, staleUntil }) => {
    if (freshUntil <= at) return bytes
    const changed = new Uint8Array(bytes)
    const view = viewOf(changed)
    view.setFloat64(32, at, true)
    view.setFloat64(40, freshUntil === Infinity ? staleUntil : at + (staleUntil - freshUntil), true)
    checksum.write(changed, changed.length - checksum.size)
    return changed
  })

/**
 * A codec of whole entries, from a codec of the values and, if failures are kept too, one of the failures.
 *
 * Its fingerprint is made of both codecs' fingerprints. Encoding fails with a `CodecError` for a defect, an
 * interruption or a failure that has no codec, for times that make no sense (`createdAt` or `loadMillis` not finite,
 * `NaN`, `freshUntil` after `staleUntil`) and where the value's codec fails. Decoding fails with one for everything
 * that is not such an envelope with this fingerprint, whole and unchanged. The payload is handed to the value's codec
 * without a copy, as a view of the given bytes.
 *
 * @example
 * ```ts
 * import { Either, Exit, Schema } from "effect"
 * import * as Envelope from "effect-larder/Envelope"
 * import * as Json from "effect-larder/Json"
 *
 * class NotFound extends Schema.TaggedError<NotFound>()("NotFound", { id: Schema.Number }) {}
 *
 * const codec = Envelope.make({ success: Json.make(Schema.String), failure: Json.make(NotFound) })
 * const bytes = Either.getOrThrow(codec.encode({
 *   exit: Exit.fail(new NotFound({ id: 1 })),
 *   createdAt: 0,
 *   freshUntil: 1000,
 *   staleUntil: 1000,
 *   tags: [],
 *   loadMillis: 3,
 *   keyText: undefined
 * }))
 * console.log(Either.isRight(codec.decode(bytes))) // true
 * bytes[70]! ^= 1
 * console.log(Either.isLeft(codec.decode(bytes))) // true: checksum differs
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <A, E = never>(options: {
  readonly success: Codec.Codec<A>
  readonly failure?: Codec.Codec<E> | undefined
  /** Codecs that read what was written under older Schemas; see `Codec.migration`. The first that fits does. */
  readonly older?: ReadonlyArray<Codec.Codec<A>> | undefined
}): Codec.EntryCodec<A, E> => {
  const { failure, older = [], success } = options
  const name = `Envelope(${failure === undefined ? success.name : `${success.name}, ${failure.name}`})`
  // computed when first needed, as the codecs' own
  let digest: Uint8Array | undefined
  const identityWith = (codec: Codec.Codec<A>): Uint8Array =>
    fingerprint.digest(["effect-larder/Envelope/1", codec.fingerprint, failure?.fingerprint])
  const identity = (): Uint8Array => (digest ??= identityWith(success))
  let olderDigests: ReadonlyArray<Uint8Array> | undefined
  /** The codec of values that bytes were written with, if it is one that is known. */
  const writerOf = (bytes: Uint8Array): Codec.Codec<A> | undefined => {
    const isOf = (one: Uint8Array): boolean => {
      for (let i = 0; i < fingerprint.size; i++) if (one[i] !== bytes[8 + i]) return false
      return true
    }
    if (isOf(identity())) return success
    olderDigests ??= older.map(identityWith)
    return older[olderDigests.findIndex(isOf)]
  }

  const failed = (operation: "encode" | "decode", reason: string, cause?: unknown) =>
    Either.left(codecError(name, operation, reason, cause))

  const encodeFailure = (cause: Cause.Cause<E>): Either.Either<Uint8Array, CacheError.CodecError> => {
    if (cause._tag !== "Fail") return failed("encode", `a cause of kind ${cause._tag} is never stored`)
    return failure === undefined
      ? failed("encode", "a failure, and there is no codec for failures")
      : failure.encode(cause.error)
  }
  const encode = (entry: CacheEntry.CacheEntry<A, E>): Either.Either<Uint8Array, CacheError.CodecError> => {
    const problem = timesProblem(entry)
    if (problem !== undefined) return failed("encode", problem)
    const { exit } = entry
    const payload = Exit.isSuccess(exit) ? success.encode(exit.value) : encodeFailure(exit.cause)
    if (Either.isLeft(payload)) return payload
    return payload.right.length > maxPayload
      ? failed("encode", `the payload has ${payload.right.length} bytes, at most ${maxPayload} can be written`)
      : Either.right(write(entry, Exit.isFailure(exit), identity(), payload.right))
  }
  const decodeExit = (
    writer: Codec.Codec<A>,
    isFailure: boolean,
    payload: Uint8Array
  ): Either.Either<Exit.Exit<A, E>, CacheError.CodecError> => {
    if (!isFailure) return Either.map(writer.decode(payload), (value) => Exit.succeed(value))
    return failure === undefined
      ? failed("decode", "a failure, and there is no codec for failures")
      : Either.map(failure.decode(payload), (error) => Exit.fail(error))
  }
  const decode = (bytes: Uint8Array): Either.Either<CacheEntry.CacheEntry<A, E>, CacheError.CodecError> => {
    const found = read(bytes)
    if (typeof found === "string") return failed("decode", found)
    const { createdAt, freshUntil, keyText, loadMillis, staleUntil, tags } = found.header
    const writer = writerOf(bytes)
    if (writer === undefined) return failed("decode", "other schema fingerprint")
    return Either.map(decodeExit(writer, found.header.failed, found.payload), (exit) => ({
      exit,
      createdAt,
      freshUntil,
      staleUntil,
      tags,
      loadMillis,
      keyText
    }))
  }
  return {
    name,
    get fingerprint() {
      return Encoding.encodeBase64Url(identity())
    },
    // somebody else's codec may throw, whatever its type says, and malformed text makes the decoder throw
    encode: (entry) => {
      try {
        return encode(entry)
      } catch (cause) {
        return failed("encode", "the value's codec threw", cause)
      }
    },
    decode: (bytes) => {
      try {
        return decode(bytes)
      } catch (cause) {
        return failed("decode", "malformed text, or the value's codec threw", cause)
      }
    }
  }
}
