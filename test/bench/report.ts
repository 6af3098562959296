/** What was found, as lines of a table beside their targets, and where it is written. */
import { Effect } from "effect"
import { execFile } from "node:child_process"
import * as Fs from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import type { Chart } from "./chart.ts"
import { svg } from "./chart.ts"

export interface Target {
  readonly bound: "least" | "most"
  readonly value: number
}

export const least = (value: number): Target => ({ bound: "least", value })
export const most = (value: number): Target => ({ bound: "most", value })

export interface Row {
  readonly store: string
  readonly work: string
  readonly atOnce?: string | number | undefined
  readonly perSecond?: number | undefined
  readonly measured?: number | undefined
  /** What the measured number is, such as `× INCR`. */
  readonly unit?: string | undefined
  readonly target?: Target | undefined
}

export interface Findings {
  readonly rows: ReadonlyArray<Row>
  readonly charts?: ReadonlyArray<Chart> | undefined
}

/** Three digits of what is small, thousands apart. */
export const digits = (value: number): string => {
  const rounded = value >= 100 ? Number(value.toPrecision(3)) : Number(value.toPrecision(value < 10 ? 2 : 3))
  return value < 1 && value > 0.9 ? value.toFixed(2) : rounded.toLocaleString("en").replaceAll(",", " ")
}

const isMet = (measured: number, { bound, value }: Target): boolean =>
  bound === "least" ? measured >= value : measured <= value

const cells = ({ atOnce = "", measured, perSecond, store, target, unit, work }: Row): ReadonlyArray<string> => [
  store,
  work,
  typeof atOnce === "number" ? digits(atOnce) : atOnce,
  perSecond === undefined ? "" : digits(perSecond),
  measured === undefined ? "" : `${digits(measured)} ${unit ?? ""}`,
  target === undefined || measured === undefined
    ? ""
    : `${target.bound === "least" ? "≥" : "≤"} ${digits(target.value)} ${isMet(measured, target) ? "✓" : "✗"}`
]

const line = (cells: ReadonlyArray<string>): string => `| ${cells.join(" | ")} |`

const head = ["store", "work", "at once", "per second", "measured", "target"]

export const table = (rows: ReadonlyArray<Row>): string =>
  [line(head), line(head.map(() => "---")), ...rows.map((row) => line(cells(row)))].join("\n")

const root = new URL("../../", import.meta.url)
const readme = new URL("README.md", root)
const plots = "test/bench/plots"
const markers = { start: "<!-- bench -->", end: "<!-- /bench -->" }

/** Puts the pictures and the table between the markers of the README. */
export const write = (findings: Findings, about: string): Effect.Effect<void> =>
  Effect.promise(async () => {
    const charts = findings.charts ?? []
    await Fs.mkdir(new URL(plots, root), { recursive: true })
    for (const chart of charts) await Fs.writeFile(new URL(`${plots}/${chart.file}`, root), svg(chart))
    const text = await Fs.readFile(readme, "utf8")
    const [before, rest] = text.split(markers.start)
    const after = rest?.split(markers.end)[1]
    if (after === undefined) {
      console.log(`README.md is as it was: nothing in it is marked with ${markers.start} and ${markers.end}.`)
      return
    }
    const pictures = charts.map(({ file, title }) => `![${title}](${plots}/${file})`).join("\n\n")
    const aimed = findings.rows.filter(({ target }) => target !== undefined)
    const others = findings.rows.filter(({ target }) => target === undefined)
    const details = ["<details>\n<summary>All other figures</summary>", table(others), "</details>"]
    const middle = [markers.start, pictures, table(aimed), ...details, about, markers.end].join("\n\n")
    await Fs.writeFile(readme, `${before}${middle}${after}`)
    await promisify(execFile)("dprint", ["fmt", "README.md"], { cwd: fileURLToPath(root) })
  })
