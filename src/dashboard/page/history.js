/** What the caches were like in the last minutes, and what follows from it. */
import { span } from "./charts.js"

export const outcomes = [
  { name: "fresh", label: "fresh" },
  { name: "stale", label: "stale", dash: [8, 4] },
  { name: "loaded", label: "loaded" },
  { name: "joined", label: "joined", dash: [2, 3] },
  { name: "failsafe", label: "failsafe", dash: [8, 4] },
  { name: "bypassed", label: "bypassed", dash: [2, 3] },
  { name: "failed", label: "failed" }
]
/** Seconds over which a ratio and a rate are taken. */
const recent = 10

/** By the name of the cache: what was told of it, with the moment. */
export const histories = new Map()

/** How many gets of each outcome there were between two moments, a second. */
export const rates = (now, before) => {
  const seconds = (now.at - before.at) / 1_000
  return outcomes.map(
    ({ name }) =>
      // a program that has started anew counts from nothing
      Math.max(0, (now.cache.stats?.outcomes[name] ?? 0) - (before.cache.stats?.outcomes[name] ?? 0)) / seconds
  )
}

const hitRatio = (each) => {
  const [fresh, stale, loaded, joined, failsafe, , failed] = each
  const all = fresh + stale + loaded + joined + failsafe + failed
  return all === 0 ? Number.NaN : (fresh + stale) / all
}

/** The moment some seconds before the last one, or the first that is known. */
const earlier = (history, seconds) => {
  const end = history.at(-1).at
  return history.find(({ at }) => at >= end - seconds * 1_000) ?? history[0]
}

export const present = (history) => {
  const now = history.at(-1)
  const before = earlier(history, recent)
  const each = before === now ? outcomes.map(() => 0) : rates(now, before)
  return { gets: each.reduce((sum, one) => sum + one, 0), ratio: hitRatio(each) }
}

export const remember = ({ at, caches }) => {
  for (const cache of caches) {
    const history = histories.get(cache.name) ?? []
    history.push({ at, cache })
    while (history[0].at < at - span * 1_000) history.shift()
    histories.set(cache.name, history)
  }
  for (const name of histories.keys()) if (!caches.some((cache) => cache.name === name)) histories.delete(name)
}
