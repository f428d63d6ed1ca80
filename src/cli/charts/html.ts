/** Figures as one page that needs nothing else, to be looked into: what a line is at a moment, and a part of the time. */
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { createHash } from "node:crypto"
import type { Chapter } from "./figures.js"
import { escaped } from "./svg.js"

const require = createRequire(import.meta.url)
const chart = (name: string): string => readFileSync(require.resolve(`uplot/dist/${name}`), "utf8")

/** As a script has it: nothing in it ends the script, or is a line's end to some and not to others. */
const inScript = (value: unknown): string =>
  JSON.stringify(value).replace(/[<\u2028\u2029]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`)

const style = `
:root{color-scheme:light dark;--ground:#fff;--text:#1c2330;--quiet:#5a6475;--grid:#dfe3ea;--l0:#0b7a4b;--l1:#a15c00;--l2:#b3261e}
@media (prefers-color-scheme:dark){:root{--ground:#12161d;--text:#e6e9ef;--quiet:#9aa4b5;--grid:#2a313d;--l0:#4cc38a;--l1:#f0a53a;--l2:#ff8a80}}
body{margin:0;padding:1rem;background:var(--ground);color:var(--text);font:15px/1.5 system-ui,sans-serif}
main{max-width:70rem;margin:auto}h2{margin:2rem 0 .5rem;overflow-wrap:anywhere}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,28rem),1fr));gap:1.5rem}
figure{margin:0;min-width:0}figcaption{font-weight:600}.u-legend{color:var(--quiet);font-size:.85rem}`

/** Draws what \`chapters\` has; colours are read when it is drawn, and anew in another light. */
const script = `
const units = {
  percent: (value) => Math.round(100 * value) + " %",
  rate: (value) => value.toLocaleString("en-US", { maximumFractionDigits: 1 }) + "/s",
  millis: (value) => value.toLocaleString("en-US", { maximumFractionDigits: 1 }) + " ms",
  count: (value) => value.toLocaleString("en-US", { maximumFractionDigits: 0 }),
  bytes: (value) => {
    const power = value < 1024 ? 0 : Math.min(4, Math.floor(Math.log2(value) / 10))
    return (power === 0 ? Math.round(value) : (value / 1024 ** power).toFixed(1)) + " " + ["B", "KiB", "MiB", "GiB", "TiB"][power]
  }
}
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim()
const dashes = [[], [8, 4], [2, 4]]
const drawn = []
const draw = () => {
  for (const plot of drawn.splice(0)) plot.destroy()
  chapters.forEach(({ figures }, chapter) => figures.forEach(({ at, lines, unit }, figure) => {
    const element = document.getElementById("chart-" + chapter + "-" + figure)
    const told = (_, value) => value === null || value === undefined ? "–" : units[unit](value)
    const axis = () => ({ stroke: colour("--quiet"), grid: { stroke: colour("--grid"), width: 1 }, ticks: { stroke: colour("--grid"), width: 1 } })
    drawn.push(new uPlot({
      width: Math.max(200, element.clientWidth), height: 220,
      scales: { y: { range: (_, low, high) => [0, unit === "percent" ? 1 : Math.max(high * 1.05, 4)] } },
      axes: [axis(), { ...axis(), size: 76, values: (_, values) => values.map((value) => told(_, value)) }],
      series: [{}, ...lines.map(({ label }, line) => ({ label, stroke: colour("--l" + line % 3), width: 2, dash: dashes[line % 3], value: told, points: { show: false } }))]
    }, [at.map((millis) => millis / 1000), ...lines.map(({ values }) => values)], element))
  }))
}
draw()
addEventListener("resize", draw)
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw)`

const digest = (text: string): string => `'sha256-${createHash("sha256").update(text).digest("base64")}'`

/** What is not known is null to JSON and to charts alike. */
const forScript = (all: ReadonlyArray<Chapter>) =>
  all.map(({ figures }) => ({
    figures: figures.map(({ at, lines, unit }) => ({
      at,
      unit,
      lines: lines.map(({ label, values }) => ({ label, values: values.map((value) => value ?? null) }))
    }))
  }))

export const render = (all: ReadonlyArray<Chapter>): string => {
  const scripts = [`${chart("uPlot.iife.min.js")}\nconst chapters = ${inScript(forScript(all))}\n${script}`]
  const sections = all.map(({ cache, figures }, chapter) => {
    const plots = figures.map(
      ({ title }, figure) =>
        `<figure><figcaption>${escaped(title)}</figcaption><div id="chart-${chapter}-${figure}"></div></figure>`
    )
    return `<section><h2>${escaped(cache)}</h2><div class="figures">${plots.join("")}</div></section>`
  })
  return [
    "<!doctype html>",
    '<html lang="en"><head><meta charset="utf-8">',
    // uPlot gives its elements a style, which no digest can allow
    `<meta http-equiv="content-security-policy" content="default-src 'none'; script-src ${scripts.map(digest).join(" ")}; style-src 'unsafe-inline'">`,
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>Caches</title><style>${chart("uPlot.min.css")}${style}</style></head>`,
    `<body><main><h1>Caches</h1>${sections.join("")}</main>`,
    ...scripts.map((one) => `<script>${one}</script>`),
    "</body></html>"
  ].join("\n")
}
