/** What a row says of its entry, without the Schema of its value. */
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as CacheError from "../../CacheError.js"
import type * as CacheStore from "../../CacheStore.js"
import type * as Codec from "../../codec/Codec.js"
import * as Envelope from "../../codec/Envelope.js"
import type { Item, State } from "../../StoreAdmin.js"

type Opened = Either.Either.Right<ReturnType<typeof Envelope.open>>

/** Entries whose values are envelopes that were opened: what stands around the envelope is undone by transforms. */
const opening: Codec.EntryCodec<Opened, never> = {
  name: "Envelope",
  fingerprint: "",
  encode: () =>
    Either.left(new CacheError.CodecError({ codec: "Envelope", operation: "encode", reason: "it is only looked at" })),
  decode: (bytes) =>
    Either.map(Envelope.open(bytes), (opened) => ({
      ...opened.header,
      exit: Exit.succeed(opened)
    }))
}

/** The letters that ours begin with: `LRDR` is an envelope; others say how one was changed. */
const letters = [0x4c, 0x52, 0x44] as const
const isChanged = (bytes: Uint8Array): boolean => letters.every((letter, index) => bytes[index] === letter)
const isPlain = (bytes: Uint8Array): boolean => isChanged(bytes) && bytes[letters.length] === 0x52

const stateOf = ({ freshUntil, staleUntil }: Envelope.Header, row: CacheStore.Row, now: number): State => {
  if (now >= staleUntil || now >= row.reclaimAt) return "over"
  return now < freshUntil ? "fresh" : "stale"
}

/** Looks at rows. The transforms are those around the store, the outermost first. */
export const peeking = (transforms: ReadonlyArray<Codec.Transform>) => {
  const codec = transforms.reduceRight((inner, transform) => transform(inner), opening)
  return (row: CacheStore.Row, now: number): Item => {
    const { bytes, key, reclaimAt, tags } = row
    const item = { key, tags, reclaimAt, bytes: bytes.byteLength }
    const found = codec.decode(bytes)
    if (Either.isRight(found) && Exit.isSuccess(found.right.exit)) {
      const { header, payload } = found.right.exit.value
      return { ...item, state: stateOf(header, row, now), header, payload, problem: undefined }
    }
    const problem = Either.isLeft(found) ? found.left.reason : "no envelope"
    const state = isChanged(bytes) && !isPlain(bytes) ? "sealed" : "unreadable"
    return { ...item, state, header: undefined, payload: undefined, problem }
  }
}
