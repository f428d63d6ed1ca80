/** A region of a memory store as a byte engine: what a cache's codec writes is kept, and read anew each time. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import type * as CacheEntry from "../../CacheEntry.js"
import * as CacheError from "../../CacheError.js"
import type * as CacheStore from "../../CacheStore.js"
import type * as Codec from "../../codec/Codec.js"

type Entry = CacheEntry.CacheEntry<Uint8Array, never>

const entryOf = ({ bytes, reclaimAt, tags }: CacheStore.Row): Entry => ({
  exit: Exit.succeed(bytes),
  createdAt: 0,
  freshUntil: reclaimAt,
  staleUntil: reclaimAt,
  tags,
  loadMillis: 0,
  keyText: undefined
})

const rowOf = (key: string, { exit, staleUntil, tags }: Entry): CacheStore.Row => ({
  key,
  // only successes are made above
  bytes: (exit as Exit.Success<Uint8Array, never>).value,
  tags,
  reclaimAt: staleUntil
})

/**
 * Bytes are bytes: whoever opens the name again may have what is there, for it tells itself what it is. A snapshot
 * takes none of it, for in bytes alone no tag can be found again.
 */
export const codec: Codec.EntryCodec<Uint8Array, never> = {
  name: "bytes",
  fingerprint: "bytes",
  encode: () => Either.left(refusal("encode")),
  decode: () => Either.left(refusal("decode"))
}

const refusal = (operation: "encode" | "decode"): CacheError.CodecError =>
  new CacheError.CodecError({ codec: "bytes", operation, reason: "entries that are bytes are not in snapshots" })

export const engine = (region: CacheStore.Region<Uint8Array, never>): CacheStore.Engine => ({
  getMany: (keys) =>
    Effect.map(region.getMany(keys), ({ epoch, found }) => ({
      // a memory store's epochs are plain numbers
      epoch: epoch as number,
      rows: found.map((one, index) => one && rowOf(keys[index]!, one.entry))
    })),
  setMany: (rows) =>
    Effect.catchTag(
      region.setMany(rows.map((row) => ({ key: row.key, entry: entryOf(row), since: row.since }))),
      "CodecError",
      Effect.die // nothing is encoded here
    ),
  deleteMany: region.deleteMany,
  bump: region.invalidateTags,
  clear: region.clear,
  outdate: region.invalidateAll,
  inspect: (key) =>
    Effect.map(
      region.inspect(key),
      ([one]) => one?.entry && { row: rowOf(key, one.entry), epoch: one.epoch ?? 0, outdatedBy: one.outdatedBy }
    ),
  scan: Stream.map(region.entries, ({ entry, key }) => rowOf(key, entry)),
  size: () => Effect.map(region.sizes, ([size]) => size ?? { entries: 0, bytes: 0 })
})
