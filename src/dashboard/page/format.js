/** Numbers, times and texts as people read them. */

const units = ["B", "KiB", "MiB", "GiB", "TiB"]

export const bytes = (count) => {
  const power = count < 1024 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(count) / 10))
  return power === 0 ? `${count} B` : `${(count / 1024 ** power).toFixed(1)} ${units[power]}`
}

export const count = (number) => Math.round(number).toLocaleString("en-US")

export const rate = (number) => (number >= 10 ? count(number) : number.toFixed(1))

export const percent = (part) => (Number.isFinite(part) ? `${(100 * part).toFixed(1)} %` : "–")

const spans = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "min"],
  [1_000, "s"]
]

export const duration = (millis) => {
  if (millis === null || millis === undefined || millis === Infinity) return "for ever"
  const found = spans.find(([size]) => millis >= size)
  if (found === undefined) return millis < 10 ? `${Number(millis.toFixed(2))} ms` : `${Math.round(millis)} ms`
  return `${Math.floor(millis / found[0])} ${found[1]}`
}

/** Characters that nobody sees, or that turn the direction of writing, as codes. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const unseen = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g

export const visible = (text) => text.replace(unseen, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`)

/** The name of a cache; its prefix stands before it as a folder does. */
export const nameOf = (name) => visible(name.replaceAll("\u001f", "/"))
