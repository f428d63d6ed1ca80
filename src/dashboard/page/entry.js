/** One entry: what is known of it, and why a get would hit or miss. */
import { bytes, duration, visible } from "./format.js"

const line = (text, className) => {
  const element = document.createElement("p")
  element.textContent = text
  if (className !== undefined) element.className = className
  return element
}

const times = ({ createdAt, freshUntil, loadMillis }, now) => {
  if (createdAt === undefined || createdAt === null) return []
  const fresh =
    freshUntil === null || freshUntil > now
      ? `fresh ${freshUntil === null ? "for ever" : `for ${duration(freshUntil - now)} more`}`
      : `fresh until ${duration(now - freshUntil)} ago`
  return [`loaded ${duration(Math.max(0, now - createdAt))} ago, in ${duration(loadMillis)}`, fresh]
}

export const showEntry = (element, entry, now) => {
  const facts = [
    ...entry.reasons,
    ...times(entry, now),
    ...(entry.bytes === undefined ? [] : [bytes(entry.bytes)]),
    ...(entry.tags.length === 0 ? [] : [entry.tags.join(", ")])
  ]
  const list = document.createElement("ul")
  for (const fact of facts) {
    const item = document.createElement("li")
    item.textContent = visible(fact)
    list.append(item)
  }
  element.replaceChildren(line(visible(entry.verdict), "verdict"), list)
  if (entry.value === undefined) return
  const value = document.createElement("pre")
  value.textContent = entry.value.split("\n").map(visible).join("\n")
  value.tabIndex = 0
  element.append(value)
}

export const showProblem = (element, problem) => element.replaceChildren(line(visible(problem), "danger"))
