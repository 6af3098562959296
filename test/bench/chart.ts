/** Line charts as SVG: panels side by side, logarithmic axes, and each line labelled at its end. */

export interface Series {
  readonly name: string
  readonly points: ReadonlyArray<readonly [x: number, y: number]>
  /** The lines of this library stand out. */
  readonly ours?: boolean | undefined
  readonly dashed?: boolean | undefined
}

export interface Axis {
  readonly label: string
  readonly tick: (value: number) => string
  /** Where the ticks are. Default: the powers of ten. */
  readonly ticks?: ReadonlyArray<number> | undefined
}

export interface Panel {
  readonly title: string
  readonly x: Axis
  readonly y: Axis
  readonly series: ReadonlyArray<Series>
}

export interface Chart {
  readonly file: string
  readonly title: string
  readonly panels: ReadonlyArray<Panel>
}

const size = { width: 520, height: 300, left: 58, right: 210, top: 34, bottom: 46 }

const style = `
text { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #57606a }
.back { fill: #ffffff } .title { font-weight: 600; fill: #1f2328 } .grid { stroke: #d8dee4 }
path { fill: none; stroke-width: 1.5 } .dashed { stroke-dasharray: 5 4 } .ours { stroke-width: 3 } text.ours { font-weight: 600 }
${
  ["#0969da", "#bc4c00", "#1a7f37", "#8250df", "#9a6700", "#bf3989", "#57606a"]
    .map((color, i) => `path.c${i} { stroke: ${color} } .c${i}:not(path) { fill: ${color} }`).join("\n")
}
@media (prefers-color-scheme: dark) {
text { fill: #9198a1 } .back { fill: #0d1117 } .title { fill: #f0f6fc } .grid { stroke: #2f353d }
${
  ["#58a6ff", "#f0883e", "#56d364", "#bc8cff", "#e3b341", "#f778ba", "#9198a1"]
    .map((color, i) => `path.c${i} { stroke: ${color} } .c${i}:not(path) { fill: ${color} }`).join("\n")
}
}`

const escape = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;")

/** The powers of ten in a range, with what is between them where there are few. */
const powers = (low: number, high: number): ReadonlyArray<number> => {
  const first = Math.floor(Math.log10(low))
  const last = Math.ceil(Math.log10(high))
  const steps = high / low < 150 ? [1, 2, 5] : [1]
  return Array.from({ length: last - first + 1 }, (_, i) => steps.map((step) => step * 10 ** (first + i))).flat()
    .filter((value) => value >= low * 0.999 && value <= high * 1.001)
}

/** A little more than the values span, and no less than ten times, so that small differences look small. */
const bounds = (values: ReadonlyArray<number>): readonly [low: number, high: number] => {
  const [low, high] = [Math.min(...values) / 1.3, Math.max(...values) * 1.3]
  const more = Math.max(1, Math.sqrt(10 / (high / low)))
  return [low / more, high * more]
}

/** From values to pixels, by their logarithms. */
const scale = (values: ReadonlyArray<number>, from: number, to: number) => {
  const low = Math.log10(Math.min(...values))
  const high = Math.log10(Math.max(...values))
  return (value: number) => from + (Math.log10(value) - low) / (high - low || 1) * (to - from)
}

/** Moves labels apart that would stand on each other. */
const apart = (heights: ReadonlyArray<number>, gap: number, bottom: number): ReadonlyArray<number> => {
  const order = heights.map((height, i) => [height, i] as const).toSorted(([a], [b]) => a - b)
  const placed: Array<number> = []
  let last = -Infinity
  for (const [height] of order) placed.push(last = Math.max(height, last + gap))
  let next = bottom
  for (let i = placed.length - 1; i >= 0; i--) next = (placed[i] = Math.min(placed[i]!, next)) - gap
  const result: Array<number> = []
  order.forEach(([, i], place) => result[i] = placed[place]!)
  return result
}

const draw = ({ series, title, x, y }: Panel): string => {
  const { bottom, height, left, right, top, width } = size
  const points = series.flatMap(({ points }) => points)
  const yBounds = bounds(points.map(([, value]) => value))
  const xAt = scale(points.map(([value]) => value), left, width - right)
  const yAt = scale(yBounds, height - bottom, top)
  const xs = points.map(([value]) => value)
  const xTicks = x.ticks ?? powers(Math.min(...xs), Math.max(...xs))
  const yTicks = y.ticks ?? powers(...yBounds)
  const classes = series.map(({ ours }, i) => ours === true ? "c0 ours" : `c${1 + i % 6}`)
  const ends = series.map(({ points }) => points.at(-1)!)
  const labels = apart(ends.map(([, value]) => yAt(value)), 15, height - bottom)
  return [
    `<text class="title" x="${left}" y="18">${escape(title)}</text>`,
    ...yTicks.map((value) =>
      `<path class="grid" d="M${left} ${yAt(value).toFixed(1)}H${width - right}"/>` +
      `<text x="${left - 6}" y="${(yAt(value) + 4).toFixed(1)}" text-anchor="end">${y.tick(value)}</text>`
    ),
    ...xTicks.map((value) =>
      `<path class="grid" d="M${xAt(value).toFixed(1)} ${top}V${height - bottom}"/>` +
      `<text x="${xAt(value).toFixed(1)}" y="${height - bottom + 17}" text-anchor="middle">${x.tick(value)}</text>`
    ),
    `<text x="${(left + width - right) / 2}" y="${height - 8}" text-anchor="middle">${escape(x.label)}</text>`,
    `<text transform="translate(14 ${(top + height - bottom) / 2}) rotate(-90)" text-anchor="middle">${
      escape(y.label)
    }</text>`,
    ...series.map(({ dashed, points }, i) =>
      `<path class="${classes[i]}${dashed === true ? " dashed" : ""}" d="M${
        points.map(([x, y]) => `${xAt(x).toFixed(1)} ${yAt(y).toFixed(1)}`).join("L")
      }"/>` +
      (points.length === 1
        ? `<circle class="${classes[i]}" cx="${xAt(points[0]![0]).toFixed(1)}" cy="${
          yAt(points[0]![1]).toFixed(1)
        }" r="3"/>`
        : "")
    ),
    ...series.map(({ name }, i) => {
      const far = ends[i]![0] < Math.max(...xs)
      const x = far ? xAt(ends[i]![0]) + 6 : width - right + 6
      return `<text class="${classes[i]}" x="${x.toFixed(1)}" y="${(labels[i]! + 4).toFixed(1)}">${escape(name)}</text>`
    })
  ].join("\n")
}

/** Two panels in a row. */
export const svg = ({ panels, title }: Chart): string => {
  const columns = Math.min(2, panels.length)
  const [width, height] = [size.width * columns, size.height * Math.ceil(panels.length / columns)]
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${
      escape(title)
    }">`,
    `<style>${style}</style>`,
    `<rect class="back" width="${width}" height="${height}" rx="6"/>`,
    ...panels.map((panel, i) =>
      `<g transform="translate(${size.width * (i % columns)} ${size.height * Math.floor(i / columns)})">\n${
        draw(panel)
      }\n</g>`
    ),
    "</svg>",
    ""
  ].join("\n")
}

/** 1 000 as 1k, 0.001 as it is. */
export const short = (value: number): string =>
  value >= 1e6 ? `${value / 1e6}M` : value >= 1e3 ? `${value / 1e3}k` : `${Number(value.toPrecision(3))}`
