/** One region in PostgreSQL; what its tables are is told in schema.ts. */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { createHash } from "node:crypto"
import type * as CacheError from "../../CacheError.js"
import type * as CacheStore from "../../CacheStore.js"
import { steadyMillis } from "../../internal/steady.js"
import { GatherCalls } from "../internal/gather.js"
import { lastOfEach } from "../internal/lastOfEach.js"
import { slotOf } from "../internal/slots.js"
import * as Arrays from "./arrays.js"
import type { Connection } from "./connection.js"
import type { Columns } from "./pool.js"
import * as Schema from "./schema.js"

/** Writes after which what is over is removed. */
const reclaimAfter = 1_000

/**
 * Any string as text that PostgreSQL can hold, which has neither NUL nor broken unicode: as it is, unless it has them, or
 * a backslash. No two of them meet.
 */
const encodeText = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what is looked for
  /[\0\\]/.test(text) || !text.isWellFormed() ? `\\${JSON.stringify(text).slice(1, -1)}` : text

const decodeText = (text: string): string => (text.startsWith("\\") ? String(JSON.parse(`"${text.slice(1)}"`)) : text)

/** UTF-16, because UTF-8 would make all broken surrogates one. */
const digestOf = (key: string): Buffer => createHash("sha256").update(key, "utf16le").digest()

const toRow = ({ ends, key, tags, value }: Columns): CacheStore.Row | undefined => {
  if (typeof key !== "string" || !(value instanceof Uint8Array)) return undefined
  return {
    key: decodeText(key),
    // a plain view: Buffer's own `slice` shares memory, which a codec need not expect
    bytes: new Uint8Array(value.buffer, value.byteOffset, value.byteLength),
    tags: Array.isArray(tags) ? tags.map((tag) => decodeText(String(tag))) : [],
    reclaimAt: Number(ends)
  }
}

const inspected = (columns: Columns): CacheStore.InspectedRow | undefined => {
  const row = toRow(columns)
  if (row === undefined) return undefined
  const epoch = Number(columns["since"])
  const [entryFloor, tagFloor] = [Number(columns["entryFloor"]), Number(columns["tagFloor"])]
  const outdatedBy = (): CacheStore.InspectedRow["outdatedBy"] => {
    if (epoch < entryFloor) return { tag: undefined, epoch: entryFloor }
    if (typeof columns["tag"] === "string") {
      return { tag: decodeText(columns["tag"]), epoch: Number(columns["bumped"]) }
    }
    return row.tags.length > 0 && epoch < tagFloor ? { tag: row.tags[0], epoch: tagFloor } : undefined
  }
  return { row, epoch, outdatedBy: outdatedBy() }
}

const numberIn = (rows: ReadonlyArray<Columns>, column: string): number => Number(rows[0]?.[column] ?? 0)

export const regions = ({ run }: Connection): Effect.Effect<ReadonlyArray<string>, CacheError.StoreFailure> =>
  Effect.map(run("regions", Schema.listRegions, []), (rows) => rows.map((row) => decodeText(String(row["name"]))))

export const make = (
  { limited, prepared, run, send }: Connection,
  name: string
): Effect.Effect<CacheStore.Engine, CacheError.StoreFailure> =>
  Effect.gen(function* () {
    yield* run("open", Schema.openRegion, [encodeText(name)])
    const [found] = yield* run("open", Schema.findRegion, [encodeText(name)])
    const region = String(found?.["id"])
    let written = 0

    const reclaim = Effect.flatMap(steadyMillis, (now) => {
      written = 0
      return Effect.asVoid(run("set", Schema.reclaim, [now]))
    })

    const lookUp = (keys: ReadonlyArray<string>) => {
      const [first = ""] = keys
      if (prepared && keys.length === 1) return run("get", Schema.readOne, [region, digestOf(first)])
      return run("get", prepared ? Schema.read : Schema.readUnprepared, [region, Arrays.bytea(keys.map(digestOf))])
    }

    const read = (keys: ReadonlyArray<string>) =>
      Effect.map(lookUp(keys), (rows) => {
        const byKey = new Map<string, CacheStore.Row>()
        for (const columns of rows) {
          const row = toRow(columns)
          if (row !== undefined) byKey.set(row.key, row)
        }
        return { epoch: numberIn(rows, "epoch"), rows: keys.map((key) => byKey.get(key)) }
      })

    const writes = new GatherCalls(async (asks: ReadonlyArray<ReadonlyArray<CacheStore.RowWrite>>, attempt) => {
      const all = lastOfEach(asks.flat())
      written += all.length
      const parameters = [
        region,
        Arrays.bytea(all.map(({ key }) => digestOf(key))),
        Arrays.text(all.map(({ key }) => encodeText(key))),
        Arrays.bigint(all.map(({ since }) => since ?? null)),
        Arrays.integer(all.map(({ key }) => slotOf(key, Schema.slots))),
        Arrays.double(all.map(({ reclaimAt }) => reclaimAt)),
        Arrays.jsonb(all.map(({ tags }) => (tags.length === 0 ? null : JSON.stringify(tags.map(encodeText))))),
        Arrays.bytea(all.map(({ bytes }) => bytes))
      ]
      await send(Schema.set, parameters, attempt)
      return asks
    })

    const engine: CacheStore.Engine = {
      gathers: true,
      askedByCallers: true,

      getMany: (keys) =>
        keys.length === 0
          ? Effect.map(run("get", Schema.readEpoch, [region]), (rows) => ({ epoch: numberIn(rows, "epoch"), rows: [] }))
          : read(keys),

      setMany: (rows) =>
        Effect.zipRight(
          limited("set", (attempt) => writes.ask(rows, attempt)),
          // room is made now and then; that it could not be is no reason to say that nothing was written
          Effect.suspend(() => (written < reclaimAfter ? Effect.void : Effect.ignore(reclaim)))
        ),

      deleteMany: (keys) => {
        const distinct = [...new Set(keys)]
        return distinct.length === 0
          ? Effect.succeed(0)
          : Effect.map(
              run("delete", Schema.remove, [
                region,
                Arrays.bytea(distinct.map(digestOf)),
                Arrays.integer(distinct.map((key) => slotOf(key, Schema.slots)))
              ]),
              (rows) => numberIn(rows, "count")
            )
      },

      bump: (tags) =>
        tags.length === 0
          ? Effect.void
          : Effect.asVoid(run("invalidateTags", Schema.bump, [region, Arrays.text(tags.map(encodeText))])),

      outdate: Effect.asVoid(run("invalidateAll", Schema.outdate, [region, false])),

      clear: Effect.map(run("clear", Schema.outdate, [region, true]), (rows) => numberIn(rows, "count")),

      inspect: (key) =>
        Effect.map(run("inspect", Schema.inspect, [region, digestOf(key)]), ([columns]) =>
          columns === undefined ? undefined : inspected(columns)
        ),

      scan: Stream.paginateChunkEffect(Buffer.alloc(0), (after: Buffer) =>
        Effect.map(run("scan", Schema.page, [region, after]), (rows) => {
          const last = rows.length < Schema.pageSize ? undefined : rows.at(-1)?.["digest"]
          return [
            Chunk.unsafeFromArray(rows.flatMap((columns) => toRow(columns) ?? [])),
            Option.fromNullable(last as Buffer | undefined)
          ]
        })
      ),

      size: (now) =>
        Effect.map(run("size", Schema.size, [region, now]), (rows) => ({
          entries: numberIn(rows, "entries"),
          bytes: numberIn(rows, "bytes")
        }))
    }
    return engine
  })
