/** Numbers, times, tables and values as people read them. */
import Table from "cli-table3"
import { textOf } from "../internal/admin/payload.js"
import { safe, type Service } from "./screen.js"

const units = ["B", "KiB", "MiB", "GiB", "TiB"] as const

export const bytes = (count: number): string => {
  const power = count < 1_024 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(count) / 10))
  return power === 0 ? `${count} B` : `${(count / 1_024 ** power).toFixed(1)} ${units[power]}`
}

const spans = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "min"],
  [1_000, "s"]
] as const

/** Two units at most: "3 h 20 min". */
export const duration = (millis: number): string => {
  if (millis === Infinity) return "for ever"
  if (millis < 1_000) return `${millis < 10 ? Number(millis.toFixed(2)) : Math.round(millis)} ms`
  const at = spans.findIndex(([size]) => millis >= size)
  const [size, unit] = spans[at]!
  const whole = Math.floor(millis / size)
  const smaller = spans[at + 1]
  const rest = smaller === undefined ? 0 : Math.floor((millis - whole * size) / smaller[0])
  return rest === 0 || smaller === undefined ? `${whole} ${unit}` : `${whole} ${unit} ${rest} ${smaller[1]}`
}

export const count = (number: number): string => Math.round(number).toLocaleString("en-US")

export const some = (number: number, one: string, many = `${one}s`): string =>
  `${count(number)} ${number === 1 ? one : many}`

export const percent = (part: number): string => `${(100 * part).toFixed(1)} %`

/** How a cache is called to people: a prefix stands before its name as a folder does. */
export const cacheName = (name: string): string => safe(name.replaceAll("\u001f", "/"))

/** A column: its head, and whether numbers stand in it. */
export interface Column {
  readonly head: string
  readonly right?: boolean
  /** Left out where the terminal has no room for all, the last one first. */
  readonly optional?: boolean
}

const none = Object.fromEntries(
  [
    "top",
    "top-mid",
    "top-left",
    "top-right",
    "bottom",
    "bottom-mid",
    "bottom-left",
    "bottom-right",
    "left",
    "left-mid",
    "mid",
    "mid-mid",
    "right",
    "right-mid",
    "middle"
  ].map((place) => [place, ""])
)

/** What colours are made of takes no room. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with one
const widthOf = (cell: string): number => cell.replace(/\u001b\[\d+m/g, "").length

const gap = 2
const narrowest = 6

const sum = (all: ReadonlyArray<number>): number => all.reduce((sum, one) => sum + one, 0)

/** Makes the widest of some columns narrower, until all fit, or none of these can give way any more. */
const narrow = (all: Array<number>, some: ReadonlyArray<number>, columns: number): void => {
  while (sum(all) > columns) {
    const widest = some.reduce((found, at) => (found < 0 || all[at]! > all[found]! ? at : found), -1)
    if (widest < 0 || all[widest]! <= narrowest) return
    all[widest]!--
  }
}

/** The widths of columns. Texts give way before numbers do: a part of a number is another number. */
const widths = (
  wanted: ReadonlyArray<number>,
  heads: ReadonlyArray<Column>,
  columns: number | undefined
): Array<number> => {
  const all = wanted.map((width) => width + gap)
  const places = all.map((_, at) => at)
  if (columns === undefined) return all
  narrow(
    all,
    places.filter((at) => heads[at]?.right !== true),
    columns
  )
  narrow(all, places, columns)
  return all
}

/** Which columns there is room for. */
const roomy = (
  wanted: ReadonlyArray<number>,
  heads: ReadonlyArray<Column>,
  columns = Infinity
): ReadonlyArray<number> => {
  const places = wanted.map((_, at) => at)
  while (sum(places.map((at) => wanted[at]! + gap)) > columns) {
    const last = places.filter((at) => heads[at]?.optional === true).at(-1)
    if (last === undefined) break
    places.splice(places.indexOf(last), 1)
  }
  return places
}

/** Rows of one line each, cut off at the end of the terminal's lines. Cells are safe already. */
export const table = (
  all: ReadonlyArray<Column>,
  rows: ReadonlyArray<ReadonlyArray<string>>,
  screen: Pick<Service, "columns">
): string => {
  const needed = all.map(({ head }, at) => Math.max(head.length, ...rows.map((row) => widthOf(row[at] ?? ""))))
  const places = roomy(needed, all, screen.columns)
  const [columns, wanted] = [places.map((at) => all[at]!), places.map((at) => needed[at]!)]
  const made = new Table({
    head: columns.map(({ head }) => head),
    chars: none,
    style: { head: [], border: [], "padding-left": 0, "padding-right": gap },
    colWidths: widths(wanted, columns, screen.columns),
    colAligns: columns.map(({ right = false }) => (right ? "right" : "left"))
  })
  made.push(...rows.map((row) => places.map((at) => row[at] ?? "")))
  return made
    .toString()
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n")
}

/** Fewer characters are no line. */
const leastLine = 20

/** Lines of so many characters at most, broken between words; a longer word has a line of its own. */
const wrapped = (text: string, columns: number): ReadonlyArray<string> => {
  const lines: Array<string> = []
  for (const word of text.split(" ")) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= columns) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}

/** Names and what they stand for, one on each line, or on some beneath each other where a terminal's line is short. */
export const pairs = (
  all: ReadonlyArray<readonly [name: string, value: string]>,
  { columns }: Partial<Pick<Service, "columns">> = {}
): string => {
  const width = Math.max(...all.map(([name]) => name.length))
  const room = columns === undefined ? undefined : Math.max(leastLine, columns - width - 2)
  return all
    .map(([name, value]) => {
      const lines = room === undefined ? [value] : wrapped(value, room)
      return `${name.padEnd(width)}  ${lines.join(`\n${" ".repeat(width + 2)}`)}`
    })
    .join("\n")
}

/** What a value's bytes are, without its Schema: JSON if they are, else text, else bytes. */
export type Value =
  | { readonly json: unknown }
  | { readonly text: string }
  | { readonly hex: string; readonly bytes: number }

/** Bytes of a value that is not text that are shown. */
const mostHex = 256

export const valueOf = (payload: Uint8Array): Value => {
  const found = textOf(payload)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: text has none but these
  if (found === undefined || (!found.isPlain && /[\u0000-\u0008\u000e-\u001a\u001c-\u001f]/.test(found.text))) {
    return { hex: Buffer.from(payload.subarray(0, mostHex)).toString("hex"), bytes: payload.byteLength }
  }
  const { isPlain, text } = found
  if (isPlain) return { text }
  try {
    return { json: JSON.parse(text) as unknown }
  } catch {
    return { text }
  }
}
