/** Figures as one picture that needs nothing else: for reports and pages. Whatever is told in it is escaped. */
import { type Chapter, type Figure, rangeOf, spanOf, told } from "./figures.js"

const width = 900
const plot = { left: 90, right: 20, top: 34, height: 150 }
const figureHeight = plot.top + plot.height + 46
const titleHeight = 44
const steps = 4

const escapes: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;"
}

/** Also within attributes. Names of caches are safe already as to characters that nobody sees. */
export const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => escapes[character] ?? "")

const rounded = (value: number): number => Math.round(value * 10) / 10

const text = (x: number, y: number, content: string, attributes = ""): string =>
  `<text x="${rounded(x)}" y="${rounded(y)}" ${attributes}>${escaped(content)}</text>`

/** Parts of the line that are known, each by itself. */
const runs = (values: ReadonlyArray<number | undefined>): ReadonlyArray<ReadonlyArray<number>> =>
  values.reduce<Array<Array<number>>>(
    (all, value, index) => {
      if (value === undefined) all.push([])
      else all.at(-1)?.push(index)
      return all
    },
    [[]]
  )

const inner = width - plot.left - plot.right

const figureSvg = (figure: Figure, y: number): string => {
  const [low, high] = rangeOf(figure)
  const [from, to] = [figure.at[0] ?? 0, figure.at.at(-1) ?? 0]
  const xOf = (at: number): number => plot.left + (to === from ? 0 : ((at - from) / (to - from)) * inner)
  const yOf = (value: number): number => y + plot.top + plot.height * (1 - (value - low) / (high - low))
  const grid = Array.from({ length: steps + 1 }, (_, step) => {
    const value = low + ((high - low) * step) / steps
    const at = rounded(yOf(value))
    return `<line class="grid" x1="${plot.left}" x2="${width - plot.right}" y1="${at}" y2="${at}"/>${text(plot.left - 8, at + 4, told[figure.unit](value), 'class="quiet" text-anchor="end"')}`
  })
  const lines = figure.lines.flatMap(({ values }, line) =>
    runs(values)
      .filter((run) => run.length > 0)
      .map((run) => {
        const points = run.map(
          (index) => `${rounded(xOf(figure.at[index] ?? from))},${rounded(yOf(values[index] ?? low))}`
        )
        // a moment by itself is a dot
        return `<polyline class="line l${line % 3}" points="${[...points, ...(points.length === 1 ? points : [])].join(" ")}"/>`
      })
  )
  const legend =
    figure.lines.length === 1
      ? []
      : figure.lines.map(({ label }, line) => {
          const x = width - plot.right - (figure.lines.length - line) * 70
          return `<line class="line l${line % 3}" x1="${x}" x2="${x + 24}" y1="${y + 14}" y2="${y + 14}"/>${text(x + 30, y + 18, label, 'class="quiet"')}`
        })
  const below = y + plot.top + plot.height + 20
  const [begin, end] = spanOf(figure.at)
  return [
    text(plot.left, y + 18, figure.title, 'class="title"'),
    ...legend,
    ...grid,
    ...lines,
    text(plot.left, below, begin, 'class="quiet"'),
    text(width - plot.right, below, end, 'class="quiet" text-anchor="end"')
  ].join("\n")
}

/** Readable in both lights; lines differ in more than their colour. */
const style = `
svg{background:#fff;font:13px system-ui,sans-serif}text{fill:#1c2330}
.cache{font-size:18px;font-weight:600}.title{font-weight:600}.quiet{fill:#5a6475}
.grid{stroke:#dfe3ea}.line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
.l0{stroke:#0b7a4b}.l1{stroke:#a15c00;stroke-dasharray:8 4}.l2{stroke:#b3261e;stroke-dasharray:2 4}
@media (prefers-color-scheme:dark){svg{background:#12161d}text{fill:#e6e9ef}.quiet{fill:#9aa4b5}.grid{stroke:#2a313d}
.l0{stroke:#4cc38a}.l1{stroke:#f0a53a}.l2{stroke:#ff8a80}}`

export const render = (all: ReadonlyArray<Chapter>): string => {
  const heightOf = ({ figures }: Chapter): number => titleHeight + figures.length * figureHeight
  const height = all.reduce((sum, chapter) => sum + heightOf(chapter), 0)
  let y = 0
  const body = all.map((chapter) => {
    const start = y
    y += heightOf(chapter)
    return [
      text(plot.left, start + 30, chapter.cache, 'class="cache"'),
      ...chapter.figures.map((figure, index) => figureSvg(figure, start + titleHeight + index * figureHeight))
    ].join("\n")
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escaped(`Caches: ${all.map(({ cache }) => cache).join(", ")}`)}</title>`,
    `<style>${style}</style>`,
    ...body,
    "</svg>"
  ].join("\n")
}
