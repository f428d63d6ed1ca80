/** The page: keeps the last five minutes of each cache, and shows them. Whatever comes from a cache is only ever text. */
import * as api from "./api.js"
import { Chart } from "./charts.js"
import { showEntry, showProblem } from "./entry.js"
import * as format from "./format.js"
import { histories, outcomes, present, rates, remember } from "./history.js"

const $ = (id) => document.getElementById(id)

const tierColours = ["fresh", "loaded", "stale", "joined"]
const mostEvents = 200

let chosen
let last = []

const charts = {
  outcomes: new Chart($("chart-outcomes"), outcomes),
  ratio: new Chart($("chart-ratio"), [{ name: "fresh", label: "hits" }], {
    range: [0, 1],
    format: (part) => `${Math.round(100 * part)} %`
  }),
  times: new Chart($("chart-times"), [
    { name: "fresh", label: "p50" },
    { name: "stale", label: "p95", dash: [8, 4] },
    { name: "failed", label: "p99", dash: [2, 3] }
  ]),
  entries: new Chart($("chart-entries"), [{ name: "fresh", label: "entries" }])
}

const fullest = ({ tiers }, of) => Math.max(0, ...tiers.map((tier) => tier[of]))

const tile = (name, value) => {
  const [box, title, number] = [
    document.createElement("div"),
    document.createElement("dt"),
    document.createElement("dd")
  ]
  title.textContent = name
  number.textContent = value
  box.append(title, number)
  return box
}

const showTotals = (caches) => {
  const all = [...histories.values()].filter((history) => history.at(-1).cache.stats !== undefined)
  const counted = caches.some(({ stats }) => stats !== undefined)
  const gets = all.reduce((sum, history) => sum + present(history).gets, 0)
  const hits = all.reduce((sum, history) => {
    const { gets, ratio } = present(history)
    return sum + (Number.isNaN(ratio) ? 0 : gets * ratio)
  }, 0)
  const sum = (of) => caches.reduce((total, cache) => total + fullest(cache, of), 0)
  $("totals").replaceChildren(
    tile("Caches", format.count(caches.length)),
    ...(counted
      ? [tile("Gets a second", format.rate(gets)), tile("Hits", gets === 0 ? "–" : format.percent(hits / gets))]
      : []),
    tile("Entries", format.count(sum("entries"))),
    tile("Size", format.bytes(sum("bytes"))),
    ...(counted
      ? [tile("Loading", format.count(caches.reduce((total, { flights }) => total + flights.length, 0)))]
      : [])
  )
}

const cell = (text, className) => {
  const element = document.createElement("td")
  element.textContent = text
  if (className !== undefined) element.className = className
  return element
}

const rowOf = (name) => {
  const row = document.createElement("tr")
  row.dataset.cache = name
  const button = document.createElement("button")
  button.type = "button"
  button.textContent = format.nameOf(name)
  button.addEventListener("click", () => choose(name))
  const head = document.createElement("td")
  head.append(button)
  row.append(head)
  return row
}

/** Rows are changed, not made anew, and their buttons never taken out: whoever has the focus on one, or the mouse, keeps it. */
const showRows = (caches) => {
  const rows = new Map([...$("rows").children].map((row) => [row.dataset.cache, row]))
  const shown = [...caches]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((cache) => {
      const row = rows.get(cache.name) ?? rowOf(cache.name)
      const { gets, ratio } = present(histories.get(cache.name))
      const { stats } = cache
      row.setAttribute("aria-current", String(cache.name === chosen))
      while (row.childElementCount > 1) row.lastElementChild.remove()
      row.append(
        cell(cache.tiers.map(({ store }) => store).join(" > ")),
        cell(stats === undefined ? "" : format.percent(ratio), "number"),
        cell(stats === undefined ? "" : format.rate(gets), "number"),
        cell(stats === undefined || stats.loads === 0 ? "" : format.duration(stats.percentiles.p95), "number"),
        cell(format.count(fullest(cache, "entries")), "number"),
        cell(format.bytes(fullest(cache, "bytes")), "number"),
        cell(stats === undefined ? "" : String(cache.flights.length), "number")
      )
      return row
    })
  const isSame = shown.length === rows.size && shown.every((row, at) => $("rows").children[at] === row)
  if (!isSame) $("rows").replaceChildren(...shown)
  $("none").hidden = caches.length > 0
}

/** A line about a key, with what is said of it first. */
const keyLine = (said, key) => {
  const item = document.createElement("li")
  const more = document.createElement("span")
  more.className = "more"
  more.textContent = said
  item.append(more, format.visible(key))
  return item
}

const showTiers = (tiers) => {
  $("tiers").replaceChildren(
    ...tiers.map(({ bytes, entries, store }, tier) =>
      keyLine(`tier ${tier + 1}`, `${store}: ${format.count(entries)} entries, ${format.bytes(bytes)}`)
    )
  )
}

const showTags = async (name) => {
  const tags = await api.get("tags", { cache: name }).catch(() => [])
  if (name !== chosen) return
  $("tags").replaceChildren(...tags.map(({ entries, tag }) => keyLine(format.count(entries), tag)))
  $("no-tags").hidden = tags.length > 0
}

/** Of stores that have one; an open one is worth a look. */
const showBreakers = (breakers) => {
  $("breakers").hidden = breakers.length === 0
  const lines = breakers.map(({ isOpen, store }) => {
    const line = keyLine(isOpen ? "left alone: its breaker is open" : "breaker closed", store)
    line.dataset.open = String(isOpen)
    return line
  })
  $("breakers").replaceChildren(...lines)
}

const showFlights = (flights) => {
  $("flights").replaceChildren(
    ...flights.map(({ key, millis, waiters }) => keyLine(`${format.duration(millis)}, ${waiters} waiting`, key))
  )
  $("no-flights").hidden = flights.length > 0
}

