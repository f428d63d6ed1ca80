/** What a value that is a stream is kept as: its chunks, and a manifest that tells which they are. */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as CacheError from "../../CacheError.js"
import * as CacheKey from "../../CacheKey.js"
import type * as Codec from "../../codec/Codec.js"
import * as checksum from "../../codec/internal/checksum.js"
import * as fingerprint from "../../codec/internal/fingerprint.js"

/**
 * A value that is there as a whole. Written after its last chunk, so whoever reads a manifest may expect all of them. A
 * load has a generation of its own, under whose name nothing else is ever written: chunks of two loads cannot meet.
 */
export const Manifest = Schema.Struct({
  generation: Schema.String,
  chunkBytes: Schema.Number,
  chunks: Schema.Number,
  bytes: Schema.Number
})

export type Manifest = typeof Manifest.Type

/** A part of a value. All but the last have the size that the manifest tells. */
export interface Chunk {
  readonly generation: string
  readonly index: number
  /** Stands for all bytes from the first one of the value to the last one of this chunk: see `linkOf`. */
  readonly link: string
  readonly bytes: Uint8Array
}

/** Of the bytes before the first one. */
export const noLink = ""

/**
 * The link of a chunk: two loads whose chunks have the same link at one place had the same bytes up to there. It is for
 * telling whether a source has changed, not against forgers, who own the source anyway.
 */
export const linkOf = (before: string, bytes: Uint8Array): string => {
  const words = [bytes.length, ...checksum.of(bytes, bytes.length)]
  return fingerprint.text([before, words.join()])
}

/** A name that was never given before, in this process or another. Not by `Random`: a seed would give it twice. */
export const freshGeneration = (): string => globalThis.crypto.randomUUID()

export const keyOf = (id: string, generation: string, index: number): string =>
  CacheKey.any.unsafeEncode([id, generation, index])

const generationSize = 36
const linkSize = 22
const headSize = generationSize + linkSize + 4

const ascii = new TextDecoder("latin1")
const utf8 = new TextEncoder()

/** A chunk as bytes: its generation, its link, its index (4 bytes, little-endian), and what it is a chunk of. */
export const codec: Codec.Codec<Chunk> = {
  name: "CacheStream",
  get fingerprint() {
    return fingerprint.text(["effect-larder/CacheStream/1"])
  },
  encode: ({ bytes, generation, index, link }) => {
    const all = new Uint8Array(headSize + bytes.length)
    all.set(utf8.encode(generation + link))
    new DataView(all.buffer).setUint32(headSize - 4, index, true)
    all.set(bytes, headSize)
    return Either.right(all)
  },
  decode: (all) => {
    if (all.length < headSize) {
      const reason = `${all.length} bytes are too few for a chunk`
      return Either.left(new CacheError.CodecError({ codec: "CacheStream", operation: "decode", reason }))
    }
    return Either.right({
      generation: ascii.decode(all.subarray(0, generationSize)),
      link: ascii.decode(all.subarray(generationSize, headSize - 4)),
      index: new DataView(all.buffer, all.byteOffset).getUint32(headSize - 4, true),
      bytes: all.subarray(headSize)
    })
  }
}
