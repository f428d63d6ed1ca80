/** One region in Redis; what its keys are is told in scripts.ts. */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { randomBytes } from "node:crypto"
import type * as CacheError from "../../CacheError.js"
import type * as CacheStore from "../../CacheStore.js"
import { steadyMillis } from "../../internal/steady.js"
import { marker } from "../internal/mark.js"
import { GatherCalls } from "../internal/gather.js"
import { lifeOf } from "../internal/lives.js"
import type { Limited } from "../internal/limited.js"
import { slotOf } from "../internal/slots.js"
import type { Client } from "./client.js"
import { Incarnations } from "../internal/incarnations.js"
import { LastState, type Region, read } from "./reads.js"
import { decodeRow, decodeText, encodeRow, encodeText, namesOf, ownOf, patternOf, regionOf } from "./rows.js"
import * as Scripts from "./scripts.js"

/** Keys that the server looks at in one step of a listing. */
const page = 1_000

/** Entries that one script writes: nobody else is served by the server meanwhile. */
const atOnce = 200

/** Longer than Redis can count: for ever. */
const longest = 2 ** 52

const lifeText = (reclaimAt: number, now: number): string => {
  const life = lifeOf(reclaimAt, now)
  return life < longest ? String(life) : "0"
}

/** What is to be written, and for how many milliseconds. */
interface Write {
  readonly row: CacheStore.RowWrite
  readonly life: string
}

const inspectIn =
  ({ client, fresh, incarnations, mark, names }: Region) =>
  async (key: string): Promise<CacheStore.InspectedRow | undefined> => {
    const keys = [...ownOf(names), names.entries + encodeText(key)]
    const answer = (await client.run(Scripts.inspect, keys, [fresh()], true)) as ReadonlyArray<Buffer | null> | null
    const found = answer?.[0] && decodeRow(mark, key, answer[0])
    if (!answer || !found) return undefined
    const [, tag, since] = answer
    const number = (epoch: number) => incarnations.find(found.incarnation, epoch)
    return {
      row: found.row,
      epoch: number(found.epoch),
      outdatedBy: since
        ? {
            tag: tag && tag.length > 0 ? decodeText(tag.toString()) : undefined,
            epoch: number(Number(since.toString("latin1")))
          }
        : undefined
    }
  }

/** One step of a walk over the names that begin so; a walk may meet a name more than once. */
const stepOf = async (client: Client, start: string, cursor: string) => {
  const command = ["SCAN", cursor, "MATCH", patternOf(start), "COUNT", String(page)]
  const [next, found] = (await client.send(command)) as [string, ReadonlyArray<string>]
  return { next: next === "0" ? undefined : next, found }
}

/** The same over all entries. */
const step = ({ client, names }: Region, cursor: string) => stepOf(client, names.entries, cursor)

export const regions = (
  client: Client,
  limited: Limited,
  prefix: string
): Effect.Effect<ReadonlyArray<string>, CacheError.StoreFailure> =>
  Stream.paginateChunkEffect("0", (cursor: string) =>
    limited("regions", async () => {
      const { found, next } = await stepOf(client, `${prefix}:{`, cursor)
      const names = found.flatMap((key) => regionOf(prefix, key) ?? [])
      return [Chunk.unsafeFromArray(names), Option.fromNullable(next)] as const
    })
  ).pipe(
    Stream.runCollect,
    Effect.map((names) => [...new Set(names)])
  )

const scanOf = (region: Region, limited: Limited): CacheStore.Engine["scan"] =>
  Stream.suspend(() => {
    const seen = new Set<string>()
    const unseen = (found: ReadonlyArray<string>): ReadonlyArray<string> => {
      const keys = new Set(found.map((one) => decodeText(one.slice(region.names.entries.length))))
      const fresh = [...keys].filter((key) => !seen.has(key))
      for (const key of fresh) seen.add(key)
      return fresh
    }
    return Stream.paginateChunkEffect("0", (cursor: string) =>
      limited("scan", async () => {
        const { found, next } = await step(region, cursor)
        const keys = unseen(found)
        const rows = keys.length === 0 ? [] : (await read(region, keys)).rows
        return [Chunk.unsafeFromArray(rows.filter((row) => row !== undefined)), Option.fromNullable(next)] as const
      })
    )
  })

