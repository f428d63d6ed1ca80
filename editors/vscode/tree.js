/**
 * What the tree shows, out of what `larder ... --json` answers: plain data, which knows nothing of an editor.
 */
"use strict"

/**
 * @typedef {{ name: string, store: string, entries: number, bytes: number }} Row
 * @typedef {{ createdAt: number, freshUntil: number, staleUntil: number, loadMillis: number, failed: boolean }} Header
 * @typedef {string | { group: string }} Tag
 * @typedef {{ json?: unknown, text?: string, hex?: string }} Value
 * @typedef {"fresh" | "stale" | "over" | "sealed" | "unreadable"} State
 * @typedef {{ key: string, tags: Tag[], bytes: number, state: State, header?: Header, value?: Value }} Item
 * @typedef {{ name: string, items: Item[], isAll: boolean }} Listing
 * @typedef {{ kind: "cache" | "entry" | "note", label: string, description: string, tooltip: string, icon: string,
 *   cache: string, key?: string }} Node
 */

/**
 * Keys are texts of programs' own. A line break or a control character would make one look like several, or like nothing.
 *
 * @param {string} text
 */
const plain = (text) => text.replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069]/g, "\u00b7")

/** @param {number} bytes */
const sized = (bytes) => {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"]
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`
}

/** @param {number} millis */
const lasting = (millis) => {
  const seconds = Math.round(millis / 1000)
  if (seconds < 120) return `${seconds} s`
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} d`
}

/** The name of a cache under a prefix, as the command writes it. @param {string} name */
const cacheName = (name) => plain(name.replaceAll("\u0000", "/"))

/** @type {Readonly<Record<State, string>>} */
const icons = { fresh: "pass", stale: "history", over: "circle-slash", sealed: "lock", unreadable: "error" }

/** @param {Item} item @param {number} now */
const endsIn = ({ header, state }, now) => {
  if (header === undefined) return state
  if (header.failed) return `${state} failure`
  if (state === "fresh") return header.freshUntil > 8.64e15 ? "fresh" : `fresh for ${lasting(header.freshUntil - now)}`
  return state === "stale" ? `stale for ${lasting(header.staleUntil - now)} more` : state
}

/** @param {Value | undefined} value */
const shown = (value) => {
  if (value === undefined) return "cannot be read without the keys or the Schema of its program"
  return "json" in value ? (JSON.stringify(value.json, null, 2) ?? "undefined") : (value.text ?? value.hex ?? "")
}

/** @param {Tag} tag */
const tagged = (tag) => (typeof tag === "string" ? tag : `group ${tag.group}`)

/** @param {string} text @param {number} length */
const cut = (text, length) => (text.length > length ? `${text.slice(0, length - 1)}\u2026` : text)

/**
 * The caches: what `larder list --json` answers.
 *
 * @param {Row[]} rows
 * @returns {Node[]}
 */
const caches = (rows) =>
  rows.map(({ bytes, entries, name, store }) => ({
    kind: "cache",
    label: cacheName(name),
    description: `${entries} ${entries === 1 ? "entry" : "entries"}, ${sized(bytes)}`,
    tooltip: `${cacheName(name)} in ${store}`,
    icon: "database",
    cache: name
  }))

/**
 * The entries of a cache: what `larder inspect <cache> --json` answers. Where there are more, the last node says so.
 *
 * @param {Listing[]} listings
 * @param {number} now
 * @returns {Node[]}
 */
const entries = (listings, now) =>
  listings.flatMap(({ isAll, items, name }) => [
    ...items.map(
      /** @returns {Node} */ (item) => ({
        kind: "entry",
        label: plain(item.key),
        description: [endsIn(item, now), sized(item.bytes), ...item.tags.map(tagged).map(plain)].join(", "),
        tooltip: cut(shown(item.value), 2_000),
        icon: icons[item.state] ?? "question",
        cache: name,
        key: item.key
      })
    ),
    ...(isAll ? [] : [note(name, "there are more", "larder.limit says how many are shown")])
  ])

/** A line that is about the tree itself. @param {string} cache @param {string} label @param {string} tooltip @returns {Node} */
const note = (cache, label, tooltip) => ({ kind: "note", label, description: "", tooltip, icon: "info", cache })

/**
 * What was said on standard error, for a person: the error and its remedy, without logs and colours.
 *
 * @param {string} text
 */
const complaint = (text) => {
  const lines = text
    .replace(/\u001b\[[0-9;]*m/g, "")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
  const remedy = lines.findLastIndex((line) => line.startsWith("try:"))
  const error = lines.findIndex((line) => line.startsWith("error:"))
  if (error >= 0) return lines.slice(error, error + 2).join(" \u2014 ")
  return lines.slice(remedy > 0 ? remedy - 1 : -1).join(" \u2014 ")
}

module.exports = { caches, complaint, entries, note }
