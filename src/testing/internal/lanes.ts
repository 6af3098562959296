/** Something that happened, in one of the lanes. */
export interface Event {
  /** Milliseconds since the beginning. */
  readonly at: number
  readonly lane: string
  readonly text: string
}

const width = 40

/** A table: time goes down, and each writer has a column of its own. */
export const table = (events: ReadonlyArray<Event>): string => {
  const lanes = [...new Set(events.map(({ lane }) => lane))].toSorted()
  const widths = lanes.map((lane) =>
    Math.min(
      width,
      Math.max(lane.length, ...events.filter((event) => event.lane === lane).map(({ text }) => text.length))
    )
  )
  const line = (time: string, cells: ReadonlyArray<string>) =>
    `${time.padStart(12)}  ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join("  ")}`.trimEnd()
  const lines = [line("ms", lanes)]
  for (const { at, lane, text } of events) {
    const column = lanes.indexOf(lane)
    wrap(text, widths[column]!).forEach((part, i) =>
      lines.push(line(i === 0 ? at.toFixed(2) : "", lanes.map((_, j) => j === column ? part : "")))
    )
  }
  return lines.join("\n")
}

const wrap = (text: string, width: number): ReadonlyArray<string> => {
  const parts: Array<string> = []
  for (let rest = text; rest.length > 0;) {
    const space = rest.length <= width ? -1 : rest.lastIndexOf(" ", width)
    const end = rest.length <= width ? rest.length : space > 0 ? space : width
    parts.push(rest.slice(0, end))
    rest = rest.slice(end).trimStart()
  }
  return parts
}