export const make = (
  client: Client,
  limited: Limited,
  prefix: string,
  name: string
): Effect.Effect<CacheStore.Engine, CacheError.StoreFailure, Scope.Scope> =>
  Effect.sync(() => {
    const names = namesOf(prefix, name)
    // every script is given a name that there was never before, and hardly one of them needs it
    const life = `${randomBytes(9).toString("base64url")}.`
    let begun = 0
    const region: Region = {
      client,
      names,
      mark: marker(name),
      incarnations: new Incarnations(),
      lastState: new LastState(),
      fresh: () => `${life}${(begun++).toString(36)}`
    }
    const own = ownOf(names)
    const entryOf = (key: string): string => names.entries + encodeText(key)
    const run = (script: string, keys: ReadonlyArray<string>, parameters: ReadonlyArray<string | Buffer>) =>
      client.run(script, [...own, ...keys], [region.fresh(), ...parameters])
    const store = (writes: ReadonlyArray<Write>) =>
      run(
        Scripts.set,
        writes.map(({ row }) => entryOf(row.key)),
        writes.flatMap(({ life, row }) => [
          row.since === undefined ? "" : region.incarnations.textOf(row.since),
          String(slotOf(row.key, Scripts.slots)),
          life,
          String(row.tags.length),
          ...row.tags.map(encodeText),
          encodeRow(region.mark, row)
        ])
      )
    const writes = new GatherCalls(async (asks: ReadonlyArray<ReadonlyArray<Write>>) => {
      const all = asks.flat()
      const parts = Array.from({ length: Math.ceil(all.length / atOnce) }, (_, part) =>
        all.slice(part * atOnce, (part + 1) * atOnce)
      )
      await Promise.all(parts.map(store))
      return asks
    })
    const outdate = () => run(Scripts.outdate, [], []) as Promise<[oldest: string, epoch: string]>

    /** Outdated at once; then removed, step by step, which may take as long as it likes. */
    const clear = Effect.flatMap(limited("clear", outdate), ([oldest, epoch]) =>
      Stream.runSum(
        Stream.paginateEffect("0", (cursor: string) =>
          limited("clear", async () => {
            const { found, next } = await step(region, cursor)
            const count = found.length === 0 ? 0 : Number(await run(Scripts.reap, found, [oldest, epoch]))
            return [count, Option.fromNullable(next)]
          })
        )
      )
    )

    return {
      gathers: true,
      askedByCallers: true,

      getMany: (keys) => limited("get", () => read(region, keys)),

      setMany: (rows) =>
        Effect.flatMap(steadyMillis, (now) => {
          const asked = rows.map((row) => ({ row, life: lifeText(row.reclaimAt, now) }))
          return Effect.asVoid(limited("set", (attempt) => writes.ask(asked, attempt)))
        }),

      deleteMany: (keys) =>
        keys.length === 0
          ? Effect.succeed(0)
          : Effect.map(
              limited("delete", () => {
                const distinct = [...new Set(keys)]
                return run(
                  Scripts.remove,
                  distinct.map(entryOf),
                  distinct.map((key) => String(slotOf(key, Scripts.slots)))
                )
              }),
              Number
            ),

      bump: (tags) =>
        tags.length === 0
          ? Effect.void
          : Effect.asVoid(
              limited("invalidateTags", () => run(Scripts.bump, [], [String(Scripts.maxTags), ...tags.map(encodeText)]))
            ),

      outdate: Effect.asVoid(limited("invalidateAll", outdate)),

      clear,

      inspect: (key) => limited("inspect", () => inspectIn(region)(key)),

      scan: scanOf(region, limited)
    }
  })
