/** Figures in characters, for terminals and mails. */
import * as Asciichart from "asciichart"
import { paint, type Service } from "../screen.js"
import { type Chapter, type Figure, rangeOf, spanOf, told } from "./figures.js"

const height = 8
/** Characters of a line where there is no terminal. */
const usual = 80
const least = 10

const colours = [Asciichart.green, Asciichart.yellow, Asciichart.red] as const

/** So many values, as far apart as can be in their time: of each part of the time the last that is known. */
const spread = (at: ReadonlyArray<number>, values: ReadonlyArray<number | undefined>, columns: number) => {
  const [from, to] = [at[0] ?? 0, at.at(-1) ?? 0]
  const places = Array.from({ length: columns }, () => Number.NaN)
  values.forEach((value, index) => {
    const part = to === from ? 0 : ((at[index] ?? from) - from) / (to - from)
    if (value !== undefined) places[Math.round(part * (columns - 1))] = value
  })
  // what is between two moments is what it was at the first of them
  let last = values.find((value) => value !== undefined) ?? 0
  return places.map((place) => (last = Number.isNaN(place) ? last : place))
}

const figureText = (figure: Figure, screen: Pick<Service, "columns" | "colours">): string => {
  const [min, max] = rangeOf(figure)
  const steps = Array.from({ length: height + 1 }, (_, step) => told[figure.unit](min + ((max - min) * step) / height))
  const labelWidth = Math.max(...steps.map((step) => step.length))
  const columns = Math.max(least, (screen.columns ?? usual) - labelWidth - 3)
  const lines = figure.lines.map(({ values }) => spread(figure.at, values, columns))
  const chart = Asciichart.plot(lines, {
    height,
    min,
    max,
    format: (value: number) => told[figure.unit](value).padStart(labelWidth),
    ...(screen.colours ? { colors: [...colours] } : {})
  })
  const legend =
    figure.lines.length === 1
      ? ""
      : `  ${figure.lines.map(({ label }, index) => (screen.colours ? Asciichart.colored(label, colours[index]) : label)).join(" ")}`
  const [from, to] = spanOf(figure.at)
  const room = columns - from.length - to.length
  const axis = room > 0 ? `${from}${" ".repeat(room)}${to}` : from
  return [
    `${paint(screen, "bold", figure.title)}${legend}`,
    chart,
    paint(screen, "dim", `${" ".repeat(labelWidth + 2)}${axis}`)
  ].join("\n")
}

export const render = (all: ReadonlyArray<Chapter>, screen: Pick<Service, "columns" | "colours">): string =>
  all
    .map(({ cache, figures }) =>
      [paint(screen, "bold", cache), ...figures.map((figure) => figureText(figure, screen))].join("\n\n")
    )
    .join("\n\n\n")
