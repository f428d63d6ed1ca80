/** What the entries of a region come to, folded one by one. */
import type * as Envelope from "../../codec/Envelope.js"
import type { Item, RegionStats, State, Verified } from "../../StoreAdmin.js"

const mostTags = 10_000
const shownTags = 10
const shownProblems = 100

type Sums = Omit<RegionStats, "name" | "store" | "tags"> & { readonly counts: Map<string, number> }

const states: Readonly<Record<State, number>> = { fresh: 0, stale: 0, over: 0, sealed: 0, unreadable: 0 }

/** The fold's own map of tags is made with its first entry. */
export const none: Sums | undefined = undefined

const empty = (): Sums => ({
  entries: 0,
  bytes: 0,
  states,
  failures: 0,
  oldest: undefined,
  newest: undefined,
  largest: 0,
  loadMillis: 0,
  counts: new Map()
})

const countTags = (counts: Map<string, number>, tags: ReadonlyArray<string>): void => {
  for (const tag of tags) {
    const count = counts.get(tag)
    if (count !== undefined || counts.size < mostTags) counts.set(tag, (count ?? 0) + 1)
  }
}

/** What envelopes tell. */
const addHeader = (sum: Sums, { createdAt, failed, loadMillis }: Envelope.Header): Sums => ({
  ...sum,
  failures: sum.failures + (failed ? 1 : 0),
  oldest: Math.min(sum.oldest ?? Infinity, createdAt),
  newest: Math.max(sum.newest ?? -Infinity, createdAt),
  loadMillis: sum.loadMillis + loadMillis
})

export const add = (before: Sums | undefined, item: Item): Sums => {
  const sum = before ?? empty()
  countTags(sum.counts, item.tags)
  const isKept = item.state !== "over"
  const counted = {
    ...sum,
    entries: sum.entries + (isKept ? 1 : 0),
    bytes: sum.bytes + (isKept ? item.bytes : 0),
    states: { ...sum.states, [item.state]: sum.states[item.state] + 1 },
    largest: Math.max(sum.largest, item.bytes)
  }
  return item.header === undefined ? counted : addHeader(counted, item.header)
}

export const told =
  (name: string, store: string) =>
  (sums: Sums | undefined): RegionStats => {
    const { counts, ...rest } = sums ?? empty()
    const tags = [...counts].sort(([a, one], [b, other]) => other - one || (a < b ? -1 : 1)).slice(0, shownTags)
    return { name, store, ...rest, tags }
  }

type Findings = Omit<Verified, "removed"> & { readonly keys: ReadonlyArray<string> }

export const unverified = (name: string): Findings => ({
  name,
  entries: 0,
  sealed: 0,
  problems: [],
  unreadable: 0,
  keys: []
})

export const verify = (sum: Findings, item: Item): Findings => {
  const isBad = item.state === "unreadable"
  const problem = { key: item.key, reason: item.problem ?? "" }
  return {
    name: sum.name,
    entries: sum.entries + 1,
    sealed: sum.sealed + (item.state === "sealed" ? 1 : 0),
    unreadable: sum.unreadable + (isBad ? 1 : 0),
    problems: isBad && sum.problems.length < shownProblems ? [...sum.problems, problem] : sum.problems,
    keys: isBad ? [...sum.keys, item.key] : sum.keys
  }
}
