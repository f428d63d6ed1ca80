/** What is drawn of caches over a time: the figures, whatever they are drawn with. */
import * as Format from "../format.js"
import type { Point, Series } from "./samples.js"

export interface Line {
  readonly label: string
  /** One for each moment; `undefined` where nothing is known. */
  readonly values: ReadonlyArray<number | undefined>
}

export interface Figure {
  readonly title: string
  /** How a value is told. */
  readonly unit: Unit
  /** Milliseconds since the epoch. */
  readonly at: ReadonlyArray<number>
  readonly lines: ReadonlyArray<Line>
}

export type Unit = "percent" | "rate" | "millis" | "count" | "bytes"

export const told: Readonly<Record<Unit, (value: number) => string>> = {
  percent: (value) => `${Math.round(100 * value)} %`,
  rate: (value) => `${value >= 10 ? Format.count(value) : Number(value.toFixed(1))}/s`,
  millis: (value) => Format.duration(value),
  count: (value) => Format.count(value),
  bytes: (value) => Format.bytes(Math.round(value))
}

type Drawn = readonly [title: string, unit: Unit, lines: ReadonlyArray<readonly [keyof Point, string]>]

const drawn: ReadonlyArray<Drawn> = [
  ["Hit ratio", "percent", [["hitRatio", "hits"]]],
  ["Gets a second", "rate", [["rate", "gets"]]],
  [
    "Time of a load",
    "millis",
    [
      ["p50", "p50"],
      ["p95", "p95"],
      ["p99", "p99"]
    ]
  ],
  ["Entries", "count", [["entries", "entries"]]],
  ["Size", "bytes", [["bytes", "bytes"]]]
]

/** The figures of one cache, of what is known of it. */
const figuresOf = (all: ReadonlyArray<Point>): ReadonlyArray<Figure> =>
  drawn.flatMap(([title, unit, fields]) => {
    // before the first that is known there is nothing to draw
    const start = all.findIndex((point) => fields.some(([field]) => point[field] !== undefined))
    const points = start < 0 ? [] : all.slice(start)
    const lines = fields
      .map(([field, label]): Line => ({ label, values: points.map((point) => point[field]) }))
      .filter(({ values }) => values.some((value) => value !== undefined))
    return lines.length === 0 ? [] : [{ title, unit, at: points.map(({ at }) => at), lines }]
  })

/** A cache and what is drawn of it. */
export interface Chapter {
  readonly cache: string
  readonly figures: ReadonlyArray<Figure>
}

/** In the order of their names. One moment alone is no line. */
export const chapters = (series: Series): ReadonlyArray<Chapter> =>
  [...series]
    .filter(([, points]) => points.length > 1)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([cache, points]) => ({ cache: Format.cacheName(cache), figures: figuresOf(points) }))

/** From when to when, as people read it. */
export const spanOf = (at: ReadonlyArray<number>): readonly [from: string, to: string] => {
  const shown = (millis: number): string => new Date(millis).toISOString().slice(0, 19).replace("T", " ")
  return [shown(at[0] ?? 0), shown(at.at(-1) ?? 0)]
}

/** Where the scale of what is hardly there ends: its steps are whole numbers. */
const leastHigh = 4

/** The least and the most of what is drawn; from 0 on, and for parts always to 1. */
export const rangeOf = ({ lines, unit }: Figure): readonly [low: number, high: number] => {
  const high = lines.reduce(
    (most, { values }) => values.reduce<number>((most, one) => Math.max(most, one ?? 0), most),
    0
  )
  return [0, unit === "percent" ? 1 : Math.max(high, leastHigh)]
}
