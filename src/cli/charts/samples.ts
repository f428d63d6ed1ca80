/**
 * What caches were like over a time, from lines of JSON: those of `larder top --json`, over a store or a running program,
 * or those of the log that `CacheLog.layerFile` writes with the summaries of `CacheLog.layerSummary`.
 */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { View } from "../program/client.js"
import { between, fullest, type Gets, getsOf, ratioOf } from "../program/numbers.js"

/** A cache at one moment: what is not known of it is left out. */
export interface Point {
  readonly at: number
  /** Gets a second, and the part of them that hit, since the point before. */
  readonly rate?: number | undefined
  readonly hitRatio?: number | undefined
  /** Milliseconds that loads took at most, for these parts of them. */
  readonly p50?: number | undefined
  readonly p95?: number | undefined
  readonly p99?: number | undefined
  readonly entries?: number | undefined
  readonly bytes?: number | undefined
}

/** The points of each cache, by its name, in their order. */
export type Series = ReadonlyMap<string, ReadonlyArray<Point>>

const Row = Schema.Struct({ name: Schema.String, entries: Schema.Number, bytes: Schema.Number })
const Look = Schema.Struct({ at: Schema.Number, caches: Schema.Array(Schema.Union(View, Row)) })
export type Look = typeof Look.Type

const Summary = Schema.Struct({
  timestamp: Schema.Union(Schema.Number, Schema.Date),
  annotations: Schema.Struct({
    cache: Schema.String,
    gets: Schema.Number,
    hitRatio: Schema.Number,
    p95: Schema.optional(Schema.Number),
    entries: Schema.optional(Schema.Number),
    bytes: Schema.optional(Schema.Number)
  })
})

const Line = Schema.parseJson(Schema.Union(Look, Summary))

const isView = (cache: Look["caches"][number]): cache is View => "tiers" in cache

/** Adds points one after another, with what each needs to know of the one before. */
class Collector {
  readonly points = new Map<string, Array<Point>>()
  private readonly last = new Map<string, { readonly at: number; readonly gets: Gets }>()

  private push(name: string, point: Point): void {
    const all = this.points.get(name)
    if (all === undefined) this.points.set(name, [point])
    else all.push(point)
  }

  look({ at, caches }: Look): void {
    for (const cache of caches) {
      if (isView(cache)) this.view(at, cache)
      else this.push(cache.name, { at, entries: cache.entries, bytes: cache.bytes })
    }
  }

  private view(at: number, view: View): void {
    const size = { at, entries: fullest(view, "entries"), bytes: fullest(view, "bytes") }
    const { name, stats } = view
    if (stats === undefined) return this.push(name, size)
    const gets = getsOf(view)
    const before = this.last.get(name)
    this.last.set(name, { at, gets })
    const times = stats.percentiles.p99 === 0 ? {} : stats.percentiles
    if (before === undefined || before.at >= at) return this.push(name, { ...size, ...times })
    const since = between(gets, before.gets)
    this.push(name, {
      ...size,
      ...times,
      rate: (since.gets * 1_000) / (at - before.at),
      hitRatio: ratioOf(since)
    })
  }

  summary({ annotations, timestamp }: typeof Summary.Type): void {
    const { cache, gets, hitRatio, ...rest } = annotations
    const at = Number(timestamp)
    const before = this.points.get(cache)?.at(-1)
    const rate = before === undefined || before.at >= at ? undefined : (gets * 1_000) / (at - before.at)
    this.push(cache, { at, hitRatio, rate, ...rest })
  }
}

/** The series of looks that were taken here. */
export const ofLooks = (looks: ReadonlyArray<Look>): Series => {
  const collector = new Collector()
  for (const look of looks) collector.look(look)
  return collector.points
}

const decode = Schema.decodeUnknownEither(Line)

/** The series in lines of text. Lines about something else are passed over: a log has many of them. */
export const ofLines = (lines: Iterable<string>): Series => {
  const collector = new Collector()
  for (const line of lines) {
    const found = decode(line)
    if (Either.isLeft(found)) continue
    if ("caches" in found.right) collector.look(found.right)
    else collector.summary(found.right)
  }
  return collector.points
}
