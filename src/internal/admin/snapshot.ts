/**
 * Entries of several regions as lines of JSON: a head, a line for each entry, and their number at the end, so that a file
 * that was cut off is known as such.
 */
import * as Effect from "effect/Effect"
import * as Encoding from "effect/Encoding"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as CacheError from "../../CacheError.js"
import type * as CacheStore from "../../CacheStore.js"
import type { Copied } from "../../StoreAdmin.js"
import * as Copy from "./copy.js"

type Failure = CacheError.InvalidConfig | CacheError.StoreFailure
type Open = (name: string) => Effect.Effect<CacheStore.Engine, Failure, Scope.Scope>

const format = "effect-larder/snapshot/1"

const Head = Schema.Struct({ format: Schema.Literal(format) })
const Entry = Schema.Struct({
  cache: Schema.String,
  key: Schema.String,
  tags: Schema.Array(Schema.String),
  /** Milliseconds since the epoch; `null` for never. */
  reclaimAt: Schema.NullOr(Schema.Finite),
  bytes: Schema.Uint8ArrayFromBase64
})
const End = Schema.Struct({ entries: Schema.NonNegativeInt })
type Line = typeof Head.Type | typeof Entry.Type | typeof End.Type

const decode = Schema.decodeUnknownEither(Schema.parseJson(Schema.Union(Entry, Head, End)))
const encoder = new TextEncoder()

const lineOf = (value: object): Uint8Array => encoder.encode(`${JSON.stringify(value)}\n`)

export const write = (names: ReadonlyArray<string>, open: Open): Stream.Stream<Uint8Array, Failure> => {
  let entries = 0
  const rows = Stream.flatMap(Stream.fromIterable(names), (cache) =>
    Stream.map(Stream.unwrapScoped(Effect.map(open(cache), ({ scan }) => scan)), ({ bytes, key, reclaimAt, tags }) => {
      entries++
      const end = reclaimAt === Infinity ? null : reclaimAt
      return lineOf({ cache, key, tags, reclaimAt: end, bytes: Encoding.encodeBase64(bytes) })
    })
  )
  return Stream.make(lineOf({ format })).pipe(
    Stream.concat(rows),
    Stream.concat(Stream.suspend(() => Stream.make(lineOf({ entries }))))
  )
}

const refused = (reason: string): CacheError.CodecError =>
  new CacheError.CodecError({ codec: "Snapshot", operation: "decode", reason })

/** What a line is, in its place: the head comes first, and nothing after the end. */
const parse = (text: string, index: number, end: number | undefined): Either.Either<Line, CacheError.CodecError> => {
  const found = decode(text)
  const at = `line ${index + 1}`
  if (Either.isLeft(found)) return Either.left(refused(`${at} is none of a snapshot's: ${text.slice(0, 60)}`))
  if ("format" in found.right !== (index === 0)) return Either.left(refused(`${at}: the head must be the first line`))
  return end === undefined ? Either.right(found.right) : Either.left(refused(`${at} comes after the end`))
}

/** Only the rows of what was written, once it is known to be whole so far; fails at the end if it is not all. */
const rowsIn = <E, R>(
  bytes: Stream.Stream<Uint8Array, E, R>
): Stream.Stream<typeof Entry.Type, E | CacheError.CodecError, R> => {
  let end: number | undefined
  let entries = 0
  const lines = bytes.pipe(
    Stream.decodeText("utf-8"),
    Stream.splitLines,
    Stream.zipWithIndex,
    Stream.mapEffect(([text, index]) => parse(text, index, end)),
    Stream.mapConcat((line) => {
      if ("entries" in line) end = line.entries
      if (!("cache" in line)) return []
      entries++
      return [line]
    })
  )
  const whole = Stream.suspend(() =>
    end === entries
      ? Stream.empty
      : Stream.fail(
          refused(
            end === undefined
              ? `it is cut off after ${entries} entries`
              : `it has ${entries} entries where it says ${end}`
          )
        )
  )
  return Stream.concat(lines, whole)
}

/** Entries of one batch by their region, in their order. */
const byCache = (
  batch: ReadonlyArray<typeof Entry.Type>
): ReadonlyArray<readonly [string, ReadonlyArray<CacheStore.Row>]> => {
  const groups = new Map<string, Array<CacheStore.Row>>()
  for (const { bytes, cache, key, reclaimAt, tags } of batch) {
    const rows = groups.get(cache) ?? []
    rows.push({ key, bytes, tags, reclaimAt: reclaimAt ?? Infinity })
    groups.set(cache, rows)
  }
  return [...groups]
}

export const read = <E, R>(
  bytes: Stream.Stream<Uint8Array, E, R>,
  open: Open
): Stream.Stream<Copied, Failure | CacheError.CodecError | E, R> =>
  Stream.suspend(() => {
    const sums = new Map<string, Copy.Counts>()
    return Copy.batched(rowsIn(bytes)).pipe(
      Stream.flatMap((batch) => Stream.fromIterable(byCache(batch))),
      Stream.mapEffect(([name, rows]) =>
        Effect.map(Effect.scoped(Effect.flatMap(open(name), (to) => Copy.put(to, rows))), (counts): Copied => {
          const sum = Copy.plus(sums.get(name) ?? Copy.none, counts)
          sums.set(name, sum)
          return { name, ...sum, total: undefined }
        })
      )
    )
  })