const showAnalysed = ({ advice, hottest }) => {
  $("analysed").hidden = hottest.length === 0
  $("hottest").replaceChildren(...hottest.map(({ key, part }) => keyLine(format.percent(part), key)))
  $("advice").replaceChildren(
    ...advice.map((sentence) => Object.assign(document.createElement("li"), { textContent: sentence }))
  )
}

const showDetail = () => {
  const history = histories.get(chosen)
  $("detail").hidden = history === undefined
  if (history === undefined) return
  const { cache } = history.at(-1)
  $("chosen").textContent = format.nameOf(cache.name)
  for (const figure of document.querySelectorAll(".counted")) figure.hidden = cache.stats === undefined
  const at = history.map((one) => one.at / 1_000)
  const each = history.map((one, index) => (index === 0 ? outcomes.map(() => null) : rates(one, history[index - 1])))
  charts.entries.rename(cache.tiers.map(({ store }, tier) => ({ name: tierColours[tier % 4], label: store })))
  charts.entries.show([
    at,
    ...cache.tiers.map((_, tier) => history.map((one) => one.cache.tiers[tier]?.entries ?? null))
  ])
  showFlights(cache.flights)
  showTiers(cache.tiers)
  showAnalysed(cache)
  if (cache.stats === undefined) return
  charts.outcomes.show([at, ...outcomes.map((_, outcome) => each.map((one) => one[outcome]))])
  const ratios = history.map((_, index) => {
    const { ratio } = present(history.slice(0, index + 1))
    return Number.isNaN(ratio) ? null : ratio
  })
  charts.ratio.show([at, ratios])
  charts.times.show([
    at,
    ...["p50", "p95", "p99"].map((part) => history.map((one) => one.cache.stats.percentiles[part]))
  ])
}

const choose = async (name) => {
  chosen = name
  $("key").value = ""
  $("entry").replaceChildren()
  showRows(last)
  showDetail()
  void showTags(name)
  try {
    const keys = await api.get("keys", { cache: name, limit: 200 })
    $("keys").replaceChildren(...keys.map((key) => Object.assign(document.createElement("option"), { value: key })))
  } catch {
    $("keys").replaceChildren()
  }
}

const explain = async () => {
  try {
    showEntry($("entry"), await api.get("entry", { cache: chosen, key: $("key").value }), Date.now())
  } catch (error) {
    showProblem($("entry"), error.message)
  }
}

const isMeant = (question) =>
  new Promise((resolve) => {
    const dialog = $("question")
    $("question-text").textContent = question
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true })
    dialog.returnValue = "no"
    dialog.showModal()
  })

/** Asks, does it, and tells what became of it. */
const change = async (question, path, body) => {
  if (!(await isMeant(question))) return
  try {
    const done = await api.change(path, chosen, body)
    const removed = done.entries === undefined ? "" : `: ${format.count(done.entries)} entries`
    $("entry").replaceChildren(`${done.cleared === undefined ? "Invalidated" : "Cleared"}${removed}`)
  } catch (error) {
    showProblem($("entry"), error.message)
  }
}

const moreOf = ({ _tag, cache, keyHash, ...rest }) =>
  Object.entries(rest)
    .filter(([name, value]) => value !== null && typeof value !== "object" && name !== "createdAt")
    .map(([name, value]) => (name === "millis" ? format.duration(value) : `${name} ${value}`))
    .join(", ")

const showEvent = (event) => {
  const item = document.createElement("li")
  const time = document.createElement("time")
  time.textContent = new Date().toLocaleTimeString()
  item.append(
    time,
    format.visible([event._tag, event.cache && format.nameOf(event.cache), moreOf(event)].filter(Boolean).join("  "))
  )
  $("events").prepend(item)
  while ($("events").childElementCount > mostEvents) $("events").lastElementChild.remove()
  $("no-events").hidden = true
}

const say = (state, text) => {
  $("live").dataset.state = state
  if ($("live").textContent !== text) $("live").textContent = text
}

const redraw = () => {
  for (const chart of Object.values(charts)) chart.draw()
  showDetail()
}

const isDark = () =>
  (document.documentElement.dataset.theme ??
    (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark"

$("theme").addEventListener("click", () => {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark"
  redraw()
})
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw)
$("entry-form").addEventListener("submit", (event) => {
  event.preventDefault()
  void explain()
})
$("invalidate").addEventListener("click", () => {
  const key = $("key").value
  if (key !== "")
    void change(`Invalidate ${format.visible(key)} of ${format.nameOf(chosen)}?`, "invalidate", { keys: [key] })
})
$("tag-form").addEventListener("submit", (event) => {
  event.preventDefault()
  const tag = $("tag").value
  void change(`Invalidate all that has the tag ${format.visible(tag)} in ${format.nameOf(chosen)}?`, "invalidate", {
    tags: [tag]
  })
})
$("clear").addEventListener("click", () => void change(`Remove all entries of ${format.nameOf(chosen)}?`, "clear"))

const about = await api.get("about")
$("title").textContent = format.visible(about.title)
for (const element of document.querySelectorAll(".changing")) element.hidden = !(about.changes && api.hasToken)

api.live({
  state: (state) => {
    say("live", "live")
    remember(state)
    last = state.caches
    showTotals(last)
    showBreakers(state.breakers)
    if (chosen === undefined || !histories.has(chosen))
      void (last[0] && choose([...last].sort((a, b) => (a.name < b.name ? -1 : 1))[0].name))
    showRows(last)
    showDetail()
  },
  failed: ({ error }) => say("failed", format.visible(error)),
  happened: showEvent,
  lost: () => say("lost", "not connected, trying again")
})
