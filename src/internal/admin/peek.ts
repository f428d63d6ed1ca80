/** What a row says of its entry, without the Schema of its value. */
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as CacheError from "../../CacheError.js"
import type * as CacheStore from "../../CacheStore.js"
import type * as Codec from "../../codec/Codec.js"
import * as Envelope from "../../codec/Envelope.js"
import type { Item, State } from "../../StoreAdmin.js"

interface Opened extends Either.Either.Right<ReturnType<typeof Envelope.open>> {
  readonly envelope: Uint8Array
}

/** Entries whose values are envelopes that were opened: what stands around the envelope is undone by transforms. */
const opening: Codec.EntryCodec<Opened, never> = {
  name: "Envelope",
  fingerprint: "",
  encode: ({ exit, freshUntil }) =>
    Either.flatMap(openedIn(exit), ({ envelope }) => Envelope.expire(envelope, freshUntil)),
  decode: (envelope) =>
    Either.map(Envelope.open(envelope), (opened) => ({
      ...opened.header,
      exit: Exit.succeed({ ...opened, envelope })
    }))
}

/** It was made by `decode`. */
const openedIn = (exit: Exit.Exit<Opened>): Either.Either<Opened, CacheError.CodecError> =>
  Exit.match(exit, {
    onSuccess: Either.right,
    onFailure: () =>
      Either.left(new CacheError.CodecError({ codec: "Envelope", operation: "encode", reason: "it has no value" }))
  })

type Opening = Codec.EntryCodec<Opened, never>

/** What the outermost has done is undone last. */
const around = (transforms: ReadonlyArray<Codec.Transform>): Opening =>
  transforms.reduce((inner, transform) => transform(inner), opening)

/** Some of them, in their order; the fewest first. */
const parts = <A>(all: ReadonlyArray<A>): ReadonlyArray<ReadonlyArray<A>> => {
  const some = all.reduce<Array<ReadonlyArray<A>>>(
    (some, one) => [...some, ...some.map((part) => [...part, one])],
    [[]]
  )
  return some.sort((a, b) => a.length - b.length)
}

/**
 * Reads what was written through some of the transforms, or through none of them, and tells through which; if it cannot
 * be read at all, what all of them say to it.
 */
const reading = (transforms: ReadonlyArray<Codec.Transform>) => {
  const codecs = parts(transforms).map(around)
  return (bytes: Uint8Array): readonly [Opening, ReturnType<Opening["decode"]>] => {
    let last: readonly [Opening, ReturnType<Opening["decode"]>] = [opening, opening.decode(bytes)]
    for (const codec of codecs) {
      last = [codec, codec.decode(bytes)]
      if (Either.isRight(last[1])) break
    }
    return last
  }
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
  const read = reading(transforms)
  return (row: CacheStore.Row, now: number): Item => {
    const { bytes, key, reclaimAt, tags } = row
    const item = { key, tags, reclaimAt, bytes: bytes.byteLength }
    const [, found] = read(bytes)
    if (Either.isRight(found) && Exit.isSuccess(found.right.exit)) {
      const { header, payload } = found.right.exit.value
      return { ...item, state: stateOf(header, row, now), header, payload, problem: undefined }
    }
    const problem = Either.isLeft(found) ? found.left.reason : "no envelope"
    const state = isChanged(bytes) && !isPlain(bytes) ? "sealed" : "unreadable"
    return { ...item, state, header: undefined, payload: undefined, problem }
  }
}

/**
 * A row whose entry is fresh no longer than until now. It is written through the transforms that it was read through, and
 * no others: a program that encrypts nothing would not find its entry in one that is encrypted.
 */
export const expiring = (transforms: ReadonlyArray<Codec.Transform>) => {
  const read = reading(transforms)
  return (row: CacheStore.Row, now: number): Either.Either<CacheStore.Row, CacheError.CodecError> => {
    const [codec, found] = read(row.bytes)
    return Either.gen(function* () {
      const entry = yield* found
      const bytes = yield* codec.encode({ ...entry, freshUntil: Math.min(entry.freshUntil, now) })
      const { staleUntil } = yield* codec.decode(bytes)
      return { ...row, bytes, reclaimAt: Math.min(row.reclaimAt, staleUntil) }
    })
  }
}
