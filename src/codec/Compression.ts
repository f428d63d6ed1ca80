/**
 * Entries that take less room: gzip, deflate, brotli, and zstd where the runtime has it.
 *
 * What is compressed says so, and how, in its first bytes; what is not, and what was written by any other of these, is
 * read as well. So settings can change without losing entries. Only what is longer than a threshold is compressed, and
 * only where that makes it shorter.
 *
 * Uses `node:zlib`, synchronously: tens of microseconds for some kilobytes. Checked when made: `InvalidConfig`.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as zlib from "node:zlib"
import * as CacheError from "../CacheError.js"
import * as Check from "../internal/options.js"
import type * as Codec from "./Codec.js"

/**
 * How bytes are made shorter. `zstd` needs Node 22.15 or later.
 *
 * @since 0.1.0
 * @category models
 */
export type Algorithm = "gzip" | "deflate" | "brotli" | "zstd"

/**
 * What is compressed, and how.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Default: "gzip". */
  readonly algorithm?: Algorithm | undefined
  /** From quick to small: 0 to 9 for gzip (default 6) and deflate (6), 0 to 11 for brotli (4), 1 to 22 for zstd (3). */
  readonly level?: number | undefined
  /** Bytes of an entry below which it stays as it is. Default: 1 KiB. */
  readonly threshold?: number | undefined
}

interface Way {
  /** What it is called in the bytes; never given to another one. */
  readonly id: number
  readonly levels: readonly [least: number, usual: number, most: number]
  readonly shrink: (bytes: Uint8Array, level: number) => Uint8Array
  readonly grow: (bytes: Uint8Array) => Uint8Array
}

/** More than this no entry comes to: a few bytes may claim to be gigabytes. */
const maxOutputLength = 2 ** 30

/** What newer runtimes have. */
interface Zstd {
  readonly zstdCompressSync?: (bytes: Uint8Array, options: { readonly params: Record<number, number> }) => Uint8Array
  readonly zstdDecompressSync?: (bytes: Uint8Array, options: { readonly maxOutputLength: number }) => Uint8Array
}
const { zstdCompressSync, zstdDecompressSync } = zlib as Zstd
/** ZSTD_c_compressionLevel, of the zstd manual. */
const zstdLevel = 100

const ways: Readonly<Record<Algorithm, Way | undefined>> = {
  gzip: {
    id: 1,
    levels: [0, 6, 9],
    shrink: (bytes, level) => zlib.gzipSync(bytes, { level }),
    grow: (bytes) => zlib.gunzipSync(bytes, { maxOutputLength })
  },
  deflate: {
    id: 2,
    levels: [0, 6, 9],
    shrink: (bytes, level) => zlib.deflateRawSync(bytes, { level }),
    grow: (bytes) => zlib.inflateRawSync(bytes, { maxOutputLength })
  },
  brotli: {
    id: 3,
    levels: [0, 4, 11],
    shrink: (bytes, level) =>
      zlib.brotliCompressSync(bytes, {
        params: {
          [zlib.constants.BROTLI_PARAM_QUALITY]: level,
          [zlib.constants.BROTLI_PARAM_SIZE_HINT]: bytes.byteLength
        }
      }),
    grow: (bytes) => zlib.brotliDecompressSync(bytes, { maxOutputLength })
  },
  zstd:
    zstdCompressSync === undefined || zstdDecompressSync === undefined
      ? undefined
      : {
          id: 4,
          levels: [1, 3, 22],
          shrink: (bytes, level) => zstdCompressSync(bytes, { params: { [zstdLevel]: level } }),
          grow: (bytes) => zstdDecompressSync(bytes, { maxOutputLength })
        }
}

const names = Object.keys(ways) as ReadonlyArray<Algorithm>
const byId = new Map(names.flatMap((name) => (ways[name] === undefined ? [] : [[ways[name].id, ways[name]] as const])))

/** The first bytes of what is compressed, which no envelope begins with: the letters `LRDZ`, and how. */
const magic = [0x4c, 0x52, 0x44, 0x5a] as const
const headSize = magic.length + 1

const algorithm: Check.Check = (value) => {
  if (!names.some((name) => name === value)) {
    return { reason: `must be one of: ${names.join(", ")}`, hint: 'use "gzip"' }
  }
  return ways[value as Algorithm] === undefined
    ? { reason: "is not in this runtime", hint: 'use Node 22.15 or later, or "brotli"' }
    : undefined
}

const levelOf =
  (levels: Way["levels"] | undefined): Check.Check =>
  (value) => {
    const [least, usual, most] = levels ?? [0, 6, 9]
    return typeof value === "number" && Number.isInteger(value) && value >= least && value <= most
      ? undefined
      : { reason: `must be an integer from ${least} to ${most}`, hint: `use ${usual}` }
  }

const bytes: Check.Check = (value) =>
  typeof value === "number" && Number.isInteger(value) && value >= 0
    ? undefined
    : { reason: "must be a number of bytes", hint: "use 1024, or 0 to compress whatever gets shorter" }

const isCompressed = (all: Uint8Array): boolean => magic.every((byte, index) => all[index] === byte)

const damaged = (codec: string, reason: string): Either.Either<never, CacheError.CodecError> =>
  Either.left(new CacheError.CodecError({ codec, operation: "decode", reason }))

const grown = (all: Uint8Array): Either.Either<Uint8Array, CacheError.CodecError> => {
  const way = byId.get(all[magic.length] ?? 0)
  if (way === undefined) return damaged("Compression", `this runtime has no algorithm ${all[magic.length]}`)
  try {
    return Either.right(way.grow(all.subarray(headSize)))
  } catch (error) {
    return damaged("Compression", error instanceof Error ? error.message : String(error))
  }
}

/**
 * A compression, to be given to `CacheStore.encodedBy`.
 *
 * @example
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { CacheStore } from "effect-larder"
 * import * as Compression from "effect-larder/Compression"
 * import * as SqliteStore from "effect-larder/SqliteStore"
 *
 * export const Store = SqliteStore.layerTemporary.pipe(
 *   CacheStore.encodedBy(Compression.make({ algorithm: "brotli", threshold: 4_096 }))
 * )
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options = {}): Effect.Effect<Codec.Transform, CacheError.InvalidConfig> => {
  const { algorithm: name = "gzip", threshold = 1_024 } = options
  const way = ways[name]
  return Effect.map(Check.check(options, { algorithm, level: levelOf(way?.levels), threshold: bytes }), () => {
    // checked: it is there
    const { id, levels, shrink } = way as Way
    const level = options.level ?? levels[1]
    const shrunk = (all: Uint8Array): Uint8Array => {
      if (all.byteLength < threshold) return all
      const body = shrink(all, level)
      if (body.byteLength + headSize >= all.byteLength) return all
      const whole = new Uint8Array(headSize + body.byteLength)
      whole.set([...magic, id])
      whole.set(body, headSize)
      return whole
    }
    return <A, E>(codec: Codec.EntryCodec<A, E>): Codec.EntryCodec<A, E> => ({
      name: codec.name,
      get fingerprint() {
        return codec.fingerprint
      },
      encode: (value) => Either.map(codec.encode(value), shrunk),
      decode: (all) => (isCompressed(all) ? Either.flatMap(grown(all), codec.decode) : codec.decode(all))
    })
  })
}
