/**
 * Entries that nobody can read, or change, without a key: AES-256 in Galois/counter mode (NIST SP 800-38D), by
 * `node:crypto`, with a nonce of its own for each entry.
 *
 * Keys are rotated by putting a new one before the old: the first one writes, all of them read. What no key fits, what
 * was changed, and what was never encrypted, is no entry: a miss. What is hidden is the whole entry, with its tags and
 * times; stores need the tags and an end beside it, so neither tags nor cache keys should be secrets.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto"
import * as CacheError from "../CacheError.js"
import type * as Codec from "./Codec.js"

/**
 * The keys, each of 32 random bytes as base64, such as `openssl rand -base64 32` makes.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The first one writes, all of them read. */
  readonly keys: readonly [Redacted.Redacted<string>, ...ReadonlyArray<Redacted.Redacted<string>>]
}

interface Key {
  /** What the bytes say which key they want: nothing that tells of the key. */
  readonly id: Buffer
  readonly secret: Buffer
}

const cipher = "aes-256-gcm"
const secretSize = 32
const nonceSize = 12
const tagSize = 16
const idSize = 4
/** The first bytes of what is encrypted: the letters `LRDX` and the version of this layout. */
const magic = Buffer.from([0x4c, 0x52, 0x44, 0x58, 1])
const headSize = magic.length + idSize + nonceSize + tagSize

const keyOf = (text: Redacted.Redacted<string>): Key | undefined => {
  const secret = Buffer.from(Redacted.value(text), "base64")
  if (secret.length !== secretSize) return undefined
  return { secret, id: createHash("sha256").update("larder key id").update(secret).digest().subarray(0, idSize) }
}

const sealed = ({ id, secret }: Key, all: Uint8Array): Uint8Array => {
  const nonce = randomBytes(nonceSize)
  const encipher = createCipheriv(cipher, secret, nonce)
  encipher.setAAD(magic)
  const body = Buffer.concat([encipher.update(all), encipher.final()])
  return new Uint8Array(Buffer.concat([magic, id, nonce, encipher.getAuthTag(), body]))
}

const refused = (reason: string): Either.Either<never, CacheError.CodecError> =>
  Either.left(new CacheError.CodecError({ codec: "Encryption", operation: "decode", reason }))

const opened = (keys: ReadonlyArray<Key>, given: Uint8Array): Either.Either<Uint8Array, CacheError.CodecError> => {
  const all = Buffer.from(given.buffer, given.byteOffset, given.byteLength)
  if (all.length < headSize || !all.subarray(0, magic.length).equals(magic)) return refused("not encrypted")
  const id = all.subarray(magic.length, magic.length + idSize)
  const key = keys.find((one) => one.id.equals(id))
  if (key === undefined) return refused("encrypted with another key")
  const nonceAt = magic.length + idSize
  try {
    const decipher = createDecipheriv(cipher, key.secret, all.subarray(nonceAt, nonceAt + nonceSize))
    decipher.setAAD(magic)
    decipher.setAuthTag(all.subarray(nonceAt + nonceSize, headSize))
    return Either.right(new Uint8Array(Buffer.concat([decipher.update(all.subarray(headSize)), decipher.final()])))
  } catch {
    return refused("changed since it was encrypted")
  }
}

/**
 * An encryption, to be given to `CacheStore.encodedBy`. Fails with `InvalidConfig` if a key is not 32 bytes of base64;
 * it shows none.
 *
 * @example
 * ```ts
 * import { Config, Effect } from "effect"
 * import { CacheStore } from "effect-larder"
 * import * as Encryption from "effect-larder/Encryption"
 * import * as SqliteStore from "effect-larder/SqliteStore"
 *
 * const encryption = Effect.flatMap(Config.redacted("CACHE_KEY"), (key) => Encryption.make({ keys: [key] }))
 *
 * export const Store = SqliteStore.layer({ filename: "cache.db" }).pipe(CacheStore.encodedBy(encryption))
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options): Effect.Effect<Codec.Transform, CacheError.InvalidConfig> => {
  const keys = options.keys.map(keyOf)
  const [first] = keys
  const bad = keys.findIndex((key) => key === undefined)
  if (first === undefined || bad >= 0) {
    return Effect.fail(
      CacheError.invalidConfig([
        {
          field: `keys[${Math.max(bad, 0)}]`,
          value: options.keys[bad],
          reason: "must be 32 bytes as base64",
          hint: "make one: openssl rand -base64 32"
        }
      ])
    )
  }
  const all = keys as ReadonlyArray<Key> // none is missing, see above
  return Effect.succeed(
    <A, E>(codec: Codec.EntryCodec<A, E>): Codec.EntryCodec<A, E> => ({
      name: codec.name,
      get fingerprint() {
        return codec.fingerprint
      },
      encode: (value) => Either.map(codec.encode(value), (bytes) => sealed(first, bytes)),
      decode: (bytes) => Either.flatMap(opened(all, bytes), codec.decode)
    })
  )
}
