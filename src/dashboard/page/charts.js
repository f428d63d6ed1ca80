/** Charts of the last five minutes. */
import uPlot from "./uplot.js"

/** Seconds that are shown. */
export const span = 300
const height = 190

/** Shows nothing: it is asked what a colour's name comes to in this light. */
const probe = document.body.appendChild(document.createElement("span"))
probe.hidden = true

const colour = (name) => {
  probe.style.color = `var(--${name})`
  return getComputedStyle(probe).color
}

const axis = () => ({
  stroke: colour("quiet"),
  grid: { stroke: colour("line"), width: 1 },
  ticks: { stroke: colour("line"), width: 1 }
})

export class Chart {
  /** `series` are names and the colours they are drawn in. */
  constructor(element, series, { range, format } = {}) {
    this.element = element
    this.series = series
    this.range = range
    this.format = format ?? ((value) => value.toLocaleString("en-US", { maximumFractionDigits: 1 }))
    this.data = [[], ...series.map(() => [])]
    this.draw()
    new ResizeObserver(() => this.fit()).observe(element)
  }

  get width() {
    return Math.max(200, this.element.clientWidth)
  }

  /** Anew: colours are read when it is made. */
  draw() {
    this.plot?.destroy()
    const shown = (_, value) => (value === null || value === undefined ? "–" : this.format(value))
    const { range } = this
    this.plot = new uPlot(
      {
        width: this.width,
        height,
        scales: {
          x: { time: true },
          y: range === undefined ? { range: (_, low, high) => [0, Math.max(1, high * 1.1)] } : { range }
        },
        axes: [axis(), { ...axis(), size: 60, values: (_, values) => values.map((value) => this.format(value)) }],
        series: [
          {},
          ...this.series.map(({ label, name, dash }) => ({
            label,
            stroke: colour(name),
            width: 2,
            value: shown,
            points: { show: false },
            ...(dash === undefined ? {} : { dash })
          }))
        ]
      },
      this.data,
      this.element
    )
  }

  fit() {
    if (this.width !== this.plot.width) this.plot.setSize({ width: this.width, height })
  }

  show(data) {
    this.data = data
    this.plot.setData(data)
  }

  /** Other names, such as those of the tiers of another cache. */
  rename(series) {
    if (JSON.stringify(series) === JSON.stringify(this.series)) return
    this.series = series
    this.data = [[], ...series.map(() => [])]
    this.draw()
  }
}
